"""Patches of a domain that is no box: cells of a tree, cut by its boundary.

What of the boundary lies in which cell is found piece by piece: in the plane a piece is a curve with a parameter, whose
interval is halved where it passes from cell to cell; in space points are drawn on it. What is inside of a cell that the
boundary passes is found by points; a cell of which less than `SLIVER` is inside goes to the patch of the neighbour that it
shares the longest face with.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...geometry import AbstractGeometry
from ._basis import Legendre, chebyshev, product
from ._cover import FRESH, ON_FACE, Cover, Edge, Joint, counts, kronecker, on_face, points_of, still
from ._patches import Face, faces
from ._pieces import Cells, half, nearest, placed
from ._statement import Statement

SLIVER = 0.2  # of a cell: less inside is no patch of its own
PROBES = 400  # points of a cell that the boundary passes, by which what is inside is told
ALONG = 64  # intervals to begin with of a curve as long as the domain
NARROW = 1e-12  # of the size of the domain
INWARD = 1e-10  # of the size: a boundary along a face belongs to the cell that it bounds
DRAWN = 2**14  # points on a surface
CUT = 1.5  # times as many points in a patch that is cut
TRIES = 6  # times as many candidates, each time, for points inside


@dataclass
class Curve:
    """What of a part of the boundary lies in a cell: points and normals, in the order of the shape's coordinates."""

    label: str
    x: np.ndarray
    normals: np.ndarray
    fresh: np.ndarray
    fresh_normals: np.ndarray


@dataclass
class Cut:
    """A cell: its part `fraction` that is inside, the box around that, and its curves."""

    fraction: float
    around: np.ndarray
    curves: list[Curve] = field(default_factory=list)


def of_shape(statement: Statement, basis: Legendre, boxes: np.ndarray) -> Cover:
    shape = statement.domain.space
    assert shape is not None
    columns = statement.columns
    place = boxes[:, columns]
    cuts = _cut(shape, place, counts(basis)[columns[0]])
    here = np.array([c.fraction > 0 or bool(c.curves) for c in cuts])
    boxes, place, cuts = boxes[here], place[here], [c for c, kept in zip(cuts, here, strict=True) if kept]
    joined = list(_inner_faces(shape, place, cuts))
    owner = _owners(cuts, joined, place)
    K = int(owner.max()) + 1
    frames = np.empty((K, *boxes.shape[1:]))
    volume, whole = np.zeros(K), np.zeros(K, bool)
    for k in range(K):
        mine = np.flatnonzero(owner == k)
        frames[k] = boxes[mine[0]]
        around = np.stack([cuts[i].around for i in mine])
        frames[k, columns] = np.stack([around[:, :, 0].min(axis=0), around[:, :, 1].max(axis=0)], axis=1)
        volume[k] = sum(cuts[i].fraction * np.prod(half(boxes[i]) * 2) for i in mine)
        whole[k] = len(mine) == 1 and cuts[mine[0]].fraction == 1
    cells = Cells(boxes, owner, frames)
    z, fresh = _inside(statement, basis, shape, cells, whole)
    between = [found for found in joined if owner[found[0].one] != owner[found[0].other]]
    joints = tuple(_joint(statement, basis, boxes, owner, *found) for found in between)
    edges = tuple(_edges(statement, basis, cuts, owner))
    return Cover(cells, whole, z, fresh, volume, joints, edges)


