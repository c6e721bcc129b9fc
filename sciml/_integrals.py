"""Integrals over the domain of a solution, or over a part of its boundary."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from .geometry import Box, Domain

if TYPE_CHECKING:
    from .solution import Solution


def integrate(solution: Solution, expression: Any, *, on: Any, n: int, at: Mapping[str, float]) -> Any:
    """See `Solution.integrate`."""
    if isinstance(expression, bool) or not isinstance(expression, (sp.Expr, int, float, complex)):
        raise TypeError(
            "integrate: expected an expression in the fields, such as pde['u'] ** 2, or the name of a field; "
            f"{expression!r} came."
        )
    unknown = set(at) - set(solution.domain.names)
    if unknown:
        raise ValueError(
            f"integrate: {', '.join(sorted(unknown))} is no coordinate; these are {', '.join(solution.domain.names)}."
        )
    names = solution.domain.names
    for name, value in at.items():
        low, high = (float(side[names.index(name)]) for side in (solution.domain.lower, solution.domain.upper))
        if not low - 1e-9 * (high - low) <= value <= high + 1e-9 * (high - low):
            raise ValueError(
                f"integrate: {name}={value:g} is outside the domain, where {name} is from {low:g} to {high:g}."
            )
    free = [i for i, name in enumerate(names) if name not in at]
    lengths = solution.domain.upper - solution.domain.lower
    space = solution.domain.space
    space_names = space.names if space is not None else ()
    fixed = set(at) & set(space_names)
    if fixed and (on is not None or not isinstance(space, Box)):
        raise ValueError(
            f"integrate: {', '.join(sorted(fixed))} is fixed, which leaves a slice of "
            f"{'the boundary' if on is not None else repr(space)} whose measure is not known. Space coordinates "
            "are fixed in the interior of a Box only; time and parameters everywhere."
        )
    if on is not None:
        part = solution.domain.boundary.all if on == "all" else solution.domain.boundary.select(on)
        x, normals = solution.domain.sample_boundary(part, n)
        measure, normals = part.measure, normals[:, [space_names.index(c.name) for c in solution.pde.space]]
        weights = np.full(len(x), 1 / len(x))
    else:
        normals = None
        x, weights, measure = quadrature(solution.domain, free, at, n)
    for name, value in at.items():
        x[:, names.index(name)] = value
    rest = float(np.prod([lengths[i] for i in free if names[i] not in space_names]))
    (values,) = solution.values_of([expression], solution.columns(x), normals)
    total = np.sum(weights * values) * measure * rest
    return complex(total) if np.iscomplexobj(total) else float(total)


def quadrature(
    domain: Domain,
    free: list[int],
    at: Mapping[str, float],
    n: int = 1 << 14,
    cells: int = 1,
    breaks: Mapping[int, tuple[float, ...]] | None = None,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Points of the domain whose coordinates `free` vary, the others being fixed as in `at`; weights that sum to one; and the
    measure of the part of space that is free. Gauss-Legendre on a box of up to three dimensions (in `cells` times the usual
    number of cells along each axis, cut at `breaks` by column), quasi-Monte Carlo with `n` points elsewhere."""
    space, names = domain.space, domain.names
    if isinstance(space, Box | None) and len(free) <= 3:
        x, weights = _gauss(domain, free, cells, breaks or {})
        for name, value in at.items():
            x[:, names.index(name)] = value
        inside = space.names if space is not None else ()
        lengths = domain.upper - domain.lower
        return x, weights, float(np.prod([lengths[i] for i in free if names[i] in inside]))
    x = domain.sample(n)
    return x, np.full(len(x), 1 / len(x)), float(space.measure) if space is not None else 1.0


def _gauss(
    domain: Domain, free: list[int], finer: int, breaks: Mapping[int, tuple[float, ...]]
) -> tuple[np.ndarray, np.ndarray]:
    """Composite Gauss-Legendre points over the free coordinates, and weights that sum to one."""
    per_axis = {0: 1, 1: 64, 2: 16, 3: 5}[len(free)] * finer
    nodes, weights = np.polynomial.legendre.leggauss(8)
    places, shares = [], []
    for axis in free:
        lower, upper = domain.lower[axis], domain.upper[axis]
        edges = np.union1d(np.linspace(lower, upper, per_axis + 1), np.clip(breaks.get(axis, ()), lower, upper))
        lengths = np.diff(edges)
        places.append((edges[:-1, None] + lengths[:, None] * (nodes + 1) / 2).ravel())
        shares.append((lengths[:, None] * weights / 2).ravel() / (upper - lower))
    x = np.tile((domain.lower + domain.upper) / 2, (math.prod(map(len, places)), 1))
    total = np.ones(len(x))
    for axis, place, share in zip(free, np.meshgrid(*places, indexing="ij"), np.meshgrid(*shares, indexing="ij"), strict=True):
        x[:, axis] = place.ravel()
        total = total * share.ravel()
    return x, total
