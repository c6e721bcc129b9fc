"""Pieces of which only a portion remains: after a boolean operation, or under a condition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ._pieces import AbstractPiece, PointsAndNormals
from ._samplers import Sobol

ESTIMATE_POINTS = 2**14


@dataclass(frozen=True)
class Restricted(AbstractPiece):
    """The portion of a piece where a condition on the points holds; its measure is estimated."""

    piece: AbstractPiece
    condition: Callable[[np.ndarray], np.ndarray]

    @property
    def unit_dim(self) -> int:
        return self.piece.unit_dim

    @cached_property
    def _fraction(self) -> float:
        return kept_fraction(self, self.piece)

    @property
    def measure(self) -> float:
        return self._fraction * self.piece.measure

    @property
    def proposal_measure(self) -> float:
        return self.piece.proposal_measure

    def at(self, u: np.ndarray) -> PointsAndNormals:
        return self.piece.at(u)

    def _holds(self, points: np.ndarray) -> np.ndarray:
        mask = np.asarray(self.condition(points))
        if mask.shape != (len(points),) or mask.dtype != bool:
            raise ValueError(
                f"the condition on a boundary part must give one bool per point, shape ({len(points)},); "
                f"got {mask.dtype} of the shape {mask.shape}."
            )
        return mask

    def kept(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        return self.piece.kept(points, normals) & self._holds(points)

    def contains(self, points: np.ndarray, atol: float) -> np.ndarray:
        return self.piece.contains(points, atol) & self._holds(points)

    def flipped(self) -> Restricted:
        return Restricted(self.piece.flipped(), self.condition)


def kept_fraction(portion: AbstractPiece, whole: AbstractPiece, n: int = ESTIMATE_POINTS) -> float:
    """The fraction of `whole` that `portion`, made from it, keeps: counted on a fixed low-discrepancy set."""
    u = Sobol().unit(n if whole.unit_dim else 1, max(whole.unit_dim, 1))[:, : whole.unit_dim]
    points, normals = whole.at(u)
    present = whole.kept(points, normals)
    if not present.any():
        return 0.0
    points, normals = portion.at(u[present])
    return float(np.mean(portion.kept(points, normals)))
