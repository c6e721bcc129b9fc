"""What a method is: `init`, `step`, `refresh` on one least-squares objective."""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree


@dataclass(frozen=True, eq=False)
class Objective:
    """Least squares in a flat parameter vector: loss(p) = sum of rows(p, batch)^2.

    `rows(p, batch)` is the residual vector `(rows,)`; `jacobian(p, batch)` gives it with its derivative `(rows, n)`;
    `unravel` turns p back into parameters. `batch` (points and weights) is an argument everywhere, so new points
    compile nothing.
    """

    rows: Callable[[Any, Any], Any]
    jacobian: Callable[[Any, Any], tuple[Any, Any]]
    unravel: Callable[[Any], Any]
    size: int

    def loss(self, p: Float[Array, " n"], batch: PyTree) -> Float[Array, ""]:
        return jnp.sum(self.rows(p, batch) ** 2)

    def value_and_grad(self, p: Float[Array, " n"], batch: PyTree) -> tuple[Any, Any]:
        return jax.value_and_grad(self.loss)(p, batch)


class State(eqx.Module):
    """What every method carries: the parameters, the loss and its gradient there, and its own memory.

    `evaluations` counts losses with gradients; `stalled` says that no descent was found in the last step.
    """

    p: Any
    loss: Any
    gradient: Any
    memory: Any
    evaluations: Any
    stalled: Any


class AbstractMethod(eqx.Module):
    """A way to minimise an `Objective`. Three pure functions of arrays, run inside one compiled loop.

    - `init(objective, p, batch) -> State`
    - `step(objective, state, batch) -> State`: one step; must not increase the loss unless the method is stochastic.
    - `refresh(objective, state, batch) -> State`: the points or weights have changed: loss and gradient are evaluated
      anew, the memory is kept.

    `steps`, the most steps it takes when it is one of a sequence; None for as many as the time allows.
    """

    steps: eqx.AbstractVar[int | None]

    @abc.abstractmethod
    def init(self, objective: Objective, p: Any, batch: Any) -> State: ...

    @abc.abstractmethod
    def step(self, objective: Objective, state: State, batch: Any) -> State: ...

    def refresh(self, objective: Objective, state: State, batch: Any) -> State:
        loss, gradient = objective.value_and_grad(state.p, batch)
        return State(state.p, loss, gradient, state.memory, state.evaluations + 1, jnp.zeros_like(state.stalled))

    def bytes(self, size: int, rows: int) -> int:
        """Memory of the dense matrices for `size` parameters and `rows` rows."""
        return 0


def start(objective: Objective, p: Any, batch: Any, memory: Any) -> State:
    loss, gradient = objective.value_and_grad(p, batch)
    return State(p, loss, gradient, memory, jnp.asarray(1), jnp.asarray(False))
