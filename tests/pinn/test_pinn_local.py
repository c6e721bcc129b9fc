"""`pinn.Local`: polynomials on patches of space in windows of time."""

import jax
import numpy as np
import pytest
import sympy as sp
from scipy.optimize import brentq

from sciml import (
    PDE,
    Ball,
    Box,
    Condition,
    Dirichlet,
    Disk,
    Initial,
    Neumann,
    Observed,
    Periodic,
    Polygon,
    Rectangle,
    Solution,
    Time,
    coordinates,
    d,
    field,
    fields,
    laplacian,
    nn,
    normal,
    pinn,
)
from sciml.geometry import PointCloud
from sciml.pinn.local._basis import Legendre, chebyshev, product
from sciml.pinn.local._normal import Rows, block_least_squares
from sciml.pinn.local._patches import faces, halves, merged

x, y, z, t = coordinates("x y z t")
u = field("u", x, t)
NU = 0.01 / np.pi


def burgers(nu: float = NU) -> PDE:
    return PDE(u.t + u * u.x - nu * u.xx, Initial(u, -sp.sin(sp.pi * x)), Dirichlet(u, 0))


def cole(x: np.ndarray, t: np.ndarray, nu: float = NU) -> np.ndarray:
    """The solution of `burgers` (Cole and Hopf)."""
    z, w = np.polynomial.hermite.hermgauss(120)
    at = x[:, None] - np.sqrt(4 * nu * t[:, None]) * z
    weight = w * np.exp(-(1 + np.cos(np.pi * at)) / (2 * np.pi * nu))
    return -(weight * np.sin(np.pi * at)).sum(axis=1) / weight.sum(axis=1)


def rms(values) -> float:
    return float(np.sqrt(np.mean(np.asarray(values) ** 2)))


@pytest.fixture(scope="module")
def front() -> Solution:
    return pinn.solve(burgers(), Box(x=(-1, 1), t=(0, 1)), pinn.Local(1e-6), progress=False)


def test_a_front_of_burgers_is_solved_to_eight_digits_and_the_estimate_tells_how_well(front):
    """Published networks reach 1.6e-8 (`benchmarks/pinn`)."""
    at = np.random.default_rng(0).uniform((-1, 0.01), (1, 1), (4000, 2)).T
    exact = cole(*at)
    error = rms(front.u(*at) - exact) / rms(exact)
    assert error < 2e-8
    assert error / 5 < front.estimate_error().value < 5 * error
    assert front.converged and "no network was trained" in front.result
    assert front.stats["windows"] > 3 and front.stats["patches"] > 8
    assert front.conditions["initial u"] < 1e-7 and front.conditions["continuity"] < 1e-6


def test_derivatives_are_those_of_the_polynomials(front):
    at = np.random.default_rng(1).uniform((-0.9, 0.1), (0.9, 0.9), (50, 2)).T
    residual = front.u.t(*at) + front.u(*at) * front.u.x(*at) - NU * front.u.xx(*at)
    assert rms(residual) < 1e-4 * rms(front.u.x(*at))
    step = 1e-5
    slope = (front.u(at[0] + step, at[1]) - front.u(at[0] - step, at[1])) / (2 * step)
    assert rms(slope - front.u.x(*at)) < 1e-4 * rms(slope)


def test_it_is_saved_and_loaded_whole(front, tmp_path):
    front.save(tmp_path / "front.npz")
    again = Solution.load(tmp_path / "front.npz")
    at = np.random.default_rng(2).uniform((-1, 0), (1, 1), (30, 2)).T
    np.testing.assert_array_equal(again.u(*at), front.u(*at))
    np.testing.assert_array_equal(again.u.x(*at), front.u.x(*at))


@pytest.mark.slow
def test_the_default_answers_with_patches_where_waves_do_not_resolve():
    solution = pinn.solve(burgers(0.02), Box(x=(-1, 1), t=(0, 0.5)), max_time=120, progress=False)
    at = np.random.default_rng(3).uniform((-1, 0.01), (1, 0.5), (2000, 2)).T
    assert rms(solution.u(*at) - cole(*at, 0.02)) < 1e-7
    assert "no network was trained" in solution.result


