"""The radial distribution function."""

from __future__ import annotations

from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._precision import float64
from ._blocks import Blocks
from ._neighbours import allocate
from ._observables import AbstractObservable, Curve, select
from ._system import System
from ._trajectory import Frame


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
        atoms = self._system()
        with float64():
            r, cell = (jnp.asarray(np.asarray(a, float)) for a in (frame.positions, frame.cell))
            n = self._neighbours
            n = n if n is None else n.update(r, cell)
            if n is None or bool(n.overflow):
                now = eqx.tree_at(lambda s: (s.positions, s.cell), atoms, (np.asarray(r), np.asarray(cell)))
                n = allocate(now, self.end, skin=0.0, transposed=False)
            self._neighbours = n
            counts = np.asarray(_histogram(n, r, cell, *self._masks, self.end, self.bins))
        self._blocks.add(counts * frame.volume / (self._pairs * 4 / 3 * np.pi * np.diff(self._edges**3)))

    @property
    def curve(self) -> Curve:
        self._system()
        found = self._blocks.mean()
        name = "g(r)" if self.between is None else f"g(r), {'-'.join(self.between)}"
        return Curve((self._edges[1:] + self._edges[:-1]) / 2, found.value, found.error, ("r", name))

    def plot(self, ax: Any = None) -> Any:
        return self.curve.plot(ax)


@partial(jax.jit, static_argnums=(5, 6))
def _histogram(n: Any, r: Any, cell: Any, one: Any, two: Any, end: float, bins: int) -> Any:
    places = n.at(r, cell)
    apart = jnp.take(places, n.index, axis=0, mode="fill", fill_value=jnp.inf) - places[n.entry][:, None]
    distance = jnp.sqrt(jnp.sum(apart**2, axis=-1))
    theirs = jnp.take(jnp.append(two, False), jnp.take(n.owner, n.index, mode="fill", fill_value=len(r)))
    held = one[n.atom][:, None] & theirs & (distance < end)
    place = jnp.where(held, jnp.floor(distance / end * bins), bins).astype(int)
    return jnp.zeros(bins + 1).at[place.ravel()].add(1)[:-1]
