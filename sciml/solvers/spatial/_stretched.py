"""An axis with points where they are wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from ._axes import AbstractCollocated

NEAR = 4  # points of the interpolation


def lagrange(nodes: np.ndarray, x: float, derivative: int = 0) -> np.ndarray:
    """The weights of values at `nodes` that give a derivative at x (Fornberg 1988, doi:10.1090/S0025-5718-1988-0935077-0)."""
    n = len(nodes)
    c = np.zeros((n, derivative + 1))
    c[0, 0] = 1.0
    before, c1 = nodes[0] - x, 1.0
    for i in range(1, n):
        most, c2, gap = min(i, derivative), 1.0, nodes[i] - x
        for j in range(i):
            c3 = nodes[i] - nodes[j]
            c2 *= c3
            if j == i - 1:
                for k in range(most, 0, -1):
                    c[i, k] = c1 * (k * c[i - 1, k - 1] - before * c[i - 1, k]) / c2
                c[i, 0] = -c1 * before * c[i - 1, 0] / c2
            for k in range(most, 0, -1):
                c[j, k] = (gap * c[j, k] - k * c[j, k - 1]) / c3
            c[j, 0] = gap * c[j, 0] / c3
        c1, before = c2, gap
    return c[:, derivative]


def matrix_between(nodes: np.ndarray, x: np.ndarray, derivative: int = 0, near: int = NEAR) -> np.ndarray:
    """From values at `nodes` `(n,)` to a derivative at `x` `(m,)`, through the nearest points: `(m, n)`."""
    near = min(near, len(nodes))
    out = np.zeros((len(x), len(nodes)))
    for row, place in enumerate(x):
        first = int(np.clip(np.searchsorted(nodes, place) - near // 2, 0, len(nodes) - near))
        out[row, first : first + near] = lagrange(nodes[first : first + near], float(place), derivative)
    return out


@dataclass(frozen=True)
class StretchedAxis(AbstractCollocated):
    """Points `nodes`, the ends included. Derivatives and interpolation through the nearest five and four points."""

    nodes: tuple[float, ...] = ()
    kind: ClassVar[str] = "stretched"

    def __post_init__(self):
        object.__setattr__(self, "nodes", tuple(map(float, self.nodes)))

    @property
    def points(self) -> np.ndarray:
        return np.array(self.nodes)

    def tail(self, u: Any) -> float:
        return 0.0

    def matrix(self, order: int) -> np.ndarray:
        return matrix_between(self.points, self.points, order, near=5 + order - order % 2)

    def weights(self, x: Any, n: int) -> tuple[Any, Any]:
        nodes = jnp.asarray(self.points)
        count = min(NEAR, n)
        first = jnp.clip(jnp.searchsorted(nodes, x) - count // 2, 0, n - count)
        slots = first + jnp.arange(count)
        near = nodes[slots]
        same = jnp.eye(count, dtype=bool)
        apart = jnp.where(same, 1.0, near[:, None] - near[None, :])
        return slots, jnp.prod(jnp.where(same, 1.0, (x - near[None, :]) / apart), axis=1)
