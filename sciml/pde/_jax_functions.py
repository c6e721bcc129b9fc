"""How each function of the language is computed in JAX."""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import sympy as sp
from jax.scipy import special
from sympy.functions.elementary.piecewise import ExprCondPair

from ._opaque import Opaque

_PACKAGE = str(Path(__file__).parents[1])
# An argument at which each function and its derivative are finite, put where a branch is not taken.
_SAFE = {sp.asin: 0.0, sp.acos: 0.0, sp.atanh: 0.0, sp.erfinv: 0.0, sp.acosh: 2.0}


def _sinc(x):
    return jnp.sinc(x / jnp.pi)  # SymPy's is not normalised


def _heaviside(x, at_zero=0.5):
    return jnp.where(x > 0, 1.0, jnp.where(x < 0, 0.0, at_zero)).astype(jnp.result_type(x))


def _acot(x):
    return jnp.arctan(1 / x)


UNARY: dict[Any, Callable] = {
    sp.sin: jnp.sin,
    sp.cos: jnp.cos,
    sp.tan: jnp.tan,
    sp.cot: lambda x: 1 / jnp.tan(x),
    sp.sec: lambda x: 1 / jnp.cos(x),
    sp.csc: lambda x: 1 / jnp.sin(x),
    sp.asin: jnp.arcsin,
    sp.acos: jnp.arccos,
    sp.atan: jnp.arctan,
    sp.acot: _acot,
    sp.sinc: _sinc,
    sp.sinh: jnp.sinh,
    sp.cosh: jnp.cosh,
    sp.tanh: jnp.tanh,
    sp.coth: lambda x: 1 / jnp.tanh(x),
    sp.sech: lambda x: (
        2 * jnp.exp(-jnp.abs(x)) / (1 + jnp.exp(-2 * jnp.abs(x)))
    ),  # cosh overflows at 89 in float32
    sp.csch: lambda x: 1 / jnp.sinh(x),
    sp.asinh: jnp.arcsinh,
    sp.acosh: jnp.arccosh,
    sp.atanh: jnp.arctanh,
    sp.exp: jnp.exp,
    sp.log: jnp.log,
    sp.Abs: jnp.abs,
    sp.sign: jnp.sign,
    sp.floor: jnp.floor,
    sp.ceiling: jnp.ceil,
    sp.erf: special.erf,
    sp.erfc: special.erfc,
    sp.erfinv: special.erfinv,
    sp.gamma: special.gamma,
    sp.loggamma: special.gammaln,
    sp.re: lambda x: x,  # every leaf is real
    sp.conjugate: lambda x: x,
    sp.im: jnp.zeros_like,
}
SEVERAL: dict[Any, Callable] = {sp.atan2: jnp.arctan2, sp.Mod: jnp.mod}
REDUCED: dict[Any, Callable] = {sp.Min: jnp.minimum, sp.Max: jnp.maximum}
RELATIONS: dict[Any, Callable] = {
    sp.Eq: jnp.equal,
    sp.Ne: jnp.not_equal,
    sp.Lt: jnp.less,
    sp.Le: jnp.less_equal,
    sp.Gt: jnp.greater,
    sp.Ge: jnp.greater_equal,
}
_STRUCTURE = (
    sp.Add,
    sp.Mul,
    sp.Pow,
    sp.Piecewise,
    ExprCondPair,
    sp.And,
    sp.Or,
    sp.Not,
    sp.Heaviside,
    sp.polygamma,
    Opaque,
)


def bessel(order: int, x: Any, modified: bool = False) -> Any:
    """J_n(x), or I_n(x) if `modified`, for integer n, by the trapezoidal rule on Bessel's integral.

    J_n(x) = mean over the circle of cos(n s - x sin s) converges faster than any power (DLMF 10.9.2,
    10.32.3): 256 points give full double precision for |x| < 200, beyond which it is NaN.
    `jax.scipy.special.bessel_jn` is wrong beyond 30 and NaN at 0.
    """
    s = 2 * np.pi * np.arange(256) / 256
    sine, cosine = (jnp.asarray(a, jnp.result_type(x)) for a in (np.sin(s), np.cos(s)))
    x = jnp.where(jnp.abs(x) < 200, x, jnp.nan)
    if modified:
        return jnp.mean(
            jnp.exp(x[..., None] * cosine) * jnp.asarray(np.cos(order * s), cosine.dtype), axis=-1
        )
    return jnp.mean(jnp.cos(jnp.asarray(order * s, sine.dtype) - x[..., None] * sine), axis=-1)


