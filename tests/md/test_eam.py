"""The embedded-atom method against LAMMPS (../shared/reference/md.md)."""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sciml
from sciml import md

DATA = Path(os.environ.get("SCIML_DATA", Path(__file__).parents[2] / "../shared/data")) / "eam"


def evaluated(potential, atoms):
    with sciml.float64():
        found = jax.jit(md.evaluate)(potential, jax.tree.map(jnp.asarray, atoms), md.allocate(atoms, potential.cutoff))
    return jax.tree.map(np.asarray, found)


@pytest.mark.skipif(not DATA.exists(), reason=f"{DATA} is not here: set SCIML_DATA")
@pytest.mark.parametrize(
    ("file", "constant", "wanted"), [("Cu_u3.eam", 3.615, -3.5400), ("Au-Grochola-JCP05.eam.alloy", 4.0701, -3.924)]
)
def test_cohesive_energies(file, constant, wanted):
    potential = md.load_eam(DATA / file)
    atoms = md.fcc(constant, 2, potential.names[0])
    assert abs(float(evaluated(potential, atoms).energy) / atoms.atoms - wanted) < 5e-4


@pytest.mark.skipif(not DATA.exists(), reason=f"{DATA} is not here: set SCIML_DATA")
def test_forces_are_derivatives():
    potential = md.load_eam(DATA / "Cu_Zhou.eam.alloy")
    rng = np.random.default_rng(0)
    atoms = md.fcc(3.6, 2, "Cu")
    positions = atoms.positions + rng.normal(size=atoms.positions.shape) * 0.1
    atoms = md.system(positions, "Cu", cell=atoms.cell + rng.normal(size=(3, 3)) * 0.2)
    forces = evaluated(potential, atoms).forces
    direction = rng.normal(size=forces.shape)
    with sciml.float64():
        neighbours = md.allocate(atoms, potential.cutoff)
        energy = jax.jit(lambda s: md.energy(potential, atoms.positions + s * direction, atoms.cell, jnp.asarray(atoms.species), neighbours))  # noqa: E501
        # Second derivatives of the table leap at every row: the step is below the distance of rows.
        found = float(energy(1e-6) - energy(-1e-6)) / 2e-6
    np.testing.assert_allclose(-np.sum(forces * direction), found, rtol=1e-7)


def test_files_of_another_kind(tmp_path):
    (tmp_path / "a.eam").write_text("nothing\n1 2\n")
    with pytest.raises(ValueError, match="no table of the embedded-atom method"):
        md.load_eam(tmp_path / "a.eam")
    with pytest.raises(FileNotFoundError):
        md.load_eam(tmp_path / "b.eam")
