"""Model files of DeePMD-kit as they come: its own test files, other kinds of models, and files that are damaged or not known
(../shared/cases/md.md, 19; results.md, M11, M18, M19)."""

import copy
import os
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sciml
from sciml import md
from sciml.md.deep.deepmd._descriptors import READERS
from sciml.md.deep.deepmd._kinds import DESCRIPTORS, FITTINGS, MODELS
from sciml.md.deep.deepmd._save import model_tree
from sciml.md.deep.deepmd._tree import read_tree, write_tree

yaml = pytest.importorskip("yaml")
pytest.importorskip("h5py")

ODD = Path(os.environ.get("SCIML_DATA", Path(__file__).parents[3] / "../shared/data")) / "odd/deepmd_models"
needs_data = pytest.mark.skipif(not ODD.exists(), reason=f"{ODD} is not here: set SCIML_DATA")
CASES = Path(__file__).parent / "deepmd_cases"

# What DeePMD-kit computes with its own files: the file of the right values, the first energy, and the last [eV].
READ = {
    "deeppot_sea.yaml": ("deeppot-testcase.yaml", -929.7371700503966, -929.7134632564031),
    "deeppot-r.yaml": ("deeppot-r-testcase.yaml", -933.6236442492451, -933.6355652266651),
}
REFUSED = {
    "deeppot_dpa.yaml": (NotImplementedError, r"DPA-2 \(descriptor dpa2 with repinit and repformer\)"),
    "deeppot_dpa_spin.yaml": (NotImplementedError, r"a spin model \(DeepSPIN\)"),
    "fparam_aparam.yaml": (NotImplementedError, r"fparam \(1 for each frame\) and aparam \(1 for each atom\)"),
    "deeppot-testcase.yaml": (ValueError, "no model"),
    "deeppot-r-testcase.yaml": (ValueError, "no model"),
    "fparam_aparam-testcase.yaml": (ValueError, "no model"),
}


@needs_data
def test_each_file_has_a_row():
    assert {path.name for path in ODD.iterdir()} == READ.keys() | REFUSED.keys()


def numbers(value):
    """Of lists in lists; YAML reads 1e-5 as a word."""
    return np.array([float(x) for x in np.ravel(np.array(value, object))])


@needs_data
@pytest.mark.parametrize("name", [pytest.param("deeppot_sea.yaml", marks=pytest.mark.slow), "deeppot-r.yaml"])
def test_deepmd_kits_own_numbers(tmp_path, name):
    """To 1e-10, and the same once more from what is written."""
    model = md.DeepPotential.load(ODD / name)
    again = md.DeepPotential.load(model.save(tmp_path / "a.dp"))
    assert jax.tree.structure(again) == jax.tree.structure(model) and repr(again) == repr(model)
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(model), strict=True))
    case, first, last = READ[name]
    blocks, energies = yaml.safe_load((ODD / case).read_text())["results"], []
    for block in blocks:
        box = None if block.get("box") is None else numbers(block["box"]).reshape(3, 3)
        kinds = [model.names[k] for k in block["atype"]]
        atoms = md.system(numbers(block["coord"]).reshape(-1, 3), kinds, cell=box, periodic=box is not None)
        with sciml.float64():
            lists = md.allocate(atoms, model.cutoff, skin=0.0)
            found = jax.jit(md.evaluate)(model, jax.tree.map(jnp.asarray, atoms), lists)
        energies.append(float(found.energy))
        for ours, theirs in (("atom_energies", "atomic_energy"), ("forces", "force"), ("atom_virials", "atomic_virial")):
            np.testing.assert_allclose(np.ravel(getattr(found, ours)), numbers(block[theirs]), atol=1e-10, err_msg=ours)
    assert len(blocks) == 3
    np.testing.assert_allclose(energies, [first, last, last], atol=1e-9)


@needs_data
@pytest.mark.parametrize("name", REFUSED)
def test_deepmd_kits_files_that_are_refused(name):
    error, said = REFUSED[name]
    with pytest.raises(error, match=said) as raised:
        md.DeepPotential.load(ODD / name)
    assert str(ODD / name) in str(raised.value)


# Kinds of models.


def tree():
    """A small model of O and H, as it is written."""
    d = md.SeE2A.new(2, cutoff=3.0, sel=(4, 5), widths=(3, 6), axis=2)
    fitting = md.FittingNet.new(2, d.size, widths=(4, 4))
    return model_tree(md.DeepPotential(d, fitting, np.array([-400.0, -10.0]), ("O", "H"), nearest=0.9))


