"""Exponential time differencing for du/dt = L u + N(u, t), L linear and diagonal (or small blocks) in a spectral basis.

    ETDRK4   Cox & Matthews 2002, with the phi functions as means over contours (Kassam & Trefethen 2005)
    ETDRK2   the same in second order

The error estimate costs nothing: the last stage is compared with the rate at the new state, which the next step needs anyway.

    phi_1(z) = (e^z - 1)/z,    phi_2(z) = (e^z - 1 - z)/z^2,    phi_3(z) = (e^z - 1 - z - z^2/2)/z^3
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex

CONTOUR_POINTS = 32

Rate = Callable[[Any, Any], Any]


class Linear(eqx.Module):
    """L in the spectral basis: `diagonal` `(m, ...)`, one number for each state and mode, or `blocks` `(..., m, m)`."""

    diagonal: Complex[Array, "m ..."] | None = None
    blocks: Complex[Array, "... m m"] | None = None

    def apply(self, u: Any) -> Any:
        return self.diagonal * u if self.diagonal is not None else _multiply(self.blocks, u)

    def phi(self, h: Any) -> tuple[Any, ...]:
        """(e^z, phi_1, phi_2, phi_3) of z = h L, as arrays like `diagonal` or `blocks`."""
        return _phi_diagonal(h * self.diagonal) if self.diagonal is not None else _phi_blocks(h * self.blocks)

    def multiply(self, factor: Any, u: Any) -> Any:
        """One of `phi`'s arrays times the state `(m, ...)`."""
        return factor * u if self.diagonal is not None else _multiply(factor, u)


def _multiply(blocks: Any, u: Any) -> Any:
    return jnp.einsum("...ij,j...->i...", blocks, u)


def _phi_diagonal(z: Any) -> tuple[Any, ...]:
    """Means over a circle of radius one around z: no cancellation where z is small."""
    circle = jnp.asarray(np.exp(2j * np.pi * (np.arange(CONTOUR_POINTS) + 0.5) / CONTOUR_POINTS))

    def add(i: Any, sums: Any) -> Any:
        w = z + circle[i]
        e = jnp.exp(w)
        first = (e - 1) / w
        second = (first - 1) / w
        third = (second - 0.5) / w
        return tuple(s + f for s, f in zip(sums, (first, second, third), strict=True))

    zero = jnp.zeros(z.shape, circle.dtype)
    sums = jax.lax.fori_loop(0, CONTOUR_POINTS, add, (zero, zero, zero))
    means = [s / CONTOUR_POINTS for s in sums]
    return (jnp.exp(z), *(means if jnp.iscomplexobj(z) else [m.real for m in means]))


def _phi_blocks(z: Any) -> tuple[Any, ...]:
    """From the exponential of the block matrix [[z, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]."""
    m = z.shape[-1]
    eye = jnp.broadcast_to(jnp.eye(m, dtype=z.dtype), z.shape)
    zero = jnp.zeros_like(z)
    rows = [[z, eye, zero, zero], [zero, zero, eye, zero], [zero, zero, zero, eye], [zero, zero, zero, zero]]
    whole = jnp.concatenate([jnp.concatenate(row, axis=-1) for row in rows], axis=-2)
    flat = whole.reshape(-1, 4 * m, 4 * m)
    exponential = jax.vmap(lambda a: jax.scipy.linalg.expm(a, max_squarings=48))(flat).reshape(whole.shape)
    return tuple(exponential[..., :m, k * m : (k + 1) * m] for k in range(4))


class AbstractETD(eqx.Module):
    """A stepper: `prepare(linear, h)` once for each step size, then `step` as often as wanted."""

    order: eqx.AbstractClassVar[int]

    @abc.abstractmethod
    def prepare(self, linear: Linear, h: Any) -> Any: ...

    @abc.abstractmethod
    def step(self, linear: Linear, factors: Any, rate: Rate, u: Any, t: Any, h: Any, n: Any) -> tuple[Any, Any, Any]:
        """(u at t + h, N there, error estimate); `n` is N(u, t)."""


class ETDRK4(AbstractETD):
    """Fourth order, error estimate of order three. Cox & Matthews, J. Comput. Phys. 176 (2002) 430; Kassam & Trefethen,
    SIAM J. Sci. Comput. 26 (2005) 1214."""

    order: ClassVar[int] = 4

    def prepare(self, linear: Linear, h: Any) -> Any:
        half, first, _, _ = linear.phi(h / 2)
        whole, one, two, three = linear.phi(h)
        return half, h / 2 * first, whole, h * (one - 3 * two + 4 * three), h * (two - 2 * three), h * (4 * three - two)

    def step(self, linear: Linear, factors: Any, rate: Rate, u: Any, t: Any, h: Any, n: Any) -> tuple[Any, Any, Any]:
        half, q, whole, f1, f2, f3 = factors
        times = linear.multiply
        moved = times(half, u)
        a = moved + times(q, n)
        na = rate(a, t + h / 2)
        b = moved + times(q, na)
        nb = rate(b, t + h / 2)
        c = times(half, a) + times(q, 2 * nb - n)
        nc = rate(c, t + h)
        new = times(whole, u) + times(f1, n) + 2 * times(f2, na + nb) + times(f3, nc)
        after = rate(new, t + h)
        return new, after, times(f3, nc - after)


class ETDRK2(AbstractETD):
    """Second order, error estimate of order one. Cox & Matthews, J. Comput. Phys. 176 (2002) 430."""

    order: ClassVar[int] = 2

    def prepare(self, linear: Linear, h: Any) -> Any:
        whole, one, two, _ = linear.phi(h)
        return whole, h * one, h * two

    def step(self, linear: Linear, factors: Any, rate: Rate, u: Any, t: Any, h: Any, n: Any) -> tuple[Any, Any, Any]:
        whole, q1, q2 = factors
        times = linear.multiply
        a = times(whole, u) + times(q1, n)
        na = rate(a, t + h)
        correction = times(q2, na - n)
        new = a + correction
        return new, rate(new, t + h), correction
