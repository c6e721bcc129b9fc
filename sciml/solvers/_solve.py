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

from .._precision import float64, is_traced, require_float64
from .._validate import resolve_domain
from ..geometry import Box, Domain
from ..pde import PDE, Observed
from ..pde import Periodic as PeriodicCondition
from ..solution import Parameter, Solution
from ._bounded import compile_bounded
from ._conservation import conservation, has_jump
from ._discrete import AbstractDiscrete
from ._grid import GridFinal
from ._march import adaptive, begin, fixed, limited
from ._periodic import compile_periodic
from ._steady import check_invertible, solve_steady, steady_system
from ._system import System, first_order
from ._volumes import compile_volumes
from .flow import FlowProblem, SpectralFlow, compile_flow, compile_spectral, read_flow, solve_flow, solve_spectral
from .spatial import AbstractSpacing, Chebyshev, Fourier, FourierGrid, Volumes
from .stepping import SSPRK3, AbstractStepper

CELLS = {1: 400, 2: 128, 3: 32}
COARSEST, FINEST = {1: 64, 2: 32, 3: 16}, {1: 4096, 2: 512, 3: 128}
SAVES = 101
# Fourier coefficients in the upper third, relative to the largest: above the first a grid that was asked for is refused for the
# initial value, above the second a result says that it is too coarse.
UNRESOLVED, DOUBTFUL = 1e-2, 1e-5
RESOLVED = 1e-9


