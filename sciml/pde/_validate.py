"""The checks of a PDE, all before anything numerical."""

from collections import Counter
from typing import Any

import numpy as np
import sympy as sp
from scipy.optimize import linear_sum_assignment

from ._conditions import AbstractCondition, Condition, Dirichlet, Initial, Neumann, Periodic, Robin
from ._coordinates import Coordinate, Parameter
from ._equation import Equation
from ._field import Field, multi_index
from ._flux import expand_without_check, leaves
from ._heads import check_heads
from ._observed import Observed
from ._opaque import Opaque
from ._place import place_key
from ._spline import Spline


def expressions_of(equations: list[Equation], conditions: list[AbstractCondition]) -> list[tuple[str, Any]]:
    """Every expression of a problem, with the words that begin a message about it."""
    found = [(f"Equation {e.name!r}", e.expression) for e in equations]
    return found + [(f"Condition {c.name!r}", expression) for c in conditions for expression in c.expressions]


def check_names(equations: list[Equation], conditions: list[AbstractCondition]) -> None:
    """Equations and conditions share one set of names: losses, weights and history are keyed by it."""
    counts = Counter([e.name for e in equations] + [c.name for c in conditions])
    for name, count in counts.items():
        if count == 1:
            continue
        same = [c for c in conditions if c.name == name]
        if len(same) == count and all(c.automatic for c in same):
            raise ValueError(
                f"The condition {name!r} is given {count} times ({'; '.join(c.describe() for c in same)}). "
                "If both are "
                "meant, say where each holds with on=..., or name them with name=...."
            )
        raise ValueError(
            f"The name {name!r} is used {count} times. Losses, weights and history are keyed by the names "
            "of equations and "
            "conditions, so each must be unique: rename one with name=...."
        )


def check_symbols(found: list[tuple[str, Any]], fields: tuple[Any, ...]) -> None:
    """Every symbol is known, means one thing, and stands where it may."""
    by_name: dict[str, Any] = {}
    for f in fields:
        _unique(by_name, f.field_name, f, "")
        for c in f.coordinates:
            _unique(by_name, c.name, c, f"Field {f.field_name!r}")
    known = {c for f in fields for c in f.coordinates}
    has_complex = any(f.is_complex_field for f in fields)
    callables: dict[str, Any] = {}
    for where, expression in found:
        for symbol in sorted(expression.free_symbols, key=str):
            if type(symbol) is sp.Symbol and isinstance(by_name.get(symbol.name), Coordinate):
                raise ValueError(
                    f"{where} contains a plain SymPy symbol {symbol}, which is not the coordinate {symbol} "
                    "of the fields: it "
                    "would be a different, unknown quantity. Use the object made by "
                    f"coordinates({symbol.name!r})."
                )
        check_heads(expression, where, normals=where.startswith("Condition"))
        for f in expression.atoms(Field):
            if f not in fields:
                _unique(by_name, f.field_name, f, where)
                raise ValueError(
                    f"{where} is about field {f.field_name!r}, which is in no equation. The fields of the "
                    "equations are "
                    f"{', '.join(g.field_name for g in fields)}."
                )
        for symbol in sorted(expression.free_symbols, key=str):
            if isinstance(symbol, Coordinate | Parameter):
                _unique(by_name, symbol.name, symbol, where)
            if isinstance(symbol, Coordinate) and symbol not in known:
                raise ValueError(
                    f"{where} depends on the coordinate {symbol}, but no field does: the fields must have "
                    "it among their "
                    f"coordinates, as in field({fields[0].field_name!r}, "
                    f"{', '.join(c.name for c in fields[0].coordinates)}, {symbol})."
                )
        if expression.has(sp.I) and not has_complex:
            raise ValueError(
                f"{where} contains the imaginary unit, but all fields are real: declare the field with "
                "complex=True."
            )
        for node in expression.atoms(Opaque):
            other = callables.setdefault(node.function_name, node.base)
            if other != node.base and not isinstance(node.base.callable, Spline):
                raise ValueError(
                    f"{where}: two different functions are called {node.function_name!r}. They are saved by "
                    "name, so name "
                    "one of them with function(name, callable)."
                )


def _unique(by_name: dict[str, Any], name: str, thing: Any, where: str) -> None:
    other = by_name.setdefault(name, thing)
    if other == thing:
        return
    begin = f"{where}: " if where else ""
    if isinstance(other, Coordinate) and isinstance(thing, Coordinate):
        raise ValueError(
            f"{begin}the coordinate {name!r} is used with two roles, {other.role!r} and {thing.role!r}: "
            "make it once with "
            "`coordinates` and use that object."
        )
    if isinstance(other, Field) and isinstance(thing, Field):
        raise ValueError(
            f"{begin}two different fields are called {name!r}: {_signature(other)} and {_signature(thing)}. "
            "Make it once "
            "and use that object."
        )
    if isinstance(other, Parameter) and isinstance(thing, Parameter):
        raise ValueError(
            f"{begin}the parameter {name!r} is declared twice, starting at {other.initial} and at "
            f"{thing.initial}."
        )
    kinds = [type(t).__name__.lower() if not isinstance(t, Field) else "field" for t in (other, thing)]
    raise ValueError(f"{begin}{name!r} names both a {kinds[0]} and a {kinds[1]}: rename one of them.")


def _signature(f: Any) -> str:
    arguments = ", ".join(f"{c.name} ({c.role})" for c in f.coordinates)
    return f"{f.field_name}({arguments}{', complex' if f.is_complex_field else ''})"


