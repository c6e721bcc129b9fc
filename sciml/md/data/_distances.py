"""The smallest distance between atoms of a frame, images included."""

from __future__ import annotations

from itertools import product

import numpy as np

from .._system import complete


def nearest(positions: np.ndarray, cell: np.ndarray, periodic: np.ndarray) -> float:
    """The smallest distance [angstrom]; infinite for one atom without images.

    An atom's own images and the distances without any bound it from above. Within that bound of the cell's faces stand all
    images that can be nearer.
    """
    from scipy.spatial import KDTree

    h = complete(cell)
    bound = np.linalg.norm(h[periodic], axis=1).min(initial=np.inf)
    share = positions @ np.linalg.inv(h)
    share[:, periodic] -= np.floor(share[:, periodic])
    r = share @ h
    if len(r) > 1:
        bound = min(bound, KDTree(r).query(r, k=2)[0][:, 1].min())
    if not periodic.any() or bound == 0:
        return float(bound)
    margin = np.where(periodic, bound * np.linalg.norm(np.linalg.inv(h), axis=0) * (1 + 1e-9), np.inf)
    layers = [range(-int(np.ceil(m)), int(np.ceil(m)) + 1) if p else (0,) for m, p in zip(margin, periodic, strict=True)]
    copies = [
        share[np.all((share + shift >= -margin) & (share + shift <= 1 + margin), axis=1)] + shift
        for shift in map(np.array, product(*layers)) if shift.any()
    ]  # fmt: skip
    around = np.concatenate([share[:0], *copies]) @ h
    if len(around):
        bound = min(bound, KDTree(around).query(r, k=1, distance_upper_bound=bound * (1 + 1e-9))[0].min())
    return float(bound)
