"""The separable network: one small network per coordinate."""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ._dense import as_key, check_point, check_sizes
from ._mlp import MLP


class SeparableNetwork(eqx.Module):
    """A sum of `rank` products of functions of one coordinate each.

        y_m(x) = sum_r prod_i f_i(x_i)[r, m]

    Cho et al. 2023 (arXiv:2306.15969). On a tensor grid of n^d points, `grid` evaluates each small network n
    times instead of n^d times. A single point works like in every other network.

    **Arguments:** `rank` products; `width`, `depth`, `activation` of each small `MLP`; the rest as `MLP`.

    **Good values:** rank 16 to 64.

    The last layers start so that the output is of order one: biases are normal numbers (with zero biases and
    an odd activation every factor would vanish at the centre), each factor is scaled by `rank^(-1/(2 d))`.

    >>> net = SeparableNetwork(2, 1)
    >>> net(jnp.array([0.5, 0.1])).shape
    (1,)
    >>> net.grid(jnp.linspace(-1, 1, 5), jnp.linspace(0, 1, 7)).shape
    (5, 7, 1)
    """

    factors: tuple[MLP, ...]
    in_size: int = eqx.field(static=True)
    out_size: int = eqx.field(static=True)
    rank: int = eqx.field(static=True)
    width: int = eqx.field(static=True)
    depth: int = eqx.field(static=True)

    def __init__(
        self,
        in_size: int,
        out_size: int,
        *,
        rank: int = 32,
        width: int = 32,
        depth: int = 2,
        activation: Callable = jnp.tanh,
        key: Any = 0,
    ):
        check_sizes(
            "SeparableNetwork", in_size=in_size, out_size=out_size, rank=rank, width=width, depth=depth
        )
        share = rank ** (-1 / (2 * in_size))

        def factor(key: Any) -> MLP:
            key_network, key_bias = jax.random.split(key)
            network = MLP(
                1, rank * out_size, width=width, depth=depth, activation=activation, key=key_network
            )
            last = network.layers[-1]
            replaced = (share * last.weight, share * jax.random.normal(key_bias, last.bias.shape))
            return eqx.tree_at(lambda n: (n.layers[-1].weight, n.layers[-1].bias), network, replaced)

        self.factors = tuple(factor(k) for k in jax.random.split(as_key(key), in_size))
        self.in_size, self.out_size, self.rank, self.width, self.depth = in_size, out_size, rank, width, depth

    @property
    def activation(self) -> Callable:
        return self.factors[0].activation

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        check_point("SeparableNetwork", x, self.in_size)
        product = self._factor(0, x[:1])
        for i in range(1, self.in_size):
            product = product * self._factor(i, x[i : i + 1])
        return product.sum(axis=0)

    def grid(self, *axes: Float[Array, " n"] | Sequence[float]) -> Float[Array, "... out"]:
        """The network on the outer product of one array per coordinate: shape `(n_1, ..., n_d, out_size)`."""
        if len(axes) != self.in_size:
            raise ValueError(f"Expected {self.in_size} arrays, one per coordinate; {len(axes)} came.")
        first, *others = (
            jax.vmap(lambda s, i=i: self._factor(i, s[None]))(jnp.asarray(axis))
            for i, axis in enumerate(axes)
        )
        product = first
        for values in others[:-1]:
            product = product[..., None, :, :] * values
        # The last product and the sum over the rank are one contraction, so the largest array is never formed
        # per rank.
        return jnp.einsum("...rm,nrm->...nm", product, others[-1]) if others else product.sum(axis=-2)

    def _factor(self, i: int, x: Float[Array, " 1"]) -> Float[Array, "rank out"]:
        return self.factors[i](x).reshape(self.rank, self.out_size)
