"""What belongs to all potentials: sums, species by name, tails, tables, bonds, exclusions, and what is refused."""

import dataclasses
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sciml
from sciml import md

LJ = md.LennardJones(1.0, 1.0, cutoff=2.5)
SHORT = dict(progress=False, timestep=0.002)


def chain():
    """Twelve atoms, of which four pairs are bound, in a cell smaller than twice the cutoffs."""
    sites = md.simple_cubic(1.7, 2, "A", units=md.REDUCED)
    near = np.stack([np.arange(4), np.arange(8, 12)], axis=1)
    positions = np.concatenate([sites.positions, sites.positions[:4] + np.array([0.6, 0.0, 0.1])])
    return md.system(positions, list("ABBA" * 3), cell=sites.cell, masses=1.0, units=md.REDUCED), near


@functools.cache
def listed():
    """One list for all atoms of `chain`; the smallest distances and the largest cutoffs fit."""
    return md.allocate(chain()[0], 2.5, skin=0.3)


def evaluated(potential, atoms, n=None):
    with sciml.float64():
        n = listed() if n is None and potential.cutoff > 0 else n
        return jax.tree.map(np.asarray, jax.jit(md.evaluate)(potential, jax.tree.map(jnp.asarray, atoms), n))


@pytest.fixture(scope="module")
def bound():
    """Bonds, a pair potential without the bound pairs, and a function of the neighbours."""
    atoms, near = chain()
    with sciml.float64():
        lj = md.LennardJones.of({"B": (1.0, 0.9), "A": (0.8, 1.0)}, cutoff=2.2, switch=1.8)
        well = lambda p: -jnp.sum(jnp.where(p.mask, (1 - (p.distances / 1.6) ** 2) ** 3, 0), axis=1)  # noqa: E731
        local = md.LocalPotential(well, cutoff=1.6)
        parts = (md.excluding(lj, near), md.HarmonicBonds(near, 50.0, 0.6), local, lj)
    return atoms, parts


def test_a_sum_is_the_sum_of_its_parts(bound):
    atoms, parts = bound
    whole = evaluated(md.Sum(*parts), atoms)
    each = [evaluated(part, atoms) for part in parts]
    for field in ("energy", "forces", "virial", "atom_energies", "atom_virials"):
        np.testing.assert_allclose(getattr(whole, field), sum(getattr(e, field) for e in each), rtol=1e-10, atol=1e-10)
    assert (parts[0] + parts[1] + (parts[2] + parts[3])).parts == parts
    with pytest.raises(ValueError, match="expected potentials; int came"):
        md.Sum(LJ, 3)
    with pytest.raises(TypeError):
        LJ + 3


@pytest.mark.slow
def test_dynamics_of_a_sum_conserve_energy_and_equal_a_rollout(bound):
    atoms, parts = bound
    potential = parts[0] + parts[1] + parts[2]
    atoms = md.thermal(atoms, 0.3)
    run = md.simulate(atoms, potential, steps=100, every=50, **SHORT)
    assert np.ptp(run.total_energy) < 2e-3 * abs(run.total_energy[0])
    with sciml.float64():
        n = md.allocate(atoms, potential.cutoff, skin=0.22)
        end, _, bad = jax.jit(lambda a, n: md.rollout(a, potential, md.NVE(), n, steps=50, timestep=0.002))(
            jax.tree.map(jnp.asarray, atoms), n
        )
    assert not bool(bad)
    np.testing.assert_allclose(end.positions, run.positions[1], atol=1e-9)


def test_bonds_alone_need_no_list():
    """Two atoms of mass 1, k = 50 and 2: an oscillation of the period 2 pi / sqrt(100), which a step of 0.002 gives to 4e-5."""
    atoms = md.system([[0.1, 0, 0], [-0.7, 0, 0]], "A", cell=4.0, masses=1.0, units=md.REDUCED)
    run = md.simulate(atoms, md.HarmonicBonds([[0, 1]], 50.0, 0.6), steps=314, every=157, **SHORT)
    x = run.positions[:, 0, 0] - run.positions[:, 1, 0]
    np.testing.assert_allclose(x, [0.8, 0.4, 0.8], atol=1e-4)
    with pytest.raises(ValueError, match="atom 2 is not among the 2"):
        evaluated(md.HarmonicBonds([[0, 2]], 50.0, 0.6), atoms)


