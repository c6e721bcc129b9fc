"""Conservation laws: coefficients that jump, shocks, the Euler equations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp

import sciml
from sciml import PDE, Box, Dirichlet, Initial, Neumann, Periodic, catalogue, coordinates, d, field, parameter, solvers
from sciml.solvers._riemann import HLLC, Rusanov, spectral_radius, weno5

x, y, t = coordinates("x y t")
u = field("u", x, t)
LEFT = sp.Piecewise((1, x < sp.Rational(1, 2)), (10, True))


def layered(k, start):
    return PDE(u.t - d(k * u.x, x), Initial(u, start), Dirichlet(u, 0))


def test_diffusion_with_a_coefficient_that_jumps():
    """The first mode of two layers of the diffusivities 1 and 10 on [0, 1]: sin(a x) on the left, a factor times
    sin(b (1 - x)) on the right, a^2 = 10 b^2 = rate, temperature and flux continuous."""
    from scipy.optimize import brentq

    b = lambda rate: np.sqrt(rate / 10)  # noqa: E731
    flux = lambda rate: (  # noqa: E731
        np.sqrt(rate) / np.tan(np.sqrt(rate) / 2) + 10 * b(rate) / np.tan(b(rate) / 2)
    )
    rate = brentq(flux, 15, 35)
    factor = np.sin(np.sqrt(rate) / 2) / np.sin(b(rate) / 2)

    def exact(x, t):
        shape = np.where(x < 0.5, np.sin(np.sqrt(rate) * x), factor * np.sin(b(rate) * (1 - x)))
        return shape * np.exp(-rate * t)

    left, right = sp.sin(float(np.sqrt(rate)) * x), float(factor) * sp.sin(float(b(rate)) * (1 - x))
    pde = layered(LEFT, sp.Piecewise((left, x < sp.Rational(1, 2)), (right, True)))
    errors = []
    for n in (20, 40):
        problem = solvers.compile(pde, Box(x=(0, 1), t=(0, 0.02)), grid=n)
        found = problem.run(save_at=(0, 0.02))[-1, 0]
        errors.append(np.max(np.abs(found - exact(problem.axes[0].points, 0.02))))
    assert 1.8 < np.log2(errors[0] / errors[1]) < 2.3 and errors[1] < 1e-3, errors


def test_the_flux_is_the_same_on_both_sides_of_a_jump_anywhere():
    """At rest between 0 and 1 the flux is 1 / int dx / k, wherever in a cell the jump is."""
    k = sp.Piecewise((1, x < sp.Rational(37, 100)), (10, True))
    pde = PDE(u.t - d(k * u.x, x), Initial(u, x), Dirichlet(u, 0, on="x_min"), Dirichlet(u, 1, on="x_max"))
    found = solvers.solve(pde, Box(x=(0, 1), t=(0, 8)), grid=16, save_at=[8], progress=False)
    s, values = found.final.axes[0].points, found.final.values[-1, 0]
    flux = 1 / (0.37 + 0.063)
    np.testing.assert_allclose(values, np.where(s < 0.37, flux * s, 1 - flux * (1 - s) / 10), atol=1e-6)


@pytest.mark.parametrize(
    "k",
    [
        1 + 9 * sp.Heaviside(x - sp.Rational(1, 2)),
        10 - 9 * sp.Piecewise((1, x < sp.Rational(1, 2)), (0, True)),
        parameter("base", initial=1.0) + 9 * sp.Heaviside(x - sp.Rational(1, 2)),
    ],
)
def test_a_jump_may_be_written_as_a_sum(k):
    """The mean over two cells is that of the whole coefficient, not of its terms."""
    domain = Box(x=(0, 1), t=(0, 0.02))
    runs = [
        solvers.compile(layered(c, sp.sin(sp.pi * x)), domain, grid=20).run(save_at=(0, 0.02))[-1, 0]
        for c in (k, LEFT)
    ]
    np.testing.assert_allclose(*runs, rtol=1e-6)


def test_a_shock_of_burgers_moves_at_the_right_speed_without_overshoot():
    """From 1 to 0 at x = 0: the shock moves at 1/2."""
    pde = PDE(u.t + d(u**2 / 2, x), Initial(u, sp.Piecewise((1, x < 0), (0, True))), Neumann(u, 0))
    found = solvers.solve(pde, Box(x=(-1, 1), t=(0, 1)), grid=solvers.Volumes(100), save_at=[1], progress=False)
    s, values = found.final.axes[0].points, found.final.values[-1, 0]
    assert np.max(values) < 1.01 and np.min(values) > -0.01
    assert abs(np.sum(values) * 0.02 - 1.5) < 5e-3
    assert np.mean(np.abs(values - (s < 0.5))) < 0.01


def sod(s, time=0.2):
    """Density of the exact solution; values of ../shared/reference/solvers.md."""
    star, speed, shock = 0.42631942817850, 0.92745262004895, 1.75215573
    c = np.sqrt(1.4)
    xi = (s - 0.5) / time
    fan = (2 / 2.4 + 0.4 / (2.4 * c) * (0 - xi)) ** 5
    tail = speed - np.sqrt(1.4 * 0.30313017805065 / star)
    return np.select([xi < -c, xi < tail, xi < speed, xi < shock], [1.0, fan, star, 0.26557371], 0.125)


def tube(n):
    gas = catalogue.euler()
    rho, m, energy = gas.fields
    s = gas.coordinates[0]
    halves = lambda a, b: sp.Piecewise((a, s < sp.Rational(1, 2)), (b, True))  # noqa: E731
    starts = Initial(rho, halves(1, 0.125)), Initial(m, 0), Initial(energy, halves(2.5, 0.25))
    pde = gas.with_conditions(*starts, Neumann(rho, 0), Neumann(m, 0), Neumann(energy, 0))
    return solvers.compile(pde, Box(x=(0, 1), t=(0, 0.2)), grid=solvers.Volumes(n)), pde


def test_sods_tube():
    problem, pde = tube(100)
    assert isinstance(problem.discrete.riemann[0], HLLC) and abs(problem.discrete.riemann[0].gamma - 1.4) < 1e-12
    found = solvers.solve(pde, problem.domain, grid=solvers.Volumes(100), save_at=[0.2], progress=False)
    s, rho = found.final.axes[0].points, found.final.values[-1, 0]
    assert np.mean(np.abs(rho - sod(s))) < 1e-2 and np.max(rho) < 1.01 and np.min(rho) > 0.12
    assert abs(np.mean(rho) - 0.5625) < 1e-10  # nothing has reached the ends: mass is conserved to rounding


@pytest.mark.slow
def test_gradients_through_a_shock_tube():
    problem, _ = tube(16)
    with sciml.float64():
        start = jnp.asarray(problem.run(save_at=(0, 0.02), steps=4)[-1])

        def loss(scale):
            states = problem.run(start.at[0].multiply(1 + scale), save_at=(0, 0.02), steps=4)
            return jnp.sum(states[-1, 0] ** 2)

        value = jax.jit(jax.value_and_grad(loss))
        gradient = value(0.0)[1]
        one, two = (float(value(h)[0] - value(-h)[0]) / (2 * h) for h in (1e-4, 2e-4))
    np.testing.assert_allclose(gradient, (4 * one - two) / 3, rtol=1e-6)


def test_parts_of_the_scheme():
    with sciml.float64():
        s = (np.arange(46) - 2.5) / 40
        averages = (np.cos(s - 0.0125) - np.cos(s + 0.0125)) / 0.025  # of sin
        left, right = jax.jit(weno5)(averages)
        faces = np.sin(np.arange(41) / 40)
        assert np.max(np.abs(left - faces)) < 1e-8 and np.max(np.abs(right - faces)) < 1e-8
        A = jnp.array([[0.0, 1.0], [4.0, 0.0]])
        radius = jax.jit(lambda U: spectral_radius(lambda U: A @ U, U))(jnp.ones((2, 3)))
        assert np.all(radius >= 2) and np.all(radius < 2.15)
        solver, W = HLLC(1.4, 1), np.random.default_rng(0).uniform(1, 2, (4, 7))
        rho, c = jnp.full(7, 1.3), jnp.full(7, 0.8)
        again = jax.jit(lambda W: solver._from_waves(solver._to_waves(W, rho, c), rho, c))(W)
        np.testing.assert_allclose(again, W, rtol=1e-13)
        flux = lambda U: U**2 / 2  # noqa: E731
        np.testing.assert_allclose(Rusanov()(flux, jnp.ones((1, 1)), jnp.ones((1, 1))), 0.5)


def test_two_dimensions_and_sources():
    """A hump carried round a periodic square, with decay."""
    w = field("w", x, y, t)
    pde = PDE(w.t + d(w, x) - d(w, y) / 2 + w, Initial(w, sp.exp(sp.sin(x) + sp.cos(y))), Periodic())
    ring = 2 * np.pi
    found = solvers.solve(pde, Box(x=(0, ring), y=(0, ring), t=(0, 1)), grid=solvers.Volumes(32), save_at=[1], progress=False)
    s, r = np.meshgrid(*(a.points for a in found.final.axes), indexing="ij")
    exact = np.exp(np.sin(s - 1) + np.cos(r + 0.5) - 1)
    assert np.max(np.abs(found.final.values[-1, 0] - exact)) < 0.02


def test_a_tensor_of_diffusivities_and_robin_walls():
    """Steady: mixed derivatives cancel on u = x + y with flux through Robin walls."""
    w = field("w", x, y, t)
    k = parameter("k", initial=0.5)
    flux = (w.x + k * w.y, k * w.x + w.y)
    pde = PDE(
        w.t - d(flux[0], x) - d(flux[1], y), Initial(w, x + y),
        Dirichlet(w, x + y, on=("x_min", "x_max", "y_min", "y_max")),
    )  # fmt: skip
    found = solvers.solve(
        pde, Box(x=(0, 1), y=(0, 1), t=(0, 0.2)), grid=solvers.Volumes(12), save_at=[0.2], progress=False
    )
    s, r = np.meshgrid(*(a.points for a in found.final.axes), indexing="ij")
    np.testing.assert_allclose(found.final.values[-1, 0], s + r, atol=1e-8)


@pytest.mark.parametrize(
    ("pde", "options", "message"),
    [
        (PDE(u.t + u * u.x, Initial(u, x), Neumann(u, 0)), {"grid": solvers.Volumes(20)}, "not in conservation form"),
        (PDE(u.tt - u.xx, Initial(u, x), Initial(u, 0, order=1), Neumann(u, 0)), {"grid": solvers.Volumes(20)}, "first order in time"),  # noqa: E501
        (layered(LEFT, x), {"grid": solvers.Chebyshev(20)}, "no other way"),
        (PDE(u.t - u.xx, Initial(u, sp.sin(sp.pi * x)), Dirichlet(u, 0)), {"grid": 20, "method": solvers.SSPRK3()}, "SSPRK3 is for finite volumes"),  # noqa: E501
    ],
)
def test_what_volumes_cannot_do_is_told(pde, options, message):
    with pytest.raises(ValueError, match=message):
        solvers.solve(pde, Box(x=(0, 1), t=(0, 1)), progress=False, **options)
