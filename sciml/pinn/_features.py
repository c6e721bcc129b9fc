"""The first attempt of the default: random waves and linear algebra.

Where the solution is smooth, a layer of random waves whose amplitudes solve a least-squares problem is accurate to eight
digits and more within seconds, and on a nonlinear equation Newton's method on the amplitudes is. Where it is not (fronts,
corners), the residual on fresh points says so, and the network that is trained as a whole takes over.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import sympy as sp

from ..nn import RandomFeatures, adapt
from ..pde import Field, expand_fluxes
from ._bar import progress_bar_of
from ._frequencies import carriers
from ._groups import Points
from ._null_space import null_space
from ._objective import Batch, make_objective
from ._problem import INTERIOR, Problem, compile
from .methods import LeastSquares

# Columns of the least-squares matrix, over all fields: QR of twice as many rows takes about two seconds at 1600.
SIZES = (500, 1100, 2000)
SCALES = (3.0, 7.0, 15.0)
NEWTON_STEPS = 12
# Random waves fill a space of few dimensions only.
MOST_DIMENSIONS = 4
# A nonlinear problem whose residual stays above this at every scale has a solution that waves do not resolve.
HOPELESS = 0.2
# Waves around the frequencies of the data that come so close need no others beside them.
CLOSE = 0.05
SOLVED = 1e-4


Around = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Attempt:
    """A trained layer of random waves, and its relative residual on fresh points. `compiling`: seconds to the end of the first
    step."""

    problem: Problem
    params: Any
    residual: float
    scale: tuple[float, ...]
    around: Around
    features: int
    history: list[dict[str, float]]
    interrupted: bool
    compiling: float
    notes: tuple[str, ...] = ()  # what the problem leaves open


class _Waves:
    """`RandomFeatures` with its frequencies as an argument, so that another scale compiles nothing."""

    angles = True

    def apply(self, params: Any, z: Any) -> Any:
        frequencies, phases, amplitudes = params
        return jnp.sin(frequencies @ z + phases) @ amplitudes


def is_linear(problem: Problem) -> bool:
    """Whether every equation and condition is linear in the fields."""
    for g in problem.groups:
        for b in g.blocks:
            expression = expand_fluxes(b.expression)
            leaves = [n for n in sp.preorder_traversal(expression) if _is_leaf(n)]
            dummies = {leaf: sp.Dummy() for leaf in sorted(set(leaves), key=sp.default_sort_key, reverse=True)}
            replaced = _replace_leaves(expression, dummies)
            symbols = [s for s in dummies.values() if s in replaced.free_symbols]
            if any(replaced.diff(s).free_symbols & set(symbols) for s in symbols):
                return False
    return not problem.pde.parameters


def _is_leaf(node: Any) -> bool:
    return isinstance(node, Field) or (isinstance(node, sp.Derivative) and isinstance(node.expr, Field))


def _replace_leaves(expression: Any, dummies: dict[Any, Any]) -> Any:
    derivatives = {k: v for k, v in dummies.items() if isinstance(k, sp.Derivative)}
    return expression.xreplace(derivatives).xreplace(dummies)


class _Fit:
    """Compiled least squares for one number of features: scales and keys are arguments."""

    def __init__(self, problem: Problem, features: int, points: int, seed: int):
        self.features, self.seed = features, seed
        self.compiling: float | None = None  # seconds to the end of the first step
        self.problem = replace(problem, trial=replace(problem.trial, network=_Waves(), angles=True))
        d, m = len(problem.pde.coordinates), len(problem.pde.fields)
        self.shape = (d, m)
        start = jnp.zeros((features, m))
        unknowns = {p.name: jnp.zeros(()) for p in problem.pde.parameters}
        self.objective, self.start = make_objective(
            self.problem,
            start,
            join=lambda amplitudes, waves: {"network": (*waves, amplitudes), "unknowns": unknowns},
        )
        method = LeastSquares()
        self.step = jax.jit(lambda state, batch: method.step(self.objective, state, batch))
        self.init = jax.jit(lambda p, batch: method.init(self.objective, p, batch))
        self.loss = jax.jit(self.objective.loss)
        weights = {k: jnp.asarray(v if v == 1.0 else 10 * v) for k, v in problem.weights.items()}
        device: Callable[[dict[str, Points]], Any] = lambda q: jax.tree.map(jnp.asarray, q)  # noqa: E731
        self.points = device(problem.sample(points, key=seed))
        self.fresh = device(problem.sample(min(points, 1024), key=seed + 1))
        self.weights = weights
        self.total = sum(float(v) for v in weights.values())

    def network(self, scale: tuple[float, ...], around: Around) -> RandomFeatures:
        d, m = self.shape
        periodic = self.problem.trial.periodic
        return RandomFeatures(
            d, m, features=self.features, scale=scale, periodic=periodic, around=around, key=self.seed
        )

    def run(self, scale: tuple[float, ...], around: Around, steps: int, deadline: float) -> tuple[float, Any]:
        """Relative residual on fresh points, and the amplitudes."""
        tick = time.monotonic()
        waves = self.network(scale, around).waves.value
        batch = Batch(self.points, self.weights, waves)
        state = self.init(self.start, batch)
        for _ in range(steps):
            before = float(state.loss)
            state = self.step(state, batch)
            after = float(state.loss)
            self.compiling = self.compiling or time.monotonic() - tick
            if bool(state.stalled) or after > 0.5 * before or time.monotonic() > deadline:
                break
        loss = float(self.loss(state.p, Batch(self.fresh, self.weights, waves)))
        return (float(np.sqrt(loss / self.total)) if np.isfinite(loss) else np.inf), state.p


def attempt(problem: Problem, *, deadline: float, tolerance: float, seed: int, progress_bar: bool) -> Attempt | None:
    """The best layer of random waves found before `deadline` (a `time.monotonic()`); None if nothing was finite.

    Where the data of the problem oscillate, waves around their frequencies are tried first, with all conditions penalised: a
    factor that vanishes on the boundary would have to be divided out of the solution, which spreads its frequencies.
    """
    if len(problem.pde.coordinates) > MOST_DIMENSIONS:
        return None
    best: Attempt | None = None
    oscillating = carriers(problem.pde, problem.domain)
    if any(oscillating):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it was warned when the problem was compiled
            soft = compile(problem.original, problem.domain, exact=False, weights=problem.weights)
        best = _best_layer(soft, oscillating, deadline, tolerance, seed, progress_bar)
        if best is not None and (best.interrupted or best.residual < CLOSE or time.monotonic() > deadline):
            return best
    plain = _best_layer(problem, ((),) * len(oscillating), deadline, tolerance, seed, progress_bar)
    return min((a for a in (best, plain) if a is not None), key=lambda a: a.residual, default=None)


def _best_layer(
    problem: Problem, around: Around, deadline: float, tolerance: float, seed: int, progress_bar: bool
) -> Attempt | None:
    """Scales are tried on the smallest layer, first the same for every coordinate, then one coordinate at a time; the layer
    grows until the residual on fresh points is below `tolerance` or no longer falls."""
    linear = is_linear(problem)
    m, d = len(problem.pde.fields), len(problem.pde.coordinates)
    equations = max(1, len(next(g for g in problem.groups if g.name == INTERIOR).blocks))
    steps = 1 if linear else NEWTON_STEPS
    best: tuple[float, tuple[float, ...], Any, _Fit] | None = None
    history: list[dict[str, float]] = []
    began = time.monotonic()
    interrupted = False
    took: list[float] = []
    compiling = 0.0
    bar = progress_bar_of("random waves", "fit", shown=progress_bar)

    def trying(fit: _Fit, scale: tuple[float, ...]) -> float:
        nonlocal best, compiling
        tick = time.monotonic()
        residual, p = fit.run(scale, around, steps, deadline)
        took.append(time.monotonic() - tick)
        compiling = compiling or fit.compiling or 0.0
        bar.update(1)
        if best is None or residual < best[0]:
            best = (residual, scale, p, fit)
        bar.set_postfix(residual=f"{best[0]:.2e}", refresh=False)
        history.append({"step": float(len(history) + 1), "seconds": time.monotonic() - began, "residual": best[0]})
        return residual

    try:
        for smaller, size in zip((None, *SIZES), SIZES, strict=False):
            # Compiled anew, and the work of a fit grows with the cube of its size.
            if smaller and time.monotonic() + compiling + min(took) * (size / smaller) ** 3 > deadline:
                break
            fit = _Fit(problem, max(20, size // m), int(2.2 * size / equations), seed)
            previous = np.inf if best is None else best[0]
            if best is None:
                for scale in SCALES:
                    trying(fit, (scale,) * d)
                    if time.monotonic() > deadline or best is not None and best[0] < tolerance:
                        break
            else:
                trying(fit, best[1])
            if best is None or not np.isfinite(best[0]):
                return None
            if best[0] > HOPELESS and not linear:
                break
            _improve_scale(trying, fit, lambda: best, d, deadline, tolerance)
            if best[0] < tolerance or time.monotonic() > deadline:
                break
            # A layer that does not see the solution at all does not see it when it is twice as large.
            if best[0] > (0.3 if previous == np.inf else 0.5 * previous):
                break
    except KeyboardInterrupt:
        if best is None:
            raise
        interrupted = True
    finally:
        bar.close()
    assert best is not None
    residual, scale, p, fit = best
    # Of a problem in time the initial values decide; of a nonlinear one the linearisation says something at a solution only.
    telling = problem.pde.time is None and not interrupted and (linear or residual < SOLVED)
    notes = null_space(fit, fit.network(scale, around).waves.value, p) if telling else ()
    network = fit.network(scale, around)
    network = eqx.tree_at(lambda n: n.amplitudes, network, p.reshape(fit.features, m))
    adapted = adapt(network, d, m, dtype=jnp.float64)
    trial = replace(problem.trial, network=adapted, angles=True)
    params = {"network": adapted.params, "unknowns": problem.params["unknowns"]}
    done = replace(problem, trial=trial, params=params)
    return Attempt(done, params, residual, scale, around, fit.features, history, interrupted, compiling, notes)


def _improve_scale(
    trying: Callable[[Any, Any], float],
    fit: _Fit,
    best: Callable[[], Any],
    axes: int,
    deadline: float,
    tolerance: float,
) -> None:
    """Scales of single coordinates up and down by 1.7, as long as it helps."""
    factor = 1.7
    for axis in range(axes):
        for direction in (factor, 1 / factor):
            helped = False
            while time.monotonic() < deadline and best()[0] > tolerance:
                reached, scale = best()[0], list(best()[1])
                scale[axis] *= direction
                if not 0.3 < scale[axis] < 300 or trying(fit, tuple(scale)) > 0.8 * reached:
                    break
                helped = True
            if helped:
                break
