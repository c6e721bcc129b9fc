"""What holds for a field at each wall of a box, read from the conditions."""

from __future__ import annotations

from typing import Any

from ..geometry import Domain
from ..pde import PDE, Coordinate, Dirichlet, Initial, Neumann, Observed, Robin
from ..pde import Periodic as PeriodicCondition
from ..pde._printing import text
from ..statement import FREE, Wall, at_face, covered, facing, floating, read_wall
from ._system import State

POINTS = 32  # of a face, at which it is looked whether a condition holds


def wall_at(pde: PDE, domain: Domain, state: State, part: str) -> Wall:
    """What holds for a state on a face: one condition, or none where the field takes none (no derivative along the axis, or
    one that carries it out there). For a time derivative, the time derivative of what holds for the field.

    That a field has as many conditions as it needs was checked before (`_counting`).
    """
    u, (x, side) = pde[state.field], _facing(pde, domain, part)
    order = pde.order(u, x)
    if order > 2:
        raise NotImplementedError(
            f"The equations have derivatives of order {order} of {state.field} along {x.name}, which take "
            f"{'two conditions' if order == 4 else 'several conditions'} at a wall; the grids here hold one for each field at "
            "each wall. pinn.solve holds them all. Where the value and the second derivative are given, two equations of "
            f"second order are the same: one for {state.field}, one for its second derivative."
        )
    found = [(c, wall) for c, wall in conditions_at(pde, domain, part) if u in c.fields]
    unread = [c for c, wall in found if wall is None]
    if unread:
        said = text(at_face(unread[0].residual, pde, x, side))
        raise ValueError(
            f"{unread[0].name!r} says {said} = 0 on {part}. On a grid with walls each field has one condition at each wall, "
            "linear in it and its normal derivative: Dirichlet, Neumann, Robin, or a Condition that says the same, "
            f"alpha*{state.field} + beta*{state.field}.{x.name} - value. pinn.solve takes any."
        )
    if not found:
        return FREE
    if len(found) > 1:
        names = " and ".join(repr(c.name) for c, _ in found)
        raise ValueError(f"{names} both hold for {state.field} on {part}: keep one of them. pinn.solve takes both.")
    ((c, wall),) = found
    assert wall is not None
    if not (wall.alpha.is_number and wall.beta.is_number):
        raise ValueError(f"{c.name!r}: alpha and beta must be numbers on a grid; {wall.alpha} and {wall.beta} came.")
    value = wall.value
    for _ in range(state.order):
        value = value.diff(pde.time)
    return Wall(float(wall.alpha), float(wall.beta), value)


def conditions_at(pde: PDE, domain: Domain, part: str) -> list[tuple[Any, Wall | None]]:
    """The conditions that hold on a face, and what each says, read for its only field (None: nothing that a grid holds)."""
    x, side = _facing(pde, domain, part)
    points = domain.boundary[part].sample(POINTS)[0]
    pins = {one.pin.condition for one in floating(pde).values() if one.pin is not None}
    found = []
    for c in pde.conditions:
        if isinstance(c, Initial | PeriodicCondition | Observed):
            continue
        here = covered(c, domain, part, points)
        if isinstance(c.on, dict) and not here.any():
            if c.name in pins:
                continue  # a pressure: its constant is moved afterwards
            place = ", ".join(f"{k} = {v:g}" for k, v in c.on.items())
            raise ValueError(
                f"{c.name!r} holds at {place}, a point inside: a grid holds conditions on its walls. Cut the domain there and "
                "solve each side by itself, or use pinn.solve."
            )
        if here.any() and not here.all():
            raise ValueError(
                f"{c.name!r} holds on a part of {part} only; a grid holds one condition on a whole face. Write the value as "
                "Piecewise, or use pinn.solve."
            )
        if here.all():
            u = c.field if isinstance(c, Dirichlet | Neumann | Robin) else c.fields[0]
            found.append((c, read_wall(c, u, pde, x, side) if len(c.fields) == 1 else None))
    return found


def _facing(pde: PDE, domain: Domain, part: str) -> tuple[Coordinate, int]:
    found = facing(domain, part, pde)
    assert found is not None
    return found
