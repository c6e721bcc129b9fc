"""`integrate`: ordinary differential equations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from .._precision import float64, is_traced, require_float64, to_numpy
from ._calls import check_max_step
from ._watch import Watch, looks, looks_at, watch
from .stepping import Automatic, Radau

MOST_DENSE = 3000  # unknowns, above which no Jacobian is formed


@dataclass(frozen=True)
class Event:
    """Ends an integration where `condition(t, y)` (`condition(t, y, args)` where there are arguments) passes through zero:
    upwards (`direction=1`), downwards (-1) or either way (0)."""

    condition: Callable[..., Any]
    direction: int = 0

    def __post_init__(self):
        if not callable(self.condition) or self.direction not in (-1, 0, 1):
            raise ValueError(
                "Event(condition, direction): a function of (t, y) and -1, 0 or 1; "
                f"{self.condition!r} and {self.direction!r} came."
            )


@dataclass(frozen=True, eq=False, repr=False)
class Trajectory:
    """What `integrate` returns.

    **Attributes:** `t` `(n,)`, and `y`, which has the structure of `y0` with a leading axis of that length; `result` (a
    sentence), `success`, `stats`, `event` (the name of the one that ended it, or None). With `dense=True` it is called
    like a function: `trajectory(t)`.
    """

    t: Any
    y: Any
    result: str
    success: Any
    stats: dict[str, Any] = field(default_factory=dict)
    event: str | None = None
    interpolation: Any = None
    unflatten: Any = None

    def __call__(self, t: Any) -> Any:
        """The state at one or many times, by the method's own interpolation."""
        if self.interpolation is None:
            raise ValueError("This trajectory has no dense output; call integrate(..., dense=True).")
        if is_traced(t, self.interpolation):
            require_float64("trajectory(t)")
            return self._at(jnp.asarray(t))
        low, high = (float(e) for e in (self.interpolation.t0, self.interpolation.t1))
        times = np.asarray(t, float)
        if np.any(times < min(low, high)) or np.any(times > max(low, high)):
            raise ValueError(
                f"trajectory(t): t from {times.min():g} to {times.max():g} came; it goes from {low:g} to {high:g}."
            )
        with float64():
            return to_numpy(self._at(jnp.asarray(times)))

    def _at(self, t: Any) -> Any:
        flat = jax.vmap(self.interpolation.evaluate)(t.ravel())
        return self.unflatten(flat.reshape(*t.shape, -1))

    def __repr__(self) -> str:
        return f"Trajectory  {self.result}"


