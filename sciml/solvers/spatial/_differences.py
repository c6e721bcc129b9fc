"""Finite differences on equally spaced points between two walls."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from ._axes import AbstractAxis

# No initial value is refused for it: one that jumps is blurred by differences, not falsified.
WORST_TAIL = 5e-3


def stencil(offsets: np.ndarray, derivative: int) -> np.ndarray:
    """The weights of values at `offsets` (in units of the spacing) that give a derivative at 0 to the highest order."""
    powers = np.arange(len(offsets))
    taylor = np.asarray(offsets, float)[None, :] ** powers[:, None] / [[math.factorial(k)] for k in powers]
    return np.linalg.solve(taylor, (powers == derivative).astype(float))


@dataclass(frozen=True)
class DifferenceAxis(AbstractAxis):
    """Equally spaced points, both ends included; derivatives to `order`, one-sided to the same order near the ends."""

    order: int = 2
    kind: ClassVar[str] = "differences"

    @property
    def points(self) -> np.ndarray:
        return np.linspace(self.lower, self.upper, self.n)

    @property
    def spacing(self) -> float:
        return (self.upper - self.lower) / (self.n - 1)

    def tail(self, u: Any) -> float:
        """The sixth differences, which a zigzag has all of: below 1e-5 with 20 points to a wave length."""
        size = float(np.linalg.norm(u)) or 1.0
        return min(float(np.linalg.norm(np.diff(np.asarray(u), 6, axis=-1))) / (64 * size), WORST_TAIL)

    def _rows(self, derivative: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights in the interior `(2 m + 1,)`, and those of the first and the last m points `(m, p)`."""
        half = (derivative + 1) // 2 - 1 + self.order // 2
        wide = derivative + self.order
        if self.n < max(wide, 2 * half + 1):
            raise ValueError(
                f"Differences of order {self.order} take at least {max(wide, 2 * half + 1)} points for a derivative of order "
                f"{derivative}; there are {self.n}."
            )
        scale = self.spacing**derivative
        inner = stencil(np.arange(-half, half + 1), derivative) / scale
        first = np.stack([stencil(np.arange(wide) - i, derivative) for i in range(half)]) / scale
        last = np.stack([stencil(np.arange(-wide + 1, 1) + half - 1 - i, derivative) for i in range(half)]) / scale
        return inner, first, last

    def matrix(self, derivative: int) -> np.ndarray:
        """The differentiation matrix `(n, n)`; used once along an axis, never for a state."""
        inner, first, last = self._rows(derivative)
        n, m = self.n, len(first)
        D = np.zeros((n, n))
        for i in range(m, n - m):
            D[i, i - m : i + m + 1] = inner
        D[:m, : first.shape[1]] = first
        D[n - m :, n - last.shape[1] :] = last
        return D

    def differentiate(self, u: Any, order: int, axis: int) -> Any:
        if not order:
            return u
        inner, first, last = self._rows(order)
        n, m = self.n, len(first)
        u = jnp.moveaxis(u, axis, -1)
        middle = sum(w * u[..., k : n - 2 * m + k] for k, w in enumerate(inner.tolist()) if w)
        low = u[..., : first.shape[1]] @ jnp.asarray(first.T)
        high = u[..., n - last.shape[1] :] @ jnp.asarray(last.T)
        return jnp.moveaxis(jnp.concatenate([low, middle, high], axis=-1), -1, axis)

    def beyond(self, side: int) -> np.ndarray:
        """Of the polynomial through as many points as give the order of the differences, and one more."""
        count = min(self.order + 1, self.n - 2)
        weights = np.zeros(self.n)
        weights[1 : 1 + count] = stencil(np.arange(1, 1 + count), 0)
        return weights[::-1] if side > 0 else weights

    def refined(self, u: Any, factor: int, axis: int) -> Any:
        return u

    def weights(self, x: Any, n: int) -> tuple[Any, Any]:
        """Lagrange's formula through the nearest points, two orders above that of the differences."""
        count = min(self.order + 2, n)
        place = (x - self.lower) / self.spacing
        first = jnp.clip(jnp.floor(place).astype(int) - count // 2 + 1, 0, n - count)
        gap = place - first - jnp.arange(count)
        gap = jnp.where(jnp.abs(gap) < 1e-13, 1e-13, gap)
        raw = np.array([(-1.0) ** j * math.comb(count - 1, j) for j in range(count)]) / gap
        return first + jnp.arange(count), raw / jnp.sum(raw)
