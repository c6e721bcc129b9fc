"""Sod's shock tube: a gas of high pressure beside one of low pressure, and the wall between them gone.

The Euler equations in conservation form, by finite volumes: fifth-order WENO reconstruction, HLLC fluxes. Compared with the
exact solution of the Riemann problem (Sod 1978, doi:10.1016/0021-9991(78)90023-2).
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import sympy as sp

from sciml import Box, Initial, Neumann, catalogue, solvers


def exact_density(x: np.ndarray, t: float) -> np.ndarray:
    """Rarefaction, contact and shock; the star states solve the Riemann problem of the two gases."""
    pressure, speed, left, right, shock = 0.30313017805065, 0.92745262004895, 0.42631942817850, 0.26557371, 1.75215573
    xi, c = (x - 0.5) / t, np.sqrt(1.4)
    fan = (5 / 6 - xi / (6 * c)) ** 5
    tail = speed - np.sqrt(1.4 * pressure / left)
    return np.select([xi < -c, xi < tail, xi < speed, xi < shock], [1.0, fan, left, right], 0.125)


def main(quick: bool) -> None:
    gas = catalogue.euler(gamma=1.4)
    rho, m, energy = gas.fields
    x, t = gas.coordinates
    halves = lambda a, b: sp.Piecewise((a, x < 0.5), (b, True))  # noqa: E731
    tube = gas.with_conditions(
        Initial(rho, halves(1, 0.125)), Initial(m, 0), Initial(energy, halves(1 / 0.4, 0.1 / 0.4)),
        Neumann(rho, 0), Neumann(m, 0), Neumann(energy, 0),
    )  # fmt: skip
    n = 100 if quick else 400
    solution = solvers.solve(tube, Box(x=(0, 1), t=(0, 0.2)), grid=solvers.Volumes(n))
    print(solution)

    centres = (np.arange(n) + 0.5) / n
    found, wanted = solution.rho(centres, 0.2), exact_density(centres, 0.2)
    print(f"mean error of the density: {np.mean(np.abs(found - wanted)):.2e}; largest density {found.max():.4f}")

    path = Path(__file__).parent / "output" / "shock_tube.png"
    path.parent.mkdir(exist_ok=True)
    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    fine = np.linspace(0, 1, 2001)
    ax.plot(fine, exact_density(fine, 0.2), color="0.6", label="exact")
    ax.plot(centres, found, ".", markersize=3, label=f"{n} cells")
    ax.set_xlabel("x")
    ax.set_ylabel("density at t = 0.2")
    ax.legend()
    figure.savefig(path, dpi=150)
    print(f"saved {path}")
    assert np.mean(np.abs(found - wanted)) < (1e-2 if quick else 3e-3) and found.max() < 1.01


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="100 cells, for CI")
    main(parser.parse_args().quick)