def integrate(
    f: Callable[..., Any],
    y0: Any,
    t: Any,
    *,
    args: Any = None,
    method: Any = None,
    rtol: Any = 1e-6,
    atol: Any = None,
    events: Mapping[str, Any] | None = None,
    dense: bool = False,
    first_step: float | None = None,
    max_step: float | None = None,
    max_steps: int = 100_000,
    progress: bool = False,
    throw: bool = True,
) -> Trajectory:
    """Integrates the ordinary differential equations

        dy/dt = f(t, y)        or, with `args`,        dy/dt = f(t, y, args).

    By default (`Automatic()`) Tsitouras' explicit pair starts and Radau IIA takes over when stiffness shows: an explicit
    method on a stiff problem is slow, never wrong, and can tell; an implicit one from the start would cost a factorisation
    in every step of every problem.

    **Arguments:**

    - `f`: returns the structure and shapes of `y0`. `y0`: a number, an array or any pytree of them, real or complex.
    - `t`: `(start, end)`, or increasing or decreasing times, at all of which the state is returned.
    - `args`: parameters of `f`: what gradients are taken with respect to, beside `y0`.
    - `method`: `Automatic()`, `Radau()`, or any solver of diffrax.
    - `rtol`, `atol`: the local error of every component is kept below `atol + rtol |y|`. `atol` is a number or has the
        structure of `y0`; by default 1e-8 `rtol` times the largest initial value of the component's array, so small components
        count: on Robertson's problem an `atol` of 1e-8 gives answers that are wrong by 0.6 %. Changing them compiles nothing.
    - `events`: functions of (t, y) (and `args`) by name, or `Event(function, direction)`; the first that passes through zero
        ends the integration.
    - `dense`: keep the interpolation of every step. `first_step`: chosen from `f` when left out. `max_step`: no step is longer.
        Where `f` depends on t by itself, `f(t, y0)` is looked at on 256 times before, so that pulses in it are not stepped
        over; narrower ones need `max_step`.
    - `max_steps`; `progress`: a progress bar; `throw`: whether a failure raises; otherwise `result` says it.

    **Returns** a `Trajectory`. Called with tracers, inside `with sciml.float64()`, it is differentiable in forward and
    reverse mode (reverse with recursive checkpoints, Stumm & Walther 2010) and can be batched with `vmap`.

    **Raises** `ValueError` on times, shapes or tolerances that make no sense, `RuntimeError` where the integration failed.

    >>> import numpy as np
    >>> from sciml import solvers
    >>> decay = solvers.integrate(lambda t, y: -y, 1.0, (0, 2))
    >>> bool(abs(decay.y[-1] - np.exp(-2)) < 1e-6)
    True
    """
    if is_traced(y0, t, args, rtol, atol):
        require_float64("integrate")
        return _integrate(f, y0, t, args, method, rtol, atol, events, dense, first_step, max_step, max_steps, False, throw)
    with float64():
        return _integrate(f, y0, t, args, method, rtol, atol, events, dense, first_step, max_step, max_steps, progress, throw)


def _integrate(
    f: Any, y0: Any, t: Any, args: Any, method: Any, rtol: Any, atol: Any, events: Any, dense: bool,
    first_step: Any, max_step: Any, max_steps: int, progress: bool, throw: bool,
) -> Trajectory:  # fmt: skip
    traced = is_traced(y0, t, args, rtol, atol)
    times = _times(t)
    # NumPy as long as nothing is traced: a JAX operation by itself takes longer than a short integration.
    y0 = jax.tree.map(_as_inexact, y0)
    y, unflatten = flatten(y0)
    method = Automatic() if method is None else method
    if not isinstance(method, diffrax.AbstractSolver) or isinstance(method, type):
        raise TypeError(f"method is an object such as solvers.Radau() or a solver of diffrax; {method!r} came.")
    if len(y) > MOST_DENSE and isinstance(method, Radau | Automatic):
        if isinstance(method, Radau):
            raise ValueError(
                f"Radau factorises an n x n matrix in every step; n = {len(y)} unknowns came, at most {MOST_DENSE} are "
                "taken. For a PDE use solvers.solve, for an ODE that is not stiff method=diffrax.Tsit5()."
            )
        method = diffrax.Tsit5()
    _check(f, rtol, max_steps)
    check_max_step("integrate", max_step)
    absolute = _absolute(atol, rtol, y0)
    names = tuple(events or ())
    wanted = [e if isinstance(e, Event) else Event(e) for e in (events or {}).values()]
    numeric, others = eqx.partition(args, _differentiable)
    numeric = jax.tree.map(lambda a: jnp.asarray(a), numeric)
    call = lambda g, t, y, leaves: _call(g, t, unflatten(y), None if args is None else eqx.combine(leaves, others))  # noqa: E731

    def right(t: Any, y: Any, leaves: Any) -> Any:
        found = call(f, t, y, leaves)
        _check_rate(found, y0)
        return flatten(found)[0]

    try:
        programs = [_program(right, times[0], y, numeric)]
    except TypeError as error:
        if "positional argument" in str(error):
            given = "f(t, y)" if args is None else "f(t, y, args)"
            raise TypeError(f"integrate calls {given}; {error}.") from None
        raise
    for e in wanted:
        programs.append(
            _program(lambda t, y, leaves, e=e: jnp.asarray(call(e.condition, t, y, leaves), float), times[0], y, numeric)
        )
    run, begin = _compiled(programs, tuple(e.direction for e in wanted), dense, max_steps, progress, throw and traced)
    step = None if first_step is None else jnp.asarray(first_step, float)
    longest = jnp.asarray(jnp.inf if max_step is None else max_step, float)
    numbers = [program.consts for program in programs], numeric
    if not traced and not bool(begin(numbers, times[0], y)):
        what = "f(t, y0)" if np.all(np.isfinite(y)) else "y0"
        raise ValueError(f"integrate: {what} has NaN or infinite numbers at the start.")
    out = run(numbers, y, times, method, jnp.asarray(rtol, float), absolute, step, longest)
    if traced:
        interpolation = out.interpolation if dense else None
        good = out.result == diffrax.RESULTS.successful
        states = unflatten(out.ys[0])
        return Trajectory(out.ts[0], states, "traced", good, dict(out.stats), None, interpolation, unflatten)
    return _finished(out, names, dense, unflatten, times, throw)


