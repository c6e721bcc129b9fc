"""The sinusoidal representation network."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ._dense import Dense, as_key, check_point, check_sizes, uniform


class SIREN(eqx.Module):
    """A fully connected network with sines, started so that every layer sees the same distribution.

        h_k = sin(omega (W_k h_{k-1} + b_k)),   y = W h_depth + b
        W_1 ~ U(-1/n, 1/n),   the other W ~ U(-sqrt(6/n)/omega, sqrt(6/n)/omega),   b ~ U(-1/sqrt(n),
        1/sqrt(n))

    with `n` the inputs of the layer. Sitzmann et al. 2020 (arXiv:2006.09661), section 3.2.

    **Arguments:** `omega` the angular frequency of the first layer, not trained; the rest as `MLP`.

    **Good values:** the paper's `omega` of 30 is for images. A second derivative starts of the order
    `omega^2`, so for equations on [-1, 1] take 3 to 10.

    >>> SIREN(2, 1)(jnp.array([0.5, 0.1])).shape
    (1,)
    """

    layers: tuple[Dense, ...]
    in_size: int = eqx.field(static=True)
    out_size: int = eqx.field(static=True)
    width: int = eqx.field(static=True)
    depth: int = eqx.field(static=True)
    omega: float = eqx.field(static=True)

    def __init__(
        self,
        in_size: int,
        out_size: int,
        *,
        width: int = 32,
        depth: int = 3,
        omega: float = 5.0,
        key: Any = 0,
    ):
        check_sizes("SIREN", in_size=in_size, out_size=out_size, width=width, depth=depth)
        if not omega > 0:
            raise ValueError(f"SIREN expects a positive omega; {omega!r} came.")
        sizes = (in_size, *(width,) * depth, out_size)
        keys = jax.random.split(as_key(key), depth + 1)
        bounds = (1 / in_size, *(math.sqrt(6 / width) / omega,) * depth)
        self.layers = tuple(
            uniform(a, b, bound, 1 / math.sqrt(a), k)
            for a, b, bound, k in zip(sizes[:-1], sizes[1:], bounds, keys, strict=True)
        )
        self.in_size, self.out_size, self.width, self.depth = in_size, out_size, width, depth
        self.omega = float(omega)

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        check_point("SIREN", x, self.in_size)
        for layer in self.layers[:-1]:
            x = jnp.sin(self.omega * layer(x))
        return self.layers[-1](x)
