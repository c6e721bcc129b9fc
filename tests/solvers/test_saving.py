"""Between the saved times: what a solution returns anywhere is as right as its steps, or it says so."""

import numpy as np
import pytest
import sympy as sp

from sciml import PDE, Box, Dirichlet, Initial, Neumann, Periodic, catalogue, coordinates, d, field, solvers
from sciml.solvers import _grid

x, t = coordinates("x t")
u = field("u", x, t)
UNIT = Box(x=(0, 1), t=(0, 1))
EVERYWHERE = np.concatenate([np.geomspace(1e-7, 1, 200), np.random.default_rng(0).uniform(0, 1, 200)])


def solve(pde, domain, **options):
    return solvers.solve(pde, domain, progress=False, **options)


@pytest.mark.parametrize("n", [8, pytest.param(16, marks=pytest.mark.slow), 32])
def test_modes_that_decay_before_the_first_saved_time(n):
    """They came as -1.5 and -8.3 at t = 0.002."""
    pde = PDE(u.t - u.xx, Initial(u, sp.sin(n * sp.pi * x)), Dirichlet(u, 0))
    found = solve(pde, UNIT, grid=96)
    assert abs(found.u(0.5 / n, 0.002) - np.exp(-((n * np.pi) ** 2) * 0.002)) < 1e-7
    assert np.max(np.abs(found.u(0.5 / n, EVERYWHERE) - np.exp(-((n * np.pi) ** 2) * EVERYWHERE))) < 2e-7
    # The run itself is not changed, and few steps are taken to measure.
    assert found.stats["steps"] < 110 and found.stats["steps_between"] < 60 and found.stats["saves"] < 150
    assert found.notes == ()


def heated(time):
    """300 + 5e4 (t + (3 (1 - x)^2 - 1) / 6 - ...) at x = 0, ../shared/cases/pde.md, case 13."""
    n = np.arange(1, 20001)
    return 300 + 5e4 * (time + 1 / 3 - 2 / np.pi**2 * np.sum(np.exp(-((n * np.pi) ** 2) * time) / n**2))


def test_a_face_that_is_suddenly_heated():
    pde = PDE(u.t - u.xx, Initial(u, 300), Neumann(u, 5e4, on="x_min"), Neumann(u, 0, on="x_max"))
    found = solve(pde, UNIT, grid=64)
    assert abs(found.u(0, 1e-3) - 2084.124) < 1e-3
    for time in (1.3e-4, 1.5e-3, 0.0123, 0.1):
        assert abs(found.u(0, time) / heated(time) - 1) < 1e-6


@pytest.mark.slow
def test_a_wall_that_is_suddenly_raised():
    """erfc((1 - x) / 2 sqrt(t)), to what cells of 1/200 see of it."""
    pde = PDE(u.t - u.xx, Initial(u, 0), Dirichlet(u, 0, on="x_min"), Dirichlet(u, 1, on="x_max"))
    found = solve(pde, Box(x=(0, 1), t=(0, 0.5)), grid=solvers.Volumes(200))
    assert abs(found.u(0.98, 1e-4) - 0.157299) < 3e-3
    assert abs(found.u(0.98, 7e-3) - 0.865772) < 1e-4


def test_times_that_were_asked_for_stay_and_others_come_between():
    wave = PDE(u.tt - u.xx, Initial(u, sp.sin(20 * sp.pi * x)), Initial(u, 0, order=1), Periodic())
    asked = [0.31, 1.0]
    found = solve(wave, UNIT, grid=64, save_at=asked)
    assert set(asked) < set(found.final.times.tolist())
    exact = np.cos(20 * np.pi * EVERYWHERE)
    assert np.max(np.abs(found.u(0.025, EVERYWHERE) - exact)) < 5e-7
    np.testing.assert_allclose(found.final.saved(asked)[:, 0, 8], np.sin(20 * np.pi / 8) * np.cos(20 * np.pi * np.array(asked)), atol=1e-9)  # noqa: E501
    with pytest.raises(ValueError, match=r"t = 0\.5 is not among"):
        found.final.saved(0.5)


def test_equal_steps_are_not_asked_for_more_than_they_know():
    """One step of order two for each saved time: its own error, not its half, is what remains; nothing is cut in vain."""
    pde = PDE(u.t + u * u.x - u.xx / 10, Initial(u, -sp.sin(x)), Periodic())
    found = solve(pde, Box(x=(0, 2 * np.pi), t=(0, 1)), method=solvers.ETDRK2(), steps=1, grid=24, save_at=np.linspace(0, 1, 9))
    assert found.stats["steps"] == 8 and found.stats["saves"] < 40 and found.notes == ()


