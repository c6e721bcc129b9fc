"""The lid-driven cavity at Re 100: steady flow in a square box whose lid slides.

Its velocity jumps in the two upper corners, so the conditions cannot all hold exactly. The extrema of the velocity on
the centre lines are compared with Marchi, Suero and Araki (2009, doi:10.1590/S1678-58782009000300004).
"""

import argparse
from pathlib import Path

import numpy as np

from sciml import Box, Dirichlet, catalogue, pinn

PUBLISHED = {"u_min": -0.2140417, "v_max": 0.1795728, "v_min": -0.2538030}


def main(quick: bool) -> None:
    flow = catalogue.navier_stokes(nu=1 / 100, steady=True)
    u, v, p = flow.fields
    cavity = flow.with_conditions(
        Dirichlet(u, 1, on="y_max"),
        Dirichlet(u, 0, on=("x_min", "x_max", "y_min")),
        Dirichlet(v, 0),
        Dirichlet(p, 0, on={"x": 0, "y": 0}),
    )
    solution = pinn.solve(cavity, Box(x=(0, 1), y=(0, 1)), max_time=600, tolerance=3e-2 if quick else 1e-8)
    print(solution)

    line = np.linspace(0, 1, 2001)
    across, along = solution.u(x=0.5, y=line), solution.v(x=line, y=0.5)
    found = {"u_min": across.min(), "v_max": along.max(), "v_min": along.min()}
    for name, value in found.items():
        print(f"{name}: {value:+.5f}, published {PUBLISHED[name]:+.5f}, {value / PUBLISHED[name] - 1:+.2%}")

    path = Path(__file__).parent / "output" / "navier_stokes_cavity.png"
    path.parent.mkdir(exist_ok=True)
    solution.plot([u, v, p]).savefig(path, dpi=150)
    print(f"saved {path}")
    worst = max(abs(value / PUBLISHED[name] - 1) for name, value in found.items())
    assert worst < (1.0 if quick else 0.01)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="stops at a residual of 3 %%, for CI")
    main(parser.parse_args().quick)
