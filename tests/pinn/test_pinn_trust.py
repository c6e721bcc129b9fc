"""What is reported about the answer is true: estimated errors, standard errors, and results of a user's own loop."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import sympy as sp

import sciml
from sciml import PDE, Box, Dirichlet, Initial, Observed, coordinates, field, laplacian, nn, parameter, pinn
from sciml.pinn._objective import Batch, make_objective
from sciml.pinn._uncertainty import learned_parameters

x, y, t = coordinates("x y t")
u = field("u", x, t)
w = field("w", x, y)


def heat():
    pde = PDE(u.t - u.xx, Initial(u, sp.sin(sp.pi * x)), Dirichlet(u, 0))
    exact = lambda x, t: np.exp(-(np.pi**2) * t) * np.sin(np.pi * x)  # noqa: E731
    network = nn.RandomFeatures(2, 1, features=80, scale=4.0, key=0)
    return pde, Box(x=(0, 1), t=(0, 0.2)), exact, network, pinn.LeastSquares(steps=1), 200


def poisson():
    exact = lambda x, y: np.sin(np.pi * x) * np.sin(2 * np.pi * y)  # noqa: E731
    pde = PDE(laplacian(w) + 5 * sp.pi**2 * sp.sin(sp.pi * x) * sp.sin(2 * sp.pi * y), Dirichlet(w, 0))
    network = nn.RandomFeatures(2, 1, features=120, scale=6.0, key=0)
    return pde, Box(x=(0, 1), y=(0, 1)), exact, network, pinn.LeastSquares(steps=1), 300


def trained():
    pde, domain, exact, *_ = heat()
    return pde, domain, exact, nn.MLP(2, 1, width=10, depth=2, key=0), pinn.SSBroyden(steps=60), 256


@pytest.mark.slow
@pytest.mark.parametrize("case", [heat, poisson, trained])
def test_the_estimated_error_is_within_ten_times_of_the_truth(case):
    pde, domain, exact, network, method, points = case()
    s = pinn.solve(pde, domain, method, network=network, points=points, progress=False, tolerance=0.0)
    true, estimate = float(s.error(exact)), s.estimate_error()
    assert estimate.value is not None, estimate.reason
    assert true / 10 < estimate.value < 10 * true
    assert 1e-9 < true < 0.1  # otherwise this would test nothing


# -- an inverse problem ------------------------------------------------------------------------------------------------

K, SIGMA, N = 0.3, 0.02, 60


def decay(x, t):
    return np.exp(-K * np.pi**2 * t) * np.sin(np.pi * x)


def linear_theory(points):
    """The standard error of k where the equation holds: u depends on the data through k alone."""
    slope = -(np.pi**2) * points[:, 1] * decay(*points.T)
    return SIGMA / np.sqrt(np.sum(slope**2))


@pytest.fixture(scope="module")
def inverse():
    k = parameter("k", initial=0.5, positive=True)
    points = np.random.default_rng(5).uniform([0, 0], [1, 0.5], (N, 2))
    values = decay(*points.T) + SIGMA * np.random.default_rng(6).normal(size=N)
    pde = PDE(
        u.t - k * u.xx,
        Initial(u, sp.sin(sp.pi * x)),
        Dirichlet(u, 0),
        Observed(u, points, values, noise=SIGMA, name="data"),
    )
    network = nn.RandomFeatures(2, 1, features=50, scale=3.0, key=0)
    problem = pinn.compile(pde, Box(x=(0, 1), t=(0, 0.5)), network)
    with sciml.float64():
        objective, p = make_objective(problem, problem.params)
        method = pinn.LeastSquares()

        @jax.jit
        def fit(batch):
            state = method.init(objective, p, batch)
            return jax.lax.fori_loop(0, 8, lambda _, s: method.step(objective, s, batch), state).p

        drawn = jax.tree.map(jnp.asarray, problem.sample(150))
        weights = {b.name: jnp.asarray(problem.weights[b.name]) for b in problem.blocks}

        def solve(values):
            data = replace_data(drawn["data"], values)
            return objective.unravel(fit(Batch({**drawn, "data": data}, weights)))

        yield problem, points, values, solve


def replace_data(points, values):
    return eqx.tree_at(lambda q: q.data, points, jnp.asarray(values)[:, None])


def test_a_diffusivity_with_its_standard_error(inverse):
    problem, points, values, solve = inverse
    with sciml.float64():
        params = solve(values)
    (k,) = learned_parameters(problem, params)[0].values()
    assert k.noise == "stated noise"
    assert k.standard_error == pytest.approx(linear_theory(points), rel=0.3)
    assert abs(k.value - K) < 4 * k.standard_error
    assert f"k = {k.value:.8g} +- {k.standard_error:.2g}" == repr(k) and float(k) == k.value


@pytest.mark.slow
def test_the_estimate_scatters_as_the_standard_error_says(inverse):
    problem, points, _, solve = inverse
    rng = np.random.default_rng(7)
    with sciml.float64():
        found = [float(problem.unknowns(solve(decay(*points.T) + SIGMA * rng.normal(size=N)))["k"]) for _ in range(40)]
    spread, theory = np.std(found), linear_theory(points)
    assert theory / 2 < spread < 2 * theory
    assert abs(np.mean(found) - K) < 4 * spread / np.sqrt(40) + 0.1 * theory


def test_noise_that_is_not_stated_is_estimated(inverse):
    problem, points, values, solve = inverse
    with sciml.float64():
        params = solve(values)
    silent = replace(problem, pde=without_noise(problem.pde))
    (k,) = learned_parameters(silent, params)[0].values()
    assert k.noise == "noise estimated from the misfit"
    assert k.standard_error == pytest.approx(linear_theory(points), rel=0.5)


def without_noise(pde):
    data = next(c for c in pde.conditions if isinstance(c, Observed))
    rest = [c for c in pde.conditions if c is not data]
    return PDE(
        *pde.equations, *rest, Observed(data.expression, data.points, data.values, name="data"), fields=pde.fields
    )


def test_without_data_there_is_no_standard_error():
    k = parameter("k", initial=0.5)
    pde = PDE(u.t - k * u.xx, Initial(u, sp.sin(sp.pi * x)), Dirichlet(u, 0))
    problem = pinn.compile(pde, Box(x=(0, 1), t=(0, 1)), nn.MLP(2, 1, width=4, depth=1, key=0))
    (found,) = learned_parameters(problem, problem.params)[0].values()
    assert found.standard_error is None and "no data" in found.noise and found.value == 0.5


# -- composing ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_users_own_optax_loop_under_jit_and_scan():
    pde, domain, *_ = heat()
    problem = pinn.compile(pde, domain, nn.MLP(2, 1, width=6, depth=2, key=0))
    points = problem.sample(64)
    with sciml.float64():
        optimiser = optax.adam(1e-2)

        @jax.jit
        def train(params):
            def step(carry, _):
                params, state = carry
                loss, gradient = jax.value_and_grad(problem.loss)(params, points)
                updates, state = optimiser.update(gradient, state)
                return (optax.apply_updates(params, updates), state), loss

            return jax.lax.scan(step, (params, optimiser.init(params)), length=100)

        (params, _), losses = train(problem.params)
        assert losses.dtype == "float64" and losses[-1] < 0.1 * losses[0]
        np.testing.assert_allclose(losses[0], problem.loss(problem.params, points), rtol=1e-10)
        assert jax.tree.structure(params) == jax.tree.structure(problem.params)
        # vmap over initial parameters, and over weights of the blocks
        both = jax.tree.map(lambda a, b: np.stack([a, b]), problem.params, params)
        several = jax.jit(jax.vmap(problem.loss, (0, None)))(both, points)
        np.testing.assert_allclose(several, [losses[0], problem.loss(params, points)], rtol=1e-9)
        scaled = jax.jit(jax.vmap(lambda c: problem.loss(params, points, {"equation": c})))(jnp.asarray([1.0, 3.0]))
        np.testing.assert_allclose(scaled[1], 3 * scaled[0], rtol=1e-12)


@pytest.mark.slow
def test_one_solve_covers_a_family():
    nu = coordinates("nu", role="parameter")
    v = field("v", x, nu)
    network = nn.RandomFeatures(2, 1, features=60, scale=3.0, key=0)
    pde = PDE(nu * v.xx + 1, Dirichlet(v, 0))
    s = pinn.solve(
        pde, Box(x=(0, 1), nu=(0.5, 2)), pinn.LeastSquares(steps=1), network=network, points=150, progress=False
    )
    assert float(s.error(lambda x, nu: x * (1 - x) / (2 * nu))) < 1e-3
    assert s.v(x=0.5, nu=[0.6, 1.5]) == pytest.approx([0.125 / 0.6, 0.125 / 1.5], rel=1e-2)
    with sciml.float64():  # sensitivity with respect to the parameter
        slope = jax.grad(lambda nu: s.v(x=0.5, nu=nu))(jnp.asarray(1.0))
    assert float(slope) == pytest.approx(-0.125, rel=2e-2)
