"""What a PDE is, what it prints, and what it refuses before anything is computed."""

import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp

from sciml.pde import (
    PDE,
    Dirichlet,
    Initial,
    Periodic,
    catalogue,
    coordinates,
    d,
    equation,
    field,
    fields,
    function,
    laplacian,
    normal,
    parameter,
    table,
)

x, y, t = coordinates("x y t")
u = field("u", x, t)
v = field("v", x, t)


def test_repr_and_latex():
    pde = PDE(
        u.t + u * u.x - 0.01 / np.pi * u.xx,
        Initial(u, -sp.sin(sp.pi * x)),
        Dirichlet(u, 0),
        name="burgers",
    )
    assert repr(pde).splitlines() == [
        "PDE 'burgers' for u(x, t)",
        "  equation         u.t + u*u.x - 0.0031831*u.xx = 0",
        "  initial u        u = -sin(pi*x) at the initial time",
        "  dirichlet u      u = 0 on every boundary",
    ]
    latex = pde._repr_latex_()
    assert r"u_{t} + u u_{x} - 0.0031831 u_{x x} = 0" in latex and latex.count("{") == latex.count("}")
    assert "d(u**2/2, x)" in repr(PDE(u.t + d(u**2 / 2, x)))


def test_latex_of_unusual_names():
    theta = coordinates("theta")
    u_1 = field("u_1", theta, t)
    latex = PDE(u_1.t - 1e-6 * u_1.thetatheta, Dirichlet(u_1, 0, on=(theta > 0) & (theta < 1)))._repr_latex_()
    assert r"\theta \theta" in latex and r"1 \cdot 10^{-6}" in latex and " & (" not in latex


def test_attributes():
    nu = coordinates("nu", role="parameter")
    f = field("f", t, nu, y, x)
    c = parameter("c", initial=2)
    g = function("g", jnp.tanh)
    pde = PDE(f.t - c * f.xx - nu * f.yyyy + g(f), Dirichlet(f, 0))
    assert pde.coordinates == (y, x, t, nu)
    assert pde.space == (y, x) and pde.time == t and pde.family == (nu,) and pde.parameters == (c,)
    assert pde.functions == {"g": jnp.tanh}
    assert (pde.order(f, x), pde.order("f", "y"), pde.order(f, t), pde.order(f, nu)) == (2, 4, 1, 0)
    assert pde["f"] == f and pde["c"] == c and pde["nu"] == nu
    with pytest.raises(KeyError, match="f, y, x, t, nu, c"):
        pde["h"]
    assert PDE(field("w", x).xx).time is None


def test_equation_names():
    pde = PDE(equation(u.t + v.x, name="mass"), sp.Eq(v.t, -u.x))
    assert [e.name for e in pde.equations] == ["mass", "equation_2"]
    assert pde.equations[1].expression == v.t + u.x
    assert PDE(u.t).equations[0].name == "equation"
    with pytest.raises(ValueError, match="used 2 times"):
        PDE(equation(u.t + v.x, name="mass"), equation(v.t + u.x, name="mass"))
    with pytest.raises(ValueError, match="must be unique"):
        PDE(equation(u.t, name="wall"), Dirichlet(u, 0, name="wall"))


def test_field_order():
    a, b, p = fields("a b p", x, y)
    system = (a.x + p.x, b.y + p.y, a.x + b.y)
    assert PDE(*system).fields == (a, b, p)
    assert PDE(*system, fields=(p, b, a)).fields == (p, b, a)
    assert PDE(*system, fields=(p, b, a)).with_conditions(Dirichlet(a, 0)).fields == (p, b, a)
    with pytest.raises(ValueError, match="not in fields"):
        PDE(*system, fields=(a, b))


def test_vector_equations_and_with_conditions():
    a, b = fields("a b", x, y)
    pde = PDE(laplacian((a, b)), name="two")
    assert len(pde.equations) == 2 and not pde.conditions
    more = pde.with_conditions(Dirichlet((a, b), 0))
    assert len(more.conditions) == 2 and more.name == "two" and not pde.conditions
    with pytest.raises(TypeError, match="conditions"):
        pde.with_conditions(a.x)


