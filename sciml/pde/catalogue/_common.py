"""What the entries of the catalogue share."""

from typing import Any

import sympy as sp

from .._coordinates import Coordinate, coordinates

AXES = "xyz"


def space(dimension: int, largest: int = 3) -> tuple[Coordinate, ...]:
    """The coordinates x, y, z up to `dimension`."""
    if isinstance(dimension, bool) or not isinstance(dimension, int) or not 1 <= dimension <= largest:
        raise ValueError(
            f"dimension={dimension!r}; this equation is written in 1 to {largest} space dimensions."
        )
    return tuple(coordinates(name) for name in AXES[:dimension])


def time() -> Coordinate:
    return coordinates("t")


def coefficient(name: str, value: Any, *, sign: str = "any") -> Any:
    """A physical coefficient: a number, an unknown `parameter`, or an expression in the coordinates.

    A number is checked for its `sign` ("positive", "nonnegative" or "any"): with the other one the problem is
    ill-posed.
    """
    if isinstance(value, bool):
        raise TypeError(
            f"{name}={value!r}; expected a number, a parameter, or an expression in the coordinates."
        )
    try:
        value = sp.sympify(value)
    except sp.SympifyError:
        value = None
    if not isinstance(value, sp.Expr):
        raise TypeError(f"{name} must be a number, a parameter, or an expression in the coordinates.")
    if value.is_number and not value.is_finite:
        raise ValueError(f"{name}={value}; it must be finite.")
    wrong = value.is_negative or (sign == "positive" and value.is_zero)
    if sign != "any" and wrong:
        raise ValueError(f"{name}={value}; it must be {sign}, otherwise the equation is ill-posed.")
    return value


def varies(value: Any) -> bool:
    """Whether a coefficient depends on the space coordinates, so that it belongs inside the divergence."""
    return any(isinstance(s, Coordinate) and s.role == "space" for s in value.free_symbols)


def vector(name: str, value: Any, dimension: int) -> tuple[Any, ...]:
    """A vector coefficient with one entry per space dimension; one number counts for one dimension."""
    parts: Any = tuple(value) if isinstance(value, (tuple, list, sp.MatrixBase)) else (value,)  # pyright: ignore
    if len(parts) != dimension:
        raise ValueError(
            f"{name} has {len(parts)} component(s); in {dimension} dimension(s) it needs {dimension}."
        )
    return tuple(coefficient(name, part) for part in parts)
