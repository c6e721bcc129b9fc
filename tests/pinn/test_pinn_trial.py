"""Trial functions: what is said to hold exactly does, to rounding, and `explain` tells the rest."""

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
    Periodic,
    Time,
    coordinates,
    field,
    fields,
    laplacian,
    nn,
    pinn,
)
from sciml._evaluate import evaluate

x, y, z, t = coordinates("x y z t")


def compiled(pde, domain, **options):
    inputs = len(pde.coordinates) + sum(len(c.coordinates) or 1 for c in pde.conditions if isinstance(c, Periodic))
    return pinn.compile(pde, domain, nn.MLP(inputs, len(pde.real().fields), width=5, depth=2, key=3), **options)


def at(problem, points, order=None):
    """The fields (or one derivative of the only field along an axis) at points, with the untrained network."""
    with sciml.float64():
        points = jnp.asarray(points)
        f = lambda q: problem.trial(problem.params["network"], q)  # noqa: E731
        if order is not None:
            axis, n = order
            for _ in range(n):
                f = (lambda g: lambda q: jax.jacfwd(g)(q)[..., axis])(f)
        return np.asarray(jax.vmap(f)(points))


def on_face(problem, name, value, n=50):
    x = problem.sample(n)["interior"].x
    x[:, [c.name for c in problem.pde.coordinates].index(name)] = value
    return x


def held(problem, condition):
    """The largest deviation of a field from a prescribed value on the faces that the condition names."""
    domain, worst = problem.domain, 0.0
    for label in tuple(domain.boundary) if condition.on is None else domain.boundary.select(condition.on).labels:
        part = domain.boundary[label]
        points = on_face(problem, part.names[part.axis], part.value)
        i = problem.fields.index(condition.field.field_name)
        worst = max(worst, np.max(np.abs(at(problem, points)[:, i] - evaluate(problem.pde, condition.value, points))))
    return worst


def test_one_dimension_walls_that_move_and_an_initial_value():
    u = field("u", x, t)
    walls = Dirichlet(u, sp.cos(t), on="x_min"), Dirichlet(u, t**2 + sp.exp(1), on="x_max")
    start = Initial(u, sp.exp(x))
    problem = compiled(PDE(u.t - u.xx, start, *walls), Box(x=(0, 1), t=(0, 2)))
    assert not problem.exactness.penalised
    assert max(held(problem, w) for w in walls) < 1e-14
    points = on_face(problem, "t", 0.0)
    np.testing.assert_allclose(at(problem, points)[:, 0], np.exp(points[:, 0]), atol=1e-14)
    # and it is not the data alone: in the interior the network counts
    inside = problem.sample(20)["interior"].x
    with sciml.float64():
        other = pinn.compile(problem.original, problem.domain, nn.MLP(2, 1, width=5, depth=2, key=4))
    assert np.min(np.abs(at(problem, inside) - at(other, inside))) > 1e-8


def test_initial_value_and_velocity():
    u = field("u", x, t)
    pde = PDE(u.tt - u.xx, Initial(u, x**2), Initial(u, x * (1 - x), order=1), Dirichlet(u, x**2))
    problem = compiled(pde, Box(x=(0, 1), t=(1, 3)))
    assert not problem.exactness.penalised
    points = on_face(problem, "t", 1.0)
    np.testing.assert_allclose(at(problem, points)[:, 0], points[:, 0] ** 2, atol=1e-14)
    slope = at(problem, points, (1, 1))[:, 0]
    np.testing.assert_allclose(slope, points[:, 0] * (1 - points[:, 0]), atol=1e-13)


