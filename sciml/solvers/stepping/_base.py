"""What a time stepper is."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx

from ._linear import Linear

Rate = Callable[[Any, Any], Any]


class AbstractStepper(eqx.Module):
    """One step of du/dt = L u + N(u, t): `prepare(linear, h)` once for each step size, then `step` as often as wanted."""

    order: eqx.AbstractClassVar[int]

    @abc.abstractmethod
    def prepare(self, linear: Linear, h: Any) -> Any: ...

    @abc.abstractmethod
    def step(self, linear: Linear, factors: Any, rate: Rate, u: Any, t: Any, h: Any, n: Any) -> tuple[Any, Any, Any]:
        """(u at t + h, N there, error estimate); `n` is N(u, t). A step that failed returns NaN: it is tried again, shorter."""
