"""Coefficients that jump, found numerically: whatever they are written with, they are sampled along lines through the domain.

Between the two points of a line where a function changes most for its neighbourhood, the half with the larger change is taken
again and again: what is left of the change at 1e-9 of the length is a jump. A tanh, however steep, leaves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from .._evaluate import evaluator, frozen, is_hidden
from ..geometry import Domain
from ..pde import PDE, Coordinate, FluxDerivative, Opaque
from ..pde._flux import evaluate_derivatives, leaves
from ..pde._lower import leaf_key
from ..pde._spline import Spline

POINTS = 257  # along a line; stripes that are thinner are not seen
LINES = 32
CANDIDATES = 8  # intervals of a line that are bisected
EDGE = 1e-6  # of the length: what happens nearer to the ends is not looked at
FINEST = 1e-9  # of the length
_CONTINUOUS = (sp.Add, sp.Mul, sp.exp, sp.sin, sp.cos, sp.tanh, sp.Abs, sp.Max, sp.Min)
LEFT = 1e-6  # of the largest value: a change that is left at the finest spacing and is called a jump


@dataclass(frozen=True)
class Jump:
    """`expression` jumps along `coordinate` at `place` (by name of the coordinate): the flux of the node `flux`, the
    coefficient of the derivative `leaf`, or a source."""

    equation: str
    expression: Any
    coordinate: Coordinate
    place: dict[str, float]
    flux: FluxDerivative | None = None
    leaf: Any = None

    @property
    def where(self) -> str:
        """As in "x = 0.5", with the other coordinates that the jump can depend on."""
        return ", ".join(f"{name} = {value:.6g}" for name, value in self.place.items())


def flux_jumps(pde: PDE, domain: Domain) -> list[Jump]:
    """For every d(flux, x) whose flux jumps along x with fields and slopes held: the product rule would lose the interface,
    where the flux is continuous."""
    found = []
    for e in pde.equations:
        for node in sorted(sp.sympify(e.expression).atoms(FluxDerivative), key=sp.default_sort_key):
            place = find_jump(pde, domain, node.flux, node.coordinate)
            if place is not None:
                found.append(Jump(e.name, node.flux, node.coordinate, place, flux=node))
    return found


def coefficient_jumps(pde: PDE, domain: Domain) -> list[Jump]:
    """For every second or higher derivative outside a flux, the highest of its field along that coordinate: its coefficient, if
    that jumps along the coordinate."""
    found = []
    for e in pde.equations:
        expression = evaluate_derivatives(sp.sympify(e.expression))
        outside = expression.xreplace({n: sp.Integer(0) for n in expression.atoms(FluxDerivative)})
        for leaf, coordinate in _highest(outside, pde):
            dummy = sp.Dummy()
            coefficient = outside.xreplace({leaf: dummy}).diff(dummy)
            place = find_jump(pde, domain, coefficient, coordinate)
            if place is not None:
                found.append(Jump(e.name, coefficient, coordinate, place, leaf=leaf))
    return found


def source_jumps(pde: PDE, domain: Domain) -> list[Jump]:
    """For every equation what has no derivatives in it, sources and reactions, if that jumps along a coordinate of space."""
    found = []
    for e in pde.equations:
        rest = undifferentiated(e.expression)
        places = ((c, find_jump(pde, domain, rest, c)) for c in pde.space)
        found += [Jump(e.name, rest, c, place) for c, place in places if place is not None][:1]
    return found


def undifferentiated(expression: Any) -> Any:
    """What of an equation has no derivative of a field in it: sources and reactions."""
    expression = evaluate_derivatives(sp.sympify(expression))
    rest = expression.xreplace({node: sp.Integer(0) for node in expression.atoms(FluxDerivative)})
    return rest.xreplace({leaf: sp.Integer(0) for leaf in leaves(rest) if isinstance(leaf, sp.Derivative)})


def _highest(expression: Any, pde: PDE) -> list[tuple[Any, Coordinate]]:
    """(derivative, space coordinate) for the derivatives of highest order, two at least, of a field along a coordinate."""
    keyed = {leaf_key(leaf, pde.coordinates): leaf for leaf in leaves(expression)}
    found = []
    for u in pde.fields:
        for c in pde.space:
            axis = pde.coordinates.index(c)
            orders = {index: leaf for (name, index), leaf in keyed.items() if name == u.field_name}
            most = max((index[axis] for index in orders), default=0)
            if most >= 2:
                found += [(leaf, c) for index, leaf in sorted(orders.items()) if index[axis] == most]
    return found


def find_jump(pde: PDE, domain: Domain, expression: Any, coordinate: Coordinate) -> dict[str, float] | None:
    """A place inside the domain where `expression` jumps along `coordinate` while its fields keep their values; None if there
    is none."""
    known = frozen(expression, pde)
    if coordinate not in known.free_symbols or known.has(sp.I, sp.zoo, sp.nan) or _continuous(known) or is_hidden(known):
        return None
    lines = _Lines.through(pde, domain, known, coordinate, 4)
    # With other values of the fields it is somewhere else: then a field decides where it jumps, not the place.
    same = lines.values(frozen(expression, pde, -0.83))
    for row, s in jumps_along(lines.values(known), lines.low, lines.high, len(lines.points)):
        x = lines.points[row].copy()
        x[lines.axis] = s
        full = np.empty((1, len(x)))
        full[0, lines.columns] = x
        if not domain.contains(full)[0]:
            continue
        apart = np.array([-1.0, 1.0]) * 4 * FINEST * (lines.high - lines.low)
        values = same(np.tile(s + apart, (len(lines.points), 1)))[row]
        if values[0] != values[1] or not np.isfinite(values).all():
            return {c.name: v for v, c in zip(x.tolist(), pde.coordinates, strict=True) if c in known.free_symbols}
    return None


def breaks_along(pde: PDE, domain: Domain, expression: Any, coordinate: Coordinate) -> tuple[float, ...] | None:
    """Where along a coordinate an expression without fields may jump; None where that is not the same on all lines, or not
    known."""
    if coordinate not in expression.free_symbols or _continuous(expression):
        return ()
    if is_hidden(expression):
        return None
    lines = _Lines.through(pde, domain, expression, coordinate, 1)
    values = lines.values(expression)
    found = sorted(s for _, s in jumps_along(values, lines.low, lines.high, len(lines.points), candidates=64))
    near = 10 * FINEST * (lines.high - lines.low)
    places: list[list[float]] = []
    for s in found:
        if places and s - places[-1][-1] < near:
            places[-1].append(s)
        else:
            places.append([s])
    if len(lines.points) > 1 and (not places or min(map(len, places)) < 2):
        return None
    return tuple(group[0] for group in places)


@dataclass(frozen=True)
class _Lines:
    """Lines along an axis through sampled points."""

    pde: PDE
    points: np.ndarray  # (lines, coordinates of the equation)
    columns: list[int]  # of these coordinates in the domain
    axis: int
    low: float
    high: float

    @classmethod
    def through(cls, pde: PDE, domain: Domain, expression: Any, coordinate: Coordinate, fewest: int) -> _Lines:
        """`fewest` where the expression depends on no other coordinate."""
        names = [c.name for c in pde.coordinates]
        axis, columns = names.index(coordinate.name), [domain.names.index(name) for name in names]
        others = expression.free_symbols & (set(pde.coordinates) - {coordinate})
        points = domain.sample(LINES if others else fewest, key=11)[:, columns]
        return cls(pde, points, columns, axis, *(float(b[columns][axis]) for b in (domain.lower, domain.upper)))

    def values(self, expression: Any) -> Callable[[np.ndarray], np.ndarray]:
        """Along each line, at `(lines, n)`."""
        function = evaluator(self.pde, expression)

        def at(s: np.ndarray) -> np.ndarray:
            x = np.repeat(self.points[:, None, :], s.shape[1], axis=1)
            x[:, :, self.axis] = s
            return function(x.reshape(-1, x.shape[-1])).reshape(s.shape)

        return at


def _continuous(expression: Any) -> bool:
    """Whether all of it is known to have no jump: nothing is sampled then."""
    if isinstance(expression, Opaque):
        smooth = isinstance(expression.base.callable, Spline) and all(k >= 1 for k in type(expression).callable.degrees)
    elif isinstance(expression, sp.Pow):
        smooth = expression.exp.is_number and bool(expression.exp.is_positive)
    else:
        smooth = expression.is_Atom or isinstance(expression, _CONTINUOUS)
    return smooth and all(_continuous(a) for a in expression.args)


def jumps_along(
    function: Callable[[np.ndarray], np.ndarray],
    low: float,
    high: float,
    lines: int = 1,
    candidates: int = CANDIDATES,
) -> list[tuple[int, float]]:
    """(line, place) of the jumps of a function on `lines` lines from `low` to `high`, argument and value `(lines, n)`; the ends
    are none."""
    length = high - low
    # Off the simple fractions: a Heaviside that is 1/2 at a point of the line would have two changes that hide each other.
    s = np.tile(np.linspace(low, high, POINTS) + 0.1271 * length / (POINTS - 1), (lines, 1))
    s[:, 0], s[:, -1] = low + EDGE * length, high - EDGE * length
    values = function(s)
    with np.errstate(all="ignore"):
        size = np.nanmax(np.where(np.isfinite(values), np.abs(values), np.nan), axis=1, initial=0.0)
        change = np.abs(np.diff(values, axis=1))
        change = np.where(np.isfinite(change), change, 0.0)
    if not size.any() or not change.any():
        return []
    padded = np.pad(change, ((0, 0), (1, 1)))
    excess = change - np.maximum(padded[:, :-2], padded[:, 2:])
    chosen = np.sort(np.argsort(-excess, axis=1)[:, :candidates], axis=1)
    rows = np.arange(lines)[:, None]
    a, b, fa, fb = s[rows, chosen], s[rows, chosen + 1], values[rows, chosen], values[rows, chosen + 1]
    a, b, fa, fb = _halved(function, a, b, fa, fb, 1 / (POINTS * FINEST))
    # A pole is no jump: its sides do not settle.
    apart = EDGE * length / 2
    before, after = function(a - apart), function(b + apart)
    with np.errstate(all="ignore"):
        jump = np.abs(fb - fa)
        settled = np.abs(before - fa) + np.abs(after - fb) < 0.5 * jump
        found = (jump > LEFT * size[:, None]) & settled
    if found.any():
        a, b, _, _ = _halved(function, a, b, fa, fb, FINEST / np.finfo(float).eps)
    return [(int(i), float(b[i, j])) for i, j in zip(*np.nonzero(found), strict=True)]


def _halved(
    function: Callable[[np.ndarray], np.ndarray],
    a: np.ndarray,
    b: np.ndarray,
    fa: np.ndarray,
    fb: np.ndarray,
    times: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Intervals and their values, smaller by `times`: the halves with the larger change."""
    for _ in range(int(np.ceil(np.log2(times)))):
        m = (a + b) / 2
        fm = function(m)
        with np.errstate(all="ignore"):
            left = np.abs(fm - fa) >= np.abs(fb - fm)
        a, fa = np.where(left, a, m), np.where(left, fa, fm)
        b, fb = np.where(left, m, b), np.where(left, fm, fb)
    return a, b, fa, fb