def test_linear_angles_have_forces():
    atoms = md.system([[-1.0, 0, 0], [0, 0, 0], [1.2, 0, 0]], "A", masses=1.0)
    found = evaluated(md.HarmonicAngles([[0, 1, 2]], 3.0, 180.0), atoms)
    assert abs(found.energy) < 1e-20 and np.all(np.isfinite(found.forces))
    bent = eqx.tree_at(lambda a: a.positions, atoms, atoms.positions + np.array([[0, 0, 0], [0, 1e-3, 0], [0, 0, 0]]))
    # theta = 180 degrees - 1e-3 - 1e-3 / 1.2 for small displacements.
    found = evaluated(md.HarmonicAngles([[0, 1, 2]], 3.0, 180.0), bent)
    np.testing.assert_allclose(found.energy, 1.5 * (1e-3 * 11 / 6) ** 2, rtol=1e-5)


def test_only_the_nearest_image_is_left_out():
    """Two bound atoms in a cube with the edge 2: all pairs but one."""
    atoms = md.system([[0.3, 0, 0], [-0.3, 0.1, 0]], "A", cell=2.0, masses=1.0)
    with sciml.float64():
        n = md.allocate(atoms, LJ.cutoff, skin=0.0)
    all_pairs, without = (evaluated(p, atoms, n).energy for p in (LJ, md.excluding(LJ, [[0, 1]])))
    d = np.sqrt(0.37)
    np.testing.assert_allclose(all_pairs - without, 4 * (d**-12 - d**-6), rtol=1e-12)
    half = evaluated(md.excluding(LJ, [[0, 1]], factors={1: 0.5}), atoms, n).energy
    np.testing.assert_allclose(half, (all_pairs + without) / 2, rtol=1e-12)


def test_species_are_known_by_name():
    atoms, _ = chain()
    table = {"Ne": (5.0, 2.0), "B": (1.0, 0.9), "A": (0.8, 1.0), ("A", "B"): (0.5, 0.8)}
    named = md.LennardJones.of(table, cutoff=2.2)
    by_number = md.LennardJones([[0.8, 0.5], [0.5, 1.0]], [[1.0, 0.8], [0.8, 0.9]], 2.2)
    np.testing.assert_allclose(evaluated(named, atoms).energy, evaluated(by_number, atoms).energy, rtol=1e-12)
    # One species that is not the first of the table.
    alone = md.system(atoms.positions, "B", cell=atoms.cell, masses=1.0)
    np.testing.assert_allclose(
        evaluated(named, alone).energy, evaluated(md.LennardJones(1.0, 0.9, 2.2), alone).energy, rtol=1e-12
    )
    with pytest.raises(ValueError, match="does not know Xe; it knows Ne, B, A"):
        evaluated(named + LJ, md.system(atoms.positions, "Xe", cell=atoms.cell))
    with pytest.raises(ValueError, match="parameters of 2 species; the system has A, B, C"):
        evaluated(by_number, md.system(atoms.positions[:3], list("ABC"), cell=9.0))


def test_tails_by_quadrature_and_in_closed_form_agree():
    """And with the volume: for a shifted potential the virial is the derivative of the energy."""
    with sciml.float64():
        atoms, _ = chain()
        tables = {"A": (1.0, 1.0), "B": (0.7, 1.2)}
        e, s = (np.array(a) for a in md.lorentz_berthelot([1.0, 0.7], [1.0, 1.2]))
        curve = lambda r, a, b: 4 * jnp.asarray(e)[a, b] * ((jnp.asarray(s)[a, b] / r) ** 12 - (jnp.asarray(s)[a, b] / r) ** 6)  # noqa: E731
        for shift in (False, True):
            lj = md.LennardJones.of(tables, cutoff=2.5, shift=shift)
            pair = md.PairPotential(curve, cutoff=2.5, shift=shift, by_species=True, names=("A", "B"))
            one, two = (md.tail_correction(p, atoms) for p in (lj, pair))
            np.testing.assert_allclose(one.integrals, two.integrals, rtol=1e-9)
            np.testing.assert_allclose(one.jumps, two.jumps, rtol=1e-9)
        found = evaluated(one, atoms)
        np.testing.assert_allclose(found.virial, float(found.energy) * np.eye(3), rtol=1e-12)
        np.testing.assert_allclose(np.sum(found.atom_energies), found.energy, rtol=1e-12)
        # A switch takes away what the correction gives back: 4 pi r^2 of the difference, by the trapezium rule.
        soft = md.LennardJones(1.0, 1.0, cutoff=2.5, switch=2.0)
        r = np.linspace(2.0, 60.0, 2_000_001)
        lost = 4 * (r**-12 - r**-6) - np.where(r < 2.5, np.asarray(soft.pair_energies(jnp.asarray(r) ** 2, 0, 0)), 0)
        alone = md.system(atoms.positions, "A", cell=atoms.cell)
        rest = -4 / 3 * 60.0**-3
        np.testing.assert_allclose(md.tail_correction(soft, alone).integrals, np.trapezoid(lost * r**2, r) + rest, rtol=1e-7)
    with pytest.raises(ValueError, match="diverges"):
        md.tail_correction(md.PairPotential(lambda r: 1 / r, cutoff=3.0), alone)
    with pytest.raises(ValueError, match="periodic along all"):
        md.tail_correction(LJ, md.system(atoms.positions, "A"))


