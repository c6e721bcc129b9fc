"""Gauss-Newton methods: the residual is linearised, the loss is not approximated otherwise."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from ._base import AbstractMethod, Objective, State, start

LARGEST_DAMPING = 1e8


class Dense(eqx.Module):
    """Solves with J^T J + lambda I, an n x n matrix, by Cholesky."""

    def directions(self, objective: Objective, p: Any, batch: Any, dampings: Any) -> Any:
        r, J = objective.jacobian(p, batch)
        A, g = J.T @ J, J.T @ r
        eye = jnp.eye(objective.size, dtype=p.dtype)

        def one(damping: Any) -> Any:
            factor = jax.scipy.linalg.cho_factor(A + damping * eye)
            return -jax.scipy.linalg.cho_solve(factor, g)

        return jax.lax.map(one, dampings)

    def bytes(self, size: int, rows: int) -> int:
        return 8 * (rows * size + 3 * size * size)


class Woodbury(eqx.Module):
    """Solves with J J^T + lambda I, a rows x rows matrix: the same step, cheaper where rows < parameters.

    (J^T J + lambda I)^-1 J^T r = J^T (J J^T + lambda I)^-1 r
    """

    def directions(self, objective: Objective, p: Any, batch: Any, dampings: Any) -> Any:
        r, J = objective.jacobian(p, batch)
        K = J @ J.T
        eye = jnp.eye(K.shape[0], dtype=p.dtype)

        def one(damping: Any) -> Any:
            factor = jax.scipy.linalg.cho_factor(K + damping * eye)
            return -J.T @ jax.scipy.linalg.cho_solve(factor, r)

        return jax.lax.map(one, dampings)

    def bytes(self, size: int, rows: int) -> int:
        return 8 * (rows * size + 3 * rows * rows)


class MatrixFree(eqx.Module):
    """Solves by conjugate gradients with products J v and J^T w; no matrix is formed.

    **Arguments:** `iterations` of conjugate gradients for each step.
    """

    iterations: int = 100

    def directions(self, objective: Objective, p: Any, batch: Any, dampings: Any) -> Any:
        rows = lambda q: objective.rows(q, batch)  # noqa: E731
        r, pull = jax.vjp(rows, p)
        (g,) = pull(r)
        _, push = jax.linearize(rows, p)

        def one(damping: Any) -> Any:
            product = lambda v: pull(push(v))[0] + damping * v  # noqa: E731
            return -jax.scipy.sparse.linalg.cg(product, g, tol=1e-10, maxiter=self.iterations)[0]

        return jax.lax.map(one, dampings)

    def bytes(self, size: int, rows: int) -> int:
        return 8 * 10 * (size + rows)


class LevenbergMarquardt(AbstractMethod):
    """Damped Gauss-Newton: p+ = p - (J^T J + lambda I)^-1 J^T r.

    Three dampings, lambda/10, lambda and 10 lambda, share one Jacobian; the best is taken and becomes the next lambda.
    If none descends, lambda grows a hundredfold and p stays. Levenberg 1944, Marquardt 1963.

    **Arguments:** `solver`: `Dense()`, `Woodbury()` (fewer rows than parameters) or `MatrixFree()`; by default the
    smaller of the first two. `damping`, the first lambda.
    """

    steps: int | None = None
    solver: Any = None
    damping: float = 1e-3

    def init(self, objective: Objective, p: Any, batch: Any) -> State:
        return start(objective, p, batch, jnp.asarray(self.damping, p.dtype))

    def step(self, objective: Objective, state: State, batch: Any) -> State:
        solver = choose_solver(self.solver, objective, state.p, batch)
        dampings = state.memory * jnp.asarray([0.1, 1.0, 10.0], state.p.dtype)
        candidates = state.p + solver.directions(objective, state.p, batch, dampings)
        return best_of(
            objective,
            state,
            batch,
            candidates,
            lambda i: jnp.maximum(dampings[i], 1e-16),
            # Not to infinity: after new points a step must be possible again.
            jnp.minimum(100 * state.memory, LARGEST_DAMPING),
        )

    def bytes(self, size: int, rows: int) -> int:
        return (self.solver or smaller(size, rows)).bytes(size, rows)


class GaussNewton(AbstractMethod):
    """Gauss-Newton with a search over step lengths 1, 1/2, 1/4, ...; Nocedal & Wright 2006, section 10.3.

    A damping of 1e-12 of the largest eigenvalue keeps the system solvable.
    """

    steps: int | None = None
    solver: Any = None
    halvings: int = 12

    def init(self, objective: Objective, p: Any, batch: Any) -> State:
        return start(objective, p, batch, ())

    def step(self, objective: Objective, state: State, batch: Any) -> State:
        return _along_gauss_newton(self.solver, self.halvings, objective, state, batch)

    def bytes(self, size: int, rows: int) -> int:
        return (self.solver or smaller(size, rows)).bytes(size, rows)


class EnergyNaturalGradient(AbstractMethod):
    """Natural gradient in function space with a grid line search; Mueller & Zeinhofer 2023 (arXiv:2302.13163).

    The metric is the pull-back of the residual's inner product, G = J^T J: for the least-squares loss the energy natural
    gradient is the Gauss-Newton direction, and the paper's line search tries the lengths 1, 1/2, ..., 2^-30.
    """

    steps: int | None = None
    solver: Any = None
    halvings: int = 30

    def init(self, objective: Objective, p: Any, batch: Any) -> State:
        return start(objective, p, batch, ())

    def step(self, objective: Objective, state: State, batch: Any) -> State:
        return _along_gauss_newton(self.solver, self.halvings, objective, state, batch)

    def bytes(self, size: int, rows: int) -> int:
        return (self.solver or smaller(size, rows)).bytes(size, rows)


def _along_gauss_newton(solver: Any, halvings: int, objective: Objective, state: State, batch: Any) -> State:
    chosen = choose_solver(solver, objective, state.p, batch)
    # The trace bounds the largest eigenvalue: E |J^T w|^2 over random signs w.
    rows, pull = jax.vjp(lambda q: objective.rows(q, batch), state.p)
    signs = jax.random.rademacher(jax.random.key(0), rows.shape, rows.dtype)
    size = jnp.sum(pull(signs)[0] ** 2)
    (d,) = chosen.directions(objective, state.p, batch, 1e-12 * size[None])
    lengths = 0.5 ** jnp.arange(halvings, dtype=state.p.dtype)
    return best_of(objective, state, batch, state.p + lengths[:, None] * d, lambda i: state.memory, state.memory)


def smaller(size: int, rows: int) -> Any:
    return Woodbury() if rows < size else Dense()


def choose_solver(solver: Any, objective: Objective, p: Any, batch: Any) -> Any:
    if solver is not None:
        return solver
    return smaller(objective.size, jax.eval_shape(objective.rows, p, batch).shape[0])


def best_of(objective: Objective, state: State, batch: Any, candidates: Any, memory: Any, otherwise: Any) -> State:
    """The candidate with the lowest loss, if it is lower than the present one."""
    losses = jax.lax.map(lambda q: objective.loss(q, batch), candidates)
    losses = jnp.where(jnp.isfinite(losses), losses, jnp.inf)
    i = jnp.argmin(losses)
    better = losses[i] < state.loss
    p = jnp.where(better, candidates[i], state.p)
    loss, gradient = objective.value_and_grad(p, batch)
    kept = jax.tree.map(lambda a, b: jnp.where(better, a, b), memory(i), otherwise)
    return State(p, loss, gradient, kept, state.evaluations + len(losses) + 1, ~better)
