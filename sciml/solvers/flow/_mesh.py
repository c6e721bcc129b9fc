"""Where the cells of a flow go: fine at obstacles and at walls where the flow is at rest."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import brentq

GROWTH = 1.05  # of a cell to the next away from an obstacle
AROUND = 0.5  # how far beyond an obstacle the finest cells go, in its sizes
CROWDED = 0.6  # the cells at a wall are 1 - CROWDED of the mean


def plain(lower: float, upper: float, n: int, crowded: tuple[bool, bool]) -> np.ndarray:
    """Faces `(n + 1,)` that are closer at the ends that are `crowded`."""
    s = np.linspace(0, 1, n + 1)
    if all(crowded):
        s = s - CROWDED * np.sin(2 * np.pi * s) / (2 * np.pi)
    elif crowded[0]:
        s = s - CROWDED * np.sin(np.pi * s) / np.pi
    elif crowded[1]:
        s = s + CROWDED * np.sin(np.pi * s) / np.pi
    faces = lower + (upper - lower) * s
    faces[0], faces[-1] = lower, upper
    return faces


def around(lower: float, upper: float, n: int, first: float, last: float) -> np.ndarray:
    """Faces `(n + 1,)`, equally spaced from a little before `first` to a little behind `last`, wider and wider beyond. The
    middle of the obstacle is a face."""
    size = last - first
    a, b = max(first - AROUND * size, lower), min(last + AROUND * size, upper)
    middle = (first + last) / 2
    half = min(middle - a, b - middle)
    a, b = middle - half, middle + half
    sides = (a - lower, upper - b)

    def needed(h: float) -> float:
        return (b - a) / h + sum(np.log1p(s * (GROWTH - 1) / h) / np.log(GROWTH) for s in sides)

    h: Any = brentq(lambda h: needed(h) - n, (upper - lower) / n / 1000, upper - lower)
    inner = 2 * max(2, round((b - a) / h / 2))
    h = (b - a) / inner
    left = n - inner
    share = [np.log1p(s * (GROWTH - 1) / h) for s in sides]
    first_count = round(left * share[0] / (sum(share) or 1.0))
    counts = (first_count, left - first_count)
    parts = [_grown(s, h, k) for s, k in zip(sides, counts, strict=True)]
    faces = np.concatenate([a - parts[0][::-1], np.linspace(a, b, inner + 1), b + parts[1]])
    faces[0], faces[-1] = lower, upper
    return faces


def _grown(length: float, h: float, count: int) -> np.ndarray:
    """Where the ends of `count` cells are that fill `length`, each wider than the one before by the same factor."""
    if count == 0:
        return np.zeros(0)
    total = lambda r: h * r * (count if abs(r - 1) < 1e-12 else (r**count - 1) / (r - 1)) - length  # noqa: E731
    r: Any = brentq(total, 1e-3, 10.0)
    ends = np.cumsum(h * r ** np.arange(1, count + 1))
    return ends * (length / ends[-1])
