"""ASE: files that it reads, and labels by its calculators."""

import warnings

import equinox as eqx
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones

from sciml import md
from sciml.md.atoms import _evaluator


def crystal():
    """A small triclinic cell of two elements."""
    atoms = bulk("Cu", cubic=True).repeat((2, 1, 2))
    atoms.set_chemical_symbols(["Cu", "Au"] * 8)
    atoms.set_cell(atoms.cell.array + np.random.default_rng(0).uniform(-0.3, 0.3, (3, 3)), scale_atoms=True)
    atoms.rattle(0.05, seed=1)
    return atoms


def test_extended_xyz_and_poscar(tmp_path):
    atoms = crystal()
    atoms.set_velocities(np.random.default_rng(1).normal(size=(16, 3)))
    atoms.set_pbc([True, True, False])
    atoms.write(tmp_path / "a.xyz")
    read = md.from_ase(tmp_path / "a.xyz")
    np.testing.assert_allclose(read.positions, atoms.positions, atol=1e-7)
    np.testing.assert_allclose(read.velocities, atoms.get_velocities(), atol=1e-7)
    np.testing.assert_allclose(read.cell, atoms.cell.array, atol=1e-7)
    assert read.periodic == (True, True, False) and read.names == ("Cu", "Au")
    atoms.write(tmp_path / "POSCAR", format="vasp", direct=True)
    read = md.from_ase(str(tmp_path / "POSCAR"))
    np.testing.assert_allclose(read.positions, atoms.positions, atol=1e-7)
    np.testing.assert_allclose(read.masses, atoms.get_masses())


@pytest.mark.parametrize("masses", [False, True])
def test_lammps_data(tmp_path, masses):
    """LAMMPS turns the cell; distances stay."""
    atoms = crystal()
    path = tmp_path / "a.data"
    atoms.write(path, format="lammps-data", specorder=["Cu", "Au"], masses=masses, velocities=False)
    for read in (md.from_ase(path, types={1: "Cu", 2: "Au"}), *([md.from_ase(path)] if masses else [])):
        np.testing.assert_allclose(md.to_ase(read).get_all_distances(mic=True), atoms.get_all_distances(mic=True), atol=1e-6)
        np.testing.assert_allclose(read.cell @ read.cell.T, atoms.cell.array @ atoms.cell.array.T, atol=1e-6)
        assert [read.names[k] for k in read.species] == atoms.get_chemical_symbols()
        np.testing.assert_allclose(read.masses, atoms.get_masses(), rtol=1e-3)
    assert md.from_ase(path, types={1: "A", 2: "B"}).names == ("A", "B")
    with pytest.raises(ValueError, match=r"type 2, which `types` lacks: types=\{1: \.\.\., 2: \.\.\.\}"):
        md.from_ase(path, types={1: "Cu"})
    if not masses:
        with pytest.raises(ValueError, match=r"which elements its 2 types are: .* types=\{1: \.\.\., 2: \.\.\.\}"):
            md.from_ase(path)
    atoms.write(tmp_path / "a.xyz")
    with pytest.raises(ValueError, match="no LAMMPS data file"):
        md.from_ase(tmp_path / "a.xyz", types={1: "Cu"})


def test_labels_by_a_calculator_of_ase_are_ours():
    """ASE's Lennard-Jones is truncated and shifted, as ours with `shift`."""
    systems = [md.from_ase(crystal()), md.from_ase(crystal() * (1, 2, 1))]
    ours = md.LennardJones(0.2, 2.3, cutoff=5.0, shift=True)
    theirs = md.label(systems, LennardJones(sigma=2.3, epsilon=0.2, rc=5.0, smooth=False))
    mine = md.label(systems, md.ase_calculator(ours))
    np.testing.assert_allclose(mine.energies, theirs.energies, rtol=1e-10)
    for a, b in zip(mine.forces, theirs.forces, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)
    np.testing.assert_allclose(mine.virials, theirs.virials, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(mine.stresses[0], -mine.virials[0] / systems[0].volume)


def test_structures_that_have_nothing_to_do_with_each_other_share_a_list(monkeypatch):
    made, real = [], _evaluator.neighbours_for
    monkeypatch.setattr(_evaluator, "neighbours_for", lambda *a, **b: made.append(real(*a, **b)) or made[-1])
    copper, morse, rng = md.fcc(3.6, 2, "Cu"), md.Morse(0.34, 1.36, 2.87, cutoff=4.2, shift=True), np.random.default_rng(0)
    moved = [copper.positions + 0.02 * k * rng.normal(size=(32, 3)) for k in range(12)]
    frames = [eqx.tree_at(lambda s: s.positions, copper, r) for r in moved]
    found = md.label(frames, md.ase_calculator(morse))
    # A list of other sizes would be compiled anew.
    assert len(made) <= 2
    for force, wanted in zip(found.forces, md.evaluate_batch(morse, frames), strict=True):
        np.testing.assert_allclose(force, wanted.forces, atol=1e-10)


def test_the_sign_of_virials():
    """Compressed copper pushes outward: the virial is positive, ASE's stress negative. Labels of equal sizes are arrays."""
    squeezed = [md.fcc(a, 1, "Cu") for a in (3.4, 3.3)]
    labels = md.label(squeezed, EMT())
    assert labels.forces.shape == (2, 4, 3) and np.all(np.trace(labels.virials, axis1=1, axis2=2) > 0)
    assert np.all(labels.stresses[:, 0, 0] < 0)
    open_one = md.label(md.from_ase(Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 2.5]])), EMT())
    assert np.isnan(open_one.virials).all() and np.isfinite(open_one.energies).all()
    with pytest.raises(ValueError, match="no stress"):
        md.Labels(squeezed, labels.energies, labels.forces, None).stresses  # noqa: B018


def test_a_mass_that_is_no_mass_of_its_element():
    atoms = bulk("Cu", cubic=True)
    atoms.set_masses([1.008, 63.5, 63.5, 63.5])
    with pytest.warns(UserWarning, match="atom 0 is Cu and has a mass of 1.008 amu, where 63.55 is usual .1 atoms are so"):
        assert md.from_ase(atoms).masses[0] == 1.008
    heavy = Atoms("H2O", positions=np.eye(3), masses=[2.014, 4.0, 16.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        md.from_ase(heavy)
