"""A Riemann problem in two dimensions that looks right: configuration 3 of Lax & Liu (1998, doi:10.1137/S1064827595291819).

    python riemann_2d.py [--cells 256]     writes benchmarks/results/riemann_2d.png

Four shocks meet; two of them reflect and a jet runs along the diagonal. The solution is symmetric about it, which is measured.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import sympy as sp

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "results"
sys.path[:0] = [str(HERE.parents[1])]

from sciml import Box, Initial, Neumann, catalogue, solvers  # noqa: E402

# (rho, u, v, p) where x and y are above or below 1/2
STATES = {
    (1, 1): (1.5, 0.0, 0.0, 1.5),
    (0, 1): (0.5323, 1.206, 0.0, 0.3),
    (0, 0): (0.138, 1.206, 1.206, 0.029),
    (1, 0): (0.5323, 0.0, 1.206, 0.3),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cells", type=int, default=256)
    cells = parser.parse_args().cells
    gas = catalogue.euler(dimension=2)
    rho, mx, my, energy = gas.fields
    x, y, t = gas.coordinates

    def quadrants(value):
        """value(rho, u, v, p) in each quarter of the square."""
        inside = {place: value(*state) for place, state in STATES.items()}
        above = sp.Piecewise((inside[1, 1], x > 0.5), (inside[0, 1], True))
        below = sp.Piecewise((inside[1, 0], x > 0.5), (inside[0, 0], True))
        return sp.Piecewise((above, y > 0.5), (below, True))

    pde = gas.with_conditions(
        Initial(rho, quadrants(lambda r, u, v, p: r)),
        Initial(mx, quadrants(lambda r, u, v, p: r * u)),
        Initial(my, quadrants(lambda r, u, v, p: r * v)),
        Initial(energy, quadrants(lambda r, u, v, p: p / 0.4 + r * (u**2 + v**2) / 2)),
        *(Neumann(f, 0) for f in (rho, mx, my, energy)),
    )
    before = time.perf_counter()
    found = solvers.solve(
        pde,
        Box(x=(0, 1), y=(0, 1), t=(0, 0.3)),
        grid=solvers.Volumes(cells),
        save_at=[0.3],
        max_time=np.inf,
        progress=False,
    )
    density = found.final.values[-1, 0]
    skew = float(np.max(np.abs(density - density.T)))
    print(f"{found.result} {time.perf_counter() - before:.0f} s")
    print(f"density from {density.min():.4f} to {density.max():.4f}; not symmetric by {skew:.1e}")
    s = found.final.axes[0].points
    upper = density[s > 0.9][:, (s > 0.5) & (s < 0.8)]  # what the slow shocks leave behind: 1.5 where nothing else has come
    print(f"behind the shock at rest the density is off by {np.max(np.abs(upper - 1.5)):.1e} at most (of 1.5)")
    figure, ax = plt.subplots(figsize=(6, 5.4), layout="constrained")
    picture = ax.pcolormesh(s, s, density.T, cmap="viridis", shading="nearest")
    ax.contour(s, s, density.T, levels=np.arange(0.16, 1.72, 0.05), colors="k", linewidths=0.4)
    ax.set_aspect("equal")
    ax.set_title(f"density at t = 0.3, {cells} x {cells} cells")
    figure.colorbar(picture, ax=ax)
    RESULTS.mkdir(exist_ok=True)
    figure.savefig(RESULTS / "riemann_2d.png", dpi=130)


if __name__ == "__main__":
    main()
