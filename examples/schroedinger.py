"""The nonlinear Schroedinger equation: a complex field that focuses to a peak of height 4.

    i psi_t + psi_xx / 2 + |psi|^2 psi = 0 on [-5, 5], periodic,  psi(x, 0) = 2 sech(x),  t to pi / 2

The standard test of Raissi, Perdikaris and Karniadakis (2019, doi:10.1016/j.jcp.2018.10.045).
"""

import argparse
from pathlib import Path

import numpy as np
import sympy as sp

from sciml import Box, Initial, Periodic, catalogue, pinn


def reference(end: float, n: int = 1024, steps: int = 8000):
    """Strang splitting: dispersion and the nonlinear phase are each exact. Returns x (n,), t (9,), psi (n, 9)."""
    x, dt = -5 + 10 * np.arange(n) / n, end / steps
    psi = 2 / np.cosh(x) + 0j
    disperse = np.exp(-0.5j * (2 * np.pi * np.fft.fftfreq(n, 10 / n)) ** 2 * dt)
    turn = lambda psi: psi * np.exp(0.5j * dt * np.abs(psi) ** 2)  # noqa: E731
    kept = [psi]
    for i in range(1, steps + 1):
        psi = turn(np.fft.ifft(disperse * np.fft.fft(turn(psi))))
        if i % (steps // 8) == 0:
            kept.append(psi)
    return x, np.linspace(0, end, 9), np.stack(kept, axis=1)


def main(quick: bool) -> None:
    end = np.pi / 8 if quick else np.pi / 2
    equation = catalogue.schroedinger()
    (psi,) = equation.fields
    x, t = equation.coordinates
    schroedinger = equation.with_conditions(Initial(psi, 2 / sp.cosh(x)), Periodic(x))
    solution = pinn.solve(schroedinger, Box(x=(-5, 5), t=(0, end)), max_time=300, tolerance=3e-2 if quick else 1e-8)
    print(solution)

    error = solution.error(reference(end))
    print(f"against a spectral reference: {error}")
    norms = [solution.integrate(sp.Abs(psi) ** 2, t=time) for time in (0, end / 2, end)]
    print("the norm is conserved:", ", ".join(f"{norm:.5f}" for norm in norms))

    path = Path(__file__).parent / "output" / "schroedinger.png"
    path.parent.mkdir(exist_ok=True)
    solution.plot().savefig(path, dpi=150)
    print(f"saved {path}")
    assert float(error) < (0.3 if quick else 1e-2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="stops at a residual of 3 %%, to t = pi / 8 only, for CI")
    main(parser.parse_args().quick)
