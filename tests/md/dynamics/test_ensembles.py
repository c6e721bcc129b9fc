"""Ensembles: what they sample against exact distributions, what they conserve, restarts, gradients, refusals."""

import logging
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sciml
from sciml import md
from sciml.md.dynamics._ensembles import Dynamics, Setting, rescaled

LJ = md.LennardJones(1.0, 1.0, cutoff=2.5, switch=2.0)
LIQUID = md.thermal(md.fcc((4 / 0.8) ** (1 / 3), 2, "A", units=md.REDUCED), 1.2, key=1)
SHORT = dict(timestep=0.004, skin=0.3, progress=False)
ATOMS, HEAT, PRESSURE = 5, 0.5, 2.0


def elastic(h):
    """The energy of a cell, whatever its rotation; the second term keeps it from collapsing."""
    return 5 * jnp.sum((h @ h.T - jnp.eye(3)) ** 2) - 2 * jnp.log(jnp.linalg.det(h))


def springs(r):
    """Three ATOMS - 1 oscillators of frequency one."""
    return jnp.sum((r - jnp.mean(r, axis=0)) ** 2) / 2


def at_step(at):
    """Energy, forces and virial of atoms on springs in an elastic cell."""
    value = lambda r, e: springs(r + r @ e) + elastic(at.cell + at.cell @ e)  # noqa: E731
    energy, (slope, work) = jax.value_and_grad(value, argnums=(0, 1))(at.positions, jnp.zeros((3, 3)))
    return eqx.tree_at(lambda a: (a.forces, a.virial, a.energy), at, (-slope, -work, energy))


@partial(jax.jit, static_argnames=("ensemble", "steps"))
def many(ensemble, h, keys, *, steps):
    return jax.vmap(lambda key: walked(ensemble, h, key, steps=steps))(keys)


def walked(ensemble, h, key, *, steps):
    """Cell, kinetic and potential energy, conserved quantity of each step."""
    one = jnp.ones((ATOMS, 1))
    setting = Setting(one, one, h, 3 * ATOMS - 3 * ensemble.keeps_momentum, md.REDUCED)
    begin, key = jax.random.split(key)
    r, v = jax.random.normal(begin, (2, ATOMS, 3)) * np.sqrt(HEAT)
    zero = jnp.zeros(())
    at = Dynamics(r, v - jnp.mean(v, axis=0), r, jnp.eye(3), zero, jnp.eye(3), ensemble.init(setting), zero, jnp.asarray(0))

    def step(at, _):
        before, after = jax.random.split(jax.random.fold_in(key, at.step))
        at = ensemble.after(at_step(ensemble.before(at, setting, before)), setting, after)
        at = eqx.tree_at(lambda a: a.step, at, at.step + 1)
        kinetic = setting.kinetic(at.velocities)
        return at, (at.cell, kinetic, at.energy, at.energy + kinetic - at.heat + ensemble.stored(at, setting))

    return jax.lax.scan(step, at_step(at), None, length=steps)[1]


