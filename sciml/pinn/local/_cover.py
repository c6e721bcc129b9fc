"""How patches cover the domain: the cells of a tree, what of them lies inside, and the faces between them.

In a box every cell is a patch. In another shape the boundary cuts cells: functions of a patch are scaled to the bounding box of
what is inside, equations hold at points inside, conditions on the piece of the boundary in it, and a cell of which little
is inside belongs to the patch of a neighbour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from ._basis import Legendre, chebyshev, product
from ._pieces import Cells, placed

MORE_POINTS = 3  # along each coordinate, than the degree
ENOUGH = 2.0  # points for each function, where there are fewer functions than in a tensor
FRESH = 150  # points of a patch where it is asked how well the equations hold between those they were solved at
ON_FACE = 20  # the same of a face


@dataclass(frozen=True)
class Joint:
    """A face between the patches `one` and `other`, which lies at `shift` less along `axis` where the whole is periodic. `x`
    `(n, d)`: where they are joined; `fresh`: where it is measured how well."""

    one: int
    other: int
    axis: int
    x: np.ndarray
    fresh: np.ndarray
    shift: float = 0.0


@dataclass(frozen=True)
class Edge:
    """What of the part `label` of the boundary lies in a patch: points and outward normals `(n, space)`, for the
    conditions and for measuring them."""

    patch: int
    label: str
    x: np.ndarray
    normals: np.ndarray
    fresh: np.ndarray
    fresh_normals: np.ndarray


@dataclass(frozen=True)
class Cover:
    """**Attributes:** `whole`: which patches are boxes, `(K,)`; `z`, `fresh`: of every patch the points, in its frame, where
    the equations hold and where they are measured; `volume` of what is inside, `(K,)`. Time, where there is any, goes from
    -1 to 1 (see `at_times`)."""

    cells: Cells
    whole: np.ndarray
    z: tuple[np.ndarray, ...]
    fresh: tuple[np.ndarray, ...]
    volume: np.ndarray
    joints: tuple[Joint, ...]
    edges: tuple[Edge, ...]
    made: dict[Any, Any] = field(default_factory=dict)  # what is the same in every window

    def at_times(self, time: int, start: float, end: float) -> Cover:
        """The same with the window of time from `start` to `end`."""

        def moved(x: np.ndarray) -> np.ndarray:
            x = x.copy()
            x[:, time] = start + (x[:, time] + 1) / 2 * (end - start)
            return x

        boxes, frames = self.cells.boxes.copy(), self.cells.frames.copy()
        boxes[:, time] = frames[:, time] = start, end
        return replace(
            self,
            cells=replace(self.cells, boxes=boxes, frames=frames),
            volume=self.volume * (end - start) / 2,
            joints=tuple(replace(j, x=moved(j.x), fresh=moved(j.fresh)) for j in self.joints),
            edges=tuple(replace(e, x=moved(e.x), fresh=moved(e.fresh)) for e in self.edges),
        )


def on_face(basis: Legendre, axis: int, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Points of a face; as many along each coordinate as inside a patch."""
    axes = [np.zeros(1) if a == axis else chebyshev(n) for a, n in enumerate(counts(basis))]
    return placed(np.stack([low, high], axis=1), product(axes))


def counts(basis: Legendre) -> list[int]:
    """Points along each coordinate of a face; one where nothing varies."""
    return [p + (2 if basis.total else MORE_POINTS) if p else 1 for p in basis.degrees]


@lru_cache(maxsize=8)
def points_of(basis: Legendre) -> np.ndarray:
    """Points of a whole patch: a grid, or for a total degree, which has fewer functions than a grid has points, a sequence as
    dense towards the sides as Chebyshev's points."""
    if not basis.total:
        return product([chebyshev(n) for n in counts(basis)])
    return still(basis, -np.cos(np.pi * kronecker(len(basis.degrees), int(ENOUGH * basis.size))))


def still(basis: Legendre, z: np.ndarray) -> np.ndarray:
    """Points in the middle of the coordinates along which the functions do not vary."""
    return np.where(np.array(basis.degrees) == 0, 0.0, z)


def kronecker(d: int, n: int, first: int = 1) -> np.ndarray:
    """n points of [0, 1)^d, `(n, d)`: the Kronecker sequence of the root of x^(d+1) = x + 1."""
    root = 2.0
    for _ in range(60):
        root = (1 + root) ** (1 / (d + 1))
    i = np.arange(first, first + n)[:, None]
    return (i * root ** -np.arange(1.0, d + 1)) % 1


def fitted(basis: Legendre, z: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Coefficients `(fields, functions)` of the functions nearest to values `(fields, n)` at z, by least squares."""
    if z is points_of(basis):
        return values @ _fitting(basis).T
    return np.linalg.lstsq(basis.table(z, (0,) * z.shape[1]), values.T, rcond=1e-10)[0].T


@lru_cache(maxsize=8)
def _fitting(basis: Legendre) -> np.ndarray:
    z = points_of(basis)
    return np.linalg.pinv(basis.table(z, (0,) * z.shape[1]), rcond=1e-12)


def tables(basis: Legendre, points: Sequence[np.ndarray], alpha: tuple[int, ...]) -> list[np.ndarray]:
    """The derivative of order alpha, with respect to z, of all functions at the points of every patch; patches that share
    points share the table."""
    made: dict[int, np.ndarray] = {}
    for z in points:
        if id(z) not in made:
            made[id(z)] = basis.table(z, alpha)
    return [made[id(z)] for z in points]

