"""A problem as patches see it: equations, and conditions on faces, at the start and at points."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from ..._evaluate import frozen
from ...geometry import Box, Domain, PointCloud
from ...pde import PDE, Dirichlet, Initial, Neumann, Observed, Periodic, Robin
from ...statement import breaks_along, covered, floating
from .._features import is_linear
from .._groups import Place, expression_of
from .._problem import Problem
from ._basis import Legendre
from ._pointwise import Leaf, Pointwise

MOST_DIMENSIONS = 3
MOST_BREAKS = 8
START = "start"  # the side of a box at the start of time, where that is a coordinate like the others
FOLLOWED = 0.7  # of the degree: the functions of fields that have no equation
SMOOTH = 3  # order up to which fields that have no equation are continuous


@dataclass(frozen=True)
class OnFaces:
    """A condition on the boundary."""

    name: str
    at: Pointwise
    condition: Any


@dataclass(frozen=True)
class AtPoint:
    """A condition at one point of space: the values of its coordinates, in the order of `Statement.space`."""

    name: str
    at: Pointwise
    point: np.ndarray


@dataclass(frozen=True)
class AtStart:
    """The initial value of a field, or of its time derivative of some order."""

    name: str
    at: Pointwise
    field: str
    order: int


@dataclass(frozen=True)
class OnBreaks:
    """A flux along the coordinate `axis` that is continuous where its coefficients jump."""

    at: Pointwise
    axis: int


@dataclass(frozen=True)
class Data:
    """Values at points `x` `(n, d)`; `noise`: their standard deviations, None where they are not known."""

    name: str
    at: Pointwise
    x: np.ndarray
    values: np.ndarray
    noise: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Statement:
    """What `Local` solves. Columns are those of `pde.coordinates`; `time` is the number of the time coordinate, None where
    there is none or where it is a coordinate like the others, as with data, which are of all times.

    **Attributes:** `whole` `(d, 2)`; `orders`: of every field the highest derivative along each coordinate; `scales`: the
    natural sizes of the fields; `periodic`: along which coordinates; `breaks`: where along each coordinate sources,
    initial or boundary values jump; `unknowns`: the present values of `pde.parameters`, which whoever solves for them
    changes in place.
    """

    pde: PDE
    domain: Domain
    whole: np.ndarray
    scales: np.ndarray
    periodic: tuple[int, ...]
    equations: Pointwise
    on_faces: tuple[OnFaces, ...]
    at_points: tuple[AtPoint, ...]
    at_start: tuple[AtStart, ...]
    linear: bool
    breaks: tuple[tuple[float, ...], ...]
    unknowns: np.ndarray
    data: tuple[Data, ...]
    fluxes: tuple[OnBreaks, ...]
    covers: dict[Any, Any] = field(default_factory=dict)  # the last ones, by their boxes

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(u.field_name for u in self.pde.fields)

    @property
    def time(self) -> int | None:
        return None if self.pde.time is None or self.learns else self.pde.coordinates.index(self.pde.time)

    @property
    def stepped(self) -> bool:
        """Whether time goes in steps of a Runge-Kutta method instead of windows."""
        return self.time is not None and in_steps(self.pde)

    @property
    def learns(self) -> bool:
        """Whether something is to be found from data."""
        return bool(self.data)

    @property
    def start(self) -> int | None:
        """The coordinate at whose lower end the initial values are, where no windows begin with them."""
        return self.pde.coordinates.index(self.pde.time) if self.learns and self.pde.time is not None else None

    @property
    def axes(self) -> list[int]:
        """The coordinates along which patches are halved."""
        return list(range(len(self.whole))) if self.learns else self.space

    @property
    def space(self) -> list[int]:
        return [i for i, c in enumerate(self.pde.coordinates) if c is not self.pde.time]

    def roots(self) -> np.ndarray:
        """The boxes that patches are halves of: the whole, cut where something jumps, `(n, d, 2)`."""
        boxes = [self.whole]
        for axis, places in enumerate(self.breaks):
            for place in places:
                cut = [b for b in boxes if b[axis, 0] < place < b[axis, 1]]
                boxes = [b for b in boxes if not b[axis, 0] < place < b[axis, 1]]
                for b in cut:
                    left, right = b.copy(), b.copy()
                    left[axis, 1] = right[axis, 0] = place
                    boxes += [left, right]
        return np.array(boxes)

    def fluxes_across(self, axis: int, x: np.ndarray) -> list[OnBreaks]:
        """What is continuous across a face at x instead of slopes."""
        if not self.fluxes:
            return []
        close = 1e-9 * (self.whole[axis, 1] - self.whole[axis, 0])
        broken = any(abs(x[0, axis] - place) < close for place in self.breaks[axis])
        return [flux for flux in self.fluxes if broken and flux.axis == axis]

    @cached_property
    def columns(self) -> list[int]:
        """The columns of the coordinates of the domain's space, in the order that it has them."""
        assert self.domain.space is not None
        names = [c.name for c in self.pde.coordinates]
        return [names.index(name) for name in self.domain.space.names]

    @cached_property
    def labels(self) -> dict[tuple[int, int], str]:
        """The name of each side of a box, by its column and -1 or +1."""
        parts = self.domain.boundary.parts
        return {(self.columns[p.axis], p.side): p.name for p in parts if p.axis is not None and p.side is not None}

    def holds(self, condition: OnFaces, label: str, x: np.ndarray) -> np.ndarray:
        """At which points of a part of the boundary a condition holds."""
        if label == START:
            return np.zeros(len(x), bool)
        return covered(condition.condition, self.domain, label, x[:, self.columns])

    @cached_property
    def corners(self) -> np.ndarray:
        """Where a boundary in the plane has corners, or its curves begin, `(n, space)` in the order of `space`."""
        shape = self.domain.space
        assert shape is not None
        if shape.dim != 2 or len(self.whole) > 2:
            return np.empty((0, len(self.space)))
        pieces = [piece for part in shape.boundary.values() for piece in part.pieces if piece.unit_dim == 1]
        ends = np.concatenate([piece.at(np.array([[0.0], [1.0]]))[0] for piece in pieces])
        return np.unique(ends[:, [self.columns.index(s) for s in self.space]].round(14), axis=0)

    def inside(self, x: np.ndarray) -> np.ndarray:
        """Which points `(n, d)` are in the domain's space."""
        assert self.domain.space is not None
        return self.domain.space.contains(x[:, self.columns], 1e-9 * self.domain.space.size)

    def sizes(self, leaves: tuple[Leaf, ...], h: np.ndarray) -> np.ndarray:
        """The natural size of each field or derivative where the fields vary over the lengths h `(d,)`."""
        scales = dict(zip(self.fields, self.scales, strict=True))
        return np.array([scales[name] / np.prod(h ** np.array(alpha)) for name, alpha in leaves])

    @cached_property
    def orders(self) -> dict[str, tuple[int, ...]]:
        found = {name: np.zeros(len(self.pde.coordinates), int) for name in self.fields}
        for name, index in self.equations.leaves:
            found[name] = np.maximum(found[name], index)
        for u in self.free:
            # Smooth, as far as nothing else is known.
            found[u.field_name] = np.maximum(found[u.field_name], SMOOTH)
        return {name: tuple(map(int, order)) for name, order in found.items()}

    @cached_property
    def free(self) -> list[Any]:
        """Fields without an equation, which follow from the data."""
        return [u for u in self.pde.fields if u in self.pde.free_fields]

    @cached_property
    def smooth(self) -> list[Any]:
        """Fields that equations and conditions do not determine: those without an equation, and with data those of which
        nothing is known at the boundary or at the start."""
        at_walls = {name for c in self.on_faces for name, _ in c.at.leaves}
        at_start = {c.field for c in self.at_start}
        moving = {name for name, alpha in self.equations.leaves if self.start is not None and alpha[self.start]}
        names = [u.field_name for u in self.pde.fields]
        open_ = [not (self.periodic or n in at_walls) or n in moving - at_start for n in names]
        return [u for u, o in zip(self.pde.fields, open_, strict=True) if u in self.free or o]

    def kept(self, basis: Legendre) -> np.ndarray | None:
        """Which functions each field has, `(fields, functions)`; None for all. Those without an equation have the ones of their
        own coordinates up to a part of the degree, so that the others can follow them."""
        if not self.free:
            return None
        part = basis.index / np.array(basis.degrees)
        kept = np.ones((len(self.pde.fields), basis.size), bool)
        for u in self.free:
            gone = [c not in u.coordinates for c in self.pde.coordinates]
            kept[self.pde.fields.index(u)] = (part[:, gone] == 0).all(axis=1) & (part.sum(axis=1) <= FOLLOWED)
        return kept


