"""Vector operators against the identities of vector calculus, and fluxes that stay as they are."""

import pytest
import sympy as sp

from sciml.pde import (
    FluxDerivative,
    biharmonic,
    coordinates,
    curl,
    d,
    div,
    expand_fluxes,
    field,
    fields,
    grad,
    laplacian,
    material_derivative,
)

x, y, z, t = coordinates("x y z t")


def test_space_only():
    u = field("u", x, y, t)
    assert laplacian(u) == u.xx + u.yy
    assert grad(u) == sp.ImmutableMatrix([u.x, u.y])
    assert biharmonic(u) == u.xxxx + 2 * u.xxyy + u.yyyy
    family = coordinates("nu", role="parameter")
    v = field("v", x, family)
    assert laplacian(v) == v.xx
    with pytest.raises(ValueError, match="name them"):
        laplacian(x**2)
    assert laplacian(x**2 + y**2, x, y) == 4


def test_identities():
    velocity = fields("u v w", x, y, z)
    p = field("p", x, y, z)
    assert sp.simplify(div(curl(velocity)).doit()) == 0
    assert curl(grad(p)) == sp.zeros(3, 1)
    assert expand_fluxes(div(grad(p))) == laplacian(p)
    curl_curl = curl(curl(velocity))
    grad_div = grad(div(velocity).doit())
    assert sp.expand(curl_curl - (grad_div - laplacian(velocity))) == sp.zeros(3, 1)
    u, v = fields("u v", x, y)
    assert curl((u, v)) == v.x - u.y


def test_material_derivative():
    u, v = fields("u v", x, y, t)
    assert material_derivative(u, (u, v)) == u.t + u * u.x + v * u.y
    both = material_derivative((u, v), (u, v))
    assert both[1] == v.t + u * v.x + v * v.y
    a, b = fields("a b", x, y)
    assert material_derivative(a, (a, b)) == a * a.x + b * a.y


def test_flux_is_kept_until_doit():
    u = field("u", x, t)
    flux = d(u**2 / 2, x)
    assert isinstance(flux, FluxDerivative) and flux != u * u.x
    assert flux.doit() == expand_fluxes(flux) == u * u.x
    assert (u.t + flux).has(FluxDerivative)
    assert d(sp.Integer(3), x) == 0 and d(t**2, x) == 0
    assert expand_fluxes(d(d(u * u.x, x), x)) == expand_fluxes(d(u * u.xx + u.x**2, x))
    assert str(flux) == "d(u(x, t)**2/2, x)"
    with pytest.raises(TypeError, match="coordinate"):
        d(u, sp.Symbol("x"))


def test_div_with_variable_coefficient():
    u = field("u", x, y)
    k = 1 + x * y
    node = div(k * grad(u))
    assert node == d(k * u.x, x) + d(k * u.y, y)
    assert sp.expand(expand_fluxes(node) - (k * laplacian(u) + y * u.x + x * u.y)) == 0
    with pytest.raises(ValueError, match="component"):
        div((u,))
    with pytest.raises(TypeError, match="vector"):
        div(u)


@pytest.mark.parametrize(
    "coefficient",
    [
        sp.Piecewise((1, x < 0), (2, True)),
        sp.Heaviside(x),
        sp.sign(x),
        sp.floor(x),
        sp.Abs(x),
        sp.Max(x, 0),
        sp.Min(x, y),
    ],
)
def test_discontinuous_coefficient_in_a_flux_is_refused(coefficient):
    u = field("u", x, y)
    node = d((1 + coefficient) * u.x, x)
    assert node.has(FluxDerivative)
    with pytest.raises(ValueError, match="not smooth"):
        expand_fluxes(node)


def test_absolute_value_of_the_field_in_a_flux_is_allowed():
    u = field("u", x)
    # SymPy alone does not know that u.x is real.
    expanded = sp.expand(expand_fluxes(d(sp.Abs(u.x) * u.x, x)))
    assert expanded == sp.Abs(u.x) * u.xx + sp.sign(u.x) * u.x * u.xx


def test_a_flux_survives_substitution():
    u, v = fields("u v", x, t)
    node = u.t + d(u**2 * v, x)
    for simultaneous in (False, True):
        replaced = node.subs({u: x * t, v: x}, simultaneous=simultaneous).doit()
        assert sp.expand(replaced - x - 3 * x**2 * t**2) == 0
