"""Automatic grids where the problem is not smooth: what is chosen, what is said, and when it ends."""

import numpy as np
import pytest
import sympy as sp

from sciml import PDE, Box, Dirichlet, Initial, coordinates, field, solvers
from sciml.solvers._problem import compile

x, y, t = coordinates("x y t")
u = field("u", x, t)


def test_a_wall_that_is_suddenly_raised():
    pde = PDE(u.t - u.xx, Initial(u, 0), Dirichlet(u, 0, on="x_min"), Dirichlet(u, 1, on="x_max"))
    place = np.linspace(0, 1, 21)
    k = np.arange(1, 100)[:, None]
    series = lambda t: place + np.sum(2 * (-1.0) ** k / (k * np.pi) * np.exp(-((k * np.pi) ** 2) * t) * np.sin(k * np.pi * place), 0)  # noqa: E731, E501
    for grid in (None, 64):
        found = solvers.solve(pde, Box(x=(0, 1), t=(0, 0.5)), grid=grid, save_at=[0.01, 0.5], progress=False)
        assert found.stats["grid"] == [64]
        for at in (0.01, 0.5):
            assert np.max(np.abs(found.u(place, at) - series(at))) < 1e-9
        (note,) = found.notes
        assert "At t = 0 the initial value of u and what holds on x_max are 1.0e+00" in note


def test_a_small_contradiction_at_a_wall_does_not_ask_for_thousands_of_points():
    pde = PDE(u.t - 2 * u - u.xx, Initial(u, sp.exp(-((x - 3) ** 2))), Dirichlet(u, 0))  # 1.2e-4 at the wall
    found = solvers.solve(pde, Box(x=(0, 10), t=(0, 4)), save_at=[1, 4], progress=False)
    assert found.stats["grid"] == [128]
    for place, at, value in ((3, 1, 3.302021), (5, 1, 1.484792), (3, 4, 635.996), (5, 4, 554.4995)):
        assert abs(found.u(place, at) / value - 1) < 1e-6
    assert "1.2e-04" in found.notes[0]


@pytest.mark.parametrize(
    "flux, start, kind",
    [
        (u.xx, sp.Piecewise((1, x < 0.5), (0, True)), "cells"),
        (u.xx, sp.Abs(x - 0.5), "cells"),
        ((1 + x) * u.xx, sp.Max(x - 0.5, 0), "differences"),
        (u.xx, sp.Max(x - 0.5, 0) ** 4, "chebyshev"),
    ],
)
def test_an_initial_value_that_is_not_smooth_takes_a_method_that_copes(flux, start, kind):
    problem = compile(PDE(u.t - flux, Initial(u, start), Dirichlet(u, start)), Box(x=(0, 1), t=(0, 0.1)))
    assert [a.kind for a in problem.axes] == [kind]
    assert bool(problem.notes) == (kind != "chebyshev")
    assert max(problem.grid.full) <= 512


def test_a_grid_that_was_asked_for_and_cannot_hold_a_jump_names_one_that_can():
    pde = PDE(u.t - u.xx, Initial(u, sp.Piecewise((1, x < 0.5), (0, True))), Dirichlet(u, 0))
    with pytest.raises(ValueError, match=r"more of them do not help: take grid=solvers.Volumes\(n\)"):
        solvers.solve(pde, Box(x=(0, 1), t=(0, 0.1)), grid=64)


@pytest.mark.slow
def test_a_european_call():
    """Black and Scholes backward in time: a kink at the strike, a coefficient that vanishes at one wall."""
    S = coordinates("S")
    V = field("V", S, t)
    strike, rate, sigma = 100, 0.1, 0.2
    pde = PDE(
        V.t - sigma**2 * S**2 / 2 * V.SS - rate * S * V.S + rate * V,
        Initial(V, sp.Max(S - strike, 0)),
        Dirichlet(V, 0, on="S_min"),
        Dirichlet(V, S - strike * sp.exp(-rate * t), on="S_max"),
    )
    found = solvers.solve(pde, Box(S=(0, 300), t=(0, 1)), save_at=[1.0], progress=False)
    assert abs(found.V(100, 1) / 13.269677 - 1) < 2e-4
    assert abs(found.V.S(100, 1) - 0.725747) < 1e-4
    assert "kink" in found.notes[0]
