"""What `md.train` asks of a potential."""

# Annotations are not postponed here: Equinox must see AbstractVar.

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..atoms._pairs import AbstractPotential


class Limit(NamedTuple):
    """At most `places` neighbours of the types `kinds` together within `cutoff` [angstrom]."""

    cutoff: float
    kinds: tuple[int, ...]
    places: int


class Remark:
    """Words that make no difference: models that differ in them alone are compiled once."""

    def __init__(self, words: Any = ""):
        self._words = str(words)

    def __str__(self) -> str:
        return self._words

    def __repr__(self) -> str:
        return "Remark"

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Remark)

    def __hash__(self) -> int:
        return 0


class AbstractTrainable(AbstractPotential):
    """E = sum_i (E_i + bias of the type of i), with E_i from parameters.

    **Attributes:** `names` of the types; `bias` `(types,)` [eV], None before it is found from data; `remark`, the errors of
    training in words.
    """

    names: eqx.AbstractVar[Any]
    bias: eqx.AbstractVar[Any]
    remark: eqx.AbstractVar[Remark]

    @property
    def limits(self) -> tuple[Limit, ...]:
        """How many neighbours there is room for."""
        raise NotImplementedError

    @property
    def computed(self) -> "AbstractTrainable":
        """This potential without what makes no difference to its energies."""
        return self

    @property
    def trained(self) -> Any:
        """This potential with a Python bool in place of each leaf: whether training changes it. The bias is fitted, not
        trained."""
        raise NotImplementedError

    def frame_energies(self, vectors: Any, frames: Any) -> Any:
        """E_i `(frames, rows)` of the `Frames` of a bucket, `vectors` `(frames, rows, slots, 3)` to the neighbours, beyond the
        cutoff in empty slots."""
        raise NotImplementedError

    def surveyed(self, survey: Any, bias: Any) -> "AbstractTrainable":
        """With what it takes from the data, of which a `Survey` knows more: the smallest distance and, where it has none yet,
        `bias` and other constants."""
        raise NotImplementedError

    def with_embeddings(self, change: Callable[[Any, float, float], Any], nearest: float) -> "AbstractTrainable":
        """As `AbstractDescriptor.with_embeddings`."""
        raise NotImplementedError


def cast(tree: Any, dtype: Any) -> Any:
    """With its floating arrays in another precision; those of NumPy stay on the host."""

    def one(a: Any) -> Any:
        if not eqx.is_inexact_array(a):
            return a
        return a.astype(dtype) if isinstance(a, np.ndarray) else jnp.asarray(a, dtype)

    return jax.tree.map(one, tree)
