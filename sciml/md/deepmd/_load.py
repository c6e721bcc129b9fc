"""A `DeepPotential` from DeePMD-kit's native files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..deep._fitting import FittingNet
from ..deep._nets import ACTIVATIONS, Layer, Network
from ..deep._potential import DeepPotential
from ..deep._se_e2_a import SeE2A
from ._tree import read_tree


def load_deep_potential(path: Any) -> DeepPotential:
    """Reads a `.dp` or `.yaml` model with the descriptor se_e2_a; DeePMD-kit is not needed.

    **Raises** `NotImplementedError` that names what the file asks for and is not here, `ValueError` for files of another kind.
    """
    tree = read_tree(path)
    model = tree.get("model")
    if not isinstance(model, dict) or "descriptor" not in model:
        raise ValueError(f"{path} holds no model of DeePMD-kit: it has no descriptor.")
    nearest = (tree.get("@variables") or {}).get("min_nbor_dist")
    try:
        return replace(_model(path, model), nearest=None if nearest is None else float(np.reshape(nearest, ())))
    except KeyError as error:
        raise ValueError(f"{path} is incomplete: it has no {error}, which DeePMD-kit writes.") from None


def _model(path: Any, model: dict[str, Any]) -> DeepPotential:
    descriptor, fitting = model["descriptor"], model["fitting"]
    _supported(path, "model type", model.get("type", "standard"), ("standard",))
    _supported(path, "descriptor", descriptor["type"], ("se_e2_a",))
    _supported(path, "fitting net", fitting["type"], ("ener",))
    zero = {
        "fparam": fitting.get("numb_fparam"), "aparam": fitting.get("numb_aparam"),
        "case embedding": fitting.get("dim_case_embd"), "mixed types": fitting.get("mixed_types"),
        "exclude_types": descriptor.get("exclude_types") or fitting.get("exclude_types"),
        "atom_exclude_types": model.get("atom_exclude_types"), "pair_exclude_types": model.get("pair_exclude_types"),
        "spin": descriptor.get("spin") or fitting.get("spin"), "env_protection": descriptor.get("env_protection"),
        "a compressed descriptor": descriptor.get("compress"),
        "use_exp_switch": descriptor.get("env_mat", {}).get("use_exp_switch"),
    }  # fmt: skip
    asked = [name for name, value in zero.items() if value]
    if asked:
        raise NotImplementedError(f"{path} asks for {', '.join(asked)}, which sciml.md does not have.")
    names, sel = tuple(model["type_map"]), tuple(int(k) for k in descriptor["sel"])
    types = len(names)
    embeddings, fittings = (
        tuple(_network(path, n) for n in part["networks"]) for part in (descriptor["embeddings"], fitting["nets"])
    )
    davg, dstd = (_by_type(path, descriptor["@variables"][key], sel) for key in ("davg", "dstd"))
    bias = np.zeros(types)
    for found in (fitting["@variables"].get("bias_atom_e"), model["@variables"].get("out_bias")):
        bias = bias if found is None else bias + np.asarray(found, float).reshape(types)
    found = SeE2A(
        embeddings=embeddings, davg=davg, dstd=dstd, cutoff=float(descriptor["rcut"]), start=float(descriptor["rcut_smth"]),
        sel=sel, axis=int(descriptor["axis_neuron"]), one_sided=bool(descriptor["type_one_side"]),
    )  # fmt: skip
    return DeepPotential(found, FittingNet(fittings), bias, names)


def _supported(path: Any, what: str, found: Any, known: tuple[str, ...]) -> None:
    if found not in known:
        raise NotImplementedError(f"{path}: the {what} is {found!r}; sciml.md has {', '.join(known)}.")


def _network(path: Any, node: dict[str, Any]) -> Network:
    layers = []
    for layer in node["layers"]:
        name = str(layer["activation_function"]).lower()
        _supported(path, "activation function", name, tuple(ACTIVATIONS))
        w, b, idt = (layer["@variables"].get(key) for key in ("w", "b", "idt"))
        layers.append(Layer(w, b, idt, name, bool(layer["resnet"])))
    return Network(tuple(layers))


def _by_type(path: Any, values: Any, sel: tuple[int, ...]) -> np.ndarray:
    """`(types, sum sel, 4)` -> `(types, types, 4)`: all slots of a type share their statistics."""
    blocks = np.split(np.asarray(values, float), np.cumsum(sel)[:-1], axis=1)
    if any(np.ptp(block, axis=1).max(initial=0) > 1e-12 for block in blocks):
        raise NotImplementedError(f"{path}: davg and dstd differ between slots of one type of neighbour.")
    return np.stack([block[:, 0] for block in blocks], axis=1)
