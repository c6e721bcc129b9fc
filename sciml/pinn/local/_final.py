"""The solution on patches as the final of a `Solution`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...geometry import Domain
from ...pde import PDE
from ...solution import AbstractFinal, Index
from ._pieces import Pieces
from ._trail import read_pieces, saved_pieces

BATCH = 2048  # points at once: each brings the boxes of its window


class PatchesFinal(AbstractFinal):
    """`pieces`, one for each window of time in order, or one where there is no time (`time` None, else the number of its
    coordinate). A point belongs to the first window, and in it to the first patch, that holds it. Where the windows do not
    reach the end of time (`ends` false), what is beyond them is NaN."""

    kind = "patches"

    def __init__(self, pieces: Sequence[Pieces], time: int | None, ends: bool = True):
        self.pieces, self.time, self.ends = tuple(pieces), time, ends
        self.basis = self.pieces[0].basis
        most = max(len(p.cells.boxes) for p in self.pieces)
        # Windows of fewer cells are filled up with the last of theirs.
        self._boxes = np.stack([_filled(p.cells.boxes, most) for p in self.pieces])
        self._frames = np.stack([_filled(p.cells.frames[p.cells.owner], most) for p in self.pieces])
        self._c = np.stack([_filled(p.c[p.cells.owner], most) for p in self.pieces])
        self._ends = None if time is None else self._boxes[:, 0, time, 1]

    def derivatives(self, index: Index, x: Any) -> Any:
        x = jnp.asarray(x)
        boxes, frames, c = (jnp.asarray(a, x.dtype) for a in (self._boxes, self._frames, self._c))
        ends = None if self._ends is None else jnp.asarray(self._ends[:-1], x.dtype)

        def at(x: Any) -> Any:
            window = 0 if ends is None else jnp.searchsorted(ends, x[self.time])
            mine = boxes[window]
            # The cell that x is deepest in: on a face either, and outside the nearest.
            inside = jnp.min(jnp.minimum(x - mine[:, :, 0], mine[:, :, 1] - x) / (mine[:, :, 1] - mine[:, :, 0]), axis=1)
            k = jnp.argmax(jnp.where(inside >= 0, jnp.inf, inside))
            box = frames[window, k]
            half = (box[:, 1] - box[:, 0]) / 2
            z = (x - (box[:, 0] + box[:, 1]) / 2) / half
            table = self.basis.table(z[None], index, jnp)[0]
            value = (c[window, k] @ table) / jnp.prod(half ** jnp.asarray(index, x.dtype))
            return value if self.ends else jnp.where(x[self.time] <= box[self.time, 1], value, jnp.nan)

        return jax.lax.map(at, x, batch_size=BATCH)

    def cells(self) -> np.ndarray:
        return np.concatenate([piece.cells.boxes for piece in self.pieces])

    def to_saved(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        header, arrays = saved_pieces(self.pieces)
        return header | {"time": self.time, "ends": self.ends}, arrays

    @classmethod
    def from_saved(
        cls, pde: PDE, domain: Domain, header: dict[str, Any], arrays: dict[str, np.ndarray], **given: Any
    ) -> PatchesFinal:
        return cls(read_pieces(header, arrays), header["time"], header["ends"])


def _filled(rows: np.ndarray, most: int) -> np.ndarray:
    return np.concatenate([rows, np.repeat(rows[-1:], most - len(rows), axis=0)])
