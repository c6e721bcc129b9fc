"""The modified multilayer perceptron of Wang et al., with two gates."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ._activations import as_activation
from ._dense import Dense, as_key, check_point, check_sizes, glorot


class ModifiedMLP(eqx.Module):
    """A fully connected network in which every hidden layer chooses between two encodings of the input.

        U = sigma(W_u x + b_u),   V = sigma(W_v x + b_v)
        f_k = sigma(W_k g_{k-1} + b_k),   g_k = f_k * U + (1 - f_k) * V,   g_0 = x
        y = W g_depth + b

    Wang, Teng, Perdikaris 2021 (SIAM J. Sci. Comput. 43, A3055, arXiv:2001.04536), in the form of Wang et al.
    2023 (arXiv:2308.08468). It costs little more than an `MLP` and copes better with products of coordinates
    and sharp fronts.

    **Arguments:** as `MLP`.

    >>> ModifiedMLP(2, 1)(jnp.array([0.5, 0.1])).shape
    (1,)
    """

    gates: tuple[Dense, Dense]
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
        check_sizes("ModifiedMLP", in_size=in_size, out_size=out_size, width=width, depth=depth)
        key_u, key_v, *keys = jax.random.split(as_key(key), depth + 3)
        sizes = (in_size, *(width,) * depth, out_size)
        self.gates = (glorot(in_size, width, key_u), glorot(in_size, width, key_v))
        self.layers = tuple(glorot(a, b, k) for a, b, k in zip(sizes[:-1], sizes[1:], keys, strict=True))
        self.activation = as_activation(activation)
        self.in_size, self.out_size, self.width, self.depth = in_size, out_size, width, depth

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        check_point("ModifiedMLP", x, self.in_size)
        u, v = (self.activation(gate(x)) for gate in self.gates)
        g = x
        for layer in self.layers[:-1]:
            f = self.activation(layer(g))
            g = f * u + (1 - f) * v
        return self.layers[-1](g)
