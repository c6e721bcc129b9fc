"""Datasets: what is read, written, cut, filtered, downloaded; what does not fit is told."""

import dataclasses
import functools
import http.server
import json
import os
import shutil
import threading
import warnings
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from sciml import md
from sciml.md.learning.data._consistency import work_ratio
from sciml.md.learning.data._download import extended_xyz

DATA = Path(os.environ.get("SCIML_DATA", Path(__file__).parents[3] / "../shared/data"))
needs_data = pytest.mark.skipif(not (DATA / "water").exists(), reason=f"{DATA}/water is not here: set SCIML_DATA")
FIELDS = [f.name for f in dataclasses.fields(md.Dataset)]


def assert_same(d, e):
    assert d.names == e.names
    for name in FIELDS[1:]:
        np.testing.assert_array_equal(getattr(d, name), getattr(e, name), err_msg=name)


def frames(count=3):
    """Alloys in triclinic cells, and a molecule without one, with labels that are numbers at random."""
    rng, made = np.random.default_rng(0), []
    for k in range(count):
        atoms = bulk("Cu", cubic=True).repeat((1, 1, 1 + k % 2))
        atoms.set_chemical_symbols(["Cu", "Au"] * (len(atoms) // 2))
        atoms.set_cell(atoms.cell.array + rng.uniform(-0.5, 0.5, (3, 3)), scale_atoms=True)
        made.append(atoms)
    made.append(Atoms("AuH", positions=rng.normal(size=(2, 3))))
    for atoms in made:
        results = {"energy": rng.normal(), "forces": rng.normal(size=(len(atoms), 3))}
        if atoms.pbc.all():
            results["stress"] = rng.normal(size=6)
        atoms.calc = SinglePointCalculator(atoms, **results)
    return made


def dataset(**options):
    return md.Dataset.from_ase(frames(**options))


@functools.cache
def moving():
    """Frames of argon that moves, labelled by the potential that moved it."""
    argon = md.thermal(md.fcc(5.3, 2, "Ar"), 60.0)
    potential = md.LennardJones(0.0104, 3.4, cutoff=5.2, shift=True)
    run = md.simulate(argon, potential, md.NVE(), steps=240, timestep=5.0, every=10, progress=False)
    n, many = argon.atoms, len(run)
    return md.Dataset(
        ("Ar",), run.positions.reshape(-1, 3), np.zeros(n * many), n * np.arange(many + 1), run.cell, np.ones((many, 3)),
        run.potential_energy, run.forces.reshape(-1, 3), np.full((many, 3, 3), np.nan),
    )  # fmt: skip


# What a dataset is.


def test_frames_of_different_sizes_are_flat():
    made = frames()
    d = md.Dataset.from_ase(made)
    assert len(d) == 4 and d.names == ("Cu", "Au", "H")
    np.testing.assert_array_equal(d.atoms, [4, 8, 4, 2])
    np.testing.assert_array_equal(d.counts, [[2, 2, 0], [4, 4, 0], [2, 2, 0], [0, 1, 1]])
    np.testing.assert_array_equal(d.labelled["virials"], [True, True, True, False])
    np.testing.assert_array_equal(d.forces[4:12], made[1].get_forces())
    np.testing.assert_allclose(d.virials[1], -made[1].get_stress(voigt=False) * made[1].get_volume())
    assert repr(d) == "Dataset(4 frames of 2 to 8 atoms, Cu Au H, 3 compositions; energies, forces, virials of 3)"
    assert not d.forces.flags.writeable and d.positions.dtype == np.float64
    one = d.systems[1]
    assert [one.names[k] for k in one.species] == made[1].get_chemical_symbols() and not any(d.systems[3].periodic)
    np.testing.assert_allclose(one.masses, made[1].get_masses())


def test_parts_and_sums():
    d = dataset()
    assert_same(d[:2] + d[2:], d)
    assert_same(d[d.atoms == 4], d[[0, 2]])
    assert_same(d[-1], d[3:])
    assert [len(part) for part in d] == [1, 1, 1, 1] and len(d[[]]) == 0
    with pytest.raises(IndexError):
        d[4]
    merged = d[3:].renamed(["H", "Au"]) + d[:1]
    assert merged.names == ("H", "Au", "Cu")
    np.testing.assert_array_equal(merged.species, [1, 0, 2, 1, 2, 1])
    again = merged.renamed(["Cu", "Au", "H"])
    np.testing.assert_array_equal(again.species, (d[3:] + d[:1]).renamed(["Cu", "Au", "H"]).species)


def test_splits_are_random_disjoint_and_repeatable():
    d = moving()
    train, validation = d.split(0.25, key=3)
    assert (len(train), len(validation)) == (len(d) - round(len(d) / 4), round(len(d) / 4))
    assert sorted([*train.energies, *validation.energies]) == sorted(d.energies)
    assert_same(d.split(3, key=1)[1], d.split(3, key=1)[1])
    assert d.split(3, key=1)[1].energies.tolist() != d.split(3, key=2)[1].energies.tolist()
    for wrong in (0, len(d), 1.5, True, -0.1, "half", 0.01):
        with pytest.raises(ValueError, match="split"):
            d.split(wrong)


@pytest.mark.parametrize("periodic", [True, False, (True, False, True)])
def test_nearest_distances_are_those_of_all_images(periodic):
    """Small and skewed cells, a single atom, atoms outside of the cell: against all images of brute force."""
    rng = np.random.default_rng(1)
    for n, cell in ((1, np.diag([3.0, 2.0, 4.0])), (5, rng.normal(size=(3, 3)) * 3), (3, [[9, 0, 0], [8, 2, 0], [7, 1, 3]])):
        atoms = Atoms(f"H{n}", positions=rng.normal(size=(n, 3)) * 8, cell=cell, pbc=periodic)
        atoms.info["energy"] = 0.0
        shifts = np.stack(np.meshgrid(*(np.arange(-9, 10) if p else [0] for p in atoms.pbc), indexing="ij"), -1).reshape(-1, 3)
        wrapped = atoms.get_positions(wrap=True) if any(atoms.pbc) else atoms.positions
        away = (wrapped[:, None, None] - wrapped[None, :, None]) + shifts @ atoms.cell.array
        length = np.linalg.norm(away, axis=-1)
        expected = length[length > 1e-9].min(initial=np.inf)
        assert md.Dataset.from_ase(atoms).nearest == pytest.approx(expected)


def test_labels_of_calculators_become_a_dataset():
    systems = [md.fcc(a, 1, "Cu") for a in (3.5, 3.6)] + [md.fcc(4.0, 1, "Au")]
    labels = md.label(systems, EMT())
    d = md.Dataset.of(labels)
    assert d.names == ("Cu", "Au")
    np.testing.assert_array_equal(d.energies, labels.energies)
    np.testing.assert_array_equal(d.virials, labels.virials)
    live = []
    for s in systems:
        atoms = md.to_ase(s)
        atoms.calc = EMT()
        atoms.get_stress(), atoms.get_forces()
        live.append(atoms)
    np.testing.assert_allclose(md.Dataset.from_ase(live).virials, d.virials, atol=1e-12)
    live[1].positions[0] += 0.1
    with pytest.raises(ValueError, match="frame 1: atoms were changed"):
        md.Dataset.from_ase(live)
    with pytest.raises(ValueError, match="expected what md.label"):
        md.Dataset.of(systems)  # type: ignore[arg-type]


def test_outliers_go_with_their_reason():
    d = moving()
    forces, energies, positions = d.forces.copy(), d.energies.copy(), d.positions.copy()
    forces[d.first[2]] = [0, 0, 60]
    energies[5] += 3.0
    positions[d.first[7]] = positions[d.first[7] + 1] + [0.1, 0, 0]
    bad = dataclasses.replace(d, forces=forces, energies=energies, positions=positions)
    kept, gone = bad.without_outliers(force=50, deviations=20, distance=1.0)
    assert list(gone) == [2, 5, 7] and len(kept) == len(d) - 3
    assert gone[2] == "a force of 60 eV/angstrom (bound 50)"
    assert "standard deviations off (bound 20)" in gone[5] and gone[7] == "atoms 0.1 angstrom apart (bound 1)"
    assert_same(kept, bad[[k for k in range(len(d)) if k not in gone]])
    with pytest.raises(ValueError, match="at least one"):
        d.without_outliers()
    with pytest.raises(ValueError, match="force=-1"):
        d.without_outliers(force=-1)
    with pytest.raises(ValueError, match="frame 0 for atoms .* widen"):
        d.without_outliers(distance=100)


def test_energies_of_compositions_are_no_outliers():
    """Species have energies, of -5 and -300 eV; an energy that is off does not hide behind the fit."""
    rng = np.random.default_rng(0)
    made = []
    for k in range(40):
        atoms = Atoms(f"Cu{1 + k % 4}Au{1 + k % 3}", positions=rng.normal(size=(2 + k % 4 + k % 3, 3)) * 5)
        atoms.info["energy"] = -5.0 * (1 + k % 4) - 300.0 * (1 + k % 3) + 0.01 * rng.normal()
        made.append(atoms)
    made[7].info["energy"] += 5.0
    assert list(md.Dataset.from_ase(made).without_outliers(deviations=15)[1]) == [7]


# Files.


@pytest.mark.parametrize("name", ["a.xyz", "a.extxyz", "folder", "v1.0"])
def test_what_is_written_is_read_back_digit_by_digit(tmp_path, name):
    d = dataset().renamed(["H", "Cu", "X", "Au"])
    path = d.write(tmp_path / "new" / name)
    assert_same(md.Dataset.load(path), d)
    assert_same(md.Dataset.load(str(path), names=d.names), d)
    assert md.Dataset.load([path, path], names=["Au", "Cu", "H"]).names == ("Au", "Cu", "H")
    assert [p.name for p in path.parent.iterdir()] == [name]
    d[:1].write(tmp_path / f"one_{name}")
    assert_same(md.Dataset.load(tmp_path / f"one_{name}"), d[:1])
    with pytest.raises(ValueError, match="is there already"):
        d.write(path)


def test_missing_labels_stay_missing(tmp_path):
    d = dataset()
    forces, energies = d.forces.copy(), d.energies.copy()
    forces[:4], energies[1] = np.nan, np.nan
    d = dataclasses.replace(d, forces=forces, energies=energies)
    for name in ("a.xyz", "folder"):
        d.write(tmp_path / name)
        assert_same(md.Dataset.load(tmp_path / name), d)


def test_what_a_format_cannot_hold(tmp_path):
    d = dataset()
    slab = dataclasses.replace(d[:1], periodic=[[True, True, False]])
    assert_same(md.Dataset.load(slab.write(tmp_path / "slab.xyz")), slab)
    with pytest.raises(ValueError, match="Frame 0 is periodic along some vectors only.*xyz"):
        slab.write(tmp_path / "slab")
    named = dataclasses.replace(d, names=("Q", "R", "H"))
    assert md.Dataset.load(named.write(tmp_path / "named")).names == ("Q", "R", "H")
    with pytest.raises(ValueError, match="Q, R are no elements"):
        named.write(tmp_path / "named.xyz")
    with pytest.raises(ValueError, match="no frames"):
        d[:0].write(tmp_path / "none")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["named", "slab.xyz"]


def test_folders_with_sets_and_mixed_types(tmp_path):
    rng = np.random.default_rng(0)
    for k, count in enumerate((2, 3)):
        folder = tmp_path / "deep" / "mixed" / f"set.00{k}"
        folder.mkdir(parents=True)
        arrays = {"coord": (count, 12), "box": (count, 9), "energy": (count, 1), "force": (count, 12)}
        for name, shape in arrays.items():
            np.save(folder / f"{name}.npy", rng.normal(size=shape).astype(np.float32))
        np.save(folder / "real_atom_types.npy", [[0, 1, 1, -1], [1, -1, 0, 2], [2, 2, 2, 2]][:count])
    (folder.parent / "type.raw").write_text("0 0 0 0\n")
    (folder.parent / "type_map.raw").write_text("O H C\n")
    d = md.Dataset.load(tmp_path)
    assert d.names == ("O", "H", "C")
    np.testing.assert_array_equal(d.atoms, [3, 3, 3, 3, 4])
    np.testing.assert_array_equal(d.species[:6], [0, 1, 1, 1, 0, 2])
    coord = np.load(folder.parent / "set.000" / "coord.npy").reshape(2, 4, 3)
    np.testing.assert_array_equal(d.positions[3:6], coord[1, [0, 2, 3]])
    np.save(folder / "real_atom_types.npy", np.full((3, 4), 5))
    with pytest.raises(ValueError, match="real_atom_types.npy: types are numbered from 5 to 5, and 3 have names"):
        md.Dataset.load(tmp_path)


LABELS = {
    "of ASE": lambda a, e, f, s: setattr(a, "calc", SinglePointCalculator(a, energy=e, forces=f, stress=s)),
    "the free energy": lambda a, e, f, s: setattr(
        a, "calc", SinglePointCalculator(a, energy=e + 1, free_energy=e, forces=f, stress=s)
    ),
    "REF": lambda a, e, f, s: (a.info.update(REF_energy=e, REF_stress=s), a.new_array("REF_forces", f)),
    "dft": lambda a, e, f, s: (
        a.info.update(dft_energy=e, dft_virial=-a.get_volume() * s[[0, 5, 4, 5, 1, 3, 4, 3, 2]]), a.new_array("dft_force", f)
    ),
    "by keys": lambda a, e, f, s: (a.info.update(E=e, V=-a.get_volume() * s, energy=7.0), a.new_array("mp2", f)),
}  # fmt: skip


@pytest.mark.parametrize("how", LABELS)
def test_names_of_labels_in_files(tmp_path, how):
    rng = np.random.default_rng(0)
    e, f, s = rng.normal(), rng.normal(size=(4, 3)), rng.normal(size=6)
    atoms = frames()[0]
    atoms.calc = None
    LABELS[how](atoms, e, f, s)
    ase.io.write(tmp_path / "a.xyz", [atoms] * 2)
    keys = {"energy": "E", "forces": "mp2", "virial": "V"} if how == "by keys" else None
    d = md.Dataset.load(tmp_path / "a.xyz", keys=keys)
    np.testing.assert_allclose(d.energies, [e, e])
    np.testing.assert_allclose(d.forces[4:], f, atol=1e-8)
    np.testing.assert_allclose(d.virials[1], -atoms.get_volume() * s[[[0, 5, 4], [5, 1, 3], [4, 3, 2]]], rtol=1e-7)


def test_other_formats_of_ase(tmp_path):
    made = frames()
    ase.io.write(tmp_path / "a.traj", made)
    d = md.Dataset.load(tmp_path / "a.traj", names=["H", "Au", "Cu"])
    assert_same(d, md.Dataset.from_ase(made, names=["H", "Au", "Cu"]))


def test_trajectories_of_ours_are_datasets(tmp_path):
    run = md.simulate(
        md.thermal(md.fcc(5.3, 2, "Ar"), 60.0), md.LennardJones(0.0104, 3.4, cutoff=5.2), md.NVE(), steps=4, timestep=5.0,
        progress=False,
    )  # fmt: skip
    d = md.Dataset.load(run.save(tmp_path / "a.xyz"))
    np.testing.assert_allclose(d.energies, run.potential_energy, rtol=1e-10)
    np.testing.assert_allclose(d.forces, run.forces.reshape(-1, 3), atol=1e-10)
    assert d.labelled["virials"].all()


# What does not fit is told.


def altered(**values):
    return dataclasses.replace(dataset(), **values)


def with_nan(name, place):
    array = getattr(dataset(), name).copy()
    array[place] = np.nan
    return altered(**{name: array})


def info(**values):
    atoms = molecule("H2O")
    atoms.info.update(values)
    return md.Dataset.from_ase([molecule("H2O"), atoms])


WRONG = {
    "positions of other atoms": (lambda: altered(positions=np.zeros((3, 3))), r"shape \(3, 3\); expected \(18, 3\)"),
    "energies by the word": (lambda: altered(energies="low"), "energies are no array"),
    "offsets that fall": (lambda: altered(first=[0, 4, 4, 16, 18]), "first has the shape .* each frame has atoms"),
    "species without names": (lambda: altered(names=("Cu", "Au")), "numbered from 0 to 2; expected numbers into the 2 names"),
    "a name twice": (lambda: altered(names=("Cu", "Cu", "H")), "each species once"),
    "names in one word": (lambda: altered(names="CuAuH"), "expected a list of species"),
    "a position": (lambda: with_nan("positions", 13), "positions of frame 2 are not finite"),
    "part of the forces": (lambda: with_nan("forces", 5), "forces of frame 1 .* NaN for the whole frame"),
    "part of a virial": (lambda: with_nan("virials", (0, 1, 1)), "virials of frame 0"),
    "an infinite energy": (lambda: altered(energies=[0, np.inf, 0, 0]), "energies of frame 1"),
    "a flat cell": (lambda: altered(cells=np.ones((4, 3, 3))), r"frame 0 is periodic, and its cell .* has no volume"),
    "an axis without vector": (
        lambda: altered(cells=np.eye(3) * np.zeros((4, 1, 1)), periodic=[[True, False, False]] * 4), "frame 0 is periodic"
    ),
    "a missing name": (lambda: dataset().renamed(["Cu", "Au"]), "lacks H, which frames have"),
    "another thing to add": (lambda: dataset() + 1, "expected a Dataset; a int came"),
    "nothing labelled": (lambda: md.Dataset.from_ase(molecule("H2O")), "1 frames and no label.*keys="),
    "no atoms": (lambda: md.Dataset.from_ase([Atoms()]), "frame 0 has no atoms"),
    "no frames": (lambda: md.Dataset.from_ase([]), "expected ase.Atoms"),
    "a path for atoms": (lambda: md.Dataset.from_ase("a.xyz"), "Dataset.load reads files"),
    "a species that names lack": (lambda: md.Dataset.from_ase(frames(), names=["Cu", "H"]), "lacks Au, which frames have"),
    "an energy in words": (lambda: info(energy="low"), "frame 1: energy is 'low'; expected numbers"),
    "an energy that is NaN": (lambda: info(dft_energy=np.nan), "frame 1: dft_energy is not finite"),
    "a virial of four": (lambda: info(virial=np.zeros(4)), r"frame 1: virial has the shape \(4,\); expected \(3, 3\)"),
    "two energies": (lambda: info(REF_energy=1.0, energy=2.0), "two of energy, REF_energy and energy, that differ.*keys="),
    "a key that is not there": (
        lambda: md.Dataset.from_ase(frames(), keys={"energy": "mp2"}), "no frame has 'mp2', which keys gives as energy"
    ),
    "a key of another kind": (lambda: md.Dataset.from_ase(frames(), keys={"dipole": "d"}), "keys has 'dipole'; expected"),
    "no path": (lambda: md.Dataset.load([]), "expected the path of a file or folder"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_data(case):
    make, message = WRONG[case]
    with pytest.raises(ValueError, match=f"(?s){message}"):
        make()


def _saved(name, array):
    return lambda folder: np.save(folder / "set.000" / name, array)


FOLDERS = {
    "no positions": (lambda f: (f / "set.000" / "coord.npy").unlink(), "coord.npy is missing"),
    "no cell": (lambda f: (f / "set.000" / "box.npy").unlink(), "box.npy is missing; .* nopbc"),
    "no sets": (lambda f: shutil.rmtree(f / "set.000"), r"no folder set\.\*"),
    "no type.raw": (lambda f: (f / "type.raw").unlink(), "no dataset of DeePMD-kit.*it holds set.000, type_map.raw"),
    "no names": (lambda f: (f / "type_map.raw").unlink(), r"no type_map.raw, which names its 2 types: .*names=\['O', 'H'\]"),
    "too few names": (lambda f: (f / "type_map.raw").write_text("Cu"), "type.raw: types are numbered from 0 to 1, and 1 have"),
    "types in words": (lambda f: (f / "type.raw").write_text("Cu Au"), "type.raw: expected whole numbers"),
    "forces of other atoms": (_saved("force.npy", np.zeros((2, 9))), r"force.npy has .* \(2, 9\); expected \(2, 12\) of 4"),
    "positions of other atoms": (_saved("coord.npy", np.zeros((2, 9))), r"coord.npy has the shape \(2, 9\); .* type.raw"),
    "energies of other frames": (_saved("energy.npy", np.zeros(3)), "frames, 3 in energy.npy; 2 in coord.npy, force"),
    "an energy that is NaN": (_saved("energy.npy", [0, np.nan]), r"energy.npy: frame 1 is not finite \(1 of 2"),
    "no array": (lambda f: (f / "set.000" / "force.npy").write_text("0 0 0"), "force.npy is no file of an array"),
    "no frames": (_saved("coord.npy", np.zeros((0, 12))), "coord.npy has no frames"),
    "no labels": (
        lambda f: [(f / "set.000" / f"{k}.npy").unlink() for k in ("energy", "force", "virial")], "2 frames and no label"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FOLDERS)
def test_wrong_folders(tmp_path, case):
    harm, message = FOLDERS[case]
    folder = dataset()[[0, 2]].renamed(["Cu", "Au"]).write(tmp_path / "d")
    harm(folder)
    with pytest.raises(ValueError, match=f"(?s){message}"):
        md.Dataset.load(folder)
    if case == "no names":
        assert md.Dataset.load(folder, names=["Cu", "Au"]).names == ("Cu", "Au")


def test_wrong_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        md.Dataset.load(tmp_path / "a.xyz")
    with pytest.raises(ValueError, match="it is empty"):
        md.Dataset.load(tmp_path)
    (tmp_path / "a.xyz").write_text("two\n")
    with pytest.raises(ValueError, match="could not be read by ASE"):
        md.Dataset.load(tmp_path / "a.xyz")


# Units.


UNITS = {
    "energies in Hartree": ({"energies": 1 / 27.2114}, "energies are likely in Hartree: .*energies=27.2114"),
    "energies in kcal/mol": ({"energies": 23.06}, "energies are likely in kcal/mol"),
    "forces in Hartree/bohr": ({"forces": 1 / 51.42}, "forces are likely in Hartree/bohr: .*forces=51.4221"),
    "forces in kJ/mol/nm": ({"forces": 964.85}, "forces are likely in kJ/mol/nm"),
    "both in atomic units": ({"energies": 1 / 27.2114, "forces": 1 / 51.42}, "both in atomic units"),
    "positions in bohr": ({"positions": 1.88973, "cells": 1.88973}, "positions are likely in bohr"),
    "gradients": ({"forces": -1}, "gradients of the energy: turn their sign"),
    "no relation": ({"energies": 1e-6}, "not in the same units, or do not belong together"),
}


def in_units(d, factors):
    return dataclasses.replace(d, **{name: factor * getattr(d, name) for name, factor in factors.items()})


def test_the_work_of_the_forces_is_the_change_of_the_energy():
    ratio, correlation, pairs = work_ratio(moving())
    assert abs(ratio - 1) < 0.02 and correlation > 0.999 and pairs >= 6


@pytest.mark.parametrize("case", UNITS)
def test_wrong_units_warn(tmp_path, case):
    factors, message = UNITS[case]
    path = in_units(moving(), factors).write(tmp_path / "d")
    with pytest.warns(UserWarning, match=message):
        md.Dataset.load(path)


def test_right_units_do_not_warn(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        md.Dataset.load(moving().write(tmp_path / "d"))
        assert work_ratio(dataset()) is None


@needs_data
@pytest.mark.parametrize("case", ["energies in Hartree", "forces in Hartree/bohr", "both in atomic units"])
def test_wrong_units_of_water_warn(tmp_path, case):
    factors, message = UNITS[case]
    d = in_units(md.Dataset.load([DATA / f"water/data_{k}" for k in range(4)]), factors)
    with pytest.warns(UserWarning, match=message):
        md.Dataset.load(d.write(tmp_path / "d"))


# Datasets that come from elsewhere.


@needs_data
def test_water_and_silicon(monkeypatch):
    monkeypatch.setenv("SCIML_DATA", str(DATA))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (train, validation), (silicon, rest) = md.datasets.water(), md.datasets.silicon()
    assert repr(train) == "Dataset(320 frames of O64 H128; energies, forces)" and len(validation) == 80
    assert 0.8 < min(train.nearest, validation.nearest) < 0.95
    assert (len(silicon), len(rest)) == (214, 25) and silicon.names == ("Si",) and 1.8 < silicon.nearest < 2.0
    assert silicon.labelled["forces"].all() and silicon.periodic.all()


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A folder that is served, in place of GitHub, and an empty cache."""
    root = tmp_path / "served"
    root.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Quiet, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        for name in ("DEEPMD", "MLEARN"):
            monkeypatch.setattr(md.datasets, name, f"http://127.0.0.1:{served.server_port}/")
        monkeypatch.delenv("SCIML_DATA", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        yield root, served
        served.shutdown()


def mlearn(path):
    """The layout of mlearn's files, made of extended XYZ."""
    records = []
    for atoms in ase.io.read(path, ":"):
        sites = [{"label": s, "xyz": r} for s, r in zip(atoms.get_chemical_symbols(), atoms.positions.tolist())]
        structure = {"lattice": {"matrix": atoms.cell.array.tolist()}, "sites": sites}
        outputs = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces().tolist()}
        records.append({"structure": structure, "outputs": outputs})
    return records


@needs_data
def test_datasets_are_downloaded_once(server):
    root, served = server
    for k in range(4):
        shutil.copytree(DATA / f"water/data_{k}", root / f"data_{k}")
    for name, of in (("training", "train"), ("test", "test")):
        (root / f"{name}.json").write_text(json.dumps(mlearn(DATA / f"silicon/{of}.xyz")))
    first = *md.datasets.water(), *md.datasets.silicon()
    served.shutdown()
    shutil.rmtree(root)
    for d, e in zip(first, (*md.datasets.water(), *md.datasets.silicon()), strict=True):
        assert_same(d, e)
    assert_same(first[2], md.Dataset.load(DATA / "silicon/train.xyz"))


@needs_data
def test_silicon_as_mlearn_has_it(tmp_path, monkeypatch):
    """Who downloads by hand has JSON."""
    (tmp_path / "silicon").mkdir()
    for name in ("training", "test"):
        (tmp_path / f"silicon/{name}.json").write_text(json.dumps(mlearn(DATA / "silicon/test.xyz")))
    monkeypatch.setenv("SCIML_DATA", str(tmp_path))
    assert_same(md.datasets.silicon()[0], md.Dataset.load(DATA / "silicon/test.xyz"))


def test_files_that_are_not_those_expected(server):
    root, _ = server
    (root / "data_0").mkdir()
    (root / "data_0" / "type.raw").write_text("0\n")
    with pytest.raises(ValueError, match=r"(?s)data_0/type.raw is not the file that was expected: SHA256.*set SCIML_DATA"):
        md.datasets.water()
    (root / "training.json").write_text("[{}]")
    with pytest.raises(ValueError, match="(?s)not the layout of mlearn.*set SCIML_DATA"):
        md.datasets.silicon()


def test_without_network_the_message_says_how(server, tmp_path, monkeypatch):
    _, served = server
    served.shutdown()
    served.server_close()
    wanted = (md.datasets.water, "deepmodeling/deepmd-kit"), (md.datasets.silicon, "training.json, test.json from .*mlearn")
    for make, where in wanted:
        with pytest.raises(ConnectionError, match=rf"(?s)could not be downloaded.*{where}.*set SCIML_DATA to the folder"):
            make()
    monkeypatch.setenv("SCIML_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="(?s)water/data_0/type.raw is not there. Get .*deepmd-kit.* unset"):
        md.datasets.water()


def test_the_layout_of_mlearn():
    """The first site, force and energy of mlearn's training.json."""
    site = {"species": [{"element": "Si", "occu": 1}], "xyz": [0.29508405036, 9.033552194395998, 4.748539369736], "label": "Si"}
    matrix = [[14.22366, 5.591921, 15.557314], [0.0, 9.055935, 0.272179], [0.0, 0.0, 9.178194]]
    outputs = {"energy": -295.49753016, "forces": [[-2.98187262, 0.6069187, 3.48143607]]}
    text = extended_xyz([{"structure": {"lattice": {"matrix": matrix}, "sites": [site]}, "outputs": outputs}])
    assert text.splitlines() == [
        "1",
        'Lattice="14.22366 5.591921 15.557314 0.0 9.055935 0.272179 0.0 0.0 9.178194" '
        'Properties=species:S:1:pos:R:3:forces:R:3 energy=-295.49753016 pbc="T T T"',
        "Si       0.29508405       9.03355219       4.74853937      -2.98187262       0.60691870       3.48143607",
    ]
