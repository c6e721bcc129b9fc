"""Data: observed values of a field or of an expression at scattered points."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp

from ._conditions import AbstractCondition
from ._coordinates import Coordinate, in_canonical_order
from ._field import Field
from ._flux import evaluate_derivatives
from ._printing import latex, text


class Observed(AbstractCondition):
    """`u(points) = values`, up to noise: data to learn from.

    **Arguments:**

    - `u`: a field, any expression in fields and derivatives, or a tuple of them.
    - `points`: shape `(n, d)`, the columns in the order of the field's coordinates (`.coordinates` says
        which); `(n,)` where d = 1; or a dict from coordinate names to arrays of n values.
    - `values`: shape `(n,)`; for a tuple of k fields `(n, k)` or k arrays.
    - `noise`: the known standard deviation of the values (one number, or one for each), or None where it is
        not known.

    **Raises:** `ValueError` on NaN, and on shapes that do not agree.

    >>> import numpy as np
    >>> from sciml.pde import coordinates, field
    >>> x, t = coordinates("x t")
    >>> u = field("u", x, t)
    >>> Observed(u, {"x": [0.1, 0.2], "t": [0.0, 0.5]}, [1.0, 2.0], noise=0.01)
    <Observed 'observed u': u observed at 2 points, noise 0.01>
    """

    def __new__(
        cls, u: Any = None, points: Any = None, values: Any = None, noise: Any = None, **kwargs: Any
    ) -> Any:
        u = u.flat() if isinstance(u, sp.MatrixBase) else u
        if isinstance(u, (tuple, list)):
            columns = list(values) if isinstance(values, (tuple, list)) and len(values) == len(u) else None
            if columns is None:
                array = np.asarray(values)
                if array.ndim != 2 or array.shape[1] != len(u):
                    raise ValueError(
                        f"Observed: for {len(u)} fields the values have shape (n, {len(u)}); got "
                        f"{array.shape}."
                    )
                columns = list(array.T)
            noises = list(noise) if isinstance(noise, (tuple, list)) else [noise] * len(u)
            return tuple(
                cls(one, points, column, own, **kwargs) for one, column, own in zip(u, columns, noises)
            )
        return super().__new__(cls)

    def __init__(self, u: Any, points: Any, values: Any, noise: Any = None, *, name: str | None = None):
        if isinstance(u, bool) or not isinstance(u, sp.Expr) or not u.atoms(Field):
            raise TypeError(f"Observed takes a field or an expression with fields in it; got {u!r}.")
        self.expression = evaluate_derivatives(u)
        label = f"observed {text(u)}"
        self.coordinates: tuple[Coordinate, ...] = observed_coordinates(u)
        self.points = _points(points, self.coordinates, label)
        array = np.asarray(values)
        array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
        is_complex = any(f.is_complex_field for f in u.atoms(Field))
        if np.iscomplexobj(array) and not is_complex:
            raise ValueError(
                f"{label}: the values are complex but the field is real: declare it with complex=True."
            )
        # A table of both kinds: complex only where the field and the values are.
        self.values = np.array(array, dtype=complex if np.iscomplexobj(array) else float)
        if self.values.shape != (len(self.points),):
            raise ValueError(
                f"{label}: {len(self.points)} points need values of shape ({len(self.points)},); got "
                f"{self.values.shape}."
            )
        _finite(self.values, f"{label}: the values")
        self.noise = _noise(noise, len(self.points), label)
        for array in (self.points, self.values, self.noise):
            if isinstance(array, np.ndarray):
                array.flags.writeable = False
        self._set_name(name, label)

    @property
    def expressions(self):
        return (self.expression,)

    def key(self):
        noise = self.noise.tobytes() if isinstance(self.noise, np.ndarray) else self.noise
        return (*super().key(), self.points.tobytes(), self.values.tobytes(), self.values.dtype.kind, noise)

    def describe(self):
        known = "" if self.noise is None else f", noise {np.mean(self.noise):.3g}"
        return f"{text(self.expression)} observed at {len(self.points)} points{known}"

    def latex(self):
        return rf"{latex(self.expression)} \quad \text{{observed at {len(self.points)} points}}"


def observed_coordinates(expression: Any) -> tuple[Coordinate, ...]:
    """The columns of the points: the order of the field's own coordinates; of several fields, by role."""
    found = sorted(expression.atoms(Field), key=lambda f: (-len(f.coordinates), f.field_name))
    orders = {f.coordinates for f in found}
    return orders.pop() if len(orders) == 1 else in_canonical_order(c for f in found for c in f.coordinates)


def _points(points: Any, coordinates: tuple[Coordinate, ...], label: str) -> np.ndarray:
    names = [c.name for c in coordinates]
    if isinstance(points, Mapping):
        given = {
            key.name if isinstance(key, Coordinate) else key: np.asarray(v, float)
            for key, v in points.items()
        }
        if set(given) != set(names):
            raise ValueError(
                f"{label}: the points need the coordinates {', '.join(names)}; got {', '.join(given)}."
            )
        lengths = {name: array.shape for name, array in given.items() if array.ndim}
        if any(len(shape) != 1 for shape in lengths.values()) or len(set(lengths.values())) != 1:
            raise ValueError(
                f"{label}: the arrays of the points must be 1D and equally long; got shapes {lengths}."
            )
        array = np.stack(np.broadcast_arrays(*(given[name] for name in names)), axis=1)
    else:
        array = np.array(points, dtype=float)
        if array.ndim == 1 and len(names) == 1:
            array = array[:, None]
    if array.ndim != 2 or array.shape[1] != len(names):
        raise ValueError(
            f"{label}: the points have shape (n, {len(names)}), one column for each of {', '.join(names)}; "
            "got "
            f"{array.shape}."
        )
    if not len(array):
        raise ValueError(f"{label}: there are no points.")
    _finite(array, f"{label}: the points")
    return array


def _finite(array: np.ndarray, what: str) -> None:
    bad = ~np.isfinite(array)
    if bad.any():
        row = int(np.argwhere(bad)[0][0])
        raise ValueError(
            f"{what} contain {int(bad.sum())} NaN or infinite entries (first in row {row}): drop them first."
        )


def _noise(noise: Any, count: int, label: str) -> Any:
    if noise is None:
        return None
    array = np.array(noise, dtype=float)
    if array.ndim > 1 or (array.ndim == 1 and len(array) != count):
        raise ValueError(
            f"{label}: the noise is one number or one for each of {count} points; got shape {array.shape}."
        )
    if not np.all(np.isfinite(array)) or not np.all(array > 0):
        raise ValueError(
            f"{label}: the noise is a standard deviation, so it must be positive; got {noise!r}."
        )
    return array if array.ndim else float(array)
