"""Deep Potential (Zhang et al. 2018, arXiv 1707.09571): the energy of an atom is a net of a descriptor of its neighbours.

    E = sum_i E_i,    E_i = fitting(D_i) + bias

Nets run on atoms of one type at a time, block after block: memory is that of a block, not of all atoms.
"""

# Annotations are not postponed here: Equinox must see what overrides an AbstractVar.

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..atoms._pairs import Pairs
from ..atoms._potential import dot
from ..potentials._trainable import AbstractTrainable, Limit, Remark, cast
from ._blocks import Groups, by_blocks, grouped
from ._compress import compressed, exact
from ._descriptor import AbstractDescriptor
from ._fitting import FittingNet
from ._se_e2_a import SeE2A
from .deepmd._load import load_deep_potential
from .deepmd._save import model_tree
from .deepmd._tree import write_tree

NORMALISATION = "davg", "dstd"
FEW = 48  # places, below which it is no gain to look whether fewer are enough


class DeepPotential(AbstractTrainable):
    """A Deep Potential: a descriptor and a fitting net.

    **Attributes:** `descriptor`, `fitting`; `bias` `(types,)` [eV]; `names` of the types; `nearest`, the smallest distance in
    the data that it was trained on [angstrom], None if that is not known; `remark`, the errors of training in words;
    `series_from`, down to which distance embedding nets are Chebyshev series [angstrom], None where they are not.
    """

    descriptor: AbstractDescriptor
    fitting: FittingNet
    bias: Any
    names: tuple[str, ...] = eqx.field(static=True)
    nearest: float | None = eqx.field(static=True)
    remark: Remark = eqx.field(static=True)
    series_from: float | None

    def __init__(
        self, descriptor: AbstractDescriptor, fitting: FittingNet, bias: Any, names: Any, nearest: float | None = None,
        remark: Any = "", series_from: float | None = None,
    ):  # fmt: skip
        self.descriptor, self.fitting, self.bias, self.names = descriptor, fitting, bias, tuple(names)
        self.nearest, self.remark, self.series_from = nearest, Remark(remark), series_from

    @property
    def large(self) -> bool:
        """Its temporaries are: systems of a batch are computed one after the other."""
        return True

    @property
    def cutoff(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.descriptor.cutoff

    @property
    def closest(self) -> float | None:
        """Where `md.simulate` stops: below four fifths of `nearest` a model has learned nothing, and atoms may fall into each
        other."""
        return None if self.nearest is None else 0.8 * self.nearest

    @property
    def computed(self) -> "DeepPotential":
        return dataclasses.replace(self, nearest=None, remark="")

    @property
    def limits(self) -> tuple[Limit, ...]:
        return self.descriptor.limits

    @property
    def trained(self) -> Any:
        """Nets, not the normalisation and the biases."""

        def one(path: Any, leaf: Any) -> bool:
            names = [getattr(key, "name", None) for key in path]
            return eqx.is_inexact_array(leaf) and names[0] != "bias" and not any(name in NORMALISATION for name in names)

        return jax.tree_util.tree_map_with_path(one, self)

    def surveyed(self, survey: Any, bias: Any) -> "DeepPotential":
        """With the smallest distance; a new one with the normalisation of its descriptor, places and `bias`."""
        nearest = min(survey.nearest, np.inf if self.nearest is None else self.nearest)
        model = dataclasses.replace(self, nearest=float(nearest), remark="")
        if not self.descriptor.is_new:
            return model
        return dataclasses.replace(model, descriptor=self.descriptor.surveyed(survey), bias=bias)

    def with_embeddings(self, change: Callable[[Any, float, float], Any], nearest: float) -> "DeepPotential":
        return eqx.tree_at(lambda m: m.descriptor, self, self.descriptor.with_embeddings(change, nearest))

    def frame_energies(self, vectors: Any, frames: Any) -> Any:
        count, begin = len(vectors), np.cumsum([0, *frames.owns])
        ends = np.cumsum(frames.rooms)[:-1]
        split = lambda v: jnp.split(v.reshape(v.shape[0] * v.shape[1], -1, 3), ends, axis=1)  # noqa: E731
        D: Any = None
        if self.descriptor.row_by_row:
            kinds = np.tile(np.repeat(np.arange(len(frames.owns)), frames.owns), count)
            D = self.descriptor(kinds, split(vectors)).reshape(*vectors.shape[:2], -1)
        each: Any = []
        for own, rows in enumerate(frames.owns):
            if rows:
                own_rows = slice(begin[own], begin[own + 1])
                if D is None:
                    found = self.inner_energies(own, split(vectors[:, own_rows]))
                else:
                    found = self.fitting(own, D[:, own_rows].reshape(count * rows, -1))
                each.append(found.reshape(count, rows))
        return jnp.concatenate(each, axis=1)

    @staticmethod
    def load(path: Any) -> "DeepPotential":
        """Reads a `.dp` or `.yaml` model of DeePMD-kit; DeePMD-kit is not needed.

        **Raises** `NotImplementedError` that names what the file asks for and is not here, `ValueError` for other files, and
        where something is missing, damaged or does not fit, by its key. **Warns** where attention is not smooth.
        """
        return load_deep_potential(DeepPotential, path)

    def save(self, path: Any) -> Path:
        """Writes a `.dp` file, which DeePMD-kit reads and converts: `dp convert-backend model.dp model.pb`."""
        return write_tree(path, model_tree(self))

    def compressed(self, *, nearest: float | None = None, tolerance: float = 3e-7) -> "DeepPotential":
        """This model with its embedding nets as Chebyshev series, several times faster; the nets themselves are kept, for
        files and for distances below `nearest` [angstrom], by default `closest`.

        There are as many panels as it takes to meet values and slopes of the nets to `tolerance`, relative to their
        largest: some 1e-7 eV/angstrom in the forces of a model of water.

        **Raises** `ValueError` where `nearest` is not known, or no number of panels will do.
        """
        return compressed(self, nearest, tolerance)

    def atom_energies(self, pairs: Pairs) -> Any:
        """The energy of each atom [eV], biases included; NaN for an atom with more neighbours of a type than `sel`.

        Nets run in the precision of `pairs.vectors`; biases, which are large, are added in their own.
        """
        model = self.in_precision(pairs.vectors.dtype)
        block = jax.checkpoint(lambda model, *rows: model._energies(*rows))
        return self._biased(by_blocks(block, model, pairs, len(self.names)), pairs)

    def energies_and_slopes(self, pairs: Pairs) -> tuple[Any, Any]:
        """As `atom_energies`, with the derivative of their sum with respect to `pairs.vectors`."""
        model = self.in_precision(pairs.vectors.dtype)
        each, slopes = by_blocks(lambda model, *rows: model._slopes(*rows), model, pairs, len(self.names))
        return self._biased(each, pairs), slopes

    def in_precision(self, dtype: Any) -> "DeepPotential":
        """This model with its nets in another precision, which spares their conversion in every evaluation; biases stay."""
        model = cast(self, dtype)
        return eqx.tree_at(lambda m: m.bias, model, self.bias)

    def inner_energies(self, own: int, parts: list[Any]) -> Any:
        """Energies without bias `(rows,)` of atoms of the type `own`; `parts[t]` `(rows, slots, 3)` are the vectors to their
        neighbours of type t, beyond the cutoff in empty places."""
        return self.fitting(own, self.descriptor(own, parts))

    def _biased(self, each: Any, pairs: Pairs) -> Any:
        return each + jnp.asarray(self.bias)[pairs.centres]

    def _energies(self, own: Any, vectors: Any, mask: Any, species: Any) -> Any:
        """Of atoms of the type `own`, without bias `(atoms,)`."""

        def of(model: Any, kind: int, groups: Groups, v: Any) -> Any:
            return model.inner_energies(kind, groups.split(v))

        found, fit = self._of_block(own, of, vectors, mask, species)
        # A factor, so that the gradient is NaN too.
        return found * jnp.where(fit, 1, jnp.nan).astype(found.dtype)

    def _slopes(self, own: Any, vectors: Any, mask: Any, species: Any) -> tuple[Any, Any]:
        """As `_energies`, and their derivatives with respect to `vectors`."""

        def of(model: Any, kind: int, groups: Groups, v: Any) -> tuple[Any, Any]:
            each, back = jax.vjp(lambda v: model.inner_energies(kind, groups.split(v)), v)
            return each, groups.spread(back(jnp.ones_like(each))[0])

        (each, slope), fit = self._of_block(own, of, vectors, mask, species)
        return jnp.where(fit, each, jnp.nan), jnp.where(fit[:, None, None], slope, jnp.nan)

    def _of_block(self, own: Any, function: Any, vectors: Any, mask: Any, species: Any) -> Any:
        """`function(model, type, groups, vectors by type)` for the type `own` of a block's atoms, in fewer places than `sel`
        where these are enough; zeros where there is none of that number. Without series where atoms are closer than they reach.
        With it, whether there are places for all neighbours `(rows,)`.
        """
        counts = jnp.stack([jnp.sum(mask & (species == t), axis=1) for t in range(len(self.names))], axis=1)
        full = self._rooms(mask.shape[1])
        fewer = tuple(min(r, -(-5 * r // 24) * 4) for r in full) if sum(full) >= FEW else full

        def packed(rooms: tuple[int, ...], call: Any) -> Any:
            def run(vectors: Any, mask: Any, species: Any) -> Any:
                groups = grouped(mask, species, rooms)
                return call(groups, groups.compact(vectors, 2 * self.cutoff))

            return run

        def of(kind: int, vectors: Any, mask: Any, species: Any) -> Any:
            ways = [packed(rooms, partial(function, self, kind)) for rooms in dict.fromkeys((fewer, full))]
            way: Any = jnp.zeros((), jnp.int32)
            if fewer != full:
                way = jnp.any(counts > np.array(fewer)).astype(jnp.int32)
            if self.series_from is not None:
                ways.append(packed(full, partial(function, exact(self), kind)))
                close = jnp.any(jnp.where(mask, dot(vectors, vectors), jnp.inf) < self.series_from**2)
                way = jnp.where(close, len(ways) - 1, way)
            return jax.lax.switch(way, ways, vectors, mask, species) if len(ways) > 1 else ways[0](vectors, mask, species)

        given = vectors, mask, species
        like = jax.eval_shape(partial(of, 0), *given)
        nothing = lambda *_: jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), like)  # noqa: E731
        found = jax.lax.switch(own, [*(partial(of, kind) for kind in range(len(self.names))), nothing], *given)
        return found, self._fit(counts, *given)

    def _rooms(self, slots: int) -> tuple[int, ...]:
        most = [max(k.places for k in self.limits if t in k.kinds) for t in range(len(self.names))]
        return tuple(min(k, slots) for k in most)

    def _fit(self, counts: Any, vectors: Any, mask: Any, species: Any) -> Any:
        """Whether there are places for all neighbours `(rows,)`, of which there are `counts` `(rows, types)`."""
        fit: Any = True
        for limit in self.limits:
            if limit.cutoff == self.cutoff:
                count = jnp.sum(counts[:, np.array(limit.kinds)], axis=1)
            else:
                inside = mask & (dot(vectors, vectors) < limit.cutoff**2)
                count = jnp.sum(inside & _among(species, limit.kinds), axis=1)
            fit = fit & (count <= limit.places)
        return fit

    def crowded(self, pairs: Pairs) -> str:
        """The atoms that have more neighbours of a type within the cutoff than `sel` and the number needed, as a sentence;
        empty where there are none. DeePMD-kit would leave some of them out; here their energies and slopes are NaN."""
        mask, species, limits = np.asarray(pairs.mask), np.asarray(pairs.species), self.limits
        square = np.sum(np.asarray(pairs.vectors) ** 2, axis=-1)
        inside = [mask & (square < k.cutoff**2) & np.isin(species, k.kinds) for k in limits]
        counts = np.stack([np.sum(m, axis=1) for m in inside], axis=1)
        sel = [k.places for k in limits]
        found = np.argwhere(counts > np.array(sel))
        if not len(found):
            return ""
        atoms = np.unique(np.asarray(pairs.atom)[found[:, 0]])
        named = ", ".join(map(str, atoms[:5])) + (f" and {len(atoms) - 5} more" if len(atoms) > 5 else "")
        needed = [max(int(a), b) for a, b in zip(counts.max(axis=0), sel, strict=True)]
        return (
            f"Atom{'s' if len(atoms) > 1 else ''} {named} ha{'ve' if len(atoms) > 1 else 's'} more neighbours within "
            f"{self.cutoff:g} angstrom than the model has places for: sel is {sel}, {needed} are needed."
        )

    def __repr__(self) -> str:
        net = "-".join(map(str, self.fitting.nets[0].widths))
        words = (
            ", ".join(self.names), f"{self.descriptor!r}", f"fitting {net}", f"{parameters(self)} parameters", str(self.remark),
        )  # fmt: skip
        return f"DeepPotential({'; '.join(filter(None, words))})"


def parameters(model: Any) -> int:
    """How many numbers the model has; series of nets are not counted beside them."""
    return sum(np.size(a) for a in jax.tree.leaves(exact(model)))


def _among(species: Any, kinds: tuple[int, ...]) -> Any:
    return sum((species == t for t in kinds[1:]), start=species == kinds[0]) > 0


def deep_potential(
    names: Any, descriptor: AbstractDescriptor | None = None, *, widths: Any = (240, 240, 240), key: int = 0
) -> DeepPotential:
    """A new Deep Potential with random nets, for `md.train`.

    **Arguments:** `names` of the species; `descriptor`, by default `md.SeE2A.new(types)`: se_e2_a with a cutoff of 6 angstrom,
    embedding nets 25-50-100 and places for neighbours found from the data; `widths` of the fitting nets; `key` of the random
    numbers.

    **Raises** `ValueError` where names are no names, or the descriptor is of another number of types.
    """
    found = (names,) if isinstance(names, str) else tuple(names)
    if not found or not all(isinstance(n, str) for n in found) or len(set(found)) < len(found):
        raise ValueError(f"deep_potential: names={names!r}; expected the names of species, each once, such as ('O', 'H').")
    d = SeE2A.new(len(found), key=key) if descriptor is None else descriptor
    if d.types != len(found):
        raise ValueError(f"deep_potential: the descriptor is of {d.types} types; species are {', '.join(found)}.")
    fitting = FittingNet.new(len(found), d.size, widths=widths, shared=d.mixed, key=key)
    return DeepPotential(d, fitting, np.zeros(len(found)), found)
