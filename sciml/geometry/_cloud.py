"""Regions known only by points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.spatial import KDTree

from ._arrays import frozen_equal, frozen_hash
from ._base import AbstractGeometry, Pieces
from ._checks import coordinate_names, coordinate_table, identifier, label, positive
from ._json import stored
from ._pieces import AbstractPiece, PointsAndNormals
from ._samplers import Proposal

DEFAULT_NAMES = ("x", "y", "z")


def nearest(tree: KDTree, points: np.ndarray) -> np.ndarray:
    """Distance of points (n, dim) to the nearest in the tree; that of a point that is not finite is NaN."""
    result = np.full(len(points), np.nan)
    finite = np.isfinite(points).all(axis=1)
    result[finite] = tree.query(points[finite])[0]
    return result


@dataclass(frozen=True, eq=False)
class CloudPiece(AbstractPiece):
    """Boundary points with normals, each of the same weight."""

    points: np.ndarray
    normals: np.ndarray
    total: float

    def __eq__(self, other: object) -> bool:
        return frozen_equal(self, other)

    def __hash__(self) -> int:
        return frozen_hash(self)

    @property
    def unit_dim(self) -> int:
        return 1

    @property
    def measure(self) -> float:
        return self.total

    @property
    def proposal_measure(self) -> float:
        return self.total

    def at(self, u: np.ndarray) -> PointsAndNormals:
        rows = np.minimum((u[:, 0] * len(self.points)).astype(int), len(self.points) - 1)
        return self.points[rows], self.normals[rows]

    def kept(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        return np.ones(len(points), bool)

    def contains(self, points: np.ndarray, atol: float) -> np.ndarray:
        return nearest(KDTree(self.points), points) <= atol

    def flipped(self) -> CloudPiece:
        return CloudPiece(self.points, -self.normals, self.total)


@stored
@dataclass(frozen=True, init=False, repr=False, eq=False)
class PointCloud(AbstractGeometry):
    """Scattered points that stand for a region: sampling picks among them, nothing is interpolated.

    A point is contained when it is one of the cloud, to within `atol`. `cloud & region` and `cloud - region`
    filter, `a | b` joins.

    Args: `points` (n, dim); `boundary`, for each part name the pair (points (m, dim), outward normals (m,
    dim)), which are normalised; `measure`, that of the region which the cloud stands for (default: of the
    bounding box); `names`, of the coordinates (default x, y, z). The measure of a boundary part is its number
    of points.

    >>> cloud = PointCloud([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    >>> cloud.measure, cloud.sample(2).shape
    (2.0, (2, 2))
    """

    points: np.ndarray
    parts: tuple[tuple[str, CloudPiece], ...]
    region: float
    names: tuple[str, ...]
    name: str

    def __init__(
        self,
        points: Any,
        *,
        boundary: Mapping[str, tuple[Any, Any]] | None = None,
        measure: float | None = None,
        names: Any = None,
        name: str = "",
    ) -> None:
        table = coordinate_table(points, "points of PointCloud")
        dim = table.shape[1]
        if names is None and dim > 3:
            raise ValueError(f"PointCloud in {dim} dimensions needs names= for its coordinates.")
        if measure is None:
            measure = float(np.prod(table.max(axis=0) - table.min(axis=0)))
            if measure == 0:
                raise ValueError("the points of PointCloud lie in a plane or on a line; give measure= of their region.")
        parts = []
        for part, (where, normals) in (boundary or {}).items():
            identifier(part, "a boundary part of PointCloud")
            where = coordinate_table(where, f"the points of part {part!r}", dim)
            normals = coordinate_table(normals, f"the normals of part {part!r}", dim)
            lengths = np.linalg.norm(normals, axis=1, keepdims=True)
            if len(normals) != len(where) or (lengths == 0).any():
                raise ValueError(f"part {part!r} needs one normal, not zero, for each of its {len(where)} points.")
            # What is a unit vector already keeps its bits, so that storing and loading changes nothing.
            lengths[np.abs(lengths - 1) < 1e-14] = 1
            parts.append((part, CloudPiece(where, normals / lengths, float(len(where)))))
        object.__setattr__(self, "points", table)
        object.__setattr__(self, "parts", tuple(parts))
        object.__setattr__(self, "region", positive(measure, "measure of PointCloud"))
        object.__setattr__(self, "names", coordinate_names(names or DEFAULT_NAMES[:dim], dim, "PointCloud"))
        object.__setattr__(self, "name", label(name, "PointCloud"))

    def __eq__(self, other: object) -> bool:
        return frozen_equal(self, other)

    def __hash__(self) -> int:
        return frozen_hash(self)

    def __repr__(self) -> str:
        return f"PointCloud({len(self.points)} points in {', '.join(self.names)})"

    @property
    def lower(self) -> np.ndarray:
        return self.points.min(axis=0)

    @property
    def upper(self) -> np.ndarray:
        return self.points.max(axis=0)

    @property
    def measure(self) -> float:
        return self.region

    @cached_property
    def _tree(self) -> KDTree:
        return KDTree(self.points)

    def signed_distance(self, points: Any) -> np.ndarray:
        """Distance to the nearest point of the cloud; a cloud has no interior, so it is never negative."""
        return nearest(self._tree, self._points(points))

    def _inside(self, points: np.ndarray) -> np.ndarray:
        return nearest(self._tree, points) <= 0

    def _pieces(self) -> Pieces:
        return {part: (piece,) for part, piece in self.parts}

    def _proposal(self) -> Proposal:
        def pick(u: np.ndarray) -> np.ndarray:
            return self.points[np.minimum((u[:, 0] * len(self.points)).astype(int), len(self.points) - 1)]

        return Proposal(1, pick)

    def _proposal_measure(self) -> float:
        return self.region

    @property
    def _convex(self) -> bool:
        return False

    def filtered(self, keep: Callable[[np.ndarray], np.ndarray]) -> PointCloud:
        """The points where `keep(points) -> bool` holds; the measure shrinks with their number."""
        mask = keep(self.points)
        if not mask.any():
            raise ValueError(f"nothing is left of {self!r}: no point passes.")
        boundary = {}
        for part, piece in self.parts:
            rows = keep(piece.points)
            if rows.any():
                boundary[part] = (piece.points[rows], piece.normals[rows])
        measure = self.region * float(mask.mean())
        return PointCloud(self.points[mask], boundary=boundary, measure=measure, names=self.names, name=self.name)

    def joined(self, other: PointCloud) -> PointCloud:
        """The points of both; parts of the same name are joined, measures are added."""
        if self.names != other.names:
            raise ValueError(f"clouds to be joined need the same coordinates, got {self.names} and {other.names}.")
        boundary = {part: (piece.points, piece.normals) for part, piece in self.parts}
        for part, piece in other.parts:
            before = boundary.get(part)
            boundary[part] = (
                (piece.points, piece.normals)
                if before is None
                else (np.concatenate([before[0], piece.points]), np.concatenate([before[1], piece.normals]))
            )
        return PointCloud(
            np.concatenate([self.points, other.points]),
            boundary=boundary,
            measure=self.region + other.region,
            names=self.names,
            name=self.name,
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "type": "PointCloud",
            "points": self.points.tolist(),
            "boundary": {n: [p.points.tolist(), p.normals.tolist()] for n, p in self.parts},
            "measure": self.region,
            "names": list(self.names),
            "name": self.name,
        }

    @staticmethod
    def _from_json(data: Mapping[str, Any]) -> PointCloud:
        return PointCloud(
            data["points"],
            boundary=data["boundary"],
            measure=data["measure"],
            names=data["names"],
            name=data["name"],
        )
