"""A problem on its grid, stepped by one method from the host: what `solve` goes forward by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._programs import Program
from ._march import March, adaptive, begin, bounds, fixed, limited
from ._problem import Problem
from ._refine import Clock
from ._saving import AbstractRun
from .stepping import SSPRK3


class Stepped(AbstractRun):
    """Steps that follow `rtol`, or `steps` of them for each interval, until the `clock` has run out (`OutOfTime`)."""

    def __init__(self, problem: Problem, stepper: Any, constants: Any, rtol: float, steps: int | None, clock: Clock):
        discrete = problem.discrete
        self.controlled = steps is None and not isinstance(stepper, SSPRK3)
        self._rtol, self._steps, self._clock = rtol, steps, clock
        self._factors: Any = None
        self._within: Any = None

        def parts() -> tuple[Any, Any, Any]:
            return discrete.linear(constants), discrete.rate(constants), stepper

        def start(u0: Any, t: Any, end: Any, h: Any, longest: Any) -> Any:
            u = discrete.forward(u0)
            linear, rate, _ = parts()
            within = bounds(linear, rate, stepper, u, t, end, rtol, longest) if steps is None else None
            return begin(linear, rate, stepper, u, t, h), discrete.whole(u, t, constants), within

        def advance(within: Any, at: Any, t1: Any, pause: Any, rtol: Any, most: Any) -> Any:
            if isinstance(stepper, SSPRK3):
                return limited(*parts(), discrete.longest(constants), within, at, t1, pause=pause, most=most)
            return adaptive(*parts(), within, at, t1, rtol, pause=pause, most=most)

        def seen(u: Any, t: Any) -> Any:
            """All fields on the whole grid, and their time derivative."""
            fields = lambda u, t: discrete.fields(u, t, constants)  # noqa: E731
            return jax.jvp(fields, (u, t), (discrete.derivative(constants, u, t), jnp.ones_like(t)))

        self._start, self._seen, self._advance = Program(start), Program(seen), Program(advance)
        if steps is not None:
            counts = {steps, (steps + 1) // 2}
            self._fixed = {n: Program(lambda at, t1, n=n: fixed(*parts(), at, t1, n)) for n in counts}

    def start(self, u0: Any, times: np.ndarray, max_step: float | None) -> tuple[March, np.ndarray]:
        """The state at the first of `times`, and the initial values on the whole grid."""
        first = (times[-1] - times[0]) / 1000 if self._steps is None else (times[1] - times[0]) / self._steps
        at, whole, self._within = self._start(u0, float(times[0]), float(times[-1]), float(first), max_step)
        self._factors = jax.tree.map(jnp.zeros_like, at.factors)
        return at, np.asarray(whole)

    def advance(self, state: March, t1: float, pause: float) -> March:
        return self._gone(state, t1, pause, self._steps)

    def half(self, state: March, t1: float) -> March:
        whole = state if state.factors is not None else replace(state, factors=self._factors)
        return self.light(self._gone(whole, t1, t1, None if self._steps is None else (self._steps + 1) // 2))

    def _gone(self, state: March, t1: float, pause: float, steps: int | None) -> March:
        def go(state: March, most: int) -> March:
            if steps is not None:
                return self._fixed[steps](state, t1)
            return self._advance(self._within, state, t1, pause, self._rtol, most)

        return self._clock.paced(go, state, self.steps, steps)

    def light(self, state: March) -> March:
        """Factors are many times as large as the state, and belong to no step now."""
        return replace(state, factors=None, h=jnp.zeros_like(state.h))

    def time(self, state: March) -> float:
        return float(state.t)

    def steps(self, state: March) -> int:
        return int(state.steps)

    def finite(self, state: March) -> bool:
        return bool(np.all(np.isfinite(state.u)))

    def seen(self, state: March) -> tuple[np.ndarray, np.ndarray, None]:
        values, rates = self._seen(state.u, state.t)
        return np.asarray(values), np.asarray(rates), None
