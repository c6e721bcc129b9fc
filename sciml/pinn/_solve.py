"""`solve`: equations and a place in, an accurate solution out."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._precision import computing_in, is_traced, to_numpy
from ..pde import PDE
from ..solution import Solution
from ..statement import check_unknowns, placed
from ._balance import AbstractBalancing
from ._checkpoint import Checkpoint
from ._collocation import AbstractCollocation, ResidualAdaptive
from ._constants import anchored, settled
from ._ending import ORDER_ONE, OUT_OF_TIME, ending
from ._error import estimate
from ._features import Attempt, attempt
from ._final import NetworkFinal
from ._loop import Outcome, train
from ._measure import measure_conditions, relative_residual
from ._problem import Problem, compile_beside
from ._uncertainty import learned_parameters
from .local import Local, attempt_locally, folded, known_trail, solve_locally, why_not
from .methods import LBFGS, AbstractMethod, Adam, SSBroyden

# Above this the dense inverse Hessian, and the copies an update makes, are not formed.
DENSE_BYTES = 2 * 1024**3
DATA_FIRST = 0.01
GOOD_ENOUGH = 1e-6
# Compiling the training of a network takes about so many times what the first step of random waves takes.
STARTING = 1.0


def solve(
    pde: PDE,
    domain: Any,
    method: AbstractMethod | Sequence[AbstractMethod] | None = None,
    *,
    network: Any = None,
    max_time: float = 180.0,
    tolerance: float = 1e-8,
    points: int = 4096,
    collocation: AbstractCollocation | None = None,
    balancing: AbstractBalancing | None = None,
    weights: Mapping[str, float] | None = None,
    exact: bool = True,
    precision: Any = np.float64,
    key: Any = 0,
    checkpoint: Any = None,
    progress: bool = True,
    throw: bool = True,
) -> Solution:
    """Solves a PDE: by a layer of random waves, by polynomials on patches, or by a network that is trained.

    By default three things are tried, each only where the one before does not do. A layer of random waves whose amplitudes
    solve a least-squares problem (`RandomFeatures`, `LeastSquares`): where the solution is smooth it is accurate to eight
    digits and more in seconds. Where its residual on fresh points stays above 1e-6, local least squares (`Local`):
    polynomials on patches of space, cut by the boundary where the domain is no box, in windows of time; they follow fronts,
    layers, holes and corners. Where they do not get there in two thirds of the time, a small network is trained as a whole by
    `Adam` and `SSBroyden`, with points drawn where the residual is large. Data, unknown parameters and fields without an
    equation go to `Local` first where there are at most two coordinates (for a third of the time), else to the network.
    `solution.result` says which answered. A `network` or `method` of your own, or `weights` where there are data, go straight
    there.

    **Arguments:**

    - `pde`: the equations and their conditions. `domain`: where they hold.
    - `method`: `Local()`, or a method object that trains or a sequence of them, each for its `steps`.
    - `network`: anything that `sciml.nn.adapt` accepts.
    - `max_time`: seconds from the call, compilation and standard errors included; the best so far is returned. (Compiling
        alone takes 5 to 10 seconds on a problem seen for the first time. The error estimate is computed when it is first asked
        for, by `print(solution)` or `solution.estimate_error()`; that takes a few seconds more.)
    - `tolerance`: on the root mean square of the residuals, relative to their natural size; of `Local`, by default, what it
        is asked for, between 1e-8 and 1e-3.
    - `points`: collocation points in the interior; every penalised condition gets an eighth of that.
    - `collocation`: `ResidualAdaptive(unbiased=True)`, `Redrawn()`, `Fixed()`.
    - `balancing`: `GradientNorm()` or `SelfAdaptive()` change the weights of penalised conditions; None keeps them.
    - `weights`: of blocks by name; by default 1 for equations, 10 for penalised conditions, 0.1 for data.
    - `exact`: whether conditions are built into the trial function where they are compatible.
    - `precision`: `numpy.float32` trains in 32 bits: faster, above all on a GPU, but residuals stop falling near 1e-4 of
        their natural size.
    - `key`: a whole number or a JAX key.
    - `checkpoint`: a file that the training state, or the windows of time so far, are written to; a call with the same
        arguments resumes from it. What random waves answer, or patches without time or with data, is not written: such a
        call begins anew.
    - `progress`: a progress bar. `throw`: whether a failed training raises; otherwise `solution.result` says it.

    **Returns** a `Solution`. **Raises** `ValueError` or `TypeError` where the problem is not well stated, before anything
    is compiled; `FloatingPointError` where the training failed and `throw=True`. Ctrl-C returns the best so far.

    >>> from sciml import Box, Dirichlet, PDE, coordinates, field, pinn
    >>> x = coordinates("x")
    >>> u = field("u", x)
    >>> solution = pinn.solve(PDE(u.xx + 1, Dirichlet(u, 0)), Box(x=(0, 1)), progress=False)
    >>> bool(abs(solution.u(0.5) - 0.125) < 1e-8)
    True
    """
    began = time.monotonic()
    _check_arguments(method, max_time, points, tolerance)
    if isinstance(method, Local):
        given = {"network": network, "collocation": collocation, "balancing": balancing, "weights": weights}
        _check_local(given, precision)
    seed = _seed(key)
    given, alone = pde, network is None and weights is None and (method is None or isinstance(method, Local))
    pde, fluxes = folded(pde, domain) if alone and precision == np.float64 else (pde, ())
    problem = compile_beside(pde, fluxes, domain, network, exact=exact, weights=weights, precision=precision, key=key)
    problem = replace(problem, original=placed(given, problem.domain)) if fluxes else problem
    check_unknowns(pde, problem.domain)
    # What is measured afterwards takes seconds; standard errors of unknown parameters, and of fields from noisy data, more.
    deadline = began + max_time - (min(0.2 * max_time, 6.0) if problem.learns else min(0.1 * max_time, 2.0))
    saved = _checkpoint(checkpoint, problem, method, points, collocation, balancing, seed)
    if isinstance(method, Local):
        return solve_locally(problem, method, began, deadline, progress=progress, checkpoint=saved)
    if fluxes:
        located = attempt_locally(problem, began, deadline, tolerance=tolerance, progress=progress, checkpoint=saved)
        if located is None:
            if reason := why_not(problem):
                raise ValueError(
                    f"A flux jumps, which only polynomials on patches follow, and {reason}. Call solvers.solve(pde, domain), "
                    "which keeps fluxes whole (finite volumes), or give each side its own field: docs/interfaces.md."
                )
            raise FloatingPointError(
                "A flux jumps, and polynomials on patches that end there were not found in time. Give it more (max_time=...), "
                "or call solvers.solve(pde, domain), which keeps fluxes whole (finite volumes)."
            )
        return located
    with computing_in(problem.precision):
        tried: Attempt | None = None
        begun = known_trail(saved) is not None
        plain = _is_plain(problem, method, network, saved) and not begun
        if plain and not problem.exactness.corners:
            tried = attempt(
                problem,
                deadline=min(deadline, began + max_time / 3),
                tolerance=tolerance,
                seed=seed,
                progress_bar=progress,
            )
            # What could not even be compiled in the time that is left is not begun.
            if tried is not None and (
                tried.interrupted
                or tried.residual < GOOD_ENOUGH
                or time.monotonic() + STARTING * tried.compiling > deadline
            ):
                return _from_attempt(tried, began)
        if plain or begun or weights is None and _is_asked(problem, method, network, saved):
            located = attempt_locally(problem, began, deadline, tolerance=tolerance, progress=progress, checkpoint=saved)
            if located is not None:
                return located
        methods = _methods(method, problem, points)
        outcome = train(
            problem,
            problem.params,
            methods,
            points=points,
            collocation=collocation or ResidualAdaptive(unbiased=True),
            balancing=balancing,
            deadline=deadline,
            tolerance=tolerance,
            seed=seed,
            progress_bar=progress,
            checkpoint=saved,
            first_weights=_data_first(problem) if method is None and balancing is None else None,
        )
        if "NaN" in outcome.reason and throw:
            raise FloatingPointError(outcome.reason)
        reached = relative_residual(problem, outcome.params)
        if tried is not None and tried.residual < reached:
            return _from_attempt(tried, began)
        return _finish(problem, outcome, reached, began, tried.notes if tried is not None else ())


def _finish(problem: Problem, outcome: Outcome, reached: float, began: float, left: tuple[str, ...]) -> Solution:
    params = to_numpy(outcome.params)
    problem = replace(problem, weights=outcome.weights)
    history = outcome.progress.history
    believed = history[-1]["residual"] if history else reached
    result = ending(problem, outcome.reason, reached, history)
    if np.isfinite(reached) and reached > max(30 * believed, 1e-4):
        result += (
            f" On fresh points the residual is {reached:.1e}, but {believed:.1e} on those it was trained on: more "
            "points (points=...) are needed."
        )
    stats = {
        "residual": reached,
        "steps": outcome.progress.step,
        "evaluations": outcome.evaluations,
        "parameters": problem.network.size,
        "network": f"{problem.network.name} ({problem.network.kind})",
    }
    return _solution(problem, params, result, outcome.converged, stats, history, began, left, outcome.earlier)


def _from_attempt(tried: Attempt, began: float) -> Solution:
    converged = tried.residual < GOOD_ENOUGH
    if converged:
        result = f"Random waves and least squares: the residual on fresh points is {tried.residual:.1e} of its natural size."
    else:
        reason = "Interrupted by the user" if tried.interrupted else OUT_OF_TIME
        result = (
            f"{reason}; the residual on fresh points is {tried.residual:.1e} of its natural size."
            if tried.residual <= ORDER_ONE
            else ending(tried.problem, reason, tried.residual, tried.history)
        )
    stats = {
        "residual": tried.residual,
        "steps": len(tried.history),
        "evaluations": len(tried.history),
        "parameters": tried.problem.network.size,
        "network": f"RandomFeatures, {tried.features} waves, frequencies up to "
        + ", ".join(f"{s:.3g}" for s in tried.scale)
        + "".join(
            f", around {' and '.join(f'{f:.3g}' for f in around)} along {c.name}"
            for c, around in zip(tried.problem.pde.coordinates, tried.around, strict=True)
            if around
        ),
    }
    return _solution(tried.problem, to_numpy(tried.params), result, converged, stats, tried.history, began, tried.notes)


def _solution(
    problem: Problem,
    params: Any,
    result: str,
    converged: bool,
    stats: dict[str, Any],
    history: Any,
    began: float,
    left: tuple[str, ...] = (),
    earlier: Sequence[tuple[float, Any]] = (),
) -> Solution:
    trained = problem
    problem, notes = settled(problem, params)
    parameters, undetermined = learned_parameters(trained, params)
    solution = Solution(
        problem.original,
        problem.domain,
        NetworkFinal(problem, params),
        result,
        converged,
        stats | {"precision": str(problem.precision)},
        history,
        parameters,
        measure_conditions(problem, params),
        lambda solution: estimate(anchored(trained), params, problem.weights, earlier),
        notes=(*problem.notes, *left, *notes, *undetermined),
    )
    solution.stats["seconds"] = time.monotonic() - began
    return solution


def _methods(method: Any, problem: Problem, points: int) -> tuple[AbstractMethod, ...]:
    if method is None:
        dense = SSBroyden()
        rest = dense if dense.bytes(problem.network.size, points) <= DENSE_BYTES else LBFGS()
        return (Adam(), rest)
    return (method,) if isinstance(method, AbstractMethod) else tuple(method)


def _is_plain(problem: Problem, method: Any, network: Any, saved: Checkpoint | None) -> bool:
    """Whether random waves are tried before a network is trained: without data and unknowns."""
    return _is_asked(problem, method, network, saved) and not problem.learns


def _is_asked(problem: Problem, method: Any, network: Any, saved: Checkpoint | None) -> bool:
    """Whether linear algebra may be tried before a network is trained: in float64."""
    resumed = saved is not None and saved.path.exists()
    return method is None and network is None and problem.precision == np.float64 and not resumed


def _data_first(problem: Problem) -> dict[str, float] | None:
    """Lower weights of the equations at the start, where they have an unknown coefficient: with it free they hold just as well
    with fields near zero and a coefficient that grows, and the training would not come back from there to the data."""
    if not problem.original.free_fields or not any(b.kind == "data" for b in problem.blocks):
        return None
    return {b.name: DATA_FIRST * problem.weights[b.name] for b in problem.blocks if b.kind == "equation"}


def _check_arguments(method: Any, max_time: float, points: int, tolerance: float) -> None:
    given = () if method is None or isinstance(method, Local) else (method,) if isinstance(method, AbstractMethod) else method
    if (
        isinstance(given, (str, type))
        or not isinstance(given, Sequence)
        or not all(isinstance(m, AbstractMethod) for m in given)
    ):
        raise TypeError(
            "method is pinn.Local(), a method object such as pinn.SSBroyden(), or a sequence of method objects; "
            f"{method!r} came."
        )
    if is_traced(max_time, points, tolerance):
        raise TypeError("solve cannot be called inside jit, vmap or grad; compose pinn.compile(...) instead.")
    for name, value in (("max_time", max_time), ("points", points)):
        if not value > 0:
            raise ValueError(f"{name}={value!r}; expected a positive number.")
    if tolerance < 0:
        raise ValueError(f"tolerance={tolerance!r}; expected zero or a positive number.")


def _check_local(given: Mapping[str, Any], precision: Any) -> None:
    """What belongs to a network that is trained."""
    named = [f"{name}=..." for name, value in given.items() if value is not None]
    if precision != np.float64:
        named.append(f"precision={np.dtype(precision)}")
    if named:
        raise ValueError(
            f"pinn.Local takes no {', '.join(named)}: no network is trained, and it computes in float64. Leave them out, or "
            "leave out `method`."
        )


def _seed(key: Any) -> int:
    if isinstance(key, (int, np.integer)):
        return int(key)
    if not hasattr(key, "dtype"):
        raise TypeError(f"key is a whole number or a JAX key; {key!r} came.")
    data = jax.random.key_data(key) if jnp.issubdtype(key.dtype, jax.dtypes.prng_key) else key
    return int(np.asarray(data).ravel()[-1]) % (1 << 30)


def _checkpoint(
    path: Any, problem: Problem, method: Any, points: int, collocation: Any, balancing: Any, seed: int
) -> Checkpoint | None:
    if path is None:
        return None
    described = {
        "pde": problem.original.to_json(),
        "domain": problem.domain.to_json(),
        "network": problem.network.to_json(),
        "method": repr(method),
        "collocation": repr(collocation),
        "balancing": repr(balancing),
        "points": points,
        "weights": problem.weights,
        "exact": sorted(problem.exactness.exact),
        "precision": str(problem.precision),
        "seed": seed,
    }
    signature = hashlib.sha256(json.dumps(described, sort_keys=True, default=str).encode()).hexdigest()
    return Checkpoint(path, signature)
