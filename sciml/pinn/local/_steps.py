"""Steps in time with patches of space, for two dimensions of space, where windows of both would have too many functions.

An implicit Runge-Kutta method of order four whose stages are solved one after the other and whose last one is the new state
(the implicit part of ARK4(3)6L[2]SA, C. A. Kennedy and M. H. Carpenter, Appl. Numer. Math. 44, 139 (2003)):

    F(x, t_i, u_i, u_i') = 0,    u_i = u_n + dt sum_{j <= i} a_ij u_j',    u_1' that of the step before.

Every stage is a least-squares problem on patches (`_stage`); all stages of a step, and the next ones of the same length, have
the same matrix up to what is nonlinear, so that one factor serves many. Steps are as long as the embedded method of order
three allows; patches are halved where the new state is not resolved, and put together where it would be. Between the ends of a
step the state is the cubic with their values and slopes.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import diffrax
import numpy as np

from ._adapt import (
    DEFECT,
    GROWTH,
    MOST_PATCHES,
    SHORTEST,
    Adapted,
    Budget,
    Tell,
    initial_of,
    refined,
    resolving,
    tails_of,
)
from ._basis import Legendre, Slice
from ._cover import fitted
from ._patches import merged
from ._pieces import Cells, Pieces, half, placed
from ._stage import Linearised, Stage
from ._statement import Statement
from ._system import tails

FIRST = 1e-3  # of the time: the first step, which is one of Euler's method
LATEST = 0.02  # the same where what is at the start is too sharp for so many patches
FALLS = 0.5  # of what it was: the error of a shorter first step, where that helps
CUBIC = 3
SCATTER = 0.1  # of what stages are off a parabola: the error of fields without a derivative in time
AT_ENDS = 10.0  # times the weight of other stages, where a cubic goes through them
CONVERGED = 0.03  # of the tolerance: how far Newton's method goes
KEPT = (0.9, 1.5)  # a step that should change by a factor between these stays as it is, and so does its matrix
MERGE = 0.2  # of the tolerance: tails of halves that are put together
REST = 3  # steps between two attempts to put patches together
TRIES = 20  # of one step with ever smaller patches

_tableau: Any = diffrax.KenCarp4.tableau.tableaus[1]
TIMES = np.concatenate([[0.0], _tableau.c])
LOWER = [np.zeros(0), *_tableau.a_lower]
DIAGONAL = float(_tableau.a_diagonal[-1])
ERROR = np.asarray(_tableau.b_error)


@dataclass
class State:
    """At one time on given boxes: u, u', ... `(orders + 1, K, fields, functions)`."""

    t: float
    cells: Cells
    c: np.ndarray


@dataclass
class Step:
    """The new state, the error that the embedded method sees, how far stages of fields without a derivative in time scatter,
    and the values at all stages."""

    state: State
    error: float
    scatter: float
    times: np.ndarray
    stages: np.ndarray


