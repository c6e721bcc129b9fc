"""Boxes that cover a box without overlap, each a half of another, and their faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

CLOSE = 1e-11  # of the size of the whole


@dataclass(frozen=True)
class Face:
    """Where the patch `one` ends along `axis`, from `low` to `high` (which agree along `axis`). `other`: the patch behind it,
    None on the boundary of the whole; it lies at `shift` less along `axis` where the whole is periodic. `side`: -1 at
    the lower end of `one`, +1 at the upper one."""

    one: int
    other: int | None
    axis: int
    side: int
    low: np.ndarray
    high: np.ndarray
    shift: float = 0.0


def faces(boxes: np.ndarray, whole: np.ndarray, periodic: Sequence[int] = ()) -> Iterator[Face]:
    """All faces of `boxes` `(K, d, 2)` inside `whole` `(d, 2)`, each between two boxes once."""
    d = boxes.shape[1]
    for axis in range(d):
        eps = CLOSE * (whole[axis, 1] - whole[axis, 0])
        others = [a for a in range(d) if a != axis]
        at_low = np.flatnonzero(boxes[:, axis, 0] <= whole[axis, 0] + eps)
        at_high = np.flatnonzero(boxes[:, axis, 1] >= whole[axis, 1] - eps)
        inner = [(int(i), np.flatnonzero(np.abs(boxes[:, axis, 0] - boxes[i, axis, 1]) <= eps), 0.0) for i in range(len(boxes))]
        if axis in periodic:
            inner += [(int(i), at_low, float(whole[axis, 1] - whole[axis, 0])) for i in at_high]
        else:
            for side, ends in ((-1, at_low), (1, at_high)):
                for i in ends:
                    low, high = boxes[i, :, 0].copy(), boxes[i, :, 1].copy()
                    low[axis] = high[axis] = whole[axis, (side + 1) // 2]
                    yield Face(int(i), None, axis, side, low, high)
        for i, candidates, shift in inner:
            for j in candidates:
                low, high = np.maximum(boxes[i, :, 0], boxes[j, :, 0]), np.minimum(boxes[i, :, 1], boxes[j, :, 1])
                low[axis] = high[axis] = boxes[i, axis, 1]
                if all(high[a] - low[a] > eps for a in others):
                    yield Face(i, int(j), axis, 1, low, high, shift)


def halves(box: np.ndarray, axis: int) -> list[np.ndarray]:
    left, right = box.copy(), box.copy()
    left[axis, 1] = right[axis, 0] = box[axis].mean()
    return [left, right]


def halves_along(box: np.ndarray, axes: Sequence[int]) -> list[np.ndarray]:
    """The box halved along each of the axes."""
    parts = [box]
    for axis in axes:
        parts = [b for p in parts for b in halves(p, axis)]
    return parts


def merged(boxes: np.ndarray, roots: np.ndarray, smooth: Callable[[np.ndarray], bool]) -> np.ndarray:
    """Two halves of a former box together, again and again, where `smooth` says so of the box. `roots` `(n, d, 2)`: what all
    are halves of."""
    current = [b for b in boxes]
    while True:
        pairs: dict[tuple, list[int]] = {}
        for i, box in enumerate(current):
            for axis in range(len(box)):
                parent = _parent(box, axis, roots)
                if parent is not None:
                    pairs.setdefault((axis, *np.round(parent.ravel(), 12)), []).append(i)
        used: set[int] = set()
        out = []
        for (axis, *_), members in pairs.items():
            if len(members) == 2 and not used & set(members):
                parent = _parent(current[members[0]], axis, roots)
                if parent is not None and smooth(parent):
                    used |= set(members)
                    out.append(parent)
        if not used:
            return np.array(current)
        current = [b for i, b in enumerate(current) if i not in used] + out


def _parent(box: np.ndarray, axis: int, roots: np.ndarray) -> np.ndarray | None:
    """The box that `box` is a half of along `axis`; None for all of a root."""
    center = box.mean(axis=1)
    low, high = roots[np.all((roots[:, :, 0] <= center) & (center <= roots[:, :, 1]), axis=1)][0][axis]
    parent, width = box.copy(), box[axis, 1] - box[axis, 0]
    if width > 0.75 * (high - low):
        return None
    first = low + 2 * width * np.floor((box[axis, 0] - low) / (2 * width) + 1e-6)
    parent[axis] = first, first + 2 * width
    return parent
