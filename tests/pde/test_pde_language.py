"""Coordinates, fields, their derivative attributes, and the names that are refused."""

import copy
import pickle

import numpy as np
import pytest
import sympy as sp

from sciml.pde import coordinates, d, field, fields, normal, parameter


def test_roles():
    x, t = coordinates("x t")
    assert (x.role, t.role) == ("space", "time")
    assert coordinates("tau", role="time").role == "time"
    assert coordinates("t", role="space").role == "space"
    nu, k = coordinates("nu, k", role="parameter")
    assert nu.role == k.role == "parameter"
    assert x.is_real and x == coordinates("x") and x != sp.Symbol("x")
    assert coordinates("x", role="parameter") != x
    assert hash(coordinates("x")) == hash(x)


@pytest.mark.parametrize(
    "name", ["n", "diff", "func", "error", "plot", "pi", "E", "I", "lambda", "2x", "_x", "grid"]
)
def test_reserved_names_are_refused_with_the_reason(name):
    with pytest.raises(ValueError, match=name):
        coordinates(name)
    with pytest.raises(ValueError, match=name):
        field(name, coordinates("x"))


@pytest.mark.parametrize(
    "name", ["save", "history", "stats", "result", "residual", "integrate", "estimate_error", "args"]
)
def test_a_field_cannot_hide_an_attribute_of_the_solution(name):
    with pytest.raises(ValueError, match="already"):
        field(name, coordinates("x"))


def test_coordinate_arguments():
    with pytest.raises(ValueError, match="role"):
        coordinates("x", role="spatial")
    with pytest.raises(ValueError, match="twice"):
        coordinates("x x")
    with pytest.raises(TypeError, match="string"):
        coordinates(3)


def test_derivatives_of_any_order():
    x, y, t = coordinates("x y t")
    u = field("u", x, y, t)
    assert u.x == u.diff(x)
    assert u.xxt == u.txx == u.xtx == u.diff(x, 2, t)
    assert u.xxxxyy == u.diff(x, 4, y, 2)
    assert (u.x + u.yy).diff(t) == u.xt + u.yyt


def test_derivatives_with_long_and_greek_names():
    x1, x2, theta, t = coordinates("x1 x2 theta t")
    u = field("u", x1, x2, theta, t)
    assert u.x1x2 == u.diff(x1, x2)
    assert u.thetatheta == u.diff(theta, 2)
    assert u.thetat == u.ttheta == u.diff(theta, t)
    assert u.x2x2theta == u.diff(x2, 2, theta)


def test_longest_match_and_ambiguity():
    x, xx = coordinates("x xx")
    u = field("u", x, xx)
    assert u.x == u.diff(x)
    with pytest.raises(AttributeError, match="ambiguous"):
        _ = u.xx
    a, b, c = coordinates("a ab b")
    v = field("v", a, b, c)
    with pytest.raises(AttributeError, match=r"v.diff\(ab\) or v.diff\(a, b\)"):
        _ = v.ab


def test_a_name_that_is_no_derivative_lists_the_coordinates():
    x, t = coordinates("x t")
    u = field("u", x, t)
    with pytest.raises(AttributeError, match="coordinates, which are x, t"):
        _ = u.xy
    assert not hasattr(u, "shape") and not hasattr(u, "__array__") and not hasattr(u, "_private")
    with pytest.raises(AttributeError, match="elsewhere"):
        _ = u.subs(x, 0).t


def test_coordinates_that_together_spell_an_attribute_are_refused():
    with pytest.raises(ValueError, match="has"):
        field("u", *coordinates("h a s"))


def test_field_arguments():
    x, t = coordinates("x t")
    with pytest.raises(TypeError, match="coordinates"):
        field("u", sp.Symbol("x"))
    with pytest.raises(TypeError, match="needs the coordinates"):
        field("u")
    with pytest.raises(ValueError, match="twice"):
        field("u", x, x)
    with pytest.raises(ValueError, match="own coordinates"):
        field("x", x, t)
    with pytest.raises(ValueError, match="two time"):
        field("u", t, coordinates("s", role="time"))


def test_fields_are_values():
    x, t = coordinates("x t")
    u, v = fields("u v", x, t)
    assert u == field("u", x, t) and u != v and u != field("u", x)
    assert u != field("u", x, t, complex=True)
    assert u.is_real and field("psi", x, complex=True).is_real is None
    assert len({u, field("u", x, t), v}) == 2
    assert u.coordinates == (x, t) and u.field_name == "u" and not u.is_complex_field
    assert isinstance(fields("w", x), tuple)


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))])
def test_copy_and_pickle(clone):
    x, t = coordinates("x t")
    u = field("u", x, t)
    nu = parameter("nu", initial=0.5, positive=True)
    for thing in (x, t, u, u.xt, nu, normal(x), u.t + nu * d(u**2, x)):
        twin = clone(thing)
        assert twin == thing and hash(twin) == hash(thing)
    assert clone(t).role == "time" and clone(nu).initial == 0.5


def test_numpy_scalars_multiply():
    x = coordinates("x")
    u = field("u", x)
    assert isinstance(np.float64(2.0) * u, sp.Expr)
    assert np.float64(2.0) * u == 2.0 * u


def test_parameter():
    nu = parameter("nu", initial=0.1, positive=True)
    assert nu.is_positive and nu.initial == 0.1
    assert parameter("c", initial=-1).is_real
    with pytest.raises(ValueError, match="positive"):
        parameter("nu", initial=-1, positive=True)
    with pytest.raises(ValueError, match="finite"):
        parameter("nu", initial=float("nan"))


def test_normal():
    x, y, t = coordinates("x y t")
    assert normal(x, y) == (normal(x), normal(y)) and normal(x) != normal(y)
    assert normal(x).coordinate == x
    with pytest.raises(ValueError, match="space"):
        normal(t)
