"""Validation shared by the constructors of this folder: messages say what was expected and what came."""

from __future__ import annotations

import keyword
import math
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


def coordinate_names(names: Iterable[str], dim: int | None, owner: str) -> tuple[str, ...]:
    """Coordinate names, a sequence or separated by spaces: different valid identifiers, `dim` of them."""
    result = tuple(names.split()) if isinstance(names, str) else tuple(names)
    for name in result:
        identifier(name, f"a coordinate name of {owner}")
    result = tuple(unicodedata.normalize("NFKC", name) for name in result)
    if len(set(result)) != len(result):
        raise ValueError(f"{owner} got the coordinate names {result}: every name may stand once.")
    if dim is not None and len(result) != dim:
        raise ValueError(f"{owner} has {dim} coordinates, but names={result} gives {len(result)}.")
    return result


def identifier(name: Any, what: str) -> str:
    """`name` as Python reads it (NFKC: the micro sign is the Greek letter) when it is a valid identifier."""
    if not isinstance(name, str):
        raise TypeError(f"{what} must be a string, got {name!r} of type {type(name).__name__}.")
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError(f"{what} must be a valid Python identifier (letters, digits, underscores), got {name!r}.")
    return unicodedata.normalize("NFKC", name)


def label(name: Any, owner: str) -> str:
    """The optional `name=` of a geometry: empty, or an identifier."""
    return "" if name is None or name == "" else identifier(name, f"name= of {owner}")


def real(value: Any, what: str) -> float:
    """A finite real number as a Python float."""
    if isinstance(value, (bool, np.bool_, str, bytes)):
        raise TypeError(f"{what} must be a real number, got {value!r}.")
    try:
        result = float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{what} must be a real number, got {value!r}.") from error
    if not math.isfinite(result):
        raise ValueError(f"{what} must be finite, got {result}.")
    return result


def positive(value: Any, what: str) -> float:
    result = real(value, what)
    if result <= 0:
        raise ValueError(f"{what} must be positive, got {result}.")
    return result


def point(value: Any, what: str, dim: int | None = None) -> tuple[float, ...]:
    """A point as a tuple of finite floats; a plain number is a point of one coordinate."""
    values: Sequence[Any]
    try:
        values = tuple(value)
    except TypeError:
        values = (value,)
    result = tuple(real(v, f"coordinate {i} of {what}") for i, v in enumerate(values))
    if dim is not None and len(result) != dim:
        raise ValueError(f"{what} must have {dim} coordinates, got {len(result)}: {result}.")
    return result


def interval(value: Any, what: str) -> tuple[float, float]:
    """A pair lower < upper."""
    try:
        pair = tuple(value)
    except TypeError:
        pair = (value,)
    if isinstance(value, str) or len(pair) != 2:
        raise ValueError(f"{what} must be a pair (lower, upper), got {value!r}.")
    lower, upper = real(pair[0], f"the lower end of {what}"), real(pair[1], f"the upper end of {what}")
    if not lower < upper:
        raise ValueError(f"{what} must have lower < upper, got ({lower}, {upper}).")
    return lower, upper


def count(n: Any, what: str = "the number of points") -> int:
    if isinstance(n, (bool, np.bool_)) or not isinstance(n, (int, np.integer)):
        raise TypeError(f"{what} must be an integer, got {n!r}.")
    if n < 0:
        raise ValueError(f"{what} must not be negative, got {n}.")
    return int(n)


def points_array(points: Any, names: tuple[str, ...]) -> np.ndarray:
    """`points` as a float array of shape (n, dim)."""
    result = np.asarray(points, float)
    if result.ndim != 2 or result.shape[1] != len(names):
        raise ValueError(
            f"points must have the shape (n, {len(names)}), one column for each of {', '.join(names)}; "
            f"got the shape {result.shape}."
        )
    return result


def coordinate_table(value: Any, what: str, dim: int | None = None) -> np.ndarray:
    """A read-only finite array (n, dim), for vertices and clouds."""
    result = np.array(value, float)
    if result.ndim != 2 or (dim is not None and result.shape[1] != dim) or result.shape[0] == 0:
        expected = f"(n, {dim})" if dim is not None else "(n, dim)"
        raise ValueError(f"{what} must have the shape {expected} with n > 0, got {result.shape}.")
    if not np.isfinite(result).all():
        raise ValueError(f"{what} must be finite; row {int(np.argwhere(~np.isfinite(result))[0, 0])} is not.")
    result.setflags(write=False)
    return result


def index_table(value: Any, what: str, width: int, size: int) -> np.ndarray:
    """A read-only integer array (n, width) of row numbers below `size`."""
    raw = np.asarray(value)
    if raw.ndim != 2 or raw.shape[1] != width or raw.shape[0] == 0:
        raise ValueError(f"{what} must have the shape (n, {width}) with n > 0, got {raw.shape}.")
    if not np.issubdtype(raw.dtype, np.integer):
        raise TypeError(f"{what} must hold integers, got {raw.dtype}.")
    result = np.array(raw, int)
    if result.min() < 0 or result.max() >= size:
        raise ValueError(f"{what} must index the {size} vertices, got numbers from {result.min()} to {result.max()}.")
    result.setflags(write=False)
    return result