@dataclass(frozen=True, eq=False)
class Problem:
    """A PDE on a grid. `run` is pure: it can be differentiated with respect to parameters and initial values, and batched.

    **Attributes:** `system` (the split), `grid`, `pde`, `domain`.
    """

    pde: PDE
    domain: Domain
    system: System
    grid: Any
    discrete: AbstractDiscrete
    spacings: dict[str, AbstractSpacing]

    def finer(self) -> Problem | None:
        """The same with twice the points along every axis, or None where that would be too many."""
        finer = {name: replace(s, n=2 * s.n) for name, s in self.spacings.items()}
        if max(s.n for s in finer.values()) > FINEST[self.grid.dim]:
            return None
        return compile(self.pde, self.domain, grid=finer)

    def initial(self, given: Mapping[str, Any] | None = None) -> Any:
        """The initial state `(states, *n)`, from the conditions or `given` by name."""
        return self._boundary("problem.initial", lambda g: self.discrete.initial(g), given)

    def run(
        self,
        initial: Any = None,
        parameters: Mapping[str, Any] | None = None,
        *,
        save_at: Any,
        method: AbstractStepper | None = None,
        steps: int | None = None,
        rtol: Any = 1e-8,
    ) -> Any:
        """States `(times, states, *n)` at the times `save_at`, the first of which is the start.

        **Arguments:** `initial` `(states, *n)`; `parameters` by name; `steps`, that many equal steps between two saved times
        (for gradients, whose memory grows like their square root); without it they adapt to `rtol`.
        """

        def run(initial: Any, parameters: Any, save_at: Any, rtol: Any) -> Any:
            problem = self.discrete
            constants = problem.constants(self.parameters(parameters))
            linear, rate = problem.linear(constants), problem.rate(constants)
            stepper = method or problem.stepper
            u0 = problem.forward(problem.initial() if initial is None else jnp.asarray(initial, float)[:, *self.grid.inside])
            times = jnp.asarray(save_at, float)

            def advance(at: Any, t1: Any) -> Any:
                if steps is not None:
                    at = fixed(linear, rate, stepper, at, t1, steps)
                    return at, at.u
                if isinstance(stepper, SSPRK3):
                    at = limited(linear, rate, stepper, problem.longest(constants), at, t1, kind=kind)
                else:
                    at = adaptive(linear, rate, stepper, at, t1, rtol, kind=kind)
                return at, jnp.where(at.t == t1, at.u, jnp.nan)

            h = (times[1] - times[0]) / steps if steps is not None else (times[-1] - times[0]) / 1000
            _, rows = jax.lax.scan(advance, begin(linear, rate, stepper, u0, times[0], h), times[1:])
            states = jnp.concatenate([u0[None], rows])
            return jax.vmap(lambda u, t: problem.whole(u, t, constants))(states, times)

        kind = "checkpointed" if is_traced(initial, parameters) else "lax"
        return self._boundary("problem.run", run, initial, parameters, save_at, rtol)

    def parameters(self, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """The value of every unknown parameter: `given`, or the value it was declared with."""
        return parameter_values(self.pde, given)

    def _boundary(self, name: str, function: Any, *args: Any) -> Any:
        if is_traced(*args):
            require_float64(name)
            return function(*args)
        with float64():
            return np.asarray(function(*args))

    def __repr__(self) -> str:
        axes = ", ".join(f"{name}: {a.n} {a.kind} points" for name, a in zip(self.grid.names, self.grid.line, strict=True))
        return f"Problem on {axes}\n{self.system.explain()}"


def parameter_values(pde: PDE, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """The value of every unknown parameter: `given`, or the value it was declared with."""
    given = dict(given or {})
    names = [p.name for p in pde.parameters]
    unknown = set(given) - set(names)
    if unknown:
        raise ValueError(
            f"parameters: {', '.join(sorted(unknown))} is no parameter of this equation; there are "
            f"{', '.join(names) or 'none'}."
        )
    return {p.name: given.get(p.name, p.initial) for p in pde.parameters}


def compile(pde: PDE, domain: Any, *, grid: Any = None) -> Problem:
    """Reads the equations and puts them on a grid; nothing is integrated yet. Arguments as for `solve`."""
    resolved = resolve_domain(pde, domain)
    if (flow := read_flow(pde)) is not None and not _all_periodic(pde):
        asked = grid.values() if isinstance(grid, Mapping) else [grid]
        if not any(isinstance(s, AbstractSpacing) for s in asked):
            return compile_flow(pde, resolved, flow, grid)  # type: ignore[return-value]
        names, bounds, walled = _axes(pde, resolved, flow.velocities)
        spacings = _spacings(grid, names, walled)
        line = tuple(s.axis(*b) for s, b in zip(spacings, bounds, strict=True))
        return compile_spectral(pde, resolved, flow, names, line)  # type: ignore[return-value]
    names, bounds, walled = _axes(pde, resolved)
    _check_conditions(pde)
    asked = grid.values() if isinstance(grid, Mapping) else [grid]
    if any(isinstance(s, Volumes) for s in asked) or has_jump(pde):
        return _compile_volumes(pde, resolved, grid, names, bounds, walled)
    system = first_order(pde) if pde.time is not None else steady_system(pde)

    def made(spacings: tuple[AbstractSpacing, ...]) -> Problem:
        if not any(walled):
            discrete: Any = compile_periodic(system, FourierGrid(names, bounds, tuple(s.n for s in spacings), system.degree))
        else:
            line = tuple(s.axis(*b) for s, b in zip(spacings, bounds, strict=True))
            discrete = compile_bounded(system, resolved, names, line)
        return Problem(pde, resolved, system, discrete.grid, discrete, dict(zip(names, spacings, strict=True)))

    with float64():
        if grid is not None:
            return made(_spacings(grid, names, walled))
        if pde.time is None:
            return made(_spacings(COARSEST[len(names)] // 2, names, walled))
        n = COARSEST[len(names)]
        while True:
            problem = made(_spacings(n, names, walled))
            constants = problem.discrete.constants({p.name: p.initial for p in pde.parameters})
            start = resolved.time.start  # type: ignore[union-attr]
            tail = _initial_tail(problem.discrete, problem.discrete.initial(), start, constants)
            if tail < RESOLVED or 2 * n > FINEST[len(names)]:
                return problem
            n *= 2


def _compile_volumes(pde: PDE, domain: Domain, grid: Any, names: Any, bounds: Any, walled: tuple[bool, ...]) -> Problem:
    cells = CELLS[len(names)] if grid is None else grid
    by_name = cells if isinstance(cells, Mapping) else dict.fromkeys(names, cells)
    if set(by_name) ^ set(names):
        raise ValueError(f"grid: one number of cells for each of {', '.join(names)}; {grid!r} came.")
    found = {name: Volumes(int(c)) if isinstance(c, int | np.integer) else c for name, c in by_name.items()}
    wrong = {name: c for name, c in found.items() if not isinstance(c, Volumes)}
    if wrong:
        raise ValueError(
            f"grid: {wrong!r}; finite volumes take numbers of cells or Volumes(n) along every axis, and where a coefficient "
            "jumps there is no other way."
        )
    with float64():
        spacings = tuple(found[name] for name in names)
        line = tuple(s.axis(*b, wraps=not w) for s, b, w in zip(spacings, bounds, walled, strict=True))
        system = conservation(pde)
        discrete = compile_volumes(system, domain, names, line)
        return Problem(pde, domain, system, discrete.grid, discrete, found)  # type: ignore[arg-type]


def _initial_tail(discrete: Any, u0: Any, t: float, constants: Any) -> float:
    """How much of the initial value is in the upper third of the modes."""
    return discrete.grid.tail(np.asarray(discrete.whole(discrete.forward(u0), jnp.asarray(float(t)), constants)))


def explain(pde: PDE, domain: Any, *, grid: Any = None) -> str:
    """How `solve` would treat the problem: grid, the split into linear and nonlinear terms, dealiasing.

    >>> from sciml import Box, Initial, PDE, Periodic, coordinates, field, solvers
    >>> x, t = coordinates("x t")
    >>> u = field("u", x, t)
    >>> heat = PDE(u.t + u * u.x - 0.1 * u.xx, Initial(u, 0), Periodic(x))
    >>> print(solvers.explain(heat, Box(x=(0, 1), t=(0, 1))).splitlines()[1])
    d/dt u = L + N,   L = 0.1 u.xx,   N = -u*u.x
    """
    problem = compile(pde, domain, grid=grid)
    degree = problem.system.degree
    lines = [repr(problem)]
    if degree > 1:
        lines.append(f"dealiasing: N is of degree {degree}, so modes above 2/{degree + 1} of the largest are dropped in it")
    return "\n".join(lines)


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
    solution blew up.
    """
    began = time.monotonic()
    _check_arguments(method, rtol, steps)
    automatic = grid is None
    problem = compile(pde, domain, grid=grid)
    if isinstance(problem, SpectralFlow):
        return solve_spectral(problem, parameter_values(pde, parameters), rtol, throw)
    if isinstance(problem, FlowProblem):
        times = None if pde.time is None else _times(save_at, problem.domain)
        return solve_flow(problem, times, parameter_values(pde, parameters), steps, progress, throw)
    if problem.pde.time is None:
        return _steady(problem, automatic, parameters, rtol, began, throw)
    while True:
        finer = problem.finer() if automatic and initial is None else None
        enough = math.inf if finer is None else DOUBTFUL / 100
        stepper = method or problem.discrete.stepper
        outcome = _run(problem, stepper, save_at, parameters, initial, rtol, steps, progress, enough)
        # A grid that is left behind by the solution is given up for one twice as fine, blow-up or not.
        if finer is None or outcome.interrupted or outcome.tail <= enough:
            break
        problem = finer
    return _finished(problem, outcome, parameters, began, throw)


def _steady(
    problem: Problem, automatic: bool, parameters: Mapping[str, Any] | None, rtol: float, began: float, throw: bool
) -> Solution:
    with float64():
        while True:
            discrete, grid = problem.discrete, problem.grid
            constants = discrete.constants(problem.parameters(parameters))
            check_invertible(discrete.linear(constants))
            zero = jnp.zeros_like(discrete.forward(jnp.zeros((len(problem.system.states), *grid.n))))
            u, steps, good = jax.jit(lambda u, d=discrete, c=constants: solve_steady(d, c, u, rtol))(zero)
            values = np.asarray(discrete.fields(u, jnp.zeros(()), constants))
            tail = grid.tail(values)
            if not automatic or not bool(good) or tail <= RESOLVED or (finer := problem.finer()) is None:
                break
            problem = finer
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
    return Solution(problem.pde, problem.domain, final, result, bool(good), stats, [], given, {})


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
        u0 = discrete.initial(initial)
        if (tail := _initial_tail(discrete, u0, times[0], constants)) > UNRESOLVED:
            raise ValueError(
                f"The grid of {' x '.join(str(a.n) for a in grid.line)} points is too coarse for the initial value: "
                f"coefficients in the upper third of its modes are still {tail:.0e} of the largest. Take more points, or an "
                "initial value that is smoother and agrees with the boundary."
            )

        def parts() -> tuple[Any, Any, Any]:
            return discrete.linear(constants), discrete.rate(constants), stepper

        @jax.jit
        def advance(at: Any, t1: Any, rtol: Any) -> Any:
            if steps is not None:
                return fixed(*parts(), at, t1, steps)
            if isinstance(stepper, SSPRK3):
                return limited(*parts(), discrete.longest(constants), at, t1)
            return adaptive(*parts(), at, t1, rtol)

        @jax.jit
        def seen(u: Any, t: Any) -> Any:
            """All fields on the whole grid, and their time derivative."""
            fields = lambda u, t: discrete.fields(u, t, constants)  # noqa: E731
            return jax.jvp(fields, (u, t), (discrete.derivative(constants, u, t), jnp.ones_like(t)))

        u = discrete.forward(u0)
        h = (times[1] - times[0]) / steps if steps is not None else (times[-1] - times[0]) / 1000
        at = jax.jit(lambda u, t, h: begin(*parts(), u, t, h))(u, times[0], h)
        kept_t, values, rates = [times[0]], *([np.asarray(a)] for a in seen(u, jnp.asarray(times[0])))
        tail = grid.tail(values[0])
        interrupted, complete = False, True
        bar = tqdm(total=len(times) - 1, desc="integrating", unit="save", disable=not progress, leave=False)
        try:
            for t1 in times[1:]:
                at = advance(at, t1, rtol)
                reached = float(at.t)
                if bool(jnp.all(jnp.isfinite(at.u))) and reached > kept_t[-1]:
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
    )


# What can be said before anything is compiled -------------------------------------------------------------------------


def _axes(
    pde: PDE, domain: Domain, names: tuple[str, ...] | None = None
) -> tuple[tuple[str, ...], tuple[tuple[float, float], ...], tuple[bool, ...]]:
    """Names and bounds of every axis, and whether it ends at walls, in the order of the equation's space coordinates."""
    if pde.time is not None and domain.time is None:
        raise ValueError(f"The equation depends on {pde.time.name}, but the domain {domain!r} has no span of time.")
    if pde.family:
        raise ValueError(
            f"A family in {', '.join(c.name for c in pde.family)} is for networks: solvers.solve takes one value at a time, "
            "as a parameter(...)."
        )
    fields = [u for u in pde.fields if names is None or u.field_name in names]
    box = domain.space
    if not isinstance(box, Box) or box.dim > 3:
        raise ValueError(f"solvers.solve needs a Box of one to three dimensions; the domain is {domain!r}.")
    conditions = [c for c in pde.conditions if isinstance(c, PeriodicCondition)]
    walled = []
    for c in pde.space:
        covered = [any(p.covers(u, c) for p in conditions) for u in fields]
        if any(covered) and not all(covered):
            bare = next(u.field_name for u, yes in zip(fields, covered, strict=True) if not yes)
            raise ValueError(f"{bare} is not periodic along {c.name}, other fields are: a grid needs all or none to be.")
        walled.append(not all(covered))
    names = tuple(c.name for c in pde.space)
    bounds = dict(zip(box.names, box.bounds, strict=True))
    return names, tuple(bounds[name] for name in names), tuple(walled)


def _all_periodic(pde: PDE) -> bool:
    conditions = [c for c in pde.conditions if isinstance(c, PeriodicCondition)]
    return all(any(p.covers(u, c) for p in conditions) for u in pde.fields for c in pde.space)


def _check_conditions(pde: PDE) -> None:
    for c in pde.conditions:
        if isinstance(c, Observed):
            raise ValueError(
                f"{c.name!r}: data cannot be held by an integrator. Fit parameters or the initial value to it through "
                "problem.run, which is differentiable."
            )


def _check_arguments(method: Any, rtol: Any, steps: Any) -> None:
    if method is not None and not isinstance(method, AbstractStepper):
        raise TypeError(f"method is an object such as solvers.ETDRK4(); {method!r} came.")
    if not 1e-14 < rtol < 1:
        raise ValueError(f"rtol={rtol!r}; expected a number between 1e-14 and 1.")
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int) or steps < 1):
        raise ValueError(f"steps={steps!r}; expected a positive whole number.")


def _spacings(grid: Any, names: tuple[str, ...], walled: tuple[bool, ...]) -> tuple[AbstractSpacing, ...]:
    by_name = grid if isinstance(grid, Mapping) else dict.fromkeys(names, grid)
    if set(by_name) ^ set(names):
        raise ValueError(f"grid: one number of points for each of {', '.join(names)}; {grid!r} came.")
    found = []
    for name, wall in zip(names, walled, strict=True):
        asked = by_name[name]
        if isinstance(asked, np.integer):
            asked = int(asked)
        if not isinstance(asked, AbstractSpacing):
            if isinstance(asked, bool) or not isinstance(asked, int) or asked < 4:
                raise ValueError(
                    f"grid: {name}={asked!r}; expected a whole number of at least 4, or such as solvers.Differences(200)."
                )
            asked = (Chebyshev if wall else Fourier)(asked)
        if wall == isinstance(asked, Fourier):
            has = "walls" if wall else "no walls, it is periodic"
            raise ValueError(f"grid: {name}={asked!r}, but {name} has {has}.")
        found.append(asked)
    return tuple(found)


def _times(save_at: Any, domain: Domain) -> np.ndarray:
    assert domain.time is not None
    start, end = domain.time.start, domain.time.end
    if save_at is None:
        return np.linspace(start, end, SAVES)
    times = np.atleast_1d(np.asarray(save_at, float))
    if times.ndim != 1 or not np.all(np.diff(times) > 0) or times[0] < start or times[-1] > end * (1 + 1e-12):
        raise ValueError(f"save_at: increasing times from {start:g} to {end:g}; {save_at!r} came.")
    return times if times[0] == start else np.concatenate([[start], times])

