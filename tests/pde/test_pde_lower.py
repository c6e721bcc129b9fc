"""Expressions become JAX functions with the values that mpmath gives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp

from sciml.pde import coordinates, d, derivatives_of, field, fields, function, lower, normal, parameter

x, y, t = coordinates("x y t")
u = field("u", x, y, t)
POINTS = np.array([0.125, 0.4, 0.73, 0.9])


def in_x(expression, points=POINTS):
    with jax.enable_x64(True):
        return np.asarray(lower([expression], coordinates=(x,))({"x": jnp.asarray(points)})[0])


@pytest.mark.parametrize(
    "head",
    [
        *(sp.sin, sp.cos, sp.tan, sp.cot, sp.sec, sp.csc, sp.asin, sp.acos, sp.atan, sp.acot, sp.sinc),
        *(sp.sinh, sp.cosh, sp.tanh, sp.coth, sp.sech, sp.csch, sp.asinh, sp.atanh, sp.exp, sp.log),
        *(
            sp.Abs,
            sp.sign,
            sp.Heaviside,
            sp.floor,
            sp.ceiling,
            sp.erf,
            sp.erfc,
            sp.erfinv,
            sp.gamma,
            sp.loggamma,
        ),
        *(sp.sqrt, lambda z: sp.acosh(1 + z), lambda z: sp.besselj(0, 30 * z), lambda z: sp.besselj(3, z)),
        *(
            lambda z: sp.besseli(0, z),
            lambda z: sp.besseli(2, z),
            lambda z: sp.atan2(z, z - sp.Rational(1, 2)),
        ),
        *(
            lambda z: sp.Mod(3 * z, 1),
            lambda z: sp.Max(z, 1 - z, sp.Rational(1, 2)),
            lambda z: sp.Min(z, z**2),
        ),
        *(
            lambda z: z ** sp.Rational(1, 3),
            lambda z: z ** sp.Rational(-3, 2),
            lambda z: 2**z,
            lambda z: z**z,
        ),
        *(
            lambda z: z**7,
            lambda z: z**-5,
            lambda z: z**2.0,
            lambda z: z**-0.5,
            lambda z: sp.gamma(z).diff(x),
        ),
        *(
            lambda z: (1 + z) ** 2 / (3 - z) ** 3,
            lambda z: sp.pi * z / 7 - sp.E + sp.sqrt(2) * sp.GoldenRatio,
        ),
    ],
)
def test_values_against_mpmath(head):
    expression = head(x)
    expected = [float(expression.subs(x, sp.Float(p, 40)).evalf(30)) for p in POINTS]
    np.testing.assert_allclose(in_x(expression), expected, rtol=4e-15, atol=4e-15)


def test_negative_arguments():
    points = np.array([-2.5, -0.5, 0.0, 1.5])
    np.testing.assert_array_equal(in_x(x**3, points), points**3)
    np.testing.assert_array_equal(in_x(x**-2 * x**3, points), points)
    np.testing.assert_array_equal(in_x(sp.Heaviside(x), points), [0, 0, 0.5, 1])
    np.testing.assert_allclose(in_x(sp.besselj(0, x), points)[2], 1)
    np.testing.assert_array_equal(in_x(sp.sinc(x), points)[2], 1)


def test_integer_powers_are_products_and_roots_are_roots():
    def jaxpr(expression):
        return str(jax.make_jaxpr(lambda v: lower([expression], coordinates=(x,))({"x": v}))(1.0))

    for expression in (
        x**2,
        x**5,
        x**-3,
        x**4.0,
        sp.sqrt(x),
        x ** sp.Rational(-1, 2),
        x ** sp.Rational(5, 2),
    ):
        text = jaxpr(expression)
        assert "pow" not in text and "log" not in text and "exp" not in text
    assert jaxpr(x**8).count("mul") == 3


def test_leaves_and_keys():
    nu = parameter("nu", initial=1)
    lowered = lower([nu * u.xxt + normal(y) * u + x, u.y], coordinates=(x, y, t))
    assert lowered.leaves == {
        "nu",
        ("u", (2, 0, 1)),
        ("u", (0, 0, 0)),
        ("u", (0, 1, 0)),
        ("normal", "y"),
        "x",
    }
    assert lowered.derivatives == {("u", (2, 0, 1)), ("u", (0, 0, 0)), ("u", (0, 1, 0))}
    assert derivatives_of([u.t - d(u * u.y, y)], (x, y, t)) == {
        ("u", (0, 0, 1)),
        ("u", (0, 0, 0)),
        ("u", (0, 1, 0)),
        ("u", (0, 2, 0)),
    }
    with pytest.raises(KeyError, match=r"'nu'"):
        lowered({"x": 1.0})


def test_batches_scalars_and_dtypes():
    nu = parameter("nu", initial=1)
    lowered = lower([nu * u + sp.pi * x, sp.Integer(3), nu], coordinates=(x, y, t))
    for x64, dtype in ((False, jnp.float32), (True, jnp.float64), (True, jnp.float32)):
        with jax.enable_x64(x64):
            values = {
                "nu": jnp.asarray(2, dtype),
                ("u", (0, 0, 0)): jnp.ones(5, dtype),
                "x": jnp.ones(5, dtype),
            }
            results = lowered(values)
            assert [r.shape for r in results] == [(5,), (), ()]
            assert all(r.dtype == dtype for r in results)
            if x64:
                assert float(results[0][0]) == pytest.approx(
                    2 + np.pi, rel=1e-6 if dtype == jnp.float32 else 1e-15
                )


def test_under_jit_grad_and_vmap():
    lowered = lower([u * u.x], coordinates=(x, y, t))

    def f(a):
        return lowered({("u", (0, 0, 0)): a, ("u", (1, 0, 0)): a**2})[0]

    assert jax.jit(jax.grad(f))(2.0) == pytest.approx(12.0)
    np.testing.assert_allclose(jax.vmap(f)(jnp.arange(3.0)), [0, 1, 8])


def test_shared_parts_are_computed_once():
    costly = sp.exp(sp.sin(u) * u.x)
    lowered = lower([costly + 1, costly * u, sp.sin(u) * 2], coordinates=(x, y, t))
    text = str(jax.make_jaxpr(lambda a, b: lowered({("u", (0, 0, 0)): a, ("u", (1, 0, 0)): b}))(1.0, 2.0))
    assert text.count("exp") == 1 and text.count(" sin ") == 1


@pytest.mark.parametrize(
    "risky",
    [
        sp.log(x),
        1 / x,
        sp.sqrt(x),
        x ** sp.Rational(-3, 2),
        x ** sp.Rational(1, 3),
        sp.asin(1 + sp.exp(-x)) * 0 + sp.log(x) / x**2,
        sp.exp(1000 * (1 - sp.exp(x))) + sp.log(x) ** 2,
        sp.Piecewise((sp.log(x), x > 2), (1 / x, True)),
        sp.acosh(1 + x) + 1 / sp.sinh(x),
    ],
)
def test_a_branch_that_is_not_taken_gives_no_nan(risky):
    expression = sp.Piecewise((risky, x > sp.Rational(1, 10)), (x**2, True))
    lowered = lower([expression], coordinates=(x,))

    def f(a):
        return lowered({"x": a})[0]

    with jax.enable_x64(True):
        for point in (-1.0, 0.0):
            assert f(point) == point**2
            assert jax.grad(f)(point) == 2 * point
            assert jax.grad(jax.grad(f))(point) == 2
        slope = float(risky.diff(x).subs(x, 0.7).evalf())
        assert jax.grad(f)(0.7) == pytest.approx(slope, rel=1e-12)


def test_piecewise_conditions():
    expression = sp.Piecewise(
        (1, (x < 0.2) | (x > 0.8)), (2, sp.And(x >= 0.2, x < 0.5)), (3, sp.Not(sp.Eq(x, 0.73))), (4, x > 0)
    )
    np.testing.assert_array_equal(in_x(expression), [1, 2, 4, 1])
    assert np.isnan(in_x(sp.Piecewise((x, x > 0.5)), np.array([0.1]))).all()


def test_fluxes_are_expanded():
    (v,) = fields("v", x)
    with jax.enable_x64(True):
        values = {("v", (0,)): 2.0, ("v", (1,)): 3.0, ("v", (2,)): 5.0, "x": 0.5}
        result = lower([d(x * v * v.x, x)], coordinates=(x,))(values)
    assert float(result[0]) == 2 * 3 + 0.5 * 9 + 0.5 * 2 * 5
    with pytest.raises(ValueError, match="not smooth"):
        lower([d(sp.Heaviside(x) * v.x, x)], coordinates=(x,))


def test_opaque_functions_and_their_derivatives():
    f = function("f", lambda a, b: jnp.sin(a) * b**2)
    nu = parameter("nu", initial=1)
    expression = f(x**2, nu)
    second = expression.diff(x, nu)
    lowered = lower([expression, expression.diff(x), second, f(1, 2)], coordinates=(x, y, t))
    with jax.enable_x64(True):
        values = {"x": jnp.asarray(POINTS), "nu": jnp.asarray(3.0)}
        value, slope, mixed, constant = jax.jit(lambda a: lowered({**values, "x": a}))(values["x"])
    np.testing.assert_allclose(value, np.sin(POINTS**2) * 9, rtol=1e-14)
    np.testing.assert_allclose(slope, 2 * POINTS * np.cos(POINTS**2) * 9, rtol=1e-14)
    np.testing.assert_allclose(mixed, 2 * POINTS * np.cos(POINTS**2) * 6, rtol=1e-14)
    np.testing.assert_allclose(constant, np.sin(1.0) * 4, rtol=1e-14)
    bad = lower([function("bad", lambda a: jnp.stack([a, a]))(x)], coordinates=(x,))
    with pytest.raises(ValueError, match="'bad' must take scalars and return a scalar"):
        bad({"x": jnp.ones(3)})


def test_what_jax_cannot_do_is_named():
    with pytest.raises(ValueError, match="DiracDelta"):
        lower([sp.Heaviside(x).diff(x)], coordinates=(x,))
    with pytest.raises(ValueError, match="besselj"):
        lower([sp.besselj(sp.Rational(1, 3), x)], coordinates=(x,))
    with pytest.raises(ValueError, match="real"):
        lower([sp.I * x], coordinates=(x,))


def test_agreement_with_lambdify_on_a_whole_system():
    a, b, p = fields("a b p", x, y, t)
    expressions = [
        a.t + a * a.x + b * a.y + p.x - 0.01 * (a.xx + a.yy),
        a.x + b.y,
        (a**2 + b**2) ** 1.5 / (1 + p**2),
    ]
    lowered = lower(expressions, coordinates=(x, y, t))
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        values = {leaf: jnp.asarray(rng.normal(size=20)) for leaf in lowered.leaves}
        results = lowered(values)
    names = {leaf: sp.Symbol(f"q{i}") for i, leaf in enumerate(values)}
    by_leaf = {"a": a, "b": b, "p": p}
    replaced = {}
    for name, orders in values:
        f = by_leaf[name]
        pairs = [(c, n) for c, n in zip((x, y, t), orders, strict=True) if n]
        replaced[f.diff(*pairs) if pairs else f] = names[name, orders]
    for result, expression in zip(results, expressions, strict=True):
        g = sp.lambdify(list(names.values()), expression.xreplace(replaced), "numpy")
        np.testing.assert_allclose(result, g(*(np.asarray(v) for v in values.values())), rtol=1e-13)
