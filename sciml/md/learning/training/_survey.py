"""What a descriptor must know of the data before training: how many neighbours there are, and how its rows are spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...deep._descriptor import radial
from ._lists import FramePairs

FLOOR = 0.01  # of standard deviations, as DeePMD-kit has it


@dataclass(frozen=True)
class Survey:
    """Statistics of frames.

    **Attributes:** `pairs` of each frame; `species` of each frame's atoms, numbers of the model's types; `types`, their number.
    """

    pairs: Sequence[FramePairs]
    species: Sequence[np.ndarray]
    types: int

    @property
    def nearest(self) -> float:
        """The smallest distance of all [angstrom]."""
        return min((float(p.distance.min()) for p in self.pairs if len(p.distance)), default=np.inf)

    def most(self, cutoff: float) -> np.ndarray:
        """The most neighbours of each type that an atom has within `cutoff` `(types,)`."""
        found = np.zeros(self.types, int)
        for p, kinds in zip(self.pairs, self.species, strict=True):
            near = p.distance < cutoff
            counts = np.bincount(p.first[near] * self.types + kinds[p.second[near]], minlength=len(kinds) * self.types)
            found = np.maximum(found, counts.reshape(-1, self.types).max(axis=0))
        return found

    def most_in_all(self, cutoff: float) -> int:
        """The most neighbours that an atom has within `cutoff`."""
        return max((int(np.bincount(p.first[p.distance < cutoff], minlength=1).max()) for p in self.pairs), default=0)

    def places(self, cutoff: float) -> tuple[int, ...]:
        """A tenth more than `most`, in steps of four, as DeePMD-kit's `auto` has it."""
        return tuple(_roomy(k) for k in self.most(cutoff))

    def places_in_all(self, cutoff: float) -> int:
        return _roomy(self.most_in_all(cutoff))

    def normalisation(self, cutoff: float, start: float, slots: int) -> tuple[np.ndarray, np.ndarray]:
        """davg and dstd `(types, 4)` of each type of centre, over all `slots` of an atom, empty ones included, as DeePMD-kit
        has them: the mean of the radial column alone, and one standard deviation for the three others."""
        sums = np.zeros((self.types, 3))  # atoms, radial, its square
        for p, kinds in zip(self.pairs, self.species, strict=True):
            # w/r, and the components of w r / r^2, whose squares add up to its square.
            each = radial(p.distance, start, cutoff)
            own = kinds[p.first]
            sums[:, 0] += np.bincount(kinds, minlength=self.types)
            sums[:, 1] += np.bincount(own, each, self.types)
            sums[:, 2] += np.bincount(own, each**2, self.types)
        places = np.maximum(sums[:, 0] * slots, 1)
        mean = sums[:, 1] / places
        spread = np.sqrt(np.maximum(sums[:, 2] / places - mean**2, 0))
        angular = np.sqrt(sums[:, 2] / (3 * places))
        davg, dstd = np.zeros((self.types, 4)), np.ones((self.types, 4))
        davg[:, 0], dstd[:, 0], dstd[:, 1:] = mean, np.maximum(spread, FLOOR), np.maximum(angular, FLOOR)[:, None]
        return davg, dstd


def _roomy(count: int) -> int:
    return max(4, 4 * int(np.ceil(1.1 * count / 4)))
