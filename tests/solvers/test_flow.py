"""Incompressible flow with walls, openings and obstacles."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp

import sciml
from sciml import Box, Dirichlet, Disk, Initial, Neumann, Periodic, Rectangle, Time, catalogue, solvers
from sciml.solvers._grid import GridFinal
from sciml.solvers.flow import read_flow
from sciml.solvers.flow._pressure import pinned


def walls(steady=True, nu=0.1, **options):
    flow = catalogue.navier_stokes(nu=nu, steady=steady, **options)
    return flow, *flow.fields, *flow.coordinates[:2]


def test_poiseuille():
    """Parabolas are exact for second differences, so only the iteration to rest is left."""
    flow, u, v, p, x, y = walls(nu=1.0)
    pde = flow.with_conditions(
        Dirichlet(u, 4 * y * (1 - y), on="x_min"), Dirichlet(v, 0, on="x_min"),
        Dirichlet((u, v), (0, 0), on=("y_min", "y_max")),
        Neumann((u, v), (0, 0), on="x_max"), Dirichlet(p, 0, on="x_max"),
    )  # fmt: skip
    found = solvers.solve(pde, Box(x=(0, 2), y=(0, 1)), grid={"x": 16, "y": 12}, progress=False)
    assert found.converged
    # What an opening holds is not moved afterwards, as it is where the flow is closed.
    risen = GridFinal(found.final.axes, None, found.final.values + 1.0, found.final.rates)
    flow = solvers.compile(pde, found.domain, grid={"x": 16, "y": 12}).flow
    for parts, rise in ((False, 1.0), (True, 0.0)):
        moved = pinned(found.pde, found.domain, flow, risen, parts=parts).values - found.final.values
        np.testing.assert_allclose(moved[:, 2], rise, atol=0.05)
    s = np.linspace(0, 2, 9)[:, None]
    r = np.linspace(0, 1, 7)
    np.testing.assert_allclose(found.u(s, r), 4 * r * (1 - r) + 0 * s, atol=0.02)
    np.testing.assert_allclose(found.p(1.0, 0.5), 8.0, rtol=0.02)


def test_kovasznay_on_chebyshev_points():
    """Re 40, exact formula of ../shared/reference/pinn.md."""
    flow, u, v, p, x, y = walls(nu=1 / 40)
    rate = 20 - np.sqrt(400 + 4 * np.pi**2)
    wave = 2 * sp.pi * y
    a = 1 - sp.exp(rate * x) * sp.cos(wave)
    b = rate / (2 * sp.pi) * sp.exp(rate * x) * sp.sin(wave)
    q = (1 - sp.exp(2 * rate * x)) / 2
    pde = flow.with_conditions(Dirichlet((u, v), (a, b)), Dirichlet(p, q.subs(x, 0), on={"x": 0, "y": 0}))
    found = solvers.solve(pde, Box(x=(-0.5, 1), y=(-0.5, 0.5)), grid=solvers.Chebyshev(24), progress=False)
    exact = {
        "u": lambda x, y: 1 - np.exp(rate * x) * np.cos(2 * np.pi * y),
        "v": lambda x, y: rate / (2 * np.pi) * np.exp(rate * x) * np.sin(2 * np.pi * y),
        "p": lambda x, y: (1 - np.exp(2 * rate * x)) / 2,
    }
    assert float(found.error(exact)) < 1e-8


@pytest.mark.slow
def test_a_periodic_channel_driven_by_a_force():
    flow, u, v, p, x, y = walls(steady=False, nu=0.5, force=(1, 0))
    pde = flow.with_conditions(Initial((u, v), (0, 0)), Periodic(x), Dirichlet((u, v), (0, 0), on=("y_min", "y_max")))
    errors = []
    for n in (12, 24):
        found = solvers.solve(pde, Box(x=(0, 1), y=(0, 1), t=(0, 6)), grid={"x": 8, "y": n}, save_at=[6], progress=False)
        errors.append(np.max(np.abs(found.u(0.3, np.array([0.25, 0.5]), 6.0) / [0.1875, 0.25] - 1)))
    assert errors[1] < 6e-3 and abs(np.log2(errors[0] / errors[1]) - 2) < 0.2, errors


def cavity(n, nu=0.01):
    flow, u, v, p, x, y = walls(nu=nu)
    pde = flow.with_conditions(
        Dirichlet((u, v), (1, 0), on="y_max"), Dirichlet((u, v), (0, 0), on=("x_min", "x_max", "y_min")),
        Dirichlet(p, 0, on={"x": 0, "y": 0}),
    )  # fmt: skip
    return solvers.solve(pde, Box(x=(0, 1), y=(0, 1)), grid=n, progress=False)


@pytest.mark.slow
def test_the_cavity_at_re_100(monkeypatch):
    """Extrema of Marchi et al. (2009), ../shared/reference/solvers.md. Half as many cells first, as fine grids do: what comes
    from there is so close that few steps are left."""
    monkeypatch.setattr("sciml.solvers.flow._solve.FINE", 48)
    found = cavity(48)
    assert found.stats["steps"] <= 5
    s = np.linspace(0, 1, 401)
    across, along = found.u(0.5, s), found.v(s, 0.5)
    extrema = [across.min(), along.max(), along.min()]
    np.testing.assert_allclose(extrema, [-0.2140417, 0.1795728, -0.2538030], rtol=8e-3)
    assert abs(found.p(0.0, 0.0)) < 1e-9


def test_it_agrees_with_the_spectral_solver_and_converges_with_order_two():
    """Taylor-Green between walls that move with it."""
    errors = []
    for n in (12, 24):
        flow, u, v, p, x, y = walls(steady=False, nu=0.05)
        t = flow.time
        decay = sp.exp(-0.1 * t)
        a, b = -sp.cos(x) * sp.sin(y) * decay, sp.sin(x) * sp.cos(y) * decay
        pde = flow.with_conditions(Initial((u, v), (a.subs(t, 0), b.subs(t, 0))), Dirichlet((u, v), (a, b)))
        found = solvers.solve(pde, Box(x=(0, 3), y=(0, 2), t=(0, 1)), grid=n, save_at=[1], progress=False)
        s, r = np.meshgrid(np.linspace(0.2, 2.8, 9), np.linspace(0.2, 1.8, 9))
        errors.append(np.max(np.abs(found.u(s, r, 1.0) + np.cos(s) * np.sin(r) * np.exp(-0.1))))
    assert errors[1] < 2e-3 and np.log2(errors[0] / errors[1]) > 1.6, errors


@pytest.mark.slow
def test_a_box_in_three_dimensions():
    """A duct of square section driven by a force: u at its middle is 0.0736713 f a^2 / nu (series of Boussinesq 1868)."""
    flow = catalogue.navier_stokes(nu=0.5, force=(1, 0, 0), dimension=3)
    (u, v, w, _), (x, *_) = flow.fields, flow.coordinates
    duct = flow.with_conditions(
        Initial((u, v, w), (0, 0, 0)), Periodic(x), Dirichlet((u, v, w), (0, 0, 0), on=("y_min", "y_max", "z_min", "z_max"))
    )
    place = Box(x=(0, 1), y=(0, 1), z=(0, 1), t=(0, 4))
    found = solvers.solve(duct, place, grid={"x": 8, "y": 16, "z": 16}, save_at=[4], progress=False)
    assert abs(found.u(0.3, 0.5, 0.5, 4.0) / (0.0736713 / 0.5) - 1) < 0.02
    assert abs(found.v(0.3, 0.4, 0.3, 4.0)) < 1e-9


def cylinder(grid, mean=0.3):
    flow, u, v, p, x, y = walls(nu=1e-3)
    pde = flow.with_conditions(
        Dirichlet((u, v), (4 * mean * y * (0.41 - y) / 0.41**2, 0), on="x_min"),
        Dirichlet((u, v), (0, 0), on=("y_min", "y_max", "hole")),
        Neumann((u, v), (0, 0), on="x_max"), Dirichlet(p, 0, on="x_max"),
    )  # fmt: skip
    place = Rectangle((0, 0), (2.2, 0.41)) - Disk((0.2, 0.2), 0.05, name="hole")
    return solvers.compile(pde, place, grid=grid), pde, place


@pytest.mark.slow
def test_drag_of_a_cylinder_in_a_channel():
    """Schaefer-Turek 2D-1, c_D = 5.5795, on a coarse grid."""
    _, pde, place = cylinder(None)
    found = solvers.solve(pde, place, grid={"x": 96, "y": 40}, progress=False)
    drag = 2 * found.stats["force"][0] / (0.2**2 * 0.1)
    assert abs(drag / 5.57953523384 - 1) < 0.06, drag
    # On the surface itself, where the pressure inside the obstacle means nothing.
    assert abs(float(found.p(0.15, 0.2) - found.p(0.25, 0.2)) / 0.11752016697 - 1) < 0.05


def test_the_flow_is_at_rest_on_an_obstacle_and_has_no_divergence():
    problem, *_ = cylinder({"x": 64, "y": 24})
    d = problem.discrete
    with sciml.float64():
        started = lambda u: d.start(u, jnp.asarray(0.0), {})  # noqa: E731
        missed, divergence = jax.jit(lambda u: [f(started(u)) for f in (d.missed, d.divergence)])(problem.initial())
        # Where all faces of a cell are forced, div u = 0 and rest are one condition too many.
        assert float(np.max(np.abs(missed))) < 1e-3 * 0.3
        assert float(np.max(np.abs(divergence))) < 1e-9


@pytest.mark.slow
def test_gradients_through_flows_equal_finite_differences():
    """With respect to viscosity, what holds at a wall, the force and the initial velocity: between walls, and past an obstacle
    to an opening."""
    nu, lid, push = (sciml.parameter(n, initial=v) for n, v in (("nu", 0.05), ("lid", 1.0), ("push", 0.2)))
    r = sciml.coordinates("y")
    flow, u, v, p, x, y = walls(steady=False, nu=nu, force=(push * sp.sin(r), 0))
    start, rest = Initial((u, v), (0, 0)), lambda *on: Dirichlet((u, v), (0, 0), on=on)
    closed = flow.with_conditions(start, Dirichlet((u, v), (lid * sp.sin(sp.pi * x) ** 2, 0), on="y_max"), rest("x_min", "x_max", "y_min"))  # noqa: E501
    opened = flow.with_conditions(start, Dirichlet((u, v), (lid * y * (1 - y), 0), on="x_min"), rest("y_min", "y_max", "hole"), Neumann((u, v), (0, 0), on="x_max"), Dirichlet(p, 0, on="x_max"))  # noqa: E501
    square = Box(x=(0, 1), y=(0, 1), t=(0, 1))
    channel = (Rectangle((0, 0), (1, 1)) - Disk((0.4, 0.5), 0.15, name="hole")) * Time(0, 1)
    for pde, place, n in ((closed, square, 8), (opened, channel, 16)):
        problem = solvers.compile(pde, place, grid=n)
        bump = np.sin(np.pi * problem.axes[0].points)[:, None] * np.sin(2 * np.pi * problem.axes[1].points)

        def loss(q, problem=problem, bump=bump):
            given = {"nu": q[0], "lid": q[1], "push": q[2]}
            found = problem.run(jnp.stack([q[3] * bump, 0 * bump]), given, save_at=(0, 0.05), steps=4)
            return jnp.sum(found[-1, :2] ** 2)

        with sciml.float64():
            q = jnp.array([0.05, 1.0, 0.2, 0.1])
            value = jax.jit(jax.value_and_grad(loss))
            for e, g in zip(np.eye(4), value(q)[1], strict=True):
                one, two = (float(value(q + h * e)[0] - value(q - h * e)[0]) / (2 * h) for h in (1e-3, 2e-3))
                np.testing.assert_allclose(g, (4 * one - two) / 3, rtol=1e-6)


def test_what_is_a_flow():
    assert read_flow(catalogue.navier_stokes(nu=0.3, rho=2, steady=True)).factor == sp.Rational(1, 2)
    flow = read_flow(catalogue.navier_stokes(nu=0.3, force=(1, 0)))
    assert flow.velocities == ("u", "v") and flow.force == (1, 0) and flow.inertia
    assert read_flow(catalogue.heat(alpha=1)) is None and read_flow(catalogue.vorticity_streamfunction(nu=1)) is None


def test_explain_says_how_a_flow_is_divided():
    flow, u, v, p, x, y = walls()
    pde = flow.with_conditions(Dirichlet((u, v), (1, 0), on="y_max"), Dirichlet((u, v), (0, 0), on=("x_min", "x_max", "y_min")))
    square = Box(x=(0, 1), y=(0, 1))
    assert "8 x 8 staggered cells" in solvers.explain(pde, square, grid=8)
    assert "12 chebyshev points" in solvers.explain(pde, square, grid=solvers.Chebyshev(12))


def test_what_does_not_fit_is_told():
    flow, u, v, p, x, y = walls()
    rest = Dirichlet((u, v), (0, 0), on=("x_max", "y_min", "y_max"))
    shut = flow.with_conditions(Dirichlet((u, v), (1, 0), on="x_min"), rest)
    with pytest.raises(ValueError, match="no end is open"):
        solvers.solve(shut, Box(x=(0, 1), y=(0, 1)), grid=8, progress=False)
    with pytest.raises(ValueError, match="needs a box"):
        solvers.solve(flow.with_conditions(Dirichlet((u, v), (0, 0))), Disk((0, 0), 1), progress=False)
    still = flow.with_conditions(Dirichlet((u, v), (0, 0)))
    with pytest.raises(ValueError, match="Nothing moves"):
        solvers.solve(still, Box(x=(0, 1), y=(0, 1)), grid=8, progress=False)
    with pytest.raises(NotImplementedError, match="the pressure is zero where the flow is open"):
        solvers.solve(still.with_conditions(Dirichlet(p, 1, on="x_min")), Box(x=(0, 1), y=(0, 1)), grid=8, progress=False)
    with pytest.raises(ValueError, match="method=.*would change nothing"):
        solvers.solve(still, Box(x=(0, 1), y=(0, 1)), solvers.ETDRK4(), grid=8, progress=False)
    with pytest.raises(TypeError, match="expected what solvers.compile makes of an equation in time"):
        solvers.rollout(solvers.compile(still, Box(x=(0, 1), y=(0, 1)), grid=8), np.zeros((1, 8, 8)), save_at=[0, 1])
    with pytest.raises(ValueError, match="at least 8"):
        solvers.solve(still, Box(x=(0, 1), y=(0, 1)), grid=4, progress=False)
