"""A `DeepPotential` as a tree that DeePMD-kit reads."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from ...._version import __version__
from ._descriptors import descriptor_tree
from ._networks import collection_tree, is_slow, widths_of

if TYPE_CHECKING:
    from .._potential import DeepPotential


def model_tree(model: DeepPotential) -> dict[str, Any]:
    """The tree of a `.dp` file; DeePMD-kit rejects keys that it does not know."""
    return file_tree(standard_tree(model), model.nearest)


def file_tree(model: dict[str, Any], nearest: float | None) -> dict[str, Any]:
    return {
        "software": "sciml", "version": __version__, "time": time.strftime("%Y-%m-%d %H:%M:%S+00:00", time.gmtime()),
        "backend": "sciml", "model_def_script": _script(model),
        "@variables": {} if nearest is None else {"min_nbor_dist": np.array(nearest)}, "model": model,
    }  # fmt: skip


def _script(model: dict[str, Any]) -> dict[str, Any]:
    """The input of `dp train` that such a model would have, which `dp compress` asks for; empty but for se_e2_a."""
    descriptor, fitting = model.get("descriptor", {}), model.get("fitting", {})
    if descriptor.get("type") != "se_e2_a":
        return {}
    same = "neuron", "resnet_dt", "activation_function", "precision"
    own = "type", "sel", "rcut", "rcut_smth", "axis_neuron", "type_one_side", *same
    return {
        "type_map": model["type_map"], "descriptor": {k: descriptor[k] for k in own},
        "fitting_net": {k: fitting[k] for k in same},
    }  # fmt: skip


def standard_tree(model: DeepPotential) -> dict[str, Any]:
    names = list(model.names)
    return {
        "@class": "Model", "type": "standard", "@version": 2, "descriptor": descriptor_tree(model.descriptor, names),
        "fitting": _fitting(model, names), **unbiased(names),
    }  # fmt: skip


def unbiased(names: list[str]) -> dict[str, Any]:
    """What every kind of model has, with no further bias."""
    types = len(names)
    return {
        "type_map": names, "atom_exclude_types": [], "pair_exclude_types": [], "rcond": None, "preset_out_bias": None,
        "@variables": {"out_bias": np.zeros((1, types, 1)), "out_std": np.ones((1, types, 1))},
    }  # fmt: skip


def _fitting(model: DeepPotential, names: list[str]) -> dict[str, Any]:
    types, mixed = len(names), model.descriptor.mixed
    nets: tuple[Any, ...] = model.fitting.nets
    if mixed and len(nets) > 1:
        raise NotImplementedError(
            f"This model has {len(nets)} fitting nets; with {type(model.descriptor).__name__} DeePMD-kit has one for all. "
            "Build it with FittingNet.new(..., shared=True)."
        )
    nets = nets if mixed or len(nets) == types else nets * types
    empty = dict.fromkeys(("fparam_avg", "fparam_inv_std", "aparam_avg", "aparam_inv_std"))
    return {
        "@class": "Fitting", "type": "ener", "@version": 3, "var_name": "energy", "dim_out": 1, "ntypes": types,
        "dim_descrpt": model.descriptor.size, "neuron": widths_of(nets[0])[:-1], "resnet_dt": is_slow(nets[0]),
        "numb_fparam": 0, "numb_aparam": 0, "dim_case_embd": 0, "default_fparam": None, "rcond": None, "mixed_types": mixed,
        "atom_ener": [], "tot_ener_zero": False, "activation_function": nets[0].layers[0].activation, "layer_name": None,
        "use_aparam_as_mask": False, "spin": None,
        "nets": collection_tree(nets, "FittingNetwork", types, 0 if mixed else 1),
        "@variables": {"bias_atom_e": np.asarray(model.bias, np.float64).reshape(types, 1), "case_embd": None, **empty},
        "type_map": names, "exclude_types": [], "precision": "float64", "trainable": True,
    }  # fmt: skip
