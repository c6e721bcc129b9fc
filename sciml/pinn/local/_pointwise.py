"""Residuals as functions of the derivatives at a point, and their derivatives with respect to those.

Nothing is differentiated through the functions that the solution is made of: their derivatives are tables, and the row of a
point is

    sum_l dF/du_l (x) d^l phi(x).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..._precision import float64
from ...pde import PDE, lower

CHUNK = 4096  # points at once, the last ones filled up: one program serves all
Leaf = tuple[str, tuple[int, ...]]


class Values(NamedTuple):
    """The residuals `(expressions, n)` and their derivatives with respect to the leaves, `(expressions, leaves, n)`, and to
    the unknown parameters."""

    r: np.ndarray
    slopes: np.ndarray
    by_unknowns: np.ndarray


class Pointwise:
    """Expressions of a PDE at points. `leaves`: the fields and derivatives in them; `unknowns`: the values of `pde.parameters`,
    an array that its owner changes."""

    def __init__(self, expressions: Sequence[Any], pde: PDE, unknowns: np.ndarray):
        lowered: Any = lower(list(expressions), coordinates=pde.coordinates)
        self.leaves: tuple[Leaf, ...] = tuple(sorted(lowered.derivatives))
        names, space = [c.name for c in pde.coordinates], [c.name for c in pde.space]
        inputs, self._space, self._unknowns = [*self.leaves, *(p.name for p in pde.parameters)], len(space), unknowns
        count = len(inputs)

        def residuals(U: Any, x: Any, normals: Any) -> Any:
            values: dict[Any, Any] = {name: x[:, i] for i, name in enumerate(names)}
            values |= {("normal", name): normals[:, i] for i, name in enumerate(space)}
            values |= {name: U[i] for i, name in enumerate(inputs)}
            return jnp.stack([jnp.broadcast_to(r, x.shape[:1]) for r in lowered(values)])

        @jax.jit
        def program(U: Any, x: Any, normals: Any) -> tuple[Any, Any]:
            at = lambda U: residuals(U, x, normals)  # noqa: E731
            # Every point depends on its own values only, so that one direction serves all points.
            ones = jnp.broadcast_to(jnp.eye(count, dtype=x.dtype)[:, :, None], (count, count, x.shape[0]))
            r, slopes = at(U), jax.vmap(lambda one: jax.jvp(at, (U,), (one,))[1])(ones)
            return r, jnp.swapaxes(slopes, 0, 1)

        self._program = program

    def __call__(self, U: np.ndarray, x: np.ndarray, normals: np.ndarray | None = None) -> Values:
        """For values `U` `(leaves, n)` of the leaves at `x` `(n, d)`."""
        normals = np.zeros((len(x), self._space)) if normals is None else normals
        U = np.concatenate([U, np.broadcast_to(self._unknowns[:, None], (len(self._unknowns), len(x)))])
        found = []
        with float64():
            for start in range(0, len(x), CHUNK):
                part = slice(start, start + CHUNK)
                fill = [(0, CHUNK - len(x[part])), (0, 0)]
                given = (np.pad(U[:, part], fill[::-1], mode="edge"), np.pad(x[part], fill, mode="edge"))
                r, slopes = self._program(*given, np.pad(normals[part], fill, mode="edge"))
                n = len(x[part])
                found.append((np.asarray(r)[:, :n], np.asarray(slopes)[:, :, :n]))
        slopes = np.concatenate([s for _, s in found], axis=2)
        m = len(self.leaves)
        return Values(np.concatenate([r for r, _ in found], axis=1), slopes[:, :m], slopes[:, m:])
