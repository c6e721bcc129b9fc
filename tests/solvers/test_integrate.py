"""Ordinary differential equations: reference values, gradients, events, and what goes wrong."""

from functools import partial

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sciml
from sciml import solvers


def robertson(t, y):
    a, b, c = y
    first, second, third = 0.04 * a, 3e7 * b * b, 1e4 * b * c
    return jnp.stack([-first + third, first - second - third, second])


def van_der_pol(t, y):
    return jnp.stack([y[1], 1000 * (1 - y[0] ** 2) * y[1] - y[0]])


def brusselator(t, y):
    a, b = y
    return jnp.stack([1 - 4 * a + a * a * b, 3 * a - a * a * b])


def hires(t, y):
    a, b, c, d, e, f, g, h = y
    last = 280 * f * h - 1.81 * g
    return jnp.stack(
        [
            -1.71 * a + 0.43 * b + 8.32 * c + 0.0007,
            1.71 * a - 8.75 * b,
            -10.03 * c + 0.43 * d + 0.035 * e,
            8.32 * b + 1.71 * c - 1.12 * d,
            -1.745 * e + 0.43 * f + 0.43 * g,
            -280 * f * h + 0.69 * d + 1.71 * e - 0.43 * f + 0.69 * g,
            last,
            -last,
        ]
    )


def test_stiff_problems_to_six_digits():
    """Values of ../shared/reference/solvers.md (Hairer & Wanner's test set)."""
    found = solvers.integrate(robertson, np.array([1.0, 0.0, 0.0]), (0, 1e11), rtol=1e-8)
    np.testing.assert_allclose(found.y[-1], [2.083340149701255e-8, 8.333360770334713e-14, 0.9999999791665050], rtol=1e-6)
    assert found.stats["steps"] < 3000 and "stiff from" in found.result
    found = solvers.integrate(hires, np.array([1.0, 0, 0, 0, 0, 0, 0, 0.0057]), (0, 321.8122), rtol=1e-8)
    assert abs(found.y[-1][0] / 0.7371312573325668e-3 - 1) < 1e-6
    tight = solvers.integrate(hires, np.array([1.0, 0, 0, 0, 0, 0, 0, 0.0057]), (0, 321.8122), rtol=1e-11)
    assert abs(tight.y[-1][0] / 0.7371312573325668e-3 - 1) < 1e-11 and tight.stats["steps"] < 6000


@pytest.mark.slow
def test_van_der_pol_is_stiff_and_turns_fast():
    found = solvers.integrate(van_der_pol, np.array([2.0, 0.0]), (0, 2000), rtol=1e-9)
    np.testing.assert_allclose(found.y[-1], [1.706167732170469, -8.928097010248125e-4], rtol=1e-6)


def test_what_is_not_stiff_stays_explicit():
    found = solvers.integrate(brusselator, np.array([1.5, 3.0]), (0, 20), rtol=1e-8)
    np.testing.assert_allclose(found.y[-1], [0.49863707126834783, 4.596780349452011], rtol=1e-6)
    assert "stiff" not in found.result


def test_the_default_tolerance_does_not_lie_about_small_components():
    """With SciPy's way of one absolute tolerance, 1e-8 here, y1 is wrong by 0.6 % and success is reported."""
    found = solvers.integrate(robertson, np.array([1.0, 0.0, 0.0]), (0, 1e11))
    np.testing.assert_allclose(found.y[-1][:2], [2.083340149701255e-8, 8.333360770334713e-14], rtol=1e-4)


@pytest.mark.parametrize("method", [solvers.Automatic(), solvers.Radau(), diffrax.Dopri8()])
def test_dense_output_and_saved_times_are_as_good_as_the_steps(method):
    t = np.linspace(0, 3, 31)
    oscillate = lambda t, y: {"x": y["v"], "v": -4 * y["x"]}  # noqa: E731
    found = solvers.integrate(oscillate, {"x": 1.0, "v": 0.0}, t, method=method, rtol=1e-8, dense=True)
    np.testing.assert_allclose(found.y["x"], np.cos(2 * t), atol=2e-6)
    s = np.array([[0.123, 1.77], [2.5, 2.999]])
    assert found(s)["v"].shape == (2, 2)
    np.testing.assert_allclose(found(s)["v"], -2 * np.sin(2 * s), atol=4e-6)
    assert found.y["x"].dtype == np.float64 and not jax.config.jax_enable_x64


def test_the_interpolants_fit_the_steps():
    from sciml.solvers.stepping import _radau

    nodes = np.concatenate([[0], diffrax.Tsit5.tableau.c])
    np.testing.assert_allclose(_radau.INTERPOLANT.sum(axis=0), diffrax.Tsit5.tableau.b_sol, atol=1e-13)
    for k in range(4):  # the order conditions sum_i b_i(theta) c_i^k = theta^(k + 1) / (k + 1)
        np.testing.assert_allclose(_radau.INTERPOLANT @ nodes**k, np.eye(4)[k] / (k + 1), atol=1e-13)


def test_complex_numbers_and_backward_in_time():
    found = solvers.integrate(lambda t, z: 2j * z, 1 + 0j, (1.0, 0.0), rtol=1e-9)
    assert abs(found.y[-1] - np.exp(-2j)) < 1e-7