def _cut(shape: AbstractGeometry, place: np.ndarray, n: int) -> list[Cut]:
    cuts = [Cut(0.0, box) for box in place]
    for label, part in shape.boundary.items():
        in_plane = all(piece.unit_dim == 1 for piece in part.pieces) and shape.dim == 2
        for cell, curve in (_curves if in_plane else _surfaces)(shape, label, place, n):
            cuts[cell].curves.append(curve)
    centers = shape.contains(place.mean(axis=2))
    passed = np.flatnonzero([bool(c.curves) for c in cuts])
    probes = kronecker(shape.dim, PROBES)
    points = place[passed, None, :, 0] + probes * (place[passed, None, :, 1] - place[passed, None, :, 0])
    inside = shape.contains(points.reshape(-1, shape.dim)).reshape(len(passed), PROBES)
    for i, c in enumerate(cuts):
        c.fraction = float(centers[i])
    for i, mask, x in zip(passed, inside, points, strict=True):
        cuts[i].fraction = float(mask.mean())
        if cuts[i].fraction < 1:
            known = np.concatenate([x[mask], *(c.x for c in cuts[i].curves)])
            around = np.stack([known.min(axis=0), known.max(axis=0)], axis=1)
            cuts[i].around = np.clip(around, place[i, :, :1], place[i, :, 1:])
    return cuts


