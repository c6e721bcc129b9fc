"""Nets in files of DeePMD-kit, and what every reader asks of a file."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._nets import ACTIVATIONS, Layer, Network


def supported(path: Any, what: str, found: Any, known: tuple[str, ...]) -> None:
    """**Raises** `NotImplementedError` where `found` is none of `known`."""
    if found not in known:
        raise NotImplementedError(f"{path}: the {what} is {found!r}; sciml.md has {', '.join(known)}.")


def refuse(path: Any, asked: dict[str, Any]) -> None:
    """**Raises** `NotImplementedError` that names what is asked for and is not here."""
    found = [name for name, value in asked.items() if value]
    if found:
        raise NotImplementedError(f"{path} asks for {', '.join(found)}, which sciml.md does not have.")


def read_network(path: Any, node: dict[str, Any]) -> Network:
    return Network(tuple(read_layer(path, layer) for layer in node["layers"]))


def read_layer(path: Any, layer: dict[str, Any]) -> Layer:
    name = str(layer["activation_function"]).lower()
    supported(path, "activation function", name, tuple(ACTIVATIONS))
    w, b, idt = (layer["@variables"].get(key) for key in ("w", "b", "idt"))
    return Layer(w, b, idt, name, bool(layer["resnet"]))


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
