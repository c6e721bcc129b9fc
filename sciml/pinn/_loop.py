"""The training loop, written once for all methods.

Steps run in compiled chunks of bounded time; between them the host redraws points, updates weights, moves the progress
bar, writes the checkpoint and decides whether to stop. What happens when is counted in steps, never in seconds, so a
resumed run repeats an uninterrupted one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._balance import AbstractBalancing, block_gradients
from ._bar import progress_bar_of
from ._checkpoint import Checkpoint, Progress
from ._collocation import AbstractCollocation
from ._ending import OUT_OF_TIME
from ._objective import Batch, make_objective
from ._problem import Problem
from .methods import AbstractMethod

CHUNK_SECONDS = 0.7
PLATEAU_DRAWS = 20
# The methods before the last end by then even if their steps are not all taken: a start must leave time for the rest.
FIRST_SHARE = 0.4


@dataclass
class Outcome:
    """The parameters at the end, why it ended, and how it went."""

    params: Any
    weights: dict[str, float]
    reason: str
    converged: bool
    progress: Progress
    evaluations: int
    earlier: list[tuple[float, Any]]


def train(
    problem: Problem,
    params: Any,
    methods: tuple[AbstractMethod, ...],
    *,
    points: int,
    collocation: AbstractCollocation,
    balancing: AbstractBalancing | None,
    deadline: float,
    tolerance: float,
    seed: int,
    progress_bar: bool,
    checkpoint: Checkpoint | None,
    patience: int | None = PLATEAU_DRAWS,
    first_weights: Mapping[str, float] | None = None,
) -> Outcome:
    """Minimises the loss of `problem` from `params` until tolerance, plateau, the last method's steps, or `deadline`
    (a `time.monotonic()`). `first_weights`: other weights of blocks while the first of several methods runs."""
    began = time.monotonic()
    objective, p = make_objective(problem, params)
    residuals = jax.jit(lambda p, points: problem._residuals(objective.unravel(p), points))
    gradients = block_gradients(problem, objective) if balancing else None
    movable = {b.name for b in problem.blocks if b.kind != "equation"}
    at = Progress()
    first = {**problem.weights, **(first_weights or {})} if len(methods) > 1 else problem.weights
    batch = Batch(_device(collocation.first(problem, points, key=seed)), _scalars(first))
    saved = checkpoint.load(problem) if checkpoint else None
    total_weight = sum(first.values())
    evaluations, reason, converged = 0, "", False
    state: Any = None
    if saved is not None:
        at, batch = saved.progress, Batch(_device(saved.points), _scalars(saved.weights))
        total_weight = sum((first if at.method == 0 else problem.weights).values())
    already = at.elapsed
    compiling: float | None = None  # seconds to the first chunk of a method
    bar = progress_bar_of("training", "step", shown=progress_bar, initial=at.step)
    try:
        while at.method < len(methods) and not reason:
            # A quasi-Newton method takes about twice as long to compile as Adam.
            if compiling is not None and time.monotonic() + 2 * compiling > deadline:
                reason = OUT_OF_TIME
                break
            method = methods[at.method]
            starting = time.monotonic()
            initial = jax.jit(lambda p, batch, method=method: method.init(objective, p, batch))
            if state is None:
                state = initial(p, batch)
                if saved is not None:
                    state = saved.into(state)
                    saved = None
            run = _runner(method, objective)
            chunk, failures = 4, 0
            while not reason:
                if method.steps is not None and at.method_step >= method.steps:
                    break
                length = _until_event(at, method, collocation, balancing, chunk)
                before, tick = state, time.monotonic()
                state = jax.block_until_ready(run(state, batch, length))
                took = time.monotonic() - tick
                compiling = compiling or time.monotonic() - starting
                if not np.isfinite(float(state.loss)) or not bool(jnp.all(jnp.isfinite(state.p))):
                    failures += 1
                    chunk = max(1, length // 2)
                    state = initial(before.p, batch)
                    if failures > 3 or not np.isfinite(float(state.loss)):
                        state = before
                        reason = (
                            f"The loss became NaN or infinite at step {at.step}; the last good parameters are kept. "
                            "Look at the equation for a division by zero or a root of a negative number."
                        )
                    continue
                at.step += length
                at.method_step += length
                at.elapsed = already + time.monotonic() - began
                chunk = int(np.clip(length * CHUNK_SECONDS / max(took, 1e-3), 1, max(2 * chunk, 8)))
                loss = float(state.loss)
                relative = float(np.sqrt(loss / total_weight))
                at.history.append({"step": at.step, "seconds": at.elapsed, "loss": loss, "residual": relative})
                bar.update(length)
                bar.set_postfix(residual=f"{relative:.2e}", method=type(method).__name__, refresh=False)
                if balancing and gradients and at.step % balancing.every == 0:
                    norms, losses = gradients(state.p, batch)
                    names = [b.name for b in problem.blocks]
                    weights = balancing.update(
                        {k: float(v) for k, v in batch.weights.items()},
                        movable,
                        dict(zip(names, np.asarray(norms).tolist(), strict=True)),
                        dict(zip(names, np.asarray(losses).tolist(), strict=True)),
                    )
                    batch = Batch(batch.points, _scalars(weights))
                    state = _refreshed(method, objective)(state, batch)
                if collocation.every and at.step % collocation.every == 0:
                    at.draw += 1
                    here = state.p
                    drawn = collocation.again(
                        problem, points, key=seed + 7919 * at.draw, residuals=lambda q, here=here: residuals(here, q)
                    )
                    batch = Batch(_device(drawn), batch.weights)
                    state = _refreshed(method, objective)(state, batch)
                    at.history[-1]["fresh"] = float(np.sqrt(float(state.loss) / total_weight))
                    _remember(at, relative, state.p)
                    if patience and _plateau(at.history, patience):
                        reason, converged = "Plateau: fresh residuals no longer fall.", True
                if relative <= tolerance:
                    reason, converged = f"The residual fell below tolerance={tolerance:g}.", True
                share = began + FIRST_SHARE * (deadline - began)
                if at.method + 1 < len(methods) and share < time.monotonic() < deadline - 2 * compiling:
                    break
                if time.monotonic() > deadline:
                    reason = OUT_OF_TIME
                if checkpoint and checkpoint.due():
                    checkpoint.save(at, state, batch)
            if not reason:
                evaluations += int(state.evaluations)
                p, state = state.p, None
                at.method, at.method_step = at.method + 1, 0
                if first_weights and at.method == 1:
                    batch, total_weight = Batch(batch.points, _scalars(problem.weights)), sum(problem.weights.values())
    except KeyboardInterrupt:
        reason = "Interrupted by the user; the parameters reached so far are returned."
    finally:
        bar.close()
    if state is not None:
        p = state.p
        evaluations += int(state.evaluations)
        if checkpoint:
            checkpoint.save(at, state, batch)
    weights = {k: float(v) for k, v in batch.weights.items()}
    if first_weights and at.method == 0:
        weights = dict(problem.weights)
    earlier = [(residual, objective.unravel(jnp.asarray(q))) for residual, q in at.earlier]
    trained = [h["residual"] for h in at.history if "fresh" in h]
    earlier += [(trained[-1], objective.unravel(p))] if trained else []
    reason = reason or "All steps were taken."
    return Outcome(objective.unravel(p), weights, reason, converged, at, evaluations, earlier)


def _remember(at: Progress, residual: float, p: Any) -> None:
    """Keeps the parameters each time that the residual has fallen by a fifth, the last eight of them. The residual is that on
    the points trained on, just before they are drawn anew: on few fresh points it jumps by factors."""
    if not at.earlier or residual < 0.8 * at.earlier[-1][0]:
        at.earlier = [*at.earlier[-7:], (residual, np.asarray(p))]


def _runner(method: AbstractMethod, objective: Any) -> Any:
    @jax.jit
    def run(state: Any, batch: Any, length: Any) -> Any:
        return jax.lax.fori_loop(0, length, lambda _, s: method.step(objective, s, batch), state)

    return run


def _refreshed(method: AbstractMethod, objective: Any) -> Any:
    cached = getattr(objective, "_refresh", None)
    if cached is None or cached[0] is not method:
        cached = (method, jax.jit(lambda state, batch: method.refresh(objective, state, batch)))
        object.__setattr__(objective, "_refresh", cached)
    return cached[1]


def _until_event(
    at: Progress, method: AbstractMethod, collocation: AbstractCollocation, balancing: Any, chunk: int
) -> int:
    """Steps until the next thing that is counted in steps, at most `chunk`."""
    limits = [chunk]
    if collocation.every:
        limits.append(collocation.every - at.step % collocation.every)
    if balancing:
        limits.append(balancing.every - at.step % balancing.every)
    if method.steps is not None:
        limits.append(method.steps - at.method_step)
    return max(1, min(limits))


def _plateau(history: list[dict[str, float]], patience: int) -> bool:
    fresh = [h["fresh"] for h in history if "fresh" in h]
    if len(fresh) <= 2 * patience:
        return False
    return min(fresh[-patience:]) > 0.9 * min(fresh[:-patience])


def _device(points: Any) -> Any:
    return jax.tree.map(jnp.asarray, points)


def _scalars(weights: dict[str, Any]) -> dict[str, Any]:
    return {k: jnp.asarray(float(v)) for k, v in weights.items()}
