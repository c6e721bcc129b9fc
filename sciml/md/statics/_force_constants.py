"""Second derivatives of the energy with respect to positions, by automatic differentiation: of a crystal and of all atoms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._precision import float64
from ..atoms._neighbours import Neighbours
from ..atoms._pairs import Pairs, energy, neighbours_for, pairs_of
from ..atoms._potential import AbstractGlobalPotential, AbstractPotential, expect_potential, kinds_of, parts_of
from ..atoms._system import System, expect_system
from ..dynamics._guards import crowd


def hessian(atoms: System, potential: AbstractPotential) -> np.ndarray:
    """d2E / dr_ia dr_jb [eV/angstrom^2] `(3 atoms, 3 atoms)`, row 3 i + a, of any potential; images of an atom move with it.

    Rows are derivatives of the forces along one coordinate each (Pearlmutter 1994, doi:10.1162/neco.1994.6.1.147). Phonons of
    a crystal take less: `md.phonons`.

    **Raises** `ValueError` where it is not finite: atoms lie on each other, or are too many for a Deep Potential's `sel`.

    >>> from sciml import md
    >>> spring = md.HarmonicBonds([[0, 1]], k=5.0, length=1.0)
    >>> md.hessian(md.system([[0, 0, 0], [0, 0, 1.0]], "H"), spring)[[2, 2], [2, 5]].round(6)
    array([ 5., -5.])
    """
    expect_system(atoms, "hessian")
    expect_potential(potential, "hessian")
    with float64():
        plain, species, n = _prepared(atoms, potential, "hessian")
        slope, found = (np.asarray(a) for a in _hessian(potential, plain, species, n))
    _expect_finite("hessian", slope, found)
    return (found + found.T) / 2


@dataclass(frozen=True)
class ForceConstants:
    """**Attributes:** `images` `(images, 3)`, whole lattice vectors; `blocks` `(images, 3 atoms, 3 atoms)`, the second
    derivatives [eV/angstrom^2] between an atom and the one that is an image away; `forces` `(atoms, 3)` [eV/angstrom]."""

    images: np.ndarray
    blocks: np.ndarray
    forces: np.ndarray


def force_constants(atoms: System, potential: AbstractPotential) -> ForceConstants:
    """Of the whole crystal, whatever the size of its cell `atoms`.

    The energy of atom i depends on the vectors r_ij to its neighbours alone. Where these move by u_j - u_i, its second
    derivative with respect to two of them belongs to the four pairs of atoms at their ends. All atoms of the cell are done at
    once, as many products of a Hessian and a vector as one of them has neighbours, times 3. Nothing is cut off, so that
    displacing the whole crystal costs no energy, to rounding.

    **Raises** `ValueError` for potentials that are no sum over atoms and their neighbours.
    """
    parts = [part for part, _ in parts_of(potential, kinds_of(potential, atoms.names))]
    for part in parts:
        if isinstance(part, AbstractGlobalPotential):
            raise ValueError(
                f"phonons: {part!r} is not a sum of energies of atoms, each of which depends on its neighbours; leave it out, "
                "or take md.hessian of a large cell."
            )
    with float64():
        plain, species, n = _prepared(atoms, potential, "phonons")
        slopes, second = (np.asarray(a) for a in _curvatures(potential, plain, species, n))
    _expect_finite("phonons", slopes, second)
    return _collected(slopes, second, jax.tree.map(np.asarray, n), atoms.atoms)


class _Alone(Pairs):
    """Neighbours of atoms that know nothing of each other."""

    def gather(self, x: Any) -> Any:
        raise ValueError(
            "phonons: the potential passes messages between atoms (pairs.gather), whose energies then depend on more than the "
            "vectors to their neighbours. Take md.hessian of a large cell."
        )


@jax.jit
def _hessian(potential: AbstractPotential, atoms: System, species: Any, n: Neighbours) -> tuple[Any, Any]:
    slope = jax.grad(lambda r: energy(potential, r, atoms.cell, species, n))
    along = jnp.eye(atoms.positions.size, dtype=atoms.positions.dtype).reshape(-1, *atoms.positions.shape)
    second = jax.lax.map(lambda e: jax.jvp(slope, (atoms.positions,), (e,))[1].ravel(), along)
    return slope(atoms.positions), second


@jax.jit
def _curvatures(potential: AbstractPotential, atoms: System, species: Any, n: Neighbours) -> tuple[Any, Any]:
    """First `(rows, slots, 3)` and second `(rows, slots, 3, slots, 3)` derivatives of the energies of atoms with respect to
    the vectors to their neighbours."""

    def of(part: AbstractPotential, kinds: Any) -> tuple[Any, Any]:
        pairs = pairs_of(atoms.positions, atoms.cell, kinds, n, part.cutoff)
        pairs = _Alone(**{name: getattr(pairs, name) for name in Pairs.__dataclass_fields__})
        inside = pairs.mask[..., None]

        def slope(vectors: Any) -> Any:
            moved = eqx.tree_at(lambda p: p.vectors, pairs, vectors)
            return jnp.where(inside, part.energies_and_slopes(moved)[1], 0)

        slots = pairs.mask.shape[1]
        along = jnp.eye(3 * slots, dtype=pairs.vectors.dtype).reshape(-1, slots, 3)
        second = jax.lax.map(lambda e: jax.jvp(slope, (pairs.vectors,), (jnp.where(inside, e, 0),))[1], along)
        second = jnp.moveaxis(second.reshape(slots, 3, *pairs.vectors.shape), 2, 0)
        return slope(pairs.vectors), second

    found = [of(part, kinds) for part, kinds in parts_of(potential, species)]
    return jax.tree.map(lambda *each: sum(each), *found)


def _collected(slopes: np.ndarray, second: np.ndarray, n: Neighbours, atoms: int) -> ForceConstants:
    forces, members, blocks = np.zeros((atoms, 3)), [], []
    for row, (i, own) in enumerate(zip(n.atom, n.entry, strict=True)):
        slots = np.flatnonzero(n.index[row] < len(n.owner))
        entries = n.index[row][slots]
        # The atom itself comes first: it takes part in all vectors, with the opposite sign.
        who = np.append(i, n.owner[entries])
        members.append((who, np.vstack([np.zeros((1, 3), int), n.image[entries] - n.image[own]])))
        H = second[row][slots][:, :, slots]
        H = np.concatenate([-np.sum(H, axis=0, keepdims=True), H])
        blocks.append(np.concatenate([-np.sum(H, axis=2, keepdims=True), H], axis=2))
        np.add.at(forces, who, -np.vstack([-np.sum(slopes[row][slots], axis=0), slopes[row][slots]]))
    apart = np.concatenate([(image[None] - image[:, None]).reshape(-1, 3) for _, image in members])
    images, which = np.unique(apart, axis=0, return_inverse=True)
    found, first = np.zeros((len(images), atoms, atoms, 3, 3)), 0
    for (who, _), block in zip(members, blocks, strict=True):
        k = len(who)
        of = which.ravel()[first : first + k * k].reshape(k, k)
        np.add.at(found, (of, who[:, None], who[None]), np.swapaxes(block, 1, 2))
        first += k * k
    return ForceConstants(images, np.swapaxes(found, 2, 3).reshape(-1, 3 * atoms, 3 * atoms), forces)


def _prepared(atoms: System, potential: AbstractPotential, where: str) -> tuple[System, Any, Neighbours]:
    """What energies depend on, in float64: atoms, the potential's numbers of their species, neighbours."""
    given = (np.asarray(atoms.positions, float), np.asarray(atoms.cell, float), None, None, None)
    plain = eqx.tree_at(
        lambda s: (s.positions, s.cell, s.masses, s.velocities, s.charges), atoms, given, is_leaf=lambda x: x is None
    )
    n = neighbours_for(plain, potential, skin=0.0, transposed=True)
    # Their energies are NaN, which derivatives do not show.
    if why := crowd(potential, plain, n):
        raise ValueError(f"{where}: {why}")
    return plain, jnp.asarray(kinds_of(potential, atoms.names))[np.asarray(atoms.species)], n


def _expect_finite(where: str, *found: np.ndarray) -> None:
    if not all(np.all(np.isfinite(a)) for a in found):
        raise ValueError(f"{where}: the derivatives of the energy are not finite. Do atoms lie on each other?")
