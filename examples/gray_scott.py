"""Gray-Scott: two substances that react and diffuse make spots that divide.

    u_t = D_u laplacian(u) - u v^2 + F (1 - u),    v_t = D_v laplacian(v) + u v^2 - (F + k) v

Pearson (1993, doi:10.1126/science.261.5118.189), periodic square of side 2.5, D_u = 2e-5, D_v = 1e-5.
"""

import argparse
from pathlib import Path

import numpy as np
import sympy as sp

from sciml import Box, Initial, Periodic, catalogue, solvers


def main(quick: bool) -> None:
    side = 1.25 if quick else 2.5
    equation = catalogue.gray_scott(feed=0.04, kill=0.06, diffusivity_u=2e-5, diffusivity_v=1e-5)
    u, v = equation.fields
    x, y, t = equation.coordinates
    middle = sp.exp(-((x - side / 2) ** 2 + (y - side / 2) ** 2) / 0.12**2)
    seed = middle * (1 + (x - 0.47 * side) * (y - 0.52 * side))
    spots = equation.with_conditions(Initial(u, 1 - seed / 2), Initial(v, seed / 4), Periodic())
    end = 200 if quick else 3000
    n = 128 if quick else 256
    times = np.linspace(0, end, 7 if quick else 31)
    box = Box(x=(0, side), y=(0, side), t=(0, end))
    solution = solvers.solve(spots, box, grid=n, rtol=1e-5, save_at=times, max_time=np.inf)
    print(solution)

    path = Path(__file__).parent / "output" / "gray_scott.png"
    path.parent.mkdir(exist_ok=True)
    solution.plot([v]).savefig(path, dpi=150)
    print(f"saved {path}")
    last = solution.final.values[-1]
    print(f"u from {last[0].min():.3f} to {last[0].max():.3f}, v from {last[1].min():.3f} to {last[1].max():.3f}")
    # Both stay between nothing and what is fed; v is where u is not.
    assert -1e-2 < last.min() and last.max() < 1.01
    assert np.corrcoef(last[0].ravel(), last[1].ravel())[0, 1] < -0.8


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a quarter of the square, to t = 200, for CI")
    main(parser.parse_args().quick)
