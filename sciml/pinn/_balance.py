"""Weights of the blocks that follow the training."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import numpy as np


class AbstractBalancing(eqx.Module):
    """New weights from the old ones, every `every` steps.

    `update(weights, gradients, losses)`: the norm of the gradient of each block's unweighted loss, and that loss; only
    penalised conditions change (`movable`), equations keep their weight.
    """

    every: eqx.AbstractVar[int]

    @abc.abstractmethod
    def update(
        self, weights: dict[str, float], movable: set[str], gradients: dict[str, float], losses: dict[str, float]
    ) -> dict[str, float]: ...


class GradientNorm(AbstractBalancing):
    """Conditions pull as hard as equations: w_k moves to (sum over equations of |grad L_e|) / |grad L_k|.

        w_k <- memory w_k + (1 - memory) target

    Wang, Teng & Perdikaris 2021 (arXiv:2001.04536), with norms as in Wang et al. 2023 (arXiv:2308.08468).
    """

    every: int = 500
    memory: float = 0.5
    largest: float = 1e4

    def update(
        self, weights: dict[str, float], movable: set[str], gradients: dict[str, float], losses: dict[str, float]
    ) -> dict[str, float]:
        pull = sum(weights[k] * g for k, g in gradients.items() if k not in movable)
        new = dict(weights)
        for k in movable:
            if gradients[k] > 0 and np.isfinite(gradients[k]) and pull > 0:
                target = min(max(pull / gradients[k], 1 / self.largest), self.largest)
                new[k] = self.memory * weights[k] + (1 - self.memory) * target
        return new


class SelfAdaptive(AbstractBalancing):
    """Weights ascend where the loss is: log w_k grows by `rate` x (its share of the loss); McClenny & Braga-Neto 2023
    (arXiv:2009.04544), with one weight per condition instead of one per point.
    """

    every: int = 500
    rate: float = 0.5
    largest: float = 1e4

    def update(
        self, weights: dict[str, float], movable: set[str], gradients: dict[str, float], losses: dict[str, float]
    ) -> dict[str, float]:
        total = sum(weights[k] * v for k, v in losses.items())
        if not total > 0:
            return dict(weights)
        return {
            k: min(w * float(np.exp(self.rate * w * losses[k] / total)), self.largest) if k in movable else w
            for k, w in weights.items()
        }


def block_gradients(problem: Any, objective: Any) -> Callable[[Any, Any], tuple[Any, Any]]:
    """(p, batch) -> norm of the gradient of every block's unweighted loss, and that loss."""
    import jax
    import jax.numpy as jnp

    names = [b.name for b in problem.blocks]

    def evaluate(p: Any, batch: Any) -> tuple[Any, Any]:
        def losses(p: Any) -> Any:
            params = objective.unravel(p)
            residuals = problem._residuals(params, batch.points)
            ones = dict.fromkeys(names, 1.0)
            return jnp.stack(
                [
                    jnp.sum((residuals[b.name] * problem.row_factor(b, batch.points[g.name], ones)) ** 2)
                    for g in problem.groups
                    for b in g.blocks
                ]
            )

        values, pull = jax.vjp(losses, p)
        norms = jax.lax.map(lambda e: jnp.sqrt(jnp.sum(pull(e)[0] ** 2)), jnp.eye(len(names), dtype=values.dtype))
        return norms, values

    return jax.jit(evaluate)
