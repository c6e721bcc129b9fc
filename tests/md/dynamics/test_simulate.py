"""Dynamics: what is conserved, restarts, lists that grow, gradients, and what goes wrong."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sciml
from sciml import md
from sciml.md.atoms._neighbours import _counted
from sciml.md.dynamics import _run

LJ = md.LennardJones(1.0, 1.0, cutoff=2.5, switch=2.0)
LIQUID = md.thermal(md.fcc((4 / 0.8442) ** (1 / 3), 2, "A", units=md.REDUCED), 1.44, key=1)
SHORT: Any = dict(timestep=0.004, every=20, skin=0.3, progress=False)
# Open, so that lists compile in half the time: for what has nothing to do with cells.
CORNER = md.fcc(1.6, 1, "A").positions
CLUSTER = md.thermal(md.system(np.concatenate([CORNER, CORNER + [1.6, 0, 0]]), "A", units=md.REDUCED), 0.4, key=1)


def energies(dt, steps):
    return md.simulate(LIQUID, LJ, steps=steps, timestep=dt, every=4, skin=0.3, progress=False).conserved


def test_energy_fluctuates_with_the_square_of_the_time_step():
    spread = [np.std(energies(dt, round(1.6 / dt))) for dt in (0.008, 0.004, 0.002)]
    slopes = np.log2(np.array(spread[:-1]) / spread[1:])
    assert np.all(np.abs(slopes - 2) < 0.25), slopes


@pytest.mark.parametrize(
    "ensemble",
    [
        md.Langevin(temperature=1.0, friction=1.0), md.Rescaling(temperature=1.0, time=0.2),
        md.NoseHoover(temperature=1.0, time=0.3),
    ],
)
def test_thermostats_conserve_what_they_say_and_heat_the_atoms(ensemble):
    run = md.simulate(LIQUID, LJ, ensemble, steps=1500, **SHORT)
    assert np.ptp(run.conserved) < 0.01 * np.ptp(run.total_energy)
    assert abs(np.mean(run.temperature[15:]) - 1.0) < 0.1
    momentum = np.sum(run.frames[-1].velocities, axis=0)
    assert ensemble.keeps_momentum == bool(np.all(np.abs(momentum) < 1e-9))


def test_a_restart_repeats_every_bit(tmp_path):
    langevin = md.Langevin(temperature=0.4, friction=1.0)
    whole = md.simulate(CLUSTER, LJ, langevin, steps=120, **SHORT)

    def stop(frame):
        if frame.step == 60:
            raise KeyboardInterrupt

    path = tmp_path / "state.npz"
    first = md.simulate(CLUSTER, LJ, langevin, steps=120, checkpoint=path, callbacks=[stop], **SHORT)
    assert "Interrupted" in first.result and first.stats["steps"] == 60
    second = md.simulate(CLUSTER, LJ, langevin, steps=120, checkpoint=path, **SHORT)
    assert np.array_equal(second.positions, whole.positions) and np.array_equal(second.velocities, whole.velocities)
    assert list(second.step) == list(range(0, 121, 20))
    with pytest.raises(ValueError, match="belongs to another system"):
        md.simulate(CLUSTER, LJ, steps=120, checkpoint=path, **SHORT)


@pytest.fixture(scope="module")
def wide():
    """A run whose list has room for everything: atoms, that list, the run."""
    liquid = md.thermal(md.fcc((4 / 0.8442) ** (1 / 3), 4, "A", units=md.REDUCED), 3.0, key=1)
    made = []
    with pytest.MonkeyPatch.context() as patch:
        roomy = lambda *args, **options: made.append(md.neighbours_for(*args, **options | dict(spare=1.5))) or made[-1]  # noqa: E731
        patch.setattr(_run, "neighbours_for", roomy)
        run = md.simulate(liquid, LJ, steps=60, **SHORT)
    assert run.stats["reallocated"] == 0
    return liquid, made[0], run


@pytest.mark.parametrize("what", ["entries", "window", "slots"])
def test_a_list_that_does_not_fit_loses_nothing(monkeypatch, wide, what):
    liquid, roomy, expected = wide
    with sciml.float64():
        at = roomy.positions, roomy.cell
        needed = _counted(*at, roomy.low, roomy.high, roomy.cutoff + roomy.skin, roomy.periodic, roomy.sizes)[-1]
    # What is needed of the others grows as the crystal melts.
    exact = dict(entries=int(needed[0]) - 1, window=int(needed[1]), slots=int(needed[2]))
    sizes = [dataclasses.replace(roomy.sizes, **{what: exact[what]})]

    def tight(atoms, *args, **options):
        """Room for what is needed at first, and no more."""
        chosen = sizes.pop() if sizes else roomy.sizes
        return dataclasses.replace(roomy, sizes=chosen).update(*map(jnp.asarray, (atoms.positions, atoms.cell)))

    monkeypatch.setattr(_run, "neighbours_for", tight)
    narrow = md.simulate(liquid, LJ, steps=60, **SHORT)
    assert narrow.stats["reallocated"] == 1
    np.testing.assert_allclose(narrow.positions, expected.positions, atol=1e-9)


@pytest.mark.slow
def test_forces_in_32_bits_and_atoms_that_are_held():
    double = md.simulate(CLUSTER, LJ, steps=20, fixed=[0, 5], **SHORT)
    mixed = md.simulate(CLUSTER, LJ, steps=20, fixed=[0, 5], forces_in=np.float32, **SHORT)
    assert mixed.positions.dtype == np.float64
    np.testing.assert_allclose(mixed.positions, double.positions, atol=1e-5)
    assert not np.array_equal(mixed.positions, double.positions)
    assert np.array_equal(double.positions[-1][[0, 5]], CLUSTER.positions[[0, 5]])
    single = md.simulate(CLUSTER, LJ, steps=20, precision=np.float32, **SHORT)
    assert single.positions.dtype == np.float32


@pytest.mark.slow
def test_gradients_of_a_rollout_equal_finite_differences():
    with sciml.float64():
        atoms = jax.tree.map(jnp.asarray, LIQUID)
        neighbours = md.allocate(LIQUID, LJ.cutoff, skin=0.3)
        rng = np.random.default_rng(0)
        direction = jnp.asarray(rng.normal(size=atoms.positions.shape))

        @jax.jit
        def outcome(s):
            started = eqx.tree_at(lambda a: a.velocities, atoms, atoms.velocities + s[1] * direction)
            potential = eqx.tree_at(lambda p: p.epsilon, LJ, 1.0 + s[0])
            langevin = md.Langevin(temperature=1.0, friction=1.0)
            end, frames, bad = md.rollout(started, potential, langevin, neighbours, steps=20, timestep=0.004, every=5)
            return jnp.sum(end.positions * direction) + jnp.sum(frames.velocities**2), bad

        at = jnp.zeros(2)
        slope = jax.jit(jax.grad(lambda s: outcome(s)[0]))(at)
        assert not bool(outcome(at)[1])
        for k in range(2):
            h = jnp.zeros(2).at[k].set(1e-5)
            found = (outcome(at + h)[0] - outcome(at - h)[0]) / 2e-5
            np.testing.assert_allclose(slope[k], found, rtol=1e-6)
        assert np.all(np.isfinite(slope)) and np.all(slope != 0)


def test_runs_that_break_down_say_which_atoms():
    close = eqx.tree_at(lambda a: a.positions, CLUSTER, CLUSTER.positions.copy())
    close.positions[7] = close.positions[3] + 0.1
    words = r"atom [37] is the.* At step 0 atoms 3 \(A\) and 7 \(A\) are 0.1732"
    with pytest.raises(FloatingPointError, match=words) as caught:
        md.simulate(close, LJ, steps=100, **SHORT)
    assert len(caught.value.trajectory) == 1
    kept = md.simulate(close, LJ, steps=100, throw=False, **SHORT)
    assert not kept.converged and np.all(np.isfinite(kept.positions))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(steps=-1, timestep=1.0), "whole number"),
        (dict(steps=10.0, timestep=1.0), "whole number"),
        (dict(steps=10, timestep=0), "positive number"),
        (dict(steps=10, timestep=0.01, every=0), "every=0"),
        (dict(steps=10, timestep=0.01, fixed=[99]), "from 0 to 31"),
    ],
)
def test_bad_arguments_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        md.simulate(LIQUID, LJ, **options)
    with pytest.raises(ValueError, match="temperature=-1"):
        md.Langevin(temperature=-1)


def test_an_unknown_species_is_told():
    named = md.LennardJones(1.0, 1.0, cutoff=2.5, names=("Cu",))
    with pytest.raises(ValueError, match="does not know A; it knows Cu"):
        md.simulate(LIQUID, named, steps=1, timestep=0.01, progress=False)
