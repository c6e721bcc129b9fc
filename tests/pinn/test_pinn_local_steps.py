"""Two dimensions and time: Runge-Kutta steps whose stages are least squares on patches."""

from time import monotonic

import numpy as np
import pytest
import sympy as sp

from sciml import (
    PDE,
    Box,
    Condition,
    Dirichlet,
    Disk,
    Initial,
    Neumann,
    Periodic,
    Rectangle,
    Solution,
    Time,
    coordinates,
    d,
    field,
    fields,
    laplacian,
    pinn,
)
from sciml._files import read_arrays
from sciml.pinn._problem import compile
from sciml.pinn.local._adapt import Adapted
from sciml.pinn.local._basis import Slice
from sciml.pinn.local._pieces import Pieces
from sciml.pinn.local._statement import state
from sciml.pinn.local._steps import Stepper, march_in_steps
from sciml.pinn.local._trail import Trail

x, y, t = coordinates("x y t")
SQUARE = Box(x=(0, 1), y=(0, 1), t=(0, 0.5))


def rms(values) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def drawn(domain, n: int = 500) -> list[np.ndarray]:
    points = domain.sample(n)
    return [points[:, domain.names.index(name)] for name in ("x", "y", "t")]


def front(nu: float) -> tuple[PDE, sp.Expr]:
    u = field("u", x, y, t)
    exact = 1 / (1 + sp.exp((x + y - t) / (2 * nu)))
    pde = PDE(u.t + u * (u.x + u.y) - nu * laplacian(u), Initial(u, exact.subs(t, 0)), Dirichlet(u, exact))
    return pde, exact


@pytest.fixture(scope="module")
def burgers() -> Solution:
    return pinn.solve(front(0.05)[0], SQUARE, pinn.Local(1e-4), progress=False)


def test_patches_follow_a_front_and_the_estimate_tells_how_well(burgers):
    at, exact = drawn(SQUARE), front(0.05)[1]
    expected = sp.lambdify((x, y, t), exact)(*at)
    error = rms(burgers.u(*at) - expected) / rms(expected)
    assert error < 1e-4
    assert 0.1 * error < burgers.estimate_error().value < 10 * error
    assert burgers.converged and "no network" in burgers.result
    slope = sp.lambdify((x, y, t), exact.diff(t))(*at)
    assert rms(burgers.u.t(*at) - slope) < 1e-2 * rms(slope)


def test_it_is_saved_and_loaded_whole(burgers, tmp_path):
    burgers.save(tmp_path / "front.sciml")
    again = Solution.load(tmp_path / "front.sciml")
    at = drawn(SQUARE, 50)
    np.testing.assert_array_equal(again.u(*at), burgers.u(*at))


def test_steps_are_of_order_four():
    """u' = lap u + f on two patches that resolve it to rounding: half the step, a sixteenth of the error."""
    u = field("u", x, y, t)
    exact = (sp.cos(3 * t) + x * sp.sin(2 * t)) * x * (1 - x) * y * (1 - y)
    source = exact.diff(t) - exact.diff(x, 2) - exact.diff(y, 2)
    pde = PDE(u.t - laplacian(u) - source, Initial(u, exact.subs(t, 0)), Dirichlet(u, 0))
    statement = state(compile(pde, SQUARE))
    boxes = np.array([[[0, 0.5], [0, 1], [-1, 1]], [[0.5, 1], [0, 1], [-1, 1]]], float)

    def off(steps: int) -> float:
        stepper = Stepper(statement, Slice((6, 6, 0), True, 2), 1e-10)
        at = stepper.start(boxes)
        at.c[1] = stepper.euler(at, 1e-7).state.c[1]
        for _ in range(steps):
            at = stepper.step(at, 0.5 / steps).state
        found = Pieces(stepper.basis, at.cells, at.c[0])(np.c_[places, np.full(50, 0.5)], (0, 0, 0))[0]
        return rms(found - sp.lambdify((x, y), exact.subs(t, 0.5))(*places.T))

    places = np.random.default_rng(3).uniform(size=(50, 2))
    coarse, fine = off(8), off(16)
    assert 12 < coarse / fine < 24


def test_explain_says_how_patches_go_through_time():
    u, v = field("u", x, t), field("v", x, y, t)
    line = pinn.explain(PDE(u.t - u.xx, Initial(u, 1), Dirichlet(u, 0)), Box(x=(0, 1), t=(0, 1)))
    assert "polynomials on patches, windows of time; then" in line
    plane = pinn.explain(PDE(v.t - laplacian(v), Initial(v, 1), Dirichlet(v, 0)), SQUARE)
    assert "polynomials on patches, steps of a Runge-Kutta method in time; then" in plane
    layers = PDE(u.t - d((1 + 9 * sp.Heaviside(x - 0.5)) * u.x, x), Initial(u, 1), Dirichlet(u, 0))
    text = pinn.explain(layers, Box(x=(0, 1), t=(0, 1)))
    assert "patches that end where the flux along x jumps, windows of time; nothing else" in text