def power(base: Any, exponent: int) -> Any:
    """base^exponent by repeated multiplication; a negative exponent divides once, at the end."""
    if exponent < 0:
        return 1 / power(base, -exponent)
    result = None
    while exponent:
        if exponent & 1:
            result = base if result is None else result * base
        exponent >>= 1
        if exponent:
            base = base * base
    return 1.0 if result is None else result


class Evaluator:
    """Evaluates expressions for known values of their symbols; equal subexpressions once.

    Inside a branch of a Piecewise, `mask` says at which points the branch is taken. There, functions that may
    be singular get a harmless argument elsewhere: `jnp.where` alone would give NaN gradients, since 0 times
    infinity is NaN.
    """

    def __init__(self, known: dict[Any, Any], mask: Any = None):
        self.known = known
        self.mask = mask
        self._done: dict[Any, Any] = {}

    @staticmethod
    def check(expression: Any) -> None:
        """Raises `ValueError` naming the first thing that cannot be computed."""
        pending = [expression]
        while pending:
            node = pending.pop()
            supported = (
                node.is_Symbol
                or node.is_Number
                or node.is_NumberSymbol
                or node in (sp.true, sp.false)
                or isinstance(node, _STRUCTURE)
                or node.func in UNARY
                or node.func in SEVERAL
                or node.func in REDUCED
                or node.func in RELATIONS
                or (isinstance(node, (sp.besselj, sp.besseli)) and node.args[0].is_Integer)
            )
            if node is sp.I or (node.has(sp.I) and node.is_number):
                raise ValueError(
                    f"{node} is complex: write complex fields as real ones first, with PDE.real()."
                )
            if not supported:
                raise ValueError(
                    f"The function {type(node).__name__} in {node} cannot be computed in JAX: write it with "
                    "elementary "
                    "functions, or as function(name, callable)(...)."
                )
            pending.extend(node.args)

    def __call__(self, e: Any) -> Any:
        if e in self.known:
            return self.known[e]
        if e not in self._done:
            self._done[e] = self._evaluate(e)
        return self._done[e]

    def _evaluate(self, e: Any) -> Any:
        if e.is_number and not e.has(Opaque):
            return _constant(e)
        if isinstance(e, sp.Add):
            return self._sum(e)
        if isinstance(e, sp.Mul):
            return self._product(e)
        if isinstance(e, sp.Pow):
            return self._power(e.base, e.exp)
        if isinstance(e, sp.Piecewise):
            return self._piecewise(e)
        if isinstance(e, Opaque):
            return _called(e, [self(arg) for arg in e.args])
        if isinstance(e, sp.Heaviside):
            return _heaviside(*(self(arg) for arg in e.args))
        if isinstance(e, (sp.besselj, sp.besseli)):
            return bessel(int(e.args[0]), jnp.asarray(self(e.args[1])), isinstance(e, sp.besseli))  # pyright: ignore
        if e in (sp.true, sp.false):
            return bool(e)
        if isinstance(e, sp.And | sp.Or):
            combine = jnp.logical_and if isinstance(e, sp.And) else jnp.logical_or
            return _fold(combine, [self(arg) for arg in e.args])
        if isinstance(e, sp.Not):
            return jnp.logical_not(self(e.args[0]))
        if e.func in RELATIONS:
            return RELATIONS[e.func](self(e.lhs), self(e.rhs))
        if e.func in REDUCED:
            return _fold(REDUCED[e.func], [self(arg) for arg in e.args])
        if e.func in SEVERAL:
            return SEVERAL[e.func](*(self(arg) for arg in e.args))
        if isinstance(e, sp.polygamma):
            return special.polygamma(int(e.args[0]), self._safe(self(e.args[1])))  # pyright: ignore
        return UNARY[e.func](self._safe(self(e.args[0]), _SAFE.get(e.func, 1.0)))

    def _safe(self, value: Any, harmless: float = 1.0) -> Any:
        return (
            value
            if self.mask is None
            else jnp.where(self.mask, value, jnp.asarray(harmless, jnp.result_type(value)))
        )

    def _sum(self, e: Any) -> Any:
        total = None
        for term in e.args:
            factor, rest = term.as_coeff_Mul()
            if total is not None and factor is sp.S.NegativeOne:
                total = total - self(rest)
            else:
                value = self(term)
                total = value if total is None else total + value
        return total

    def _product(self, e: Any) -> Any:
        above, below = [], []
        for factor in e.args:
            if isinstance(factor, sp.Pow) and factor.exp.is_Rational and factor.exp.is_negative:
                below.append(self._power(factor.base, -factor.exp, divisor=True))
            else:
                above.append(self(factor))
        numerator = _fold(lambda a, b: a * b, above) if above else 1.0
        return numerator / _fold(lambda a, b: a * b, below) if below else numerator

    def _power(self, base: Any, exponent: Any, divisor: bool = False) -> Any:
        if base is sp.E:
            return jnp.exp(self._safe(self(exponent)))
        value = self(base)
        whole = _integer(exponent)
        if whole is not None:
            return power(self._safe(value) if whole < 0 or divisor else value, whole)
        value = self._safe(value)
        doubled = _integer(2 * exponent) if exponent.is_number else None
        if doubled is not None:
            root = jnp.sqrt(value)
            whole = abs(doubled) // 2
            result = root if whole == 0 else root * power(value, whole)
            return 1 / result if doubled < 0 else result
        return jnp.power(value, self(exponent))

    def _piecewise(self, e: Any) -> Any:
        values, conditions = [], []
        open_mask = self.mask
        for value, condition in e.args:
            here = self(condition)
            taken = here if open_mask is None else jnp.logical_and(open_mask, here)
            values.append(Evaluator(self.known, taken)(value))
            conditions.append(here)
            left = jnp.logical_not(here)
            open_mask = left if open_mask is None else jnp.logical_and(open_mask, left)
        dtype = jnp.result_type(*(v for v in values), *(v for v in self.known.values()))
        result = jnp.asarray(jnp.nan, dtype)  # where no branch applies
        for value, condition in reversed(list(zip(values, conditions))):
            result = jnp.where(condition, value, result)
        return result


