"""Windows in time, causal weights, ensembles, 32 bits, contradictory corners, collapsed Laplacians."""

import jax
import numpy as np
import pytest
import sympy as sp

from sciml import PDE, Box, Dirichlet, Initial, Solution, coordinates, field, fields, laplacian, nn, pinn
from sciml.pinn._corners import damping, graded
from sciml.pinn._sums import collapse_sums

x, t = coordinates("x t")
y, z = coordinates("y z")
u = field("u", x, t)
HEAT = PDE(u.t - u.xx, Initial(u, sp.sin(sp.pi * x)), Dirichlet(u, 0))
PLACE = Box(x=(0, 1), t=(0, 0.2))
QUICK = (pinn.Adam(steps=100), pinn.SSBroyden(steps=60))


def exact(x, t):
    return np.sin(np.pi * x) * np.exp(-(np.pi**2) * t)


@pytest.mark.slow
def test_windows_hand_the_state_on(tmp_path):
    network = nn.RandomFeatures(2, 1, features=100, scale=4.0, key=0)
    solution = pinn.solve_windows(HEAT, PLACE, 2, pinn.LeastSquares(steps=1), network=network, points=500, progress=False)
    first, second = solution.parts
    assert (error := float(solution.error(exact))) < 1e-6
    s = np.linspace(0, 1, 7)
    np.testing.assert_allclose(second.u(s, 0.1), first.u(s, 0.1), atol=1e-9)
    np.testing.assert_allclose(solution.u(s, 0.05), first.u(s, 0.05))
    np.testing.assert_allclose(solution.u(s, 0.15), second.u(s, 0.15))
    assert error / 3 < float(solution.estimate_error()) < 10 * error
    loaded = Solution.load(solution.save(tmp_path / "windows.npz"))
    np.testing.assert_array_equal(loaded.u(s, s / 5), solution.u(s, s / 5))
    assert [part.domain for part in loaded.parts] == [first.domain, second.domain]


def test_windows_need_time_and_a_box():
    v = field("v", x)
    with pytest.raises(ValueError, match="no time coordinate"):
        pinn.solve_windows(PDE(v.xx + 1, Dirichlet(v, 0)), Box(x=(0, 1)), 2)
    with pytest.raises(ValueError, match="whole number"):
        pinn.solve_windows(HEAT, PLACE, 0)


def test_causal_weights_hold_late_times_back():
    problem = pinn.compile(HEAT, PLACE)
    causal = pinn.Causal(tolerance=1e-3)
    points = causal.again(
        problem, 512, key=0, residuals=lambda q: {"equation": np.where(q["interior"].x[:, 1] < 0.1, 1.0, 0.0)}
    )["interior"]
    early, late = points.x[:, 1] < 0.00625, points.x[:, 1] > 0.1
    assert early.any() and late.any()
    assert points.weight[early].min() > 0.2 and points.weight[late].max() < 1e-3
    solved = causal.again(problem, 512, key=0, residuals=lambda q: {"equation": np.full(len(q["interior"].x), 1e-6)})
    assert solved["interior"].weight.min() > 0.5
    with pytest.raises(ValueError, match="needs a time coordinate"):
        v = field("v", x)
        causal.first(pinn.compile(PDE(v.xx + 1, Dirichlet(v, 0)), Box(x=(0, 1))), 64, key=0)


@pytest.mark.slow
def test_ensembles_differ_by_key_and_agree_on_the_answer(tmp_path):
    method, network = pinn.SSBroyden(steps=60), nn.MLP(2, 1, width=8, depth=2)
    mean = pinn.ensemble(HEAT, PLACE, method, keys=(0, 1), network=network, points=512, progress=False)
    first, second = mean.parts
    assert 0 < mean.spread("u", 0.5, 0.1) < 0.05 and abs(mean.u(0.5, 0.1) - exact(0.5, 0.1)) < 0.05
    np.testing.assert_allclose(mean.u.xx(0.5, 0.1), (first.u.xx(0.5, 0.1) + second.u.xx(0.5, 0.1)) / 2, rtol=1e-12)
    estimated, true = mean.estimate_error().value, float(mean.error(exact))
    assert true / 30 < estimated < 30 * true
    loaded = Solution.load(mean.save(tmp_path / "ensemble.npz"))
    assert loaded.spread("u", 0.5, 0.1) == mean.spread("u", 0.5, 0.1)
    with pytest.raises(ValueError, match="ensemble"):
        first.spread("u", 0.5, 0.1)
    with pytest.raises(ValueError, match="at least two"):
        pinn.ensemble(HEAT, PLACE, keys=(0,))


def test_float32_on_request_only():
    network = nn.MLP(2, 1, width=8, depth=2)
    solution = pinn.solve(HEAT, PLACE, QUICK, network=network, points=512, precision=np.float32, progress=False)
    leaves = jax.tree.leaves(solution.final.params["network"])
    assert {leaf.dtype for leaf in leaves} == {np.dtype(np.float32)} and solution.stats["precision"] == "float32"
    assert solution.u(0.5, 0.1).dtype == np.float64 and float(solution.error(exact)) < 0.05
    with pytest.raises(ValueError, match="float64 or numpy.float32"):
        pinn.solve(HEAT, PLACE, precision=np.float16)


