"""PDEs on grids: exact solutions, orders of convergence, and what goes wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp

import sciml
from sciml import (
    PDE,
    Box,
    Dirichlet,
    Disk,
    Initial,
    Neumann,
    Periodic,
    Robin,
    Solution,
    catalogue,
    coordinates,
    field,
    fields,
    parameter,
    solvers,
)

x, t = coordinates("x t")
u = field("u", x, t)
STILL = field("w", x)

nu = parameter("nu", initial=0.1)
BURGERS = PDE(u.t + u * u.x - nu * u.xx, Initial(u, -sp.sin(x)), Periodic())
RING = Box(x=(0, 2 * np.pi), t=(0, 1))


def error(pde, domain, exact, **options):
    return float(solvers.solve(pde, domain, progress=False, **options).error(exact))


# Periodic boxes -------------------------------------------------------------------------------------------------------


def test_kdv_soliton():
    exact = lambda x, t: 0.5 / np.cosh((np.mod(x - t + 20, 40) - 20) / 2) ** 2  # noqa: E731
    kdv = PDE(u.t + 6 * u * u.x + u.xxx, Initial(u, sp.Rational(1, 2) / sp.cosh(x / 2) ** 2), Periodic())
    assert error(kdv, Box(x=(-20, 20), t=(0, 4)), exact, rtol=1e-11) < 1e-8


def test_a_complex_field():
    psi = field("psi", x, t, complex=True)
    start = Initial(psi, sp.exp(sp.I * x) / sp.cosh(x))
    bright = PDE(sp.I * psi.t + psi.xx / 2 + sp.Abs(psi) ** 2 * psi, start, Periodic())
    # On a ring of 12 pi, exp(i x) repeats.
    ring = Box(x=(-6 * np.pi, 6 * np.pi), t=(0, 1))
    exact = lambda x, t: np.exp(1j * x) / np.cosh(x - t)  # noqa: E731
    assert error(bright, ring, exact, rtol=1e-10) < 1e-6


def test_a_wave_is_of_second_order_in_time():
    wave = PDE(u.tt - 4 * u.xx, Initial(u, sp.sin(x)), Initial(u, 0, order=1), Periodic())
    assert error(wave, Box(x=(0, 2 * np.pi), t=(0, 1)), lambda x, t: np.sin(x) * np.cos(2 * t)) < 1e-10


def test_variable_coefficients_and_time_dependent_forcing():
    """Manufactured: u = sin(x - t) with the coefficient 2 + cos(x)."""
    c = 2 + sp.cos(x)
    wanted = sp.sin(x - t)
    source = wanted.diff(t) - c * wanted.diff(x, x) + wanted**2
    pde = PDE(u.t - c * u.xx + u**2 - source, Initial(u, sp.sin(x)), Periodic())
    assert "mean" in solvers.explain(pde, Box(x=(0, 2 * np.pi), t=(0, 1)))
    assert error(pde, Box(x=(0, 2 * np.pi), t=(0, 1)), lambda x, t: np.sin(x - t), grid=32) < 1e-6


def test_two_dimensions_of_unequal_sides_and_coupled_fields():
    y = coordinates("y")
    a, b = fields("a b", x, y, t)
    pde = PDE(
        a.t - a.xx - a.yy - b, b.t - b.xx - b.yy + a,
        Initial(a, sp.sin(x) * sp.cos(2 * y)), Initial(b, 0), Periodic(),
    )  # fmt: skip
    found = solvers.solve(pde, Box(x=(0, 2 * np.pi), y=(0, np.pi), t=(0, 0.3)), progress=False, grid={"x": 16, "y": 12})
    shape = lambda x, y, t: np.sin(x) * np.cos(2 * y) * np.exp(-5 * t)  # noqa: E731
    exact = {"a": lambda x, y, t: shape(x, y, t) * np.cos(t), "b": lambda x, y, t: -shape(x, y, t) * np.sin(t)}
    assert float(found.error(exact)) < 1e-8
    slope = -2 * np.cos(0.3) * np.sin(0.8) * np.exp(-0.5) * np.cos(0.1)
    np.testing.assert_allclose(found.a.xy(0.3, 0.4, 0.1), slope, rtol=1e-6)


def test_taylor_green_in_both_forms():
    """Pressure is eliminated and comes back; the stream function follows from the vorticity."""
    box = Box(x=(0, 2 * np.pi), y=(0, 2 * np.pi), t=(0, 1))
    decay = lambda t: np.exp(-0.2 * t)  # noqa: E731
    flow = catalogue.navier_stokes(nu=0.1)
    a, b, _ = flow.fields
    s, r, _ = flow.coordinates
    flow = flow.with_conditions(Initial((a, b), (-sp.cos(s) * sp.sin(r), sp.sin(s) * sp.cos(r))), Periodic())
    found = solvers.solve(flow, box, grid=16, save_at=np.linspace(0, 1, 11), progress=False)
    exact = {
        "u": lambda x, y, t: -np.cos(x) * np.sin(y) * decay(t),
        "v": lambda x, y, t: np.sin(x) * np.cos(y) * decay(t),
        "p": lambda x, y, t: -(np.cos(2 * x) + np.cos(2 * y)) / 4 * decay(t) ** 2,
    }
    assert float(found.error(exact)) < 1e-10
    assert max(np.abs(found.residual(128)["momentum_x"])) < 1e-8
    swirl = catalogue.vorticity_streamfunction(nu=0.1)
    omega, _ = swirl.fields
    swirl = swirl.with_conditions(Initial(omega, 2 * sp.cos(s) * sp.cos(r)), Periodic())
    found = solvers.solve(swirl, box, grid=16, save_at=np.linspace(0, 1, 11), progress=False)
    assert float(found.error({"psi": lambda x, y, t: np.cos(x) * np.cos(y) * decay(t)})) < 1e-10


def test_a_beltrami_flow_in_three_dimensions():
    """Arnold, Beltrami and Childress: the vorticity is the velocity, which decays as exp(-nu t)."""
    flow = catalogue.navier_stokes(nu=0.5, dimension=3)
    *velocities, _ = flow.fields
    a, b, c, _ = flow.coordinates
    start = (sp.sin(c) + sp.cos(b), sp.sin(a) + sp.cos(c), sp.sin(b) + sp.cos(a))
    pde = flow.with_conditions(Initial(tuple(velocities), start), Periodic())
    box = Box(x=(0, 2 * np.pi), y=(0, 2 * np.pi), z=(0, 2 * np.pi), t=(0, 0.5))
    problem = solvers.compile(pde, box, grid=8)
    found = problem.run(save_at=(0, 0.5), steps=8)[-1]
    mesh = np.meshgrid(*(axis.points for axis in problem.axes), indexing="ij")
    exact = np.stack([sp.lambdify((a, b, c), e, "numpy")(*mesh) for e in start]) * np.exp(-0.25)
    np.testing.assert_allclose(found, exact, atol=1e-9)


METHODS = [(solvers.ETDRK2(), 2), (solvers.ETDRK4(), 4), (solvers.IMEX4(), 4), (solvers.Implicit5(), 5)]


@pytest.fixture(scope="module")
def fronts():
    """Burgers' equation on a ring and between walls, and what it comes to at t = 1."""
    walled = PDE(*BURGERS.equations, Initial(u, -sp.sin(x)), Dirichlet(u, 0))
    problems = [solvers.compile(pde, RING, grid=24) for pde in (BURGERS, walled)]
    return [(problem, problem.run(save_at=(0, 1), steps=400)[-1]) for problem in problems]