def why_not(problem: Problem) -> str:
    """What of the problem patches cannot do yet; empty where they can do all."""
    pde, domain = problem.pde, problem.domain
    if domain.space is None:
        return "there is no space, and patches are of space"
    if isinstance(domain.space, PointCloud):
        return "the domain is a cloud of points, and patches need to know what is inside"
    if domain.space.dim == 1 and not isinstance(domain.space, Box):
        return "the domain is made of several intervals"
    if domain.ranges:
        return "the domain has parameters of a family"
    if len(pde.coordinates) > MOST_DIMENSIONS:
        return f"there are {len(pde.coordinates)} coordinates, and patches take three at most"
    observed = [c for c in pde.conditions if isinstance(c, Observed)]
    if pde.parameters and not observed:
        return "there are unknown parameters and no data"
    if observed and pde.time is not None and not isinstance(domain.space, Box):
        return "there are data in time on a shape that is no box"
    for u in pde.fields:
        if set(u.coordinates) != set(pde.coordinates) and u not in pde.free_fields:
            return f"{u.field_name} depends on fewer coordinates than the others"
    for c in pde.conditions:
        if isinstance(c, Observed):
            continue
        if isinstance(c, Periodic) and not all(c.covers(u, s) for u in pde.fields for s in _along(c, pde)):
            return f"{c.name!r} holds for some of the fields only"
        on = getattr(c, "on", None)
        if isinstance(on, dict) and set(on) != {s.name for s in pde.space}:
            return f"{c.name!r} holds on a line or surface inside"
        if isinstance(on, dict) and observed and pde.time is not None and not _at_an_end(on, domain):
            return f"{c.name!r} holds at a point, and there are data in time"
    for u in floating(problem.original).values():
        if u.pin is None:
            return f"{u.field} is known up to a constant only"
    return ""


