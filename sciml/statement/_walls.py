"""What a condition says at a face of a box: alpha u + beta du/dn = value, in whatever words it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from ..geometry import Domain
from ..pde import PDE, Condition, Coordinate, Dirichlet, Neumann, NormalComponent, Robin
from ..pde._flux import leaves

POINTS = 16  # of a part of the boundary, at which its normal is looked at


@dataclass(frozen=True)
class Wall:
    """alpha u + beta du/dn = value at one end of an axis, n the outward normal; nothing where both are zero: the field takes no
    condition there."""

    alpha: Any
    beta: Any
    value: Any

    @property
    def free(self) -> bool:
        return self.alpha == 0 and self.beta == 0


FREE = Wall(0.0, 0.0, sp.Integer(0))


def facing(domain: Domain, label: str, pde: PDE) -> tuple[Coordinate, int] | None:
    """The coordinate along which the outward normal of a part of the boundary points everywhere, and its sign; None where
    there is none, as on a circle."""
    names = domain.boundary.names
    normal = domain.boundary[label].sample(POINTS)[1]
    axis = int(np.argmax(np.abs(normal[0])))
    side = 1 if normal[0, axis] > 0 else -1
    if np.abs(normal[:, axis] - side).max() > 1e-9:
        return None
    return next(c for c in pde.space if c.name == names[axis]), side


def at_face(expression: Any, pde: PDE, x: Coordinate, side: int) -> Any:
    """An expression on the face of a box that ends the coordinate `x` at its lower (`side` -1) or upper end (1)."""
    return expression.xreplace({NormalComponent(c): sp.Integer(side if c == x else 0) for c in pde.space})


def read_wall(condition: Any, u: Any, pde: PDE, x: Coordinate, side: int) -> Wall | None:
    """What a condition says about the field `u` at a face; None where it is not linear in u and its normal derivative alone.

    `Condition(k * u.x + h * (u - 20), on="x_max")` is `Robin(u, h, k, 20 * h)`, and `Condition(u.x - 3, on="x_min")` is
    `Neumann(u, -3)`.
    """
    if isinstance(condition, Dirichlet):
        return Wall(sp.Integer(1), sp.Integer(0), sp.sympify(condition.value))
    if isinstance(condition, Neumann):
        return Wall(sp.Integer(0), sp.Integer(1), sp.sympify(condition.value))
    if isinstance(condition, Robin):
        return Wall(sp.sympify(condition.alpha), sp.sympify(condition.beta), sp.sympify(condition.value))
    if not isinstance(condition, Condition):
        return None
    value, slope = sp.Dummy(real=True), sp.Dummy(real=True)
    residual = at_face(condition.residual, pde, x, side).xreplace({u.diff(x): slope, u: value})
    alpha, beta = residual.diff(value), residual.diff(slope)
    rest = residual.xreplace({value: sp.Integer(0), slope: sp.Integer(0)})
    if any(leaves(e) or e.has(value, slope) for e in (alpha, beta, rest)):
        return None
    alpha, beta = sp.simplify(alpha), sp.simplify(side * beta)
    if alpha == 0 and beta == 0:
        return None
    if beta == 0:
        return Wall(sp.Integer(1), beta, -rest / alpha)
    if alpha == 0:
        return Wall(alpha, sp.Integer(1), -rest / beta)
    return Wall(alpha, beta, -rest)


def with_values(pde: PDE) -> PDE:
    """The problem with every `Condition` that only says what a field is, `Condition(u - sin(t))`, as `Dirichlet`."""
    conditions = [_as_value(c, pde) for c in pde.conditions]
    if all(new is old for new, old in zip(conditions, pde.conditions, strict=True)):
        return pde
    return PDE(*pde.equations, *conditions, name=pde.name, fields=pde.fields)


def _as_value(c: Any, pde: PDE) -> Any:
    if not isinstance(c, Condition) or len(c.fields) != 1 or leaves(c.residual) != set(c.fields):
        return c
    (u,) = c.fields
    if c.residual.atoms(NormalComponent) or not pde.space or not sp.expand(c.residual.diff(u)).is_number:
        return c
    wall = read_wall(c, u, pde, pde.space[0], 1)
    return c if wall is None else Dirichlet(u, wall.value, on=c.on, name=c.name)
