"""From SymPy expressions to a JAX function."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import jax.numpy as jnp
import sympy as sp

from ._coordinates import Coordinate, NormalComponent, Parameter
from ._field import multi_index
from ._flux import expand_fluxes, leaves
from ._jax_functions import Evaluator

Leaf = Any  # a coordinate or parameter name, (field name, multi-index), or ("normal", coordinate name)


def derivatives_of(expressions: Any, coordinates: tuple[Coordinate, ...]) -> set[tuple[str, tuple[int, ...]]]:
    """The fields and derivatives in `expressions` (fluxes expanded), as (field name, order along each of
    `coordinates`).

    >>> from sciml.pde import coordinates, d, field
    >>> x, t = coordinates("x t")
    >>> u = field("u", x, t)
    >>> sorted(derivatives_of(u.t - d(u * u.x, x), (x, t)))
    [('u', (0, 0)), ('u', (0, 1)), ('u', (1, 0)), ('u', (2, 0))]
    """
    many = expressions if isinstance(expressions, Iterable) else (expressions,)
    return {leaf_key(leaf, coordinates) for e in many for leaf in leaves(expand_fluxes(e))}


def leaf_key(leaf: Any, coordinates: tuple[Coordinate, ...]) -> Leaf:
    """By which key `Lowered` looks up the value of a field, derivative or symbol."""
    if isinstance(leaf, NormalComponent):
        return ("normal", leaf.coordinate.name)
    if isinstance(leaf, Coordinate | Parameter):
        return leaf.name
    u: Any = leaf.expr if isinstance(leaf, sp.Derivative) else leaf
    return (u.field_name, multi_index(leaf, coordinates))


class Lowered:
    """Expressions compiled to JAX: `lowered(values)` gives their values, in order. See `lower`.

    `leaves` is the set of keys that `values` must have; `derivatives` those of them that are fields or
    derivatives.
    """

    def __init__(self, steps, results, symbols):
        self._steps: list[tuple[Any, Any]] = steps
        self._results: list[Any] = results
        self._symbols: dict[Any, Leaf] = symbols
        self.leaves: frozenset[Leaf] = frozenset(symbols.values())
        self.derivatives: frozenset[Leaf] = frozenset(
            leaf for leaf in self.leaves if isinstance(leaf, tuple) and leaf[0] != "normal"
        )

    def __call__(self, values: Mapping[Leaf, Any]) -> list[Any]:
        missing = self.leaves - set(values)
        if missing:
            raise KeyError(
                "These values are needed but were not given: "
                f"{', '.join(map(repr, sorted(missing, key=str)))}."
            )
        known = {symbol: jnp.asarray(values[leaf]) for symbol, leaf in self._symbols.items()}
        dtype = jnp.result_type(*known.values()) if known else jnp.result_type(float)
        if not jnp.issubdtype(dtype, jnp.floating):
            dtype = jnp.result_type(float)
            known = {symbol: value.astype(dtype) for symbol, value in known.items()}
        evaluate = Evaluator(known)
        for symbol, expression in self._steps:
            evaluate.known[symbol] = evaluate(expression)
        return [jnp.asarray(evaluate(result), dtype=dtype) for result in self._results]


def lower(
    expressions: Any, *, coordinates: tuple[Coordinate, ...]
) -> Callable[[Mapping[Leaf, Any]], list[Any]]:
    """Compiles expressions into one JAX function `values -> [array, ...]`, shared parts computed once.

    **Arguments:**

    - `expressions`: a list of SymPy expressions of this language. Flux derivatives are expanded.
    - `coordinates`: what the multi-indices run over, usually `pde.coordinates`.

    **Returns:** a `Lowered`. Its argument maps each leaf to an array of shape `()` or `(n,)`: a coordinate's
    or parameter's name; `(field_name, multi_index)` for a field or derivative; `("normal", coordinate_name)`.
    Each result has the shape that follows by broadcasting, and the dtype of the inputs: constants enter as
    Python floats of full precision.

    Integer powers are products, `x**0.5` is a square root, and nothing goes through logarithms unless it is
    written so. A branch of a Piecewise that is not taken never makes the gradient NaN.

    **Raises:** `ValueError` naming the function that JAX cannot evaluate, a complex number, or a coefficient
    inside a flux that cannot be differentiated.

    >>> from sciml.pde import coordinates, field
    >>> x, t = coordinates("x t")
    >>> u = field("u", x, t)
    >>> residual = lower([u.t + u * u.x], coordinates=(x, t))
    >>> [float(r) for r in residual({("u", (0, 0)): 2.0, ("u", (1, 0)): 3.0, ("u", (0, 1)): 1.0})]
    [7.0]
    """
    lowered: list[Any] = [expand_fluxes(sp.sympify(expression)) for expression in expressions]
    symbols: dict[Any, Leaf] = {}
    replaced: dict[Any, Any] = {}
    for expression in lowered:
        symbol_leaves = {
            s for s in expression.free_symbols if isinstance(s, Coordinate | Parameter | NormalComponent)
        }
        for leaf in sorted(leaves(expression), key=sp.default_sort_key):
            replaced.setdefault(leaf, sp.Dummy(real=True))
        for leaf in symbol_leaves:
            symbols[leaf] = leaf_key(leaf, coordinates)
    for leaf, dummy in replaced.items():
        symbols[dummy] = leaf_key(leaf, coordinates)
    lowered = [e.xreplace(replaced) for e in lowered]
    used = set().union(*(e.free_symbols for e in lowered)) if lowered else set()
    symbols = {symbol: leaf for symbol, leaf in symbols.items() if symbol in used}
    hidden: dict[Any, Any] = {}
    outer = [_hide_branches(e, hidden) for e in lowered]
    shared, results = cast(
        Any, sp.cse(outer, symbols=sp.numbered_symbols(cls=sp.Dummy, real=True), list=True)
    )
    # Branches stay whole: what is computed in one must know which points it is computed for.
    shown = {dummy: node for node, dummy in hidden.items()}
    steps = [(symbol, e.xreplace(shown)) for symbol, e in shared]
    results = [e.xreplace(shown) for e in results]
    for e in lowered:
        Evaluator.check(e)
    return Lowered(steps, results, symbols)


def _hide_branches(expression: Any, hidden: dict[Any, Any]) -> Any:
    if isinstance(expression, sp.Piecewise):
        return hidden.setdefault(expression, sp.Dummy(real=True))
    if not expression.args or not expression.has(sp.Piecewise):
        return expression
    return expression.func(*(_hide_branches(arg, hidden) for arg in expression.args))
