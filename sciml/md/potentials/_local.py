"""A user's function of atoms and their neighbours."""

# Annotations are not postponed here: Equinox must see what overrides an AbstractVar.

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..atoms._pairs import Pairs
from ._pair_forms import check_cutoff, traceable
from ._trainable import AbstractTrainable, Limit, Remark, cast


class LocalPotential(AbstractTrainable):
    """The energy of each atom [eV] as a function of its neighbours: `function(pairs)` `(rows,)`, of `md.Pairs`.

    Slots without a neighbour, where `pairs.mask` is False, must add nothing; the function should go to zero smoothly at the
    `cutoff` [angstrom]. `names` of the species that it knows, whose numbers are `pairs.species` and `pairs.centres`; without
    them they are the system's. `closest` [angstrom]: a run stops where atoms come closer.

    `function` may be an Equinox module of any architecture, messages between atoms included (`pairs.gather`). `md.train`
    trains its floating arrays, which take on the precision of `pairs.vectors`, and fits `bias` `(types,)` [eV], which is added
    to the energy of each atom; it needs `names`. `remark` has the errors of training in words.
    `equinox.tree_serialise_leaves(path, potential)` saves what came of it.

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
    bias: Any = eqx.field(default=None, kw_only=True)
    remark: Remark = eqx.field(static=True, default=Remark(), converter=Remark, kw_only=True)

    def __check_init__(self):
        check_cutoff(self)

    def atom_energies(self, pairs: Pairs) -> Any:
        found = cast(self.function, pairs.vectors.dtype)(pairs)
        return found if self.bias is None else found + jnp.asarray(self.bias)[pairs.centres]

    @property
    def computed(self) -> "LocalPotential":
        return dataclasses.replace(self, closest=None, remark="")

    @property
    def limits(self) -> tuple[Limit, ...]:
        return ()

    @property
    def trained(self) -> Any:
        floating = jax.tree.map(eqx.is_inexact_array, self)
        return floating if self.bias is None else eqx.tree_at(lambda p: p.bias, floating, False)

    def frame_energies(self, vectors: Any, frames: Any) -> Any:
        return self.function(frames.pairs(vectors)).reshape(vectors.shape[:2])

    def surveyed(self, survey: Any, bias: Any) -> "LocalPotential":
        """As of `DeepPotential`, a run stops below four fifths of the smallest distance, if it did not at another."""
        closest = float(0.8 * survey.nearest) if self.closest is None else self.closest
        bias = bias if self.bias is None else np.asarray(self.bias, float)
        return dataclasses.replace(self, closest=closest, bias=bias, remark="")

    def with_embeddings(self, change: Any, nearest: float) -> "LocalPotential":
        return self

    def __repr__(self) -> str:
        function = getattr(self.function, "function", self.function)
        numbers = sum(np.size(a) for a in jax.tree.leaves(self.function) if eqx.is_array(a))
        words = [getattr(function, "__name__", type(function).__name__), f"cutoff {self.cutoff:g} angstrom"]
        words += [", ".join(self.names)] if self.names else []
        words += [f"{numbers} parameters"] if numbers else []
        return f"LocalPotential({'; '.join([*words, *filter(None, [str(self.remark)])])})"
