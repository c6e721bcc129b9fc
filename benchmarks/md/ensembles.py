"""Whether ensembles sample what they should: 108 Lennard-Jones atoms in reduced units, float64, on one core.

    python benchmarks/md/ensembles.py          -> benchmarks/results/md_ensembles.json, in about ten minutes of one core

- thermostats: between two temperatures the logarithm of the ratio of the distributions of the potential energy is a straight
  line of slope beta1 - beta2 (Shirts 2013, doi:10.1021/ct300688p); the kinetic energy has a gamma distribution.
- barostats: between two pressures that of the volume has the slope beta (P1 - P2).
- time steps: mean potential energies at three time steps, and their limit along a straight line in dt^2; for harmonic forces
  the mean that Langevin dynamics (BAOAB) has at any time step.

Slopes are those of greatest likelihood (logistic regression), errors those of a jackknife over blocks of each run. `deviation`
is in standard errors.
"""

import json
import os
import platform
import time
from pathlib import Path

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"

import jax
import numpy as np
from scipy.optimize import minimize

from sciml import md

RESULTS = Path(__file__).parents[1] / "results" / "md_ensembles.json"
BLOCKS, EVERY = 20, 20
STEPS, FEWER, STEP = 80_000, 50_000, 0.004
LJ = md.LennardJones(1.0, 1.0, cutoff=2.5, switch=2.0)
T1, T2 = 1.1, 1.3

THERMOSTATS = {
    "Langevin": lambda T: md.Langevin(T, friction=1.0),
    "Rescaling": lambda T: md.Rescaling(T, time=0.2),
    "NoseHoover": lambda T: md.NoseHoover(T, time=0.4),
}
# (cell, density at the start, temperature, two pressures, compressibility): a liquid has no shape of its own, a crystal has.
BAROSTATS = {
    "Isotropic, liquid": (md.Isotropic(), 0.72, 1.2, (1.0, 1.5), 0.15),
    "Anisotropic, crystal": (md.Anisotropic(), 1.02, 0.5, (2.0, 3.0), 0.025),
    "Flexible, crystal": (md.Flexible(), 1.02, 0.5, (2.0, 3.0), 0.025),
}


