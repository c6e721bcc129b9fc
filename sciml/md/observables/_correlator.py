"""Correlations in time of a series that comes frame by frame, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.fft import next_fast_len

from ._blocks import Blocks, plateau

GROUPS = 8
PARTS = 8  # of the longest lag, in which origins are taken together


class Correlator:
    """<x(s) . x(s + t)>, or with `squares` <|x(s + t) - x(s)|^2>, for t = 0, ..., `length` - 1 frames, over all times s.

    The last length + length/8 frames are kept. When they are complete, the oldest eighth are origins s of all lags at once, by
    Fourier transforms, and are dropped. Their averages, for up to eight groups of items (atoms), are samples for the blocks.
    """

    def __init__(self, length: int, *, squares: bool):
        self.length, self.squares = length, squares
        self._origins = max(1, length // PARTS)
        self._window: list[np.ndarray] = []
        self._blocks = Blocks()

    def add(self, x: np.ndarray) -> None:
        """`x` `(items, components)`."""
        self._window.append(np.array(x, float))
        if len(self._window) == self.length + self._origins - 1:
            self._blocks.add(self._sums(self._origins)[0] / self._origins)
            del self._window[: self._origins]

    def _groups(self) -> list[np.ndarray]:
        items = len(self._window[0])
        return np.array_split(np.arange(items), min(GROUPS, items))

    def _sums(self, origins: int) -> tuple[np.ndarray, np.ndarray]:
        """Over the first frames of the window as origins: sums `(groups, lags)` of the means over a group, and how many origins
        each lag has."""
        m, lags = len(self._window), np.arange(self.length)
        size = next_fast_len(m + origins, real=True)
        rows = []
        for group in self._groups():
            w = np.stack([x[group] for x in self._window])
            if self.squares:
                w = w - w[0]
            f, g = (np.fft.rfft(a, size, axis=0) for a in (w[:origins], w))
            found = np.fft.irfft(np.sum(np.conj(f) * g, axis=(1, 2)), size)[np.minimum(lags, m)]
            if self.squares:
                sums = np.append(0, np.cumsum(np.sum(w**2, axis=(1, 2))))
                ends = sums[np.minimum(lags + origins, m)] - sums[np.minimum(lags, m)]
                found = ends + sums[np.clip(m - lags, 0, origins)] - 2 * found
            rows.append(np.where(lags < m, found, 0) / len(group))
        return np.stack(rows), np.clip(m - lags, 0, origins)

    def curve(self, function: Callable[[np.ndarray], Any] = lambda y: y) -> tuple[np.ndarray, np.ndarray]:
        """`function` of the correlation `(lags,)` and its standard error, the larger of two: from blocks of time, and from
        groups of items. Lags are those that came up.

        **Raises** `ValueError` before there are two frames.
        """
        frames = len(self._window) + self._blocks.count * self._origins
        if frames < 2:
            raise ValueError(f"There are {frames} frames; a correlation in time needs two at least.")
        sums, counts = self._sums(len(self._window))
        counts = counts + self._blocks.count * self._origins
        reached = counts > 0
        groups = (sums + self._blocks.total * self._origins)[:, reached] / counts[reached]
        weights = np.array([len(g) for g in self._groups()]) / len(self._window[0])
        value = np.asarray(function(weights @ groups))
        errors = [np.full(value.shape, np.nan)]
        if len(groups) > 1:
            errors.append(np.std([function(g) for g in groups], axis=0, ddof=1) / np.sqrt(len(groups)))
        if self._blocks.count > 1:
            errors.append(plateau(np.array([function(weights @ b) for b in self._blocks.means])))
        return value, np.fmax.reduce(errors)
