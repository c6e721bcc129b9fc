"""One axis of a grid: its points, derivatives of values on them, and interpolation between them."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from functools import cached_property
from math import comb
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from scipy.fft import dct

NEIGHBOURS = 16  # points of the local interpolation along a periodic axis


@dataclass(frozen=True)
class AbstractAxis(abc.ABC):
    """`n` points between `lower` and `upper`."""

    lower: float
    upper: float
    n: int
    kind: ClassVar[str]
    walled: ClassVar[bool] = True

    @abc.abstractmethod
    def tail(self, u: Any) -> float:
        """How much of `u` `(..., n)` the axis only just resolves, relative to the largest: near rounding is well."""

    @property
    @abc.abstractmethod
    def points(self) -> np.ndarray: ...

    @abc.abstractmethod
    def differentiate(self, u: Any, order: int, axis: int) -> Any:
        """The derivative of values along `axis`."""

    def beyond(self, side: int) -> np.ndarray:
        """The weights `(n,)` of the values inside that give the one at the lower (-1) or upper (1) end."""
        raise NotImplementedError(f"{self.kind} points have no end of their own.")

    @abc.abstractmethod
    def refined(self, u: Any, factor: int, axis: int) -> Any:
        """Values on the grid that `weights` refers to."""

    @abc.abstractmethod
    def weights(self, x: Any, n: int) -> tuple[Any, Any]:
        """Which of the `n` values of `refined` are needed at `x`, and their weights."""


class PeriodicAxis(AbstractAxis):
    """Equally spaced points, the upper end left out; derivatives by the fast Fourier transform."""

    kind = "fourier"
    walled = False

    @property
    def points(self) -> np.ndarray:
        return self.lower + (self.upper - self.lower) * np.arange(self.n) / self.n

    def tail(self, u: Any) -> float:
        """The largest Fourier coefficient in the upper third, relative to the largest."""
        return _upper_third(np.abs(np.fft.rfft(u, axis=-1)))

    @property
    def frequencies(self) -> np.ndarray:
        return np.fft.fftfreq(self.n, 1 / self.n)

    def symbol(self, order: int) -> np.ndarray:
        """(i k)^order along the axis; the Nyquist mode of odd orders is zero."""
        factor = (2j * np.pi * self.frequencies / (self.upper - self.lower)) ** order
        if order % 2 and self.n % 2 == 0:
            factor[self.n // 2] = 0
        return factor

    def differentiate(self, u: Any, order: int, axis: int) -> Any:
        if not order:
            return u
        symbol = self.symbol(order).reshape([-1 if a == axis % u.ndim else 1 for a in range(u.ndim)])
        return jnp.fft.ifft(jnp.fft.fft(u, axis=axis) * symbol, axis=axis).real

    def refined(self, u: Any, factor: int, axis: int) -> Any:
        """By zero padding in Fourier space; the Nyquist mode stands for both of its signs."""
        if factor == 1:
            return u
        n, fine = self.n, self.n * factor
        spectrum = jnp.moveaxis(jnp.fft.fft(u, axis=axis), axis, -1)
        positive, negative = spectrum[..., : (n + 1) // 2], spectrum[..., (n + 1) // 2 :]
        parts = [positive]
        if n % 2 == 0:
            edge, negative = negative[..., :1] / 2, negative[..., 1:]
            parts += [edge, jnp.zeros((*spectrum.shape[:-1], fine - n - 1), spectrum.dtype), edge]
        else:
            parts += [jnp.zeros((*spectrum.shape[:-1], fine - n), spectrum.dtype)]
        padded = jnp.concatenate([*parts, negative], axis=-1)
        return jnp.moveaxis(jnp.fft.ifft(padded, axis=-1).real * factor, -1, axis)

    def weights(self, x: Any, n: int) -> tuple[Any, Any]:
        """Lagrange weights of the nearest points, wrapped around."""
        place = (x - self.lower) / ((self.upper - self.lower) / n)
        p = min(NEIGHBOURS, n)
        first = jnp.floor(place).astype(int) - p // 2 + 1
        # A place on a node is moved by a little: the barycentric formula is then right to rounding.
        gap = place - first - np.arange(p)
        gap = jnp.where(jnp.abs(gap) < 1e-13, 1e-13, gap)
        raw = np.array([(-1.0) ** j * comb(p - 1, j) for j in range(p)]) / gap
        return jnp.mod(first + np.arange(p), n), raw / jnp.sum(raw)


class AbstractCollocated(AbstractAxis):
    """An axis with a differentiation matrix, whose values are interpolated as they are."""

    @abc.abstractmethod
    def matrix(self, order: int) -> np.ndarray:
        """The differentiation matrix `(n, n)` of an order."""

    def differentiate(self, u: Any, order: int, axis: int) -> Any:
        if not order:
            return u
        if order not in self._matrices:
            self._matrices[order] = self.matrix(order)
        return jnp.moveaxis(jnp.tensordot(jnp.asarray(self._matrices[order]), u, axes=(1, axis)), 0, axis)

    @cached_property
    def _matrices(self) -> dict[int, np.ndarray]:
        return {}

    def refined(self, u: Any, factor: int, axis: int) -> Any:
        return u


class ChebyshevAxis(AbstractCollocated):
    """The points (lower + upper)/2 - (upper - lower)/2 cos(pi j / (n - 1)), ends included. Derivatives by the
    differentiation matrix with exact row sums (Berrut & Trefethen 2004, doi:10.1137/S0036144502417715, section 9.3)."""

    kind = "chebyshev"

    @property
    def points(self) -> np.ndarray:
        middle, half = (self.lower + self.upper) / 2, (self.upper - self.lower) / 2
        x = middle - half * np.cos(np.pi * np.arange(self.n) / (self.n - 1))
        x[0], x[-1] = self.lower, self.upper
        return x

    def tail(self, u: Any) -> float:
        """The largest Chebyshev coefficient in the upper third, relative to the largest."""
        return _upper_third(np.abs(np.asarray(dct(u, type=1, axis=-1))))

    def beyond(self, side: int) -> np.ndarray:
        """Of the polynomial through all points inside."""
        theta = np.pi * np.arange(1, self.n - 1) / (self.n - 1)
        raw = (-1.0) ** np.arange(self.n - 2) * np.sin(theta) ** 2 / (self.points[-1 if side > 0 else 0] - self.points[1:-1])
        return np.concatenate([[0.0], raw / raw.sum(), [0.0]])

    @property
    def barycentric(self) -> np.ndarray:
        w = (-1.0) ** np.arange(self.n)
        w[0] /= 2
        w[-1] /= 2
        return w

    def matrix(self, order: int) -> np.ndarray:
        """The differentiation matrix `(n, n)` of an order, by the recursion of Welfert 1997, diagonals from row sums."""
        n, w = self.n, self.barycentric
        theta = np.pi * np.arange(n) / (n - 1)
        # x_i - x_j by the product formula, which does not cancel.
        apart = (self.upper - self.lower) * (
            np.sin((theta[:, None] + theta[None, :]) / 2) * np.sin((theta[:, None] - theta[None, :]) / 2)
        )
        np.fill_diagonal(apart, 1.0)
        D = np.eye(n)
        for k in range(1, order + 1):
            D = k / apart * (w[None, :] / w[:, None] * np.diag(D)[:, None] - D)
            np.fill_diagonal(D, 0.0)
            np.fill_diagonal(D, -D.sum(axis=1))
        return D

    def weights(self, x: Any, n: int) -> tuple[Any, Any]:
        gap = x - self.points
        gap = jnp.where(jnp.abs(gap) < 1e-14 * (self.upper - self.lower), 1e-14 * (self.upper - self.lower), gap)
        raw = self.barycentric / gap
        return jnp.arange(n), raw / jnp.sum(raw)


def _upper_third(size: np.ndarray) -> float:
    return float(np.max(size[..., 2 * size.shape[-1] // 3 :], initial=0.0)) / (float(np.max(size)) or 1.0)