def _locate(place: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The cell of each point, -1 where there is none."""
    cell, away = nearest(place, x)
    return np.where(away > 0, -1, cell)


def _curves(shape: AbstractGeometry, label: str, place: np.ndarray, n: int):
    """The pieces of a part of the boundary of a plane shape, cell by cell."""
    found: dict[int, list[tuple]] = {}
    for piece in shape.boundary[label].pieces:
        for cell, low, high in _fragments(piece, place, shape.size):
            found.setdefault(cell, []).append((piece, low, high))
    generator = np.random.default_rng(5)
    for cell, parts in found.items():
        each = max(3, n if len(parts) <= 2 else -(-2 * n // len(parts)))
        x, fresh = [], []
        for piece, low, high in parts:
            for points, u in ((x, (chebyshev(each) + 1) / 2), (fresh, generator.uniform(size=-(-ON_FACE // len(parts))))):
                points.append(piece.at((low + u * (high - low))[:, None]))
        joined = [np.concatenate(arrays) for pairs in (x, fresh) for arrays in zip(*pairs, strict=True)]
        yield cell, Curve(label, *joined)


def _fragments(piece, place: np.ndarray, size: float) -> list[tuple[int, float, float]]:
    """(cell, from, to): the intervals of the parameter of a curve in which it stays in one cell."""

    def cells(u: np.ndarray) -> np.ndarray:
        x, normals = piece.at(u[:, None])
        return _locate(place, x - INWARD * size * normals)

    widths = (place[:, :, 1] - place[:, :, 0]).min(axis=1)
    edges = np.linspace(0, 1, int(np.clip(np.ceil(ALONG * piece.measure / size), 1, ALONG)) + 1)
    low, high, done = edges[:-1], edges[1:], []
    while len(low):
        length = high - low
        at = [cells(low + s * length) for s in (1e-3, 0.5, 1 - 1e-3)]
        one = (at[0] == at[1]) & (at[1] == at[2])
        small = length * piece.measure <= 0.5 * np.where(at[1] >= 0, widths[at[1]], np.inf)
        over = length * piece.measure <= NARROW * size
        ends = one & small & (at[1] >= 0)
        done += [(int(c), float(a), float(b)) for c, a, b in zip(at[1][ends], low[ends], high[ends], strict=True)]
        more = ~(one & small) & ~over
        middle = (low[more] + high[more]) / 2
        low, high = np.concatenate([low[more], middle]), np.concatenate([middle, high[more]])
    done.sort(key=lambda part: part[1])
    out: list[tuple[int, float, float]] = []
    for cell, a, b in done:
        if out and out[-1][0] == cell and (a - out[-1][2]) * piece.measure < 1e-9 * size:
            out[-1] = cell, out[-1][1], b
        else:
            out.append((cell, a, b))
    return out


def _surfaces(shape: AbstractGeometry, label: str, place: np.ndarray, n: int):
    """Points of a part of the boundary in space, cell by cell."""
    part = shape.boundary[label]
    drawn = [part.sample(DRAWN, key=1), part.sample(DRAWN // 8, key=2)]
    cells = [_locate(place, x - INWARD * shape.size * normals) for x, normals in drawn]
    for cell in np.unique(cells[0][cells[0] >= 0]):
        mine = np.flatnonzero(cells[0] == cell)[: n**2]
        later = np.flatnonzero(cells[1] == cell)[:ON_FACE]
        later, from_ = (later, 1) if len(later) else (mine[:ON_FACE], 0)
        yield int(cell), Curve(label, drawn[0][0][mine], drawn[0][1][mine], drawn[from_][0][later], drawn[from_][1][later])


def _inner_faces(shape: AbstractGeometry, place: np.ndarray, cuts: list[Cut]):
    """Faces between cells with the part of them that is inside: (face, None) where that is all, else (face, points)."""
    whole = np.stack([place[:, :, 0].min(axis=0), place[:, :, 1].max(axis=0)], axis=1)
    for face in faces(place, whole):
        if face.other is None:
            continue
        if cuts[face.one].fraction == 1 and cuts[face.other].fraction == 1:
            yield face, None
            continue
        u = kronecker(shape.dim - 1, PROBES) if shape.dim > 2 else np.linspace(0, 1, PROBES)[:, None]
        others = [a for a in range(shape.dim) if a != face.axis]
        x = np.broadcast_to(face.low, (PROBES, shape.dim)).copy()
        x[:, others] = face.low[others] + u * (face.high - face.low)[others]
        inside = shape.contains(x)
        # A face along the boundary is none.
        eps = 1e-6 * (place[face.one, face.axis, 1] - place[face.one, face.axis, 0])
        for side in (-eps, eps):
            beside = x[inside].copy()
            beside[:, face.axis] += side
            inside[inside] = shape.contains(beside)
        if inside.any():
            yield face, None if inside.all() else x[inside]


def _owners(cuts: list[Cut], joined: list, place: np.ndarray) -> np.ndarray:
    """The patch of every cell."""
    patch = np.arange(len(cuts))

    def root(i: int) -> int:
        while patch[i] != i:
            i = int(patch[i])
        return i

    shared: dict[int, list[tuple[float, int]]] = {}
    for face, x in joined:
        others = [a for a in range(place.shape[1]) if a != face.axis]
        area = np.prod((face.high - face.low)[others]) * (1.0 if x is None else len(x) / PROBES)
        shared.setdefault(face.one, []).append((area, face.other))
        shared.setdefault(face.other, []).append((area, face.one))
    thin = [i for i in range(len(cuts)) if cuts[i].fraction < SLIVER]
    for i in sorted(thin, key=lambda i: cuts[i].fraction):
        near = [(cuts[j].fraction >= SLIVER, area, j) for area, j in shared.get(i, [])]
        if near:
            patch[root(i)] = root(max(near)[2])
            continue
        # Too thin for its faces to be seen: the nearest cell that is a patch.
        wide = [j for j in range(len(cuts)) if cuts[j].fraction >= SLIVER]
        if wide:
            patch[root(i)] = root(wide[int(nearest(place[wide], cuts[i].around.mean(axis=1)[None])[0][0])])
    return np.unique([root(i) for i in range(len(cuts))], return_inverse=True)[1]


def _inside(
    statement: Statement, basis: Legendre, shape: AbstractGeometry, cells: Cells, whole: np.ndarray
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Points of every patch, in its frame, for the equations, and fresh ones."""
    d, columns, all_z = cells.frames.shape[1], statement.columns, points_of(basis)
    fresh = still(basis, np.random.default_rng(17).uniform(-1, 1, (FRESH, d)))
    z: list[np.ndarray] = [all_z] * len(whole)
    measured: list[np.ndarray] = [fresh] * len(whole)
    wanted = int(CUT * len(all_z))
    todo, first, per = [int(k) for k in np.flatnonzero(~whole)], 1, 2 * wanted
    found: dict[int, list[np.ndarray]] = {k: [] for k in todo}
    for _ in range(TRIES):
        if not todo:
            break
        candidates = still(basis, -np.cos(np.pi * kronecker(d, per, first)))
        for k, mask in zip(todo, _holds(shape, cells, columns, todo, candidates), strict=True):
            found[k].append(candidates[mask])
        todo = [k for k in todo if sum(map(len, found[k])) < wanted]
        first, per = first + per, 2 * per
    for k, parts in found.items():
        z[k] = np.concatenate(parts)[:wanted]
    cut = list(found)
    if cut:
        many = still(basis, np.random.default_rng(17).uniform(-1, 1, (4 * FRESH, d)))
        for k, mask in zip(cut, _holds(shape, cells, columns, cut, many), strict=True):
            measured[k] = many[mask][:FRESH] if mask.any() else z[k][:FRESH]
    return tuple(z), tuple(measured)


def _holds(shape: AbstractGeometry, cells: Cells, columns: list[int], patches: list[int], z: np.ndarray) -> np.ndarray:
    """Which of the points z in the frames of patches are inside the shape and in a cell of the patch, `(patches, n)`."""
    x = np.stack([placed(cells.frames[k], z)[:, columns] for k in patches])
    mine = np.zeros(x.shape[:2], bool)
    for row, k in enumerate(patches):
        for box in cells.members(k)[:, columns]:
            mine[row] |= np.all((x[row] >= box[:, 0]) & (x[row] <= box[:, 1]), axis=1)
    mine[mine] = shape.contains(x[mine])
    return mine


def _joint(
    statement: Statement, basis: Legendre, boxes: np.ndarray, owner: np.ndarray, face: Face, inside: np.ndarray | None
) -> Joint:
    columns, time, d = statement.columns, statement.time, boxes.shape[1]
    low, high = np.full(d, -1.0), np.full(d, 1.0)
    low[columns], high[columns] = face.low, face.high
    axis = columns[face.axis]
    one, other = int(owner[face.one]), int(owner[face.other or 0])
    if inside is None:
        drawn = still(basis, 2 * np.random.default_rng(5).uniform(size=(ON_FACE, d)) - 1)
        fresh = low + (drawn + 1) / 2 * (high - low)
        return Joint(one, other, axis, on_face(basis, axis, low, high), fresh)
    n = int(np.prod([c for a, c in enumerate(counts(basis)) if a != axis and a != time]))
    pick = np.unique(np.linspace(0, len(inside) - 1, n).round().astype(int))
    rest = inside[(pick[:-1] + pick[1:]) // 2] if len(pick) > 1 else inside
    return Joint(one, other, axis, _in_time(statement, basis, inside[pick]), _in_time(statement, basis, rest))


def _edges(statement: Statement, basis: Legendre, cuts: list[Cut], owner: np.ndarray):
    order = [statement.columns.index(s) for s in statement.space]  # normals go by the equations' coordinates
    for k in range(int(owner.max()) + 1):
        by_label: dict[str, list[Curve]] = {}
        for i in np.flatnonzero(owner == k):
            for curve in cuts[i].curves:
                by_label.setdefault(curve.label, []).append(curve)
        for label, curves in by_label.items():
            x, normals = (np.concatenate([getattr(c, name) for c in curves]) for name in ("x", "normals"))
            fresh, others = (np.concatenate([getattr(c, name) for c in curves]) for name in ("fresh", "fresh_normals"))
            repeat = 1 if statement.time is None else counts(basis)[statement.time]
            yield Edge(
                k, label, _in_time(statement, basis, x), normals[:, order].repeat(repeat, axis=0),
                _in_time(statement, basis, fresh), others[:, order].repeat(repeat, axis=0),
            )  # fmt: skip


def _in_time(statement: Statement, basis: Legendre, x: np.ndarray) -> np.ndarray:
    """Points of the shape as points of the patches, each at several times."""
    time, d = statement.time, len(statement.pde.coordinates)
    times = np.zeros(1) if time is None else chebyshev(counts(basis)[time])
    index = product([np.arange(len(x)), np.arange(len(times))]).astype(int)
    out = np.empty((len(index), d))
    out[:, statement.columns] = x[index[:, 0]]
    if time is not None:
        out[:, time] = times[index[:, 1]]
    return out
