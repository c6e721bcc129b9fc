"""Every method lowers the loss; the formulas are those of the papers."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import sympy as sp

import sciml
from sciml import PDE, Box, Dirichlet, coordinates, field, nn, pinn
from sciml.pinn._objective import Batch, make_objective
from sciml.pinn._solve import DENSE_BYTES, _methods
from sciml.pinn.methods import Objective
from sciml.pinn.methods._gauss_newton import Dense, MatrixFree, Woodbury
from sciml.pinn.methods._line_search import line_search

x = coordinates("x")
u = field("u", x)
equation = PDE(u.xx - u**3 + sp.sin(3 * x), Dirichlet(u, 0))


@pytest.fixture(scope="module")
def small():
    """A nonlinear equation, 57 parameters, 40 rows."""
    return made(nn.MLP(1, 1, width=6, depth=2, key=0))


def made(network):
    problem = pinn.compile(equation, Box(x=(0, 2)), network)
    with sciml.float64():
        objective, p = make_objective(problem, problem.params)
        points = jax.tree.map(jnp.asarray, problem.sample(40))
        return objective, p, Batch(points, {k: jnp.asarray(v) for k, v in problem.weights.items()})


def run(method, problem, steps):
    """First and last state of so many steps in one compiled loop."""
    objective, p, batch = problem

    @jax.jit
    def whole(p):
        first = method.init(objective, p, batch)
        last = jax.lax.fori_loop(0, steps, lambda _, s: method.step(objective, s, batch), first)
        return first, last, objective.value_and_grad(last.p, batch)

    with sciml.float64():
        first, last, (loss, gradient) = whole(p)
        np.testing.assert_allclose(last.loss, loss, rtol=1e-4, atol=1e-18)
        # Near the minimum the gradient is a small difference of large numbers.
        size = float(jnp.linalg.norm(first.gradient))
        np.testing.assert_allclose(last.gradient, gradient, rtol=1e-5, atol=1e-11 * size)
        assert last.p.dtype == "float64" and int(last.evaluations) > steps
        return first, last


@pytest.mark.parametrize(
    ("method", "steps", "factor"),
    [
        (pinn.Adam(steps=200), 200, 3e-2),
        (pinn.Adam(steps=None), 200, 1e-2),
        (pinn.Optax(optax.adamax(1e-2)), 200, 1e-1),
        (pinn.SOAP(), 200, 1e-2),
        (pinn.LBFGS(memory=10), 100, 1e-4),
        (pinn.BFGS(), 100, 1e-4),
        (pinn.SSBFGS(), 100, 1e-5),
        (pinn.SSBroyden(), 100, 1e-5),
        (pinn.LevenbergMarquardt(solver=Dense()), 30, 1e-5),
        (pinn.LevenbergMarquardt(solver=Woodbury()), 30, 1e-5),
        (pinn.LevenbergMarquardt(solver=MatrixFree()), 15, 1e-4),
        (pinn.GaussNewton(), 30, 1e-5),
        (pinn.EnergyNaturalGradient(), 30, 1e-5),
    ],
    ids=lambda v: (
        type(v).__name__ + getattr(type(getattr(v, "solver", None)), "__name__", "")
        if not isinstance(v, (int, float))
        else ""
    ),
)
def test_the_loss_falls(small, method, steps, factor):
    first, last = run(method, small, steps)
    assert float(last.loss) < factor * float(first.loss)


def test_least_squares_solves_for_random_features_like_newton():
    problem = made(nn.RandomFeatures(1, 1, features=20, scale=6.0, key=0))
    losses = [float(run(pinn.LeastSquares(), problem, n)[1].loss) for n in (1, 2, 4)]
    assert losses[2] < 1e-9
    # Quadratic convergence: digits double.
    assert losses[1] < losses[0] ** 1.5


def test_least_squares_is_least_squares():
    from sciml.pinn.methods._least_squares import solve_least_squares

    rng = np.random.default_rng(0)
    J, r = rng.normal(size=(30, 8)) * 10.0 ** np.arange(-4, 4), rng.normal(size=30)
    with sciml.float64():
        d = solve_least_squares(jnp.asarray(J), jnp.asarray(r))
    np.testing.assert_allclose(d, np.linalg.lstsq(J, r, rcond=None)[0], rtol=1e-9)


def test_all_three_solvers_take_the_same_step(small):
    objective, p, batch = small
    with sciml.float64():
        dampings = jnp.asarray([1e-2, 1.0])
        r, J = map(np.asarray, jax.jit(objective.jacobian)(p, batch))
        expected = [-np.linalg.solve(J.T @ J + k * np.eye(len(p)), J.T @ r) for k in (1e-2, 1.0)]
        for solver in (Dense(), Woodbury(), MatrixFree(iterations=400)):
            d = jax.jit(lambda p, solver=solver: solver.directions(objective, p, batch, dampings))(p)
            np.testing.assert_allclose(d, expected, rtol=1e-5, atol=1e-6 * np.max(np.abs(expected)))


def test_levenberg_marquardt_recovers_after_failures(small):
    """However often no step descended, new points must find a finite damping."""
    objective, p, batch = small
    stuck = Objective(lambda p, b: jnp.where(jnp.all(p == here), 1.0, 2.0)[None], objective.jacobian, None, len(p))
    method = pinn.LevenbergMarquardt(solver=Dense())
    with sciml.float64():
        here = p
        state = jax.jit(lambda p: method.init(stuck, p, batch))(p)
        step = jax.jit(lambda s: method.step(stuck, s, batch))
        for _ in range(200):
            state = step(state)
        assert bool(state.stalled) and np.isfinite(state.memory)
        assert np.array_equal(state.p, p)


# -- self-scaled Broyden ---------------------------------------------------------------------------------------------


def reference_update(H, alpha, g, g_new):
    """The formulas of arXiv:2405.04230 as they stand in the reference, in NumPy."""
    d = -H @ g
    s, y, n = alpha * d, g_new - g, len(g)
    ys, Hy = y @ s, H @ y
    yHy = y @ Hy
    b = -alpha * (g @ s) / ys
    h = yHy / ys
    a = b * h - 1
    c = np.sqrt(a / (a + 1))
    rho = min(1, h * (1 - c))
    theta_minus, theta_plus = (rho - 1) / a, 1 / rho
    theta = max(theta_minus, min(theta_plus, (1 - b) / b))
    sigma = 1 + a * theta
    tau1 = min(1, 1 / b)
    root = sigma ** (-1 / (n - 1))
    tau = tau1 * min(root, 1 / theta) if theta > 0 else min(tau1 * root, sigma)
    phi = (1 - theta) / (1 + a * theta)
    v = np.sqrt(yHy) * (s / ys - Hy / yHy)
    return (H - np.outer(Hy, Hy) / yHy + phi * np.outer(v, v)) / tau + np.outer(s, s) / ys, theta


def test_ssbroyden_follows_the_reference_in_both_branches():
    rng = np.random.default_rng(1)
    n, thetas = 7, []
    update = jax.jit(lambda H, alpha, s, y, g: pinn.SSBroyden().update(H, alpha, s, y, g, n))
    with sciml.float64():
        for _ in range(40):
            A, B = rng.normal(size=(2, n, n))
            H = A @ A.T + 0.1 * np.eye(n)
            g = rng.normal(size=n)
            alpha = 10.0 ** rng.uniform(-2, 0.5)
            s = -alpha * H @ g
            y = (B @ B.T + 0.1 * np.eye(n)) * 10.0 ** rng.uniform(-3, 2) @ s
            expected, theta = reference_update(H, alpha, g, g + y)
            thetas.append(theta)
            found = np.asarray(update(H, alpha, s, y, g))
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
            np.testing.assert_allclose(found @ y, s, rtol=1e-7, atol=1e-9 * np.abs(s).max())  # the secant equation
    assert min(thetas) < 0 < max(thetas)


def test_bfgs_is_the_textbook_update():
    rng = np.random.default_rng(2)
    A = rng.normal(size=(5, 5))
    H, s = A @ A.T, rng.normal(size=5)
    y = s + 0.1 * rng.normal(size=5)
    V = np.eye(5) - np.outer(s, y) / (y @ s)
    with sciml.float64():
        found = pinn.BFGS().update(jnp.asarray(H), 1.0, jnp.asarray(s), jnp.asarray(y), jnp.asarray(-s), 5)
        np.testing.assert_allclose(found, V @ H @ V.T + np.outer(s, s) / (y @ s), rtol=1e-11, atol=1e-12)
        # Where the curvature is not positive H stays as it was.
        kept = pinn.BFGS().update(jnp.asarray(H), 1.0, jnp.asarray(s), jnp.asarray(-y), jnp.asarray(-s), 5)
        assert np.array_equal(kept, H)


def rosenbrock():
    rows = lambda p, batch: jnp.concatenate([10 * (p[1:] - p[:-1] ** 2), 1 - p[:-1]])  # noqa: E731
    return Objective(rows, lambda p, b: (rows(p, b), jax.jacfwd(rows)(p, b)), lambda p: p, 6)


@pytest.mark.parametrize("method", [pinn.BFGS(), pinn.SSBFGS(), pinn.SSBroyden()])
def test_the_inverse_hessian_stays_positive_definite_down_to_the_minimum(method):
    with sciml.float64():
        objective, p = rosenbrock(), jnp.asarray([-1.2, 1.0, 0.5, -0.3, 2.0, 1.5])
        state = method.init(objective, p, None)
        step = jax.jit(lambda s: method.step(objective, s, None))
        lowest = []
        for _ in range(150):
            before, state = float(state.loss), step(state)
            assert float(state.loss) <= before
            if state.loss < 1e-18:
                break
            lowest.append(np.linalg.eigvalsh(state.memory).min() / np.linalg.eigvalsh(state.memory).max())
        assert min(lowest) > 0
        np.testing.assert_allclose(state.p, 1.0, atol=1e-6)


FUNCTIONS = {
    "a parabola": lambda p: 3 * jnp.sum(p**2),
    "far too short a first step": lambda p: 1e-4 * jnp.sum((p - 400) ** 2),
    "far too long a first step": lambda p: 1e5 * jnp.sum(p**2),
    "a wall of infinities": lambda p: jnp.sum(p**2) - 1e-3 * jnp.sum(jnp.log(p - 0.4)),
    "wiggles": lambda p: jnp.sum(p**2 + 0.3 * jnp.sin(9 * p)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_line_search_ends_where_both_wolfe_conditions_hold(name):
    with sciml.float64():
        value_and_grad = jax.value_and_grad(FUNCTIONS[name])
        p = jnp.asarray([0.9, 0.8])
        f, g = value_and_grad(p)
        d = -g
        found = jax.jit(lambda: line_search(value_and_grad, p, f, g, d))()
        assert bool(found.wolfe)
        new, slope = value_and_grad(p + found.alpha * d)
        assert new <= f + 1e-4 * found.alpha * (g @ d)
        assert slope @ d >= 0.9 * (g @ d)
        np.testing.assert_allclose(found.loss, new, rtol=1e-12, atol=1e-20)
        np.testing.assert_allclose(found.gradient, slope, rtol=1e-9, atol=1e-12 * float(jnp.abs(g).max()))
        assert int(found.evaluations) <= 15


def test_a_line_search_without_descent_stays():
    with sciml.float64():
        value_and_grad = jax.value_and_grad(lambda p: jnp.sum(p**2))
        p = jnp.asarray([0.9, 0.8])
        f, g = value_and_grad(p)
        found = line_search(value_and_grad, p, f, g, g)
        assert float(found.alpha) == 0 and float(found.loss) == float(f) and not bool(found.wolfe)


def test_soap_without_a_basis_is_adam():
    """On a vector there is nothing to rotate."""
    rows = lambda p, batch: p * jnp.arange(1.0, 5.0)  # noqa: E731
    objective = Objective(rows, None, lambda p: p, 4)
    with sciml.float64():
        p = jnp.asarray([1.0, -2.0, 0.5, 3.0])
        soap, adam = pinn.SOAP(learning_rate=1e-2, b1=0.9, b2=0.999), pinn.Optax(optax.adam(1e-2))
        a, b = soap.init(objective, p, None), adam.init(objective, p, None)
        step = jax.jit(lambda a, b: (soap.step(objective, a, None), adam.step(objective, b, None)))
        for _ in range(5):
            a, b = step(a, b)
        np.testing.assert_allclose(a.p, b.p, rtol=1e-6)


def test_wrong_arguments_are_refused():
    with pytest.raises(TypeError, match=r"gradient transformation such as optax.adam\(1e-3\); float came"):
        pinn.Optax(1e-3)
    with pytest.raises(TypeError, match=r"method is pinn.Local\(\), a method object such as pinn.SSBroyden\(\).*'adam' came"):
        pinn.solve(equation, Box(x=(0, 2)), "adam")
    with pytest.raises(TypeError, match=r"method is pinn.Local\(\), a method object"):
        pinn.solve(equation, Box(x=(0, 2)), pinn.Adam)


def test_the_default_for_large_networks_forms_no_dense_matrix():
    box = Box(x=(0, 2))
    small, large = (pinn.compile(equation, box, nn.MLP(1, 1, width=w, depth=3, key=0)) for w in (20, 200))
    assert isinstance(_methods(None, small, 2048)[-1], pinn.SSBroyden)
    assert isinstance(_methods(None, large, 2048)[-1], pinn.LBFGS)
    assert pinn.SSBroyden().bytes(large.network.size, 2048) > DENSE_BYTES >= pinn.SSBroyden().bytes(1000, 2048)
