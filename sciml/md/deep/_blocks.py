"""Atoms of one type at a time, a block after the other, and their neighbours grouped by type.

Nets then see atoms of their own type only, and memory is that of a block, not of all atoms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from ..atoms._pairs import Pairs

# Atoms in float32, half of that in float64: temporaries above some 30 MiB cost thousands of page faults in every evaluation.
# With several devices half of that in both, so that each gets about as many blocks: fewer atoms would read the nets too often.
BLOCK = 64


def by_blocks(function: Callable[..., Any], model: Any, pairs: Pairs, types: int) -> Any:
    """`function(model, type, vectors, mask, species)` of blocks of rows of one type, as arrays by rows.

    Every type begins a new block; the rows that are missing in its last have empty slots, and what they give is dropped. Where
    JAX has several devices, each takes a part of the blocks.
    """
    rows, devices = len(pairs.centres), jax.devices()
    size = min(BLOCK // (2 if len(devices) > 1 else pairs.vectors.dtype.itemsize // 4), rows)
    order = jnp.argsort(pairs.centres, stable=True).astype(jnp.int32)
    starts = jnp.searchsorted(pairs.centres[order], jnp.arange(types + 1)).astype(jnp.int32)
    first = jnp.concatenate([jnp.zeros(1, jnp.int32), jnp.cumsum(-(-jnp.diff(starts) // size))])  # blocks before a type
    count = -(-rows // size) + types - 1

    def part(numbers: Any, given: Any) -> Any:
        model, arrays, (order, starts, first) = given

        def one(b: Any) -> Any:
            own = jnp.sum(b >= first[1:])
            known = jnp.minimum(own, types - 1)
            ranks = starts[known] + (b - first[known]) * size + jnp.arange(size)
            which = jnp.where(ranks < starts[known + 1], order[jnp.minimum(ranks, rows - 1)], rows)
            take = lambda a, fill: a.at[which].get(mode="fill", fill_value=fill)  # noqa: E731
            return function(model, own, *(take(a, fill) for a, fill in zip(arrays, (1.0, False, 0), strict=True)))

        return jax.lax.map(one, numbers)

    given = model, (pairs.vectors, pairs.mask, pairs.species), (order, starts, first)
    found = _on_all(part, jnp.arange(count), given, devices)
    rank = jnp.zeros(rows, jnp.int32).at[order].set(jnp.arange(rows, dtype=jnp.int32))
    place = first[pairs.centres] * size + rank - starts[pairs.centres]
    if len(devices) > 1:  # blocks are dealt out in turn
        block = place // size
        place = (block % len(devices) * -(-count // len(devices)) + block // len(devices)) * size + place % size
    return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:])[place], found)


def _on_all(part: Callable[..., Any], numbers: Any, given: Any, devices: list[Any]) -> Any:
    """`part(numbers, given)`, the numbers dealt out to all devices: block k is on device k modulo their number."""
    if len(devices) == 1:
        return part(numbers, given)
    each = -(-len(numbers) // len(devices))
    # Numbers beyond the last block are of no type.
    dealt = jnp.arange(each * len(devices)).reshape(each, -1).T.ravel()
    mesh = Mesh(np.array(devices), ("blocks",))
    spread = jax.shard_map(part, mesh=mesh, in_specs=(P("blocks"), P()), out_specs=P("blocks"), check_vma=False)
    return spread(dealt, given)


class Groups(eqx.Module):
    """Slots in the order of their types, `rooms` places for each type.

    **Attributes:** `slot` `(rows, places)`, `slots` for an empty place; `place` `(rows, slots)`, `places` for a slot that has
    none; `rooms`.
    """

    slot: Any
    place: Any
    rooms: tuple[int, ...] = eqx.field(static=True)

    def compact(self, x: Any, fill: float) -> Any:
        """`(rows, slots, ...)` -> `(rows, places, ...)`."""
        return _taken(x, self.slot, fill)

    def split(self, x: Any) -> list[Any]:
        """`(rows, places, ...)` of each type."""
        return jnp.split(x, np.cumsum(self.rooms)[:-1], axis=1)

    def spread(self, x: Any) -> Any:
        """`(rows, places, ...)` -> `(rows, slots, ...)`, zero in slots that have no place."""
        return _taken(x, self.place, 0.0)


def grouped(mask: Any, species: Any, rooms: tuple[int, ...]) -> Groups:
    """The slots that hold a neighbour, by type; the first ones where there is no room for all."""
    rows, slots = mask.shape
    total, first = sum(rooms), 0
    place = jnp.full((rows, slots), total, jnp.int32)
    for kind, room in enumerate(rooms):
        held = mask & (species == kind)
        rank = jnp.cumsum(held, axis=1, dtype=jnp.int32) - 1
        place = jnp.where(held & (rank < room), first + rank, place)
        first += room
    row = jnp.arange(rows)[:, None]
    slot = jnp.full((rows, total), slots, jnp.int32).at[row, place].set(jnp.arange(slots, dtype=jnp.int32), mode="drop")
    return Groups(slot, place, rooms)


def _taken(x: Any, index: Any, fill: float) -> Any:
    rows = jnp.arange(len(x))[:, None]
    return x.at[rows, index].get(mode="fill", fill_value=fill)
