"""What a user may write instead of the expected, and the sentence that says what to do where it cannot be taken."""

from decimal import Decimal
from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp

from sciml import Ball, Box, Disk, Interval, Rectangle, Time, pinn, solvers
from sciml.pde import PDE, Dirichlet, Initial, Robin, coordinates, field, laplacian, parameter

x, t = coordinates("x t")
u = field("u", x, t)
r, z = coordinates("r z")
v = field("v", r, z)
SPAN = Box(x=(0, 1), t=(0, 2))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (lambda: np.sin(x), sp.sin(x)),
        (lambda: np.exp(u), sp.exp(u)),
        (lambda: np.sqrt(parameter("k", initial=1.0)), sp.sqrt(parameter("k", initial=1.0))),
        (lambda: np.arctan2(u, 2), sp.atan2(u, 2)),
        (lambda: np.maximum(x, 0), sp.Max(x, 0)),
        (lambda: np.absolute(x), sp.Abs(x)),
        (lambda: np.square(x), x**2),
        (lambda: np.float64(2) * x, 2.0 * x),
        (lambda: jnp.float32(2) * x, 2.0 * x),
        (lambda: np.float32(2) - u, 2.0 - u),
        (lambda: (np.array([1.0, 2.0]) * x)[1], 2.0 * x),
        (lambda: np.dot(np.array([1, 2]), np.array([x, t])), x + 2 * t),
        (lambda: Dirichlet(u, Decimal("0.1")).value, sp.Rational(1, 10)),
        (lambda: Dirichlet(u, Fraction(1, 3)).value, sp.Rational(1, 3)),
        (lambda: Initial(u.t, 3), Initial(u, 3, order=1)),
        (lambda: Initial((u, u.tt), (1, 2)), (Initial(u, 1), Initial(u, 2, order=2))),
        (lambda: Dirichlet(u, 0, on=["x_min", "x_max"]).on, ("x_min", "x_max")),
    ],
)
def test_taken_as_it_is_meant(written, meant):
    assert written() == meant


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: jnp.sin(x), ValueError, r"x is a symbol of an equation.*sp.sin\(x\)"),
        (lambda: jnp.exp(u), ValueError, r"function\(name, callable\)"),
        (lambda: Dirichlet(u, Decimal("nan")), ValueError, "must be finite"),
        (lambda: Dirichlet(u, 0, on={"x": "half"}), TypeError, r"Dirichlet\(u\): .*x is a number there, got 'half'"),
        (lambda: Initial(u.x, 0), ValueError, r"u.x follows from Initial\(u, ...\)"),
        (lambda: Initial(u.t, 0, order=1), ValueError, "says the order already"),
        (lambda: Initial(field("q", x), 0), ValueError, r"coordinates are x \(space\)"),
        *(
            (lambda n=n: Initial(field("q", x, coordinates(n)), 0), ValueError, rf"coordinates\('{n}', role='time'\)")
            for n in ("T", "t1", "tau")
        ),
    ],
)
def test_refused_with_what_to_write(make, error, message):
    with pytest.raises(error, match=message):
        make()


