"""The symbols of the language: coordinates, unknown parameters and the outward normal."""

import math
from typing import Any

import sympy as sp

from ._arrays import OnArrays
from ._names import check_name, split_names

ROLES = ("space", "time", "parameter")


class Coordinate(OnArrays, sp.Symbol):
    """A real independent variable; `.role` is `"space"`, `"time"` or `"parameter"`. See `coordinates`."""

    __slots__ = ("role",)
    role: str

    def __new__(cls, name: str, role: str = "space"):
        if role not in ROLES:
            raise ValueError(
                f"The role of a coordinate is one of {', '.join(map(repr, ROLES))}; got {role!r}."
            )
        self = sp.Symbol.__xnew__(cls, name, real=True)
        self.role = role
        return self

    def _hashable_content(self) -> Any:
        return (*super()._hashable_content(), self.role)

    @classmethod
    def class_key(cls):
        return sp.Symbol.class_key()  # printed in the same order as plain symbols

    def __getnewargs_ex__(self) -> Any:
        return (self.name, self.role), {}


class Parameter(OnArrays, sp.Symbol):
    """An unknown number, learned together with the solution. See `parameter`."""

    __slots__ = ("initial",)
    initial: float

    def __new__(cls, name: str, initial: float, positive: bool = False):
        assumptions = {"positive": True} if positive else {"real": True}
        self = sp.Symbol.__xnew__(cls, name, **assumptions)
        self.initial = float(initial)
        return self

    def _hashable_content(self) -> Any:
        return (*super()._hashable_content(), self.initial)

    @classmethod
    def class_key(cls):
        return sp.Symbol.class_key()  # printed in the same order as plain symbols

    def __getnewargs_ex__(self) -> Any:
        return (self.name, self.initial, bool(self.is_positive)), {}


class NormalComponent(sp.Symbol):
    """The component of the outward unit normal along one space coordinate. See `normal`."""

    __slots__ = ("coordinate",)
    coordinate: Coordinate

    def __new__(cls, coordinate: Coordinate):
        self = sp.Symbol.__xnew__(cls, f"n_{coordinate.name}", real=True)
        self.coordinate = coordinate
        return self

    def _hashable_content(self) -> Any:
        return (*super()._hashable_content(), self.coordinate)

    @classmethod
    def class_key(cls):
        return sp.Symbol.class_key()  # printed in the same order as plain symbols

    def __getnewargs_ex__(self) -> Any:
        return (self.coordinate,), {}


def coordinates(names: str, *, role: str | None = None) -> Any:
    """The coordinates called `names`, in order; a single name gives a single coordinate.

    **Arguments:**

    - `names`: names separated by blanks or commas, such as `"x y t"`, `"x1 x2"` or `"r theta"`.
    - `role`: `"space"`, `"time"` or `"parameter"` (a family of problems, solved at once) for all of them. By
        default `t` is time and everything else is space: `coordinates("tau", role="time")`.

    NumPy's functions work on a coordinate, field or parameter by itself, `np.exp(u)`; of an expression take SymPy's,
    `sp.sin(sp.pi * x)`.

    **Raises:** `ValueError` on a name that is reserved (`n`, `diff`, `error`, `pi`, ...), and on an unknown
    role.

    >>> x, t = coordinates("x t")
    >>> x.role, t.role
    ('space', 'time')
    >>> coordinates("nu", role="parameter").role
    'parameter'
    """
    found = tuple(
        Coordinate(check_name(name, "coordinate"), role or ("time" if name == "t" else "space"))
        for name in split_names(names)
    )
    return found[0] if len(found) == 1 else found


def parameter(name: str, *, initial: float, positive: bool = False) -> Parameter:
    """An unknown number inside an equation or condition: writing one makes an inverse problem.

    **Arguments:**

    - `name`: how it is called in the results.
    - `initial`: where the search starts; must be positive if `positive`.
    - `positive`: keep it positive throughout (it is then learned through its logarithm).

    >>> nu = parameter("nu", initial=0.1, positive=True)
    >>> nu.initial
    0.1
    """
    name = check_name(name, "parameter", attribute=False)
    initial = float(initial)
    if not math.isfinite(initial):
        raise ValueError(f"The initial value of parameter {name!r} must be finite; got {initial}.")
    if positive and initial <= 0:
        raise ValueError(
            f"Parameter {name!r} is declared positive but starts at {initial}: give a positive `initial`, "
            "or drop "
            "positive=True."
        )
    return Parameter(name, initial, bool(positive))


def normal(*coords: Coordinate) -> Any:
    """The components of the outward unit normal along `coords`, for conditions on the boundary.

    >>> x, y = coordinates("x y")
    >>> normal(x)
    n_x
    >>> normal(x, y)
    (n_x, n_y)
    """
    if not coords:
        raise TypeError(
            "`normal` needs the space coordinates whose components are wanted, such as normal(x, y)."
        )
    for coordinate in coords:
        if not isinstance(coordinate, Coordinate) or coordinate.role != "space":
            raise ValueError(f"`normal` takes space coordinates made by `coordinates`; got {coordinate!r}.")
    components = tuple(NormalComponent(coordinate) for coordinate in coords)
    return components[0] if len(components) == 1 else components


def in_canonical_order(found) -> tuple[Coordinate, ...]:
    """Coordinates by role (space, time, parameter), each role in the order in which it was met."""
    unique = tuple(dict.fromkeys(found))
    return tuple(c for role in ROLES for c in unique if c.role == role)