def test_tables_follow_their_curve(tmp_path):
    """The error of splines falls with the power of their degree plus one; forces are exact derivatives elsewhere."""
    curve, slope = (lambda r: 4 * (r**-12 - r**-6)), (lambda r: 4 * (-12 * r**-13 + 6 * r**-7))
    x = np.linspace(1.0, 2.4, 501)
    errors = {}
    with sciml.float64():
        for degree in (3, 5):
            for points in (100, 200):
                r = np.linspace(0.9, 2.5, points)
                for knots in (r, r + 1e-4 * np.sin(9 * r) * (r - 0.9)):
                    table = md.Tabulated(knots, curve(knots), degree=degree)
                    assert table.even == (knots is r)
                    found = np.asarray(table.pair_energies(jnp.asarray(x) ** 2, 0, 0))
                    errors[degree, points, knots is r] = np.max(np.abs(found - curve(x)))
        for even in (True, False):
            assert errors[3, 100, even] / errors[3, 200, even] > 2**3.6
            assert errors[5, 100, even] / errors[5, 200, even] > 2**5.5
        r = np.linspace(0.9, 2.5, 200)
        rows = "\n".join(f"{k + 1} {a!r} {curve(a)!r} {-slope(a)!r}" for k, a in enumerate(r.tolist()))
        (tmp_path / "lj.table").write_text(f"# a comment\n\nOTHER\nN 1\n\n1 1.0 0.0 0.0\n\nLJ_11\nN 200 R 0.9 2.5\n\n{rows}\n")
        read = md.load_table(tmp_path / "lj.table", "LJ_11")
        assert np.max(np.abs(np.asarray(read.pair_energies(jnp.asarray(x) ** 2, 0, 0)) - curve(x))) < 2e-4
        assert (read.closest, read.cutoff) == (0.9, 2.5)
        value, tangent = jax.jvp(lambda s: read.pair_energies(s, 0, 0), (jnp.asarray([0.8, 1.0]),), (jnp.ones(2),))
    assert np.isnan(value[0]) and np.isnan(tangent[0]) and np.isfinite(value[1])
    with pytest.raises(ValueError, match="no section 'AB'; it has OTHER, LJ_11"):
        md.load_table(tmp_path / "lj.table", "AB")
    (tmp_path / "cut.table").write_text("AB\nN 3\n\n1 1.0 0.0 0.0\n")
    with pytest.raises(ValueError, match="1 rows where 3 were expected"):
        md.load_table(tmp_path / "cut.table", "AB")


def test_how_close_atoms_may_come():
    buckingham = md.Buckingham(1388.773, 0.36231884, 175.0, cutoff=7.0)
    r = np.linspace(1.0, 3.0, 200_001)
    top = r[np.argmax(1388.773 * np.exp(-r / 0.36231884) - 175.0 / r**6)]
    assert abs(buckingham.closest - top) < 2e-5
    assert md.Buckingham(1388.773, 0.36, 0.0, cutoff=7.0).closest is None
    table = md.Tabulated(np.linspace(0.8, 2.5, 50), np.linspace(1.0, 0.0, 50))
    assert (LJ + table + buckingham).closest == buckingham.closest and (LJ + LJ).closest is None


def test_lattices_and_random_fluids():
    for lattice, wanted in (
        (md.fcc(1.0, 3, "A"), (12, 0.5**0.5)), (md.bcc(1.0, 3, "A"), (8, 0.75**0.5)), (md.simple_cubic(1.0, 3, "A"), (6, 1.0)),
        (md.diamond(1.0, 3, "A"), (4, 3**0.5 / 4)), (md.hcp(1.0, 3, "A"), (12, 1.0)),
    ):  # fmt: skip
        d = lattice.positions[:, None] - lattice.positions
        d -= np.round(d @ np.linalg.inv(lattice.cell)) @ lattice.cell
        r = np.linalg.norm(d, axis=-1) + 9 * np.eye(lattice.atoms)
        assert np.all(np.sum(np.abs(r - wanted[1]) < 1e-9, axis=1) == wanted[0]) and r.min() > wanted[1] - 1e-9
    fluid = md.random_fluid(300, {"A": 0.25, "B": 0.75}, 0.05, closest=2.4)
    d = fluid.positions[:, None] - fluid.positions
    d -= np.round(d / fluid.cell[0, 0]) * fluid.cell[0, 0]
    assert np.min(np.linalg.norm(d, axis=-1) + 9 * np.eye(300)) >= 2.4 and abs(fluid.volume * 0.05 - 300) < 1e-9
    assert sorted(np.bincount(fluid.species)) == [75, 225]


