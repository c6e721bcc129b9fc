"""Regions given by triangles: plane meshes, and solids inside closed triangulated surfaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from . import _outline
from ._arrays import frozen_equal, frozen_hash
from ._base import AbstractGeometry, Pieces
from ._checks import coordinate_names, coordinate_table, identifier, index_table, label
from ._json import stored
from ._pieces import Segment
from ._samplers import Proposal, box_proposal
from ._triangles import Enclosure, Triangles, pick, point_in_triangle

Parts = tuple[tuple[str, np.ndarray | tuple], ...]


def _edges_of(faces: np.ndarray) -> np.ndarray:
    """The three directed edges of each triangle, (3 n, 2)."""
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


def _count_edges(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each directed edge, how often it occurs in either direction, and the balance of the two."""
    _, inverse = np.unique(np.sort(edges, axis=1), axis=0, return_inverse=True)
    inverse = inverse.ravel()
    direction = np.where(edges[:, 0] < edges[:, 1], 1, -1)
    return np.bincount(inverse)[inverse], np.bincount(inverse, direction)[inverse].astype(int)


@stored
@dataclass(frozen=True, init=False, repr=False, eq=False)
class Mesh(AbstractGeometry):
    """A plane region made of triangles.

    Its boundary parts are those given in `parts`; edges of the outline that are in none of them form the part
    `boundary`.

    Args: `vertices` (n, 2); `triangles` (m, 3), numbers of vertices in either sense; `parts`, for each name
    the edges (k, 2).
    Raises: ValueError for a triangle without area, an edge of more than two triangles, a part that is not on
    the outline.

    >>> square = Mesh([(0, 0), (1, 0), (1, 1), (0, 1)], [(0, 1, 2), (0, 2, 3)], parts={"floor": [(0, 1)]})
    >>> square.measure, list(square.boundary)
    (1.0, ['floor', 'boundary'])
    """

    vertices: np.ndarray
    triangles: np.ndarray
    parts: tuple[tuple[str, tuple[tuple[int, int], ...]], ...]
    names: tuple[str, ...]
    name: str

    def __init__(
        self,
        vertices: Any,
        triangles: Any,
        *,
        parts: Mapping[str, Any] | None = None,
        names: Any = ("x", "y"),
        name: str = "",
    ) -> None:
        points = coordinate_table(vertices, "vertices of Mesh", 2)
        faces = np.array(index_table(triangles, "triangles of Mesh", 3, len(points)))
        twice = _twice_area(points, faces)
        extent = float(np.prod(points.max(axis=0) - points.min(axis=0)))
        if (np.abs(twice) <= 1e-15 * extent).any():
            raise ValueError(f"triangle {int(np.argmin(np.abs(twice)))} of Mesh has no area.")
        faces[twice < 0] = faces[twice < 0][:, ::-1]
        faces.setflags(write=False)
        edges = _edges_of(faces)
        uses, balance = _count_edges(edges)
        bad = (uses > 2) | ((uses == 2) & (balance != 0))
        if bad.any():
            raise ValueError(
                f"the triangles of Mesh overlap at the edge {tuple(edges[bad][0].tolist())}: "
                "an edge belongs to one triangle, or to two on its two sides."
            )
        outline = {tuple(sorted(e)): tuple(e) for e in edges[uses == 1].tolist()}
        object.__setattr__(self, "vertices", points)
        object.__setattr__(self, "triangles", faces)
        object.__setattr__(self, "parts", _outline_parts(outline, parts or {}))
        object.__setattr__(self, "names", coordinate_names(names, 2, "Mesh"))
        object.__setattr__(self, "name", label(name, "Mesh"))

    @staticmethod
    def load(path: str | Path, *, names: Any = ("x", "y"), name: str = "") -> Mesh:
        """Read a plane mesh from any file that meshio reads (Gmsh, VTK, ...); physical groups of lines become
        boundary parts.

        Needs the extra `mesh` (`pip install "sciml[mesh]"`).
        """
        from ._files import read_plane_mesh

        vertices, triangles, parts = read_plane_mesh(path)
        return Mesh(vertices, triangles, parts=parts, names=names, name=name)

    def __eq__(self, other: object) -> bool:
        return frozen_equal(self, other)

    def __hash__(self) -> int:
        return frozen_hash(self)

    def __repr__(self) -> str:
        return f"Mesh({len(self.vertices)} vertices, {len(self.triangles)} triangles{_suffix(self.name)})"

    @property
    def lower(self) -> np.ndarray:
        return self.vertices[self.triangles].min(axis=(0, 1))

    @property
    def upper(self) -> np.ndarray:
        return self.vertices[self.triangles].max(axis=(0, 1))

    @cached_property
    def _areas(self) -> np.ndarray:
        return _twice_area(self.vertices, self.triangles) / 2

    @property
    def measure(self) -> float:
        return float(self._areas.sum())

    @cached_property
    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        edges = np.concatenate([np.array(of_part) for _, of_part in self.parts])
        return self.vertices[edges[:, 0]], self.vertices[edges[:, 1]]

    def signed_distance(self, points: Any) -> np.ndarray:
        return _outline.signed_distance(self._points(points), *self._ends)

    def _inside(self, points: np.ndarray) -> np.ndarray:
        return _outline.inside(points, *self._ends)

    def _pieces(self) -> Pieces:
        v = [tuple(row) for row in self.vertices.tolist()]
        return {name: tuple(Segment(v[a], v[b]) for a, b in edges) for name, edges in self.parts}

    def _proposal(self) -> Proposal:
        """Exactly uniform: a triangle in proportion to its area, then a point in it."""

        def points(u: np.ndarray) -> np.ndarray:
            which, rest = pick(u[:, 0], self._areas)
            return point_in_triangle(self.vertices[self.triangles[which]], rest, u[:, 1])

        return Proposal(2, points)

    def _proposal_measure(self) -> float:
        return self.measure

    @property
    def _convex(self) -> bool:
        return False

    def to_json(self) -> dict[str, Any]:
        return {
            "type": "Mesh",
            "vertices": self.vertices.tolist(),
            "triangles": self.triangles.tolist(),
            "parts": [[n, [list(e) for e in edges]] for n, edges in self.parts],
            "names": list(self.names),
            "name": self.name,
        }

    @staticmethod
    def _from_json(data: Mapping[str, Any]) -> Mesh:
        parts = dict(data["parts"])
        return Mesh(data["vertices"], data["triangles"], parts=parts, names=data["names"], name=data["name"])


