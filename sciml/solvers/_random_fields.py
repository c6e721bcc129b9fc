"""Random initial states, for training data and for statistics."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._precision import float64

NEGLIGIBLE = 1e-10  # amplitude at which the modes of a smooth field end
MOST_MODES = 1 << 22


@dataclass(frozen=True)
class AbstractRandomField(abc.ABC):
    """A real Gaussian field that is statistically the same everywhere: sum_k a(k) (xi_k cos kx + eta_k sin kx)."""

    @abc.abstractmethod
    def amplitude(self, k: list[np.ndarray], whole: list[np.ndarray]) -> np.ndarray:
        """a at wave vectors [1 / length] given by axis, and those in units of the lowest one."""

    @abc.abstractmethod
    def modes(self, length: float) -> int:
        """How many wave numbers along an axis of this period matter."""

    @abc.abstractmethod
    def margin(self) -> float:
        """By how much an axis between walls is made longer, so that its ends know nothing of each other."""

    def sample(self, problem: Any, count: int, *, key: int = 0) -> np.ndarray:
        """`count` fields on the grid that `solvers.compile` made, `(count, *n)`: periodic where the axis is."""
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"sample: count={count!r}; expected a positive whole number.")
        numbers, matrices = [], []
        for axis in problem.axes:
            wraps = axis.kind == "fourier" or getattr(axis, "wraps", False)
            period = (axis.upper - axis.lower) + (0.0 if wraps else self.margin())
            m = self.modes(period)
            whole = np.arange(-m, m + 1)
            numbers.append((whole, 2 * np.pi * whole / period))
            matrices.append(np.exp(2j * np.pi / period * np.outer(axis.points - axis.lower, whole)))
        if np.prod([len(w) for w, _ in numbers]) > MOST_MODES:
            raise ValueError("sample: the field is too rough for its domain: more than four million modes.")
        mesh = lambda i: list(np.meshgrid(*(n[i] for n in numbers), indexing="ij"))  # noqa: E731
        a = self.amplitude(mesh(1), mesh(0))
        with float64():
            draw = jax.random.normal(jax.random.key(key), (count, 2, *a.shape), float)
            field = a * (draw[:, 0] + 1j * draw[:, 1])
            for i, matrix in enumerate(matrices):
                field = jnp.moveaxis(jnp.tensordot(jnp.asarray(matrix), field, axes=(1, 1 + i)), 0, 1 + i)
            return np.asarray(jnp.real(field))


@dataclass(frozen=True)
class GaussianField(AbstractRandomField):
    """Mean `mean`, variance `std`^2, covariance std^2 exp(-r^2 / (2 length^2)).

    On a periodic axis the covariance is that of the periodic images together.
    """

    length: float
    std: float = 1.0
    mean: float = 0.0

    def __post_init__(self):
        if not self.length > 0 or not self.std > 0:
            raise ValueError(f"GaussianField: length={self.length!r} and std={self.std!r} must be positive.")

    def amplitude(self, k: list[np.ndarray], whole: list[np.ndarray]) -> np.ndarray:
        a = np.exp(-(self.length**2) * np.add.reduce([c**2 for c in k]) / 4)
        return self.std * a / np.sqrt(np.sum(a**2))

    def modes(self, length: float) -> int:
        return max(1, int(np.ceil(length / (2 * np.pi) * 2 * np.sqrt(-np.log(NEGLIGIBLE)) / self.length)))

    def margin(self) -> float:
        return 7 * self.length

    def sample(self, problem: Any, count: int, *, key: int = 0) -> np.ndarray:
        return self.mean + super().sample(problem, count, key=key)


@dataclass(frozen=True)
class BandLimited(AbstractRandomField):
    """Equal mean amplitudes of all modes with `lowest` <= |k| <= `highest` (k in whole waves per side), variance `std`^2; no
    mean."""

    highest: int
    lowest: int = 1
    std: float = 1.0

    def __post_init__(self):
        if not 0 < self.lowest <= self.highest or not self.std > 0:
            raise ValueError(
                f"BandLimited: lowest={self.lowest!r} and highest={self.highest!r} are positive whole numbers in this order, "
                f"std={self.std!r} is positive."
            )

    def amplitude(self, k: list[np.ndarray], whole: list[np.ndarray]) -> np.ndarray:
        size = np.sqrt(np.add.reduce([np.asarray(c, float) ** 2 for c in whole]))
        a = ((size >= self.lowest) & (size <= self.highest)).astype(float)
        return self.std * a / np.sqrt(np.sum(a**2))

    def modes(self, length: float) -> int:
        return self.highest

    def margin(self) -> float:
        return 0.0
