"""Exact boundaries of boolean operations in the plane, where every boundary is made of segments and circular
arcs.

Each curve of one operand is cut where it meets the curves of the other; between two cuts it lies wholly
inside, outside or on the boundary of the other, so a look at a few of its points decides. Lengths are then
sums of lengths, and areas follow from the divergence theorem, area = 1/2 sum of the integrals of p . n over
the curves: no approximation anywhere.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np

from ._pieces import AbstractPiece, Arc, Face, Segment

Curve = Segment | Arc

CUT = 1e-11
"""Cuts closer than this times the size of the figure are one cut."""
WITNESSES = (0.2718, 0.5, 0.6931)
"""Where along a curve between two cuts one looks whether it survives."""


def as_curve(piece: AbstractPiece) -> Curve:
    """A piece of a plane boundary as a segment or an arc; faces of rectangles become segments."""
    if isinstance(piece, Face):
        (a, b), (c, d) = piece.bounds
        corners = [(a, c), (b, c), (b, d), (a, d)]
        # Counterclockwise: y_min, x_max, y_max, x_min.
        first = {(1, -1): 0, (0, 1): 1, (1, 1): 2, (0, -1): 3}[piece.axis, piece.side]
        segment = Segment(corners[first], corners[(first + 1) % 4])
        return segment if piece.sign > 0 else segment.flipped()
    if isinstance(piece, (Segment, Arc)):
        return piece
    raise TypeError(f"{type(piece).__name__} is not a plane curve.")


def extent(curve: Curve) -> tuple[float, float, float, float]:
    """x_min, y_min, x_max, y_max."""
    if isinstance(curve, Segment):
        (a, b), (c, d) = curve.start, curve.end
        return min(a, c), min(b, d), max(a, c), max(b, d)
    quarter = math.pi / 2
    turning = range(math.ceil(curve.start / quarter), math.floor(curve.end / quarter) + 1)
    units = [(math.cos(t), math.sin(t)) for t in (curve.start, curve.end)]
    units += [((1, 0), (0, 1), (-1, 0), (0, -1))[k % 4] for k in turning]
    xs, ys = zip(*units, strict=True)
    (x, y), r = curve.center, curve.radius
    return x + r * min(xs), y + r * min(ys), x + r * max(xs), y + r * max(ys)


def area(curves: Sequence[Curve]) -> float:
    """The area that closed outward-oriented curves bound: half the integral of p . n."""
    if not curves:
        return 0.0
    boxes = np.array([extent(curve) for curve in curves])
    # Moving the origin into the figure avoids cancellation far from (0, 0).
    ox, oy = (boxes[:, :2].min(axis=0) + boxes[:, 2:].max(axis=0)) / 2
    total = []
    for curve in curves:
        if isinstance(curve, Segment):
            (a, b), (c, d) = curve.start, curve.end
            total.append(((a - ox) * (d - oy) - (c - ox) * (b - oy)) / 2)
        else:
            (x, y), r, s, e = curve.center, curve.radius, curve.start, curve.end
            linear = (x - ox) * (math.sin(e) - math.sin(s)) - (y - oy) * (math.cos(e) - math.cos(s))
            total.append(curve.sign * (r * linear + r * r * (e - s)) / 2)
    return math.fsum(total)


def cut(curves: Sequence[Curve], others: Sequence[Curve], size: float) -> list[list[Curve]]:
    """Each of `curves` cut where it meets any of `others`."""
    boxes, other_boxes = (np.array([extent(c) for c in group]).reshape(-1, 4) for group in (curves, others))
    slack = 1e-9 * size
    near = np.all(
        (boxes[:, None, :2] <= other_boxes[None, :, 2:] + slack)
        & (boxes[:, None, 2:] >= other_boxes[None, :, :2] - slack),
        axis=2,
    )
    result = []
    for i, curve in enumerate(curves):
        where = [p for j in np.flatnonzero(near[i]).tolist() for p in meetings(curve, others[j], slack)]
        result.append(_cut_one(curve, where, size))
    return result


def _cut_one(curve: Curve, points: list[tuple[float, float]], size: float) -> list[Curve]:
    length = curve.measure
    cuts = [0.0]
    for s in sorted(_position(curve, p) for p in points):
        if s * length > cuts[-1] * length + CUT * size and s * length < length - CUT * size:
            cuts.append(s)
    if isinstance(curve, Segment):
        ends = np.array(curve.start) + np.array([*cuts, 1.0])[:, None] * np.subtract(curve.end, curve.start)
        corners = [curve.start, *(tuple(p) for p in ends[1:-1].tolist()), curve.end]
        return [Segment(a, b) for a, b in itertools.pairwise(corners)]
    angles = [curve.start + s * (curve.end - curve.start) for s in cuts] + [curve.end]
    return [Arc(curve.center, curve.radius, a, b, curve.sign) for a, b in itertools.pairwise(angles)]


def _position(curve: Curve, p: tuple[float, float]) -> float:
    """Where on the curve, from 0 to 1, the point is (outside of that range for points beyond the ends)."""
    if isinstance(curve, Segment):
        dx, dy = curve.end[0] - curve.start[0], curve.end[1] - curve.start[1]
        return ((p[0] - curve.start[0]) * dx + (p[1] - curve.start[1]) * dy) / (dx * dx + dy * dy)
    angle = math.atan2(p[1] - curve.center[1], p[0] - curve.center[0])
    # Modulo with a little slack, so that a point just before the start is at 0 and not one turn later.
    slack = 1e-9
    return (math.fmod(math.fmod(angle - curve.start + slack, 2 * math.pi) + 2 * math.pi, 2 * math.pi) - slack) / (
        curve.end - curve.start
    )


def _ends(curve: Curve) -> list[tuple[float, float]]:
    if isinstance(curve, Segment):
        return [curve.start, curve.end]
    if curve.end - curve.start >= 2 * math.pi:
        return []
    (x, y), r = curve.center, curve.radius
    return [(x + r * math.cos(t), y + r * math.sin(t)) for t in (curve.start, curve.end)]


def meetings(first: Curve, second: Curve, slack: float) -> list[tuple[float, float]]:
    """The points of `first` where it crosses `second`, and the ends of `second` that lie on it."""
    found = [p for p in _ends(second) if first.contains(np.array([p]), slack)[0]]
    found += [p for p in _carriers(first, second) if second.contains(np.array([p]), slack)[0]]
    return found


def _carriers(first: Curve, second: Curve) -> list[tuple[float, float]]:
    """Where the whole lines and circles that carry two curves cross; touching and coinciding need no cut."""
    if isinstance(first, Segment) and isinstance(second, Segment):
        d, e = np.subtract(first.end, first.start), np.subtract(second.end, second.start)
        cross = d[0] * e[1] - d[1] * e[0]
        if abs(cross) <= 1e-14 * first.measure * second.measure:
            return []
        w = np.subtract(second.start, first.start)
        s = (w[0] * e[1] - w[1] * e[0]) / cross
        return [(float(first.start[0] + s * d[0]), float(first.start[1] + s * d[1]))]
    if isinstance(first, Segment) and isinstance(second, Arc):
        return _line_circle(first, second)
    if isinstance(first, Arc) and isinstance(second, Segment):
        return _line_circle(second, first)
    assert isinstance(first, Arc) and isinstance(second, Arc)
    return _circle_circle(first, second)


def _line_circle(line: Segment, circle: Arc) -> list[tuple[float, float]]:
    length, r = line.measure, circle.radius
    dx, dy = (line.end[0] - line.start[0]) / length, (line.end[1] - line.start[1]) / length
    wx, wy = circle.center[0] - line.start[0], circle.center[1] - line.start[1]
    foot, height = wx * dx + wy * dy, wx * dy - wy * dx
    square = (r - height) * (r + height)
    if square <= 1e-14 * r * r:
        return []
    half = math.sqrt(square)
    return [(line.start[0] + s * dx, line.start[1] + s * dy) for s in (foot - half, foot + half)]


def _circle_circle(first: Arc, second: Arc) -> list[tuple[float, float]]:
    dx, dy = second.center[0] - first.center[0], second.center[1] - first.center[1]
    r, q, d = first.radius, second.radius, math.hypot(dx, dy)
    if d <= 1e-14 * max(r, q):
        return []
    foot = (d * d + (r - q) * (r + q)) / (2 * d)
    square = (r - foot) * (r + foot)
    if square <= 1e-14 * r * r:
        return []
    half, ux, uy = math.sqrt(square), dx / d, dy / d
    x, y = first.center[0] + foot * ux, first.center[1] + foot * uy
    return [(x - half * uy, y + half * ux), (x + half * uy, y - half * ux)]


def trimmed(
    pieces: dict[str, tuple[AbstractPiece, ...]],
    other_curves: Sequence[Curve],
    survives: Callable[[np.ndarray, np.ndarray], np.ndarray],
    flip: bool,
    size: float,
) -> dict[str, tuple[AbstractPiece, ...]]:
    """What is left of the plane pieces of one operand, by name.

    `survives(points, normals)` is asked at a few points of each cut, and the majority decides: where two
    curves only touch, one of the points may happen to lie there.
    """
    result: dict[str, tuple[AbstractPiece, ...]] = {}
    for name, of_part in pieces.items():
        cuts = [c for group in cut([as_curve(p) for p in of_part], other_curves, size) for c in group]
        if not cuts:
            continue
        inner = [curve.at(np.array(WITNESSES)[:, None]) for curve in cuts]
        votes = survives(np.concatenate([p for p, _ in inner]), np.concatenate([n for _, n in inner]))
        keep = votes.reshape(len(cuts), -1).sum(axis=1) * 2 > len(WITNESSES)
        left = tuple(c.flipped() if flip else c for c, k in zip(cuts, keep, strict=True) if k)
        if left:
            result[name] = left
    return result
