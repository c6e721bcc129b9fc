"""Which states of a run are kept: so many that what is interpolated between them is as right as the steps are.

Each interval between two kept times is measured in its middle: the interpolation there against the integrator itself, which
goes half the interval from the state at its start. Where it is off the interval is cut, and its parts are measured anew; so
times crowd in initial layers. Nothing has to be integrated where the solution is smooth: the error of Hermite's polynomial is

    u - p = u^(8)(xi) / 8!  prod (t - t_i)^2

(Davis 1975, theorem 3.5.1), so that how well a kept time is interpolated from its neighbours, twice as far apart, tells what is
left in the intervals beside it.
"""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._grid import nearest, time_weights

SAVES = 101
MOST_MORE = 4096  # times that are kept beside those asked for
MOST_BYTES = 1 << 28  # of those, or as much as those asked for take
SHORTEST = 1e-10  # interval, of the whole span
SAFETY = 4.0  # between what is left by the formula above, and what is believed
DEEPEST = 3  # halvings at a time
SAME = 0.25  # an interval that was cut is off by less than this part of before, or the steps themselves are looked at
MOST_STALLS, SMALL = 3, 1e-6  # cuts that did not help, of what is off by less than that


class AbstractRun(abc.ABC):
    """An integration that goes forward from any of its states. `controlled`: whether its steps follow an error estimate."""

    controlled: bool

    @abc.abstractmethod
    def advance(self, state: Any, t1: float, pause: float) -> Any:
        """The state at `t1`, or after the first step that ends at or after `pause`; before both where it broke down."""

    @abc.abstractmethod
    def half(self, state: Any, t1: float) -> Any:
        """The state at `t1`, half an interval later."""

    @abc.abstractmethod
    def light(self, state: Any) -> Any:
        """What has to be kept of a state to go on from it, in place of it."""

    @abc.abstractmethod
    def time(self, state: Any) -> float: ...

    @abc.abstractmethod
    def steps(self, state: Any) -> int: ...

    @abc.abstractmethod
    def finite(self, state: Any) -> bool: ...

    @abc.abstractmethod
    def seen(self, state: Any) -> tuple[np.ndarray, np.ndarray, Any]:
        """The fields on the grid, their time derivatives, and what else is kept."""


@dataclass(eq=False)
class Row:
    """What is kept at a time. `state`: to go on from, as long as the interval that starts here may be cut; `middle`: the row in
    the middle of it, once computed; `before`: by how much the interval was off that this one was cut from; `stalled`: how often
    that did not help."""

    t: float
    values: np.ndarray
    rates: np.ndarray
    more: Any
    state: Any
    steps: int
    asked: bool
    middle: Row | None = None
    before: float = math.inf
    stalled: int = 0


