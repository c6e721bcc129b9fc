"""A pulse in a source, on a state at rest, is not stepped over."""

import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad

from sciml import PDE, Box, Dirichlet, Initial, Periodic, coordinates, d, field, fields, parameter, solvers

x, t = coordinates("x t")
u = field("u", x, t)
UNIT = Box(x=(0, 1), t=(0, 1))
WIDTH = parameter("width", initial=0.1)


def driven(width, rate, time):
    """The integral of exp(-((s - 1/2) / width)^2 - rate (time - s))."""
    near = [0.5 - 3 * width, 0.5, 0.5 + 3 * width]
    f = lambda s: np.exp(-(((s - 0.5) / width) ** 2) - rate * (time - s))  # noqa: E731
    return quad(f, 0, time, points=[s for s in near if s < time], epsabs=1e-15, epsrel=1e-12)[0]


@pytest.mark.parametrize("width", [*(pytest.param(w, marks=pytest.mark.slow) for w in (0.1, 0.01)), 0.03, 0.003])
def test_the_heat_equation_at_rest(width):
    """exp(-((t - a) / b)^2) as a product of three exponentials was NaN; its error in a step was not seen either."""
    pulse = sp.exp(-(((t - sp.Rational(1, 2)) / WIDTH) ** 2)) * sp.sin(sp.pi * x)
    pde = PDE(u.t - u.xx - pulse, Initial(u, 0), Dirichlet(u, 0))
    found = solvers.solve(pde, UNIT, grid=16, parameters={"width": width}, save_at=[1.0], progress=False)
    for time in (0.5, 0.5 + width, 1.0):
        assert abs(found.u(0.5, time) - driven(width, np.pi**2, time)) < 2e-7
    assert found.stats["steps"] < 600 and found.notes == ()


def test_a_pulse_at_a_wall():
    """Against many short steps."""
    g = sp.exp(-(((t - sp.Rational(1, 2)) / sp.Rational(1, 100)) ** 2))
    pde = PDE(u.t - u.xx, Initial(u, 0), Dirichlet(u, 0, on="x_min"), Dirichlet(u, g, on="x_max"))
    problem = solvers.compile(pde, UNIT, grid=24)
    exact = problem.run(save_at=(0, 0.45, 0.55, 0.7), steps=400)[:, 0]
    found = solvers.solve(pde, UNIT, grid=24, save_at=[0.45, 0.55, 0.7], progress=False)
    values = found.final.saved([0, 0.45, 0.55, 0.7])[:, 0]
    assert np.max(np.abs(exact)) > 1e-3
    np.testing.assert_allclose(values, exact, atol=1e-6)


def test_a_state_that_another_wakes():
    a, b = fields("a b", x, t)
    pulse = sp.exp(-(((t - sp.Rational(1, 2)) / sp.Rational(1, 50)) ** 2))
    pde = PDE(a.t - a.xx - pulse, b.t - b.xx - a**2, Initial(a, 0), Initial(b, 0), Periodic())
    found = solvers.solve(pde, UNIT, grid=8, save_at=[1.0], progress=False)
    size = np.sqrt(np.pi) / 50
    assert abs(found.a(0.3, 1.0) / size - 1) < 1e-6
    grown = quad(lambda s: driven(0.02, 0.0, s) ** 2, 0, 1, points=[0.44, 0.5, 0.56], epsabs=1e-14)[0]
    assert abs(found.b(0.3, 1.0) / grown - 1) < 1e-6


def test_explicit_steps_on_a_gas_at_rest():
    """Nothing moves, so no signal limits the step."""
    pulse = sp.exp(-(((t - sp.Rational(1, 2)) / sp.Rational(1, 100)) ** 2))
    pde = PDE(u.t + d(u**2 / 2, x) - pulse, Initial(u, 0), Periodic())
    found = solvers.solve(pde, UNIT, grid=solvers.Volumes(16), save_at=[1.0], progress=False)
    assert abs(found.u(0.3, 1.0) / (np.sqrt(np.pi) / 100) - 1) < 1e-2


def test_integrate_looks_before_it_steps():
    rate = lambda t, y, width: -y + jnp.exp(-(((t - 0.5) / width) ** 2))  # noqa: E731
    for width in (0.1, 0.03, 0.01, 0.003):
        found = solvers.integrate(rate, 0.0, (0, 1), args=width)
        assert abs(found.y[-1] / driven(width, 1.0, 1.0) - 1) < 1e-5, width
        assert found.stats["steps"] < 300
    assert abs(found.y[-1] - 0.003225) < 1e-6
    narrow = solvers.integrate(rate, 0.0, (0, 1), args=1e-4, max_step=2e-4)
    assert abs(narrow.y[-1] / driven(1e-4, 1.0, 1.0) - 1) < 1e-4
    back = solvers.integrate(rate, 0.0, (1, 0), args=0.003)
    assert abs(back.y[-1] / -np.exp(0.5 + 0.003**2 / 4) / (0.003 * np.sqrt(np.pi)) - 1) < 1e-5


def test_a_longest_step():
    decay = solvers.integrate(lambda t, y: -y, 1.0, (0, 1), max_step=0.01)
    assert decay.stats["steps"] == 100
    pde = PDE(u.t - u.xx, Initial(u, sp.sin(sp.pi * x)), Dirichlet(u, 0))
    found = solvers.solve(pde, UNIT, grid=12, max_step=0.01, save_at=[1.0], progress=False)
    assert 100 <= found.stats["steps"] < 110
    for bad in (0.0, -1, "short"):
        with pytest.raises(ValueError, match="max_step=.*expected a positive number"):
            solvers.solve(pde, UNIT, grid=12, max_step=bad, progress=False)
    with pytest.raises(ValueError, match="would change nothing"):
        solvers.solve(pde, UNIT, grid=12, max_step=0.1, steps=3, progress=False)


def test_too_few_steps_says_how_many_do():
    with pytest.raises(RuntimeError, match=r"At this pace max_steps=\d+0 is enough"):
        solvers.integrate(lambda t, y: jnp.stack([y[1], -y[0]]), np.array([1.0, 0]), (0, 100), max_steps=100)
