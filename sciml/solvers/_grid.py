"""A solution on a grid as the final of a `Solution`: callable anywhere, with derivatives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from ..solution import AbstractFinal, Index
from .spatial import Fourier

NEIGHBOURS = 16  # points of the local interpolation along a periodic axis
FINER = {1: 4, 2: 2, 3: 2}  # how much finer the grid is made, by zero padding, before that
NEAREST_TIMES = 4


class GridFinal(AbstractFinal):
    """Values on a periodic grid at saved times.

    In space: the derivative is taken in Fourier space, the grid refined by zero padding, then 16-point Lagrange
    interpolation; in time: the Hermite polynomial through values and rates at the four nearest saved times (order eight).

    **Attributes:** `times` `(n_t,)`; `values` and `rates` (their time derivative), `(n_t, fields, *n)`; `grid`.
    """

    kind = "grid"

    def __init__(self, grid: Fourier, times: Any, values: Any, rates: Any):
        self.grid, self.times, self.values, self.rates = grid, times, values, rates
        self._fine: dict[Any, Any] = {}

    def derivatives(self, index: Index, x: Any) -> Any:
        x = jnp.asarray(x)
        d = self.grid.dim
        data = jnp.asarray(self._refined(index[:d]), x.dtype)  # (n_t, 2, fields, *fine)
        times = jnp.asarray(self.times, x.dtype)
        fine = data.shape[-d:]

        def at(point: Any) -> Any:
            first, weights = _time_weights(times, point[d], index[d])
            near = jax.lax.dynamic_slice_in_dim(data, first, min(NEAREST_TIMES, len(times)), axis=0)
            local = jnp.einsum("kv,kv...->...", weights, near)
            for axis in range(d):
                (low, _), n = self.grid.bounds[axis], fine[axis]
                where = (point[axis] - low) / (self.grid.lengths[axis] / n)
                slots, w = _space_weights(where, n, x.dtype)
                # Axis 1 is the next one in space: fields come first, axes that are done are gone.
                local = jnp.tensordot(jnp.take(local, slots, axis=1), w, axes=(1, 0))
            return local

        return jax.lax.map(at, x, batch_size=256)

    def _refined(self, index: Index) -> Any:
        """Values and rates of a spatial derivative on the finer grid, `(n_t, 2, fields, *fine)`."""
        if index not in self._fine:
            both = jnp.stack([jnp.asarray(self.values), jnp.asarray(self.rates)], axis=1)
            spectrum = self.grid.forward(both) * jnp.asarray(self.grid.symbol(index))
            self._fine[index] = _padded(self.grid, spectrum, FINER[self.grid.dim])
        return self._fine[index]

    def to_saved(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        header = {
            "names": list(self.grid.names),
            "bounds": [list(b) for b in self.grid.bounds],
            "n": list(self.grid.n),
        }
        arrays = {"times": self.times, "values": self.values, "rates": self.rates}
        return header, {name: np.asarray(a) for name, a in arrays.items()}

    @classmethod
    def from_saved(
        cls,
        pde: Any,
        domain: Any,
        header: dict[str, Any],
        arrays: dict[str, np.ndarray],
        *,
        network: Any = None,
        functions: Mapping[str, Any] | None = None,
    ) -> Self:
        grid = Fourier(tuple(header["names"]), tuple((a, b) for a, b in header["bounds"]), tuple(header["n"]))
        return cls(grid, arrays["times"], arrays["values"], arrays["rates"])


def _padded(grid: Fourier, spectrum: Any, factor: int) -> Any:
    """The field of this spectrum on a grid that is `factor` times finer. Nyquist modes are shared by both signs."""
    fine = tuple(n * factor for n in grid.n)
    out = spectrum
    for axis in range(grid.dim):
        n, m = grid.n[axis], fine[axis]
        position = out.ndim - grid.dim + axis
        last = axis == grid.dim - 1
        half = n // 2
        if last:
            if n % 2 == 0:  # the mode n/2 stands for both signs; on the finer grid each gets half of it
                share = jnp.ones(half + 1).at[half].set(0.5)
                out = out * share.reshape([-1 if a == position else 1 for a in range(out.ndim)])
            pad = m // 2 + 1 - (half + 1)
            out = jnp.concatenate([out, _zeros(out, position, pad)], axis=position)
            continue
        positive = jax.lax.slice_in_dim(out, 0, (n + 1) // 2, axis=position)
        negative = jax.lax.slice_in_dim(out, (n + 1) // 2, n, axis=position)
        if n % 2 == 0:
            edge = jax.lax.slice_in_dim(negative, 0, 1, axis=position) / 2
            rest = jax.lax.slice_in_dim(negative, 1, None, axis=position)
            parts = [positive, edge, _zeros(out, position, m - n - 1), edge, rest]
        else:
            parts = [positive, _zeros(out, position, m - n), negative]
        out = jnp.concatenate(parts, axis=position)
    scale = float(np.prod(fine)) / float(np.prod(grid.n))
    return jnp.fft.irfftn(out, s=fine, axes=grid.axes) * scale


def _zeros(like: Any, axis: int, count: int) -> Any:
    shape = list(like.shape)
    shape[axis] = count
    return jnp.zeros(shape, like.dtype)


def _space_weights(where: Any, n: int, dtype: Any) -> tuple[Any, Any]:
    """The neighbours of a place in units of the spacing, wrapped around, and their Lagrange weights."""
    p = min(NEIGHBOURS, n)
    first = jnp.floor(where).astype(int) - p // 2 + 1
    s = where - first  # place relative to the first neighbour
    nodes = np.arange(p)
    # Barycentric weights of equally spaced nodes; the nearest node is left to the limit by a tiny shift.
    binomial = np.array([(-1.0) ** j * _choose(p - 1, j) for j in nodes])
    gap = s - jnp.asarray(nodes, dtype)
    gap = jnp.where(jnp.abs(gap) < 1e-13, 1e-13, gap)
    raw = jnp.asarray(binomial, dtype) / gap
    return jnp.mod(first + nodes, n), raw / jnp.sum(raw)


def _choose(n: int, k: int) -> int:
    from math import comb

    return comb(n, k)


def _time_weights(times: Any, t: Any, order: int) -> tuple[Any, Any]:
    """The first of the four nearest saved times, and the weights `(4, 2)` of values and rates there, for the time
    derivative of this order."""
    count = min(NEAREST_TIMES, len(times))
    first = jnp.clip(jnp.searchsorted(times, t, side="right") - count // 2, 0, len(times) - count)
    nodes = jax.lax.dynamic_slice_in_dim(times, first, count)

    def weights(t: Any) -> Any:
        apart = nodes[:, None] - nodes[None, :] + jnp.eye(count, dtype=nodes.dtype)
        factors = jnp.where(jnp.eye(count, dtype=bool), 1.0, (t - nodes[None, :]) / apart)
        cardinal = jnp.prod(factors, axis=1)
        slopes = jnp.sum(jnp.where(jnp.eye(count, dtype=bool), 0.0, 1 / apart), axis=1)
        return jnp.stack([(1 - 2 * (t - nodes) * slopes) * cardinal**2, (t - nodes) * cardinal**2], axis=1)

    derivative = weights
    for _ in range(order):
        derivative = jax.jacfwd(derivative)
    return first, derivative(t)
