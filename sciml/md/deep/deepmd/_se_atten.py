"""The descriptor se_atten, DPA-1, in files of DeePMD-kit, where it is `dpa1`."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._arguments import placed
from .._attention import Attention
from .._se_atten import SeAtten
from ._networks import (
    collection_tree,
    is_slow,
    layer_tree,
    network_tree,
    read_layer,
    read_network,
    refuse,
    supported,
    widths_of,
)  # fmt: skip


def read_se_atten(path: Any, tree: dict[str, Any]) -> SeAtten:
    refuse(path, {
        "lmax above 1": tree.get("lmax", 1) != 1, "attn_mask": tree.get("attn_mask"),
        "electronic configurations of types (use_econf_tebd)": tree.get("use_econf_tebd"),
    })  # fmt: skip
    supported(path, "tebd_input_mode", tree.get("tebd_input_mode", "concat"), ("concat", "strip"))
    davg, dstd = (np.asarray(tree["@variables"][key], float) for key in ("davg", "dstd"))
    if np.any(davg):
        raise NotImplementedError(
            f"{path}: davg is not zero, and empty places would count as neighbours of the type of the first atom. Train with "
            "set_davg_zero, as DeePMD-kit does by default."
        )
    if np.ptp(dstd, axis=1).max(initial=0) > 1e-12:
        raise NotImplementedError(f"{path}: dstd differs between slots.")
    net = lambda key: read_network(path, tree[key]["networks"][0])  # noqa: E731
    smooth = bool(tree.get("smooth_type_embedding", True))
    layers = [_read_attention(path, layer, smooth) for layer in tree["attention_layers"]["attention_layers"]]
    return SeAtten(
        types_net=read_network(path, tree["type_embedding"]["embedding"]), embedding=net("embeddings"),
        gate=net("embeddings_strip") if tree.get("tebd_input_mode") == "strip" else None, attention=tuple(layers),
        dstd=dstd[:, 0], cutoff=float(tree["rcut"]), start=float(tree["rcut_smth"]), sel=int(np.sum(tree["sel"])),
        axis=int(tree["axis_neuron"]), one_sided=bool(tree["type_one_side"]), smooth=smooth,
        tagged=bool(tree["concat_output_tebd"]),
    )  # fmt: skip


def _read_attention(path: Any, tree: dict[str, Any], smooth: bool) -> Attention:
    inner, norm = tree["attention_layer"], tree["attn_layer_norm"]
    refuse(path, {"several heads of attention": inner.get("num_heads", 1) != 1})
    return Attention(
        read_layer(path, inner["in_proj"]), read_layer(path, inner["out_proj"]), norm["@variables"]["w"],
        norm["@variables"]["b"], scaling_factor=float(inner["scaling_factor"]), normalize=bool(inner["normalize"]),
        angular=bool(inner["dotr"]),
        temperature=None if inner["temperature"] is None else float(inner["temperature"]), smooth=smooth,
        eps=float(norm["eps"]),
    )  # fmt: skip


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
