"""From a problem to the flat least-squares objective that methods minimise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from ._groups import Group
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
        found = [group_jacobian(problem, g, unravel, join)(p, batch) for g in problem.groups]
        return jnp.concatenate([r for r, _ in found]), jnp.concatenate([J for _, J in found])

    return Objective(rows, jacobian, unravel, p.size), p


def group_jacobian(
    problem: Problem, g: Group, unravel: Callable[[Any], Any], join: Callable[[Any, Any], Any] = lambda params, extra: params
) -> Callable[[Any, Batch], tuple[Any, Any]]:
    """Rows of one group and their Jacobian, point by point in reverse mode: every row depends on one point only."""

    def jacobian(p: Any, batch: Batch) -> tuple[Any, Any]:
        points = jax.tree.map(jnp.asarray, batch.points[g.name])

        def at(point: Any) -> tuple[Any, Any]:
            single = jax.tree.map(lambda a: a[None], point)
            residuals = lambda p: jnp.concatenate(  # noqa: E731
                problem.group_residuals(g, join(unravel(p), batch.extra), single)
            )
            r, pull = jax.vjp(residuals, p)
            return r, jax.vmap(lambda e: pull(e)[0])(jnp.eye(len(g.blocks), dtype=r.dtype))

        r, J = jax.vmap(at)(points)
        factors = jnp.stack([problem.row_factor(b, points, batch.weights) for b in g.blocks], axis=1)
        return (r * factors).T.ravel(), jnp.swapaxes(J * factors[:, :, None], 0, 1).reshape(-1, p.size)

    return jacobian
