"""The block contract: rows are residual x weight x measure x scale, and units do not matter."""

from dataclasses import replace

import equinox as eqx
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
    Disk,
    Initial,
    Neumann,
    Observed,
    Robin,
    coordinates,
    field,
    fields,
    laplacian,
    nn,
    pinn,
)
from sciml.pinn._objective import Batch, make_objective

x, y, t = coordinates("x y t")


@pytest.fixture(scope="module")
def system():
    """Two fields, penalised conditions on a circle of three kinds, data, and an unknown."""
    u, v = fields("u v", x, y)
    k = sciml.parameter("k", initial=2.0, positive=True)
    rng = np.random.default_rng(0)
    pde = PDE(
        sciml.equation(laplacian(u) - k * v, name="first"),
        sciml.equation(laplacian(v) + u.x - x * y, name="second"),
        Dirichlet(u, x, name="wall u"),
        Robin(v, 1, 2, y, name="wall v"),
        Observed(u, rng.uniform(-0.5, 0.5, (7, 2)), rng.normal(size=7), name="data"),
    )
    return pinn.compile(pde, Disk(center=(0, 0), radius=1), nn.MLP(2, 2, width=4, depth=2, key=1))


def heavy(points):
    """The same points with quadrature weights."""
    return {
        k: replace_weight(q, np.linspace(0.5, 1.5, len(q.weight))) if k == "interior" else q for k, q in points.items()
    }


def replace_weight(q, weight):
    return eqx.tree_at(lambda q: q.weight, q, weight)


def test_rows_are_residuals_times_weight_measure_and_scale(system):
    points = heavy(system.sample(24))
    residuals, rows = system.residuals(system.params, points), system.rows(system.params, points)
    assert [b.name for b in system.blocks] == ["first", "second", "wall u", "wall v", "data"]
    assert set(residuals) == {b.name for b in system.blocks}
    expected = []
    for g in system.groups:
        for b in g.blocks:
            q = points[g.name].weight
            # 1 away from corners where prescribed values contradict each other; there are none here
            assert np.all(points[g.name].damping == 1)
            expected.append(residuals[b.name] * np.sqrt(system.weights[b.name] * q / len(q)) / b.scale)
    np.testing.assert_allclose(rows, np.concatenate(expected), rtol=1e-13)
    np.testing.assert_allclose(system.loss(system.params, points), np.sum(rows**2), rtol=1e-13)
    assert len(residuals["data"]) == 7  # data are as they are
    assert type(rows) is np.ndarray


def test_weights_change_rows_and_unknown_names_are_refused(system):
    points = system.sample(24)
    weights = {**system.weights, "wall u": 40.0}
    plain = system.residuals(system.params, points)["wall u"]
    a, b = system.rows(system.params, points), system.rows(system.params, points, weights)
    changed = np.flatnonzero(a != b)
    assert len(changed) == len(plain)
    np.testing.assert_allclose(b[changed], 2 * a[changed], rtol=1e-14)
    again = pinn.compile(system.original, system.domain, system.network, weights={"wall u": 40.0})
    assert again.weights["wall u"] == 40.0
    with pytest.raises(ValueError, match=r"no penalised block 'walls'; the blocks are 'first', .* no weight"):
        pinn.compile(system.original, system.domain, system.network, weights={"walls": 1.0})


def test_the_jacobian_is_that_of_the_rows(system):
    points = heavy(system.sample(24))
    with sciml.float64():
        objective, p = make_objective(system, system.params)
        batch = Batch(points, {k: v + 0.5 for k, v in system.weights.items()})
        r, J = jax.jit(objective.jacobian)(p, batch)
        rows, expected = jax.jit(lambda p, b: (objective.rows(p, b), jax.jacfwd(objective.rows)(p, b)))(p, batch)
        np.testing.assert_allclose(r, rows, rtol=1e-12)
        np.testing.assert_allclose(J, expected, rtol=1e-10, atol=1e-12 * float(jnp.abs(expected).max()))


def test_points_are_checked(system):
    points = system.sample(24)
    with pytest.raises(ValueError, match="No points for wall u.*problem.sample"):
        system.loss(system.params, {"interior": points["interior"]})
    with pytest.raises(ValueError, match="there is no group inside; the groups are interior"):
        system.sample({"inside": 5})
    assert len(system.sample({"interior": 10, "wall u": 5})["wall u"].x) == 5


