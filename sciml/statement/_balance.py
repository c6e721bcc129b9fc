"""Whether a steady problem of which only fluxes are prescribed has a solution: one quadrature, before anything is compiled.

Where an equation is the divergence of a flux and a source, and conditions prescribe the flux through the whole boundary,
Gauss's theorem asks of the data alone that

    sum_i d F_i / dx_i + f = 0   in the domain,       integral of F . n over the boundary + integral of f = 0.

This is so for F_i = A_i du/dx_i with Neumann conditions all around (u is then known up to a constant), and for the velocity of
an incompressible flow that is prescribed everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from .._evaluate import evaluate
from .._integrals import quadrature
from ..geometry import Box, Domain
from ..pde import PDE, Condition, Dirichlet, Neumann, Robin, multi_index
from ..pde._flux import expand_without_check, leaves
from ._jumps import breaks_along
from ._places import repeats
from ._walls import Wall, facing, read_wall

# Of all that flows: more is no solution at all, less than that but more than the quadrature is off by is said.
REFUSED, ROUNDING = 1e-3, 1e-6
POINTS = 1 << 14

# The flux out of a part of the boundary at points of it `(n, d)` with their normals `(n, space)`.
Outflow = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Balance:
    """The integrals of the source and of the flux out of the domain, of their absolute values, and how exact they are."""

    source: float
    outflow: float
    size: float
    error: float

    @property
    def gap(self) -> float:
        return self.source + self.outflow


def check_balance(pde: PDE, domain: Domain) -> tuple[str, ...]:
    """A sentence for each equation whose data balance roughly only. **Raises** `ValueError` where they do not."""
    pde = pde.real()
    if pde.time is not None or pde.family or pde.parameters or domain.space is None:
        return ()
    notes = []
    for equation in pde.equations:
        found = _divergence(equation.expression, pde, domain)
        if found is None:
            continue
        source, outflows = found
        balance = _balance(pde, domain, source, outflows)
        if not np.isfinite(balance.gap) or balance.size == 0:
            continue
        off = abs(balance.gap) / balance.size
        if abs(balance.gap) <= max(ROUNDING * balance.size, 5 * balance.error):
            continue
        told = (
            f"the source of {equation.name!r} adds up to {balance.source:.6g} over the domain and what the conditions let out "
            f"through the boundary to {balance.outflow:.6g}, which must cancel where nothing but fluxes is prescribed"
        )
        if off > REFUSED:
            raise ValueError(f"There is no solution: {told}. {_remedy(equation.expression, pde, domain, balance)}")
        notes.append(f"Strictly there is no solution: {told}; the difference of {balance.gap:.2g} is spread.")
    return tuple(notes)


def _remedy(expression: Any, pde: PDE, domain: Domain, balance: Balance) -> str:
    fields = sorted({_field_of(leaf).field_name for leaf in _leaves(expression)})
    assert domain.space is not None
    if len(fields) > 1:
        return (
            f"Leave a part of the boundary open ({', '.join(fields)} not prescribed there, such as an outlet), or prescribe "
            "velocities that balance."
        )
    return (
        f"Prescribe a value of {fields[0]} on a part of the boundary (Dirichlet or Robin), change a flux, or take "
        f"{balance.gap / float(domain.space.measure):.6g} off the source."
    )


def _field_of(leaf: Any) -> Any:
    return leaf.expr if isinstance(leaf, sp.Derivative) else leaf


def _leaves(expression: Any) -> list[Any]:
    return sorted(leaves(expand_without_check(sp.sympify(expression))), key=sp.default_sort_key)


def _divergence(expression: Any, pde: PDE, domain: Domain) -> tuple[Any, dict[str, Outflow]] | None:
    """(the source, the outflow through each part of the boundary) of a divergence whose flux is prescribed everywhere."""
    expression = sp.expand(expand_without_check(sp.sympify(expression)))
    inside = _leaves(expression)
    coefficients = {leaf: expression.coeff(leaf) for leaf in inside}
    source = sp.expand(expression - sp.Add(*(c * leaf for leaf, c in coefficients.items())))
    if not inside or _leaves(source) or any(_leaves(c) for c in coefficients.values()):
        return None
    index = {leaf: multi_index(leaf, pde.space) for leaf in inside}
    if {_field_of(leaf) for leaf in inside} == {_field_of(inside[0])}:
        factors = _conductivities(coefficients, index, pde)
        outflow = None if factors is None else lambda label: _through(label, factors, _field_of(inside[0]), pde, domain)
    elif all(sum(i) == 1 for i in index.values()) and len({i for i in index.values()}) == len(inside):
        if any(c.free_symbols & set(pde.coordinates) for c in coefficients.values()):
            return None
        carried = {index[leaf].index(1): (_field_of(leaf), c) for leaf, c in coefficients.items()}
        outflow = lambda label: _carried(label, carried, pde, domain)  # noqa: E731
    else:
        return None
    if outflow is None:
        return None
    found: dict[str, Outflow] = {}
    for label in domain.boundary:
        if all(repeats(_field_of(leaf), label, pde, domain) for leaf in inside):
            continue
        through = outflow(label)
        if through is None:
            return None
        found[label] = through
    return source, found


def _conductivities(coefficients: dict[Any, Any], index: dict[Any, Any], pde: PDE) -> list[Any] | None:
    """A_i, where the equation is sum_i d(A_i du/dx_i)/dx_i and a source; None where it is something else."""
    factors, slopes = [sp.Integer(0)] * len(pde.space), [sp.Integer(0)] * len(pde.space)
    for leaf, c in coefficients.items():
        if sum(index[leaf]) == max(index[leaf]) == 2:
            factors[index[leaf].index(2)] = c
        elif sum(index[leaf]) == 1:
            slopes[index[leaf].index(1)] = c
        else:
            return None
    if any(a == 0 for a in factors):
        return None
    if any(sp.simplify(a.diff(x) - b) != 0 for a, b, x in zip(factors, slopes, pde.space, strict=True)):
        return None
    return factors


def _holding(label: str, kinds: Any, pde: PDE, domain: Domain) -> list[Any] | None:
    """The conditions of these kinds on the whole of a part; None where one holds on a piece of it or at a point."""
    found = []
    for c in pde.conditions:
        if not isinstance(c, kinds):
            continue
        if not (c.on is None or isinstance(c.on, (str, tuple)) or hasattr(c.on, "labels")):
            if isinstance(c.on, dict) and domain.space is not None and domain.space.dim > 1:
                continue
            return None
        part = domain.boundary.all if c.on is None else domain.boundary.select(c.on)
        if set(part.labels) - set(domain.boundary):
            return None
        if c.on is None or label in part.labels:
            found.append(c)
    return found


def _through(label: str, factors: list[Any], u: Any, pde: PDE, domain: Domain) -> Outflow | None:
    """A du/dn where exactly one condition prescribes du/dn."""
    mine = _holding(label, (Dirichlet, Neumann, Robin, Condition), pde, domain)
    mine = None if mine is None else [c for c in mine if u in c.fields]
    if mine is None or len(mine) != 1:
        return None
    faced = facing(domain, label, pde)
    if faced is not None:
        wall = read_wall(mine[0], u, pde, *faced)
        factor = factors[pde.space.index(faced[0])]
    else:
        wall = Wall(sp.Integer(0), sp.Integer(1), mine[0].value) if isinstance(mine[0], Neumann) else None
        factor = factors[0] if len(set(factors)) == 1 else None
    if wall is None or factor is None or wall.alpha != 0:
        return None
    slope = wall.value / wall.beta
    return lambda x, normals: evaluate(pde, factor, x) * evaluate(pde, slope, x)


def _carried(label: str, carried: dict[int, Any], pde: PDE, domain: Domain) -> Outflow | None:
    """sum_i c_i v_i n_i where every v_i that passes is prescribed."""
    faced = facing(domain, label, pde)
    holding = _holding(label, Dirichlet, pde, domain)
    values = {}
    for i, (v, c) in carried.items():
        if faced is not None and pde.space[i] != faced[0]:
            continue
        mine = [h for h in holding or () if h.field == v]
        if len(mine) != 1:
            return None
        values[i] = c * sp.sympify(mine[0].value)
    return lambda x, normals: sum(  # pyright: ignore
        (evaluate(pde, value, x) * normals[:, i] for i, value in values.items()), np.zeros(len(x))
    )


def _balance(pde: PDE, domain: Domain, source: Any, outflows: dict[str, Outflow]) -> Balance:
    once, again = (_integrals(pde, domain, source, outflows, attempt) for attempt in (0, 1))
    return Balance(again[0], again[1], again[2], abs(once[0] - again[0]) + abs(once[1] - again[1]))


def _integrals(
    pde: PDE, domain: Domain, source: Any, outflows: dict[str, Outflow], attempt: int
) -> tuple[float, float, float]:
    """Integrals of the source, of the flux outwards, and of their absolute values. Jumps in the data are met by many points,
    and show in the difference of two attempts."""
    space = domain.space
    assert space is not None
    order = [domain.names.index(c.name) for c in pde.coordinates]
    place = [domain.names.index(c.name) for c in pde.space]
    box = isinstance(space, Box) and space.dim <= 3
    if box:
        cuts = {i: breaks_along(pde, domain, source, c) or () for i, c in zip(place, pde.space, strict=True)}
        x, weights, measure = quadrature(domain, place, {}, cells=1 + attempt, breaks=cuts)
    else:
        x, measure = domain.sample(POINTS, key=attempt), float(space.measure)
        weights = np.full(len(x), 1 / len(x))
    values = evaluate(pde, source, x[:, order])
    total, size, out = float(weights @ values) * measure, float(weights @ np.abs(values)) * measure, 0.0
    for label, flux in outflows.items():
        part = domain.boundary[label]
        if box and part.axis is not None and part.side is not None and part.value is not None:
            name = part.names[part.axis]
            free = [i for i in place if domain.names[i] != name]
            x, weights, measure = quadrature(domain, free, {name: part.value}, cells=1 + attempt)
            normals = np.zeros((len(x), len(pde.space)))
            normals[:, [c.name for c in pde.space].index(name)] = part.side
        else:
            x, normals = domain.sample_boundary(part, POINTS, key=attempt)
            normals = normals[:, [space.names.index(c.name) for c in pde.space]]
            weights, measure = np.full(len(x), 1 / len(x)), part.measure
        values = flux(x[:, order], normals)
        out += float(weights @ values) * measure
        size += float(weights @ np.abs(values)) * measure
    return total, out, size