def _finished(
    out: Any, names: tuple[str, ...], dense: bool, unflatten: Any, times: np.ndarray, throw: bool
) -> Trajectory:
    taken, rejected = int(out.stats["num_accepted_steps"]), int(out.stats["num_rejected_steps"])
    stats = {"steps": taken, "rejected": rejected}
    ended, last = out.result, out.solver_state
    event = None
    ts, ys = np.asarray(out.ts[0]), unflatten(np.asarray(out.ys[0]))
    since = float(last.since) if hasattr(last, "since") else math.inf
    stiff = f"; stiff from t = {since:.4g} on (Radau)" if math.isfinite(since) else ""
    success = bool(ended == diffrax.RESULTS.successful)
    if names and bool(ended == diffrax.RESULTS.event_occurred):
        event = next(n for n, hit in zip(names, out.event_mask, strict=True) if bool(hit))
        kept = np.isfinite(ts)
        ts, ys, success = ts[kept], jax.tree.map(lambda a: a[kept], ys), True
        ended_at = np.asarray(out.ts[1])
        if not len(ts) or ended_at[0] != ts[-1]:
            ts = np.concatenate([ts, ended_at])
            ys = jax.tree.map(lambda a, b: np.concatenate([a, b]), ys, unflatten(np.asarray(out.ys[1])))
        result = f"The event {event!r} ended it at t = {ts[-1]:.6g}, after {taken} steps ({rejected} rejected{stiff})."
    elif success:
        result = f"Reached t = {ts[-1]:.6g} in {taken} steps ({rejected} rejected{stiff})."
    else:
        kept = np.isfinite(ts)
        ts, ys = ts[kept], jax.tree.map(lambda a: a[kept], ys)
        where, enough = "", "Raise it"
        if hasattr(last, "t"):
            at = float(last.t)
            where = f" The last good state is that at t = {at:.6g}{stiff}; it ends the trajectory."
            good = unflatten(np.asarray(last.y))
            done = abs(at - times[0]) / abs(times[-1] - times[0])
            if done > 0.01:
                enough = f"At this pace max_steps={float(f'{1.2 * (taken + rejected) / done:.1g}'):.0f} is enough: raise it"
            ts, ys = np.append(ts, at), jax.tree.map(lambda a, b: np.concatenate([a, np.asarray(b)[None]]), ys, good)
        reason = (
            f"max_steps = {taken + rejected} steps were not enough. {enough}, loosen rtol, or look at f where it got stuck."
            if bool(ended == diffrax.RESULTS.max_steps_reached)
            else str(diffrax.RESULTS[ended])
        )
        result = f"Failed: {reason}{where}"
        if throw:
            raise RuntimeError(f"integrate: {result} (throw=False returns what there is.)")
    interpolation = jax.tree.map(lambda a: np.asarray(a) if eqx.is_array(a) else a, out.interpolation) if dense else None
    return Trajectory(ts, ys, result, success, stats, event, interpolation, unflatten)


# What was compiled, by the text of the traced functions: a lambda that is written anew compiles nothing, and one whose
# surroundings have changed is not mistaken for the old one. The programs are kept so that no address in a text is used twice.
_CACHE: dict[Any, tuple[Any, Any, Any]] = {}


