"""A user's function of atoms and their neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx

from .._pairs import AbstractPotential, Pairs
from ._pair_forms import check_cutoff, traceable


class LocalPotential(AbstractPotential):
    """The energy of each atom [eV] as a function of its neighbours: `function(pairs)` `(rows,)`, of `md.Pairs`.

    `function` may be an Equinox module whose parameters are trained. Slots without a neighbour, where `pairs.mask` is False,
    must add nothing; it should go to zero smoothly at the `cutoff` [angstrom]. `names` of the species that it knows, whose
    numbers are `pairs.species` and `pairs.centres`; without them they are the system's. `closest` [angstrom]: a run stops where
    atoms come closer.

    >>> import jax.numpy as jnp
    >>> def square_root_of_coordination(pairs):
    ...     w = jnp.where(pairs.mask, (1 - pairs.distances / 3.0) ** 2, 0)
    ...     return -jnp.sqrt(1e-6 + jnp.sum(w, axis=1))
    >>> LocalPotential(square_root_of_coordination, cutoff=3.0).cutoff
    3.0
    """

    function: Callable[[Pairs], Any] = eqx.field(converter=traceable)
    cutoff: float = eqx.field(static=True)
    names: tuple[str, ...] | None = eqx.field(static=True, default=None, kw_only=True)
    closest: float | None = eqx.field(static=True, default=None, kw_only=True)

    def __check_init__(self):
        check_cutoff(self)

    def atom_energies(self, pairs: Pairs) -> Any:
        return self.function(pairs)
