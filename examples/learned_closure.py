"""A coarse solver that a network corrects beats the coarse solver.

Burgers' equation on a periodic line with nu = 0.01. On 32 points the front is not resolved. A small network of (u, u_x,
u_xx) inside the PDE is trained, through the integrator, so that coarse trajectories follow those of 256 points; then both
run from initial values that were not in the training.
"""

import argparse
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import sciml
from sciml import PDE, Box, Initial, Periodic, coordinates, field, function, solvers

NU, COARSE, FINE = 0.01, 32, 256
TIMES = np.linspace(0, 1.5, 7)


def main(quick: bool) -> None:
    x, t = coordinates("x t")
    u = field("u", x, t)
    place = Box(x=(0, 2 * np.pi), t=(0, 1.5))
    plain = PDE(u.t + u * u.x - NU * u.xx, Initial(u, 0), Periodic())
    fine, coarse = (solvers.compile(plain, place, grid=n) for n in (FINE, COARSE))

    starts = solvers.BandLimited(2, std=0.7).sample(fine, 24 if quick else 64, key=0)
    truth = solvers.rollout(fine, starts, save_at=TIMES, rtol=1e-6, progress=False)["u"].values[..., :: FINE // COARSE]
    without = solvers.rollout(coarse, truth[:, 0], save_at=TIMES, rtol=1e-6, progress=False)["u"].values

    with sciml.float64():
        network = eqx.nn.MLP(3, 1, 16, 2, jnp.tanh, key=jax.random.key(0))
        network = jax.tree.map(lambda a: a.astype(float) if eqx.is_array(a) else a, network)
        network = eqx.tree_at(lambda n: n.layers[-1].weight, network, replace_fn=lambda w: 0 * w)
        weights, rest = eqx.partition(network, eqx.is_array)

        def corrected(weights):
            """The coarse problem with the network of these weights inside."""
            inside = eqx.combine(weights, rest)
            closure = function("closure", lambda a, b, c: inside(jnp.stack([a, b / 5, c / 25]))[0])
            pde = PDE(u.t + u * u.x - NU * u.xx - closure(u, u.x, u.xx), Initial(u, 0), Periodic())
            return solvers.compile(pde, place, grid=COARSE)

        def run(weights, starts):
            problem = corrected(weights)
            return jax.vmap(lambda s: problem.run(s[None], save_at=TIMES, steps=10)[:, 0])(starts)

        train = len(truth) * 3 // 4

        def loss(weights, rows):
            return jnp.mean((run(weights, rows[:, 0]) - rows) ** 2)

        steps = 40 if quick else 400
        optimiser = optax.adam(3e-3)

        @jax.jit
        def step(weights, state, rows):
            value, gradient = jax.value_and_grad(loss)(weights, rows)
            updates, state = optimiser.update(gradient, state)
            return optax.apply_updates(weights, updates), state, value

        state, data = optimiser.init(weights), jnp.asarray(truth[:train])
        for k in range(steps):
            rows = data[np.random.default_rng(k).choice(train, 16, replace=False)]
            weights, state, value = step(weights, state, rows)
            if k % 20 == 0:
                print(f"step {k}: mean square error {value:.2e}")
        learned = np.asarray(jax.jit(run)(weights, jnp.asarray(truth[train:, 0])))
    test, plain_test = truth[train:], without[train:]
    size = np.linalg.norm(test)
    coarse_error, learned_error = (float(np.linalg.norm(a - test) / size) for a in (plain_test, learned))
    print(f"relative error on new initial values: coarse {coarse_error:.3f}, with network {learned_error:.3f}")

    path = Path(__file__).parent / "output" / "learned_closure.png"
    path.parent.mkdir(exist_ok=True)
    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    s = coarse.grid.line[0].points
    ax.plot(s, test[0, -1], color="0.6", linewidth=4, label=f"{FINE} points")
    ax.plot(s, plain_test[0, -1], ".-", label=f"{COARSE} points")
    ax.plot(s, learned[0, -1], ".-", label=f"{COARSE} points and a network")
    ax.set_xlabel("x")
    ax.set_ylabel("u at t = 1.5")
    ax.legend()
    figure.savefig(path, dpi=150)
    print(f"saved {path}")
    assert learned_error < (1.0 if quick else 0.75) * coarse_error


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer trajectories and steps, for CI")
    main(parser.parse_args().quick)
