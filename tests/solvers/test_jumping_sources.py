"""Sources and reactions that jump go to finite volumes, which average them over cells."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp

from sciml import (
    PDE,
    Box,
    Condition,
    Dirichlet,
    Initial,
    Neumann,
    Periodic,
    coordinates,
    field,
    function,
    parameter,
    solvers,
)
from sciml.solvers._averages import split_sources

x, y, t = coordinates("x y t")
after = sp.Piecewise((1, x > 0.3), (0, True))


def solve(pde, domain, **options):
    return solvers.solve(pde, domain, progress=False, **options)


def by_volumes(solution):
    return any("A source jumps, at x = 0.3" in note and "Volumes" in note for note in solution.notes)


@pytest.mark.parametrize(
    "source",
    [
        after,
        sp.Heaviside(x - 0.3),
        (1 + sp.sign(x - 0.3)) / 2,
        function("f", lambda x: jnp.where(x > 0.3, 1.0, 0.0))(x),
    ],
    ids=["Piecewise", "Heaviside", "sign", "function"],
)
def test_at_rest_however_it_is_written(source):
    u = field("u", x)
    s = solve(PDE(u.xx + source, Dirichlet(u, 0)), Box(x=(0, 1)))
    places = np.linspace(0, 1, 101)
    right = 0.7**2 / 2 * places - np.maximum(places - 0.3, 0) ** 2 / 2
    assert by_volumes(s) and np.max(np.abs(s.u(places) - right)) < 1e-4 * right.max()


def test_in_two_dimensions_times_a_smooth_function():
    """u = g(x) sin(pi y) with g'' - pi^2 g = -H(x - 0.3): both sides are cosh and sinh, joined with equal values and slopes."""
    u = field("u", x, y)
    s = solve(PDE(u.xx + u.yy + after * sp.sin(sp.pi * y), Dirichlet(u, 0)), Box(x=(0, 1), y=(0, 1)))
    p, a = np.pi, 0.3
    # left: A sinh(p x); right: 1 / p^2 + B sinh(p (1 - x)) - cosh(p (1 - x)) / p^2
    M = np.array([[np.sinh(p * a), -np.sinh(p * (1 - a))], [np.cosh(p * a), np.cosh(p * (1 - a))]])
    A, B = np.linalg.solve(M, np.array([1 - np.cosh(p * (1 - a)), np.sinh(p * (1 - a))]) / p**2)
    at = np.linspace(0.02, 0.98, 97)
    g = np.where(at < a, A * np.sinh(p * at), 1 / p**2 + B * np.sinh(p * (1 - at)) - np.cosh(p * (1 - at)) / p**2)
    found = s.u(at, np.full_like(at, 0.4))
    assert by_volumes(s) and np.max(np.abs(found - g * np.sin(0.4 * np.pi))) < 3e-4 * g.max()


@pytest.mark.parametrize(
    "reaction", [lambda u: -after * u, lambda u: sp.Piecewise((-u, x > 0.3), (0, True))], ids=["x", "u"]
)
def test_a_reaction_on_one_side_in_time(reaction):
    """Without diffusion each place is on its own: u = exp(-t) where it reacts, 1 elsewhere."""
    u = field("u", x, t)
    pde = PDE(u.t - 1e-9 * u.xx - reaction(u), Initial(u, 1), Neumann(u, 0))
    s = solve(pde, Box(x=(0, 1), t=(0, 1)))
    assert by_volumes(s)
    np.testing.assert_allclose(s.u([0.1, 0.29, 0.31, 0.9], np.ones(4)), [1, 1, np.exp(-1), np.exp(-1)], rtol=1e-6)


@pytest.mark.slow
def test_a_periodic_source_that_moves():
    """u_t = H(0 < x - t < 1 / 2) with period one: every place sees it half of the time."""
    u = field("u", x, t)
    moving = sp.Piecewise((1, sp.sin(2 * sp.pi * (x - t)) > 0), (0, True))
    s = solve(PDE(u.t - 1e-9 * u.xx - moving, Initial(u, 0), Periodic(x)), Box(x=(0, 1), t=(0, 1)), rtol=1e-5)
    np.testing.assert_allclose(s.u(np.linspace(0.05, 0.95, 7), np.ones(7)), 0.5, atol=2e-3)


@pytest.mark.slow
def test_gradients_pass_through_the_mean():
    u, q = field("u", x, t), parameter("q", initial=1.0)
    problem = solvers.compile(PDE(u.t - u.xx - q * after, Initial(u, 0), Dirichlet(u, 0)), Box(x=(0, 1), t=(0, 1)))
    last = lambda q: jnp.sum(problem.run(parameters={"q": q}, save_at=[0.0, 0.1], steps=20)[-1])  # noqa: E731
    with jax.enable_x64(True):
        value, slope = jax.value_and_grad(last)(2.0)
    assert float(slope) > 0 and float(value) == pytest.approx(2 * float(slope), rel=1e-8)


def test_what_volumes_do_not_take_stays_where_it_was():
    u = field("u", x, t)
    pde = PDE(u.tt - u.xx - after, Initial(u, 0), Initial(u, 0, order=1), Dirichlet(u, 0))
    assert "chebyshev" in solvers.explain(pde, Box(x=(0, 1), t=(0, 0.1)))


def test_waves_stay_on_points():
    """A packet that meets a square barrier: on 400 cells its phase was 3 % off."""
    psi = field("psi", x, t, complex=True)
    barrier = sp.Piecewise((10, (x > 0) & (x < 1)), (0, True))
    pde = PDE(sp.I * psi.t + psi.xx / 2 - barrier * psi, Initial(psi, sp.exp(-((x + 5) ** 2) / 2 + 2 * sp.I * x)), Periodic(x))
    assert "fourier" in solvers.explain(pde, Box(x=(-15, 15), t=(0, 3)))


def test_fluxes_through_all_walls():
    """v'' = 0.7 - H(x - 0.3), v' = 0 at both ends: up to a constant, of which the mean zero is taken."""
    v = field("v", x)
    s = solve(PDE(v.xx + after - 0.7, Neumann(v, 0)), Box(x=(0, 1)))
    places = np.linspace(0, 1, 101)
    right = 0.35 * places**2 - np.maximum(places - 0.3, 0) ** 2 / 2
    right -= 0.35 / 3 - 0.7**3 / 6
    assert by_volumes(s) and np.max(np.abs(s.v(places) - right)) < 1e-4 * np.ptp(right)
    assert "known up to a constant" in s.notes[-1]


def test_a_condition_at_a_wall_is_no_source():
    u = field("u", x, t)
    pde = PDE(
        u.t - u.xx, Initial(u, 0), Condition(u.x - sp.Heaviside(t - 0.5), on="x_min"), Dirichlet(u, 0, on="x_max")
    )
    assert "chebyshev" in solvers.explain(pde, Box(x=(0, 1), t=(0, 1)))


def test_what_is_piecewise_in_a_field_is_parted():
    """The pieces follow each other: the second holds only where the first does not."""
    u = field("u", x, t)
    source = sp.Piecewise((u, x < 0.2), (u**2, x < 0.6), (3, True))
    domain = Box(x=(0, 1), t=(0, 1))
    line = (solvers.Volumes(10).axis(0.0, 1.0, wraps=False),)
    smooth, jumping = split_sources(PDE(u.t - source, Initial(u, 0)), domain, (source,))
    assert smooth == (0,) and len(jumping) == 3
    means = sorted(tuple(np.asarray(j.mean(("x",), line, {})).round(9)) for j in jumping)
    assert means == sorted([(1,) * 2 + (0,) * 8, (0,) * 2 + (1,) * 4 + (0,) * 4, (0,) * 6 + (1,) * 4])
