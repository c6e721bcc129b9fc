"""Many triangles in space: the distance to the nearest, and whether a closed surface encloses a point."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import KDTree

from ._arrays import frozen_equal, frozen_hash
from ._pieces import AbstractPiece, PointsAndNormals

CHUNK = 1_000_000
"""Pairs of a point and a triangle that are worked on at a time."""


def pairs(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For lists of the given lengths, the list and the place in it of each entry of their concatenation."""
    owner = np.repeat(np.arange(len(counts)), counts)
    first = np.cumsum(counts) - counts
    return owner, np.arange(counts.sum()) - first[owner]


def pick(u: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Entries in proportion to their weights from uniform u (n,), and what remains of u within each."""
    edges = np.concatenate([[0.0], np.cumsum(weights)])
    position = u * edges[-1]
    which = np.clip(np.searchsorted(edges, position, side="right") - 1, 0, len(weights) - 1)
    return which, np.clip((position - edges[which]) / weights[which], 0, 1)


def point_in_triangle(corners: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Uniform points of triangles (n, 3, dim): a + sqrt(u) ((1 - v) (b - a) + v (c - a)) (Turk 1990)."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    root = np.sqrt(u)[:, None]
    return a + root * ((1 - v[:, None]) * (b - a) + v[:, None] * (c - a))


def triangle_distance(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Distances of n points (n, 3) to n triangles (n, 3, 3).

    Inside of the prism over the triangle it is the distance to the plane, elsewhere to the nearest edge.
    """
    edges = np.roll(corners, -1, axis=1) - corners
    normal = np.cross(edges[:, 0], edges[:, 1])
    relative = points[:, None] - corners
    side = np.einsum("nij,nij->ni", np.cross(normal[:, None], edges), relative)
    height = np.abs(np.einsum("nj,nj->n", relative[:, 0], normal)) / np.linalg.norm(normal, axis=1)
    s = np.clip(np.einsum("nij,nij->ni", relative, edges) / np.einsum("nij,nij->ni", edges, edges), 0, 1)
    to_edge = np.linalg.norm(relative - s[..., None] * edges, axis=2).min(axis=1)
    return np.where((side >= 0).all(axis=1), height, to_edge)


@dataclass(frozen=True, eq=False)
class Triangles(AbstractPiece):
    """A patch of triangles (n, 3, 3), counterclockwise seen from outside."""

    corners: np.ndarray

    def __eq__(self, other: object) -> bool:
        return frozen_equal(self, other)

    def __hash__(self) -> int:
        return frozen_hash(self)

    @cached_property
    def _normals(self) -> np.ndarray:
        """Twice the area times the outward unit normal."""
        return np.cross(self.corners[:, 1] - self.corners[:, 0], self.corners[:, 2] - self.corners[:, 0])

    @cached_property
    def _areas(self) -> np.ndarray:
        return np.linalg.norm(self._normals, axis=1) / 2

    @property
    def unit_dim(self) -> int:
        return 2

    @property
    def measure(self) -> float:
        return float(self._areas.sum())

    @property
    def proposal_measure(self) -> float:
        return self.measure

    def at(self, u: np.ndarray) -> PointsAndNormals:
        which, rest = pick(u[:, 0], self._areas)
        normals = self._normals[which] / (2 * self._areas[which, None])
        return point_in_triangle(self.corners[which], rest, u[:, 1]), normals

    def kept(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        return np.ones(len(points), bool)

    def contains(self, points: np.ndarray, atol: float) -> np.ndarray:
        return self.distance(points) <= atol

    def flipped(self) -> Triangles:
        return Triangles(self.corners[:, ::-1])

    @cached_property
    def _tree(self) -> tuple[KDTree, float]:
        """A tree of the centroids, and the largest distance of a corner from its centroid."""
        centroids = self.corners.mean(axis=1)
        return KDTree(centroids), float(np.linalg.norm(self.corners - centroids[:, None], axis=2).max())

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Distance of points (n, 3) to the nearest triangle: candidates come from a tree of the centroids."""
        tree, radius = self._tree
        result = np.full(len(points), np.nan)
        usable = np.flatnonzero(np.isfinite(points).all(axis=1))
        block = max(1, CHUNK // len(self.corners))
        for start in range(0, len(usable), block):
            rows = usable[start : start + block]
            p = points[rows]
            nearest = tree.query(p)[1]
            bound = triangle_distance(p, self.corners[nearest])
            candidates = tree.query_ball_point(p, (bound + radius) * (1 + 1e-12))
            counts = np.array([len(c) for c in candidates], int)
            owner, _ = pairs(counts)
            found = np.concatenate([np.asarray(c, int) for c in candidates]) if len(owner) else np.zeros(0, int)
            np.minimum.at(bound, owner, triangle_distance(p[owner], self.corners[found]))
            result[rows] = bound
        return result


@dataclass(frozen=True, eq=False)
class Enclosure:
    """Inside tests for a closed surface: the parity of crossings of a ray along +z.

    Which side of an edge the ray passes is computed from the two vertices in a fixed order and ties are
    broken by an infinitesimal shift of the ray, so neighbouring triangles always agree and no crossing is
    lost or counted twice.
    """

    vertices: np.ndarray
    faces: np.ndarray

    @cached_property
    def _bins(self) -> tuple[np.ndarray, np.ndarray, int, np.ndarray, np.ndarray]:
        """A grid in the x-y plane and the faces above each cell (compressed rows)."""
        flat = self.vertices[self.faces][..., :2]
        low, high = self.vertices[:, :2].min(axis=0), self.vertices[:, :2].max(axis=0)
        cells = int(np.clip(np.sqrt(len(self.faces)), 1, 512))
        width = np.maximum(high - low, 1e-300) / cells
        first = np.clip((flat.min(axis=1) - low) / width, 0, cells - 1).astype(int)
        last = np.clip((flat.max(axis=1) - low) / width, 0, cells - 1).astype(int)
        spans = last - first + 1
        owner, place = pairs(spans.prod(axis=1))
        column = first[owner, 0] + place % spans[owner, 0]
        row = first[owner, 1] + place // spans[owner, 0]
        cell = row * cells + column
        order = np.argsort(cell, kind="stable")
        offsets = np.searchsorted(cell[order], np.arange(cells * cells + 1))
        return low, width, cells, offsets, owner[order]

    def _side(self, start: np.ndarray, end: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The edge function of the ray and its never vanishing sign."""
        turned = start > end
        a = self.vertices[np.where(turned, end, start), :2]
        b = self.vertices[np.where(turned, start, end), :2]
        d = b - a
        value = d[:, 0] * (p[:, 1] - a[:, 1]) - d[:, 1] * (p[:, 0] - a[:, 0])
        tie = np.where(d[:, 1] != 0, -np.sign(d[:, 1]), np.sign(d[:, 0]))
        sign = np.where(value != 0, np.sign(value), tie)
        flip = np.where(turned, -1.0, 1.0)
        return value * flip, sign * flip

    def contains(self, points: np.ndarray) -> np.ndarray:
        low, width, cells, offsets, faces = self._bins
        index = np.floor((points[:, :2] - low) / width)
        over = np.all((index >= 0) & (index <= cells), axis=1)
        place = np.clip(np.where(over[:, None], index, 0), 0, cells - 1).astype(int)
        cell = place[:, 1] * cells + place[:, 0]
        counts = np.where(over, offsets[cell + 1] - offsets[cell], 0)
        crossings = np.zeros(len(points), int)
        blocks = np.searchsorted(np.cumsum(counts), np.arange(CHUNK, counts.sum() + 1, CHUNK))
        for rows in np.split(np.arange(len(points)), np.unique(blocks)):
            owner, entry = pairs(counts[rows])
            point = rows[owner]
            face = self.faces[faces[offsets[cell[point]] + entry]]
            p = points[point]
            value_c, sign_c = self._side(face[:, 0], face[:, 1], p)
            value_a, sign_a = self._side(face[:, 1], face[:, 2], p)
            value_b, sign_b = self._side(face[:, 2], face[:, 0], p)
            hit = (sign_a == sign_b) & (sign_b == sign_c)
            weights = np.stack([value_a, value_b, value_c], axis=1)[hit]
            total = weights.sum(axis=1)
            heights = self.vertices[face[hit], 2]
            with np.errstate(invalid="ignore", divide="ignore"):
                z = np.where(total != 0, (weights * heights).sum(axis=1) / total, heights.mean(axis=1))
            np.add.at(crossings, point[hit][z > p[hit, 2]], 1)
        return crossings % 2 == 1
