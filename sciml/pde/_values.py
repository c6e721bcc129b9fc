"""What may stand on the right of a condition: numbers, expressions, JAX functions, tables."""

import inspect
import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from ._coordinates import Coordinate
from ._field import Field
from ._names import callable_name
from ._opaque import check_callable_arity, function, table


def as_value(value: Any, u: Any, what: str, label: str, *, initial: bool = False) -> Any:
    """`value` as a SymPy expression in the coordinates of field `u`.

    `what` begins a message ("Dirichlet(u)"); `label` names a function that has no name of its own.
    """
    label = re.sub(r"\W+", "_", label)
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{what}: the value is {value!r}, a bool; expected a number or an expression.")
    if isinstance(value, tuple):
        return _tabulated(value, u, what, label, initial)
    if isinstance(value, sp.Basic):
        if not isinstance(value, sp.Expr):
            raise TypeError(
                f"{what}: the value must be an expression; got {value!r} of type {type(value).__name__}."
            )
        if value.atoms(Field):
            raise ValueError(
                f"{what}: the value {value} contains a field. A relation between fields on the boundary is "
                "Condition(expression, on=...)."
            )
        other = sorted(str(c) for c in value.free_symbols if isinstance(c, Coordinate) and c not in u.coordinates)
        if other:
            raise ValueError(
                f"{what}: the value {value} depends on {', '.join(other)}, but {u.field_name} is a function of "
                f"{', '.join(c.name for c in u.coordinates)} alone."
            )
        return value
    if isinstance(value, type) and issubclass(value, sp.Basic):
        raise TypeError(
            f"{what}: the value is the function {value} itself; give its value, such as {value}(x)."
        )
    if isinstance(value, (Decimal, Fraction)):
        value = sp.Rational(str(value)) if math.isfinite(value) else float(value)
        return value if isinstance(value, sp.Rational) else as_number(value, what, False)
    if isinstance(value, (int, float, complex)) or getattr(value, "shape", None) == ():
        return as_number(value, what, u.is_complex_field)
    if callable(value):
        return _called(value, u, label, initial)
    if hasattr(value, "__array__") or isinstance(value, list):
        raise TypeError(
            f"{what}: the value is a bare array of shape {np.shape(value)}, so the places it belongs to are "
            "not known. "
            "Give (grid, values) - one grid per coordinate, then the values - or table(name, grids, "
            "values)(x), or "
            "Observed(u, points, values) for scattered data."
        )
    raise TypeError(f"{what}: cannot use a value of type {type(value).__name__}: {value!r}.")


def as_number(value: Any, what: str, is_complex: bool) -> Any:
    """A finite number as SymPy's, floats without loss."""
    scalar: Any = np.asarray(value)[()]
    if not np.isfinite(scalar):
        raise ValueError(f"{what}: the value is {scalar}; it must be finite.")
    if isinstance(value, int):
        return sp.Integer(value)
    if np.iscomplexobj(scalar):
        if not is_complex:
            raise ValueError(
                f"{what}: the value {scalar} is complex but the field is real: field(..., complex=True)."
            )
        return sp.Float(float(scalar.real)) + sp.I * sp.Float(float(scalar.imag))
    if np.issubdtype(scalar.dtype, np.integer):
        return sp.Integer(int(scalar))
    return sp.Float(float(scalar))


def _arguments(u: Any, initial: bool) -> tuple:
    return tuple(c for c in u.coordinates if not (initial and c.role == "time"))


def _called(value: Any, u: Any, label: str, initial: bool) -> Any:
    """A JAX function of all coordinates of the field; of an initial value, time may be left out."""
    arguments = _arguments(u, initial)
    if initial:
        try:
            signature = inspect.signature(value)
            signature.bind(*range(len(arguments)))
        except TypeError:
            arguments = u.coordinates
        except ValueError:
            pass
    name = callable_name(value, label)
    check_callable_arity(name, value, len(arguments), ", ".join(c.name for c in _arguments(u, initial)))
    if not u.is_complex_field:
        return function(name, value)(*arguments)
    real, imaginary = _Part(value, "real"), _Part(value, "imag")
    return function(f"{name}_re", real)(*arguments) + sp.I * function(f"{name}_im", imaginary)(*arguments)


class _Part:
    """The real or imaginary part of a complex-valued function; equal for equal functions."""

    def __init__(self, whole, part):
        self.whole, self.part = whole, part

    def __call__(self, *arguments):
        import jax.numpy as jnp

        return getattr(jnp, self.part)(self.whole(*arguments))


def _tabulated(value: tuple, u: Any, what: str, label: str, initial: bool) -> Any:
    arguments = _arguments(u, initial)
    *grids, data = value
    names = ", ".join(c.name for c in arguments)
    if len(grids) != len(arguments):
        raise ValueError(
            f"{what}: a value given as arrays is (grid of {', grid of '.join(c.name for c in arguments)}, "
            "values); got "
            f"{len(grids)} grid(s). For a function of fewer coordinates write table(name, grids, "
            "values)(...) with those "
            f"it depends on (of {names})."
        )
    if not np.iscomplexobj(data):
        return table(label, tuple(grids), data)(*arguments)
    if not u.is_complex_field:
        raise ValueError(
            f"{what}: the values are complex but the field is real: declare it with complex=True."
        )
    real = table(f"{label}_re", tuple(grids), np.real(data))(*arguments)
    return real + sp.I * table(f"{label}_im", tuple(grids), np.imag(data))(*arguments)
