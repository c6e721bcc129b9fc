"""What a potential sees of the atoms, and what follows from its energies."""

# Annotations are not postponed here: Equinox must see AbstractVar.

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from ._gather import collect, gather
from ._neighbours import Neighbours
from ._system import System

FAR = 2.0  # cutoffs, at which empty slots are


class Pairs(eqx.Module):
    """Every atom with its neighbours.

    **Attributes:** `vectors` `(atoms, slots, 3)` r_j - r_i [angstrom]; `mask` `(atoms, slots)`, which slots hold a neighbour
    within the cutoff; `species` `(atoms, slots)` of the neighbours; `centres` `(atoms,)`, species of the atoms.
    """

    vectors: Any
    mask: Any
    species: Any
    centres: Any
    index: Any
    transposed: Any

    @property
    def distances(self) -> Any:
        """|r_j - r_i| `(atoms, slots)` [angstrom]; those of empty slots are beyond every cutoff."""
        return jnp.sqrt(jnp.sum(self.vectors**2, axis=-1))

    def gather(self, x: Any) -> Any:
        """`x` `(atoms, ...)` of the neighbours, `(atoms, slots, ...)`."""
        return gather(x, self.index, self.transposed)


class AbstractPotential(eqx.Module):
    """The energy of atoms as a sum over atoms, each of which depends on its neighbours within `cutoff`."""

    cutoff: eqx.AbstractVar[float]

    def atom_energies(self, pairs: Pairs) -> Any:
        """The energy of each atom `(atoms,)` [eV]."""
        raise NotImplementedError


class Evaluation(eqx.Module):
    """**Attributes:** `energy` [eV]; `forces` `(atoms, 3)` [eV/angstrom]; `virial` `(3, 3)` [eV], minus the derivative of the
    energy with respect to strain; `atom_energies` `(atoms,)`; `atom_virials` `(atoms, 3, 3)`, assigned to the neighbour:
    W_j = -sum_i dE/dr_ij r_ij."""

    energy: Any
    forces: Any
    virial: Any
    atom_energies: Any
    atom_virials: Any


def pairs_of(positions: Any, cell: Any, species: Any, neighbours: Neighbours, cutoff: float) -> Pairs:
    """The pairs within `cutoff` at these positions. Linear in them, where a slot is full."""
    index, transposed = neighbours.index, neighbours.transposed
    full = index < len(positions)
    vectors = gather(positions, index, transposed) + neighbours.shifts @ cell - positions[:, None]
    square = jnp.sum(vectors**2, axis=-1)
    mask = full & (square < cutoff**2)
    far = jnp.asarray([FAR * cutoff, 0.0, 0.0], vectors.dtype)
    kinds = jnp.take(species, index, mode="fill", fill_value=0)
    return Pairs(jnp.where(mask[..., None], vectors, far), mask, kinds, species, index, transposed)


def energy(potential: AbstractPotential, positions: Any, cell: Any, species: Any, neighbours: Neighbours) -> Any:
    """The energy alone [eV], a function that can be differentiated any number of times."""
    return jnp.sum(potential.atom_energies(pairs_of(positions, cell, species, neighbours, potential.cutoff)))


def evaluate(potential: AbstractPotential, atoms: System, neighbours: Neighbours) -> Evaluation:
    """Energy, forces and virial, of the whole and of each atom."""
    pairs = pairs_of(atoms.positions, atoms.cell, atoms.species, neighbours, potential.cutoff)

    def total(vectors: Any) -> tuple[Any, Any]:
        each = potential.atom_energies(eqx.tree_at(lambda p: p.vectors, pairs, vectors))
        return jnp.sum(each), each

    (value, each), slope = jax.value_and_grad(total, has_aux=True)(pairs.vectors)
    slope = jnp.where(pairs.mask[..., None], slope, 0)
    forces = jnp.sum(slope, axis=1) - collect(slope, pairs.index, pairs.transposed)
    apart = slope[..., :, None] * jnp.where(pairs.mask[..., None], pairs.vectors, 0)[..., None, :]
    virials = -collect(apart, pairs.index, pairs.transposed)
    return Evaluation(value, forces, jnp.sum(virials, axis=0), each, virials)
