"""Every potential on random triclinic cells, smaller than the cutoff: against LAMMPS (benchmarks/md/lammps_reference.py),
finite differences, and itself after permutations, translations, rotations and lattice vectors added to atoms."""

import dataclasses
import json
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import sciml
from sciml import md
from sciml.md.learning.training._lists import frame_pairs

REFERENCE = json.loads((Path(__file__).parent / "lammps.json").read_text())
EAM = Path(os.environ.get("SCIML_DATA", Path(__file__).parents[3] / "../shared/data")) / "eam"
ATOMS, REACH = 18, 9.0
MIXED = {"A": (0.0104, 3.4), "B": (0.02, 2.6)}


def mixed(rule):
    lj = md.LennardJones.of(MIXED, cutoff=7.5, mixing=rule)
    return lj + md.tail_correction(lj, atoms_of("arithmetic_tail", 0))


def eam(name):
    if not EAM.exists():
        pytest.skip(f"{EAM} is not here: set SCIML_DATA")
    return md.load_eam(EAM / name)


def two_elements(kind, densities):
    """What the benchmark's script writes and LAMMPS reads: Cu_Zhou, and multiples of its tables."""
    one = eam("Cu_Zhou.eam.alloy")
    times = lambda a, factors: np.multiply.outer(np.array(factors), np.asarray(a))  # noqa: E731
    return dataclasses.replace(
        one, embedding=times(one.embedding[0], [1, 0.8]), density=times(one.density[0], densities),
        pair=times(one.pair[0, 0], [[1, 0.85], [0.85, 0.7]]), names=("A", "B"),
    )  # fmt: skip


def molecules():
    bonds, angles = (np.array(REFERENCE["molecules"][what]) for what in ("bonds", "angles"))
    k, length = (np.resize(values, len(bonds)) for values in ([11.0, 14.0], [1.5, 1.6]))
    lj = md.excluding(md.LennardJones(0.0104, 2.4, cutoff=8.5), bonds, factors={1: 0, 2: 0, 3: 0.5})
    return lj + md.HarmonicBonds(bonds, k, length) + md.HarmonicAngles(angles, 3.0, 110.0)


def coordination(pairs):
    w = jnp.where(pairs.mask, (1 - (pairs.distances / 5.0) ** 2) ** 3 * (1.0 + pairs.species), 0)
    return -jnp.sqrt(1e-3 + jnp.sum(w, axis=1)) * (2.0 + pairs.centres)


R = np.linspace(1.5, 6.0, 60) ** 1.02
POTENTIALS = {
    "lennard_jones": lambda: md.LennardJones([[0.0104, 0.015], [0.015, 0.02]], [[3.4, 3.2], [3.2, 3.0]], 7.5, names=("A", "B")),
    "lennard_jones_shifted": lambda: md.LennardJones(0.0104, 3.4, cutoff=8.5, shift=True),
    "arithmetic_tail": lambda: mixed(md.lorentz_berthelot),
    "geometric_tail": lambda: mixed(md.geometric),
    "sixthpower_tail": lambda: mixed(md.waldman_hagler),
    "morse": lambda: md.Morse(0.3429, 1.3588, 2.866, cutoff=6.0),
    "buckingham": lambda: md.Buckingham(1388.773, 0.36231884, 175.0, cutoff=7.0),
    "stillinger_weber": lambda: md.StillingerWeber(cos0=-0.333333333333),
    "eam_Cu_u3": lambda: eam("Cu_u3.eam"),
    "eam_Cu_Zhou": lambda: eam("Cu_Zhou.eam.alloy"),
    "eam_Au": lambda: eam("Au-Grochola-JCP05.eam.alloy"),
    "eam_alloy": lambda: two_elements("alloy", [1, 1.3]),
    "eam_finnis_sinclair": lambda: two_elements("fs", [[1, 0.9], [1.3, 1.1]]),
    "molecules": molecules,
    "tabulated": lambda: md.Tabulated(R, np.multiply.outer([[1.0, 0.8], [0.8, 0.5]], np.exp(-R) * np.cos(R)), degree=5),
    "sum": lambda: md.LennardJones.of(MIXED, cutoff=7.5, switch=6.0) + md.LocalPotential(coordination, cutoff=5.0)
    + md.PairPotential(lambda r, a, b: (1.0 + a + b) * jnp.exp(-r), cutoff=6.5, by_species=True),
}  # fmt: skip
TRUNCATED = {"arithmetic_tail", "geometric_tail", "sixthpower_tail"}  # whose jump at the cutoff is in the pressure


def atoms_of(name, number):
    reference = REFERENCE.get(name, REFERENCE["lennard_jones"])
    case = reference["cases"][number]
    names = ("Cu",) if name.startswith("eam_Cu") else ("Au",) if name == "eam_Au" else tuple(reference["species"])
    return md.System(
        np.array(case["positions"]), np.array(case["types"], np.int32), np.array(case["cell"]), np.ones(ATOMS), names=names
    )


