"""Several trainings from different keys: their mean, and how far they are apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..solution import Solution
from ._solve import solve


@dataclass(frozen=True)
class Ensemble:
    """Solutions of one problem from different keys. `mean` and `spread` are called like `solution.u`."""

    solutions: tuple[Solution, ...]

    def values(self, field: str, *args: Any, **kwargs: Any) -> np.ndarray:
        """The values of every member, stacked along the first axis."""
        return np.stack([s[field](*args, **kwargs) for s in self.solutions])

    def mean(self, field: str, *args: Any, **kwargs: Any) -> np.ndarray:
        return self.values(field, *args, **kwargs).mean(axis=0)

    def spread(self, field: str, *args: Any, **kwargs: Any) -> np.ndarray:
        """The standard deviation over the members: a hint at the error, not a bound. Errors that all members share, such
        as those of too few points, do not show in it."""
        return self.values(field, *args, **kwargs).std(axis=0, ddof=1)

    def parameter(self, name: str) -> tuple[float, float]:
        """Mean and standard deviation of a learned unknown over the members."""
        values = [s.parameters[name].value for s in self.solutions]
        return float(np.mean(values)), float(np.std(values, ddof=1))

    def __repr__(self) -> str:
        return f"Ensemble of {len(self.solutions)}\n{self.solutions[0]!r}"


def ensemble(pde: Any, domain: Any, method: Any = None, *, keys: Iterable[int] = range(3), **options: Any) -> Ensemble:
    """`solve` once for each key; every other argument as there (`max_time` counts for each member).

    **Raises** `ValueError` with fewer than two keys.
    """
    keys = tuple(keys)
    if len(keys) < 2:
        raise ValueError(f"An ensemble has at least two members; keys={keys!r} came.")
    return Ensemble(tuple(solve(pde, domain, method, key=key, **options) for key in keys))
