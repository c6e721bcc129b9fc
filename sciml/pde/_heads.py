"""The whitelist: which expressions are part of the language, and why another is not."""

from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.functions.elementary.piecewise import ExprCondPair

from ._coordinates import Coordinate, NormalComponent, Parameter
from ._field import Field
from ._flux import FluxDerivative
from ._opaque import Opaque

FUNCTIONS: dict[str, Any] = {
    head.__name__: head
    for head in (
        *(
            sp.sin,
            sp.cos,
            sp.tan,
            sp.cot,
            sp.sec,
            sp.csc,
            sp.asin,
            sp.acos,
            sp.atan,
            sp.acot,
            sp.atan2,
            sp.sinc,
        ),
        *(sp.sinh, sp.cosh, sp.tanh, sp.coth, sp.sech, sp.csch, sp.asinh, sp.acosh, sp.atanh),
        *(sp.exp, sp.log, sp.Abs, sp.sign, sp.Heaviside, sp.floor, sp.ceiling, sp.Mod),
        *(sp.erf, sp.erfc, sp.erfinv, sp.gamma, sp.loggamma, sp.besselj, sp.besseli),
        *(sp.re, sp.im, sp.conjugate, sp.Min, sp.Max),
    )
}
CONSTANTS: dict[str, Any] = {
    "pi": sp.pi,
    "E": sp.E,
    "I": sp.I,
    "GoldenRatio": sp.GoldenRatio,
    "EulerGamma": sp.EulerGamma,
    "Catalan": sp.Catalan,
    "true": sp.true,
    "false": sp.false,
}
STRUCTURE: dict[str, Any] = {
    head.__name__: head
    for head in (
        *(sp.Add, sp.Mul, sp.Pow, sp.Piecewise, sp.And, sp.Or, sp.Not),
        *(sp.Eq, sp.Ne, sp.Lt, sp.Le, sp.Gt, sp.Ge),
    )
}
_HEADS = (*FUNCTIONS.values(), *STRUCTURE.values(), ExprCondPair)
_ADVICE = {
    "DiracDelta": "a delta cannot be sampled: use a narrow smooth bump",
    "Integral": "integrals are not part of the language: add a field whose derivative is the integrand",
    "Sum": "write the terms out with .doit()",
    "Subs": "a field or a slope at another place (delay, nonlocal) is not supported; what holds at a wall is "
    "Condition(..., on=...), and what depends on it a field s of all coordinates with s.diff(x) = 0 as its equation",
    "Infinity": "the numbers must be finite",
    "NaN": "the numbers must be finite",
    "ComplexInfinity": "the numbers must be finite: something was divided by zero",
}


def check_heads(expression: Any, where: str, *, normals: bool = False) -> None:
    """Raises `ValueError` if `expression` holds anything that the language has no meaning for.

    `where` begins the message ("Equation 'momentum'"); `normals` allows components of the normal.
    """
    pending = [expression]
    while pending:
        node = pending.pop()
        if isinstance(node, Field):
            if node.args != node.coordinates:
                raise ValueError(
                    f"{where}: {node} is field {node.field_name!r} at another place than its coordinates "
                    f"({', '.join(c.name for c in node.coordinates)}). Delays and nonlocal terms are not "
                    "supported; for a "
                    "value at one place use a condition with on={...}."
                )
        elif isinstance(node, sp.Derivative):
            if isinstance(node.expr, Field):
                for variable, _ in node.variable_count:  # pyright: ignore
                    if not isinstance(variable, Coordinate):
                        raise ValueError(
                            f"{where}: {node} differentiates along {variable}, which is not a coordinate."
                        )
                pending.append(node.expr)
            else:
                pending.append(node.expr)
        elif isinstance(node, sp.Symbol):
            if isinstance(node, NormalComponent) and not normals:
                raise ValueError(
                    f"{where}: {node} is a component of the normal, which exists on the boundary only. Use "
                    "it in "
                    "Condition(..., on=...)."
                )
            if not isinstance(node, Coordinate | Parameter | NormalComponent):
                raise ValueError(
                    f"{where}: the symbol {node} is not known. A number is written as a number, a known "
                    "quantity as a "
                    f"Python float; an unknown one is parameter({node.name!r}, initial=...); an independent "
                    "variable is "
                    f"coordinates({node.name!r}), and the fields must depend on it."
                )
        elif isinstance(node, AppliedUndef) and not isinstance(node, Opaque):
            raise ValueError(
                f"{where}: {node} is a plain SymPy function. An unknown is field({node.func.__name__!r}, "
                "...) and a "
                f"JAX function is function({node.func.__name__!r}, callable)."
            )
        elif (
            isinstance(node, (sp.Rational, sp.Float, FluxDerivative, Opaque, *_HEADS))
            or node in CONSTANTS.values()
        ):
            pending.extend(node.args)
        else:
            head = type(node).__name__
            advice = _ADVICE.get(
                head,
                "write it with elementary functions, or as a JAX function: function(name, callable)(...)",
            )
            raise ValueError(f"{where}: {node} ({head}) cannot be used: {advice}.")
