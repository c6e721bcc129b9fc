"""Folders of DeePMD-kit as they come (../shared/cases/md.md, 4 to 7, 13 and 18; results.md, M17, M22): its own test data, each
file named here, and small folders of the same kinds."""

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sciml import md
from sciml.md.learning.training._prepare import least_squares_bias

ODD = Path(os.environ.get("SCIML_DATA", Path(__file__).parents[3] / "../shared/data")) / "odd/deepmd_data"
needs_data = pytest.mark.skipif(not ODD.exists(), reason=f"{ODD} is not here: set SCIML_DATA")

# Frames, atoms of each name, whether it has a cell, the smallest distance, the largest component of a force, what is told.
READ = {
    "examples/nopbc/data/C1H4O2": (1562, {"C": 1, "H": 4, "O": 2}, False, 0.515, 148.49, None),
    "examples/nopbc/data/C3H3O4": (485, {"C": 3, "H": 3, "O": 4}, False, 0.593, 128.61, None),
    "examples/nopbc/data/C4H3O1": (15, {"C": 4, "H": 3, "O": 1}, False, 0.872, 64.23, None),
    "source/tests/tf/finetune/data": (4, {"O": 64, "H": 128}, True, 0.915, 3.953, None),
    "source/tests/tf/finetune/data_mixed_type": (4, {"O": 64, "H": 128}, True, 0.915, 3.953, None),
    "source/tests/pt/NiO/data/single": (1, {"Ni": 16, "O": 16}, True, 2.084, 0.119, "force_mag.npy, spin.npy are not read"),
    "source/tests/pt/model/water/data/single": (
        1, {"O": 64, "H": 128}, True, 0.910, 3.827, "aparam.npy, fparam.npy are not read"
    ),
    "source/tests/tf/data_modifier/sys_10": (
        10, {"Type_0": 16, "Type_1": 32}, True, 0.934, 2.901, "atomic_dipole.npy is not read"
    ),
}  # fmt: skip
# What loading says; inputs of dp train and the table of a pair potential are no frames, and no models either.
REFUSED = {
    "source/tests/tf/data_dp_mask": "different numbers of frames, 4 in coord.npy, force.npy; 2 in energy.npy",
    "source/tests/pt/model/water/data/zbl_tab_potential": "holds no dataset of DeePMD-kit.*it holds H2O_tab_potential.txt",
    "source/tests/pt/model/water/zbl.json": "could not be read by ASE",
    "source/tests/tf/data_modifier/dipole.json": "could not be read by ASE",
    "source/tests/tf/finetune/input_finetune.json": "could not be read by ASE",
    "source/tests/tf/finetune/input_pretrain.json": "could not be read by ASE",
    "examples/nopbc/mixed/input.json": "could not be read by ASE",
    "examples/nopbc/train/input.json": "could not be read by ASE",
}


@needs_data
def test_each_file_has_a_row():
    rows = [ODD / name for name in (*READ, *REFUSED)]
    assert all(row.exists() for row in rows)
    assert not [p for p in ODD.rglob("*") if p.is_file() and not any(p == row or row in p.parents for row in rows)]


@needs_data
@pytest.mark.parametrize("name", READ)
def test_deepmd_kits_own_folders(name):
    frames, atoms, periodic, nearest, largest, told = READ[name]
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        d = md.Dataset.load(ODD / name)
    assert [str(w.message) for w in found] == [] if told is None else told in str(found[0].message) and len(found) == 1
    assert len(d) == frames and np.all(d.periodic == periodic)
    assert {n: int(k) for n, k in zip(d.names, d.counts[-1], strict=True)} == atoms and len(np.unique(d.counts, axis=0)) == 1
    assert d.nearest == pytest.approx(nearest, abs=1e-3) and np.abs(d.forces).max() == pytest.approx(largest, abs=0.01)
    assert d.labelled["energies"].all() and d.labelled["forces"].all() and not d.labelled["virials"].any()
    stored = {key: np.load(ODD / name / f"set.000/{key}.npy").astype(float) for key in ("coord", "energy", "force")}
    np.testing.assert_array_equal(d.positions.ravel(), stored["coord"].ravel())
    np.testing.assert_array_equal(d.forces.ravel(), stored["force"].ravel())
    np.testing.assert_array_equal(d.energies, stored["energy"].ravel())


@needs_data
@pytest.mark.parametrize("name", REFUSED)
def test_deepmd_kits_files_that_are_refused(name):
    with pytest.raises(ValueError, match=f"(?s){REFUSED[name]}"):
        md.Dataset.load(ODD / name)
    if name.endswith(".json"):
        with pytest.raises(ValueError, match="input of dp train is no model"):
            md.DeepPotential.load(ODD / name)


