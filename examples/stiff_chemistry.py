"""Robertson's reaction: three rates that differ by nine orders of magnitude, over eleven decades of time.

    a -> b                0.04 a
    b + b -> c + b        3e7 b^2
    b + c -> a + c        1e4 b c

`solvers.integrate` starts with an explicit method and hands over to Radau IIA when stiffness shows. Reference:
Hairer and Wanner's test set.
"""

import argparse
from pathlib import Path

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from sciml import solvers


def robertson(t, y):
    a, b, c = y
    first, second, third = 0.04 * a, 3e7 * b**2, 1e4 * b * c
    return jnp.stack([-first + third, first - second - third, second])


def main(quick: bool) -> None:
    times = np.concatenate([[0], np.logspace(-6, 11, 60 if quick else 300)])
    found = solvers.integrate(robertson, np.array([1.0, 0.0, 0.0]), times, rtol=1e-8)
    print(found)
    reference = np.array([2.083340149701255e-8, 8.333360770334713e-14, 0.9999999791665050])
    error = np.max(np.abs(found.y[-1] / reference - 1))
    print(f"largest relative error at t = 1e11: {error:.1e}")

    path = Path(__file__).parent / "output" / "stiff_chemistry.png"
    path.parent.mkdir(exist_ok=True)
    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    for values, label in zip(found.y.T * [[1], [1e4], [1]], ("a", "10 000 b", "c"), strict=True):
        ax.semilogx(found.t[1:], values[1:], label=label)
    ax.set_xlabel("t")
    ax.legend()
    figure.savefig(path, dpi=150)
    print(f"saved {path}")
    assert error < 1e-6


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer points on the curves, for CI")
    main(parser.parse_args().quick)
