"""Burgers' equation: a sine steepens into a shock of width 0.01.

    u_t + u u_x = 0.01/pi u_xx on [-1, 1],  u(x, 0) = -sin(pi x),  u(-1, t) = u(1, t) = 0

`python examples/burgers.py` takes up to three minutes, `--quick` half a minute.
"""

import argparse
from pathlib import Path

import numpy as np
import sympy as sp

from sciml import PDE, Box, Dirichlet, Initial, coordinates, field, pinn

NU = 0.01 / np.pi


def exact(x, t):
    """The Cole-Hopf solution by Gauss-Hermite quadrature (Basdevant et al., 1986, doi:10.1016/0045-7930(86)90036-8)."""
    z, weights = np.polynomial.hermite.hermgauss(100)
    y = x[..., None] - np.sqrt(4 * NU * t[..., None]) * z
    kernel = weights * np.exp(-(1 + np.cos(np.pi * y)) / (2 * np.pi * NU))
    return -(kernel * np.sin(np.pi * y)).sum(-1) / kernel.sum(-1)


def main(quick: bool) -> None:
    x, t = coordinates("x t")
    u = field("u", x, t)
    burgers = PDE(u.t + u * u.x - NU * u.xx, Initial(u, -sp.sin(sp.pi * x)), Dirichlet(u, 0))
    solution = pinn.solve(burgers, Box(x=(-1, 1), t=(0, 1)), max_time=180, tolerance=3e-2 if quick else 1e-8)
    print(solution)

    xs, ts = np.linspace(-1, 1, 256), np.linspace(0, 1, 101)
    error = solution.error((xs, ts, exact(*np.meshgrid(xs, ts, indexing="ij"))))
    print(f"relative L2 error against the exact solution: {float(error):.2e}")

    path = Path(__file__).parent / "output" / "burgers.png"
    path.parent.mkdir(exist_ok=True)
    solution.plot().savefig(path, dpi=150)
    print(f"saved {path}")
    assert float(error) < (0.3 if quick else 1e-4)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="stops at a residual of 3 %%, for CI")
    main(parser.parse_args().quick)