@needs_data
def test_energies_of_atoms_from_one_and_from_three_compositions():
    """The three compositions give all three energies exactly, however few frames one has."""
    water = md.Dataset.load(ODD / "source/tests/tf/finetune/data")
    assert water.energies.mean() / 64 == pytest.approx(-467.868393, abs=1e-6)
    np.testing.assert_allclose(least_squares_bias(water.counts, water.energies), [-93.573679, -187.147357], atol=1e-6)
    d = md.Dataset.load(ODD / "examples/nopbc/data")
    assert len(d) == 1562 + 485 + 15 and d.names == ("C", "H", "O")
    np.testing.assert_allclose(least_squares_bias(d.counts, d.energies), [-1029.5623, -13.9709, -2047.9103], atol=1e-4)


@needs_data
def test_mixed_and_plain_are_the_same():
    plain, mixed = (md.Dataset.load(ODD / f"source/tests/tf/finetune/{name}") for name in ("data", "data_mixed_type"))
    assert plain.names == mixed.names
    for name in ("positions", "species", "first", "cells", "energies", "forces"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(mixed, name))


@needs_data
def test_a_narrow_cell_and_a_table():
    with pytest.warns(UserWarning, match="spin.npy"):
        cell = md.Dataset.load(ODD / "source/tests/pt/NiO/data/single", names=["O", "Ni"]).cells[0]
    lengths, unit = np.linalg.norm(cell, axis=1), cell / np.linalg.norm(cell, axis=1)[:, None]
    np.testing.assert_allclose(lengths, 10.246, atol=1e-3)
    np.testing.assert_allclose(np.degrees(np.arccos((unit @ unit.T)[[0, 0, 1], [1, 2, 2]])), 33.6, atol=0.05)
    np.testing.assert_allclose(1 / np.linalg.norm(np.linalg.inv(cell), axis=0), 5.05, atol=0.01)
    # Columns r, O-O, O-H, H-H.
    r, *columns = np.loadtxt(ODD / "source/tests/pt/model/water/data/zbl_tab_potential/H2O_tab_potential.txt").T
    table = md.Tabulated(r, np.array(columns)[[[0, 1], [1, 2]]], names=("O", "H"))
    assert table.closest == 0.001 and table.cutoff == 1.0
    one = np.array([0.9995**2])
    for (a, b), last in (((0, 0), 23.3), ((0, 1), 4.77), ((1, 1), 1.03)):
        assert float(table.pair_energies(one, a, b)[0]) == pytest.approx(last, rel=0.01)


# Small ones of the same kinds.


def folder(path: Path, sets: Any, types="0 1 1", names="O H", **files):
    """A folder with one set.00k of arrays for each of `sets`."""
    for k, arrays in enumerate(sets):
        inside = path / f"set.{k:03d}"
        inside.mkdir(parents=True)
        for name, array in arrays.items():
            np.save(inside / f"{name}.npy", array)
    for name, text in {"type": types, "type_map": names, **files}.items():
        (path / f"{name}.raw").write_text(text)
    (path / "nopbc").touch()
    return path


def water(frames=2, seed=0, atoms=3, **more: Any) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    made = {"coord": rng.normal(size=(frames, 3 * atoms)), "energy": rng.normal(size=frames)}
    return made | {"force": rng.normal(size=(frames, 3 * atoms)), **more}


def test_files_that_disagree_are_both_named(tmp_path):
    path = folder(tmp_path / "a", [water(4, energy=np.zeros((2, 1)), virial=np.zeros((4, 9)))])
    with pytest.raises(ValueError, match="set.000: .* 4 in coord.npy, force.npy, virial.npy; 2 in energy.npy"):
        md.Dataset.load(path)
    path = folder(tmp_path / "b", [water(4, force=np.zeros((4, 0)))])
    with pytest.raises(ValueError, match=r"force.npy has the shape \(4, 0\); expected \(4, 9\) of 3 atoms"):
        md.Dataset.load(path)


def test_arrays_that_are_damaged(tmp_path):
    path = folder(tmp_path / "a", [water()]) / "set.000/force.npy"
    whole = path.read_bytes()
    for piece in (b"", whole[:60], whole[:-8], b"words"):
        path.write_bytes(piece)
        with pytest.raises(ValueError, match="force.npy is no file of an array of numbers"):
            md.Dataset.load(tmp_path / "a")
    for wrong in (np.array([["a"] * 9] * 2), np.array([[None] * 9] * 2)):
        np.save(path, wrong)
        with pytest.raises(ValueError, match="force.npy is no file of an array of numbers"):
            md.Dataset.load(tmp_path / "a")