def refused(tmp_path, change, error):
    """What loading the changed model says."""
    given = copy.deepcopy(tree())
    change(given["model"])
    with pytest.raises(error) as raised:
        md.DeepPotential.load(write_tree(tmp_path / "a.dp", given))
    assert str(raised.value).startswith(str(tmp_path / "a.dp"))
    return str(raised.value)


def test_every_kind_is_named_as_what_it_is(tmp_path):
    for name, words in MODELS.items():
        if name not in ("standard", "ener", "zbl"):
            assert words in refused(tmp_path, lambda m, name=name: m.update(type=name), NotImplementedError)
    assert READERS.keys() <= DESCRIPTORS.keys()
    for name in DESCRIPTORS.keys() - READERS.keys():
        said = refused(tmp_path, lambda m, name=name: m["descriptor"].update(type=name), NotImplementedError)
        assert DESCRIPTORS[name] in said
    for name in FITTINGS.keys() - {"ener"}:
        said = refused(tmp_path, lambda m, name=name: m["fitting"].update(type=name), NotImplementedError)
        assert FITTINGS[name] in said
    for part in ("descriptor", "fitting"):
        said = refused(tmp_path, lambda m, part=part: m[part].update(type="new"), NotImplementedError)
        assert "'new', which DeePMD-kit 3.2 does not have" in said
    assert "'new'" in refused(tmp_path, lambda m: m.update(type="new"), NotImplementedError)


def test_models_of_models(tmp_path):
    spin = {"backbone_model": tree()["model"], "spin": {"use_spin": [True, False]}}
    with pytest.raises(NotImplementedError, match=r"a spin model \(DeepSPIN\)"):
        md.DeepPotential.load(write_tree(tmp_path / "a.dp", {"model": spin}))
    both = {"model_dict": {"a": tree()["model"]}}
    with pytest.raises(NotImplementedError, match="trained together"):
        md.DeepPotential.load(write_tree(tmp_path / "b.dp", {"model": both}))
    write_tree(tmp_path / "c.dp", tree())
    with pytest.raises(NotImplementedError, match="'standard', without a pair potential: md.DeepPotential.load"):
        md.JoinedPotential.load(tmp_path / "c.dp")
    with pytest.raises(NotImplementedError, match="'zbl', with a pair potential: md.JoinedPotential.load"):
        md.DeepPotential.load(CASES / "zbl.dp")
    made = {"type_map": ["O", "H"], "descriptor": {"type": "se_e2_a"}, "fitting_net": {"neuron": [4]}}
    (tmp_path / "input.yaml").write_text(yaml.safe_dump({"model": made, "training": {}}))
    with pytest.raises(ValueError, match="is an input of dp train"):
        md.DeepPotential.load(tmp_path / "input.yaml")


def test_the_gate_of_se_atten_v2_is_that_of_dpa1(tmp_path):
    given = read_tree(CASES / "dpa1_gate.dp")
    d = given["model"]["descriptor"]
    d.update(smooth_type_embedding=True)
    wanted = md.DeepPotential.load(write_tree(tmp_path / "a.dp", given))
    assert d.pop("tebd_input_mode") == "strip" and d.pop("smooth_type_embedding")
    d.update(type="se_atten_v2")
    found = md.DeepPotential.load(write_tree(tmp_path / "b.dp", given))
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True))


def test_types_without_places(tmp_path):
    """DeePMD-kit writes a sel of zero in hybrid models; such a type has no numbers in davg and dstd."""
    parts = [md.SeE2A.new(2, cutoff=3.0, sel=(4, 0), widths=(6,), axis=2), md.SeE2R.new(2, cutoff=2.0, sel=(0, 5), widths=(3,)),
             md.SeE3.new(2, cutoff=2.5, sel=(3, 0), widths=(3,))]  # fmt: skip
    d = md.Hybrid(parts)
    model = md.DeepPotential(d, md.FittingNet.new(2, d.size, widths=(4,)), np.zeros(2), ("O", "H"))
    again = md.DeepPotential.load(model.save(tmp_path / "a.dp"))
    assert repr(again) == repr(model)
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(model), strict=True))


# What is not known, missing, or does not fit.