def test_a_system_with_time_derivatives_of_second_order():
    """Two strings coupled by springs: u = cos(pi t) sin(pi x) + cos(w t) sin(pi x), v the difference, w^2 = pi^2 + 2 k."""
    k = 3.0
    u, v = fields("u v", x, t)
    w = np.sqrt(np.pi**2 + 2 * k)
    pde = PDE(
        u.tt - u.xx + k * (u - v), v.tt - v.xx + k * (v - u),
        Initial(u, 2 * sp.sin(sp.pi * x)), Initial(v, 0), Initial(u.t, 0), Initial(v.t, 0), Dirichlet(u, 0), Dirichlet(v, 0),
    )  # fmt: skip
    solution = pinn.solve(pde, Box(x=(0, 1), t=(0, 2)), pinn.Local(1e-7), progress=False)
    at = np.random.default_rng(4).uniform((0, 0), (1, 2), (500, 2)).T
    shape, both, apart = np.sin(np.pi * at[0]), np.cos(np.pi * at[1]), np.cos(w * at[1])
    assert rms(solution.u(*at) - (both + apart) * shape) < 1e-6
    assert rms(solution.v(*at) - (both - apart) * shape) < 1e-6


def test_periodic_transport_for_many_periods():
    pde = PDE(u.t + u.x, Initial(u, sp.exp(sp.sin(2 * sp.pi * x))), Periodic(x))
    solution = pinn.solve(pde, Box(x=(0, 1), t=(0, 10)), pinn.Local(1e-8), progress=False)
    at = np.random.default_rng(5).uniform((0, 9), (1, 10), (300, 2)).T
    exact = np.exp(np.sin(2 * np.pi * (at[0] - at[1])))
    assert rms(solution.u(*at) - exact) < 1e-6 * rms(exact)


@pytest.mark.slow
def test_a_layer_in_two_dimensions_with_every_kind_of_condition():
    """u = tanh((x + y - 1) / 0.1) with the value, its slope, a relation of both and a nonlinear relation on the sides."""
    u = field("u", x, y)
    exact = sp.tanh((x + y - 1) / sp.Float(0.1))
    source = sp.diff(exact, x, 2) + sp.diff(exact, y, 2) - exact**3
    pde = PDE(
        laplacian(u) - u**3 - source,
        Dirichlet(u, exact, on="x_min"), Neumann(u, sp.diff(exact, x), on="x_max"),
        Condition(u.y - u - (sp.diff(exact, y) - exact), on="y_min"), Condition(u + u**3 - exact - exact**3, on="y_max"),
    )  # fmt: skip
    solution = pinn.solve(pde, Box(x=(0, 1), y=(0, 1)), pinn.Local(1e-6), max_time=60, progress=False)
    at = np.random.default_rng(6).uniform(size=(2, 1000))
    error = rms(solution.u(*at) - np.tanh((at[0] + at[1] - 1) / 0.1))
    assert error < 1e-5
    assert error / 10 < solution.estimate_error().value < 10 * error


def test_a_condition_at_a_point_inside_takes_the_place_of_one_on_the_boundary():
    u = field("u", x)
    pde = PDE(u.xx - 6 * x, Neumann(u, 3, on="x_max"), Dirichlet(u, 0.027, on={"x": 0.3}))
    solution = pinn.solve(pde, Box(x=(0, 1)), pinn.Local(), progress=False)
    at = np.linspace(0, 1, 21)
    np.testing.assert_allclose(solution.u(at), at**3, atol=1e-10)


def test_two_dimensions_in_time():
    u = field("u", x, y, t)
    pde = PDE(
        u.t + u.x + 0.5 * u.y - 0.01 * laplacian(u),
        Initial(u, sp.sin(sp.pi * x) * sp.cos(sp.pi * y)), Periodic(),
    )  # fmt: skip
    solution = pinn.solve(pde, Box(x=(-1, 1), y=(-1, 1), t=(0, 0.5)), pinn.Local(1e-4), progress=False)
    at = np.random.default_rng(7).uniform((-1, -1, 0), (1, 1, 0.5), (500, 3)).T
    a, b = at[0] - at[2], at[1] - 0.5 * at[2]
    exact = np.exp(-0.02 * np.pi**2 * at[2]) * np.sin(np.pi * a) * np.cos(np.pi * b)
    assert rms(solution.u(*at) - exact) < 1e-3 * rms(exact)


