"""Heat in a cube with cold walls: three space coordinates and time.

u_t = u_xx + u_yy + u_zz on [0, 1]^3,  u = 0 on the walls,  two modes at the start
"""

import argparse
from pathlib import Path

import numpy as np
import sympy as sp

from sciml import PDE, Box, Dirichlet, Initial, coordinates, field, laplacian, pinn


def main(quick: bool) -> None:
    x, y, z, t = coordinates("x y z t")
    u = field("u", x, y, z, t)
    mode = lambda i, j, k: sp.sin(i * sp.pi * x) * sp.sin(j * sp.pi * y) * sp.sin(k * sp.pi * z)  # noqa: E731
    heat = PDE(u.t - laplacian(u), Initial(u, mode(1, 1, 1) + mode(2, 1, 1) / 2), Dirichlet(u, 0))
    domain = Box(x=(0, 1), y=(0, 1), z=(0, 1), t=(0, 0.05))
    solution = pinn.solve(heat, domain, max_time=180, tolerance=3e-2 if quick else 1e-8)
    print(solution)

    exact = mode(1, 1, 1) * sp.exp(-3 * sp.pi**2 * t) + mode(2, 1, 1) / 2 * sp.exp(-6 * sp.pi**2 * t)
    error = solution.error(sp.lambdify((x, y, z, t), exact, "numpy"))
    print(f"against the closed form: {error}")
    for time in (0.0, 0.05):
        print(f"heat in the cube at t = {time}: {solution.integrate(u, t=time):.6f}")

    path = Path(__file__).parent / "output" / "heat_3d.png"
    path.parent.mkdir(exist_ok=True)
    solution.plot(t=[0, 0.02]).savefig(path, dpi=150)
    print(f"saved {path}")
    assert np.isfinite(float(error)) and float(error) < (0.2 if quick else 1e-3)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="stops at a residual of 3 %%, for CI")
    main(parser.parse_args().quick)
