"""Named parts of a boundary: sampled with outward normals, combined with `|`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._checks import count, identifier, points_array
from ._pieces import AbstractPiece
from ._samplers import AbstractSampler, Sobol, fold_in, rejection


@dataclass(frozen=True)
class BoundaryPart:
    """A part of a boundary, for instance `domain.boundary["x_min"]`.

    - `name`: its name, for a union of parts their names joined by `|`;
    - `names`: the coordinates of its points;
    - `labels`: the names of the parts it is made of;
    - `axis`, `side`, `value`: of a face of a box, the number of the fixed coordinate, -1 or +1, and what it
      equals; None elsewhere.

    >>> from sciml.geometry import Rectangle
    >>> walls = Rectangle((0, 0), (2, 1)).boundary
    >>> ends = walls["x_min"] | walls["x_max"]
    >>> ends.name, ends.measure
    ('x_min|x_max', 2.0)
    """

    name: str
    names: tuple[str, ...]
    pieces: tuple[AbstractPiece, ...] = field(repr=False)
    size: float = field(repr=False)
    labels: tuple[str, ...] = ()
    axis: int | None = None
    side: int | None = None
    value: float | None = None

    @property
    def dim(self) -> int:
        return len(self.names)

    @property
    def measure(self) -> float:
        """Length of a curve, area of a surface, number of points in one dimension."""
        return float(sum(piece.measure for piece in self.pieces))

    def sample(self, n: int, *, sampler: AbstractSampler = Sobol(), key: Any = 0) -> tuple[np.ndarray, np.ndarray]:
        """`n` points (n, dim) uniform in the measure, and their outward unit normals (n, dim).

        On isolated points (the ends of an interval) the points are visited in turn.
        """
        points, normals, _ = self._sample(n, 0, sampler=sampler, key=key)
        return points, normals

    def contains(self, points: Any, atol: float | None = None) -> np.ndarray:
        """Which points (n, dim) lie within `atol` of this part; by default 1e-9 of the geometry's size."""
        points = points_array(points, self.names)
        atol = 1e-9 * self.size if atol is None else atol
        result = np.zeros(len(points), bool)
        for piece in self.pieces:
            result |= piece.contains(points, atol)
        return result

    def where(self, condition: Callable[[np.ndarray], np.ndarray], name: str = "") -> BoundaryPart:
        """The points of this part where `condition(points (n, dim)) -> bool (n,)` holds.

        Its measure is estimated from 2^14 points of each piece, with a relative error of about 1e-3 or less.
        """
        from ._trimmed import Restricted

        pieces = tuple(Restricted(piece, condition) for piece in self.pieces)
        pieces = tuple(piece for piece in pieces if piece.measure > 0)
        if not pieces:
            raise ValueError(f"the condition holds nowhere on the boundary part {self.name!r}.")
        label = identifier(name, "the name of a boundary part") if name else f"{self.name}_where"
        return BoundaryPart(label, self.names, pieces, self.size, self.labels)

    def __or__(self, other: BoundaryPart) -> BoundaryPart:
        if not isinstance(other, BoundaryPart):
            return NotImplemented
        if other.names != self.names:
            raise ValueError(
                f"boundary parts of one geometry can be combined; {self.name!r} has the coordinates "
                f"{self.names}, {other.name!r} has {other.names}."
            )
        new = tuple(piece for piece in other.pieces if piece not in self.pieces)
        if not new:
            return self
        labels = tuple(dict.fromkeys(self.labels + other.labels))
        return BoundaryPart(
            f"{self.name}|{other.name}", self.names, self.pieces + new, max(self.size, other.size), labels
        )

    def _sample(
        self, n: int, extra: int, *, sampler: AbstractSampler, key: Any
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Points, normals and `extra` more unit coordinates (n, extra) of the same sequence."""
        n = count(n)
        if all(piece.unit_dim == 0 for piece in self.pieces):
            return self._visit(n, extra, sampler=sampler, key=key)
        inner = max(piece.unit_dim for piece in self.pieces)
        edges = np.cumsum([0.0] + [piece.proposal_measure for piece in self.pieces])

        def propose(u: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
            # The first coordinate chooses the piece in proportion to its measure; what is left of it is again
            # uniform on [0, 1) and is used inside the piece, so no dimension of the sequence is lost.
            position = u[:, 0] * edges[-1]
            which = np.clip(np.searchsorted(edges, position, side="right") - 1, 0, len(self.pieces) - 1)
            points, normals, keep = (
                np.zeros((len(u), self.dim)),
                np.zeros((len(u), self.dim)),
                np.ones(len(u), bool),
            )
            for i in np.unique(which):
                rows, piece = np.flatnonzero(which == i), self.pieces[i]
                local = u[rows, : piece.unit_dim]
                if piece.unit_dim:
                    local[:, 0] = np.clip((position[rows] - edges[i]) / (edges[i + 1] - edges[i]), 0, 1)
                points[rows], normals[rows] = piece.at(local)
                keep[rows] = piece.kept(points[rows], normals[rows])
            return keep, (points, normals, u[:, inner:])

        points, normals, rest = rejection(
            n, inner + extra, propose, sampler=sampler, key=key, what=f"the boundary part {self.name!r}"
        )
        return points, normals, rest

    def _visit(
        self, n: int, extra: int, *, sampler: AbstractSampler, key: Any
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        pieces = len(self.pieces)
        ends = [piece.at(np.zeros((1, 0))) for piece in self.pieces]
        which = np.arange(n) % pieces
        points = np.concatenate([p for p, _ in ends])[which]
        normals = np.concatenate([q for _, q in ends])[which]
        rest = np.zeros((n, extra))
        if extra and n:
            # A sequence of its own for each end: every second Sobol point lies in the same half.
            for i in range(min(pieces, n)):
                rows = np.flatnonzero(which == i)
                rest[rows] = sampler.unit(len(rows), extra, key=fold_in(key, i))
        return points, normals, rest


@dataclass(frozen=True)
class Boundary(Mapping[str, BoundaryPart]):
    """The parts of a boundary by name; iteration gives the names, `.all` is the whole."""

    names: tuple[str, ...]
    parts: tuple[BoundaryPart, ...]
    size: float

    def __getitem__(self, name: str) -> BoundaryPart:
        for part in self.parts:
            if part.name == name:
                return part
        known = ", ".join(repr(part.name) for part in self.parts) or "none"
        raise UnknownPart(f"the boundary has no part {name!r}; its parts are {known}.")

    def __iter__(self) -> Iterator[str]:
        return (part.name for part in self.parts)

    def __len__(self) -> int:
        return len(self.parts)

    def __contains__(self, name: object) -> bool:
        return any(part.name == name for part in self.parts)

    def __repr__(self) -> str:
        inner = ", ".join(f"{part.name}: {part.measure:.6g}" for part in self.parts)
        return f"Boundary({inner})"

    @property
    def all(self) -> BoundaryPart:
        """The whole boundary as one part."""
        if not self.parts:
            raise ValueError("there is no boundary here: the domain has no space coordinates.")
        pieces = tuple(piece for part in self.parts for piece in part.pieces)
        return BoundaryPart("all", self.names, pieces, self.size, tuple(self))

    @property
    def measure(self) -> float:
        return float(sum(part.measure for part in self.parts))

    def select(self, on: Any) -> BoundaryPart:
        """The part that `on` means: None (the whole), a name, names, or a part.

        A part that was taken from the same geometry before time or parameters were separated from it (it then
        has more coordinates) is found again by its name.
        """
        if on is None:
            return self.all
        if isinstance(on, str):
            return self[on]
        if isinstance(on, BoundaryPart):
            if on.names == self.names:
                return on
            return self.all if on.name == "all" else self.select(on.labels)
        if isinstance(on, (tuple, list)) and on:
            result = self.select(on[0])
            for item in on[1:]:
                result = result | self.select(item)
            return result
        raise TypeError(f"a boundary part is given by its name, by names or as a part, got {on!r}.")


class UnknownPart(KeyError, ValueError):
    """No such part: a KeyError, as of any mapping, and a ValueError, as of any wrong input."""

    def __str__(self) -> str:
        return str(self.args[0])
