"""What can be read off a problem about whether its answer is unique: zero as a solution, unknowns that nothing determines."""

from __future__ import annotations

import numpy as np
import sympy as sp

from ..geometry import Domain
from ..pde import PDE, Observed, Periodic
from ..pde._flux import expand_without_check, leaves
from ._balance import check_balance
from ._counting import may_be_too_many
from ._floating import floating


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
    if floating(pde) or may_be_too_many(pde, domain):
        return
    names = ", ".join(p.name for p in pde.parameters)
    one = len(pde.parameters) == 1
    raise ValueError(
        f"{names} {'is an unknown' if one else 'are unknowns'} of the problem, but nothing determines "
        f"{'it' if one else 'them'}: there are no data, and no more conditions than the equations need for any value of "
        f"{names}. Add data with Observed, or a condition more for each unknown (for an eigenvalue a normalisation, such as a "
        "slope at one end), or write a number in its place."
    )
