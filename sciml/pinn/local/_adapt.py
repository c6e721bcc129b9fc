"""Patches and windows that follow the solution.

A window of time is accepted where on every patch the tails of the expansion along space and time, and what the equations
leave between the points they were solved at, are below the tolerance. Otherwise the patches that are not resolved are halved
along the coordinate with the largest tail, or the window is shortened. Between windows, halves are put together again where
the state is smooth, and the window grows by at most 2.5.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ._basis import Legendre
from ._patches import halves, merged
from ._pieces import Pieces, placed
from ._statement import Statement
from ._system import Before, System, fitting, points_of, tails

DEFECT = 0.1  # of what the equations leave over a window reaches the solution
FIRST = 0.1  # of the time: the first window
GROWTH = 2.5
DEPTH = 14  # halvings of the initial value
MOST_PATCHES = 400
MERGE = 0.02  # of the tolerance: tails of halves that are put together
FAR = 5.0  # times the tolerance: not worth a further step of Newton's method
POOR = 0.3  # relative change in Newton's second step, above which the window is too long
COST = 1.5  # the power of the number of patches that a step takes, in two dimensions
SLOW = 0.5  # of what it was two levels before: a misfit that does not fall
SHORTEST = 1e-9  # of the time

Tell = Callable[[dict[str, str]], None]


@dataclass
class Adapted:
    """The solution in windows of time (one where there is none), and why it ended."""

    pieces: list[Pieces] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)
    reason: str = ""
    interrupted: bool = False

    @property
    def complete(self) -> bool:
        return not self.reason


def march(out: Adapted, statement: Statement, basis: Legendre, tolerance: float, deadline: float, tell: Tell) -> None:
    """Windows from the start of time to its end, one after the other into `out`."""
    time = statement.time
    assert time is not None
    start, end = statement.whole[time]
    t, dt, span = start, FIRST * (end - start), end - start
    before: Before = _initial(statement)
    boxes = _resolving(statement, basis, before, start, start + dt, tolerance)
    guess = None
    began, took = clock.monotonic(), 0.0  # of a step, for each patch to the power COST
    while t < end - 1e-12 * span:
        if t - start < 1e-3 * span and clock.monotonic() > began + 0.4 * (deadline - began):
            out.reason = "the windows stay short at the start: what changes there is too sharp for the time that it has"
            return
        tick = clock.monotonic()
        if tick + took * len(boxes) ** COST > deadline:
            out.reason = f"max_time was reached at {statement.pde.coordinates[time].name} = {t:.4g}"
            return
        dt = end - t if end - t - dt < 0.3 * dt else dt
        boxes[:, time] = t, t + dt
        system = System(statement, basis, boxes.copy(), before)
        try:
            found = system.newton(_start(system, guess or _constant(before, time, t)), 0.1 * tolerance, steps=2)
            ok = np.isfinite(found.change) and found.change < POOR
            if ok and found.change > 0.1 * tolerance and system.tails(found.c).max() < FAR * tolerance:
                found = system.newton(found.c, 0.1 * tolerance)
                ok = found.change < 1e-3
        except np.linalg.LinAlgError:
            ok, found = False, None
        took = (clock.monotonic() - tick) / len(boxes) ** COST
        if not ok or found is None:
            dt, guess = 0.5 * dt, None
            if dt < SHORTEST * span:
                out.reason = f"Newton's method failed at {statement.pde.coordinates[time].name} = {t:.4g}"
                return
            continue
        tail = system.tails(found.c)
        left = DEFECT * system.defect(found.c)
        tail *= np.maximum(1, left / np.maximum(tail.max(axis=1), 1e-300))[:, None]
        in_time, in_space = tail[:, time].max(), np.delete(tail, time, axis=1).max()
        pieces = Pieces(basis, system.boxes, found.c)
        power = 1 / max(4, basis.degrees[time] - 2)
        if in_time > tolerance and in_time >= 0.3 * in_space and dt > SHORTEST * span:
            dt *= np.clip(0.9 * (tolerance / in_time) ** power, 0.3, 0.7)
            guess = pieces
            continue
        if in_space > tolerance:
            boxes = _refined(boxes, tail, tolerance, statement.space, max(basis.degrees))
            guess = pieces
            if len(boxes) > MOST_PATCHES:
                out.reason = f"more than {MOST_PATCHES} patches are needed at {statement.pde.coordinates[time].name} = {t:.4g}"
                return
            continue
        out.pieces.append(pieces)
        t, guess, before = t + dt, None, pieces
        out.history.append({"t": float(t), "patches": len(boxes), "tail": float(max(in_time, in_space))})
        tell({"t": f"{t:.4g}", "patches": str(len(boxes))})
        whole = statement.whole.copy()
        whole[time] = boxes[0, time]
        smooth = lambda box, t=t, before=before: (  # noqa: E731
            np.delete(_tails_of(statement, basis, box, before, t), time).max() < MERGE * tolerance
        )
        boxes = merged(boxes, whole, smooth)
        dt *= np.clip(0.9 * (tolerance / max(in_time, 1e-16)) ** power, 0.5, GROWTH)


def refine(out: Adapted, statement: Statement, basis: Legendre, tolerance: float, deadline: float, tell: Tell) -> None:
    """Patches without time, halved until equations, conditions and jumps hold between the points; the last into `out`."""
    boxes = np.array([statement.whole])
    for axis in statement.space:
        boxes = np.array([b for box in boxes for b in halves(box, axis)])
    while True:
        system = System(statement, basis, boxes)
        began = clock.monotonic()
        start = np.zeros((len(boxes), len(statement.fields), basis.size))
        if out.pieces and not statement.linear:
            start = _start(system, out.pieces[-1])
        try:
            found = system.newton(start, 0.1 * tolerance, steps=15)
        except np.linalg.LinAlgError:
            out.reason = "equations and conditions do not determine the solution on every patch"
            return
        if not np.all(np.isfinite(found.c)):
            out.reason = "Newton's method failed"
            return
        off = np.maximum(system.defect(found.c), system.misfit(found.c))
        out.pieces = [Pieces(basis, boxes, found.c)]
        levels = [row["misfit"] for row in out.history[-2:]] + [float(off.max())]
        out.history.append({"patches": len(boxes), "misfit": float(off.max())})
        tell({"patches": str(len(boxes)), "misfit": f"{off.max():.1e}"})
        if off.max() < tolerance:
            out.reason = "" if found.change < 1e-3 else "Newton's method did not converge"
            return
        if len(levels) == 3 and levels[2] > SLOW * levels[0]:
            out.reason = f"equations and conditions hold to {off.max():.1e}, and halving patches does not help"
            return
        tail = system.tails(found.c)
        new = []
        for k, box in enumerate(boxes):
            parts = [box]
            if off[k] > max(tolerance, 0.03 * off.max()):
                for axis in statement.space:
                    if tail[k, axis] >= 0.1 * tail[k].max():
                        parts = [b for p in parts for b in halves(p, axis)]
            new += parts
        taken = clock.monotonic() - began
        if len(new) > MOST_PATCHES or clock.monotonic() + 2 * taken * len(new) / len(boxes) > deadline:
            out.reason = f"equations and conditions hold to {off.max():.1e}, and more patches would take more than max_time"
            return
        boxes = np.array(new)


def again(statement: Statement, pieces: list[Pieces], basis: Legendre) -> list[Pieces]:
    """The same windows and patches with other functions."""
    out: list[Pieces] = []
    time = statement.time
    before = None if time is None else _initial(statement)
    for piece in pieces:
        system = System(statement, basis, piece.boxes, before)
        found = system.newton(_start(system, piece), 1e-12, steps=3)
        out.append(Pieces(basis, piece.boxes, found.c))
        before = None if time is None else out[-1]
    return out


def _constant(before: Before, time: int, t: float) -> Before:
    """The state at time t at all times."""

    def at(x: np.ndarray, alpha: tuple[int, ...]) -> np.ndarray:
        x = x.copy()
        x[:, time] = t
        return before(x, alpha)

    return at


def _initial(statement: Statement) -> Before:
    """The initial values; zero where there are none."""

    def at(x: np.ndarray, alpha: tuple[int, ...]) -> np.ndarray:
        out = np.zeros((len(statement.fields), len(x)))
        for c in statement.at_start:
            if alpha == tuple(c.order if a == statement.time else 0 for a in range(len(alpha))):
                r, slopes = c.at(np.zeros((len(c.at.leaves), len(x))), x)
                out[statement.fields.index(c.field)] = -r[0] / slopes[0, 0]
        return out

    return at


def _start(system: System, state: Before) -> np.ndarray:
    """Coefficients of given fields on the patches of a system."""
    d = system.z.shape[1]
    return np.stack([state(placed(box, system.z), (0,) * d) @ fitting(system.basis).T for box in system.boxes])


def _tails_of(statement: Statement, basis: Legendre, box: np.ndarray, state: Before, t: float) -> np.ndarray:
    """Tails `(d,)` of the state at time t on a box."""
    time = statement.time
    assert time is not None
    z = points_of(basis)
    values = _constant(state, time, t)(placed(box, z), (0,) * z.shape[1]) / statement.scales[:, None]
    return tails(basis, (values @ fitting(basis).T)[None])[0]


def _resolving(
    statement: Statement, basis: Legendre, state: Before, t: float, end: float, tolerance: float
) -> np.ndarray:
    """Boxes on which the state at the start is resolved."""
    time = statement.time
    assert time is not None
    whole = statement.whole.copy()
    whole[time] = t, end
    pending, out = [(whole, 0)], []
    for axis in statement.space:
        pending = [(b, 0) for box, _ in pending for b in halves(box, axis)]
    while pending:
        box, depth = pending.pop()
        tail = _tails_of(statement, basis, box, state, t)
        tail[time] = 0
        if tail.max() > tolerance and depth < DEPTH and len(out) + len(pending) < MOST_PATCHES:
            pending += [(b, depth + 1) for b in halves(box, int(np.argmax(tail)))]
        else:
            out.append(box)
    return np.array(sorted(out, key=lambda b: tuple(b[:, 0])))


def _refined(boxes: np.ndarray, tail: np.ndarray, tolerance: float, space: list[int], degree: int) -> np.ndarray:
    """Boxes halved where they do not resolve; twice where the tail is far above the tolerance (a halving gains about
    2^(degree / 2))."""
    new = []
    for box, size in zip(boxes, tail, strict=True):
        parts = [box]
        axis = space[int(np.argmax(size[space]))]
        if size[axis] > tolerance:
            parts = halves(box, axis)
            if size[axis] > tolerance * 2.0 ** (0.7 * degree):
                parts = [b for p in parts for b in halves(p, axis)]
        new += parts
    return np.array(new)
