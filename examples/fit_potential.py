"""The parameters of Lennard-Jones from the structure of its fluid.

A fluid in reduced units at density 0.6 and temperature 1.3 is measured: its radial distribution g*(r) is all that is kept.
Then epsilon and sigma start 30% and 6% away, and go where the g(r) of their own fluid is that g*. (In a dense liquid, whose
structure is that of hard spheres, epsilon would hardly show.)

Which gradient? That of g(r) through the trajectory (`md.rollout`) grows exponentially with time, as neighbouring trajectories
part: after a few hundred steps it is noise. Averages over an ensemble have a gradient that does not know the path, because
frames x_k of one potential are frames of another when they are weighted (Zwanzig 1954, doi:10.1063/1.1740409; Thaler &
Zavadlav 2021, doi:10.1038/s41467-021-27241-4):

    <g>_p = sum_k w_k g_k,   w_k ~ exp(-(U_p(x_k) - U_q(x_k)) / kB T),   d<g>/dp = -cov(g, dU/dp) / kB T   at p = q

It takes the gradient of energies alone, with no step of time in it. Steps are those of Levenberg and Marquardt on log g, which
is nearly linear in the potential (it is -U / kB T in a gas), and new frames are drawn after each.
"""

import argparse
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import sciml
from sciml import md

TEMPERATURE, DENSITY = 1.3, 0.6
TRUTH, START = np.array([1.0, 1.0]), np.array([0.7, 0.94])  # epsilon, sigma


def potential(p):
    return md.LennardJones(p[0], p[1], cutoff=2.3, switch=1.9)


def main(quick: bool) -> None:
    fluid = md.random_fluid(108, "A", DENSITY, units=md.REDUCED)
    edge = float(fluid.cell[0, 0])
    edges = np.linspace(0.7, edge / 2, 61)
    shells = fluid.atoms**2 / edge**3 * 4 / 3 * np.pi * np.diff(edges**3)
    frames, iterations = (500, 7) if quick else (1500, 14)

    def counted(r):
        """g of one frame, by the nearest images."""
        d = r[:, None] - r[None]
        d -= edge * np.round(d / edge)
        return np.histogram(np.linalg.norm(d, axis=2), edges)[0] / shells

    with sciml.float64():
        around = md.allocate(fluid, 2.3, skin=0.3, spare=1.6)

        @jax.jit
        def run(p, r, v, key):
            """Frames of a run from r and v, and whether a list did not fit."""
            start = eqx.tree_at(lambda s: (s.positions, s.velocities), hot, (r, v))
            bath = md.Langevin(temperature=TEMPERATURE, friction=1.0)
            end, seen, bad = md.rollout(
                start, potential(p), bath, around, steps=20 * (frames + 50), timestep=0.004, every=20, key=key
            )
            return end.positions, end.velocities, seen.positions[50:], bad

        @jax.jit
        def slopes(p, positions):
            """dU/dp of each frame."""

            def one(r):
                now = eqx.tree_at(lambda s: s.positions, fluid, r)
                n = around.update(r, jnp.asarray(fluid.cell))
                return jax.grad(lambda p: md.evaluate(potential(p), now, n, virials=False).energy)(p)

            return jax.lax.map(one, positions)

    def sample(p, at, key):
        with sciml.float64():
            r, v, positions, bad = run(jnp.asarray(p), *at, jax.random.key(key))
            assert not bad, "a list of neighbours did not fit: allocate it with more to spare"
            dU = np.asarray(slopes(jnp.asarray(p), positions))
        g = np.array([counted(np.array(r)) for r in positions])
        jacobian = -(g - g.mean(axis=0)).T @ (dU - dU.mean(axis=0)) / len(g) / TEMPERATURE
        return g, jacobian, (r, v)

    hot = md.thermal(fluid, TEMPERATURE)
    seen, _, at = sample(TRUTH, (hot.positions, hot.velocities), key=100)
    target, doubt = seen.mean(axis=0), md.mean(seen).error + 0.003
    largest = np.array([0.2, 0.04])  # share by which epsilon and sigma may change in a step

    p, history, first = START.copy(), [], None
    for k in range(iterations):
        g, jacobian, at = sample(p, at, key=k)
        now = g.mean(axis=0)
        first = now if first is None else first
        misfit = np.sqrt(np.mean((now - target) ** 2))
        history.append([*p, misfit])
        print(f"{k}: epsilon {p[0]:.4f}, sigma {p[1]:.4f}, root mean square of g - g* {misfit:.4f}", flush=True)
        used = (now > 0.1) & (target > 0.1)
        weight = (target / doubt)[used, None]
        A = weight * jacobian[used] / now[used, None] * (largest * p)
        b = weight[:, 0] * np.log(target[used] / now[used])
        damping, step = 0.0, np.full(2, np.inf)
        while not np.linalg.norm(step) <= 1:
            step = np.linalg.solve(A.T @ A + damping * np.diag(np.diag(A.T @ A)), A.T @ b)
            damping = max(2 * damping, 1e-3)
        p = p * (1 + largest * step)

    rows = np.array(history)
    last = rows[len(rows) // 2 :, :2]
    # Each step has the noise of its frames; the target has that of as many, which the mean over steps does not lessen.
    value, error = last.mean(axis=0), last.std(axis=0, ddof=1) * np.sqrt(1 + 1 / len(last))
    for name, a, b, truth in zip(("epsilon", "sigma"), value, error, TRUTH, strict=True):
        print(f"{name} {md.Mean(float(a), float(b))}, truth {truth:g}")

    path = Path(__file__).parent / "output" / "fit_potential.png"
    path.parent.mkdir(exist_ok=True)
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    x = (edges[1:] + edges[:-1]) / 2
    left.plot(x, target, "k.", label="target")
    left.plot(x, first, label="at the start")
    left.plot(x, now, label="at the end")
    left.set(xlabel="r", ylabel="g(r)")
    left.legend()
    for j, name in enumerate(("epsilon", "sigma")):
        right.plot(rows[:, j], "o-", label=name)
    right.axhline(1, color="0.6", ls=":")
    right.set(xlabel="iteration", ylabel="parameter / truth")
    right.legend()
    figure.savefig(path, dpi=150)
    print(f"saved {path}")
    assert abs(value[1] - 1) < (0.01 if quick else 0.004) and abs(value[0] - 1) < (0.12 if quick else 0.05)
    assert rows[-1, 2] < 0.3 * rows[0, 2]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer frames and iterations, for CI")
    main(parser.parse_args().quick)
