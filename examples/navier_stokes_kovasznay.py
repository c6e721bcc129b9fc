"""Kovasznay's flow behind a grid at Re 40: a steady Navier-Stokes flow with a closed form.

The velocity is given on the whole boundary, the pressure at one corner. The equations come from the catalogue.
"""

import argparse
from pathlib import Path

import numpy as np
import sympy as sp

from sciml import Box, Dirichlet, catalogue, pinn

RE = 40


def main(quick: bool) -> None:
    flow = catalogue.navier_stokes(nu=1 / RE, steady=True)
    x, y = flow.space
    u, v, p = flow.fields
    a = sp.Rational(RE, 2) - sp.sqrt(sp.Rational(RE, 2) ** 2 + 4 * sp.pi**2)
    exact = {
        "u": 1 - sp.exp(a * x) * sp.cos(2 * sp.pi * y),
        "v": a / (2 * sp.pi) * sp.exp(a * x) * sp.sin(2 * sp.pi * y),
        "p": (1 - sp.exp(2 * a * x)) / 2,
    }
    corner = {"x": -0.5, "y": -0.5}
    kovasznay = flow.with_conditions(
        Dirichlet((u, v), (exact["u"], exact["v"])),
        Dirichlet(p, float(exact["p"].subs(x, corner["x"])), on=corner),
    )
    solution = pinn.solve(kovasznay, Box(x=(-0.5, 1), y=(-0.5, 1.5)), max_time=180, tolerance=3e-2 if quick else 1e-8)
    print(solution)

    error = solution.error({name: sp.lambdify((x, y), formula, "numpy") for name, formula in exact.items()})
    print(f"against the closed form:\n{error}")
    vorticity = v.x - u.y
    print(f"enstrophy: {solution.integrate(vorticity**2 / 2):.6f}")

    path = Path(__file__).parent / "output" / "navier_stokes_kovasznay.png"
    path.parent.mkdir(exist_ok=True)
    solution.plot([u, v, p]).savefig(path, dpi=150)
    print(f"saved {path}")
    assert np.isfinite(float(error)) and float(error) < (0.5 if quick else 1e-4)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="stops at a residual of 3 %%, for CI")
    main(parser.parse_args().quick)
