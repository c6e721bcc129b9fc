"""Kuramoto-Sivashinsky: waves on a flame front that turn into chaos.

    u_t + u u_x + u_xx + u_xxxx = 0 on [0, 32 pi], periodic,  u(x, 0) = cos(x/16) (1 + sin(x/16))

The setting of Kassam and Trefethen (2005, doi:10.1137/S1064827502410633). Trajectories part like exp(0.09 t), so what can be
compared after a long time is statistics; what can be checked is the error over a short one, by a finer computation.
"""

import argparse
from pathlib import Path

import numpy as np
import sympy as sp

from sciml import Box, Initial, Periodic, catalogue, solvers


def main(quick: bool) -> None:
    equation = catalogue.kuramoto_sivashinsky()
    (u,) = equation.fields
    x, t = equation.coordinates
    flame = equation.with_conditions(Initial(u, sp.cos(x / 16) * (1 + sp.sin(x / 16))), Periodic())
    end = 50 if quick else 150
    domain = Box(x=(0, 32 * np.pi), t=(0, end))
    print(solvers.explain(flame, domain))
    solution = solvers.solve(flame, domain, save_at=np.linspace(0, end, 301))
    print(solution)

    short = Box(x=(0, 32 * np.pi), t=(0, 30))
    coarse = solvers.solve(flame, short, rtol=1e-6)
    fine = solvers.solve(flame, short, grid=256, rtol=1e-10)
    error = coarse.error(fine)
    print(f"to t = 30, rtol = 1e-6 against 1e-10 on twice the points: {error}")

    path = Path(__file__).parent / "output" / "kuramoto_sivashinsky.png"
    path.parent.mkdir(exist_ok=True)
    solution.plot().savefig(path, dpi=150)
    print(f"saved {path}")
    assert float(error) < 1e-3


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="to t = 50 only, for CI")
    main(parser.parse_args().quick)
