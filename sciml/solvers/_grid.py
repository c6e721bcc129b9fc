"""A solution on a grid as the final of a `Solution`: callable anywhere, with derivatives."""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from .._precision import float64, is_traced
from .._programs import Program
from ..solution import AbstractFinal, Index
from .spatial import KINDS, AbstractAxis

FINER = {1: 4, 2: 2, 3: 2}  # how much finer a periodic axis is made before local interpolation
NEAREST_TIMES = 4
MOST_NUMBERS = 1 << 22  # that are held at a time


class GridFinal(AbstractFinal):
    """Values on a grid at saved times.

    In space: derivatives as the grid takes them, then 16-point Lagrange interpolation on a refined grid along periodic axes and
    the Chebyshev interpolant along others. In time: the Hermite polynomial through values and rates at the four nearest saved
    times, of order eight; a straight line between two of them where the solution may have shocks (`smooth=False`).

    **Attributes:** `axes`; `times` `(n_t,)`; `values` and `rates` (their time derivative), `(n_t, fields, *n)`. A steady
    solution has one row, and no times.
    """

    kind = "grid"

    def __init__(self, axes: tuple[AbstractAxis, ...], times: Any, values: Any, rates: Any, smooth: bool = True):
        self.axes, self.times, self.values, self.rates, self.smooth = axes, times, values, rates, smooth
        self._derived: dict[Any, Any] = {}

    def derivatives(self, index: Index, x: Any) -> Any:
        x = jnp.asarray(x)
        d = len(self.axes)
        data = jnp.asarray(self._refined(tuple(index[:d])), x.dtype)  # (n_t, *n, 2, fields)
        times = None if self.times is None else jnp.asarray(self.times, x.dtype)

        def at(point: Any) -> Any:
            slots, weights = zip(*(axis.weights(point[i], data.shape[1 + i]) for i, axis in enumerate(self.axes)), strict=True)
            if times is None:
                first, in_time = jnp.asarray(0), jnp.asarray([[1.0, 0.0]], x.dtype)
            else:
                found = _time_weights if self.smooth else _straight
                first, in_time = found(times, point[d], index[d])
            # Only what is near the point is touched: (times, *slots, 2, fields).
            near = data[jnp.ix_(first + jnp.arange(len(in_time)), *slots)]
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


def _time_weights(times: Any, t: Any, order: int) -> tuple[Any, Any]:
    """The first of the nearest saved times, and the weights `(4, 2)` of values and rates there, for the time derivative of
    this order."""
    count = min(NEAREST_TIMES, len(times))
    first = jnp.clip(jnp.searchsorted(times, t, side="right") - count // 2, 0, len(times) - count)
    nodes = jax.lax.dynamic_slice_in_dim(times, first, count)
    same = jnp.eye(count, dtype=bool)

    def weights(t: Any) -> Any:
        apart = jnp.where(same, 1.0, nodes[:, None] - nodes[None, :])
        cardinal = jnp.prod(jnp.where(same, 1.0, (t - nodes[None, :]) / apart), axis=1)
        slopes = jnp.sum(jnp.where(same, 0.0, 1 / apart), axis=1)
        return jnp.stack([(1 - 2 * (t - nodes) * slopes) * cardinal**2, (t - nodes) * cardinal**2], axis=1)

    derivative = weights
    for _ in range(order):
        derivative = jax.jacfwd(derivative)
    return first, derivative(t)


def _straight(times: Any, t: Any, order: int) -> tuple[Any, Any]:
    """As `_time_weights`, on the line between two saved times."""
    first = jnp.clip(jnp.searchsorted(times, t, side="right") - 1, 0, len(times) - 2)
    low, high = times[first], times[first + 1]
    part = (t - low) / (high - low)
    values = [jnp.stack([1 - part, part]), jnp.stack([-1.0, 1.0]) / (high - low), jnp.zeros(2)][min(order, 2)]
    return first, jnp.stack([values, jnp.zeros(2)], axis=1)
