"""Causal weighting: late times count only when early ones are solved."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np

from ._collocation import AbstractCollocation, ResidualAdaptive
from ._groups import Points
from ._problem import INTERIOR, Problem


class Causal(AbstractCollocation):
    """Weights w(t) = exp(-L(t) / tolerance) on the points of another collocation, at every redraw.

        L(t) = integral from the start to t of the mean square of the scaled residual, over the duration

    Wang, Sankaran & Perdikaris 2024 (arXiv:2203.07404), with time cut into `slabs`. The objective is the mean of w r^2, so
    it grows as later times begin to count; when L(end) << tolerance it is the plain mean square.

    **Good values:** `tolerance` 1e-2 to 1e-4: the square of the residual (relative to its natural size) at which a time
    counts as solved. Much larger has no effect; much smaller never lets late times in.
    """

    every: int | None = 500
    collocation: AbstractCollocation = ResidualAdaptive(unbiased=True)
    tolerance: float = 1e-3
    slabs: int = 32

    def first(self, problem: Problem, n: int, *, key: int) -> dict[str, Points]:
        axis = self._axis(problem)
        points = self.collocation.first(problem, n, key=key)
        # Before the first residual is known, the first slab counts in full and time decays over the span.
        low, high = problem.trial.lower[axis], problem.trial.upper[axis]
        position = (points[INTERIOR].x[:, axis] - low) / (high - low)
        return _weighted(points, np.exp(-3 * position))

    def again(self, problem: Problem, n: int, *, key: int, residuals: Any) -> dict[str, Points]:
        axis = self._axis(problem)
        points = self.collocation.again(problem, n, key=key, residuals=residuals)
        found = residuals(points)
        blocks = next(g.blocks for g in problem.groups if g.name == INTERIOR)
        square = sum((np.asarray(found[b.name]) / b.size(points[INTERIOR])) ** 2 for b in blocks)
        low, high = problem.trial.lower[axis], problem.trial.upper[axis]
        position = (points[INTERIOR].x[:, axis] - low) / (high - low)
        slab = np.minimum((position * self.slabs).astype(int), self.slabs - 1)
        share = np.bincount(slab, points[INTERIOR].weight, self.slabs)
        mean = np.bincount(slab, points[INTERIOR].weight * square, self.slabs) / np.maximum(share, 1e-300)
        before = np.concatenate([[0.0], np.cumsum(mean)[:-1]]) / self.slabs
        return _weighted(points, np.exp(-before / self.tolerance)[slab])

    def _axis(self, problem: Problem) -> int:
        if problem.pde.time is None:
            raise ValueError("Causal weighting needs a time coordinate; the equation has none. Use ResidualAdaptive().")
        return problem.pde.coordinates.index(problem.pde.time)


def _weighted(points: dict[str, Points], weight: np.ndarray) -> dict[str, Points]:
    interior = points[INTERIOR]
    return {**points, INTERIOR: eqx.tree_at(lambda q: q.weight, interior, interior.weight * weight)}