@pytest.mark.parametrize(("method", "order"), METHODS)
@pytest.mark.parametrize("walls", [False, True])
def test_order_of_the_steppers(fronts, method, order, walls):
    problem, exact = fronts[walls]
    # t = 1 after 16 and after 32 steps, by one compiled program: how many there are is what is compiled.
    coarse, fine = (problem.run(save_at=times, steps=16, method=method) for times in ((0, 1, 2), (0, 0.5, 1)))
    slope = np.log2(np.linalg.norm(coarse[1] - exact) / np.linalg.norm(fine[2] - exact))
    assert abs(slope - order) < 0.3, slope


def test_values_derivatives_integrals_and_files(tmp_path):
    pde = PDE(u.t - u.xx / 10, Initial(u, sp.exp(sp.sin(x))), Periodic())
    found = solvers.solve(pde, Box(x=(0, 2 * np.pi), t=(0, 1)), progress=False)
    s = np.linspace(0.1, 6, 7)
    np.testing.assert_allclose(found.u(s, 0.0), np.exp(np.sin(s)), rtol=1e-9)
    np.testing.assert_allclose(found.u.t(s, 0.437), found.u.xx(s, 0.437) / 10, rtol=1e-6, atol=1e-8)
    assert max(np.abs(found.residual(256)["equation"])) < 1e-6
    np.testing.assert_allclose(found.integrate(found.pde["u"], t=0.9), 7.954926521012845, rtol=1e-8)
    loaded = Solution.load(found.save(tmp_path / "heat.npz"))
    np.testing.assert_array_equal(loaded.u(s, 0.3), found.u(s, 0.3))
    with sciml.float64():
        slope = jax.jit(jax.grad(lambda a: found.u(a, 0.5)))(jnp.asarray(1.0))
    np.testing.assert_allclose(slope, found.u.x(1.0, 0.5), rtol=1e-9)


