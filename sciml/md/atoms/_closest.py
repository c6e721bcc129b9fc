"""The closest pair of atoms, in words, and energies that are no numbers."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..._precision import float64
from ._neighbours import Neighbours
from ._system import System
from ._units import METAL

OVERLAP = 1e-3  # angstrom, or the unit of length: atoms at one place but for rounding


@jax.jit
def _nearest(n: Neighbours, r: Any, cell: Any, kinds: Any, table: Any) -> tuple[Any, ...]:
    """For each row the neighbour whose distance is the smallest relative to `table`: (ratio, atom, neighbour, distance)."""
    places = n.at(r, cell)
    square = 0
    for u in places.T:
        square = square + (jnp.take(u, n.index, mode="fill", fill_value=jnp.inf) - u[n.entry][:, None]) ** 2
    other = jnp.take(n.owner, n.index, mode="fill", fill_value=0)
    ratio = jnp.sqrt(square) / table[kinds[n.atom][:, None], kinds[jnp.minimum(other, len(r) - 1)]]
    slot = jnp.argmin(ratio, axis=1)[:, None]
    take = lambda a: jnp.take_along_axis(a, slot, axis=1)[:, 0]  # noqa: E731
    return take(ratio), n.atom, take(other), jnp.sqrt(take(square))


def nearest_distances(atoms: System, n: Neighbours) -> np.ndarray:
    """The distance of each row's nearest neighbour `(atoms,)` [angstrom]; infinite where it has none in the list."""
    size = len(atoms.names)
    return np.asarray(_nearest(n, atoms.positions, n.cell, np.asarray(atoms.species), np.ones((size, size)))[0])


def closest_pair(
    atoms: System, n: Neighbours, kinds: np.ndarray | None = None, table: np.ndarray | None = None
) -> tuple[float, str, float]:
    """(distance relative to `table`, the two atoms and their distance in words, what the table has); `table` by `kinds`, by
    default 1 for all."""
    kinds = np.asarray(atoms.species) if kinds is None else kinds
    table = np.ones((len(atoms.names),) * 2) if table is None else table
    ratio, one, two, distance = (np.asarray(a) for a in _nearest(n, atoms.positions, n.cell, kinds, table))
    k = int(np.argmin(ratio))
    i, j = sorted((int(one[k]), int(two[k])))
    name = lambda a: f"{a} ({atoms.names[int(np.asarray(atoms.species)[a])]})"  # noqa: E731
    unit = " angstrom" if atoms.units == METAL else ""
    pair = f"atoms {name(i)} and {name(j)}" if i != j else f"atom {name(i)} and its own image"
    return float(ratio[k]), f"{pair} are {distance[k]:.4g}{unit} apart", float(table[kinds[i], kinds[j]])


def named_atoms(which: np.ndarray) -> str:
    """Atoms of a mask in words: "atoms 0, 1"; five at most."""
    found = np.flatnonzero(which)
    names = ", ".join(map(str, found[:5])) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
    return f"atom{'s' if len(found) > 1 else ''} {names}"


def is_finite(energy: Any, forces: Any) -> bool:
    return bool(np.all(np.isfinite(energy)) and np.all(np.isfinite(forces)))


def not_finite(where: str, atoms: System, energy: Any, forces: Any, n: Neighbours | None, crowd: str = "") -> ValueError:
    """The error to raise where an energy or forces are no numbers: which atoms, and what they have of it; `crowd` is what the
    potential says of atoms with too many neighbours, or nothing."""
    bad = ~np.all(np.isfinite(np.asarray(forces)), axis=1)
    what = f"the forces on {named_atoms(bad)} are" if bad.any() else f"the energy, {float(np.sum(energy)):g}, is"
    why = crowd
    if not why and n is not None and n.cutoff > 0:
        with float64():
            ratio, words, _ = closest_pair(atoms, n)
        lie = "they lie on each other. Move them apart" if ratio < OVERLAP else "the closest of all"
        why = f"{words[0].upper()}{words[1:]}: {lie}." if ratio < np.inf else ""
    return ValueError(f"{where}: {what} not finite. {why}".rstrip())
