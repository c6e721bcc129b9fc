"""Where the equations are asked to hold: collocation points, and how they move."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import numpy as np

from ._corners import damped
from ._groups import Points
from ._problem import INTERIOR, Problem


class AbstractCollocation(eqx.Module):
    """How points are drawn. `first` before training, `again` every `every` steps (None: never again)."""

    every: eqx.AbstractVar[int | None]

    @abc.abstractmethod
    def first(self, problem: Problem, n: int, *, key: int) -> dict[str, Points]: ...

    @abc.abstractmethod
    def again(
        self, problem: Problem, n: int, *, key: int, residuals: Callable[[dict[str, Points]], dict[str, Any]]
    ) -> dict[str, Points]: ...


class Fixed(AbstractCollocation):
    """Low-discrepancy points that stay where they are. The network can be wrong between them."""

    every: int | None = None

    def first(self, problem: Problem, n: int, *, key: int) -> dict[str, Points]:
        return problem.sample(n, key=key)

    def again(self, problem: Problem, n: int, *, key: int, residuals: Any) -> dict[str, Points]:
        return problem.sample(n, key=key)


class Redrawn(AbstractCollocation):
    """Fresh low-discrepancy points every `every` steps. The objective is the plain mean over the domain."""

    every: int | None = 500

    def first(self, problem: Problem, n: int, *, key: int) -> dict[str, Points]:
        return problem.sample(n, key=key)

    def again(self, problem: Problem, n: int, *, key: int, residuals: Any) -> dict[str, Points]:
        return problem.sample(n, key=key)


class ResidualAdaptive(AbstractCollocation):
    """Interior points drawn where the residual is large; Wu et al. 2023 (10.1016/j.cma.2022.115671), RAD.

        density(x) ~ |r(x)|^power / mean(|r|^power) + offset

    drawn from `candidates` times as many low-discrepancy points, |r| being the largest of the scaled residuals (times
    the quadrature weight of the candidate). A
    candidate is taken with the probability min(1, c density), c such that `n` are taken in the mean; systematic sampling
    keeps these probabilities to rounding and takes exactly `n` (Madow 1949, 10.1214/aoms/1177729988).

    What that does to the objective: with `unbiased=False` the loss becomes the mean of density x r^2, which counts large
    residuals more than the mean square does (between mean square and maximum); with `unbiased=True` every point has the
    quadrature weight 1/probability, and the loss stays an estimate of the mean square over the domain (Horvitz &
    Thompson 1952), with less variance.
    """

    every: int | None = 500
    candidates: int = 4
    power: float = 1.0
    offset: float = 1.0
    unbiased: bool = False

    def first(self, problem: Problem, n: int, *, key: int) -> dict[str, Points]:
        return problem.sample(n, key=key)

    def again(self, problem: Problem, n: int, *, key: int, residuals: Any) -> dict[str, Points]:
        points = problem.sample({INTERIOR: self.candidates * n}, key=key)
        fresh = problem.sample(n, key=key)
        found = residuals(points)
        blocks = next(g.blocks for g in problem.groups if g.name == INTERIOR)
        inside = points[INTERIOR]
        size = np.max(
            [np.abs(np.asarray(found[b.name])) / b.size(inside) * damped(inside.damping, b.order) for b in blocks], axis=0
        )
        if not np.all(np.isfinite(size)) or not size.any():
            return fresh
        size = (size * points[INTERIOR].weight) ** self.power
        density = np.maximum(size / size.mean() + self.offset, 1e-9)
        probability = inclusion(density, n)
        # Shuffled first: every k-th point of a low-discrepancy sequence lies in the same part of the domain.
        generator = np.random.default_rng([key, 1])
        order = generator.permutation(len(probability))
        chosen = np.sort(order[systematic(probability[order], float(generator.random()))])
        interior = jax.tree.map(lambda a: a[chosen], points[INTERIOR])
        if self.unbiased:
            weight = 1 / probability[chosen]
            weight = interior.weight * weight
            interior = eqx.tree_at(lambda q: q.weight, interior, weight / weight.mean())
        return {**fresh, INTERIOR: interior}


def inclusion(density: np.ndarray, n: int) -> np.ndarray:
    """min(1, c density) with c such that the sum is `n` (at most as many as there are)."""
    n = min(n, len(density))
    # With the k largest taken for certain, c = (n - k) / (sum of the rest): the smallest k that leaves all others below 1.
    largest = np.sort(density)[::-1]
    rest = np.cumsum(density[np.argsort(density)])[::-1]
    k = int(np.argmax((n - np.arange(n)) * largest[:n] <= rest[:n] * (1 + 1e-12)))
    return np.minimum(1.0, density * ((n - k) / rest[k]))


def systematic(probability: np.ndarray, start: float) -> np.ndarray:
    """Indices of a sample that has each with its probability: those where the running sum passes start + 0, 1, 2, ..."""
    steps = np.floor(np.cumsum(probability) - start)
    n = round(float(probability.sum()))
    steps[-1] = n - 1  # the sum is a whole number up to rounding
    return np.flatnonzero(np.diff(steps, prepend=-1.0))
