"""A solution on a grid as the final of a `Solution`: callable anywhere, with derivatives."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from functools import partial
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from .._precision import float64, is_traced
from .._programs import Program
from ..solution import AbstractFinal, Index
from .spatial import KINDS, AbstractAxis, PeriodicAxis

FINER = {1: 4, 2: 2, 3: 2}  # how much finer a periodic axis is made before local interpolation
NEAREST_TIMES = 4
MOST_NUMBERS = 1 << 22  # that are held at a time
MOST_BYTES, WINDOW_BYTES = 1 << 30, 1 << 28  # of refined values: of all times, and of a window of them where those are more


class GridFinal(AbstractFinal):
    """Values on a grid at saved times.

    In space: derivatives as the grid takes them, then 16-point Lagrange interpolation on a refined grid along periodic axes and
    the Chebyshev interpolant along others. In time: the Hermite polynomial through values and rates at the four nearest saved
    times, of order eight; a straight line between two of them where the solution may have shocks (`smooth=False`). There are
    more times than were asked for where that was off (`_saving`).

    **Attributes:** `axes`; `times` `(n_t,)`; `values` and `rates` (their time derivative), `(n_t, fields, *n)`. A steady
    solution has one row, and no times.
    """

    kind = "grid"

    def __init__(self, axes: tuple[AbstractAxis, ...], times: Any, values: Any, rates: Any, smooth: bool = True):
        self.axes, self.times, self.values, self.rates, self.smooth = axes, times, values, rates, smooth
        self._derived: dict[Any, Any] = {}

    def saved(self, times: Any) -> np.ndarray:
        """The values `(times, fields, *n)` at times that were saved, such as those asked for by `save_at`."""
        wanted, near = np.atleast_1d(np.asarray(times, float)), np.asarray(self.times)
        places = np.argmin(np.abs(near[:, None] - wanted[None, :]), axis=0)
        missed = wanted[np.abs(near[places] - wanted) > 1e-9 * (near[-1] - near[0])]
        if len(missed):
            raise ValueError(f"t = {missed[0]:g} is not among the saved times; call the solution to interpolate.")
        return np.asarray(self.values)[places]

    def windows(self, x: np.ndarray) -> Iterator[tuple[np.ndarray, Any]]:
        fine = [FINER[len(self.axes)] if isinstance(axis, PeriodicAxis) else 1 for axis in self.axes]
        one = 2 * np.asarray(self.values[0]).nbytes * math.prod(fine)
        if self.times is None or one * len(self.times) <= MOST_BYTES or len(self.times) <= NEAREST_TIMES or not len(x):
            yield np.arange(len(x)), None
            return
        size = min(max(WINDOW_BYTES // one, NEAREST_TIMES + 1), len(self.times))
        # Each point belongs to the window in which the times that are nearest to it lie.
        first = _first(np.asarray(self.times), x[:, len(self.axes)], self.smooth)[0]
        starts = np.minimum(first // (size - NEAREST_TIMES + 1) * (size - NEAREST_TIMES + 1), len(self.times) - size)
        for start in np.unique(starts):
            part = slice(start, start + size)
            yield np.flatnonzero(starts == start), (self.times[part], self.values[part], self.rates[part])

    def with_data(self, data: Any) -> AbstractFinal:
        if data is None:
            return self
        times, values, rates = data
        return GridFinal(self.axes, times, values, rates, self.smooth)

    def derivatives(self, index: Index, x: Any) -> Any:
        x = jnp.asarray(x)
        d = len(self.axes)
        data = jnp.asarray(self._refined(tuple(index[:d])), x.dtype)  # (n_t, *n, 2, fields)
        times = None if self.times is None else jnp.asarray(self.times, x.dtype)

        def at(point: Any) -> Any:
            slots, weights = zip(*(axis.weights(point[i], data.shape[1 + i]) for i, axis in enumerate(self.axes)), strict=True)
            if times is None:
                places, in_time = np.zeros(1, int), jnp.asarray([[1.0, 0.0]], x.dtype)
            else:
                places, in_time = _in_time(times, point[d], index[d], self.smooth)
            # Only what is near the point is touched: (times, *slots, 2, fields).
            near = data[jnp.ix_(jnp.asarray(places), *slots)]
            for w in weights:
                near = jnp.tensordot(near, w, axes=(1, 0))
            return jnp.einsum("kv,kvf->f", in_time, near).astype(x.dtype)

        touched = [
            jax.eval_shape(lambda p, a=axis, n=n: a.weights(p, n)[1], x[0, 0]).shape[0]
            for axis, n in zip(self.axes, data.shape[1:-2], strict=True)
        ]
        numbers = 2 * NEAREST_TIMES * data.shape[-1] * math.prod(touched)
        return jax.lax.map(at, x, batch_size=max(1, min(256, MOST_NUMBERS // numbers)))

    def _refined(self, index: Index) -> Any:
        """Values and rates of a spatial derivative, periodic axes refined, `(n_t, *n, 2, fields)`."""
        if index not in self._derived:
            refine = Program(partial(_refine, self.axes, index))
            if is_traced(self.values, self.rates):
                return refine(self.values, self.rates)
            # Now, not as a part of whatever is being traced.
            with float64(), jax.ensure_compile_time_eval():
                self._derived[index] = np.asarray(refine(self.values, self.rates))
        return self._derived[index]

    def to_saved(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        axes = [[a.kind, *dataclasses.astuple(a)] for a in self.axes]
        header = {"axes": axes, "steady": self.times is None, "smooth": self.smooth}
        arrays = {"values": np.asarray(self.values), "rates": np.asarray(self.rates)}
        return header, arrays if self.times is None else arrays | {"times": np.asarray(self.times)}

    @classmethod
    def from_saved(
        cls,
        pde: Any,
        domain: Any,
        header: dict[str, Any],
        arrays: dict[str, np.ndarray],
        **given: Any,
    ) -> Self:
        axes = tuple(KINDS[kind](*rest) for kind, *rest in header["axes"])
        return cls(axes, arrays.get("times"), arrays["values"], arrays["rates"], header["smooth"])


def _refine(axes: tuple[AbstractAxis, ...], index: Index, values: Any, rates: Any) -> Any:
    u = jnp.stack([values, rates], axis=1)
    for i, (axis, order) in enumerate(zip(axes, index, strict=True)):
        u = axis.refined(axis.differentiate(u, order, 3 + i), FINER[len(axes)], 3 + i)
    return jnp.moveaxis(u, (1, 2), (-2, -1))


def nearest(times: Any, t: Any, smooth: bool) -> Any:
    """Which of the saved times are interpolated between at `t`: the four nearest, or the two on both sides."""
    first, count = _first(times, t, smooth)
    return first + np.arange(count)


def _first(times: Any, t: Any, smooth: bool) -> tuple[Any, int]:
    """The first of those, and how many there are."""
    xp: Any = np if isinstance(times, np.ndarray) else jnp
    count = min(NEAREST_TIMES if smooth else 2, len(times))
    return xp.clip(xp.searchsorted(times, t, side="right") - count // 2, 0, len(times) - count), count


def time_weights(nodes: Any, t: Any, smooth: bool, xp: Any = jnp) -> Any:
    """The weights `(nodes, 2)` of values and rates at the nodes for the value at `t`."""
    if not smooth and len(nodes) > 1:
        part = (t - nodes[0]) / (nodes[1] - nodes[0])
        values = xp.stack([1 - part, part])
        return xp.stack([values, xp.zeros_like(values)], axis=1)
    same = np.eye(len(nodes), dtype=bool)
    apart = xp.where(same, 1.0, nodes[:, None] - nodes[None, :])
    cardinal = xp.prod(xp.where(same, 1.0, (t - nodes[None, :]) / apart), axis=1)
    slopes = xp.sum(xp.where(same, 0.0, 1 / apart), axis=1)
    return xp.stack([(1 - 2 * (t - nodes) * slopes) * cardinal**2, (t - nodes) * cardinal**2], axis=1)


def _in_time(times: Any, t: Any, order: int, smooth: bool) -> tuple[Any, Any]:
    """Which saved times are near, and their weights for the time derivative of this order."""
    places = nearest(times, t, smooth)
    derivative = partial(time_weights, times[places], smooth=smooth)
    for _ in range(order):
        derivative = jax.jacfwd(derivative)
    return places, derivative(t)
