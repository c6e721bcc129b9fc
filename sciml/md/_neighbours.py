"""Who is near whom: lists of neighbours by cells, for triclinic and small cells, open or periodic along each vector.

Space is cut into bins, at least as wide as the cutoff where the cell allows it. The neighbours of an atom lie in bins at most m
away along each axis; a bin beyond the end of a periodic axis is one of the same cell, shifted by whole lattice vectors. A cell
smaller than the cutoff has one bin, which then stands for several images of itself.

`allocate` looks at the atoms and chooses sizes, on the host; `update` is compiled and keeps them, and says in `overflow` where
they were too small.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ._system import System, complete

SPARE = 1.15  # room in lists, relative to what is needed now
MOST_CANDIDATES = 1 << 24  # looked at together


@dataclass(frozen=True)
class Sizes:
    """What is fixed when a list is compiled: `bins` along each axis, `reach` in bins, `capacity` of a bin, `slots` of an atom,
    `places` in which an atom may stand."""

    bins: tuple[int, int, int]
    reach: tuple[int, int, int]
    capacity: int
    slots: int
    places: int


class Neighbours(eqx.Module):
    """A list of all pairs closer than `cutoff + skin`.

    **Attributes:** `index` `(atoms, slots)`, the neighbour, `atoms` where a slot is empty; `shifts` `(atoms, slots, 3)`,
    lattice vectors to add to it; `transposed` `(atoms, places)`, the flat slots in which an atom stands; `positions` and
    `cell` at which it was made; `overflow`, whether anything did not fit.
    """

    index: Any
    shifts: Any
    transposed: Any
    positions: Any
    cell: Any
    overflow: Any
    low: Any
    high: Any
    cutoff: float = eqx.field(static=True)
    skin: float = eqx.field(static=True)
    periodic: tuple[bool, bool, bool] = eqx.field(static=True)
    sizes: Sizes = eqx.field(static=True)

    def update(self, positions: Any, cell: Any) -> Neighbours:
        """The list at new positions, of the same sizes."""
        index, shifts, transposed, overflow = _build(
            positions, cell, self.low, self.high, self.cutoff + self.skin, self.periodic, self.sizes
        )
        return eqx.tree_at(
            lambda n: (n.index, n.shifts, n.transposed, n.positions, n.cell, n.overflow),
            self, (index, shifts, transposed, positions, cell, overflow),
        )  # fmt: skip

    def is_stale(self, positions: Any, cell: Any) -> Any:
        """Whether a pair may have come within the cutoff unseen: two atoms nearer to each other by the skin, the cell's strain
        included."""
        strain = jnp.linalg.solve(self.cell, cell) - jnp.eye(3)
        moved = positions - self.positions @ (jnp.eye(3) + strain)
        apart = 2 * jnp.sqrt(jnp.max(jnp.sum(moved**2, axis=1)))
        shrunk = jnp.linalg.norm(strain, 2) * (self.cutoff + self.skin)
        return apart + shrunk > self.skin


def allocate(atoms: System, cutoff: float, *, skin: float = 0.5) -> Neighbours:
    """A list for `atoms` with room for what may come; `cutoff` and `skin` in angstrom.

    **Raises** `ValueError` where the cutoff is no positive number.
    """
    if not (np.isfinite(cutoff) and cutoff > 0) or not skin >= 0:
        raise ValueError(f"allocate: cutoff={cutoff!r} and skin={skin!r}; expected a positive number and one not negative.")
    reach = cutoff + skin
    h = complete(atoms.cell)
    inverse = np.linalg.inv(h)
    heights = 1 / np.linalg.norm(inverse, axis=0)
    s = np.asarray(atoms.positions) @ inverse
    low, high = s.min(axis=0), s.max(axis=0) + 1e-9
    bins, m = [], []
    for axis in range(3):
        wide = heights[axis] * (1.0 if atoms.periodic[axis] else high[axis] - low[axis])
        n = max(1, min(int(wide / reach), 256))
        bins.append(n)
        m.append(math.ceil(reach * n / wide - 1e-12) if atoms.periodic[axis] or n > 1 else 0)
    # A first guess from the fullest bin, so that little is compiled twice.
    inside = np.where(atoms.periodic, s - np.floor(s), (s - low) / (high - low))
    place = np.clip((inside * bins).astype(int), 0, np.array(bins) - 1)
    most = int(np.bincount(np.ravel_multi_index(tuple(place.T), bins)).max())
    size = np.prod([heights[a] * (1.0 if atoms.periodic[a] else high[a] - low[a]) / bins[a] for a in range(3)])
    around = _room(int(min(most * 4.2 * reach**3 / max(float(size), 1e-9), most * np.prod([2 * k + 1 for k in m]))) + 1)
    sizes = Sizes(tuple(bins), tuple(m), _room(most), around, around)  # type: ignore[arg-type]
    build = jax.jit(_needed, static_argnums=(4, 5, 6))
    r, cell = jnp.asarray(atoms.positions), jnp.asarray(h)
    ends = jnp.asarray(low, r.dtype), jnp.asarray(high, r.dtype)
    while True:
        most, slots, places = (int(k) for k in build(r, cell, *ends, reach, atoms.periodic, sizes))
        wanted = replace(
            sizes, capacity=max(sizes.capacity, _room(most)), slots=max(sizes.slots, _room(slots)),
            places=max(sizes.places, _room(places)),
        )  # fmt: skip
        if most <= sizes.capacity and slots <= sizes.slots and places <= sizes.places:
            break
        sizes = wanted
    empty = Neighbours(None, None, None, r, cell, None, *ends, float(cutoff), float(skin), atoms.periodic, sizes)
    return jax.jit(lambda n: _filled(n))(empty)


def _filled(empty: Neighbours) -> Neighbours:
    found = _build(
        empty.positions, empty.cell, empty.low, empty.high, empty.cutoff + empty.skin, empty.periodic, empty.sizes
    )
    return eqx.tree_at(
        lambda n: (n.index, n.shifts, n.transposed, n.overflow), empty, found, is_leaf=lambda x: x is None
    )


def _room(needed: int) -> int:
    return max(4, 4 * math.ceil(SPARE * needed / 4))


def _needed(r: Any, cell: Any, low: Any, high: Any, reach: float, periodic: Any, sizes: Sizes) -> tuple[Any, Any, Any]:
    *_, most, slots, places = _counted(r, cell, low, high, reach, periodic, sizes)
    return most, slots, places


def _build(r: Any, cell: Any, low: Any, high: Any, reach: float, periodic: Any, sizes: Sizes) -> tuple[Any, Any, Any, Any]:
    index, shifts, transposed, most, slots, places = _counted(r, cell, low, high, reach, periodic, sizes)
    overflow = (most > sizes.capacity) | (slots > sizes.slots) | (places > sizes.places)
    return index, shifts, transposed, overflow | ~jnp.all(jnp.isfinite(r))


def _counted(r: Any, cell: Any, low: Any, high: Any, reach: float, periodic: Any, sizes: Sizes) -> tuple[Any, ...]:
    """(index, shifts, transposed list, atoms in the fullest bin, neighbours of an atom at most, places of an atom at most)."""
    n, bins = len(r), np.array(sizes.bins)
    wraps = np.array(periodic)
    s = r @ jnp.linalg.inv(cell)
    images = jnp.where(wraps, jnp.floor(s), 0.0)  # what was left out of the cell
    inside = jnp.where(wraps, s - images, (s - low) / (high - low))
    place = jnp.clip(jnp.floor(inside * bins).astype(int), 0, bins - 1)
    flat = (place[:, 0] * bins[1] + place[:, 1]) * bins[2] + place[:, 2]
    table, most = _table(flat, int(np.prod(bins)), sizes.capacity)
    # Bins around each bin, and by how many lattice vectors they are shifted.
    offsets = np.stack(np.meshgrid(*(np.arange(-m, m + 1) for m in sizes.reach), indexing="ij"), axis=-1).reshape(-1, 3)
    p = r - images @ cell

    def one(i: Any) -> Any:
        """Neighbours of one atom among all candidates, in the order of these."""
        target = place[i] + offsets
        turn = jnp.where(wraps, jnp.floor_divide(target, bins), 0)
        there = jnp.where(wraps, target - turn * bins, target)
        valid = jnp.all((there >= 0) & (there < bins), axis=1)
        there = jnp.clip(there, 0, bins - 1)
        candidates = table[(there[:, 0] * bins[1] + there[:, 1]) * bins[2] + there[:, 2]]  # (offsets, capacity)
        moved = (turn @ cell)[:, None]
        apart = jnp.take(p, candidates, axis=0, mode="fill", fill_value=jnp.inf) + moved - p[i]
        itself = (candidates == i) & jnp.all(turn == 0, axis=1)[:, None]
        near = (jnp.sum(apart**2, axis=-1) < reach**2) & valid[:, None] & ~itself & (candidates < n)
        count = jnp.cumsum(near.ravel())
        # Slot k holds the first candidate at which the count is k + 1.
        chosen = jnp.searchsorted(count, jnp.arange(1, sizes.slots + 1))
        found = chosen < near.size
        chosen = jnp.where(found, chosen, 0)
        j = jnp.where(found, candidates.ravel()[chosen], n)
        shift = turn[chosen // sizes.capacity] - jnp.take(images, j, axis=0, mode="fill", fill_value=0) + images[i]
        return j, jnp.where(found[:, None], shift, 0).astype(r.dtype), count[-1]

    each = len(offsets) * sizes.capacity * 8
    index, shifts, counts = jax.lax.map(one, jnp.arange(n), batch_size=max(1, min(n, MOST_CANDIDATES // each)))
    transposed, places = _transposed(index, n, sizes.places)
    return index, shifts, transposed, most, jnp.max(counts), places


def _table(flat: Any, bins: int, capacity: int) -> tuple[Any, Any]:
    """The atoms in each bin `(bins, capacity)`, `atoms` where there is none, and how many are in the fullest."""
    order = jnp.argsort(flat, stable=True)
    starts = jnp.searchsorted(flat[order], jnp.arange(bins + 1))
    slots = starts[:-1, None] + jnp.arange(capacity)
    found = slots < starts[1:, None]
    return jnp.where(found, order[jnp.minimum(slots, len(flat) - 1)], len(flat)), jnp.max(jnp.diff(starts))


def _transposed(index: Any, n: int, places: int) -> tuple[Any, Any]:
    """For each atom the flat slots that hold it `(n, places)`, `index.size` for none; and the most there are."""
    return _table(index.ravel(), n, places)  # empty slots hold n, which is in no bin
