"""The least-squares problem on given patches: rows of equations, conditions and jumps, and Newton's method on them.

Rows of one kind on one patch are divided by the root of their number and by

    sum_l max |dF/du_l| size(u_l) / h^l,

which is the size of what they differentiate on functions that vary over the patch (h, half its lengths). With
that their weights hardly matter: between 0.01 and 10 they move the error by less than three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from ._basis import Legendre, chebyshev, lobatto, product
from ._normal import Rows, block_least_squares
from ._patches import Face, faces
from ._pieces import Pieces, half, placed, table
from ._pointwise import Leaf, Pointwise
from ._statement import Statement

MORE_POINTS = 3  # along each coordinate, than the degree
ENOUGH = 2.0  # points for each function, where there are fewer functions than in a tensor
FRESH = 150  # points of a patch where it is asked how well the equations hold between those they were solved at
STEPS = 8
FLOOR = 1e-5  # changes below it that no longer halve are rounding

# Fields `(fields, n)` of a derivative at points: what goes before a window.
Before = Callable[[np.ndarray, tuple[int, ...]], np.ndarray]


@dataclass(frozen=True)
class Newton:
    """`c` `(K, fields, functions)` in physical units; `change`: the relative change of the values in the last step."""

    c: np.ndarray
    change: float


@dataclass(frozen=True)
class Held:
    """A condition at points `x` of a patch."""

    at: Pointwise
    patch: int
    x: np.ndarray
    normals: np.ndarray


class System:
    """`boxes` `(K, d, 2)`. In a window of time all end together, and `before` is the state it starts from."""

    def __init__(self, statement: Statement, basis: Legendre, boxes: np.ndarray, before: Before | None = None):
        self.statement, self.basis, self.boxes, self.before = statement, basis, boxes, before
        self.h = half(boxes)
        self.z = points_of(basis)
        self.fixed = [*self._jumps(), *self._start()]
        self.held = [*self._held_on_faces(), *self._held_at_points()]

    @property
    def size(self) -> int:
        return len(self.statement.fields) * self.basis.size

    @cached_property
    def _faces(self) -> list[Face]:
        return list(faces(self.boxes, self._whole, self.statement.periodic))

    @cached_property
    def _whole(self) -> np.ndarray:
        whole, time = self.statement.whole.copy(), self.statement.time
        if time is not None:
            whole[time] = self.boxes[0, time]
        return whole

    @property
    def _outer(self) -> list[Face]:
        return [f for f in self._faces if f.other is None and f.axis != self.statement.time]

    def _on(self, face: Face) -> np.ndarray:
        """Points of a face; as many along each coordinate as inside a patch."""
        axes = [np.zeros(1) if a == face.axis else chebyshev(n) for a, n in enumerate(counts(self.basis))]
        return placed(np.stack([face.low, face.high], axis=1), product(axes))

    def _columns(self, k: int, x: np.ndarray, leaf: Leaf) -> np.ndarray:
        """The rows (n, columns of patch k) of one field or derivative, in units of the natural size of the field."""
        field, m = self.statement.fields.index(leaf[0]), self.basis.size
        out = np.zeros((len(x), self.size))
        out[:, field * m : (field + 1) * m] = table(self.basis, self.boxes[k], x, leaf[1])
        return out

    def _jumps(self) -> list[Rows]:
        rows, d = [], self.boxes.shape[1]
        for face in self._faces:
            i, j = face.one, face.other
            if j is None:
                continue
            x = self._on(face)
            behind = x.copy()
            behind[:, face.axis] -= face.shift
            h = min(self.h[i, face.axis], self.h[j, face.axis])
            for name, orders in self.statement.orders.items():
                for k in range(orders[face.axis]):
                    leaf = name, tuple(k if a == face.axis else 0 for a in range(d))
                    s = h**k / np.sqrt(len(x))
                    here, there = s * self._columns(i, x, leaf), s * self._columns(j, behind, leaf)
                    blocks, matrices = ((i,), (here - there,)) if i == j else ((i, j), (here, -there))
                    rows.append(Rows(blocks, matrices, np.zeros(len(x))))
        return rows

    def _start(self) -> list[Rows]:
        """The state at the start of a window: values, and time derivatives up to what the equations need."""
        time = self.statement.time
        if time is None:
            return []
        assert self.before is not None
        axes = [np.full(1, -1.0) if a == time else lobatto(n + 2) for a, n in enumerate(counts(self.basis))]
        z, rows = product(axes), []
        for k, box in enumerate(self.boxes):
            x = placed(box, z)
            for name, order in {(c.field, c.order) for c in self.statement.at_start}:
                alpha = tuple(order if a == time else 0 for a in range(len(box)))
                f, s = self.statement.fields.index(name), self.h[k, time] ** order / np.sqrt(len(x))
                values = self.before(x, alpha)[f] / self.statement.scales[f]
                rows.append(Rows((k,), (s * self._columns(k, x, (name, alpha)),), s * values))
        return rows

    def _held_on_faces(self) -> Iterator[Held]:
        for face in self._outer:
            x = self._on(face)
            for condition in self.statement.on_faces:
                held = x[condition.holds(face.axis, face.side, x)]
                if len(held):
                    yield Held(condition.at, face.one, held, self._normals(face, len(held)))

    def _held_at_points(self) -> Iterator[Held]:
        space, time = self.statement.space, self.statement.time
        n = 1 if time is None else counts(self.basis)[time]
        for condition in self.statement.at_points:
            outside = np.maximum(self.boxes[:, space, 0] - condition.point, condition.point - self.boxes[:, space, 1])
            k = int(np.argmin(outside.max(axis=1)))
            x = np.empty((n, self.boxes.shape[1]))
            x[:, space] = condition.point
            if time is not None:
                x[:, time] = self.boxes[k, time].mean() + chebyshev(n) * self.h[k, time]
            yield Held(condition.at, k, x, np.zeros((n, len(space))))

    def _normals(self, face: Face, n: int) -> np.ndarray:
        normals = np.zeros((n, len(self.statement.space)))
        normals[:, self.statement.space.index(face.axis)] = face.side
        return normals

    def _values(self, c: np.ndarray, k: int, x: np.ndarray, leaves: tuple[Leaf, ...]) -> np.ndarray:
        """Fields and derivatives `(leaves, n)` of patch k."""
        pieces, fields = Pieces(self.basis, self.boxes, c), self.statement.fields
        by_index = {alpha: pieces.on(k, x, alpha) for alpha in {alpha for _, alpha in leaves}}
        return np.stack([by_index[alpha][fields.index(name)] for name, alpha in leaves])

    def _sizes(self, k: int, leaves: tuple[Leaf, ...]) -> np.ndarray:
        return self.statement.sizes(leaves, self.h[k])

    def at(self, c: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Residuals of the equations at points z `(n, d)` of every patch, `(equations, K, n)`, their derivatives
        `(equations, leaves, K, n)`, and the sizes of their rows `(equations, K)`."""
        equations, K, n = self.statement.equations, len(self.boxes), len(z)
        x = np.concatenate([placed(box, z) for box in self.boxes])
        fields = self.statement.fields
        U = np.empty((len(equations.leaves), K, n))
        for i, (name, alpha) in enumerate(equations.leaves):
            units = np.prod(self.h ** np.array(alpha), axis=1)
            U[i] = (c[:, fields.index(name)] @ self.basis.table(z, alpha).T) / units[:, None]
        r, slopes = equations(U.reshape(len(U), -1), x)
        slopes = slopes.reshape(len(r), len(U), K, n)
        units = np.stack([self._sizes(k, equations.leaves) for k in range(K)], axis=1)
        sizes = np.einsum("elk,lk->ek", np.abs(slopes).max(axis=3), units)
        return r.reshape(len(r), K, n), slopes, np.where(sizes > 0, sizes, 1.0)

    def _equations(self, c: np.ndarray) -> list[Rows]:
        equations, scales, m = self.statement.equations, self.statement.scales, self.basis.size
        r, slopes, sizes = self.at(c, self.z)
        J = np.zeros((len(r), len(self.boxes), len(self.z), self.size))
        for i, (name, alpha) in enumerate(equations.leaves):
            f = self.statement.fields.index(name)
            units = scales[f] / np.prod(self.h ** np.array(alpha), axis=1)
            J[..., f * m : (f + 1) * m] += (slopes[:, i] * units[:, None])[..., None] * self.basis.table(self.z, alpha)
        factor = 1 / (sizes * np.sqrt(len(self.z)))
        state = (c / scales[:, None]).reshape(len(c), -1)
        right = np.einsum("ekpj,kj->ekp", J, state) - r
        return [
            Rows((k,), (factor[e, k] * J[e, k],), factor[e, k] * right[e, k])
            for e in range(len(r))
            for k in range(len(self.boxes))
        ]

    def _conditions(self, c: np.ndarray) -> list[Rows]:
        rows = []
        for held in self.held:
            k, x, leaves = held.patch, held.x, held.at.leaves
            r, slopes, size = self._of_condition(held, c)
            factor = 1 / (size * np.sqrt(len(x)))
            J = np.zeros((len(x), self.size))
            for slope, leaf in zip(slopes, leaves, strict=True):
                scale = self.statement.scales[self.statement.fields.index(leaf[0])]
                J += (slope * scale)[:, None] * self._columns(k, x, leaf)
            state = (c[k] / self.statement.scales[:, None]).ravel()
            rows.append(Rows((k,), (factor * J,), factor * (J @ state - r)))
        return rows

    def _of_condition(self, held: Held, c: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """The residual `(n,)` of a condition, its derivatives `(leaves, n)`, and the size of its rows."""
        r, slopes = held.at(self._values(c, held.patch, held.x, held.at.leaves), held.x, held.normals)
        size = float(np.abs(slopes[0]).max(axis=1) @ self._sizes(held.patch, held.at.leaves))
        return r[0], slopes[0], size or 1.0

    def step(self, c: np.ndarray) -> np.ndarray:
        """One step of Gauss-Newton from `c`."""
        rows = [*self.fixed, *self._equations(c), *self._conditions(c)]
        found = block_least_squares(rows, len(self.boxes), self.size)
        return found.reshape(c.shape) * self.statement.scales[:, None]

    def newton(self, c: np.ndarray, tolerance: float, steps: int = STEPS) -> Newton:
        """Until the values change by less than `tolerance`. A linear problem takes one step."""
        if self.statement.linear:
            return Newton(self.step(c), 0.0)
        values = self.basis.table(self.z, (0,) * self.z.shape[1]).T
        changes: list[float] = []
        while len(changes) < steps:
            new = self.step(c)
            scaled = [np.linalg.norm((a / self.statement.scales[:, None]) @ values) for a in (new - c, new)]
            changes.append(float(scaled[0] / max(scaled[1], 1e-300)))
            if not np.isfinite(changes[-1]):
                break
            c = new
            if changes[-1] < tolerance:
                break
            if len(changes) > 2 and changes[-1] > 0.5 * changes[-2]:
                break
        at_floor = len(changes) > 2 and changes[-1] < FLOOR and changes[-1] > 0.5 * changes[-2]
        return Newton(c, 0.0 if at_floor else changes[-1])

    def defect(self, c: np.ndarray) -> np.ndarray:
        """How badly the equations hold at fresh points of each patch, `(K,)`, root mean squares relative to the fields: where
        they have a time derivative, what the residual adds to a field over the window; else relative to their rows."""
        z = np.random.default_rng(17).uniform(-1, 1, (FRESH, self.z.shape[1]))
        r, slopes, sizes = self.at(c, z)
        time, found = self.statement.time, np.zeros(len(self.boxes))
        for e in range(len(r)):
            along = sizes[e]
            if time is not None:
                window = 2 * self.h[:, time]
                moving = [
                    np.abs(slopes[e, i]).max(axis=1) * self.statement.scales[self.statement.fields.index(name)]
                    / window ** alpha[time]
                    for i, (name, alpha) in enumerate(self.statement.equations.leaves)
                    if alpha[time]
                ]  # fmt: skip
                along = np.sum(moving, axis=0) if moving else along
            rms = np.sqrt(np.mean(r[e] ** 2, axis=1))
            found = np.maximum(found, rms / np.where(along > 0, along, 1.0))
        return found

    def misfit(self, c: np.ndarray) -> np.ndarray:
        """The worst violation of conditions, and jump, at fresh points on the faces of each patch, `(K,)`, relative to their
        rows."""
        found, generator = np.zeros(len(self.boxes)), np.random.default_rng(5)
        pieces, fields = Pieces(self.basis, self.boxes, c), self.statement.fields
        for face in self._faces:
            x = face.low + generator.uniform(size=(20, len(face.low))) * (face.high - face.low)
            i, j = face.one, face.other
            if j is None:
                if face.axis == self.statement.time:
                    continue
                for condition in self.statement.on_faces:
                    held = x[condition.holds(face.axis, face.side, x)]
                    if len(held):
                        r, _, size = self._of_condition(Held(condition.at, i, held, self._normals(face, len(held))), c)
                        found[i] = max(found[i], np.abs(r).max() / size)
                continue
            behind = x.copy()
            behind[:, face.axis] -= face.shift
            for name, orders in self.statement.orders.items():
                f = fields.index(name)
                for k in range(orders[face.axis]):
                    alpha = tuple(k if a == face.axis else 0 for a in range(len(orders)))
                    jump = np.abs(pieces.on(i, x, alpha)[f] - pieces.on(j, behind, alpha)[f]).max()
                    worst = jump * min(self.h[i, face.axis], self.h[j, face.axis]) ** k / self.statement.scales[f]
                    found[[i, j]] = np.maximum(found[[i, j]], worst)
        return found

    def tails(self, c: np.ndarray) -> np.ndarray:
        """The size of the two highest degrees along each coordinate on each patch, `(K, d)`, relative to the fields."""
        return tails(self.basis, c / self.statement.scales[:, None])


def counts(basis: Legendre) -> list[int]:
    """Points along each coordinate of a face."""
    return [p + (2 if basis.total else MORE_POINTS) for p in basis.degrees]


def points_of(basis: Legendre) -> np.ndarray:
    """Points of a patch: a grid, or for a total degree, which has fewer functions than a grid has points, the Kronecker
    sequence of the root of x^(d+1) = x + 1, as dense towards the sides as Chebyshev's points."""
    if not basis.total:
        return product([chebyshev(n) for n in counts(basis)])
    d = len(basis.degrees)
    root = 2.0
    for _ in range(60):
        root = (1 + root) ** (1 / (d + 1))
    i = np.arange(1, int(ENOUGH * basis.size) + 1)[:, None]
    return -np.cos(np.pi * ((i * root ** -np.arange(1.0, d + 1)) % 1))


@lru_cache(maxsize=8)
def fitting(basis: Legendre) -> np.ndarray:
    """The matrix that takes values at `points_of(basis)` to coefficients, by least squares."""
    z = points_of(basis)
    return np.linalg.pinv(basis.table(z, (0,) * z.shape[1]), rcond=1e-12)


def tails(basis: Legendre, c: np.ndarray) -> np.ndarray:
    """Of coefficients `(K, fields, functions)` the size of the two highest degrees along each coordinate: `(K, d)`."""
    peak = np.sqrt(np.prod(2 * basis.index + 1, axis=1))
    size = np.abs(c * peak).max(axis=1)
    last = basis.index >= np.array(basis.degrees) - 1
    return np.stack([np.where(last[:, a], size, 0.0).max(axis=1) for a in range(last.shape[1])], axis=1)
