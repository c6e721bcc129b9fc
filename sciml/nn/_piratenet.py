"""PirateNet: a residual network that starts linear and grows deep as it trains."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ._activations import as_activation
from ._dense import Dense, as_key, check_point, check_sizes, glorot
from ._fourier import FourierFeatures


class PirateBlock(eqx.Module):
    """One adaptive residual block: three layers, two gates, and the share `alpha` of the nonlinear path."""

    layers: tuple[Dense, Dense, Dense]
    alpha: Float[Array, ""]


class PirateNet(eqx.Module):
    """A physics-informed residual adaptive network.

        h = embedding(x),   U = sigma(W_u h + b_u),   V = sigma(W_v h + b_v)
        f = sigma(W_1 h + b_1),    z = f * U + (1 - f) * V
        g = sigma(W_2 z + b_2),    w = g * U + (1 - g) * V
        h <- alpha sigma(W_3 w + b_3) + (1 - alpha) h         in each block, with alpha = 0 at first
        y = W h + b

    Wang, Li, Chen, Perdikaris 2024 (arXiv:2402.00326). At the start the network is a linear combination of
    the embedding, so depth costs nothing before it is used; `fitted` starts that combination from data.

    **Arguments:** `width` neurons; `blocks` of three layers each; `embedding` a module of one point with
    `out_size` equal to `width`, by default `FourierFeatures` of `width / 2` random waves with `scale`; the
    rest as `MLP`.

    **Good values:** 2 to 4 blocks; width 64, and 256 in the paper, with Adam.

    >>> PirateNet(2, 1, width=32, blocks=2)(jnp.array([0.5, 0.1])).shape
    (1,)
    """

    embedding: Callable
    gates: tuple[Dense, Dense]
    blocks: tuple[PirateBlock, ...]
    last: Dense
    activation: Callable
    in_size: int = eqx.field(static=True)
    out_size: int = eqx.field(static=True)
    width: int = eqx.field(static=True)

    def __init__(
        self,
        in_size: int,
        out_size: int,
        *,
        width: int = 64,
        blocks: int = 3,
        activation: Callable = jnp.tanh,
        scale: float = 1.0,
        embedding: Callable | None = None,
        key: Any = 0,
    ):
        check_sizes("PirateNet", in_size=in_size, out_size=out_size, width=width, blocks=blocks)
        key_embedding, key_u, key_v, key_last, *keys = jax.random.split(as_key(key), 4 + 3 * blocks)
        if embedding is None:
            if width % 2:
                raise ValueError(f"PirateNet expects an even width (half cosines, half sines); {width} came.")
            embedding = FourierFeatures(in_size, count=width // 2, scale=scale, key=key_embedding)
        if getattr(embedding, "out_size", width) != width:
            raise ValueError(
                "PirateNet adds its blocks to the embedding, so both have the same size: the embedding "
                f"gives {getattr(embedding, 'out_size', None)} numbers and width is {width}. Make width "
                "equal to embedding.out_size."
            )
        self.embedding = embedding
        self.gates = (glorot(width, width, key_u), glorot(width, width, key_v))
        triples = [keys[3 * i : 3 * i + 3] for i in range(blocks)]
        self.blocks = tuple(
            PirateBlock(
                (glorot(width, width, a), glorot(width, width, b), glorot(width, width, c)), jnp.zeros(())
            )
            for a, b, c in triples
        )
        self.last = glorot(width, out_size, key_last)
        self.activation = as_activation(activation)
        self.in_size, self.out_size, self.width = in_size, out_size, width

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        check_point("PirateNet", x, self.in_size)
        return self.last(self._features(x))

    def fitted(self, points: Float[Array, "n in"], values: Float[Array, "n out"]) -> "PirateNet":
        """The same network with its last layer fitted to data: the paper's physics-informed start.

            min over W of sum_i |W h(x_i) - y_i|^2,   b = 0

        Give it the initial values at every time, or a solution of the linearised problem.
        """
        features = jax.vmap(self._features)(jnp.asarray(points))
        weight = jnp.linalg.lstsq(features, jnp.asarray(values, features.dtype))[0].T
        last = Dense(weight, jnp.zeros_like(self.last.bias))
        return eqx.tree_at(lambda net: net.last, self, last)

    def _features(self, x: Float[Array, " in"]) -> Float[Array, " width"]:
        h = self.embedding(x)
        u, v = (self.activation(gate(h)) for gate in self.gates)
        for block in self.blocks:
            f = self.activation(block.layers[0](h))
            z = f * u + (1 - f) * v
            g = self.activation(block.layers[1](z))
            w = g * u + (1 - g) * v
            h = block.alpha * self.activation(block.layers[2](w)) + (1 - block.alpha) * h
        return h
