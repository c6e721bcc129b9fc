"""Decaying turbulence in two dimensions, and flow driven by a sine force (Kolmogorov flow).

Vorticity w and stream function psi on a periodic square, pseudo-spectral:

    w_t + u w_x + v w_y = nu laplacian(w) - drag w + force,    laplacian(psi) = -w

Small eddies merge into large ones while energy hardly decays. The Kolmogorov setting is that of jax-cfd (Kochkov et al. 2021,
doi:10.1073/pnas.2101784118): nu = 1e-3, force along x of sin(4 y), drag 0.1.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import sympy as sp

from sciml import PDE, Box, Initial, Periodic, coordinates, fields, solvers


def vorticity(nu: float, drag: float = 0.0, force=0):
    x, y, t = coordinates("x y t")
    w, psi = fields("w psi", x, y, t)
    transport = psi.y * w.x - psi.x * w.y
    return w, PDE(
        w.t + transport - nu * (w.xx + w.yy) + drag * w - force, psi.xx + psi.yy + w, Initial(w, 0), Periodic(),
        fields=(w, psi),
    )  # fmt: skip


def main(quick: bool) -> None:
    n, end = (64, 4.0) if quick else (256, 20.0)
    side = Box(x=(0, 2 * np.pi), y=(0, 2 * np.pi), t=(0, end))
    y = coordinates("y")
    runs = {
        "decaying": vorticity(nu=1e-2 if quick else 1e-3),
        "Kolmogorov": vorticity(nu=3e-2 if quick else 5e-3, drag=0.1, force=-4 * sp.cos(4 * y)),
    }
    figure, axes = plt.subplots(2, 3, figsize=(9.5, 6), layout="constrained")
    for row, (name, (w, pde)) in zip(axes, runs.items(), strict=True):
        problem = solvers.compile(pde, side, grid=n)
        (start,) = solvers.BandLimited(10, lowest=3, std=2.0).sample(problem, 1, key=1)
        times = np.linspace(0, end, 9)
        solution = solvers.solve(pde, side, grid=n, initial={"w": start}, rtol=1e-5, save_at=times, max_time=np.inf)
        print(name, "\n", solution)
        saved = solution.final.saved(times)
        values = saved[:, 0]
        energy = [0.5 * np.mean(psi * w) for w, psi in saved]
        print("energy:", ", ".join(f"{e:.4f}" for e in energy))
        for ax, k in zip(row, (0, 4, 8), strict=True):
            limit = np.quantile(np.abs(values[k]), 0.99)
            ax.imshow(values[k].T, origin="lower", cmap="RdBu_r", vmin=-limit, vmax=limit)
            ax.set_title(f"{name}, t = {times[k]:g}")
            ax.set_axis_off()
        if name == "decaying":
            assert np.all(np.diff(energy) < 0)
        enstrophy = np.mean(values**2, axis=(1, 2))
        assert np.all(np.isfinite(enstrophy))
    path = Path(__file__).parent / "output" / "navier_stokes_turbulence.png"
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=150)
    print(f"saved {path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="64 x 64 points to t = 4, for CI")
    main(parser.parse_args().quick)