def test_waves_which_are_of_second_order_in_time():
    u = field("u", x, y, t)
    w = sp.sqrt(2) * sp.pi
    exact = sp.sin(sp.pi * x) * sp.sin(sp.pi * y) * (sp.cos(w * t) + sp.sin(w * t))
    pde = PDE(
        u.tt - laplacian(u), Initial(u, exact.subs(t, 0)), Initial(u, exact.diff(t).subs(t, 0), order=1), Dirichlet(u, 0),
    )  # fmt: skip
    solution = pinn.solve(pde, SQUARE, pinn.Local(1e-4), progress=False)
    at = drawn(SQUARE)
    expected = sp.lambdify((x, y, t), exact)(*at)
    assert rms(solution.u(*at) - expected) < 3e-4 * rms(expected)


def test_a_flow_with_a_pressure_that_has_no_derivative_in_time():
    """The vortices of Taylor and Green, in a hole's place too."""
    u, v, p = fields("u v p", x, y, t)
    nu, decay = 0.1, sp.exp(-sp.Rational(1, 5) * sp.pi**2 * t)
    a, b = sp.pi * x, sp.pi * y
    exact = {u: -sp.cos(a) * sp.sin(b) * decay, v: sp.sin(a) * sp.cos(b) * decay}
    pressure = -(sp.cos(2 * a) + sp.cos(2 * b)) / 4 * decay**2
    pde = PDE(
        u.t + u * u.x + v * u.y + p.x - nu * laplacian(u),
        v.t + u * v.x + v * v.y + p.y - nu * laplacian(v),
        u.x + v.y,
        *(Dirichlet(w, e) for w, e in exact.items()),
        *(Initial(w, e.subs(t, 0)) for w, e in exact.items()),
        Dirichlet(p, pressure.subs({x: 0, y: 0}), on={"x": 0.0, "y": 0.0}),
    )
    shape = (Rectangle((0, 0), (1, 1)) - Disk((0.5, 0.4), 0.2)) * Time(0, 0.5)
    solution = pinn.solve(pde, shape, pinn.Local(1e-4), progress=False)
    at = drawn(shape)
    for w, e in {**exact, p: pressure}.items():
        expected = sp.lambdify((x, y, t), e)(*at)
        # The pressure follows from differences of the velocity over a step.
        assert rms(solution[w.field_name](*at) - expected) < (5e-3 if w is p else 1e-4) * rms(expected)


def test_a_condition_with_a_derivative_in_time():
    """Heat that a wall takes up: u_t + u_x = 0 at x = 0 holds for exp(t - x), of which the rest is a source."""
    u = field("u", x, y, t)
    exact = sp.exp(t - x) * sp.cos(sp.pi * y)
    source = exact.diff(t) - exact.diff(x, 2) - exact.diff(y, 2)
    pde = PDE(
        u.t - laplacian(u) - source, Initial(u, exact.subs(t, 0)), Dirichlet(u, exact, on="x_max"),
        Neumann(u, 0, on=("y_min", "y_max")), Condition(u.t + u.x, on="x_min"),
    )  # fmt: skip
    solution = pinn.solve(pde, SQUARE, pinn.Local(1e-5), progress=False)
    at = drawn(SQUARE)
    expected = sp.lambdify((x, y, t), exact)(*at)
    assert rms(solution.u(*at) - expected) < 1e-5 * rms(expected)


def test_what_does_not_reach_the_end_is_kept_and_nan_beyond():
    with pytest.warns(UserWarning, match="max_time was reached at t = "):
        solution = pinn.solve(front(0.005)[0], SQUARE, pinn.Local(1e-6), max_time=6, progress=False)
    assert not solution.converged
    assert np.isfinite(solution.u(0.5, 0.5, 0.0)) and np.isnan(solution.u(0.5, 0.5, 0.5))


def test_periodic_walls():
    u = field("u", x, y, t)
    box = Box(x=(0, 1), y=(0, 1), t=(0, 0.2))
    pde = PDE(u.t + u.x + u.y - 0.01 * laplacian(u), Initial(u, sp.sin(2 * sp.pi * x)), Periodic())
    solution = pinn.solve(pde, box, pinn.Local(1e-4), progress=False)
    at = drawn(box)
    expected = np.exp(-0.04 * np.pi**2 * at[2]) * np.sin(2 * np.pi * (at[0] - at[2]))
    assert rms(solution.u(*at) - expected) < 1e-3 * rms(expected)


