"""Who is near whom: lists of neighbours for triclinic and small cells, open or periodic along each vector.

Atoms are wrapped into the cell, and those near its faces are copied across (*entries*: atoms and their copies). The cell is cut
into bins at least as wide as cutoff + skin, with layers of bins around it for the copies; a cell that is smaller than that
is one bin, with as many layers as it takes. Entries are sorted by bin, the atoms of a bin are compared with the entries of the bins
around it, a bit for each pair, and slot k of an atom is the k-th bit.

`allocate` looks at the atoms and chooses sizes, on the host; `update` is compiled and keeps them, and says in `overflow` where
they were too small.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ._system import System, complete

SPARE = 1.15  # room in lists, relative to what is needed now
TILE = 1 << 21  # pairs of atom and candidate that are compared at a time
WORD = 32


@dataclass(frozen=True)
class Sizes:
    """What is fixed when a list is compiled.

    **Attributes:** `bins` in the cell and `layers` around it along each axis; `entries` after the copies along each axis;
    `capacity` of a bin, and of a `run` of neighbouring bins along the last axis; `slots` of an atom; `places` in which an atom
    may stand, 0 for a list that is not transposed.
    """

    bins: tuple[int, int, int]
    layers: tuple[int, int, int]
    entries: tuple[int, int, int]
    capacity: int
    run: int
    slots: int
    places: int


class Neighbours(eqx.Module):
    """A list of all pairs closer than `cutoff + skin`.

    **Attributes:** `owner` `(entries,)`, the atom of which an entry is a copy, `atoms` where there is none, and `image`
    `(entries, 3)`, the lattice vectors to add to it; `atom` `(atoms,)`, the atom of each row, `row` the other way round, and
    `entry` `(atoms,)`, the row's own entry; `index` `(atoms, slots)`, the entries that are neighbours of a row's atom, `entries` in empty slots;
    `transposed` `(atoms, places)`, the flat slots in which an atom stands, or None; `positions` and `cell` at which it was made;
    `overflow`, whether anything did not fit.
    """

    owner: Any
    image: Any
    atom: Any
    row: Any
    entry: Any
    index: Any
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
        found = _build(positions, cell, self.low, self.high, self.cutoff + self.skin, self.periodic, self.sizes)
        return eqx.tree_at(lambda n: (*_arrays(n), n.positions, n.cell), self, (*found, positions, cell), is_leaf=_is_none)

    def is_stale(self, positions: Any, cell: Any) -> Any:
        """Whether a pair may have come within the cutoff unseen: two atoms nearer to each other by the skin, the cell's strain
        included."""
        deformation = jnp.linalg.solve(self.cell, cell)
        moved = positions - self.positions @ deformation
        apart = 2 * jnp.sqrt(jnp.max(jnp.sum(moved**2, axis=1)))
        shrunk = jnp.sqrt(jnp.sum((deformation - jnp.eye(3, dtype=deformation.dtype)) ** 2)) * (self.cutoff + self.skin)
        return apart + shrunk > self.skin

    def at(self, positions: Any, cell: Any) -> Any:
        """Positions of all entries `(entries, 3)`; beyond every cutoff where there is none."""
        places = jnp.take(positions, self.owner, axis=0, mode="fill", fill_value=jnp.inf)
        return places + self.image.astype(positions.dtype) @ cell


def _arrays(n: Neighbours) -> tuple[Any, ...]:
    return n.owner, n.image, n.atom, n.row, n.entry, n.index, n.transposed, n.overflow


def _is_none(x: Any) -> bool:
    return x is None


def allocate(
    atoms: System, cutoff: float, *, skin: float = 0.5, transposed: bool = True, spare: float = SPARE
) -> Neighbours:
    """A list for `atoms` with room for what may come; `cutoff` and `skin` in the system's unit of length (angstrom).

    Forces of pair potentials need no `transposed` list. `spare` is the room relative to what is needed now.

    **Raises** `ValueError` where the cutoff is no positive number.
    """
    if not (np.isfinite(cutoff) and cutoff > 0) or not skin >= 0:
        raise ValueError(f"allocate: cutoff={cutoff!r} and skin={skin!r}; expected a positive number and one not negative.")
    reach = float(cutoff) + float(skin)
    h = complete(atoms.cell)
    inverse = np.linalg.inv(h)
    heights = 1 / np.linalg.norm(inverse, axis=0)
    s = np.asarray(atoms.positions) @ inverse
    low, high = s.min(axis=0), s.max(axis=0) + 1e-9
    bins, layers = [], []
    for axis, wraps in enumerate(atoms.periodic):
        wide = heights[axis] * (1.0 if wraps else high[axis] - low[axis])
        bins.append(max(1, min(int(wide / (reach * (1 + 1e-9))), 256)))
        layers.append(math.ceil(reach * bins[-1] / wide - 1e-12) if wraps else int(bins[-1] > 1))
    sizes = _guess(atoms, s, reach / heights, tuple(bins), tuple(layers), transposed, spare)
    r, cell = jnp.asarray(atoms.positions), jnp.asarray(h)
    ends = jnp.asarray(low, r.dtype), jnp.asarray(high, r.dtype)
    while True:
        *found, needed = _counted(r, cell, *ends, reach, atoms.periodic, sizes)
        larger = _larger(sizes, [int(k) for k in needed], spare)
        if larger == sizes:
            break
        sizes = larger
    # The guess is generous: slots beyond what is needed would cost time in every step.
    sizes = dataclasses.replace(sizes, slots=min(sizes.slots, _room(int(needed[5]), spare)))
    *found, index, transposed = found
    if transposed is not None and index.shape[1] != sizes.slots:
        *found, index, transposed, needed = _counted(r, cell, *ends, reach, atoms.periodic, sizes)
    overflow = _overflow(sizes, needed)
    return Neighbours(*found, index[:, : sizes.slots], transposed, r, cell, overflow, *ends, float(cutoff), float(skin), atoms.periodic, sizes)


def _guess(
    atoms: System, s: np.ndarray, share: np.ndarray, bins: Any, layers: Any, transposed: bool, spare: float
) -> Sizes:
    """From the fullest bin, so that little is compiled twice."""
    low, high = s.min(axis=0), s.max(axis=0) + 1e-9
    inside = np.where(atoms.periodic, s - np.floor(s), (s - low) / (high - low))
    place = np.clip((inside * bins).astype(int), 0, np.array(bins) - 1)
    most = int(np.bincount(np.ravel_multi_index(tuple(place.T), bins)).max())
    entries, count = [], len(s)
    for axis in range(3):
        if layers[axis] and atoms.periodic[axis]:
            count = int(1.05 * count * (1 + 2 * share[axis])) + 8
        entries.append(_room(count, spare) if count > len(s) else count)
    wide = np.where(atoms.periodic, 1.0, high - low) / bins
    around = min(most * math.prod(2 * m + 1 for m in layers), most * 4.2 * float(np.prod(share / wide)))
    slots = _room(int(around) + 1, spare)
    run = _room(most, spare) * (2 * layers[2] + 1) * 4 // 5
    return Sizes(bins, layers, tuple(entries), _room(most, spare), run, slots, slots if transposed else 0)  # type: ignore[arg-type]


def _room(needed: int, spare: float) -> int:
    return max(4, 4 * math.ceil(spare * needed / 4))


def _larger(sizes: Sizes, needed: list[int], spare: float) -> Sizes:
    """Sizes with room for what is `needed`: entries after each axis, in a bin and a run of bins, slots, places."""
    old = (*sizes.entries, sizes.capacity, sizes.run, sizes.slots, sizes.places)
    new = tuple(size if k <= size else _room(k, spare) for size, k in zip(old, needed[:7], strict=True))
    return Sizes(sizes.bins, sizes.layers, new[:3], *new[3:])  # type: ignore[arg-type]


def _overflow(sizes: Sizes, needed: Any) -> Any:
    room = (*sizes.entries, sizes.capacity, sizes.run, sizes.slots, sizes.places)
    fits = [k <= size for k, size in zip(needed[:7], room, strict=True)]
    return ~jnp.all(jnp.stack([*fits, needed[7]]))


def _build(r: Any, cell: Any, low: Any, high: Any, reach: float, periodic: Any, sizes: Sizes) -> tuple[Any, ...]:
    *found, needed = _counted(r, cell, low, high, reach, periodic, sizes)
    return (*found, _overflow(sizes, needed))


@partial(jax.jit, static_argnums=(4, 5, 6))
def _counted(r: Any, cell: Any, low: Any, high: Any, reach: float, periodic: Any, sizes: Sizes) -> tuple[Any, ...]:
    """(owner, image, atom, row, entry, index, transposed, what is needed); the last of these whether the bins are wide enough."""
    n = len(r)
    inverse = jnp.linalg.inv(cell)
    share = reach * jnp.sqrt(jnp.sum(inverse**2, axis=0))  # of the cell
    wraps = np.array(periodic)
    s = r @ inverse
    wrapped = jnp.where(wraps, jnp.floor(s), 0)
    s = jnp.where(wraps, s - wrapped, (s - low) / (high - low))
    share = jnp.where(wraps, share, share / (high - low))
    owner, image, entries = jnp.arange(n), -wrapped.astype(jnp.int32), []
    for axis in range(3):
        if wraps[axis] and sizes.layers[axis]:
            owner, image, s, count = _copied(owner, image, s, axis, sizes.layers[axis], share[axis], sizes.entries[axis], n)
            entries.append(count)
        else:
            entries.append(jnp.asarray(0))
    bins, layers = np.array(sizes.bins), np.array(sizes.layers)
    outer = bins + 2 * layers
    # Rounding takes an atom at the very face out of the cell, where it would have no row.
    itself = (jnp.arange(len(owner)) < n)[:, None]
    place = jnp.floor(s * bins).astype(jnp.int32)
    place = jnp.clip(place, jnp.where(itself, 0, -layers), bins - 1 + jnp.where(itself, 0, layers)) + layers
    flat = (place[:, 0] * outer[1] + place[:, 1]) * outer[2] + place[:, 2]
    flat = jnp.where(owner < n, flat, math.prod(outer))
    order = jnp.argsort(flat, stable=True)
    owner, image, flat, itself = owner[order], image[order], flat[order], itself[order, 0]
    starts = jnp.searchsorted(flat, jnp.arange(math.prod(outer) + 1)).astype(jnp.int32)
    most = jnp.max(jnp.diff(starts))
    places = jnp.take(r, owner, axis=0, mode="fill", fill_value=jnp.inf) + image.astype(r.dtype) @ cell
    inner = _inner(bins, layers, outer)
    runs, span = _runs(layers, outer), 2 * int(layers[2]) + 1
    longest = jnp.max(starts[inner[:, None] + runs + span] - starts[inner[:, None] + runs])
    words = _compared(places, starts, inner, runs, span, reach, sizes.capacity, sizes.run)
    # A row for each atom, in the order of the bins.
    entry = jnp.nonzero(itself, size=n)[0].astype(jnp.int32)
    where = flat[entry]
    numbers = np.zeros(math.prod(outer), np.int32)
    numbers[inner] = np.arange(len(inner))
    index, slots = _filled(
        words.reshape(-1, words.shape[-1]), jnp.asarray(numbers)[where] * sizes.capacity + entry - starts[where],
        starts, where, runs, sizes.slots, len(owner),
    )  # fmt: skip
    transposed, found = None, jnp.asarray(0)
    if sizes.places:
        transposed, found = _transposed(jnp.take(owner, index, mode="fill", fill_value=n), n, sizes.places)
    wide = jnp.all(jnp.where(wraps, share * bins <= layers, (bins == 1) | (share * bins <= 1))) & jnp.all(jnp.isfinite(r))
    atom = owner[entry]
    return owner, image, atom, jnp.argsort(atom), entry, index, transposed, (*entries, most, longest, slots, found, wide)


def _copied(owner: Any, image: Any, s: Any, axis: int, layers: int, share: Any, size: int, n: int) -> tuple[Any, ...]:
    """Entries with their copies along one axis: those within `share` of the cell, and how many there are."""
    shifts = np.array([k for k in range(-layers, layers + 1) if k])
    moved = s[None, :, axis] + shifts[:, None]
    near = (moved >= -share) & (moved <= 1 + share) & (owner < n)
    old = len(owner)
    chosen = jnp.nonzero(near.ravel(), size=size - old, fill_value=near.size)[0]
    which, there = chosen % old, chosen < near.size
    shift = jnp.where(there, jnp.asarray(shifts)[jnp.minimum(chosen // old, len(shifts) - 1)], 0)
    unit = np.eye(3, dtype=int)[axis]
    owner = jnp.concatenate([owner, jnp.where(there, owner[which], n)])
    image = jnp.concatenate([image, image[which] + (shift[:, None] * unit).astype(image.dtype)])
    s = jnp.concatenate([s, s[which] + (shift[:, None] * unit).astype(s.dtype)])
    return owner, image, s, old + jnp.sum(near)


def _inner(bins: np.ndarray, layers: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """The numbers of the bins in the cell."""
    each = np.meshgrid(*(np.arange(k) + m for k, m in zip(bins, layers, strict=True)), indexing="ij")
    return ((each[0] * outer[1] + each[1]) * outer[2] + each[2]).ravel().astype(np.int32)


def _runs(layers: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """What to add to the number of a bin for the first of each run of bins around it; bins of a run follow each other."""
    steps = itertools.product(*(range(-m, m + 1) for m in layers[:2]))
    return np.array([(a * outer[1] + b) * outer[2] - layers[2] for a, b in steps], np.int32)


def _compared(
    places: Any, starts: Any, inner: Any, runs: Any, span: int, reach: float, capacity: int, run: int
) -> Any:
    """A bit for each atom of a bin and each entry around it, `(bins, capacity, words)`; a run of bins begins a new word."""
    slots = -(-run // WORD) * WORD
    far = jnp.asarray([1e30, -1e30], places.dtype)
    x, y, z = places.T

    def tile(b: Any) -> Any:
        own = starts[b] + jnp.arange(capacity, dtype=jnp.int32)
        full = own < starts[b + 1]
        own = jnp.minimum(own, len(places) - 1)
        other = starts[b + runs][:, None] + jnp.arange(slots, dtype=jnp.int32)
        held = (other < starts[b + runs + span][:, None]).ravel()
        other = jnp.minimum(other, len(places) - 1).ravel()
        square = 0
        for u in (x, y, z):
            apart = jnp.where(held, u[other], far[0])[None, :] - jnp.where(full, u[own], far[1])[:, None]
            square = square + apart**2
        near = (square < reach**2) & (own[:, None] != other[None, :])
        bits = near.reshape(capacity, -1, WORD).astype(jnp.uint32) << jnp.arange(WORD, dtype=jnp.uint32)
        return jnp.sum(bits, axis=-1, dtype=jnp.uint32)

    batch = max(1, min(len(inner), TILE // (capacity * slots * len(runs))))
    return jax.lax.map(tile, jnp.asarray(inner), batch_size=batch)


def _filled(
    words: Any, row: Any, starts: Any, where: Any, runs: np.ndarray, slots: int, empty: int
) -> tuple[Any, Any]:
    """The entries whose bits are set, `(rows, slots)`, `empty` in those left over, and the most there are.

    All rows take their next bit at a time: the lowest of the word they are in, or of the next word that has any.
    """
    own = words[row]  # (rows, words)
    rows, count = own.shape
    per = count // len(runs)
    base = starts[where[:, None] + jnp.asarray(np.repeat(runs, per))] + jnp.asarray(np.tile(np.arange(per), len(runs)) * WORD)
    following = [jnp.full(rows, count, jnp.int32)]
    for w in reversed(range(count)):
        following.append(jnp.where(own[:, w] != 0, w, following[-1]))
    at = jnp.arange(rows, dtype=jnp.int32) * (count + 1)
    later = jnp.stack(following[::-1], axis=1).ravel()
    bits_of = jnp.pad(own, ((0, 0), (0, 1))).ravel()
    base_of = jnp.pad(base.astype(jnp.int32), ((0, 0), (0, 1))).ravel()
    take = lambda a, w: a.at[at + w].get(mode="promise_in_bounds")  # noqa: E731

    def one(carry: tuple[Any, Any], _: Any) -> Any:
        w, bits = carry
        lowest = jax.lax.population_count(~bits & (bits - np.uint32(1))).astype(jnp.int32)
        found = jnp.where(w < count, take(base_of, w) + lowest, empty)
        bits = bits & (bits - np.uint32(1))
        used = bits == 0
        w = jnp.where(used, take(later, jnp.minimum(w + 1, count)), w)
        return (w, jnp.where(used, take(bits_of, w), bits)), found

    first = take(later, 0)
    _, index = jax.lax.scan(one, (first, take(bits_of, first)), None, length=slots)
    return index.T, jnp.max(jnp.sum(jax.lax.population_count(own), axis=1)).astype(jnp.int32)


def _transposed(neighbour: Any, n: int, places: int) -> tuple[Any, Any]:
    """For each atom the flat slots that hold it `(n, places)`, `slots` in all for none; and the most there are."""
    flat = neighbour.ravel()
    order = jnp.argsort(flat, stable=True)
    starts = jnp.searchsorted(flat[order], jnp.arange(n + 1))
    slots = starts[:-1, None] + jnp.arange(places)
    found = slots < starts[1:, None]
    return jnp.where(found, order[jnp.minimum(slots, flat.size - 1)], flat.size), jnp.max(jnp.diff(starts))
