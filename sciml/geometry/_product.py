"""Products of regions over different coordinates: a cylinder is Disk x Interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._base import AbstractGeometry, Pieces, merge_parts
from ._box import Box
from ._json import geometry_from_json, stored
from ._pieces import ProductPiece
from ._samplers import Proposal


@stored
@dataclass(frozen=True, repr=False)
class Product(AbstractGeometry):
    """The product of two regions that share no coordinate; written `first * second`.

    Its boundary parts are those of each factor times the whole of the other, with their names.

    >>> from sciml.geometry import Disk
    >>> cylinder = Disk((0, 0), 1) * Box(z=(0, 2))
    >>> list(cylinder.boundary)
    ['circle', 'z_min', 'z_max']
    """

    first: AbstractGeometry
    second: AbstractGeometry

    def __post_init__(self) -> None:
        shared = [n for n in self.first.names if n in self.second.names]
        if shared:
            raise ValueError(
                f"the factors of a product need different coordinates; both have {', '.join(shared)}. "
                "For operations on regions of the same coordinates use |, & and -."
            )

    def __repr__(self) -> str:
        return f"{self.first!r} * {self.second!r}"

    @property
    def names(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.first.names + self.second.names

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return ""

    @property
    def lower(self) -> np.ndarray:
        return np.concatenate([self.first.lower, self.second.lower])

    @property
    def upper(self) -> np.ndarray:
        return np.concatenate([self.first.upper, self.second.upper])

    @property
    def measure(self) -> float:
        return self.first.measure * self.second.measure

    def _split(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return points[:, : self.first.dim], points[:, self.first.dim :]

    def signed_distance(self, points: Any) -> np.ndarray:
        p, q = self._split(self._points(points))
        both = np.stack([self.first.signed_distance(p), self.second.signed_distance(q)])
        outside = np.hypot(*np.maximum(both, 0))
        return np.where(outside > 0, outside, np.minimum(both.max(axis=0), 0))

    def _inside(self, points: np.ndarray) -> np.ndarray:
        p, q = self._split(points)
        return self.first._inside(p) & self.second._inside(q)

    def _pieces(self) -> Pieces:
        return merge_parts(
            {
                name: tuple(ProductPiece(piece, self.second, True) for piece in pieces)
                for name, pieces in self.first._named_pieces().items()
            },
            {
                name: tuple(ProductPiece(piece, self.first, False) for piece in pieces)
                for name, pieces in self.second._named_pieces().items()
            },
            self.first._given_names & self.second._given_names,
        )

    def _proposal(self) -> Proposal:
        first, second = self.first._proposal(), self.second._proposal()

        def points(u: np.ndarray) -> np.ndarray:
            return np.hstack([first.points(u[:, : first.dim]), second.points(u[:, first.dim :])])

        return Proposal(first.dim + second.dim, points)

    def _proposal_measure(self) -> float:
        return self.first._proposal_measure() * self.second._proposal_measure()

    @property
    def _convex(self) -> bool:
        return self.first._convex and self.second._convex

    def to_json(self) -> dict[str, Any]:
        return {"type": "Product", "first": self.first.to_json(), "second": self.second.to_json()}

    @staticmethod
    def _from_json(data: Mapping[str, Any]) -> AbstractGeometry:
        return Product(geometry_from_json(data["first"]), geometry_from_json(data["second"]))


def factors(geometry: AbstractGeometry) -> list[AbstractGeometry]:
    """The factors of nested products, in the order of their coordinates."""
    if isinstance(geometry, Product):
        return factors(geometry.first) + factors(geometry.second)
    return [geometry]


def product(first: AbstractGeometry, second: AbstractGeometry) -> AbstractGeometry:
    """The product; two unnamed boxes make one box."""
    result = Product(first, second)
    if isinstance(first, Box) and isinstance(second, Box) and not (first.name or second.name):
        return Box(dict(zip(result.names, first.bounds + second.bounds, strict=True)))
    return result
