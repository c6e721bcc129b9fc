"""A PDE and a domain on a grid: what is compiled once, and run as often as wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._evaluate import is_hidden
from .._precision import float64, is_traced
from .._programs import Program
from ..geometry import Box, Domain, shape_name
from ..pde import PDE, Observed
from ..pde import Periodic as PeriodicCondition
from ..statement import (
    at_start,
    check_counts,
    check_expressions,
    check_places,
    check_sizes,
    doubtful_interfaces,
    resolve_domain,
    source_jumps,
    with_outlets,
)
from ._bounded import compile_bounded
from ._calls import as_times, at_boundary, check_finite, check_max_step, compiled, parameter_values
from ._conservation import Conservation, conservation, has_jump
from ._discrete import AbstractDiscrete
from ._march import adaptive, begin, bounds, fixed, limited
from ._periodic import compile_periodic
from ._refine import HARDLY
from ._start import start_of
from ._steady import steady_system
from ._system import System, first_order
from ._volumes import compile_volumes
from .flow import FlowProblem, SpectralFlow, compile_flow, compile_spectral, read_flow
from .spatial import AbstractAxis, AbstractSpacing, Chebyshev, Differences, Fourier, FourierGrid, Volumes
from .stepping import SSPRK3, AbstractStepper

CELLS = {1: 400, 2: 128, 3: 32}
COARSEST, FINEST = {1: 64, 2: 32, 3: 16}, {1: 4096, 2: 512, 3: 128}
ROUGH = 1e-7  # what may be left of an initial value that is not smooth
RESOLVED = 1e-9  # what is left of the initial value, or of a steady solution, on a grid that was found automatically


@dataclass(frozen=True, eq=False)
class Problem:
    """A PDE on a grid. `run` is pure: it can be differentiated with respect to parameters and initial values, and batched.

    **Attributes:** `system` (the split), `grid`, `pde`, `domain`, `notes` (what is doubtful about the statement,
    and why this grid was taken), `rough` (whether the initial value is known not to be smooth).
    """

    pde: PDE
    domain: Domain
    system: System | Conservation
    grid: Any
    discrete: AbstractDiscrete
    spacings: dict[str, AbstractSpacing]
    notes: tuple[str, ...] = ()  # what is doubtful about the statement, or was chosen for it
    rough: bool = False

    @property
    def can_be_finer(self) -> bool:
        """Whether twice the points along every axis are not too many, and would help: cells never resolve a shock."""
        if any(isinstance(s, Volumes | Differences) for s in self.spacings.values()):
            return False
        return 2 * max(s.n for s in self.spacings.values()) <= _finest(any(a.walled for a in self.axes), self.grid.dim)

    def finer(self) -> Problem:
        """The same with twice the points along every axis."""
        finer = _on_grid(self.pde, self.domain, {name: replace(s, n=2 * s.n) for name, s in self.spacings.items()})
        assert isinstance(finer, Problem)
        return replace(finer, notes=self.notes, rough=self.rough)

    def explain(self) -> str:
        """The grid, the split into linear and nonlinear terms, and what is dealiased."""
        degree = self.system.degree
        if degree < 2 or not isinstance(self.grid, FourierGrid):
            return repr(self)
        return f"{self!r}\ndealiasing: N is of degree {degree}, so modes above 2/{degree + 1} of the largest are dropped in it"

    def initial(self, given: Mapping[str, Any] | None = None, parameters: Mapping[str, Any] | None = None) -> Any:
        """The initial state `(states, *n)`, from the conditions or `given` by name."""
        start = lambda g, p: self.discrete.initial(g, self.parameters(p))  # noqa: E731
        return at_boundary("problem.initial", start, given, parameters)

    def run(
        self,
        initial: Any = None,
        parameters: Mapping[str, Any] | None = None,
        *,
        save_at: Any,
        method: AbstractStepper | None = None,
        steps: int | None = None,
        rtol: Any = 1e-8,
        max_step: Any = None,
    ) -> Any:
        """States `(times, states, *n)` at the times `save_at`, the first of which is the start.

        **Arguments:** `initial` `(states, *n)`; `parameters` by name; `steps`, that many equal steps between two saved times
        (for gradients, whose memory grows like their square root); without it they adapt to `rtol`, and are at most `max_step`.
        """
        check_max_step("problem.run", max_step, steps)

        check_finite("problem.run: initial", () if initial is None else initial)
        kind = "checkpointed" if is_traced(initial, parameters) else "lax"
        program = compiled(self, method or self.discrete.stepper, steps, kind)
        return at_boundary("problem.run", program, initial, parameters, as_times(save_at), rtol, max_step)

    def pure(
        self,
        stepper: AbstractStepper,
        steps: int | None,
        kind: str,
        initial: Any,
        parameters: Any,
        save_at: Any,
        rtol: Any,
        max_step: Any = None,
    ) -> Any:
        """`run` without its boundary; `kind` of the loop over steps: "lax", or "checkpointed" for gradients."""
        problem = self.discrete
        constants = problem.constants(given := self.parameters(parameters))
        linear, rate = problem.linear(constants), problem.rate(constants)
        whole = problem.initial(None, given) if initial is None else jnp.asarray(initial, float)[:, *self.grid.inside]
        u0 = problem.forward(whole)
        times = jnp.asarray(save_at, float)
        within: Any = bounds(linear, rate, stepper, u0, times[0], times[-1], rtol, max_step) if steps is None else None

        def advance(at: Any, t1: Any) -> Any:
            if steps is not None:
                at = fixed(linear, rate, stepper, at, t1, steps)
                return at, at.u
            if isinstance(stepper, SSPRK3):
                at = limited(linear, rate, stepper, problem.longest(constants), within, at, t1, kind=kind)
            else:
                at = adaptive(linear, rate, stepper, within, at, t1, rtol, kind=kind)
            return at, jnp.where(at.t == t1, at.u, jnp.nan)

        h = (times[1] - times[0]) / steps if steps is not None else (times[-1] - times[0]) / 1000
        _, rows = jax.lax.scan(advance, begin(linear, rate, stepper, u0, times[0], h), times[1:])
        states = jnp.concatenate([u0[None], rows])
        return jax.vmap(lambda u, t: problem.whole(u, t, constants))(states, times)

    @cached_property
    def programs(self) -> dict[Any, Any]:
        """What was compiled, see `_calls.kept`."""
        return {}

    def parameters(self, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """The value of every unknown parameter: `given`, or the value it was declared with."""
        return parameter_values(self.pde, given)

    @property
    def states(self) -> tuple[str, ...]:
        """The names of what is stepped, which is what `run` starts from and returns."""
        return tuple(map(str, self.system.states))

    recorded = states

    @property
    def axes(self) -> tuple[AbstractAxis, ...]:
        """The points of the grid along each axis."""
        return self.grid.line

    def __repr__(self) -> str:
        axes = ", ".join(f"{name}: {a.n} {a.kind} points" for name, a in zip(self.grid.names, self.axes, strict=True))
        return f"Problem on {axes}\n{self.system.explain()}"


def compile(pde: PDE, domain: Any, *, grid: Any = None) -> Problem | FlowProblem | SpectralFlow:
    """Reads the equations and puts them on a grid; nothing is integrated yet. Arguments as for `solve`."""
    resolved = resolve_domain(pde, domain)
    _check_given(pde)
    check_sizes(pde)
    check_places(pde, resolved)
    hidden = any(is_hidden(e.expression) for e in pde.equations) or any(
        is_hidden(c.residual) for c in pde.conditions if not isinstance(c, PeriodicCondition | Observed)
    )
    if not hidden:
        check_expressions(pde, resolved)
    pde, added = with_outlets(at_start(pde, resolved), resolved, read_flow(pde))
    notes = added if hidden else added + check_counts(pde, resolved) + doubtful_interfaces(pde, resolved)
    problem = _on_grid(pde, resolved, grid)
    return replace(problem, notes=(*notes, *problem.notes))


def _on_grid(pde: PDE, resolved: Domain, grid: Any) -> Problem | FlowProblem | SpectralFlow:
    if (flow := read_flow(pde)) is not None and not _all_periodic(pde):
        asked = grid.values() if isinstance(grid, Mapping) else [grid]
        if not any(isinstance(s, AbstractSpacing) for s in asked):
            return compile_flow(pde, resolved, flow, grid)
        names, bounds, walled = _axes(pde, resolved, flow.velocities)
        spacings = _spacings(grid, names, walled)
        line = tuple(s.axis(*b) for s, b in zip(spacings, bounds, strict=True))
        return compile_spectral(pde, resolved, flow, names, line)
    names, bounds, walled = _axes(pde, resolved)
    _check_conditions(pde)
    asked = grid.values() if isinstance(grid, Mapping) else [grid]
    if any(isinstance(s, Volumes) for s in asked) or has_jump(pde, resolved):
        return _compile_volumes(pde, resolved, grid, names, bounds, walled)
    if grid is None and (jumps := source_jumps(pde.real(), resolved)):
        try:
            problem = _compile_volumes(pde, resolved, None, names, bounds, walled)
        except ValueError:  # no conservation law
            problem = None
        if problem is not None and problem.system.diffuses:  # type: ignore[union-attr]
            return replace(problem, notes=(_source_note(jumps[0].where, len(names)),), rough=True)
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
        return _automatic(pde, resolved, names, bounds, walled, made)


def _finest(walled: bool, dim: int) -> int:
    """The most points that are taken along an axis by themselves; between walls eigenvectors cost their cube."""
    return FINEST[dim] // (2 if walled and dim == 1 else 1)


def _automatic(pde: PDE, domain: Domain, names: Any, bounds: Any, walled: tuple[bool, ...], made: Any) -> Problem:
    """The coarsest grid that resolves the initial value; where none does, one for what is in the way."""
    n, before, coarser, finest = COARSEST[len(names)], None, None, _finest(any(walled), len(names))
    good_enough, begin = None, domain.time.start  # type: ignore[union-attr]
    while True:
        problem = made(_spacings(n, names, walled))
        constants = problem.discrete.constants({p.name: p.initial for p in pde.parameters})
        whole = Program(lambda u0, t, d=problem.discrete, c=constants: d.enclosed(u0, t, c))
        start = start_of(problem.discrete, np.asarray(whole(problem.discrete.initial(), float(begin))))
        if start.tail < RESOLVED:
            return problem
        if coarser is not None and before is not None and before.own < RESOLVED and start.tail > HARDLY * before.tail:
            return coarser  # The walls are in the way, not the points.
        if good_enough is None and start.tail < ROUGH:
            good_enough = problem
        if 2 * n > finest:
            break
        n, before, coarser = 2 * n, start, problem
    if not any(walled) or before is None or start.own < HARDLY * before.own:
        return problem
    # Like a power of the points: not smooth inside, or finer than any grid.
    return good_enough or _low_order(pde, domain, names, bounds, walled, made, start.own)


def _low_order(
    pde: PDE, domain: Domain, names: Any, bounds: Any, walled: tuple[bool, ...], made: Any, tail: float
) -> Problem:
    """Volumes where the equation is a conservation law, differences where it is not."""
    n = CELLS[len(names)]
    try:
        problem, taken = _compile_volumes(pde, domain, None, names, bounds, walled), f"solvers.Volumes({n})"
    except ValueError:
        spacings = tuple(Differences(n) if wall else Fourier(n) for wall in walled)
        problem, taken = made(spacings), f"solvers.Differences({n}, 2)"
    note = (
        f"The initial value has a kink, a jump or details that no Chebyshev grid resolves (a tail of {tail:.0e} is left on the "
        f"finest): grid={taken} was taken, whose errors fall like 1/n^2. Give more of them for more accuracy."
    )
    return replace(problem, notes=(note,), rough=True)


def _source_note(where: str, dim: int) -> str:
    return (
        f"A source jumps, at {where} first: grid=solvers.Volumes({CELLS[dim]}) was taken, which averages it over cells and "
        "whose errors fall like 1/n^2. Give more of them for more accuracy."
    )


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
    system = conservation(pde)

    def made(found: dict[str, Volumes]) -> Problem:
        line = tuple(found[name].axis(*b, wraps=not w) for name, b, w in zip(names, bounds, walled, strict=True))
        discrete = compile_volumes(system, domain, names, line)
        return Problem(pde, domain, system, discrete.grid, discrete, dict(found))

    with float64():
        problem = made(found)
        breaks = [problem.discrete.breaks(k) for k in range(len(names))]  # type: ignore[attr-defined]
        better = {name: Volumes(_around(found[name].n, breaks[k], *bounds[k])) for k, name in enumerate(names)}
        return problem if grid is not None or better == found else made(better)


def _around(n: int, breaks: tuple[float, ...], lower: float, upper: float) -> int:
    """A number of cells, `n` or a few more, whose centres lie best on places where a coefficient jumps: there the solution has
    its kinks, and is interpolated from centre to centre."""

    def off(cells: int) -> float:
        places = (np.array(breaks) - lower) / (upper - lower) * cells - 0.5
        return round(float(np.max(np.abs(places - np.round(places)), initial=0.0)), 6)

    return min(range(n, n + n // 10 + 1), key=off)


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
    return "\n".join([problem.explain(), *(f"note: {sentence}" for sentence in problem.notes)])


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
        what = "has no space" if box is None else f"is {shape_name(box)}"
        raise ValueError(
            f"solvers.solve needs a Box of one to three dimensions; the space here {what}. Use pinn.solve, which takes any "
            "shape; of flows (u, v, p) solvers.solve takes a box less obstacles, Rectangle(...) - Disk(...), too."
        )
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


def _check_given(pde: PDE) -> None:
    for u in pde.free_fields:
        name, among = u.field_name, ", ".join(c.name for c in u.coordinates)
        raise ValueError(
            f"{name}({among}) has no equation: an integrator must be given it, as an expression, function({name!r}, callable)"
            f"({among}) or table({name!r}, grids, values)({among}). Finding it from data is for pinn.solve."
        )


def _check_conditions(pde: PDE) -> None:
    for c in pde.conditions:
        if isinstance(c, Observed):
            raise ValueError(
                f"{c.name!r}: data cannot be held by an integrator. Fit parameters or the initial value to it through "
                "problem.run, which is differentiable."
            )


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
