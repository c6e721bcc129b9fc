"""Coordinates that the precision cannot tell apart."""

from __future__ import annotations

from typing import Any

import numpy as np

RESOLVED = 1e-3  # angstrom, or the unit of length: coarser coordinates make forces that are noise
IMAGES = 2.0**31 - 2.0**16  # lattice vectors off the cell, which lists count in 32 bits


def expect_resolved(positions: Any, cell: Any, periodic: Any, what: str = "The positions") -> None:
    """**Raises** `ValueError` where the numbers next to a coordinate, in the precision of `positions` `(atoms, 3)`, are more
    than a thousandth of the unit of length away, or an atom is more lattice vectors off its cell than lists count.

    At 1.5e7 angstrom float32 has steps of one angstrom, and an energy without any meaning would come of it.
    """
    r = np.asarray(positions)
    if not r.size or is_resolved(float(np.max(np.abs(r))), r.dtype) and not _far(r, cell, periodic):
        return
    k = int(np.argmax(np.max(np.abs(r), axis=1)))
    largest = float(np.max(np.abs(r[k])))
    found = (
        f"{r.dtype} resolves them to {np.spacing(r.dtype.type(largest)):.2g} there"
        if not is_resolved(largest, r.dtype)
        else "that is more cells away than lists can count"
    )
    wider = " or compute in numpy.float64," if r.dtype != np.float64 else ""
    raise ValueError(
        f"{what} reach {largest:.3g} (atom {k}), and {found}; expected coordinates near the origin. Move the atoms there "
        f"(positions - positions.mean(axis=0)),{wider} or wrap them into the cell."
    )


def is_resolved(largest: float, dtype: Any) -> bool:
    """Whether numbers as large as `largest` are told apart well enough; what is no number is not judged here."""
    return not np.isfinite(largest) or bool(np.spacing(np.dtype(dtype).type(largest)) <= RESOLVED)


def _far(r: np.ndarray, cell: Any, periodic: Any) -> bool:
    wraps = np.asarray(periodic, bool)
    if not wraps.any():
        return False
    heights = 1 / np.linalg.norm(np.linalg.inv(np.asarray(cell, float)), axis=0)
    return bool(np.max(np.linalg.norm(r[np.argmax(np.max(np.abs(r), axis=1))])) / heights[wraps].min() > IMAGES)
