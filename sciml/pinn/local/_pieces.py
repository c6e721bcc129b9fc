"""Piecewise polynomials on patches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._basis import Legendre


@dataclass(frozen=True)
class Pieces:
    """Functions on boxes `(K, d, 2)`: coefficients `c` `(K, fields, functions)`, in physical units."""

    basis: Legendre
    boxes: np.ndarray
    c: np.ndarray

    def on(self, k: int, x: np.ndarray, alpha: tuple[int, ...]) -> np.ndarray:
        """A derivative of all fields at x `(n, d)` by the functions of patch k: `(fields, n)`."""
        return self.c[k] @ table(self.basis, self.boxes[k], x, alpha).T

    def __call__(self, x: np.ndarray, alpha: tuple[int, ...]) -> np.ndarray:
        """A derivative of all fields at x `(n, d)`, each by the first patch that holds it: `(fields, n)`."""
        out = np.full((self.c.shape[1], len(x)), np.nan)
        slack = 1e-9 * (self.boxes[:, :, 1] - self.boxes[:, :, 0])
        todo = np.ones(len(x), bool)
        for k, (box, eps) in enumerate(zip(self.boxes, slack, strict=True)):
            here = todo & np.all((x >= box[:, 0] - eps) & (x <= box[:, 1] + eps), axis=1)
            if here.any():
                out[:, here] = self.on(k, x[here], alpha)
                todo &= ~here
        return out


def half(box: np.ndarray) -> np.ndarray:
    return (box[..., 1] - box[..., 0]) / 2


def placed(box: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Points z of [-1, 1]^d in a box."""
    return box.mean(axis=-1) + z * half(box)


def table(basis: Legendre, box: np.ndarray, x: np.ndarray, alpha: tuple[int, ...]) -> np.ndarray:
    """A derivative of all functions of a patch at x `(n, d)`: `(n, functions)`."""
    return basis.table((x - box.mean(axis=1)) / half(box), alpha) / np.prod(half(box) ** np.array(alpha))
