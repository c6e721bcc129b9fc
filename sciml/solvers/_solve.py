"""`solve`: the same equations and domain as for a network, integrated on a grid."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._precision import float64
from .._programs import Program
from ..geometry import Domain
from ..pde import PDE
from ..solution import Parameter, Solution
from ..statement import is_homogeneous, said_before
from ._calls import check_max_step, parameter_values, refuse_transformed
from ._constants import settled
from ._grid import GridFinal
from ._problem import RESOLVED, Problem, compile
from ._refine import DOUBTFUL, MAX_TIME, Clock, Ladder, OutOfTime, known_until, unresolved
from ._rest import at_rest
from ._saving import SAVES, Saved, groups_of, saved
from ._start import start_of
from ._steady import is_linear, open_modes, solve_steady
from ._stepped import Stepped
from ._stiff import Watch, stepper_for
from ._volumes import Volumes
from .flow import FlowProblem, SpectralFlow, solve_flow, solve_spectral
from .stepping import SSPRK3, AbstractStepper, Implicit5

# What is interpolated between saved times may be off by so many times `rtol`, which is the error of one step, but rounding
# allows no less than the second; each relative to the largest value so far.
BETWEEN, FINEST_BETWEEN = 10, 1e-11
# Coefficients in the upper third, relative to the largest, above which a grid that was asked for is refused for the initial
# value.
UNRESOLVED = 1e-2
PROBES = 256  # points at which two grids are compared
MOST_FAILURES = 3  # of Newton's method, on one grid after another
UNBALANCED = 1e-4  # of the sources is left where a solution known up to a constant does not exist


def solve(
    pde: PDE,
    domain: Any,
    method: AbstractStepper | None = None,
    *,
    grid: Any = None,
    save_at: Any = None,
    parameters: Mapping[str, Any] | None = None,
    initial: Mapping[str, Any] | None = None,
    rtol: float = 1e-8,
    steps: int | None = None,
    max_time: float = MAX_TIME,
    max_step: float | None = None,
    progress: bool = True,
    throw: bool = True,
) -> Solution:
    """Integrates a PDE on a grid.

    Fourier along periodic axes, Chebyshev between walls; in time exponential time differencing of order four (`ETDRK4()`),
    whose step follows an error estimate. The equation is split into du/dt = L u + N(u, t), L linear with constant
    coefficients, which is integrated exactly; `explain` shows the split. Products in N are dealiased by their degree on
    periodic boxes. Steady equations are solved by Newton-Krylov steps, preconditioned by L.

    **Arguments:**

    - `pde`, `domain`: as for `pinn.solve`.
    - `method`: `ETDRK4()`, `ETDRK2()`, `IMEX4()`, or `Implicit5()` where N is stiff itself; `SSPRK3()` with `Volumes`.
    - `grid`: points along each axis, a number or one by name; `Differences(n, order)` instead of a number takes finite
        differences between walls, `Volumes(n)` finite volumes, which a coefficient that jumps inside a flux (`d`, `div`)
        brings by itself. By default doubled until the initial value is resolved to 1e-9, and while the solution is
        not and more points help; where the initial value has a kink or jumps, volumes or differences are taken.
    - `save_at`: increasing times; by default 101 equally spaced ones. The solution is interpolated between them with order
        eight (finite volumes with shocks: by lines), which is measured in the middle of each interval; where it is off by more
        than ten times `rtol` of the largest value (shocks: by what they cross in half a cell), more times are saved, or
        `solution.notes` says how much is left.
    - `parameters`: values of the unknowns of the equation by name; `initial`: arrays on the grid by name of the field,
        instead of the conditions.
    - `rtol`: error of a step relative to the largest state so far, in the L2 norm. `steps`: that many equal steps between saved
        times instead. `max_step`: no step is longer. What depends on time is looked at on 256 times before, so that pulses in
        it are not stepped over; narrower ones need `max_step`.
    - `max_time`: seconds from the call, compilation included. No finer grid is tried that would take longer, and an
        integration stops there, with what was computed until then.
    - `progress`: a progress bar. `throw`: whether a blow-up raises; otherwise the last good state is returned. Ctrl-C returns
        what is done.

    **Returns** a `Solution`. **Raises** `ValueError` where the problem does not fit the method, `FloatingPointError` where the
    solution blew up, `TypeError` inside jit, grad or vmap, which `solvers.compile(...).run` is for.
    """
    began = time.monotonic()
    refuse_transformed(pde, domain, grid, parameters, initial, save_at, rtol)
    _check_arguments(method, rtol, steps, max_time)
    check_max_step("solve", max_step, steps)
    clock = Clock(began, max_time)
    automatic = grid is None
    problem = compile(pde, domain, grid=grid)
    _check_used(problem, {"method": method, "initial": initial, "save_at": save_at, "steps": steps, "max_step": max_step})
    if initial is None:  # arrays for a start are not zero
        problem = replace(problem, notes=(*problem.notes, *said_before(problem.pde, problem.domain)))
    if isinstance(problem, SpectralFlow):
        return _noted(solve_spectral(problem, parameter_values(pde, parameters), rtol, throw), problem, pde)
    if isinstance(problem, FlowProblem):
        times = None if pde.time is None else _times(save_at, problem.domain)
        solution = solve_flow(problem, times, parameter_values(pde, parameters), steps, max_step, progress, clock, throw)
        return _noted(solution, problem, pde)
    if problem.pde.time is None:
        return _steady(problem, automatic, parameters, rtol, clock, throw)
    ladder, best, why = Ladder(clock, DOUBTFUL / 100), None, ""
    implicit = False
    while True:
        refines = automatic and initial is None and problem.can_be_finer
        given_up = ladder.given_up if refines else None
        started = time.monotonic()
        stepper = method or (Implicit5() if implicit else stepper_for(problem, parameters, initial, steps))
        watch = None if method else Watch(problem, parameters, stepper, steps, _times(save_at, problem.domain))
        outcome = _run(problem, stepper, save_at, parameters, initial, rtol, steps, max_step, progress, clock, given_up, watch)
        if outcome.stiff:
            implicit = True
            continue
        if outcome.stopped and best is not None:
            why = f"the next grid had come to t = {outcome.saved.reached:g} when {outcome.stopped}"
            problem, outcome = best
        if not refines or outcome.stopped or why:
            break
        ladder.add(outcome.tail, time.monotonic() - started)
        # A grid that is left behind by the solution is given up for one twice as fine, blow-up or not.
        why = ladder.ends() if outcome.complete or ladder.next() > clock.left else None
        if why is not None:
            break
        why, best = "", (problem, outcome) if outcome.complete else best
        problem = problem.finer()
    if why and outcome.complete:
        outcome.notes += (unresolved(outcome.tail, _shape(problem), why),)
    return _finished(problem, outcome, parameters, clock, throw)


@dataclass
class _Steady:
    problem: Problem
    values: np.ndarray
    steps: int
    good: bool

    @property
    def method(self) -> str:
        return "Newton's method" if isinstance(self.problem.discrete, Volumes) else "Newton-Krylov"

    @property
    def kind(self) -> str:
        return "cells" if isinstance(self.problem.discrete, Volumes) else "points"

    @property
    def tail(self) -> float:
        return self.problem.grid.tail(self.values)

    @property
    def final(self) -> GridFinal:
        return GridFinal(self.problem.grid.line, None, self.values[None], np.zeros_like(self.values)[None])

    def apart(self, other: _Steady) -> float:
        """How far both are apart on the points of the other, relative to the largest value."""
        axes = [a.points for a in other.problem.grid.line]
        points = np.stack([m.ravel() for m in np.meshgrid(*axes, indexing="ij")], axis=1)
        some = np.random.default_rng(0).permutation(len(points))[:PROBES]
        with float64():
            here = np.asarray(self.final.derivatives((0,) * len(axes), points[some]))
        there = other.values.reshape(len(other.values), -1).T[some]
        return float(np.max(np.abs(here - there)) / (np.max(np.abs(self.values)) or 1.0))


def _noted(solution: Solution, problem: Any, pde: PDE) -> Solution:
    """With what is doubtful about the statement, and the statement as it was made."""
    solution.notes, solution.pde = (*problem.notes, *solution.notes), pde
    return solution


def _steady(
    problem: Problem, automatic: bool, parameters: Mapping[str, Any] | None, rtol: float, clock: Clock, throw: bool
) -> Solution:
    ladder, best, before, why, failures = Ladder(clock, RESOLVED), None, None, "", 0
    sources = not is_homogeneous(problem.pde)
    while True:
        started = time.monotonic()
        try:
            found = _attempt(problem, parameters, rtol)
        except KeyboardInterrupt:
            if best is None:
                raise
            found, best, why = best, before, "it was interrupted by the user"
            break
        # A source that no point sees gives zero.
        seen = found.good and (not sources or bool(np.any(found.values)))
        ladder.add(found.tail if seen else math.inf, time.monotonic() - started)
        failures = 0 if seen else failures + (not found.good)
        if not automatic or not problem.can_be_finer or failures == MOST_FAILURES:
            break
        why = ladder.ends()
        if why is not None:
            break
        why, best, before = "", found if seen else best, best if seen else before
        problem = problem.finer()
    if not found.good and best is not None:
        found, best, why = best, before, "on the next grid Newton's method did not converge"
    notes = found.problem.notes
    if why and found.good:
        apart = None if best is None or best is found else found.apart(best)
        notes = (*notes, unresolved(found.tail, _shape(found.problem), why, apart))
    return _rested(found, parameters, notes, clock, throw)


def _attempt(problem: Problem, parameters: Any, rtol: float) -> _Steady:
    with float64():
        discrete, grid = problem.discrete, problem.grid
        constants = discrete.constants(problem.parameters(parameters))
        if isinstance(discrete, Volumes):
            values, steps, good = at_rest(discrete, constants)
            return _Steady(problem, values, steps, good)
        open_ = open_modes(Program(discrete.linear)(constants), problem.pde, problem.system.states)
        states = jax.ShapeDtypeStruct((len(problem.system.states), *grid.n), float)
        basis = jax.eval_shape(discrete.forward, states)

        @Program
        def attempt(u: Any, constants: Any) -> Any:
            u, steps, good, left = solve_steady(discrete, constants, u, rtol, open_)
            return discrete.fields(u, jnp.zeros(()), constants), steps, good, left

        values, steps, good, left = attempt(jnp.zeros(basis.shape, basis.dtype), constants)
        values = np.asarray(values)
    if float(left) > UNBALANCED:
        raise ValueError(
            "There is no solution: with these boundary conditions it would be known up to a constant, and the sources do not "
            f"balance ({float(left):.1e} of their size is left). Prescribe a value on a part of the boundary, or change them."
        )
    return _Steady(problem, values, int(steps), bool(good) and bool(np.all(np.isfinite(values))))


def _rested(found: _Steady, parameters: Any, notes: tuple[str, ...], clock: Clock, throw: bool) -> Solution:
    problem, grid, tail = found.problem, found.problem.grid, found.tail
    shape = _shape(problem)
    result = f"{found.method} converged in {found.steps} steps on {shape} {found.kind}."
    if not found.good:
        advice = "Take a finer grid, or approach the parameters in steps from values where it converges."
        if isinstance(problem.discrete, Volumes):
            advice = (
                "Where no boundary holds a value the solution is known up to a constant at best; otherwise approach the "
                "parameters in steps, or add a time derivative and integrate until it is at rest."
            )
        elif is_linear(problem.system):  # type: ignore[arg-type]
            advice = (
                "The equation is linear, so its matrix is singular or nearly so on this grid: look at the signs of its terms "
                "and at the boundary conditions, or take another grid, such as solvers.Differences(200, 2)."
            )
        result = f"{found.method} did not converge in {found.steps} steps on {shape} {found.kind}. {advice}"
        if throw:
            raise RuntimeError(f"{result} (throw=False returns the last iterate.)")
    if tail > DOUBTFUL:
        result += f" The grid is too coarse: coefficients in the upper third are {tail:.0e} of the largest (grid=...)."
    stats = {
        "steps": found.steps, "grid": list(grid.full), "tail": tail, "precision": "float64", "seconds": clock.spent,
    }  # fmt: skip
    given = {name: Parameter(name, float(v)) for name, v in problem.parameters(parameters).items()}
    final, constants = settled(problem.pde, found.final)
    notes = (*notes, *constants)
    return Solution(problem.pde, problem.domain, final, result, found.good, stats, [], given, {}, notes=notes)


def _shape(problem: Problem) -> str:
    return " x ".join(map(str, problem.grid.full))


@dataclass
class _Outcome:
    saved: Saved
    steps: int
    rejected: int
    tail: float
    complete: bool
    stopped: str  # why it was, by whom it was, and not by the equation
    notes: tuple[str, ...] = ()
    stiff: bool = False  # left, since implicit steps would be fewer


def _run(
    problem: Problem,
    stepper: Any,
    save_at: Any,
    parameters: Any,
    initial: Any,
    rtol: float,
    steps: int | None,
    max_step: float | None,
    progress: bool,
    clock: Clock,
    given_up: Any,
    watch: Watch | None,
) -> _Outcome:
    """Integrates to all times, or until `given_up(tail, share of the way, seconds)`, or until the `watch` says so."""
    from tqdm.auto import tqdm

    discrete, grid = problem.discrete, problem.grid
    times = _times(save_at, problem.domain)
    with float64():
        constants = discrete.constants(problem.parameters(parameters))
        u0 = discrete.initial(initial, problem.parameters(parameters))
        run = Stepped(problem, stepper, constants, rtol, steps, clock)
        at, whole = run.start(u0, times, max_step)
        begins = start_of(discrete, whole, initial, problem.parameters(parameters))
        if begins.own > UNRESOLVED:
            raise ValueError(_too_coarse(grid, begins.own))
        smooth = not isinstance(stepper, SSPRK3)
        tolerance = max(BETWEEN * rtol, FINEST_BETWEEN) if smooth else 0.5 / max(a.n for a in grid.line)
        groups = groups_of(problem.pde)
        kept = saved(run, times, groups, smooth, tolerance, len(groups) * math.prod(grid.full))
        kept.begin(at)
        # Where walls contradict the initial value, what matters is how the grid resolves what comes of it.
        tail = 0.0 if begins.clashes or problem.rough else grid.tail(kept.rows[0].values)
        stopped, complete, stiff, started = "", True, False, time.monotonic()
        bar = tqdm(total=len(times) - 1, desc="integrating", unit="save", disable=not progress, leave=False)
        try:
            for t1 in times[1:]:
                at = kept.go(at, float(t1))
                bar.update(1)
                bar.set_postfix(t=f"{kept.reached:.4g}", steps=int(at.steps), refresh=False)
                tail = max(tail, grid.tail(kept.rows[-1].values))
                share = (t1 - times[0]) / (times[-1] - times[0])
                if kept.reached != t1 or (given_up is not None and given_up(tail, share, time.monotonic() - started)):
                    complete = False
                    break
                if watch is not None and watch.turns(at, t1):
                    complete, stiff = False, True
                    break
            else:
                kept.settle(True)
        except KeyboardInterrupt:
            stopped, complete = "it was interrupted by the user", False
        except OutOfTime as late:
            complete = kept.reached == times[-1]
            if not complete:
                kept.add(late.state)
                stopped = f"max_time = {clock.max_time:g} s was reached"
        finally:
            bar.close()
    notes = (begins.note(str(problem.pde.time), float(times[0])),) if begins.clashes else ()
    return _Outcome(kept, kept.rows[-1].steps, int(at.rejected), tail, complete, stopped, notes, stiff)


def _finished(problem: Problem, outcome: _Outcome, parameters: Any, clock: Clock, throw: bool) -> Solution:
    shape, kept = _shape(problem), outcome.saved
    result = f"Integrated to t = {kept.reached:g} in {outcome.steps} steps ({outcome.rejected} rejected) on {shape} points."
    if outcome.stopped:
        result = (
            f"At t = {kept.reached:g} on {shape} points {outcome.stopped}; what was computed until then is returned, and "
            "later times are not known."
        )
    elif not outcome.complete:
        result = (
            f"The solution blew up, or became NaN, after t = {kept.reached:.6g}: the step fell below any use. That is the "
            "last good state. If the equation should stay bounded, take a finer grid or look at the signs of its highest "
            "derivatives."
        )
        if throw:
            raise FloatingPointError(f"{result} (throw=False returns the solution until then.)")
    if outcome.tail > DOUBTFUL:
        result += (
            f" The grid is too coarse: coefficients in the upper third are {outcome.tail:.0e} of the largest; take "
            "more points (grid=...)."
        )
    pde, domain = problem.pde, problem.domain
    if not outcome.complete:
        domain = known_until(domain, kept.reached)
    final, notes = settled(pde, GridFinal(problem.grid.line, kept.times, kept.values, kept.rates, kept.smooth))
    notes += kept.notes(tuple(u.field_name for u in pde.real().fields))
    stats = {
        "steps": outcome.steps,
        "rejected": outcome.rejected,
        "grid": list(problem.grid.full),
        "tail": outcome.tail,
        "saves": len(kept.rows),
        "steps_between": kept.extra,
        "precision": "float64",
        "seconds": clock.spent,
    }
    given = problem.parameters(parameters)
    return Solution(
        pde,
        domain,
        final,
        result,
        outcome.complete,
        stats,
        [],
        {name: Parameter(name, float(value)) for name, value in given.items()},
        notes=(*problem.notes, *outcome.notes, *notes),
    )


# What can be said before anything is compiled -------------------------------------------------------------------------


def _check_arguments(method: Any, rtol: Any, steps: Any, max_time: Any) -> None:
    if method is not None and not isinstance(method, AbstractStepper):
        raise TypeError(f"method is an object such as solvers.ETDRK4(); {method!r} came.")
    if not 1e-14 < rtol < 1:
        raise ValueError(f"rtol={rtol!r}; expected a number between 1e-14 and 1.")
    if not max_time > 0:
        raise ValueError(f"max_time={max_time!r}; expected a positive number of seconds.")
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int) or steps < 1):
        raise ValueError(f"steps={steps!r}; expected a positive whole number.")


def _too_coarse(grid: Any, tail: float) -> str:
    shape = " x ".join(str(a.n) for a in grid.line)
    other = ""
    if any(a.walled for a in grid.line):
        other = (
            ". Where it has a kink or a jump more of them do not help: take grid=solvers.Volumes(n) or Differences(n, 2)"
        )
    return (
        f"The grid of {shape} points is too coarse for the initial value: coefficients in the upper third of its modes are "
        f"still {tail:.0e} of the largest. Take more points, or an initial value that is smoother{other}."
    )


def _check_used(problem: Any, given: Mapping[str, Any]) -> None:
    """Raises where an argument would change nothing."""
    unused: dict[str, str] = {}
    if problem.pde.time is None:
        unused = dict.fromkeys(given, "a steady equation is not stepped")
    elif isinstance(problem, FlowProblem):
        why = "a flow on staggered cells has its own Runge-Kutta steps, and starts from its Initial conditions"
        unused = dict.fromkeys(("method", "initial"), why)
    for name, why in unused.items():
        if given[name] is not None:
            raise ValueError(f"{name}={given[name]!r} would change nothing here: {why}. Leave it out.")


def _times(save_at: Any, domain: Domain) -> np.ndarray:
    assert domain.time is not None
    start, end = domain.time.start, domain.time.end
    if save_at is None:
        return np.linspace(start, end, SAVES)
    times = np.atleast_1d(np.asarray(save_at, float))
    if times.ndim != 1 or not np.all(np.diff(times) > 0) or times[0] < start or times[-1] > end * (1 + 1e-12):
        raise ValueError(f"save_at: increasing times from {start:g} to {end:g}; {save_at!r} came.")
    return times if times[0] == start else np.concatenate([[start], times])