def _program(function: Any, t: Any, y: Any, leaves: Any) -> Any:
    return jax.make_jaxpr(function)(t, y, leaves)


def _compiled(
    programs: list[Any], directions: tuple[int, ...], dense: bool, max_steps: int, progress: bool, throw: bool
) -> tuple[Any, Any]:
    """For each right-hand side and its events: the integration, and whether all is finite at the start; jitted, all numbers are
    arguments."""
    shapes = tuple((jnp.shape(c), str(jnp.result_type(c))) for program in programs for c in program.consts)
    key = (tuple(str(program.jaxpr) for program in programs), shapes, directions, dense, max_steps, progress, throw)
    if key in _CACHE:
        return _CACHE[key][:2]
    bodies = [program.jaxpr for program in programs]
    moves = looks_at(bodies[0], 0)

    def evaluate(i: int, t: Any, y: Any, numbers: Any) -> Any:
        consts, leaves = numbers
        (out,) = jaxpr_as_fun(ClosedJaxpr(bodies[i], consts[i]))(t, y, *jax.tree.leaves(leaves))
        return out

    @eqx.filter_jit
    def run(numbers: Any, y: Any, times: Any, method: Any, rtol: Any, atol: Any, first_step: Any, longest: Any) -> Any:
        forward = jnp.sign(times[-1] - times[0])  # diffrax goes back in time by another sign of t
        seen = jax.lax.map(lambda t: evaluate(0, t, y, numbers), looks(times[0], times[-1])) if moves else None
        within = watch(forward * times[0], forward * times[-1], seen, longest)
        event = None
        if directions:
            event = diffrax.Event(
                tuple((lambda t, y, args, i=i, **_: evaluate(i + 1, t, y, args)) for i in range(len(directions))),
                _Bisection(1e-13, 1e-13),
                direction=tuple({0: None, 1: True, -1: False}[direction] for direction in directions),
            )
        if isinstance(method, Radau | Automatic):
            method = replace(
                method,
                rtol=rtol if method.rtol is None else method.rtol,
                atol=atol if method.atol is None else method.atol,
            )
        return diffrax.diffeqsolve(
            diffrax.ODETerm(lambda t, y, numbers: evaluate(0, t, y, numbers)),
            method,
            times[0],
            times[-1],
            first_step,
            y,
            numbers,
            saveat=diffrax.SaveAt(
                subs=[diffrax.SubSaveAt(ts=times), diffrax.SubSaveAt(t1=True)], dense=dense, solver_state=True
            ),
            stepsize_controller=_Within(diffrax.PIDController(rtol=rtol, atol=atol), jax.lax.stop_gradient(within)),
            event=event,
            max_steps=max_steps,
            throw=throw,
            progress_meter=_Bar() if progress else diffrax.NoProgressMeter(),
        )

    @jax.jit
    def begin(numbers: Any, t: Any, y: Any) -> Any:
        return jnp.all(jnp.isfinite(y)) & jnp.all(jnp.isfinite(evaluate(0, t, y, numbers)))

    if len(_CACHE) > 64:
        _CACHE.clear()
    _CACHE[key] = run, begin, programs
    return run, begin


class _Within(diffrax.AbstractAdaptiveStepSizeController):
    """The steps of a controller, where they are not longer than there is room."""

    controller: Any
    watch: Watch

    def __init__(self, controller: Any, watch: Watch):
        self.controller, self.watch = controller, watch

    @property
    def rtol(self) -> Any:  # type: ignore[override]
        return self.controller.rtol

    @property
    def atol(self) -> Any:  # type: ignore[override]
        return self.controller.atol

    @property
    def norm(self) -> Any:  # type: ignore[override]
        return self.controller.norm

    def wrap(self, direction: Any) -> Any:
        return _Within(self.controller.wrap(direction), self.watch)

    def init(
        self, terms: Any, t0: Any, t1: Any, y0: Any, dt0: Any, args: Any, func: Any, error_order: Any
    ) -> Any:
        t, state = self.controller.init(terms, t0, t1, y0, dt0, args, func, error_order)
        return jnp.minimum(t, t0 + self.watch.room(t0)), state

    def adapt_step_size(
        self, t0: Any, t1: Any, y0: Any, y1_candidate: Any, args: Any, y_error: Any, error_order: Any, controller_state: Any
    ) -> Any:
        keep, start, end, jump, state, result = self.controller.adapt_step_size(
            t0, t1, y0, y1_candidate, args, y_error, error_order, controller_state
        )
        return keep, start, jnp.minimum(end, start + self.watch.room(start)), jump, state, result


