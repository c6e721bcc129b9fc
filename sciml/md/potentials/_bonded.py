"""Energies of molecules: bonds and angles.

Each takes the nearest images of its atoms, whatever cells these are in: right where a bond is shorter than half of the cell,
and unchanged when atoms are wrapped.
"""

from __future__ import annotations

import itertools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..atoms._pairs import AbstractGlobalPotential


class HarmonicBonds(AbstractGlobalPotential):
    """E = sum over bonds of k (r - length)^2 / 2, half of it for each of the two atoms.

    LAMMPS, AMBER and CHARMM write K (r - length)^2: k = 2 K.

    **Arguments:** `pairs` `(bonds, 2)`, numbers of atoms; `k` [eV/angstrom^2] and `length` [angstrom], numbers or `(bonds,)`.

    **Raises** `ValueError` where these do not fit, or at the evaluation where an atom is not in the system.

    Good values: O-H of flexible SPC water, 1.0 angstrom and 48 eV/angstrom^2.
    """

    pairs: Any
    k: Any
    length: Any
    cutoff: float = eqx.field(static=True)
    most: int = eqx.field(static=True)  # the largest number of an atom

    def __init__(self, pairs: Any, k: Any, length: Any):
        self.pairs = numbers("HarmonicBonds", pairs, 2)
        self.k, self.length = _per_term("HarmonicBonds", len(self.pairs), k=k, length=length)
        self.cutoff, self.most = 0.0, int(self.pairs.max(initial=-1))

    def shared_energies(self, positions: Any, cell: Any, species: Any, periodic: Any) -> Any:
        _known(self, positions)
        i, j = self.pairs.T
        d = nearest(positions[j] - positions[i], cell, periodic)
        each = self.k * (jnp.sqrt(jnp.sum(d**2, axis=1)) - self.length) ** 2 / 2
        return _shared(each, self.pairs, positions)

    def __repr__(self) -> str:
        return f"HarmonicBonds({len(self.pairs)} bonds)"


class HarmonicAngles(AbstractGlobalPotential):
    """E = sum over angles of k (theta - angle)^2 / 2, a third of it for each of the three atoms.

    LAMMPS, AMBER and CHARMM write K (theta - angle)^2: k = 2 K.

    **Arguments:** `triples` `(angles, 3)`, numbers of atoms, the one in the corner in the middle; `k` [eV/radian^2] and `angle`
    [degrees], numbers or `(angles,)`.

    **Raises** `ValueError` where these do not fit, or at the evaluation where an atom is not in the system.

    Good values: H-O-H of flexible SPC water, 109.47 degrees and 3.97 eV/radian^2.
    """

    triples: Any
    k: Any
    angle: Any
    cutoff: float = eqx.field(static=True)
    most: int = eqx.field(static=True)  # the largest number of an atom

    def __init__(self, triples: Any, k: Any, angle: Any):
        self.triples = numbers("HarmonicAngles", triples, 3)
        self.k, self.angle = _per_term("HarmonicAngles", len(self.triples), k=k, angle=angle)
        self.cutoff, self.most = 0.0, int(self.triples.max(initial=-1))

    def shared_energies(self, positions: Any, cell: Any, species: Any, periodic: Any) -> Any:
        _known(self, positions)
        i, j, k = self.triples.T
        u, v = (nearest(positions[end] - positions[j], cell, periodic) for end in (i, k))
        across = jnp.sum(jnp.cross(u, v) ** 2, axis=1)
        straight = across == 0
        sine = jnp.where(straight, 0, jnp.sqrt(jnp.where(straight, 1, across)))
        theta = jnp.arctan2(sine, jnp.sum(u * v, axis=1))
        return _shared(self.k * (theta - jnp.deg2rad(self.angle)) ** 2 / 2, self.triples, positions)

    def __repr__(self) -> str:
        return f"HarmonicAngles({len(self.triples)} angles)"


def nearest(d: Any, cell: Any, periodic: tuple[bool, bool, bool]) -> Any:
    """`d` `(n, 3)` plus the lattice vectors that make it shortest; right for all that are shorter than one and a half times the
    smallest height of the cell."""
    axes = [axis for axis in range(3) if periodic[axis]]
    if not axes:
        return d
    lattice = cell[jnp.asarray(axes)]
    still, at = jax.lax.stop_gradient((lattice, d))
    share = jnp.linalg.solve(still @ still.T, still @ at.T).T  # the part along the lattice, in its vectors
    steps = jnp.asarray(list(itertools.product((-1, 0, 1), repeat=len(axes))), d.dtype)
    shifts = steps - jnp.round(share)[:, None]  # (n, candidates, axes)
    best = jnp.argmin(jnp.sum((at[:, None] + shifts @ still) ** 2, axis=-1), axis=1)
    return d + jnp.take_along_axis(shifts, best[:, None, None], axis=1)[:, 0] @ lattice


def numbers(what: str, terms: Any, width: int) -> np.ndarray:
    """**Raises** `ValueError` where `terms` are no numbers of different atoms `(terms, width)`."""
    found = np.asarray(terms)
    if found.size == 0:
        found = np.zeros((0, width), int)
    if found.ndim != 2 or found.shape[1] != width or not np.issubdtype(found.dtype, np.integer) or (found < 0).any():
        raise ValueError(f"{what}: atoms {found.shape} of {found.dtype}; expected their numbers (terms, {width}), from 0.")
    if any((found[:, a] == found[:, b]).any() for a, b in itertools.combinations(range(width), 2)):
        raise ValueError(f"{what}: an atom stands twice in a term.")
    return found.astype(np.int32)


def _per_term(what: str, count: int, **parameters: Any) -> list[Any]:
    for name, value in parameters.items():
        if np.shape(value) not in ((), (count,)):
            raise ValueError(f"{what}: {name} has the shape {np.shape(value)}; expected a number or ({count},).")
    return [jnp.asarray(value) if isinstance(value, (list, tuple)) else value for value in parameters.values()]


def _known(potential: Any, positions: Any) -> None:
    if potential.most >= len(positions):
        raise ValueError(f"{potential!r}: atom {potential.most} is not among the {len(positions)} of the system.")


def _shared(each: Any, terms: Any, positions: Any) -> Any:
    width = terms.shape[1]
    parts = jnp.broadcast_to(each[:, None] / width, terms.shape)
    return jnp.zeros(len(positions), each.dtype).at[terms].add(parts)
