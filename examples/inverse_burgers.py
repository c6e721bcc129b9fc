"""An inverse problem: the viscosity and the advection coefficient of Burgers' equation from 2,000 noisy values.

    u_t + advection u u_x = nu u_xx,  nu and advection unknown

A `parameter` in the equation is all that makes it one. The standard errors follow from the stated noise of the data.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import sympy as sp
from burgers import NU, exact

from sciml import PDE, Box, Dirichlet, Initial, Observed, coordinates, field, parameter, pinn

TRUTH = {"nu": NU, "advection": 1.0}


def main(quick: bool) -> None:
    rng = np.random.default_rng(0)
    where, when = rng.uniform(-1, 1, 2000), rng.uniform(0, 1, 2000)
    clean = exact(where, when)
    noise = 0.01 * float(clean.std())
    values = clean + noise * rng.standard_normal(2000)

    x, t = coordinates("x t")
    u = field("u", x, t)
    nu = parameter("nu", initial=0.01, positive=True)
    advection = parameter("advection", initial=0.5)
    problem = PDE(
        u.t + advection * u * u.x - nu * u.xx,
        Initial(u, -sp.sin(sp.pi * x)),
        Dirichlet(u, 0),
        Observed(u, {"x": where, "t": when}, values, noise=noise),
    )
    solution = pinn.solve(problem, Box(x=(-1, 1), t=(0, 1)), max_time=180, tolerance=1e-2 if quick else 1e-8)
    print(solution)
    for name, learned in solution.parameters.items():
        assert learned.standard_error is not None
        off = (learned.value - TRUTH[name]) / learned.standard_error
        print(f"{learned}  (truth {TRUTH[name]:.8g}, off by {off:+.2f} standard errors)")

    path = Path(__file__).parent / "output" / "inverse_burgers.png"
    path.parent.mkdir(exist_ok=True)
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    solution.plot(ax=axes[0])
    axes[0].plot(when, where, ".", ms=1.5, color="0.1", alpha=0.5)
    near = np.abs(when - 0.5) < 0.02
    solution.plot(t=0.5, ax=axes[1])
    axes[1].plot(where[near], values[near], ".", color="C1", label="data within 0.02 of it")
    axes[1].legend(frameon=False)
    figure.savefig(path, dpi=150)
    print(f"saved {path}")
    assert all(
        abs(learned.value / TRUTH[name] - 1) < (2.0 if quick else 0.05) for name, learned in solution.parameters.items()
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="stops at a residual of 1 %%, for CI")
    main(parser.parse_args().quick)
