"""Smooth pieces of boundaries: each maps a unit cube onto itself and knows its measure and normals."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln, ndtri

from ._samplers import Proposal

if TYPE_CHECKING:
    from ._base import AbstractGeometry

PointsAndNormals = tuple[np.ndarray, np.ndarray]


class AbstractPiece(abc.ABC):
    """One piece of a boundary, in `dim` coordinates.

    `at` must be measure-preserving: uniform u give uniform points. `kept` says which of the proposed points
    belong to the piece; only trimmed pieces and regions sampled by rejection drop any.
    """

    @property
    @abc.abstractmethod
    def unit_dim(self) -> int:
        """How many unit coordinates `at` consumes; 0 for a point."""

    @property
    @abc.abstractmethod
    def measure(self) -> float:
        """Length, area, ...; 1 for a point."""

    @property
    @abc.abstractmethod
    def proposal_measure(self) -> float:
        """The measure of what `at` covers, at least `measure`."""

    @abc.abstractmethod
    def at(self, u: np.ndarray) -> PointsAndNormals:
        """Points (n, dim) and outward unit normals (n, dim) at the unit coordinates (n, unit_dim)."""

    @abc.abstractmethod
    def kept(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Which points that `at` gave belong to the piece, (n,)."""

    @abc.abstractmethod
    def contains(self, points: np.ndarray, atol: float) -> np.ndarray:
        """Which of any points lie within `atol` of the piece, (n,)."""

    @abc.abstractmethod
    def flipped(self) -> AbstractPiece:
        """The same piece with the opposite normal."""


def _all(points: np.ndarray) -> np.ndarray:
    return np.ones(len(points), bool)


