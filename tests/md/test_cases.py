"""Right values of cases that users of other codes stumbled over (../shared/cases/md.md); all of them, with the slow ones, are
the table of benchmarks/cases/md.py."""

import os
from pathlib import Path

import numpy as np
import pytest

import sciml
from sciml import md
from sciml.md.learning.training._prepare import least_squares_bias

DATA = Path(os.environ.get("SCIML_DATA", Path(__file__).parents[2] / "../shared/data"))
needs_data = pytest.mark.skipif(not (DATA / "odd").exists(), reason=f"{DATA} is not here: set SCIML_DATA")
LJ = md.LennardJones(0.0104, 3.4, cutoff=8.5)


def evaluated(potential, *systems):
    return md.evaluate_batch(potential, systems)


def counted(atoms, cutoff):
    """Directed pairs within the cutoff."""
    with sciml.float64():
        n = md.allocate(atoms, cutoff, skin=0.0)
        places = np.asarray(n.at(np.asarray(atoms.positions), np.asarray(atoms.cell)))
    near = np.append(places, [[np.inf] * 3], axis=0)[np.minimum(np.asarray(n.index), len(places))]
    return int((np.linalg.norm(near - places[np.asarray(n.entry)][:, None], axis=2) < cutoff).sum())


def test_2_left_handed_cells_and_13_one_atom():
    """Energies and stresses of argon, of either sign of the cell, and of one atom with 78 neighbours of its own."""
    plus, minus = (md.system(md.fcc(5.26, 1, "Ar").positions + 0.1, "Ar", cell=s * 5.26 * np.eye(3)) for s in (1, -1))
    one = md.primitive(md.fcc(5.26, 1, "Ar"))
    assert minus.volume == pytest.approx(5.26**3) and one.atoms == 1 and counted(one, 8.5) == 78 and counted(one, 6.0) == 18
    for atoms, found in zip((plus, minus, one), evaluated(LJ, plus, minus, one), strict=True):
        np.testing.assert_allclose(found.energy / atoms.atoms, -0.0842277845, atol=2e-10)
        np.testing.assert_allclose(-np.trace(found.virial) / 3 / atoms.volume, -9.268e-05, atol=1e-8)
        np.testing.assert_allclose(found.forces, 0, atol=1e-12)
    found = evaluated(md.LennardJones(0.0104, 3.4, cutoff=6.0), one)[0]
    np.testing.assert_allclose([found.energy, -np.trace(found.virial) / 3 / one.volume], [-0.0690980944, -9.098e-04], atol=1e-7)


@needs_data
def test_8_and_9_tables():
    gold = md.load_eam(DATA / "eam" / "Au_u3.eam")
    lattices = [md.fcc(a, 1, "Au") for a in (4.08, 4.00)]
    np.testing.assert_allclose([float(e.energy) / 4 for e in evaluated(gold, *lattices)], [-3.930000, -3.896758], atol=2e-6)
    assert counted(lattices[0], 5.55) == 4 * 42


@pytest.mark.parametrize("off", [1e-2, 1e-4, 1e-6])
def test_10_angles_that_are_almost_straight(off):
    atoms = md.system([[np.cos(off), np.sin(off), 0], [0, 0, 0], [-1.0, 0, 0]], "C")
    found = evaluated(md.HarmonicAngles([[0, 1, 2]], 5.0, 120.0), atoms)[0]
    np.testing.assert_allclose(np.linalg.norm(found.forces, axis=1)[[0, 2]], 5 * (np.pi / 3 - off), rtol=1e-6)
    np.testing.assert_allclose(found.energy, 2.5 * (np.pi / 3 - off) ** 2, rtol=1e-8)
    assert off > 1e-3 or np.linalg.norm(found.forces[0]) == pytest.approx(5.236, abs=1e-3)


def test_11_a_molecule_in_any_cell_and_place():
    water = np.array([[0, 0, 0.119262], [0, 0.763239, -0.477047], [0, -0.763239, -0.477047]])
    made = [md.system(water + s, ["O", "H", "H"], cell=c, periodic=False) for c in (None, 1.0, 20.0) for s in (0, 100.0, -6.0)]
    found = evaluated(md.LennardJones(1.0, 0.9, cutoff=10.0), *made)
    np.testing.assert_allclose([e.energy for e in found], -1.9957724668, atol=2e-10)


