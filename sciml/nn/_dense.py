"""The affine map that every network here is made of, its initialisation, and the checks they share."""

from numbers import Integral
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class Dense(eqx.Module):
    """`y = W x + b`, with `W` of shape `(out, in)`."""

    weight: Float[Array, "out in"]
    bias: Float[Array, " out"]

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        return self.weight @ x + self.bias


def glorot(in_size: int, out_size: int, key: Any) -> Dense:
    """Normal weights with variance `2 / (in + out)` and zero bias (Glorot and Bengio 2010)."""
    init = jax.nn.initializers.glorot_normal(in_axis=-1, out_axis=-2)
    return Dense(init(key, (out_size, in_size), jnp.result_type(float)), jnp.zeros(out_size))


def uniform(in_size: int, out_size: int, weight_bound: float, bias_bound: float, key: Any) -> Dense:
    """Weights and biases uniform in plus or minus their bounds."""
    key_weight, key_bias = jax.random.split(key)
    return Dense(
        jax.random.uniform(key_weight, (out_size, in_size), minval=-weight_bound, maxval=weight_bound),
        jax.random.uniform(key_bias, (out_size,), minval=-bias_bound, maxval=bias_bound),
    )


def as_key(key: Any) -> Any:
    """A JAX key, from a key or from a whole number."""
    if isinstance(key, jax.Array) and not (key.ndim == 0 and jnp.issubdtype(key.dtype, jnp.integer)):
        return key
    return jax.random.key(key)


def check_sizes(name: str, **sizes: int) -> None:
    """Sizes of a network are whole numbers of at least one."""
    for argument, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, Integral) or size < 1:
            raise ValueError(f"{name} expects a whole number of at least 1 as {argument}; {size!r} came.")


def check_point(name: str, x: Any, in_size: int) -> None:
    """A network sees one point; batching is `jax.vmap`."""
    if jnp.shape(x) != (in_size,):
        raise ValueError(
            f"{name} takes one point of shape ({in_size},); an array of shape {jnp.shape(x)} came. "
            "For many points use jax.vmap(network)(points)."
        )
