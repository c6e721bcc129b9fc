"""Patches that follow data: unknown parameters and unknown fields by `pinn.Local`."""

import numpy as np
import pytest
import sympy as sp

from sciml import (
    PDE,
    Box,
    Dirichlet,
    Initial,
    Observed,
    Periodic,
    Solution,
    coordinates,
    div,
    field,
    grad,
    parameter,
    pinn,
)

x, y, t = coordinates("x y t")


def scattered(n: int, *ends: float, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).uniform(size=(n, len(ends))) * np.array(ends)


def solved(pde, domain, **options):
    return pinn.solve(pde, domain, max_time=120, progress=False, **options)


def test_a_linear_parameter_is_the_least_squares_estimate_with_its_standard_error():
    """-u'' = p pi^2 sin(pi x) is u = p sin(pi x): p = g.d / g.g with the standard error sigma / |g|."""
    u, sigma = field("u", x), 0.05
    p = parameter("p", initial=1.0)
    at = scattered(80, 1.0)
    g = np.sin(np.pi * at[:, 0])
    d = 2.5 * g + sigma * np.random.default_rng(4).standard_normal(80)
    pde = PDE(u.xx + p * np.pi**2 * sp.sin(sp.pi * x), Dirichlet(u, 0), Observed(u, at, d, noise=sigma))
    found = solved(pde, Box(x=(0, 1)))
    assert "no network was trained" in found.result
    expected, error = g @ d / (g @ g), sigma / np.linalg.norm(g)
    assert abs(found.parameters["p"].value - expected) < 0.02 * error
    assert abs(found.parameters["p"].standard_error / error - 1) < 0.02
    assert found.notes == ()
    truth = abs(found.parameters["p"].value / 2.5 - 1)  # of u as well
    estimate = found.estimate_error()
    assert "from the noise of the data" in str(estimate)
    assert 0.3 * error / 2.5 < estimate.value < 3 * error / 2.5
    assert truth < 4 * estimate.value


@pytest.fixture(scope="module")
def cooling():
    """u = exp(-k pi^2 t) sin(pi x), k = 0.3, from 40 exact values; started at twice its k."""
    u, k = field("u", x, t), parameter("k", initial=0.6, positive=True)
    at = scattered(40, 1.0, 1.0)
    values = np.exp(-0.3 * np.pi**2 * at[:, 1]) * np.sin(np.pi * at[:, 0])
    data = Observed(u, {"x": at[:, 0], "t": at[:, 1]}, values)
    return solved(PDE(u.t - k * u.xx, Initial(u, sp.sin(sp.pi * x)), Dirichlet(u, 0), data), Box(x=(0, 1), t=(0, 1)))


def test_exact_data_give_a_diffusivity_to_seven_digits(cooling, tmp_path):
    assert "Local least squares" in cooling.result
    k = cooling.parameters["k"]
    assert abs(k.value / 0.3 - 1) < 1e-7
    assert k.standard_error < 1e-6
    assert "estimated from the misfit" in k.noise
    at = scattered(300, 1.0, 1.0, seed=9)
    truth = np.exp(-0.3 * np.pi**2 * at[:, 1]) * np.sin(np.pi * at[:, 0])
    error = np.linalg.norm(cooling.u(*at.T) - truth) / np.linalg.norm(truth)
    assert error < 1e-6
    assert 0.1 * error < cooling.estimate_error().value < 1e-5
    assert max(cooling.conditions.values()) < 1e-6
    cooling.save(tmp_path / "cooling.sol")
    again = Solution.load(tmp_path / "cooling.sol")
    np.testing.assert_array_equal(again.u(*at.T), cooling.u(*at.T))
    assert again.parameters["k"].value == k.value


def test_a_conductivity_that_is_a_field():
    """(a u')' = -f in one dimension from noisy values of u: a = 1 + x (1 - x), u = sin(2 x)."""
    u, a, sigma = field("u", x), field("a", x), 0.01
    at = np.linspace(0, 1, 400)
    values = np.sin(2 * at) + sigma * np.random.default_rng(5).standard_normal(400)
    f = -sp.diff((1 + x * (1 - x)) * sp.diff(sp.sin(2 * x), x), x)
    pde = PDE(div(a * grad(u)) + f, Dirichlet(a, 1), Observed(u, at, values, noise=sigma))
    found = solved(pde, Box(x=(0, 1)))
    assert "no network was trained" in found.result
    at = np.linspace(0, 1, 101)
    error = {
        "a": np.sqrt(np.mean((found.a(at) - (1 + at * (1 - at))) ** 2)),
        "u": np.sqrt(np.mean((found.u(at) - np.sin(2 * at)) ** 2)),
    }
    assert error["a"] < 0.03
    assert error["u"] < 0.3 * sigma
    estimate = found.estimate_error()
    assert 0.1 * estimate.value < max(error["a"] / 1.17, error["u"] / 0.73) < 5 * estimate.value


def test_data_that_the_equations_do_not_describe_are_told():
    u, k = field("u", x), parameter("k", initial=1.0)
    at = np.linspace(0.05, 0.95, 60)
    pde = PDE(u.xx + k, Dirichlet(u, 0), Observed(u, at, np.sin(3 * np.pi * at), noise=0.01))
    found = solved(pde, Box(x=(0, 1)))
    assert any("times the noise that is stated: the equations do not describe" in note for note in found.notes)