class _Bisection(optx.AbstractRootFinder):
    """Bisection of the sum over all events; diffrax gives zero for those that did not happen."""

    rtol: float
    atol: float
    norm: ClassVar[Any] = jnp.abs

    @property
    def _one(self) -> optx.Bisection:
        return optx.Bisection(self.rtol, self.atol, flip="detect")

    def init(
        self, fn: Any, y: Any, args: Any, options: Any, f_struct: Any, aux_struct: Any, tags: Any
    ) -> Any:
        (total, *_) = jax.tree.leaves(f_struct)
        return self._one.init(_summed(fn), y, args, options, total, aux_struct, tags)

    def step(self, fn: Any, y: Any, args: Any, options: Any, state: Any, tags: Any) -> Any:
        return self._one.step(_summed(fn), y, args, options, state, tags)

    def terminate(self, fn: Any, y: Any, args: Any, options: Any, state: Any, tags: Any) -> Any:
        return self._one.terminate(_summed(fn), y, args, options, state, tags)

    def postprocess(
        self, fn: Any, y: Any, aux: Any, args: Any, options: Any, state: Any, tags: Any, result: Any
    ) -> Any:
        return self._one.postprocess(_summed(fn), y, aux, args, options, state, tags, result)


def _summed(fn: Any) -> Any:
    def total(y: Any, args: Any) -> Any:
        out, aux = fn(y, args)
        return sum(jax.tree.leaves(out)), aux

    return total


class _Bar(diffrax.TqdmProgressMeter):
    @staticmethod
    def _init_bar() -> Any:
        from tqdm.auto import tqdm

        return tqdm(total=100, desc="integrating", unit="%", bar_format="{desc} {percentage:.1f}%|{bar}| {elapsed}<{remaining}")


def _differentiable(leaf: Any) -> bool:
    """Equinox's `is_inexact_array_like` fails on tracers."""
    if isinstance(leaf, jax.Array | np.ndarray | np.generic):
        return bool(jnp.issubdtype(leaf.dtype, jnp.inexact))
    return isinstance(leaf, float | complex)


def _call(f: Any, t: Any, y: Any, args: Any) -> Any:
    return f(t, y) if args is None else f(t, y, args)


# Any pytree of real and complex arrays as one real vector -----------------------------------------------------------


def _shapes(tree: Any) -> tuple[tuple[tuple[int, ...], bool], ...]:
    return tuple((np.shape(a), bool(jnp.iscomplexobj(a))) for a in jax.tree.leaves(tree))


def flatten(tree: Any) -> tuple[Any, Any]:
    """The real vector of all numbers in `tree` (complex ones: real parts, then imaginary ones), and its inverse, which takes
    `(..., n)`."""
    xp: Any = jnp if is_traced(tree) else np
    parts = []
    for leaf in jax.tree.leaves(tree):
        leaf = xp.asarray(leaf)
        parts += [leaf.real.ravel(), leaf.imag.ravel()] if xp.iscomplexobj(leaf) else [leaf.ravel()]
    flat = xp.concatenate([xp.asarray(p, float) for p in parts]) if parts else xp.zeros(0)
    return flat, _unflatten(jax.tree.structure(tree), _shapes(tree))


