"""Patches that shrink towards a corner of the domain, where the solution is singular."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._patches import halves
from ._pieces import Pieces
from ._statement import Statement

FAST = 0.3  # what a halving leaves of the misfit where functions are smooth: less
DEEPER = 6  # halvings towards a corner at once
NEAR = 8.0  # sizes of the patches at a corner: so far what they leave is seen
SHADE = 0.5  # of what they leave
MOVED = 2048  # points where solutions are compared
TINY = 1e-300


@dataclass
class Grading:
    """A corner that what patches leave falls towards like a power of their size: 2^-falls with a halving. `size`, `left`: of
    the patches at it, from which comes what is left nearby. `levels`: halvings to come."""

    corner: np.ndarray
    falls: float
    size: np.ndarray
    left: float
    levels: int = 0

    def shades(self, box: np.ndarray, off: float) -> bool:
        """Whether what a patch leaves may come from the corner."""
        away = np.maximum(np.maximum(box[:, 0] - self.corner, self.corner - box[:, 1]), 0)
        return bool(np.all(away < NEAR * self.size) and off < SHADE * self.left)

    def need(self, times: float, rate: float) -> None:
        """What falls by 2^-rate with a halving has to fall by `times`."""
        if times > 1:
            self.levels = max(self.levels, int(np.clip(np.ceil(np.log2(times) / rate), 1, DEEPER)))

    def cut(self, box: np.ndarray, space: list[int]) -> list[np.ndarray]:
        """A box halved along all coordinates of space, and what of it touches the corner again, `levels` times."""
        pending, out = [box], []
        for _ in range(self.levels):
            parts = pending
            for axis in space:
                parts = [b for p in parts for b in halves(p, axis)]
            out += [p for p in parts if not touches(p[space], self.corner)]
            pending = [p for p in parts if touches(p[space], self.corner)]
        return out + pending


def gradings_of(
    statement: Statement, boxes: np.ndarray, left: list[tuple[float, ...]], known: list[Grading]
) -> list[Grading]:
    """The corners of the domain where what patches leave has fallen little in two halvings, and those `known` before."""
    found = []
    for corner in statement.corners:
        there = [i for i, box in enumerate(boxes) if touches(box[statement.space], corner)]
        last = max(there, key=lambda i: left[i][-1], default=None)
        if last is None:
            continue
        size = np.max([np.ptp(boxes[i][statement.space], axis=1) for i in there], axis=0)
        before = next((g for g in known if np.array_equal(g.corner, corner)), None)
        falls = None
        if before is not None:
            falls = before.falls if before.levels == 0 else np.log2(before.left / max(left[last][-1], TINY)) / before.levels
        elif len(left[last]) > 2:
            ratios = np.array(left[last][-3:-1]) / np.maximum(left[last][-2:], TINY)
            falls = np.log2(ratios[-1]) if np.all(ratios < 1 / FAST) else None
        if falls is not None:
            found.append(Grading(corner, max(0.1, float(falls)), size, left[last][-1]))
    return found


def moved_by(statement: Statement, before: Pieces, after: Pieces) -> float:
    """The root mean square by which fields have moved, relative to their sizes."""
    x = statement.domain.sample(MOVED, key=29)[:, [statement.domain.names.index(c.name) for c in statement.pde.coordinates]]
    zero = (0,) * x.shape[1]
    change = (after(x, zero) - before(x, zero)) / statement.scales[:, None]
    return float(np.sqrt(np.mean(change**2, axis=1)).max())


def touches(box: np.ndarray, corner: np.ndarray) -> bool:
    eps = 1e-9 * (box[:, 1] - box[:, 0])
    return bool(np.all((corner >= box[:, 0] - eps) & (corner <= box[:, 1] + eps)))
