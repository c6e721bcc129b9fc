"""How the learning rate falls, and the weights of the loss with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._loss import Weights


@dataclass(frozen=True)
class Schedule:
    """A learning rate that falls exponentially from `rate[0]` to `rate[1]` in all steps, in stairs of `every` steps, and
    weights

        p(t) = p[1] + (p[0] - p[1]) lr(t) / lr(0)

    of energies, forces and virials, each (at the start, where the rate is zero). The default is good for the number of steps
    that is asked, from thousands on. `deepmd_schedule()` is DeePMD-kit's, for a million steps.

    **Raises** `ValueError` where rates are not positive or weights negative.
    """

    rate: tuple[float, float] = (2e-3, 2e-5)
    energy: tuple[float, float] = (0.02, 1.0)
    force: tuple[float, float] = (1000.0, 100.0)
    virial: tuple[float, float] = (0.02, 1.0)
    every: int = 1

    def __post_init__(self) -> None:
        if not (np.shape(self.rate) == (2,) and self.rate[0] >= self.rate[1] > 0):
            raise ValueError(f"Schedule: rate={self.rate!r}; expected a positive rate at the start and a lower one at the end.")
        for name in ("energy", "force", "virial"):
            pair = getattr(self, name)
            if np.shape(pair) != (2,) or not min(pair) >= 0:
                raise ValueError(f"Schedule: {name}={pair!r}; expected two weights that are not negative, start and end.")
        if self.every < 1:
            raise ValueError(f"Schedule: every={self.every!r}; expected a number of steps.")

    def at(self, step: int, steps: int) -> tuple[float, Weights]:
        """The rate and the weights of a step."""
        fall = (self.rate[1] / self.rate[0]) ** (min(1.0, self.every * (step // self.every) / max(1, steps)))
        pairs = (self.energy, self.force, self.virial)
        return self.rate[0] * fall, Weights(*(p[1] + (p[0] - p[1]) * fall for p in pairs))


def deepmd_schedule() -> Schedule:
    """DeePMD-kit's defaults, with the prefactors of its water example: meant for a million steps."""
    return Schedule(rate=(1e-3, 3.51e-8), energy=(0.02, 1.0), force=(1000.0, 1.0), virial=(0.0, 0.0), every=5000)
