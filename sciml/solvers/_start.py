"""What the initial value asks of a grid: how far it is resolved, and whether the walls contradict it.

Where a wall holds another value (or slope) than the initial one, or the initial value has a kink, coefficients fall like a
power of the number of points and no grid resolves it. After the start diffusion smooths a wall's jump, and Chebyshev points
crowd there: they remain the best that there is. A kink or a jump inside goes to finite volumes or differences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

CLEAN = 1e-2  # of the tail is left without what holds at walls, where it is they that make it


@dataclass(frozen=True)
class Start:
    """`tail`: of the initial value with what the walls hold (see `tail` of an axis); `own`: without; `jump`: how far apart
    both are at walls, relative to the largest value, in the state `name` and on the face `part`."""

    tail: float
    own: float
    jump: float = 0.0
    name: str = ""
    part: str = ""

    @property
    def clashes(self) -> bool:
        """Whether it is the walls that are in the way."""
        return self.own < CLEAN * self.tail

    def note(self, time: str, t: float) -> str:
        return (
            f"At {time} = {t:g} the initial value of {self.name} and what holds on {self.part} are {self.jump:.1e} of the "
            "largest value apart. More points cannot mend that: just after the start, and near that wall, the solution is less "
            "accurate."
        )


def start_of(
    discrete: Any, whole: np.ndarray, given: Mapping[str, Any] | None = None, constants: Mapping[str, Any] | None = None
) -> Start:
    """Of initial values on the `whole` grid, with what holds at walls; those of the conditions (with `constants` for the
    parameters in them) but for what is `given`."""
    grid = discrete.grid
    tail = grid.tail(whole)
    if grid.inside == (...,) or tail == 0:
        return Start(tail, tail)
    stated = whole.copy()
    for i, state in enumerate(discrete.system.states):
        value = discrete.stated(state, constants) if str(state) not in (given or {}) else given[str(state)]  # type: ignore[index]
        if np.shape(value) == grid.full:
            stated[i] = value
    worst = (0.0, "", "")
    for i, state in enumerate(discrete.system.states):
        size = max(float(np.max(np.abs(whole[i]))), float(np.max(np.abs(stated[i])))) or 1.0
        for axis, (name, line) in enumerate(zip(grid.names, grid.line, strict=True)):
            for end, side in ((0, "min"), (-1, "max")) if line.walled else ():
                apart = np.abs(np.take(whole[i], end, axis) - np.take(stated[i], end, axis))
                worst = max(worst, (float(np.max(apart)) / size, str(state), f"{name}_{side}"))
    return Start(tail, grid.tail(stated), *worst)
