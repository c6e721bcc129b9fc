"""How many conditions belong on a part of the boundary follows from the equations; too few are refused, too many told."""

import warnings

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
    Rectangle,
    coordinates,
    field,
    fields,
    laplacian,
    parameter,
)
from sciml.statement._places import part_of
from sciml.statement._symbol import linearised, needed
from sciml.statement._validate import resolve_domain, validate

x, y, t = coordinates("x y t")
u, w = fields("u w", x, t)
v, c = field("v", x), field("c", x, y)
a, b, p = fields("a b p", x, y)
line, square, strip = Box(x=(0, 1)), Box(x=(0, 1), y=(0, 1)), Box(x=(0, 1), t=(0, 1))
stokes = (p.x - laplacian(a), p.y - laplacian(b), a.x + b.y)
psi = field("psi", x, t, complex=True)
rest = Initial((u, w), 0)


def check(*items, on=strip):
    pde = PDE(*items)
    return validate(pde, resolve_domain(pde, on))


def counts(equations, on):
    """(needed at least, at most) on each part of the boundary."""
    pde = PDE(*equations).real()
    domain = resolve_domain(pde, on)
    order = [domain.names.index(c.name) for c in pde.coordinates]
    terms = linearised([e.expression for e in pde.equations], pde)
    found = {}
    for label in domain.boundary:
        points, normals = domain.sample_boundary(label, 8)
        need = needed(pde, terms, len(pde.fields), points[:, order], normals, (domain.upper - domain.lower)[order])
        found[label] = (int(need.sure.min()), int(need.most.max()))
    return found


def both(k, most=None):
    return {"x_min": (k, most or k), "x_max": (k, most or k)}


@pytest.mark.parametrize(
    ("equations", "on", "expected"),
    [
        ((u.t - u.xx,), strip, both(1)),
        ((u.t + u * u.x - 0.01 * u.xx,), strip, both(1)),
        ((u.tt - 4 * u.xx,), strip, both(1)),
        ((u.tt + u.xxxx,), strip, both(2)),
        ((sp.I * psi.t + psi.xx + sp.Abs(psi) ** 2 * psi,), strip, both(2)),  # for two real fields
        ((u.t + 2 * u.x,), strip, {"x_min": (1, 1), "x_max": (0, 0)}),
        ((u.t - 2 * u.x,), strip, {"x_min": (0, 0), "x_max": (1, 1)}),
        ((u.t + (x - 0.5) * u.x,), strip, both(0, 0)),  # leaves at both ends
        ((u.t + u * u.x,), strip, {"x_min": (0, 1), "x_max": (0, 1)}),  # by a sign that is not known
        ((u.t + 6 * u * u.x + u.xxx,), strip, {"x_min": (1, 1), "x_max": (2, 2)}),
        ((u.t + w.x, w.t + u.x), strip, both(1)),  # Maxwell: one wave comes in
        ((u.t - w * u.xx - u, w.t - sp.exp(t) * u), strip, both(1)),  # memory: none for w
        ((x * u.t - x * u.xx - 2 * u.x,), strip, {"x_min": (0, 1), "x_max": (1, 1)}),  # bounded at the centre of a ball
        (stokes, Rectangle((0, 0), (1, 1)) - Disk((0.5, 0.5), 0.2), None),
        ((laplacian(a) - b, laplacian(b)), square, None),  # a stream function and its vorticity
    ],
)
def test_the_symbol_counts_what_theory_says(equations, on, expected):
    found = counts(equations, on)
    assert found == (expected or dict.fromkeys(found, (2, 2)))


@pytest.mark.parametrize(
    ("items", "on", "message"),
    [
        ((v.xxxx + 1, Dirichlet(v, 0)), line, r"One boundary condition for v on x_min, x_max, where two .* Neumann\(v, 0, on="),
        ((laplacian(c) + 1, Dirichlet(c, 0, on={"x": 0.5, "y": 0.5})), square, "No boundary condition for c on x_min, x_max"),
        ((u.t + u.x, Initial(u, 0)), strip, "No boundary condition for u on x_min: the equations carry u along x"),
        ((u.t + u.x, Initial(u, 0), Dirichlet(u, 0, on="x_max")), strip, "for u on x_min"),
        ((u.t + 6 * u * u.x + u.xxx, Initial(u, 0), Dirichlet(u, 0)), strip, "One boundary condition for u on x_max, where"),
        ((u.t + w.x, w.t + u.x, rest), strip, r"No boundary condition for u, w on x_min, x_max: .* the value of u \(or of w\)"),
        ((v.x - 1,), line, "No boundary condition for v on x_min or x_max"),
        ((sp.I * psi.t + psi.xx, Initial(psi, 0)), strip, "No boundary condition for psi on x_min, x_max: .* second or higher"),
        ((laplacian(laplacian(c)), Dirichlet(c, 0)), Disk((0, 0), 1), r"One boundary condition for c on circle, where two"),
        (
            (laplacian(c), Dirichlet(c, 0, on=("x_min", "x_max", "y_min")), Dirichlet(c, 0, on=(y > 0.9) & (x < 0.5))),
            square,
            r"for c on a part of y_max \(x = 0.[5-9]",
        ),
        ((*stokes, Dirichlet((a, b), 0, on=("x_min", "y_min", "y_max"))), square, r"No b.* flow needs two .* Dirichlet\(p, 0"),
    ],
)  # fmt: skip
def test_too_few_are_refused(items, on, message):
    with pytest.raises(ValueError, match=message):
        check(*items, on=on)


