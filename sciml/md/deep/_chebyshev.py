"""Nets of one number as Chebyshev series, which cost a fraction of the net.

    G(s) = sum_ab C_ab T_8a(x) T_b(x),    x = (2 s - high - low) / (high - low),    b < 8

The product basis needs a / 8 + 8 recurrences, and sums over neighbours are products of matrices with nothing looked up:

    sum_k G(s_k) R_k = sum_ab C_ab sum_k T_8a(x_k) [T_b(x_k) R_k]

Beyond the interval a polynomial explodes: where any number is outside, the net itself is used.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

INNER = 8
NODES = (32, 48, 64, 96, 128, 160, 192, 256, 320, 384, 512)
FAINT = 1e-6  # of the interval, by which a number may round out of it


class Chebyshev(eqx.Module):
    """A net of one number as a series on an interval, and the net beyond it.

    **Attributes:** `exact`, the net; `coefficients` `(nodes / 8, 8, width)`; `low`, `high`.
    """

    exact: Any
    coefficients: Any
    low: Any
    high: Any
    guarded: bool = eqx.field(static=True, default=True)

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
        x = self._scaled(s)
        outer, inner = _basis(x, self.coefficients.shape[0])
        return jnp.einsum("...a,...b,abm->...m", outer, inner, self.coefficients)

    def contract(self, s: Any, R: Any) -> Any:
        """sum_k G(s_k) R_k, `s` `(rows, slots)` and `R` `(rows, slots, columns)` -> `(rows, columns, width)`."""
        if not self.guarded:
            return self._quick(s, R)
        x = self._scaled(s)
        inside = jnp.all(jnp.abs(x) <= 1 + FAINT)
        return jax.lax.cond(inside, lambda s, R: self._quick(s, R), lambda s, R: self.exact.contract(s, R), s, R)

    def _quick(self, s: Any, R: Any) -> Any:
        moments = _moments(self._scaled(s), R, self.coefficients.shape[0])
        return jnp.einsum("nabd,abm->ndm", moments, self.coefficients)

    def _scaled(self, s: Any) -> Any:
        return (2 * s - self.high - self.low) / (self.high - self.low)


def chebyshev(net: Any, low: Any, high: Any, nodes: int, *, guarded: bool = True) -> Chebyshev:
    """The series through the values of `net` at Chebyshev's nodes, a multiple of 8; differentiable in the net."""
    x, inverse = _interpolation(nodes)
    dtype = net.layers[-1].w.dtype
    low, high = jnp.asarray(low, dtype), jnp.asarray(high, dtype)
    values = net(((high - low) * jnp.asarray(x, dtype) + high + low)[:, None] / 2)
    coefficients = (jnp.asarray(inverse, dtype) @ values).reshape(nodes // INNER, INNER, -1)
    return Chebyshev(net, coefficients, low, high, guarded)


@lru_cache
def _interpolation(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes, and the matrix from values there to coefficients in the product basis."""
    x = np.cos(np.pi * (np.arange(nodes) + 0.5) / nodes)
    a, b = INNER * np.arange(nodes // INNER), np.arange(INNER)
    angle = np.arccos(x)
    basis = np.cos(a[:, None] * angle)[:, None] * np.cos(b[:, None] * angle)[None]
    return x, np.linalg.inv(basis.reshape(nodes, nodes).T)


def _basis(x: Any, outer: int) -> tuple[Any, Any]:
    """T_8a `(..., outer)` and T_b `(..., 8)`."""
    inner = _recurrence(x, INNER + 1)
    return jnp.stack(_recurrence(inner[INNER], outer), axis=-1), jnp.stack(inner[:INNER], axis=-1)


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
    return jnp.stack([n * v for n, v in enumerate(V)], axis=-1), jnp.stack([n * u for n, u in enumerate(U[:INNER])], axis=-1)


@jax.custom_jvp
def _moments_jvp(x: Any, R: Any, like: Any) -> Any:
    outer, inner = _basis(x, len(like))
    return _sums(outer, inner[..., :, None] * R[..., None, :])


@_moments_jvp.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (x, R, like), (dx, dR, _) = primals, tangents
    outer, inner = _basis(x, len(like))
    outer_slope, inner_slope = _slopes(x, len(like))
    dx = dx[..., None]
    once = inner_slope[..., :, None] * (dx * R)[..., None, :] + inner[..., :, None] * dR[..., None, :]
    change = _sums(outer_slope, inner[..., :, None] * (dx * R)[..., None, :]) + _sums(outer, once)
    return _sums(outer, inner[..., :, None] * R[..., None, :]), change


def _moments(x: Any, R: Any, outer: int) -> Any:
    """sum_k T_8a(x_k) T_b(x_k) R_kd `(rows, a, b, d)`."""
    return _moments_jvp(x, R, jnp.zeros(outer, x.dtype))


def _sums(outer: Any, rest: Any) -> Any:
    n, k = outer.shape[:2]
    flat = jnp.einsum("nka,nkc->nac", outer, rest.reshape(n, k, -1))
    return flat.reshape(n, -1, *rest.shape[2:])
