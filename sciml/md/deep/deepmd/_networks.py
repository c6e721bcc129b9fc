"""Nets in files of DeePMD-kit."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._nets import ACTIVATIONS, Layer, Network
from ._node import Node


def read_network(node: Node, inputs: int | None = None) -> Network:
    """**Raises** `ValueError` where layers do not fit onto each other, or not onto so many `inputs`."""
    layers = [read_layer(n) for n in node.all_nodes("layers")]
    if not layers:
        raise node.wrong("layers", "at least one")
    for k, layer in enumerate(layers):
        if inputs not in (None, layer.w.shape[0]):
            before = "it is given" if k == 0 else "the layer before gives"
            raise ValueError(f"{node.file}: {node.where}.layers[{k}] takes {layer.w.shape[0]} numbers, and {before} {inputs}.")
        inputs = layer.w.shape[1]
    node.finish("in_dim", "out_dim", "bias", "bias_out", version=2)
    return Network(tuple(layers))


def read_layer(node: Node) -> Layer:
    name = node.word("activation_function").lower()
    if name not in ACTIVATIONS:
        raise NotImplementedError(
            f"{node.file}: {node.where}.activation_function is {name!r}; sciml.md has {', '.join(ACTIVATIONS)}."
        )
    variables = node.node("@variables")
    w = variables.array("w", (None, None))
    b, idt = (variables.array(key, w.shape[1:], flat=True) if key in variables else None for key in ("b", "idt"))
    if b is None and node.flag("bias", False):
        raise variables.wrong("b", f"{w.shape[1]} numbers, as bias is true")
    if idt is None and node.flag("use_timestep", False):
        raise variables.wrong("idt", f"{w.shape[1]} numbers, as use_timestep is true")
    found = Layer(w, b, idt, name, node.flag("resnet"))
    variables.finish("b", "idt")
    node.finish("bias", "use_timestep", version=2)
    return found


def read_networks(node: Node, key: str, types: int, dimensions: int, inputs: int | None = None) -> dict[int, Network]:
    """Those of a collection of types ** dimensions, by number; DeePMD-kit leaves out some that it does not use.

    **Raises** `ValueError` where there are more or fewer."""
    of = node.node(key)
    nodes = of.nodes("networks")
    if of.whole("ndim") != dimensions or len(nodes) != types**dimensions:
        what = ("one for all types", "one for each type", "one for each pair of types")
        raise ValueError(
            f"{of.file}: {of.where}.networks are {len(nodes)} and ndim is {of.get('ndim')}; expected {types**dimensions} and "
            f"{dimensions}, {what[dimensions]}."
        )
    of.finish("network_type", version=1)
    return {k: read_network(n, inputs) for k, n in enumerate(nodes) if n is not None}


def read_all_networks(node: Node, key: str, types: int, dimensions: int, inputs: int | None = None) -> tuple[Network, ...]:
    """As `read_networks`. **Raises** `ValueError` where one is left out."""
    found = read_networks(node, key, types, dimensions, inputs)
    if missing := [k for k in range(types**dimensions) if k not in found]:
        raise ValueError(f"{node.file} is incomplete: {node.where}.{key}.networks[{missing[0]}] is empty.")
    return tuple(found[k] for k in sorted(found))


def network_tree(network: Any, kind: str) -> dict[str, Any]:
    layers, sizes = network.layers, widths_of(network)
    found = {
        "@class": kind, "@version": 2 if kind == "EmbeddingNetwork" else 1, "in_dim": int(np.shape(layers[0].w)[0]),
        "activation_function": layers[0].activation, "resnet_dt": is_slow(network), "precision": "float64",
        "layers": [layer_tree(layer) for layer in layers],
    }  # fmt: skip
    if kind == "EmbeddingNetwork":
        return found | {"neuron": sizes, "bias": layers[0].b is not None}
    return found | {"neuron": sizes[:-1], "out_dim": sizes[-1], "bias_out": layers[-1].b is not None}


def layer_tree(layer: Any) -> dict[str, Any]:
    arrays = {"w": layer.w, "b": layer.b, "idt": layer.idt}
    return {
        "@class": "Layer", "@version": 1, "bias": layer.b is not None, "use_timestep": layer.idt is not None,
        "activation_function": layer.activation, "resnet": layer.residual, "precision": "float64",
        "@variables": {k: None if a is None else np.asarray(a, np.float64) for k, a in arrays.items()},
    }  # fmt: skip


def collection_tree(nets: tuple[Any, ...], kind: str, types: int, dimensions: int) -> dict[str, Any]:
    return {
        "@class": "NetworkCollection", "@version": 1, "ndim": dimensions, "ntypes": types,
        "network_type": "embedding_network" if kind == "EmbeddingNetwork" else "fitting_network",
        "networks": [network_tree(n, kind) for n in nets],
    }  # fmt: skip


def widths_of(net: Any) -> list[int]:
    return [int(np.shape(layer.w)[1]) for layer in net.layers]


def is_slow(net: Any) -> bool:
    return any(layer.idt is not None for layer in net.layers)
