"""Pairs of the frames of a dataset, found once, on the host."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import KDTree

from .._system import complete


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
    h, wraps = complete(np.asarray(cell, float)), np.asarray(periodic, bool)
    inverse = np.linalg.inv(h)
    s = positions @ inverse
    base = np.where(wraps, np.floor(s), 0).astype(int)
    r, s = positions - base @ h, s - base
    margin = np.where(wraps, reach * np.linalg.norm(inverse, axis=0), 0)
    images = np.array(list(itertools.product(*(range(-n, n + 1) for n in np.ceil(margin).astype(int)))))
    at = s[None] + images[:, None]
    near = np.all(~wraps | ((at >= -margin - 1e-9) & (at <= 1 + margin + 1e-9)), axis=2)
    image, owner = np.nonzero(near)
    found = KDTree(r).sparse_distance_matrix(
        KDTree(r[owner] + images[image] @ h), reach, output_type="ndarray"
    )  # fmt: skip
    i, copy = found["i"], found["j"]
    itself = (owner[copy] == i) & ~np.any(images[image[copy]], axis=1)
    i, copy, distance = i[~itself], copy[~itself], found["v"][~itself]
    order = np.lexsort((distance, i))
    i, copy, distance = i[order], copy[order], distance[order]
    j = owner[copy]
    return FramePairs(i, j, images[image[copy]] - base[j] + base[i], distance)