def test_rows_near_contradictory_corners_are_damped():
    problem = pinn.compile(PDE(u.t - u.xx, Initial(u, 1), Dirichlet(u, 0)), Box(x=(0, 1), t=(0, 1)))
    assert problem.exactness.corners == [((0, 0.0), (1, 0.0)), ((0, 1.0), (1, 0.0))]
    points = problem.sample(256)["interior"]
    near = np.hypot(points.x[:, 0], points.x[:, 1]) < 0.1
    assert near.any() and points.damping[near].max() < 0.5 and points.damping.max() > 0.8
    np.testing.assert_allclose(damping(np.array([[0.0, 0.0], [0.2, 0.0]]), (((0, 0.0), (1, 0.0)),)), [0, 0.5])
    assert np.all(pinn.compile(HEAT, PLACE).sample(64)["interior"].damping == 1)


def test_points_graded_towards_a_corner_integrate_like_uniform_ones():
    corners = (((0, -1.0), (1, 1.0)), ((0, 1.0), (1, 1.0)))
    random = np.random.default_rng(0)
    uniform = random.uniform(-1, 1, (100_000, 2))
    z, weight = graded(uniform, corners, random)
    distance = np.hypot(1 - z[:, 0], 1 - z[:, 1])
    near = (0.004 < distance) & (distance < 0.01)
    assert near.mean() > 0.01 and np.abs(z).max() <= 1 and weight.mean() == pytest.approx(1)
    assert np.mean(weight * z[:, 0] ** 2) == pytest.approx(1 / 3, abs=0.01)
    assert np.mean(weight * near) == pytest.approx(np.pi * (0.01**2 - 0.004**2) / 16, rel=0.05)
    for height in (1.0, -1.0):  # a face stays a face, and one without a corner keeps its points
        face = np.stack([uniform[:, 0], np.full(len(uniform), height)], axis=1)
        z, weight = graded(face, corners, random, inside=False)
        assert np.all(z[:, 1] == height) and np.mean(weight * z[:, 0] ** 2) == pytest.approx(1 / 3, abs=0.01)
    np.testing.assert_array_equal(z, face)


def test_derivatives_in_a_constant_ratio_become_one_sum():
    v, w = fields("v w", x, y, z)
    whole = PDE(laplacian(v) * sp.exp(x) - v, 2 * laplacian(w) + w.x + v.x)
    expressions, found = collapse_sums([e.expression for e in whole.equations], whole)
    assert [(name, len(request.terms)) for _, name, request in found] == [("v", 3), ("w", 4)]
    assert dict((index, factor) for factor, index in found[1][2].terms)[1, 0, 0] == pytest.approx(0.5)
    assert not any(e.has(v.xx) or e.has(w.xx) for e in expressions) and expressions[1].has(v.x)
    for apart in (v.xx + x * v.yy, v.xx * v.yy, v.x * v + v.y * v.x):
        assert collapse_sums([apart], whole)[1] == []
    assert collapse_sums([v.xx + v.yy, v.xx - v.yy], whole)[1] == []


def test_a_collapsed_laplacian_gives_the_same_residual():
    v = field("v", x, y, z)
    problem = pinn.compile(
        PDE(laplacian(v) + v**2 - x * y, Dirichlet(v, 0)),
        Box(x=(0, 1), y=(0, 1), z=(0, 1)),
        nn.MLP(3, 1, width=6, depth=2),
    )
    points = problem.sample(32)
    assert problem.groups[0].sums
    residual = problem.residuals(problem.params, points)["equation"]
    p = points["interior"].x
    with jax.enable_x64(True):
        f = lambda q: problem.trial(problem.params["network"], q)[0]  # noqa: E731
        expected = jax.jit(jax.vmap(lambda q: jax.numpy.trace(jax.hessian(f)(q)) + f(q) ** 2 - q[0] * q[1]))(p)
    np.testing.assert_allclose(residual, expected, rtol=1e-10)


@pytest.mark.slow
def test_a_network_gets_the_frequency_of_a_source(tmp_path):
    """u'' = 2 - w^2 sin(w x): the wave is among the inputs of the network that is trained by default."""
    w, v = 40, field("v", x)
    pde = PDE(v.xx + w**2 * sp.sin(w * x) - 2, Dirichlet(v, sp.sin(w * x) + x**2))
    (found,) = pinn.compile(pde, Box(x=(0, 1))).network.to_json()["architecture"]["embedding"]["waves"]
    assert found[0] == 0 and abs(found[1] - w / 2) < np.pi  # x is scaled to [-1, 1]
    solution = pinn.solve(pde, Box(x=(0, 1)), pinn.SSBroyden(), max_time=60, tolerance=1e-4, progress=False)
    s = np.linspace(0, 1, 101)
    assert np.sqrt(np.mean((solution.v(s) - np.sin(w * s) - s**2) ** 2)) < 1e-3
    loaded = Solution.load(solution.save(tmp_path / "wave.npz"))
    np.testing.assert_array_equal(loaded.v(s), solution.v(s))
