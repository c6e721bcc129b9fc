"""Atoms that a system says are fixed (constraints of ASE, selective dynamics; ../shared/cases/results.md, M7)."""

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.constraints import FixAtoms, FixedLine

from sciml import md

LJ = md.LennardJones(0.0104, 3.4, cutoff=4.6)
COLD = md.fcc(5.397, 1, "Ar")
PLACES = COLD.positions + np.array([[0.0, 0, 0]] * 2 + [[0.1, 0, 0]] + [[0.0, 0, 0]])
RUN = dict(steps=4, timestep=2.0, every=2, progress=False)


def made(*constraints):
    return Atoms("Ar4", positions=PLACES, cell=COLD.cell, pbc=True, constraint=constraints)


HELD = md.from_ase(made(FixAtoms([0, 1])))


def test_ase_and_files(tmp_path):
    assert HELD.fixed == (0, 1) and "2 fixed" in repr(HELD)
    with pytest.warns(UserWarning, match="FixedLine has no counterpart here; only whole atoms are held"):
        assert md.from_ase(made(FixAtoms([3]), FixedLine(2, (1, 0, 0)))).fixed == (3,)
    for name, options in (("a.xyz", {}), ("POSCAR", {"format": "vasp"}), ("a.extxyz", {})):
        ase.io.write(tmp_path / name, md.to_ase(HELD), **options)
        assert md.from_ase(tmp_path / name).fixed == (0, 1)
    # ASE hands out zero forces on atoms that are held; labels are those of the potential.
    labels = md.label(HELD, md.ase_calculator(LJ))
    assert np.abs(labels.forces[0, :2]).max() > 1e-4


@pytest.mark.parametrize("method", [md.LBFGS(), md.FIRE()])
def test_relax(method):
    for options, moves in (({}, False), ({"fixed": []}, True), ({"fixed": [3]}, True)):
        found = md.relax(HELD, LJ, method, **options).atoms
        assert np.array_equal(found.positions[:2], PLACES[:2]) != moves
        assert np.abs(found.positions[2] - PLACES[2]).max() > 0.01 and found.fixed == (0, 1)
    with pytest.raises(ValueError, match=r"no place in a cell that changes: fixed=\[\]"):
        md.relax(HELD, LJ, cell=True)
    with pytest.raises(ValueError, match=r"holds all atoms.*fixed=\[\] lets all move"):
        md.relax(md.from_ase(made(FixAtoms([0, 1, 2, 3]))), LJ)


def test_velocities_and_temperature():
    atoms = md.thermal(HELD, 100)
    assert not atoms.velocities[:2].any() and atoms.temperature == pytest.approx(100)
    assert md.simulate(atoms, LJ, **RUN).temperature[0] == pytest.approx(100)


@pytest.mark.parametrize("name", ["run.h5", "run.xyz"])
def test_simulate_and_its_files(tmp_path, name):
    atoms = md.thermal(HELD, 50)
    run = md.simulate(atoms, LJ, **RUN, trajectory=tmp_path / name)
    still = np.abs(run.positions[-1] - PLACES).max(axis=1) < 1e-9
    assert still.tolist() == [True, True, False, False] and run.atoms.fixed == (0, 1)
    again = md.Trajectory.load(tmp_path / name)
    assert again.atoms.fixed == (0, 1) and np.allclose(again.positions, run.positions)
    free = md.simulate(atoms, LJ, **RUN, fixed=[])
    assert np.abs(free.positions[-1] - PLACES).max(axis=1).min() > 1e-6
    if name == "run.xyz":
        assert md.from_ase(tmp_path / name).fixed == (0, 1)


def test_several_at_once_and_a_pressure():
    both = md.simulate([md.thermal(HELD, 50), md.thermal(COLD, 50)], LJ, **RUN)
    assert np.array_equal(both[0].positions[-1][:2], PLACES[:2]) and np.abs(both[1].positions[-1] - COLD.positions).min() > 0
    with pytest.raises(ValueError, match=r"atoms that are held.*fixed=\[\]"):
        md.simulate(md.thermal(HELD, 50), LJ, md.CellRescaling(50.0, 1.0), **RUN)


def test_a_primitive_cell_and_wrong_lists():
    cubic = md.fcc(5.3, 1, "Ar", fixed=[0, 3])
    assert md.primitive(cubic).fixed == (0,)
    for fixed, told in (([0, 0], "names an atom twice"), ([9], "from 0 to 3"), ([[0]], "the shape"), ([True], "the type bool")):
        with pytest.raises(ValueError, match=told):
            md.fcc(5.3, 1, "Ar", fixed=fixed)
