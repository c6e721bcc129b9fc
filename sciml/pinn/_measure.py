"""What is measured after training, on points that the training never saw."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..pde import Initial, Observed, Periodic, multi_index
from ._groups import Block, Place, expression_of, make_group
from ._problem import Problem


def relative_residual(problem: Problem, params: Any, *, n: int = 4096) -> float:
    """The root mean square of all rows on fresh points, relative to their natural size."""
    points = jax.tree.map(jnp.asarray, problem.sample(n, key=50_021))
    loss = float(jax.jit(lambda p, q: problem._loss(p, q))(params, points))
    return float(np.sqrt(loss / sum(problem.weights.values())))


def measure_conditions(problem: Problem, params: Any, *, n: int = 512) -> dict[str, float]:
    """The violation of every condition, the exact ones included: root mean square over fresh points, relative to the size
    of the field. Periodicity is measured as the jump of the value across the period."""
    place = Place(problem.pde, problem.domain)
    scales = dict(zip(problem.fields, problem.trial.scales, strict=True))
    found: dict[str, float] = {}
    for i, condition in enumerate(problem.pde.conditions):
        if isinstance(condition, Observed):
            continue
        if isinstance(condition, Periodic):
            found[condition.name] = _jump(problem, params, condition, n)
            continue
        expression = expression_of(condition)
        block = Block(condition.name, expression, 1.0, "condition")
        draw = place.initial if isinstance(condition, Initial) else place.boundary(condition)
        group = make_group(condition.name, [block], problem.pde, draw, None)
        points = jax.tree.map(jnp.asarray, group.draw(n, key=70_001 + i))
        evaluate = jax.jit(lambda p, q, group=group: problem.group_residuals(group, p, q)[0])
        residual = np.asarray(evaluate(params, points))
        known = [b.scale for b in problem.blocks if b.name == condition.name]
        size = known[0] if known else scales[condition.fields[0].field_name] * _per_time(problem, condition)
        found[condition.name] = float(np.sqrt(np.mean(residual**2)) / size)
    return found


def _per_time(problem: Problem, condition: Any) -> float:
    if not isinstance(condition, Initial) or not condition.order:
        return 1.0
    axis = multi_index(condition.target, problem.pde.coordinates).index(condition.order)
    return float(2 / (problem.trial.upper[axis] - problem.trial.lower[axis])) ** condition.order


def _jump(problem: Problem, params: Any, condition: Any, n: int) -> float:
    x = problem.sample(n, key=70_003)["interior"].x
    fields, worst = jax.jit(problem.fields_at), 0.0
    for axis in problem.exactness.periodic:
        low, high = np.array(x), np.array(x)
        low[:, axis], high[:, axis] = problem.trial.lower[axis], problem.trial.upper[axis]
        a, b = (np.asarray(fields(params, jnp.asarray(q))) for q in (low, high))
        worst = max(worst, float(np.max(np.sqrt(np.mean((a - b) ** 2, axis=0)) / problem.trial.scales)))
    return worst
