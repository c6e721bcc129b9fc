"""A problem as patches see it: equations, and conditions on faces, at the start and at points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...geometry import Box, Domain
from ...pde import PDE, Initial, Observed, Periodic
from ...statement import covered, floating
from .._features import is_linear
from .._groups import expression_of
from .._problem import Problem
from ._pointwise import Leaf, Pointwise

MOST_DIMENSIONS = 3


@dataclass(frozen=True)
class OnFaces:
    """A condition on the boundary. `holds(axis, side, x)`: at which points of that side of the box."""

    name: str
    at: Pointwise
    holds: Callable[[int, int, np.ndarray], np.ndarray]


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


@dataclass(frozen=True, eq=False)
class Statement:
    """What `Local` solves. Columns are those of `pde.coordinates`; `time` is the number of the time coordinate.

    **Attributes:** `whole` `(d, 2)`; `orders`: of every field the highest derivative along each coordinate; `scales`: the
    natural sizes of the fields; `periodic`: along which coordinates.
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

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(u.field_name for u in self.pde.fields)

    @property
    def time(self) -> int | None:
        return None if self.pde.time is None else self.pde.coordinates.index(self.pde.time)

    @property
    def space(self) -> list[int]:
        return [i for i, c in enumerate(self.pde.coordinates) if c is not self.pde.time]

    def sizes(self, leaves: tuple[Leaf, ...], h: np.ndarray) -> np.ndarray:
        """The natural size of each field or derivative where the fields vary over the lengths h `(d,)`."""
        scales = dict(zip(self.fields, self.scales, strict=True))
        return np.array([scales[name] / np.prod(h ** np.array(alpha)) for name, alpha in leaves])

    @cached_property
    def orders(self) -> dict[str, tuple[int, ...]]:
        found = {name: np.zeros(len(self.pde.coordinates), int) for name in self.fields}
        for name, index in self.equations.leaves:
            found[name] = np.maximum(found[name], index)
        return {name: tuple(map(int, order)) for name, order in found.items()}


def why_not(problem: Problem) -> str:
    """What of the problem patches cannot do yet; empty where they can do all."""
    pde, domain = problem.pde, problem.domain
    if not isinstance(domain.space, Box):
        return f"the domain is {domain.space!r}, and patches cover boxes only"
    if domain.ranges:
        return "the domain has parameters of a family"
    if len(pde.coordinates) > MOST_DIMENSIONS:
        return f"there are {len(pde.coordinates)} coordinates, and patches take three at most"
    if pde.parameters:
        return "there are unknown parameters"
    if any(set(u.coordinates) != set(pde.coordinates) for u in pde.fields):
        return "a field depends on fewer coordinates than the others"
    for c in pde.conditions:
        if isinstance(c, Observed):
            return f"{c.name!r} are data"
        if isinstance(c, Periodic) and not all(c.covers(u, s) for u in pde.fields for s in _along(c, pde)):
            return f"{c.name!r} holds for some of the fields only"
        on = getattr(c, "on", None)
        if isinstance(on, dict) and set(on) != {s.name for s in pde.space}:
            return f"{c.name!r} holds on a line or surface inside"
    for u in floating(problem.original).values():
        if u.pin is None:
            return f"{u.field} is known up to a constant only"
    return ""


def _along(condition: Periodic, pde: PDE) -> list[Any]:
    return [s for s in pde.space if not condition.coordinates or s.name in condition.coordinates]


def state(problem: Problem) -> Statement:
    pde, domain = problem.pde, problem.domain
    order = [domain.names.index(c.name) for c in pde.coordinates]
    whole = np.stack([domain.lower[order], domain.upper[order]], axis=1)
    on_faces, at_points, at_start = [], [], []
    for c in pde.conditions:
        if isinstance(c, Periodic):
            continue
        at = Pointwise([expression_of(c)], pde)
        if isinstance(c, Initial):
            at_start.append(AtStart(c.name, at, c.field.field_name, c.order))
        elif isinstance(c.on, dict) and not _at_an_end(c.on, domain):
            at_points.append(AtPoint(c.name, at, np.array([float(c.on[s.name]) for s in pde.space])))
        else:
            on_faces.append(OnFaces(c.name, at, _holds(c, pde, domain)))
    equations = Pointwise([e.expression for e in pde.equations], pde)
    return Statement(
        pde, domain, whole, problem.trial.scales, problem.exactness.periodic, equations, tuple(on_faces),
        tuple(at_points), tuple(at_start), is_linear(problem),
    )  # fmt: skip


def _at_an_end(on: dict[str, Any], domain: Domain) -> bool:
    """Whether a point is a part of the boundary: in one dimension only."""
    assert domain.space is not None
    ends = (*domain.space.lower, *domain.space.upper)
    return len(on) == 1 and any(abs(float(v) - end) < 1e-9 * (ends[1] - ends[0]) for v in on.values() for end in ends)


def _holds(condition: Any, pde: PDE, domain: Domain) -> Callable[[int, int, np.ndarray], np.ndarray]:
    labels = {}
    assert domain.space is not None
    columns = [[c.name for c in pde.coordinates].index(name) for name in domain.space.names]
    for label in domain.boundary:
        part = domain.boundary[label]
        assert part.axis is not None and part.side is not None
        labels[columns[part.axis], part.side] = label
    return lambda axis, side, x: covered(condition, domain, labels[axis, side], x[:, columns])
