"""Liquid argon, as in the first simulation of a liquid with realistic forces.

    E = sum over pairs of 4 epsilon ((sigma / r)^12 - (sigma / r)^6),   epsilon = 120 K kB, sigma = 3.4 angstrom

Rahman (1964, doi:10.1103/PhysRev.136.A405): 864 atoms at 94.4 K and 1.374 g/cm^3, cutoff 2.25 sigma. He found shells at
3.7, 7.0 and 10.4 angstrom, diffusion with 2.43e-5 cm^2/s, and velocities that turn round: atoms rebound from the cage of
their neighbours.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sciml import md

TEMPERATURE, DENSITY = 94.4, 864 / 34.7786**3  # K, atoms / angstrom^3
SHELLS, DIFFUSION = (3.7, 7.0, 10.4), 2.43e-5  # angstrom, cm^2/s


def main(quick: bool) -> None:
    repeat = 4 if quick else 6
    argon = md.LennardJones(120 * 8.617333262e-5, 3.4, cutoff=2.25 * 3.4, shift=True)
    crystal = md.fcc((4 / DENSITY) ** (1 / 3), repeat, "Ar")
    options = dict(timestep=5.0, skin=1.0)

    # The crystal melts, and forgets that it was one.
    warm = md.Langevin(temperature=TEMPERATURE, friction=2e-3)
    start = md.simulate(md.thermal(crystal, 2 * TEMPERATURE), argon, warm, steps=1500 if quick else 6000, **options)

    # Velocity rescaling hardly touches the motion of single atoms.
    g = md.RadialDistribution(end=0.5 * float(crystal.cell[0, 0]), bins=120 if quick else 200)
    moved = md.MeanSquareDisplacement(length=100 if quick else 200)
    turned = md.VelocityAutocorrelation(length=100 if quick else 200)
    stress = md.Stress(length=100 if quick else 200)
    run = md.simulate(
        start.atoms, argon, md.Rescaling(temperature=TEMPERATURE, time=500), steps=4000 if quick else 40_000, every=4,
        callbacks=[g, moved, turned, stress], key=1, **options,
    )  # fmt: skip
    print(run)

    temperature, pressure, D = md.mean(run.temperature), md.mean(run.pressure), moved.diffusion()
    potential = md.mean(run.potential_energy / crystal.atoms)
    grams = float(np.sum(crystal.masses)) * 1.66053906660 / float(crystal.volume)
    print(f"temperature {temperature} K, density {grams:.4f} g/cm^3, pressure {pressure} bar, energy {potential} eV per atom")
    print(f"diffusion {D.value * 0.1:.3g} +- {D.error * 0.1:.1g} cm^2/s; Rahman {DIFFUSION:.3g}")
    eta = stress.viscosity
    print(f"viscosity {eta.y[-1] * 1e-7:.2f} +- {eta.error[-1] * 1e-7:.2f} mPa s within {eta.x[-1]:.0f} fs")
    curve = g.curve
    found = [curve.x[i] for i in peaks(curve)][: len(SHELLS)]
    print(f"shells at {', '.join(f'{r:.2f}' for r in found)} angstrom; Rahman {', '.join(map(str, SHELLS))}")

    path = Path(__file__).parent / "output" / "argon_liquid.png"
    path.parent.mkdir(exist_ok=True)
    figure, axes = plt.subplots(2, 2, figsize=(9, 6.5), layout="constrained")
    g.plot(axes[0, 0]).set(xlabel="r [angstrom]", title="shells; Rahman's dotted")
    for r in SHELLS:
        axes[0, 0].axvline(r, color="0.6", ls=":")
    moved.plot(axes[0, 1]).set(xlabel="t [fs]", ylabel="angstrom$^2$", title="displacement squared; Rahman dashed")
    t = moved.curve.x
    axes[0, 1].plot(t, 60 * DIFFUSION * t + moved.curve.y[-1] - 60 * DIFFUSION * t[-1], "--", color="0.4")
    turned.plot(axes[1, 0]).set(xlabel="t [fs]", title="velocities rebound")
    axes[1, 0].axhline(0, color="0.6", lw=0.8)
    eta = md.Curve(eta.x, eta.y * 1e-7, eta.error * 1e-7, ("t [fs]", "mPa s"))
    eta.plot(axes[1, 1]).set(title="viscosity, integrated up to t")
    figure.savefig(path, dpi=150)
    print(f"saved {path}")

    assert np.all(np.abs(np.array(found) - SHELLS[: len(found)]) < (0.15, 0.3, 0.5)[: len(found)]) and len(found) >= 2
    # A periodic cell of this size takes off about a tenth (Yeh & Hummer 2004, doi:10.1021/jp0477147).
    assert abs(D.value * 0.1 / DIFFUSION - 1) < (0.35 if quick else 0.15)
    assert abs(temperature.value - TEMPERATURE) < 5 * temperature.error + 0.5
    assert turned.curve.y.min() < -0.02


def peaks(curve: md.Curve) -> np.ndarray:
    """Where a smoothed curve is higher than all within an angstrom of it, and than 1."""
    y = np.convolve(curve.y, np.ones(5) / 5, "same")
    wide = int(1.0 / (curve.x[1] - curve.x[0]))
    high = [i for i in range(wide, len(y) - wide) if y[i] == y[i - wide : i + wide + 1].max() and y[i] > 1.02]
    return np.array(high, int)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="256 atoms and 20 ps, for CI")
    main(parser.parse_args().quick)