def test_what_patches_cannot_do_is_said():
    u = field("u", x, y)
    poisson = PDE(laplacian(u) + 1, Dirichlet(u, 0))
    with pytest.raises(ValueError, match="pinn.Local takes no network=..., weights=..., precision=float32: no network is"):
        pinn.solve(
            poisson, Disk((0, 0), 1), pinn.Local(), network=nn.MLP(2, 1), weights={"u": 2}, precision=np.float32, progress=False
        )
    rim = np.zeros((1, 2)), np.array([[1.0, 0.0]])
    cloud = PointCloud(np.random.default_rng(0).uniform(size=(50, 2)), boundary={"rim": rim})
    with pytest.raises(ValueError, match="the domain is a cloud of points"):
        pinn.solve(PDE(laplacian(u) + 1, Dirichlet(u, 0)), cloud, pinn.Local(), progress=False)
    v = field("v", x, y, t)
    data = Observed(v, np.array([[0.1, 0.1, 0.5]]), np.array([0.07]))
    warm = PDE(v.t - laplacian(v), Initial(v, 1), Dirichlet(v, 0), data)
    with pytest.raises(ValueError, match="there are data in time on a shape that is no box"):
        pinn.solve(warm, Disk((0, 0), 1) * Time(0, 1), pinn.Local(), progress=False)
    with pytest.raises(ValueError, match="known up to a constant"):
        pinn.solve(PDE(laplacian(u), Neumann(u, 0)), Box(x=(0, 1), y=(0, 1)), pinn.Local(), progress=False)
    with pytest.raises(ValueError, match="tolerance=-1.*between 0 and 1"):
        pinn.Local(-1)
    with pytest.raises(ValueError, match="degree=1;.*from 2 to 30"):
        pinn.Local(degree=1)


def inside(domain, names: tuple[str, ...], n: int = 2000) -> list[np.ndarray]:
    resolved = domain.resolve()
    points = resolved.sample(n, key=77)
    return [points[:, resolved.names.index(name)] for name in names]


@pytest.fixture(scope="module")
def holes():
    """Sources in two holes, one of which takes the normal derivative: harmonic outside."""
    u = field("u", x, y)
    exact = sp.log((x - 0.45) ** 2 + (y - 0.5) ** 2) - 2 * sp.log((x + 0.4) ** 2 + (y + 0.5) ** 2)
    shape = Rectangle((-1, -1), (1, 1)) - Disk((0.5, 0.5), 0.3, name="right") - Disk((-0.5, -0.5), 0.25, name="left")
    slope = sp.diff(exact, x) * normal(x) + sp.diff(exact, y) * normal(y)
    pde = PDE(
        laplacian(u), Dirichlet(u, exact, on=("x_min", "x_max", "y_min", "y_max", "left")), Neumann(u, slope, on="right")
    )
    return pinn.solve(pde, shape, pinn.Local(1e-6), progress=False), exact, shape


def test_patches_are_cut_by_holes(holes):
    solution, exact, shape = holes
    at = inside(shape, ("x", "y"))
    expected = sp.lambdify((x, y), exact)(*at)
    error = rms(solution.u(*at) - expected) / rms(expected)
    assert error < 1e-6
    assert error / 10 < solution.estimate_error().value < 10 * error
    assert np.isnan(solution.u(0.5, 0.5))
    slope = sp.lambdify((x, y), sp.diff(exact, x))(*at)
    assert rms(solution.u.x(*at) - slope) < 1e-5 * rms(slope)


