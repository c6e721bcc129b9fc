"""What is said of a coefficient that jumps: an interface inside a flux, a doubt outside of one."""

from __future__ import annotations

import warnings

from ..geometry import Domain
from ..pde import PDE
from ..pde._printing import text
from ._jumps import Jump, coefficient_jumps, flux_jumps


def refuse_interfaces(pde: PDE, domain: Domain) -> None:
    """Raises `ValueError` where a flux jumps, for a method that needs its derivative at points."""
    for jump in flux_jumps(pde.real(), domain):
        raise ValueError(
            f"Equation {jump.equation!r}: the flux in {text(jump.flux)} jumps at {jump.where} while its field does not. "
            "Differentiating it at points would lose the interface there (the field and the flux are continuous, the slope "
            f"jumps), and the answer would be that of another problem. {_ways(jump)}"
        )


def _ways(jump: Jump) -> str:
    x = jump.coordinate.name
    return (
        "solvers.solve(pde, domain) keeps the flux whole (finite volumes), in a Box, and pinn.solve with its default settings "
        "where the jumps are along lines of a Box (patches end there). Or give each side of a plane "
        f"{x} = ... its own field, both over one coordinate z in (0, 1) that ends at the interface, with Condition for equal "
        "values and equal fluxes at z = 1; docs/interfaces.md writes both out."
    )


def doubtful_interfaces(pde: PDE, domain: Domain) -> tuple[str, ...]:
    """Warns where the coefficient of a second or higher derivative outside a flux jumps, and returns the sentences."""
    found: dict[str, list[Jump]] = {}
    for jump in coefficient_jumps(pde.real(), domain):
        found.setdefault(jump.equation, []).append(jump)
    notes = tuple(_doubt(name, jumps) for name, jumps in found.items())
    for sentence in notes:
        warnings.warn(sentence, UserWarning, stacklevel=4)
    return notes


def _doubt(name: str, jumps: list[Jump]) -> str:
    places = " and ".join(f"that of {text(j.leaf)} at {j.where}" for j in jumps)
    slopes = " and ".join(dict.fromkeys(text(_slope(j)) for j in jumps))
    verb = "are" if len(jumps) > 1 and " and " in slopes else "is"
    u, x = jumps[0].leaf.expr.field_name, jumps[0].coordinate.name
    return (
        f"Equation {name!r}: a coefficient of its highest derivatives jumps, {places}. As it stands, {slopes} {verb} "
        f"continuous there and the flux is not. For an interface between two materials write d(k*{u}.{x}, {x}) or "
        f"div(k*grad({u}))."
    )


def _slope(jump: Jump) -> object:
    """The derivative of one order less along the coordinate of the jump."""
    orders = {c: int(n) for c, n in jump.leaf.variable_count}
    orders[jump.coordinate] -= 1
    return jump.leaf.expr.diff(*((c, n) for c, n in orders.items() if n))