def test_arrays_that_are_not_read_are_told_once(tmp_path):
    more: dict[str, Any] = {"fparam": np.zeros((2, 1)), "aparam": np.zeros((2, 3))}
    folder(tmp_path / "a", [water(**more), water(seed=1, **more)])
    folder(tmp_path / "b", [water(seed=2, spin=np.zeros((2, 9)))])
    folder(tmp_path / "c", [water(seed=3)])
    with pytest.warns(UserWarning, match=r"set.000 and 2 more: aparam.npy, fparam.npy, spin.npy are not read") as found:
        assert len(md.Dataset.load(tmp_path)) == 8
    assert len(found) == 1 and found[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        md.Dataset.load(md.Dataset.load(tmp_path / "c").write(tmp_path / "d"))


def test_names_that_are_no_elements(tmp_path):
    path = folder(tmp_path / "a", [water()], names="Type_0 Type_1")
    with pytest.raises(ValueError, match=r"lacks Type_0, Type_1, .* names=\{'Type_0': \.\.\., 'Type_1': \.\.\.\}"):
        md.Dataset.load(path, names=["O", "H"])
    d, plain = md.Dataset.load(path, names={"Type_0": "O", "Type_1": "H"}), md.Dataset.load(path)
    assert d.names == ("O", "H") and repr(d).startswith("Dataset(2 frames of O1 H2;")
    assert plain.names == ("Type_0", "Type_1") and repr(plain).startswith("Dataset(2 frames of Type_0 (1) Type_1 (2);")
    np.testing.assert_array_equal(d.species, [0, 1, 1] * 2)
    assert d.systems[0].masses == pytest.approx([15.999, 1.008, 1.008])
    with pytest.warns(UserWarning, match=r"Type_0, Type_1 are no elements, and mass 1 amu .* dataset.renamed\({name"):
        assert plain.systems[0].masses == pytest.approx(np.ones(3))
    # Two that mean the same; one that is right already.
    assert plain.renamed({"Type_0": "O", "Type_1": "O"}).names == ("O",)
    assert plain.renamed({"Type_1": "H"}).names == ("Type_0", "H")
    for names, said in (({"Type_2": "O"}, "what Type_2 means, which no frame has; there is Type_0, Type_1"),
                        ({}, "expected what"), ({0: "O"}, "expected what names in files mean")):  # fmt: skip
        given: Any = names
        with pytest.raises(ValueError, match=said):
            md.Dataset.load(path, names=given)


def test_the_order_of_types_and_types_that_no_atom_has(tmp_path):
    one = md.Dataset.load(folder(tmp_path / "a", [water()]))
    other = md.Dataset.load(folder(tmp_path / "b", [water()], types="2 1 1", names="D H O"), names=["O", "H"])
    assert one.names == other.names == ("O", "H")
    np.testing.assert_array_equal(one.species, other.species)
    with pytest.raises(ValueError, match="lacks D, which frames have"):
        md.Dataset.load(folder(tmp_path / "c", [water()], types="0 1 1", names="D H"), names=["O", "H"])


def test_padding_is_no_atom(tmp_path):
    """Three atoms and five in five places, sets of other compositions and lengths; type.raw says nothing. Padding lies on an
    atom."""
    first, second = water(2, atoms=5), water(3, seed=1, atoms=5)
    first["coord"][0, 9:] = first["coord"][0, 3:6].tolist() * 2
    kinds = [np.array([[0, 1, 1, -1, -1], [0, 0, 1, 1, 1]]), np.array([[1, 1, 1, 0, 0]] * 2 + [[1, -1, 0, 0, 0]])]
    sets = [a | {"real_atom_types": k} for a, k in zip((first, second), kinds, strict=True)]
    d = md.Dataset.load(folder(tmp_path / "a", sets, types="0 0 0 0 0"))
    np.testing.assert_array_equal(d.atoms, [3, 5, 5, 5, 4])
    np.testing.assert_array_equal(d.counts, [[1, 2], [2, 3], [2, 3], [2, 3], [3, 1]])
    np.testing.assert_array_equal(d.positions[:3].ravel(), first["coord"][0, :9])
    np.testing.assert_array_equal(d.forces[-3:].ravel(), second["force"][2, 6:])
    alone = first["coord"][0, :9].reshape(3, 3)
    assert d.distances[0] == pytest.approx(min(np.linalg.norm(alone[i] - alone[j]) for i, j in ((0, 1), (0, 2), (1, 2))))
