"""Which names a coordinate, field or parameter may carry."""

import builtins
import keyword
import re
import unicodedata

from sympy.core.function import AppliedUndef

# A field is an attribute of a Solution, and a coordinate is a keyword of the calls on it.
SOLUTION_NAMES = frozenset(
    "animate at block blocks boundary checkpoint columns compile conditions contains converged coordinates domain "
    "equations error estimate estimate_error estimator evaluate explain expression_of fields final flux from_saved grid grids "
    "history integrate key keys load loss "
    "method "
    "metadata name names network normal notes on orders params parameters parts pde plot plot_history points precision "
    "problem residual residuals result sample save solve space spread state stats time to_dict to_saved to_xarray "
    "type values values_of weights".split()
)
SYMPY_NAMES = frozenset(name for name in dir(AppliedUndef) if not name.startswith("_"))
FIELD_ATTRIBUTES = frozenset({"field_name", "is_complex_field", "callable", "dtype", "initial", "role"})
CONSTANTS = frozenset({"pi", "E", "I", "oo", "zoo", "nan", "inf", "true", "false"})


def check_name(name: str, what: str, *, attribute: bool = True) -> str:
    """Returns `name`, as Python reads it, if a `what` ("coordinate", "field", "parameter", ...) may be called that.

    With `attribute` it becomes an attribute of fields or solutions, as coordinates and fields do.

    Raises `ValueError` with the reason otherwise: not an identifier, a Python keyword, a constant of SymPy,
    or an attribute that SymPy's functions or a `Solution` already have.
    """
    if not isinstance(name, str):
        raise TypeError(f"The name of a {what} is a string; got {name!r} of type {type(name).__name__}.")
    name = as_identifier(name)
    if not name.isidentifier() or name.startswith("_"):
        raise ValueError(
            f"{name!r} cannot name a {what}: expected a Python identifier that does not begin with an "
            "underscore, "
            "such as 'x', 'x1' or 'theta'."
        )
    if keyword.iskeyword(name):
        raise ValueError(f"{name!r} cannot name a {what}: it is a keyword of Python. Try {name + '_'!r}.")
    if name in CONSTANTS:
        raise ValueError(f"{name!r} cannot name a {what}: SymPy reads it as a constant. Try {name + '_'!r}.")
    if attribute and (name in SYMPY_NAMES or name in FIELD_ATTRIBUTES):
        raise ValueError(
            f"{name!r} cannot name a {what}: every SymPy function already has an attribute of that name, so "
            f"`u.{name}` would not be what it seems. Try {name + '_'!r} or {name + '1'!r}."
        )
    if attribute and name in SOLUTION_NAMES:
        raise ValueError(
            f"{name!r} cannot name a {what}: a Solution already uses that name, so `solution.{name}` would "
            "not be "
            f"what it seems. Try {name + '_'!r}."
        )
    return name


def as_identifier(name: str) -> str:
    """The name as Python reads it in code, in NFKC: `u.µ` with the micro sign is the attribute μ, the Greek letter."""
    return unicodedata.normalize("NFKC", name)


def split_names(names: str) -> tuple[str, ...]:
    """The names in a string, separated by blanks or commas."""
    if not isinstance(names, str):
        raise TypeError(f"Names are given as one string such as 'x y t'; got {type(names).__name__}.")
    found = tuple(as_identifier(part) for part in re.split(r"[\s,]+", names) if part)
    if not found:
        raise ValueError("No name was given: expected a string such as 'x y t'.")
    if len(set(found)) != len(found):
        raise ValueError(f"A name appears twice in {names!r}.")
    return found


def callable_name(function, default: str) -> str:
    """A readable identifier for a Python callable, or `default` for a lambda or an unnamed object."""
    name = getattr(function, "__name__", "")
    reserved = keyword.iskeyword(name) or hasattr(builtins, name)
    return name if name.isidentifier() and not name.startswith("_") and not reserved else default
