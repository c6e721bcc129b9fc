"""A vortex street behind a cylinder in a channel at Re 100: the benchmark 2D-2 of Schaefer and Turek (1996).

Inflow 4 U y (0.41 - y) / 0.41^2 with U = 1.5, kinematic viscosity 1e-3, cylinder of diameter 0.1 at (0.2, 0.2). Staggered
cells with the cylinder cut out of them. Published (FeatFlow): largest drag 3.2274, largest lift 0.9866, Strouhal number
0.3018.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sciml import Dirichlet, Disk, Initial, Neumann, Rectangle, Time, catalogue, solvers


def main(quick: bool) -> None:
    flow = catalogue.navier_stokes(nu=1e-3)
    u, v, p = flow.fields
    x, y, t = flow.coordinates
    inflow = 6 * y * (0.41 - y) / 0.41**2
    street = flow.with_conditions(
        Initial((u, v), (inflow, 0)),
        Dirichlet((u, v), (inflow, 0), on="x_min"),
        Dirichlet((u, v), (0, 0), on=("y_min", "y_max", "cylinder")),
        Neumann((u, v), (0, 0), on="x_max"),
        Dirichlet(p, 0, on="x_max"),
    )
    channel = Rectangle((0, 0), (2.2, 0.41)) - Disk((0.2, 0.2), 0.05, name="cylinder")
    end = 0.5 if quick else 8.0
    grid = {"x": 96, "y": 40} if quick else {"x": 256, "y": 80}
    frames = np.linspace(0, end, 26 if quick else 801)
    solution = solvers.solve(street, channel * Time(0, end), grid=grid, save_at=frames, max_time=np.inf)
    print(solution)

    drag, lift = 2 * np.array(solution.stats["force"]).T / (1.0**2 * 0.1)
    output = Path(__file__).parent / "output"
    output.mkdir(exist_ok=True)
    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    ax.plot(frames, drag, label="drag")
    ax.plot(frames, lift, label="lift")
    ax.set_ylim(-1.5, 4)
    ax.set_xlabel("t")
    ax.legend()
    figure.savefig(output / "navier_stokes_cylinder_forces.png", dpi=150)
    solution.plot([u], t=[end]).savefig(output / "navier_stokes_cylinder.png", dpi=150)
    print(f"saved {output / 'navier_stokes_cylinder.png'}")
    if quick:
        assert np.all(np.isfinite(drag)) and 1 < drag[-1] < 6
        return
    late = frames > end - 2
    rises = [
        t0 + (t1 - t0) * a / (a - b)
        for t0, t1, a, b in zip(frames[:-1], frames[1:], lift[:-1], lift[1:], strict=True)
        if a < 0 <= b and t0 > end - 2
    ]
    strouhal = 0.1 / np.mean(np.diff(rises))
    print(f"drag {drag[late].max():.4f}, lift {lift[late].max():.4f}, Strouhal number {strouhal:.4f}")
    solution.animate(output / "navier_stokes_cylinder.gif", field=u, between=(end - 1, end))  # three vortices of each sign
    assert abs(drag[late].max() / 3.2274 - 1) < 0.03 and abs(strouhal / 0.3018 - 1) < 0.02


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a coarse grid, to t = 0.5, for CI")
    main(parser.parse_args().quick)
