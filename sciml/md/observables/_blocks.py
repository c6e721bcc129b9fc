"""Averages of correlated series, with standard errors from blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

ROOM = 256  # blocks that are kept


@dataclass(frozen=True)
class Mean:
    """An average and its standard error, numbers or arrays."""

    value: Any
    error: Any

    def __repr__(self) -> str:
        if np.ndim(self.value):
            return f"Mean(value={self.value!r}, error={self.error!r})"
        return f"{self.value:.6g} +- {self.error:.2g}"


def mean(series: Any) -> Mean:
    """The average of a correlated series over its first axis, with a standard error from blocks: neighbours are averaged in
    pairs until the error no longer grows by more than its own uncertainty (Flyvbjerg & Petersen 1989, doi:10.1063/1.457480).

    **Raises** `ValueError` for fewer than four numbers, or numbers that are not finite.
    """
    x = np.asarray(series, float)
    if not x.ndim or len(x) < 4:
        raise ValueError(f"mean: a series of shape {x.shape}; expected at least four numbers.")
    if not np.all(np.isfinite(x)):
        raise ValueError(f"mean: {np.sum(~np.isfinite(x))} of {x.size} numbers are NaN or infinite.")
    return _plain(x.mean(axis=0), plateau(x))


def _plain(value: Any, error: Any) -> Mean:
    return Mean(float(value), float(error)) if not np.ndim(value) else Mean(np.asarray(value), np.asarray(error))


def plateau(x: np.ndarray) -> np.ndarray:
    """The standard error of the mean over the first axis, for each component by itself; NaN for a single sample."""
    if len(x) < 2:
        return np.full(x.shape[1:], np.nan)
    best = last = _naive(x)
    growing = np.ones(best.shape, bool)
    while len(x) >= 8:
        doubt = last / np.sqrt(2 * (len(x) - 1))
        x = (x[: len(x) // 2 * 2 : 2] + x[1::2]) / 2
        error = _naive(x)
        growing = growing & (error > last + doubt)
        best, last = np.where(growing, np.maximum(best, error), best), error
    return best


def _naive(x: np.ndarray) -> np.ndarray:
    return np.sqrt(x.var(axis=0, ddof=1) / len(x))


class Blocks:
    """The mean of a series of numbers or arrays that comes piece by piece, and its blocks, between 128 and 255 once there are
    as many: when 256 are full, they are joined in pairs and the next ones are twice as long."""

    def __init__(self) -> None:
        self.size, self._held, self._part = 1, 0, 0.0
        self._means: list[np.ndarray] = []

    def add(self, x: Any) -> None:
        self._part, self._held = self._part + np.asarray(x, float), self._held + 1
        if self._held < self.size:
            return
        self._means.append(self._part / self.size)
        self._part, self._held = 0.0, 0
        if len(self._means) == ROOM:
            self._means = [(a + b) / 2 for a, b in zip(self._means[::2], self._means[1::2], strict=True)]
            self.size *= 2

    @property
    def count(self) -> int:
        """How many samples came."""
        return len(self._means) * self.size + self._held

    @property
    def means(self) -> np.ndarray:
        """`(blocks, ...)`, of those that are full."""
        return np.array(self._means)

    @property
    def total(self) -> Any:
        """The sum of all samples."""
        return np.sum(self.means, axis=0) * self.size + self._part if self._means else self._part

    def mean(self) -> Mean:
        """**Raises** `ValueError` before there are two samples."""
        if self.count < 2:
            raise ValueError(f"There are {self.count} frames; an average with an error needs two at least.")
        return _plain(self.total / self.count, plateau(self.means))
