"""Poisson's equation on a disk with a hole: a curved boundary with values on one part and a flux on the other.

    u_xx + u_yy = f,   u given on the outer circle,   du/dn given on the rim of the hole

f and the conditions are those of u = exp(x) sin(2 y), so the error is known.
"""

import argparse
from pathlib import Path

import numpy as np
import sympy as sp

from sciml import PDE, Dirichlet, Disk, Neumann, coordinates, field, laplacian, pinn


def main(quick: bool) -> None:
    x, y = coordinates("x y")
    u = field("u", x, y)
    exact = sp.exp(x) * sp.sin(2 * y)
    f = exact.diff(x, 2) + exact.diff(y, 2)
    # The normal on the rim points out of the region: towards the centre of the hole.
    cx, cy, radius = 0.3, 0.2, 0.3
    flux = -((x - cx) * exact.diff(x) + (y - cy) * exact.diff(y)) / radius

    domain = Disk((0, 0), 1, name="wall") - Disk((cx, cy), radius, name="hole")
    poisson = PDE(laplacian(u) - f, Dirichlet(u, exact, on="wall"), Neumann(u, flux, on="hole"))
    solution = pinn.solve(poisson, domain, max_time=120, tolerance=1e-4 if quick else 1e-8)
    print(solution)

    error = solution.error(sp.lambdify((x, y), exact, "numpy"))
    print(f"against the closed form: {error}")
    through = solution.flux((u.x, u.y), on="hole")
    print(f"flux through the hole: {through:.6f}")

    path = Path(__file__).parent / "output" / "poisson_disk.png"
    path.parent.mkdir(exist_ok=True)
    solution.plot().savefig(path, dpi=150)
    print(f"saved {path}")
    assert np.isfinite(float(error)) and float(error) < (1e-2 if quick else 1e-5)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="stops at a residual of 1e-4, for CI")
    main(parser.parse_args().quick)
