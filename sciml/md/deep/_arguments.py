"""What the constructors of descriptors and nets take."""

from __future__ import annotations

from typing import Any

import numpy as np


def check_radii(what: str, cutoff: float, start: float) -> None:
    """**Raises** `ValueError` unless 0 <= start < cutoff."""
    if not (np.isfinite(cutoff) and 0 <= start < cutoff):
        raise ValueError(f"{what}: start={start!r} and cutoff={cutoff!r}; expected 0 <= start < cutoff [angstrom].")


def check_widths(what: str, widths: Any) -> tuple[int, ...]:
    """**Raises** `ValueError` unless they are positive whole numbers."""
    found = tuple(widths) if np.iterable(widths) else ()
    if not found or any(int(w) != w or w < 1 for w in found):
        raise ValueError(f"{what}: widths={widths!r}; expected the widths of the layers, such as (25, 50, 100).")
    return tuple(int(w) for w in found)


def check_sel(what: str, sel: Any, types: int) -> tuple[int, ...] | None:
    """**Raises** `ValueError` unless there are places for each type, or None."""
    if sel is None:
        return None
    found = tuple(np.atleast_1d(sel).tolist())
    if len(found) != types or any(int(k) != k or k < 0 for k in found) or not sum(found):
        raise ValueError(f"{what}: sel={sel!r}; expected the most neighbours of each of {types} types, or None.")
    return tuple(int(k) for k in found)


def placed(sel: Any) -> Any:
    """**Raises** `ValueError` where there are no places yet."""
    if sel is None:
        raise ValueError("This model has no places for neighbours yet, sel is None: md.train finds them from the data.")
    return sel
