"""Systems of different sizes together: as each alone, few programs, nothing lost, nobody held up."""

import dataclasses
import logging

import jax
import numpy as np
import pytest

from sciml import md
from sciml.md.dynamics import _together

TABLE = np.array([[0.3, 0.4], [0.4, 0.5]]), np.array([[1.0, 1.1], [1.1, 1.2]])
LJ = md.LennardJones(*TABLE, cutoff=2.2, shift=True)
SHORT = dict(timestep=0.003, every=20, skin=0.3, progress=False)


def crystal(n, atoms, seed):
    """A triclinic cell of two species with vacancies, smaller than twice the cutoff."""
    rng = np.random.default_rng(seed)
    whole = md.fcc(1.75, n, "A")
    cell = whole.cell + rng.uniform(-0.2, 0.2, (3, 3))
    r = whole.positions @ np.linalg.inv(whole.cell) @ cell + rng.normal(size=whole.positions.shape) * 0.04
    r = r[rng.permutation(len(r))[:atoms]] + rng.integers(-2, 3, (atoms, 3)) @ cell
    return md.system(r, rng.choice(["A", "B"], atoms), cell=cell, masses=1.0)


def cluster(atoms, seed, spacing=1.15):
    """In the open."""
    rng = np.random.default_rng(seed)
    r = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)[:atoms] * spacing
    v = rng.normal(size=r.shape) * 0.5
    kinds = ["A", "B"] * (atoms // 2) + ["B"] * (atoms % 2)
    return md.system(r + rng.normal(size=r.shape) * 0.02, kinds, masses=1.0, velocities=v, units=md.REDUCED)


def brute(atoms):
    """Energy, forces and virial, by looking at every image."""
    m = 6 * np.array(atoms.periodic)
    shifts = np.stack(np.meshgrid(*(np.arange(-k, k + 1) for k in m), indexing="ij"), axis=-1).reshape(-1, 3)
    epsilon, sigma = (t[atoms.species[:, None], atoms.species[None]] for t in TABLE)
    energy, forces, virial = 0.0, np.zeros_like(atoms.positions), np.zeros((3, 3))
    for shift in shifts:
        d = atoms.positions[None] + shift @ atoms.cell - atoms.positions[:, None]
        square = np.sum(d**2, axis=-1)
        held = (square < LJ.cutoff**2) & (square > 0)
        six, end = (sigma**2 / np.where(held, square, 1)) ** 3, (sigma / LJ.cutoff) ** 6
        energy += np.sum(np.where(held, 4 * epsilon * (six**2 - six - end**2 + end), 0)) / 2
        f = np.where(held, 24 * epsilon * (2 * six**2 - six) / np.where(held, square, 1), 0)[..., None] * d
        forces -= f.sum(axis=1)
        virial += np.einsum("ijk,ijl->kl", f, d) / 2
    return energy, forces, virial


def compiled(caplog, name):
    return sum(f"Compiling jit({name})" in record.getMessage() for record in caplog.records)


def test_ten_systems_of_ten_sizes_are_right_and_take_two_programs(caplog):
    systems = [crystal((2, 2, 2), 32 - k, k) for k in range(5)] + [cluster(24 - k, k) for k in range(5)]
    systems = [systems[k] for k in np.random.default_rng(0).permutation(10)]
    with caplog.at_level(logging.WARNING), jax.log_compiles():
        found = md.evaluate_batch(LJ, systems)
        again = md.evaluate_batch(LJ, [crystal((2, 2, 2), 28, 4), cluster(20, 4), *systems[::-1]])
    assert compiled(caplog, "_evaluated") == 2
    for atoms, mine, repeated in zip(systems, found, again[2:][::-1], strict=True):
        energy, forces, virial = brute(atoms)
        np.testing.assert_allclose(mine.energy, energy, rtol=1e-12)
        np.testing.assert_allclose(mine.forces, forces, atol=1e-10)
        np.testing.assert_allclose(mine.virial, virial, atol=1e-10)
        np.testing.assert_allclose(np.sum(mine.atom_energies), energy, rtol=1e-12)
        np.testing.assert_allclose(np.sum(mine.atom_virials, axis=0), virial, atol=1e-10)
        np.testing.assert_allclose(repeated.forces, mine.forces, atol=1e-12)


def test_many_bodies_messages_and_what_an_atom_has_alone():
    """A potential that is no sum of pairs, and gives energy to an atom without neighbours, which padding must not have."""

    class Chain(md.AbstractPotential):
        cutoff: float = 2.0

        def atom_energies(self, pairs):
            near = np.pi / 2 / self.cutoff
            near = jax.numpy.where(pairs.mask, jax.numpy.cos(near * pairs.distances) ** 2, 0)
            first = 1.0 + near.sum(axis=1)
            return first + (near * pairs.gather(first[pairs.row] ** 2)).sum(axis=1)

    systems = [cluster(n, n) for n in (9, 14, 16)]
    found = md.evaluate_batch(Chain(), systems)
    for atoms, mine in zip(systems, found, strict=True):
        d = np.linalg.norm(atoms.positions[None] - atoms.positions[:, None], axis=-1)
        near = np.where((d < 2.0) & (d > 0), np.cos(np.pi / 4 * d) ** 2, 0)
        first = 1.0 + near.sum(axis=1)
        np.testing.assert_allclose(mine.atom_energies, first + near @ first**2, rtol=1e-12)
        # The total is sum_i first_i + sum_ij near_ij first_j^2; its slope with respect to each near_ij, either way round.
        slope = 1 + first[None, :] ** 2 + 2 * (first * near.sum(axis=0))[:, None]
        slope = slope * np.where(near > 0, -np.pi / 4 * np.sin(np.pi / 2 * d), 0)
        unit = (atoms.positions[None] - atoms.positions[:, None]) / np.where(d > 0, d, 1)[..., None]
        np.testing.assert_allclose(mine.forces, np.einsum("ij,ijk->ik", slope + slope.T, unit), atol=1e-11)


class All(md.AbstractEnsemble):
    """What ensembles use, in one program: a bath, degrees of freedom, noise for each atom and for all."""

    chain: md.NoseHoover = md.NoseHoover(temperature=0.3, time=0.3)
    langevin: md.Langevin = md.Langevin(temperature=0.3, friction=1.0)
    rescaling: md.Rescaling = md.Rescaling(temperature=0.3, time=0.2)
    keeps_momentum = True

    def init(self, setting):
        return self.chain.init(setting)

    def before(self, at, setting, key):
        return self.langevin.before(self.chain._half(at, setting), setting, key)

    def after(self, at, setting, key):
        return self.chain._half(self.rescaling.after(at, setting, key), setting)

    def stored(self, at, setting):
        return self.chain.stored(at, setting)


@pytest.mark.slow
def test_each_moves_as_alone():
    systems = [cluster(n, n) for n in (12, 16, 9)]
    together = md.simulate(systems, LJ, All(), steps=60, key=[7, 8, 9], fixed=[[1], None, None], **SHORT)
    alone = md.simulate(systems[0], LJ, All(), steps=60, key=7, fixed=[1], **SHORT)
    assert [t.atoms.atoms for t in together] == [12, 16, 9] and [len(t) for t in together] == [4] * 3
    for name in ("positions", "velocities", "forces", "conserved", "temperature"):
        np.testing.assert_allclose(getattr(together[0], name), getattr(alone, name), rtol=1e-9, atol=1e-9, err_msg=name)
    assert np.max(abs(alone.positions[-1] - alone.positions[0])) > 0.1  # they have moved
    assert together[0].result == alone.result and np.all(np.isnan(alone.pressure))


def simulate_with(slots, systems, **options):
    """With so many slots in the first lists."""
    batches = _together.batches

    def sized(*args, **spare):
        return [dataclasses.replace(b, sizes=dataclasses.replace(b.sizes, slots=slots)) for b in batches(*args, **spare)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_together, "batches", sized)
        return md.simulate(systems, LJ, steps=100, **SHORT, **options)


@pytest.fixture(scope="module")
def collapsing():
    """Clusters that fly together, and how they do."""
    systems = [cluster(n, n, spacing=1.5) for n in (9, 10, 12, 14, 16)]
    systems = [dataclasses.replace(s, velocities=(s.positions.mean(axis=0) - s.positions) * 2.0) for s in systems]
    return systems, simulate_with(20, systems)


def test_one_that_breaks_down_stops_alone_and_costs_no_program(collapsing, caplog):
    systems, whole = collapsing
    close = systems[3].positions.copy()
    close[5] = close[2] + 1e-3
    broken = [*systems[:3], dataclasses.replace(systems[3], positions=close), systems[4]]
    seen = []
    with caplog.at_level(logging.WARNING), jax.log_compiles():
        with pytest.raises(FloatingPointError, match="1 of 5 systems broke down. System 3: .* atoms? [25]") as caught:
            simulate_with(20, broken, callbacks=[lambda frame, k: seen.append((k, frame.step))])
    assert compiled(caplog, "_advanced") == compiled(caplog, "_whole") == 0
    found = caught.value.trajectories
    assert [len(t) for t in found] == [6, 6, 6, 1, 6] and seen.count((3, 0)) == 1 and (3, 20) not in seen
    assert np.array_equal(found[3].atoms.positions, close)
    for k in (0, 1, 2, 4):
        np.testing.assert_allclose(found[k].positions, whole[k].positions, rtol=1e-9, atol=1e-9)


def test_a_list_that_does_not_fit_is_made_larger_for_all(collapsing):
    systems, whole = collapsing
    narrow = simulate_with(12, systems)  # as many as are needed at the start
    assert narrow[0].stats["reallocated"] == 1 and whole[0].stats["reallocated"] == 0
    assert narrow[0].stats["slots"] > 12
    for mine, other in zip(narrow, whole, strict=True):
        np.testing.assert_allclose(mine.positions, other.positions, rtol=1e-9, atol=1e-9)
        assert list(mine.step) == list(other.step)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: md.evaluate_batch(LJ, []), "none came"),
        (lambda: md.evaluate_batch(LJ, [cluster(3, 0), 1.0]), "float as number 1"),
        (lambda: md.simulate([cluster(3, 0)], LJ, steps=1, checkpoint="x.npz", **SHORT), "no checkpoint"),
        (lambda: md.simulate([cluster(3, 0)], LJ, steps=1, fixed=[None, None], **SHORT), "2 came for 1 systems"),
        (lambda: md.simulate([cluster(3, 0)] * 3, LJ, steps=1, key=[1, 2], **SHORT), "2 came for 3 systems"),
        (lambda: md.simulate([cluster(3, 0)] * 3, LJ, steps=-1, **SHORT), "whole number"),
    ],
)
def test_bad_arguments_are_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()