def check_count(unknowns: int, fields: tuple[Any, ...], equations: int, free: tuple[Any, ...], conditions: Any) -> None:
    """As many equations as fields, or data and conditions from which the `free` ones follow.

    Data (`Observed`) may determine any number of them, a `Condition` in which one stands one.
    """
    if unknowns <= equations or any(isinstance(c, Observed) for c in conditions):
        return
    closing = [c for c in conditions if isinstance(c, Condition) and set(c.fields) & set(free)]
    if unknowns - equations <= len(closing):
        return
    names = ", ".join(f.field_name for f in fields)
    note = (
        " (a complex field counts twice, and so does a complex equation)" if unknowns != len(fields) else ""
    )
    raise ValueError(
        f"There are more fields than equations: {unknowns} unknown functions ({names}) but {equations} "
        f"equation{'s' * (equations != 1)}{note}. Give one equation for each field, or what "
        f"{' and '.join(f.field_name for f in free)} follow{'s' * (len(free) == 1)} from instead: data, "
        "Observed(u, points, values), or a Condition(...) in which it stands."
    )


def fields_without_equation(fields: tuple[Any, ...], equations: list[Equation]) -> tuple[Any, ...]:
    """The fields that are left when every equation is given to the field that it determines: unknown coefficients.

    An equation is that of the field with the most derivatives in it, as u in u_t - div(a grad u); over all equations
    together, by the assignment with the highest orders.
    """
    if len(equations) >= len(fields):
        return ()
    orders = np.full((len(equations), len(fields)), -1e6)
    for row, e in zip(orders, equations):
        for leaf in leaves(expand_without_check(e.expression)):
            u: Any = leaf.expr if isinstance(leaf, sp.Derivative) else leaf
            i = fields.index(u)
            row[i] = max(row[i], sum(multi_index(leaf, u.coordinates)))
    _, taken = linear_sum_assignment(-orders)
    return tuple(u for i, u in enumerate(fields) if i not in taken)


def check_conditions(pde: Any) -> None:
    """Conditions against the orders of the equations and against each other."""
    space = [c.name for c in pde.space]
    periodic = [c for c in pde.conditions if isinstance(c, Periodic)]
    for c in periodic:
        allowed = space if c.field is None else [x.name for x in c.field.coordinates if x.role == "space"]
        for name in c.coordinates:
            if name not in allowed:
                raise ValueError(
                    f"Condition {c.name!r}: {name!r} is not a space coordinate here; these are "
                    f"{', '.join(allowed)}."
                )
    known = {x.name for x in pde.coordinates}
    for c in pde.conditions:
        if isinstance(c, Initial):
            order = pde.order(c.field, c.time)
            if c.order >= order and c.field not in pde.free_fields:
                u = c.field.field_name
                raise ValueError(
                    f"Condition {c.name!r} prescribes a time derivative of order {c.order} of {u}, but the "
                    "equations have "
                    + (
                        f"no time derivative of {u}: it follows from the other fields at each time, so it "
                        "has no initial "
                        "value."
                        if order == 0
                        else f"order {order} in time, so only orders below {order} are prescribed."
                    )
                )
        if isinstance(c.on, dict):
            _check_point(c, known, pde)
        elif isinstance(c.on, sp.Basic):
            for symbol in c.on.free_symbols:
                if symbol not in pde.coordinates:
                    raise ValueError(
                        f"Condition {c.name!r}: {symbol} in on={c.on} is not a coordinate of the problem."
                    )
        if not isinstance(c, Periodic | Observed | Initial):
            _check_against_periodic(c, periodic, pde)
    _check_contradictions(pde.conditions)


def _check_point(c: Any, known: set[str], pde: Any) -> None:
    if not set(c.on) <= known:
        raise ValueError(
            f"Condition {c.name!r}: on={c.on} names {', '.join(sorted(set(c.on) - known))}, but the "
            "coordinates are "
            f"{', '.join(x.name for x in pde.coordinates)}."
        )
    needed = {x.name for f in c.fields for x in f.coordinates if x.role == "space"}
    if not needed <= set(c.on):
        raise ValueError(
            f"Condition {c.name!r}: a point needs every space coordinate; "
            f"{', '.join(sorted(needed - set(c.on)))} is "
            f"missing. For a side of a box use its name, such as on='x_min'."
        )


def _check_against_periodic(c: Any, periodic: list[Periodic], pde: Any) -> None:
    for u in c.fields:
        free = [x for x in u.coordinates if x.role == "space"]
        repeated = [x for x in free if any(p.covers(u, x) for p in periodic)]
        sides = {f"{x.name}_{side}" for x in repeated for side in ("min", "max")}
        parts = c.on if isinstance(c.on, tuple) else (c.on,)
        clash = [place_key(part) for part in parts if part is not None and place_key(part) in sides]
        if clash:
            raise ValueError(
                f"Condition {c.name!r} holds on {clash[0]}, but {u.field_name} is periodic there, so that "
                "side is no "
                "boundary: drop one of the two."
            )
        if c.on is None and free and len(repeated) == len(free):
            raise ValueError(
                f"Condition {c.name!r} holds on every boundary, but {u.field_name} is periodic in every "
                "space coordinate, so "
                "there is no boundary: drop one of the two."
            )


def _check_contradictions(conditions: tuple[Any, ...]) -> None:
    """Two values for the same thing at the same place."""
    seen: dict[Any, Any] = {}
    for c in conditions:
        if isinstance(c, Initial):
            what = ("initial", c.field, c.order)
        elif isinstance(c, Dirichlet | Neumann | Robin):
            what = (type(c).__name__, c.field, place_key(c.on))
            if isinstance(c, Robin):
                what = (*what, c.alpha, c.beta)
        else:
            continue
        other = seen.setdefault(what, c)
        if other is not c:
            raise ValueError(
                f"Conditions {other.name!r} and {c.name!r} prescribe the same quantity at the same place: "
                f"{other.describe()}; "
                f"{c.describe()}. Drop one, or give each its place with on=...."
            )
