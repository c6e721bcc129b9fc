"""Numbers whose squares are no floating-point numbers any more."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from ..pde import PDE, Observed

# The square of what is beyond is zero or infinite in float64, and residuals are squared.
LARGEST = 1e140


def check_sizes(pde: PDE) -> None:
    """**Raises** `ValueError` where a number in an equation, a condition or its data is beyond 1e140 or, not being zero, below
    1e-140."""
    for e in pde.equations:
        _check(e.name, sp.sympify(e.expression))
    for c in pde.conditions:
        if isinstance(c, Observed):
            check_size(c.name, float(np.abs(c.values).max(initial=0.0)))
        for name in ("value", "residual", "alpha", "beta"):
            if (part := getattr(c, name, None)) is not None:
                _check(c.name, sp.sympify(part))
    for p in pde.parameters:
        check_size(p.name, abs(p.initial))


def check_size(name: str, size: Any) -> None:
    """The same for one size, a float or a number of SymPy: 10**400 is no float."""
    if not (size == 0 or (size <= LARGEST and size >= 1 / LARGEST)):
        raise ValueError(
            f"{name!r} has a number of the size {sp.N(size, 3)}. Numbers beyond {LARGEST:g} or below {1 / LARGEST:g} cannot be "
            "squared in float64: divide the equation by its size, or choose other units."
        )


def _check(name: str, expression: Any) -> None:
    for number in expression.atoms(sp.Number):
        if number.is_finite:
            check_size(name, abs(number))
