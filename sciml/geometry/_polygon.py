"""Polygons with holes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _outline, _planar
from ._base import AbstractGeometry, Pieces
from ._checks import coordinate_names, label, point
from ._json import stored
from ._pieces import Segment
from ._samplers import Proposal, box_proposal

if TYPE_CHECKING:
    import shapely

Ring = tuple[tuple[float, float], ...]


def _ring(vertices: Any, what: str) -> Ring:
    ring = tuple(point(v, f"vertex {i} of {what}", 2) for i, v in enumerate(vertices))
    if len(ring) > 1 and ring[0] == ring[-1]:
        ring = ring[:-1]
    if len(ring) < 3:
        raise ValueError(f"{what} needs three or more different vertices, got {len(ring)}.")
    for i, (a, b) in enumerate(zip(ring, ring[1:] + ring[:1], strict=True)):
        if a == b:
            raise ValueError(f"vertices {i} and {(i + 1) % len(ring)} of {what} are the same: {a}.")
    return ring  # pyright: ignore[reportReturnType]


@stored
@dataclass(frozen=True, init=False, repr=False)
class Polygon(AbstractGeometry):
    """A simple polygon, with holes if wanted.

    Its boundary parts are `edge_0`, `edge_1`, ... (`edge_i` runs from vertex i to vertex i + 1, in either
    sense of rotation), those of hole k are `hole_k_edge_0`, ...

    Args: `vertices` (n, 2), not necessarily closed; `holes`, a sequence of such.
    Raises: ValueError where the outline crosses itself or a hole is not inside, with the place.

    >>> triangle = Polygon([(0, 0), (1, 0), (0, 1)])
    >>> triangle.measure, list(triangle.boundary)
    (0.5, ['edge_0', 'edge_1', 'edge_2'])
    """

    vertices: Ring
    holes: tuple[Ring, ...]
    names: tuple[str, ...]
    name: str

    def __init__(self, vertices: Any, *, holes: Sequence[Any] = (), names: Any = ("x", "y"), name: str = "") -> None:
        object.__setattr__(self, "vertices", _ring(vertices, "Polygon"))
        object.__setattr__(self, "holes", tuple(_ring(h, f"hole {k} of Polygon") for k, h in enumerate(holes)))
        object.__setattr__(self, "names", coordinate_names(names, 2, "Polygon"))
        object.__setattr__(self, "name", label(name, "Polygon"))
        import shapely

        shape = self.to_shapely()
        if not shape.is_valid:
            raise ValueError(
                f"Polygon must not cross or touch itself, and holes must lie inside: {shapely.is_valid_reason(shape)}."
            )

    @staticmethod
    def from_shapely(shape: shapely.Polygon, *, names: Any = ("x", "y"), name: str = "") -> Polygon:
        """The polygon that shapely made, for instance `shapely.Point(0, 0).buffer(1)`."""
        if getattr(shape, "geom_type", None) != "Polygon":
            raise TypeError(f"expected one shapely Polygon, got {getattr(shape, 'geom_type', type(shape).__name__)}.")
        rings = [np.array(ring.coords)[:, :2].tolist() for ring in (shape.exterior, *shape.interiors)]
        return Polygon(rings[0], holes=rings[1:], names=names, name=name)

    def to_shapely(self) -> shapely.Polygon:
        """The same polygon in shapely."""
        import shapely

        return shapely.Polygon(self.vertices, self.holes)

    def __repr__(self) -> str:
        if len(self.vertices) <= 6:
            inner = "[" + ", ".join(f"({x:g}, {y:g})" for x, y in self.vertices) + "]"
        else:
            inner = f"{len(self.vertices)} vertices"
        if self.holes:
            inner += f", {len(self.holes)} hole{'s' if len(self.holes) > 1 else ''}"
        if self.names != ("x", "y"):
            inner += f", names={self.names}"
        return f"Polygon({inner}{f', name={self.name!r}' if self.name else ''})"

    @cached_property
    def _edges(self) -> dict[str, Segment]:
        """The edges with the region on their left: counterclockwise outside, clockwise around holes."""
        edges = {}
        rings = [("", self.vertices, 1), *((f"hole_{k}_", hole, -1) for k, hole in enumerate(self.holes))]
        for prefix, ring, sense in rings:
            segments = [Segment(a, b) for a, b in zip(ring, ring[1:] + ring[:1], strict=True)]
            if _planar.area(segments) * sense < 0:
                segments = [segment.flipped() for segment in segments]
            edges.update({f"{prefix}edge_{i}": segment for i, segment in enumerate(segments)})
        return edges

    @cached_property
    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        edges = self._edges.values()
        return np.array([e.start for e in edges]), np.array([e.end for e in edges])

    @property
    def lower(self) -> np.ndarray:
        return np.array(self.vertices).min(axis=0)

    @property
    def upper(self) -> np.ndarray:
        return np.array(self.vertices).max(axis=0)

    @cached_property
    def measure(self) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _planar.area(list(self._edges.values()))

    def signed_distance(self, points: Any) -> np.ndarray:
        return _outline.signed_distance(self._points(points), *self._ends)

    def _inside(self, points: np.ndarray) -> np.ndarray:
        return _outline.inside(points, *self._ends)

    def _pieces(self) -> Pieces:
        return {name: (edge,) for name, edge in self._edges.items()}

    def _proposal(self) -> Proposal:
        return box_proposal(self.lower, self.upper)

    def _proposal_measure(self) -> float:
        return float(np.prod(self.upper - self.lower))

    @cached_property
    def _convex(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        starts, ends = self._ends
        along = ends - starts
        following = np.roll(along, -1 if _planar.area([Segment(a, b) for a, b in self._sides]) > 0 else 1, axis=0)
        turns = along[:, 0] * following[:, 1] - along[:, 1] * following[:, 0]
        return not self.holes and bool((turns >= 0).all())

    @property
    def _sides(self) -> list[tuple[tuple[float, float], tuple[float, float]]]:
        return list(zip(self.vertices, self.vertices[1:] + self.vertices[:1], strict=True))

    def to_json(self) -> dict[str, Any]:
        return {
            "type": "Polygon",
            "vertices": [list(v) for v in self.vertices],
            "holes": [[list(v) for v in hole] for hole in self.holes],
            "names": list(self.names),
            "name": self.name,
        }

    @staticmethod
    def _from_json(data: Mapping[str, Any]) -> Polygon:
        return Polygon(data["vertices"], holes=data["holes"], names=data["names"], name=data["name"])
