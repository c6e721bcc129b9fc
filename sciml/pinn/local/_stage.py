"""One implicit stage of a step in time: least squares on patches of space.

With w what is known of the step before, a stage of a Runge-Kutta method is

    F(x, t, u, u', u'') = 0,    u' = (u - w) / tau,    u'' = (u' - w') / tau,

equations in space for u alone. The system of a window of time serves, on functions of space (`Slice`) in boxes from t - tau
to t + tau: a derivative of order k in time is that of the coefficients less those of w + tau w' + ... (k terms).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ._basis import Slice
from ._normal import Cholesky, Rows, gram_of, norms_of
from ._pieces import table
from ._pointwise import Pointwise
from ._statement import Statement
from ._system import Held, System

MOST = 8  # iterations
LEAST = 1e-10  # of a function: what is smaller inside of a patch is not told from nothing
SLOW = 0.5  # times the change before: the linearisation is another one's
TINY = 1e-300


@dataclass
class Linearised:
    """Rows at some state, what those of equations are divided by and those of conditions multiplied, and the factor of their
    normal equations; `rate`, by how much changes fell last."""

    rows: list[Rows]
    weights: list[np.ndarray]
    at_conditions: list[float]
    factor: Cholesky
    norms: np.ndarray
    rate: float = 0.1


@dataclass(frozen=True)
class Together:
    """Conditions of one kind: their numbers among all, the patch of each, all points, and for each the tables of its leaves."""

    at: Pointwise
    members: list[int]
    patches: list[int]
    x: np.ndarray
    normals: np.ndarray
    tables: list[list[np.ndarray]]


class Stage(System):
    """At a time t, `move`d to, `tau` after what `remember` was told."""

    def __init__(self, statement: Statement, basis: Slice, boxes: np.ndarray, t: float, tau: float):
        assert statement.time is not None
        boxes = boxes.copy()
        boxes[:, statement.time] = t - tau, t + tau
        super().__init__(statement, basis, boxes)
        self.statement = replace(statement, scales=self._natural(tau))
        self.tau = tau
        self._past: tuple[np.ndarray, ...] = ()

    def _natural(self, tau: float) -> np.ndarray:
        """The sizes of the fields in a step: for those without a derivative in time, such as a pressure, at least what changes
        the others by their own size over a patch in the time tau. Less of it is not told from nothing in so short a time."""
        time, leaves, scales = self.statement.time, self.statement.equations.leaves, self.statement.scales.copy()
        assert time is not None
        moving = np.array([any(n == name and a[time] for n, a in leaves) for name in self.statement.fields])
        if moving.any():
            size = np.delete(self.h, time, axis=1).max(axis=1)
            scales[~moving] = np.maximum(scales[~moving], scales[moving].max() * np.median(size) / tau)
        return scales

    def move(self, t: float) -> None:
        time = self.statement.time
        self.cells.frames[:, time] = self.cells.boxes[:, time] = t - self.tau, t + self.tau
        for at in (*self.held, *self._together, *self._fresh, *self.cover.joints, *self.cover.edges):
            at.x[:, time] = t
        for at in (*self.cover.joints, *self.cover.edges):
            at.fresh[:, time] = t

    def remember(self, past: np.ndarray) -> None:
        """w, w', ... `(orders, K, fields, functions)`."""
        powers = self.tau ** np.arange(len(past))
        self._past = tuple(np.cumsum(powers[:, None, None, None] * past, axis=0))

    def tables(self, points: Sequence[np.ndarray], alpha: tuple[int, ...]) -> list[np.ndarray]:
        if points is not self.cover.z:
            return super().tables(points, alpha)
        # The same in every stage and step.
        made, of_space = self.cover.made, tuple(0 if a == self.statement.time else k for a, k in enumerate(alpha))
        if ("table", of_space) not in made:
            made["table", of_space] = super().tables(points, alpha)
        return made["table", of_space]

    def moved(self, c: np.ndarray, alpha: tuple[int, ...]) -> np.ndarray:
        assert self.statement.time is not None
        order = alpha[self.statement.time]
        return c - self._past[order - 1] if order else c

    @cached_property
    def fixed(self) -> list[Rows]:
        made = self.cover.made
        if "shaped" not in made:
            made["shaped"] = self._shaped(self._jumps())
        return made["shaped"]

    @cached_property
    def _together(self) -> list[Together]:
        return self._grouped(self.held)

    @cached_property
    def _fresh(self) -> list[Together]:
        """Conditions on the boundary of patches that are cut, at fresh points."""
        given = []
        for edge in self.cover.edges:
            for condition in self.statement.on_faces if not self.cover.whole[edge.patch] else ():
                here = self.statement.holds(condition, edge.label, edge.fresh)
                if here.any():
                    given.append(Held(condition.at, edge.patch, edge.fresh[here], edge.fresh_normals[here]))
        return self._grouped(given)

    def _grouped(self, given: Sequence[Held]) -> list[Together]:
        kinds: dict[int, list[int]] = {}
        for i, held in enumerate(given):
            kinds.setdefault(id(held.at), []).append(i)
        out = []
        for members in kinds.values():
            held = [given[i] for i in members]
            tables = [[table(self.basis, self.cells.frames[h.patch], h.x, a) for _, a in h.at.leaves] for h in held]
            x, normals = np.concatenate([h.x for h in held]), np.concatenate([h.normals for h in held])
            out.append(Together(held[0].at, members, [h.patch for h in held], x, normals, tables))
        return out

    def _values_of(self, group: Together, c: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """What conditions leave at the points of each, and the slopes."""
        fields = [self.statement.fields.index(name) for name, _ in group.at.leaves]
        given = [self.moved(c, alpha) for _, alpha in group.at.leaves]
        values = [
            np.stack([m @ g[k, f] for m, g, f in zip(matrices, given, fields, strict=True)])
            for k, matrices in zip(group.patches, group.tables, strict=True)
        ]
        found = group.at(np.concatenate(values, axis=1), group.x, group.normals)
        ends = np.cumsum([v.shape[1] for v in values])[:-1]
        return list(zip(np.split(found.r[0], ends), np.split(found.slopes[0], ends, axis=1), strict=True))

    def _of_conditions(self, c: np.ndarray) -> list[np.ndarray]:
        """What every one of `held` leaves, `(n,)` each."""
        out: list[np.ndarray] = [np.empty(0)] * len(self.held)
        for group in self._together:
            for i, (r, _) in zip(group.members, self._values_of(group, c), strict=True):
                out[i] = r
        return out

    def missed(self, c: np.ndarray) -> np.ndarray:
        """The worst violation of conditions in patches that are cut, relative to their rows, `(K,)`."""
        out = np.zeros(self.patches)
        for group in self._fresh:
            for k, (r, slopes) in zip(group.patches, self._values_of(group, c), strict=True):
                size = float(np.abs(slopes).max(axis=1) @ self._sizes(k, group.at.leaves))
                out[k] = max(out[k], float(np.abs(r).max()) / (size or 1.0))
        return out

    def linearised_at(self, c: np.ndarray) -> Linearised:
        rows = self.equations(c)
        weights = [s * np.sqrt(len(z)) for s, z in zip(self.sizes(c), self.cover.z, strict=True)]
        at_conditions = []
        for held in self.held:
            values, size = self._of_condition(held, c)
            at_conditions.append(1 / (size * np.sqrt(len(held.x))))
            rows.append(self.linearised(held, values, c, at_conditions[-1]))
        rows = self._shaped([*rows, *self.fluxes(c)])
        gram = gram_of(rows, self.known)
        norms = norms_of(gram, self.patches, self.size)
        return Linearised(rows, weights, at_conditions, Cholesky(gram, norms), norms)

    def improved(self, c: np.ndarray, by: Linearised) -> np.ndarray:
        """One step of Gauss-Newton from c, by rows of another state."""
        scales = self.statement.scales[:, None]
        state = self.shaped(c / scales).reshape(self.patches, -1)
        gradient = np.zeros_like(state)
        left = [-(f.r / w[:, None]).ravel() for f, w in zip(self.at(c, self.cover.z), by.weights, strict=True)]
        left += [-w * r for r, w in zip(self._of_conditions(c), by.at_conditions, strict=True)]
        for row, now in zip(by.rows, left, strict=False):
            gradient[row.blocks[0]] += now @ row.matrices[0]
        for row in (*self._shaped(self.fluxes(c)), *self.fixed):
            now = row.right.copy()
            for k, matrix in zip(row.blocks, row.matrices, strict=True):
                now -= matrix @ state[k]
            for k, matrix in zip(row.blocks, row.matrices, strict=True):
                gradient[k] += now @ matrix
        change = by.factor.solve(gradient / by.norms) / by.norms
        return c + self.shaped(change.reshape(c.shape), back=True) * scales

    @cached_property
    def _shapes(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """For patches that are cut R and its inverse, with R c the coefficients of functions that are orthonormal on what is
        inside: Legendre's are nearly combinations of each other there."""
        made = self.cover.made
        if "shapes" not in made:
            matrices, made["shapes"] = self.tables(self.cover.z, (0,) * self.h.shape[1]), {}
            for k in np.flatnonzero(~self.cover.whole):
                least = LEAST * np.eye(self.basis.size)
                R = np.linalg.qr(np.concatenate([matrices[k] / np.sqrt(len(matrices[k])), least]), mode="r")
                made["shapes"][int(k)] = R, np.linalg.inv(R)
        return made["shapes"]

    def _shaped(self, rows: Sequence[Rows]) -> list[Rows]:
        """The same with columns that are nearly orthogonal in every patch."""

        def of(k: int, matrix: np.ndarray) -> np.ndarray:
            if k not in self._shapes:
                return matrix
            n = self.basis.size
            return (matrix.reshape(len(matrix), -1, n) @ self._shapes[k][1]).reshape(matrix.shape)

        each = [tuple(of(k, m) for k, m in zip(row.blocks, row.matrices, strict=True)) for row in rows]
        return [replace(row, matrices=matrices) for row, matrices in zip(rows, each, strict=True)]

    def shaped(self, c: np.ndarray, back: bool = False) -> np.ndarray:
        """Coefficients `(K, ..., functions)` of functions that are orthonormal in every patch, or from those `back`."""
        out = c.copy()
        for k, matrices in self._shapes.items():
            out[k] = c[k] @ matrices[int(back)].T
        return out

    def sized(self, c: np.ndarray) -> np.ndarray:
        """Root mean squares of fields on every patch, relative to their natural sizes, `(K, fields)`."""
        return np.linalg.norm(self.shaped(c), axis=2) / self.statement.scales

    def solved(
        self, c: np.ndarray, by: Linearised | None, tolerance: float, measure: bool = True
    ) -> tuple[np.ndarray, Linearised] | None:
        """The state where the equations hold, from c on, and what it was found with; None where Newton's method does not
        converge. How fast it does is measured, in a second iteration at least, or believed to be as in the stage before.
        **Raises** `numpy.linalg.LinAlgError`."""
        fresh = by is None
        by = self.linearised_at(c) if by is None else by
        before = np.inf
        for _ in range(MOST):
            new = self.improved(c, by)
            change = float(np.sqrt(np.mean(self.sized(new - c) ** 2)))
            if not np.isfinite(change):
                return None
            if before < np.inf:
                by.rate = max(change / max(before, TINY), 1e-12)
                if by.rate > SLOW and change > tolerance:
                    if fresh:
                        return None
                    # From where it was: the last changes may lead away.
                    by, fresh, before = self.linearised_at(c), True, np.inf
                    continue
            known, c, before = before < np.inf or not measure, new, change
            if change < tolerance or known and by.rate < SLOW and change * by.rate < tolerance:
                return c, by
        return None

