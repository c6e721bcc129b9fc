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
from ._networks import collection_tree, is_slow, read_network, refuse, supported, widths_of
from ._se_atten import read_se_atten, se_atten_tree


def read_descriptor(path: Any, tree: dict[str, Any]) -> Any:
    """**Raises** `NotImplementedError` that names what is asked for and is not here."""
    supported(path, "descriptor", tree["type"], tuple(READERS))
    asked = ("exclude_types", "spin", "env_protection")
    refuse(path, {name: tree.get(name) for name in asked} | {
        "a compressed descriptor": tree.get("compress"), "use_exp_switch": tree.get("env_mat", {}).get("use_exp_switch"),
    })  # fmt: skip
    return READERS[tree["type"]](path, tree)


def descriptor_tree(d: Any, names: list[str]) -> dict[str, Any]:
    """**Raises** `NotImplementedError` for descriptors that DeePMD-kit does not have."""
    for kind, writer in WRITERS.items():
        if type(d) is kind:
            return writer(d, names)
    raise NotImplementedError(f"{type(d).__name__} is no descriptor of DeePMD-kit: it cannot be written for it.")


def _read_se_e2_a(path: Any, tree: dict[str, Any]) -> SeE2A:
    davg, dstd = _statistics(path, tree)
    return SeE2A(
        embeddings=_nets(path, tree), davg=davg, dstd=dstd, **_radii(tree), axis=int(tree["axis_neuron"]),
        one_sided=bool(tree["type_one_side"]),
    )  # fmt: skip


def _se_e2_a(d: SeE2A, names: list[str]) -> dict[str, Any]:
    return _common(d, names, "se_e2_a", d.embeddings[0]) | {
        "axis_neuron": d.axis, "type_one_side": d.one_sided, "spin": None,
        "embeddings": collection_tree(d.embeddings, "EmbeddingNetwork", len(names), 1 if d.one_sided else 2),
        "@variables": {"davg": _spread(d.davg, d), "dstd": _spread(d.dstd, d)},
    }  # fmt: skip


def _read_se_e2_r(path: Any, tree: dict[str, Any]) -> SeE2R:
    if not tree.get("type_one_side", True):
        raise NotImplementedError(f"{path} asks for embedding nets of pairs of types in se_e2_r, which DeePMD-kit has not.")
    davg, dstd = (a[..., 0] for a in _statistics(path, tree))
    return SeE2R(embeddings=_nets(path, tree), davg=davg, dstd=dstd, **_radii(tree))


def _se_e2_r(d: SeE2R, names: list[str]) -> dict[str, Any]:
    return _common(d, names, "se_r", d.embeddings[0]) | {
        "type_one_side": True, "spin": None,
        "embeddings": collection_tree(d.embeddings, "EmbeddingNetwork", len(names), 1),
        "@variables": {"davg": _spread(d.davg[..., None], d), "dstd": _spread(d.dstd[..., None], d)},
    }  # fmt: skip


def _read_se_e3(path: Any, tree: dict[str, Any]) -> SeE3:
    davg, dstd = _statistics(path, tree)
    if np.any(davg[..., 1:]):
        raise NotImplementedError(f"{path}: davg of directions is not zero, which no training gives.")
    nets, types = tree["embeddings"]["networks"], len(davg)
    found = [read_network(path, nets[a + types * b]) for a, b in pairs_of_types(types)]
    return SeE3(embeddings=tuple(found), dstd=dstd[..., 1:], **_radii(tree))


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


def _read_hybrid(path: Any, tree: dict[str, Any]) -> Hybrid:
    return Hybrid(read_descriptor(path, part) for part in tree["list"])


def _hybrid(d: Hybrid, names: list[str]) -> dict[str, Any]:
    parts = [descriptor_tree(part, names) for part in d.descriptors]
    return {"@class": "Descriptor", "type": "hybrid", "@version": 1, "list": parts}


READERS: dict[str, Any] = {
    "se_e2_a": _read_se_e2_a, "se_e2_r": _read_se_e2_r, "se_r": _read_se_e2_r, "se_e3": _read_se_e3, "hybrid": _read_hybrid,
    "dpa1": read_se_atten, "se_atten": read_se_atten,
}  # fmt: skip
WRITERS: dict[Any, Any] = {SeE2A: _se_e2_a, SeE2R: _se_e2_r, SeE3: _se_e3, Hybrid: _hybrid, SeAtten: se_atten_tree}


def _radii(tree: dict[str, Any]) -> dict[str, Any]:
    sel = tuple(int(k) for k in tree["sel"])
    return {"cutoff": float(tree["rcut"]), "start": float(tree["rcut_smth"]), "sel": sel}


def _nets(path: Any, tree: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(read_network(path, n) for n in tree["embeddings"]["networks"])


def _statistics(path: Any, tree: dict[str, Any]) -> list[np.ndarray]:
    """davg and dstd, `(types, sum sel, columns)` -> `(types, types, columns)`: all slots of a type share theirs."""
    found = []
    for key in ("davg", "dstd"):
        blocks = np.split(np.asarray(tree["@variables"][key], float), np.cumsum(tree["sel"])[:-1], axis=1)
        if any(np.ptp(block, axis=1).max(initial=0) > 1e-12 for block in blocks):
            raise NotImplementedError(f"{path}: davg and dstd differ between slots of one type of neighbour.")
        found.append(np.stack([block[:, 0] for block in blocks], axis=1))
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
