"""Equal cells along an axis, for finite volumes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from ._axes import AbstractAxis

GHOSTS = 3


@dataclass(frozen=True)
class CellAxis(AbstractAxis):
    """`n` cells; values are those of their centres. All of them are unknowns: walls lie on faces."""

    wraps: bool = False
    kind: ClassVar[str] = "cells"
    walled: ClassVar[bool] = False

    @property
    def spacing(self) -> float:
        return (self.upper - self.lower) / self.n

    @property
    def points(self) -> np.ndarray:
        return self.lower + self.spacing * (np.arange(self.n) + 0.5)

    def tail(self, u: Any) -> float:
        return 0.0  # shocks are never resolved, and need not be

    def mirrored(self, x: Any) -> Any:
        """Places beyond the ends, taken back into the axis."""
        if self.wraps:
            return self.lower + np.mod(x - self.lower, self.upper - self.lower)
        x = np.where(x < self.lower, 2 * self.lower - x, x)
        return np.where(x > self.upper, 2 * self.upper - x, x)

    def differentiate(self, u: Any, order: int, axis: int) -> Any:
        """Central differences of second order, again and again; one-sided at the ends."""
        u = jnp.moveaxis(u, axis, -1)
        for _ in range(order):
            middle = (u[..., 2:] - u[..., :-2]) / (2 * self.spacing)
            if self.wraps:
                u = (jnp.roll(u, -1, -1) - jnp.roll(u, 1, -1)) / (2 * self.spacing)
                continue
            low = (-3 * u[..., :1] + 4 * u[..., 1:2] - u[..., 2:3]) / (2 * self.spacing)
            high = (3 * u[..., -1:] - 4 * u[..., -2:-1] + u[..., -3:-2]) / (2 * self.spacing)
            u = jnp.concatenate([low, middle, high], axis=-1)
        return jnp.moveaxis(u, -1, axis)

    def refined(self, u: Any, factor: int, axis: int) -> Any:
        return u

    def weights(self, x: Any, n: int) -> tuple[Any, Any]:
        """A straight line between the nearest two centres, which makes no new extrema; continued to the walls."""
        place = (x - self.lower) / self.spacing - 0.5
        first = jnp.floor(place).astype(int)
        first = first if self.wraps else jnp.clip(first, 0, n - 2)
        part = place - first
        return jnp.mod(first + jnp.arange(2), n), jnp.stack([1 - part, part])
