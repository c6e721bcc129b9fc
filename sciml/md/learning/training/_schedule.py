"""How the learning rate falls, and the weights of the loss with it."""

# Annotations are not postponed here: Equinox must see AbstractVar.

import equinox as eqx
import numpy as np

from ._loss import Weights


class AbstractSchedule(eqx.Module):
    """A learning rate that falls from `rate[0]` to `rate[1]`, and weights of energies, forces and virials

        p(t) = p[1] + (p[0] - p[1]) lr(t) / lr(0)

    which are pairs (at the start, where the rate is zero). lr(t) / lr(0) is `fall(step, steps)`.
    """

    rate: eqx.AbstractVar[tuple[float, float]]
    energy: eqx.AbstractVar[tuple[float, float]]
    force: eqx.AbstractVar[tuple[float, float]]
    virial: eqx.AbstractVar[tuple[float, float]]

    def fall(self, step: int, steps: int) -> float:
        """The rate of a step relative to the first."""
        raise NotImplementedError

    def warming(self, step: int, steps: int) -> float:
        """A factor of the rate, below one in the first steps; weights do not have it."""
        raise NotImplementedError

    def at(self, step: int, steps: int) -> tuple[float, Weights]:
        """The rate and the weights of a step."""
        fall, pairs = self.fall(step, steps), (self.energy, self.force, self.virial)
        return self.rate[0] * fall * self.warming(step, steps), Weights(*(p[1] + (p[0] - p[1]) * fall for p in pairs))

    def __check_init__(self) -> None:
        name = type(self).__name__
        if not (np.shape(self.rate) == (2,) and self.rate[0] >= self.rate[1] > 0):
            raise ValueError(f"{name}: rate={self.rate!r}; expected a positive rate at the start and one at the end.")
        for label in ("energy", "force", "virial"):
            pair = getattr(self, label)
            if np.shape(pair) != (2,) or not min(pair) >= 0:
                raise ValueError(f"{name}: {label}={pair!r}; expected two weights that are not negative, at the start and end.")


class Cosine(AbstractSchedule):
    """A rate that falls as half a cosine over all steps, after a linear rise in the first part `warm` of them.

    Good for whatever number of steps is asked: water in 500 steps to 0.17 eV/angstrom, where an exponential fall between the
    same rates comes to 0.26. Good values of `rate[0]`: 2e-3 to 1e-2.

    Weights end at 10 for energies and 100 for forces. With 1 and 100 the energies of silicon of many kinds (mlearn's set) were
    three times as wrong and its forces no better; with 30 and 100 forces in water were a twelfth worse, its energies no better.
    """

    rate: tuple[float, float] = (5e-3, 5e-5)
    energy: tuple[float, float] = (0.02, 10.0)
    force: tuple[float, float] = (1000.0, 100.0)
    virial: tuple[float, float] = (10.0, 10.0)
    warm: float = 0.02

    def fall(self, step: int, steps: int) -> float:
        least = self.rate[1] / self.rate[0]
        return least + (1 - least) * (1 + np.cos(np.pi * min(1.0, step / max(1, steps)))) / 2

    def warming(self, step: int, steps: int) -> float:
        return min(1.0, (step + 1) / max(1.0, self.warm * steps))


class Exponential(AbstractSchedule):
    """A rate that falls exponentially over all steps, in stairs of `every` steps."""

    rate: tuple[float, float] = (1e-3, 1e-5)
    energy: tuple[float, float] = (0.02, 10.0)
    force: tuple[float, float] = (1000.0, 100.0)
    virial: tuple[float, float] = (10.0, 10.0)
    every: int = 1

    def fall(self, step: int, steps: int) -> float:
        done = self.every * (step // self.every) / max(1, steps)
        return float((self.rate[1] / self.rate[0]) ** min(1.0, done))

    def warming(self, step: int, steps: int) -> float:
        return 1.0


def deepmd_schedule() -> Exponential:
    """The schedule of DeePMD-kit's water example: meant for a million steps."""
    return Exponential(rate=(1e-3, 3.51e-8), energy=(0.02, 1.0), force=(1000.0, 1.0), virial=(0.0, 0.0), every=5000)
