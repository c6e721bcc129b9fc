"""The smallest distance between atoms of a frame, images included."""

from __future__ import annotations

import numpy as np

from ...atoms._system import complete
from ._images import images_within


def nearest(positions: np.ndarray, cell: np.ndarray, periodic: np.ndarray) -> float:
    """The smallest distance [angstrom]; infinite for one atom without images.

    An atom's own images and the distances inside the cell bound it from above: images farther away need no look.
    """
    from scipy.spatial import KDTree

    bound = np.linalg.norm(complete(cell)[periodic], axis=1).min(initial=np.inf)
    r = images_within(positions, cell, periodic, 0.0).inside
    if len(r) > 1:
        bound = min(bound, KDTree(r).query(r, k=2)[0][:, 1].min())
    if not periodic.any() or bound == 0:
        return float(bound)
    found = images_within(positions, cell, periodic, bound * (1 + 1e-9))
    around = found.positions[np.any(found.shift, axis=1)]
    if len(around):
        bound = min(bound, KDTree(around).query(r, k=1, distance_upper_bound=bound * (1 + 1e-9))[0].min())
    return float(bound)
