"""The parameters of Lennard-Jones from the structure of its liquid.

A liquid in reduced units at density 0.8 and temperature 1.2 is measured: its radial distribution g*(r) is all that is kept.
Then epsilon and sigma start 30% and 6% away, and go where the g(r) of their own liquid is that g*.

Which gradient? That of g(r) through the trajectory (`md.rollout`) grows exponentially with time, as neighbouring trajectories
part: after a few hundred steps it is noise. Averages over an ensemble have a gradient that does not know the path (Zwanzig
1954, doi:10.1063/1.1740409; Thaler & Zavadlav 2021, doi:10.1038/s41467-021-27241-4):

    <g>_p = sum_k w_k g_k,   w_k ~ exp(-(U_p(x_k) - U_q(x_k)) / kB T),   d<g>/dp = -cov(g, dU/dp) / kB T

for frames x_k of a run with the parameters q. It takes the gradient of energies alone, with no step of time in it. The step
is that of Gauss and Newton for two parameters, no longer than the frames bear (their effective number stays above a half),
and then there are new frames.
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

TEMPERATURE, DENSITY = 1.2, 0.8
TRUTH, START = np.array([1.0, 1.0]), np.array([0.7, 0.94])  # epsilon, sigma


def potential(p):
    return md.LennardJones(p[0], p[1], cutoff=2.3, switch=1.9)


def main(quick: bool) -> None:
    lattice = md.fcc((4 / DENSITY) ** (1 / 3), 3, "A", units=md.REDUCED)
    edge = float(lattice.cell[0, 0])
    edges = np.linspace(0.7, edge / 2, 61)
    shells = lattice.atoms**2 / edge**3 * 4 / 3 * np.pi * np.diff(edges**3)
    frames, iterations = (150, 6) if quick else (600, 12)
    options = dict(timestep=0.004, every=30, skin=0.3, progress=False)
    bath = md.Langevin(temperature=TEMPERATURE, friction=1.0)

    def counted(r):
        """g of one frame, by the nearest images."""
        d = r[:, None] - r[None]
        d -= edge * np.round(d / edge)
        return np.histogram(np.linalg.norm(d, axis=2), edges)[0] / shells

    def sample(p, start, key):
        warm = md.simulate(start, potential(p), bath, steps=1500, key=key, **options)
        run = md.simulate(warm.atoms, potential(p), bath, steps=30 * (frames - 1), key=key + 1000, **options)
        return run.positions, np.array([counted(r) for r in run.positions]), run.atoms

    with sciml.float64():
        around = md.allocate(lattice, 2.3, skin=0.0, spare=1.6)

        @jax.jit
        def energies(p, positions):
            """U of each frame, its gradient with respect to the parameters, and whether all lists fit."""

            def one(r):
                n = around.update(r, jnp.asarray(lattice.cell))
                now = eqx.tree_at(lambda s: s.positions, lattice, r)
                value, slope = jax.value_and_grad(lambda p: md.evaluate(potential(p), now, n, virials=False).energy)(p)
                return value, slope, n.overflow

            return jax.lax.map(one, positions)

    def reweighted(p, positions, g, reference):
        with sciml.float64():
            U, slope, bad = (np.asarray(a) for a in energies(jnp.asarray(p), jnp.asarray(positions)))
        assert not bad.any()
        log = -(U - reference) / TEMPERATURE if reference is not None else np.zeros(len(U))
        w = np.exp(log - log.max())
        w /= w.sum()
        mean = w @ g
        jacobian = -((g - mean) * w[:, None]).T @ (slope - w @ slope) / TEMPERATURE
        return mean, jacobian, 1 / np.sum(w**2) / len(w), U

    _, seen, melted = sample(TRUTH, md.thermal(lattice, TEMPERATURE), key=7)
    target = seen.mean(axis=0)
    doubt = md.mean(seen).error + 0.003

    p, history, atoms, first = START.copy(), [], melted, None
    for k in range(iterations):
        positions, g, atoms = sample(p, atoms, key=k)
        now, jacobian, _, reference = reweighted(p, positions, g, None)
        first = now if first is None else first
        misfit = np.sqrt(np.mean((now - target) ** 2))
        history.append([*p, misfit])
        print(f"{k}: epsilon {p[0]:.4f}, sigma {p[1]:.4f}, root mean square of g - g* {misfit:.4f}")
        step = np.linalg.lstsq(jacobian / doubt[:, None], (target - now) / doubt, rcond=None)[0]
        step *= min(1.0, 0.25 * p[0] / abs(step[0]), 0.05 * p[1] / abs(step[1]))
        while reweighted(p + step, positions, g, reference)[2] < 0.5 and np.abs(step / p).max() > 0.005:
            step = step / 1.5
        p = p + step

    rows = np.array(history)
    last = rows[len(rows) // 2 :, :2]
    value, error = last.mean(axis=0), last.std(axis=0, ddof=1) / np.sqrt(len(last))
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
