"""Who is near whom: lists of neighbours for triclinic and small cells, open or periodic along each vector.

The cell is cut into columns at least as wide as cutoff + skin, along its first two vectors, and each column into thin slices.
Atoms are sorted by column and slice. Around them stand copies (*entries*: atoms and their copies), laid out like the atoms, as
many columns and slices as it takes where the cell is small. So the neighbours of an atom are among a few *windows*, pieces of
the columns around it that follow each other in memory; an entry that is near sets a bit, and slot k of an atom is the k-th
bit.

`allocate` looks at the atoms and chooses sizes, on the host; `update` is compiled and keeps them, and says in `overflow` where
they were too small.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.spatial import KDTree

from ..._precision import float64
from ._resolution import expect_resolved
from ._system import System, complete

ROUNDING = 32  # units in the last place of what atoms may seem to have moved
SPARE = 1.15  # room in lists, relative to what is needed now
COUNTED = 20_000  # atoms
LOOSE = 1.5  # slots relative to those needed, up to which sizes are kept for another list
MANY = 64  # sizes that are kept
KEPT: dict[Any, Sizes] = {}
STRAIN = 1.01  # how much wider columns are than they must be, for cells that shrink
SLICES = 8  # of a column within the reach
TILE = 1 << 20  # pairs of atom and candidate that are compared at a time
WORD = 32


@dataclass(frozen=True)
class Sizes:
    """What is fixed when a list is compiled.

    **Attributes:** `bins` of the cell along each axis, columns along the first two and slices along the third, and `layers` of
    copies around them; `entries`, atoms and copies; `window`, entries of a piece of a column; `slots` of an atom; `places` in
    which an atom may stand, 0 for a list that is not transposed.
    """

    bins: tuple[int, int, int]
    layers: tuple[int, int, int]
    entries: int
    window: int
    slots: int
    places: int

    def joined(self, other: Sizes) -> Sizes:
        """With room for lists of either sizes, of the same bins."""
        entries, window, slots, places = (max(p) for p in zip(self.rooms(), other.rooms(), strict=True))
        return Sizes(self.bins, self.layers, entries, window, slots, places)

    def rooms(self) -> tuple[int, ...]:
        return self.entries, self.window, self.slots, self.places


class Neighbours(eqx.Module):
    """A list of all pairs closer than `cutoff + skin`.

    **Attributes:** `owner` `(entries,)`, the atom of which an entry is a copy, `atoms` where there is none, and `image`
    `(entries, 3)`, the lattice vectors to add to it; `atom` `(atoms,)`, the atom of each row, `row` the other way round, and
    `entry` `(atoms,)`, the row's own entry; `index` `(atoms, slots)`, the entries that are neighbours of a row's atom,
    `entries` in empty slots; `transposed` `(atoms, places)`, the flat slots in which an atom stands, or None; `positions` and
    `cell` at which it was made; `overflow`, whether anything did not fit; `count`, the number of atoms that are there, or None
    for all: the others are padding, in no slot, and their rows come last.
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
    count: Any = None

    def update(self, positions: Any, cell: Any) -> Neighbours:
        """The list at new positions, of the same sizes."""
        found = _build(positions, cell, self.low, self.high, self.cutoff + self.skin, self.periodic, self.sizes, self.count)
        return eqx.tree_at(lambda n: (*_arrays(n), n.positions, n.cell), self, (*found, positions, cell), is_leaf=_is_none)

    def is_stale(self, positions: Any, cell: Any) -> Any:
        """Whether a pair may have come within the cutoff unseen: two atoms nearer to each other by the skin, the cell's strain
        included."""
        return _is_stale(self, positions, cell)

    def at(self, positions: Any, cell: Any) -> Any:
        """Positions of all entries `(entries, 3)`; beyond every cutoff where there is none."""
        return jnp.stack(self.coordinates(positions, cell), axis=1)

    def coordinates(self, positions: Any, cell: Any) -> tuple[Any, Any, Any]:
        """As `at`, an array for each coordinate."""
        shifts = _dot(self.image.astype(positions.dtype).T, cell)
        own = (jnp.take(u, self.owner, mode="fill", fill_value=jnp.inf) for u in positions.T)
        return tuple(u + v for u, v in zip(own, shifts, strict=True))  # type: ignore[return-value]