@dataclass
class Saved:
    """The rows of a run. `smooth`: interpolated by Hermite's polynomials through four of them and measured in the largest
    difference, or by lines and measured in the mean one; `tolerance`: relative to the largest so far, at least `floor`, of
    each group of fields (the real and the imaginary part of one). `off`, `where`, `which`: the worst that was measured and
    left; `extra`: steps that the measurements took."""

    run: AbstractRun
    smooth: bool
    tolerance: float
    floor: np.ndarray
    groups: np.ndarray
    whole: float  # the span of all times
    bytes: int
    spacing: float
    rows: list[Row] = field(default_factory=list)
    settled: int = 0  # intervals before this one fit
    freed: int = 0  # rows before this one are not gone on from
    added: int = 0
    tolerated: float = 0.0
    off: float = 0.0
    where: float = 0.0
    which: int = 0
    extra: int = 0

    # Going forward ----------------------------------------------------------------------------------------------------

    def begin(self, state: Any) -> None:
        self.rows.append(self._row(state, True))

    def go(self, state: Any, t1: float) -> Any:
        """To `t1`, with rows at steps between where they may be needed; short of it where the run broke down."""
        while self.rows[-1].t < t1:
            last = self.rows[-1]
            parts = math.ceil((t1 - last.t) / self.spacing * (1 - 1e-9)) if self._room() else 1
            pause = last.t + (t1 - last.t) / parts if parts > 1 else t1
            state = self.run.advance(state, t1, pause)
            t = self.run.time(state)
            if not self.add(state, t == t1) or t < pause:
                break
            self.settle(False)
        return state

    def add(self, state: Any, asked: bool = False) -> bool:
        """One more row, if the run got there."""
        further = self.run.finite(state) and self.run.time(state) > self.reached
        if further:
            self.rows.append(self._row(state, asked))
            self.added += not asked
        return further

    @property
    def reached(self) -> float:
        return self.rows[-1].t

    def _row(self, state: Any, asked: bool = False) -> Row:
        values, rates, more = self.run.seen(state)
        self.floor = np.maximum(self.floor, self._sizes(values))
        light = self.run.light(state)
        return Row(self.run.time(state), values, rates, more, light, self.run.steps(state), asked)

    def _room(self) -> bool:
        return self.added < MOST_MORE and self.added * self.rows[0].values.nbytes * 2 < self.bytes

    # Between ----------------------------------------------------------------------------------------------------------

    def settle(self, done: bool) -> None:
        """Measures all intervals whose neighbours are known, and cuts those that are off."""
        while self.settled + 1 < len(self.rows) and (done or self.settled + 3 < len(self.rows)):
            k = self.settled
            left, cut = self._measured(k)
            if cut:
                self.rows[k + 1 : k + 1] = cut
                self.added += len(cut)
                self.settled = max(k - 1, 0)  # where one of the four nearest times is another now
                continue
            longer = (self.tolerance / SAFETY / max(left, 1e-300)) ** (1 / self.order)
            self.spacing = (self.rows[k + 1].t - self.rows[k].t) * min(max(longer, 1.0), 2.0)
            self.settled = k + 1
        for row in self.rows[self.freed : max(self.settled - 3, self.freed)]:
            row.state = row.middle = None
        self.freed = max(self.settled - 3, self.freed)

    def _measured(self, k: int) -> tuple[float, list[Row]]:
        """By how much interval `k` is off in its middle, and the rows that it needs more: none where it fits."""
        a, b = self.rows[k], self.rows[k + 1]
        calm = self._calm(k)
        if calm <= self.tolerance / SAFETY or a.state is None:
            return calm, []
        if a.middle is None:
            state = self.run.half(a.state, (a.t + b.t) / 2)
            self.extra += self.run.steps(state) - a.steps
            if not self.run.finite(state) or self.run.time(state) <= a.t:
                return 0.0, []
            a.middle = self._row(state)
        middle = a.middle
        first, times = self._near(k)
        off = self._off(middle, first + nearest(times, middle.t, self.smooth))
        worst = float(np.max(off))
        if self.tolerance < worst <= self.tolerated and worst > self.off:
            self.off, self.where, self.which = worst, middle.t, int(np.argmax(off))
        wrong = off > max(self.tolerance, self.tolerated)
        if np.any(wrong) and (worst > SAME * a.before or not self.run.controlled):
            wrong &= ~self._as_good(middle, b, off)
        if not np.any(wrong):
            return worst, []
        stubborn = a.stalled + (worst > SAME * a.before) >= MOST_STALLS and worst < SMALL
        if stubborn:  # modes that hardly count and turn fast: they do the same everywhere
            self.tolerated = max(self.tolerated, 2 * worst)
        if stubborn or not self._room() or b.t - a.t < SHORTEST * self.whole:
            if worst > self.off:
                self.off, self.where, self.which = worst, middle.t, int(np.argmax(off))
            return worst, []
        return worst, self._parts(a, middle, b, worst)

    def _parts(self, a: Row, middle: Row, b: Row, off: float) -> list[Row]:
        halvings = min(DEEPEST, max(1, math.ceil(math.log2(min(off, 1e9) / self.tolerance) / self.order)))
        count = 1 << (halvings - 1)
        found = []
        for start, end in ((a, middle), (middle, b)):
            state = start.state
            for i in range(1, count):
                t = start.t + (end.t - start.t) * i / count
                before = self.run.steps(state)
                state = self.run.half(state, t)
                self.extra += self.run.steps(state) - before
                if not self.run.finite(state) or self.run.time(state) != t:
                    break
                found.append(self._row(state))
            if start is a:
                found.append(middle)
        stalled = a.stalled + (off > SAME * a.before)
        for row in (a, *found):
            row.before, row.stalled, row.middle = off, stalled, None
        return found

    def _calm(self, k: int) -> float:
        """What is left in the middle of interval k, from how well its two ends are interpolated without themselves."""
        reach = 2 if self.smooth else 1
        if k < reach or k + 1 + reach >= len(self.rows):
            return math.inf
        # A state that went elsewhere and came back within one interval took many steps for it.
        steps = [self.rows[i + 1].steps - self.rows[i].steps for i in (k - 1, k, k + 1)]
        if steps[1] > 3 * max(steps[0], steps[2]) + 8:
            return math.inf
        first, times = self._near(k)
        middle = (self.rows[k].t + self.rows[k + 1].t) / 2
        power = self.order // (2 * reach)
        here = np.prod(np.abs(middle - times[nearest(times, middle, self.smooth)])) ** power
        found = []
        for j in (k, k + 1):
            others = np.array([i for i in range(j - reach, j + reach + 1) if i != j])
            there = np.prod(np.abs(self.rows[j].t - times[others - first])) ** power
            found.append(float(np.max(self._off(self.rows[j], others))) * here / there)
        return max(found)

    def _off(self, row: Row, places: np.ndarray) -> np.ndarray:
        """How far the interpolation through the rows at `places` is from `row`, for each field."""
        rows = [self.rows[i] for i in places]
        weights = time_weights(np.array([r.t for r in rows]), row.t, self.smooth, np)
        found = sum(
            w * r.values + (v * r.rates if self.smooth else 0.0) for (w, v), r in zip(weights, rows, strict=True)
        )
        return self._relative(found - row.values)

    def _as_good(self, middle: Row, b: Row, off: np.ndarray) -> np.ndarray:
        """Where the difference is that of two ways of the integrator to the end of the interval, or rounding."""
        state = self.run.half(middle.state, b.t)
        self.extra += self.run.steps(state) - middle.steps
        if not self.run.finite(state) or self.run.time(state) != b.t:
            return np.ones(len(off), bool)
        apart = self._relative(self.run.seen(state)[0] - b.values)
        size = self._size()
        rounding = (apart > self.tolerance) & (off * size <= 1e-13 * np.max(size))
        return (off <= 4 * apart) | rounding

    @property
    def order(self) -> int:
        """Of the interpolation."""
        return 8 if self.smooth else 2

    def _near(self, k: int) -> tuple[int, np.ndarray]:
        """The number of the first row around interval k, and the times from there."""
        first = max(k - 4, 0)
        return first, np.array([row.t for row in self.rows[first : k + 6]])

    def _sizes(self, values: np.ndarray) -> np.ndarray:
        flat = np.abs(values.reshape(len(values), -1))
        return np.max(flat, axis=1) if self.smooth else np.mean(flat, axis=1)

    def _size(self) -> np.ndarray:
        return np.array([np.max(self.floor[self.groups == g]) for g in self.groups])

    def _relative(self, difference: np.ndarray) -> np.ndarray:
        size, apart = self._size(), self._sizes(difference)
        return np.where(apart > 0, apart / np.where(size > 0, size, 1e-300), 0.0)

    # What comes of it -------------------------------------------------------------------------------------------------

    @property
    def times(self) -> np.ndarray:
        return np.array([row.t for row in self.rows])

    @property
    def values(self) -> np.ndarray:
        return np.stack([row.values for row in self.rows])

    @property
    def rates(self) -> np.ndarray:
        return np.stack([row.rates for row in self.rows])

    def notes(self, fields: tuple[str, ...]) -> tuple[str, ...]:
        """What has to be said of the values between the kept times."""
        if self.settled + 1 < len(self.rows):
            return (
                f"From t = {self.rows[self.settled].t:.6g} on it was not measured how right the solution is between the saved "
                "times: the run ended before.",
            )
        if self.off <= self.tolerance:
            return ()
        largest = "the largest" if self.smooth else "the largest, on average over the cells,"
        return (
            f"Between the saved times {fields[self.which]} is off by up to {self.off:.1e} of {largest} (measured at t = "
            f"{self.where:.6g}), more than the {self.tolerance:.0e} that was aimed at, with {len(self.rows)} of them. At the "
            "saved times it is as right as the steps: give those that matter as save_at, or integrate over a shorter time.",
        )


def groups_of(pde: Any) -> np.ndarray:
    """For each real field the number of the field that it is, or is a part of."""
    whole = {part: name for name, parts in (pde.real_parts or {}).items() for part in parts} if pde.is_complex else {}
    names = [whole.get(u.field_name, u.field_name) for u in pde.real().fields]
    return np.array([names.index(name) for name in names])


def saved(
    run: AbstractRun,
    times: np.ndarray,
    groups: np.ndarray,
    smooth: bool,
    tolerance: float,
    size: int,
    floor: np.ndarray | None = None,
) -> Saved:
    """Nothing is kept yet. `size`: numbers in the fields at a time."""
    span = float(times[-1] - times[0])
    budget = max(MOST_BYTES, len(times) * 16 * size)
    spacing = span / max(1, min(SAVES - 1, budget // (32 * size)))
    floor = np.zeros(len(groups)) if floor is None else floor
    return Saved(run, smooth, tolerance, floor, groups, span, budget, spacing * (1 + 1e-9))