class Stepper:
    """Steps on boxes that stay; matrices are kept while boxes and the length of steps do."""

    def __init__(self, statement: Statement, basis: Slice, tolerance: float):
        assert statement.time is not None
        self.statement, self.basis, self.time, self.tolerance = statement, basis, statement.time, tolerance
        leaves = statement.equations.leaves
        self.orders = np.array([max((a[self.time] for n, a in leaves if n == name), default=0) for name in statement.fields])
        self.order = max(1, int(self.orders.max()))
        self._stage: Stage | None = None
        self._by: Linearised | None = None

    def stage(self, boxes: np.ndarray, t: float, tau: float) -> Stage:
        known, same = self._stage, lambda a: np.array_equal(_flat(a, self.time), _flat(boxes, self.time))
        if known is None or abs(known.tau - tau) > 1e-12 * tau or not same(known.cells.boxes):
            known, self._by = Stage(self.statement, self.basis, boxes, t, tau), None
            self._stage = known
            for cover in self.statement.covers.values():
                if cover.made is not known.cover.made:
                    cover.made.clear()  # tables take most of the memory
        known.move(t)
        return known

    def _solved(self, stage: Stage, guess: np.ndarray, past: np.ndarray, first: bool = True) -> np.ndarray | None:
        stage.remember(past)
        found = stage.solved(guess, self._by, CONVERGED * self.tolerance, measure=first)
        if found is None:
            self._by = None
            return None
        self._by = found[1]
        return found[0]

    def start(self, boxes: np.ndarray) -> State:
        """The initial values."""
        t, initial = float(self.statement.whole[self.time, 0]), initial_of(self.statement)
        stage = Stage(self.statement, self.basis, boxes, t, 1.0)
        c = [stage.fitted(_of_order(initial, self.time, k)) for k in range(self.order)]
        return State(t, stage.cells, np.stack([*c, np.zeros_like(c[0])]))

    def euler(self, start: State, dt: float) -> Step | None:
        """An implicit step of Euler's method, for which no highest derivative at the start needs to be known."""
        stage, past = self.stage(start.cells.boxes, start.t + dt, dt), start.c[:-1]
        c = self._solved(stage, start.c[0], past)
        if c is None:
            return None
        new = self._levels(c, past, dt)
        start.c[-1] = new[-1]
        return Step(State(start.t + dt, _copied(stage.cells), new), 0.0, 0.0, np.ones(1), c[None])

    def _levels(self, c: np.ndarray, past: np.ndarray, tau: float) -> np.ndarray:
        """u, u', ... of a stage."""
        out = [c]
        for w in past:
            out.append((out[-1] - w) / tau)
        return np.stack(out)

    def step(self, start: State, dt: float) -> Step | None:
        """None where Newton's method does not converge. **Raises** `numpy.linalg.LinAlgError`."""
        tau = dt * DIAGONAL
        slopes, values = [start.c[1:]], [start.c[0]]
        stage, new = self.stage(start.cells.boxes, start.t + tau, tau), start.c
        for i in range(1, len(TIMES)):
            past = start.c[:-1] + dt * np.tensordot(LOWER[i], np.stack(slopes), axes=(0, 0))
            stage.move(start.t + TIMES[i] * dt)
            c = self._solved(stage, past[0] + tau * slopes[-1][0], past, first=i == 1)
            if c is None:
                return None
            new = self._levels(c, past, tau)
            slopes.append(new[1:])
            values.append(c)
        error = self._size(dt * np.tensordot(ERROR, np.stack([s[0] for s in slopes]), axes=(0, 0)), self.orders > 0)
        # No embedded method, and stages of low order: how far from a parabola they are.
        scatter = SCATTER * self._size(_scatter(np.stack(values)), self.orders == 0)
        return Step(State(start.t + dt, _copied(stage.cells), new), error, scatter, TIMES, np.stack(values))

    def bent(self, start: State, step: Step, dt: float) -> float:
        """The error of a step of Euler's method, dt^2/2 u'', by the slopes of a step that follows it."""
        change = dt**2 / 2 * (step.state.c[1] - start.c[1]) / (step.state.t - start.t)
        return self._size(change, self.orders > 0)

    def _size(self, c: np.ndarray, of: np.ndarray) -> float:
        """The largest root mean square of some fields on a patch, relative to their sizes."""
        assert self._stage is not None
        return float(self._stage.sized(c)[:, of].max(initial=0.0))

    def left(self, step: Step) -> np.ndarray:
        """What of the new state is not resolved, along every coordinate of each patch."""
        stage = self._stage
        assert stage is not None
        tail = stage.tails(step.state.c[0])
        # Of a stage from tau before to tau after, for all of the step.
        share = (1.0 if len(step.times) == 1 else 1 / DIAGONAL) / 2
        over_time, of_rows = stage.defects(step.state.c[0])
        # A residual that a rough coefficient leaves on a patch is spread before the step ends.
        left, cut = np.minimum(DEFECT * share * over_time, of_rows).max(axis=1), ~stage.cover.whole
        if cut.any():
            left = np.maximum(left, stage.missed(step.state.c[0]))
            # Coefficients say little where high degrees are nearly combinations of low ones: the longer side is halved.
            tail[cut] = stage.h[cut]
            tail[:, self.time] = 0
            tail[cut] /= tail[cut].max(axis=1, keepdims=True)
        least = np.where(cut, 0.0, 1.0)
        return tail * np.maximum(least, left / np.maximum(tail.max(axis=1), 1e-300))[:, None]

    def on(self, state: State, boxes: np.ndarray) -> State:
        """The same on other boxes."""
        flat = _flat(boxes, self.time)
        stage = Stage(self.statement, self.basis, flat, state.t, 1.0)
        cells = _moved(state.cells, self.time, state.t, 1.0)
        known = {_name(cells, k): k for k in range(len(cells.frames))}
        same = [known.get(_name(stage.cells, k)) for k in range(stage.patches)]
        here = np.array([i is not None for i in same])
        c = np.empty((len(state.c), stage.patches, *state.c.shape[2:]))
        c[:, here] = state.c[:, [i for i in same if i is not None]]
        # All levels are fields beside each other.
        levels = Pieces(self.basis, cells, state.c.transpose(1, 0, 2, 3).reshape(len(cells.frames), -1, self.basis.size))
        for k in np.flatnonzero(~here):
            z = stage.cover.z[k]
            values = levels(placed(stage.cells.frames[k], z), (0,) * z.shape[1])
            c[:, k] = fitted(self.basis, z, values).reshape(len(state.c), -1, self.basis.size)
        return State(state.t, stage.cells, c)

    @cached_property
    def _prism(self) -> tuple[Legendre, np.ndarray]:
        """Functions of space and time over a step, and which of space each is."""
        prism = Legendre(tuple(CUBIC if a == self.time else p for a, p in enumerate(self.basis.degrees)), True, self.time)
        place = {tuple(k): i for i, k in enumerate(self.basis.index)}
        flat = prism.index.copy()
        flat[:, self.time] = 0
        return prism, np.array([place[tuple(k)] for k in flat])

    def piece(self, start: State, step: Step) -> Pieces:
        """Fields in space and time over a step."""
        end = step.state
        prism, column = self._prism
        h = (end.t - start.t) / 2
        hermite = _hermite(np.stack([start.c[0], end.c[0], h * start.c[1], h * end.c[1]]))
        if np.any(self.orders == 0):
            still = self.orders == 0
            hermite[:, :, still] = _through(step.times, step.stages[:, :, still])
        c = hermite[prism.index[:, self.time], :, :, column].transpose(1, 2, 0)
        cells = _moved(end.cells, self.time, (start.t + end.t) / 2, h)
        return Pieces(prism, cells, np.ascontiguousarray(c))


