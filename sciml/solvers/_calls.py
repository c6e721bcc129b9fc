"""What a call of the user's passes through before arrays are computed with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._precision import float64, is_traced, require_float64
from .._programs import Program
from ..pde import PDE
from ..statement import resolve_domain


def as_times(save_at: Any) -> Any:
    """Whole numbers and others alike, so that they are one program."""
    return save_at if is_traced(save_at) else np.asarray(save_at, float)


def at_boundary(name: str, function: Callable[..., Any], *args: Any) -> Any:
    """`function(*args)` in float64, as NumPy arrays; with tracers among the arguments, or inside a function of the equation,
    as it is, where float64 is on."""
    if is_traced(*args):
        require_float64(name)
        return function(*args)
    with float64():
        found = function(*args)
        if not is_traced(found):
            return jax.tree.map(np.asarray, found)
    require_float64(name)
    return found


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
        return Program(function)
    return Program(function) if problem.pde.functions else problem.programs.setdefault(key, Program(function))


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


def check_finite(what: str, value: Any) -> None:
    """Raises where concrete numbers hold NaN or infinity."""
    if is_traced(value):
        return
    value = np.asarray(value)
    if np.any(np.isnan(value)):
        raise ValueError(f"{what} holds NaN; expected finite numbers.")
    if not np.all(np.isfinite(value)):
        raise ValueError(f"{what} holds infinite numbers; expected finite ones.")


def check_max_step(what: str, max_step: Any, steps: Any = None) -> None:
    """Raises on what is no longest step."""
    if max_step is None or is_traced(max_step):
        return
    if not isinstance(max_step, int | float | np.number) or isinstance(max_step, bool) or not max_step > 0:
        raise ValueError(f"{what}: max_step={max_step!r}; expected a positive number.")
    if steps is not None:
        raise ValueError(f"{what}: max_step={max_step!r} would change nothing: steps={steps} says how long steps are.")


def refuse_transformed(pde: PDE, domain: Any, grid: Any, parameters: Any, initial: Any, *others: Any) -> None:
    """Raises inside jit, grad or vmap, with the lines that do it: `solve` decides from step to step on the host."""
    if not is_traced(parameters, initial, *others, jnp.zeros(())):
        return
    said = "solvers.solve cannot be called inside jit, vmap or grad: it decides on the host, from step to step. "
    if pde.time is None:
        raise TypeError(
            f"{said}A steady equation has no differentiable form so far: take differences of two solves, or give the equation "
            "a time derivative and differentiate problem.run of solvers.compile until it is at rest."
        )
    names = [name for name, value in (parameters or {}).items() if is_traced(value)]
    span: Any = resolve_domain(pde, domain).time
    times = f"({span.start:g}, {span.end:g})"
    size = "" if grid is None else f", grid={grid!r}"
    if names or not initial:
        name = names[0] if names else (pde.parameters[0].name if pde.parameters else "k")
        value = next((p.initial for p in pde.parameters if p.name == name), 1.0)
        call = f"jax.grad(lambda {name}: problem.run(parameters={{{name!r}: {name}}}, save_at={times})[-1].mean())({value})"
    else:  # (states, *points), walls included
        call = f"jax.grad(lambda u: problem.run(u, save_at={times})[-1].mean())(problem.run(save_at={times})[0])"
    raise TypeError(
        f"{said}Compile the problem once and transform its run, which is pure and returns (times, states, *points):\n\n"
        f"    problem = solvers.compile(pde, domain{size})\n"
        f"    with sciml.float64():\n"
        f"        {call}\n"
    )