def test_robin_and_neumann_use_the_outward_normal():
    u = field("u", x, y)
    problem = pinn.compile(
        PDE(laplacian(u), Neumann(u, x)), Disk(center=(0, 0), radius=2), nn.MLP(2, 1, width=4, depth=2, key=1)
    )
    points = problem.sample(16)
    found = problem.residuals(problem.params, points)["neumann u"]
    q = points["neumann u"].x
    with sciml.float64():
        field_at = lambda q: problem.trial(problem.params["network"], q)[0]  # noqa: E731
        slope = np.asarray(jax.jit(jax.vmap(jax.jacfwd(field_at)))(q))
    np.testing.assert_allclose(found, np.sum(slope * q / 2, axis=1) - q[:, 0], rtol=1e-9, atol=1e-12)


def test_a_family_enters_the_residual():
    nu = coordinates("nu", role="parameter")
    u = field("u", x, nu)
    problem = pinn.compile(
        PDE(nu * u.xx + nu**2, Dirichlet(u, 0)), Box(x=(0, 1), nu=(1, 3)), nn.MLP(2, 1, width=4, depth=2, key=1)
    )
    exact = lambda x, nu: nu * x * (1 - x) / 2  # noqa: E731
    # The exact solution in place of the network: u = factor * N.
    points = problem.sample(20)
    q = points["interior"].x
    assert set(problem.residuals(problem.params, points)) == {"equation"} and np.ptp(q[:, 1]) > 1.5
    with sciml.float64():
        trial = replace(problem.trial, network=_Exact(exact, problem))
        residual = replace(problem, trial=trial).residuals({"network": (), "unknowns": {}}, points)["equation"]
    np.testing.assert_allclose(residual, 0, atol=1e-12)


class _Exact:
    """A network that makes the trial function a known one."""

    def __init__(self, exact, problem):
        self.exact, self.problem = exact, problem

    def apply(self, params, z):
        low, high = self.problem.trial.lower, self.problem.trial.upper
        q = low + (z + 1) / 2 * (high - low)
        lift, factor = self.problem.trial.exact({"x": q[0], "nu": q[1]})
        return jnp.stack([(self.exact(*q) - lift) / factor / self.problem.trial.scales[0]])


def in_units(length, time, size, coefficient):
    """u_t = u_xx in other units, its equation multiplied by a number: the same problem."""
    u = field("u", x, t)
    kappa = length**2 / time
    pde = PDE(
        coefficient * u.t - coefficient * kappa * u.xx,
        Initial(u, size * sp.cos(sp.pi * x / length / 2)),
        Dirichlet(u, 0, on="x_max"),
        Neumann(u, 0, on="x_min"),
    )
    return pde, Box(x=(0, length), t=(0, 0.2 * time))


SI = in_units(1e-3, 1e3, 300.0, 4e6)  # millimetres, a diffusivity of 1e-9, kelvin, a heat capacity
ONE = in_units(1.0, 1.0, 1.0, 1.0)


def test_si_units_give_the_rows_of_the_dimensionless_form():
    network = nn.MLP(2, 1, width=6, depth=2, key=5)
    one, si = pinn.compile(*ONE, network), pinn.compile(*SI, network)
    rows = one.rows(one.params, one.sample(32))
    np.testing.assert_allclose(si.rows(si.params, si.sample(32)), rows, rtol=1e-10, atol=1e-10 * np.max(np.abs(rows)))
    assert 0.01 < float(one.loss(one.params, one.sample(32))) < 100  # natural sizes: of order one


def test_si_units_train_to_the_same_error():
    errors = []
    for (pde, domain), (length, time, size) in ((ONE, (1, 1, 1)), (SI, (1e-3, 1e3, 300))):
        network = nn.MLP(2, 1, width=6, depth=1, key=5)
        s = pinn.solve(pde, domain, pinn.Adam(steps=150), network=network, points=64, progress=False)
        q = s.domain.sample(500)
        exact = size * np.cos(np.pi * q[:, 0] / length / 2) * np.exp(-(np.pi**2) / 4 * q[:, 1] / time)
        errors.append(np.linalg.norm(s.u(*q.T) - exact) / np.linalg.norm(exact))
    assert errors[0] < 0.3
    assert errors[1] == pytest.approx(errors[0], rel=1e-3)