HEAT = PDE(u.t - u.xx, Initial(u, 0), Dirichlet(u, 0))
PLATE = PDE(laplacian(v), Dirichlet(v, 0))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: pinn.compile(PLATE, Disk((0, 0), 1)), ValueError, r"Disk\(..., names=\('r', 'z'\)\)"),
        (lambda: pinn.compile(PLATE, Rectangle((0, 0), (1, 1))), ValueError, r"Rectangle\(..., names=\('r', 'z'\)\)"),
        (lambda: pinn.compile(PLATE, Disk((0, 0), 2) - Disk((0, 0), 1)), ValueError, r"Disk\(..., names=\('r', 'z'\)\)"),
        (lambda: pinn.compile(HEAT, Interval(0, 1, names="y") * Time(0, 1)), ValueError, r"Interval\(..., names=\('x',\)\)"),
        (lambda: pinn.compile(PLATE, Ball((0, 0, 0), 1)), ValueError, r"has x, y, z. Add it"),
        (
            lambda: pinn.compile(HEAT.with_conditions(Dirichlet(u, 1, on="t_max")), SPAN),
            ValueError,
            "measured at the end is data, Observed.*tau",
        ),
        (lambda: pinn.compile(HEAT.with_conditions(Dirichlet(u, 1, on="t_min")), SPAN), ValueError, "given by Initial"),
        (lambda: pinn.solve(HEAT, SPAN, key="seed"), TypeError, "key is a whole number or a JAX key; 'seed' came"),
        (
            lambda: solvers.compile(PLATE, Disk((0, 0), 1, names=("r", "z"))),
            ValueError,
            "needs a Box.*Use pinn.solve",
        ),
    ],
)
def test_refused_before_compiling(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_names_are_read_as_python_reads_them():
    """The micro sign in a string is the Greek letter in code, and the ligature fi two letters."""
    mu = coordinates("\N{MICRO SIGN}")
    w = field("u\N{LATIN SMALL LIGATURE FI}", mu)
    assert w.field_name == "ufi" and w.μ == w.diff(mu)
    box = Box({"\N{MICRO SIGN}": (0, 1)})
    assert box == Box({"\N{GREEK SMALL LETTER MU}": (0, 1)})
    pde = PDE(w.diff(mu, 2), Dirichlet(w, 0, on="\N{MICRO SIGN}_min"), Dirichlet(w, 0, on={"\N{MICRO SIGN}": 1}))
    assert pde["\N{MICRO SIGN}"] == mu and pde["u\N{LATIN SMALL LIGATURE FI}"] == w
    assert set(pinn.compile(pde, box).exactness.exact) == {pde.conditions[0].name}
    assert parameter("\N{MICRO SIGN}", initial=1).name == "\N{GREEK SMALL LETTER MU}"


def test_a_span_of_time_is_a_domain():
    s = field("s", t)
    assert pinn.compile(PDE(s.t - s, Initial(s, 1)), Time(0, 2)).domain.names == ("t",)


def test_time_by_any_name():
    tau = coordinates("tau", role="time")
    w = field("w", x, tau)
    problem = solvers.compile(PDE(w.tau - w.xx, Initial(w, 1), Dirichlet(w, 1)), Box(x=(0, 1), tau=(0, 1)), grid=8)
    np.testing.assert_allclose(problem.run(save_at=[0.0, 0.5], steps=2), 1, atol=1e-12)


def test_parameters_in_conditions():
    """The amplitude of the start, and the value at a wall: integrators take them by name."""
    a = parameter("a", initial=2.0)
    heat = PDE(u.t - u.xx, Initial(u, a * x), Dirichlet(u, 0, on="x_min"), Dirichlet(u, a, on="x_max"))
    problem = solvers.compile(heat, SPAN, grid=8)
    for value, given in ((2.0, None), (3.0, {"a": 3.0})):
        start = problem.initial(parameters=given)
        np.testing.assert_allclose(start[0], value * problem.axes[0].points[1:-1])
        np.testing.assert_allclose(problem.run(parameters=given, save_at=[0, 0.5], steps=2)[1, 0, -1], value, atol=1e-9)


def test_calls_of_a_solution_name_the_argument():
    solution = solvers.solve(HEAT.with_conditions(), SPAN, grid=8, steps=1, save_at=[0, 2], progress=False)
    for value in ("a", 0.5 + 1j):
        with pytest.raises((TypeError, ValueError), match="x"):
            solution.u(value, 0.1)
    assert solution.integrate("u", t=0.5) == 0


def test_names_of_conditions_on_many_parts_are_short():
    parts = [f"hole{i}" for i in range(11)]
    assert Robin(v, 1, 1, 5, on=parts).name == "robin v on hole0, ..., hole10 (11 parts)"
    assert Robin(v, 1, 1, 5, on=parts[:3]).name == "robin v on hole0 and hole1 and hole2"