def test_two_dimensions_with_free_faces_between():
    u = field("u", x, y)
    walls = Dirichlet(u, x + y**2, on="x_min"), Dirichlet(u, sp.sin(x), on="y_min")
    rest = Neumann(u, 0, on=("x_max", "y_max"))
    problem = compiled(PDE(laplacian(u), *walls, rest), Box(x=(0, 2), y=(0, 1)))
    assert list(problem.exactness.penalised) == [rest.name]
    assert max(held(problem, w) for w in walls) < 1e-14
    # The faces in between are free: the network reaches them.
    assert np.min(np.abs(problem.trial.exact({"x": 2.0, "y": 0.5})[1])) > 0.1


def test_three_dimensions_and_time():
    u = field("u", x, y, z, t)
    value = x * y + sp.cos(z) * (1 + t)
    pde = PDE(u.t - laplacian(u), Initial(u, value.subs(t, 0)), Dirichlet(u, value))
    problem = compiled(pde, Box(x=(0, 1), y=(-1, 1), z=(0, 2), t=(0, 1)))
    assert not problem.exactness.penalised
    assert held(problem, pde.conditions[1]) < 1e-13
    points = on_face(problem, "t", 0.0)
    exact = points[:, 0] * points[:, 1] + np.cos(points[:, 2])
    np.testing.assert_allclose(at(problem, points)[:, 0], exact, atol=1e-13)


def test_systems_hold_each_field_by_itself():
    u, v = fields("u v", x, y)
    pde = PDE(
        laplacian(u) + v,
        laplacian(v) - u,
        Dirichlet(u, x * y),
        Dirichlet(v, 3, on="x_min"),
        Neumann(v, 0, on=("x_max", "y_min", "y_max")),
    )
    problem = compiled(pde, Box(x=(0, 1), y=(0, 1)))
    assert held(problem, pde.conditions[0]) < 1e-14 and held(problem, pde.conditions[1]) < 1e-14


def test_a_coordinate_of_a_family_and_a_field_without_it():
    nu = coordinates("nu", role="parameter")
    u, k = field("u", x, nu), field("k", nu)
    pde = PDE(nu * u.xx + k, k - nu, Dirichlet(u, nu))
    problem = compiled(pde, Box(x=(0, 1), nu=(1, 2)))
    assert held(problem, pde.conditions[0]) < 1e-14
    points = problem.sample(30)["interior"].x
    moved = points.copy()
    moved[:, 0] = 0.77
    i = problem.fields.index("k")
    assert np.array_equal(at(problem, points)[:, i], at(problem, moved)[:, i])  # k does not see x


def test_periodicity_is_embedded_with_every_derivative():
    u = field("u", x, t)
    problem = compiled(PDE(u.t - u.xx, Initial(u, sp.sin(x)), Periodic(x)), Box(x=(0, 2 * np.pi), t=(0, 1)))
    assert not problem.exactness.penalised
    low, high = on_face(problem, "x", 0.0), on_face(problem, "x", 2 * np.pi)
    for order in range(3):
        np.testing.assert_allclose(at(problem, low, (0, order)), at(problem, high, (0, order)), atol=1e-13)


def said(pde, domain, **options):
    """{condition: what explain says}"""
    lines = pinn.explain(pde, domain, **options).splitlines()
    first, last = lines.index("conditions:"), lines.index("residuals:")
    return dict(line.strip().split(": ", 1) for line in lines[first + 1 : last])


def test_burgers_is_all_exact():
    u = field("u", x, t)
    pde = PDE(u.t + u * u.x - 0.01 * u.xx, Initial(u, -sp.sin(sp.pi * x)), Dirichlet(u, 0))
    told = said(pde, Box(x=(-1, 1), t=(0, 1)))
    assert set(told) == {"initial u", "dirichlet u"} and all("held exactly" in v for v in told.values())
    told = said(pde, Box(x=(-1, 1), t=(0, 1)), exact=False)
    assert all("penalised, exact=False" in v for v in told.values())


