"""Fields that are known up to a constant: equations and conditions hold only their derivatives, such as a pressure.

Replacing p by p + c then changes nothing, c a constant, or any function of the coordinates along which p is never
differentiated (the time, for the pressure of a flow). A value at one point says which c; without one it is a matter of
convention, and the c is taken for which the mean is zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from ..pde import PDE, Dirichlet, Periodic
from ..pde._flux import expand_without_check, leaves
from ..pde._lower import leaf_key
from ._walls import with_values


@dataclass(frozen=True)
class Pin:
    """`value` of the field where the coordinates in `place` have those values, by the condition of that name."""

    condition: str
    place: dict[str, float]
    value: Any


@dataclass(frozen=True)
class Floating:
    """A field, the coordinates on which its constant may depend, and what pins it (None where nothing does)."""

    field: str
    free: tuple[str, ...]
    pin: Pin | None

    def told(self, name: str) -> str:
        """What a reader must know where nothing pins it; `name`: that of the field in the problem as it was stated."""
        at = f" at every {' and '.join(self.free)}" if self.free else ""
        return (
            f"{name} is known up to a constant{at}: equations and conditions hold only its derivatives. The one of mean zero "
            "is returned."
        )


def floating(pde: PDE) -> dict[str, Floating]:
    """The (real) fields of `pde` that are known up to a constant, by name."""
    pde = with_values(pde.real())
    found = {}
    for u in pde.fields:
        pins = {c.name: pin for c in pde.conditions if (pin := _pin(c, u)) is not None}
        rest = [c for c in pde.conditions if c.name not in pins and not isinstance(c, Periodic)]
        expressions = [e.expression for e in pde.equations]
        expressions += [c.residual if hasattr(c, "residual") else c.expression for c in rest]
        orders = [index for e in expressions for name, index in _leaves(e, pde) if name == u.field_name]
        if not orders or not all(map(any, orders)):
            continue
        known = [c.name for i, c in enumerate(pde.coordinates) if any(index[i] for index in orders)]
        free = tuple(c.name for c in u.coordinates if c.name not in known)
        # Two pins fix more than a constant; one that leaves a coordinate open is a line.
        if len(pins) > 1 or any(set(pin.place) != set(known) for pin in pins.values()):
            continue
        found[u.field_name] = Floating(u.field_name, free, next(iter(pins.values()), None))
    return found


def _leaves(expression: Any, pde: PDE) -> list[Any]:
    return [leaf_key(leaf, pde.coordinates) for leaf in leaves(expand_without_check(sp.sympify(expression)))]


def _pin(condition: Any, u: Any) -> Pin | None:
    """What a condition says about the value of `u` at a point; None for any other condition."""
    if not isinstance(condition, Dirichlet) or not isinstance(condition.on, dict) or condition.field != u:
        return None
    return Pin(condition.name, {name: float(v) for name, v in condition.on.items()}, sp.sympify(condition.value))