def _suffix(name: str) -> str:
    return f", name={name!r}" if name else ""


def _twice_area(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = (points[faces[:, i]] for i in range(3))
    return (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]


def _outline_parts(
    outline: dict[tuple, tuple], parts: Mapping[str, Any]
) -> tuple[tuple[str, tuple[tuple[int, int], ...]], ...]:
    """The outline's directed edges by part; the rest is `boundary`."""
    result, left = [], dict(outline)
    for part, edges in parts.items():
        identifier(part, "a boundary part of Mesh")
        chosen = []
        for edge in np.asarray(edges, int).reshape(-1, 2).tolist():
            key = tuple(sorted(edge))
            if key not in outline:
                raise ValueError(f"the edge {tuple(edge)} of part {part!r} is not on the outline of Mesh.")
            if key not in left:
                raise ValueError(f"the edge {tuple(edge)} of part {part!r} stands twice among the parts of Mesh.")
            chosen.append(left.pop(key))
        if chosen:
            result.append((part, tuple(chosen)))
    if left:
        if "boundary" in dict(result):
            raise ValueError("the part name 'boundary' is kept for the edges of the outline that no part has.")
        result.append(("boundary", tuple(left.values())))
    return tuple(result)


@stored
@dataclass(frozen=True, init=False, repr=False, eq=False)
class Surface(AbstractGeometry):
    """The solid inside a closed triangulated surface.

    Its boundary parts are those given in `parts`; faces in none of them form the part `surface`.

    Args: `vertices` (n, 3); `faces` (m, 3), all in the same sense; `parts`, for each name the numbers of the
    faces.
    Raises: ValueError unless every edge belongs to two faces that run through it in opposite directions.
    """

    vertices: np.ndarray
    faces: np.ndarray
    parts: tuple[tuple[str, tuple[int, ...]], ...]
    names: tuple[str, ...]
    name: str

    def __init__(
        self,
        vertices: Any,
        faces: Any,
        *,
        parts: Mapping[str, Any] | None = None,
        names: Any = ("x", "y", "z"),
        name: str = "",
    ) -> None:
        points = coordinate_table(vertices, "vertices of Surface", 3)
        table = np.array(index_table(faces, "faces of Surface", 3, len(points)))
        edges = _edges_of(table)
        uses, balance = _count_edges(edges)
        for wrong, reason in (
            (uses % 2 == 1, "is not closed"),
            (balance != 0, "has faces of opposite senses"),
        ):
            if wrong.any():
                raise ValueError(
                    f"the surface {reason} at the edge {tuple(edges[wrong][0].tolist())}: "
                    "each edge must belong to two faces that run through it in opposite directions. "
                    "Repair it, for instance with trimesh.repair."
                )
        volume = _volume(points, table)
        if abs(volume) <= 1e-15 * float(np.prod(points.max(axis=0) - points.min(axis=0))):
            raise ValueError("the surface encloses no volume.")
        if volume < 0:
            table = table[:, ::-1].copy()
        areas = Triangles(points[table])._areas
        if (areas <= 0).any():
            raise ValueError(f"face {int(np.argmin(areas))} of Surface has no area.")
        table.setflags(write=False)
        object.__setattr__(self, "vertices", points)
        object.__setattr__(self, "faces", table)
        object.__setattr__(self, "parts", _face_parts(len(table), parts or {}))
        object.__setattr__(self, "names", coordinate_names(names, 3, "Surface"))
        object.__setattr__(self, "name", label(name, "Surface"))

    @staticmethod
    def load(path: str | Path, *, names: Any = ("x", "y", "z"), name: str = "") -> Surface:
        """Read a closed surface from any file that trimesh reads (STL, PLY, OBJ, ...).

        Needs the extra `mesh` (`pip install "sciml[mesh]"`).
        """
        from ._files import read_surface

        return Surface(*read_surface(path), names=names, name=name)

    def __eq__(self, other: object) -> bool:
        return frozen_equal(self, other)

    def __hash__(self) -> int:
        return frozen_hash(self)

    def __repr__(self) -> str:
        return f"Surface({len(self.vertices)} vertices, {len(self.faces)} faces{_suffix(self.name)})"

    @property
    def lower(self) -> np.ndarray:
        return self.vertices[self.faces].min(axis=(0, 1))

    @property
    def upper(self) -> np.ndarray:
        return self.vertices[self.faces].max(axis=(0, 1))

    @property
    def measure(self) -> float:
        return _volume(self.vertices, self.faces)

    @cached_property
    def _enclosure(self) -> Enclosure:
        return Enclosure(self.vertices, self.faces)

    @cached_property
    def _all_faces(self) -> Triangles:
        return Triangles(self.vertices[self.faces])

    def signed_distance(self, points: Any) -> np.ndarray:
        points = self._points(points)
        distance = self._all_faces.distance(points)
        return np.where(self._enclosure.contains(points), -distance, distance)

    def _inside(self, points: np.ndarray) -> np.ndarray:
        return self._enclosure.contains(points)

    def _pieces(self) -> Pieces:
        corners = self.vertices[self.faces]
        return {name: (Triangles(corners[list(rows)]),) for name, rows in self.parts}

    def _proposal(self) -> Proposal:
        return box_proposal(self.lower, self.upper)

    def _proposal_measure(self) -> float:
        return float(np.prod(self.upper - self.lower))

    @property
    def _convex(self) -> bool:
        return False

    def to_json(self) -> dict[str, Any]:
        return {
            "type": "Surface",
            "vertices": self.vertices.tolist(),
            "faces": self.faces.tolist(),
            "parts": [[n, list(rows)] for n, rows in self.parts],
            "names": list(self.names),
            "name": self.name,
        }

    @staticmethod
    def _from_json(data: Mapping[str, Any]) -> Surface:
        parts = dict(data["parts"])
        return Surface(data["vertices"], data["faces"], parts=parts, names=data["names"], name=data["name"])


def _volume(points: np.ndarray, faces: np.ndarray) -> float:
    """The divergence theorem: a sixth of the sum of a . (b x c), from the middle of the surface."""
    corners = points[faces] - points.mean(axis=0)
    return float(np.einsum("ni,ni->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6)


def _face_parts(faces: int, parts: Mapping[str, Any]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    left, result = set(range(faces)), []
    for part, rows in parts.items():
        identifier(part, "a boundary part of Surface")
        chosen = tuple(int(r) for r in rows)
        if not set(chosen) <= left or len(set(chosen)) != len(chosen):
            raise ValueError(f"part {part!r} of Surface names a face that does not exist or is in a part already.")
        left -= set(chosen)
        if chosen:
            result.append((part, chosen))
    if left:
        if "surface" in dict(result):
            raise ValueError("the part name 'surface' is kept for the faces that no part has.")
        result.append(("surface", tuple(sorted(left))))
    return tuple(result)