def test_allen_cahn_is_not_periodic_in_slope():
    u = field("u", x, t)
    pde = PDE(u.t - 1e-4 * u.xx + 5 * (u**3 - u), Initial(u, x**2 * sp.cos(sp.pi * x)), Periodic(x))
    told = said(pde, Box(x=(-1, 1), t=(0, 1)))
    assert "held exactly" in told["periodic x"]
    assert told["initial u"].startswith("penalised, its derivative of order 1 along x jumps by 4")


def test_a_heat_equation_that_contradicts_its_walls():
    u = field("u", x, t)
    told = said(PDE(u.t - u.xx, Initial(u, 1), Dirichlet(u, 0)), Box(x=(0, 1), t=(0, 1)))
    assert "held exactly" in told["dirichlet u"]
    assert told["initial u"].startswith("penalised, it differs by 1 from 'dirichlet u' where x = 0")


def test_a_lid_contradicts_the_walls_beside_it():
    u, v, p = fields("u v p", x, y)
    pde = PDE(
        u * u.x + v * u.y + p.x - 0.01 * laplacian(u),
        u * v.x + v * v.y + p.y - 0.01 * laplacian(v),
        u.x + v.y,
        Dirichlet(u, 1, on="y_max", name="lid"),
        Dirichlet(u, 0, on=("x_min", "x_max", "y_min"), name="walls"),
        Dirichlet(v, 0, name="no flow through"),
        Dirichlet(p, 0, on={"x": 0, "y": 0}, name="pressure"),
    )
    told = said(pde, Box(x=(0, 1), y=(0, 1)))
    assert told["lid"].startswith("penalised, it differs by 1 from 'walls'")
    assert told["walls"].startswith("penalised, it differs by 1 from 'lid'")
    assert "held exactly" in told["no flow through"]
    assert told["pressure"] == "held exactly, by a constant that is added to p after training"


def test_curved_walls_are_penalised_and_the_initial_value_stays():
    u = field("u", x, y, t)
    r = 1 - x**2 - y**2
    pde = PDE(u.t - laplacian(u), Initial(u, r), Dirichlet(u, 0))
    told = said(pde, Disk(center=(0, 0), radius=1) * Time(0, 1))
    assert told["dirichlet u"].startswith("penalised, only values on the faces of a Box")
    assert "held exactly" in told["initial u"]


@pytest.mark.parametrize("jump", [1e-5, 1e-11])
def test_compatibility_is_judged_to_eight_digits(jump):
    u = field("u", x, t)
    told = said(PDE(u.t - u.xx, Initial(u, sp.sin(sp.pi * x) + jump), Dirichlet(u, 0)), Box(x=(0, 1), t=(0, 1)))
    assert ("penalised" in told["initial u"]) == (jump > 1e-8)


def kinked(x):
    return jnp.abs(x - 0.3)


@pytest.mark.parametrize(
    "value, reason",
    [
        (sp.Heaviside(x - 0.3), "its value jumps at x = 0.3"),
        (sp.Heaviside(x - sp.Rational(1, 2)), "its value jumps at x = 0.5"),
        (sp.Max(x - 0.3, 0), "its derivative of order 1 along x jumps at x = 0.3"),
        (sciml.function("kinked", kinked)(x), "its derivative of order 1 along x jumps at x = 0.3"),
    ],
)
def test_a_kink_that_the_equation_would_lose_is_penalised(value, reason):
    """Held exactly, its second derivative is zero on both sides: u_t = u_xx left the kink where it was, with residual zero."""
    u = field("u", x, t)
    problem = pinn.compile(PDE(u.t - u.xx, Initial(u, value), Neumann(u, 0)), Box(x=(0, 1), t=(0, 1)))
    assert reason in problem.exactness.penalised["initial u"]
    # A transport equation loses a jump only.
    problem = pinn.compile(PDE(u.t + u.x, Initial(u, value), Periodic(x)), Box(x=(0, 1), t=(0, 1)), exact=True)
    assert "derivative of order 1" not in problem.exactness.penalised.get("initial u", "")
