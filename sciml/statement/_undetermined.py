"""What can be read off a problem about whether its answer is unique: zero as a solution, unknowns that nothing determines."""

from __future__ import annotations

import numpy as np
import sympy as sp

from ..geometry import Box, Domain
from ..pde import PDE, Condition, Dirichlet, Initial, Neumann, Observed, Periodic, Robin
from ..pde._flux import expand_without_check, leaves
from ._balance import check_balance
from ._floating import floating
from ._places import whole_parts


def said_before(pde: PDE, domain: Domain) -> tuple[str, ...]:
    """What a reader must know of the problem itself. **Raises** `ValueError` where it has no solution."""
    notes = check_balance(pde, domain)
    if not is_homogeneous(pde):
        return notes
    names = " = ".join(u.field_name for u in pde.fields)
    return (
        *notes,
        f"{names} = 0 solves everything that was stated: no source, no value of a condition and no datum is different from "
        "zero. For another solution, such as an eigenfunction, a normalisation is missing (its value or slope at a point, or "
        "its integral as a field of its own).",
    )


def is_homogeneous(pde: PDE) -> bool:
    """Whether zero solves everything that was stated. Read off the expressions: values at points would miss a narrow source."""
    pde = pde.real()
    if any(isinstance(c, Observed) and np.any(c.values != 0) for c in pde.conditions):
        return False
    stated = [e.expression for e in pde.equations]
    stated += [c.residual for c in pde.conditions if not isinstance(c, Periodic | Observed)]
    for expression in stated:
        expression = expand_without_check(sp.sympify(expression))
        if expression.xreplace(dict.fromkeys(leaves(expression), sp.Integer(0))) != 0:
            return False
    return True


def check_unknowns(pde: PDE, domain: Domain) -> None:
    """**Raises** `ValueError` where unknown parameters stand in a problem without data whose conditions are as many as the
    equations need without them: any value of the unknowns then has a solution. In doubt it does not."""
    if not pde.parameters or any(isinstance(c, Observed) for c in pde.conditions):
        return
    # Where a field is known up to a constant, that a solution exists at all asks something of the unknowns.
    if floating(pde) or _more_than_needed(pde.real(), domain):
        return
    names = ", ".join(p.name for p in pde.parameters)
    one = len(pde.parameters) == 1
    raise ValueError(
        f"{names} {'is an unknown' if one else 'are unknowns'} of the problem, but nothing determines "
        f"{'it' if one else 'them'}: there are no data, and no more conditions than the equations need for any value of "
        f"{names}. Add data with Observed, or a condition more for each unknown (for an eigenvalue a normalisation, such as a "
        "slope at one end), or write a number in its place."
    )


def _more_than_needed(pde: PDE, domain: Domain) -> bool:
    """Whether some field has, or may have, more conditions than its equations need."""
    conditions = [c for c in pde.conditions if not isinstance(c, Periodic)]
    for c in conditions:
        if not isinstance(c, Initial | Dirichlet | Neumann | Robin | Condition):
            return True
        place = getattr(c, "on", None)
        if not (place is None or isinstance(place, (str, tuple)) or hasattr(place, "labels")):
            return True
        # Which field a condition on several belongs to is not known.
        if isinstance(c, Condition) and len(c.fields) > 1:
            return True
    for u in pde.fields:
        if pde.time is not None:
            orders = [c.order for c in conditions if isinstance(c, Initial) and c.field == u]
            if len(orders) > pde.order(u, pde.time):
                return True
        walls = [c for c in conditions if not isinstance(c, Initial) and u in c.fields]
        held = [label for c in walls for label in whole_parts(c, domain)]
        for label in domain.boundary:
            part = domain.boundary[label]
            along = pde.space
            if isinstance(domain.space, Box) and part.axis is not None:
                along = tuple(c for c in pde.space if c.name == part.names[part.axis])
            highest = max((pde.order(u, c) for c in along), default=0)
            here = held.count(label)
            # An odd order has its condition more at one of the ends.
            if here > (highest + 1) // 2 or (highest % 2 and here and _opposite(label, held, domain) + here > highest):
                return True
            if highest % 2 and not (isinstance(domain.space, Box) and part.axis is not None):
                return True
    return False


def _opposite(label: str, held: list[str], domain: Domain) -> int:
    part = domain.boundary[label]
    other = [
        o for o in domain.boundary if o != label and domain.boundary[o].axis == part.axis and part.axis is not None
    ]
    return sum(held.count(o) for o in other)
