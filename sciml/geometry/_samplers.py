"""Where points come from: samplers of the unit cube, and rejection on top of them."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import qmc

from ._checks import count


def seed_of(key: Any) -> np.random.SeedSequence:
    """The NumPy seed that a key stands for: an integer, a JAX key (typed or raw), or a SeedSequence."""
    if isinstance(key, np.random.SeedSequence):
        return key
    if isinstance(key, (int, np.integer)) and not isinstance(key, (bool, np.bool_)):
        return np.random.SeedSequence([abs(int(key)), int(key < 0)])
    import jax

    if isinstance(key, jax.Array) and jax.numpy.issubdtype(key.dtype, jax.dtypes.prng_key):
        key = jax.random.key_data(key)
    try:
        words = np.asarray(key)
    except jax.errors.TracerArrayConversionError as error:
        raise TypeError(
            "sampling runs on the host: `key` must be concrete, not a traced value inside jit or vmap."
        ) from error
    if not np.issubdtype(words.dtype, np.unsignedinteger) or words.ndim != 1:
        raise TypeError(f"`key` must be an integer or one JAX key (jax.random.key(0)), got {key!r}.")
    return np.random.SeedSequence([int(word) for word in words])


def fold_in(key: Any, number: int) -> np.random.SeedSequence:
    """An independent seed for the sub-stream `number` of `key`."""
    seed = seed_of(key)
    return np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, number))


class AbstractSampler(abc.ABC):
    """Points of the unit cube.

    A sampler does not know geometry: a geometry maps the unit cube onto itself, or onto a surrounding box
    from which it keeps the points inside.
    """

    @abc.abstractmethod
    def unit(self, n: int, dim: int, *, key: Any = 0) -> np.ndarray:
        """`n` points of [0, 1)^dim, shape (n, dim). Equal keys give equal points."""

    @abc.abstractmethod
    def thin(self, found: int, n: int) -> np.ndarray:
        """Which `n` of `found` points in order to keep, when more were found than asked for."""


@dataclass(frozen=True)
class Uniform(AbstractSampler):
    """Independent uniform random points."""

    def unit(self, n: int, dim: int, *, key: Any = 0) -> np.ndarray:
        return np.random.default_rng(seed_of(key)).random((n, dim))

    def thin(self, found: int, n: int) -> np.ndarray:
        return np.arange(n)


@dataclass(frozen=True)
class Sobol(AbstractSampler):
    """Scrambled Sobol points (Owen 1998, doi:10.1006/jcom.1998.0487): the default.

    Any `n` is allowed; powers of two are the best balanced.
    """

    def unit(self, n: int, dim: int, *, key: Any = 0) -> np.ndarray:
        engine = qmc.Sobol(dim, scramble=True, rng=np.random.default_rng(seed_of(key)))
        # A power of two is drawn and cut: the same points as `random(n)`, without its warning.
        return engine.random_base2(math.ceil(math.log2(max(n, 1))))[:n]

    def thin(self, found: int, n: int) -> np.ndarray:
        return np.arange(n)


@dataclass(frozen=True)
class Halton(AbstractSampler):
    """Scrambled Halton points (Owen 2017, arXiv:1706.02808)."""

    def unit(self, n: int, dim: int, *, key: Any = 0) -> np.ndarray:
        return qmc.Halton(dim, scramble=True, rng=np.random.default_rng(seed_of(key))).random(n)

    def thin(self, found: int, n: int) -> np.ndarray:
        return np.arange(n)


@dataclass(frozen=True)
class Grid(AbstractSampler):
    """Centres of the cells of a regular grid (the midpoint rule); the key is not used.

    The grid has as equal counts per axis as possible. Where `n` is not their product, the next larger grid is
    thinned evenly to exactly `n` points. For tensor grids that include the ends, see `Domain.grid`.
    """

    def unit(self, n: int, dim: int, *, key: Any = 0) -> np.ndarray:
        counts = [max(1, math.floor(max(n, 1) ** (1 / dim) + 1e-9))] * dim
        for axis in range(dim):
            if math.prod(counts) >= n:
                break
            counts[axis] += 1
        axes = [(np.arange(m) + 0.5) / m for m in counts]
        points = np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")], axis=1)
        return points[self.thin(len(points), n)]

    def thin(self, found: int, n: int) -> np.ndarray:
        return (np.arange(n) * found) // max(n, 1)


@dataclass(frozen=True)
class Proposal:
    """A measure-preserving map from [0, 1)^dim onto a region that covers a geometry."""

    dim: int
    points: Callable[[np.ndarray], np.ndarray]


def box_proposal(lower: np.ndarray, upper: np.ndarray) -> Proposal:
    """The affine map onto a box; `min` because lower + u (upper - lower) may round above `upper`."""
    return Proposal(len(lower), lambda u: np.minimum(lower + u * (upper - lower), upper))


def rejection(
    n: int,
    dim: int,
    propose: Callable[[np.ndarray], tuple[np.ndarray, tuple[np.ndarray, ...]]],
    *,
    sampler: AbstractSampler,
    key: Any,
    what: str,
) -> tuple[np.ndarray, ...]:
    """The first `n` accepted of a growing sequence of proposals.

    `propose(u)` gives a mask and arrays of the same length. A longer draw of the same key repeats and extends
    the shorter one (except on a grid, which becomes finer), so the accepted points are one low-discrepancy
    sequence.
    """
    n, seed = count(n), seed_of(key)
    if not isinstance(sampler, AbstractSampler):
        raise TypeError(f"`sampler` must be a sampler object such as Sobol() or Uniform(), got {sampler!r}.")
    total, limit = max(n, 1), max(2**22, 256 * n)
    while True:
        keep, arrays = propose(sampler.unit(total, dim, key=seed))
        found = np.flatnonzero(keep)
        if len(found) >= n:
            chosen = found[sampler.thin(len(found), n)]
            return tuple(array[chosen] for array in arrays)
        if total >= limit:
            raise ValueError(
                f"{what}: only {len(found)} of {total} proposed points lie in it, {n} were asked for. "
                "It is empty or extremely thin; check its sizes, or describe it as a simpler shape."
            )
        rate = max(len(found), 1) / total
        total = min(max(2 * total, int(1.1 * n / rate) + 16), limit)
