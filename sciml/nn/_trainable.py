"""The one place that decides what is trained."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree


class Frozen(eqx.Module):
    """A part of a network that is not trained: `Frozen(tree)`.

    Inside a network, read it with `unfreeze(self.part)`. `adapt` keeps it out of the parameters; where
    somebody differentiates the whole network himself, `unfreeze` stops the gradient.

    >>> layer = eqx.nn.Linear(2, 3, key=jax.random.key(0))
    >>> count_parameters(layer), count_parameters(Frozen(layer))
    (9, 0)
    """

    value: Any


def _is_frozen(node: Any) -> bool:
    return isinstance(node, Frozen)


def unfreeze(tree: PyTree) -> PyTree:
    """Replace every `Frozen` part by its value, through which no gradient flows.

    Other trees come back as they are.
    """

    def value(node: Any) -> Any:
        if not _is_frozen(node):
            return node
        stop = lambda leaf: jax.lax.stop_gradient(leaf) if eqx.is_inexact_array(leaf) else leaf  # noqa: E731
        return jax.tree.map(stop, strip_frozen(node.value))

    return jax.tree.map(value, tree, is_leaf=_is_frozen)


def strip_frozen(tree: PyTree) -> PyTree:
    """As `unfreeze`, without the `stop_gradient`: for trees whose parameters have been taken out already."""
    return jax.tree.map(
        lambda node: strip_frozen(node.value) if _is_frozen(node) else node, tree, is_leaf=_is_frozen
    )


def is_float_array(leaf: Any) -> bool:
    """True for JAX arrays (and tracers) of a floating type."""
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jnp.floating)


def trainable(tree: PyTree) -> PyTree:
    """Which leaves are trained: a tree of bools with the structure of `tree`.

    JAX arrays of a floating type are trained. NumPy arrays, integers, keys, Python numbers and everything
    inside `Frozen(...)` are not. This function is the only place where that is decided.

    >>> trainable({"weight": jnp.ones(2), "table": np.ones(2), "scale": Frozen(jnp.ones(2)), "order": 3})
    {'order': False, 'scale': Frozen(value=False), 'table': False, 'weight': True}
    """

    def mark(node: Any) -> Any:
        return jax.tree.map(lambda _: False, node) if _is_frozen(node) else is_float_array(node)

    return jax.tree.map(mark, tree, is_leaf=_is_frozen)


def count_parameters(tree: PyTree) -> int:
    """How many numbers are trained in a network, or in a pytree of parameters.

    >>> count_parameters({"weight": jnp.ones((3, 2)), "bias": jnp.ones(3)})
    9
    """
    return sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(tree, trainable(tree))))


def cast(tree: PyTree, dtype: Any) -> PyTree:
    """Every floating array of a tree in another precision; integers, keys and all else stay as they are.

    **Raises:** `ValueError` when `dtype` is not a floating type, or is float64 while JAX computes in 32 bits
    (JAX itself would hand float32 back).

    >>> cast({"weight": jnp.ones(2), "index": jnp.arange(2)}, jnp.bfloat16)["weight"].dtype
    dtype(bfloat16)
    """
    dtype = check_dtype(dtype)
    return jax.tree.map(lambda leaf: cast_leaf(leaf, dtype), tree)


def cast_leaf(leaf: Any, dtype: Any) -> Any:
    """One leaf in another precision, if it is a floating array (of JAX or NumPy)."""
    if isinstance(leaf, (jax.Array, np.ndarray)) and jnp.issubdtype(leaf.dtype, jnp.floating):
        return jnp.asarray(leaf, dtype)
    return leaf


def check_dtype(dtype: Any) -> Any:
    """The dtype, if it is floating and JAX can compute in it just now."""
    dtype = jnp.dtype(dtype)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"Expected a floating dtype such as jax.numpy.float32; {dtype.name} came.")
    if dtype.itemsize > jnp.finfo(jnp.result_type(float)).dtype.itemsize:
        raise ValueError(
            f"Expected parameters in at most 32 bits, because JAX computes in 32 bits here; {dtype.name} "
            "came and would silently become float32. Put the call inside `with sciml.float64():`."
        )
    return dtype
