"""`solve`: the same equations and domain as for a network, integrated on a grid."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._precision import float64
from .._programs import Program
from ..geometry import Domain
from ..pde import PDE
from ..solution import Parameter, Solution
from ._calls import parameter_values, refuse_transformed
from ._grid import GridFinal
from ._march import adaptive, begin, fixed, limited
from ._problem import RESOLVED, Problem, compile
from ._start import start_of
from ._steady import check_invertible, solve_steady
from .flow import FlowProblem, SpectralFlow, solve_flow, solve_spectral
from .stepping import SSPRK3, AbstractStepper

SAVES = 101
# Coefficients in the upper third, relative to the largest: above the first a grid that was asked for is refused for the
# initial value, above the second a result says that it is too coarse.
UNRESOLVED, DOUBTFUL = 1e-2, 1e-5


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
        not.
    - `save_at`: increasing times; by default 101 equally spaced ones. The solution is interpolated between them with order
        eight.
    - `parameters`: values of the unknowns of the equation by name; `initial`: arrays on the grid by name of the field,
        instead of the conditions.
    - `rtol`: error of a step relative to the state, in the L2 norm. `steps`: that many equal steps between saved times instead.
    - `progress`: a progress bar. `throw`: whether a blow-up raises; otherwise the last good state is returned. Ctrl-C returns
        what is done.

    **Returns** a `Solution`. **Raises** `ValueError` where the problem does not fit the method, `FloatingPointError` where the
    solution blew up, `TypeError` inside jit, grad or vmap, which `solvers.compile(...).run` is for.
    """
    began = time.monotonic()
    refuse_transformed(pde, domain, grid, parameters, initial, save_at, rtol)
    _check_arguments(method, rtol, steps)
    automatic = grid is None
    problem = compile(pde, domain, grid=grid)
    _check_used(problem, {"method": method, "initial": initial, "save_at": save_at, "steps": steps})
    if isinstance(problem, SpectralFlow):
        return solve_spectral(problem, parameter_values(pde, parameters), rtol, throw)
    if isinstance(problem, FlowProblem):
        times = None if pde.time is None else _times(save_at, problem.domain)
        return solve_flow(problem, times, parameter_values(pde, parameters), steps, progress, throw)
    if problem.pde.time is None:
        return _steady(problem, automatic, parameters, rtol, began, throw)
    while True:
        refines = automatic and initial is None and problem.can_be_finer
        enough = DOUBTFUL / 100 if refines else math.inf
        stepper = method or problem.discrete.stepper
        outcome = _run(problem, stepper, save_at, parameters, initial, rtol, steps, progress, enough)
        # A grid that is left behind by the solution is given up for one twice as fine, blow-up or not.
        if not refines or outcome.interrupted or outcome.tail <= enough:
            break
        problem = problem.finer()
    return _finished(problem, outcome, parameters, began, throw)


def _steady(
    problem: Problem, automatic: bool, parameters: Mapping[str, Any] | None, rtol: float, began: float, throw: bool
) -> Solution:
    with float64():
        while True:
            discrete, grid = problem.discrete, problem.grid
            constants = discrete.constants(problem.parameters(parameters))
            check_invertible(Program(discrete.linear)(constants))
            states = jax.ShapeDtypeStruct((len(problem.system.states), *grid.n), float)
            basis = jax.eval_shape(discrete.forward, states)

            @Program
            def attempt(u: Any, constants: Any, discrete: Any = discrete) -> Any:
                u, steps, good = solve_steady(discrete, constants, u, rtol)
                return discrete.fields(u, jnp.zeros(()), constants), steps, good

            values, steps, good = attempt(jnp.zeros(basis.shape, basis.dtype), constants)
            values = np.asarray(values)
            tail = grid.tail(values)
            if not automatic or not bool(good) or tail <= RESOLVED or not problem.can_be_finer:
                break
            problem = problem.finer()
    size = [a.n for a in grid.line]
    shape = " x ".join(map(str, size))
    result = f"Newton-Krylov converged in {int(steps)} steps on {shape} points."
    if not bool(good) or not np.all(np.isfinite(values)):
        result = (
            f"Newton-Krylov did not converge in {int(steps)} steps on {shape} points. Take a finer grid, or approach the "
            "parameters in steps from values where it converges."
        )
        if throw:
            raise RuntimeError(f"{result} (throw=False returns the last iterate.)")
    if tail > DOUBTFUL:
        result += f" The grid is too coarse: coefficients in the upper third are {tail:.0e} of the largest (grid=...)."
    stats = {
        "steps": int(steps), "grid": size, "tail": tail, "precision": "float64", "seconds": time.monotonic() - began,
    }  # fmt: skip
    given = {name: Parameter(name, float(v)) for name, v in problem.parameters(parameters).items()}
    final = GridFinal(grid.line, None, values[None], np.zeros_like(values)[None])
    return Solution(problem.pde, problem.domain, final, result, bool(good), stats, [], given, {}, notes=problem.notes)


@dataclass
class _Outcome:
    times: np.ndarray
    values: np.ndarray
    rates: np.ndarray
    steps: int
    rejected: int
    tail: float
    reached: float
    complete: bool
    interrupted: bool
    smooth: bool
    notes: tuple[str, ...] = ()


