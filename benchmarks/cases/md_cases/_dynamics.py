"""Cases 20 to 22: what ensembles sample."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from scipy.special import gamma

from sciml import md
from sciml.md.atoms._pairs import AbstractGlobalPotential

from ._table import Row, case, close, mean, refused, same

KB = 8.617333262e-5
SETTINGS: dict[str, Any] = dict(progress=False)


def free() -> Any:
    """Atoms without forces: a bond of no strength, which needs no list."""
    return md.HarmonicBonds([[0, 1]], 0.0, 1.0)


@case("20 NPT of an ideal gas", "<V> = N kT / p = 4308.7 A^3 (centre of mass at rest), std 604; 2 KE / 3V exactly", 300)
def ideal_gas() -> Iterator[Row]:
    n, T, p = 50, 10.0, 1e-5
    bar = p * 1.602176634e6
    right = n * KB * T / p
    rng = np.random.default_rng(0)
    edge = (1.5 * right) ** (1 / 3)
    atoms = md.thermal(md.system(rng.random((n, 3)) * edge, "Pb", cell=edge), T, key=3)
    for shape in (md.Isotropic(), md.Anisotropic()):
        bath = md.CellRescaling(T, bar, shape, time=300.0, thermostat_time=100.0, compressibility=1 / bar)
        run = md.simulate(atoms, free(), bath, steps=60_000, timestep=10.0, every=20, key=5, **SETTINGS)
        V, name = run.volume[300:], type(shape).__name__
        yield mean(f"<V>, {name}", V, right)
        squares = (V - right) ** 2
        # V^(N - 1) exp(-p V / kT) dV: a gamma distribution of shape N.
        yield mean(f"variance of V, {name}", squares, n * (KB * T / p) ** 2)
        yield mean(f"P, {name}", run.pressure[300:], bar)
    still = eqx.tree_at(lambda s: s.velocities, atoms, 0 * atoms.velocities)
    a, b = (md.simulate(s, free(), steps=1, timestep=1.0, **SETTINGS) for s in (still, atoms))
    kinetic = 2 * b.kinetic_energy[0] / (3 * b.volume[0]) * 1.602176634e6
    yield close("P of atoms at rest is the virial's", a.pressure[0], 0, 1e-12)
    yield close("P gains 2 KE / 3V", b.pressure[0] - a.pressure[0], float(kinetic), 1e-8 * float(kinetic))


class Well(AbstractGlobalPotential):
    """U = 2000 (x - 1/2)^6, in x alone."""

    cutoff: float = eqx.field(static=True, default=0.0)

    def shared_energies(self, positions: Any, cell: Any, species: Any, periodic: Any) -> Any:
        return 2000 * jnp.sum((positions[:, :1] - 0.5) ** 6, axis=1)


@case("21 Langevin: distribution, temperature, momentum", "<y^2> = 0.0252734; BAOAB 0.9375 T, kT/k; Var P = M kT", 300)
def langevin() -> Iterator[Row]:
    places = np.c_[np.full(200, 0.5), 10.0 * np.arange(200), np.zeros(200)]
    atoms = md.system(places, "A", masses=1.0, units=md.REDUCED)
    bath = md.Langevin(1.0, friction=5.0)
    run = md.simulate(atoms, Well(), bath, steps=30_000, timestep=2e-3, every=30, key=1, **SETTINGS)
    y = np.asarray(run.positions)[100:, :, 0] - 0.5
    moment = lambda k: 2000 ** (-k / 6) * gamma((k + 1) / 6) / gamma(1 / 6)  # noqa: E731
    yield mean("<y^2>", np.mean(y**2, axis=1), moment(2))
    yield mean("<y^4>, the shape", np.mean(y**4, axis=1), moment(4))

    pairs = np.arange(200).reshape(-1, 2)
    places = np.random.default_rng(0).normal(size=(200, 3)) + np.repeat(100.0 * np.arange(100), 2)[:, None]
    dimers = md.system(places, "A", masses=1.0, units=md.REDUCED)
    springs, step = md.HarmonicBonds(pairs, 1.0, 0.0), 0.5 / np.sqrt(2)
    run = md.simulate(dimers, springs, md.Langevin(1.0, friction=0.5), steps=20_000, timestep=step, every=5, key=2, **SETTINGS)
    apart, speed = (np.asarray(a)[200:, 1::2] - np.asarray(a)[200:, ::2] for a in (run.positions, run.velocities))
    yield mean("variance of bonds, kT/k", np.mean(apart**2, axis=(1, 2)), 1.0)
    yield mean("T of the vibration", np.mean(speed**2, axis=(1, 2)) / 2, 0.9375)

    argon = md.thermal(md.simple_cubic(2 ** (1 / 6) * 3.4, 4, "Ar"), 100, key=1)
    lj = md.LennardJones(0.0104, 3.4, cutoff=6.0, switch=5.0)
    run = md.simulate(argon, lj, md.Langevin(100.0, friction=5e-3), steps=25_000, timestep=4.0, every=25, key=3, **SETTINGS)
    v, m = np.asarray(run.velocities)[100:], np.asarray(argon.masses)[:, None]
    momentum = np.sum(np.sum(m * v, axis=1) ** 2, axis=1) / 3
    yield mean("64 Ar: T = 2 KE / 3N k", run.temperature[100:], 100.0)
    yield mean("64 Ar: variance of the momentum / M k", momentum / (m.sum() * KB), 100.0)
    kept = md.simulate(argon, lj, md.Rescaling(100.0), steps=2, timestep=4.0, **SETTINGS)
    v0 = np.asarray(kept.velocities[0])
    right = float(np.sum(m * v0**2) / (189 * KB))
    yield close("with the momentum kept T counts 3N - 3", kept.temperature[0], right, 1e-9 * right)


@case("22 CSVR and Nose-Hoover: at rest, few atoms", "<K> = 2.443 eV, relative std 0.1029, exp(-t/tau); refusals", 300)
def rescaling() -> Iterator[Row]:
    lattice = md.simple_cubic(2 ** (1 / 6) * 3.4, 4, "Ar")
    lj = md.LennardJones(0.0104, 3.4, cutoff=6.0, switch=5.0)
    off = 0.05 * np.random.default_rng(0).normal(size=(64, 3))
    rattled = eqx.tree_at(lambda s: s.positions, lattice, lattice.positions + off)
    run = md.simulate(rattled, lj, md.Rescaling(300.0), steps=2000, timestep=2.0, every=20, **SETTINGS)
    yield same("64 Ar at rest heat up", bool(run.temperature[-1] > 150 and np.isfinite(run.total_energy).all()), True)
    atoms = md.thermal(lattice, 300, key=2)
    run = md.simulate(atoms, free(), md.Rescaling(300.0, time=100.0), steps=200_000, timestep=5.0, every=5, key=4, **SETTINGS)
    K = run.kinetic_energy[100:]
    half = 189 * KB * 300 / 2
    yield mean("<K>", K, half, blocks=20)
    yield mean("variance of K", (K - half) ** 2, half**2 * 2 / 189, blocks=20)
    off = (K - half) / half
    for steps, right in ((2, np.exp(-0.5)), (4, np.exp(-1.0)), (8, np.exp(-2.0))):
        yield mean(f"autocorrelation at {25 * steps} fs", off[:-steps] * off[steps:] / (2 / 189), float(right), blocks=20)
    one = md.system([[0.0, 0, 0]], "Ar", cell=20.0)
    go = lambda s, bath, step=2.0: md.simulate(s, lj, bath, steps=5, timestep=step, **SETTINGS)  # noqa: E731
    yield refused("one atom", lambda: go(one, md.Rescaling(300.0)), "one atom")
    yield refused("one atom, Nose-Hoover", lambda: go(one, md.NoseHoover(300.0)), "one atom")
    yield refused("dt = 0", lambda: go(atoms, md.Rescaling(300.0), 0.0), "timestep")
    yield refused("Nose-Hoover at rest", lambda: go(lattice, md.NoseHoover(300.0)), "at rest")
    yield refused("Nose-Hoover as fast as the step", lambda: go(atoms, md.NoseHoover(300.0, time=2.0)), "time=2")
    two = md.thermal(md.system([[0, 0, 0], [3.8, 0, 0]], "Ar", cell=20.0), 300)
    for time in (2.0, 1e6):
        run = go(two, md.Rescaling(300.0, time=time))
        yield same(f"two atoms, tau = {time:g}", np.isfinite(run.total_energy).all(), True)
    mixed = md.simulate(atoms, lj, md.Rescaling(300.0), steps=1000, timestep=2.0, **SETTINGS).atoms
    errors = []
    for step in (4.0, 2.0):
        # So short that both steps follow the same path.
        run = md.simulate(mixed, lj, md.NoseHoover(300.0), steps=int(400 / step), timestep=step, every=1, **SETTINGS)
        errors.append(float(np.std(run.conserved)))
    yield same("Nose-Hoover is hot after its first step", bool(run.temperature[1] > 10), True)
    yield close("its conserved energy, of half the step over a quarter", 4 * errors[1] / errors[0], 1, 0.3)
    for time in (50.0, 500.0):
        run = md.simulate(atoms, lj, md.Rescaling(300.0, time=time), steps=1000, timestep=2.0, every=50, **SETTINGS)
        slope = np.polyfit(run.step, run.conserved / 64, 1)[0]
        yield close(f"drift of the conserved energy, tau = {time:g}", slope, 0, 1e-7)
