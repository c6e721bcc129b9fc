"""Expressions evaluated once on the host: scales and compatibility checks compile nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import sympy as sp

from ._precision import float64, is_traced
from .pde import PDE, Field, FluxDerivative, NormalComponent, Opaque, Parameter, derivatives_of, expand_fluxes
from .pde._jax_functions import Evaluator


def evaluate(
    pde: PDE,
    expression: Any,
    x: np.ndarray,
    leaves: Mapping[Any, Any] | None = None,
    normals: np.ndarray | None = None,
) -> np.ndarray:
    """An expression at points `(n, d)` in the order of `pde.coordinates`, shape `(n,)`.

    `leaves` gives a number, or one for each point, for each field or derivative, keyed as `(name, multi-index)`; `normals`
    `(n, space)` are 1 where they are not given, and unknown parameters have their initial size.
    """
    return evaluator(pde, expression, leaves, normals)(x)


def evaluator(
    pde: PDE, expression: Any, leaves: Mapping[Any, Any] | None = None, normals: np.ndarray | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    """`evaluate` as a function of the points, for many calls."""
    expression = expand_fluxes(sp.sympify(expression))
    if expression.is_number:
        value = float(expression)
        return lambda x: np.full(len(x), value)
    fixed: dict[Any, Any] = {}
    replaced: dict[Any, Any] = {}
    traversal = sp.preorder_traversal(expression)
    for node in traversal:
        if isinstance(node, NormalComponent):
            fixed[node] = _along(normals, pde.space.index(node.coordinate))
        elif isinstance(node, Parameter):
            fixed[node] = abs(node.initial) or 1.0
        elif isinstance(node, (sp.Derivative, Field)):
            traversal.skip()
            if node not in replaced:
                replaced[node] = dummy = sp.Dummy()
                fixed[dummy] = (leaves or {})[next(iter(derivatives_of(node, pde.coordinates)))]
    programs: dict[str, Any] = {}

    def named(node: Any) -> Any:
        name = f"opaque_{len(programs)}_"
        programs[name] = _program(type(node))
        return sp.Function(name)(*node.args)

    known = expression.xreplace(replaced).replace(lambda e: isinstance(e, Opaque), named)
    function = sp.lambdify([*pde.coordinates, *fixed], known, modules=[programs, "scipy", "numpy"])
    # Python's own numbers raise where NumPy's divide by zero.
    given = [np.asarray(v, float) for v in fixed.values()]

    def at(x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            value = function(*x.T, *given)
        return np.broadcast_to(np.asarray(value, float), (len(x),))

    return at


def is_hidden(expression: Any) -> bool:
    """Whether a JAX function in it closes over values of somebody's transformation, such as the weights of a network that is
    trained: then nothing of it is known on the host."""
    for node in sp.sympify(expression).atoms(Opaque):
        arguments = [sp.Dummy() for _ in node.args]
        with float64():
            if is_traced(Evaluator(dict.fromkeys(arguments, jnp.asarray(0.37)))(type(node)(*arguments))):
                return True
    return False


@lru_cache(maxsize=64)
def _program(opaque: Any) -> Callable[..., np.ndarray]:
    """A JAX function or table on NumPy arrays, compiled for few shapes: powers of two."""
    arguments = sp.symbols("x:9", cls=sp.Dummy)

    @jax.jit
    def program(*values: Any) -> Any:
        chosen = arguments[: len(values)]
        return Evaluator(dict(zip(chosen, values, strict=True)))(opaque(*chosen))

    def at(*values: Any) -> np.ndarray:
        columns = np.broadcast_arrays(*(np.asarray(v, float) for v in values))
        n = columns[0].size
        more = max(256, 1 << (n - 1).bit_length()) - n
        with float64():
            found = np.asarray(program(*(np.pad(c.ravel(), (0, more), mode="edge") for c in columns)))
        return found[:n].reshape(columns[0].shape)

    return at


def _along(normals: np.ndarray | None, axis: int) -> Any:
    return 1.0 if normals is None else normals[:, axis]


def frozen(expression: Any, pde: PDE, start: float = 0.37) -> Any:
    """`expression` with a number for every field, derivative, flux derivative and unknown parameter: what is left are the
    coordinates. Fields get numbers near `start`, no two the same; parameters have their initial value."""
    numbers: dict[Any, Any] = {p: sp.Float(p.initial) for p in pde.parameters}
    pending = [sp.sympify(expression)]
    while pending:
        node = pending.pop()
        if isinstance(node, (Field, FluxDerivative)) or (isinstance(node, sp.Derivative) and isinstance(node.expr, Field)):
            numbers.setdefault(node, sp.Float(start * (1 + 0.0173 * len(numbers))))
        else:
            pending.extend(node.args)
    return sp.sympify(expression).xreplace(numbers)
