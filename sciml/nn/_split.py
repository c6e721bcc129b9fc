"""A network in two halves: what is trained, and the rest; and how to put them together again."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
from jaxtyping import PyTree


class Split(NamedTuple):
    """`params`: the tree with None where nothing is trained; `constants`: path -> array, for other arrays.

    `join(params, constants)` is the tree again.
    """

    params: PyTree
    constants: dict[str, Any]
    join: Callable[[PyTree, dict[str, Any]], PyTree]


def is_array(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) or (isinstance(leaf, np.ndarray) and leaf.dtype.kind in "fiubc")


def paths(tree: PyTree) -> list[tuple[str, Any]]:
    """The leaves of a tree with their paths, such as `layers.0.weight`."""
    flat = jax.tree_util.tree_flatten_with_path(tree)[0]
    names = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in flat]
    if len(set(names)) < len(names):  # a dictionary key with a dot in it
        names = [jax.tree_util.keystr(path) for path, _ in flat]
    return list(zip(names, (leaf for _, leaf in flat), strict=True))


def split(tree: PyTree, mask: PyTree) -> Split:
    """Take the leaves that `mask` marks out of `tree`."""
    params, rest = eqx.partition(tree, mask)
    named = paths(rest)
    structure = jax.tree.structure(rest)

    def join(params: PyTree, constants: dict[str, Any]) -> PyTree:
        leaves = [constants.get(name, leaf) for name, leaf in named]
        return eqx.combine(params, jax.tree.unflatten(structure, leaves))

    return Split(params, {name: leaf for name, leaf in named if is_array(leaf)}, join)