def _along(condition: Periodic, pde: PDE) -> list[Any]:
    return [s for s in pde.space if not condition.coordinates or s.name in condition.coordinates]


def in_steps(pde: PDE) -> bool:
    """Whether time goes in steps of a Runge-Kutta method instead of windows: in two dimensions of space."""
    return pde.time is not None and len(pde.space) > 1


def state(problem: Problem) -> Statement:
    pde, domain = problem.pde, problem.domain
    order = [domain.names.index(c.name) for c in pde.coordinates]
    whole = np.stack([domain.lower[order], domain.upper[order]], axis=1)
    on_faces, at_points, at_start, data = [], [], [], []
    unknowns, place = np.array([float(p.initial) for p in pde.parameters]), Place(pde, domain)
    for c in pde.conditions:
        if isinstance(c, Periodic):
            continue
        at = Pointwise([expression_of(c)], pde, unknowns)
        if isinstance(c, Observed):
            noise = None if c.noise is None else np.broadcast_to(np.asarray(c.noise, float), c.values.shape)
            data.append(Data(c.name, at, place.observed(c).x, np.asarray(c.values, float), noise))
        elif isinstance(c, Initial):
            at_start.append(AtStart(c.name, at, c.field.field_name, c.order))
        elif isinstance(c.on, dict) and not _at_an_end(c.on, domain):
            at_points.append(AtPoint(c.name, at, np.array([float(c.on[s.name]) for s in pde.space])))
        else:
            on_faces.append(OnFaces(c.name, at, c))
    equations = Pointwise([e.expression for e in pde.equations], pde, unknowns)
    fluxes = tuple(
        OnBreaks(Pointwise([f.expression], pde, unknowns), pde.coordinates.index(f.coordinate)) for f in problem.fluxes
    )
    return Statement(
        pde, domain, whole, problem.trial.scales, problem.exactness.periodic, equations, tuple(on_faces),
        tuple(at_points), tuple(at_start), is_linear(problem) and not data, _breaks(problem), unknowns,
        tuple(data), fluxes,
    )  # fmt: skip


def _breaks(problem: Problem) -> tuple[tuple[float, ...], ...]:
    """Where in a box what is prescribed, or a coefficient, jumps along each coordinate, as far as that is the same
    everywhere."""
    pde, domain = problem.pde, problem.domain
    if not isinstance(domain.space, Box):
        return ((),) * len(pde.coordinates)
    known = [frozen(e.expression, pde) for e in pde.equations]
    known += [frozen(f.expression, pde) for f in problem.fluxes]
    known += [sp.sympify(c.value) for c in pde.conditions if isinstance(c, (Initial, Dirichlet, Neumann, Robin))]
    known = [k for k in known if not k.has(sp.I, sp.zoo, sp.nan)]
    found = []
    for c in pde.coordinates:
        of_space = c is not pde.time
        places = {s for k in known for s in breaks_along(pde, domain, k, c) or ()} if of_space else set()
        found.append(tuple(sorted(places))[:MOST_BREAKS])
    return tuple(found)


def _at_an_end(on: dict[str, Any], domain: Domain) -> bool:
    """Whether a point is a part of the boundary: in one dimension only."""
    assert domain.space is not None
    ends = (*domain.space.lower, *domain.space.upper)
    return len(on) == 1 and any(abs(float(v) - end) < 1e-9 * (ends[1] - ends[0]) for v in on.values() for end in ends)

