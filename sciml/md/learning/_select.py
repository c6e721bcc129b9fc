"""Which structures are worth a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from ..atoms._system import System, complete, expect_system
from ..dynamics._checks import whole_number
from ._committee import Deviation


@dataclass(frozen=True)
class Selection:
    """**Attributes:** `indices` of the chosen structures, ascending; how many were `accurate`, `candidate` and `failed`."""

    indices: np.ndarray
    accurate: int
    candidate: int
    failed: int


def check_levels(where: str, low: Any, high: Any) -> None:
    """**Raises** `ValueError` where these are no two bounds."""
    numbers = all(isinstance(x, Real) and not isinstance(x, bool) for x in (low, high))
    if not (numbers and 0 <= low < high):
        raise ValueError(f"{where}: low={low!r} and high={high!r}; expected two forces, low below high [eV/angstrom].")


def select(
    systems: Sequence[System], deviations: Sequence[Deviation | float], *, low: float, high: float, most: int,
    apart: float = 0.1, key: int = 0,
) -> Selection:  # fmt: skip
    """Structures whose largest deviation is between two levels (Zhang et al. 2020, doi:10.1016/j.cpc.2020.107206): below `low`
    potentials are accurate, from `high` on they fail, and what they made there is hardly physical.

    Of candidates that follow each other, one in which no atom has moved by `apart` [angstrom] since the last that was kept is
    left out. At most `most` of the others are taken, evenly spaced in the order given, from a place drawn with `key`.

    **Arguments:** `systems`, in the order of time where they are of a run; `deviations` of them, or their largest alone.

    **Returns** a `Selection`. **Raises** `ValueError` where numbers do not fit.

    >>> from sciml import md
    >>> atoms = [md.fcc(3.6 + 0.1 * k, 2, "Cu") for k in range(6)]
    >>> md.select(atoms, [0.01, 0.1, 0.2, 0.3, 0.4, 2.0], low=0.05, high=0.5, most=2)
    Selection(indices=array([2, 4]), accurate=1, candidate=4, failed=1)
    """
    check_levels("select", low, high)
    most = whole_number("most", most, 1)
    worst = np.array([d.max if isinstance(d, Deviation) else d for d in deviations], float)
    if len(worst) != len(systems):
        raise ValueError(f"select: {len(worst)} deviations came for {len(systems)} systems; expected one for each.")
    if not apart >= 0:
        raise ValueError(f"select: apart={apart!r}; expected a distance that is not negative [angstrom].")
    for system in systems:
        expect_system(system, "select")
    between = np.flatnonzero((worst >= low) & (worst < high))
    accurate = int(np.sum(worst < low))
    kept: list[int] = []
    for k in between.tolist():
        if not kept or not _alike(systems[kept[-1]], systems[k], apart):
            kept.append(k)
    taken = np.array(kept, int)
    if len(kept) > most:
        start = np.random.default_rng(key).random()
        taken = taken[((np.arange(most) + start) * len(kept) / most).astype(int)]
    return Selection(taken, accurate, len(between), len(worst) - accurate - len(between))


def _alike(a: System, b: System, apart: float) -> bool:
    """Whether no atom is farther than `apart` from where it was, the nearest image counts, nor the cell."""
    if a.names != b.names or a.periodic != b.periodic or not np.array_equal(a.species, b.species):
        return False
    h = complete(b.cell)
    s = (np.asarray(b.positions) - np.asarray(a.positions)) @ np.linalg.inv(h)
    moved = (s - np.where(b.periodic, np.round(s), 0)) @ h
    strained = np.linalg.norm(np.asarray(b.cell) - np.asarray(a.cell), axis=1)
    return bool(max(np.max(np.linalg.norm(moved, axis=1)), np.max(strained)) < apart)
