"""Conservation laws at rest: the cells in which all fluxes balance, by Newton's method with a sparse matrix.

The matrix is that of the finite volumes themselves. A cell is reached by `GHOSTS` cells on either side along each axis, so that
cells further apart are perturbed together (Curtis, Powell & Reid 1974, doi:10.1093/imamat/13.1.117).

Where a constant changes nothing in a state (fluxes through all walls) its mean stays zero, and the one equation that is then
too much, that all that flows in flows out, is met by a constant source, which must come out as zero.
"""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.sparse import bmat, csc_matrix
from scipy.sparse.linalg import MatrixRankWarning, spsolve

from .._programs import Program
from .spatial import GHOSTS, CellAxis

MOST_STEPS = 30
ROUNDED = 1e-10  # a step below it, of the solution, is the last: Newton's next would be rounding
HALVINGS = 8
UNBALANCED = 1e-3  # of the largest rate from zero may be left on average, for what cells make of smooth sources


def at_rest(discrete: Any, constants: Any) -> tuple[np.ndarray, int, bool]:
    """(cells `(states, *n)`, Newton steps, whether it converged), from zero."""
    total = discrete.total(constants)
    rate = Program(lambda u: total(u, jnp.zeros(())))
    push = Program(lambda u, seed: jax.jvp(lambda u: total(u, jnp.zeros(())), (u,), (seed,))[1])
    u = np.zeros((len(discrete.system.states), *discrete.grid.n))
    now, small = np.array(rate(u)), math.inf
    largest = float(np.max(np.abs(now)))
    for k in range(MOST_STEPS):
        if not np.any(now):
            return u, k, True
        matrix = _matrix(lambda seed, u=u: np.asarray(push(u, seed)), discrete.grid, len(u))
        blind = [j for j in range(len(u)) if _blind(matrix, j, len(u))]
        if any(abs(now[j].mean()) > UNBALANCED * largest for j in blind):
            return u, k + 1, False
        now = _level(now, blind)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MatrixRankWarning)
            d = _solved(matrix, now, blind)
        if not np.all(np.isfinite(d)):
            return u, k + 1, False
        scale, new = 1.0, _level(np.array(rate(u - d)), blind)
        while not np.linalg.norm(new) <= np.linalg.norm(now) and scale > 0.5**HALVINGS:
            scale /= 2
            new = _level(np.array(rate(u - scale * d)), blind)
        u, now, before = u - scale * d, new, small
        small = scale * float(np.linalg.norm(d)) / (float(np.linalg.norm(u)) or 1.0)
        if small < ROUNDED or (scale < 1 and before < math.sqrt(ROUNDED)):
            return u, k + 1, True
    return u, MOST_STEPS, False


def _matrix(push: Any, grid: Any, states: int) -> Any:
    """The derivative of the rates of all cells, one seed for all cells that do not reach each other."""
    size = math.prod(grid.n)
    number = np.arange(size).reshape(grid.n)
    colours = [_colours(line) for line in grid.line]
    rows, columns, values = [], [], []
    for colour in itertools.product(*map(range, colours)):
        ways = [_reached(line, count, c) for line, count, c in zip(grid.line, colours, colour, strict=True)]
        own = np.ix_(*(np.arange(n) % count == c for n, count, c in zip(grid.n, colours, colour, strict=True)))
        here = np.ix_(*(np.flatnonzero(valid) for _, valid in ways))
        there = np.ix_(*(source[valid] for source, valid in ways))
        for j in range(states):
            seed = np.zeros((states, *grid.n))
            seed[j][own] = 1.0
            found = push(seed)
            for i in range(states):
                rows.append(i * size + number[here].ravel())
                columns.append(j * size + number[there].ravel())
                values.append(found[i][here].ravel())
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    matrix: Any = csc_matrix(entries, shape=(states * size,) * 2)
    matrix.eliminate_zeros()
    return matrix


def _level(rate: np.ndarray, blind: list[int]) -> np.ndarray:
    """Without its mean in the states `blind`."""
    for j in blind:
        rate[j] -= rate[j].mean()
    return rate


def _solved(matrix: Any, right: np.ndarray, blind: list[int]) -> np.ndarray:
    """The step, of mean zero in the states `blind`."""
    size = right[0].size
    if not blind:
        return np.asarray(spsolve(matrix, right.ravel())).reshape(right.shape)
    ones = np.zeros((right.size, len(blind)))
    for k, j in enumerate(blind):
        ones[j * size : (j + 1) * size, k] = 1.0
    bordered = bmat([[matrix, csc_matrix(ones)], [csc_matrix(ones.T), None]], format="csc")
    found = np.asarray(spsolve(bordered, np.concatenate([right.ravel(), np.zeros(len(blind))])))
    return found[: right.size].reshape(right.shape)


def _blind(matrix: Any, j: int, states: int) -> bool:
    """Whether a constant in state `j` changes nothing."""
    size = matrix.shape[0] // states
    constant = np.zeros(matrix.shape[0])
    constant[j * size : (j + 1) * size] = 1.0
    return float(np.max(np.abs(matrix @ constant))) < 1e-11 * float(np.max(np.abs(matrix.data), initial=0.0))


def _colours(line: CellAxis) -> int:
    """How many seeds an axis takes; around a periodic one they must close."""
    fewest = 2 * GHOSTS + 1
    if not line.wraps:
        return min(fewest, line.n)
    return next((c for c in range(fewest, line.n) if line.n % c == 0), line.n)


def _reached(line: CellAxis, count: int, colour: int) -> tuple[np.ndarray, np.ndarray]:
    """For each cell along an axis the one of this colour that may reach it, and whether there is any."""
    cells = np.arange(line.n)
    if count == line.n:
        return np.full(line.n, colour), np.ones(line.n, bool)
    offset = (colour - cells + GHOSTS) % count - GHOSTS
    source = cells + offset
    valid = offset <= GHOSTS
    return (source % line.n, valid) if line.wraps else (source, valid & (source >= 0) & (source < line.n))
