"""Descriptors in files of DeePMD-kit: a reader and a writer for each."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from .._arguments import placed
from .._hybrid import Hybrid
from .._se_atten import SeAtten
from .._se_e2_a import SeE2A
from .._se_e2_r import SeE2R
from .._se_e3 import SeE3, pairs_of_types
from ._kinds import descriptor_type
from ._networks import collection_tree, is_slow, read_all_networks, read_networks, widths_of
from ._node import Node
from ._se_atten import axis, radii, read_se_atten, se_atten_tree


def read_descriptor(node: Node, names: tuple[str, ...]) -> Any:
    """Of the types `names`. **Raises** `NotImplementedError` that names what is asked for and is not here, `ValueError` where
    something is missing or does not fit."""
    kind = descriptor_type(node, READERS)
    node.refuse(exclude_types="", spin="", env_protection="", compress="a compressed descriptor")
    if "type_map" in node and node.names("type_map") != names:
        raise node.wrong("type_map", f"that of the model, {list(names)}")
    if "env_mat" in node:
        around = node.node("env_mat")
        around.refuse(protection="", use_exp_switch="")
        around.finish("rcut", "rcut_smth")
    found = READERS[kind](node, names)
    node.finish("env_mat", "set_davg_zero", version=4)
    return found


def descriptor_tree(d: Any, names: list[str]) -> dict[str, Any]:
    """**Raises** `NotImplementedError` for descriptors that DeePMD-kit does not have."""
    for kind, writer in WRITERS.items():
        if type(d) is kind:
            return writer(d, names)
    raise NotImplementedError(f"{type(d).__name__} is no descriptor of DeePMD-kit: it cannot be written for it.")


def _read_se_e2_a(node: Node, names: tuple[str, ...]) -> SeE2A:
    sel, one_sided = _places(node, names), node.flag("type_one_side")
    nets = read_all_networks(node, "embeddings", len(sel), 1 if one_sided else 2, 1)
    davg, dstd = _statistics(node, sel, 4)
    return SeE2A(embeddings=nets, davg=davg, dstd=dstd, **radii(node), sel=sel, axis=axis(node, nets[0]), one_sided=one_sided)


def _se_e2_a(d: SeE2A, names: list[str]) -> dict[str, Any]:
    return _common(d, names, "se_e2_a", d.embeddings[0]) | {
        "axis_neuron": d.axis, "type_one_side": d.one_sided, "spin": None,
        "embeddings": collection_tree(d.embeddings, "EmbeddingNetwork", len(names), 1 if d.one_sided else 2),
        "@variables": {"davg": _spread(d.davg, d), "dstd": _spread(d.dstd, d)},
    }  # fmt: skip


def _read_se_e2_r(node: Node, names: tuple[str, ...]) -> SeE2R:
    sel, one_sided = _places(node, names), node.flag("type_one_side", True)
    nets = read_all_networks(node, "embeddings", len(sel), 1 if one_sided else 2, 1)
    davg, dstd = (a[..., 0] for a in _statistics(node, sel, 1))
    return SeE2R(embeddings=nets, davg=davg, dstd=dstd, **radii(node), sel=sel, one_sided=one_sided)


def _se_e2_r(d: SeE2R, names: list[str]) -> dict[str, Any]:
    return _common(d, names, "se_r", d.embeddings[0]) | {
        "type_one_side": d.one_sided, "spin": None,
        "embeddings": collection_tree(d.embeddings, "EmbeddingNetwork", len(names), 1 if d.one_sided else 2),
        "@variables": {"davg": _spread(d.davg[..., None], d), "dstd": _spread(d.dstd[..., None], d)},
    }  # fmt: skip


def _read_se_e3(node: Node, names: tuple[str, ...]) -> SeE3:
    sel, types = _places(node, names), len(names)
    davg, dstd = _statistics(node, sel, 4)
    if np.any(davg[..., 1:]):
        raise NotImplementedError(f"{node.file}: davg of directions is not zero, which no training gives.")
    nets = read_networks(node, "embeddings", types, 2, 1)
    wanted = [a + types * b for a, b in pairs_of_types(types)]
    if missing := [k for k in wanted if k not in nets]:
        raise ValueError(f"{node.file} is incomplete: {node.where}.embeddings.networks[{missing[0]}] is empty.")
    return SeE3(embeddings=tuple(nets[k] for k in wanted), dstd=dstd[..., 1:], **radii(node), sel=sel)


def _se_e3(d: SeE3, names: list[str]) -> dict[str, Any]:
    types, net = len(names), d.embeddings[0]
    # DeePMD-kit wants nets of (b, a) too, and never uses them.
    nets = [jax.tree.map(np.zeros_like, getattr(net, "exact", net))] * types**2
    for (a, b), found in zip(pairs_of_types(types), d.embeddings, strict=True):
        nets[a + types * b] = found
    full = lambda a, first: np.concatenate([np.full((*a.shape[:2], 1), first), a], axis=2)  # noqa: E731
    return _common(d, names, "se_e3", net) | {
        "embeddings": collection_tree(tuple(nets), "EmbeddingNetwork", types, 2),
        "@variables": {"davg": _spread(full(0 * d.dstd, 0.0), d), "dstd": _spread(full(d.dstd, 1.0), d)},
    }  # fmt: skip


def _read_hybrid(node: Node, names: tuple[str, ...]) -> Hybrid:
    parts = node.all_nodes("list")
    if not parts:
        raise node.wrong("list", "at least one descriptor")
    return Hybrid(read_descriptor(part, names) for part in parts)


def _hybrid(d: Hybrid, names: list[str]) -> dict[str, Any]:
    parts = [descriptor_tree(part, names) for part in d.descriptors]
    return {"@class": "Descriptor", "type": "hybrid", "@version": 1, "list": parts}


READERS: dict[str, Any] = {
    "se_e2_a": _read_se_e2_a, "se_a": _read_se_e2_a, "se_e2_r": _read_se_e2_r, "se_r": _read_se_e2_r, "se_e3": _read_se_e3,
    "se_at": _read_se_e3, "se_a_3be": _read_se_e3, "hybrid": _read_hybrid, "dpa1": read_se_atten, "se_atten": read_se_atten,
    "se_atten_v2": read_se_atten,
}  # fmt: skip
WRITERS: dict[Any, Any] = {SeE2A: _se_e2_a, SeE2R: _se_e2_r, SeE3: _se_e3, Hybrid: _hybrid, SeAtten: se_atten_tree}


def _places(node: Node, names: tuple[str, ...]) -> tuple[int, ...]:
    """Of neighbours of each type."""
    found = node.whole_numbers("sel")
    if len(found) != len(names):
        raise ValueError(
            f"{node.file}: model.type_map names {len(names)} types ({', '.join(names)}), and {node.where}.sel has places for "
            f"{len(found)}, {list(found)}; expected as many."
        )
    return found


def _statistics(node: Node, sel: tuple[int, ...], columns: int) -> list[np.ndarray]:
    """davg and dstd, `(types, sum sel, columns)` -> `(types, types, columns)`: all slots of a type share theirs."""
    found, variables = [], node.node("@variables")
    for key in ("davg", "dstd"):
        whole = variables.array(key, (len(sel), sum(sel), columns), "types, the sum of sel, columns").astype(float)
        blocks = np.split(whole, np.cumsum(sel)[:-1], axis=1)
        if any(np.ptp(block, axis=1).max(initial=0) > 1e-12 for block in blocks if block.size):
            raise NotImplementedError(f"{node.file}: davg and dstd differ between slots of one type of neighbour.")
        # A type without places has no numbers, and uses none.
        blank = np.full((len(sel), columns), float(key == "dstd"))
        found.append(np.stack([block[:, 0] if block.size else blank for block in blocks], axis=1))
    if not np.all(found[1]):
        raise ValueError(f"{node.file}: {variables.where}.dstd is zero somewhere; expected positive numbers.")
    variables.finish()
    return found


def _spread(a: Any, d: Any) -> np.ndarray:
    return np.repeat(np.asarray(a, np.float64), list(placed(d.sel)), axis=1)


def _common(d: Any, names: list[str], kind: str, net: Any) -> dict[str, Any]:
    return {
        "@class": "Descriptor", "type": kind, "@version": 2, "rcut": d.cutoff, "rcut_smth": d.start,
        "sel": list(placed(d.sel)), "neuron": widths_of(net), "resnet_dt": is_slow(net), "set_davg_zero": False,
        "activation_function": net.layers[0].activation, "env_protection": 0.0,
        "env_mat": {"rcut": d.cutoff, "rcut_smth": d.start}, "type_map": names, "exclude_types": [], "precision": "float64",
        "trainable": True,
    }  # fmt: skip
