"""Fields and unknown parameters from data, on given patches: maximum likelihood.

With r_d the residuals of data of standard deviations sigma, r_e the rows of equations, conditions and jumps, a the fields
without an equation and p the unknown parameters,

    min   sum (r_d / sigma)^2 + W^2 |r_e|^2 + lambda^2 mean |L^3 D^3 a|^2 / scale(a)^2,   W = KAPPA sqrt(n) / (relative sigma),

so that the equations hold firmly; by Gauss-Newton steps on the coefficients of all patches and p together, whose columns
stand beside the blocks of the patches and are eliminated last. What then is left of the normal equations is the
information matrix of p; its inverse is their covariance.

Data say little of the high degrees of a; the last term decides there. Its weight lambda is the one for which the data are
most probable (the evidence of D. J. C. MacKay, Neural Comput. 4, 415 (1992)): with A and m the matrix of the normal equations
and the minimum with the data, A_0 and m_0 without them,

    min over lambda of   m - m_0 + log det A - log det A_0.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import KDTree

from ._basis import Legendre
from ._normal import Cholesky, Rows, gram_of, norms_of
from ._pieces import half, nearest, placed
from ._statement import Data, Statement
from ._system import Held, System

KAPPA = 30.0
ORDER = 3  # of the derivatives that are small where nothing else is known of a field
HALVINGS = 6
UPHILL = 2  # steps
WEAK = 0.1  # lambda of the values of free fields, whose size is known roughly
MISSED = 1.25  # times as much as with ten times the weight: data that are not met
CLOSE = 1.1  # times the score of cross-validation: no worse
FEWEST = 0.5  # data that a fit does not follow, for their score to mean something
PROBES = 24
FAR = 2.0  # e-foldings or sizes of an unknown in one step
FREE = 1e-11  # of the information, before the fields follow: less is rounding


@dataclass
class Fit:
    """A state: coefficients `c` in physical units and the unknowns `raw`, the rows there and the sum of their squares."""

    c: np.ndarray
    raw: np.ndarray
    known: list[Rows]  # without the data
    data: list[Rows]
    total: float
    firm: float  # the part of equations, conditions and jumps
    of_data: np.ndarray  # mean squares of each set of data, in units of its noise

    @classmethod
    def begun(cls, c: np.ndarray, raw: np.ndarray) -> Fit:
        """Before anything was computed."""
        return cls(c, raw, [], [], np.inf, np.inf, np.empty(0))


class Inverse:
    """The least-squares problem on given patches. `noise`: the relative noise of every set of data."""

    def __init__(self, statement: Statement, basis: Legendre, boxes: np.ndarray, noise: tuple[float, ...]):
        self.statement, self.system = statement, System(statement, basis, boxes)
        self.n = sum(len(data.x) for data in statement.data)
        self.noise, self.relative = noise, min(noise)
        self.counts = np.array([len(data.x) for data in statement.data])
        self.W = KAPPA * np.sqrt(self.n) / self.relative
        self.data = [
            (number, *found) for number, data in enumerate(statement.data) for found in self._placed(data, noise[number])
        ]
        self.fixed = self.system.fixed
        self.jumps = gram_of(self.fixed)
        self.curved = list(self._curvature())

    def _placed(self, data: Data, noise: float) -> Iterator[tuple[Held, np.ndarray, np.ndarray]]:
        """The points of each patch, their values, and what residuals are multiplied with to be rows."""
        cells, space = self.system.cells, len(self.statement.space)
        patch = cells.owner[nearest(cells.boxes, data.x, slack=1e-9)[0]]
        sigma = np.full(len(data.x), noise * size_of(data)) if data.noise is None else data.noise
        for k in np.unique(patch):
            mine = patch == k
            held = Held(data.at, int(k), data.x[mine], np.zeros((mine.sum(), space)))
            yield held, data.values[mine], 1 / (self.W * sigma[mine])

    def _curvature(self) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
        """Rows on a patch of the derivatives of order `ORDER` of one of the smooth fields, over the whole, and of its values,
        for lambda = 1."""
        statement, system = self.statement, self.system
        lengths = half(statement.whole)
        share = np.sqrt(system.cover.volume / system.cover.volume.sum())
        for k in range(system.patches):
            x = placed(system.cells.frames[k], system.cover.z[k])
            for number, u in enumerate(statement.smooth):
                mine = [i for i, c in enumerate(statement.pde.coordinates) if c in u.coordinates]
                weight = share[k] / (np.sqrt(len(x)) * self.W)
                parts = []
                for axes in itertools.product(mine, repeat=ORDER):
                    alpha = tuple(axes.count(a) for a in range(len(lengths)))
                    parts.append(weight * np.prod(lengths ** np.array(alpha)) * system.columns(k, x, (u.field_name, alpha)))
                values = weight * WEAK * system.columns(k, x, (u.field_name, (0,) * len(lengths)))
                yield k, number, np.concatenate(parts), values

    def prior(self, curvature: np.ndarray, pull: float) -> list[Rows]:
        return [
            Rows((k,), (pull * np.concatenate([curvature[number] * bent, values]),), np.zeros(len(bent) + len(values)))
            for k, number, bent, values in self.curved
        ]

    def physical(self, raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The unknowns, and their derivatives with respect to `raw`: the logarithm of a positive one over its initial value, of
        any other the distance from it in its own size."""
        values, slopes = np.empty(len(raw)), np.empty(len(raw))
        for i, p in enumerate(self.statement.pde.parameters):
            size = abs(p.initial) or 1.0
            if p.is_positive:
                values[i] = slopes[i] = p.initial * np.exp(np.clip(raw[i], -50, 50))
            else:
                values[i], slopes[i] = p.initial + size * raw[i], size
        return values, slopes

    def at(self, c: np.ndarray, raw: np.ndarray, curvature: np.ndarray, pull: float, sizes: Sequence[np.ndarray]) -> Fit:
        """The rows at a state, those of data with `pull` times their weight, those of equations relative to `sizes`."""
        system, scales = self.system, self.statement.scales[:, None]
        self.statement.unknowns[:], slopes = self.physical(raw)
        known, data = [*system.equations(c, sizes), *system.conditions(c), *system.fluxes(c)], []
        of_data = np.zeros(len(self.statement.data))
        for number, held, values, factor in self.data:
            found = system.evaluated(held, c)
            found = found._replace(r=found.r - values)
            data.append(system.linearised(held, found, c, pull * factor))
            of_data[number] += np.sum((found.r[0] * factor * self.W) ** 2)
        of_data /= self.counts
        for rows in (known, data):
            rows[:] = [row if row.beside is None else replace(row, beside=row.beside * slopes) for row in rows]
        prior = self.prior(curvature, pull)
        firm, rest = (
            sum(float(np.sum(self.left(row, c / scales) ** 2)) for row in rows)
            for rows in ((*known, *self.fixed), (*data, *prior))
        )
        return Fit(c, raw, [*known, *prior], data, firm + rest, firm, of_data)

    def met(self, fit: Fit, lower: Fit) -> bool:
        """Whether data are still met after their weight was lowered: to what their stated noise lets expect,
        or no worse than before by generalised cross-validation (P. Craven and G. Wahba, Numer. Math. 31, 377 (1979)),
        n |r_d|^2 / (n - dof)^2, where dof counts how many of the data the fit can follow."""
        if self.stated:
            return bool(np.all(lower.of_data <= MISSED**2 * np.maximum(fit.of_data, 1.0)))
        left = [
            (np.sum(f.of_data * self.counts), max(self.n - Solved(self, f).followed(f), 0.0)) for f in (fit, lower)
        ]
        (r, free), (r_lower, free_lower) = left
        return free < FEWEST or r_lower / max(free_lower, 1e-300) ** 2 <= CLOSE * r / free**2

    def missed(self, fit: Fit) -> float:
        """What the data leave, root mean square relative to their size."""
        return float(np.max(np.sqrt(fit.of_data) * self.noise))

    def left(self, row: Rows, state: np.ndarray) -> np.ndarray:
        return row.right - sum(m @ state[k].ravel() for k, m in zip(row.blocks, row.matrices, strict=True))

    def fit(
        self, fit: Fit, curvature: np.ndarray, pull: float, steps: int, tolerance: float, about: float = 0.0
    ) -> Fit:
        """Steps of Gauss-Newton to the smallest sum of squares, halved where they do not find a smaller one. `about`: one over
        the standard deviation of the unknowns before the data, in their initial size or their logarithm; none for zero."""
        scales = self.statement.scales[:, None]
        self.statement.unknowns[:] = self.physical(fit.raw)[0]
        sizes = self.system.sizes(fit.c)
        best = now = self.at(fit.c, fit.raw, curvature, pull, sizes)
        uphill = 0
        for _ in range(steps):
            step = Solved(self, now, about=about * pull).step
            moved = np.linalg.norm(step[0]) / max(np.linalg.norm(now.c / scales), 1e-300)
            moved = max(float(moved), float(np.abs(step[1]).max(initial=0.0)))
            length = min(1.0, FAR / max(float(np.abs(step[1]).max(initial=0.0)), 1e-300))
            now = self.at(now.c + length * step[0] * scales, now.raw + length * step[1], curvature, pull, sizes)
            # Along equations that are firm and curved a step is uphill at first.
            uphill = 0 if now.total < best.total else uphill + 1
            best = now if uphill == 0 else best
            if moved < tolerance:
                break
            if uphill > UPHILL or not np.isfinite(now.total):
                step, uphill = Solved(self, best, about=about * pull).step, 0
                for length in 0.5 ** np.arange(1, HALVINGS):
                    now = self.at(best.c + length * step[0] * scales, best.raw + length * step[1], curvature, pull, sizes)
                    if now.total < best.total:
                        break
                if not now.total < best.total:
                    break
                best = now
        return best

    def evidence(self, fit: Fit, pull: float) -> float:
        """Twice the negative logarithm of how probable the data are, but for a constant."""
        solved, before = Solved(self, fit), Solved(self, fit, data=False)
        total = (self.W / pull) ** 2 * (fit.total - before.least) if self.stated else self.n * np.log(fit.total - before.least)
        return float(total + solved.logarithm - before.logarithm)

    def precision(self, fit: Fit, solved: Solved, pull: float) -> float:
        """What rows are multiplied with to be in units of the noise."""
        if self.stated:
            return self.W / pull
        free = max(self.n - solved.followed(fit), FEWEST)
        return float(np.sqrt(free / max(fit.total, 1e-300)))

    @property
    def stated(self) -> bool:
        return all(data.noise is not None for data in self.statement.data)