def _name(cells: Cells, k: int) -> tuple[bytes, ...]:
    """Patches of the same are the same."""
    return cells.members(k).tobytes(), cells.frames[k].tobytes()


def _copied(cells: Cells) -> Cells:
    return Cells(cells.boxes.copy(), cells.owner, cells.frames.copy())


def _flat(boxes: np.ndarray, time: int) -> np.ndarray:
    boxes = boxes.copy()
    boxes[:, time] = -1, 1
    return boxes


def _moved(cells: Cells, time: int, t: float, half: float) -> Cells:
    boxes, frames = cells.boxes.copy(), cells.frames.copy()
    boxes[:, time] = frames[:, time] = t - half, t + half
    return Cells(boxes, cells.owner, frames)


def _normalised(values: np.ndarray) -> np.ndarray:
    return values * np.sqrt(2 * np.arange(CUBIC + 1) + 1)


_P = np.polynomial.legendre
_ENDS = np.array([-1.0, 1.0])
_SLOPES = np.stack([_P.legval(_ENDS, _P.legder(np.eye(CUBIC + 1)[k])) if k else 0 * _ENDS for k in range(CUBIC + 1)], axis=1)
_HERMITE = np.linalg.inv(_normalised(np.concatenate([_P.legvander(_ENDS, CUBIC), _SLOPES])))


def _hermite(given: np.ndarray) -> np.ndarray:
    """Coefficients in time `(4, ...)` of values and slopes at the ends."""
    return np.tensordot(_HERMITE, given, axes=(1, 0))


