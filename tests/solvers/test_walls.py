"""What holds at a wall: conditions in other words, fields that take none, outlets of flows."""

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
    Polygon,
    Rectangle,
    Robin,
    coordinates,
    fields,
    laplacian,
    normal,
    solvers,
)
from sciml.solvers._system import State
from sciml.solvers.flow._outline import outline, wall_of
from sciml.solvers.spatial import ChebyshevAxis, DifferenceAxis
from sciml.statement._flow import read_flow
from sciml.statement._outlets import as_neumann, with_outlets
from sciml.statement._validate import resolve_domain
from sciml.statement._walls import Wall, read_wall, with_values

x, y, t = coordinates("x y t")
u, w = fields("u w", x, t)
v, m = fields("v m", x)
a, b, p = fields("a b p", x, y)
strip, line = Box(x=(0, 1), t=(0, 1)), Box(x=(0, 1))


@pytest.mark.parametrize(
    ("said", "side", "meant"),
    [
        (v.x + 5e4, -1, Wall(0, 1, 5e4)),  # heating of the lower end
        (v.x + 5e4, 1, Wall(0, 1, -5e4)),
        (2 * v - sp.sin(x), 1, Wall(1, 0, sp.sin(x) / 2)),
        (1e-14 * v.x - 3e-5, 1, Wall(0, 1, 3e9)),
        (2 * v.x + 3 * (v - 1), -1, Wall(3, -2, 3)),
        (normal(x) * v.x + v, -1, Wall(1, 1, 0)),
        (sp.Eq(v.x, 100 - v), 1, Wall(1, 1, 100)),
        (v**2 - 1, 1, None),
        (v.xx, 1, None),
    ],
)
def test_conditions_in_other_words(said, side, meant):
    pde = PDE(v.xx + 1)
    found = read_wall(Condition(said, on="x_max"), v, pde, x, side)
    if meant is None or found is None:
        assert found is meant
        return
    for mine, theirs in ((found.alpha, meant.alpha), (found.beta, meant.beta), (found.value, meant.value)):
        assert sp.Abs(mine - theirs).subs(x, 0.7) <= 1e-9 * (1 + sp.Abs(sp.sympify(theirs).subs(x, 0.7)))


def test_networks_hold_a_value_in_other_words_exactly():
    pde = PDE(u.t - u.xx, Initial(u, 0), Condition(2 * u - t, on="x_min", name="left"), Condition(u.x + u, on="x_max"))
    left, right = with_values(pde).conditions[1:]
    assert left == Dirichlet(u, t / 2, on="x_min", name="left") and right is pde.conditions[2]


def test_a_condition_in_other_words_is_solved():
    found = solvers.solve(PDE(v.xx + 1, Condition(normal(x) * v.x + v)), line, progress=False)
    meant = solvers.solve(PDE(v.xx + 1, Robin(v, 1, 1, 0)), line, progress=False)
    s = np.linspace(0, 1, 7)
    np.testing.assert_allclose(found.v(s), meant.v(s), atol=1e-13)
    np.testing.assert_allclose(meant.v(s), (1 + s - s**2) / 2, atol=1e-10)


MEMORY = PDE(
    u.t + u.x, w.t - u, Initial((u, w), (sp.sin(3 * x), 0)), Dirichlet(u, -sp.sin(3 * t), on="x_min")
)  # fmt: skip


@pytest.mark.parametrize("axis", [ChebyshevAxis(0.0, 2.0, 9), DifferenceAxis(0.0, 2.0, 12, 4)], ids=lambda a: a.kind)
def test_values_where_nothing_is_wanted_are_those_of_a_polynomial_through_the_points_inside(axis):
    z = axis.points
    for side, end in ((-1, 0.0), (1, 2.0)):
        weights = axis.beyond(side)
        assert weights[0] == weights[-1] == 0
        assert abs(weights @ (z**4 - 3 * z + 1) - (end**4 - 3 * end + 1)) < 1e-11


def test_nothing_is_wanted_where_a_field_leaves_nor_of_one_without_slopes():
    found = solvers.solve(MEMORY, strip, grid=20, save_at=[0, 0.5, 1], progress=False)
    s = np.linspace(0, 1, 9)
    assert np.abs(found.u(s, 1.0) - np.sin(3 * (s - 1))).max() < 1e-7
    assert np.abs(found.w(s, 1.0) - (np.cos(3 * (s - 1)) - np.cos(3 * s)) / 3).max() < 1e-7
    assert found.notes == ()


