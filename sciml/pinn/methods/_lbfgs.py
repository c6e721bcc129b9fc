"""Limited-memory BFGS."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ._base import AbstractMethod, Objective, State, start
from ._line_search import line_search


class LBFGS(AbstractMethod):
    """BFGS from the last `memory` steps and gradients; Nocedal & Wright 2006, algorithm 7.4, with a Wolfe line search.

    What is used where a dense inverse Hessian would not fit: memory 16 x `memory` x n bytes.
    """

    steps: int | None = None
    memory: int = 50

    def init(self, objective: Objective, p: Any, batch: Any) -> State:
        zeros = jnp.zeros((self.memory, objective.size), p.dtype)
        return start(objective, p, batch, (zeros, zeros, jnp.zeros(self.memory, p.dtype)))

    def step(self, objective: Objective, state: State, batch: Any) -> State:
        S, Y, rho = state.memory
        g = state.gradient
        d = -_two_loops(S, Y, rho, g)
        descends = (g @ d < 0) & jnp.all(jnp.isfinite(d)) & ~state.stalled
        rho = jnp.where(descends, rho, 0.0)
        d = jnp.where(descends, d, -g / jnp.maximum(jnp.sqrt(g @ g), 1e-30))
        found = line_search(lambda q: objective.value_and_grad(q, batch), state.p, state.loss, g, d)
        s, y = found.alpha * d, found.gradient - g
        ys = y @ s
        keep = ys > 0
        push = lambda rows, row: jnp.where(keep, jnp.roll(rows, -1, axis=0).at[-1].set(row), rows)  # noqa: E731
        memory = (push(S, s), push(Y, y), push(rho, jnp.where(keep, 1 / jnp.where(keep, ys, 1.0), 0.0)))
        return State(
            state.p + s,
            found.loss,
            found.gradient,
            memory,
            state.evaluations + found.evaluations,
            found.alpha == 0,
        )


def _two_loops(S: Any, Y: Any, rho: Any, g: Any) -> Any:
    """H g by the two-loop recursion; empty slots have rho = 0. The newest pair is the last."""

    def backward(q: Any, pair: Any) -> Any:
        s, y, r = pair
        a = r * (s @ q)
        return q - a * y, a

    q, alphas = jax.lax.scan(backward, g, (S, Y, rho), reverse=True)
    yy = Y[-1] @ Y[-1]
    used = (rho[-1] > 0) & (yy > 0)
    scale = jnp.where(used, 1 / jnp.where(used, rho[-1] * yy, 1.0), 1 / jnp.maximum(jnp.sqrt(g @ g), 1e-30))

    def forward(r_: Any, pair: Any) -> Any:
        s, y, r, a = pair
        return r_ + s * (a - r * (y @ r_)), None

    result, _ = jax.lax.scan(forward, scale * q, (S, Y, rho, alphas))
    return result