@pytest.mark.slow
def test_a_lattice_of_argon():
    """LAMMPS: Lennard-Jones fcc at density 0.8442, cutoff 2.5: -6.7733681 for each atom (../shared/reference/md.md)."""
    atoms = md.fcc((4 / 0.8442) ** (1 / 3), 6, "A")
    with sciml.float64():
        found = evaluated(LJ, atoms, md.neighbours_for(atoms, LJ))
    assert abs(float(found.energy) / atoms.atoms + 6.7733681) < 5e-8


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: md.system(np.zeros((2, 2)), "A"), "shape"),
        (lambda: md.system(np.zeros((2, 3)), ["A"]), "1 species came for 2 atoms"),
        (lambda: md.system(np.zeros((2, 3)), "A", periodic=True), "needs a cell"),
        (lambda: md.system(np.full((2, 3), np.nan), "A"), "NaN"),
        (lambda: md.system(np.zeros((2, 3)), "A", cell=[[1, 0, 0], [2, 0, 0], [0, 0, 1]]), "in one plane"),
        (lambda: md.allocate(md.fcc(1.6, 2, "A"), 0), "positive number"),
        (lambda: md.bcc(-1.0, 2, "A"), "positive lengths"),
        (lambda: md.random_fluid(50, "A", 0.05, closest=4.0), "lower closest or density"),
        (lambda: md.random_fluid(50, {"A": 0.5}, 0.05), "whose sum is 1"),
        (lambda: md.LennardJones(1, 1, cutoff=-1), "positive cutoff"),
        (lambda: md.LennardJones([[1, 2], [3, 4]], 1.0, 2.5), "symmetric table"),
        (lambda: md.LennardJones(np.ones((2, 2)), 1.0, 2.5, names=("A", "B", "C")), "of 3"),
        (lambda: md.LennardJones.of({"A": (1.0, 1.0), ("A", "C"): (1.0, 1.0)}, cutoff=2.5), "pairs of these names"),
        (lambda: md.lorentz_berthelot([1.0], [1.0, 2.0]), "one number of each"),
        (lambda: md.Morse(1.0, 1.0, 1.0, cutoff=0.0), "positive number"),
        (lambda: md.Tabulated([1.0, 2.0], [1.0, 0.0]), "more than 3 ascending"),
        (lambda: md.Tabulated(np.arange(1, 9), np.ones((2, 3, 8))), "species, species, 8"),
        (lambda: md.HarmonicBonds([[0, 1, 2]], 1.0, 1.0), "terms, 2"),
        (lambda: md.HarmonicBonds([[1, 1]], 1.0, 1.0), "stands twice"),
        (lambda: md.HarmonicBonds([[0, 1]], [1.0, 2.0], 1.0), "k has the shape"),
        (lambda: md.excluding(LJ + LJ, [[0, 1]]), "Sum is no pair potential"),
        (lambda: md.excluding(LJ, [[0, 1]], factors={0: 1.0}), "number of bonds"),
    ],
)
def test_bad_input_is_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_parameters_are_differentiated():
    """A number of a part of a sum, and one of a module inside a potential: the energy is proportional to both."""
    atoms, _ = chain()

    class Soft(eqx.Module):
        height: jax.Array

        def __call__(self, r):
            return self.height * jnp.exp(-r)

    with sciml.float64():
        lj = dataclasses.replace(LJ, epsilon=jnp.asarray(1.3))
        potential = lj + md.PairPotential(Soft(jnp.asarray(0.7)), cutoff=2.0)
        now, near = jax.tree.map(jnp.asarray, atoms), listed()
        found = eqx.filter_jit(eqx.filter_grad(lambda p: md.evaluate(p, now, near).energy))(potential)
        parts = [evaluated(p, atoms).energy for p in potential.parts]
        np.testing.assert_allclose(found.parts[0].epsilon * 1.3, parts[0], rtol=1e-12)
        np.testing.assert_allclose(found.parts[1].function.height * 0.7, parts[1], rtol=1e-12)
