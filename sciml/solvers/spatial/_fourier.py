"""Periodic boxes: equally spaced points, derivatives by the fast Fourier transform."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from .._system import Index
from ._axes import PeriodicAxis


class FourierGrid:
    """Points `lower + length * i / n` along each axis, and what is needed in Fourier space (the last axis halved, for
    real fields). `degree`: of the products that are dealiased."""

    def __init__(
        self, names: tuple[str, ...], bounds: tuple[tuple[float, float], ...], n: tuple[int, ...], degree: int = 1
    ):
        self.names, self.bounds, self.n, self.degree = names, bounds, n, degree
        self.dim = len(n)
        self.lengths = tuple(b - a for a, b in bounds)
        self.axes = tuple(range(-self.dim, 0))

    @property
    def line(self) -> tuple[PeriodicAxis, ...]:
        """Each axis by itself."""
        return tuple(PeriodicAxis(a, b, n) for (a, b), n in zip(self.bounds, self.n, strict=True))

    @property
    def points(self) -> tuple[np.ndarray, ...]:
        return tuple(axis.points for axis in self.line)

    @property
    def full(self) -> tuple[int, ...]:
        return self.n

    @property
    def inside(self) -> tuple[Any, ...]:
        return (...,)

    def mesh(self, walls: bool = False) -> dict[str, np.ndarray]:
        """The coordinates on the grid, each of shape `n`."""
        return dict(zip(self.names, np.meshgrid(*self.points, indexing="ij"), strict=True))

    @property
    def modes(self) -> tuple[int, ...]:
        return (*self.n[:-1], self.n[-1] // 2 + 1)

    def forward(self, u: Any) -> Any:
        return jnp.fft.rfftn(u, axes=self.axes)

    def backward(self, u: Any) -> Any:
        return jnp.fft.irfftn(u, s=self.n, axes=self.axes)

    def numbers(self) -> list[np.ndarray]:
        """The whole wave numbers along each axis, shaped to broadcast."""
        found = []
        for axis, n in enumerate(self.n):
            k = np.fft.rfftfreq(n, 1 / n) if axis == self.dim - 1 else np.fft.fftfreq(n, 1 / n)
            found.append(k.reshape([-1 if a == axis else 1 for a in range(self.dim)]))
        return found

    def derivative(self, spectrum: Any, index: Index) -> Any:
        """`symbol(index)` times a spectrum, by one real factor along each axis."""
        for k, n, length, order in zip(self.numbers(), self.n, self.lengths, index, strict=True):
            if order:
                k = np.where(np.abs(k) == n // 2, 0.0, k) if order % 2 and n % 2 == 0 else k
                spectrum = spectrum * jnp.asarray((2 * np.pi * k / length) ** order)
        turned = sum(index) % 4
        return spectrum if turned == 0 else spectrum * (1j, -1, -1j)[turned - 1]

    def symbol(self, index: Index) -> np.ndarray:
        """(i k)^index; the Nyquist mode of odd derivatives is zero, since its sign is not known."""
        value = np.ones((1,) * self.dim, dtype=complex)
        for k, n, length, order in zip(self.numbers(), self.n, self.lengths, index, strict=True):
            factor = (2j * np.pi * k / length) ** order
            if order % 2 and n % 2 == 0:
                factor = np.where(np.abs(k) == n // 2, 0.0, factor)
            value = value * factor
        return np.broadcast_to(value, self.modes)

    @property
    def kept(self) -> np.ndarray:
        """The modes that a product of `degree` factors does not alias: |k| < n / (degree + 1)."""
        mask = np.ones(self.modes, dtype=bool)
        if self.degree > 1:
            for k, n in zip(self.numbers(), self.n, strict=True):
                mask = mask & (np.abs(k) < n / (self.degree + 1))
        return mask

    def tail(self, u: Any) -> float:
        """The largest Fourier coefficient in the upper third of the wave numbers that dealiasing keeps, or above, relative to
        the largest of all but the mean: near rounding where the grid resolves `u` `(..., *n)`."""
        size = np.abs(np.asarray(np.fft.rfftn(np.asarray(u), axes=self.axes)))
        high = np.zeros(self.modes, dtype=bool)
        low = np.ones(self.modes, dtype=bool)
        for k, n in zip(self.numbers(), self.n, strict=True):
            high = high | (np.abs(k) > 2 / 3 * n / (self.degree + 1))
            low = low & (k == 0)
        largest = float(np.max(np.where(low, 0, size), initial=0.0)) or float(np.max(size)) or 1.0
        return float(np.max(np.where(high, size, 0), initial=0.0)) / largest
