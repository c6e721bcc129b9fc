"""The images of a frame's atoms that stand about its cell."""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np

from ...atoms._system import complete


class Images(NamedTuple):
    """`inside` `(atoms, 3)`, the atoms themselves inside the cell, and the lattice vectors `moved` `(atoms, 3)` that they were
    away; `positions` `(images, 3)` of those that stand within the reach of its faces, themselves too; `owner` and `shift`
    `(images, 3)`, the atom and the lattice vectors of each."""

    inside: np.ndarray
    moved: np.ndarray
    positions: np.ndarray
    owner: np.ndarray
    shift: np.ndarray


def images_within(positions: np.ndarray, cell: np.ndarray, periodic: Any, reach: float) -> Images:
    """All images that can be within `reach` [angstrom] of an atom, along the axes that are periodic."""
    h, wraps = complete(np.asarray(cell, float)), np.asarray(periodic, bool)
    inverse = np.linalg.inv(h)
    s = positions @ inverse
    base = np.where(wraps, np.floor(s), 0).astype(int)
    r, s = positions - base @ h, s - base
    margin = np.where(wraps, reach * np.linalg.norm(inverse, axis=0), 0)
    shifts = np.array(list(product(*(range(-n, n + 1) for n in np.ceil(margin).astype(int)))))
    at = s[None] + shifts[:, None]
    near = np.all(~wraps | ((at >= -margin - 1e-9) & (at <= 1 + margin + 1e-9)), axis=2)
    image, owner = np.nonzero(near)
    return Images(r, base, r[owner] + shifts[image] @ h, owner, shifts[image])
