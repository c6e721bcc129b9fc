"""How many steps there are, and when to look."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from ...dynamics._checks import whole_number

DEFAULT = 20_000
LOOKS = 25
FIRST = 20  # steps whose pace is measured where a time is given


class Pace:
    """Steps that are asked for, or that fit into a time.

    **Attributes:** `steps`, all of them, as far as is known.
    """

    def __init__(self, steps: int | None, seconds: float | None, every: int | None, began: float):
        self.fixed, self.seconds, self.every, self._began = steps, seconds, every, began
        self.steps = steps if steps is not None else (DEFAULT if seconds is None else 10 * FIRST)
        self._before = 0.0
        self._marks: list[tuple[int, float]] = []

    @staticmethod
    def of(steps: Any, max_time: Any, every: Any, began: float) -> Pace:
        """**Raises** `ValueError` where both steps and a time came, or what is no number."""
        if steps is not None and max_time is not None:
            raise ValueError("train: give steps or max_time, not both: the schedule needs one end.")
        if max_time is not None and not (np.isfinite(max_time) and max_time > 0):
            raise ValueError(f"train: max_time={max_time!r}; expected seconds.")
        steps = None if steps is None else whole_number("steps", steps, 0)
        return Pace(steps, max_time, None if every is None else whole_number("every", every, 1), began)

    @property
    def elapsed(self) -> float:
        """Seconds, those of earlier calls included."""
        return self._before + time.monotonic() - self._began

    def next_look(self, step: int) -> int:
        every = self.every or max(1, self.steps // LOOKS)
        return min(self.steps, (step // every + 1) * every)

    def stride(self, step: int) -> int:
        """Steps to do at once."""
        return FIRST if self.seconds is not None and len(self._marks) < 3 else 64

    def moved(self, step: int) -> None:
        """Called after steps; where a time is given, it says how many there will be."""
        self._marks.append((step, self.elapsed))
        if self.seconds is None or len(self._marks) < 3:
            return
        # The first call compiles.
        (a, began), (b, now) = self._marks[1], self._marks[-1]
        each = (now - began) / max(1, b - a)
        left = max(0.0, self.seconds - now)
        self.steps = max(step, step + int(left / max(each, 1e-9)))

    def over(self, step: int) -> bool:
        return step >= self.steps or (self.seconds is not None and self.elapsed >= self.seconds)

    def progress(self) -> dict[str, Any]:
        return {"seconds": self.elapsed, "steps": self.steps}

    def resume(self, progress: dict[str, Any]) -> None:
        self._before, self._began, self._marks = progress["seconds"], time.monotonic(), []
        if self.fixed is None and self.seconds is not None:
            self.steps = progress["steps"]