def test_a_storage_column_by_cells():
    """Thermal storage with a sine inlet (py-pde #557): ahead of the front nothing has changed."""
    column = PDE(
        u.t + u.x - (w - u), w.t - (w - u), Initial((u, w), 1), Dirichlet(u, sp.sin(t), on="x_min")
    )  # fmt: skip
    found = solvers.solve(column, Box(x=(0, 4), t=(0, 1)), grid=solvers.Volumes(120), save_at=[0, 1], progress=False)
    assert abs(found.u(3.0, 1.0) - 1) < 1e-6 and abs(found.w(3.0, 1.0) - 1) < 1e-6
    assert abs(found.u(0.85, 1.0) - (1 - np.exp(-1))) < 0.1  # just behind the front


def test_one_too_many_is_a_note():
    pde = PDE(*MEMORY.equations, *MEMORY.conditions, Neumann(u, 0, on="x_max"))
    with pytest.warns(UserWarning, match="One condition for u on x_max"):
        problem = solvers.compile(pde, strip, grid=12)
    assert "u leaves there" in problem.notes[0]


@pytest.mark.parametrize(
    ("items", "on", "kind", "message"),
    [
        ((v.xxxx + 1, Dirichlet(v, 0), Neumann(v, 0)), line, NotImplementedError, "order 4 of v along x, which take two"),
        ((v.xxxx + 1, Dirichlet(v, 0)), line, ValueError, "One boundary condition for v on x_min, x_max, where two"),
        ((u.t - u.xx, Initial(u, 0), Condition(u.x + u**2)), strip, ValueError, r"says .* = 0 on x_min\. On a grid"),
        (
            (u.t - u.xx, Initial(u, 0), Dirichlet(u, 0), Dirichlet(u, 1, on={"x": 0.5}, name="mid")),
            strip,
            ValueError,
            "'mid' holds at x = 0.5, a point inside",
        ),
        ((u.t + u.x, Initial(u, 0)), strip, ValueError, "No boundary condition for u on x_min: the equations carry"),
        ((u.t - u.xx, Initial(u, 0), Dirichlet(u, 0, on="t_max")), strip, ValueError, "'dirichlet u on t_max': .* tau"),
        ((v.xx, Dirichlet(v, 0, on="x_min"), Neumann(v, 0, on="x_min")), line, ValueError, "both hold for v on x_min"),
    ],
)
def test_messages(items, on, kind, message):
    with pytest.raises(kind, match=message):
        solvers.compile(PDE(*items), on, grid=16)


# Outlets --------------------------------------------------------------------------------------------------------------

CHANNEL = Rectangle((0, 0), (2.2, 0.41)) - Disk((0.2, 0.2), 0.05, name="cylinder")
EQUATIONS = (
    a * a.x + b * a.y + p.x - 0.05 * laplacian(a),
    a * b.x + b * b.y + p.y - 0.05 * laplacian(b),
    a.x + b.y,
)
WALLS = (
    Dirichlet((a, b), (4 * y * (0.41 - y) / 0.41**2, 0), on="x_min"),
    Dirichlet((a, b), 0, on=("y_min", "y_max", "cylinder")),
)
OUTLETS = {
    "stress": (Condition(0.05 * a.x - p, on="x_max", name="open outlet"), Neumann(b, 0, on="x_max")),
    "both": (Dirichlet(p, 0, on="x_max"), Neumann((a, b), 0, on="x_max")),
    "pressure": (Dirichlet(p, 0, on="x_max"),),
}


def read(outlet):
    """As the flow solver sees it: what holds at the outlet."""
    pde = PDE(*EQUATIONS, *WALLS, *OUTLETS[outlet])
    domain = resolve_domain(pde, CHANNEL)
    flow = read_flow(pde)
    assert flow is not None
    pde, notes = with_outlets(pde, domain, flow)
    there = [c for c in as_neumann(pde, domain, flow).conditions if c.on == "x_max"]
    return {(type(c).__name__, c.field.field_name, c.value) for c in there}, notes


