"""Where a problem is posed: a region of space, a span of time, ranges of parameters."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._base import LATER, AbstractGeometry
from ._boundary import Boundary
from ._box import TIME, Box
from ._checks import coordinate_names, count, identifier, interval, points_array
from ._json import geometry_from_json, stored
from ._product import factors, product
from ._samplers import AbstractSampler, Proposal, Sobol, box_proposal, rejection

ROLES = ("space", "time", "parameter")


@dataclass(frozen=True, init=False)
class Time:
    """The span of time from `start` to `end`.

    >>> from sciml.geometry import Disk
    >>> domain = Disk((0, 0), 1) * Time(0, 2)
    >>> domain.names
    ('x', 'y', 't')
    """

    start: float
    end: float
    name: str = TIME

    def __init__(self, start: float, end: float, name: str = TIME) -> None:
        first, last = interval((start, end), "Time")
        object.__setattr__(self, "start", first)
        object.__setattr__(self, "end", last)
        object.__setattr__(self, "name", identifier(name, "the name of Time"))

    def __repr__(self) -> str:
        return f"Time({self.start:g}, {self.end:g}{'' if self.name == TIME else f', name={self.name!r}'})"

    def __mul__(self, other: Any) -> Domain:
        if isinstance(other, AbstractGeometry):
            return Domain(other, self)
        if isinstance(other, Domain):
            return other * self
        return NotImplemented


@stored
@dataclass(frozen=True, init=False, repr=False)
class Domain:
    """Space x time x parameters; the columns of its points are `names`, in that order.

    Usually written as a `Box(x=..., t=...)` or a product, `(Rectangle(...) - Disk(...)) * Time(0, 1)`; every
    function of sciml that takes a domain accepts those and calls `resolve` with the kinds of the coordinates
    that the equation declares.

    Args: `space`, a geometry or None; `time`, a `Time` or None; `parameters`, a range (lower, upper) for each
    parameter.
    """

    space: AbstractGeometry | None
    time: Time | None
    ranges: tuple[tuple[str, tuple[float, float]], ...]

    def __init__(
        self,
        space: AbstractGeometry | None = None,
        time: Time | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        if space is not None and not isinstance(space, AbstractGeometry):
            raise TypeError(f"space of Domain must be a geometry or None, got {space!r}.")
        if time is not None and not isinstance(time, Time):
            raise TypeError(f"time of Domain must be a Time or None, got {time!r}.")
        named = coordinate_names(parameters or {}, None, "Domain")
        ranges = tuple(
            (n, interval(r, f"parameter {n}")) for n, r in zip(named, (parameters or {}).values(), strict=True)
        )
        names = (*(space.names if space else ()), *((time.name,) if time else ()), *(n for n, _ in ranges))
        if not names:
            raise ValueError("a Domain needs a space, a time or parameters; all are missing.")
        coordinate_names(names, None, "Domain")
        object.__setattr__(self, "space", space)
        object.__setattr__(self, "time", time)
        object.__setattr__(self, "ranges", ranges)

    def __repr__(self) -> str:
        parts = [repr(item) for item in (self.space, self.time) if item is not None]
        if self.ranges:
            parts.append("{" + ", ".join(f"{n}: ({a:g}, {b:g})" for n, (a, b) in self.ranges) + "}")
        return f"Domain({' x '.join(parts)})"

    @property
    def parameters(self) -> dict[str, tuple[float, float]]:
        """The range of each parameter."""
        return dict(self.ranges)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all coordinates: space, time, parameters."""
        space = self.space.names if self.space else ()
        return (*space, *self._rest)

    @property
    def _rest(self) -> dict[str, tuple[float, float]]:
        """Time and parameters: everything that is an interval whatever the space is."""
        time = {self.time.name: (self.time.start, self.time.end)} if self.time else {}
        return {**time, **self.parameters}

    @property
    def dim(self) -> int:
        """Number of all coordinates."""
        return len(self.names)

    @property
    def lower(self) -> np.ndarray:
        return np.concatenate([self.space.lower if self.space else [], [a for a, _ in self._rest.values()]])

    @property
    def upper(self) -> np.ndarray:
        return np.concatenate([self.space.upper if self.space else [], [b for _, b in self._rest.values()]])

    @property
    def measure(self) -> float:
        """Measure of space x time x parameters."""
        lengths = [b - a for a, b in self._rest.values()]
        return float(np.prod([self.space.measure if self.space else 1.0, *lengths]))

    @property
    def boundary(self) -> Boundary:
        """The boundary parts of the space; empty where there is none."""
        return self.space.boundary if self.space else Boundary((), (), 0.0)

    def contains(self, points: Any, atol: float = 0.0) -> np.ndarray:
        """Which points (n, dim) lie in the domain, or within `atol` of it, (n,)."""
        points = points_array(points, self.names)
        split = self.space.dim if self.space else 0
        lower, upper = self.lower[split:], self.upper[split:]
        result = ((points[:, split:] >= lower - atol) & (points[:, split:] <= upper + atol)).all(axis=1)
        return result & self.space.contains(points[:, :split], atol) if self.space else result

    def _extra(self, time: bool = True) -> Proposal:
        """Time (or its start only) and the parameters as a map of the unit cube."""
        pairs = list(self._rest.values())
        if self.time and not time:
            pairs[0] = (self.time.start, self.time.start)
        proposal = box_proposal(np.array([a for a, _ in pairs]), np.array([b for _, b in pairs]))
        if self.time and not time:
            return Proposal(len(pairs) - 1, lambda u: proposal.points(np.hstack([np.zeros((len(u), 1)), u])))
        return proposal

    def _sample(self, n: int, extra: Proposal, sampler: AbstractSampler, key: Any) -> np.ndarray:
        space = self.space
        if space is None:
            if extra.dim == 0:
                return extra.points(np.zeros((count(n), 0)))
            inner = Proposal(0, lambda u: u)
        else:
            inner = space._proposal()

        def propose(u: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
            points = inner.points(u[:, : inner.dim])
            keep = np.ones(len(u), bool) if space is None else space.contains(points)
            return keep, (np.hstack([points, extra.points(u[:, inner.dim :])]),)

        return rejection(n, inner.dim + extra.dim, propose, sampler=sampler, key=key, what=repr(self))[0]

    def sample(self, n: int, *, sampler: AbstractSampler = Sobol(), key: Any = 0) -> np.ndarray:
        """`n` points (n, dim), uniform over space x time x parameters: one sequence over all coordinates
        together.

        >>> Box(x=(-1, 1), t=(0, 1)).resolve().sample(1000).shape
        (1000, 2)
        """
        return self._sample(n, self._extra(), sampler, key)

    def sample_initial(self, n: int, *, sampler: AbstractSampler = Sobol(), key: Any = 0) -> np.ndarray:
        """`n` points (n, dim) at the initial time, uniform over space x parameters."""
        if self.time is None:
            raise ValueError(f"{self!r} has no time, so it has no initial points; multiply it by Time(0, 1).")
        return self._sample(n, self._extra(time=False), sampler, key)

    def sample_boundary(
        self, part: Any, n: int, *, sampler: AbstractSampler = Sobol(), key: Any = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """`n` points (n, dim) on a boundary part at all times and parameters, and the outward normals (n,
        space.dim).

        Args: `part`, a `BoundaryPart`, its name, several of them in a tuple, or None for the whole boundary.
        """
        chosen = self.boundary.select(part)
        extra = self._extra()
        points, normals, rest = chosen._sample(n, extra.dim, sampler=sampler, key=key)
        return np.hstack([points, extra.points(rest)]), normals

    def grid(self, n: int | Mapping[str, int]) -> dict[str, np.ndarray]:
        """Equally spaced values of each coordinate, both ends included; for a curved space, of its bounding
        box.

        Args: `n`, one count for all coordinates or a dictionary with one for each.

        >>> {k: v.shape for k, v in Box(x=(-1, 1), t=(0, 1)).resolve().grid({"x": 5, "t": 3}).items()}
        {'x': (5,), 't': (3,)}
        """
        counts = dict(n) if isinstance(n, Mapping) else dict.fromkeys(self.names, n)
        if set(counts) != set(self.names):
            raise ValueError(
                f"grid needs a count for each of {', '.join(self.names)}; got {', '.join(map(str, counts)) or 'none'}."
            )
        return {
            name: np.linspace(a, b, count(counts[name], f"the count of {name}"))
            for name, a, b in zip(self.names, self.lower, self.upper, strict=True)
        }

    def resolve(self, roles: Mapping[str, str] | None = None) -> Domain:
        """The domain with the kinds of coordinates that `roles` gives; see `AbstractGeometry.resolve`."""
        return resolve(self.space, self.time, self.parameters, roles or {})

    def describe(self) -> str:
        """Several lines: coordinates, measures and boundary parts."""
        lines = []
        if self.space:
            lines.append(f"space       {self.space!r}")
            lines.append(f"            coordinates {', '.join(self.space.names)}; measure {self.space.measure:.6g}")
            for part in self.boundary.parts:
                lines.append(f"  boundary  {part.name}: measure {part.measure:.6g}")
        if self.time:
            lines.append(f"time        {self.time.name} from {self.time.start:g} to {self.time.end:g}")
        for name, (a, b) in self.ranges:
            lines.append(f"parameter   {name} from {a:g} to {b:g}")
        return "\n".join(lines)

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw the space; returns the matplotlib axes."""
        if self.space is None:
            raise ValueError(f"{self!r} has no space to draw.")
        return self.space.plot(ax, **options)

    def to_json(self) -> dict[str, Any]:
        """A description of plain numbers, strings, lists and dictionaries; `from_json` reads it."""
        return {
            "type": "Domain",
            "space": None if self.space is None else self.space.to_json(),
            "time": None if self.time is None else [self.time.start, self.time.end, self.time.name],
            "parameters": [[n, *r] for n, r in self.ranges],
        }

    @staticmethod
    def _from_json(data: Mapping[str, Any]) -> Domain:
        space, time = data["space"], data["time"]
        return Domain(
            None if space is None else geometry_from_json(space),
            None if time is None else Time(*time),
            {n: (a, b) for n, a, b in data["parameters"]},
        )

    def __mul__(self, other: Any) -> Domain:
        """Product with `Time`, or with a region of other coordinates."""
        if isinstance(other, Time):
            if self.time is not None:
                raise ValueError(f"{self!r} already has a time; it cannot be multiplied by {other!r}.")
            return Domain(self.space, other, self.parameters)
        if isinstance(other, AbstractGeometry):
            space = other if self.space is None else product(self.space, other)
            return Domain(space, self.time, self.parameters)
        return NotImplemented


def multiply(geometry: AbstractGeometry, other: Any) -> AbstractGeometry | Domain:
    """`geometry * other`: a Domain with `Time`, a product with another region."""
    if isinstance(other, Time):
        return Domain(geometry, other)
    if isinstance(other, Domain):
        space = geometry if other.space is None else product(geometry, other.space)
        return Domain(space, other.time, other.parameters)
    if isinstance(other, AbstractGeometry):
        return product(geometry, other)
    return NotImplemented


def _how_to_name(space: AbstractGeometry | None, roles: Mapping[str, str]) -> str:
    """Where a shape has its usual names and the equation others, as many."""
    for shape in factors(space) if space else []:
        while shape._operands:
            shape = shape._operands[0]
        taken = {n for factor in factors(space) if factor.names != shape.names for n in factor.names} if space else set()
        wanted = tuple(n for n, role in roles.items() if role == "space" and n not in taken)
        if len(wanted) == shape.dim and not set(shape.names) & set(wanted):
            kind = {1: "Interval", 2: "Rectangle"}.get(shape.dim, "Box") if isinstance(shape, Box) else type(shape).__name__
            return f"Name its coordinates as the equation does: {kind}(..., names={wanted!r}). "
    return ""


def resolve(
    space: AbstractGeometry | None,
    time: Time | None,
    parameters: Mapping[str, tuple[float, float]],
    roles: Mapping[str, str],
) -> Domain:
    """Move the axes of boxes whose role is time or parameter out of the space."""
    given = (*(space.names if space else ()), *((time.name,) if time else ()), *parameters)
    for name, role in roles.items():
        if role not in ROLES:
            raise ValueError(f"the role of {name!r} must be one of {', '.join(ROLES)}; got {role!r}.")
        if name not in given:
            raise ValueError(
                f"the {role} coordinate {name!r} is not in the domain, which has {', '.join(given)}. "
                f"{_how_to_name(space, roles)}Add it, for instance Box({name}=(0, 1)), or remove it from the equation."
            )
    if time and roles.get(time.name, "time") != "time":
        raise ValueError(f"{time!r} is time in the domain, but {time.name!r} has the role {roles[time.name]!r}.")
    for name in parameters:
        if roles.get(name, "parameter") != "parameter":
            raise ValueError(f"{name!r} is a parameter of the domain, but has the role {roles[name]!r}.")
    kept: list[AbstractGeometry] = []
    ranges = dict(parameters)
    for factor in factors(space) if space else []:
        role_of = {n: roles.get(n, "time" if n == TIME else "space") for n in factor.names}
        moved = [n for n, role in role_of.items() if role != "space"]
        if TIME in role_of and role_of[TIME] != "time":
            raise ValueError(f"the coordinate 't' is time; it cannot have the role {role_of[TIME]!r}. Rename it.")
        if not moved:
            kept.append(factor)
            continue
        if not isinstance(factor, Box):
            raise ValueError(
                f"{moved[0]!r} has the role {role_of[moved[0]]!r} but cannot be separated from {factor!r}. "
                "Multiply instead: region * Time(0, 1), or region * Box(nu=(0, 1))."
            )
        bounds = dict(zip(factor.names, factor.bounds, strict=True))
        for name in moved:
            if role_of[name] == "parameter":
                ranges[name] = bounds[name]
            elif time is None:
                time = Time(*bounds[name], name=name)
            else:
                raise ValueError(f"a domain has one time, but both {time.name!r} and {name!r} have that role.")
        left = {n: b for n, b in bounds.items() if n not in moved}
        if left:
            kept.append(Box(left, name=factor.name))
    if space is not None and kept == factors(space):
        return Domain(space, time, ranges)
    return Domain(functools.reduce(product, kept) if kept else None, time, ranges)


LATER.update(resolve=resolve, multiply=multiply)
