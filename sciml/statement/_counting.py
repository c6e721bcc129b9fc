"""The right number of conditions, from the equations: for the fields that belong together, on each part of the boundary.

How many are needed there says the symbol of the equations (`_symbol`), how many are given the rank of what the conditions
prescribe at sampled points: one that says what another says already, or that holds on a part of a face only, counts as such.
Too few are refused. Too many are told: the solution must satisfy them by itself.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp

from ..geometry import Box, Domain
from ..pde import PDE, Initial, Observed, Periodic
from ..pde._flux import leaves
from ._floating import floating
from ._flow import Flow, read_flow
from ._places import covered, repeats
from ._symbol import Need, Term, coefficients, grows_without_bound, linearised, needed

POINTS, PARTS = 16, 64  # on each part of the boundary; where a condition holds on a part of it
_NUMBERS = {0: "No", 1: "One", 2: "Two", 3: "Three", 4: "Four", 5: "Five", 6: "Six"}


@dataclass(frozen=True, eq=False)
class _Group:
    """Fields that equations or conditions join. `terms` number them from zero; `conditions` are those on the boundary."""

    fields: tuple[Any, ...]
    terms: list[Term]
    equations: int
    conditions: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class _Side:
    """A part of the boundary: points `(n, d)` on it in the order of the equation's coordinates, normals `(n, space)`, how many
    conditions are needed and how many given there."""

    label: str
    points: np.ndarray
    normals: np.ndarray
    need: Need
    given: np.ndarray

    def scarce(self) -> np.ndarray:
        return self.given < self.need.sure


def check_counts(pde: PDE, domain: Domain) -> tuple[str, ...]:
    """What is doubtful about the number of conditions, as sentences, which are warned about too.

    **Raises** `ValueError` where conditions are missing on the boundary, with what could be added.
    """
    real = pde.real()
    notes = _backward(real, domain)
    flow = read_flow(real)
    # A value at a point that only says which constant is meant is not too much.
    pins = {found.pin.condition for found in floating(real).values() if found.pin is not None}
    for group in _groups(real):
        data = {u for c in real.conditions if isinstance(c, Observed) for u in c.fields} | set(real.free_fields)
        if not domain.boundary or group.equations != len(group.fields) or data & set(group.fields):
            continue
        sides = _sides(real, domain, group)
        pairs = _pairs(domain, sides)
        inner = _inner(domain, group)
        _check_enough(pde, real, group, sides, pairs, inner, flow)
        if real.parameters or flow is not None:
            continue
        if any(c.name in pins for c in group.conditions):
            group = replace(group, conditions=tuple(c for c in group.conditions if c.name not in pins))
            sides = _sides(real, domain, group)
            pairs, inner = _pairs(domain, sides), _inner(domain, group)
        notes += _too_many(pde, real, group, sides, pairs, inner)
    for note in notes:
        warnings.warn(note, UserWarning, stacklevel=4)
    return tuple(notes)


def may_be_too_many(pde: PDE, domain: Domain) -> bool:
    """Whether some fields have more conditions than their equations need, or that cannot be told: at points, for instance."""
    real = pde.real()
    given = [(c.field, c.order) for c in real.conditions if isinstance(c, Initial)]
    if real.time is not None and any(order >= real.order(u, real.time) for u, order in given):
        return True
    if len(set(given)) < len(given) or read_flow(real) is not None:
        return True
    for group in _groups(real):
        if group.equations != len(group.fields) or any(isinstance(c.on, dict) for c in group.conditions):
            return True
        sides = _sides(real, domain, group)
        pairs = _pairs(domain, sides)
        paired = {s.label for pair in pairs for s in pair}
        if any(np.any(s.given > s.need.sure) for s in sides if s.label not in paired):
            return True
        for low, high in pairs:
            either = np.minimum(low.need.loose, high.need.loose)
            if np.any(low.given + high.given > low.need.sure + high.need.sure + either):
                return True
    return False


def _groups(pde: PDE) -> list[_Group]:
    walls = [c for c in pde.conditions if not isinstance(c, (Initial, Observed, Periodic))]
    joined: list[set[Any]] = [{u} for u in pde.fields]
    own = [{n.expr if isinstance(n, sp.Derivative) else n for n in leaves(e.expression)} for e in pde.equations]
    for members in [*own, *(set(c.fields) for c in walls)]:
        touched = [s for s in joined if s & members]
        joined = [s for s in joined if not s & members] + [set().union(*touched)]
    found = []
    for members in joined:
        names = tuple(u for u in pde.fields if u in members)
        rows = [e.expression for e, inside in zip(pde.equations, own, strict=True) if inside & members]
        terms = [
            Term(t.row, names.index(pde.fields[t.field]), t.index, t.coefficient) for t in linearised(rows, pde)
        ]
        found.append(_Group(names, terms, len(rows), tuple(c for c in walls if set(c.fields) & members)))
    return sorted(found, key=lambda g: g.fields[0].field_name)


def _sides(pde: PDE, domain: Domain, group: _Group) -> list[_Side]:
    order = [domain.names.index(c.name) for c in pde.coordinates]
    space = [domain.space.names.index(c.name) for c in pde.space] if domain.space is not None else []
    lengths = (domain.upper - domain.lower)[order]
    partly = any(c.on is not None and not isinstance(c.on, (str, dict)) for c in group.conditions)
    found = []
    for label in domain.boundary:
        if any(repeats(u, label, pde, domain) for u in group.fields):
            continue
        x, normals = domain.sample_boundary(label, PARTS if partly else POINTS)
        inside = x[:, : len(space)]
        points, normals = x[:, order], normals[:, space]
        need = needed(pde, group.terms, len(group.fields), points, normals, lengths)
        holds = [covered(c, domain, label, inside) for c in group.conditions]
        found.append(_Side(label, points, normals, need, _given(pde, group, points, normals, lengths, holds)))
    return found


def _given(
    pde: PDE, group: _Group, x: np.ndarray, normals: np.ndarray, lengths: np.ndarray, holds: list[np.ndarray]
) -> np.ndarray:
    """The rank of what the conditions prescribe at each point: rows over fields and their derivatives along the normal, with
    derivatives along the wall and in time as numbers."""
    if not group.conditions:
        return np.zeros(len(x), int)
    terms = linearised([c.residual for c in group.conditions], pde)
    values = coefficients(terms, pde, x, normals)
    values = np.where(np.isfinite(values), values, 1.0)
    random = np.random.default_rng(2)
    highest = max(sum(t.index) for t in terms) if terms else 0
    rows = np.zeros((len(x), len(group.conditions), len(group.fields), highest + 1), complex)
    tangent = random.normal(size=len(pde.coordinates)) + 1j * random.normal(size=len(pde.coordinates))
    for term, value in zip(terms, values, strict=True):
        p: Any = value[:, None].astype(complex)
        for k, (c, order) in enumerate(zip(pde.coordinates, term.index, strict=True)):
            n = normals[:, k : k + 1] if c.role == "space" else np.zeros((len(x), 1))
            along = np.sqrt(1 - n**2) * tangent[k]
            for _ in range(order):
                p = (np.pad(p * along, ((0, 0), (0, 1))) + np.pad(p * n, ((0, 0), (1, 0)))) / lengths[k]
        field = group.fields.index(pde.fields[term.field])
        rows[:, term.row, field, : p.shape[1]] += p
    rows = rows.reshape(len(x), len(group.conditions), -1)
    size = np.linalg.norm(rows, axis=2, keepdims=True)
    rows = rows / np.where(size == 0, 1, size) * np.stack(holds, axis=1)[:, :, None]
    return np.linalg.matrix_rank(rows, tol=1e-8)


def _pairs(domain: Domain, sides: list[_Side]) -> list[tuple[_Side, _Side]]:
    """Opposite faces of a box, the lower first."""
    if not isinstance(domain.space, Box):
        return []
    faces = {(domain.boundary[s.label].axis, domain.boundary[s.label].side): s for s in sides}
    return [(faces[a, -1], faces[a, 1]) for a in range(domain.space.dim) if (a, -1) in faces and (a, 1) in faces]


def _inner(domain: Domain, group: _Group) -> int:
    """Conditions at points inside an interval, where they count as well as at its ends."""
    if domain.space is None or domain.space.dim > 1:
        return 0
    low, high = float(domain.space.lower[0]), float(domain.space.upper[0])
    places = [next(iter(c.on.values())) for c in group.conditions if isinstance(c.on, dict) and len(c.on) == 1]
    return sum(low + 1e-9 * (high - low) < p < high - 1e-9 * (high - low) for p in places)


# Too few --------------------------------------------------------------------------------------------------------------


def _check_enough(
    pde: PDE, real: PDE, group: _Group, sides: list[_Side], pairs: list[Any], inner: int, flow: Flow | None
) -> None:
    lacking: dict[str, tuple[_Side, np.ndarray]] = {}
    paired = {s.label for pair in pairs for s in pair}
    for side in sides:
        if side.label not in paired and side.scarce().any():
            lacking[side.label] = side, side.scarce()
    for low, high in pairs:
        # Points of opposite faces are the same draws, so that they lie opposite each other.
        given = low.given + high.given + inner
        wanted = low.need.sure + high.need.sure + np.minimum(low.need.loose, high.need.loose)
        few = given < wanted
        for side in (low, high):
            # All at one end is an initial value problem along the axis; what is carried has its values where it comes from.
            carried = side.scarce() & (side.need.order < 2)
            least = np.where(low.scarce() | high.scarce(), side.need.sure, (wanted + 1) // 2)
            where = carried | (few & (side.given < least))
            if where.any():
                lacking[side.label] = side, where
    if lacking:
        raise ValueError(_missing(pde, real, group, lacking, flow))


def _missing(pde: PDE, real: PDE, group: _Group, lacking: dict[str, tuple[_Side, np.ndarray]], flow: Flow | None) -> str:
    first, where = next(iter(lacking.values()))
    i, label = int(np.flatnonzero(where)[0]), first.label
    given = int(first.given[i])
    lacking = {label: found for label, found in lacking.items() if int(found[0].given[found[1]][0]) == given}
    labels = [
        label if side_where.all() else f"a part of {label} ({_place(real, side.points[np.flatnonzero(side_where)[0]])})"
        for label, (side, side_where) in lacking.items()
    ]
    here = [c for c in group.conditions if given and _touches(c, label)]
    fields = _lacking_fields(real, group, first, i, here)
    along, order = _along(real, fields, first.normals[i])
    names = _names(pde, fields)
    either = first.need.sure[i] == 0 and first.need.loose[i] == 1  # at one end or the other
    start = f"oundary condition for {', '.join(names)} on {(' or ' if either else ', ').join(labels)}"
    if flow is not None:
        u, p = f"({', '.join(flow.velocities)})", flow.pressure
        few = f"{'No b' if not given else _NUMBERS[given] + ' b'}{start}"
        return (
            f"{few}: a flow needs {_NUMBERS[len(real.space)].lower()} on every part of the boundary. At a wall or an inlet add "
            f"Dirichlet({u}, 0, on={label!r}) with its velocities; where the flow leaves, Neumann({u}, 0, on={label!r}) and "
            f"Dirichlet({p}, 0, on={label!r})."
        )
    if order <= 1:
        comes = "" if either else ", and this is where it comes from"
        others = f" (or of {' or '.join(names[1:])})" if len(names) > 1 else ""
        return (
            f"No b{start}: the equations carry {', '.join(names)} along {', '.join(along) or 'the normal'}{comes}. Add the "
            f"value of {names[0]}{others} there, for instance Dirichlet({names[0]}, 0, on={label!r}), or Periodic."
        )
    mine = min(sum(u in c.fields for c in here) for u in fields)
    wanted = int(max(first.need.sure[i], (first.need.loose[i] + 1) // 2, given + 1))
    most = mine + max(1, (wanted - given) // len(fields))
    what = names[0] if len(names) == 1 else f"({', '.join(names)})"
    high = "second or higher derivatives" if order == 2 else f"derivatives of order {order}"
    why = f"the equations have {high} of {', '.join(names)} along {', '.join(along)}"
    if mine:
        second = f"laplacian({names[0]})" if len(along) > 1 else f"{names[0]}.{along[0] * 2}"
        return (
            f"{_NUMBERS.get(mine, str(mine))} b{start}, where {_NUMBERS.get(most, str(most)).lower()} are needed: {why}. Add "
            f"another, for instance Neumann({what}, 0, on={label!r}), which clamps it, or Condition({second}, on={label!r}), "
            "which leaves it free to turn."
        )
    if most > 1:
        return (
            f"No b{start}, where {_NUMBERS.get(most, str(most)).lower()} are needed: {why}. Add for instance "
            f"Dirichlet({what}, 0, on={label!r}) and Neumann({what}, 0, on={label!r}), or Periodic."
        )
    example = f"Dirichlet({what}, 0, on={label!r})"
    return f"No b{start}: {why}. Add Dirichlet, Neumann, Robin or Periodic there, for instance {example}."


def _place(pde: PDE, x: np.ndarray) -> str:
    return ", ".join(f"{c.name} = {v:.3g}" for c, v in zip(pde.space, x, strict=False))


def _touches(condition: Any, label: str) -> bool:
    on = condition.on
    return on is None or (label in on if isinstance(on, tuple) else label == on)


def _lacking_fields(pde: PDE, group: _Group, side: _Side, i: int, here: list[Any]) -> list[Any]:
    """Fields with fewer conditions than half their order along the normal, or all that have derivatives along it."""
    orders = {u: _along(pde, [u], side.normals[i])[1] for u in group.fields}
    few = [u for u in group.fields if sum(u in c.fields for c in here) < (orders[u] + 1) // 2 and orders[u] > 1]
    few = few or [u for u in group.fields if sum(u in c.fields for c in here) < (orders[u] + 1) // 2]
    return few or [u for u in group.fields if orders[u]] or list(group.fields)


def _along(pde: PDE, fields: list[Any], normal: np.ndarray) -> tuple[list[str], int]:
    """The coordinates along which the normal points and fields have derivatives, and the highest order along them."""
    axes = [c for c, n in zip(pde.space, normal, strict=True) if abs(n) > 1e-6]
    orders = {c.name: max(pde.order(u, c) for u in fields) for c in axes}
    top = max(orders.values(), default=0)
    return [name for name, k in orders.items() if k == top], top


def _names(pde: PDE, fields: list[Any]) -> list[str]:
    """Names of fields as they were declared: a complex one for its parts."""
    whole: dict[str, str] = {part: name for name, parts in pde.real_parts.items() for part in parts}
    return list(dict.fromkeys(whole.get(name, name) for name in (str(u.field_name) for u in fields)))


# Too many, and the wrong way ------------------------------------------------------------------------------------------


def _too_many(
    pde: PDE, real: PDE, group: _Group, sides: list[_Side], pairs: list[Any], inner: int
) -> list[str]:
    notes, told = [], set()
    for low, high in pairs:
        either = np.minimum(low.need.loose, high.need.loose)
        most = low.need.most + high.need.most - either
        total = low.given + high.given + inner
        if np.all(either > 0) and np.all(total > most):
            told |= {low.label, high.label}
            notes.append(_superfluous(pde, real, group, [low, high], int(most[0]), int(total[0])))
    alike: dict[tuple[int, int], list[_Side]] = {}
    for side in sides:
        if side.label not in told and np.all(side.given > side.need.most):
            alike.setdefault((int(side.need.most[0]), int(side.given[0])), []).append(side)
    return notes + [_superfluous(pde, real, group, found, *counts) for counts, found in alike.items()]


def _superfluous(pde: PDE, real: PDE, group: _Group, sides: list[_Side], most: int, given: int) -> str:
    labels = [s.label for s in sides]
    conditions = [c for c in group.conditions if any(_touches(c, label) for label in labels) or isinstance(c.on, dict)]
    fields = [u for u in group.fields if any(u in c.fields for c in conditions)] or list(group.fields)
    names, here = _names(pde, fields), [c.name for c in conditions]
    order = _along(real, fields, sides[0].normals[0])[1]
    why = ""
    if most == 0:
        leaves_there = f"{' and '.join(names)} leave{'s' * (len(names) == 1)} there"
        why = f": {leaves_there}" if order else f": {', '.join(names)} has no derivative along the normal"
    take = f"take {_NUMBERS.get(most, str(most)).lower() if most else 'none'}"
    said = f"{_NUMBERS.get(given, given)} condition{'s' * (given > 1)} for {', '.join(names)} on {' and '.join(labels)}"
    return (
        f"{said} ({', '.join(map(repr, here))}), where the equations {take}{why}. There is a solution only if it satisfies "
        f"what is too much by itself; otherwise leave {_NUMBERS.get(given - most, str(given - most)).lower()} of them out."
    )


def _backward(pde: PDE, domain: Domain) -> list[str]:
    if pde.time is None or domain.time is None or not any(isinstance(c, Initial) for c in pde.conditions):
        return []
    order = [domain.names.index(c.name) for c in pde.coordinates]
    lengths = (domain.upper - domain.lower)[order]
    x = domain.sample(POINTS)[:, order]
    t = pde.time.name
    for group in _groups(pde):
        if group.equations == len(group.fields) and grows_without_bound(pde, group.terms, len(group.fields), x, lengths):
            names = ", ".join(u.field_name for u in group.fields)
            return [
                f"The equations of {names} run backward in {t}: the shorter a wave the faster it grows, as for u.t + u.xx = 0, "
                "so that initial values determine nothing. Look at the sign of the highest derivatives. If data are given at "
                f"the end of time, replace {t} by T - tau, with tau = coordinates('tau', role='time'), and give them with "
                "Initial."
            ]
    return []