@jax.jit
def _is_stale(n: Neighbours, positions: Any, cell: Any) -> Any:
    return has_moved(n.positions, n.cell, positions, cell, n.cutoff, n.skin, jnp)


def has_moved(r0: Any, cell0: Any, r: Any, cell: Any, cutoff: float, skin: float, xp: Any = np) -> Any:
    """Whether a pair may have come within the cutoff that is not in a list made at `r0` and `cell0`; NumPy's arrays on the
    host, or `jax.numpy` in compiled code."""
    deformation = xp.linalg.solve(cell0, cell)
    moved = _dot(r0.T, deformation)
    moved = sum((u - v) ** 2 for u, v in zip(r.T, moved, strict=True))
    apart = 2 * xp.sqrt(xp.max(moved))
    # A list just made is not stale: with a skin of zero rounding would make it anew for ever.
    rounding = ROUNDING * xp.finfo(r.dtype).eps * (xp.max(xp.abs(r)) + cutoff + skin)
    shrunk = xp.sqrt(xp.sum((deformation - xp.eye(3, dtype=deformation.dtype)) ** 2)) * (cutoff + skin)
    return apart + shrunk > skin + rounding


def _dot(x: Any, matrix: Any) -> list[Any]:
    """Vectors, given by their three components, times a matrix, in one loop with what follows."""
    return [x[0] * matrix[0, k] + x[1] * matrix[1, k] + x[2] * matrix[2, k] for k in range(3)]


def _arrays(n: Neighbours) -> tuple[Any, ...]:
    return n.owner, n.image, n.atom, n.row, n.entry, n.index, n.transposed, n.overflow


def _is_none(x: Any) -> bool:
    return x is None


def allocate(
    atoms: System, cutoff: float, *, skin: float = 0.5, transposed: bool = True, spare: float = SPARE, kept: bool = False
) -> Neighbours:
    """A list for `atoms` with room for what may come; `cutoff` and `skin` in the system's unit of length (angstrom).

    Forces of pair potentials need no `transposed` list. `spare` is the room relative to what is needed now. A list may have the
    sizes that an earlier one had, of as many atoms in as many bins, if they are `kept` and have at least half of the `spare`
    slots: then nothing is compiled anew.

    **Raises** `ValueError` where the cutoff is no positive number, or coordinates are too large for their precision.
    """
    if not (np.isfinite(cutoff) and cutoff > 0) or not skin >= 0:
        raise ValueError(f"allocate: cutoff={cutoff!r} and skin={skin!r}; expected a positive number and one not negative.")
    expect_resolved(atoms.positions, complete(atoms.cell), atoms.periodic)
    # In the precision of the positions, whatever JAX is set to.
    with float64() if np.asarray(atoms.positions).dtype == np.float64 else nullcontext():
        return _allocated(atoms, float(cutoff), float(skin), transposed, spare, kept)


def _allocated(atoms: System, cutoff: float, skin: float, transposed: bool, spare: float, kept: bool) -> Neighbours:
    reach = cutoff + skin
    h, r = complete(atoms.cell), np.asarray(atoms.positions)
    low, high, wide = extent(r, h, atoms.periodic)
    shape = shaped(wide[None], atoms.periodic, reach, len(r))
    places, cell = jnp.asarray(r), jnp.asarray(h, r.dtype)
    counted = partial(_counted, places, cell, jnp.asarray(low), jnp.asarray(high), reach, atoms.periodic)

    def made(found: Any, sizes: Sizes) -> Neighbours:
        owner, image, atom, row, entry, index, other, needed = found
        return Neighbours(
            owner, image, atom, row, entry, index[:, : sizes.slots], other, places, cell, _overflow(sizes, needed),
            jnp.asarray(low), jnp.asarray(high), cutoff, skin, atoms.periodic, sizes,
        )  # fmt: skip

    name = cutoff, skin, transposed, atoms.periodic, len(r), str(r.dtype), shape
    known = KEPT.get(name) if kept else None
    if known is not None:
        found = counted(known)
        slots = int(found[-1][2])
        if known.slots > max(4, LOOSE * slots):
            known = None
        elif not bool(_overflow(known, found[-1])) and known.slots >= (1 + spare) / 2 * slots:
            return made(found, known)
    sizes = _guess(r, h, low, high, atoms.periodic, reach, shape, transposed, spare)
    while True:
        *found, needed = counted(sizes)
        larger = _larger(sizes, [int(k) for k in needed[:4]], spare)
        if larger == sizes:
            break
        sizes = larger
    before = sizes
    # The guess is generous: slots beyond what is needed would cost time in every step.
    sizes = dataclasses.replace(sizes, slots=min(sizes.slots, _room(int(needed[2]), spare)))
    if known is not None:  # so that two systems that need room in different places do not take turns
        sizes = sizes.joined(known)
    if (sizes.places or kept) and sizes != before:
        *found, needed = counted(sizes)
    if kept:
        remember(KEPT, name, sizes)
    return made((*found, needed), sizes)


