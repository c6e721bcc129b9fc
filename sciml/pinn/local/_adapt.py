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
from ._cover import fitted, points_of
from ._grading import Grading, gradings_of, moved_by, touches
from ._patches import halves, halves_along, merged
from ._pieces import Pieces, placed
from ._statement import Statement
from ._system import Before, System, tails
from ._trail import Trail

DEFECT = 0.1  # of what the equations leave over a window reaches the solution
FIRST = 0.1  # of the time: the first window
GROWTH = 2.5
DEPTH = 14  # halvings of the initial value
MOST_PATCHES = 400
MOST_CELLS = 1200  # without time
MERGE = 0.02  # of the tolerance: tails of halves that are put together
FAR = 5.0  # times the tolerance: not worth a further step of Newton's method
POOR = 0.3  # relative change in Newton's second step, above which the window is too long
RATE = 2e9  # multiplications a second of all steps with a system, until it is known
MOST_BYTES = 1024**3  # of a factor; rows take as much again
ENOUGH = 0.01  # of what the level before left: where Newton's method ends
SLOW = 0.5  # of what it was two levels before: a misfit that does not fall
SHORTEST = 1e-9  # of the time
ACCEPTED = 1e-4  # what equations and conditions hold to, without time, where nothing better is found
TINY = 1e-300

Tell = Callable[[dict[str, str]], None]


@dataclass
class Adapted:
    """The solution in windows of time (one where there is none), and why it ended."""

    pieces: list[Pieces] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    reason: str = ""
    interrupted: bool = False
    tolerance: float = 0.0
    trail: Trail | None = None
    misfit: float = np.inf  # without time: the smallest that equations and conditions hold to, that of `pieces`

    def resumed(self) -> tuple[dict[str, float], dict[str, np.ndarray]] | None:
        """Takes the windows of an earlier run; what the next one needs."""
        found = None if self.trail is None else self.trail.begin()
        if found is None:
            return None
        self.pieces, said, numbers, arrays = found
        self.history, self.notes = said["history"], said["notes"]
        return numbers, arrays

    def note(self, numbers: dict[str, float], arrays: dict[str, np.ndarray]) -> None:
        """What the next window needs."""
        if self.trail is not None:
            self.trail.note(self.pieces, {"history": self.history, "notes": self.notes}, numbers, arrays)

    @property
    def complete(self) -> bool:
        return not self.reason


class Budget:
    """Whether what a system needs is there: time until `deadline`, and memory."""

    def __init__(self, deadline: float):
        self.deadline, self._rate = deadline, 0.0

    def learn(self, system: System, seconds: float) -> None:
        # The fastest: small systems, and the first one, take time for other things.
        self._rate = max(self._rate, system.cost[0] / seconds)

    def missing_for(self, system: System) -> str:
        """What is missing for so many steps as before; empty where nothing is."""
        flops, memory = system.cost
        if memory > MOST_BYTES:
            return f"{system.patches} patches need {memory / 1024**3:.1f} GiB"
        if clock.monotonic() + flops / (self._rate or RATE) > self.deadline:
            return "max_time was reached"
        return ""