# Walls ----------------------------------------------------------------------------------------------------------------

# cos k x with k tan k = 1
ROBIN = 0.8603335890193798
WALLS = {
    "dirichlet": (sp.sin(sp.pi * x), lambda x: np.sin(np.pi * x), np.pi, lambda u: [Dirichlet(u, 0)]),
    "neumann": (sp.cos(sp.pi * x), lambda x: np.cos(np.pi * x), np.pi, lambda u: [Neumann(u, 0)]),
    "mixed": (sp.sin(sp.pi * x / 2), lambda x: np.sin(np.pi * x / 2), np.pi / 2, lambda u: [Dirichlet(u, 0, on="x_min"), Neumann(u, 0, on="x_max")]),  # noqa: E501
    "robin": (sp.cos(ROBIN * x), lambda x: np.cos(ROBIN * x), ROBIN, lambda u: [Neumann(u, 0, on="x_min"), Robin(u, 1, 1, 0, on="x_max")]),  # noqa: E501
}  # fmt: skip


def test_heat_with_every_kind_of_wall():
    """One field for each kind, in one solve."""
    several = dict(zip(WALLS, fields("a b c e", x, t), strict=True))
    held = [c for kind, v in several.items() for c in (Initial(v, WALLS[kind][0]), *WALLS[kind][3](v))]
    pde = PDE(*(v.t - v.xx for v in several.values()), *held)
    found = solvers.solve(pde, Box(x=(0, 1), t=(0, 0.3)), grid=24, progress=False)
    for kind, v in several.items():
        _, shape, k, _ = WALLS[kind]
        exact = {v.field_name: lambda x, t, shape=shape, k=k: shape(x) * np.exp(-(k**2) * t)}
        assert float(found.error(exact)) < 1e-8, kind


@pytest.mark.parametrize("kind", ["mixed", "robin"])  # of the three kinds, at both ends
def test_waves_with_every_kind_of_wall(kind):
    start, shape, k, walls = WALLS[kind]
    wave = PDE(u.tt - u.xx, Initial(u, start), Initial(u, 0, order=1), *walls(u))
    assert error(wave, Box(x=(0, 1), t=(0, 1)), lambda x, t: shape(x) * np.cos(k * t), grid=24) < 1e-8


def test_walls_that_move_in_time():
    exact = lambda x, t: np.exp(-t) * np.sin(x) + x * t  # noqa: E731
    pde = PDE(
        u.t - u.xx - x, Initial(u, sp.sin(x)),
        Dirichlet(u, 0, on="x_min"), Dirichlet(u, sp.exp(-t) * sp.sin(2) + 2 * t, on="x_max"),
    )  # fmt: skip
    assert error(pde, Box(x=(0, 2), t=(0, 1)), exact, grid=24) < 1e-7


def test_a_solution_in_space_and_time_may_be_given_for_the_initial_value():
    exact = sp.exp(-t) * sp.sin(x)
    found = solvers.solve(PDE(u.t - u.xx, Initial(u, exact), Periodic()), Box(x=(0, 2 * np.pi), t=(0.5, 1)), progress=False)
    assert abs(found.u(1.0, 1.0) - np.exp(-1) * np.sin(1)) < 1e-6


