"""The linear part L of du/dt = L u + N(u, t), diagonal or of small blocks in a spectral basis, and functions of it.

    phi_1(z) = (e^z - 1)/z,    phi_2(z) = (e^z - 1 - z)/z^2,    phi_3(z) = (e^z - 1 - z - z^2/2)/z^3

as means over contours (Kassam & Trefethen 2005), which do not cancel where z is small.
"""

from __future__ import annotations

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

CONTOUR_POINTS = 32

class Linear(eqx.Module):
    """L in the spectral basis: `diagonal` `(m, ...)`, one number for each state and mode, or `blocks` `(..., m, m)`."""

    diagonal: Any = None
    blocks: Any = None

    def apply(self, u: Any) -> Any:
        return self.diagonal * u if self.diagonal is not None else _multiply(self.blocks, u)

    def phi(self, h: Any) -> tuple[Any, ...]:
        """(e^z, phi_1, phi_2, phi_3) of z = h L, as arrays like `diagonal` or `blocks`."""
        return _phi_diagonal(h * self.diagonal) if self.diagonal is not None else _phi_blocks(h * self.blocks)

    def resolvent(self, c: Any) -> Any:
        """(1 - c L)^-1, an array like those of `phi`."""
        if self.diagonal is not None:
            return 1 / (1 - c * self.diagonal)
        return jnp.linalg.inv(jnp.eye(self.blocks.shape[-1]) - c * self.blocks)

    def multiply(self, factor: Any, u: Any) -> Any:
        """One of `phi`'s arrays times the state `(m, ...)`."""
        return factor * u if self.diagonal is not None else _multiply(factor, u)


def _multiply(blocks: Any, u: Any) -> Any:
    return jnp.einsum("...ij,j...->i...", blocks, u)


def _phis(w: Any) -> tuple[Any, Any, Any]:
    """(phi_1, phi_2, phi_3) where w is not small."""
    first = (jnp.exp(w) - 1) / w
    second = (first - 1) / w
    return first, second, (second - 0.5) / w


def _contour(z: Any, radius: float, weight: Any) -> tuple[Any, ...]:
    """The means of phi_k(z + c) weight(c) over a circle of points c."""
    circle = jnp.asarray(radius * np.exp(2j * np.pi * (np.arange(CONTOUR_POINTS) + 0.5) / CONTOUR_POINTS))

    def add(i: Any, sums: Any) -> Any:
        values = _phis(z + circle[i])
        return tuple(s + weight(circle[i]) * v for s, v in zip(sums, values, strict=True))

    zero = jnp.zeros(z.shape, circle.dtype)
    sums = jax.lax.fori_loop(0, CONTOUR_POINTS, add, (zero, zero, zero))
    return tuple(s / CONTOUR_POINTS for s in sums)


def _phi_diagonal(z: Any) -> tuple[Any, ...]:
    """Means over a circle of radius one around z: no cancellation where z is small."""
    means = _contour(z, 1.0, lambda c: 1.0)
    return (jnp.exp(z), *(means if jnp.iscomplexobj(z) else [m.real for m in means]))


def _phi_two(z: Any) -> tuple[Any, ...]:
    """Blocks of size two: f(z) = f_0 + f_1 (z - m), m half the trace, with the eigenvalues m +- s,

        f_0 = (f(m + s) + f(m - s)) / 2,    f_1 = (f(m + s) - f(m - s)) / (2 s),

    f_1 by a contour around both where s is small."""
    m = (z[..., 0, 0] + z[..., 1, 1]) / 2 + 0j
    off = z - m[..., None, None] * jnp.eye(2)
    square = (off[..., 0, 0] ** 2 + off[..., 0, 1] * off[..., 1, 0]) + 0j
    small = jnp.abs(square) < 0.25
    s = jnp.sqrt(jnp.where(small, 1.0, square))
    inside = jnp.where(small, square, 0.0)
    upper, lower = (_phi_diagonal(m + sign * s) for sign in (1, -1))
    # Where s is small both come from a circle of radius two around m.
    mean = [_exponential_mean(m, inside), *_contour(m, 2.0, lambda c: c**2 / (c**2 - inside))]
    slope = [_exponential_slope(m, inside), *_contour(m, 2.0, lambda c: c / (c**2 - inside))]
    found = []
    for f, g, f0, f1 in zip(upper, lower, mean, slope, strict=True):
        f0 = jnp.where(small, f0, (f + g) / 2)[..., None, None]
        f1 = jnp.where(small, f1, (f - g) / (2 * s))[..., None, None]
        value = f0 * jnp.eye(2) + f1 * off
        found.append(value if jnp.iscomplexobj(z) else value.real)
    return tuple(found)


def _exponential_mean(m: Any, square: Any) -> Any:
    """e^m cosh(s) for small s."""
    return jnp.exp(m) * sum(square**k / math.factorial(2 * k) for k in range(9))


def _exponential_slope(m: Any, square: Any) -> Any:
    """e^m sinh(s) / s for small s."""
    return jnp.exp(m) * sum(square**k / math.factorial(2 * k + 1) for k in range(9))


def _phi_blocks(z: Any) -> tuple[Any, ...]:
    """From the exponential of the block matrix [[z, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]."""
    m = z.shape[-1]
    if m == 2:
        return _phi_two(z)
    eye = jnp.broadcast_to(jnp.eye(m, dtype=z.dtype), z.shape)
    zero = jnp.zeros_like(z)
    rows = [[z, eye, zero, zero], [zero, zero, eye, zero], [zero, zero, zero, eye], [zero, zero, zero, zero]]
    whole = jnp.concatenate([jnp.concatenate(row, axis=-1) for row in rows], axis=-2)
    flat = whole.reshape(-1, 4 * m, 4 * m)
    exponential = jax.vmap(lambda a: jax.scipy.linalg.expm(a, max_squarings=48))(flat).reshape(whole.shape)
    return tuple(exponential[..., :m, k * m : (k + 1) * m] for k in range(4))
