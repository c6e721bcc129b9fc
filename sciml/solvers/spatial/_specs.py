"""How an axis is divided, as a user says it; where it lies comes from the domain."""

from __future__ import annotations

import abc
from dataclasses import dataclass

from ._axes import AbstractAxis, ChebyshevAxis, PeriodicAxis
from ._cells import CellAxis
from ._differences import DifferenceAxis
from ._stretched import StretchedAxis

FEWEST = 4


@dataclass(frozen=True)
class AbstractSpacing(abc.ABC):
    """`n` points along an axis."""

    n: int

    def __post_init__(self):
        if isinstance(self.n, bool) or not isinstance(self.n, int) or self.n < FEWEST:
            raise ValueError(f"{type(self).__name__}: n={self.n!r}; expected a whole number of at least {FEWEST}.")

    @abc.abstractmethod
    def axis(self, lower: float, upper: float) -> AbstractAxis: ...


class Fourier(AbstractSpacing):
    """`n` equally spaced points along a periodic axis; derivatives of spectral accuracy. What a number in `grid` means
    there."""

    def axis(self, lower: float, upper: float) -> AbstractAxis:
        return PeriodicAxis(lower, upper, self.n)


class Chebyshev(AbstractSpacing):
    """`n` Chebyshev points between walls, both ends included; derivatives of spectral accuracy. What a number in `grid` means
    there."""

    def axis(self, lower: float, upper: float) -> AbstractAxis:
        return ChebyshevAxis(lower, upper, self.n)


@dataclass(frozen=True)
class Differences(AbstractSpacing):
    """`n` equally spaced points between walls, both ends included; finite differences of order 2 or 4."""

    order: int = 2

    def __post_init__(self):
        super().__post_init__()
        if self.order not in (2, 4):
            raise ValueError(f"Differences: order={self.order!r}; there are 2 and 4.")

    def axis(self, lower: float, upper: float) -> AbstractAxis:
        return DifferenceAxis(lower, upper, self.n, self.order)


class Volumes(AbstractSpacing):
    """`n` equal cells, periodic or between walls: finite volumes, for coefficients that jump and solutions that do. All axes
    take them, or none."""

    def axis(self, lower: float, upper: float, wraps: bool = False) -> CellAxis:
        return CellAxis(lower, upper, self.n, wraps)


_AXES = (PeriodicAxis, ChebyshevAxis, DifferenceAxis, CellAxis, StretchedAxis)
KINDS: dict[str, type[AbstractAxis]] = {axis.kind: axis for axis in _AXES}
