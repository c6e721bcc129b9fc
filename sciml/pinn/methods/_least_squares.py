"""Least squares by an orthogonal factorisation: for networks that are linear in their parameters."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ._base import AbstractMethod, Objective, State, start
from ._gauss_newton import best_of


class LeastSquares(AbstractMethod):
    """Solves min |r + J d| by QR of the scaled J, and takes the best of the step lengths 1, 1/2, ..., 2^-7.

    For `RandomFeatures` on a linear equation one step is the solution; on a nonlinear one it is Newton's method for the
    whole space-time problem. QR works with J itself: the normal equations would square its condition number, 1e10 and
    more for random features, and lose half the digits.

        min | [J D^-1; eps I] z + [r; 0] |,    d = D^-1 z,    D_j = |J_j|,  eps = `cutoff` x sqrt(n)
    """

    steps: int | None = None
    cutoff: float = 1e-13

    def init(self, objective: Objective, p: Any, batch: Any) -> State:
        return start(objective, p, batch, ())

    def step(self, objective: Objective, state: State, batch: Any) -> State:
        r, J = objective.jacobian(state.p, batch)
        d = -solve_least_squares(J, r, self.cutoff)
        lengths = 0.5 ** jnp.arange(8, dtype=state.p.dtype)
        return best_of(objective, state, batch, state.p + lengths[:, None] * d, lambda i: (), ())

    def bytes(self, size: int, rows: int) -> int:
        return 3 * 8 * (rows + size) * size


def solve_least_squares(J: Any, r: Any, cutoff: float = 1e-13) -> Any:
    """argmin |J d - r| with columns scaled to one and the slightest Tikhonov term."""
    n = J.shape[1]
    norms = jnp.sqrt(jnp.sum(J**2, axis=0))
    norms = jnp.where(norms > 0, norms, 1.0)
    A = jnp.concatenate([J / norms, cutoff * jnp.sqrt(n) * jnp.eye(n, dtype=J.dtype)])
    Q, R = jnp.linalg.qr(A)
    return jax.scipy.linalg.solve_triangular(R, Q[: J.shape[0]].T @ r) / norms
