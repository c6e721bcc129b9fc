"""Energies, forces and virials: finite differences, invariance, published values."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sciml
from sciml import md

LJ = md.LennardJones(jnp.array([[0.3, 0.4], [0.4, 0.5]]), jnp.array([[1.0, 1.1], [1.1, 1.2]]), cutoff=2.6, switch=2.0)


def melt(seed=0):
    """A small triclinic cell, smaller than twice the cutoff, of two species."""
    rng = np.random.default_rng(seed)
    atoms = md.fcc(1.75, (2, 2, 3), "A")
    cell = atoms.cell + rng.uniform(-0.3, 0.3, (3, 3))
    positions = atoms.positions @ np.linalg.inv(atoms.cell) @ cell + rng.normal(size=atoms.positions.shape) * 0.06
    return md.system(positions, rng.choice(["A", "B"], atoms.atoms), cell=cell, masses=1.0)


def evaluated(atoms, potential=LJ):
    with sciml.float64():
        found = jax.jit(md.evaluate)(potential, jax.tree.map(jnp.asarray, atoms), md.allocate(atoms, potential.cutoff))
        return jax.tree.map(np.asarray, found)


def test_forces_and_virial_are_derivatives_of_the_energy():
    atoms = melt()
    found = evaluated(atoms)
    rng = np.random.default_rng(1)
    direction, strain = rng.normal(size=atoms.positions.shape), rng.normal(size=(3, 3))
    with sciml.float64():
        neighbours = md.allocate(atoms, LJ.cutoff)
        energy = jax.jit(lambda r, h: md.energy(LJ, r, h, jnp.asarray(atoms.species), neighbours))

        def along(s):
            return float(energy(atoms.positions + s * direction, atoms.cell))

        def strained(s):
            deformed = np.eye(3) + s * strain
            return float(energy(atoms.positions @ deformed, atoms.cell @ deformed))

        for function, slope in ((along, -np.sum(found.forces * direction)), (strained, -np.sum(found.virial * strain))):
            one, two = ((function(h) - function(-h)) / (2 * h) for h in (1e-4, 2e-4))
            np.testing.assert_allclose(slope, (4 * one - two) / 3, rtol=1e-7)
    np.testing.assert_allclose(np.sum(found.forces, axis=0), 0, atol=1e-10)
    np.testing.assert_allclose(found.virial, found.virial.T, atol=1e-10)
    np.testing.assert_allclose(np.sum(found.atom_energies), found.energy, rtol=1e-12)


def test_nothing_changes_under_symmetries():
    atoms = melt()
    found = evaluated(atoms)
    rng = np.random.default_rng(2)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    order = rng.permutation(atoms.atoms)
    turned = eqx.tree_at(
        lambda s: (s.positions, s.cell, s.species), atoms,
        ((atoms.positions[order] + 3.3 + rng.integers(-2, 3, (atoms.atoms, 3)) @ atoms.cell) @ rotation, atoms.cell @ rotation, atoms.species[order]),  # noqa: E501
    )  # fmt: skip
    other = evaluated(turned)
    np.testing.assert_allclose(other.energy, found.energy, rtol=1e-12)
    np.testing.assert_allclose(other.forces, np.asarray(found.forces)[order] @ rotation, atol=1e-10)
    np.testing.assert_allclose(other.virial, rotation.T @ np.asarray(found.virial) @ rotation, atol=1e-10)


@pytest.mark.slow
def test_a_lattice_of_argon():
    """LAMMPS: Lennard-Jones fcc at density 0.8442, cutoff 2.5: -6.7733681 for each atom (../shared/reference/md.md)."""
    atoms = md.fcc((4 / 0.8442) ** (1 / 3), 6, "A")
    found = evaluated(atoms, md.LennardJones(1.0, 1.0, cutoff=2.5))
    assert abs(float(found.energy) / atoms.atoms + 6.7733681) < 5e-8


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: md.system(np.zeros((2, 2)), "A"), "shape"),
        (lambda: md.system(np.zeros((2, 3)), ["A"]), "1 species came for 2 atoms"),
        (lambda: md.system(np.zeros((2, 3)), "A", periodic=True), "needs a cell"),
        (lambda: md.system(np.full((2, 3), np.nan), "A"), "NaN"),
        (lambda: md.system(np.zeros((2, 3)), "A", cell=[[1, 0, 0], [2, 0, 0], [0, 0, 1]]), "in one plane"),
        (lambda: md.LennardJones(1, 1, cutoff=-1), "positive cutoff"),
        (lambda: md.allocate(md.fcc(1.6, 2, "A"), 0), "positive number"),
    ],
)
def test_bad_input_is_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()
