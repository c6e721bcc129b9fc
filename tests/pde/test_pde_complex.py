"""Complex fields split into two real ones: the parts put together again are the equation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp

from sciml.pde import (
    PDE,
    Condition,
    Dirichlet,
    Initial,
    Neumann,
    Observed,
    Periodic,
    Robin,
    catalogue,
    coordinates,
    d,
    expand_fluxes,
    field,
    function,
    lower,
    normal,
)

x, t = coordinates("x t")
psi = field("psi", x, t, complex=True)
a, b = field("psi_re", x, t), field("psi_im", x, t)
shape_re, shape_im = sp.sin(x) * sp.exp(-t) + 2, sp.cos(2 * x) + t * x


def value(expression, replacements):
    """The number that `expression` is at one point, for given functions."""
    replaced = expression.subs(replacements, simultaneous=True).doit()
    return complex(replaced.subs({x: sp.Rational(3, 10), t: sp.Rational(7, 10)}).evalf(30))


@pytest.mark.parametrize(
    "expression",
    [
        sp.I * psi.t + psi.xx / 2 + sp.Abs(psi) ** 2 * psi,
        psi.t + sp.conjugate(psi) * psi.x - (1 + 2 * sp.I) * psi**3,
        psi.t + sp.re(psi) * sp.im(psi.x) + sp.I * sp.Abs(psi.x) ** 4,
        sp.exp(psi) * psi.t + sp.sin(psi.x) / psi,
        psi.t + d(sp.exp(sp.I * x) * psi.x, x),
        psi.t + sp.Piecewise((sp.I * psi, x < 0), (psi**2, True)),
        psi.t + psi**-2 + sp.sqrt(sp.Abs(psi)),
        psi.t + sp.conjugate(psi.x) * sp.Derivative(sp.conjugate(psi) * psi, x),
    ],
)
def test_the_parts_make_the_whole(expression):
    real = PDE(expression).real()
    assert real.fields == (a, b) and not real.is_complex
    whole = value(expression, {psi: shape_re + sp.I * shape_im})
    parts = {"real": 0.0, "imaginary": 0.0}
    for e in real.equations:
        assert not e.expression.has(sp.I, sp.re, sp.im, sp.conjugate)
        part = value(expand_fluxes(e.expression), {a: shape_re, b: shape_im})
        assert abs(part.imag) < 1e-20
        parts[e.name.split("(")[1].strip(")")] = part.real
    assert complex(parts["real"], parts["imaginary"]) == pytest.approx(whole, rel=1e-12)


def test_fluxes_and_names_survive():
    pde = PDE(sp.I * psi.t + d(sp.I * psi.x, x)).real()
    assert pde.equations[0].name == "equation (real)"
    assert pde.equations[0].expression == -b.t + d(-b.x, x)
    assert PDE(psi.t, Dirichlet(psi, 0)).real_parts == {"psi": ("psi_re", "psi_im")}


def test_a_real_problem_is_itself():
    u = field("u", x, t)
    pde = PDE(u.t - u.xx)
    assert pde.real() is pde and pde.real_parts == {}


def test_conditions_are_split():
    points, values = np.zeros((2, 2)), np.array([1 + 2j, 3 - 1j])
    pde = PDE(
        sp.I * psi.t + psi.xx,
        Initial(psi, sp.exp(sp.I * x)),
        Periodic(psi, x),
        Observed(psi, points, values, noise=0.1),
        Observed(sp.Abs(psi) ** 2, points, [1.0, 2.0]),
    ).real()
    by_name = {c.name: c for c in pde.conditions}
    assert by_name["initial psi (real)"].value == sp.cos(x)
    assert by_name["initial psi (imaginary)"].value == sp.sin(x)
    assert by_name["periodic psi x (imaginary)"].field == b
    assert np.array_equal(by_name["observed psi (imaginary)"].values, [2.0, -1.0])
    assert by_name["observed Abs(psi)**2"].expression == a**2 + b**2
    walls = PDE(
        sp.I * psi.t + psi.xx,
        Neumann(psi, sp.I, on="x_min"),
        Robin(psi, sp.I, 1, 0, on="x_max"),
        Condition(normal(x) * psi.x - sp.I * psi, on="hole"),
        Dirichlet(psi, 2, on="disk"),
    ).real()
    by_name = {c.name: c for c in walls.conditions}
    assert by_name["neumann psi on x_min (imaginary)"].value == 1
    assert by_name["robin psi on x_max (real)"].residual == normal(x) * a.x - b
    assert by_name["condition on hole (imaginary)"].residual == normal(x) * b.x - a
    assert by_name["dirichlet psi on disk (imaginary)"].value == 0


def test_values_given_as_complex_functions_and_arrays():
    xs = np.linspace(-1, 1, 30)
    for given in (lambda x: jnp.exp(1j * x), (xs, np.exp(1j * xs))):
        pde = PDE(sp.I * psi.t + psi.xx, Initial(psi, given)).real()
        parts = lower([c.value for c in pde.conditions], coordinates=pde.coordinates)
        with jax.enable_x64(True):
            re, im = parts({"x": jnp.asarray([0.25, 0.5])})
        np.testing.assert_allclose(re, np.cos([0.25, 0.5]), atol=1e-7)
        np.testing.assert_allclose(im, np.sin([0.25, 0.5]), atol=1e-7)


def test_counting_and_refusals():
    assert len(PDE(sp.I * psi.t + psi.xx).real().equations) == 2
    with pytest.raises(ValueError, match="counts twice"):
        PDE(sp.Abs(psi.t) ** 2 - 1)
    with pytest.raises(ValueError, match="rename"):
        PDE(psi.t + a, a.t + psi)
    with pytest.raises(ValueError, match=r"re\(psi"):
        PDE(psi.t + function("f", jnp.sin)(psi)).real()


def test_soliton_of_the_real_equations():
    pde = catalogue.schroedinger().real()
    soliton = sp.sech(x)
    re, im = soliton * sp.cos(t / 2), soliton * sp.sin(t / 2)
    for e in pde.equations:
        assert abs(value(e.expression, {a: re, b: im})) < 1e-14