def remember(known: dict[Any, Any], name: Any, value: Any, most: int = MANY) -> None:
    """Puts `value` last, and forgets the first where there are more than `most`."""
    known.pop(name, None)
    known[name] = value
    while len(known) > most:
        known.pop(next(iter(known)))


def extent(r: np.ndarray, cell: np.ndarray, periodic: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The least and the largest coordinates along the vectors of the cell, and the width there is to be cut into bins."""
    inverse = np.linalg.inv(cell)
    s = r @ inverse
    low, high = s.min(axis=0), s.max(axis=0) + 1e-9
    wide = np.where(periodic, 1.0, high - low) / np.linalg.norm(inverse, axis=0)
    return low.astype(r.dtype), high.astype(r.dtype), wide


def shaped(wide: np.ndarray, periodic: Any, reach: float, atoms: int) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Bins and layers with which the lists of systems of these widths `(systems, 3)` can be made; not many more bins than
    there are `atoms`, where a few of them are far from the others."""
    thin = np.array([1, 1, SLICES])
    bins = np.clip((wide * thin / max(STRAIN * reach, 1e-300)).min(axis=0), 1, 4 * atoms + 64).astype(int)
    while math.prod(bins.tolist()) > 4 * atoms + 64:
        bins[np.argmax(bins / thin)] //= 2
        bins = np.maximum(bins, 1)
    images = np.ceil(STRAIN * reach * bins / wide - 1e-12).astype(int).max(axis=0)
    layers = np.where(periodic, images, np.where(bins > 1, np.minimum(images, thin), 0))
    return tuple(bins.tolist()), tuple(layers.tolist())


def _guess(
    r: np.ndarray, cell: np.ndarray, low: Any, high: Any, periodic: Any, reach: float, shape: Any, transposed: bool,
    spare: float,
) -> Sizes:  # fmt: skip
    """From where the atoms are, so that little is compiled twice; of many atoms neighbours are not counted."""
    bins, layers = shape
    sizes = Sizes(bins, layers, 0, 0, 0, 0)
    if len(r) <= COUNTED and np.all(np.isfinite(r)):
        entries, window, most = needed_by(r, cell, low, high, reach, periodic, sizes)
        slots, window = _room(most, spare), WORD * max(1, math.ceil(window * spare / WORD))
        return Sizes(bins, layers, _room(entries, spare), window, slots, slots if transposed else 0)
    at = _laid_out(np, r, cell, low, high, periodic, sizes)
    counts = at.last - at.first
    ball = 4.2 * reach**3 / abs(np.linalg.det(cell)) * math.prod(sizes.bins) / math.prod(2 * m + 1 for m in sizes.layers)
    around = int(counts.sum(axis=1).max())
    slots = _room(min(around, int(1.25 * ball * around) + 4), spare)
    window = WORD * max(1, math.ceil(int(counts.max()) * spare / WORD))
    return Sizes(bins, layers, _room(int(at.ends[-1]), spare), window, slots, slots if transposed else 0)


def needed_by(
    r: np.ndarray, cell: np.ndarray, low: Any, high: Any, reach: float, periodic: Any, shape: Sizes
) -> tuple[int, int, int]:
    """What one list needs: entries, room in a window, slots."""
    at = _laid_out(np, r, cell, low, high, periodic, shape)
    owner, image = _entries(np, at, int(at.ends[-1]))
    places = r[owner] + image @ cell
    around = KDTree(places).query_ball_point(places[at.own], reach, return_length=True)
    return len(owner), int(np.max(at.last - at.first)), int(np.max(around)) - 1


def _room(needed: int, spare: float) -> int:
    room = max(4, 4 * math.ceil(spare * needed / 4))
    return room if room % 16 else room + 4  # XLA's loops over rows of 96 or 128 slots take twice as long as over 100 or 132


def _larger(sizes: Sizes, needed: list[int], spare: float) -> Sizes:
    """Sizes with room for what is `needed`: entries, in a window, slots, places."""
    entries, window, slots, places = (s if k <= s else _room(k, spare) for s, k in zip(sizes.rooms(), needed, strict=True))
    return Sizes(sizes.bins, sizes.layers, entries, WORD * math.ceil(window / WORD), slots, places)


def _overflow(sizes: Sizes, needed: Any) -> Any:
    fits = [k <= size for k, size in zip(needed[:4], sizes.rooms(), strict=True)]
    return ~jnp.all(jnp.stack([*fits, needed[4]]))


def _build(
    r: Any, cell: Any, low: Any, high: Any, reach: float, periodic: Any, sizes: Sizes, count: Any = None
) -> tuple[Any, ...]:
    *found, needed = _counted(r, cell, low, high, reach, periodic, sizes, count)
    return (*found, _overflow(sizes, needed))


@dataclass
class Layout:
    """Where atoms and copies stand. **Attributes:** `order`, the atom of each row; `wrapped`, lattice vectors that were taken
    off; `own`, the entry of each row; `first` and `last` `(rows, windows)`, entries of a window; for each column, copies
    included: `ends`, the entry after it, `source`, the row of its first atom, `count` of its atoms, `below`, how many of its
    entries are below the cell, `shift` along the first two vectors."""

    order: Any
    wrapped: Any
    own: Any
    first: Any
    last: Any
    ends: Any
    source: Any
    count: Any
    below: Any
    shift: np.ndarray


def _laid_out(
    xp: Any, r: Any, cell: Any, low: Any, high: Any, periodic: Any, sizes: Sizes, present: Any = None
) -> Layout:
    """With NumPy on the host or `jax.numpy` in compiled code; `present` is the number of atoms before the padding."""
    wraps, bins, layers = np.array(periodic), np.array(sizes.bins), np.array(sizes.layers)
    s = r @ xp.linalg.inv(cell)
    wrapped = xp.where(wraps, xp.floor(s), 0)
    s = xp.where(wraps, s - wrapped, (s - low) / (high - low))
    # Rounding takes an atom at the very face out of the cell; beyond the ends of an open axis the last bin goes on.
    place = xp.clip(xp.floor(s * bins).astype(np.int32), 0, bins.astype(np.int32) - 1)
    key = (place[:, 0] * sizes.bins[1] + place[:, 1]) * sizes.bins[2] + place[:, 2]
    if present is not None:
        key = xp.where(np.arange(len(r)) < present, key, math.prod(sizes.bins))
    order = _ordered(key, math.prod(sizes.bins) + 1) if xp is jnp else np.argsort(key, stable=True).astype(np.int32)
    before = xp.searchsorted(key[order], np.arange(math.prod(sizes.bins) + 1, dtype=np.int32)).astype(np.int32)

    # Columns with their copies: which column each is of, and after how many atoms each slice begins.
    each = [np.arange(-m, k + m) for k, m in zip(bins[:2], layers[:2], strict=True)]
    a, b = (u.ravel() for u in np.meshgrid(*each, indexing="ij"))
    held = ((wraps[0]) | ((a >= 0) & (a < bins[0]))) & ((wraps[1]) | ((b >= 0) & (b < bins[1])))
    start = ((a % bins[0] * bins[1] + b % bins[1]) * bins[2]).astype(np.int32)
    z = np.arange(-layers[2], bins[2] + layers[2] + 1, dtype=np.int32)
    turn, rest = np.divmod(z, np.int32(bins[2])) if wraps[2] else (0 * z, np.clip(z, 0, bins[2]).astype(np.int32))
    source, count = before[start], before[start + np.int32(bins[2])] - before[start]
    passed = xp.where(held[:, None], turn * count[:, None] + before[start[:, None] + rest] - source[:, None], 0)
    below = passed[:, :1]
    ends = xp.cumsum((passed - below)[:, -1]).astype(np.int32)
    table = passed - below + (ends - (passed - below)[:, -1])[:, None]

    place = place[order]
    wide = int(bins[1] + 2 * layers[1])
    column = (place[:, 0] + np.int32(layers[0])) * wide + place[:, 1] + np.int32(layers[1])
    steps = itertools.product(*(range(-m, m + 1) for m in layers[:2]))
    around = column[:, None] + np.array([p * wide + q for p, q in steps], np.int32)
    first = table[around, place[:, 2:]]
    last = table[around, place[:, 2:] + np.int32(2 * layers[2] + 1)]
    own = table[column, int(layers[2])] + np.arange(len(r), dtype=np.int32) - source[column]
    if present is not None:
        real = np.arange(len(r)) < present
        first, last = (xp.where(real[:, None], a, 0) for a in (first, last))
        own = xp.where(real, own, max(sizes.entries - 1, 0))
    shift = np.stack([a // bins[0], b // bins[1]], axis=1) * held[:, None]
    return Layout(order, wrapped, own, first, last, ends, source, count, below[:, 0], shift.astype(np.int32))


def _entries(xp: Any, at: Layout, entries: int) -> tuple[Any, Any]:
    """The atom of each entry, `atoms` for none, and its lattice vectors."""
    number = np.arange(entries, dtype=np.int32)
    column = xp.searchsorted(at.ends, number, side="right").astype(np.int32)
    there = column < len(at.ends)
    column = xp.minimum(column, len(at.ends) - 1)
    passed = number - xp.pad(at.ends, (1, 0))[column] + at.below[column]
    turn = xp.floor_divide(passed, xp.maximum(at.count[column], 1))
    atom = at.order[at.source[column] + passed - turn * at.count[column]]
    image = xp.concatenate([xp.asarray(at.shift)[column], turn[:, None]], axis=1) - at.wrapped[atom].astype(np.int32)
    return xp.where(there, atom, len(at.order)), xp.where(there[:, None], image, 0)


def _ordered(key: Any, many: int) -> Any:
    """What sorts keys below `many`, equal ones in their order: digit by digit with the place in one word, which XLA sorts
    four times as fast as keys with their places beside them."""
    n = len(key)
    size = max(1, (n - 1).bit_length())
    digit = WORD - size
    place = jnp.arange(n, dtype=jnp.uint32)
    order = place
    for low in range(0, max(1, (many - 1).bit_length()), digit):
        part = (key.astype(jnp.uint32)[order] >> np.uint32(low)) & np.uint32((1 << digit) - 1)
        order = order[jnp.sort((part << np.uint32(size)) | place) & np.uint32((1 << size) - 1)]
    return order.astype(jnp.int32)


@partial(jax.jit, static_argnums=(4, 5, 6))
def _counted(
    r: Any, cell: Any, low: Any, high: Any, reach: float, periodic: Any, sizes: Sizes, present: Any = None
) -> tuple[Any, ...]:
    """(owner, image, atom, row, entry, index, transposed, what is needed); the last of these whether the bins are wide
    enough."""
    n = len(r)
    at = _laid_out(jnp, r, cell, low, high, periodic, sizes, present)
    share = reach * jnp.sqrt(jnp.sum(jnp.linalg.inv(cell) ** 2, axis=0))  # of the cell
    wraps, bins, layers = np.array(periodic), np.array(sizes.bins), np.array(sizes.layers)
    share = jnp.where(wraps, share, share / (high - low))
    wide = jnp.all((share * bins <= layers) | (~wraps & (bins == 1))) & jnp.all(jnp.isfinite(r))

    owner, image = _entries(jnp, at, sizes.entries)

    places = jnp.take(r, owner, axis=0, mode="fill", fill_value=jnp.inf) + image.astype(r.dtype) @ cell
    index, slots = _slots(places, at, reach, sizes)
    transposed, found = None, jnp.asarray(0)
    if sizes.places:
        transposed, found = _transposed(jnp.take(owner, index, mode="fill", fill_value=n), n, sizes.places)
    row = jnp.zeros(n, jnp.int32).at[at.order].set(jnp.arange(n, dtype=jnp.int32), unique_indices=True)
    needed = at.ends[-1], jnp.max(at.last - at.first), slots, found, wide
    return owner, image, at.order, row, at.own, index, transposed, needed


def _slots(places: Any, at: Layout, reach: float, sizes: Sizes) -> tuple[Any, Any]:
    """The entries near each row's atom `(rows, slots)`, `entries` in those left over, and the most there are."""
    n, windows = at.first.shape
    x, y, z = jnp.pad(places, ((0, sizes.window), (0, 0)), constant_values=jnp.inf).T
    parts = np.arange(0, sizes.window, WORD, dtype=np.int32)
    bit = np.arange(WORD, dtype=np.int32)

    def tile(rows: Any) -> tuple[Any, Any]:
        own = at.own[rows]
        start = (at.first[rows][:, :, None] + parts).reshape(len(rows), -1)
        last = jnp.repeat(at.last[rows], len(parts), axis=1)
        piece = jax.vmap(jax.vmap(lambda u, k: jax.lax.dynamic_slice(u, (k,), (WORD,)), (None, 0)), (None, 0))
        square: Any = 0
        for u in (x, y, z):
            square = square + (piece(u, start) - u[own][:, None, None]) ** 2
        other = start[:, :, None] + bit
        near = (square < reach**2) & (other < last[:, :, None]) & (other != own[:, None, None])
        words = jnp.sum(near.astype(jnp.uint32) << bit.astype(np.uint32), axis=-1, dtype=jnp.uint32)
        return _ranked(words.reshape(len(rows), windows, -1), at.first[rows], sizes.slots, sizes.entries)

    many = n * windows * sizes.window
    tiles = max(1, math.ceil(many / TILE))
    each = math.ceil(n / tiles)
    rows = jnp.minimum(jnp.arange(tiles * each, dtype=jnp.int32), n - 1).reshape(tiles, each)
    index, most = jax.lax.map(tile, rows) if tiles > 1 else jax.tree.map(lambda a: a[None], tile(rows[0]))
    return index.reshape(-1, sizes.slots)[:n], jnp.max(most)


def _ranked(words: Any, first: Any, slots: int, empty: int) -> tuple[Any, Any]:
    """Slot k of a row holds the number of its k-th bit; `words` `(rows, windows, parts)`, bits of a window begin at `first`.

    Slots are compared with all windows, then with all words of theirs: gathers would take ten times as long.
    """
    _, windows, parts = words.shape
    counts = jnp.sum(jax.lax.population_count(words).astype(jnp.int32), axis=2)
    # Sums of small whole numbers are exact in floats, and XLA's cumulative sum is slow.
    upto = (counts.astype(jnp.float32) @ jnp.triu(jnp.ones((windows, windows), jnp.float32))).astype(jnp.int32)
    k = jnp.arange(slots, dtype=jnp.int32)[None]
    base, left = first[:, :1], k
    bits = [words[:, :1, p] for p in range(parts)]
    for w in range(1, windows):
        later = k >= upto[:, w - 1 : w]
        bits = [jnp.where(later, words[:, w : w + 1, p], bits[p]) for p in range(parts)]
        base = jnp.where(later, first[:, w : w + 1], base)
        left = jnp.where(later, k - upto[:, w - 1 : w], left)
    word, place = bits[0], jnp.zeros_like(left)
    for p in range(1, parts):
        passed = sum(jax.lax.population_count(b).astype(jnp.int32) for b in bits[:p])
        later = left >= passed
        word, place = jnp.where(later, bits[p], word), jnp.where(later, p * WORD, place)
    left = left - sum(jnp.where(place > p * WORD, jax.lax.population_count(bits[p]).astype(jnp.int32), 0) for p in range(parts))
    for width in (16, 8, 4, 2, 1):
        lower = word & np.uint32((1 << width) - 1)
        count = jax.lax.population_count(lower).astype(jnp.int32)
        beyond = left >= count
        place = jnp.where(beyond, place + width, place)
        left = jnp.where(beyond, left - count, left)
        word = jnp.where(beyond, word >> np.uint32(width), lower)
    return jnp.where(k < upto[:, -1:], base + place, empty), jnp.max(upto[:, -1])


def _transposed(neighbour: Any, n: int, places: int) -> tuple[Any, Any]:
    """For each atom the flat slots that hold it `(n, places)`, `slots` in all for none; and the most there are."""
    flat = neighbour.ravel()
    order = _ordered(flat, n + 1)
    starts = jnp.searchsorted(flat[order], jnp.arange(n + 1, dtype=jnp.int32)).astype(jnp.int32)
    slots = starts[:-1, None] + jnp.arange(places, dtype=jnp.int32)
    found = slots < starts[1:, None]
    return jnp.where(found, order[jnp.minimum(slots, flat.size - 1)], flat.size), jnp.max(jnp.diff(starts))