def test_an_outlet_is_read_alike_in_all_words():
    natural = {("Neumann", "a", 0), ("Neumann", "b", 0), ("Dirichlet", "p", 0)}
    assert read("stress") == (natural, ()) and read("both") == (natural, ())
    found, notes = read("pressure")
    assert found == natural and "prescribed alone on x_max" in notes[0]


def test_a_stress_that_is_no_outlet_is_not_taken_for_one():
    pde = PDE(*EQUATIONS, *WALLS, Condition(0.1 * a.x - p, on="x_max"), Neumann(b, 0, on="x_max"))
    with pytest.raises(ValueError, match="says .* = 0 on x_max"):
        solvers.compile(pde, CHANNEL, grid=16)


STEP = Polygon([(0, 0), (4, 0), (4, 2), (2, 2), (2, 1), (0, 1)])


def test_a_step_drawn_as_a_polygon_is_a_box_less_a_corner():
    walls = Dirichlet((a, b), 0, on=tuple(f"edge_{i}" for i in (0, 2, 3, 4)))
    pde = PDE(*EQUATIONS, walls, Dirichlet(a, 4 * y * (1 - y), on="edge_5"), Dirichlet(b, 0, on="edge_5"))
    domain = resolve_domain(pde, STEP)
    found = outline(domain, pde)
    assert found.bounds == {"x": (0, 4), "y": (0, 2)} and np.array_equal(found.cut, [[0, 1], [2, 2]])
    assert found.outer == {"edge_0", "edge_1", "edge_2", "edge_5"}
    inlet = wall_of(pde, domain, State("a"), "x_min", found)
    assert inlet.alpha == 1 and [float(inlet.value.subs(y, q)) for q in (0.5, 1.5)] == [1.0, 0.0]


def test_a_polygon_with_slanted_sides_is_no_box():
    slanted = Polygon([(0, 0), (4, 0), (4, 2), (1, 2)])
    with pytest.raises(ValueError, match=r"Polygon with all sides along the axes; the space here is a Polygon"):
        solvers.compile(PDE(*EQUATIONS, Dirichlet((a, b), 0)), slanted)


def test_an_obstacle_that_is_not_at_rest():
    slip = Neumann(a, 0, on="cylinder"), Dirichlet(b, 0, on="cylinder")
    walls = Dirichlet((a, b), 0, on=("x_min", "y_min", "y_max"))
    with pytest.raises(NotImplementedError, match="obstacles are at rest so far"):
        solvers.compile(PDE(*EQUATIONS, *slip, walls, *OUTLETS["both"]), CHANNEL, grid=16)


@pytest.mark.slow
def test_the_channel_of_the_readme():
    found = solvers.solve(
        PDE(*EQUATIONS, *WALLS, *OUTLETS["stress"]), CHANNEL, grid={"x": 64, "y": 32}, progress=False
    )  # fmt: skip
    s = np.linspace(0, 0.41, 401)
    inflow, outflow = (np.trapezoid(found.a(x=q, y=s), s) for q in (0.0, 2.2))
    assert abs(inflow - 2 / 3 * 0.41) < 2e-3 and abs(outflow - inflow) < 2e-3
    drag, lift = found.stats["force"]
    assert drag > 0 and abs(lift) < 0.1 * drag
    # The outlet is far behind the cylinder: the parabola again, at zero pressure.
    assert abs(found.a(2.2, 0.205) - 1) < 0.01 and abs(found.p(2.2, 0.205)) < 0.02 * abs(found.p(0.0, 0.205))


@pytest.mark.slow
def test_a_coefficient_that_grows_is_stepped_implicitly():
    """Diffusion by w = int exp(s) u ds, zero at first: explicit steps would be 400,000. u = exp(t)."""
    u, w = fields("u w", x, t)
    pde = PDE(u.t - w * u.xx - u, w.t - sp.exp(t) * u, Initial(u, 1), Initial(w, 0), Neumann(u, 0))
    s = solvers.solve(pde, Box(x=(0, 1), t=(0, 1)), progress=False)
    assert s.stats["steps"] < 1000 and not s.notes
    np.testing.assert_allclose(s.u([0.0, 0.3, 1.0], [0.111, 0.77, 1.0]), np.exp([0.111, 0.77, 1.0]), rtol=1e-8)
