"""Least squares whose columns come in blocks, by Cholesky of the normal equations and refinement.

    min | A c - b |,        A^T A d = A^T (b - A c),  c <- c + d,  a few times,

where the residual is that of the rows themselves: with columns that are nearly orthogonal this gives the digits of a QR at a
third of its work. Blocks are eliminated in the order of least degree in the graph of who shares a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import get_blas_funcs, get_lapack_funcs

REFINEMENTS = 2
SHIFT = 1e-15  # of the diagonal of the scaled matrix, for each of its columns

# Plain LAPACK: the wrappers of SciPy take as long as blocks of this size.
dsyrk: Any = get_blas_funcs("syrk", dtype=np.float64)
dpotrf: Any
dtrtrs: Any
dpotrf, dtrtrs = get_lapack_funcs(("potrf", "trtrs"), dtype=np.float64)

Gram = dict[tuple[int, int], np.ndarray]  # A^T A, blocks (i, j) with i <= j
Near = dict[int, set[int]]  # of every block those that it shares rows with


@dataclass(frozen=True)
class Rows:
    """Rows that belong to the blocks of columns `blocks`: sum_k matrices[k] c[blocks[k]] = right."""

    blocks: tuple[int, ...]
    matrices: tuple[np.ndarray, ...]
    right: np.ndarray
    beside: np.ndarray | None = None  # columns of unknown parameters, (n, parameters)


def gram_of(rows: Sequence[Rows], known: Gram | None = None) -> Gram:
    """A^T A of the rows, and of those that `known` is of."""
    gram = {} if known is None else dict(known)
    for row in rows:
        for i, a in zip(row.blocks, row.matrices, strict=True):
            for j, b in zip(row.blocks, row.matrices, strict=True):
                if i <= j:
                    product = a.T @ b
                    gram[i, j] = gram[i, j] + product if (i, j) in gram else product
    return gram


def block_least_squares(
    rows: Sequence[Rows], blocks: int, size: int, fixed: Sequence[Rows] = (), known: Gram | None = None
) -> np.ndarray:
    """The coefficients `(blocks, size)`. `fixed`: more rows, whose `gram_of` is `known`.

    **Raises** `numpy.linalg.LinAlgError` where the columns depend on each other."""
    gram = gram_of(rows, gram_of(fixed) if known is None else known)
    norms = norms_of(gram, blocks, size)
    factor = Cholesky(gram, norms)
    c = np.zeros((blocks, size))
    for _ in range(1 + REFINEMENTS):
        gradient = np.zeros((blocks, size))
        for row in (*fixed, *rows):
            left = row.right.copy()
            for k, matrix in zip(row.blocks, row.matrices, strict=True):
                left -= matrix @ c[k]
            for k, matrix in zip(row.blocks, row.matrices, strict=True):
                gradient[k] += left @ matrix
        c += factor.solve(gradient / norms) / norms
    return c


def norms_of(gram: Gram, blocks: int, size: int) -> np.ndarray:
    """The norms of the columns, one where there is none."""
    norms = np.ones((blocks, size))
    for k in range(blocks):
        if (k, k) in gram:
            diagonal = gram[k, k].diagonal()
            norms[k] = np.where(diagonal > 0, np.sqrt(diagonal), 1.0)
    return norms


def cost(pairs: Iterable[tuple[int, int]], blocks: int, size: int) -> tuple[float, float]:
    """Multiplications and bytes that the factor takes where the pairs of blocks share rows."""
    near: Near = {k: set() for k in range(blocks)}
    for i, j in pairs:
        if i != j:
            near[i].add(j)
            near[j].add(i)
    flops = memory = 0.0
    for _, others in _elimination(near):
        flops += size**3 * (1 / 3 + len(others) + len(others) ** 2 / 2)
        memory += 8 * size**2 * (1 + len(others))
    return flops, memory


def _elimination(near: Near) -> Iterator[tuple[int, list[int]]]:
    """The blocks in the order of least degree, each with those later ones that it fills in; `near` is used up."""
    while near:
        k = min(near, key=lambda i: (len(near[i]), i))
        others = sorted(near.pop(k))
        for i in others:
            near[i].discard(k)
            near[i].update(j for j in others if j != i)
        yield k, others


class Cholesky:
    """The factor of the normal equations, columns divided by their `norms`."""

    def __init__(self, gram: Gram, norms: np.ndarray):
        self.norms, self.size = norms, norms.shape[1]
        matrix: Gram = {}
        near: Near = {k: set() for k in range(len(norms))}
        for k in near:
            matrix[k, k] = SHIFT * self.size * np.eye(self.size)
        for (i, j), block in gram.items():
            scaled = block / (norms[i][:, None] * norms[j])
            matrix[i, j] = scaled if i != j else matrix[i, i] + scaled
            if i != j:
                near[i].add(j)
                near[j].add(i)
        self.order: list[int] = []
        self.factors: dict[int, tuple[list[int], np.ndarray, np.ndarray | None]] = {}
        for k, others in _elimination(near):
            self.order.append(k)
            self.factors[k] = self._eliminate(matrix, k, others)

    def _eliminate(self, matrix: Gram, k: int, others: list[int]) -> tuple[list[int], np.ndarray, np.ndarray | None]:
        """Of blocks on the diagonal only the upper triangles are kept."""
        n = self.size
        upper, info = dpotrf(matrix.pop((k, k)), lower=0, clean=1)
        if info or not np.isfinite(upper[-1, -1]):
            raise np.linalg.LinAlgError("columns depend on each other")
        if not others:
            return others, upper, None
        beside = [matrix.pop((k, j)) if k < j else matrix.pop((j, k)).T for j in others]
        across = _solved(upper, np.concatenate(beside, axis=1), transposed=1)
        gram = dsyrk(1.0, across, trans=1, lower=0)
        for x, i in enumerate(others):
            for y in range(x, len(others)):
                part = gram[x * n : (x + 1) * n, y * n : (y + 1) * n]
                found = matrix.get((i, others[y]))
                matrix[i, others[y]] = -part if found is None else found - part
        return others, upper, across

    def solve(self, gradient: np.ndarray) -> np.ndarray:
        g, n = gradient.copy(), self.size
        for k in self.order:
            others, upper, across = self.factors[k]
            g[k] = _solved(upper, g[k], transposed=1)
            if across is not None:
                g[others] -= (g[k] @ across).reshape(-1, n)
        return self.back(g)

    def back(self, z: np.ndarray) -> np.ndarray:
        """U^-1 z, where the matrix is U^T U: of independent normal numbers a sample whose covariance is its inverse."""
        g = z.copy()
        for k in reversed(self.order):
            others, upper, across = self.factors[k]
            if across is not None:
                g[k] -= across @ g[others].ravel()
            g[k] = _solved(upper, g[k])
        return g

    @property
    def logarithm(self) -> float:
        """Of the determinant of the matrix with its `norms`."""
        diagonals = [upper.diagonal() for _, upper, _ in self.factors.values()]
        return 2 * float(sum(np.log(d).sum() for d in diagonals) + np.log(self.norms).sum())


def _solved(upper: np.ndarray, right: np.ndarray, transposed: int = 0) -> np.ndarray:
    found, info = dtrtrs(upper, right, lower=0, trans=transposed)
    if info:
        raise np.linalg.LinAlgError("columns depend on each other")
    return found
