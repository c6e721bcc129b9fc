"""Energies of molecules: bonds and angles.

Each takes the nearest images of its atoms, whatever cells these are in: right where a bond is shorter than half of the cell,
and unchanged when atoms are wrapped.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..atoms._pairs import AbstractGlobalPotential

STRAIGHT = 0.01  # of sin(theta)^2, below which angles near 180 degrees are a series
_ARCSIN_SQUARED = [4.0**n / (2 * n**2 * math.comb(2 * n, n)) for n in range(1, 12)]


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

    An angle that should not be straight has a kink where it is: no second derivatives there.

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
        energies = self.k * _bent(across, jnp.sum(u * v, axis=1), jnp.deg2rad(self.angle)) / 2
        return _shared(energies, self.triples, positions)

    def __repr__(self) -> str:
        return f"HarmonicAngles({len(self.triples)} angles)"


def _bent(across: Any, along: Any, wanted: Any) -> Any:
    """(theta - wanted)^2 from the squares of |u x v| and from u . v.

    Near 180 degrees pi - theta = arcsin(s) comes from the series of arcsin(s)^2 in s^2, which has derivatives of every order.
    """
    square = across / (across + along**2)
    near = (square < STRAIGHT) & (along < 0)
    guarded = near | (across == 0)
    theta = jnp.arctan2(jnp.sqrt(jnp.where(guarded, 1, across)), jnp.where(guarded, 0, along))
    theta = jnp.where(across == 0, 0, theta)
    small = jnp.where(near, square, 0)
    series = small * sum(c * small**k for k, c in enumerate(_ARCSIN_SQUARED))  # (pi - theta)^2
    rest = jnp.pi - wanted
    still = small == 0
    root = jnp.where(still, 0, jnp.sqrt(jnp.where(still, 1, series)))
    return jnp.where(near, jnp.where(jnp.abs(rest) < 1e-6, series, (root - rest) ** 2), (theta - wanted) ** 2)


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
