"""Tables: splines that interpolate, converge at their order, and differentiate exactly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp
from scipy.interpolate import make_interp_spline

from sciml import Box, Rectangle, pinn, solvers
from sciml.pde import PDE, Dirichlet, Initial, coordinates, d, div, field, grad, lower, table

x, y, z, t = coordinates("x y z t")


def evaluate(expression, **points):
    with jax.enable_x64(True):
        lowered = lower([expression], coordinates=(x, y, z))
        return np.asarray(jax.jit(lowered)({name: jnp.asarray(points[name]) for name in lowered.leaves})[0])


def test_agrees_with_scipy_and_its_derivatives():
    rng = np.random.default_rng(0)
    xs = np.sort(rng.uniform(-1, 2, 12))
    values = rng.normal(size=12)
    reference = make_interp_spline(xs, values, k=5)
    k = table("k", xs, values)(x)
    points = np.concatenate([xs, rng.uniform(xs[0], xs[-1], 50)])
    for order in range(5):
        expression = k.diff(x, order) if order else k
        expected = reference(points, nu=order)
        np.testing.assert_allclose(
            evaluate(expression, x=points), expected, atol=1e-11 * np.abs(expected).max()
        )


@pytest.mark.parametrize("order", [0, 1, 2])
def test_order_of_convergence(order):
    points = np.linspace(0.05, 0.95, 101)
    errors = []
    for n in (16, 32, 64):
        xs = np.linspace(0, 1, n + 1)
        k = table("k", xs, np.sin(6 * xs))(x)
        exact = [np.sin(6 * points), 6 * np.cos(6 * points), -36 * np.sin(6 * points)][order]
        errors.append(np.abs(evaluate(k.diff(x, order) if order else k, x=points) - exact).max())
    slopes = np.log2(np.divide(errors[:-1], errors[1:]))
    assert slopes[-1] > 5.5 - order


def test_tensor_products_reproduce_polynomials():
    xs, ys, zs = np.linspace(0, 1, 9), np.linspace(-1, 1, 8), np.linspace(0, 2, 7)

    def f(a, b, c):
        return a**5 * b**2 - b**5 + a * b * c**4 + 2

    values = f(*np.meshgrid(xs, ys, zs, indexing="ij"))
    k = table("k", (xs, ys, zs), values)(x, y, z)
    rng = np.random.default_rng(1)
    a, b, c = rng.uniform(0, 1, 40), rng.uniform(-1, 1, 40), rng.uniform(0, 2, 40)
    np.testing.assert_allclose(evaluate(k, x=a, y=b, z=c), f(a, b, c), atol=1e-12)
    mixed = evaluate(k.diff(x, y, 2), x=a, y=b, z=c)
    np.testing.assert_allclose(mixed, 5 * a**4 * 2, atol=1e-9)


def test_two_routes_to_the_same_derivative():
    xs, ys = np.linspace(0, 1, 9), np.linspace(-1, 1, 8)
    k = table("k", (xs, ys), np.sin(xs[:, None] * ys) + ys**3)(x, y)
    a, b = np.linspace(0.02, 0.97, 20), np.linspace(-0.9, 0.95, 20)
    with jax.enable_x64(True):
        slope = jax.jit(jax.vmap(jax.grad(type(k).callable, argnums=1)))(a, b)
    np.testing.assert_allclose(slope, evaluate(k.diff(y), x=a, y=b), atol=1e-12)


def test_beyond_its_smoothness_is_an_error():
    xs = np.linspace(0, 1, 9)
    k = table("k", xs, xs**2)(x)
    k.diff(x, 4)
    with pytest.raises(ValueError, match=r"only 4 continuous derivatives.*degree=7"):
        k.diff(x, 5)
    table("k", xs, xs**2, degree=7)(x).diff(x, 5)
    short = table("k", [0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 4.0, 9.0])(x)
    np.testing.assert_allclose(evaluate(short, x=[0.5, 2.5]), [0.25, 6.25])
    with pytest.raises(ValueError, match="only 2"):
        short.diff(x, 3)


def test_ends_and_outside():
    xs = np.linspace(0.1, 0.7, 11)
    k = table("k", xs, np.cos(xs))(x)
    np.testing.assert_allclose(evaluate(k, x=xs), np.cos(xs), atol=1e-14)
    inside = evaluate(k, x=[0.1 - 1e-8, 0.7 + 1e-8])
    assert np.isfinite(inside).all() and np.isnan(evaluate(k, x=[0.0, 0.8])).all()
    single = lower([k], coordinates=(x,))({"x": jnp.asarray(xs, jnp.float32)})[0]
    assert single.dtype == jnp.float32 and np.isfinite(single).all()
    np.testing.assert_allclose(single, np.cos(xs), atol=1e-6)


@pytest.mark.parametrize(
    ("grids", "values", "message"),
    [
        ([0.0, 1.0, 0.5], [1.0, 2.0, 3.0], "increasing"),
        ([0.0, 1.0], [1.0, 2.0, 3.0], "shape"),
        ([0.0, 1.0], [1.0, np.nan], "NaN"),
        (([0.0, 1.0], [0.0, 1.0]), [1.0, 2.0], "shape"),
        ([0.0, 1.0], [1.0, 2.0j], "complex"),
        ([0.0], [1.0], "at least 2"),
    ],
)
def test_bad_tables(grids, values, message):
    with pytest.raises(ValueError, match=message):
        table("k", grids, values)


def test_inside_an_equation():
    u = field("u", x)
    xs = np.linspace(0, 1, 9)
    k = table("k", xs, 1 + xs**2)(x)
    pde = PDE(k * u.xx + k.diff(x) * u.x)
    assert pde.functions == {} and "k(x)*u.xx" in repr(pde)


EDGES = [-10, -6, -2, 2, 6, 10]


def blocks():
    return np.random.default_rng(0).uniform(1, 9, (5, 5))


def test_blocks_are_nested_piecewise():
    """The coefficient of Poisson2D-MS (arXiv 2306.08827), 5 x 5 blocks; a grid of x and y is evaluated like points."""
    values = blocks()
    k = table("k", (EDGES, EDGES), values, degree=0)(x, y)
    columns = [sp.Piecewise(*((v, y < e) for v, e in zip(row, EDGES[1:-1])), (row[-1], True)) for row in values]
    written = sp.Piecewise(*((c, x < e) for c, e in zip(columns, EDGES[1:-1])), (columns[-1], True))
    a, b = np.linspace(-9.9, 9.9, 23)[:, None], np.linspace(-10, 9.5, 19)
    np.testing.assert_array_equal(evaluate(k, x=a, y=b), evaluate(written, x=a, y=b))
    assert np.isnan(evaluate(k, x=[-10.1, 11.0], y=[0.0, 0.0])).all()
    layers = table("k", [0, 0.2, 1], [400.0, 1.4], degree=0)(x)
    assert evaluate(layers, x=[0.0, 0.19, 0.2, 1.0]).tolist() == [400, 400, 1.4, 1.4]


def test_with_as_many_points_as_values_the_nearest_holds():
    k = table("k", [0.0, 1.0, 3.0], [5.0, 6.0, 7.0], degree=0)(x)
    assert evaluate(k, x=[0.0, 0.4, 0.6, 1.9, 2.1, 3.0]).tolist() == [5, 5, 6, 6, 7, 7]


def test_blocks_jump():
    """They have no derivative, a flux with them is not expanded, but its order is known; they are saved and come back."""
    k = table("k", (EDGES, EDGES), blocks(), degree=0)(x, y)
    with pytest.raises(ValueError, match=r"constant on blocks.*div\(flux\).*degree=5"):
        k.diff(x)
    u = field("u", x, y)
    pde = PDE(div(k * grad(u)) + 1, Dirichlet(u, 0))
    assert pde.order(u, x) == 2
    with pytest.raises(ValueError, match="not smooth"):
        lower([pde.equations[0].expression], coordinates=(x, y))
    with pytest.raises(ValueError, match="jumps"):
        pinn.compile(pde, Rectangle((-10, -10), (10, 10)))
    again = PDE.from_json(pde.to_json())
    assert again == pde
    with pytest.raises(ValueError, match="edges of blocks are one more"):
        table("k", EDGES, np.ones(7), degree=0)


def test_blocks_in_a_flux_bring_finite_volumes():
    v = field("v", x, t)
    k = table("k", [0, 0.5, 1], [1.0, 4.0], degree=0)(x)
    walls = (Dirichlet(v, 1, on="x_min"), Dirichlet(v, 0, on="x_max"))
    heat = PDE(v.t - d(k * v.x, x), Initial(v, 1 - x), *walls)
    problem = solvers.compile(heat, Box(x=(0, 1), t=(0, 2)), grid=20)
    assert isinstance(problem.spacings["x"], solvers.Volumes)  # pyright: ignore