def test_burgers_with_walls():
    """Against the formula of Cole and Hopf for an exact travelling front."""
    nu = 0.05
    front = lambda x, t, xp=np: 0.5 - 0.5 * xp.tanh((x - 0.5 * t) / (4 * nu))  # noqa: E731
    wanted = sp.Rational(1, 2) - sp.tanh((x - t / 2) / (4 * nu)) / 2
    pde = PDE(u.t + u * u.x - nu * u.xx, Initial(u, wanted.subs(t, 0)), Dirichlet(u, wanted))
    assert error(pde, Box(x=(-1, 1), t=(0, 0.5)), front, grid=64) < 1e-7


def test_a_channel_periodic_one_way():
    y = coordinates("y")
    w = field("w", x, y, t)
    pde = PDE(w.t - w.xx - w.yy, Initial(w, sp.sin(x) * sp.cos(y)), Periodic(x), Neumann(w, 0, on=("y_min", "y_max")))
    found = solvers.solve(pde, Box(x=(0, 2 * np.pi), y=(0, np.pi), t=(0, 0.5)), progress=False, grid=16)
    assert float(found.error(lambda x, y, t: np.sin(x) * np.cos(y) * np.exp(-2 * t))) < 1e-8


def test_steady_equations():
    """Poisson in one solve, a nonlinear one by Newton, both to the resolution that the automatic grid finds."""
    y = coordinates("y")
    a, b = field("a", x, y), field("b", x)
    poisson = PDE(a.xx + a.yy + 2 * sp.sin(x) * sp.sin(y), Dirichlet(a, 0))
    found = solvers.solve(poisson, Box(x=(0, np.pi), y=(0, np.pi)), progress=False)
    assert float(found.error(lambda x, y: np.sin(x) * np.sin(y))) < 1e-9 and found.stats["steps"] <= 3
    bratu = PDE(b.xx - b**2 - (2 - (x**2 + 1) ** 2), Dirichlet(b, x**2 + 1))
    found = solvers.solve(bratu, Box(x=(-1, 2)), progress=False)
    assert float(found.error(lambda x: x**2 + 1)) < 1e-9
    found = solvers.solve(PDE(b.xx - sp.cos(x), Neumann(b, 0)), Box(x=(0, 2 * np.pi)), progress=False)
    assert float(found.error(lambda x: -np.cos(x))) < 1e-9 and "up to a constant" in found.notes[0]


# What goes wrong ---------------------------------------------------------------------------------------------------------


def test_a_blow_up_returns_the_last_good_state():
    grows = PDE(u.t - u.xx - u**2, Initial(u, 5 + sp.sin(x)), Periodic())
    with pytest.raises(FloatingPointError, match=r"blew up, or became NaN, after t = 0\.1"):
        solvers.solve(grows, RING, progress=False, grid=64)
    found = solvers.solve(grows, RING, progress=False, grid=64, throw=False)
    assert not found.converged and 0.1 < found.final.times[-1] < 0.21 and np.all(np.isfinite(found.final.values))


def test_a_grid_that_is_too_coarse():
    steep = PDE(u.t + u * u.x - 0.01 * u.xx, Initial(u, sp.exp(-200 * (x - 3) ** 2)), Periodic())
    with pytest.raises(ValueError, match="too coarse for the initial value"):
        solvers.solve(steep, RING, grid=16, progress=False)
    found = solvers.solve(PDE(u.t + u * u.x - 0.002 * u.xx, Initial(u, sp.sin(x)), Periodic()), Box(x=(0, 2 * np.pi), t=(0, 2)), grid=32, progress=False)  # noqa: E501
    assert "too coarse" in found.result


K = parameter("k", initial=1.0)
PARABOLA = PDE(u.t - K * u.xx, Initial(u, x * (1 - x)), Dirichlet(u, 0)), Box(x=(0, 1), t=(0, 0.1))


