"""Piecewise polynomials on patches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._basis import Legendre

CHUNK = 4096  # points at once


@dataclass(frozen=True)
class Cells:
    """Boxes `(C, d, 2)`, the patch `owner` `(C,)` of each, and the box `(K, d, 2)` that the functions of a patch are scaled
    to."""

    boxes: np.ndarray
    owner: np.ndarray
    frames: np.ndarray

    @classmethod
    def of(cls, boxes: np.ndarray) -> Cells:
        """Every box a patch."""
        return cls(boxes, np.arange(len(boxes)), boxes)

    def members(self, k: int) -> np.ndarray:
        """The boxes of a patch, `(m, d, 2)`."""
        return self.boxes[self.owner == k]


@dataclass(frozen=True)
class Pieces:
    """Functions on patches: coefficients `c` `(K, fields, functions)`, in physical units."""

    basis: Legendre
    cells: Cells
    c: np.ndarray

    def on(self, k: int, x: np.ndarray, alpha: tuple[int, ...]) -> np.ndarray:
        """A derivative of all fields at x `(n, d)` by the functions of patch k: `(fields, n)`."""
        return self.c[k] @ table(self.basis, self.cells.frames[k], x, alpha).T

    def __call__(self, x: np.ndarray, alpha: tuple[int, ...]) -> np.ndarray:
        """A derivative of all fields at x `(n, d)`, each by the first patch that holds it or the nearest: `(fields, n)`."""
        out = np.empty((self.c.shape[1], len(x)))
        patch = self.cells.owner[nearest(self.cells.boxes, x, slack=1e-9)[0]]
        for k in np.unique(patch):
            out[:, patch == k] = self.on(int(k), x[patch == k], alpha)
        return out


def nearest(boxes: np.ndarray, x: np.ndarray, slack: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """The first of the boxes `(C, d, 2)`, larger by `slack` of their lengths, that holds each point `(n, d)`, or else the
    nearest one, and how far from it the point is, `(n,)` each."""
    reach = slack * (boxes[:, :, 1] - boxes[:, :, 0])
    which, away = np.empty(len(x), int), np.empty(len(x))
    for start in range(0, len(x), CHUNK):
        part = x[start : start + CHUNK, None]
        outside = np.maximum(np.maximum(boxes[:, :, 0] - part, part - boxes[:, :, 1]) - reach, 0).max(axis=2)
        which[start : start + CHUNK] = outside.argmin(axis=1)
        away[start : start + CHUNK] = outside.min(axis=1)
    return which, away


def half(box: np.ndarray) -> np.ndarray:
    return (box[..., 1] - box[..., 0]) / 2


def placed(box: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Points z of [-1, 1]^d in a box."""
    return box.mean(axis=-1) + z * half(box)


def table(basis: Legendre, box: np.ndarray, x: np.ndarray, alpha: tuple[int, ...]) -> np.ndarray:
    """A derivative of all functions of a patch at x `(n, d)`: `(n, functions)`."""
    return basis.table((x - box.mean(axis=1)) / half(box), alpha) / np.prod(half(box) ** np.array(alpha))
