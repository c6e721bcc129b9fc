"""The types of models, descriptors and fitting nets that DeePMD-kit 3.2 has, by their names in files: what each is, and what is
read here."""

from __future__ import annotations

from collections.abc import Collection

from ._node import NEWEST, Node


def _by_name(table: dict[str, str]) -> dict[str, str]:
    """Words for each of the names that mean the same."""
    return {name: words for names, words in table.items() for name in names.split()}


SPINS = "whose energy depends on magnetic moments"
MODELS = _by_name({
    "standard ener": "a descriptor and a fitting net",
    "zbl": "a Deep Potential that gives way to a table of pairs where atoms come close",
    "spin_ener": f"a spin model (DeepSPIN), {SPINS}",
    "native_spin": f"a spin model, {SPINS}",
    "sezm_spin": f"a spin model (DeepSPIN with DPA-4), {SPINS}",
    "sezm_native_spin": f"a spin model (DPA-4), {SPINS}",
    "dpa4 DPA4 dpa4_ener sezm SeZM sezm_ener": "DPA-4 (SeZM)",
    "dpa4_property DPA4Property sezm_property SeZMProperty": "a model of properties (DPA-4), not of energies",
    "linear linear_ener": "a linear energy model, a weighted sum of models",
    "pairtab": "a table of pairs alone",
    "pairwise_dprc": "a model of the range correction of QM/MM (DPRc)",
    "inner_potential": "a built-in pair potential alone",
    "frozen": "a reference to another file",
    "multi-task": "several models that were trained together: write one of them (dp freeze --head)",
    "dipole": "a model of dipoles, not of energies",
    "polar": "a model of polarizabilities, not of energies",
    "dos": "a model of densities of states, not of energies",
    "property": "a model of properties, not of energies",
    "population": "a model of populations, not of energies",
})  # fmt: skip
DESCRIPTORS = _by_name({
    "se_e2_a se_a": "lengths and directions",
    "se_e2_r se_r": "lengths",
    "se_e3 se_at se_a_3be": "angles between neighbours",
    "se_atten dpa1": "DPA-1",
    "se_atten_v2": "DPA-1 with types through a gate",
    "hybrid": "several beside each other",
    "dpa2": "DPA-2 (descriptor dpa2 with repinit and repformer)",
    "dpa3": "DPA-3 (descriptor dpa3 with repflows)",
    "dpa4 DPA4 sezm SeZM": "DPA-4 (SeZM)",
    "dpa4c": "DPA-4 for charges and spins",
    "se_repflow": "the repflows of DPA-3 alone",
    "se_repformer se_uni": "the repformer of DPA-2 alone",
    "se_e3_tebd se_ttebd": "angles between neighbours with type embedding",
    "se_a_ebd se_a_tpe se_a_ebd_v2 se_a_tpe_v2": "lengths and directions with type embedding",
    "se_a_ef": "lengths and directions in an electric field",
    "se_a_mask": "lengths and directions with a mask of atoms",
    "loc_frame": "coordinates in a frame of each atom's own",
})  # fmt: skip
FITTINGS = _by_name({
    "ener": "energies",
    "direct_force direct_force_ener": "forces that are no derivatives of an energy",
    "dipole": "dipoles, not energies",
    "polar": "polarizabilities, not energies",
    "dos": "densities of states, not energies",
    "property": "properties, not energies",
    "population": "populations, not energies",
    "invar": "numbers that have no name",
    "dpa4_ener sezm_ener": "energies of DPA-4",
})  # fmt: skip


def model_type(model: Node) -> str:
    """**Raises** `NotImplementedError` that says what it is, unless it is `standard` or `zbl`."""
    found = model.word("type", _untold(model))
    if found == "ener":  # in inputs of dp train
        return "standard"
    if found not in ("standard", "zbl"):
        raise NotImplementedError(
            f"{model.file} holds {_said(found, MODELS, 'a model of the type ')}. md.DeepPotential.load reads models of the "
            "type 'standard', md.JoinedPotential.load those of the type 'zbl'."
        )
    return found


def _untold(model: Node) -> str:
    if "model_dict" in model:
        return "multi-task"
    return "spin_ener" if "backbone_model" in model else "standard"


def descriptor_type(descriptor: Node, read: Collection[str]) -> str:
    """**Raises** `NotImplementedError` that says what it is, unless it is one of `read`."""
    found = descriptor.word("type")
    if found not in read:
        raise NotImplementedError(
            f"{descriptor.file}: the descriptor is {_said(found, DESCRIPTORS)}; sciml.md reads se_e2_a, se_e2_r, se_e3, "
            "se_atten (DPA-1) and hybrid."
        )
    return found


def check_fitting(fitting: Node) -> None:
    """**Raises** `NotImplementedError` that says what it gives, unless these are energies."""
    found = fitting.word("type")
    if found != "ener":
        raise NotImplementedError(
            f"{fitting.file}: the fitting net gives {_said(found, FITTINGS)}; sciml.md reads those of energies, 'ener'."
        )


def _said(found: str, table: dict[str, str], kind: str = "") -> str:
    return f"{table[found]}: {found!r}" if found in table else f"{kind}{found!r}, which DeePMD-kit {NEWEST} does not have"
