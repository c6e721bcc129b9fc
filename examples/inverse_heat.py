"""Where was the heat? The initial temperature of a rod from the final one, through a differentiable integrator.

Heat flow forgets: mode k decays by exp(-k^2 pi^2 t). With noise of one per mille, modes that have decayed below it cannot come
back, so the initial state is sought with a penalty on its slope, by L-BFGS through `problem.run`.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
import sympy as sp

import sciml
from sciml import Box, Dirichlet, Initial, catalogue, solvers


def main(quick: bool) -> None:
    equation = catalogue.heat(alpha=1)
    (u,) = equation.fields
    x, t = equation.coordinates
    start = sp.sin(sp.pi * x) + sp.sin(3 * sp.pi * x) / 2
    rod = equation.with_conditions(Initial(u, start), Dirichlet(u, 0))
    problem = solvers.compile(rod, Box(x=(0, 1), t=(0, 0.02)), grid=32)
    truth = problem.run(save_at=(0, 0.02), steps=4)
    noise = 1e-3 * np.random.default_rng(0).normal(size=truth[-1].shape)
    measured = truth[-1] + noise

    s = problem.grid.line[0].points
    steps = 50 if quick else 200

    @jax.jit
    def recover(guess):
        def loss(inner):
            u0 = jnp.pad(inner, ((0, 0), (1, 1)))  # the ends are held at zero
            end = problem.run(u0, save_at=(0, 0.02), steps=4)[-1]
            slope = jnp.diff(u0[0]) / jnp.diff(s)
            return jnp.mean((end - measured) ** 2) + 3e-8 * jnp.mean(slope**2)

        method = optax.lbfgs()
        step = optax.value_and_grad_from_state(loss)

        def one(carry, _):
            u0, state = carry
            value, gradient = step(u0, state=state)
            updates, state = method.update(gradient, state, u0, value=value, grad=gradient, value_fn=loss)
            return (optax.apply_updates(u0, updates), state), value

        (found, _), history = jax.lax.scan(one, (guess, method.init(guess)), None, length=steps)
        return jnp.pad(found, ((0, 0), (1, 1))), history

    with sciml.float64():
        found, history = recover(jnp.zeros_like(truth[0, :, 1:-1]))
        found = np.asarray(found)
    error = np.linalg.norm(found[0] - truth[0, 0]) / np.linalg.norm(truth[0, 0])
    print(f"misfit {history[0]:.1e} -> {history[-1]:.1e}; relative error of the initial temperature {error:.1%}")

    path = Path(__file__).parent / "output" / "inverse_heat.png"
    path.parent.mkdir(exist_ok=True)
    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    ax.plot(s, truth[0, 0], color="0.6", linewidth=4, label="at t = 0, true")
    ax.plot(s, found[0], label="at t = 0, recovered")
    ax.plot(s, measured[0], ".", label="at t = 0.02, measured")
    ax.set_xlabel("x")
    ax.set_ylabel("u")
    ax.legend()
    figure.savefig(path, dpi=150)
    print(f"saved {path}")
    assert error < 0.12


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="50 steps, for CI")
    main(parser.parse_args().quick)
