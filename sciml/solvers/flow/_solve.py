"""Flow in a box with walls, inflow, outflow and obstacles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np

from ..._precision import float64, is_traced
from ..._programs import Program
from ...geometry import Domain
from ...pde import PDE, Dirichlet, Initial, Neumann, Observed, Robin, lower
from ...pde import Periodic as PeriodicCondition
from ...solution import Parameter, Solution
from ...statement import Flow, as_neumann
from .._calls import as_times, at_boundary, check_finite, compiled, parameter_values
from .._constants import settled
from .._grid import GridFinal
from .._march import MOST_STEPS, repeated
from .._refine import Clock, OutOfTime, known_until
from .._saving import AbstractRun, saved
from .._system import State
from .._walls import Wall
from .._watch import Watch, depends, looks, remembered, watch
from ..spatial import AbstractAxis, PeriodicAxis, StretchedAxis
from ._mesh import around, plain
from ._outline import outline, wall_of
from ._pressure import pinned
from ._staggered import FlowAxis, Side, Staggered, between, from_vertices, poisson_basis
from ._steady import settle
from ._surface import with_surface

CELLS = {2: 96, 3: 32}  # along the shortest side
SMALLEST_STEP = 1e-12
# What is interpolated between saved times may be off by so much of the largest velocity or pressure: cells are of order two,
# and about a hundred of them along a side leave as much.
BETWEEN = 1e-4
FINE = 96  # cells along the shortest side from which a steady flow is sought on half of them first


@dataclass(frozen=True, eq=False)
class FlowProblem:
    """A flow on its grid. `run` is pure: it can be differentiated with respect to parameters and initial velocities, and
    batched.

    **Attributes:** `flow` (what was read from the equations), `discrete`, `pde`, `domain`.
    """

    pde: PDE
    domain: Domain
    flow: Flow
    discrete: Staggered
    factor: Any
    notes: tuple[str, ...] = ()  # what is doubtful about the statement

    def __repr__(self) -> str:
        d = self.discrete
        shape = " x ".join(map(str, d.cells))
        lines = [f"incompressible flow ({', '.join(self.flow.velocities)}; {self.flow.pressure}) on {shape} staggered cells"]
        for axis, x in zip(d.line, self.pde.space, strict=True):
            w = axis.widths
            lines.append(f"{x.name}: cells from {w.min():.3g} to {w.max():.3g}{', periodic' if axis.wraps else ''}")
        if d.surface is not None:
            lines.append(f"obstacles: {sum(map(len, d.surface.points))} forced points")
        return "\n".join(lines)

    def explain(self) -> str:
        """The cells, and what is forced on obstacles."""
        return repr(self)

    def initial(self, parameters: Mapping[str, Any] | None = None) -> Any:
        """The velocities on their faces, from the conditions and the `parameters` in them; at rest where there are none
        (steady flows)."""
        conditions = {c.field.field_name: c for c in self.pde.conditions if isinstance(c, Initial)}
        rows = []
        for a, name in enumerate(self.flow.velocities):
            mesh = _mesh(self.discrete.line, a)
            shape = mesh[0].shape
            if name not in conditions:
                if self.pde.time is not None:
                    raise ValueError(f"The initial value of {name} is missing: add Initial({name}, ...).")
                rows.append(jnp.zeros(shape))
                continue
            flat = parameter_values(self.pde, parameters)
            flat |= {x.name: jnp.asarray(m.ravel()) for x, m in zip(self.pde.space, mesh, strict=True)}
            (value,) = lower([conditions[name].value], coordinates=self.pde.coordinates)(flat)
            rows.append(jnp.broadcast_to(value, (math.prod(shape),)).reshape(shape))
        return tuple(rows)

    @property
    def states(self) -> tuple[str, ...]:
        """The names of what is stepped, in the order in which `run` takes them."""
        return self.flow.velocities

    @property
    def recorded(self) -> tuple[str, ...]:
        """The names of what `run` returns, in its order."""
        return (*self.flow.velocities, self.flow.pressure)

    @property
    def axes(self) -> tuple[AbstractAxis, ...]:
        """The vertices along each axis, on which velocities and pressure are given."""
        return tuple(
            PeriodicAxis(float(a.faces[0]), float(a.faces[-1]), a.n)
            if a.wraps
            else StretchedAxis(float(a.faces[0]), float(a.faces[-1]), a.n + 1, tuple(a.faces))
            for a in self.discrete.line
        )

    def run(
        self,
        initial: Any = None,
        parameters: Mapping[str, Any] | None = None,
        *,
        save_at: Any,
        steps: int | None = None,
    ) -> Any:
        """Velocities and pressure at the vertices, `(times, d + 1, *vertices)`, at the times `save_at`, the first of which is
        the start; NaN from where the flow blew up.

        **Arguments:** `initial`, velocities `(d, *vertices)`, of which the nearest flow without divergence is taken;
        `parameters` by name; `steps`, that many equal steps between two saved times; without it they are as long as stability
        allows.
        """
        if self.pde.time is None:
            raise ValueError("problem.run: this flow is steady; solvers.solve finds it.")

        check_finite("problem.run: initial", () if initial is None else initial)
        kind = "checkpointed" if is_traced(initial, parameters) else "lax"
        return at_boundary("problem.run", compiled(self, steps, kind), initial, parameters, as_times(save_at))

    def pure(self, steps: int | None, kind: str, initial: Any, parameters: Any, save_at: Any) -> Any:
        """`run` without its boundary; `kind` of the loop over steps: "lax", or "checkpointed" for gradients."""
        values = {k: jnp.asarray(v, float) for k, v in parameter_values(self.pde, parameters).items()}
        times = jnp.asarray(save_at, float)
        u = self.initial(parameters) if initial is None else from_vertices(self.discrete.line, jnp.asarray(initial, float))
        u = self.discrete.start(u, times[0], values)
        watched = self.watched(times[0], times[-1], values)

        def one(u: Any, span: Any) -> Any:
            t, t1 = span
            if steps is not None:
                new = self.fixed(u, t, t1, steps, values)
            else:
                new, reached, _ = self.advance(u, t, t1, values, watched, kind)
                new = jax.tree.map(lambda v: jnp.where(reached == t1, v, jnp.nan), new)
            return new, new

        _, rows = jax.lax.scan(one, u, (times[:-1], times[1:]))
        states = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), u, rows)
        return jax.vmap(lambda u, t: self.fields(u, t, values))(states, times)

    @cached_property
    def programs(self) -> dict[Any, Any]:
        """What was compiled, see `_calls.kept`."""
        return {}

    def parameters(self, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """The value of every unknown parameter: `given`, or the value it was declared with."""
        return parameter_values(self.pde, given)

    def watched(self, start: Any, end: Any, values: Any, max_step: Any = None) -> Watch:
        """A first look at what moves the flow: forces, and what is given at walls."""
        d = self.discrete
        sides = [side for row in d.sides for ends in row if ends is not None for side in ends]

        def given(t: Any) -> Any:
            found = [d.force(a, t, values) for a in range(d.dim)] + [side.value(t, values) for side in sides]
            return jnp.concatenate([remembered(f) for f in found])

        moves = depends(given, jnp.asarray(start, float))
        return watch(start, end, jax.lax.map(given, looks(start, end)) if moves else None, max_step)

    def advance(
        self, u: Any, t: Any, t1: Any, values: Any, watched: Watch, kind: Any = "lax", pause: Any = None
    ) -> tuple[Any, Any, Any]:
        """(velocities, time, steps) at `t1`, after the first step that ends at or after `pause`, or where a step became too
        short or NaN."""
        d, span, pause = self.discrete, t1 - t, t1 if pause is None else pause

        def goes_on(carry: Any) -> Any:
            _, t, h, _ = carry
            return (t < pause) & (t1 - t > 1e-10 * span) & (h > SMALLEST_STEP * span)

        def body(carry: Any) -> Any:
            u, t, _, steps = carry
            left = t1 - t
            most = jnp.minimum(d.longest(u, values), watched.room(t))
            h = left / jnp.ceil(left / jnp.minimum(most, left) * (1 - 1e-9))
            new = d.step(u, t, h, values)
            good = jnp.all(jnp.stack([jnp.all(jnp.isfinite(v)) for v in new]))
            u = jax.tree.map(lambda a, b: jnp.where(good, a, b), new, u)
            return u, jnp.where(good, t + h, t), jnp.where(good, h, 0.0), steps + 1

        most = MOST_STEPS if kind != "lax" else None
        u, t, _, steps = eqxi.while_loop(goes_on, body, (u, t, span, jnp.asarray(0)), kind=kind, max_steps=most)
        return u, jnp.where(t1 - t <= 1e-10 * span, t1, t), steps

    def fixed(self, u: Any, t: Any, t1: Any, steps: int, values: Any) -> Any:
        """Velocities at `t1` after equal steps; the memory of a gradient grows like the square root of their number."""
        h = (t1 - t) / steps
        one = lambda carry, _: ((self.discrete.step(carry[0], carry[1], h, values), carry[1] + h), None)  # noqa: E731
        return repeated(one, (u, t), steps)[0]

    def seen(self, u: Any, t: Any, values: Any) -> tuple[Any, Any, Any]:
        """(fields, their rates of change, force on the obstacle) at the vertices."""
        rate, _, force = self.discrete.rates(u, t, values)
        fields, slopes = jax.jvp(lambda u, t: self.fields(u, t, values), (u, t), (rate, jnp.ones_like(t)))
        return fields, slopes, force / self.factor(values)

    def fields(self, u: Any, t: Any, values: Any) -> Any:
        """Velocities and pressure at the vertices."""
        return self.discrete.at_vertices(u, self.discrete.rates(u, t, values)[1] / self.factor(values), t, values)


def compile_flow(pde: PDE, domain: Domain, flow: Flow, grid: Any = None) -> FlowProblem:
    """Cells, boundary values and obstacles; nothing is integrated."""
    with float64():
        return _compiled(as_neumann(pde, domain, flow), domain, flow, grid)


def _compiled(pde: PDE, domain: Domain, flow: Flow, grid: Any) -> FlowProblem:
    names = tuple(c.name for c in pde.space)
    shape = outline(domain, pde)
    bounds, obstacle = shape.bounds, shape.cut
    cells = _cells(grid, names, bounds)
    for c in pde.conditions:
        if isinstance(c, Observed):
            raise ValueError(f"{c.name!r}: data cannot be held by an integrator.")
    states = [State(name) for name in flow.velocities]
    periodic = [c for c in pde.conditions if isinstance(c, PeriodicCondition)]
    wraps = [any(p.covers(pde[flow.velocities[0]], x) for p in periodic) for x in pde.space]
    found: list[list[Any]] = [
        [
            None if wrap else tuple(wall_of(pde, domain, s, f"{name}_{end}", shape) for end in ("min", "max"))
            for name, wrap in zip(names, wraps, strict=True)
        ]
        for s in states
    ]
    open_ends: Any = tuple(
        (False, False) if found[a][a] is None else tuple(w.alpha == 0 for w in found[a][a]) for a in range(len(names))
    )
    line = []
    for b, name in enumerate(names):
        low, high = bounds[name]
        n = cells[name]
        if obstacle is not None:
            ends = np.array(obstacle)[:, b]
            line.append(FlowAxis(around(low, high, n, *map(float, ends)), wraps[b]))
            continue
        others = [found[a][b] for a in range(len(names)) if a != b]
        crowded: Any = tuple(not wraps[b] and any(ws is not None and ws[end].alpha != 0 for ws in others) for end in (0, 1))
        line.append(FlowAxis(plain(low, high, n, crowded), wraps[b]))
    line = tuple(line)
    down = lambda e: lower([e], coordinates=pde.coordinates)  # noqa: E731

    def at(lowered: Any, mesh: list[np.ndarray]) -> Any:
        places = {n: jnp.asarray(m) for n, m in zip(names, mesh, strict=True)}

        def value(t: Any, values: Any) -> Any:
            (out,) = lowered(places | dict(values) | ({} if pde.time is None else {pde.time.name: t}))
            return jnp.broadcast_to(out, mesh[0].shape)

        return value

    sides = []
    for a in range(len(names)):
        rows = []
        for b in range(len(names)):
            ends = found[a][b]
            if ends is None:
                rows.append(None)
                continue
            pair = []
            for end, wall in enumerate(ends):
                mesh = _mesh(line, a, {b: line[b].faces[-1 if end else 0]})
                pair.append(Side(Wall(wall.alpha, wall.beta, None), at(down(wall.value), mesh)))
            rows.append(tuple(pair))
        sides.append(tuple(rows))
    forces = [at(down(f), _mesh(line, a)) for a, f in enumerate(flow.force)]
    nu, factor = down(flow.nu), down(flow.factor)
    discrete = Staggered(
        line, tuple(sides), open_ends, lambda a, t, values: forces[a](t, values), lambda values: nu(dict(values))[0],
        tuple(poisson_basis(axis, ends) for axis, ends in zip(line, open_ends, strict=True)),
    )  # fmt: skip
    values = {p.name: jnp.asarray(p.initial, float) for p in pde.parameters}
    start = 0.0 if domain.time is None else domain.time.start
    if not any(map(any, open_ends)):
        _check_flux(pde, found, names, bounds, start, values)
    _check_pressure(pde, flow)
    if obstacle is not None:
        _check_at_rest(pde, flow, shape.outer)
        discrete = with_surface(discrete, domain.space)
    return FlowProblem(pde, domain, flow, discrete, lambda values: factor(dict(values))[0])


def solve_flow(
    problem: FlowProblem,
    times: np.ndarray | None,
    parameters: Mapping[str, Any],
    steps: int | None,
    max_step: float | None,
    progress: bool,
    clock: Clock,
    throw: bool,
) -> Solution:
    """Integrates to all `times`, or finds the steady flow where there are none."""
    with float64():
        values = {name: jnp.asarray(v, float) for name, v in parameters.items()}
        if times is None:
            marched = _steady(problem, values, progress, clock)
        else:
            marched = _marched(problem, values, times, steps, max_step, progress, clock)
    if not marched.success and not marched.interrupted and throw:
        raise FloatingPointError(f"{marched.result} (throw=False returns it as it is.)")
    order = [problem.recorded.index(u.field_name) for u in problem.pde.fields]
    fields, rates, forces = (np.stack([np.asarray(r[k]) for r in marched.rows]) for k in range(3))
    steady = times is None
    final = GridFinal(problem.axes, None if steady else marched.times, fields[:, order], rates[:, order] * (not steady))
    closed = not any(map(any, problem.discrete.open_ends))
    final = pinned(problem.pde, problem.domain, problem.flow, final, parts=closed)
    # Where the flow is open the pressure is zero.
    final, notes = settled(problem.pde, final) if closed else (final, ())
    stats = {
        "steps": marched.steps, "grid": list(problem.discrete.cells), "precision": "float64",
        "seconds": clock.spent, "change": marched.change,
        "force": forces[-1].tolist() if steady else forces[marched.asked].tolist(),
        "times": marched.times[marched.asked].tolist(), "saves": len(marched.times),
    }  # fmt: skip
    given = {name: Parameter(name, float(v)) for name, v in parameters.items()}
    domain = problem.domain if steady or marched.success else known_until(problem.domain, float(marched.times[-1]))
    return Solution(
        problem.pde, domain, final, marched.result, marched.success, stats, [], given,
        notes=(*notes, *marched.notes),
    )


@dataclass
class _Marched:
    rows: list[Any]
    times: np.ndarray
    asked: np.ndarray  # which rows are at times that were asked for
    steps: int
    change: float | None
    result: str
    success: bool
    interrupted: bool = False
    flow: Any = None  # the last velocities on their faces
    notes: tuple[str, ...] = ()


class _Run(AbstractRun):
    """A flow that is stepped; its state is (velocities, time, steps)."""

    controlled = False

    def __init__(self, problem: FlowProblem, values: Any, steps: int | None, watched: Watch, clock: Clock):
        self._values, self._count, self._clock = values, steps, clock
        self._seen = Program(problem.seen)
        self._advance = Program(lambda u, t, t1, pause: problem.advance(u, t, t1, values, watched, pause=pause))
        counts = () if steps is None else {steps, (steps + 1) // 2}
        self._fixed = {n: Program(lambda u, t, t1, n=n: problem.fixed(u, t, t1, n, values)) for n in counts}

    def advance(self, state: Any, t1: float, pause: float) -> Any:
        if self._clock.left <= 0:
            raise OutOfTime(state)
        return self._gone(state, t1, pause, self._count)

    def half(self, state: Any, t1: float) -> Any:
        return self._gone(state, t1, t1, None if self._count is None else (self._count + 1) // 2)

    def _gone(self, state: Any, t1: float, pause: float, steps: int | None) -> Any:
        u, t, taken = state
        if steps is not None:
            return self._fixed[steps](u, t, t1), jnp.asarray(t1), taken + steps
        u, t, more = self._advance(u, t, t1, pause)
        return u, t, taken + int(more)

    def light(self, state: Any) -> Any:
        return state

    def time(self, state: Any) -> float:
        return float(state[1])

    def steps(self, state: Any) -> int:
        return state[2]

    def finite(self, state: Any) -> bool:
        return all(bool(np.all(np.isfinite(v))) for v in state[0])

    def seen(self, state: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        fields, rates, force = (np.asarray(a) for a in self._seen(state[0], state[1], self._values))
        return fields, rates, force


def _marched(
    problem: FlowProblem,
    values: Any,
    times: np.ndarray,
    steps: int | None,
    max_step: float | None,
    progress: bool,
    clock: Clock,
) -> _Marched:
    from tqdm.auto import tqdm

    d = problem.discrete
    t = jnp.asarray(times[0], float)
    state: Any = (Program(d.start)(problem.initial(values), t, values), t, 0)
    vertices = math.prod(axis.n for axis in problem.axes)
    groups = np.arange(d.dim + 1)
    watched = Program(problem.watched)(times[0], times[-1], values, max_step)
    kept = saved(_Run(problem, values, steps, watched, clock), times, groups, True, BETWEEN, len(groups) * vertices)
    kept.begin(state)
    complete, stopped = True, ""
    bar = tqdm(total=len(times) - 1, desc="integrating", unit="save", disable=not progress, leave=False)
    try:
        for t1 in times[1:]:
            state = kept.go(state, float(t1))
            reached = kept.rows[-1].t
            bar.update(1)
            bar.set_postfix(t=f"{reached:.4g}", steps=state[2], refresh=False)
            if reached != t1:
                complete = False
                break
        else:
            kept.settle(True)
    except KeyboardInterrupt:
        stopped, complete = "it was interrupted by the user", False
    except OutOfTime:
        stopped, complete = f"max_time = {clock.max_time:g} s was reached", False
    finally:
        bar.close()
    reached, taken = kept.rows[-1].t, state[2]
    shape = " x ".join(map(str, d.cells))
    if stopped:
        result = (
            f"At t = {reached:g} on {shape} cells {stopped}; what was computed until then is returned, and later times are not "
            "known."
        )
    elif not complete:
        result = (
            f"The flow blew up after t = {reached:.6g}; that is the last good state. Take a finer grid (grid=...), or look at "
            "the outflow."
        )
    else:
        result = f"Integrated to t = {reached:g} in {taken} steps on {shape} cells."
    rows = [(row.values, row.rates, row.more) for row in kept.rows]
    asked = np.array([row.asked or row is kept.rows[-1] for row in kept.rows])
    notes = kept.notes((*problem.flow.velocities, problem.flow.pressure))
    return _Marched(rows, kept.times, asked, taken, None, result, complete, bool(stopped), notes=notes)


def _steady(problem: FlowProblem, values: Any, progress: bool, clock: Clock) -> _Marched:
    from tqdm.auto import tqdm

    d, t, guess = problem.discrete, jnp.zeros(()), problem.initial(values)
    pace = _pace(problem, values)
    known = d.surface is None and min(d.cells) >= FINE
    if known:  # the flow on half as many cells is close already
        half = {x.name: n // 2 for x, n in zip(problem.pde.space, d.cells, strict=True)}
        coarse = _compiled(problem.pde, problem.domain, problem.flow, half)
        found = _steady(coarse, values, progress, clock)
        known = found.success
        if known:
            guess = between(coarse.discrete.line, d.line, found.flow)
    u = Program(d.start)(guess, t, values)
    with tqdm(desc="to rest", unit="step", disable=not progress, leave=False) as bar:

        def report(steps: int, change: float, step: float) -> bool:
            bar.update(1)
            bar.set_postfix(change=f"{change:.1e}", step=f"{step:.1e}", refresh=False)
            return clock.left > 0

        u, steps, change, settled = settle(d, u, values, pace, known, report)
    shape = " x ".join(map(str, d.cells))
    result = f"Steady after {steps} Newton steps on {shape} cells."
    late = not settled and clock.left <= 0
    if late:
        result = (
            f"max_time = {clock.max_time:g} s was reached after {steps} Newton steps on {shape} cells: the flow still changes "
            f"by {change:.0e} of its speed while it crosses the domain."
        )
    elif not settled:
        result = (
            f"No steady flow was found in {steps} steps: it still changes by {change:.0e} of its speed while it crosses the "
            "domain. There may be none at this viscosity; integrate the unsteady equation instead."
        )
    rows = [Program(problem.seen)(u, t, values)]
    return _Marched(rows, np.zeros(1), np.ones(1, bool), steps, change, result, settled, late, flow=u)


def _pace(problem: FlowProblem, values: Any) -> float:
    """Speed over size: of the fastest wall or of what the force drives, over the shortest side."""
    d = problem.discrete
    held = [side for row in d.sides for ends in row if ends is not None for side in ends if side.wall.alpha != 0]

    @Program
    def largest(values: Any, t: Any) -> Any:
        found = [side.value(t, values) for side in held], [d.force(a, t, values) for a in range(d.dim)]
        return jax.tree.map(lambda v: jnp.max(jnp.abs(v)), found)

    speeds, pushes = jax.tree.map(float, largest(values, 0.0))
    size = min(float(a.faces[-1] - a.faces[0]) for a in d.line)
    push = max(pushes)
    speed = max([*speeds, math.sqrt(push * size)])
    if speed == 0:
        raise ValueError("Nothing moves this flow: all walls are at rest and there is no force.")
    return speed / size


def _mesh(line: tuple[FlowAxis, ...], a: int, fixed: Mapping[int, float] | None = None) -> list[np.ndarray]:
    """The points of component a; on one side of an axis where that is `fixed`."""
    fixed = dict(fixed or {})
    places = [axis.faces[: axis.own] if a == b else axis.centres for b, axis in enumerate(line)]
    places = [np.array([fixed[b]]) if b in fixed else p for b, p in enumerate(places)]
    mesh = np.meshgrid(*places, indexing="ij")
    return [m.squeeze(tuple(fixed)) for m in mesh] if fixed else list(mesh)


def _cells(grid: Any, names: tuple[str, ...], bounds: Mapping[str, tuple[float, float]]) -> dict[str, int]:
    if grid is None:
        shortest = min(b - a for a, b in bounds.values())
        most = 6  # longer sides get wider cells rather than more of them
        return {n: int(CELLS[len(names)] * min(most, (b - a) / shortest) ** 0.5) for n, (a, b) in bounds.items()}
    by_name: Mapping[str, Any] = grid if isinstance(grid, Mapping) else dict.fromkeys(names, grid)
    if set(by_name) ^ set(names):
        raise ValueError(f"grid: one number of cells for each of {', '.join(names)}; {grid!r} came.")
    for name, n in by_name.items():
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 8:
            raise ValueError(f"grid: {name}={n!r}; a flow takes whole numbers of cells, at least 8.")
    return {n: int(by_name[n] or 0) for n in names}


def _check_flux(pde: PDE, found: Any, names: tuple[str, ...], bounds: Mapping[str, Any], t: float, values: Any) -> None:
    """Raises where more flows in than out and no end is open: the integral over the walls, by Gauss's rule."""
    x, w = np.polynomial.legendre.leggauss(64)
    net = size = 0.0
    for a, name in enumerate(names):
        if found[a][a] is None:
            continue
        others = [n for n in names if n != name]
        spans = [(bounds[n][0] + bounds[n][1], bounds[n][1] - bounds[n][0]) for n in others]
        mesh = np.meshgrid(*((m + s * x) / 2 for m, s in spans), indexing="ij")
        weights = np.ones(())
        for _, span in spans:
            weights = np.multiply.outer(weights, w * span / 2)
        for end, wall in enumerate(found[a][a]):
            here = {n: jnp.asarray(m) for n, m in zip(others, mesh, strict=True)} | dict(values)
            here |= {name: jnp.full(mesh[0].shape, bounds[name][end])} | ({} if pde.time is None else {pde.time.name: t})
            (value,) = lower([wall.value], coordinates=pde.coordinates)(here)
            flow = np.broadcast_to(np.asarray(value), mesh[0].shape) * weights
            net += (1 if end else -1) * float(np.sum(flow))
            size += float(np.sum(np.abs(flow)))
    if abs(net) > 1e-3 * size:
        raise ValueError(
            f"{net:.3g} more flows out through the boundary than in, and no end is open: leave one to the flow, with "
            "Neumann((u, v), 0) and Dirichlet(p, 0) there."
        )


def _check_pressure(pde: PDE, flow: Flow) -> None:
    """An open end has the pressure zero; another value would be lost."""
    for c in pde.conditions:
        held = isinstance(c, Dirichlet) and (isinstance(c.on, dict) or c.value == 0)
        if getattr(c, "field", None) is not None and c.field.field_name == flow.pressure and not held:
            raise NotImplementedError(
                f"{c.name!r}: on staggered cells the pressure is zero where the flow is open, or known at a point. Give "
                "Dirichlet(p, 0) there, and drive the flow by velocities or by a force."
            )


def _check_at_rest(pde: PDE, flow: Flow, outer: set[str]) -> None:
    """Obstacles must be held at rest."""
    for name in flow.velocities:
        for c in pde.conditions:
            if not isinstance(c, Dirichlet | Neumann | Robin) or c.field.field_name != name:
                continue
            parts = (c.on,) if isinstance(c.on, str) else c.on
            inner = parts is None or (isinstance(parts, tuple) and any(p not in outer for p in parts))
            if inner and (not isinstance(c, Dirichlet) or c.value != 0):
                raise NotImplementedError(
                    f"{c.name!r}: obstacles are at rest so far, Dirichlet({name}, 0); {c.describe()} came."
                )

