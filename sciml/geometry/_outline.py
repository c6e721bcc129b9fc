"""Plane regions bounded by closed chains of segments: inside tests and distances."""

from __future__ import annotations

import numpy as np

from ._pieces import segment_distance

CHUNK = 2_000_000
"""Pairs of a point and a segment that are worked on at a time."""


def _blocks(points: np.ndarray, segments: int) -> list[np.ndarray]:
    return np.array_split(points, max(1, -(-len(points) * segments // CHUNK)))


def inside(points: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Whether points (n, 2) are within chains of segments (m, 2), by the even-odd rule, or on them."""
    result = []
    (ax, ay), (bx, by) = starts.T, ends.T
    for block in _blocks(points, len(starts)):
        x, y = block[:, :1], block[:, 1:]
        cross = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        upward, downward = (ay <= y) & (y < by), (by <= y) & (y < ay)
        crossings = (upward & (cross > 0)) | (downward & (cross < 0))
        on = (cross == 0) & (x >= np.minimum(ax, bx)) & (x <= np.maximum(ax, bx))
        on &= (y >= np.minimum(ay, by)) & (y <= np.maximum(ay, by))
        result.append((crossings.sum(axis=1) % 2 == 1) | on.any(axis=1))
    return np.concatenate(result)


def signed_distance(points: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Distance to the nearest segment, negative inside."""
    blocks = _blocks(points, len(starts))
    distance = np.concatenate([segment_distance(b, starts, ends).min(axis=1, initial=np.inf) for b in blocks])
    return np.where(inside(points, starts, ends), -distance, distance)