def _run(
    problem: Problem,
    stepper: Any,
    save_at: Any,
    parameters: Any,
    initial: Any,
    rtol: float,
    steps: int | None,
    progress: bool,
    enough: float,
) -> _Outcome:
    """Integrates to all times, or until the tail is above `enough`."""
    from tqdm.auto import tqdm

    discrete, grid = problem.discrete, problem.grid
    times = _times(save_at, problem.domain)
    with float64():
        constants = discrete.constants(problem.parameters(parameters))
        u0 = discrete.initial(initial, problem.parameters(parameters))

        def parts() -> tuple[Any, Any, Any]:
            return discrete.linear(constants), discrete.rate(constants), stepper

        @Program
        def start(u0: Any, t: Any, h: Any) -> Any:
            u = discrete.forward(u0)
            return begin(*parts(), u, t, h), discrete.whole(u, t, constants)

        @Program
        def advance(at: Any, t1: Any, rtol: Any) -> Any:
            if steps is not None:
                return fixed(*parts(), at, t1, steps)
            if isinstance(stepper, SSPRK3):
                return limited(*parts(), discrete.longest(constants), at, t1)
            return adaptive(*parts(), at, t1, rtol)

        @Program
        def seen(u: Any, t: Any) -> Any:
            """All fields on the whole grid, and their time derivative."""
            fields = lambda u, t: discrete.fields(u, t, constants)  # noqa: E731
            return jax.jvp(fields, (u, t), (discrete.derivative(constants, u, t), jnp.ones_like(t)))

        h = (times[1] - times[0]) / steps if steps is not None else (times[-1] - times[0]) / 1000
        at, whole = start(u0, times[0], h)
        begins = start_of(discrete, np.asarray(whole), initial, problem.parameters(parameters))
        if begins.own > UNRESOLVED:
            raise ValueError(_too_coarse(grid, begins.own))
        kept_t, values, rates = [times[0]], *([np.asarray(a)] for a in seen(at.u, at.t))
        # Where walls contradict the initial value, what matters is how the grid resolves what comes of it.
        tail = 0.0 if begins.clashes or problem.rough else grid.tail(values[0])
        interrupted, complete = False, True
        bar = tqdm(total=len(times) - 1, desc="integrating", unit="save", disable=not progress, leave=False)
        try:
            for t1 in times[1:]:
                at = advance(at, t1, rtol)
                reached = float(at.t)
                if np.all(np.isfinite(at.u)) and reached > kept_t[-1]:
                    kept_t.append(reached)
                    for row, found in zip((values, rates), seen(at.u, at.t), strict=True):
                        row.append(np.asarray(found))
                bar.update(1)
                bar.set_postfix(t=f"{kept_t[-1]:.4g}", steps=int(at.steps), refresh=False)
                tail = max(tail, grid.tail(values[-1]))
                if kept_t[-1] != t1 or tail > enough:
                    complete = False
                    break
        except KeyboardInterrupt:
            interrupted, complete = True, False
        finally:
            bar.close()
    return _Outcome(
        np.array(kept_t),
        np.stack(values),
        np.stack(rates),
        int(at.steps),
        int(at.rejected),
        tail,
        float(kept_t[-1]),
        complete,
        interrupted,
        not isinstance(stepper, SSPRK3),
        (begins.note(str(problem.pde.time), float(times[0])),) if begins.clashes else (),
    )


def _finished(problem: Problem, outcome: _Outcome, parameters: Any, began: float, throw: bool) -> Solution:
    size = tuple(a.n for a in problem.grid.line)
    shape = " x ".join(map(str, size))
    result = f"Integrated to t = {outcome.reached:g} in {outcome.steps} steps ({outcome.rejected} rejected) on {shape} points."
    if outcome.interrupted:
        result = f"Interrupted by the user at t = {outcome.reached:g}; what was computed until then is returned."
    elif not outcome.complete:
        result = (
            f"The solution blew up, or became NaN, after t = {outcome.reached:.6g}: the step fell below any use. That is the "
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
    pde = problem.pde
    final = GridFinal(problem.grid.line, outcome.times, outcome.values, outcome.rates, outcome.smooth)
    stats = {
        "steps": outcome.steps,
        "rejected": outcome.rejected,
        "grid": list(size),
        "tail": outcome.tail,
        "precision": "float64",
        "seconds": time.monotonic() - began,
    }
    given = problem.parameters(parameters)
    return Solution(
        pde,
        problem.domain,
        final,
        result,
        outcome.complete,
        stats,
        [],
        {name: Parameter(name, float(value)) for name, value in given.items()},
        {},
        notes=(*problem.notes, *outcome.notes),
    )


# What can be said before anything is compiled -------------------------------------------------------------------------


def _check_arguments(method: Any, rtol: Any, steps: Any) -> None:
    if method is not None and not isinstance(method, AbstractStepper):
        raise TypeError(f"method is an object such as solvers.ETDRK4(); {method!r} came.")
    if not 1e-14 < rtol < 1:
        raise ValueError(f"rtol={rtol!r}; expected a number between 1e-14 and 1.")
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