def test_patches_are_drawn_on_request(holes):
    solution = holes[0]
    plain, drawn = solution.plot(n=20), solution.plot(n=20, patches=True)
    assert len(drawn.axes[0].collections) == len(plain.axes[0].collections) + 1
    lines = np.array(drawn.axes[0].collections[-1].get_segments())
    assert holes[2].resolve().contains(lines.mean(axis=1), atol=1e-9).all()  # none inside the holes
    cells, length = solution.final.cells(), np.abs(lines[:, 1] - lines[:, 0]).sum()
    around = 2 * (cells[:, :, 1] - cells[:, :, 0]).sum()
    assert 0.7 * around < length < around
    assert "then the network is trained" in pinn.explain(solution.pde, holes[2])
    assert "tried first" not in pinn.explain(solution.pde, holes[2], nn.MLP(2, 1))
    with pytest.raises(ValueError, match="patches=True, but this solution has none"):
        v = field("v", x)
        pinn.solve(PDE(v.xx + 1, Dirichlet(v, 0)), Box(x=(0, 1)), progress=False).plot(patches=True)


def test_a_corner_that_the_solution_is_singular_at():
    """u = r^(2/3) sin(2 angle / 3) around the corner of an L."""
    u = field("u", x, y)
    shape = Polygon([(-1, -1), (0, -1), (0, 0), (1, 0), (1, 1), (-1, 1)])
    angle = sp.Piecewise((sp.atan2(y, x) + 2 * sp.pi, sp.atan2(y, x) < -sp.Float(1e-9)), (sp.atan2(y, x), True))
    exact = (x**2 + y**2) ** sp.Rational(1, 3) * sp.sin(2 * angle / 3)
    solution = pinn.solve(PDE(laplacian(u), Dirichlet(u, exact)), shape, pinn.Local(1e-4), progress=False)
    at = inside(shape, ("x", "y"))
    expected = sp.lambdify((x, y), exact)(*at)
    assert rms(solution.u(*at) - expected) < 1e-4 * rms(expected)
    smallest = np.ptp(solution.final.cells()[:, 0], axis=1).min()
    assert smallest < 0.02  # many levels, at the corner only
    assert solution.stats["patches"] < 200


def test_a_shape_in_time():
    u = field("u", x, y, t)
    exact = sp.exp(-t) * sp.sin(x) * sp.cos(2 * y)
    shape = (Rectangle((-1, -1), (1, 1)) - Disk((0.2, 0.1), 0.4, name="hole")) * Time(0, 1)
    pde = PDE(u.t - sp.Rational(1, 5) * laplacian(u), Dirichlet(u, exact), Initial(u, exact.subs(t, 0)))
    solution = pinn.solve(pde, shape, pinn.Local(1e-5), progress=False)
    at = inside(shape, ("x", "y", "t"))
    expected = sp.lambdify((x, y, t), exact)(*at)
    assert rms(solution.u(*at) - expected) < 1e-5 * rms(expected)


def test_equations_without_a_time_derivative_take_no_start():
    """u'' = -pi^2 sin(pi x) cos(t): steady at each time."""
    exact = sp.sin(sp.pi * x) * sp.cos(t)
    pde = PDE(u.xx + sp.pi**2 * exact, Dirichlet(u, 0))
    solution = pinn.solve(pde, Box(x=(0, 1), t=(0, 1)), pinn.Local(1e-6), progress=False)
    at = np.random.default_rng(11).uniform(size=(2, 200))
    np.testing.assert_allclose(solution.u(*at), np.sin(np.pi * at[0]) * np.cos(at[1]), atol=1e-8)


def test_a_ball_out_of_a_cube():
    u = field("u", x, y, z)
    exact = sp.exp(x) * sp.cos(y) * z
    shape = Box(x=(-1, 1), y=(-1, 1), z=(-1, 1)) - Ball((0, 0, 0), 0.5)
    solution = pinn.solve(PDE(laplacian(u), Dirichlet(u, exact)), shape, pinn.Local(1e-3), progress=False)
    at = inside(shape, ("x", "y", "z"))
    expected = sp.lambdify((x, y, z), exact)(*at)
    assert rms(solution.u(*at) - expected) < 1e-5 * rms(expected)


