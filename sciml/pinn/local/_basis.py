"""Products of Legendre polynomials on a patch, and all their derivatives.

With z the coordinates of a patch scaled to [-1, 1] and P_k the Legendre polynomials,

    phi_j(z) = prod_a sqrt(2 k_a + 1) P_{k_a}(z_a),        k = index_j,

which are orthonormal (for the mean over the patch). Columns of a least-squares matrix made of them are nearly orthogonal,
so that its normal equations keep their digits.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Legendre:
    """All products of polynomials up to `degrees`, one for each coordinate; where `total`, only those with
    sum_a k_a / degrees_a <= 1, the sum without the coordinate `beside`."""

    degrees: tuple[int, ...]
    total: bool = False
    beside: int | None = None

    @cached_property
    def index(self) -> np.ndarray:
        """The degrees of every function, `(functions, d)`."""
        index = np.array(list(itertools.product(*(range(p + 1) for p in self.degrees))))
        part = index / np.maximum(self.degrees, 1)
        counted = [a for a in range(len(self.degrees)) if a != self.beside]
        return index[part[:, counted].sum(axis=1) <= 1 + 1e-9] if self.total else index

    @property
    def size(self) -> int:
        return len(self.index)

    @cached_property
    def _slopes(self) -> tuple[np.ndarray, ...]:
        """The derivative in coefficients of Legendre polynomials: P_k' = sum_j slopes[j, k] P_j."""
        found = []
        for p in self.degrees:
            slope = np.zeros((p + 1, p + 1))
            for k in range(1, p + 1):
                slope[k - 1 :: -2, k] = 2 * np.arange(k - 1, -1, -2) + 1
            found.append(slope)
        return tuple(found)

    @cached_property
    def _axes(self) -> dict[tuple[int, ...], list[np.ndarray]]:
        return {}

    def axes(self, alpha: tuple[int, ...]) -> list[np.ndarray]:
        """For every coordinate the matrix that takes values of P_0, P_1, ... to the derivative of order alpha_a of the
        normalised ones."""
        if alpha not in self._axes:
            self._axes[alpha] = [
                np.linalg.matrix_power(slope, order) * np.sqrt(2 * np.arange(len(slope)) + 1)
                for slope, order in zip(self._slopes, alpha, strict=True)
            ]
        return self._axes[alpha]

    def table(self, z: Any, alpha: tuple[int, ...], xp: Any = np) -> Any:
        """The derivative of order alpha, with respect to z, of all functions at z `(n, d)`: `(n, functions)`."""
        out: Any = 1.0
        for a, change in enumerate(self.axes(alpha)):
            values = _polynomials(z[:, a], self.degrees[a], xp) @ xp.asarray(change, z.dtype)
            out = out * values[:, self.index[:, a]]
        return out


@dataclass(frozen=True)
class Slice(Legendre):
    """Functions of space at one time, the coordinate `beside`, of which their degree is zero. Half the length of a box in time
    is the step tau, so that differentiating with respect to z in time leaves a function as it is: (u - w) / tau (`_stage`)."""

    def table(self, z: Any, alpha: tuple[int, ...], xp: Any = np) -> Any:
        return super().table(z, tuple(0 if a == self.beside else k for a, k in enumerate(alpha)), xp)


def _polynomials(z: Any, degree: int, xp: Any) -> Any:
    """P_0 to P_degree at z `(n,)`: `(n, degree + 1)`."""
    values = [xp.ones_like(z), z]
    for k in range(1, degree):
        values.append(((2 * k + 1) * z * values[k] - k * values[k - 1]) / (k + 1))
    return xp.stack(values[: degree + 1], axis=1)


def chebyshev(n: int) -> np.ndarray:
    """n Chebyshev points inside (-1, 1)."""
    return -np.cos((np.arange(n) + 0.5) * np.pi / n)


def lobatto(n: int) -> np.ndarray:
    """n Chebyshev points of [-1, 1], its ends among them."""
    return -np.cos(np.arange(n) * np.pi / (n - 1))


def product(axes: list[np.ndarray]) -> np.ndarray:
    """All combinations, `(n, d)`, the last coordinate fastest."""
    return np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")], axis=1)