def test_a_complex_field_and_two_dimensions():
    """The imaginary part starts at nothing; it counts by the size of the whole."""
    y = coordinates("y")
    psi = field("psi", x, y, t, complex=True)
    pde = PDE(sp.I * psi.t + psi.xx + psi.yy, Initial(psi, sp.sin(3 * x) * sp.cos(4 * y)), Periodic())
    found = solve(pde, Box(x=(0, 2 * np.pi), y=(0, 2 * np.pi), t=(0, 2)), grid=16, save_at=[1, 2])
    exact = np.sin(0.9) * np.cos(4 * 0.2) * np.exp(-25j * EVERYWHERE)
    assert np.max(np.abs(found.psi(0.3, 0.2, EVERYWHERE) - exact)) < 5e-7


def test_lines_between_shocks():
    """Off by no more than the shock in half a cell, on average."""
    pde = PDE(u.t + d(u**2 / 2, x), Initial(u, sp.Piecewise((1, x < sp.Rational(1, 4)), (0, True))), Dirichlet(u, 1, on="x_min"), Dirichlet(u, 0, on="x_max"))  # noqa: E501
    found = solve(pde, UNIT, grid=solvers.Volumes(100), save_at=[1.0])
    s = (np.arange(100) + 0.5) / 100
    for time in (0.123, 0.456, 0.789):
        assert np.mean(np.abs(found.u(s, time) - (s < 0.25 + time / 2))) < 0.01
    assert found.notes == ()


def test_what_cannot_be_kept_is_said(monkeypatch):
    monkeypatch.setattr("sciml.solvers._saving.MOST_MORE", 10)
    wave = PDE(u.tt - u.xx, Initial(u, sp.sin(20 * sp.pi * x)), Initial(u, 0, order=1), Periodic())
    found = solve(wave, Box(x=(0, 1), t=(0, 10)), grid=64, save_at=[10])
    (note,) = found.notes
    assert "Between the saved times u is off by up to" in note and "note" in repr(found)
    assert len(found.final.times) < 20


def test_flows_between_saved_times():
    """Taylor-Green between walls that move with it; the pressure too."""
    flow = catalogue.navier_stokes(nu=0.5)
    (a, b, _), (x, y) = flow.fields, flow.coordinates[:2]
    decay = sp.exp(-flow.time)
    exact = (-sp.cos(x) * sp.sin(y) * decay, sp.sin(x) * sp.cos(y) * decay)
    pde = flow.with_conditions(Initial((a, b), tuple(e.subs(flow.time, 0) for e in exact)), Dirichlet((a, b), exact))
    found = solve(pde, Box(x=(0, 3), y=(0, 2), t=(0, 3)), grid=12, save_at=[1.5, 3])
    problem, times = solvers.compile(pde, found.domain, grid=12), np.linspace(0, 3, 13)
    places = [axis.points for axis in problem.axes]
    run = problem.run(save_at=times)
    for i, name in enumerate(("u", "v", "p")):
        value = np.moveaxis(found[name](*places, times, grid=True), -1, 0)
        open_up_to = (lambda a: a - a.mean(axis=(1, 2), keepdims=True)) if name == "p" else (lambda a: a)
        np.testing.assert_allclose(open_up_to(value), open_up_to(run[:, i]), atol=3e-4 * np.max(np.abs(run[:, i])))
    assert found.stats["times"] == [0.0, 1.5, 3.0] and len(found.stats["force"]) == 3


def test_a_solution_too_large_to_refine_is_read_in_windows(monkeypatch):
    """Waves that travel around a periodic square: values and derivatives are those of the whole, bit by bit nearly."""
    y = coordinates("y")
    u = field("u", x, y, t)
    start = sp.sin(2 * sp.pi * x) * sp.cos(2 * sp.pi * y)
    pde = PDE(u.t + u.x - 0.01 * (u.xx + u.yy), Initial(u, start), Periodic(x), Periodic(y))
    s = solvers.solve(pde, Box(x=(0, 1), y=(0, 1), t=(0, 1)), grid=16, save_at=np.linspace(0, 1, 23), progress=False)
    points = np.random.default_rng(0).random((301, 3))
    points[:3, 2] = 0, 0.5, 1
    whole = s.u(*points.T), s.u.t(*points.T), s.u.xx(*points.T)
    px, py, pt = points.T
    right = np.exp(-0.08 * np.pi**2 * pt) * np.sin(2 * np.pi * (px - pt)) * np.cos(2 * np.pi * py)
    np.testing.assert_allclose(whole[0], right, atol=1e-6)
    monkeypatch.setattr(_grid, "MOST_BYTES", 1)
    for window in (1, 10 * s.final.values[0].nbytes * 8):
        monkeypatch.setattr(_grid, "WINDOW_BYTES", window)
        groups = list(s.final.windows(points))
        assert len(groups) > 1 and sorted(np.concatenate([rows for rows, _ in groups])) == list(range(301))
        s.__dict__.pop("_jitted", None)
        for found, before in zip((s.u(*points.T), s.u.t(*points.T), s.u.xx(*points.T)), whole, strict=True):
            np.testing.assert_allclose(found, before, atol=1e-9)
