"""What every geometry offers; the shapes define only what is theirs."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ._boundary import Boundary, BoundaryPart
from ._checks import points_array
from ._pieces import AbstractPiece, Face
from ._samplers import AbstractSampler, Proposal, Sobol, rejection

if TYPE_CHECKING:
    from ._domain import Domain

Pieces = dict[str, tuple[AbstractPiece, ...]]


def merge_parts(first: Pieces, second: Pieces, given: frozenset[str] = frozenset()) -> Pieces:
    """The parts of both; a name of the second that is taken gets the suffix `_2`, `_3`, ... A name of `given`, which the
    user gave on both sides, means both."""
    result = dict(first)
    for name, pieces in second.items():
        if name in result and name in given:
            result[name] = result[name] + pieces
            continue
        unique, number = name, 2
        while unique in result:
            unique, number = f"{name}_{number}", number + 1
        result[unique] = pieces
    return result


# What a region can do but a base class must not know of: the files that have it put it here.
LATER: dict[str, Callable[..., Any]] = {}


class AbstractGeometry(abc.ABC):
    """A closed bounded region with named coordinates and a boundary of named parts. Immutable.

    A `name=` given to a shape names its boundary: it replaces the name of an only part (`Disk(...,
    name="hole")` has the part "hole") and prefixes several (`Rectangle(..., name="slot")` has "slot_x_min",
    ...). Boolean operations keep the names of the parts that survive; where both operands have a part of the
    same name, that of the second gets the suffix `_2` (`_3`, ...), unless both were given by `name=`: then it is one part.
    """

    names: tuple[str, ...]
    name: str

    # ---- what a shape defines

    @property
    @abc.abstractmethod
    def lower(self) -> np.ndarray:
        """Lower corner of the bounding box, (dim,)."""

    @property
    @abc.abstractmethod
    def upper(self) -> np.ndarray:
        """Upper corner of the bounding box, (dim,)."""

    @property
    @abc.abstractmethod
    def measure(self) -> float:
        """Length, area, volume, ..."""

    @abc.abstractmethod
    def signed_distance(self, points: Any) -> np.ndarray:
        """Distance to the boundary, negative inside, (n,).

        Exact for the basic shapes; for boolean operations and products the sign is right and the absolute
        value is at most the distance.
        """

    @abc.abstractmethod
    def _inside(self, points: np.ndarray) -> np.ndarray:
        """Which points (n, dim) lie in the closed region: the sign of `signed_distance`, perhaps cheaper."""

    @abc.abstractmethod
    def _pieces(self) -> Pieces:
        """The pieces of the boundary by part name, before `name` is applied."""

    @abc.abstractmethod
    def _proposal(self) -> Proposal:
        """A measure-preserving map of a unit cube onto a region that covers this one."""

    @abc.abstractmethod
    def _proposal_measure(self) -> float:
        """The measure of the region that `_proposal` covers."""

    @property
    @abc.abstractmethod
    def _convex(self) -> bool:
        """Whether it is known to be convex."""

    @abc.abstractmethod
    def to_json(self) -> dict[str, Any]:
        """A description of plain numbers, strings, lists and dictionaries; `from_json` reads it."""

    # ---- what follows

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.names)

    @property
    def size(self) -> float:
        """Diagonal of the bounding box."""
        return float(np.linalg.norm(self.upper - self.lower))

    def contains(self, points: Any, atol: float = 0.0) -> np.ndarray:
        """Which points (n, dim) lie in the closed region, or within `atol` of it, (n,)."""
        points = self._points(points)
        return self.signed_distance(points) <= atol if atol else self._inside(points)

    def sample(self, n: int, *, sampler: AbstractSampler = Sobol(), key: Any = 0) -> np.ndarray:
        """`n` points of the region, uniform in its measure, (n, dim).

        Args: `sampler`, where the points come from: `Sobol()`, `Halton()`, `Uniform()`, `Grid()`; `key`, an
        integer or a JAX key.
        """
        proposal = self._proposal()

        def propose(u: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
            points = proposal.points(u)
            return self.contains(points), (points,)

        return rejection(n, proposal.dim, propose, sampler=sampler, key=key, what=repr(self))[0]

    @cached_property
    def boundary(self) -> Boundary:
        """The boundary as a mapping from names to parts; `.all` is the whole."""
        pieces = self._named_pieces()
        parts = []
        for part, of_part in pieces.items():
            face = of_part[0] if len(of_part) == 1 and isinstance(of_part[0], Face) else None
            parts.append(
                BoundaryPart(
                    part,
                    self.names,
                    of_part,
                    self.size,
                    (part,),
                    axis=None if face is None else face.axis,
                    side=None if face is None else face.side,
                    value=None if face is None else face.value,
                )
            )
        return Boundary(self.names, tuple(parts), self.size)

    def _named_pieces(self) -> Pieces:
        pieces = self._pieces()
        if not self.name:
            return pieces
        if len(pieces) == 1:
            return {self.name: next(iter(pieces.values()))}
        return {f"{self.name}_{part}": of_part for part, of_part in pieces.items()}

    @property
    def _operands(self) -> tuple[AbstractGeometry, ...]:
        """What it is put together from; none for a shape."""
        return tuple(getattr(self, side) for side in ("first", "second") if hasattr(self, side))

    @cached_property
    def _given_names(self) -> frozenset[str]:
        """The names of parts that follow from a `name=`."""
        if self.name:
            return frozenset(self._named_pieces())
        return frozenset[str]().union(*(g._given_names for g in self._operands))

    def own_parts(self, what: str) -> tuple[str, ...]:
        """The names of its parts, by which a domain that is made with it knows them: what `on=shape` means.

        Raises: ValueError where a part has no name of its own.
        """
        parts = tuple(self.boundary)
        if not set(parts) <= self._given_names:
            raise ValueError(
                f"{what}: on={self!r}: parts of a boundary are told by their names, and {', '.join(parts[:4])} is given "
                f"to every such shape. Give it one, {type(self._operands[0] if self._operands else self).__name__}(..., "
                "name='hole'), before the domain is made with it."
            )
        return parts

    def resolve(self, roles: Mapping[str, str] | None = None) -> Domain:
        """This region as a `Domain`: space x time x parameters.

        Args: `roles`, the kind of each coordinate: "space", "time" or "parameter". By default `t` is time and
        the rest is space.
        Raises: ValueError where `roles` names a coordinate that is not here, or one that cannot be separated.
        """
        return LATER["resolve"](self, None, {}, roles or {})

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw the region and its boundary parts; returns the matplotlib axes."""
        return LATER["plot"](self, ax, **options)

    def __or__(self, other: AbstractGeometry) -> AbstractGeometry:
        """Union."""
        return LATER["union"](self, other) if isinstance(other, AbstractGeometry) else NotImplemented

    def __and__(self, other: AbstractGeometry) -> AbstractGeometry:
        """Intersection."""
        return LATER["intersection"](self, other) if isinstance(other, AbstractGeometry) else NotImplemented

    def __sub__(self, other: AbstractGeometry) -> AbstractGeometry:
        """Difference: what of this region is not inside the other."""
        return LATER["difference"](self, other) if isinstance(other, AbstractGeometry) else NotImplemented

    def __mul__(self, other: Any) -> Any:
        """Product with `Time` (a Domain) or with a region of other coordinates."""
        return LATER["multiply"](self, other)

    def _points(self, points: Any) -> np.ndarray:
        return points_array(points, self.names)
