"""Automatic grids where the problem is not smooth: what is chosen, what is said, and when it ends."""

import itertools
import re
import time
from types import SimpleNamespace

import numpy as np
import pytest
import sympy as sp

from sciml import PDE, Box, Dirichlet, Initial, Neumann, Robin, coordinates, field, fields, laplacian, solvers
from sciml.solvers._problem import compile
from sciml.solvers._refine import Clock, Ladder

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


@pytest.fixture
def ticks(monkeypatch):
    """A clock that goes on by a second with every look at it."""
    from sciml.solvers import _refine, _solve

    now = itertools.count()
    for module in (_refine, _solve):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: float(next(now))))


def test_max_time_ends_a_march_that_is_slow(ticks):
    pde = PDE(u.t - u.xx - 2 / (x + 0.001) * u.x, Initial(u, sp.sin(np.pi * x)), Dirichlet(u, 0))
    box = Box(x=(0, 1), t=(0, 1e6))
    found = solvers.solve(pde, box, solvers.ETDRK4(), grid=16, save_at=[1e6], max_time=10, progress=False)
    assert not found.converged
    assert 0 < found.final.times[-1] < 1e6
    assert f"At t = {found.final.times[-1]:g} on 16 points max_time = 10 s was reached" in found.result
    with pytest.warns(UserWarning, match="outside the domain"):
        assert np.isnan(found.u(0.5, 1e6))


def test_max_time_ends_a_flow(ticks):
    a, b, p = fields("a b p", x, y, t)
    pde = PDE(
        a.t + a * a.x + b * a.y + p.x - 0.01 * laplacian(a),
        b.t + a * b.x + b * b.y + p.y - 0.01 * laplacian(b),
        a.x + b.y,
        Initial((a, b), 0),
        Dirichlet((a, b), (1, 0), on="y_max"),
        Dirichlet((a, b), 0, on=("x_min", "x_max", "y_min")),
    )
    found = solvers.solve(pde, Box(x=(0, 1), y=(0, 1), t=(0, 1)), grid=8, max_time=10, progress=False)
    assert not found.converged and "max_time = 10 s was reached" in found.result
    assert found.domain.time.end == found.final.times[-1] < 1


def test_what_a_ladder_of_grids_shows():
    ladder = Ladder(Clock(time.monotonic(), 1000.0), 1e-9)
    for n in (16, 32):
        ladder.add(n**-3.0, 1.0)
        assert ladder.ends() is None  # it falls like a power, but is still large
    ladder.add(64**-3.0, 1.0)
    assert "like a power" in ladder.ends()
    assert Ladder(ladder.clock, 1e-9, [1e-2, 1e-4, 1e-7], [1, 1, 1]).ends() is None
    assert Ladder(ladder.clock, 1e-9, [1e-2, 1e-4, 1e-10], [1, 1, 1]).ends() == ""
    assert "max_time = 1000 s" in Ladder(ladder.clock, 1e-9, [1e-2, 1e-4], [50, 400]).ends()
    assert ladder.given_up(1e-3, 0.5, 1.0) and not ladder.given_up(1e-3, 0.001, 1.0) and not ladder.given_up(1e-10, 0.5, 1.0)


@pytest.mark.parametrize("two", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_source_that_jumps_ends_with_the_grid_that_more_points_do_not_help(two):
    w = field("w", x, y) if two else field("w", x)
    source = sp.Piecewise((1, x < 0.1), (-1, True))
    box = Box(x=(-1, 1), y=(-1, 1)) if two else Box(x=(-1, 1))
    # No conservation law as it is written, which finite volumes would take.
    pde = PDE((2 + x) * (w.xx + (w.yy if two else 0) + source), Dirichlet(w, 0))
    found = solvers.solve(pde, box, progress=False)
    assert found.converged and max(found.stats["grid"]) <= 256 and found.stats["tail"] < 1e-5
    assert "Not resolved to rounding" in found.notes[0] and "like a power" in found.notes[0]
    if not two:
        # -w'' = 1 up to 0.1 and -1 beyond: w = -(x + 1)^2 / 2 + a (x + 1), and + (x - 0.1)^2 beyond.
        slope = (2 - 0.9**2) / 2
        error = abs(found.w(-0.5) - (0.5 * slope - 0.125)) / 0.177
        said = float(re.search(r"the solution is (\S+) of its largest value away", found.notes[0]).group(1))
        assert error < 5e-3 and said > error / 4


def test_without_a_source_zero_is_the_answer():
    w = field("w", x)
    none = solvers.solve(PDE(w.xx, Dirichlet(w, 0)), Box(x=(0, 1)), progress=False)
    assert none.converged and none.stats["grid"] == [32] and none.w(0.3) == 0


@pytest.mark.slow
def test_a_source_that_the_first_grids_do_not_see():
    w = field("w", x)
    pde = PDE(w.xx + 1e3 * sp.exp(-((x - 0.4711) ** 2) * 4e4), Dirichlet(w, 0))
    found = solvers.solve(pde, Box(x=(0, 1)), progress=False)
    mass = 1e3 * np.sqrt(np.pi / 4e4)
    assert abs(found.w(0.2) - mass * (1 - 0.4711) * 0.2) < 1e-6


@pytest.mark.slow
def test_two_edges_that_lose_heat_and_one_that_is_hot():
    """NAFEMS T4, 18.2546 at the point; conditions contradict each other in a corner."""
    w = field("w", x, y)
    pde = PDE(
        w.xx + w.yy,
        Dirichlet(w, 100, on="y_min"),
        Neumann(w, 0, on="x_min"),
        Robin(w, 750, 52, 0, on=("x_max", "y_max")),
    )
    found = solvers.solve(pde, Box(x=(0, 0.6), y=(0, 1)), progress=False)
    assert abs(found.w(0.6, 0.2) / 18.2537 - 1) < 1e-4 and found.notes


def test_a_sphere_that_warms_up_thousands_of_times_faster_than_it_is_watched():
    """Biot number 0.01, Crank's series; 2/r u_r beside the centre is stiff, and its steps are implicit."""
    radius = 0.01
    pde = PDE(u.t - u.xx - 2 / x * u.x, Initial(u, 20), Neumann(u, 0, on="x_min"), Robin(u, 1, 1, 100, on="x_max"))
    box = Box(x=(0, radius), t=(0, 11.5))
    found = solvers.solve(pde, box, grid=32, save_at=[0.001, 0.01, 11.5], progress=False)
    assert found.converged and found.stats["steps"] < 1000
    np.testing.assert_allclose(found.u(radius, [0.001, 11.5]), [40.8176, 100], rtol=1e-5)
    np.testing.assert_allclose(found.u(0.0, 0.01), 95.9811, rtol=1e-4)