@pytest.mark.parametrize(
    ("items", "on"),
    [
        ((v.xxxx + 1, Dirichlet(v, 0), Neumann(v, 0)), line),
        ((v.xxxx + 1, Dirichlet(v, 0), Condition(v.xx)), line),
        ((v.xx + 1, Dirichlet(v, 0, on="x_min"), Neumann(v, 0, on="x_min")), line),  # an initial value problem in x
        ((v.xx + 1, Dirichlet(v, 0, on={"x": 0}), Dirichlet(v, 0, on={"x": 0.5})), line),
        ((laplacian(c), Dirichlet(c, 0), Dirichlet(c, 0, on="x_min", name="again"), Condition(c.y, on="x_min")), square),
        ((laplacian(c), Dirichlet(c, 0), Periodic(x)), square),
        ((laplacian(c), Dirichlet(c, 0, on=x < 0.5), Neumann(c, 0, on=x > 0.5)), square),
        ((c.x + c.y, Dirichlet(c, 0, on=("x_min", "y_min"))), square),
        ((a - p.x, b - p.y, a.x + b.y - 1, Dirichlet(p, 0)), square),
        ((a.x - b.y, a.y + b.x, Dirichlet(a, 0)), square),
        ((a + laplacian(b), laplacian(a), Dirichlet(b, 0), Neumann(b, 0)), square),
        ((*stokes, Dirichlet((a, b), 0)), square),
        ((u.t - u.xx, Observed(u, {"x": [0.2, 0.5], "t": [0.1, 0.2]}, [1, 2])), strip),
        ((u.t - parameter("k", initial=1.0) * u.xx, Initial(u, 0), Dirichlet(u, 0), Neumann(u, 0)), strip),
        # A moving front s(t), as a field of (x, t) with s.x = 0 (Stefan): its condition stands at one end.
        ((w.x, u.t - u.xx / w**2 - x * w.t / w * u.x, rest, Dirichlet(u, 0), Condition(w.t + u.x / w, on="x_max")), strip),
        ((u.t + u.x, w.t - w + u, rest, Dirichlet(u, sp.sin(t), on="x_min")), strip),
    ],
)
def test_what_is_well_posed_passes_without_a_word(items, on):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check(*items, on=on) == ()


@pytest.mark.parametrize(
    ("items", "on", "message"),
    [
        ((u.t + u.x, Initial(u, 0), Dirichlet(u, 0)), strip, r"One condition for u on x_max .*take none: u leaves there"),
        ((v.xx, Dirichlet(v, 0), Neumann(v, 0, on="x_min")), line, "Three conditions for v on x_min and x_max .* take two"),
        ((u.t + w.x, w.t + u.x, rest, Dirichlet((u, w), 0)), strip, "Two conditions for u, w on x_min and x_max .* take one"),
        ((u.t - u.xx, w.t - u, rest, Dirichlet((u, w), 0)), strip, "Two conditions for u, w"),
        ((u.t + u.xx, Initial(u, 0), Dirichlet(u, 0)), strip, r"run backward in t: .* T - tau"),
        ((u.t + x**2 * u.xx / 2 + x * u.x - u, Initial(u, 0), Dirichlet(u, 0)), strip, "run backward in t"),
    ],
)
def test_too_many_and_the_wrong_way_are_told(items, on, message):
    with pytest.warns(UserWarning, match=message):
        (note,) = check(*items, on=on)
    assert "\n" not in note


@pytest.mark.parametrize(
    ("items", "on", "message"),
    [
        ((laplacian(c), Dirichlet(c, 0), Dirichlet(c, 1, on=sp.Eq(x, 0.5), name="mid")), square, "'mid': no part of the"),
        ((laplacian(c), Dirichlet(c, 0, on=x > 2)), square, "'dirichlet c on x > 2': no part .* made of 'x_min'"),
        ((u.t + u.xx, Dirichlet(u, 0, on="t_max")), strip, r"no part 't_max'; .* replace t by T - tau.*role='time'"),
        (
            (laplacian(c), Periodic(x), Dirichlet(c, 0, on=("y_min", "y_max"))),
            Rectangle((0, 0), (1, 1)) | Rectangle((1, 0), (2, 1)),
            r"'periodic x': .* needs a Box.* Box\(x=\(0, 2\), y=\(0, 1\)\)",
        ),
    ],
)
def test_places_that_are_none(items, on, message):
    with pytest.raises(ValueError, match=message):
        check(*items, on=on)


def test_values_on_every_boundary_leave_out_what_is_periodic():
    pde = PDE(laplacian(c) + 1, Periodic(x), Dirichlet(c, 0), Neumann(c, 0, on="y_max"))
    domain = resolve_domain(pde, square)
    assert part_of(pde.conditions[1], pde, domain).labels == ("y_min", "y_max")
    assert part_of(pde.conditions[2], pde, domain).labels == ("y_max",)