def test_a_source_that_jumps_is_cut_there():
    """-u'' = 1 for x > 0.3: u = m x - (x - 0.3)_+^2 / 2."""
    u = field("u", x)
    solution = pinn.solve(PDE(u.xx + sp.Heaviside(x - 0.3), Dirichlet(u, 0)), Box(x=(0, 1)), pinn.Local(), progress=False)
    at = np.linspace(0, 1, 101)
    np.testing.assert_allclose(solution.u(at), 0.245 * at - np.maximum(at - 0.3, 0) ** 2 / 2, atol=1e-9)
    assert solution.stats["patches"] == 4


def test_what_does_not_reach_the_end_says_where_it_stopped_and_is_nan_beyond():
    with pytest.warns(UserWarning, match="pinn.Local: max_time was reached at t ="):
        solution = pinn.solve(burgers(1e-3 / np.pi), Box(x=(-1, 1), t=(0, 1)), pinn.Local(1e-12), max_time=9, progress=False)
    assert not solution.converged and solution.result.startswith("max_time was reached at t = ")
    until = float(solution.final._ends[-1])
    assert 0 < until < 1
    assert np.isfinite(solution.u(0.3, 0.5 * until)) and np.isnan(solution.u(0.3, 0.5 * (1 + until)))


def test_tables_of_derivatives_are_those_of_numpy():
    basis = Legendre((4, 3))
    z = np.random.default_rng(8).uniform(-1, 1, (7, 2))
    c = np.random.default_rng(9).normal(size=basis.size)
    full = np.zeros((5, 4))
    full[basis.index[:, 0], basis.index[:, 1]] = c * np.sqrt(np.prod(2 * basis.index + 1, axis=1))
    for alpha in ((0, 0), (1, 0), (2, 1), (0, 3)):
        expected = np.polynomial.legendre.legval2d(
            *z.T, np.polynomial.legendre.legder(np.polynomial.legendre.legder(full, alpha[0], axis=0), alpha[1], axis=1)
        )
        np.testing.assert_allclose(basis.table(z, alpha) @ c, expected, rtol=1e-12, atol=1e-12)
    assert Legendre((4, 4), total=True).size == 15
    with jax.enable_x64(True):
        np.testing.assert_allclose(basis.table(jax.numpy.asarray(z), (1, 1), jax.numpy), basis.table(z, (1, 1)), rtol=1e-12)


def test_blocks_are_solved_as_one_dense_problem():
    generator = np.random.default_rng(10)
    n, rows, dense = 4, [], []
    for blocks in [(0,), (1,), (2,), (3,), (0, 1), (1, 2), (2, 3), (3, 0), (0, 2)]:
        matrices = tuple(generator.normal(size=(6, n)) for _ in blocks)
        right = generator.normal(size=6)
        rows.append(Rows(blocks, matrices, right))
        full = np.zeros((6, 4 * n))
        for k, matrix in zip(blocks, matrices, strict=True):
            full[:, k * n : (k + 1) * n] = matrix
        dense.append((full, right))
    expected = np.linalg.lstsq(np.concatenate([a for a, _ in dense]), np.concatenate([b for _, b in dense]), rcond=None)[0]
    np.testing.assert_allclose(block_least_squares(rows, 4, n).ravel(), expected, rtol=1e-10, atol=1e-12)


def test_faces_of_patches_of_different_size():
    whole = np.array([[0.0, 1], [0, 1]])
    left, right = halves(whole, 0)
    boxes = np.array([left, *halves(right, 1)])
    found = list(faces(boxes, whole))
    inner = sorted((f.one, f.other, f.axis) for f in found if f.other is not None)
    assert inner == [(0, 1, 0), (0, 2, 0), (1, 2, 1)]
    (half,) = (f for f in found if (f.one, f.other) == (0, 2))
    np.testing.assert_allclose([half.low, half.high], [[0.5, 0.5], [0.5, 1.0]])
    outer = [f for f in found if f.other is None]
    assert np.isclose(sum(np.prod((f.high - f.low)[[1 - f.axis]]) for f in outer), 4.0)
    around = [(f.one, f.other, f.shift) for f in faces(boxes, whole, periodic=(0,)) if f.shift]
    assert sorted(around) == [(1, 0, 1.0), (2, 0, 1.0)]
    np.testing.assert_allclose(merged(boxes, whole[None], lambda box: box[0, 0] > 0.4)[-1], right)
    assert len(merged(boxes, np.array([left, right]), lambda box: True)) == 2  # a jump between them is no half
    assert len(product([chebyshev(3), chebyshev(2)])) == 6