UNKNOWN = {
    "a descriptor's option": (lambda m: m["descriptor"].update(new_option=False), "model.descriptor has new_option"),
    "a fitting net's": (lambda m: m["fitting"].update(new_option=1), "model.fitting has new_option"),
    "a model's": (lambda m: m.update(new_option=1, other=2), "model has new_option, other"),
    "a layer's": (
        lambda m: m["descriptor"]["embeddings"]["networks"][1]["layers"][0].update(new_option=1),
        r"model.descriptor.embeddings.networks[1].layers[0] has new_option",
    ),
    "a variable": (lambda m: m["descriptor"]["@variables"].update(gain=np.ones(2)), "model.descriptor.@variables has gain"),
    "a newer format": (lambda m: m["fitting"].update({"@version": 9}), "model.fitting is written in version 9"),
    "energies of free atoms": (lambda m: m["fitting"].update(atom_ener=[-3.0, None]), "atom_ener"),
    "a total energy of zero": (lambda m: m["fitting"].update(tot_ener_zero=True), "tot_ener_zero"),
    "atoms left out": (lambda m: m.update(atom_exclude_types=[1]), "atom_exclude_types"),
    "pairs left out": (lambda m: m.update(pair_exclude_types=[[0, 0]]), "pair_exclude_types"),
    "protection as a word": (lambda m: m["descriptor"].update(env_protection="1e-06"), "env_protection"),
    "another switch": (lambda m: m["descriptor"]["env_mat"].update(use_exp_switch=True), "use_exp_switch"),
    "an activation": (
        lambda m: m["fitting"]["nets"]["networks"][0]["layers"][0].update(activation_function="silut"), "'silut'; sciml.md has"
    ),
}  # fmt: skip
WRONG = {
    "a short type_map": (lambda m: m.update(type_map=["O"]), "type_map is ['O', 'H']; expected that of the model, ['O']"),
    "one in the model alone": (
        lambda m: (m.update(type_map=["O"]), m["descriptor"].pop("type_map")), "names 1 types (O), and model.descriptor.sel"
    ),
    "a name twice": (lambda m: m.update(type_map=["O", "O"]), "each once"),
    "no names": (lambda m: m.update(type_map="O H"), "expected the names of the types"),
    "other names": (lambda m: m["descriptor"].update(type_map=["H", "O"]), "expected that of the model, ['O', 'H']"),
    "sel: auto": (lambda m: m["descriptor"].update(sel="auto"), "sel is 'auto'; expected whole numbers, which dp train puts"),
    "half a place": (lambda m: m["descriptor"].update(sel=[4, 4.5]), "model.descriptor.sel is [4, 4.5]"),
    "no sel": (lambda m: m["descriptor"].pop("sel"), "it has no model.descriptor.sel"),
    "a cutoff in words": (lambda m: m["descriptor"].update(rcut="six"), "model.descriptor.rcut is 'six'; expected a number"),
    "a switch beyond": (lambda m: m["descriptor"].update(rcut_smth=7.0), "below rcut, 3 angstrom"),
    "yes": (lambda m: m["descriptor"].update(type_one_side="yes"), "type_one_side is 'yes'; expected true or false"),
    "columns": (lambda m: m["descriptor"].update(axis_neuron=7), "axis_neuron is 7; expected a number of columns from 1 to"),
    "no out_bias": (lambda m: m["@variables"].pop("out_bias"), "it has no model.@variables.out_bias"),
    "a short bias": (lambda m: m["@variables"].update(out_bias=np.zeros((1, 1, 1))), "the shape (1, 1, 1); expected (2,)"),
    "davg": (
        lambda m: m["descriptor"]["@variables"].update(davg=np.zeros((2, 8, 4))),
        "model.descriptor.@variables.davg has the shape (2, 8, 4); expected (2, 9, 4), of types, the sum of sel, columns",
    ),
    "davg without directions": (
        lambda m: m["descriptor"]["@variables"].update(davg=np.zeros((2, 9, 1))), "the shape (2, 9, 1); expected (2, 9, 4)"
    ),
    "no dstd": (lambda m: m["descriptor"]["@variables"].pop("dstd"), "it has no model.descriptor.@variables.dstd"),
    "dstd of zero": (lambda m: m["descriptor"]["@variables"].update(dstd=np.zeros((2, 9, 4))), "dstd is zero"),
    "NaN": (lambda m: m["descriptor"]["@variables"]["davg"].fill(np.nan), "davg has numbers that are not finite"),
    "a net too few": (lambda m: m["descriptor"]["embeddings"]["networks"].pop(), "are 1 and ndim is 1; expected 2"),
    "no net": (lambda m: m["fitting"]["nets"].update(networks=[None] * 2), "model.fitting.nets.networks[0] is empty"),
    "a word for nets": (lambda m: m["fitting"]["nets"].update(networks="none"), "is 'none'; expected a list"),
    "a word for a layer": (lambda m: m["fitting"]["nets"]["networks"][0].update(layers=["a"]), "expected keys and values"),
    "no layers": (lambda m: m["fitting"]["nets"]["networks"][0].update(layers=[]), "expected at least one"),
    "a layer too few": (
        lambda m: m["fitting"]["nets"]["networks"][0]["layers"].pop(0), "layers[0] takes 4 numbers, and it is given 12"
    ),
    "no weights": (
        lambda m: m["fitting"]["nets"]["networks"][0]["layers"][1]["@variables"].pop("w"), "layers[1].@variables.w, which"
    ),
    "a short b": (
        lambda m: m["fitting"]["nets"]["networks"][0]["layers"][1]["@variables"].update(b=np.zeros(3)), "(3,); expected (4,)"
    ),
    "no fitting": (lambda m: m.pop("fitting"), "it has no fitting"),
    "more than the energy": (lambda m: m["fitting"].update(dim_out=3), "dim_out is 3"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_known_is_named(tmp_path, name):
    change, said = UNKNOWN[name]
    assert said in refused(tmp_path, change, NotImplementedError)


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_told_by_its_key(tmp_path, name):
    change, said = WRONG[name]
    assert said in refused(tmp_path, change, ValueError)


def places(node, keys=()):
    """The keys that lead to everything in a tree."""
    inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inside:
        yield (*keys, key)
        yield from places(value, (*keys, key))


def with_another(node, keys, value):
    """A tree with another value at one place."""
    made = copy.copy(node)
    made[keys[0]] = value if len(keys) == 1 else with_another(node[keys[0]], keys[1:], value)
    return made


@pytest.mark.parametrize("name", ["se_e2_r", "hybrid_with_dpa1", "zbl"])
def test_whatever_stands_at_a_key(monkeypatch, name):
    """Each of them is read, or refused in words of ours that name the file."""
    path, whole = CASES / f"{name}.dp", read_tree(CASES / f"{name}.dp")
    kind = md.JoinedPotential if name == "zbl" else md.DeepPotential
    others = [None, "auto", [], {}, -1, 0, 1.5, True, np.nan, [None], {"a": 1}, np.zeros(0), np.zeros((2, 2)), np.array(["a"])]
    refused = 0
    for n, keys in enumerate(k for k in places(whole) if k[0] in ("model", "@variables")):
        for other in others[n % 5 :: 5]:
            monkeypatch.setattr("sciml.md.deep.deepmd._load.read_tree", lambda _, k=keys, o=other: with_another(whole, k, o))
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    kind.load(path)
            except (ValueError, NotImplementedError) as error:
                assert str(error).startswith(str(path)), (keys, other, error)
                refused += 1
    assert refused > 200


def as_yaml(node):
    if isinstance(node, np.ndarray):
        return {"@class": "np.ndarray", "dtype": str(node.dtype), "value": node.tolist()}
    if isinstance(node, dict):
        return {key: as_yaml(value) for key, value in node.items()}
    return [as_yaml(value) for value in node] if isinstance(node, list) else node


def test_files_that_are_cut_off(tmp_path):
    """The path is told, in words of ours."""
    model = md.DeepPotential.load(write_tree(tmp_path / "whole.dp", tree()))
    text, binary = yaml.safe_dump(as_yaml(tree())), (tmp_path / "whole.dp").read_bytes()
    (tmp_path / "whole.yaml").write_text(text)
    same = md.DeepPotential.load(tmp_path / "whole.yaml")
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(same), jax.tree.leaves(model), strict=True))
    end = text.index("model_def_script")
    pieces = [("cut.yaml", text[: int(end * share)].encode()) for share in np.linspace(0, 0.999, 25)]
    pieces += [("cut.dp", binary[: int(len(binary) * share)]) for share in np.linspace(0, 0.99, 12)]
    pieces += [("cut.dp", b"words"), ("cut.yaml", b"words"), ("cut.yaml", binary[:300]), ("cut.yaml", b"model: words")]
    for name, piece in pieces:
        (tmp_path / name).write_bytes(piece)
        with pytest.raises(ValueError) as raised:
            md.DeepPotential.load(tmp_path / name)
        assert str(tmp_path / name) in str(raised.value) and "Error" not in str(raised.value)
