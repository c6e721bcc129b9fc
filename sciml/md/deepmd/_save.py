"""A `DeepPotential` as a tree that DeePMD-kit reads."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from ..deep._arguments import placed
from ..deep._nets import Network
from ..deep._potential import DeepPotential
from ..deep._se_e2_a import SeE2A

COMMON = {"exclude_types": [], "precision": "float64", "trainable": True}


def model_tree(model: DeepPotential) -> dict[str, Any]:
    """The tree of a `.dp` file; DeePMD-kit rejects keys that it does not know."""
    from ... import __version__

    types, names = len(model.names), list(model.names)
    return {
        "software": "sciml", "version": __version__, "time": time.strftime("%Y-%m-%d %H:%M:%S+00:00", time.gmtime()),
        "backend": "sciml", "model_def_script": {},
        "@variables": {} if model.nearest is None else {"min_nbor_dist": np.array(model.nearest)},
        "model": {
            "@class": "Model", "type": "standard", "@version": 2, "type_map": names,
            "descriptor": _descriptor(model.descriptor, names), "fitting": _fitting(model, names), "atom_exclude_types": [],
            "pair_exclude_types": [], "rcond": None, "preset_out_bias": None,
            "@variables": {"out_bias": np.zeros((1, types, 1)), "out_std": np.ones((1, types, 1))},
        },
    }  # fmt: skip


def _descriptor(d: Any, names: list[str]) -> dict[str, Any]:
    """**Raises** `NotImplementedError` for descriptors that DeePMD-kit does not have."""
    for kind, writer in WRITERS.items():
        if type(d) is kind:
            return writer(d, names)
    raise NotImplementedError(f"{type(d).__name__} is no descriptor of DeePMD-kit: it cannot be written for it.")


def _se_e2_a(d: SeE2A, names: list[str]) -> dict[str, Any]:
    sel, net = list(placed(d.sel)), d.embeddings[0]
    spread = lambda a: np.repeat(np.asarray(a, np.float64), sel, axis=1)  # noqa: E731
    return {
        "@class": "Descriptor", "type": "se_e2_a", "@version": 2, "rcut": d.cutoff, "rcut_smth": d.start, "sel": sel,
        "neuron": _widths(net), "axis_neuron": d.axis, "resnet_dt": _slow(net), "set_davg_zero": False,
        "activation_function": net.layers[0].activation, "type_one_side": d.one_sided, "spin": None,
        "env_protection": 0.0, "env_mat": {"rcut": d.cutoff, "rcut_smth": d.start},
        "embeddings": _collection(d.embeddings, "EmbeddingNetwork", len(names), 1 if d.one_sided else 2),
        "@variables": {"davg": spread(d.davg), "dstd": spread(d.dstd)}, "type_map": names, **COMMON,
    }  # fmt: skip


WRITERS: dict[Any, Any] = {SeE2A: _se_e2_a}


def _fitting(model: DeepPotential, names: list[str]) -> dict[str, Any]:
    nets, types = model.fitting.nets, len(names)
    empty = dict.fromkeys(("fparam_avg", "fparam_inv_std", "aparam_avg", "aparam_inv_std"))
    return {
        "@class": "Fitting", "type": "ener", "@version": 3, "var_name": "energy", "dim_out": 1, "ntypes": types,
        "dim_descrpt": model.descriptor.size, "neuron": _widths(nets[0])[:-1], "resnet_dt": _slow(nets[0]), "numb_fparam": 0,
        "numb_aparam": 0, "dim_case_embd": 0, "default_fparam": None, "rcond": None, "mixed_types": False, "atom_ener": [],
        "tot_ener_zero": False,
        "activation_function": nets[0].layers[0].activation, "layer_name": None, "use_aparam_as_mask": False,
        "spin": None, "nets": _collection(nets, "FittingNetwork", types, 1),
        "@variables": {"bias_atom_e": np.asarray(model.bias, np.float64).reshape(types, 1), "case_embd": None, **empty},
        "type_map": names, **COMMON,
    }  # fmt: skip


def _widths(net: Any) -> list[int]:
    return [int(np.shape(layer.w)[1]) for layer in net.layers]


def _slow(net: Any) -> bool:
    return any(layer.idt is not None for layer in net.layers)


def _collection(nets: tuple[Network, ...], kind: str, types: int, dimensions: int) -> dict[str, Any]:
    return {
        "@class": "NetworkCollection", "@version": 1, "ndim": dimensions, "ntypes": types,
        "network_type": "embedding_network" if kind == "EmbeddingNetwork" else "fitting_network",
        "networks": [_network(n, kind) for n in nets],
    }  # fmt: skip


def _network(network: Network, kind: str) -> dict[str, Any]:
    layers, sizes = network.layers, _widths(network)
    found = {
        "@class": kind, "@version": 2 if kind == "EmbeddingNetwork" else 1, "in_dim": int(np.shape(layers[0].w)[0]),
        "activation_function": layers[0].activation, "resnet_dt": _slow(network), "precision": "float64",
        "layers": [
            {
                "@class": "Layer", "@version": 1, "bias": layer.b is not None, "use_timestep": layer.idt is not None,
                "activation_function": layer.activation, "resnet": layer.residual, "precision": "float64",
                "@variables": {k: None if a is None else np.asarray(a, np.float64) for k, a in _arrays(layer).items()},
            }
            for layer in layers
        ],
    }  # fmt: skip
    if kind == "EmbeddingNetwork":
        return found | {"neuron": sizes, "bias": layers[0].b is not None}
    return found | {"neuron": sizes[:-1], "out_dim": sizes[-1], "bias_out": layers[-1].b is not None}


def _arrays(layer: Any) -> dict[str, Any]:
    return {"w": layer.w, "b": layer.b, "idt": layer.idt}
