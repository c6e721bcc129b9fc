"""Frames as arrays of a few shapes: atoms sorted by type, neighbours by atom and type, padded.

Frames of about the same number of atoms of each type form a bucket, one compiled program, whether they are trained on or held
for validation. Rows that are padding have no neighbours and no weight; empty slots are far away.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ...atoms._pairs import Pairs
from ...dynamics._batch import rounded
from ._lists import FramePairs

MOST = 6  # shapes
EXTRA = 0.25  # of the atoms, that may be padding where frames of different compositions share a shape
SMALL = 16  # atoms of frames which share a shape in any case: compiling another takes longer than many steps


class Frames(eqx.Module):
    """Arrays of frames; rows are atoms sorted by type.

    **Attributes:** `positions` `(frames, rows, 3)` and `cells` `(frames, 3, 3)` [angstrom]; `index` `(frames, rows, slots)`,
    rows of the neighbours, `rows` in empty slots; `shift` `(frames, rows, slots, 3)`, lattice vectors; `present` `(frames,
    rows)`; `energies` `(frames,)` [eV], without biases, `forces` and `virials`, zero where they are missing; `known`
    `(frames, 3)`, which of the three there are; `owns`, rows of each type; `rooms`, slots for each type of neighbour.
    """

    positions: Any
    cells: Any
    index: Any
    shift: Any
    present: Any
    energies: Any
    forces: Any
    virials: Any
    known: Any
    owns: tuple[int, ...] = eqx.field(static=True)
    rooms: tuple[int, ...] = eqx.field(static=True)

    @property
    def empty(self) -> Any:
        """Which slots are `(frames, rows, slots)`."""
        return self.index >= self.positions.shape[1]

    @property
    def neighbour(self) -> Any:
        """`index` with the rows of all frames one after the other, their number in empty slots."""
        count, rows = self.positions.shape[:2]
        first = rows * jnp.arange(count)[:, None, None]
        return jnp.where(self.empty, count * rows, self.index + first)

    def pairs(self, vectors: Any) -> Pairs:
        """The pairs of all frames together, with their `vectors` `(frames, rows, slots, 3)`."""
        count, rows, slots = self.index.shape
        flat = lambda a: a.reshape(count * rows, slots, *a.shape[3:])  # noqa: E731
        types, all_rows = np.arange(len(self.owns)), jnp.arange(count * rows)
        species = jnp.broadcast_to(np.repeat(types, self.rooms), (count * rows, slots))
        centres = jnp.asarray(np.tile(np.repeat(types, self.owns), count))
        mask, neighbour = flat(~self.empty), flat(self.neighbour)
        return Pairs(flat(vectors), mask, species, centres, all_rows, all_rows, neighbour, None)


@dataclass(frozen=True)
class Bucket:
    """`frames`, and where they are from: `members` `(frames,)`, numbers in the dataset, `row` of each atom of each frame, and
    `counts` `(frames, types)` of atoms."""

    frames: Frames
    members: np.ndarray
    row: list[np.ndarray]
    counts: np.ndarray

    @property
    def atoms(self) -> int:
        return sum(self.frames.owns)


@dataclass(frozen=True)
class FrameSet:
    """A dataset with what the buckets need of it. **Attributes:** `data`; `pairs` of each frame within the cutoff; `species` of
    each frame's atoms, the model's numbers; `counts` `(frames, types)` of atoms."""

    data: Any
    pairs: Sequence[FramePairs]
    species: Sequence[np.ndarray]
    counts: np.ndarray


def buckets(sets: Sequence[FrameSet], cutoff: float) -> list[list[Bucket]]:
    """All frames of each of the sets, in buckets of few shapes that they share."""
    counts = np.concatenate([s.counts for s in sets])
    places = [
        _places(p, p.distance < cutoff, kinds, counts.shape[1])
        for s in sets
        for p, kinds in zip(s.pairs, s.species, strict=True)
    ]
    most = np.stack([each.max(axis=0) for each, _ in places])
    shapes = shared_shapes(counts)
    rooms = {owns: _rooms(most[[k for k, s in enumerate(shapes) if s == owns]]) for owns in dict.fromkeys(shapes)}
    made, begin = [], 0
    for one in sets:
        end = begin + len(one.counts)
        groups: dict[Any, list[int]] = {}
        for k, owns in enumerate(shapes[begin:end]):
            groups.setdefault(owns, []).append(k)
        slots = [slot for _, slot in places[begin:end]]
        made.append([_bucket(one, np.array(k), owns, rooms[owns], slots, cutoff) for owns, k in groups.items()])
        begin = end
    return made


def shared_shapes(counts: np.ndarray) -> list[tuple[int, ...]]:
    """For each composition `(frames, types)` the numbers of atoms of each type that it is padded to."""
    keys = [tuple(c) for c in counts.tolist()]
    for bits in (3, 2, 1):
        if len(set(keys)) <= 4 * MOST:
            break
        keys = [tuple(rounded(n, bits) if n else 0 for n in c) for c in counts.tolist()]
    number = {key: keys.count(key) for key in dict.fromkeys(keys)} if len(set(keys)) <= 4 * MOST else {}
    if not number:
        return [tuple(counts.max(axis=0).tolist())] * len(counts)
    members = {key: [key] for key in number}
    limit = (1 + EXTRA) * counts.sum()
    while len(number) > 1:
        total = sum(n * sum(key) for key, n in number.items())
        best: Any = None
        for a, b in itertools.combinations(number, 2):
            both = tuple(map(max, a, b))
            more = number[a] * (sum(both) - sum(a)) + number[b] * (sum(both) - sum(b))
            if best is None or (sum(both) > SMALL, more) < best[0]:
                best = (sum(both) > SMALL, more), a, b, both
        (large, more), a, b, both = best
        if large and len(number) <= MOST and total + more > limit:
            break
        joined, n = members.pop(a) + members.pop(b), number.pop(a) + number.pop(b)
        members[both] = members.get(both, []) + joined
        number[both] = number.get(both, 0) + n
    taken = {key: owns for owns, inside in members.items() for key in inside}
    return [taken[key] for key in keys]


def _rooms(most: np.ndarray) -> tuple[int, ...]:
    """Slots for neighbours of each type, in steps, so that other frames of the kind need no other program."""
    return tuple(rounded(max(1, int(m)), 5, 4) for m in most.max(axis=0))


def _bucket(
    of: FrameSet, members: np.ndarray, owns: tuple[int, ...], rooms: tuple[int, ...], slots: Sequence[np.ndarray], cutoff: float
) -> Bucket:
    data, rows, begin = of.data, sum(owns), np.cumsum([0, *owns])
    starts, n = np.cumsum([0, *rooms]), len(members)
    index = np.full((n, rows, sum(rooms)), rows, np.int16 if rows < 2**15 else np.int32)
    farthest = max((int(np.abs(of.pairs[k].shift).max()) for k in members if len(of.pairs[k].shift)), default=0)
    shift = np.zeros((n, rows, sum(rooms), 3), np.int8 if farthest < 2**7 else np.int32)
    arrays = {
        "positions": np.zeros((n, rows, 3)), "cells": np.zeros((n, 3, 3)), "present": np.zeros((n, rows), bool),
        "energies": np.zeros(n), "forces": np.zeros((n, rows, 3)), "virials": np.zeros((n, 3, 3)),
        "known": np.zeros((n, 3), bool),
    }  # fmt: skip
    places = []
    for a, k in enumerate(members):
        kinds, p = of.species[k], of.pairs[k]
        inside = p.distance < cutoff
        order = np.argsort(kinds, kind="stable")
        row = np.empty(len(kinds), int)
        row[order] = begin[kinds[order]] + np.arange(len(kinds)) - np.cumsum([0, *of.counts[k]])[kinds[order]]
        i, j = p.first[inside], p.second[inside]
        slot = starts[kinds[j]] + slots[k]
        index[a, row[i], slot], shift[a, row[i], slot] = row[j], p.shift[inside]
        atoms = slice(data.first[k], data.first[k + 1])
        arrays["positions"][a, row], arrays["cells"][a], arrays["present"][a, row] = data.positions[atoms], data.cells[k], True
        labels = data.energies[k], data.forces[atoms], data.virials[k]
        arrays["known"][a] = [bool(np.all(np.isfinite(x))) for x in labels]
        arrays["energies"][a], arrays["virials"][a] = (np.nan_to_num(labels[0]), np.nan_to_num(labels[2]))
        arrays["forces"][a, row] = np.nan_to_num(labels[1])
        places.append(row)
    return Bucket(Frames(**arrays, index=index, shift=shift, owns=owns, rooms=rooms), members, places, of.counts[members])


def _places(p: FramePairs, near: np.ndarray, kinds: np.ndarray, types: int) -> tuple[np.ndarray, np.ndarray]:
    """How many neighbours of each type each atom has, and each pair's number among those of its atom and type."""
    group = p.first[near] * types + kinds[p.second[near]]
    counts = np.bincount(group, minlength=len(kinds) * types)
    order = np.argsort(group, kind="stable")
    rank = np.empty(len(group), int)
    rank[order] = np.arange(len(group)) - np.repeat(np.cumsum(counts) - counts, counts)
    return counts.reshape(-1, types), rank
