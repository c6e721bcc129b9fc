"""Rules for functions of one variable: each solves its differential equation order by order.

The recurrences are those of Griewank & Walther (2008), table 13.2, in several variables: for tanh, dy = (1
- y^2) du.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from ._algebra import (
    Algebra,
    Key,
    Series,
    Term,
    algebra,
    chain_coefficient,
    integrate,
    multiply,
    plus,
    scale,
    square_coefficient,
    tidy,
    times,
    total,
)
from ._rules import RULES, rule, series, value


def _compose(alg: Algebra, u: Series, coefficients: Sequence[Term | None]) -> Series:
    """f(u) = sum_k f_k (u - u_0)^k with f_k = f^(k)(u_0) / k!, which are scalars per element."""
    shift = {key: term for key, term in u.items() if key != alg.zero}
    powers, parts = shift, []
    for order, coefficient in enumerate(coefficients[1:], 1):
        if order == 2:
            powers = tidy({key: square_coefficient(alg, shift, key) for key in alg.keys[1:]})
        elif order > 2:
            powers = multiply(alg, powers, shift, alg.keys[1:])
        parts.append({key: times(term, coefficient, key, alg.zero) for key, term in powers.items()})
    result = tidy({key: total(part.get(key) for part in parts) for key in alg.keys[1:]})
    return {alg.zero: coefficients[0] or Term(jnp.zeros_like(u[alg.zero].value)), **result}


Recurrence = Callable[[Algebra, Series, Any], Series]
COMPOSED_UP_TO = 2


def _lift(alg: Algebra, u: Series, out: Any, recurrence: Recurrence) -> Series:
    """f(u), from a recurrence for the series of f that starts at the value `out`.

    Up to second order the recurrence runs once in one variable, and f', f'' are combined with the powers of
    u - u_0: all coefficients share them, and no product with a block is kept for the backward pass.
    (Measured: see benchmarks/derivatives.) Above, the recurrence itself needs fewer products.
    """
    if alg.order > COMPOSED_UP_TO:
        return recurrence(alg, u, out)
    line = algebra(frozenset({(alg.order,)}), frozenset(), 1)
    y = recurrence(line, {(0,): u[alg.zero], (1,): Term(1.0)}, out)
    return _compose(alg, u, [y.get((k,)) for k in range(alg.order + 1)])


def _unary(*names: str) -> Callable[[Recurrence], Recurrence]:
    def register(recurrence: Recurrence) -> Recurrence:
        for name in names:
            RULES[name] = lambda alg, eqn, arguments: _lift(alg, arguments[0], value(alg, eqn, arguments), recurrence)
        return recurrence

    return register


@_unary("exp")
def _exp(alg, u, out):
    return integrate(alg, u, out, lambda y, key: y.get(key))[0]


@_unary("exp2")
def _exp2(alg, u, out):
    return integrate(alg, u, out, lambda y, key: scale(math.log(2), y.get(key)))[0]


@_unary("expm1")
def _expm1(alg, u, out):
    start = Term(jnp.exp(u[alg.zero].value))  # not out + 1, which has no correct digits for very negative u
    return integrate(alg, u, out, lambda y, key: start if key == alg.zero else y.get(key))[0]


@_unary("log")
def _log(alg, u, out):
    return _logarithm(alg, u, out, u[alg.zero].value)


@_unary("log1p")
def _log1p(alg, u, out):
    return _logarithm(alg, u, out, 1 + u[alg.zero].value)


def _logarithm(alg: Algebra, u: Series, out: Any, argument: Any) -> Series:
    """u dy = du, solved for y_a: the one term of the chain rule whose weight is u_0."""
    reciprocal = Term(1 / argument)
    y: Series = {alg.zero: Term(out)}
    for key in alg.keys[1:]:
        known = total(scale(f, times(y.get(b), u.get(c), b, c)) for f, b, c in alg.chain[key] if c != alg.zero)
        term = times(plus(u.get(key), scale(-1, known)), reciprocal, key, alg.zero)
        if term is not None:
            y[key] = term
    return y


@_unary("tanh")
def _tanh(alg, u, out):
    """dy = (1 - y^2) du."""

    def weight(y: Series, key: Key) -> Term | None:
        return Term((1 - out) * (1 + out)) if key == alg.zero else scale(-1, square_coefficient(alg, y, key))

    return integrate(alg, u, out, weight)[0]


@_unary("tan")
def _tan(alg, u, out):
    """dy = (1 + y^2) du."""

    def weight(y: Series, key: Key) -> Term | None:
        return Term(1 + out * out) if key == alg.zero else square_coefficient(alg, y, key)

    return integrate(alg, u, out, weight)[0]


@_unary("logistic")
def _logistic(alg, u, out):
    """dy = y (1 - y) du."""

    def weight(y: Series, key: Key) -> Term | None:
        if key == alg.zero:
            return Term(out * (1 - out))
        return plus(y.get(key), scale(-1, square_coefficient(alg, y, key)))

    return integrate(alg, u, out, weight)[0]


def _rotation(alg: Algebra, u: Series, first: Any, second: Any, sign: int) -> Series:
    """s of ds = c du, dc = sign s du."""
    s: Series = {alg.zero: Term(first)}
    c: Series = {alg.zero: Term(second)}
    for key in alg.keys[1:]:
        ds = chain_coefficient(alg, u, c, key)
        dc = scale(sign, chain_coefficient(alg, u, s, key))
        s.update(tidy({key: ds}))
        c.update(tidy({key: dc}))
    return s


@_unary("sin")
def _sin(alg, u, out):
    return _rotation(alg, u, out, jnp.cos(u[alg.zero].value), -1)


@_unary("cos")
def _cos(alg, u, out):
    return _rotation(alg, u, out, -jnp.sin(u[alg.zero].value), -1)


@_unary("sinh")
def _sinh(alg, u, out):
    return _rotation(alg, u, out, jnp.cosh(u[alg.zero].value), 1)


@_unary("cosh")
def _cosh(alg, u, out):
    return _rotation(alg, u, out, jnp.sinh(u[alg.zero].value), 1)


def _gaussian_integral(alg: Algebra, u: Series, out: Any, sign: int) -> Series:
    """dy = sign 2/sqrt(pi) exp(-u^2) du."""
    exponent = tidy({key: scale(-1, square_coefficient(alg, u, key)) for key in alg.keys})
    gaussian = integrate(alg, exponent, jnp.exp(exponent[alg.zero].value), lambda g, key: g.get(key))[0]
    return integrate(alg, u, out, lambda y, key: scale(sign * 2 / math.sqrt(math.pi), gaussian.get(key)))[0]


@_unary("erf")
def _erf(alg, u, out):
    return _gaussian_integral(alg, u, out, 1)


@_unary("erfc")
def _erfc(alg, u, out):
    return _gaussian_integral(alg, u, out, -1)


@_unary("sqrt")
def _sqrt(alg, u, out):
    """y y = u, solved for y_a."""
    y: Series = {alg.zero: Term(out)}
    half = Term(0.5 / out)
    for key in alg.keys[1:]:
        known = square_coefficient(alg, y, key)  # y_a itself is not among them yet
        term = times(plus(u.get(key), scale(-1, known)), half, key, alg.zero)
        if term is not None:
            y[key] = term
    return y


@rule("rsqrt")
def _rsqrt(alg, eqn, arguments):
    (u,) = arguments
    out = value(alg, eqn, arguments)
    coefficients, factor = [Term(out)], 1.0
    for k in range(1, alg.order + 1):
        factor *= (0.5 - k) / k
        coefficients.append(Term(factor * out * jax.lax.integer_pow(u[alg.zero].value, -k)))
    return _compose(alg, u, coefficients)


@rule("logaddexp")
def _logaddexp(alg, eqn, arguments):
    """d log(e^a + e^b) = db + logistic(a - b) d(a - b)."""
    a, b = (series(alg, argument) for argument in arguments)
    delta = tidy({key: plus(a.get(key), scale(-1, b.get(key))) for key in alg.keys})

    def recurrence(alg: Algebra, u: Series, out: Any) -> Series:
        s = _logistic(alg, u, jax.nn.sigmoid(u[alg.zero].value))
        return integrate(alg, u, out, lambda y, key: s.get(key))[0]

    y = _lift(alg, delta, value(alg, eqn, arguments), recurrence)
    return {alg.zero: y[alg.zero], **tidy({key: plus(y.get(key), b.get(key)) for key in alg.keys[1:]})}


def _powers(u0: Any, out: Any, exponent: Any, order: int) -> list[Term | None]:
    """Taylor coefficients of u^p at u_0. One that vanishes is zero even where u_0^(p - k) is infinite."""
    result: list[Term | None] = [Term(out)]
    factor: Any = 1.0
    for k in range(1, order + 1):
        factor = factor * (exponent - k + 1) / k
        if not isinstance(exponent, int | float):  # an exponent known only when the program runs
            vanishes = factor == 0
            safe = jnp.where(vanishes, jnp.ones_like(u0), u0)
            result.append(Term(factor * safe ** jnp.where(vanishes, 0, exponent - k)))
        elif factor == 0:
            result.append(None)
        elif exponent == int(exponent):
            result.append(Term(factor * jax.lax.integer_pow(u0, int(exponent) - k)))
        else:
            result.append(Term(factor * u0 ** (exponent - k)))
    return result


@rule("pow")
def _pow(alg, eqn, arguments):
    u, exponent = arguments
    if not isinstance(exponent, Tracer) and np.ndim(exponent) == 0:
        exponent = float(exponent)
    return _compose(alg, u, _powers(u[alg.zero].value, value(alg, eqn, arguments), exponent, alg.order))


@rule("integer_pow")
def _integer_pow(alg, eqn, arguments):
    (u,) = arguments
    exponent, out = eqn.params["y"], value(alg, eqn, arguments)
    if exponent < 0 or alg.order <= COMPOSED_UP_TO:
        return _compose(alg, u, _powers(u[alg.zero].value, out, exponent, alg.order))
    result, base, n = None, u, exponent
    while n:
        if n & 1:
            result = base if result is None else multiply(alg, result, base)
        n >>= 1
        if n:
            base = tidy({key: square_coefficient(alg, base, key) for key in alg.keys})
    return {**(result or {}), alg.zero: Term(out)}
