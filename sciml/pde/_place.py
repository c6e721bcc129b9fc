"""Where a condition holds: the meaning of `on=`."""

from typing import Any

import sympy as sp
from sympy.logic.boolalg import Boolean

from ._coordinates import Coordinate
from ._names import as_identifier


def check_place(on: Any, what: str) -> Any:
    """`on` in its stored form: None, a string, a tuple of strings and parts, a part, a relation, or a dict to
    floats.

    Raises `TypeError` or `ValueError` on anything else, a Python bool among them.
    """
    if on is None or (isinstance(on, str) and on.isidentifier()):
        return on if on is None else as_identifier(on)
    if isinstance(on, str):
        raise ValueError(
            f"{what}: {on!r} is not the name of a part of a boundary, such as 'x_min' or 'hole'."
        )
    if isinstance(on, bool) or on in (sp.true, sp.false):
        raise TypeError(
            f"{what}: on={on!r} is a bool, not a relation: Python compared two objects. Write on=sp.Eq(x, "
            "0), or the name "
            "of the part, such as on='x_min'."
        )
    if isinstance(on, (tuple, list)):
        if not on:
            raise ValueError(f"{what}: on=() names no part of the boundary; leave `on` out for all of it.")
        parts = tuple(part for one in on for part in _flat(check_place(one, what)))
        if any(part is None or isinstance(part, (dict, tuple, Boolean)) for part in parts):
            raise TypeError(f"{what}: a tuple in `on` holds names or parts of the boundary; got {on!r}.")
        return parts
    if isinstance(on, dict):
        place = {}
        for key, value in on.items():
            name = key.name if isinstance(key, Coordinate) else key
            if not isinstance(name, str):
                raise TypeError(f"{what}: the keys of a point are coordinates or their names; got {key!r}.")
            try:
                place[as_identifier(name)] = float(value)
            except (TypeError, ValueError):
                raise TypeError(f"{what}: on={on!r} names a point; {name} is a number there, got {value!r}.") from None
        if not place:
            raise ValueError(f"{what}: on={{}} names no point.")
        return place
    if isinstance(on, Boolean) and not isinstance(on, sp.Symbol):
        for symbol in on.free_symbols:
            if not isinstance(symbol, Coordinate):
                raise ValueError(f"{what}: the relation {on} mentions {symbol}, which is not a coordinate.")
        return on
    if hasattr(on, "own_parts"):  # a geometry
        return on.own_parts(what)  # pyright: ignore
    if isinstance(getattr(on, "name", None), str) and not isinstance(on, sp.Basic):
        return on
    raise TypeError(
        f"{what}: on={on!r} of type {type(on).__name__} is no part of a boundary. Expected a name such as "
        "'x_min', "
        "domain.boundary[...], a shape with a name, a tuple of them, a relation such as x < 0.5, or a point such as {'x': 0, "
        "'y': 0}."
    )


def _flat(part: Any) -> tuple[Any, ...]:
    return part if isinstance(part, tuple) else (part,)


def place_key(on: Any) -> Any:
    """What two places are compared by: a part of the boundary is its name."""
    if isinstance(on, tuple):
        return tuple(place_key(part) for part in on)
    if isinstance(on, dict):
        return ("point", *sorted(on.items()))
    return on if on is None or isinstance(on, (str, Boolean)) else on.name


def place_text(on: Any) -> str:
    """`on` in words: "every boundary", "x_min", "x = 0, y = 0", ..."""
    if on is None:
        return "every boundary"
    if isinstance(on, tuple):
        if len(on) > 4:
            return f"{place_text(on[0])}, ..., {place_text(on[-1])} ({len(on)} parts)"
        return " and ".join(place_text(part) for part in on)
    if isinstance(on, dict):
        return ", ".join(f"{name} = {value:g}" for name, value in on.items())
    return str(place_key(on))
