"""Why atoms found no place of rest."""

from __future__ import annotations

import numpy as np

from ..atoms._pairs import AbstractPotential
from ..atoms._system import System
from ..dynamics._guards import fallen_together

APART, GROWN = 10.0, 2.0  # times as far from each other, and as long a cell, as at the start


def no_rest(before: System, after: System, potential: AbstractPotential) -> str:
    """What helps where `relax` did not end: atoms that fall into each other, or fly apart, are told from those that need more
    steps."""
    close = fallen_together(potential, after)
    if close:
        return (
            f"{close}: they fell into each other, where this potential has no lower bound, and no number of steps helps. Start "
            "with the atoms further apart, or add what keeps them from it, such as potential + md.ZBL(...)."
        )
    size = lambda a: float(np.max(np.ptp(np.asarray(a.positions), axis=0)))  # noqa: E731
    wide = [np.linalg.norm(np.asarray(a.cell), axis=1).max() for a in (before, after)]
    if wide[1] > GROWN * wide[0] > 0:
        return (
            f"The cell grew from {wide[0]:.4g} to {wide[1]:.4g}: at this pressure it has no lowest enthalpy, and no number of "
            "steps helps. Take a pressure that is not below what the solid bears, or cell=False."
        )
    if size(after) > APART * max(size(before), 1.0):
        return (
            f"The atoms flew apart, from {size(before):.4g} to {size(after):.4g}: the energy has no lower bound there, and no "
            "number of steps helps. Is the sign of the potential right?"
        )
    return (
        "Allow more steps, or relax with md.FIRE() first; a potential that leaps at its cutoff may have no place of rest."
    )