@pytest.mark.parametrize("k", [sp.Piecewise((1, x < 0.3), (10, True)), 1 + 9 * sp.Heaviside(x - sp.Rational(3, 10))])
def test_a_coefficient_of_a_flux_that_jumps(k):
    """(k u')' = -1: the flux c - x is continuous, the slope jumps."""
    u = field("u", x)
    pde, domain = PDE(d(k * u.x, x) + 1, Dirichlet(u, 0)), Box(x=(0, 1))
    solution = pinn.solve(pde, domain, progress=False)
    assert "no network was trained" in solution.result
    assert solution.notes == ()
    c = (0.3**2 / 2 + (1 - 0.09) / 20) / (0.3 + 0.07)
    at = np.linspace(0, 1, 201)
    left = c * at - at**2 / 2
    expected = np.where(at < 0.3, left, c * 0.3 - 0.045 + (c * (at - 0.3) - (at**2 - 0.09) / 2) / 10)
    np.testing.assert_allclose(solution.u(at), expected, atol=1e-12)
    assert solution.conditions["continuity"] < 1e-12
    assert "patches that end where the flux along x jumps; nothing else" in pinn.explain(pde, domain)
    with pytest.raises(ValueError, match="the flux in .* jumps at x = 0.3"):  # a network takes derivatives at points
        pinn.solve(pde, domain, network=nn.MLP(1, 1), progress=False)
    with pytest.raises(FloatingPointError, match=r"were not found in time\. Give it more \(max_time"):
        pinn.solve(pde, domain, max_time=1, progress=False)


@pytest.mark.filterwarnings("ignore:Equation 'equation'. a coefficient of its highest derivatives jumps")
def test_a_coefficient_outside_of_a_flux_that_jumps():
    """k u'' = -1 with k = 1 up to 0.3 and 10 beyond: value and slope are continuous."""
    u, k = field("u", x), sp.Piecewise((1, x < 0.3), (10, True))
    solution = pinn.solve(PDE(k * u.xx + 1, Dirichlet(u, 0)), Box(x=(0, 1)), pinn.Local(), progress=False)
    at = np.linspace(0, 1, 201)
    # -u'' = 1/10 + 9/10 (x < 0.3), twice integrated, and a line to the end.
    bent = lambda s: s**2 / 20 + 0.45 * np.where(s < 0.3, s**2, 0.09 + 0.6 * (s - 0.3))  # noqa: E731
    np.testing.assert_allclose(solution.u(at), bent(1.0) * at - bent(at), atol=1e-12)


def test_two_materials_warm_up():
    """Conductivities 1 and 4 that meet at x = 1/2, from a mode of both together."""
    u, k = field("u", x, t), sp.Piecewise((1, x < sp.Rational(1, 2)), (4, True))
    # Equal values: sin(w/2) = B sin(w/4). Equal fluxes: w cos(w/2) = -4 B (w/2) cos(w/4).
    w = brentq(lambda w: np.tan(w / 4) + np.tan(w / 2) * 2, np.pi + 1e-6, 2 * np.pi - 1e-6)
    B = np.sin(w / 2) / np.sin(w / 4)
    mode = sp.Piecewise((sp.sin(w * x), x < sp.Rational(1, 2)), (B * sp.sin(w * (1 - x) / 2), True))
    pde = PDE(u.t - d(k * u.x, x), Initial(u, mode), Dirichlet(u, 0))
    solution = pinn.solve(pde, Box(x=(0, 1), t=(0, 0.05)), pinn.Local(1e-7), progress=False)
    at = np.linspace(0, 1, 101)
    expected = np.exp(-(w**2) * 0.05) * np.where(at < 0.5, np.sin(w * at), B * np.sin(w * (1 - at) / 2))
    assert rms(solution.u(at, np.full(101, 0.05)) - expected) < 1e-6 * rms(expected)
