"""The patches that cells of a tree make of a domain: boxes, or a shape that cuts them."""

from __future__ import annotations

import numpy as np

from ...geometry import Box
from ._basis import Legendre
from ._cover import FRESH, ON_FACE, Cover, Edge, Joint, on_face, points_of, still
from ._patches import faces
from ._pieces import Cells
from ._shape import of_shape
from ._statement import START, Statement


def cover(statement: Statement, basis: Legendre, boxes: np.ndarray) -> Cover:
    """The patches that `boxes` `(C, d, 2)` make; in a window of time all end together."""
    time, kept = statement.time, statement.covers
    span = boxes[0, time].copy() if time is not None else None
    if span is not None:
        boxes = boxes.copy()
        boxes[:, time] = -1, 1
    key = basis, boxes.tobytes()
    if key not in kept:
        while len(kept) > 3:
            kept.pop(next(iter(kept)))
        if isinstance(statement.domain.space, Box):
            kept[key] = _of_box(statement, basis, boxes)
        else:
            kept[key] = of_shape(statement, basis, boxes)
    return kept[key] if span is None or time is None else kept[key].at_times(time, *span)


def _of_box(statement: Statement, basis: Legendre, boxes: np.ndarray) -> Cover:
    whole, time, generator = statement.whole.copy(), statement.time, np.random.default_rng(5)
    if time is not None:
        whole[time] = -1, 1
    joints, edges = [], []
    for face in faces(boxes, whole, statement.periodic):
        if face.axis == time:
            continue
        x = on_face(basis, face.axis, face.low, face.high)
        drawn = still(basis, 2 * generator.uniform(size=(ON_FACE, len(face.low))) - 1)
        fresh = face.low + (drawn + 1) / 2 * (face.high - face.low)
        if face.other is not None:
            joints.append(Joint(face.one, face.other, face.axis, x, fresh, face.shift))
            continue
        normals = np.zeros((len(x), len(statement.space)))
        if face.axis == statement.start:
            if face.side > 0:
                continue
            label = START
        else:
            normals[:, statement.space.index(face.axis)] = face.side
            label = statement.labels[face.axis, face.side]
        edges.append(Edge(face.one, label, x, normals, fresh, normals[:1].repeat(ON_FACE, axis=0)))
    z, fresh = points_of(basis), still(basis, np.random.default_rng(17).uniform(-1, 1, (FRESH, boxes.shape[1])))
    volume = np.prod(boxes[:, :, 1] - boxes[:, :, 0], axis=1)
    whole_patches = np.ones(len(boxes), bool)
    return Cover(
        Cells.of(boxes), whole_patches, (z,) * len(boxes), (fresh,) * len(boxes), volume, tuple(joints), tuple(edges)
    )
