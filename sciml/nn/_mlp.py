"""The multilayer perceptron."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ._activations import as_activation
from ._dense import Dense, as_key, check_point, check_sizes, glorot


class MLP(eqx.Module):
    """A fully connected network: `depth` hidden layers of `width` neurons, and a linear layer at the end.

        h_0 = x,   h_k = sigma(W_k h_{k-1} + b_k),   y = W h_depth + b

    **Arguments:** `in_size` coordinates, `out_size` fields; `activation` a smooth function (a relu has no
    second derivative); `key` a whole number or a JAX key. Weights start Glorot-normal, biases at zero, in
    JAX's default dtype.

    **Good values:** width 20 to 40 and depth 3 to 5 with a quasi-Newton method, whose cost grows with the
    square of the parameter count; width 64 to 256 with Adam.

    >>> net = MLP(2, 1, width=20, depth=3)
    >>> net(jnp.array([0.5, 0.1])).shape
    (1,)
    """

    layers: tuple[Dense, ...]
    activation: Callable
    in_size: int = eqx.field(static=True)
    out_size: int = eqx.field(static=True)
    width: int = eqx.field(static=True)
    depth: int = eqx.field(static=True)

    def __init__(
        self,
        in_size: int,
        out_size: int,
        *,
        width: int = 32,
        depth: int = 3,
        activation: Callable = jnp.tanh,
        key: Any = 0,
    ):
        check_sizes("MLP", in_size=in_size, out_size=out_size, width=width, depth=depth)
        sizes = (in_size, *(width,) * depth, out_size)
        keys = jax.random.split(as_key(key), depth + 1)
        self.layers = tuple(glorot(a, b, k) for a, b, k in zip(sizes[:-1], sizes[1:], keys, strict=True))
        self.activation = as_activation(activation)
        self.in_size, self.out_size, self.width, self.depth = in_size, out_size, width, depth

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        check_point("MLP", x, self.in_size)
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)