@pytest.fixture(scope="module")
def evaluated():
    """One list for all, of the same sizes, and functions that are compiled once for each kind of potential."""
    evaluate = jax.jit(md.evaluate)
    with sciml.float64():
        every = [atoms_of(name, k) for name in REFERENCE for k in range(3)]
        smallest = min(every, key=lambda a: a.volume)
        template = md.allocate(smallest, 5.0, skin=REACH - 5.0, spare=2.0)

    def call(potential, atoms):
        with sciml.float64():
            n = template.update(jnp.asarray(atoms.positions), jnp.asarray(atoms.cell))
            assert not bool(n.overflow)
            return jax.tree.map(np.asarray, evaluate(potential, jax.tree.map(jnp.asarray, atoms), n))

    return call


@pytest.mark.parametrize("name", REFERENCE)
def test_energy_forces_and_virial_of_lammps(name, evaluated):
    with sciml.float64():
        potential = POTENTIALS[name]()
    for number, case in enumerate(REFERENCE[name]["cases"]):
        found = evaluated(potential, atoms_of(name, number))
        np.testing.assert_allclose(found.energy, case["energy"], rtol=1e-11)
        np.testing.assert_allclose(found.forces, case["forces"], atol=1e-11 * np.abs(case["forces"]).max())
        np.testing.assert_allclose(found.virial, case["virial"], atol=1e-11 * np.abs(case["virial"]).max())
        np.testing.assert_allclose(np.sum(found.atom_energies), case["energy"], rtol=1e-11)
        np.testing.assert_allclose(np.sum(found.atom_virials, axis=0), found.virial, rtol=1e-11, atol=1e-11)


def stretch(x):
    """A deformation that makes no height of a cell smaller, so that one list fits all cells."""
    F = np.eye(3) + np.reshape(x, (3, 3))
    return F / np.linalg.svd(F)[1].min()


cells = st.tuples(
    st.sampled_from(range(3)),
    st.lists(st.floats(-0.1, 0.1), min_size=9, max_size=9).map(stretch),
    st.integers(0, 2**32 - 1),
)
few = settings(
    max_examples=3, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def deformed(atoms, F, by=0.0):
    return dataclasses.replace(atoms, positions=atoms.positions @ F + by, cell=atoms.cell @ F)


@pytest.mark.parametrize("name", POTENTIALS)
def test_forces_and_virials_are_derivatives_of_the_energy(name, evaluated):
    with sciml.float64():
        potential = POTENTIALS[name]()

    @few
    @given(cells)
    def check(chosen):
        number, F, seed = chosen
        rng = np.random.default_rng(seed)
        atoms = deformed(atoms_of(name, number), F)
        # Where a pair passes the cutoff of a potential that is truncated there, the energy leaps.
        near = frame_pairs(np.asarray(atoms.positions), atoms.cell, atoms.periodic, potential.cutoff + 0.01).distance
        assume(np.all(np.abs(near - potential.cutoff) > 1e-4))
        found = evaluated(potential, atoms)
        direction, strain = rng.normal(size=(ATOMS, 3)), rng.normal(size=(3, 3))
        h = 2e-6  # below the distance of a table's points, at which second derivatives leap
        energy = lambda s, e: float(evaluated(potential, deformed(atoms, np.eye(3) + e * strain, s * direction)).energy)  # noqa: E731
        slopes = (energy(h, 0) - energy(-h, 0)) / (2 * h), (energy(0, h) - energy(0, -h)) / (2 * h)
        assert abs(slopes[0] + np.sum(found.forces * direction)) < 1e-7 * np.linalg.norm(found.forces)
        if name not in TRUNCATED:
            assert abs(slopes[1] + np.sum(found.virial * strain)) < 1e-7 * np.linalg.norm(found.atom_virials)
        np.testing.assert_allclose(np.sum(found.forces, axis=0), 0, atol=1e-10 * np.abs(found.forces).max())
        np.testing.assert_allclose(found.virial, found.virial.T, atol=1e-10 * np.abs(found.virial).max())

    check()


@pytest.mark.parametrize("name", POTENTIALS)
def test_nothing_changes_under_symmetries(name, evaluated):
    with sciml.float64():
        potential = POTENTIALS[name]()

    @few
    @given(cells)
    def check(chosen):
        number, F, seed = chosen
        rng = np.random.default_rng(seed)
        atoms = deformed(atoms_of(name, number), F)
        found = evaluated(potential, atoms)
        Q = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        order = np.arange(ATOMS) if name == "molecules" else rng.permutation(ATOMS)  # bonds know atoms by their numbers
        moved = (atoms.positions + 3.3 + rng.integers(-2, 3, (ATOMS, 3)) @ atoms.cell) @ Q
        other = evaluated(
            potential, dataclasses.replace(atoms, positions=moved[order], species=atoms.species[order], cell=atoms.cell @ Q)
        )
        close = lambda a, b: np.testing.assert_allclose(a, b, atol=1e-10 * np.abs(b).max())  # noqa: E731
        close(other.energy, found.energy)
        close(other.forces, found.forces[order] @ Q)
        close(other.virial, Q.T @ found.virial @ Q)
        close(other.atom_energies, found.atom_energies[order])
        close(other.atom_virials, Q.T @ found.atom_virials[order] @ Q)

    check()
