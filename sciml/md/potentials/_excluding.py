"""Pair potentials that leave out, or weaken, pairs of a molecule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..atoms._pairs import AbstractPairPotential, AbstractPotential, Pairs
from ..atoms._potential import dot
from ._bonded import numbers


class Excluding(AbstractPotential):
    """A pair potential whose energy of some pairs is multiplied by a factor, from `md.excluding`.

    **Attributes:** `potential`; `partners` `(atoms, most)`, -1 for none, and their `factors`; `cutoff` [angstrom]; `names`.
    """

    potential: AbstractPairPotential
    partners: Any
    factors: Any
    cutoff: float = eqx.field(static=True)

    @property
    def names(self) -> tuple[str, ...] | None:
        return getattr(self.potential, "names", None)

    @property
    def kinds(self) -> int | None:
        return getattr(self.potential, "kinds", None)

    def atom_energies(self, pairs: Pairs) -> Any:
        square = dot(pairs.vectors, pairs.vectors)
        factor = self._factor(pairs, jax.lax.stop_gradient(square))
        # A pair that is left out may be where the potential makes no sense.
        square = jnp.where(pairs.mask & (factor != 0), square, self.cutoff**2)
        found = self.potential.pair_energies(square, pairs.centres[:, None], pairs.species)
        return jnp.sum(jnp.where(pairs.mask & (factor != 0), factor * found, 0), axis=1) / 2

    def _factor(self, pairs: Pairs, square: Any) -> Any:
        atoms = len(pairs.atom)
        partners, factors = (jnp.asarray(a) for a in (self.partners, self.factors))
        if len(partners) > atoms:
            raise ValueError(f"excluding: atom {len(partners) - 1} is not among the {atoms} of the system.")
        partners = jnp.pad(partners, ((0, atoms - len(partners)), (0, 0)), constant_values=-1)[pairs.atom]
        factors = jnp.pad(factors, ((0, atoms - len(factors)), (0, 0)))[pairs.atom]

        def one(found: Any, column: Any) -> Any:
            partner, factor = column
            same = pairs.mask & (pairs.neighbour == partner[:, None])
            least = jnp.min(jnp.where(same, square, jnp.inf), axis=1, keepdims=True)
            return jnp.where(same & (square == least), factor[:, None], found), None

        return jax.lax.scan(one, jnp.ones_like(square), (partners.T, factors.T.astype(square.dtype)))[0]

    def __repr__(self) -> str:
        return f"{self.potential!r} without {int(np.sum(np.asarray(self.partners) >= 0)) // 2} pairs"


def excluding(potential: AbstractPairPotential, bonds: Any, *, factors: Mapping[int, float] | None = None) -> Excluding:
    """`potential` without the pairs of atoms that `bonds` `(bonds, 2)` join.

    **Arguments:** `factors` of the energy of pairs by the least number of bonds between them; by default {1: 0, 2: 0}, the 1-2
    and 1-3 pairs of molecules left out. LAMMPS's `special_bonds lj 0 0 0.5` is {1: 0, 2: 0, 3: 0.5}.

    Of a pair in a periodic cell the nearest image alone is left out; with its other images an atom interacts. (LAMMPS leaves
    out all images within half of the box along x, y and z, in usual cells the same.) `closest` of the potential is not kept:
    bonded atoms may be closer.

    **Raises** `ValueError` where `potential` is no pair potential or `bonds` are no numbers of atoms.
    """
    factors = {1: 0.0, 2: 0.0} if factors is None else dict(factors)
    if not isinstance(potential, AbstractPairPotential):
        raise ValueError(f"excluding: {type(potential).__name__} is no pair potential; exclude from the parts of a sum.")
    if not factors or any(isinstance(k, bool) or not isinstance(k, int) or k < 1 for k in factors):
        raise ValueError(f"excluding: factors={factors!r}; expected {{number of bonds: factor}}, such as {{1: 0, 2: 0}}.")
    found = _apart(numbers("excluding", bonds, 2), max(factors))
    rows = [[(j, factors[n]) for j, n in sorted(near.items()) if n in factors] for near in found]
    most = max((len(row) for row in rows), default=0)
    partners, scale = np.full((len(rows), most), -1, np.int32), np.ones((len(rows), most))
    for i, row in enumerate(rows):
        for m, (j, factor) in enumerate(row):
            partners[i, m], scale[i, m] = j, factor
    return Excluding(potential=potential, partners=partners, factors=scale, cutoff=potential.cutoff)


def _apart(bonds: np.ndarray, most: int) -> list[dict[int, int]]:
    """For each atom the others within `most` bonds, and how many there are between them."""
    joined: list[set[int]] = [set() for _ in range(int(bonds.max(initial=-1)) + 1)]
    for i, j in bonds.tolist():
        joined[i].add(j)
        joined[j].add(i)
    found = []
    for i in range(len(joined)):
        near, edge = {i: 0}, [i]
        for n in range(1, most + 1):
            edge = [k for j in edge for k in joined[j] if k not in near and not near.update({k: n})]
        found.append({j: n for j, n in near.items() if n})
    return found