def test_12_lists():
    """An atom just outside its cell, and an fcc cell of 511 atoms exactly on the lattice."""
    raw = np.array([
        [-2.60451931e-05, 34.8159984, 35.6217908], [1.87087577, 34.99960922, 33.83063715],
        [2.07860043, 33.19639737, 35.40671674], [0.0568514, 33.07733668, 33.69007949],
    ])  # fmt: skip
    edges = [2892, 36.15, 36.15]
    pair = [md.system(r, "Ar", cell=edges) for r in (raw, raw % edges)]
    assert [counted(atoms, 4.0) for atoms in pair] == [12, 12]
    found = evaluated(md.LennardJones(1.0, 2.2, cutoff=4.0), *pair)
    np.testing.assert_allclose([e.energy for e in found], -5.47827984126, atol=1e-9)
    cell = np.array([
        [20.336391026925106, 0, 0], [10.168195513462551, 17.611831250611051, 0],
        [10.168195513462551, 5.8706104168703526, 16.604593741893638],
    ])  # fmt: skip
    grid = np.stack(np.meshgrid(*[np.arange(8)] * 3, indexing="ij"), -1).reshape(-1, 3)[1:] / 8
    rng = np.random.default_rng(0)
    for h in (cell, cell * (1 + 1e-14 * rng.normal(size=(3, 3))), cell @ np.linalg.qr(rng.normal(size=(3, 3)))[0]):
        assert counted(md.system(grid @ h, "Cu", cell=h), 3.0) == 6120


@needs_data
def test_18_energy_biases():
    water = md.Dataset.load(DATA / "odd" / "deepmd_data" / "source" / "tests" / "tf" / "finetune" / "data").renamed(["O", "H"])
    np.testing.assert_allclose(least_squares_bias(water.counts, water.energies), [-93.573679, -187.147357], atol=2e-6)
    base = DATA / "odd" / "deepmd_data" / "examples" / "nopbc" / "data"
    parts = [md.Dataset.load(base / name).renamed(["C", "H", "O"]) for name in ("C1H4O2", "C4H3O1", "C3H3O4")]
    found = least_squares_bias(np.concatenate([p.counts for p in parts]), np.concatenate([p.energies for p in parts]))
    np.testing.assert_allclose(found, [-1029.5623, -13.9709, -2047.9103], atol=2e-4)


def test_20_and_22_one_atom_has_no_temperature():
    with pytest.warns(UserWarning, match="one atom without net momentum is at rest, and stays at 0 K instead of 300"):
        assert not md.thermal(md.system([[0.0, 0, 0]], "Ar", cell=20.0), 300).velocities.any()


A = np.sqrt(2) * 2 ** (1 / 6) * 3.4
NEAREST = md.LennardJones(0.0104, 3.4, cutoff=4.6)


def test_23_phonons_of_springs():
    """The cubic cell folds the three X points onto Gamma."""
    found = md.phonons(md.fcc(A, 1, "Ar"), NEAREST).frequencies([0.0, 0, 0])
    np.testing.assert_allclose(found, [0.0] * 3 + [1.121671] * 6 + [1.586283] * 3, atol=1e-5)


def test_24_elastic_constants_of_springs():
    C = md.elastic_constants(md.fcc(A, 1, "Ar"), NEAREST)
    np.testing.assert_allclose([C[0, 0], C[0, 1], C[3, 3]], [3.0524, 1.5262, 1.5262], atol=2e-4)


@pytest.mark.slow
def test_24_elastic_constants_of_silicon():
    rest = md.relax(md.diamond(5.43, 1, "Si"), md.StillingerWeber(), cell=True, tolerance=1e-7)
    np.testing.assert_allclose([rest.atoms.volume ** (1 / 3), rest.energy / 8], [5.43095, -4.336600], atol=1e-5)
    C = md.elastic_constants(rest.atoms, md.StillingerWeber())
    np.testing.assert_allclose([C[0, 0], C[0, 1], C[3, 3]], [151.42, 76.42, 56.45], atol=0.02)
    clamped = md.elastic_constants(rest.atoms, md.StillingerWeber(), positions=False)
    np.testing.assert_allclose(clamped[3, 3], 109.76, atol=0.01)