def march(
    out: Adapted, statement: Statement, basis: Legendre, tolerance: float, deadline: float, tell: Tell, late: float
) -> None:
    """Windows from the start of time to its end, one after the other into `out`; until `late` where the windows so far let
    expect the end by then."""
    time = statement.time
    assert time is not None
    start, end = statement.whole[time]
    t, dt, span = start, FIRST * (end - start), end - start
    before: Before = initial_of(statement)
    if resumed := out.resumed():
        t, dt, boxes, before = resumed[0]["t"], resumed[0]["dt"], resumed[1]["boxes"], out.pieces[-1]
    else:
        boxes = resolving(statement, basis, before, start, start + dt, tolerance)
    guess = None
    began, budget = clock.monotonic(), Budget(deadline)
    while t < end - 1e-12 * span:
        if t - start < 1e-3 * span and clock.monotonic() > began + 0.4 * (deadline - began):
            out.reason = "the windows stay short at the start: what changes there is too sharp for the time that it has"
            return
        dt = end - t if end - t - dt < 0.3 * dt else dt
        boxes[:, time] = t, t + dt
        system = System(statement, basis, boxes, before)
        boxes = system.cells.boxes.copy()
        short, taken = budget.missing_for(system), clock.monotonic() - began
        if short and began + taken * span / max(t - start, TINY) < late:
            budget.deadline = late
            short = budget.missing_for(system)
        if short:
            out.reason = f"{short} at {statement.pde.coordinates[time].name} = {t:.4g}"
            return
        tick = clock.monotonic()
        try:
            found = system.newton(system.fitted(guess or _constant(before, time, t)), 0.1 * tolerance, steps=2)
            ok = np.isfinite(found.change) and found.change < POOR
            if ok and found.change > 0.1 * tolerance and system.tails(found.c).max() < FAR * tolerance:
                found = system.newton(found.c, 0.1 * tolerance)
                ok = found.change < 1e-3
        except np.linalg.LinAlgError:
            ok, found = False, None
        budget.learn(system, clock.monotonic() - tick)
        if not ok or found is None:
            dt, guess = 0.5 * dt, None
            if dt < SHORTEST * span:
                out.reason = f"Newton's method failed at {statement.pde.coordinates[time].name} = {t:.4g}"
                return
            continue
        tail = system.tails(found.c)
        left = DEFECT * system.defect(found.c)
        tail *= np.maximum(1, left / np.maximum(tail.max(axis=1), TINY))[:, None]
        in_time, in_space = tail[:, time].max(), np.delete(tail, time, axis=1).max()
        pieces = Pieces(basis, system.cells, found.c)
        power = 1 / max(4, basis.degrees[time] - 2)
        if in_time > tolerance and in_time >= 0.3 * in_space and dt > SHORTEST * span:
            dt *= np.clip(0.9 * (tolerance / in_time) ** power, 0.3, 0.7)
            guess = pieces
            continue
        if in_space > tolerance:
            boxes = refined(boxes, tail[system.cells.owner], tolerance, statement.space, max(basis.degrees))
            guess = pieces
            if len(boxes) > MOST_PATCHES:
                out.reason = f"more than {MOST_PATCHES} patches are needed at {statement.pde.coordinates[time].name} = {t:.4g}"
                return
            continue
        out.pieces.append(pieces)
        t, guess, before = t + dt, None, pieces
        out.history.append({"t": float(t), "patches": len(boxes), "tail": float(max(in_time, in_space))})
        tell({"t": f"{t:.4g}", "patches": str(len(boxes))})
        roots = statement.roots()
        roots[:, time] = boxes[0, time]
        smooth = lambda box, t=t, before=before: (  # noqa: E731
            np.delete(tails_of(statement, basis, box, before, t), time).max() < MERGE * tolerance
        )
        boxes = merged(boxes, roots, smooth)
        dt *= np.clip(0.9 * (tolerance / max(in_time, 1e-16)) ** power, 0.5, GROWTH)
        out.note({"t": float(t), "dt": float(dt)}, {"boxes": boxes})


def refine(
    out: Adapted, statement: Statement, basis: Legendre, tolerance: float, deadline: float, tell: Tell, late: float
) -> None:
    """Patches without time, halved until equations, conditions and jumps hold between the points; the best into `out`.

    Where that falls like a power of the size of a patch, at a corner of the domain, patches are halved towards the corner
    as often as the power says, and what is left at it counts by the part of the domain that it is of. A level begins before
    `deadline`, one that is good enough to be the last before `late`."""
    space = statement.space
    boxes = np.array([b for root in statement.roots() for b in halves_along(root, space)])
    budget = Budget(deadline)
    last: Pieces | None = None
    gradings: list[Grading] = []
    worst = 0.1
    since = 0  # the level that they have been known from
    past: dict[bytes, tuple[float, ...]] = {}  # what the patches left that a cell was in
    while True:
        began = clock.monotonic()
        system = System(statement, basis, boxes)
        boxes, owner = system.cells.boxes, system.cells.owner
        if out.misfit < ACCEPTED:
            budget.deadline = late
        if short := budget.missing_for(system):
            out.reason = f"{short}; equations and conditions hold to {out.misfit:.1e}"
            return
        start = np.zeros((system.patches, len(statement.fields), basis.size))
        if last is not None and not statement.linear:
            start = system.fitted(last)
        try:
            # No better than the level before lets this one be.
            found = system.newton(start, max(0.1 * tolerance, ENOUGH * worst), steps=15)
        except np.linalg.LinAlgError:
            out.reason = "equations and conditions do not determine the solution on every patch"
            return
        if not np.all(np.isfinite(found.c)):
            out.reason = "Newton's method failed"
            return
        left = np.maximum(system.defect(found.c), system.misfit(found.c))
        now = [(*past.get(box.tobytes(), ()), float(left[k])) for k, box in zip(owner, boxes, strict=True)]
        earlier, gradings = gradings, gradings_of(statement, boxes, now, gradings)
        if len(gradings) != len(earlier):
            since, out.misfit = len(out.history), np.inf  # before, nothing told how far the solution is off
        at = [next((g for g in gradings if touches(box[space], g.corner)), None) for box in boxes]
        off, moved = left, 0.0
        if gradings:
            # What a corner leaves is large on ever smaller patches; and it reaches all of the solution, where nothing tells but
            # that the solution moves.
            off = left * np.minimum(1, np.sqrt(system.patches * system.cover.volume / system.cover.volume.sum()))
            assert last is not None
            moved = moved_by(statement, last, Pieces(basis, system.cells, found.c))
        last = Pieces(basis, system.cells, found.c)
        worst = max(float(off.max()), moved, found.change)
        if found.change < 1e-3 and worst < out.misfit or not out.pieces:
            out.pieces, out.misfit = [last], worst
        levels = [row["misfit"] for row in out.history[since:][-2:]] + [worst]
        out.history.append({"patches": system.patches, "misfit": worst})
        tell({"patches": str(system.patches), "misfit": f"{worst:.1e}"})
        if worst < tolerance:
            out.reason = "" if found.change < 1e-3 else "Newton's method did not converge"
            return
        if len(levels) == 3 and levels[2] > SLOW * levels[0]:
            out.reason = f"equations and conditions hold to {out.misfit:.1e}, and halving patches does not help"
            return
        shades = [
            grading or next((g for g in gradings if g.shades(box[space], float(left[k]))), None)
            for k, box, grading in zip(owner, boxes, at, strict=True)
        ]
        for k, grading in zip(owner, shades, strict=True):
            if grading is not None:
                grading.need(float(off[k]) / tolerance, 1 + grading.falls)
                grading.need(moved / tolerance, max(grading.falls, 0.5))
        tail = system.tails(found.c)
        new, past = [], {}
        for k, box, before, grading, shade in zip(owner, boxes, now, at, shades, strict=True):
            parts = [box]
            if grading is not None:
                parts = grading.cut(box, space)
            elif shade is None and off[k] > max(tolerance, 0.03 * off.max()):
                parts = halves_along(box, [a for a in space if tail[k, a] >= 0.1 * tail[k].max()])
            past |= {p.tobytes(): before if len(parts) > 1 else before[:-1] for p in parts}
            new += parts
        budget.learn(system, clock.monotonic() - began)
        if len(new) > MOST_CELLS:
            out.reason = f"equations and conditions hold to {out.misfit:.1e}, and more than {MOST_CELLS} patches are needed"
            return
        boxes = np.array(new)