def test_events_end_it_at_the_crossing():
    fall = lambda t, y, g: jnp.stack([y[1], -g])  # noqa: E731
    events = {"apex": solvers.Event(lambda t, y, g: y[1], -1), "ground": lambda t, y, g: y[0] + 1}
    found = solvers.integrate(fall, np.array([0.0, 3.0]), (0, 10), args=9.81, events=events, rtol=1e-9)
    assert found.event == "apex" and abs(found.t[-1] - 3 / 9.81) < 1e-9 and abs(found.y[-1][0] - 4.5 / 9.81) < 1e-8
    events.pop("apex")
    found = solvers.integrate(fall, np.array([0.0, 3.0]), (0, 10), args=9.81, events=events, method=diffrax.Tsit5())
    assert found.event == "ground" and abs(found.t[-1] - (3 + np.sqrt(9 + 2 * 9.81)) / 9.81) < 1e-7


def test_neither_tolerances_nor_a_new_lambda_compile_anew_and_changed_surroundings_count():
    method = diffrax.Tsit5()  # it compiles fastest
    for k in (1.0, 2.0):
        rate = solvers.integrate(lambda t, y: -k * y, 1.0, (0, 1), method=method, rtol=1e-7).y[-1]  # noqa: B023
        assert abs(rate - np.exp(-k)) < 1e-6
    from sciml.solvers._integrate import _CACHE

    before = len(_CACHE)
    a = np.array([3.0])
    for rtol in (1e-4, 1e-6, 1e-9):
        solvers.integrate(lambda t, y, a: -a * y, np.array([1.0]), (0, 1), args=a, method=method, rtol=rtol)
    assert len(_CACHE) == before + 1
    compiled = [run for run, *_ in _CACHE.values()][-1]
    assert compiled._cached._cache_size() == 1


@pytest.mark.slow
def test_gradients_equal_finite_differences():
    """Stiff enough that Automatic() hands over. The differences are Radau's, whose steps do not change by a handover."""

    def end(p, method):
        f = lambda t, y, p: jnp.stack([-p[0] * (y[0] - jnp.cos(t)), p[1] * y[0] - y[1] ** 2])  # noqa: E731
        return jnp.sum(solvers.integrate(f, p[2] * jnp.ones(2), (0.0, 3.0), args=p, method=method, rtol=1e-11).y[-1] ** 2)

    p = np.array([400.0, 1.3, 0.7])
    with sciml.float64():
        radau, automatic = (jax.jit(jax.value_and_grad(partial(end, method=m))) for m in (solvers.Radau(), solvers.Automatic()))
        differences = []
        for e in np.eye(3):
            h = 1e-3 * p @ e
            one, two = ((radau(p + k * h * e)[0] - radau(p - k * h * e)[0]) / (2 * k * h) for k in (1, 2))
            differences.append((4 * one - two) / 3)
        for value in (radau, automatic):
            np.testing.assert_allclose(value(p)[1], differences, rtol=2e-6, atol=1e-9)


def test_vmap_gives_the_numbers_of_a_loop():
    with sciml.float64():
        one = lambda a: solvers.integrate(lambda t, y, a: -a * y * (1 + y), jnp.ones(2), (0.0, 2.0), args=a).y  # noqa: E731
        a = jnp.array([0.5, 3.0, 500.0])
        np.testing.assert_allclose(jax.vmap(one)(a), np.stack([one(each) for each in a]), rtol=1e-9, atol=1e-14)


def test_a_blow_up_says_when():
    with pytest.raises(RuntimeError, match=r"last good state is that at t = (0\.99|1;)"):
        solvers.integrate(lambda t, y: y**2, 1.0, (0, 2), max_steps=2000)
    found = solvers.integrate(lambda t, y: y**2, 1.0, (0, 2), max_steps=2000, throw=False)
    assert not found.success and 0.99 < found.t[-1] < 1.0 + 1e-5 and np.isfinite(found.y[-1])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((lambda t, y: y, 1.0, 3.0), {}, "start, end"),
        ((lambda t, y: y, 1.0, (0, 0)), {}, "increase, or decrease"),
        ((lambda t, y: jnp.ones(3), np.ones(2), (0, 1)), {}, r"shape \(3,\) where y0 has \(2,\)"),
        ((lambda t, y: (y, y), np.ones(2), (0, 1)), {}, "has the structure"),
        ((lambda y: y, 1.0, (0, 1)), {}, r"integrate calls f\(t, y\)"),
        ((lambda t, y: 1j * y, 1.0, (0, 1)), {}, "make y0 complex"),
        ((lambda t, y: y / 0.0, 0.0, (0, 1)), {}, "NaN or infinite"),
        ((lambda t, y: y, 1.0, (0, 1)), {"rtol": 2}, "rtol=2"),
        ((lambda t, y: y, 1.0, (0, 1)), {"atol": -1.0}, "positive"),
        ((lambda t, y: y, 1.0, (0, 1)), {"method": solvers.Radau}, "method is an object"),
        ((lambda t, y: y, np.ones(4000), (0, 1)), {"method": solvers.Radau()}, "at most 3000"),
    ],
)
def test_bad_input_is_told_before_anything_is_compiled(arguments, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        solvers.integrate(*arguments, **options)
