"""Flax modules, NNX and linen, without importing Flax: a Flax module can only come from somebody who has
imported it."""

import sys
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._check import check_real
from ._split import Split, paths, split
from ._trainable import is_float_array, trainable


def is_nnx(network: Any) -> bool:
    nnx = sys.modules.get("flax.nnx")
    return nnx is not None and isinstance(network, nnx.Module)


def is_linen(network: Any) -> bool:
    linen = sys.modules.get("flax.linen")
    return linen is not None and isinstance(network, linen.Module)


def split_nnx(module: Any, dtype: Any) -> Split:
    """What NNX calls a Param is trained; other Variables (BatchStat, keys) and plain arrays are constant.

    The graph of the module, and with it which layers are one and the same, stays in `graph`: tied layers stay
    tied. `dtype` replaces the computation dtype that layers were given, in a copy: a layer with
    `dtype=float32` would otherwise round its float64 parameters.
    """
    nnx = sys.modules["flax.nnx"]
    if dtype is not None:
        module = _with_dtype(module, dtype)
    graph, state = nnx.split(module)
    kinds = jax.tree.leaves(state, is_leaf=lambda v: isinstance(v, nnx.Variable))
    # One flag per leaf: a Variable may hold a pytree.
    trained = [isinstance(v, nnx.Param) for v in kinds for _ in jax.tree.leaves(v)]
    structure = jax.tree.structure(state)
    flat = {
        name.removesuffix(".value"): jnp.asarray(leaf) if train and not isinstance(leaf, jax.Array) else leaf
        for (name, leaf), train in zip(paths(state), trained, strict=True)
    }
    check_real(
        {name: leaf for (name, leaf), train in zip(flat.items(), trained, strict=True) if train},
        type(module).__name__,
    )
    order = list(flat)
    mask = {
        name: train and is_float_array(leaf)
        for (name, leaf), train in zip(flat.items(), trained, strict=True)
    }
    params, constants, join = split(flat, mask)

    def join_module(params: Any, constants: dict[str, Any]) -> Any:
        leaves = join(params, constants)
        return nnx.merge(graph, jax.tree.unflatten(structure, [leaves[name] for name in order]))

    # None where nothing is trained would put the constants' names into the parameters.
    kept = {name: leaf for name, leaf in params.items() if leaf is not None}

    def pad(params: Mapping[str, Any]) -> dict[str, Any]:
        return {name: params.get(name) for name in order}

    return Split(kept, constants, lambda params, constants: join_module(pad(params), constants))


def changed_by_call(adapted: Any, x: Any) -> list[str]:
    """The paths of the variables that a call of an NNX module changes: running statistics, random
    counters."""
    nnx = sys.modules["flax.nnx"]
    module = adapted.network()
    module(x)
    after = {name.removesuffix(".value"): leaf for name, leaf in paths(nnx.split(module)[1])}
    return [
        name for name, leaf in adapted.constants.items() if name in after and not _same(leaf, after[name])
    ]


def split_linen(module: Any, variables: Any) -> Split:
    """The collection `params` is trained; every other collection is constant."""
    core = sys.modules["flax.core"]
    variables = core.unfreeze(variables)
    if "params" not in variables:
        variables = {"params": variables}
    variables = jax.tree.map(jnp.asarray, variables)
    mask = {
        name: trainable(tree) if name == "params" else jax.tree.map(lambda _: False, tree)
        for name, tree in variables.items()
    }
    params, constants, join = split(variables, mask)
    return Split(params, constants, lambda params, constants: (module, join(params, constants)))


def init_linen(module: Any, in_size: int, key: Any) -> Any:
    """The variables of a linen module that came without."""
    try:
        return module.init(key, jnp.zeros(in_size))
    except Exception as error:
        raise ValueError(
            f"{type(module).__name__} (Flax linen) could not be initialised at one point of shape "
            f"({in_size},): {type(error).__name__}: {error}\nExpected: module.init(key, x) with no other "
            "argument. Initialise it yourself and hand in (module, variables)."
        ) from error


def _with_dtype(module: Any, dtype: Any) -> Any:
    nnx = sys.modules["flax.nnx"]
    module = nnx.clone(module)
    nodes = [node for _, node in nnx.iter_graph(module) if isinstance(node, nnx.Module)]
    for node in nodes:
        for attribute in ("dtype", "param_dtype"):
            value = vars(node).get(attribute)
            if value is not None and jnp.issubdtype(value, jnp.floating):
                setattr(node, attribute, dtype)
    return module


def _same(a: Any, b: Any) -> bool:
    if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
        a, b = jax.random.key_data(a), jax.random.key_data(b)
    return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=jnp.issubdtype(a.dtype, jnp.inexact))
