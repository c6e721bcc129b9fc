"""Relaxation, equation of state, elastic constants; ASE in and out."""

import os
from pathlib import Path

import equinox as eqx
import numpy as np
import pytest
from ase.calculators.fd import calculate_numerical_forces

from sciml import md

EAM = Path(os.environ.get("SCIML_DATA", Path(__file__).parents[3] / "../shared/data")) / "eam"
MORSE = md.Morse(0.3429, 1.3588, 2.866, cutoff=6.0, shift=True)


def rattled(constant=3.9):
    atoms = md.fcc(constant, 2, "Cu")
    noise = np.random.default_rng(0).normal(size=atoms.positions.shape) * 0.1
    return eqx.tree_at(lambda a: a.positions, atoms, atoms.positions + noise)


@pytest.mark.parametrize("method", [md.FIRE(), md.LBFGS()])
def test_atoms_fall_back_into_the_lattice(method):
    found = md.relax(rattled(), MORSE, method, tolerance=1e-5)
    assert found.converged and found.force < 1e-5
    perfect = md.relax(md.fcc(3.9, 2, "Cu"), MORSE, tolerance=1e-5)
    assert abs(found.energy - perfect.energy) < 1e-7


def test_the_cell_relaxes_to_the_minimum_of_the_equation_of_state():
    found = md.relax(rattled(), MORSE, cell=True, tolerance=1e-6)
    constant = md.equation_of_state(md.fcc(3.66, 2, "Cu"), MORSE, strain=0.01)
    assert abs(found.atoms.volume / constant.volume - 1) < 1e-4
    assert np.abs(found.stress).max() < 1.0  # bar
    pressed = md.relax(found.atoms, MORSE, cell=True, pressure=1e4, tolerance=1e-6)
    np.testing.assert_allclose(pressed.stress, -1e4 * np.eye(3), atol=2)
    with pytest.raises(RuntimeError, match="Allow more steps"):
        md.relax(rattled(), MORSE, steps=1)


@pytest.mark.skipif(not EAM.exists(), reason=f"{EAM} is not here: set SCIML_DATA")
def test_gold():
    """Grochola et al. 2005: a0 4.0701, -3.924 eV, C11 - C12 32.07, C44 45.94 GPa (../shared/reference/md.md)."""
    gold = md.load_eam(EAM / "Au-Grochola-JCP05.eam.alloy")
    found = md.relax(md.fcc(4.1, 2, "Au"), gold, cell=True, tolerance=1e-6)
    assert abs(found.atoms.cell[0, 0] / 2 - 4.0701) < 1e-4
    assert abs(found.energy / 32 + 3.924) < 5e-4
    C = md.elastic_constants(found.atoms, gold, positions=False)
    assert abs((C[0, 0] - C[0, 1]) / 32.07 - 1) < 5e-3 and abs(C[3, 3] / 45.94 - 1) < 5e-3


def test_ase_in_and_out(tmp_path):
    ase = pytest.importorskip("ase")
    from ase.build import bulk, molecule

    crystal = bulk("Cu", cubic=True) * 2
    crystal.rattle(0.05, seed=1)
    crystal.set_velocities(np.random.default_rng(0).normal(size=(32, 3)))
    atoms = md.from_ase(crystal)
    back = md.to_ase(atoms)
    np.testing.assert_allclose(back.get_velocities(), crystal.get_velocities())
    np.testing.assert_array_equal(back.positions, crystal.positions)
    crystal.write(tmp_path / "a.xyz")
    np.testing.assert_allclose(md.from_ase(tmp_path / "a.xyz").positions, crystal.positions, atol=1e-7)
    crystal.calc = md.ase_calculator(MORSE)
    slope = calculate_numerical_forces(crystal, eps=1e-5, iatoms=[0, 1])
    np.testing.assert_allclose(crystal.get_forces()[:2], slope, atol=1e-6)
    strained = crystal.copy()
    strained.calc = crystal.calc
    energies = []
    for s in (1e-5, -1e-5):
        strained.set_cell(crystal.cell * np.array([[1 + s], [1 + s], [1 + s]]), scale_atoms=True)
        strained.set_positions(crystal.positions * (1 + s))
        energies.append(strained.get_potential_energy())
    trace = np.sum(crystal.get_stress()[:3]) * crystal.get_volume()
    np.testing.assert_allclose((energies[0] - energies[1]) / 2e-5, trace, rtol=1e-6)
    assert not any(md.from_ase(molecule("H2O")).periodic)
    assert ase is not None
