"""A Deep Potential that gives way to a pair potential where atoms come close."""

# Annotations are not postponed here: Equinox must see what overrides an AbstractVar.

import dataclasses
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..atoms._pairs import FAR, AbstractPairPotential, AbstractPotential, Pairs
from ..atoms._potential import dot, kinds_of
from ._descriptor import switch
from ._potential import DeepPotential
from .deepmd._joined import joined_tree, load_joined
from .deepmd._tree import write_tree


class JoinedPotential(AbstractPotential):
    """DeePMD-kit's model zbl (Wang et al. 2019, doi:10.1063/1.5098061): near a nucleus a pair potential, elsewhere the model,

        E_i = (1 - w_i) E_far,i + w_i E_near,i + bias,    d_i = sum_j r_ij exp(-r_ij / width) / sum_j exp(-r_ij / width)

    where w falls from one at d_i = `start` to zero at `end`, 1 - 10 u^3 + 15 u^4 - 6 u^5. Choose both below the distances that
    the model was trained on. `JoinedPotential.new` takes the model's own bias out of what fades.

    **Attributes:** `far`, `near`; `bias` `(types,)` [eV]; `start`, `end`, `width`; `reach`, within which neighbours count in d,
    by default the cutoff [angstrom].
    """

    far: DeepPotential
    near: AbstractPairPotential
    bias: Any
    start: float = eqx.field(static=True)
    end: float = eqx.field(static=True)
    width: float = eqx.field(static=True, default=0.1)
    reach: float | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        if not isinstance(self.far, DeepPotential) or not isinstance(self.near, AbstractPairPotential):
            raise ValueError(
                f"JoinedPotential: far is a {type(self.far).__name__}, near a {type(self.near).__name__}; expected a "
                "DeepPotential and a pair potential, such as md.ZBL or md.Tabulated."
            )
        if not (0 <= self.start < self.end and self.width > 0):
            raise ValueError(
                f"JoinedPotential: start={self.start!r}, end={self.end!r}, width={self.width!r}; expected 0 <= start < end and "
                "a positive width [angstrom]."
            )
        kinds_of(self.near, self.far.names)

    @staticmethod
    def new(far: DeepPotential, near: AbstractPairPotential, *, start: float, end: float) -> "JoinedPotential":
        """The bias of `far` stays where it fades: the energy of a free atom is the same everywhere.

        **Raises** `ValueError` where `near` does not know the types of `far`, or not 0 <= start < end.
        """
        model = dataclasses.replace(far, bias=0 * np.asarray(far.bias)) if isinstance(far, DeepPotential) else far
        bias = getattr(far, "bias", 0.0)
        return JoinedPotential(far=model, near=near, bias=bias, start=start, end=end)  # pyright: ignore[reportCallIssue]

    @property
    def cutoff(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        return max(self.far.cutoff, self.near.cutoff)

    @property
    def names(self) -> tuple[str, ...]:
        return self.far.names

    @property
    def closest(self) -> Any:
        """Where `md.simulate` stops: what the pair potential says."""
        return getattr(self.near, "closest", None)

    @staticmethod
    def load(path: Any) -> "JoinedPotential":
        """Reads a `.dp` or `.yaml` model of DeePMD-kit of the type zbl; its pair potential is a table.

        **Raises** as `DeepPotential.load`.
        """
        return load_joined(JoinedPotential, DeepPotential, path)

    def save(self, path: Any) -> Path:
        """Writes a `.dp` file, which DeePMD-kit reads if one fitting net serves all types (`md.SeAtten`). A pair potential that
        is no evenly spaced `md.Tabulated` is written as a table of 0.001 angstrom.

        **Raises** `NotImplementedError` for what DeePMD-kit does not have."""
        return write_tree(path, joined_tree(self))

    def weights(self, pairs: Pairs) -> Any:
        """w_i `(rows,)`."""
        # Those that do not count are so far away that they have no share.
        r = _within(pairs, self.cutoff if self.reach is None else self.reach).distances
        return switch(jnp.sum(r * jax.nn.softmax(-r / self.width, axis=1), axis=1), self.start, self.end)

    def atom_energies(self, pairs: Pairs) -> Any:
        """The energy of each atom [eV]; NaN for an atom with more neighbours of a type than the model has places for."""
        w, near = self._near(pairs)
        return self._mixed(w, near, self.far.atom_energies(_within(pairs, self.far.cutoff)), pairs)

    def energies_and_slopes(self, pairs: Pairs) -> tuple[Any, Any]:
        """As `atom_energies`, with the derivative of their sum with respect to `pairs.vectors`."""
        far, slopes = self.far.energies_and_slopes(_within(pairs, self.far.cutoff))
        (w, near), back = jax.vjp(lambda v: self._near(eqx.tree_at(lambda p: p.vectors, pairs, v)), pairs.vectors)
        change = back(((near - far).astype(w.dtype), w.astype(near.dtype)))[0]
        return self._mixed(w, near, far, pairs), (1 - w)[:, None, None] * slopes + change

    def crowded(self, pairs: Pairs) -> str:
        """As `DeepPotential.crowded`."""
        return self.far.crowded(_within(pairs, self.far.cutoff))

    def _near(self, pairs: Pairs) -> tuple[Any, Any]:
        kinds = jnp.asarray(kinds_of(self.near, self.names))
        seen = _within(pairs, self.near.cutoff)
        seen = eqx.tree_at(lambda p: (p.species, p.centres), seen, (kinds[pairs.species], kinds[pairs.centres]))
        return self.weights(pairs), self.near.atom_energies(seen)

    def _mixed(self, w: Any, near: Any, far: Any, pairs: Pairs) -> Any:
        return (1 - w) * far + w * near + jnp.asarray(self.bias)[pairs.centres]

    def __repr__(self) -> str:
        return f"JoinedPotential({self.near!r} below {self.start:g}, {self.far!r} above {self.end:g} angstrom)"


def _within(pairs: Pairs, cutoff: float) -> Pairs:
    """The pairs within a smaller cutoff."""
    mask = pairs.mask & (dot(pairs.vectors, pairs.vectors) < cutoff**2)
    far = jnp.asarray([FAR * cutoff, 0.0, 0.0], pairs.vectors.dtype)
    return eqx.tree_at(lambda p: (p.vectors, p.mask), pairs, (jnp.where(mask[..., None], pairs.vectors, far), mask))
