"""When a grid is made finer, and when that has to end: at `max_time`, or where more points do not help.

A solution that is smooth loses its tail faster than any power of the number of points; where it has a kink, a jump in a source
or a corner in which conditions contradict each other the tail falls like a power, and the next grid costs several times as much
for a few bits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

MAX_TIME = 180.0
DOUBTFUL = 1e-5  # a tail above it is said in the result
HARDLY = 1 / 30  # a tail that falls by less with twice the points falls like a power
GROWTH = 3.0, 10.0  # of the seconds from one grid to the next: where only one is known, and at most
BEAT = 0.5  # seconds of one call of a compiled loop, about
FIRST_STEPS = 8


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

    @property
    def left(self) -> float:
        return self.began + self.max_time - time.monotonic()

    def paced(self, advance: Callable[[Any, int], Any], state: Any, steps: Callable[[Any], int]) -> Any:
        """`advance(state, most)` goes on until that many steps are taken in all, or until it ends before by itself; it is
        called until then, or until the time is up (`OutOfTime`), with so many steps that a call takes about half a second."""
        count, taken = FIRST_STEPS, steps(state)
        while True:
            began = time.monotonic()
            state = advance(state, taken + count)
            done, taken = steps(state) - taken, steps(state)
            if done < count:
                return state
            if self.left <= 0:
                raise OutOfTime(state)
            took = max(time.monotonic() - began, 1e-4)
            count = max(1, int(count * min(16.0, max(0.1, BEAT / took))))


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

    def ends(self) -> str | None:
        """Why no finer grid is tried, if none is."""
        if self.tails[-1] <= self.enough:
            return ""
        if len(self.tails) > 1 and HARDLY * self.tails[-2] < self.tails[-1] < DOUBTFUL:
            return (
                "with twice the points it fell by so little that more would not help: something is not smooth, such as a kink, "
                "a source that jumps, or a corner where conditions meet"
            )
        if self.next() > self.clock.left:
            return f"a finer grid would take longer than max_time = {self.clock.max_time:g} s allows"
        return None

    def next(self, seconds: float | None = None) -> float:
        """The seconds that the next grid will take about, after one that took `seconds`."""
        last = self.seconds[-1] if seconds is None else seconds
        before = self.seconds[-1:] if seconds is not None else self.seconds[-2:-1]
        least, most = GROWTH
        return last * (min(max(1.5 * last / max(before[0], 1e-3), 2.0), most) if before else least)


def unresolved(tail: float, shape: str, why: str) -> str:
    """The note on a solution that its grid does not resolve to the end."""
    return f"Not resolved to rounding: the tail is {tail:.0e} of the largest coefficient on {shape} points; {why}."
