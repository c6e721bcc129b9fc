"""The measure of what two regions share in three or more dimensions: exact where possible, else estimated."""

from __future__ import annotations

import itertools

import numpy as np

from ._base import LATER, AbstractGeometry
from ._box import Box
from ._product import Product
from ._round import Ball
from ._samplers import Sobol

ESTIMATE_POINTS = 2**18
CORNERS_UP_TO = 10
"""Dimensions up to which all 2^dim corners of a bounding box are tested."""


def overlap(first: AbstractGeometry, second: AbstractGeometry) -> float:
    """The measure of `first & second`.

    Exact for regions that are apart or contained in each other (as far as bounding boxes, corners and centres
    of balls tell), for two boxes, and for products that split at the same coordinate. Otherwise the fraction
    of 2^18 Sobol points of the smaller cover that lie in both.
    """
    lower = np.maximum(first.lower, second.lower)
    upper = np.minimum(first.upper, second.upper)
    if (lower >= upper).any() or _apart(first, second) or _apart(second, first):
        return 0.0
    if isinstance(first, Box) and isinstance(second, Box):
        return float(np.prod(upper - lower))
    if _covers(first, second):
        return second.measure
    if _covers(second, first):
        return first.measure
    if first.dim <= 2:
        return LATER["cut"]("intersection", first, second).measure
    for one, two in ((first, second), (second, first)):
        if isinstance(one, Product):
            parts = split(two, one.first.dim)
            if parts is not None:
                return _overlap_or_zero(one.first, parts[0]) * _overlap_or_zero(one.second, parts[1])
    return _estimate(first, second, lower, upper)


def _overlap_or_zero(first: AbstractGeometry, second: AbstractGeometry) -> float:
    try:
        return overlap(first, second)
    except ValueError:
        return 0.0


def split(geometry: AbstractGeometry, at: int) -> tuple[AbstractGeometry, AbstractGeometry] | None:
    """The factors of a region over its first `at` coordinates and the others, where it is such a product."""
    if isinstance(geometry, Box) and 0 < at < geometry.dim:
        pairs = list(zip(geometry.names, geometry.bounds, strict=True))
        return Box(dict(pairs[:at])), Box(dict(pairs[at:]))
    if isinstance(geometry, Product) and geometry.first.dim == at:
        return geometry.first, geometry.second
    return None


def _covers(outer: AbstractGeometry, inner: AbstractGeometry) -> bool:
    """Whether `outer` certainly contains `inner`; False where that is not easily seen."""
    if isinstance(outer, Box):
        return bool((inner.lower >= outer.lower).all() and (inner.upper <= outer.upper).all())
    if isinstance(inner, Ball):
        return bool(outer.signed_distance(np.array([inner.center]))[0] <= -inner.radius)
    if outer._convex and inner.dim <= CORNERS_UP_TO:
        ends = zip(inner.lower, inner.upper, strict=True)
        return bool(outer.contains(np.array(list(itertools.product(*ends)))).all())
    return False


def _apart(first: AbstractGeometry, second: AbstractGeometry) -> bool:
    """Whether a ball is certainly outside of the other region."""
    return isinstance(first, Ball) and bool(second.signed_distance(np.array([first.center]))[0] >= first.radius)


def _estimate(first: AbstractGeometry, second: AbstractGeometry, lower: np.ndarray, upper: np.ndarray) -> float:
    from ._samplers import box_proposal

    covers = [
        (float(np.prod(upper - lower)), box_proposal(lower, upper)),
        (first._proposal_measure(), first._proposal()),
        (second._proposal_measure(), second._proposal()),
    ]
    measure, proposal = min(covers, key=lambda cover: cover[0])
    inside = 0
    u = Sobol().unit(ESTIMATE_POINTS, proposal.dim)
    for part in np.array_split(u, 16):
        points = proposal.points(part)
        points = points[first.contains(points)]
        inside += int(second.contains(points).sum())
    return measure * inside / ESTIMATE_POINTS
