"""A potential from DeePMD-kit's native files."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .._descriptor import warn_of_leaps
from .._fitting import FittingNet
from ._descriptors import READERS, read_descriptor
from ._kinds import check_fitting, descriptor_type, model_type
from ._networks import read_all_networks
from ._node import Node
from ._tree import read_tree

if TYPE_CHECKING:
    from .._potential import DeepPotential


PARAMETERS = {"fparam": "frame", "aparam": "atom"}


def load_deep_potential(kind: type[DeepPotential], path: Any) -> DeepPotential:
    """Reads a `.dp` or `.yaml` model; DeePMD-kit is not needed.

    **Raises** `NotImplementedError` that names what the file asks for and is not here, `ValueError` for files of another kind,
    and where something is missing or does not fit.
    """
    found = in_file(path, partial(_read, kind))
    warn_of_leaps(found.descriptor, str(path), 4)
    return found


def in_file(path: Any, read: Any) -> Any:
    """`read(model, nearest)` of what the file holds."""
    tree = read_tree(path)
    model = tree.get("model")
    if not isinstance(model, dict):
        raise ValueError(f"{path} holds no model of DeePMD-kit: it has no key 'model' with more below it.")
    if "fitting_net" in model or "training" in tree:
        raise ValueError(
            f"{path} is an input of dp train, which says how a model is made, and holds none: expected the model itself."
        )
    around = tree.get("@variables")
    around = Node(path, "@variables", {} if around is None else around)
    nearest = around.number("min_nbor_dist") if "min_nbor_dist" in around else None
    return read(Node(path, "model", model), nearest)


def _read(kind: type[DeepPotential], model: Node, nearest: float | None) -> DeepPotential:
    if model_type(model) == "zbl":
        raise NotImplementedError(
            f"{model.file}: the model type is 'zbl', with a pair potential: md.JoinedPotential.load reads it."
        )
    return read_model(kind, model, nearest)


def read_model(kind: type[DeepPotential], model: Node, nearest: float | None, biased: bool = True) -> DeepPotential:
    """A model of the type standard; `biased`, with the bias of the model beside that of its fitting net."""
    for key in ("descriptor", "fitting"):
        if key not in model:
            raise ValueError(f"{model.file} holds no model of DeePMD-kit: it has no {key}.")
    fitting = model.node("fitting")
    check_fitting(fitting)
    descriptor_type(model.node("descriptor"), READERS)
    names = model.names("type_map")
    refuse_exclusions(model)
    counts = {key: fitting.whole(f"numb_{key}", 0) for key in ("fparam", "aparam")}
    if any(counts.values()):
        said = " and ".join(f"{key} ({n} for each {PARAMETERS[key]})" for key, n in counts.items() if n)
        raise NotImplementedError(
            f"{model.file} needs parameters beside positions and species, {said}, which sciml.md does not have."
        )
    fitting.refuse(
        dim_case_embd="an embedding of cases", exclude_types="", spin="", tot_ener_zero="", use_aparam_as_mask="",
        atom_ener="energies of free atoms, which are taken from the net",
    )  # fmt: skip
    descriptor = read_descriptor(model.node("descriptor"), names)
    types = len(names)
    shared = fitting.flag("mixed_types", descriptor.mixed)
    nets = read_all_networks(fitting, "nets", types, 0 if shared else 1, descriptor.size)
    if any(net.width != 1 for net in nets) or fitting.whole("dim_out", 1) != 1:
        raise fitting.wrong("dim_out", "nets that give one number, the energy")
    own = fitting.node("@variables")
    bias = own.array("bias_atom_e", (types,), flat=True) + (read_bias(model, types) if biased else 0)
    own.finish("case_embd", "fparam_avg", "fparam_inv_std", "aparam_avg", "aparam_inv_std")
    fitting.finish("var_name", "dim_descrpt", "default_fparam", "rcond", "layer_name", version=4)
    finish_model(model)
    return kind(  # pyright: ignore[reportCallIssue]
        descriptor=descriptor, fitting=FittingNet(nets), bias=np.asarray(bias, float), names=names, nearest=nearest
    )


def refuse_exclusions(model: Node) -> None:
    model.refuse(atom_exclude_types="", pair_exclude_types="")


def read_bias(model: Node, types: int) -> np.ndarray:
    """Of each type, that the model adds to what is in it [eV]."""
    variables = model.node("@variables")
    found = variables.array("out_bias", (types,), flat=True)
    variables.finish("out_std")
    return np.asarray(found, float)


def finish_model(model: Node) -> None:
    """What every kind of model has."""
    model.finish("@variables", "type", "rcond", "preset_out_bias", version=3)
