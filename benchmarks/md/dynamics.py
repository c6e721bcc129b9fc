"""Averages and conservation: a Lennard-Jones liquid against NIST's Monte Carlo, and energy at constant energy."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from rows import Row, case

import sciml
from sciml import md

TEMPERATURE, CUTOFF = 0.85, 3.0
# density: energy of an atom, its error, pressure, its error; the table at hand has no errors for the second (md.md)
NIST = {0.776: (-5.5121, 4.6e-4, 6.7714e-3, 1.7e-3), 0.820: (-5.7947, 0.0, 0.55355, 0.0)}


def tail(density: float) -> tuple[float, float]:
    """What pairs beyond the cutoff add to the energy of an atom and to the pressure where g(r) = 1."""
    r3 = CUTOFF**-3
    return 8 / 3 * np.pi * density * (r3**3 / 3 - r3), 16 / 3 * np.pi * density**2 * (2 / 3 * r3**3 - r3)


def pairs_within(positions: np.ndarray, edge: float) -> np.ndarray:
    """n, the number of pairs closer than the cutoff in each frame of a cubic cell wider than two cutoffs."""

    def count(r: jax.Array) -> jax.Array:
        square = 0.0
        for u in r.T:
            apart = u[:, None] - u[None, :]
            square = square + (apart - edge * jnp.round(apart / edge)) ** 2
        return (jnp.sum(square < CUTOFF**2) - len(r)) / 2

    with sciml.float64():
        return np.asarray(jax.jit(lambda r: jax.lax.map(count, r))(jnp.asarray(positions)))


def reweighted(series: np.ndarray, weights: np.ndarray) -> md.Mean:
    """sum w A / sum w; its error is that of w (A - <A>) / <w>, by blocks."""
    w = weights / np.mean(weights)
    value = float(np.mean(w * series))
    return md.Mean(value, md.mean(w * (series - value)).error)


def liquid(density: float, tau: float = 5000.0, timestep: float = 0.004, every: int = 100) -> Iterator[Row]:
    """500 atoms, Langevin dynamics (its configurations are those of the canonical ensemble; the kinetic part is exact).

    The force does not know that the energy leaps by e = -phi(cutoff) at the cutoff: dynamics samples the shifted energy,
    U - n phi(cutoff) = U + e n for the n pairs within the cutoff, and the truncated one of NIST's Monte Carlo has the weight
    exp(-beta U) / exp(-beta (U + e n)) = exp(beta e n).
    """
    steps, lattice = round(tau / timestep), (4 / density) ** (1 / 3)
    atoms = md.thermal(md.fcc(lattice, 5, "A", units=md.REDUCED), 2 * TEMPERATURE, key=1)
    potential = md.LennardJones(1.0, 1.0, cutoff=CUTOFF)
    langevin = md.Langevin(temperature=TEMPERATURE, friction=1.0)
    run = md.simulate(
        atoms, potential, langevin, steps=steps, timestep=timestep, every=every, skin=0.5, key=round(1000 * density),
        progress=False,
    )  # fmt: skip
    used = run.time >= 20.0  # the lattice has melted
    depth = 4 * (CUTOFF**-6 - CUTOFF**-12)
    n = pairs_within(run.positions[used], 5 * lattice)
    weights = np.exp(depth * (n - n.mean()) / TEMPERATURE)
    more_energy, more_pressure = tail(density)
    volume = atoms.atoms / density
    energies = run.potential_energy[used] / atoms.atoms + more_energy
    pressures = run.pressure[used] - 2 / 3 * run.kinetic_energy[used] / volume + density * TEMPERATURE + more_pressure
    energy, energy_error, pressure, pressure_error = NIST[density]
    about = {
        "tau": tau, "timestep": timestep, "frames": int(used.sum()), "kinetic_temperature": float(run.temperature[used].mean()),
        "effective_share": float(np.sum(weights) ** 2 / np.sum(weights**2) / len(weights)),
    }  # fmt: skip
    compared = (("E_pot/N", energies, energy, energy_error), ("P", pressures, pressure, pressure_error))
    for name, series, wanted, theirs in compared:
        ours, shifted = reweighted(series, weights), md.mean(series)
        both = float(np.hypot(ours.error, theirs))
        mark = f"{name} {wanted}" + (f" +- {theirs:.1e}" if theirs else "") + ", 3 standard errors"
        met = abs(ours.value - wanted) < 3 * both
        details = {"value": ours.value, "of_the_shifted_potential": shifted.value, "nist_error": theirs, **about}
        text = f"{ours.value:.6g} ({(ours.value - wanted) / both:+.1f} errors)"
        yield Row(f"LJ liquid, T* 0.85, density {density}: {name}", mark, text, met, ours.error, details)


@case
def liquid_776() -> Iterator[Row]:
    return liquid(0.776)


@case
def liquid_820() -> Iterator[Row]:
    return liquid(0.820)


SOFT = md.LennardJones(1.0, 1.0, cutoff=2.5, switch=2.0)


def melt(repeat: int = 3) -> md.System:
    """An equilibrated liquid of density 0.8442."""
    start = md.thermal(md.fcc((4 / 0.8442) ** (1 / 3), repeat, "A", units=md.REDUCED), 1.44, key=1)
    return md.simulate(start, SOFT, steps=2000, timestep=0.004, every=2000, skin=0.3, progress=False).atoms


@case
def energy_fluctuation() -> Iterator[Row]:
    """RMS of the total energy over the same 3.2 units of time, from four states of one run."""
    steps = (0.008, 0.004, 0.002, 0.001)
    atoms, slopes, spreads = melt(), [], []
    for k in range(4):
        atoms = md.thermal(atoms, 0.8, key=k)
        runs = [
            md.simulate(atoms, SOFT, steps=round(3.2 / h), timestep=h, every=max(1, round(0.008 / h)), skin=0.3, progress=False)
            for h in steps
        ]
        spreads.append([float(np.std(run.total_energy)) for run in runs])
        slopes.append(float(np.polyfit(np.log(steps), np.log(spreads[-1]), 1)[0]))
        atoms = runs[0].atoms
    slope, error = float(np.mean(slopes)), float(np.std(slopes, ddof=1) / np.sqrt(len(slopes)))
    met = abs(slope - 2) < max(3 * error, 0.02)
    name, mark = "NVE with a C2 switch: RMS energy fluctuation ~ dt^p", "p = 2 within 3 standard errors or 0.02"
    yield Row(name, mark, f"p = {slope:.4f}", met, error, {"timesteps": steps, "rms": spreads})


def slope_with_error(t: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """The slope of a straight line and its standard error where residuals are correlated: fits of block averages, whose
    residuals are ever less so, until the error no longer grows by more than its own uncertainty."""
    slope, best = float(np.polyfit(t, y, 1)[0]), 0.0
    while len(y) >= 16:
        residuals = y - np.polyval(np.polyfit(t, y, 1), t)
        error = float(np.sqrt(np.sum(residuals**2) / (len(y) - 2) / np.sum((t - t.mean()) ** 2)))
        if best and error <= best * (1 + 1 / np.sqrt(2 * (len(y) - 2))):
            return slope, max(best, error)
        best = max(best, error)
        t, y = ((a[: len(a) // 2 * 2 : 2] + a[1::2]) / 2 for a in (t, y))
    return slope, best


@case
def energy_drift() -> Iterator[Row]:
    """A million steps of 108 atoms."""
    steps, h = 1_000_000, 0.004
    run = md.simulate(melt(), SOFT, steps=steps, timestep=h, every=250, skin=0.4, progress=False)
    energies = run.total_energy / run.atoms.atoms
    slope, error = slope_with_error(run.time, energies)
    whole, doubt = slope * float(run.time[-1]), error * float(run.time[-1])
    name, mark = "NVE, 108 atoms, a million steps: drift of the energy of an atom", "zero within 3 standard errors"
    details = {"timestep": h, "slope": slope, "slope_error": error, "rms": float(np.std(energies)), "frames": len(run)}
    yield Row(name, mark, f"{whole:.1e} over the run ({slope / error:+.1f} errors)", abs(slope) < 3 * error, doubt, details)
