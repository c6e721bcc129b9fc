"""A potential from DeePMD-kit's native files."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .._fitting import FittingNet
from ._descriptors import read_descriptor
from ._networks import read_network, refuse, supported
from ._tree import read_tree

if TYPE_CHECKING:
    from .._potential import DeepPotential


def load_deep_potential(kind: type[DeepPotential], path: Any) -> DeepPotential:
    """Reads a `.dp` or `.yaml` model; DeePMD-kit is not needed.

    **Raises** `NotImplementedError` that names what the file asks for and is not here, `ValueError` for files of another kind.
    """
    return in_file(path, partial(read_model, kind))


def in_file(path: Any, read: Any) -> Any:
    """`read(path, model, nearest)` of what the file holds."""
    tree = read_tree(path)
    model = tree.get("model")
    if not isinstance(model, dict) or not ("descriptor" in model or "models" in model):
        raise ValueError(f"{path} holds no model of DeePMD-kit: it has no descriptor.")
    nearest = (tree.get("@variables") or {}).get("min_nbor_dist")
    try:
        return read(path, model, None if nearest is None else float(np.reshape(nearest, ())))
    except KeyError as error:
        raise ValueError(f"{path} is incomplete: it has no {error}, which DeePMD-kit writes.") from None


def read_model(kind: type[DeepPotential], path: Any, model: dict[str, Any], nearest: float | None = None) -> DeepPotential:
    said = model.get("type", "standard")
    if said == "zbl":
        raise NotImplementedError(f"{path}: the model type is 'zbl', with a pair potential: md.JoinedPotential.load reads it.")
    supported(path, "model type", said, ("standard",))
    fitting = model["fitting"]
    supported(path, "fitting net", fitting["type"], ("ener",))
    descriptor = read_descriptor(path, model["descriptor"])
    refuse(path, {
        "fparam": fitting.get("numb_fparam"), "aparam": fitting.get("numb_aparam"),
        "case embedding": fitting.get("dim_case_embd"), "exclude_types": fitting.get("exclude_types"),
        "atom_exclude_types": model.get("atom_exclude_types"), "pair_exclude_types": model.get("pair_exclude_types"),
        "spin": fitting.get("spin"),
    })  # fmt: skip
    names = tuple(model["type_map"])
    nets = tuple(read_network(path, n) for n in fitting["nets"]["networks"])
    bias = np.zeros(len(names))
    for found in (fitting["@variables"].get("bias_atom_e"), model["@variables"].get("out_bias")):
        bias = bias if found is None else bias + np.asarray(found, float).reshape(len(names))
    return kind(  # pyright: ignore[reportCallIssue]
        descriptor=descriptor, fitting=FittingNet(nets), bias=bias, names=names, nearest=nearest
    )