def _unflatten(structure: Any, shapes: Any) -> Any:
    def unflatten(flat: Any) -> Any:
        leaves, at, rows = [], 0, flat.shape[:-1]
        for shape, is_complex in shapes:
            n = math.prod(shape)
            part = flat[..., at : at + n]
            if is_complex:
                part = part + 1j * flat[..., at + n : at + 2 * n]
            leaves.append(part.reshape(rows + shape))
            at += 2 * n if is_complex else n
        return jax.tree.unflatten(structure, leaves)

    return unflatten


def _as_inexact(leaf: Any) -> Any:
    if is_traced(leaf):
        return leaf if jnp.issubdtype(leaf.dtype, jnp.inexact) else leaf.astype(float)
    leaf = np.asarray(leaf)
    return leaf if jnp.issubdtype(leaf.dtype, jnp.inexact) else leaf.astype(float)


# What can be said before anything is compiled -------------------------------------------------------------------------


def _times(t: Any) -> Any:
    if is_traced(t):
        return jnp.stack([jnp.asarray(e, float) for e in t]) if isinstance(t, tuple | list) else jnp.asarray(t)
    times = np.asarray(t, float)
    if times.ndim != 1 or len(times) < 2 or not np.all(np.isfinite(times)):
        raise ValueError(f"integrate: t is (start, end) or at least two finite times; {t!r} came.")
    steps = np.diff(times)
    if not (np.all(steps > 0) or np.all(steps < 0)):
        raise ValueError("integrate: the times must increase, or decrease, strictly.")
    return times


def _check(f: Any, rtol: Any, max_steps: int) -> None:
    if not callable(f):
        raise TypeError(f"integrate: f is a function of (t, y), or of (t, y, args); {f!r} came.")
    if not is_traced(rtol) and not 1e-14 <= float(rtol) < 1:
        raise ValueError(f"integrate: rtol={rtol!r}; expected a number from 1e-14 to 1.")
    if not isinstance(max_steps, int) or max_steps < 1:
        raise ValueError(f"integrate: max_steps={max_steps!r}; expected a positive whole number.")


def _check_rate(found: Any, y0: Any) -> None:
    """What f returns must look like y0."""
    wanted = jax.tree.structure(y0)
    if jax.tree.structure(found) != wanted:
        raise ValueError(f"integrate: f returns {jax.tree.structure(found)}; y0 has the structure {wanted}.")
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(y0), strict=True):
        if jnp.shape(a) != jnp.shape(b):
            raise ValueError(f"integrate: f returns an array of shape {jnp.shape(a)} where y0 has {jnp.shape(b)}.")
        if jnp.iscomplexobj(a) and not jnp.iscomplexobj(b):
            raise ValueError("integrate: f returns complex numbers where y0 is real; make y0 complex.")


def _absolute(atol: Any, rtol: Any, y0: Any) -> Any:
    """One absolute tolerance for every component of the flat vector."""
    xp: Any = jnp if is_traced(atol, rtol, y0) else np
    if atol is None:

        def small(leaf: Any) -> Any:
            largest = xp.max(xp.abs(leaf)) if leaf.size else 1.0
            return xp.full(leaf.shape, 1e-8 * rtol * xp.where(largest > 0, largest, 1.0))

        tree = jax.tree.map(small, y0)
    elif jax.tree.structure(atol) == jax.tree.structure(y0):
        tree = jax.tree.map(lambda a, b: xp.broadcast_to(xp.asarray(a, float), b.shape), atol, y0)
    elif jax.tree.structure(atol) == jax.tree.structure(0.0):
        tree = jax.tree.map(lambda b: xp.broadcast_to(xp.asarray(atol, float), b.shape), y0)
    else:
        raise ValueError("integrate: atol is a number, or has the structure of y0.")
    tree = jax.tree.map(lambda a, b: a + 1j * a if jnp.iscomplexobj(b) else a, tree, y0)
    flat = flatten(tree)[0]
    if not is_traced(flat) and not np.all(flat > 0):
        raise ValueError(f"integrate: atol={atol!r}; expected positive numbers.")
    return flat
