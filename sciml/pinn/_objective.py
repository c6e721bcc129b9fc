"""From a problem to the flat least-squares objective that methods minimise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from ._problem import Problem
from .methods import Objective


class Batch(eqx.Module):
    """What changes between chunks without compiling: points of every group, weights of every block, and whatever else
    the parameters are joined with (`extra`, such as the frequencies of random features)."""

    points: dict[str, Any]
    weights: dict[str, Any]
    extra: Any = None


def make_objective(
    problem: Problem, trained: Any, join: Callable[[Any, Any], Any] = lambda params, extra: params
) -> tuple[Objective, Any]:
    """The objective of `trained` as one vector, and that vector; `join(trained, extra)` are the parameters."""
    p, unravel = ravel_pytree(trained)

    def rows(p: Any, batch: Batch) -> Any:
        return problem._rows(join(unravel(p), batch.extra), batch.points, batch.weights)

    def jacobian(p: Any, batch: Batch) -> tuple[Any, Any]:
        """Point by point in reverse mode: every row depends on one point only."""
        values, slopes = [], []
        for g in problem.groups:
            points = jax.tree.map(jnp.asarray, batch.points[g.name])

            def at(point: Any, g: Any = g) -> tuple[Any, Any]:
                single = jax.tree.map(lambda a: a[None], point)
                residuals = lambda p: jnp.concatenate(  # noqa: E731
                    problem.group_residuals(g, join(unravel(p), batch.extra), single)
                )
                r, pull = jax.vjp(residuals, p)
                return r, jax.vmap(lambda e: pull(e)[0])(jnp.eye(len(g.blocks), dtype=r.dtype))

            r, J = jax.vmap(at)(points)
            for i, b in enumerate(g.blocks):
                factor = problem.row_factor(b, points, batch.weights)
                values.append(r[:, i] * factor)
                slopes.append(J[:, i] * factor[:, None])
        return jnp.concatenate(values), jnp.concatenate(slopes)

    return Objective(rows, jacobian, unravel, p.size), p
