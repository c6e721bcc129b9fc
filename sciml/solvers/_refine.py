"""When a grid is made finer, and when that has to end: at `max_time`, or where more points do not help.

A solution that is smooth loses its tail faster than any power of the number of points; where it has a kink, a jump in a source
or a corner in which conditions contradict each other the tail falls like a power, and the next grid costs several times as much
for a few bits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ..geometry import Domain

MAX_TIME = 180.0
DOUBTFUL = 1e-5  # a tail above it is said in the result
HARDLY = 1 / 30  # a tail that falls by less with twice the points falls like a power
STEADY = 0.6  # and that is so where this part of the last fall, at least, comes again
GROWTH = 3.0, 10.0  # of the seconds from one grid to the next: where only one is known, and at most
BEAT = 0.5  # seconds of one call of a compiled loop, about
FIRST_STEPS = 32


class OutOfTime(Exception):
    """`max_time` was reached; `state` is the last one."""

    def __init__(self, state: Any = None):
        super().__init__()
        self.state = state


@dataclass
class Clock:
    """`max_time` seconds from `began`."""

    began: float
    max_time: float
    pace: int = FIRST_STEPS  # steps of a call

    @property
    def left(self) -> float:
        return self.began + self.max_time - time.monotonic()

    @property
    def spent(self) -> float:
        return time.monotonic() - self.began

    def paced(
        self, advance: Callable[[Any, int], Any], state: Any, steps: Callable[[Any], int], given: int | None = None
    ) -> Any:
        """`advance(state, most)` goes on until that many steps are taken in all, or until it ends before by itself; it is
        called until then, or until the time is up (`OutOfTime`), with so many steps that a call takes about half a second.
        `given`: the steps of a call that takes as many whatever it is told."""
        if self.left <= 0:
            raise OutOfTime(state)
        if given is not None:
            return advance(state, given)
        taken = steps(state)
        while True:
            began = time.monotonic()
            state = advance(state, taken + self.pace)
            done, taken = steps(state) - taken, steps(state)
            if done < self.pace:
                return state
            if self.left <= 0:
                raise OutOfTime(state)
            took = max(time.monotonic() - began, 1e-4)
            self.pace = max(1, int(self.pace * min(16.0, max(0.1, BEAT / took))))


@dataclass
class Ladder:
    """What the grids so far have shown: `tails` and `seconds`. `enough`: the tail of a grid that needs no finer one."""

    clock: Clock
    enough: float
    tails: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, tail: float, seconds: float) -> None:
        self.tails.append(tail)
        self.seconds.append(seconds)

    def given_up(self, tail: float, share: float, seconds: float) -> bool:
        """Whether a run that came to this `share` of its way in so many seconds is left for a finer one, which fits."""
        return tail > self.enough and self.next(seconds / share) < self.clock.left / 2

    def ends(self) -> str | None:
        """Why no finer grid is tried, None where one is."""
        if self.tails[-1] <= self.enough:
            return ""
        if len(self.tails) > 2 and self.tails[-1] < DOUBTFUL:
            before, last = self.tails[-2] / self.tails[-3], self.tails[-1] / self.tails[-2]
            if last > max(HARDLY, STEADY * before):
                return (
                    "it falls like a power of their number, so that more would not help much: something is not smooth, such as "
                    "a kink, a source that jumps, or a corner where conditions meet"
                )
        if self.next() > self.clock.left:
            return f"a finer grid would take longer than max_time = {self.clock.max_time:g} s allows"
        return None

    def next(self, seconds: float | None = None) -> float:
        """The seconds that the next grid will take about, after one that took `seconds` (by default the last)."""
        last, before = (self.seconds[-1], self.seconds[-2:-1]) if seconds is None else (seconds, self.seconds[-1:])
        least, most = GROWTH
        return last * (min(max(1.5 * last / max(before[0], 1e-3), 2.0), most) if before else least)


def known_until(domain: Domain, t: float) -> Domain:
    """The domain of a solution that ended early: later nothing is known, and outside of its domain a solution is NaN."""
    time = domain.time
    if time is None or not time.start < t < time.end:
        return domain
    return Domain(domain.space, replace(time, end=t))


def unresolved(tail: float, shape: str, why: str, apart: float | None = None) -> str:
    """The note on a solution that its grid does not resolve to the end; `apart`: how far it is from that on half the points."""
    moved = "" if apart is None else f", and the solution is {apart:.0e} of its largest value away from that on half of them"
    return f"Not resolved to rounding: the tail is {tail:.0e} of the largest coefficient on {shape} points{moved}; {why}."
