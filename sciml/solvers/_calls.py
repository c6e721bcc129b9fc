"""What a call of the user's passes through before arrays are computed with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from .._precision import float64, is_traced, require_float64
from ..pde import PDE


def at_boundary(name: str, function: Callable[..., Any], *args: Any) -> Any:
    """`function(*args)` in float64, as NumPy arrays; with tracers among the arguments as it is, where float64 is on."""
    if is_traced(*args):
        require_float64(name)
        return function(*args)
    with float64():
        return jax.tree.map(np.asarray, function(*args))


def parameter_values(pde: PDE, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """The value of every unknown parameter: `given`, or the value it was declared with."""
    given = dict(given or {})
    names = [p.name for p in pde.parameters]
    unknown = set(given) - set(names)
    if unknown:
        raise ValueError(
            f"parameters: {', '.join(sorted(unknown))} is no parameter of this equation; there are "
            f"{', '.join(names) or 'none'}."
        )
    return {p.name: given.get(p.name, p.initial) for p in pde.parameters}