@dataclass(frozen=True)
class Face(AbstractPiece):
    """A face of a box: coordinate `axis` equals the lower (side -1) or upper (side +1) end."""

    bounds: tuple[tuple[float, float], ...]
    axis: int
    side: int
    sign: int = 1

    @property
    def value(self) -> float:
        return self.bounds[self.axis][(self.side + 1) // 2]

    @property
    def unit_dim(self) -> int:
        return len(self.bounds) - 1

    @property
    def measure(self) -> float:
        return math.prod(b - a for i, (a, b) in enumerate(self.bounds) if i != self.axis)

    @property
    def proposal_measure(self) -> float:
        return self.measure

    def at(self, u: np.ndarray) -> PointsAndNormals:
        lower, upper = np.array(self.bounds).T
        others = np.arange(len(lower)) != self.axis
        points = np.full((len(u), len(lower)), self.value)
        points[:, others] = np.minimum(lower[others] + u * (upper - lower)[others], upper[others])
        normals = np.zeros_like(points)
        normals[:, self.axis] = self.side * self.sign
        return points, normals

    def kept(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        return _all(points)

    def contains(self, points: np.ndarray, atol: float) -> np.ndarray:
        lower, upper = np.array(self.bounds).T
        within = ((points >= lower - atol) & (points <= upper + atol)).all(axis=1)
        return within & (np.abs(points[:, self.axis] - self.value) <= atol)

    def flipped(self) -> Face:
        return replace(self, sign=-self.sign)


@dataclass(frozen=True)
class Segment(AbstractPiece):
    """A straight edge in the plane with the region on its left: the normal points right."""

    start: tuple[float, float]
    end: tuple[float, float]

    @property
    def unit_dim(self) -> int:
        return 1

    @property
    def measure(self) -> float:
        return math.dist(self.start, self.end)

    @property
    def proposal_measure(self) -> float:
        return self.measure

    def at(self, u: np.ndarray) -> PointsAndNormals:
        start, direction = np.array(self.start), np.subtract(self.end, self.start)
        normal = np.array([direction[1], -direction[0]]) / self.measure
        return start + u * direction, np.broadcast_to(normal, (len(u), 2)).copy()

    def kept(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        return _all(points)

    def contains(self, points: np.ndarray, atol: float) -> np.ndarray:
        return segment_distance(points, np.array([self.start]), np.array([self.end]))[:, 0] <= atol

    def flipped(self) -> Segment:
        return Segment(self.end, self.start)


def segment_distance(points: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Distances of n points to m segments, (n, m), in any dimension."""
    direction = ends - starts
    relative = points[:, None, :] - starts[None]
    s = np.clip((relative * direction).sum(-1) / (direction**2).sum(-1), 0, 1)
    return np.linalg.norm(relative - s[..., None] * direction, axis=-1)


@dataclass(frozen=True)
class Arc(AbstractPiece):
    """A circular arc between two angles, start < end; sign +1 where its normal leaves the centre."""

    center: tuple[float, float]
    radius: float
    start: float = 0.0
    end: float = 2 * math.pi
    sign: int = 1

    @property
    def unit_dim(self) -> int:
        return 1

    @property
    def measure(self) -> float:
        return self.radius * (self.end - self.start)

    @property
    def proposal_measure(self) -> float:
        return self.measure

    def at(self, u: np.ndarray) -> PointsAndNormals:
        angle = self.start + u[:, 0] * (self.end - self.start)
        direction = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return np.array(self.center) + self.radius * direction, self.sign * direction

    def kept(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        return _all(points)

    def contains(self, points: np.ndarray, atol: float) -> np.ndarray:
        relative = points - np.array(self.center)
        on_circle = np.abs(np.hypot(*relative.T) - self.radius) <= atol
        slack = atol / self.radius
        angle = np.mod(np.arctan2(relative[:, 1], relative[:, 0]) - self.start + slack, 2 * math.pi)
        return on_circle & (angle <= self.end - self.start + 2 * slack)

    def flipped(self) -> Arc:
        return replace(self, sign=-self.sign)


def ball_volume(dim: int, radius: float) -> float:
    """pi^(d/2) r^d / Gamma(d/2 + 1)."""
    return math.exp(0.5 * dim * math.log(math.pi) - gammaln(0.5 * dim + 1) + dim * math.log(radius))


def directions(u: np.ndarray) -> np.ndarray:
    """Uniform directions from the unit cube: an exact map in 2 and 3 dimensions, normalised Gaussians above.

    In 3 dimensions z = 1 - 2 u_0 is uniform on the sphere (Archimedes) and u_1 is the azimuth.
    """
    if u.shape[1] == 1:
        angle = 2 * math.pi * u[:, 0]
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)
    if u.shape[1] == 2:
        z, angle = 1 - 2 * u[:, 0], 2 * math.pi * u[:, 1]
        rho = np.sqrt(np.maximum(1 - z**2, 0))
        vectors = np.stack([rho * np.cos(angle), rho * np.sin(angle), z], axis=1)
    else:
        vectors = ndtri(np.clip(u, 1e-16, 1 - 1e-16))
        vectors[~vectors.any(axis=1), 0] = 1.0
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def direction_dim(dim: int) -> int:
    """How many unit coordinates `directions` needs in `dim` dimensions."""
    return dim - 1 if dim <= 3 else dim


@dataclass(frozen=True)
class Sphere(AbstractPiece):
    """A whole sphere in 3 or more dimensions."""

    center: tuple[float, ...]
    radius: float
    sign: int = 1

    @property
    def unit_dim(self) -> int:
        return direction_dim(len(self.center))

    @property
    def measure(self) -> float:
        return len(self.center) * ball_volume(len(self.center), self.radius) / self.radius

    @property
    def proposal_measure(self) -> float:
        return self.measure

    def at(self, u: np.ndarray) -> PointsAndNormals:
        direction = directions(u)
        return np.array(self.center) + self.radius * direction, self.sign * direction

    def kept(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        return _all(points)

    def contains(self, points: np.ndarray, atol: float) -> np.ndarray:
        return np.abs(np.linalg.norm(points - np.array(self.center), axis=1) - self.radius) <= atol

    def flipped(self) -> Sphere:
        return replace(self, sign=-self.sign)


@dataclass(frozen=True)
class ProductPiece(AbstractPiece):
    """A piece of one factor times the whole of the other: `piece_first` says whose coordinates come first."""

    piece: AbstractPiece
    region: AbstractGeometry
    piece_first: bool

    @cached_property
    def _proposal(self) -> Proposal:
        return self.region._proposal()

    @property
    def unit_dim(self) -> int:
        return self.piece.unit_dim + self._proposal.dim

    @property
    def measure(self) -> float:
        return self.piece.measure * self.region.measure

    @property
    def proposal_measure(self) -> float:
        return self.piece.proposal_measure * self._proposal_volume

    @cached_property
    def _proposal_volume(self) -> float:
        return self.region._proposal_measure()

    def _join(self, of_piece: np.ndarray, of_region: np.ndarray) -> np.ndarray:
        return np.hstack([of_piece, of_region] if self.piece_first else [of_region, of_piece])

    def _split(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.piece_first:
            cut = points.shape[1] - self.region.dim
            return points[:, :cut], points[:, cut:]
        return points[:, self.region.dim :], points[:, : self.region.dim]

    def at(self, u: np.ndarray) -> PointsAndNormals:
        points, normals = self.piece.at(u[:, : self.piece.unit_dim])
        rest = self._proposal.points(u[:, self.piece.unit_dim :])
        return self._join(points, rest), self._join(normals, np.zeros_like(rest))

    def kept(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        (p, rest), (q, _) = self._split(points), self._split(normals)
        return self.piece.kept(p, q) & self.region.contains(rest)

    def contains(self, points: np.ndarray, atol: float) -> np.ndarray:
        p, rest = self._split(points)
        return self.piece.contains(p, atol) & self.region.contains(rest, atol)

    def flipped(self) -> ProductPiece:
        return replace(self, piece=self.piece.flipped())
