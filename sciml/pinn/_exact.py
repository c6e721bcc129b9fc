"""Which conditions a trial function can hold exactly, and why the others cannot be."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp

from .._evaluate import evaluate
from ..geometry import Box, Domain
from ..pde import PDE, Dirichlet, Initial, Opaque, Periodic
from ..pde import Parameter as Unknown
from ..statement import find_jump, floating

# Boundary values on a box are blended along every axis: 2^axes terms, and a distance factor that is nearly zero almost
# everywhere in many dimensions. Above three the conditions are penalised.
_MOST_AXES = 3
# Derivatives of prescribed values that are looked at for jumps: tables have no more.
_SMOOTH = 5


@dataclass(frozen=True)
class Face:
    """A face of the box with a prescribed value: coordinate `axis` equals `value` there."""

    axis: int
    side: int
    value: float
    data: Any
    condition: str


@dataclass
class Held:
    """What the trial function of one field holds exactly."""

    initial: list[tuple[Any, str]] = field(default_factory=list)  # values of u, u_t, ... at the start
    faces: list[Face] = field(default_factory=list)


@dataclass
class Exactness:
    """The decision for a whole problem: `held` per field, `periodic` axes, and why the rest is penalised."""

    held: dict[str, Held]
    periodic: tuple[int, ...]
    exact: dict[str, str]
    penalised: dict[str, str]
    corners: list[tuple[tuple[int, float], ...]] = field(default_factory=list)  # where values contradict


def decide(pde: PDE, domain: Domain, *, exact: bool = True) -> Exactness:
    """Checks every condition against the others on shared corners and edges, numerically.

    Values must agree (relative 1e-8); along a periodic coordinate, derivatives too, up to its order minus one. Where two
    conditions contradict each other, walls own the corner with the initial value, which is penalised; two walls are both
    penalised. Conditions on curved boundaries, derivatives and data
    are penalised.
    """
    names = [c.name for c in pde.coordinates]
    box = isinstance(domain.space, Box) or domain.space is None
    result = Exactness({f.field_name: Held() for f in pde.fields}, (), {}, {})
    _decide_periodic(pde, result, box)
    pins = {one.pin.condition: one.field for one in floating(pde).values() if one.pin is not None}
    for condition in pde.conditions:
        if isinstance(condition, Periodic):
            continue
        if condition.name in pins:
            result.exact[condition.name] = f"by a constant that is added to {pins[condition.name]} after training"
            continue
        reason = _why_not(condition, pde, domain, box) if exact else "exact=False was asked for"
        if reason:
            result.penalised[condition.name] = reason
    if not exact:
        return result
    _hold_faces(pde, domain, result, names)
    _hold_initial(pde, domain, result, names)
    return result


def _decide_periodic(pde: PDE, result: Exactness, box: bool) -> None:
    periodic = [c for c in pde.conditions if isinstance(c, Periodic)]
    if periodic and not box:
        raise ValueError(
            f"{periodic[0].name!r}: opposite faces are identified, which needs a Box; the space here is none. "
            "Use Box(x=..., y=...)."
        )
    axes = []
    for axis, coordinate in enumerate(pde.coordinates):
        covering = [c for c in periodic if any(c.covers(u, coordinate) for u in pde.fields)]
        if not covering:
            continue
        if all(any(c.covers(u, coordinate) for c in covering) for u in pde.fields):
            axes.append(axis)
        else:
            missing = [u.field_name for u in pde.fields if not any(c.covers(u, coordinate) for c in covering)]
            raise ValueError(
                f"{covering[0].name!r} makes some fields periodic in {coordinate.name} but not "
                f"{', '.join(missing)}. A coordinate is periodic for every field or for none: write "
                f"Periodic({coordinate.name})."
            )
    for condition in periodic:
        result.exact[condition.name] = "by the inputs of the network, which repeat"
    result.periodic = tuple(axes)


def _why_not(condition: Any, pde: PDE, domain: Domain, box: bool) -> str:
    if not isinstance(condition, (Initial, Dirichlet)):
        return "conditions on derivatives and data are penalised"
    if any(isinstance(s, Unknown) for s in sp.sympify(condition.value).free_symbols):
        return "its value has an unknown parameter"
    if rough := _rough(condition, pde, domain):
        return rough
    if isinstance(condition, Initial):
        return ""
    if not box:
        return "only values on the faces of a Box are held exactly, and the space is none"
    if domain.space is not None and domain.space.dim > _MOST_AXES:
        return f"in more than {_MOST_AXES} space dimensions boundary values are penalised"
    if isinstance(condition.on, (dict, sp.Basic)):
        return "it holds at a point or where a relation says, not on whole faces"
    part = domain.boundary.select(condition.on)
    if set(part.labels) - set(domain.boundary) or "_where" in part.name:
        return "it holds on a part of a face"
    own = {part.names.index(c.name) for c in condition.field.coordinates if c.name in part.names}
    if any(domain.boundary[label].axis not in own for label in part.labels):
        return "the field does not depend on the coordinate that is fixed there"
    return ""


def _rough(condition: Any, pde: PDE, domain: Domain) -> str:
    """Where a prescribed value has a jump or a kink that the equation's derivatives would lose: a trial function that holds
    max(x, 0) exactly has the second derivative zero on both sides, and nothing says that it is a delta in between."""
    value, u = sp.sympify(condition.value), condition.field
    for c in u.coordinates:
        if c not in value.free_symbols:
            continue
        for k in range(min(max(pde.order(u, c), 1), _SMOOTH)):
            part = value.diff(c, k) if k else value
            if part.has(sp.DiracDelta):
                return f"its derivative of order {k} along {c.name} is infinite somewhere, which would be lost in the equation"
            place = find_jump(pde, domain, part, c)
            if place is not None:
                what = "its value" if k == 0 else f"its derivative of order {k} along {c.name}"
                where = ", ".join(f"{name} = {at:.6g}" for name, at in place.items())
                return f"{what} jumps at {where}, which would be lost in the equation if it were held exactly"
    return ""


def _hold_faces(pde: PDE, domain: Domain, result: Exactness, names: list[str]) -> None:
    """Two walls that contradict each other are both penalised.

    A factor that vanishes on one of them would have to be divided out on the other, up to the corner: the trained network
    leaps between the points there.
    """
    for u in pde.fields:
        mine = [c for c in pde.conditions if isinstance(c, Dirichlet) and c.field == u]
        mine = [c for c in mine if c.name not in result.penalised and c.name not in result.exact]
        faces = [face for c in mine for face in _faces(c, domain, names, result.periodic)]
        for a, b in itertools.permutations(faces, 2):
            gap = _gap(pde, domain, a, b)
            if gap > 0:
                _corner(result, (a.axis, a.value), (b.axis, b.value))
                result.penalised.setdefault(
                    a.condition,
                    f"it differs by {gap:.2g} from {b.condition!r} where {names[a.axis]} = {a.value:g} and "
                    f"{names[b.axis]} = {b.value:g}",
                )
        result.held[u.field_name].faces += [face for face in faces if face.condition not in result.penalised]
        result.exact |= {c.name: "by the trial function" for c in mine if c.name not in result.penalised}


def _corner(result: Exactness, *where: tuple[int, float]) -> None:
    corner = tuple(sorted(where))
    if corner not in result.corners:
        result.corners.append(corner)


def _faces(condition: Any, domain: Domain, names: list[str], periodic: tuple[int, ...]) -> list[Face]:
    boundary = domain.boundary
    labels = tuple(boundary) if condition.on is None else boundary.select(condition.on).labels
    faces = []
    for label in labels:
        part: Any = boundary[label]
        axis = names.index(part.names[part.axis])
        if axis not in periodic:
            faces.append(Face(axis, part.side, float(part.value), sp.sympify(condition.value), condition.name))
    return faces


def _gap(pde: PDE, domain: Domain, a: Face, b: Face) -> float:
    """The largest difference of two prescribed values on their common edge; 0 where they agree or do not meet."""
    if a.axis == b.axis:
        return 0.0
    return disagreement(
        pde, domain, a.data - b.data, {a.axis: a.value, b.axis: b.value}, max(_size(a.data), _size(b.data))
    )


def _size(expression: Any) -> float:
    return float(abs(expression)) if sp.sympify(expression).is_number else 1.0


def disagreement(pde: PDE, domain: Domain, expression: Any, fixed: dict[int, float], scale: float = 1.0) -> float:
    """max |expression| over the domain with some coordinates fixed; 0 if below 1e-8 of the scale."""
    x = domain.sample(64)
    x = x[:, [domain.names.index(c.name) for c in pde.coordinates]]
    for axis, value in fixed.items():
        x[:, axis] = value
    values = evaluate(pde, expression, x)
    largest = float(np.max(np.abs(values)))
    return largest if not largest <= 1e-8 * max(scale, 1e-300) else 0.0


def _hold_initial(pde: PDE, domain: Domain, result: Exactness, names: list[str]) -> None:
    if pde.time is None or domain.time is None:
        return
    for u in pde.fields:
        conditions = sorted(
            (c for c in pde.conditions if isinstance(c, Initial) and c.field == u), key=lambda c: c.order
        )
        reason = _initial_conflict(pde, domain, result, u, conditions, names)
        for k, condition in enumerate(conditions):
            if condition.name in result.penalised:
                reason = reason or f"{condition.name!r} is penalised"
            elif condition.order != k:
                result.penalised[condition.name] = f"the derivative of order {k} is not prescribed"
            elif reason:
                result.penalised[condition.name] = reason
            else:
                result.held[u.field_name].initial.append((sp.sympify(condition.value), condition.name))
                result.exact[condition.name] = "by the trial function"


def _initial_conflict(
    pde: PDE, domain: Domain, result: Exactness, u: Any, conditions: list[Any], names: list[str]
) -> str:
    assert pde.time is not None and domain.time is not None
    t_axis = pde.coordinates.index(pde.time)
    start = domain.time.start
    conflict = ""
    for condition in conditions:
        value = sp.sympify(condition.value)
        size = max(_typical(pde, domain, value), 1e-300)
        for face in result.held[u.field_name].faces:
            data = face.data.diff(pde.time, condition.order) if condition.order else face.data
            gap = disagreement(pde, domain, value - data, {face.axis: face.value, t_axis: start}, size)
            if gap > 0:
                _corner(result, (face.axis, face.value), (t_axis, start))
                conflict = conflict or (
                    f"it differs by {gap:.2g} from {face.condition!r} where {names[face.axis]} = {face.value:g}"
                )
        if conflict:
            return conflict
        for axis in result.periodic:
            coordinate = pde.coordinates[axis]
            for k in range(max(pde.order(u, coordinate), 1)):
                slope = value.diff(coordinate, k) if k else value
                if slope.atoms(Opaque) and k > 4:
                    break
                low, high = (
                    float(domain.lower[domain.names.index(coordinate.name)]),
                    float(domain.upper[domain.names.index(coordinate.name)]),
                )
                jump = slope.subs(coordinate, high) - slope.subs(coordinate, low)
                gap = disagreement(pde, domain, jump, {t_axis: start}, size / (high - low) ** k)
                if gap > 0:
                    if k == 0:
                        _corner(result, (axis, low), (t_axis, start))
                        _corner(result, (axis, high), (t_axis, start))
                    what = "its value" if k == 0 else f"its derivative of order {k}"
                    return f"{what} along {coordinate.name} jumps by {gap:.2g} across the period"
    return ""


def _typical(pde: PDE, domain: Domain, value: Any) -> float:
    x = domain.sample(64)[:, [domain.names.index(c.name) for c in pde.coordinates]]
    return float(np.max(np.abs(evaluate(pde, value, x))))
