"""The least-squares problem on given patches: rows of equations, conditions and jumps, and Newton's method on them.

Rows of one kind on one patch are divided by the root of their number and by

    sum_l max |dF/du_l| size(u_l) / h^l,

which is the size of what they differentiate on functions that vary over the patch (h, half its lengths). With
that their weights hardly matter: between 0.01 and 10 they move the error by less than three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ._basis import Legendre, chebyshev, lobatto, product
from ._cover import Joint, counts, fitted, tables
from ._covering import cover
from ._normal import Gram, Rows, block_least_squares, cost, gram_of
from ._pieces import Pieces, half, nearest, placed, table
from ._pointwise import Leaf, Pointwise, Values
from ._statement import START, OnBreaks, Statement

STEPS = 8
BESIDE = 1e-6  # of half the length of a patch: the coefficients on this side of a jump
FLOOR = 1e-5  # changes below it that no longer halve are rounding

# Fields `(fields, n)` of a derivative at points: what goes before a window.
Before = Callable[[np.ndarray, tuple[int, ...]], np.ndarray]


@dataclass(frozen=True)
class Newton:
    """`c` `(K, fields, functions)` in physical units; `change`: the relative change of the values in the last step."""

    c: np.ndarray
    change: float


@dataclass(frozen=True)
class Residual:
    """Of the equations on a patch: residuals `(equations, n)`, their derivatives `(equations, leaves, n)`, and the sizes of
    their rows `(equations,)`."""

    r: np.ndarray
    slopes: np.ndarray
    sizes: np.ndarray
    by_unknowns: np.ndarray


@dataclass(frozen=True)
class Held:
    """A condition at points `x` of a patch."""

    at: Pointwise
    patch: int
    x: np.ndarray
    normals: np.ndarray


class System:
    """`boxes` `(C, d, 2)`: cells. In a window of time all end together, and `before` is the state it starts from."""

    def __init__(self, statement: Statement, basis: Legendre, boxes: np.ndarray, before: Before | None = None):
        self.statement, self.basis, self.before = statement, basis, before
        self.cover = cover(statement, basis, boxes)
        self.cells = self.cover.cells
        self.h = half(self.cells.frames)
        self.kept = statement.kept(basis)

    @property
    def size(self) -> int:
        """Unknowns of a patch."""
        return len(self.statement.fields) * self.basis.size

    @property
    def patches(self) -> int:
        return len(self.h)

    def columns(self, k: int, x: np.ndarray, leaf: Leaf) -> np.ndarray:
        """The rows (n, columns of patch k) of one field or derivative, in units of the natural size of the field."""
        field, m = self.statement.fields.index(leaf[0]), self.basis.size
        out = np.zeros((len(x), self.size))
        values = table(self.basis, self.cells.frames[k], x, leaf[1])
        out[:, field * m : (field + 1) * m] = values if self.kept is None else values * self.kept[field]
        return out

    @property
    def cost(self) -> tuple[float, float]:
        """Multiplications and bytes of the factor that a step needs."""
        made = self.cover.made
        if "cost" not in made:
            made["cost"] = cost(((j.one, j.other) for j in self.cover.joints), self.patches, self.size)
        return made["cost"]

    @cached_property
    def fixed(self) -> list[Rows]:
        """Rows that do not depend on the solution."""
        return [*self._jumps(), *self._start()]

    @property
    def known(self) -> Gram:
        """A^T A of the rows `fixed`, the same in every window."""
        made = self.cover.made
        if "gram" not in made:
            made["gram"] = gram_of(self.fixed)
        return made["gram"]

    @cached_property
    def held(self) -> list[Held]:
        return [*self._held_on_edges(), *self._held_at_points()]

    def _jumps(self) -> list[Rows]:
        """Rows of faces between patches; in units of the patches they are the same in every window."""
        made = self.cover.made
        if "jumps" not in made:
            made["jumps"] = [self._jump(joint) for joint in self.cover.joints if self._continuous(joint)]
        return made["jumps"]

    def _continuous(self, joint: Joint) -> list[Leaf]:
        """What is continuous across a face: where a flux is, no slopes of its fields."""
        fluxes = self.statement.fluxes_across(joint.axis, joint.x)
        bent = {name for flux in fluxes for name, alpha in flux.at.leaves if alpha[joint.axis]}
        return [(name, alpha) for name, alpha in self._leaves_across(joint.axis) if name not in bent or not alpha[joint.axis]]

    def _jump(self, joint: Joint) -> Rows:
        i, j, x, axis = joint.one, joint.other, joint.x, joint.axis
        behind = x.copy()
        behind[:, axis] -= joint.shift
        h = min(self.h[i, axis], self.h[j, axis])
        here, there = [], []
        for name, alpha in self._continuous(joint):
            s = h ** alpha[axis] / np.sqrt(len(x))
            here.append(s * self.columns(i, x, (name, alpha)))
            there.append(s * self.columns(j, behind, (name, alpha)))
        one, other = np.concatenate(here), np.concatenate(there)
        zero = np.zeros(len(one))
        return Rows((i,), (one - other,), zero) if i == j else Rows((i, j), (one, -other), zero)

    def _leaves_across(self, axis: int) -> list[Leaf]:
        """What is continuous across a face: fields and their normal derivatives below the order of the equations."""
        return [
            (name, tuple(k if a == axis else 0 for a in range(len(orders))))
            for name, orders in self.statement.orders.items()
            for k in range(orders[axis])
        ]

    def _start(self) -> list[Rows]:
        """The state at the start of a window: values, and time derivatives up to what the equations need."""
        time, starts = self.statement.time, sorted({(c.field, c.order) for c in self.statement.at_start})
        if time is None or not starts:
            return []
        assert self.before is not None
        d, made = self.h.shape[1], self.cover.made
        if "start" not in made:
            axes = [np.full(1, -1.0) if a == time else lobatto(n + 2) for a, n in enumerate(counts(self.basis))]
            whole = product(axes)
            points = [whole if w else _at_start(z, time) for w, z in zip(self.cover.whole, self.cover.z, strict=True)]
            m, matrices = self.basis.size, [np.zeros((len(starts), len(z), self.size)) for z in points]
            for i, (name, order) in enumerate(starts):
                f, alpha = self.statement.fields.index(name), tuple(order if a == time else 0 for a in range(d))
                for matrix, values in zip(matrices, tables(self.basis, points, alpha), strict=True):
                    matrix[i, :, f * m : (f + 1) * m] = values / np.sqrt(len(values))
            made["start"] = points, [matrix.reshape(-1, self.size) for matrix in matrices]
        points, matrices = made["start"]
        ends = np.cumsum([0, *(len(z) for z in points)])
        x = np.concatenate([placed(frame, z) for frame, z in zip(self.cells.frames, points, strict=True)])
        rights = []
        for name, order in starts:
            f, alpha = self.statement.fields.index(name), tuple(order if a == time else 0 for a in range(d))
            rights.append(self.before(x, alpha)[f] * self.h[0, time] ** order / self.statement.scales[f])
        rows = []
        for k, matrix in enumerate(matrices):
            right = np.concatenate([r[ends[k] : ends[k + 1]] for r in rights]) / np.sqrt(ends[k + 1] - ends[k])
            rows.append(Rows((k,), (matrix,), right))
        return rows

    def _held_on_edges(self) -> Iterator[Held]:
        for edge in self.cover.edges:
            for condition in self.statement.on_faces:
                here = self.statement.holds(condition, edge.label, edge.x)
                if here.any():
                    yield Held(condition.at, edge.patch, edge.x[here], edge.normals[here])
            if edge.label == START:
                for condition in self.statement.at_start:
                    yield Held(condition.at, edge.patch, edge.x, edge.normals)

    def _held_at_points(self) -> Iterator[Held]:
        space, time, boxes = self.statement.space, self.statement.time, self.cells.boxes
        n = 1 if time is None else counts(self.basis)[time]
        for condition in self.statement.at_points:
            k = int(self.cells.owner[nearest(boxes[:, space], condition.point[None])[0][0]])
            x = np.empty((n, boxes.shape[1]))
            x[:, space] = condition.point
            if time is not None:
                x[:, time] = boxes[0, time].mean() + chebyshev(n) * self.h[k, time]
            yield Held(condition.at, k, x, np.zeros((n, len(space))))

    def _values(self, c: np.ndarray, k: int, x: np.ndarray, leaves: tuple[Leaf, ...]) -> np.ndarray:
        """Fields and derivatives `(leaves, n)` of patch k."""
        fields, indices = self.statement.fields, {alpha for _, alpha in leaves}
        by_index = {alpha: Pieces(self.basis, self.cells, self.moved(c, alpha)).on(k, x, alpha) for alpha in indices}
        return np.stack([by_index[alpha][fields.index(name)] for name, alpha in leaves])

    def tables(self, points: Sequence[np.ndarray], alpha: tuple[int, ...]) -> list[np.ndarray]:
        """The derivative of order alpha of all functions at the points of every patch."""
        return tables(self.basis, points, alpha)

    def moved(self, c: np.ndarray, alpha: tuple[int, ...]) -> np.ndarray:
        """The coefficients whose functions a derivative is of."""
        return c

    def _sizes(self, k: int, leaves: tuple[Leaf, ...]) -> np.ndarray:
        return self.statement.sizes(leaves, self.h[k])

    def at(self, c: np.ndarray, points: Sequence[np.ndarray]) -> list[Residual]:
        """The residuals at points `(n, d)` of every patch, in its frame."""
        equations, fields = self.statement.equations, self.statement.fields
        ends = np.cumsum([0, *(len(z) for z in points)])
        x = np.concatenate([placed(frame, z) for frame, z in zip(self.cells.frames, points, strict=True)])
        U = np.empty((len(equations.leaves), len(x)))
        for i, (name, alpha) in enumerate(equations.leaves):
            units, f = np.prod(self.h ** np.array(alpha), axis=1), fields.index(name)
            given = self.moved(c, alpha)
            for k, values in enumerate(self.tables(points, alpha)):
                U[i, ends[k] : ends[k + 1]] = values @ given[k, f] / units[k]
        r, slopes, by_unknowns = equations(U, x)
        out = []
        for k in range(self.patches):
            here = slice(ends[k], ends[k + 1])
            sizes = np.abs(slopes[:, :, here]).max(axis=2) @ self._sizes(k, equations.leaves)
            sizes = np.where(sizes > 0, sizes, 1.0)
            out.append(Residual(r[:, here], slopes[:, :, here], sizes, by_unknowns[:, :, here]))
        return out

    def sizes(self, c: np.ndarray) -> list[np.ndarray]:
        """What the rows of the equations are divided by on every patch."""
        return [found.sizes for found in self.at(c, self.cover.z)]

    def equations(self, c: np.ndarray, sizes: Sequence[np.ndarray] | None = None) -> list[Rows]:
        """`sizes`: those of another state."""
        equations, scales, m = self.statement.equations, self.statement.scales, self.basis.size
        points, rows = self.cover.z, []
        made = [self.tables(points, alpha) for _, alpha in equations.leaves]
        for k, found in enumerate(self.at(c, points)):
            J = np.zeros((*found.r.shape, self.size))
            for i, (name, alpha) in enumerate(equations.leaves):
                f = self.statement.fields.index(name)
                unit = scales[f] / np.prod(self.h[k] ** np.array(alpha))
                values = made[i][k] if self.kept is None else made[i][k] * self.kept[f]
                J[..., f * m : (f + 1) * m] += (found.slopes[:, i] * unit)[..., None] * values
            factor = 1 / ((found.sizes if sizes is None else sizes[k]) * np.sqrt(len(points[k])))
            right = J @ (c[k] / scales[:, None]).ravel() - found.r
            J = (factor[:, None, None] * J).reshape(-1, self.size)
            beside = (factor[:, None, None] * found.by_unknowns).swapaxes(1, 2).reshape(len(J), -1)
            rows.append(Rows((k,), (J,), (factor[:, None] * right).ravel(), beside))
        return rows

    def conditions(self, c: np.ndarray) -> list[Rows]:
        rows = []
        for held in self.held:
            values, size = self._of_condition(held, c)
            rows.append(self.linearised(held, values, c, 1 / (size * np.sqrt(len(held.x)))))
        return rows

    def fluxes(self, c: np.ndarray) -> list[Rows]:
        """Fluxes that are continuous where their coefficients jump."""
        rows = []
        for joint in self.cover.joints:
            for flux in self.statement.fluxes_across(joint.axis, joint.x):
                sides, size = self._sides(flux, joint, joint.x, c)
                one, other = (self.linearised(*side, c, 1 / (size * np.sqrt(len(joint.x)))) for side in sides)
                beside = None if one.beside is None or other.beside is None else one.beside - other.beside
                matrices = one.matrices[0], -other.matrices[0]
                rows.append(Rows((joint.one, joint.other), matrices, one.right - other.right, beside))
        return rows

    def _sides(self, flux: OnBreaks, joint: Joint, x: np.ndarray, c: np.ndarray) -> tuple[list[tuple[Held, Values]], float]:
        """A flux on both sides of a face, its coefficients just beside it, and the size of its rows."""
        sides, size = [], 0.0
        for k, side in ((joint.one, -1), (joint.other, 1)):
            leaves, beside = flux.at.leaves, x.copy()
            beside[:, joint.axis] += side * BESIDE * self.h[k, joint.axis]
            held = Held(flux.at, k, x, np.zeros((len(x), len(self.statement.space))))
            values = flux.at(self._values(c, k, x, leaves), beside, held.normals)
            size = max(size, float(np.abs(values.slopes[0]).max(axis=1) @ self._sizes(k, leaves)))
            sides.append((held, values))
        return sides, size or 1.0

    def linearised(self, held: Held, values: Values, c: np.ndarray, factor: Any) -> Rows:
        """Rows of what holds at points, each times `factor` (a number or `(n,)`)."""
        k, x, factor = held.patch, held.x, np.broadcast_to(factor, len(held.x))[:, None]
        J = np.zeros((len(x), self.size))
        for slope, leaf in zip(values.slopes[0], held.at.leaves, strict=True):
            scale = self.statement.scales[self.statement.fields.index(leaf[0])]
            J += (slope * scale)[:, None] * self.columns(k, x, leaf)
        state = (c[k] / self.statement.scales[:, None]).ravel()
        return Rows((k,), (factor * J,), factor[:, 0] * (J @ state - values.r[0]), factor * values.by_unknowns[0].T)

    def evaluated(self, held: Held, c: np.ndarray) -> Values:
        return held.at(self._values(c, held.patch, held.x, held.at.leaves), held.x, held.normals)

    def _of_condition(self, held: Held, c: np.ndarray) -> tuple[Values, float]:
        """A condition at its points, and the size of its rows."""
        values = self.evaluated(held, c)
        size = float(np.abs(values.slopes[0]).max(axis=1) @ self._sizes(held.patch, held.at.leaves))
        return values, size or 1.0

    def step(self, c: np.ndarray) -> np.ndarray:
        """One step of Gauss-Newton from `c`."""
        rows = [*self.equations(c), *self.conditions(c), *self.fluxes(c)]
        found = block_least_squares(rows, self.patches, self.size, self.fixed, self.known)
        return found.reshape(c.shape) * self.statement.scales[:, None]

    def newton(self, c: np.ndarray, tolerance: float, steps: int = STEPS) -> Newton:
        """Until the values change by less than `tolerance`. A linear problem takes one step."""
        if self.statement.linear:
            return Newton(self.step(c), 0.0)
        changes: list[float] = []
        while len(changes) < steps:
            new = self.step(c)
            # Coefficients of orthonormal functions: their norm is that of the values.
            scaled = [np.linalg.norm(a / self.statement.scales[:, None]) for a in (new - c, new)]
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
        over_time, of_rows = self.defects(c)
        return np.where(np.isfinite(over_time), over_time, of_rows).max(axis=1)

    def defects(self, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same of every equation, `(K, equations)`, over the window (infinite without a time derivative) and relative to
        the rows: what a residual that varies over the patch changes a field by."""
        time, shape = self.statement.time, (self.patches, len(self.statement.pde.equations))
        over_time, of_rows = np.full(shape, np.inf), np.zeros(shape)
        for k, found in enumerate(self.at(c, self.cover.fresh)):
            size = np.sqrt(np.mean(found.r**2, axis=1))
            of_rows[k] = size / found.sizes
            if time is not None:
                moving = np.array(
                    [
                        self.statement.scales[self.statement.fields.index(name)] / (2 * self.h[k, time]) ** alpha[time]
                        if alpha[time]
                        else 0.0
                        for name, alpha in self.statement.equations.leaves
                    ]
                )
                moved = np.abs(found.slopes).max(axis=2) @ moving
                over_time[k, moved > 0] = size[moved > 0] / moved[moved > 0]
        return over_time, of_rows

    def misfit(self, c: np.ndarray) -> np.ndarray:
        """The worst violation of conditions, and jump, at fresh points on the faces of each patch, `(K,)`, relative to their
        rows."""
        found, pieces, fields = np.zeros(self.patches), Pieces(self.basis, self.cells, c), self.statement.fields
        for edge in self.cover.edges:
            for condition in self.statement.on_faces:
                here = self.statement.holds(condition, edge.label, edge.fresh)
                if here.any():
                    held = Held(condition.at, edge.patch, edge.fresh[here], edge.fresh_normals[here])
                    values, size = self._of_condition(held, c)
                    found[edge.patch] = max(found[edge.patch], np.abs(values.r).max() / size)
        for joint in self.cover.joints:
            i, j, x, axis = joint.one, joint.other, joint.fresh, joint.axis
            behind = x.copy()
            behind[:, axis] -= joint.shift
            h = min(self.h[i, axis], self.h[j, axis])
            for flux in self.statement.fluxes_across(axis, x):
                sides, size = self._sides(flux, joint, x, c)
                jump = np.abs(sides[0][1].r - sides[1][1].r).max()
                found[[i, j]] = np.maximum(found[[i, j]], jump / size)
            for name, alpha in self._continuous(joint):
                f = fields.index(name)
                jump = np.abs(pieces.on(i, x, alpha)[f] - pieces.on(j, behind, alpha)[f]).max()
                found[[i, j]] = np.maximum(found[[i, j]], jump * h ** alpha[axis] / self.statement.scales[f])
        return found

    def fitted(self, state: Before) -> np.ndarray:
        """Coefficients of given fields."""
        frames, points = self.cells.frames, self.cover.z
        x = np.concatenate([placed(frame, z) for frame, z in zip(frames, points, strict=True)])
        values = np.split(state(x, (0,) * self.h.shape[1]), np.cumsum([len(z) for z in points])[:-1], axis=1)
        return np.stack([fitted(self.basis, z, v) for z, v in zip(points, values, strict=True)])

    def tails(self, c: np.ndarray) -> np.ndarray:
        """The size of the two highest degrees along each coordinate on each patch, `(K, d)`, relative to the fields."""
        return tails(self.basis, c / self.statement.scales[:, None])


def _at_start(z: np.ndarray, time: int) -> np.ndarray:
    """Points of a patch moved to the start of the window."""
    z = z.copy()
    z[:, time] = -1
    return z


def tails(basis: Legendre, c: np.ndarray) -> np.ndarray:
    """Of coefficients `(K, fields, functions)` the size of the two highest degrees along each coordinate: `(K, d)`."""
    peak = np.sqrt(np.prod(2 * basis.index + 1, axis=1))
    size = np.abs(c * peak).max(axis=1)
    last = (basis.index >= np.array(basis.degrees) - 1) & (np.array(basis.degrees) > 0)
    return np.stack([np.where(last[:, a], size, 0.0).max(axis=1) for a in range(last.shape[1])], axis=1)
