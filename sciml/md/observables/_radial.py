"""The radial distribution function."""

from __future__ import annotations

from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._precision import float64
from ..atoms._neighbours import allocate
from ..atoms._system import System
from ..files._frame import Frame
from ._blocks import Blocks
from ._observables import AbstractObservable, Curve, select

FEW = 1 << 22  # pairs that are all looked at


class RadialDistribution(AbstractObservable):
    """g(r), the density of atoms at a distance r from another, relative to their number in the cell's volume.

    **Arguments:** `end`, the largest distance [angstrom], which may exceed half the cell; `bins`; `between`, the names of two
    species, all atoms by default. Of N atoms that know nothing of each other it is 1 - 1/N.

    **Attributes:** `curve`, with errors from blocks of frames.
    """

    def __init__(self, *, end: float, bins: int = 200, between: tuple[str, str] | None = None):
        if not (np.isfinite(end) and end > 0):
            raise ValueError(f"RadialDistribution: end={end!r}; expected a positive distance [angstrom].")
        if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
            raise ValueError(f"RadialDistribution: bins={bins!r}; expected a positive whole number.")
        if between is not None and (isinstance(between, str) or len(between) != 2):
            raise ValueError(f"RadialDistribution: between={between!r}; expected the names of two species, such as ('O', 'H').")
        self.end, self.bins, self.between = float(end), bins, between
        self._edges = np.linspace(0, self.end, bins + 1)

    def begin(self, atoms: System) -> None:
        if not all(atoms.periodic):
            raise ValueError("RadialDistribution: the system is open, and its density not defined; it takes a periodic one.")
        one, two = (np.zeros(atoms.atoms, bool) for _ in range(2))
        for held, name in zip((one, two), self.between or (None, None), strict=True):
            held[select(atoms, name, "RadialDistribution")] = True
        self.atoms, self._blocks, self._neighbours = atoms, Blocks(), None
        self._pairs = int(one.sum()) * int(two.sum())
        self._masks = one, two

    def __call__(self, frame: Frame) -> None:
        self._system()
        r, cell = (np.asarray(a, float) for a in (frame.positions, frame.cell))
        with float64():
            places = np.asarray(self._all_pairs(r, cell) if self._is_small(cell) else self._listed_pairs(r, cell))
        # NumPy counts ten times as fast as XLA's scatter.
        counts = np.bincount(places.ravel(), minlength=self.bins + 1)[:-1]
        self._blocks.add(counts * frame.volume / (self._pairs * 4 / 3 * np.pi * np.diff(self._edges**3)))

    def _is_small(self, cell: np.ndarray) -> bool:
        """Whether all pairs are few, and none has two images within `end`."""
        height = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0).max()
        return self._pairs <= FEW and self.end <= height / 2

    def _all_pairs(self, r: np.ndarray, cell: np.ndarray) -> Any:
        one, two = (np.flatnonzero(mask) for mask in self._masks)
        return _places(r @ np.linalg.inv(cell), cell, one, two, self.end, self.bins)

    def _listed_pairs(self, r: np.ndarray, cell: np.ndarray) -> Any:
        n = self._neighbours
        n = n if n is None else n.update(r, cell)
        if n is None or bool(n.overflow):
            now = eqx.tree_at(lambda s: (s.positions, s.cell), self.atoms, (r, cell))
            n = allocate(now, self.end, skin=0.0, transposed=False)
        self._neighbours = n
        return _places_in_list(n, r, cell, *self._masks, self.end, self.bins)

    @property
    def curve(self) -> Curve:
        along = self._system().units.axis("r", "angstrom")
        found = self._blocks.mean()
        name = "g(r)" if self.between is None else f"g(r), {'-'.join(self.between)}"
        return Curve((self._edges[1:] + self._edges[:-1]) / 2, found.value, found.error, (along, name))

    def plot(self, ax: Any = None) -> Any:
        return self.curve.plot(ax)


@partial(jax.jit, static_argnums=5)
def _places(s: Any, cell: Any, one: Any, two: Any, end: float, bins: int) -> Any:
    """The bin of each pair of atoms at fractional coordinates, `bins` for none: a vector shorter than half of all heights of
    the cell has fractional coordinates below one half, so that no other image is nearer."""
    a, b, c = (u - jnp.round(u) for u in (s[one][:, None, k] - s[two][None, :, k] for k in range(3)))
    x, y, z = (a * cell[0, k] + b * cell[1, k] + c * cell[2, k] for k in range(3))
    return _binned(jnp.sqrt(x**2 + y**2 + z**2), one[:, None] != two, end, bins)


@partial(jax.jit, static_argnums=6)
def _places_in_list(n: Any, r: Any, cell: Any, one: Any, two: Any, end: float, bins: int) -> Any:
    """As `_places`, with all images."""
    places = n.at(r, cell)
    apart = jnp.take(places, n.index, axis=0, mode="fill", fill_value=jnp.inf) - places[n.entry][:, None]
    theirs = jnp.take(jnp.append(two, False), jnp.take(n.owner, n.index, mode="fill", fill_value=len(r)))
    return _binned(jnp.sqrt(jnp.sum(apart**2, axis=-1)), one[n.atom][:, None] & theirs, end, bins)


def _binned(distance: Any, held: Any, end: Any, bins: int) -> Any:
    return jnp.where(held & (distance < end), jnp.floor(distance / end * bins), bins).astype(jnp.int32)
