"""Through the integrators: gradients, batches, networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp

import sciml
from sciml import (
    PDE,
    Box,
    Dirichlet,
    Initial,
    Neumann,
    Periodic,
    Robin,
    coordinates,
    d,
    field,
    function,
    nn,
    parameter,
    pinn,
    solvers,
)

x, t = coordinates("x t")
u = field("u", x, t)


nu = parameter("nu", initial=0.1)
BURGERS = PDE(u.t + u * u.x - nu * u.xx, Initial(u, -sp.sin(x)), Periodic())
RING = Box(x=(0, 2 * np.pi), t=(0, 1))


def differences(value, p, e):
    """The derivative along e to fourth order. `value` is compiled with its gradient: one program for both."""
    one, two = ((value(p + h * e)[0] - value(p - h * e)[0]) / (2 * h) for h in (1e-3, 2e-3))
    return (4 * one - two) / 3


# Every method, and both bases: complex on a ring, real between walls.
@pytest.mark.parametrize(
    ("method", "walls"),
    [(solvers.ETDRK2(), True), (solvers.ETDRK4(), False), (solvers.ETDRK4(), True), (solvers.IMEX4(), True), (solvers.Implicit5(), False)],  # noqa: E501
)  # fmt: skip
def test_gradients_equal_finite_differences(method, walls):
    pde = PDE(*BURGERS.equations, Initial(u, -sp.sin(x)), Dirichlet(u, 0)) if walls else BURGERS
    problem = solvers.compile(pde, RING, grid=24)
    start = -np.sin(problem.axes[0].points)[None]
    bump = np.sin(2 * np.linspace(0, 2 * np.pi, start.shape[-1], endpoint=walls))

    def loss(p):
        states = problem.run(start + p[1] * bump, {"nu": p[0]}, save_at=(0, 0.5, 1), steps=9, method=method)
        return jnp.sum(states[1:] ** 2)

    with sciml.float64():
        p, value = jnp.array([0.1, 0.2]), jax.jit(jax.value_and_grad(loss))
        for e, g in zip(np.eye(2), value(p)[1], strict=True):
            np.testing.assert_allclose(g, differences(value, p, e), rtol=1e-6)


G = parameter("g", initial=0.3)
ENDS = {
    "dirichlet, moving, and neumann": [Dirichlet(u, G * sp.sin(3 * t), on="x_min"), Neumann(u, -G, on="x_max")],
    "robin": [Robin(u, 1, 2, G, on="x_min"), Robin(u, 3, 1, 0, on="x_max")],
}


@pytest.mark.parametrize(
    ("kind", "grid"),
    [*((kind, grid) for kind in ENDS for grid in (solvers.Chebyshev(16), solvers.Volumes(16))), ("robin", solvers.Differences(17, 4))],  # noqa: E501
)  # fmt: skip
def test_gradients_with_respect_to_what_holds_at_walls(kind, grid):
    problem = solvers.compile(PDE(u.t + d(u**2 / 2 - u.x / 5, x), Initial(u, sp.sin(x)), *ENDS[kind]), RING, grid=grid)
    method = solvers.ETDRK2() if grid == solvers.Volumes(16) else None

    def loss(g):
        return jnp.sum(problem.run(parameters={"g": g}, save_at=(0, 0.3), steps=4, method=method)[1] ** 2)

    with sciml.float64():
        value = jax.jit(jax.value_and_grad(loss))
        gradient, expected = value(0.3)[1], differences(value, 0.3, 1.0)
    assert abs(float(gradient)) > 1e-3
    np.testing.assert_allclose(gradient, expected, rtol=1e-6)


def test_vmap_gives_the_numbers_of_a_loop():
    problem = solvers.compile(BURGERS, RING, grid=24)
    with sciml.float64():
        run = lambda nu: problem.run(parameters={"nu": nu}, save_at=(0, 1))  # noqa: E731
        several = jnp.array([0.05, 0.2])
        one_by_one = np.stack([run(float(v)) for v in several])
        np.testing.assert_allclose(jax.jit(jax.vmap(run))(several), one_by_one, rtol=1e-9, atol=1e-12)


def test_a_network_inside_the_equation_is_trained_through_the_integrator():
    weights = jnp.array([0.3])
    closure = function("closure", lambda v: weights[0] * v)
    pde = PDE(u.t - u.xx - closure(u), Initial(u, sp.sin(x)), Periodic())
    exact = lambda x, t: np.sin(x) * np.exp(-0.7 * t)  # noqa: E731
    assert float(solvers.solve(pde, RING, grid=16, progress=False).error(exact)) < 1e-7


@pytest.mark.parametrize("flux", [False, True])
def test_a_problem_may_be_compiled_around_what_is_differentiated(flux):
    def end(k):
        with sciml.float64():
            closure = function("closure", lambda v: k * v)
            term = d(closure(u), x) if flux else closure(u)
            problem = solvers.compile(PDE(u.t + term, Initial(u, sp.sin(x)), Periodic()), RING, grid=8)
            return jnp.sum(problem.run(save_at=[0.0, 1.0], steps=20)[-1, 0] ** 2)

    with sciml.float64():
        value, slope = jax.value_and_grad(end)(jnp.asarray(0.3))
    # sin(x - k t) keeps its norm of 4 on 8 points, exp(-k t) sin(x) does not.
    right = (4, 0) if flux else (4 * np.exp(-0.6), -8 * np.exp(-0.6))
    np.testing.assert_allclose((value, slope), right, atol=1e-6)


def test_a_network_is_measured_against_it():
    heat = PDE(u.t - u.xx, Initial(u, sp.sin(sp.pi * x)), Dirichlet(u, 0))
    place = Box(x=(0, 1), t=(0, 0.2))
    network = nn.RandomFeatures(2, 1, features=250, scale=4.0, key=0)
    trained = pinn.solve(heat, place, pinn.LeastSquares(steps=1), network=network, points=600, progress=False)
    assert float(trained.error(solvers.solve(heat, place, progress=False))) < 1e-6
