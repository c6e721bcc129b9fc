"""Every equation and condition is evaluated once before anything is compiled: what is not finite is named, with its place."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import sympy as sp

from .._evaluate import evaluate, frozen
from ..geometry import Box, Domain
from ..pde import PDE, Field, FluxDerivative, Initial, Observed, Opaque, Periodic
from ..pde._printing import text
from ..pde._spline import Spline

POINTS = 256
FEW = 8  # on each edge and corner of a box


def check_expressions(pde: PDE, domain: Domain) -> None:
    """Raises `ValueError` where a term of an equation is not finite inside the domain, or a condition where it holds,
    edges and corners of a box included (a trial function continues values up to there).

    Fields and derivatives are any numbers here: what is not finite for some of them only is not judged.
    """
    pde = pde.real()
    columns = [domain.names.index(c.name) for c in pde.coordinates]
    inside = domain.sample(POINTS)[:, columns]
    for e in pde.equations:
        for part in _parts(sp.sympify(e.expression)):
            _require(f"Equation {e.name!r}", part, pde, inside, equation=True)
    for condition in pde.conditions:
        if isinstance(condition, Periodic):
            continue
        expression = condition.expression if isinstance(condition, Observed) else condition.residual
        places = [np.empty((0, len(columns))), *_places(condition, pde, domain, columns)]
        _require(f"{condition.name!r}", expression, pde, np.concatenate(places), equation=False)


def _parts(expression: Any) -> Iterator[Any]:
    """The expression with its fluxes as they stand, and each flux."""
    yield expression
    for node in expression.atoms(FluxDerivative):
        yield node.flux


def _places(condition: Any, pde: PDE, domain: Domain, columns: list[int]) -> Iterator[np.ndarray]:
    """Points where a condition holds."""
    if isinstance(condition, Observed):
        x = np.tile(((domain.lower + domain.upper) / 2)[columns], (len(condition.points), 1))
        for i, c in enumerate(condition.coordinates):
            x[:, pde.coordinates.index(c)] = condition.points[:, i]
        yield x
        return
    if isinstance(condition, Initial):
        x = domain.sample_initial(POINTS)[:, columns]
        yield x
        yield from _edges(x, pde, domain, None)
        return
    on = condition.on
    if isinstance(on, dict):
        x = domain.sample(POINTS)[:, columns]
        for name, value in on.items():
            x[:, [c.name for c in pde.coordinates].index(name)] = float(value)
        yield x
        return
    if not domain.boundary:
        return
    if isinstance(on, sp.Basic):
        x = domain.sample_boundary(domain.boundary.all, POINTS)[0][:, columns]
        yield x[evaluate(pde, sp.Piecewise((1, on), (0, True)), x) > 0.5]
        return
    if not isinstance(on, (str, tuple, type(None))):
        yield domain.sample_boundary(domain.boundary.select(on), POINTS)[0][:, columns]
        return
    for label in domain.boundary if on is None else domain.boundary.select(on).labels:
        face = domain.boundary[label]
        x = domain.sample_boundary(face, POINTS)[0][:, columns]
        yield x
        yield from _edges(x, pde, domain, face)


def _edges(x: np.ndarray, pde: PDE, domain: Domain, face: Any) -> Iterator[np.ndarray]:
    """The points moved to the edges and corners of a box, along space."""
    if not isinstance(domain.space, Box):
        return
    fixed = None if face is None or face.axis is None else face.names[face.axis]
    bounds = dict(zip(domain.space.names, domain.space.bounds, strict=True))
    free = [i for i, c in enumerate(pde.coordinates) if c.name in bounds and c.name != fixed]
    ends = [(None, *bounds[pde.coordinates[i].name]) for i in free]
    if len(free) > 3:  # 3^n edges: those of one coordinate and two corners
        chosen = [tuple(v if k == i else None for k in range(len(free))) for i, e in enumerate(ends) for v in e[1:]]
        chosen += [tuple(e[1] for e in ends), tuple(e[2] for e in ends)]
    else:
        chosen = [c for c in itertools.product(*ends) if any(v is not None for v in c)]
    moved = []
    for choice in chosen:
        y = np.array(x[:FEW])
        for i, value in zip(free, choice, strict=True):
            if value is not None:
                y[:, i] = value
        moved.append(y)
    if moved:
        yield np.concatenate(moved)


def _require(who: str, expression: Any, pde: PDE, x: np.ndarray, *, equation: bool) -> None:
    if not len(x):
        return
    for term in sp.Add.make_args(sp.sympify(expression)):
        known = frozen(term, pde)
        if known.is_number and known.is_finite:
            continue
        bad = np.flatnonzero(~np.isfinite(_values(pde, known, x)))
        if not len(bad):
            continue
        place = x[bad[0]]
        culprit = _culprit(term, pde, place[None])
        if culprit is None:
            continue
        where = ", ".join(f"{c.name} = {v:.4g}" for c, v in zip(pde.coordinates, place, strict=True))
        value = _values(pde, frozen(culprit, pde), place[None])[0]
        shown = f"{text(culprit)} is {value}" if culprit != term else f"it is {value}"
        named = -term if term.could_extract_minus_sign() else term
        raise ValueError(
            f"{who}: the term {text(named)} is not finite at {where} ({shown}; expected finite numbers). "
            f"{_advice(culprit, equation)}"
        )


def _values(pde: PDE, known: Any, x: np.ndarray) -> np.ndarray:
    if known.has(sp.zoo, sp.nan, sp.oo, -sp.oo):
        return np.full(len(x), np.nan)
    if known.has(sp.I):  # the root of a field that is negative here
        return np.zeros(len(x))
    return evaluate(pde, known, x)


def _culprit(term: Any, pde: PDE, x: np.ndarray) -> Any:
    """The smallest part of a term that is not finite at one point; None if it hangs on the value of a field."""
    finite = lambda e: bool(np.isfinite(_values(pde, frozen(e, pde), x)).all())  # noqa: E731
    node: Any = term
    while True:
        if isinstance(node, sp.Piecewise):
            pieces: Any = node.args
            holds = [v for v, c in pieces if evaluate(pde, frozen(sp.Piecewise((1, c), (0, True)), pde), x)[0] > 0.5]
            below = [v for v in holds[:1] if not finite(v)]
            hanging = any(c.atoms(Field) for _, c in pieces)
        else:
            below = [a for a in node.args if isinstance(a, sp.Expr) and not _is_leaf(a) and not finite(a)]
            hanging = bool(node.atoms(Field))
        if not below:
            return None if hanging else node
        node = below[0]


def _is_leaf(node: Any) -> bool:
    return isinstance(node, (Field, FluxDerivative, sp.Derivative, sp.Symbol, sp.Number))


def _advice(culprit: Any, equation: bool) -> str:
    if isinstance(culprit, sp.Piecewise):
        last = text(culprit.args[-1].args[0])
        return f"No branch of the Piecewise holds there: end it with one that always does, such as ({last}, True)."
    if isinstance(culprit, Opaque):
        name = culprit.function_name
        if isinstance(culprit.base.callable, Spline):
            ends = "; ".join(f"{g[0]:g} to {g[-1]:g}" for g in culprit.base.callable.grids)
            return f"The table {name!r} ends there: its grid goes from {ends}. Give it values for the whole domain."
        return (
            f"The JAX function {name!r} returned it: look there for a division by zero or a root or logarithm of a negative "
            "number."
        )
    base = culprit.args[0] if culprit.args else culprit
    if isinstance(culprit, sp.Pow) and culprit.exp.is_negative:
        how = f"multiply the equation by {text(1 / culprit)}" if equation else "give the limit by Piecewise"
        return f"It divides by zero there: write sp.sinc(r) for sin(r)/r, {how}, or leave the place out of the domain."
    if isinstance(culprit, sp.Pow) and culprit.exp.is_integer is not True:
        return (
            f"It is a root of a negative number: write the argument so that it is none, for instance sp.Max({text(base)}, 0), "
            "or say with Piecewise where it holds."
        )
    if isinstance(culprit, sp.log):
        return "It is a logarithm of zero or of a negative number: say with Piecewise where it holds, or change the domain."
    return "Look for a division by zero, a root or logarithm of a negative number, or a number that is too large."
