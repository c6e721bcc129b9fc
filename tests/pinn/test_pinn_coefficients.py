"""Fields without an equation: unknown coefficients that follow from data and conditions."""

import numpy as np
import pytest

from sciml import (
    PDE,
    Box,
    Condition,
    Dirichlet,
    Initial,
    Observed,
    coordinates,
    div,
    field,
    float64,
    grad,
    parameter,
    pinn,
    solvers,
)
from sciml.pinn._loop import train
from sciml.pinn._solve import _data_first
from sciml.statement._validate import placed, resolve_domain

x, y, t = coordinates("x y t")
SPAN = Box(x=(0, 1), t=(0, 1))


def diffusion(*conditions):
    """u_t = (a(x) u_x)_x with u = exp(-t) sin(pi x) observed, a to be found."""
    u, a = field("u", x, t), field("a", x)
    points = np.random.RandomState(0).rand(200, 2)
    data = Observed(u, points, np.exp(-points[:, 1]) * np.sin(np.pi * points[:, 0]), noise=0.01)
    return PDE(u.t - div(a * grad(u)), data, Dirichlet(u, 0), Dirichlet(a, 1), *conditions)


def test_a_coefficient_of_fewer_coordinates():
    pde = diffusion()
    assert [f.field_name for f in pde.free_fields] == ["a"] and "follows from data" in repr(pde)
    problem = pinn.compile(pde, SPAN)
    assert set(problem.exactness.exact) == {"dirichlet u", "dirichlet a"}
    places = np.array([[0.3, 0.1], [0.3, 0.9], [0.0, 0.5], [1.0, 0.2]])
    values = np.asarray(problem.fields_at(problem.params, places))[:, 0]
    assert values[0] == values[1] and values[0] != 1
    np.testing.assert_allclose(values[2:], 1)
    with pytest.raises(ValueError, match=r"a\(x\) has no equation.*table\('a', grids, values\)\(x\)"):
        solvers.compile(pde, SPAN)
    assert PDE.from_json(pde.to_json()).free_fields == pde.free_fields


def test_the_equation_belongs_to_the_field_with_the_most_derivatives():
    u, v, k, s = field("u", x, t), field("v", x, t), field("k", x, t), field("s", t)
    data = Observed(u, [[0.5, 0.5]], [1.0])
    assert PDE(u.t - div(k * grad(u)), v.t - k * v.x - s, data).free_fields == (k, s)
    assert PDE(k * u.t - u.xx, k.x - u, data).free_fields == ()
    # what is known of it at the start may be said, though it has no equation in time
    assert pinn.compile(diffusion_with_start(u, k, data), SPAN).exactness.held["k"].initial


def diffusion_with_start(u, k, data):
    return PDE(u.t - div(k * grad(u)), data, Dirichlet(u, 0), Initial(u, 0), Initial(k, 1))


def test_a_condition_is_the_equation_of_a_field_of_time():
    """The front of a Stefan problem, mapped to xi in (0, 1): its speed V(t) is the slope at the front."""
    z, s, V = field("z", x, t), field("s", t), field("V", t)
    inside = (s**2 * z.t - z.xx - x * s * V * z.x, s.t - V)
    start = (Initial(z, 1 - x), Initial(s, 1), Dirichlet(z, 0, on="x_max"), Dirichlet(z, 1, on="x_min"))
    pde = PDE(*inside, *start, Condition(s * V + z.x, on="x_max"))
    assert pde.free_fields == (V,)
    assert set(pinn.compile(pde, SPAN).exactness.exact) >= {"initial s", "initial z"}
    with pytest.raises(ValueError, match="more fields than equations.*what V follows from.*Condition"):
        PDE(*inside, *start)


def test_every_boundary_of_a_field_is_where_it_has_one():
    u, a = field("u", x, y), field("a", y)
    square = Box(x=(0, 1), y=(0, 2))
    pde = PDE(div(a * grad(u)), Observed(u, [[0.5, 0.5]], [1.0]), Dirichlet(u, x), Dirichlet(a, y + 1))
    known = placed(pde, resolve_domain(pde, square))
    assert {c.name: c.on for c in known.conditions if c.name != "observed u"} == {
        "dirichlet u": None,
        "dirichlet a": ("y_min", "y_max"),
    }
    with pytest.raises(ValueError, match=r"depends on x, but a is a function of y alone"):
        Dirichlet(a, x)


@pytest.mark.slow
def test_a_coefficient_is_learned():
    """a = 2 + sin(pi x) from 400 values with noise 1e-3 of u = exp(-t) sin(pi x); the source follows from both."""
    import sympy as sp

    u, a = field("u", x, t), field("a", x)
    truth, exact = 2 + sp.sin(sp.pi * x), sp.exp(-t) * sp.sin(sp.pi * x)
    source = exact.diff(t) - (truth * exact.diff(x)).diff(x)
    random = np.random.RandomState(0)
    points = random.rand(400, 2)
    values = np.exp(-points[:, 1]) * np.sin(np.pi * points[:, 0]) + 1e-3 * random.randn(400)
    data = Observed(u, points, values, noise=1e-3)
    pde = PDE(u.t - div(a * grad(u)) - source, data, Dirichlet(u, 0), Dirichlet(a, 2))
    solution = pinn.solve(pde, SPAN, max_time=120, tolerance=1e-4, progress=False)
    error = solution.error({"u": lambda x, t: np.exp(-t) * np.sin(np.pi * x), "a": lambda x: 2 + np.sin(np.pi * x)})
    assert error.relative_l2["a"] < 2e-2 and error.relative_l2["u"] < 1e-2


@pytest.mark.slow
def test_data_come_first_where_a_coefficient_is_free():
    """Otherwise fields near zero and a coefficient that grows without bound satisfy the equation, and it stays there: Heat-Inv
    of arXiv 2306.08827 ended with a 28 times too large."""
    problem = pinn.compile(diffusion(), SPAN)
    first = _data_first(problem)
    assert first == {"equation": 0.01}
    still = (pinn.Adam(steps=2, learning_rate=0.0),) * 2
    with float64():
        outcome = train(
            problem, problem.params, still, points=64, collocation=pinn.Fixed(), balancing=None, deadline=np.inf, tolerance=0.0,
            seed=0, progress_bar=False, checkpoint=None, first_weights=first,
        )  # fmt: skip
    losses, points = [row["loss"] for row in outcome.progress.history], problem.sample(64, key=0)
    np.testing.assert_allclose(losses[0], problem.loss(problem.params, points, problem.weights | first))
    np.testing.assert_allclose(losses[-1], problem.loss(problem.params, points))
    assert outcome.weights == problem.weights


def test_what_is_known_of_the_start_may_have_unknown_factors():
    """Final data of the heat equation and the amplitude of its start: a block of its own, with the unknown in it."""
    u, amplitude = field("u", x, t), parameter("amplitude", initial=1.0)
    data = Observed(u, {"x": [0.25, 0.5], "t": 1.0}, [0.1, 0.2])
    problem = pinn.compile(PDE(u.t - u.xx, Initial(u, amplitude * x * (1 - x)), Dirichlet(u, 0), data), SPAN)
    assert "unknown parameter" in problem.exactness.penalised["initial u"]
    points, raw = problem.sample(64), {"amplitude": np.array(1.0)}  # 1 + 1
    more = problem.residuals(problem.params | {"unknowns": raw}, points)["initial u"]
    less = problem.residuals(problem.params, points)["initial u"]
    at = points["initial u"].x[:, 0]
    np.testing.assert_allclose(less - more, at * (1 - at), atol=1e-12)
