"""What came where an array was expected."""

from __future__ import annotations

from typing import Any

import numpy as np


def numbers(name: str, given: Any, shape: tuple[int | str, ...] = ()) -> np.ndarray:
    """`given` as an array of float64. **Raises** `ValueError` where it is no array of finite real numbers."""
    wanted = f"numbers of shape ({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})" if shape else "numbers"
    try:
        found = np.asarray(given)
        found = found if found.dtype.kind in "biuf" else found.astype(object).astype(float)
        found = np.array(found, float)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: expected {wanted}; {shown(given)} came.") from None
    if not np.all(np.isfinite(found)):
        raise ValueError(f"{name}: {np.sum(~np.isfinite(found))} of {found.size} are NaN or infinite.")
    return found


def shown(given: Any) -> str:
    """What came, short enough for a message."""
    text = repr(given)
    return text if len(text) < 60 else f"a {type(given).__name__} such as {text[:40]}..."