def _integer(exponent: Any) -> int | None:
    if not exponent.is_number or not exponent.is_real:
        return None
    if exponent.is_Integer:
        return int(exponent)
    if exponent.is_Float and float(exponent).is_integer() and abs(exponent) < 1024:
        return int(exponent)
    return None


def _constant(e: Any) -> float:
    if e.is_Rational:
        return int(e.p) / int(e.q)
    value = e if e.is_Float else e.evalf(30)
    if not value.is_real:
        raise ValueError(
            f"{e} is not a real number: write complex fields as real ones first, with PDE.real()."
        )
    return float(value)


def _fold(combine: Callable, values: list[Any]) -> Any:
    result = values[0]
    for value in values[1:]:
        result = combine(result, value)
    return result


def _called(e: Any, args: list[Any]) -> Any:
    """A function of scalars on arrays of any shapes that broadcast: it sees one point at a time, so it cannot mix them."""
    dtype = jnp.result_type(*args)
    if not jnp.issubdtype(dtype, jnp.floating):
        dtype = jnp.result_type(float)
    args = [jnp.asarray(arg, dtype) for arg in args]
    result: Any
    call, name, shape = type(e).callable, type(e).function_name, jnp.broadcast_shapes(*(arg.shape for arg in args))
    try:
        if shape:
            flat = [jnp.broadcast_to(arg, shape).ravel() if arg.ndim else arg for arg in args]
            result = jax.vmap(call, in_axes=tuple(0 if arg.ndim else None for arg in args))(*flat)
        else:
            result = call(*args)
    except jax.errors.JAXTypeError as error:
        raise TypeError(
            f"The function {name!r} is called with JAX arrays, under `jit` and `vmap`: write jnp.sin for np.sin and math.sin, "
            f"and jnp.where(condition, a, b) for an `if`.{_place_of(error)}"
        ) from None
    returned = jnp.shape(result)[1 if shape else 0 :] if isinstance(result, int | float) or hasattr(result, "shape") else None
    if returned != ():
        what = f"a {type(result).__name__}" if returned is None else f"the shape {returned}"
        raise ValueError(
            f"The function {name!r} must take scalars and return a scalar; for scalars it returned "
            f"{'None' if result is None else what}."
        )
    return jnp.reshape(result, shape) if shape else result


def _place_of(error: BaseException) -> str:
    """Which line of the user's it was, where that is known."""
    inner = [f for f in traceback.extract_tb(error.__traceback__) if f.line and "site-packages" not in f.filename]
    inner = [f for f in inner if not f.filename.startswith(_PACKAGE)]
    return f" It was line {inner[-1].lineno} of {inner[-1].filename}: {inner[-1].line}" if inner else ""
