"""Nets of one number as Chebyshev series, which cost a fraction of the net.

    G(s) = sum_ab C_ab T_8a(x) T_b(x),    x = (2 s - high - low) / (high - low),    b < 8

The product basis needs a / 8 + 8 recurrences, and sums over neighbours are products of matrices with nothing looked up:

    sum_k G(s_k) R_k = sum_ab C_ab sum_k T_8a(x_k) [T_b(x_k) R_k]

Beyond the interval a polynomial explodes: `DeepPotential` uses the nets themselves where atoms are closer than it reaches.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

INNER = 8
NODES = (*range(32, 257, 16), 320, 384, 448, 512)


class Chebyshev(eqx.Module):
    """A net of one number as a series on an interval.

    **Attributes:** `exact`, the net; `coefficients` `(nodes / 8, 8, width)`; `low`, `high`.
    """

    exact: Any
    coefficients: Any
    low: Any
    high: Any

    @property
    def nodes(self) -> int:
        return self.coefficients.shape[0] * INNER

    @property
    def width(self) -> int:
        return self.exact.width

    @property
    def layers(self) -> Any:
        return self.exact.layers

    def __call__(self, x: Any) -> Any:
        """The net itself."""
        return self.exact(x)

    def series(self, s: Any) -> Any:
        """G `(..., width)` at numbers `s` inside the interval."""
        outer, inner = _basis(self._scaled(s).reshape(-1, 1), self.coefficients.shape[0])
        return jnp.einsum("na,nb,abm->nm", outer[..., 0], inner[..., 0], self.coefficients).reshape(*s.shape, -1)

    def contract(self, s: Any, R: Any) -> Any:
        """sum_k G(s_k) R_k, `s` `(rows, slots)` and `R` `(rows, slots, columns)` -> `(rows, columns, width)`."""
        count = self.coefficients.shape[0]
        moments = _moments(self._scaled(s), jnp.swapaxes(R, 1, 2), count)
        return jnp.einsum("nabd,abm->ndm", moments.reshape(len(s), count, INNER, -1), self.coefficients)

    def _scaled(self, s: Any) -> Any:
        return (2 * s - self.high - self.low) / (self.high - self.low)


def chebyshev(net: Any, low: Any, high: Any, nodes: int) -> Chebyshev:
    """The series through the values of `net` at Chebyshev's nodes, a multiple of 8; differentiable in the net."""
    x, inverse = _interpolation(nodes)
    dtype = net.layers[-1].w.dtype
    low, high = jnp.asarray(low, dtype), jnp.asarray(high, dtype)
    values = net(((high - low) * jnp.asarray(x, dtype) + high + low)[:, None] / 2)
    coefficients = (jnp.asarray(inverse, dtype) @ values).reshape(nodes // INNER, INNER, -1)
    return Chebyshev(net, coefficients, low, high)


@lru_cache
def _interpolation(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes, and the matrix from values there to coefficients in the product basis."""
    x = np.cos(np.pi * (np.arange(nodes) + 0.5) / nodes)
    a, b = INNER * np.arange(nodes // INNER), np.arange(INNER)
    angle = np.arccos(x)
    basis = np.cos(a[:, None] * angle)[:, None] * np.cos(b[:, None] * angle)[None]
    return x, np.linalg.inv(basis.reshape(nodes, nodes).T)


def _basis(x: Any, outer: int) -> tuple[Any, Any]:
    """T_8a and T_b of `x` `(rows, slots)`, `(rows, outer, slots)` and `(rows, 8, slots)`."""
    inner = _recurrence(x, INNER + 1)
    return jnp.stack(_recurrence(inner[INNER], outer), axis=1), jnp.stack(inner[:INNER], axis=1)


def _recurrence(x: Any, count: int) -> list[Any]:
    T = [jnp.ones_like(x), x]
    while len(T) < count:
        T.append(2 * x * T[-1] - T[-2])
    return T[:count]


def _slopes(x: Any, outer: int) -> tuple[Any, Any]:
    """The derivatives of `_basis`: T_n' = n U_(n-1), with U_n = 2 x U_(n-1) - U_(n-2)."""
    U = [jnp.zeros_like(x), jnp.ones_like(x)]
    while len(U) < INNER + 1:
        U.append(2 * x * U[-1] - U[-2])
    y = _recurrence(x, INNER + 1)[INNER]
    V = [jnp.zeros_like(x), INNER * U[INNER]]
    while len(V) < outer:
        V.append(2 * y * V[-1] - V[-2])
    return jnp.stack([n * v for n, v in enumerate(V)], axis=1), jnp.stack([n * u for n, u in enumerate(U[:INNER])], axis=1)


@jax.custom_jvp
def _moments_jvp(x: Any, R: Any, like: Any) -> Any:
    outer, inner = _basis(x, len(like))
    return _sums(outer, inner, R)


@_moments_jvp.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (x, R, like), (dx, dR, _) = primals, tangents
    outer, inner = _basis(x, len(like))
    outer_slope, inner_slope = _slopes(x, len(like))
    along = jnp.stack([dx * R[:, d] for d in range(R.shape[1])], axis=1)
    change = _sums(outer_slope, inner, along) + _rest_sums(outer, _rest(inner_slope, along) + _rest(inner, dR))
    return _sums(outer, inner, R), change


def _moments(x: Any, R: Any, outer: int) -> Any:
    """sum_k T_8a(x_k) T_b(x_k) R_dk `(rows, a, 8 d)` of `x` `(rows, slots)` and `R` `(rows, columns, slots)`.

    Slots come last: recurrences are then long loops over memory in its order, three times faster than with the terms last.
    """
    return _moments_jvp(x, R, jnp.zeros(outer, x.dtype))


def _sums(outer: Any, inner: Any, R: Any) -> Any:
    return _rest_sums(outer, _rest(inner, R))


def _rest(inner: Any, R: Any) -> Any:
    return jnp.concatenate([inner[:, b : b + 1] * R for b in range(INNER)], axis=1)


def _rest_sums(outer: Any, rest: Any) -> Any:
    return jnp.einsum("nak,nck->nac", outer, rest)