def along_a_line() -> tuple[PDE, Box]:
    u = field("u", x, t)
    return PDE(u.t + u * u.x - 0.05 * u.xx, Initial(u, -sp.sin(sp.pi * x)), Dirichlet(u, 0)), Box(x=(-1, 1), t=(0, 1))


@pytest.mark.parametrize("stated", [along_a_line, lambda: (front(0.1)[0], SQUARE)], ids=["windows", "steps"])
def test_a_run_that_was_interrupted_goes_on(stated, tmp_path, monkeypatch):
    pde, domain = stated()
    path, whole = tmp_path / "run.npz", pinn.solve(pde, domain, pinn.Local(1e-4), progress=False)
    note = Trail.note

    def interrupted(self, pieces, *given):
        note(self, pieces, *given)
        if len(pieces) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Trail, "note", interrupted)
        with pytest.warns(UserWarning, match="Interrupted"):
            part = pinn.solve(pde, domain, pinn.Local(1e-4), checkpoint=path, progress=False)
    assert not part.converged and len(part.history) == 3
    done = pinn.solve(pde, domain, pinn.Local(1e-4), checkpoint=path, progress=False)
    assert done.converged and done.history[:3] == part.history
    at = [np.linspace(domain.lower[i], domain.upper[i], 40) for i in range(len(domain.names))]
    np.testing.assert_allclose(done.u(*at), whole.u(*at), atol=1e-6)
    # It is at its end: nothing is computed anew, and another problem is refused.
    assert pinn.solve(pde, domain, pinn.Local(1e-4), checkpoint=path, progress=False).history == done.history
    with pytest.raises(ValueError, match="belongs to another problem"):
        pinn.solve(pde, domain, pinn.Local(1e-5), checkpoint=path, progress=False)


def test_a_default_call_goes_on_from_patches_too(tmp_path, monkeypatch):
    pde, domain, path = *along_a_line(), tmp_path / "run.npz"
    note = Trail.note

    def interrupted(self, pieces, *given):
        note(self, pieces, *given)
        if len(pieces) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("sciml.pinn._solve.attempt", lambda *given, **more: None)  # not by waves
    with monkeypatch.context() as patched:
        patched.setattr(Trail, "note", interrupted)
        part = pinn.solve(pde, domain, checkpoint=path, max_time=60, progress=False)
    done = pinn.solve(pde, domain, checkpoint=path, max_time=60, progress=False)
    assert not part.converged and done.converged and "no network was trained" in done.result
    assert read_arrays(path)[0]["kind"] == "local"


def test_a_start_that_does_not_agree_with_the_walls():
    """Cold inside, a wall that is hot at once: a layer without thickness at the start."""
    u = field("u", x, y, t)
    walls = Dirichlet(u, 1, on="x_min"), Dirichlet(u, 0, on="x_max"), Neumann(u, 0, on=("y_min", "y_max"))
    pde = PDE(u.t - laplacian(u), Initial(u, 0), *walls)
    solution = pinn.solve(pde, SQUARE, pinn.Local(1e-3), progress=False)
    a, b, c = drawn(SQUARE)
    k = np.pi * np.arange(1, 200)[:, None]
    expected = 1 - a - np.sum(2 / k * np.sin(k * a) * np.exp(-(k**2) * c), axis=0)
    late = c > 0.05
    assert rms((solution.u(a, b, c) - expected)[late]) < 3e-3 * rms(expected)
    assert rms(solution.u(a, b, c) - expected) < 2e-2 * rms(expected)
    assert any("less accurate" in note for note in solution.notes)


def test_a_last_step_that_is_too_long_is_shortened():
    pde, exact = front(0.05)
    statement, out = state(compile(pde, SQUARE)), Adapted(tolerance=1e-4)
    steps, step = [], Stepper.step

    def once(self, at, dt):
        found = step(self, at, dt)
        if found is not None and at.t + dt > 0.5 - 1e-9:  # reaches the end
            steps.append(dt)
            found.error = 1.3e-4 if dt > 0.95 * steps[0] else 1e-5
        return found

    method = pinn.Local(1e-4)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Stepper, "step", once)
        march_in_steps(out, statement, method.basis(statement), 1e-4, monotonic() + 60, lambda said: None, monotonic() + 60)
    assert out.complete and len(steps) < 5 and out.history[-1]["t"] == pytest.approx(0.5)
