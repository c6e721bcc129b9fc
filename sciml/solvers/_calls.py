"""What a call of the user's passes through before arrays are computed with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import numpy as np

from .._precision import float64, is_traced, require_float64
from ..pde import PDE


def as_times(save_at: Any) -> Any:
    """Whole numbers and others alike, so that they are one program."""
    return save_at if is_traced(save_at) else np.asarray(save_at, float)


def at_boundary(name: str, function: Callable[..., Any], *args: Any) -> Any:
    """`function(*args)` in float64, as NumPy arrays; with tracers among the arguments as it is, where float64 is on."""
    if is_traced(*args):
        require_float64(name)
        return function(*args)
    with float64():
        return jax.tree.map(np.asarray, function(*args))


def compiled(problem: Any, *static: Any) -> Callable[..., Any]:
    """`problem.pure(*static, ...)` for `at_boundary`: compiled where it is called with concrete numbers."""
    pure = partial(problem.pure, *static)
    return lambda *args: pure(*args) if is_traced(*args) else kept(problem, static, pure)(*args)


def kept(problem: Any, key: Any, function: Callable[..., Any]) -> Any:
    """`function` compiled, once for each key; anew at each call where the equation calls functions of the user's, which may
    look at what changes."""
    try:
        hash(key)
    except TypeError:  # a method that holds arrays
        return jax.jit(function)
    return jax.jit(function) if problem.pde.functions else problem.programs.setdefault(key, jax.jit(function))


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
