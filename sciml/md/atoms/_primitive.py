"""The smallest cell of a crystal."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import equinox as eqx
import numpy as np

from ._system import System, expect_periodic, expect_system


def primitive(atoms: System, *, tolerance: float = 1e-3) -> System:
    """The smallest cell of the crystal that `atoms` are, with the shortest vectors; nothing is turned, velocities are left out.

    A translation is one of the crystal where it takes every atom within `tolerance` [angstrom] of one with the same species,
    mass and charge. Displaced atoms have none: relax them first.

    **Raises** `ValueError` for systems that are not periodic in all directions.

    >>> from sciml import md
    >>> md.primitive(md.diamond(5.431, 2, "Si"))
    System(Si2, cell 3.84 x 3.84 x 3.84)
    """
    expect_system(atoms, "primitive")
    expect_periodic(atoms, "primitive")
    h, r = np.asarray(atoms.cell, float), np.asarray(atoms.positions, float)
    images = _translations(atoms, r @ np.linalg.inv(h), h, tolerance)
    shifts = np.stack([shift for shift, _ in images])
    lattice = _shortest(shifts, h)
    # Of atoms that a translation takes into each other the first stays.
    least = np.min(np.stack([taken for _, taken in images]), axis=0)
    first = np.flatnonzero(least == np.arange(len(r)))
    kept = {
        name: None if (value := getattr(atoms, name)) is None else np.asarray(value)[first]
        for name in ("positions", "species", "masses", "charges")
    }
    parts = lambda s: (s.positions, s.species, s.masses, s.charges, s.cell, s.velocities)  # noqa: E731
    found = eqx.tree_at(parts, atoms, (*kept.values(), lattice, None), is_leaf=lambda x: x is None)
    return dataclasses.replace(found, fixed=tuple(np.flatnonzero(np.isin(first, atoms.fixed)).tolist()))


def _translations(atoms: System, s: np.ndarray, h: np.ndarray, tolerance: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each in fractions of the cell, with the atoms to which it takes the atoms."""
    from scipy.spatial import KDTree

    charges = np.zeros(len(s)) if atoms.charges is None else atoms.charges
    alike = np.stack([np.asarray(atoms.species, float), np.asarray(atoms.masses, float), np.asarray(charges, float)], axis=1)
    kinds = np.unique(alike, axis=0, return_inverse=True)[1].ravel()
    rarest = np.flatnonzero(kinds == np.argmin(np.bincount(kinds)))
    tree, found = KDTree(s % 1 % 1, boxsize=1), []
    for other in rarest:
        shift = s[other] - s[rarest[0]]
        taken = np.asarray(tree.query((s + shift) % 1 % 1)[1])
        off = s + shift - s[taken]
        off = off - np.round(off)
        same = np.all(kinds[taken] == kinds) and len(set(taken.tolist())) == len(s)
        if same and np.max(np.linalg.norm(off @ h, axis=1)) < tolerance:
            found.append((shift, taken))
    # As often as there are translations, each leads back to a lattice vector: it is a multiple of that fraction.
    return [(np.round(shift * len(found)) / len(found), taken) for shift, taken in found]


def _shortest(shifts: np.ndarray, h: np.ndarray) -> Any:
    """The shortest vectors of the lattice, which in three dimensions are a basis of it."""
    from ase.geometry import minkowski_reduce  # pyright: ignore[reportMissingImports]

    reduced, _ = minkowski_reduce(h)
    inside = (shifts @ h) @ np.linalg.inv(reduced)
    inside = inside - np.round(inside)
    steps = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
    vectors = ((inside[:, None] + steps).reshape(-1, 3)) @ reduced
    # Of vectors as long as each other those that point forwards, as tables of lattices have them.
    vectors = vectors[np.lexsort((np.sum(vectors < -1e-8, axis=1), np.linalg.norm(vectors, axis=1).round(6)))]
    chosen: list[np.ndarray] = []
    size = abs(np.linalg.det(h)) ** (1 / 3)
    for v in vectors:
        basis = np.array([*chosen, v]) / size
        if np.sqrt(abs(np.linalg.det(basis @ basis.T))) > 1e-6:
            chosen.append(v)
        if len(chosen) == 3:
            break
    lattice = np.array(chosen)
    return lattice if np.linalg.det(lattice) > 0 else lattice[[0, 2, 1]]
