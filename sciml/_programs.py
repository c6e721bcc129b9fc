"""Compiled programs whose arrays are arguments, not constants.

What a function captures (differentiation matrices, eigenvectors, a stored trajectory, the weights of a network) `jax.jit`
bakes into the program: XLA then folds expressions of it for minutes, warns on the terminal, and every program holds copies of
its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
import numpy as np

from ._precision import is_traced

SMALL = 64  # numbers of a captured array that may stay a constant


class Program:
    """`function` compiled once for each structure, shape and dtype of its arguments, as by `jax.jit`; inside a transformation
    of the user's it is `jax.jit(function)`. Equal captured arrays are passed once."""

    def __init__(self, function: Callable[..., Any]):
        self.function = function
        self._inside = jax.jit(function)
        self._kept: dict[Any, Any] = {}

    def __call__(self, *args: Any) -> Any:
        if is_traced(args):
            return self._inside(*args)
        leaves, structure = jax.tree.flatten(args)
        compiled, captured, out = self._compiled(leaves, structure)
        return jax.tree.unflatten(out, compiled(captured, *leaves))

    def lower(self, *args: Any) -> Any:
        """As `jax.jit(...).lower`: the program before it is compiled, for a look at its text."""
        leaves, structure = jax.tree.flatten(args)
        compiled, captured, _ = self._compiled(leaves, structure)
        return compiled.lower(captured, *leaves)

    def _compiled(self, leaves: list[Any], structure: Any) -> tuple[Any, list[Any], Any]:
        key = structure, tuple(map(_kind, leaves)), jax.config.jax_enable_x64  # type: ignore[attr-defined]
        if key not in self._kept:
            flat_function = lambda *flat: self.function(*jax.tree.unflatten(structure, flat))  # noqa: E731
            traced, shape = jax.make_jaxpr(flat_function, return_shape=True)(*leaves)
            # What an outer transformation traces stays as it was captured.
            captured, places = ([], [None] * len(traced.consts)) if is_traced(traced.consts) else _once(traced.consts)

            def run(captured: list[Any], *flat: Any) -> list[Any]:
                consts = [c if place is None else captured[place] for c, place in zip(traced.consts, places, strict=True)]
                return jax.core.eval_jaxpr(traced.jaxpr, consts, *flat)

            self._kept[key] = jax.jit(run), captured, jax.tree.structure(shape)
        return self._kept[key]


def _kind(leaf: Any) -> Any:
    return np.shape(leaf), jnp.result_type(leaf), isinstance(leaf, int | float) or getattr(leaf, "weak_type", False)


def _once(consts: list[Any]) -> tuple[list[Any], list[int | None]]:
    """The large arrays among `consts`, equal ones once, and where each is found (None: it stays a constant)."""
    arrays: list[Any] = []
    places: list[int | None] = []
    known: dict[Any, int] = {}
    for c in consts:
        if np.size(c) <= SMALL or jnp.issubdtype(jnp.result_type(c), jax.dtypes.extended):
            places.append(None)
            continue
        plain = np.asarray(c)
        same = known.setdefault((plain.shape, plain.dtype, hash(plain.tobytes())), len(arrays))
        if same == len(arrays):
            arrays.append(jnp.asarray(c))
        places.append(same)
    return arrays, places