def test_what_data_do_not_determine_is_not_answered_by_patches():
    u, p, q = field("u", x), parameter("p", initial=1.0), parameter("q", initial=2.0)
    at = np.linspace(0.1, 0.9, 30)
    pde = PDE(u.xx + p + q, Dirichlet(u, 0), Observed(u, at, 2 * at * (1 - at)))
    with pytest.raises(FloatingPointError, match="equations, conditions and data do not determine all that is unknown"):
        solved(pde, Box(x=(0, 1)), method=pinn.Local())


def test_what_is_tried_is_explained():
    u, k = field("u", x, t), parameter("k", initial=1.0)
    data = Observed(u, [[0.5, 0.5]], [0.1])
    pde = PDE(u.t - k * u.xx, Initial(u, 1), Dirichlet(u, 0), data)
    text = pinn.explain(pde, Box(x=(0, 1), t=(0, 1)))
    assert "tried first: local least squares, polynomials on patches; then the network is trained" in text
    v = field("v", x, y, t)
    of_three = PDE(v.t - k * (v.xx + v.yy), Initial(v, 1), Dirichlet(v, 0), Observed(v, [[0.5, 0.5, 0.5]], [0.1]))
    text = pinn.explain(of_three, Box(x=(0, 1), y=(0, 1), t=(0, 1)))
    assert "no local least squares (there are data in three coordinates)" in text


def test_three_noisy_values_and_one_parameter():
    """-u'' = k: as few data as that are met by fields that do not satisfy the equation."""
    u, k, sigma = field("u", x), parameter("k", initial=1.0, positive=True), 0.01
    at = np.array([0.2, 0.5, 0.7])
    g = at * (1 - at) / 2
    d = 3 * g + sigma * np.array([0.5, -1.2, 0.4])
    found = solved(PDE(u.xx + k, Dirichlet(u, 0), Observed(u, at, d, noise=sigma)), Box(x=(0, 1)))
    expected, error = g @ d / (g @ g), sigma / np.linalg.norm(g)
    assert abs(found.parameters["k"].value - expected) < 0.05 * error
    assert abs(found.parameters["k"].standard_error / error - 1) < 0.05
    assert found.notes == ()


def test_noise_that_is_not_stated_is_estimated():
    """Fisher's front u = (1 + exp(x - 5 t))^-2 of D = 1, r = 6, from 240 values with noise of 0.02."""
    u = field("u", x, t)
    D, r = parameter("D", initial=0.5, positive=True), parameter("r", initial=3.0, positive=True)
    exact = (1 + sp.exp(x - 5 * t)) ** -2
    at = scattered(240, 10.0, 1.0) - [5.0, 0.0]
    values = (1 + np.exp(at[:, 0] - 5 * at[:, 1])) ** -2.0 + 0.02 * np.random.default_rng(8).standard_normal(240)
    data = Observed(u, {"x": at[:, 0], "t": at[:, 1]}, values)
    pde = PDE(u.t - D * u.xx - r * u * (1 - u), Initial(u, exact), Dirichlet(u, exact), data)
    found = solved(pde, Box(x=(-5, 5), t=(0, 1)))
    assert "no network was trained" in found.result
    for name, truth, error in (("D", 1.0, 0.04), ("r", 6.0, 0.045)):  # standard errors by finite differences of the front
        assert abs(found.parameters[name].value - truth) < 3 * error
        assert 0.7 * error < found.parameters[name].standard_error < 1.4 * error


def test_a_speed_that_is_five_times_too_large_at_first():
    u, a = field("u", x, t), parameter("a", initial=5.0)
    at = scattered(60, 1.0, 1.0)
    values = np.sin(2 * np.pi * (at[:, 0] - at[:, 1])) + 0.1 * np.random.default_rng(2).standard_normal(60)
    data = Observed(u, {"x": at[:, 0], "t": at[:, 1]}, values)
    pde = PDE(u.t + a * u.x, Initial(u, sp.sin(2 * sp.pi * x)), Periodic("x"), data)
    found = solved(pde, Box(x=(0, 1), t=(0, 1)))
    assert abs(found.parameters["a"].value - 1) < 4 * found.parameters["a"].standard_error < 0.05


@pytest.mark.slow
def test_an_ensemble_trains_networks_since_patches_have_no_spread():
    u, k = field("u", x), parameter("k", initial=1.0)
    at = np.linspace(0.1, 0.9, 30)
    pde = PDE(u.xx + k, Dirichlet(u, 0), Observed(u, at, at * (1 - at)))
    with pytest.raises(ValueError, match="the same for every key"):
        pinn.ensemble(pde, Box(x=(0, 1)), pinn.Local())
    found = pinn.ensemble(pde, Box(x=(0, 1)), keys=(0, 1), max_time=6, progress=False)
    assert all(part.stats["network"] != "none" for part in found.parts)
    assert found.parameters["k"].standard_error > 0
    assert found.spread("u", 0.5) > 0