def again(statement: Statement, pieces: list[Pieces], basis: Legendre) -> list[Pieces]:
    """The same windows and patches with other functions: one step of Newton's method, which from so near squares the error."""
    out: list[Pieces] = []
    time = statement.time
    before = None if time is None else initial_of(statement)
    for piece in pieces:
        system = System(statement, basis, piece.cells.boxes, before)
        found = system.newton(system.fitted(piece), 0.0, steps=1)
        out.append(Pieces(basis, system.cells, found.c))
        before = None if time is None else out[-1]
    return out


def _constant(before: Before, time: int, t: float) -> Before:
    """The state at time t at all times."""

    def at(x: np.ndarray, alpha: tuple[int, ...]) -> np.ndarray:
        x = x.copy()
        x[:, time] = t
        return before(x, alpha)

    return at


def initial_of(statement: Statement) -> Before:
    """The initial values; zero where there are none."""

    def at(x: np.ndarray, alpha: tuple[int, ...]) -> np.ndarray:
        out = np.zeros((len(statement.fields), len(x)))
        for c in statement.at_start:
            if alpha == tuple(c.order if a == statement.time else 0 for a in range(len(alpha))):
                found = c.at(np.zeros((len(c.at.leaves), len(x))), x)
                out[statement.fields.index(c.field)] = -found.r[0] / found.slopes[0, 0]
        return out

    return at


def tails_of(statement: Statement, basis: Legendre, box: np.ndarray, state: Before, t: float) -> np.ndarray:
    """Tails `(d,)` of the state at time t on a box."""
    time = statement.time
    assert time is not None
    z = points_of(basis)
    inside = statement.inside(placed(box, z))
    if inside.sum() < basis.size:
        return np.zeros(len(box))
    z = z if inside.all() else z[inside]
    values = _constant(state, time, t)(placed(box, z), (0,) * z.shape[1]) / statement.scales[:, None]
    return tails(basis, fitted(basis, z, values)[None])[0]


def resolving(
    statement: Statement, basis: Legendre, state: Before, t: float, end: float, tolerance: float
) -> np.ndarray:
    """Boxes on which the state at the start is resolved."""
    time = statement.time
    assert time is not None
    roots = statement.roots()
    roots[:, time] = t, end
    pending, out = [(root, 0) for root in roots], []
    for axis in statement.space:
        pending = [(b, 0) for box, _ in pending for b in halves(box, axis)]
    while pending:
        box, depth = pending.pop()
        tail = tails_of(statement, basis, box, state, t)
        tail[time] = 0
        if tail.max() > tolerance and depth < DEPTH and len(out) + len(pending) < MOST_PATCHES:
            pending += [(b, depth + 1) for b in halves(box, int(np.argmax(tail)))]
        else:
            out.append(box)
    return np.array(sorted(out, key=lambda b: tuple(b[:, 0])))


def refined(boxes: np.ndarray, tail: np.ndarray, tolerance: float, space: list[int], degree: int) -> np.ndarray:
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
