"""Every mistake has a message: what was expected, what came, what to do. All before anything is compiled."""

import jax
import jax.numpy as jnp
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
    Observed,
    Periodic,
    coordinates,
    field,
    fields,
    function,
    laplacian,
    nn,
    pinn,
    solvers,
)

x, y, t = coordinates("x y t")
u = field("u", x, t)
w = field("w", x, y)
heat = u.t - u.xx
start, walls = Initial(u, 0), Dirichlet(u, 0)
place = Box(x=(0, 1), t=(0, 1))
square = Box(x=(0, 1), y=(0, 1))


@pytest.fixture(autouse=True)
def nothing_is_trained(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("training began before the mistake was found")

    for name in ("train", "attempt"):
        monkeypatch.setattr(f"sciml.pinn._solve.{name}", refuse)


def refused(kind, *parts):
    """The message has every part."""
    return pytest.raises(kind, match="(?s)" + ".*".join(parts))


def solve(*items, on=place, **options):
    return pinn.solve(PDE(*items), on, progress=False, **options)


def test_unknown_coordinate():
    z = coordinates("z")
    with refused(ValueError, "depends on the coordinate z, but no field does", "must have it among their"):
        solve(heat + z, start, walls)
    with refused(ValueError, "the coordinates x, z, t, but no field depends on z", "Remove it"):
        solve(heat, start, walls, on=Box(x=(0, 1), t=(0, 1), z=(0, 1)))
    with refused(ValueError, "y"):
        solve(laplacian(w), Dirichlet(w, 0), on=Box(x=(0, 1)))
    with refused(ValueError, "q"):
        solve(heat, start, walls, Neumann(u, 0, on={"q": 0}))
    with refused(ValueError, "symbol q is not known", "parameter"):
        solve(heat + sp.Symbol("q"), start, walls)


def test_a_part_that_does_not_exist():
    with refused(
        ValueError, "'dirichlet w on hole'", "no part 'hole'", "its parts are 'x_min', 'x_max', 'y_min', 'y_max'"
    ):
        solve(laplacian(w), Dirichlet(w, 0, on="hole"), on=square)
    with refused(ValueError, "'dirichlet u on x_min and t_min'", "no part 't_min'", "'x_min', 'x_max'"):
        solve(heat, start, Dirichlet(u, 0, on=("x_min", "t_min")))
    with refused(ValueError, "not in the domain"):
        solve(laplacian(w), Dirichlet(w, 0), Condition(w - 1, on={"x": 5, "y": 0}), on=square)


def test_missing_initial_condition():
    with refused(ValueError, "initial value of u is missing", "order 1 in t", r"Add Initial\(u, ...\)"):
        solve(heat, walls)
    with refused(ValueError, "time derivative of order 1 of u is missing", r"Initial\(u, ..., order=1\)"):
        solve(u.tt - u.xx, start, walls)


def test_missing_boundary_condition():
    with refused(
        ValueError, "No boundary condition for u on x_min, x_max", "derivatives of u along x", "Add Dirichlet"
    ):
        solve(heat, start)
    with refused(ValueError, "No boundary condition for w on y_max", r"Dirichlet\(w, 0, on='y_max'\)"):
        solve(laplacian(w), Dirichlet(w, 0, on=("x_min", "x_max", "y_min")), on=square)
    with refused(ValueError, "No boundary condition for w"):
        solve(laplacian(w), on=Disk(center=(0, 0), radius=1))


def test_contradictory_conditions():
    with refused(ValueError, "dirichlet u on x_min"):
        solve(heat, start, Dirichlet(u, 0, on="x_min"), Dirichlet(u, 1, on="x_min"), Dirichlet(u, 0, on="x_max"))
    with refused(ValueError, "initial u"):
        solve(heat, start, Initial(u, 1), walls)
    with refused(ValueError, "eriodic"):
        solve(heat, start, Periodic(x), Dirichlet(u, 0))


@pytest.mark.parametrize(
    "both",
    [
        (Dirichlet(u, 0, name="a"), Dirichlet(u, 1, on="x_min", name="b")),
        (Dirichlet(u, 0, on=("x_min", "x_max"), name="a"), Dirichlet(u, t, on="x_min", name="b")),
        (Dirichlet(u, 0, name="a"), Dirichlet(u, 1, name="b")),
    ],
)
def test_contradictory_values_on_one_face(both):
    with refused(ValueError, "'a'", "'b'", "prescribe", "on=..."):
        solve(heat, start, *both)


def test_more_fields_than_equations():
    a, b = fields("a b", x, y)
    with refused(ValueError, "more fields than equations: 2 unknown functions", "1 equation", "one equation for each"):
        solve(laplacian(a) + b, Dirichlet(a, 0), on=square)


def test_wrong_network_sizes():
    with refused(ValueError, "2", "1"):
        solve(heat, start, walls, network=nn.MLP(2, 2, width=4, depth=1, key=0))
    with refused(ValueError, "3", "2"):
        solve(heat, start, walls, network=nn.MLP(3, 1, width=4, depth=1, key=0))
    with refused(ValueError, "RandomFeatures was built with periodic=", r"Build it with periodic=\(0,\)"):
        solve(heat, start, Periodic(x), network=nn.RandomFeatures(2, 1, features=10))
    with refused(TypeError, "object"):
        solve(heat, start, walls, network=object())


def test_nan_in_data():
    points = np.array([[0.1, 0.2], [0.3, 0.4]])
    for bad_points, values, noise in (
        (points, [1.0, np.nan], None),
        (np.where(points == 0.3, np.inf, points), [1.0, 2.0], None),
        (points, [1.0, 2.0], np.nan),
    ):
        with refused(ValueError, "(NaN|nan|finite|inf)"):
            solve(heat, start, walls, Observed(u, bad_points, values, noise=noise))
    with refused(ValueError, "(NaN|nan|finite)"):
        solve(heat, Initial(u, (np.linspace(0, 1, 5), np.array([0, 1, np.nan, 1, 0]))), walls)
    with refused(ValueError, "(NaN|nan|finite)"):
        solve(heat, start, Dirichlet(u, np.nan))
    with refused(ValueError, "1 observed points lie outside", "first is row 1", r"\[3.0, 0.4\]"):
        solve(heat, start, walls, Observed(u, [[0.1, 0.2], [3.0, 0.4]], [1.0, 2.0]))


def test_a_value_that_is_not_finite_on_the_boundary():
    with refused(ValueError, "(NaN|nan|finite|inf)"):
        solve(heat, Initial(u, sp.log(x - 0.5)), walls)


def test_time_on_a_domain_without_it():
    with refused(ValueError, "t"):
        solve(heat, start, walls, on=Box(x=(0, 1)))
    with refused(ValueError, "t"):
        solve(w.xx + w.yy, Dirichlet(w, 0), on=Box(x=(0, 1), y=(0, 1), t=(0, 1)))


def test_bool_as_equation():
    with refused(TypeError, "bool", "sp.Eq"):
        solve(u.t == u.xx, start, walls)
    with refused(TypeError, "bool is no equation", "sp.Eq"):
        solve(heat, start, walls, Condition(u.x == 0, on="x_min"))


@pytest.mark.parametrize("name", ["plot", "error", "save", "result", "integrate", "diff", "func"])
def test_reserved_field_names(name):
    with refused((ValueError, AttributeError), name):
        field(name, x, t)


def test_a_derivative_that_the_network_cannot_give():
    relu = nn.MLP(2, 1, width=4, depth=2, activation=jax.nn.relu, key=0)
    with refused(ValueError, "deriv", "(tanh|smooth)"):
        solve(heat, start, walls, network=relu)

    class Constant:
        pass

    with refused((ValueError, TypeError), "."):
        solve(heat, start, walls, network=Constant)


def test_arguments_of_solve():
    pde = PDE(heat, start, walls)
    for options, message in (
        ({"max_time": 0}, "max_time=0; expected a positive number"),
        ({"points": -3}, "points=-3; expected a positive number"),
        ({"tolerance": -1.0}, "tolerance=-1.0; expected zero or a positive number"),
    ):
        with refused(ValueError, message):
            pinn.solve(pde, place, **options)
    with refused(TypeError, "first argument is a sciml.PDE", r"PDE\(u.t - u.xx"):
        pinn.solve(heat, place)
    with refused(TypeError, "second argument is where the equation holds", r"Box\(x=", "dict came"):
        pinn.solve(pde, {"x": (0, 1)})
    with refused(ValueError, "no penalised block 'initial'", "no weight"):
        pinn.solve(pde, place, weights={"initial": 1.0})
    with refused(TypeError, "pinn.compile"):
        jax.vmap(lambda s: pinn.solve(pde, place, tolerance=s, progress=False))(jnp.ones(2))


def test_conditions_where_there_is_no_boundary():
    c = coordinates("t")
    v = field("v", c)
    with refused(ValueError, "holds on a boundary, but the domain", "Use Initial"):
        pinn.solve(PDE(v.t + v, Initial(v, 1), Condition(v - 1)), Box(t=(0, 1)), progress=False)
    with refused(ValueError, "needs a Box"):
        pinn.solve(PDE(laplacian(w), Periodic(x, y)), Disk(center=(0, 0), radius=1), progress=False)


def test_periodicity_of_one_field_only():
    a, b = fields("a b", x, t)
    with refused(ValueError, "makes some fields periodic in x but not b", r"Periodic\(x\)"):
        pinn.solve(PDE(a.t - b.x, b.t - a.x, Initial(a, 0), Initial(b, 0), Periodic(a, x)), place, progress=False)


@pytest.mark.parametrize("solve", [pinn.compile, solvers.compile], ids=["pinn", "solvers"])
def test_numbers_that_cannot_be_squared(solve):
    tall = function("tall", lambda x: 1e-200 * jnp.sin(jnp.pi * x))
    sine = sp.sin(sp.pi * x)
    for amplitude, coefficient, size in (
        (1e-200, 1, "1.00E-200"),
        (1e200, 1, r"1.00E\+200"),
        (sp.Integer(10) ** 400, 1, r"1.00E\+400"),
        (1, 1e200, r"1.00E\+200"),
    ):
        pde = PDE(u.t - coefficient * u.xx, Initial(u, amplitude * sine), Dirichlet(u, 0))
        with pytest.raises(ValueError, match=f"has a number of the size {size}.*divide the equation by its size"):
            solve(pde, Box(x=(0, 1), t=(0, 1)))
    if solve is pinn.compile:
        with pytest.raises(ValueError, match="'u' has a number of the size .*E-201"):
            solve(PDE(u.t - u.xx, Initial(u, tall(x)), Dirichlet(u, 0)), Box(x=(0, 1), t=(0, 1)))