def sampled(density, temperature, ensemble, steps=STEPS, timestep=STEP, key=1):
    atoms = md.thermal(md.fcc((4 / density) ** (1 / 3), 3, "A", units=md.REDUCED), 1.8 * temperature, key=key)
    run = md.simulate(atoms, LJ, ensemble, steps=steps, timestep=timestep, every=EVERY, skin=0.4, key=key, progress=False)
    return run.frames[len(run) // 8 :]


def take(frames, name):
    return np.array([getattr(frame, name) for frame in frames])


def jackknifed(statistic, *samples):
    """A statistic of independent runs, and its error from leaving out one block of one run at a time."""
    value, square = statistic(*samples), 0.0
    for k, x in enumerate(samples):
        blocks = np.array_split(x, BLOCKS)
        left = [np.concatenate(blocks[:b] + blocks[b + 1 :]) for b in range(BLOCKS)]
        found = np.array([statistic(*samples[:k], one, *samples[k + 1 :]) for one in left])
        square += (BLOCKS - 1) / BLOCKS * np.sum((found - found.mean()) ** 2)
    return float(value), float(np.sqrt(square))


def slope(x1, x2):
    """Of log(p2 / p1), by greatest likelihood."""
    middle, scale = np.mean([x1.mean(), x2.mean()]), x1.std()

    def loss(c):
        u1, u2 = (c[0] + c[1] * (x - middle) / scale for x in (x1, x2))
        p1, p2 = 1 / (1 + np.exp(-u1)), 1 / (1 + np.exp(u2))
        value = np.mean(np.logaddexp(0, u1)) + np.mean(np.logaddexp(0, -u2))
        first = np.mean(p1) - np.mean(p2)
        return value, np.array([first, (np.mean(p1 * (x1 - middle)) - np.mean(p2 * (x2 - middle))) / scale])

    return minimize(loss, np.zeros(2), jac=True, method="BFGS").x[1] / scale


def row(name, quantity, expected, found, error, **more):
    out = {"case": name, "quantity": quantity, "expected": expected, "found": found, "error": error}
    out |= {"deviation": abs(found - expected) / error, **more}
    print(json.dumps(out), flush=True)
    return out


def thermostats():
    for name, make in THERMOSTATS.items():
        runs = [sampled(0.8, T, make(T), key=k) for k, T in enumerate((T1, T2), 1)]
        energies = [take(frames, "potential_energy") for frames in runs]
        yield row(name, "slope of log p2(U) / p1(U)", 1 / T1 - 1 / T2, *jackknifed(slope, *energies))
        half = 1.5 * (108 - make(T1).keeps_momentum)
        for T, frames in zip((T1, T2), runs, strict=True):
            K = take(frames, "kinetic_energy")
            yield row(name, f"mean kinetic energy, T = {T}", half * T, *jackknifed(np.mean, K))
            yield row(name, f"variance of the kinetic energy, T = {T}", half * T**2, *jackknifed(np.var, K))


def barostats():
    for name, (cell, density, T, pressures, compressibility) in BAROSTATS.items():
        options = dict(time=0.5, thermostat_time=0.2, compressibility=compressibility)
        runs = [sampled(density, T, md.CellRescaling(T, P, cell, **options), key=k) for k, P in enumerate(pressures, 1)]
        volumes = [take(frames, "volume") for frames in runs]
        yield row(name, "slope of log p2(V) / p1(V)", (pressures[0] - pressures[1]) / T, *jackknifed(slope, *volumes))
        for P, frames in zip(pressures, runs, strict=True):
            found = {name: take(frames, name) for name in ("time", "conserved", "pressure", "kinetic_energy")}
            drift = float(np.polyfit(found["time"], found["conserved"], 1)[0]) / 108
            mean = jackknifed(np.mean, found["pressure"])
            yield row(name, f"mean pressure, P = {P}", P, *mean, drift_per_atom_and_time=drift)
            yield row(name, f"mean kinetic energy, P = {P}", 1.5 * 107 * T, *jackknifed(np.mean, found["kinetic_energy"]))


def time_steps():
    limits = []
    for name in ("Langevin", "Rescaling"):
        steps, means = (0.01, 0.007, 0.004), []
        for k, h in enumerate(steps, 11):
            frames = sampled(0.8, T1, THERMOSTATS[name](T1), steps=FEWER, timestep=h, key=k)
            means.append(jackknifed(np.mean, take(frames, "potential_energy") / 108))
        value, error = np.array(means).T
        # A straight line in dt^2 through three points with errors.
        A = np.stack([np.ones(3), np.square(steps)], axis=1)
        covariance = np.linalg.inv(A.T @ (A / error[:, None] ** 2))
        line = covariance @ A.T @ (value / error**2)
        misfit = np.linalg.norm((value - A @ line) / error)
        limits.append((line[0], np.sqrt(covariance[0, 0])))
        yield {
            "case": name, "quantity": "mean potential energy per atom, dt -> 0", "steps": steps, "means": value.tolist(),
            "errors": error.tolist(), "found": line[0], "error": limits[-1][1], "per_dt2": line[1],
            "deviation": float(misfit), "deviation_is": "of the three means from the line",
        }  # fmt: skip
    (a, da), (b, db) = limits
    yield row("Langevin and Rescaling", "difference of the limits dt -> 0", 0.0, a - b, float(np.hypot(da, db)))


def harmonic():
    """Eight atoms, all bound to each other: 21 oscillators of frequency sqrt(8), stable below dt = 0.707."""
    springs = md.PairPotential(jax.tree_util.Partial(lambda r: r**2 / 2), cutoff=100.0)
    cluster = md.system(np.random.default_rng(0).normal(size=(8, 3)), "A", units=md.REDUCED)
    for k, h in enumerate((0.1, 0.3, 0.5)):
        run = md.simulate(
            cluster, springs, md.Langevin(1.0, friction=1.0), steps=FEWER, timestep=h, every=10, skin=1.0, key=k, progress=False
        )
        U = run.potential_energy[len(run) // 10 :]
        yield row("Langevin, harmonic", f"mean potential energy, dt = {h}", 10.5, *jackknifed(np.mean, U))
        yield row("Langevin, harmonic", f"variance of the potential energy, dt = {h}", 10.5, *jackknifed(np.var, U))


def main():
    began, rows = time.process_time(), []
    header = {
        "machine": platform.processor() or platform.machine(), "cores": 1, "precision": "float64",
        "python": platform.python_version(), "jax": jax.__version__, "numpy": np.__version__, "date": time.strftime("%Y-%m-%d"),
        "case": __doc__.splitlines()[0],
    }  # fmt: skip
    for part in (thermostats, barostats, time_steps, harmonic):
        for one in part():
            rows.append(one)
            header["cpu_seconds"] = round(time.process_time() - began)
            header["largest_deviation"] = max(r["deviation"] for r in rows)
            RESULTS.write_text(json.dumps({**header, "rows": rows}, indent=1) + "\n")
    print(f"largest deviation: {header['largest_deviation']:.2f} standard errors, {header['cpu_seconds']} s of CPU")


if __name__ == "__main__":
    main()