def test_sympy_derivatives_of_products_are_carried_out():
    pde = PDE(u.t + sp.Derivative(u**2 / 2, x))
    assert pde.equations[0].expression == u.t + u * u.x


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: PDE(u.t + u.x == 0), TypeError, "sp.Eq"),
        (lambda: PDE(True), TypeError, "bool"),
        (lambda: PDE(u.t - u.t), ValueError, "0 = 0"),
        (lambda: PDE((u + 1) * u.x - u * u.x - u.x), ValueError, "0 = 0"),
        (lambda: PDE(d(u**2 / 2, x) - u * u.x), ValueError, "0 = 0"),
        (lambda: PDE(sp.Eq(u, u)), ValueError, "0 = 0"),
        (lambda: PDE(x**2 + 1), ValueError, "no field"),
        (lambda: PDE(), ValueError, "at least one equation"),
        (lambda: PDE(Dirichlet(u, 0)), ValueError, "at least one equation"),
        (lambda: PDE("u.t = 0"), TypeError, "made of equations"),
        (lambda: PDE(u.t, 3.0), TypeError, "made of equations"),
        (lambda: PDE(u.t < 0), TypeError, "expression"),
        (lambda: PDE(u.t - sp.Symbol("k") * u.xx), ValueError, "symbol k is not known"),
        (lambda: PDE(u.t - sp.Symbol("x") * u.xx), ValueError, r"coordinates\('x'\)"),
        (lambda: PDE(u.t, Initial(u, sp.Symbol("x"))), ValueError, "not the coordinate"),
        (lambda: PDE(u.t, Dirichlet(u, sp.Symbol("a"))), ValueError, "symbol a is not known"),
        (lambda: PDE(u.t - y * u.xx), ValueError, "coordinate y, but no field does"),
        (lambda: PDE(u.t + sp.Function("h")(x) * u), ValueError, "plain SymPy function"),
        (lambda: PDE(u.t + u.subs(x, 0)), ValueError, "another place"),
        (lambda: PDE(u.t + normal(x) * u), ValueError, "normal"),
        (lambda: PDE(u.t + sp.DiracDelta(x)), ValueError, "delta"),
        (lambda: PDE(u.t + sp.Integral(u, x)), ValueError, "integrals"),
        (lambda: PDE(u.t + sp.zeta(u)), ValueError, "function"),
        (lambda: PDE(u.t + sp.oo), ValueError, "finite"),
        (lambda: PDE(sp.I * u.t + u.xx), ValueError, "complex=True"),
        (lambda: PDE(u.t + v), ValueError, "more fields than equations"),
        (lambda: PDE(u.t + v.x, -u.t - v.x, u.t + v.x), ValueError, "same"),
        (lambda: PDE(u.t, field("u", x, y).x), ValueError, "two different fields"),
        (lambda: PDE(u.t, field("w", x, coordinates("t", role="space")).x), ValueError, "two roles"),
        (
            lambda: PDE(u.t - parameter("a", initial=1) * u.xx + parameter("a", initial=2)),
            ValueError,
            "declared twice",
        ),
        (lambda: PDE(u.t - parameter("u", initial=1) * u.xx), ValueError, "names both"),
        (
            lambda: PDE(u.t + function("f", jnp.sin)(u) + function("f", jnp.cos)(u)),
            ValueError,
            "two different functions",
        ),
        (lambda: equation(u.t, name=""), TypeError, "name"),
    ],
)
def test_mistakes_are_refused_with_the_reason(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_more_equations_than_fields_are_allowed():
    assert len(PDE(u.t, u.x).equations) == 2


def test_periodic_in_one_direction_leaves_the_other_boundary():
    w = field("w", x, y)
    pde = PDE(laplacian(w), Periodic(x), Dirichlet(w, 0))
    assert pde.conditions[0].covers(w, x) and not pde.conditions[0].covers(w, y)


def test_substitute_gives_the_source_of_a_manufactured_solution():
    pde = catalogue.poisson(source=0)
    exact = sp.sin(x) * y
    assert pde.substitute({"u": exact}) == (sp.sin(x) * y,)


def test_tables_of_one_name_may_differ_but_equal_data_are_equal():
    xs = np.linspace(0, 1, 8)
    first, again, other = table("k", xs, xs)(x), table("k", xs, xs)(x), table("k", xs, 2 * xs)(x)
    assert first == again and first != other
    assert PDE(u.t - first * u.xx) == PDE(u.t - again * u.xx) != PDE(u.t - other * u.xx)
