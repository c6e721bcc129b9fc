"""Fields: the unknown functions of an equation, whose attributes are their partial derivatives."""

from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef, UndefinedFunction

from ._arrays import OnArrays
from ._coordinates import Coordinate
from ._names import SYMPY_NAMES, check_name, split_names


class Field(OnArrays, AppliedUndef):
    """An unknown function of coordinates; `u.xt` is `u.diff(x, t)`. Made by `field` and `fields`."""

    field_name: str
    coordinates: tuple[Coordinate, ...]
    is_complex_field: bool

    def __getattr__(self, attribute: str) -> Any:
        # Called only for names that SymPy does not have. Protocol names (copy, pickle, NumPy, IPython) are
        # private.
        if attribute.startswith("_") or "coordinates" not in type(self).__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {attribute!r}")
        readings = derivative_readings(attribute, self.coordinates)
        known = ", ".join(c.name for c in self.coordinates)
        if not readings:
            raise AttributeError(
                f"Field {self.field_name!r} has no derivative {attribute!r}: a derivative is spelled with "
                "the field's "
                f"coordinates, which are {known}."
            )
        if len(readings) > 1:
            spelled = " or ".join(f"{self.field_name}.diff({', '.join(c.name for c in r)})" for r in readings)
            raise AttributeError(
                f"{self.field_name}.{attribute} is ambiguous with the coordinates {known}: write {spelled}."
            )
        if self.args != self.coordinates:
            raise AttributeError(
                f"{self} is not the field itself but its value elsewhere: differentiate {self.field_name} "
                "first, then "
                "substitute."
            )
        return self.diff(*readings[0])  # not sp.Derivative, which does not sort the variables

    def __reduce_ex__(self, protocol):
        return _rebuild, (self.field_name, self.coordinates, self.is_complex_field, self.args)


def _rebuild(name, coordinates, is_complex, args):
    return field_class(name, coordinates, is_complex)(*args)


def derivative_readings(attribute: str, coordinates: tuple[Coordinate, ...]) -> list[tuple[Coordinate, ...]]:
    """Every distinct way of reading `attribute` as a sequence of coordinate names, longest names first.

    Sequences that differ in order only are the same derivative and are counted once.
    """
    by_length = sorted(coordinates, key=lambda c: -len(c.name))
    # endings[i]: the readings of attribute[i:], as sets of orders so that long runs do not multiply
    endings: list[dict[tuple[int, ...], None]] = [{} for _ in range(len(attribute) + 1)]
    endings[-1][(0,) * len(coordinates)] = None
    for start in range(len(attribute) - 1, -1, -1):
        for c in by_length:
            if attribute.startswith(c.name, start):
                axis = coordinates.index(c)
                for orders in endings[start + len(c.name)]:
                    endings[start][(*orders[:axis], orders[axis] + 1, *orders[axis + 1 :])] = None
    if not attribute:
        return []
    return [tuple(c for c, order in zip(coordinates, orders) for _ in range(order)) for orders in endings[0]]


def field_class(name: str, coordinates: tuple[Coordinate, ...], is_complex: bool) -> Any:
    """The SymPy function class of a field; equal arguments give equal classes."""
    assumption = {"complex": True} if is_complex else {"real": True}
    return UndefinedFunction(
        name, (Field,), field_name=name, coordinates=coordinates, is_complex_field=is_complex, **assumption
    )


def field(name: str, *coords: Coordinate, complex: bool = False) -> Any:
    """The unknown function `name` of `coords`.

    Its attributes are its partial derivatives of any order: `u.t`, `u.xx`, `u.xyy`, spelled with the names of
    its own coordinates. A spelling that reads in two ways is an error; `u.diff(x, x)` always works.

    **Arguments:**

    - `name`: becomes an attribute of the solution, `solution.u`.
    - `coords`: the coordinates it depends on, made by `coordinates`. Space, time and parameters of a family.
    - `complex`: complex-valued (otherwise real).

    **Raises:** `ValueError` on a reserved name; `TypeError` on arguments that are not coordinates.

    >>> from sciml.pde import coordinates
    >>> x, t = coordinates("x t")
    >>> u = field("u", x, t)
    >>> u.xxt
    Derivative(u(x, t), t, (x, 2))
    """
    name = check_name(name, "field")
    if not coords:
        raise TypeError(f"Field {name!r} needs the coordinates it depends on, such as field({name!r}, x, t).")
    for c in coords:
        if not isinstance(c, Coordinate):
            raise TypeError(
                f"Field {name!r} takes coordinates made by `coordinates`; got {c!r} of type "
                f"{type(c).__name__}."
            )
    names = [c.name for c in coords]
    if len(set(names)) != len(names):
        raise ValueError(f"Field {name!r} names a coordinate twice: {', '.join(names)}.")
    if name in names:
        raise ValueError(f"Field {name!r} has the name of one of its own coordinates: rename one of the two.")
    if sum(c.role == "time" for c in coords) > 1:
        raise ValueError(f"Field {name!r} has two time coordinates; declare one of them with role='space'.")
    # A coordinate such as `args` is refused above; here names that only together spell an attribute (h, a, s
    # -> `has`).
    letters = set("".join(names))
    for taken in SYMPY_NAMES:
        if letters.issuperset(taken) and derivative_readings(taken, coords):
            raise ValueError(
                f"With the coordinates {', '.join(names)}, `{name}.{taken}` would be SymPy's attribute, not "
                "a "
                "derivative: rename one of the coordinates."
            )
    return field_class(name, tuple(coords), bool(complex))(*coords)


def fields(names: str, *coords: Coordinate, complex: bool = False) -> tuple[Any, ...]:
    """Several fields of the same coordinates, always as a tuple.

    >>> from sciml.pde import coordinates
    >>> x, y = coordinates("x y")
    >>> u, v = fields("u v", x, y)
    """
    return tuple(field(name, *coords, complex=complex) for name in split_names(names))


def as_field(value: Any, what: str) -> Any:
    """`value` if it is a field at its own coordinates; a `TypeError` that says what is expected otherwise."""
    if isinstance(value, Field) and value.args == value.coordinates:
        return value
    raise TypeError(
        f"{what} takes a field made by `field`, such as u; got {value!r} of type {type(value).__name__}. "
        "For an "
        "expression in fields and derivatives use Condition(expression, on=...)."
    )


def multi_index(expression: Any, coordinates: tuple[Coordinate, ...]) -> tuple[int, ...]:
    """How often a field or its derivative is differentiated along each of `coordinates`."""
    if not isinstance(expression, sp.Derivative):
        return (0,) * len(coordinates)
    counts = {variable: int(count) for variable, count in expression.variable_count}  # pyright: ignore
    return tuple(counts.get(c, 0) for c in coordinates)