@pytest.mark.parametrize("of", ["parameters", pytest.param("initial", marks=pytest.mark.slow)])
def test_inside_a_transformation_it_says_what_to_do_and_that_works(of):
    pde, domain = PARABOLA
    given = {"parameters": lambda k: {"k": k}, "initial": lambda k: {"u": k * jnp.ones(16)}}[of]
    with pytest.raises(TypeError, match="cannot be called inside jit") as told:
        jax.grad(lambda k: solvers.solve(pde, domain, grid=16, progress=False, **{of: given(k)}).u(0.5, 0.1))(1.0)
    names = {"solvers": solvers, "sciml": sciml, "jax": jax, "pde": pde, "domain": domain}
    *lines, call = str(told.value).split("\n\n")[1].rstrip().splitlines()
    exec("\n".join([line[4:] for line in lines] + [f"        slope = {call.strip()}"]), names)
    problem, slope = names["problem"], np.asarray(names["slope"])
    start = problem.run(save_at=(0, 0.1))[0]
    bump = np.sin(3 * problem.axes[0].points) if of == "initial" else 0.0
    end = lambda h: problem.run(start + h * bump, {"k": 1 + h * (of == "parameters")}, save_at=(0, 0.1))[-1].mean()  # noqa: E731
    np.testing.assert_allclose(np.sum(slope * (bump if of == "initial" else 1)), (end(1e-3) - end(-1e-3)) / 2e-3, rtol=1e-5)


def test_solve_is_refused_inside_jit():
    for pde, domain in (PARABOLA, (PDE(STILL.xx + 1, Dirichlet(STILL, 0)), Box(x=(0, 1)))):
        with pytest.raises(TypeError, match="cannot be called inside jit|steady equation has no"):
            jax.jit(lambda pde=pde, domain=domain: solvers.solve(pde, domain, progress=False).final.values)()


def test_an_initial_state_with_nan_is_told():
    pde = PDE(u.t - u.xx, Initial(u, 0), Periodic())
    with pytest.raises(ValueError, match=r"initial\['u'\] holds NaN"):
        solvers.solve(pde, RING, grid=16, initial={"u": np.full(16, np.nan)}, progress=False)
    with pytest.raises(ValueError, match="initial holds infinite"):
        solvers.compile(pde, RING, grid=16).run(np.full((1, 16), np.inf), save_at=(0, 1))


def test_only_fourier_grids_claim_to_dealias():
    walled = PDE(*BURGERS.equations, Initial(u, -sp.sin(x)), Dirichlet(u, 0))
    assert "dealiasing" in solvers.explain(BURGERS, RING, grid=24)
    assert "dealiasing" not in solvers.explain(walled, RING, grid=24)


@pytest.mark.slow
def test_automatic_grids_resolve_what_develops():
    pde = PDE(u.t + u * u.x - 0.05 * u.xx, Initial(u, sp.sin(x)), Periodic())
    found = solvers.solve(pde, Box(x=(0, 2 * np.pi), t=(0, 1.5)), progress=False)
    assert found.stats["tail"] < 1e-7 and found.stats["grid"][0] > 64


y = coordinates("y")
v = field("v", x, y, t)


@pytest.mark.parametrize(
    ("pde", "domain", "options", "message"),
    [
        (PDE(u.t - u.xx, Initial(u, 0), Periodic()), Box(x=(0, 1)), {}, "is not in the domain"),
        (PDE(v.t - v.xx, Initial(v, 0), Dirichlet(v, 0)), Disk((0, 0), 1) * sciml.Time(0, 1), {}, "needs a Box"),
        (PDE(u.t - u.xx, Initial(u, 0)), Box(x=(0, 1), t=(0, 1)), {}, "No boundary condition for u"),
        (PDE(u.t - u.xx, Initial(u, 0), Periodic()), RING, {"grid": 2}, "at least 4"),
        (PDE(u.t - u.xx, Initial(u, 0), Periodic()), RING, {"grid": {"y": 8}}, "one number of points for each of x"),
        (PDE(u.t - u.xx, Initial(u, 0), Periodic()), RING, {"method": solvers.Radau()}, "method is an object"),
        (PDE(u.t - u.xx, Initial(u, 0), Periodic()), RING, {"save_at": [0.5, 0.2]}, "increasing times"),
        (PDE(u.t - u.xx, Initial(u, 0), Periodic()), RING, {"parameters": {"k": 1}}, "k is no parameter"),
        (PDE(u.t**2 - u.xx, Initial(u, 0), Periodic()), RING, {}, "not linear in its highest time derivative"),
        (PDE(u.t - u.xxt - u.xx, Initial(u, 0), Periodic()), RING, {}, "inside a spatial one"),
    ],
)
def test_bad_combinations_are_told(pde, domain, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        solvers.solve(pde, domain, progress=False, **options)