class Solved:
    """The normal equations of a fit: the step to the minimum, in units of the fields' sizes, and the covariance."""

    def __init__(self, inverse: Inverse, fit: Fit, data: bool = True, about: float = 0.0):
        system, state = inverse.system, fit.c / inverse.statement.scales[:, None]
        shape = (system.patches, system.size)
        rows = [*fit.known, *fit.data] if data else fit.known
        gram = gram_of(rows, inverse.jumps)
        self.norms = norms_of(gram, *shape)
        self.kept = 1.0 if system.kept is None else system.kept.ravel()
        self.factor = Cholesky(gram, self.norms)
        p = len(fit.raw)
        gradient, beside = np.zeros(shape), np.zeros((p, *shape))
        self.own, of_unknowns = np.zeros((p, p)), np.zeros(p)
        squares = 0.0
        for row in (*rows, *inverse.fixed):
            left = inverse.left(row, state)
            squares += left @ left
            for k, matrix in zip(row.blocks, row.matrices, strict=True):
                gradient[k] += left @ matrix
                if row.beside is not None and p:
                    beside[:, k] += row.beside.T @ matrix
            if row.beside is not None and p:
                self.own += row.beside.T @ row.beside
                of_unknowns += row.beside.T @ left
        self.across = np.array([self._solve(b) for b in beside]).reshape(p, *shape)
        flat = self.across.reshape(p, gradient.size)
        self.information = self.own - beside.reshape(flat.shape) @ flat.T
        self.known = (about / inverse.W) ** 2 * np.eye(p)
        of_unknowns -= self.known @ fit.raw
        by_fields, by_unknowns = self.solve(gradient, of_unknowns)
        self.step = by_fields.reshape(fit.c.shape), by_unknowns
        # The sum of squares at the end of the step, where all were linear.
        self.least = squares - np.sum(by_fields * gradient) - by_unknowns @ of_unknowns

    def solve(self, fields: np.ndarray, unknowns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The normal equations for a right side."""
        right = unknowns - self.across.reshape(len(unknowns), fields.size) @ fields.ravel()
        by_unknowns = np.linalg.solve(self.information + self.known, right)
        return self._solve(fields) - np.tensordot(by_unknowns, self.across, 1), by_unknowns

    def followed(self, fit: Fit) -> float:
        """How many of the data a fit follows: the trace of what takes them to their values; of many an estimate (M. F.
        Hutchinson, Commun. Stat. Simul. 18, 1059 (1989))."""
        ends = np.cumsum([0, *(len(row.right) for row in fit.data)])
        n = int(ends[-1])
        probes = np.eye(n) if n <= PROBES else np.random.default_rng(29).choice((-1.0, 1.0), (PROBES, n))
        total = 0.0
        for z in probes:
            fields, unknowns = np.zeros(self.norms.shape), np.zeros(len(self.own))
            for row, a, b in zip(fit.data, ends[:-1], ends[1:], strict=True):
                fields[row.blocks[0]] += z[a:b] @ row.matrices[0]
                unknowns += 0 if row.beside is None else z[a:b] @ row.beside
            f, u = self.solve(fields, unknowns)
            total += float(np.sum(f * fields) + u @ unknowns)
        return total if n <= PROBES else total / PROBES

    def _solve(self, right: np.ndarray) -> np.ndarray:
        return self.factor.solve(right / self.norms) / self.norms

    @property
    def determined(self) -> bool:
        size = np.sqrt(np.maximum(self.own.diagonal(), 1e-300))
        return not len(size) or bool(np.linalg.eigvalsh(self.information / np.outer(size, size)).min() > FREE)

    @property
    def logarithm(self) -> float:
        return self.factor.logarithm + float(np.linalg.slogdet(self.information)[1])

    def samples(self, n: int, W: float) -> list[np.ndarray]:
        """Changes of the coefficients, `(patches, size)`, as probable as the data allow."""
        generator, p = np.random.default_rng(23), len(self.own)
        root = np.linalg.cholesky(np.linalg.inv(self.information))
        out = []
        for _ in range(n):
            fields = self.factor.back(generator.standard_normal(self.norms.shape)) / self.norms * self.kept
            out.append((fields - np.tensordot(root @ generator.standard_normal(p), self.across, 1)) / W)
        return out


def noise_at_most(data: Data) -> float:
    """The relative noise that is stated, or that neighbours allow: the median of how much they differ."""
    if data.noise is not None:
        return float(np.sqrt(np.mean(data.noise**2))) / size_of(data)
    spans = np.ptp(data.x, axis=0)
    tree = KDTree(data.x / np.where(spans > 0, spans, 1.0))
    near = tree.query(tree.data, k=min(2, len(data.x)))[1].reshape(len(data.x), -1)[:, -1]
    return float(np.median(np.abs(data.values - data.values[near]))) / size_of(data)


def size_of(data: Data) -> float:
    return float(np.sqrt(np.mean(data.values**2))) or 1.0
