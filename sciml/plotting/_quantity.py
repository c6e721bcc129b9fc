"""What is drawn: a quantity of a solution, the coordinates left free, and its values on a grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from .._field_function import FieldFunction
from ..pde import Field
from ..pde._printing import latex

if TYPE_CHECKING:
    from ..solution import Solution


@dataclass(frozen=True)
class Quantity:
    """Something with a value at every point: its LaTeX name, its coordinates, (columns by name) -> values, and whether
    these are angles."""

    name: str
    coordinates: tuple[str, ...]
    values: Callable[[dict[str, np.ndarray]], np.ndarray]
    is_angle: bool = False


@dataclass(frozen=True)
class View:
    """A quantity, its free coordinates in space (up to three), its time, the times chosen, what is held, and whether patches
    are drawn."""

    quantity: Quantity
    axes: tuple[str, ...]
    time: str | None
    times: np.ndarray | None
    fixed: dict[str, float]
    patches: bool = False


def quantities(solution: Solution, field: Any) -> list[Quantity]:
    if field is None:
        shown = [(u, sp.arg(u)) if u.is_complex_field else (u,) for u in solution.pde.fields]
        return [quantity_of(solution, one) for several in shown for one in several]
    if isinstance(field, Sequence) and not isinstance(field, str):
        return [quantity_of(solution, one) for one in field]
    return [quantity_of(solution, field)]


def quantity_of(solution: Solution, field: Any) -> Quantity:
    field = solution.expression_of(field)
    if not isinstance(field, sp.Expr) or not field.atoms(Field):
        raise TypeError(
            "plot: the field is a name such as 'u' or 'u.xx', a field, an expression in fields and derivatives, or a "
            f"sequence of these; {field!r} came."
        )
    strange = field.atoms(Field) - set(solution.pde.fields)
    if strange:
        raise ValueError(
            f"plot: {', '.join(sorted(map(str, strange)))} is no field of this solution; its fields are "
            f"{', '.join(map(str, solution.pde.fields))}."
        )
    used = {c.name for u in field.atoms(Field) for c in u.coordinates}
    used |= {s.name for s in field.free_symbols}  # pyright: ignore
    # Shown in the order of the domain: space, time, parameters.
    names = tuple(name for name in solution.domain.names if name in used)
    single = isinstance(field, Field) or isinstance(field, sp.Derivative) and isinstance(field.expr, Field)
    is_complex = any(u.is_complex_field for u in field.atoms(Field))

    def values(columns: dict[str, np.ndarray]) -> np.ndarray:
        if single:
            function = FieldFunction(solution, field)
            found = function(*(columns[c.name] for c in function.coordinates))
        else:
            size, middle = len(next(iter(columns.values()))), middle_of(solution, solution.domain.names)
            x = [columns.get(c.name, np.full(size, middle[c.name])) for c in solution.pde.coordinates]
            (found,) = solution.values_of([field], np.stack(x, axis=1))
        return np.abs(found) if np.iscomplexobj(found) else np.asarray(found)

    name = latex(field)
    return Quantity(
        f"$|{name}|$" if single and is_complex else f"${name}$", names, values, isinstance(field, sp.arg | sp.atan2)
    )


def view_of(solution: Solution, quantity: Quantity, t: Any, fixed: Mapping[str, float]) -> View:
    domain = solution.domain
    ranges = _ranges(solution)
    held = {name: float(value) for name, value in fixed.items()}
    for name, value in held.items():
        _inside_range(name, [value], ranges)
    time = domain.time.name if domain.time is not None else None
    times = None
    if t is not None:
        if time is None:
            raise ValueError("t= was given, but this solution has no time.")
        if time in held:
            raise ValueError(f"plot: both t={t!r} and {time}={held[time]:g} were given; expected one of them.")
        times = np.atleast_1d(np.asarray(t, float)).ravel()
        _inside_range(time, times, ranges)
    elif time in held:
        times = np.array([held.pop(time)])
    if time not in quantity.coordinates:
        time, times = None, None
    space = domain.space.names if domain.space is not None else ()
    free = [name for name in quantity.coordinates if name in space and name not in held]
    if len(free) > 3:
        free = free[:2]
    if not free and time is None:
        free = [name for name in quantity.coordinates if name not in held][:2]
    rest = [name for name in quantity.coordinates if name not in (*free, time)]
    return View(quantity, tuple(free), time, times, middle_of(solution, rest) | {k: held[k] for k in rest if k in held})


def _ranges(solution: Solution) -> dict[str, tuple[float, float]]:
    domain = solution.domain
    return dict(zip(domain.names, zip(domain.lower.tolist(), domain.upper.tolist(), strict=True), strict=True))


def _inside_range(name: str, values: Any, ranges: Mapping[str, tuple[float, float]]) -> None:
    if name not in ranges:
        raise ValueError(f"plot: {name!r} is no coordinate; these are {', '.join(ranges)}.")
    low, high = ranges[name]
    slack = 1e-9 * (high - low)
    for value in values:
        if not low - slack <= value <= high + slack:
            raise ValueError(f"plot: {name}={value:g} is outside the domain, where {name} is from {low:g} to {high:g}.")


def held_in_plane(solution: Solution, quantity: Quantity, fixed: Mapping[str, float]) -> dict[str, float]:
    """`fixed`, and the third and further space coordinates in the middle."""
    domain = solution.domain
    names = domain.space.names if domain.space is not None else ()
    free = [name for name in quantity.coordinates if name in names and name not in fixed]
    return dict(fixed) | middle_of(solution, free[2:])


def grid_of(solution: Solution, names: Sequence[str], n: int) -> dict[str, np.ndarray]:
    return {name: np.linspace(*_ranges(solution)[name], n) for name in names}


def evaluate(
    solution: Solution, quantity: Quantity, axes: Mapping[str, np.ndarray], fixed: Mapping[str, float]
) -> np.ndarray:
    """Values on the outer product of `axes`; NaN outside the region."""
    mesh = np.meshgrid(*axes.values(), indexing="ij")
    columns = dict(zip(axes, (m.ravel() for m in mesh), strict=True))
    columns |= {name: np.full(mesh[0].size, value) for name, value in fixed.items()}
    space = solution.domain.space
    inside = np.ones(mesh[0].size, bool)
    if space is not None and set(space.names) <= set(columns):
        inside = space.contains(np.stack([columns[name] for name in space.names], axis=1), 1e-9 * space.size)
    values = np.full(mesh[0].size, np.nan)
    if inside.any():
        values[inside] = quantity.values({name: column[inside] for name, column in columns.items()})
    return values.reshape(mesh[0].shape)


def middle_of(solution: Solution, names: Sequence[str]) -> dict[str, float]:
    ranges = _ranges(solution)
    return {name: sum(ranges[name]) / 2 for name in names}