def _scatter(values: np.ndarray) -> np.ndarray:
    """How far the last stage is from a parabola through all."""
    table = _P.legvander(2 * TIMES - 1, 2)
    return values[-1] - np.tensordot(table[-1] @ np.linalg.pinv(table), values, axes=(0, 0))


def _through(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Coefficients in time of the cubic near values at `times` of [0, 1], those at the ends above all; of a constant if there
    is one of them."""
    degree = min(CUBIC, len(times) - 1)
    weights = np.where((times == 0) | (times == 1), AT_ENDS, 1.0)
    table = weights[:, None] * _normalised(_P.legvander(2 * times - 1, CUBIC))[:, : degree + 1]
    found = np.tensordot(np.linalg.pinv(table) * weights, values, axes=(1, 0))
    return np.concatenate([found, np.zeros((CUBIC - degree, *values.shape[1:]))])


def march_in_steps(
    out: Adapted, statement: Statement, basis: Legendre, tolerance: float, deadline: float, tell: Tell, late: float
) -> None:
    """Steps from the start of time to its end, one window after the other into `out`; until `late` where those so far let
    expect the end by then."""
    time = statement.time
    assert time is not None
    name = statement.pde.coordinates[time].name
    start, end = statement.whole[time]
    span = end - start
    degrees = tuple(0 if a == time else p for a, p in enumerate(basis.degrees))
    slice_ = Slice(degrees, True, time)
    stepper = Stepper(statement, slice_, tolerance)
    dt = FIRST * span

    def initially() -> np.ndarray:
        """Boxes that resolve the initial values."""
        return _flat(resolving(statement, slice_, initial_of(statement), start, start + dt, tolerance), time)

    began, rest, budget = clock.monotonic(), 0, Budget(deadline)
    if resumed := out.resumed():
        numbers, arrays = resumed
        dt, rest = numbers["dt"], int(numbers["rest"])
        state = State(numbers["t"], Cells(arrays["boxes"], arrays["owner"], arrays["frames"]), arrays["c"])
    else:
        state = stepper.start(initially())
    first, tried, bent, sharp = state.t, 0, np.inf, False  # whether patches do not resolve the start
    while state.t < end - 1e-12 * span:
        t = state.t
        dt = min(dt, end - t)
        tau = dt * (DIAGONAL if out.pieces else 1.0)
        now = clock.monotonic()
        budget.deadline = late if began + (now - began) * (end - first) / max(t - first, 1e-300) < late else deadline
        if short := budget.missing_for(stepper.stage(state.cells.boxes, t + tau, tau)):
            out.reason = f"{short} at {name} = {t:.4g}"
            return
        try:
            found = stepper.step(state, dt) if out.pieces else stepper.euler(state, dt)
        except np.linalg.LinAlgError:
            found = None
        if found is None:
            dt *= 0.5
            if dt < SHORTEST * span:
                out.reason = f"Newton's method failed at {name} = {t:.4g}"
                return
            continue
        error = max(found.error, found.scatter)
        factor = 0.9 * (tolerance / max(error, 1e-16)) ** 0.25
        if error > tolerance:
            dt *= max(0.2, min(factor, 0.9))
            continue
        tail = stepper.left(found)
        if tail.max() > tolerance:
            boxes = state.cells.boxes
            new, tried = refined(boxes, tail[state.cells.owner], tolerance, statement.space, max(slice_.degrees)), tried + 1
            if len(new) <= MOST_PATCHES and tried < TRIES:
                state = stepper.on(state, new)
                continue
            if out.pieces or dt >= LATEST * span:
                out.reason = f"more than {MOST_PATCHES} patches are needed at {name} = {t:.4g}"
                return
            # It spreads: a little later fewer patches do.
            state, dt, sharp, tried = stepper.start(initially()), 3 * dt, True, 0
            continue
        if len(out.pieces) == 1:
            off = stepper.bent(state, found, t - start)
            if tolerance < off < FALLS * bent and not sharp:
                # Euler's method began with too long a step.
                out.pieces, out.history, bent = [], [], off
                state, dt = stepper.start(state.cells.boxes), max(0.5 * np.sqrt(tolerance / off), 0.01) * (t - start)
                continue
            if sharp or off > tolerance:
                out.notes.append(
                    "What is at the start, or between initial values and boundary there, is too sharp to be resolved: up to "
                    f"{name} = {t:.2g}, the first step, the solution is less accurate."
                )
        out.pieces.append(stepper.piece(state, found))
        state, tried = found.state, 0
        out.history.append({"t": float(state.t), "patches": len(state.cells.boxes), "tail": float(max(error, tail.max()))})
        tell({"t": f"{state.t:.4g}", "patches": str(len(state.cells.boxes))})
        factor = min(factor, GROWTH)
        if not KEPT[0] < factor < KEPT[1]:
            dt *= factor
        if dt < end - state.t < 1.5 * dt:
            dt = (end - state.t) / 2  # two alike rather than a short one
        rest += 1
        if rest >= REST and state.t < end:
            state, rest = _joined(stepper, state, tolerance), 0
        out.note({"t": float(state.t), "dt": float(dt), "rest": rest}, vars(state.cells) | {"c": state.c})


@dataclass(frozen=True)
class Halves:
    """Fields over a window, in two steps."""

    first: Pieces
    second: Pieces

    def on(self, k: int, x: np.ndarray, alpha: tuple[int, ...]) -> np.ndarray:
        time = self.first.basis.beside
        assert time is not None
        late = x[:, time] > self.first.cells.frames[k, time, 1]
        return np.where(late, self.second.on(k, x, alpha), self.first.on(k, x, alpha))


def again_in_steps(statement: Statement, pieces: list[Pieces], degrees: tuple[int, ...], tolerance: float) -> list[Halves]:
    """The same patches with functions of other degrees, and steps half as long.

    **Raises** `FloatingPointError` where a step does not converge."""
    time = statement.time
    assert time is not None
    slice_ = Slice(tuple(0 if a == time else p for a, p in enumerate(degrees)), True, time)
    stepper, out = Stepper(statement, slice_, tolerance), []
    state = stepper.start(pieces[0].cells.boxes)
    for piece in pieces:
        t, end = piece.cells.boxes[0, time]
        if not np.array_equal(_flat(piece.cells.boxes, time), _flat(state.cells.boxes, time)):
            state = stepper.on(state, piece.cells.boxes)
        made = []
        for _ in range(2):
            found = stepper.step(state, (end - t) / 2) if out else stepper.euler(state, (end - t) / 2)
            if found is None:
                raise FloatingPointError(f"with steps half as long Newton's method failed at t = {t:.4g}")
            made.append(stepper.piece(state, found))
            state = found.state
        out.append(Halves(*made))
    return out


def _of_order(initial: Any, time: int, order: int) -> Callable[..., np.ndarray]:
    def at(x: np.ndarray, alpha: tuple[int, ...]) -> np.ndarray:
        return initial(x, tuple(order if a == time else k for a, k in enumerate(alpha)))

    return at


def _joined(stepper: Stepper, state: State, tolerance: float) -> State:
    """Halves put together where the state is smooth."""
    statement, time = stepper.statement, stepper.time
    known = Pieces(stepper.basis, _moved(state.cells, time, 0.0, 1.0), state.c[0])
    roots, most = _flat(statement.roots(), time), MERGE * tolerance
    # What is not smooth on a half is not on the whole; patches that are cut do not say.
    rough = tails(stepper.basis, state.c[0] / statement.scales[:, None]).max(axis=1)[state.cells.owner] > most
    rough &= np.prod(half(state.cells.frames)[state.cells.owner], axis=1) > 0.99 * np.prod(half(state.cells.boxes), axis=1)
    middles = state.cells.boxes[rough].mean(axis=2)[:, statement.space]

    def smooth(box: np.ndarray) -> bool:
        low, high = box[statement.space].T
        if np.any(np.all((middles > low) & (middles < high), axis=1)):
            return False
        return bool(tails_of(statement, stepper.basis, box, known, 0.0).max() < most)

    boxes = _flat(state.cells.boxes, time)
    new = merged(boxes, roots, smooth)
    return state if len(new) == len(boxes) else stepper.on(state, new)
