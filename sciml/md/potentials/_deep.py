"""Deep Potential, smooth edition: se_e2_a (Zhang et al. 2018, arXiv 1805.09003), as DeePMD-kit 3 computes it.

    u = clip((r - rs) / (rc - rs), 0, 1),    w = 1 + u^3 (-6 u^2 + 15 u - 10)
    R_ij = w (1/r, x/r^2, y/r^2, z/r^2),     R~ = (R - davg) / dstd
    A_i = sum_j G(R~_ij0) R~_ij / N_c,       D_i = A_i A_i[:axis]^T,      E_i = fitting(D_i) + bias

N_c is the number of slots DeePMD-kit has for an atom, sum(sel), not of neighbours. Its empty slots are not masked there: they
hold R = 0 and count. A neighbour beyond the cutoff has R = 0 too, so that here an empty place is one that is far away.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._pairs import AbstractPotential, Pairs
from ._deep_blocks import Groups, by_blocks, grouped
from ._deep_nets import Network


class DeepPotential(AbstractPotential):
    """Deep Potential with the descriptor se_e2_a.

    **Attributes:** `embeddings`, networks of one number, for each type of neighbour (`one_sided`), or for each pair, number
    centre + types x neighbour; `fittings`, one for each type of centre; `davg` and `dstd` `(types, types, 4)`, of centre and
    neighbour; `bias` `(types,)` [eV]; `sel`, places for each type of neighbour; `start` and `cutoff` of the switch [angstrom];
    `axis`, columns of D; `names` of the types; `nearest`, the smallest distance in the data that it was trained on [angstrom],
    None if that is not known.
    """

    embeddings: tuple[Network, ...]
    fittings: tuple[Network, ...]
    davg: Any
    dstd: Any
    bias: Any
    cutoff: float = eqx.field(static=True)
    start: float = eqx.field(static=True)
    sel: tuple[int, ...] = eqx.field(static=True)
    axis: int = eqx.field(static=True)
    one_sided: bool = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)
    nearest: float | None = eqx.field(static=True, default=None)

    @property
    def closest(self) -> float | None:
        """Where `md.simulate` stops: below four fifths of `nearest` a model has learned nothing, and atoms may fall into each
        other."""
        return None if self.nearest is None else 0.8 * self.nearest

    @staticmethod
    def load(path: Any) -> DeepPotential:
        """Reads a `.dp` or `.yaml` model of DeePMD-kit with the descriptor se_e2_a; DeePMD-kit is not needed.

        **Raises** `NotImplementedError` that names what the file asks for and is not here, `ValueError` for other files.
        """
        from ..deepmd._load import load_deep_potential

        return load_deep_potential(path)

    def save(self, path: Any) -> Path:
        """Writes a `.dp` file, which DeePMD-kit reads and converts: `dp convert-backend model.dp model.pb`."""
        from ..deepmd._save import model_tree
        from ..deepmd._tree import write_tree

        return write_tree(path, model_tree(self))

    def atom_energies(self, pairs: Pairs) -> Any:
        """The energy of each atom [eV], biases included; NaN for an atom with more neighbours of a type than `sel`.

        Nets run in the precision of `pairs.vectors`; biases, which are large, are added in their own.
        """
        model = self.in_precision(pairs.vectors.dtype)
        block = jax.checkpoint(lambda *rows: model._energies(*rows))
        return self._biased(by_blocks(block, pairs, len(self.sel)), pairs)

    def energies_and_slopes(self, pairs: Pairs) -> tuple[Any, Any]:
        """As `atom_energies`, with the derivative of their sum with respect to `pairs.vectors`.

        G depends on one number, so that one pass through its nets gives G and its derivative G', and the rest is products:

            dE/dR~_jd = sum_m G_jm dE/dA_md,  and for d = 0 also sum_me G'_jm dE/dA_me R~_je
        """
        each, slopes = by_blocks(self.in_precision(pairs.vectors.dtype)._slopes, pairs, len(self.sel))
        return self._biased(each, pairs), slopes

    def in_precision(self, dtype: Any) -> DeepPotential:
        """This model with its nets in another precision, which spares their conversion in every evaluation; biases stay."""
        model = jax.tree.map(lambda a: jnp.asarray(a, dtype), self)
        return eqx.tree_at(lambda m: m.bias, model, self.bias)

    def _biased(self, each: Any, pairs: Pairs) -> Any:
        return each + jnp.asarray(self.bias)[pairs.centres]

    def _energies(self, own: Any, vectors: Any, mask: Any, species: Any) -> Any:
        """Of atoms of the type `own`, without bias `(atoms,)`."""
        groups = grouped(mask, species, self._rooms(mask.shape[1]))
        R = self._environment(groups.compact(vectors, 2 * self.cutoff))

        def of(kind: int) -> Any:
            total = self._absent(kind, groups.rooms)
            for t, R_t in enumerate(self._scaled(kind, groups.split(R))):
                total = total + jnp.einsum("nkm,nkd->ndm", self._embedding(kind, t)(R_t[..., :1]), R_t)
            return self._fitted(kind, total)

        return jnp.where(self._fit(groups), self._of_type(own, of), jnp.nan)

    def _slopes(self, own: Any, vectors: Any, mask: Any, species: Any) -> tuple[Any, Any]:
        """As `_energies`, and their derivatives with respect to `vectors`."""
        groups = grouped(mask, species, self._rooms(mask.shape[1]))
        R, back = jax.vjp(self._environment, groups.compact(vectors, 2 * self.cutoff))

        def of(kind: int) -> tuple[Any, Any]:
            parts = self._scaled(kind, groups.split(R))
            nets = [self._embedding(kind, t) for t in range(len(parts))]
            total, kept = self._absent(kind, groups.rooms), []
            for R_t, net in zip(parts, nets, strict=True):
                pieces = [[a.reshape(*R_t.shape[:2], -1) for a in piece] for piece in net.pieces(R_t[..., 0].reshape(-1, 1))]
                for (G, _), n in zip(pieces, net.repeats, strict=True):
                    total = total + jnp.tile(jnp.einsum("nkm,nkd->ndm", G, R_t), n)
                kept.append(pieces)
            each, back = jax.vjp(lambda A: self._fitted(kind, A), total)
            (dA,) = back(jnp.ones_like(each))
            slopes = []
            for R_t, net, pieces, dstd in zip(parts, nets, kept, self.dstd[kind], strict=True):
                slope = radial = 0.0
                for (G, dG), n in zip(pieces, net.repeats, strict=True):
                    dA_n = sum(jnp.split(dA, n, axis=-1))
                    slope = slope + jnp.einsum("nkm,ndm->nkd", G, dA_n)
                    radial = radial + _dot(jnp.einsum("nkm,ndm->nkd", dG, dA_n), R_t)
                slopes.append(slope.at[..., 0].add(radial) / dstd)  # type: ignore[attr-defined]
            return each, jnp.concatenate(slopes, axis=1)

        each, slope = self._of_type(own, of)
        fit = self._fit(groups)
        return jnp.where(fit, each, jnp.nan), jnp.where(fit[:, None, None], groups.spread(back(slope)[0]), jnp.nan)

    def _rooms(self, slots: int) -> tuple[int, ...]:
        return tuple(min(k, slots) for k in self.sel)

    def _fit(self, groups: Groups) -> Any:
        return jnp.all(groups.counts <= jnp.asarray(self.sel), axis=1)

    def _of_type(self, own: Any, function: Any) -> Any:
        """`function(type)` for the type `own` of a block's atoms; zeros where there is none of that number."""
        like = jax.eval_shape(lambda: function(0))
        nothing = lambda: jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), like)  # noqa: E731
        return jax.lax.switch(own, [*(partial(function, kind) for kind in range(len(self.sel))), nothing])

    def _environment(self, vectors: Any) -> Any:
        """R `(..., 4)`."""
        r = jnp.sqrt(_dot(vectors, vectors))[..., None]
        u = jnp.clip((r - self.start) / (self.cutoff - self.start), 0, 1)
        w = 1 + u**3 * (-6 * u**2 + 15 * u - 10)
        return jnp.concatenate([w / r, w / r**2 * vectors], axis=-1)

    def _scaled(self, own: int, parts: list[Any]) -> list[Any]:
        """R~ of each type of neighbours."""
        return [(R_t - self.davg[own, t]) / self.dstd[own, t] for t, R_t in enumerate(parts)]

    def _embedding(self, own: int, kind: int) -> Network:
        return self.embeddings[kind if self.one_sided else own + len(self.sel) * kind]

    def _absent(self, own: int, rooms: tuple[int, ...]) -> Any:
        """What those empty places add that are not in `rooms` `(4, M)`."""
        total: Any = 0.0
        for kind, (count, room) in enumerate(zip(self.sel, rooms, strict=True)):
            if count > room:
                empty = -self.davg[own, kind] / self.dstd[own, kind]
                total = total + (count - room) * empty[:, None] * self._embedding(own, kind)(empty[:1])
        return total

    def _fitted(self, own: int, total: Any) -> Any:
        A = total / sum(self.sel)
        D = jnp.einsum("ndm,nda->nma", A, A[..., : self.axis])
        return self.fittings[own](D.reshape(len(A), -1))[:, 0]

    def crowded(self, pairs: Pairs) -> str:
        """The atoms that have more neighbours of a type within the cutoff than `sel` and the number needed, as a sentence;
        empty where there are none. DeePMD-kit would leave some of them out; here their energies and slopes are NaN."""
        mask, species = np.asarray(pairs.mask), np.asarray(pairs.species)
        counts = np.stack([np.sum(mask & (species == kind), axis=1) for kind in range(len(self.sel))], axis=1)
        found = np.argwhere(counts > np.array(self.sel))
        if not len(found):
            return ""
        atoms = np.unique(np.asarray(pairs.atom)[found[:, 0]])
        named = ", ".join(map(str, atoms[:5])) + (f" and {len(atoms) - 5} more" if len(atoms) > 5 else "")
        needed = [max(int(a), b) for a, b in zip(counts.max(axis=0), self.sel, strict=True)]
        return (
            f"Atom{'s' if len(atoms) > 1 else ''} {named} ha{'ve' if len(atoms) > 1 else 's'} more neighbours within "
            f"{self.cutoff:g} angstrom than the model has places for: sel is {list(self.sel)}, {needed} are needed."
        )

    def __repr__(self) -> str:
        sizes = lambda nets: "-".join(str(layer.w.shape[1]) for layer in nets[0].layers)  # noqa: E731
        return (
            f"DeepPotential({', '.join(self.names)}; se_e2_a, cutoff {self.cutoff:g} angstrom, sel {list(self.sel)}, embedding "
            f"{sizes(self.embeddings)}{'' if self.one_sided else ' of each pair of types'}, fitting {sizes(self.fittings)}, "
            f"{sum(a.size for a in jax.tree.leaves(self))} parameters)"
        )


def _dot(a: Any, b: Any) -> Any:
    # Written out: XLA's sum over so short an axis costs more than the nets' largest product.
    return sum(a[..., d] * b[..., d] for d in range(a.shape[-1]))
