"""The descriptor se_atten, DPA-1, in files of DeePMD-kit, where it is `dpa1`."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._arguments import placed
from .._attention import Attention
from .._nets import Network
from .._se_atten import SeAtten
from ._networks import (
    collection_tree,
    is_slow,
    layer_tree,
    network_tree,
    read_all_networks,
    read_layer,
    read_network,
    widths_of,
)  # fmt: skip
from ._node import Node

MODES = "concat", "strip"
# By what is around a layer of attention, of what the layer itself says.
SAID_AGAIN = "nnei", "embed_dim", "hidden_dim", "dotr", "scaling_factor", "normalize", "temperature", "smooth"


def read_se_atten(node: Node, names: tuple[str, ...]) -> SeAtten:
    """Also se_atten_v2, which is DPA-1 with a gate."""
    node.refuse(attn_mask="", use_econf_tebd="electronic configurations of types")
    if node.number("lmax", 1) != 1:
        raise NotImplementedError(f"{node.file}: {node.where} asks for lmax above 1, which sciml.md does not have.")
    v2 = node.word("type") == "se_atten_v2"
    mode, smooth = node.word("tebd_input_mode", MODES[v2]), node.flag("smooth_type_embedding", True)
    if mode not in MODES:
        raise NotImplementedError(f"{node.file}: {node.where}.tebd_input_mode is {mode!r}; sciml.md has {', '.join(MODES)}.")
    sel, types, one_sided = sum(node.whole_numbers("sel")), len(names), node.flag("type_one_side")
    variables = node.node("@variables")
    shape, axes = (types, sel, 4), "types in model.type_map, the sum of sel, columns"
    davg, dstd = (variables.array(key, shape, axes) for key in ("davg", "dstd"))
    variables.finish()
    if np.any(davg):
        raise NotImplementedError(
            f"{node.file}: davg is not zero, and empty places would count as neighbours of the type of the first atom. Train "
            "with set_davg_zero, as DeePMD-kit does by default."
        )
    if np.ptp(dstd, axis=1).max(initial=0) > 1e-12:
        raise NotImplementedError(f"{node.file}: dstd differs between slots.")
    if not np.all(dstd):
        raise ValueError(f"{node.file}: {variables.where}.dstd is zero somewhere; expected positive numbers.")
    T = _read_types(node.node("type_embedding"), types)
    seen = T.width if one_sided else 2 * T.width
    net = read_all_networks(node, "embeddings", types, 0, 1 if mode == "strip" else 1 + seen)[0]
    gate = read_all_networks(node, "embeddings_strip", types, 0, seen)[0] if mode == "strip" else None
    found = SeAtten(
        types_net=T, embedding=net, gate=gate, attention=_read_layers(node, smooth), dstd=np.asarray(dstd[:, 0], float),
        **radii(node), sel=sel, axis=axis(node, net), one_sided=one_sided, smooth=smooth,
        tagged=node.flag("concat_output_tebd"),
    )  # fmt: skip
    node.finish(
        "attn", "attn_dotr", "env_mat", "ln_eps", "normalize", "scaling_factor", "set_davg_zero", "tebd_dim", "temperature",
        "trainable_ln", "use_tebd_bias",
    )  # fmt: skip
    return found


def radii(node: Node) -> dict[str, float]:
    """Cutoff and where the switch begins."""
    cutoff, start = node.number("rcut"), node.number("rcut_smth")
    if not 0 <= start < cutoff:
        raise node.wrong("rcut_smth", f"a distance from 0 to below rcut, {cutoff:g} angstrom")
    return {"cutoff": cutoff, "start": start}


def axis(node: Node, net: Network) -> int:
    found = node.whole("axis_neuron")
    if not 0 < found <= net.width:
        raise node.wrong("axis_neuron", f"a number of columns from 1 to the last width, {net.width}")
    return found


def _read_types(node: Node, types: int) -> Network:
    node.refuse(use_econf_tebd="electronic configurations of types")
    found = read_network(node.node("embedding"), types)
    node.finish("padding", "use_tebd_bias", version=2)
    return found


def _read_layers(node: Node, smooth: bool) -> tuple[Attention, ...]:
    around = node.node("attention_layers")
    around.refuse(do_mask="")
    found = tuple(_read_attention(layer, smooth) for layer in around.all_nodes("attention_layers"))
    if node.whole("attn_layer", len(found)) != len(found):
        raise node.wrong("attn_layer", f"{len(found)}, as many as there are in attention_layers")
    around.finish(*SAID_AGAIN, "layer_num", "trainable_ln", "ln_eps", version=1)
    return found


def _read_attention(node: Node, smooth: bool) -> Attention:
    inner, norm = node.node("attention_layer"), node.node("attn_layer_norm")
    node.refuse(do_mask="")
    inner.refuse(do_mask="")
    if inner.whole("num_heads", 1) != 1:
        raise NotImplementedError(f"{node.file}: {inner.where} asks for several heads, which sciml.md does not have.")
    into, out, variables = read_layer(inner.node("in_proj")), read_layer(inner.node("out_proj")), norm.node("@variables")
    width = out.w.shape[1]
    found = Attention(
        into, out, *(variables.array(key, (width,), flat=True) for key in ("w", "b")),
        scaling_factor=inner.number("scaling_factor"), normalize=inner.flag("normalize"), angular=inner.flag("dotr"),
        temperature=inner.number("temperature") if "temperature" in inner else None, smooth=smooth, eps=norm.number("eps"),
    )  # fmt: skip
    variables.finish()
    norm.finish(version=1)
    inner.finish(*SAID_AGAIN, "bias")
    node.finish(*SAID_AGAIN, "trainable_ln", "ln_eps")
    return found


def se_atten_tree(d: SeAtten, names: list[str]) -> dict[str, Any]:
    types, sel, net, T = len(names), placed(d.sel), d.embedding, d.types_net
    first = d.attention[0] if d.attention else Attention.new(net.width, 1, rng=np.random.default_rng(0), smooth=d.smooth)
    spread = np.repeat(np.asarray(d.dstd, np.float64)[:, None], sel, axis=1)
    options = {
        "scaling_factor": first.scaling_factor, "normalize": first.normalize, "temperature": first.temperature,
        "trainable_ln": True, "ln_eps": first.eps,
    }  # fmt: skip
    shape = {"nnei": sel, "embed_dim": net.width, "hidden_dim": first.columns, "dotr": first.angular, "do_mask": False}
    type_embedding = {
        "@class": "TypeEmbedNet", "@version": 2, "ntypes": types, "neuron": widths_of(T), "resnet_dt": is_slow(T),
        "precision": "float64", "activation_function": T.layers[0].activation, "trainable": True, "padding": True,
        "use_econf_tebd": False, "use_tebd_bias": T.layers[0].b is not None, "type_map": names,
        "embedding": network_tree(T, "EmbeddingNetwork"),
    }  # fmt: skip
    found = {
        "@class": "Descriptor", "type": "dpa1", "@version": 2, "rcut": d.cutoff, "rcut_smth": d.start, "sel": [sel],
        "ntypes": types, "neuron": widths_of(net), "axis_neuron": d.axis, "tebd_dim": T.width,
        "tebd_input_mode": "concat" if d.gate is None else "strip", "set_davg_zero": True, "attn": first.columns,
        "attn_layer": len(d.attention), "attn_dotr": first.angular, "attn_mask": False,
        "activation_function": net.layers[0].activation, "resnet_dt": is_slow(net), **options,
        "smooth_type_embedding": d.smooth, "type_one_side": d.one_sided, "concat_output_tebd": d.tagged,
        "use_econf_tebd": False, "use_tebd_bias": T.layers[0].b is not None, "type_map": names, "precision": "float64",
        "embeddings": collection_tree((net,), "EmbeddingNetwork", types, 0),
        "attention_layers": {
            "@class": "NeighborGatedAttention", "@version": 1, "layer_num": len(d.attention), **shape, **options,
            "precision": "float64", "attention_layers": [_attention_tree(a, shape | options) for a in d.attention],
        },
        "env_mat": {"rcut": d.cutoff, "rcut_smth": d.start, "protection": 0.0, "use_exp_switch": False},
        "type_embedding": type_embedding, "exclude_types": [], "env_protection": 0.0,
        "@variables": {"davg": np.zeros_like(spread), "dstd": spread}, "trainable": True, "spin": None,
    }  # fmt: skip
    return found if d.gate is None else found | {"embeddings_strip": collection_tree((d.gate,), "EmbeddingNetwork", types, 0)}


def _attention_tree(a: Attention, options: dict[str, Any]) -> dict[str, Any]:
    inner = {k: v for k, v in options.items() if k not in ("trainable_ln", "ln_eps")}
    norm = {k: np.asarray(v, np.float64) for k, v in (("w", a.weight), ("b", a.shift))}
    return options | {
        "precision": "float64",
        "attention_layer": inner | {
            "num_heads": 1, "bias": True, "smooth": a.smooth, "precision": "float64", "in_proj": layer_tree(a.inward),
            "out_proj": layer_tree(a.outward),
        },
        "attn_layer_norm": {"@class": "LayerNorm", "@version": 1, "eps": a.eps, "trainable": True, "precision": "float64",
                            "@variables": norm},
    }  # fmt: skip
