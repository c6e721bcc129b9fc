"""Pairs of the frames of a dataset, found once, on the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import KDTree

from ..data._images import images_within


@dataclass(frozen=True)
class FramePairs:
    """All pairs of a frame closer than the reach, each twice.

    **Attributes:** `first` and `second` `(pairs,)`, numbers of atoms, sorted by the first; `shift` `(pairs, 3)`, the lattice
    vectors that displace the second; `distance` `(pairs,)` [angstrom].
    """

    first: np.ndarray
    second: np.ndarray
    shift: np.ndarray
    distance: np.ndarray


def frame_pairs(positions: np.ndarray, cell: np.ndarray, periodic: Any, reach: float) -> FramePairs:
    """The pairs of one frame."""
    around = images_within(positions, cell, periodic, reach)
    found = KDTree(around.inside).sparse_distance_matrix(KDTree(around.positions), reach, output_type="ndarray")
    i, copy = found["i"], found["j"]
    itself = (around.owner[copy] == i) & ~np.any(around.shift[copy], axis=1)
    i, copy, distance = i[~itself], copy[~itself], found["v"][~itself]
    order = np.lexsort((distance, i))
    i, copy, distance = i[order], copy[order], distance[order]
    j = around.owner[copy]
    return FramePairs(i, j, around.shift[copy] - around.moved[j] + around.moved[i], distance)