def replicas(ensemble, h, count=64, steps=2500):
    with sciml.float64():
        keys = jax.random.split(jax.random.key(0), count)
        found = many(ensemble, jnp.asarray(h), keys, steps=steps)
    return [np.asarray(a)[:, steps // 5 :] for a in found]


def strays(conserved):
    return np.sqrt(np.mean((conserved - conserved[:, :1]) ** 2))


def agrees(samples, exact, error=0.0):
    """Means of independent replicas `(replicas, steps)` within four standard errors."""
    means = samples.mean(axis=1)
    spread = np.hypot(means.std(ddof=1) / np.sqrt(len(means)), error)
    assert abs(means.mean() - exact) < 4 * spread, (means.mean(), exact, spread)
    return spread


def exact_cells(cell, draws=400_000):
    """Cells and weights of exp(-(E(h) + P V) / kT) dV times the invariant measure of shapes. Each atom's V is taken back by its
    spring, whose partition function does not depend on the cell."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, draws, 3)) * 0.2
    x[:, 1:] = x[:, :1] if isinstance(cell, md.Isotropic) else x[:, 1:]
    y *= isinstance(cell, md.Flexible)
    h = np.zeros((draws, 3, 3))
    h[:, range(3), range(3)] = np.exp(x)
    h[:, [1, 2, 2], [0, 0, 1]] = y
    size = np.sum(x, axis=1)  # log V
    # A cell of nine free numbers is lower triangular but for a rotation, with the Jacobian a^2 b of its diagonal a, b, c.
    measure = {md.Isotropic: size, md.Anisotropic: size, md.Flexible: -2 * size + 3 * x[:, 0] + 2 * x[:, 1] + x[:, 2]}
    strain = np.sum((h @ h.transpose(0, 2, 1) - np.eye(3)) ** 2, axis=(1, 2))
    drawn = -(np.sum(x[:, : 1 if isinstance(cell, md.Isotropic) else 3] ** 2, axis=1) + np.sum(y**2, axis=1)) / 0.08
    weights = np.exp(measure[type(cell)] - (5 * strain - 2 * size + PRESSURE * np.exp(size)) / HEAT - drawn)
    return h, weights / np.sum(weights)


@pytest.mark.slow
@pytest.mark.parametrize("cell", [md.Isotropic(), md.Flexible()])
def test_cells_are_distributed_as_they_should_be(cell):
    """Volumes, edges, shear and kinetic energy; the cell keeps its direction. What is conserved strays by a walk of first order
    in the time step, which steps of Euler and Maruyama have, and a part of second order."""
    ensemble = md.CellRescaling(HEAT, PRESSURE, cell, time=2.0, thermostat_time=1.0, compressibility=0.1)
    h, kinetic, energy, _ = replicas(ensemble, 0.05)
    assert np.all(h[..., [0, 0, 1], [1, 2, 2]] == 0)
    exact, weights = exact_cells(cell)
    volume = np.linalg.det(h)
    for measured, what in [
        (volume, np.linalg.det(exact)), (volume**2, np.linalg.det(exact) ** 2), (h[..., 0, 0], exact[:, 0, 0]),
        (h[..., 2, 2], exact[:, 2, 2]), (h[..., 1, 0] ** 2, exact[:, 1, 0] ** 2), (h[..., 2, 1] ** 2, exact[:, 2, 1] ** 2),
    ]:  # fmt: skip
        mean = np.sum(weights * what)
        if np.ptp(measured):
            spread = agrees(measured, mean, np.sqrt(np.sum(weights**2 * (what - mean) ** 2)))
            assert spread < 0.02 * max(np.abs(mean), 0.1)
    half = 1.5 * (ATOMS - 1)
    agrees(kinetic, half * HEAT)
    agrees(kinetic**2, half * (half + 1) * HEAT**2)
    long, short = (strays(replicas(ensemble, h)[3]) for h in (0.1, 0.025))
    assert short < 0.1 * np.std(kinetic + energy) and long / short > 4.5, (long, short)


def test_langevin_is_exact_for_springs_whatever_the_time_step():
    """BAOAB: positions of a harmonic oscillator have the exact distribution up to the limit of stability; velocities have it
    for short steps."""
    half = 1.5 * (ATOMS - 1)
    for h in (0.2, 0.8):
        energy = replicas(md.Langevin(HEAT, friction=1.0), h)[2]
        agrees(energy, half * HEAT)
        agrees(energy**2, half * (half + 1) * HEAT**2)
    half = 1.5 * ATOMS
    kinetic = replicas(md.Langevin(HEAT, friction=1.0), 0.05)[1]
    agrees(kinetic, half * HEAT)
    agrees(kinetic**2, half * (half + 1) * HEAT**2)


@pytest.mark.slow
def test_what_is_conserved_under_schedules():
    """Deterministic: second order in the time step."""
    ensemble = md.NoseHoover(md.Ramp(0.4, 0.8, 40.0), time=4.0)
    long, short = (strays(replicas(ensemble, h)[3]) for h in (0.08, 0.02))
    assert short < 1e-3 * HEAT * ATOMS and long / short > 14, (long, short)
    pressed = md.CellRescaling(HEAT, md.Ramp(1.0, 3.0, 40.0), md.Anisotropic(), time=4.0, compressibility=0.1, every=2)
    _, kinetic, energy, conserved = replicas(pressed, 0.02)
    assert strays(conserved) < 0.05 * np.std(kinetic + energy)


@pytest.mark.slow
def test_a_pressed_liquid_goes_through_new_lists():
    """The cell loses a fifth of its volume; a list that is made less often, and fits all the time, gives the same."""
    loose = md.thermal(md.fcc((4 / 0.55) ** (1 / 3), 3, "A", units=md.REDUCED), 1.2, key=1)
    pressure = md.Ramp(5.0, 20.0, 1.0)
    ensemble = md.CellRescaling(1.2, pressure, md.Isotropic(), time=0.4, thermostat_time=0.2, compressibility=0.1)
    run, other = (
        md.simulate(loose, LJ, ensemble, steps=30, every=15, **SHORT | dict(skin=skin)) for skin in (0.3, 0.6)
    )
    assert run.volume[-1] < 0.8 * run.volume[0] and run.stats["reallocated"] > other.stats["reallocated"] == 0
    np.testing.assert_allclose(run.positions, other.positions, atol=1e-7)
    np.testing.assert_allclose(run.conserved, other.conserved, atol=1e-7)


@pytest.mark.slow
def test_a_rollout_under_pressure_repeats_an_interrupted_run_and_has_its_gradient(tmp_path):
    ensemble = md.CellRescaling(1.2, 1.0, md.Flexible(), time=0.5, thermostat_time=0.2, compressibility=0.1, every=2)

    def stop(frame):
        if frame.step == 6:
            raise KeyboardInterrupt

    options = dict(steps=12, every=6, checkpoint=tmp_path / "state.npz", **SHORT)
    assert len(md.simulate(LIQUID, LJ, ensemble, callbacks=[stop], **options)) == 2
    run = md.simulate(LIQUID, LJ, ensemble, **options)
    with sciml.float64():
        atoms = jax.tree.map(jnp.asarray, LIQUID)
        neighbours = md.allocate(LIQUID, LJ.cutoff, skin=0.3)

        @jax.jit
        @partial(jax.value_and_grad, has_aux=True)
        def outcome(s):
            potential = eqx.tree_at(lambda p: p.epsilon, LJ, 1.0 + s)
            end, _, bad = md.rollout(atoms, potential, ensemble, neighbours, steps=12, timestep=0.004, every=6)
            return jnp.linalg.det(end.cell) + jnp.sum(end.cell[1, 0] * end.velocities[3]), (end, bad)

        (_, (end, bad)), slope = outcome(jnp.asarray(0.0))
        assert not bool(bad)
        np.testing.assert_allclose(end.cell, run.cell[-1], atol=1e-10)
        np.testing.assert_allclose(end.positions, run.positions[-1], atol=1e-9)
        found = (outcome(jnp.asarray(1e-5))[0][0] - outcome(jnp.asarray(-1e-5))[0][0]) / 2e-5
        np.testing.assert_allclose(slope, found, rtol=1e-6)
        held, _, _ = md.rollout(atoms, LJ, md.NVE(), neighbours, steps=2, timestep=0.004, fixed=[0, 5])
        moved = np.any(np.asarray(held.positions) != LIQUID.positions, axis=1)
        assert list(np.flatnonzero(~moved)) == [0, 5]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: md.CellRescaling(300, 1.0, compressibility=0.0), "compressibility=0.0"),
        (lambda: md.CellRescaling(300, float("nan")), "pressure=nan"),
        (lambda: md.CellRescaling(300, 1.0, "isotropic"), "md.Isotropic()"),
        (lambda: md.CellRescaling(300, 1.0, every=0), "every=0"),
        (lambda: md.CellRescaling(300, 1.0, time=-1.0), "time=-1.0"),
        (lambda: md.Rescaling(float("inf")), "temperature=inf"),
        (lambda: md.Langevin(temperature="300"), "temperature='300'; expected a positive number .K., or a function of time"),
        (lambda: md.Langevin(md.Ramp(300, -1, 10.0)), "temperature is -1 at a time"),
        (lambda: md.Langevin(lambda t: -5.0 + t), "temperature is -5"),
        (lambda: md.Langevin(lambda: 300.0), "no number at t = 0"),
        (lambda: md.CellRescaling(300, lambda t: "1 bar"), "pressure is no number at t = 0"),
        (lambda: md.Ramp(300, 600, 0.0), "three numbers, the last of them positive"),
        (lambda: md.NoseHoover(300, chain=2.5), "chain=2.5"),
    ],
)
def test_ensembles_refuse(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_pressures_refuse_open_cells_and_atoms_that_are_held():
    ensemble = md.CellRescaling(1.0, 1.0)
    slab = md.system(LIQUID.positions, "A", cell=LIQUID.cell, periodic=(True, True, False), units=md.REDUCED)
    with pytest.raises(ValueError, match="periodic along all three"):
        md.simulate(slab, LJ, ensemble, steps=1, **SHORT)
    with pytest.raises(ValueError, match="hold none"):
        md.simulate(LIQUID, LJ, ensemble, steps=1, fixed=[0], **SHORT)


def test_atoms_at_rest_stay_finite_under_rescaling():
    one, zero = jnp.ones((ATOMS, 1)), jnp.zeros((ATOMS, 3))
    at = Dynamics(zero, zero, zero, jnp.eye(3), 0.0, jnp.eye(3), (), 0.0, 0)
    at = rescaled(at, Setting(one, one, jnp.asarray(0.1), 3 * ATOMS - 3, md.REDUCED), jax.random.key(0), 1.0, 1.0)
    assert np.all(at.velocities == 0) and at.heat == 0


def test_other_numbers_compile_nothing(caplog):
    """Numbers of an ensemble are traced, ramps too."""
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        for k, warm in enumerate((md.Ramp(1.0, 1.5, 0.02), md.Ramp(0.5, 0.4, 0.04))):
            run = md.simulate(LIQUID, LJ, md.Langevin(warm, friction=2.0 + k), steps=4, every=4, **SHORT)
            assert sum("Compiling jit(_advanced)" in record.getMessage() for record in caplog.records) == 1
    assert len(run) == 2


def test_temperatures_are_differentiated():
    with sciml.float64():
        kinetic = lambda T: walked(md.Langevin(T, friction=1.0), 0.05, jax.random.key(0), steps=20)[1][-1]  # noqa: E731
        end = jax.jit(jax.value_and_grad(kinetic))
        differences = (end(0.5 + 1e-5)[0] - end(0.5 - 1e-5)[0]) / 2e-5
        np.testing.assert_allclose(end(0.5)[1], differences, rtol=1e-7)
