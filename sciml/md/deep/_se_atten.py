"""The descriptor of DPA-1, se_atten (Zhang et al. 2022, arXiv 2208.08236), as DeePMD-kit 3 computes it."""

# Annotations are not postponed here: Equinox must see what overrides an AbstractVar.

import dataclasses
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ..atoms._potential import dot
from ._arguments import check_radii, check_widths, placed
from ._attention import Attention
from ._descriptor import AbstractDescriptor, Limit, environment, radial_ends, switch, warn_of_leaps
from ._nets import Network, network
from ._words import described


class SeAtten(AbstractDescriptor):
    """A descriptor that knows types by vectors T, DPA-1's se_atten (dpa1 in files of DeePMD-kit):

        G_j = embedding(s_j, T_j, T_i),    G <- attention(G),    A_i = sum_j G_j R~_ij / sel,    D_i = (A_i A_i[:axis]^T, T_i)

    R~_ij = w (1/r, x/r^2, y/r^2, z/r^2) / dstd, the switch w from `start` to `cutoff`, s_j the first column of R~. With a
    `gate` (`tebd_input_mode: strip`) G_j = embedding(s_j) (1 + w gate(T_j, T_i)), w only if `smooth`. Without layers of
    attention it is se_e2_a with type embedding. One fitting net serves all types: `md.FittingNet.new(..., shared=True)`.

    **Attributes:** `types_net`, from the unit vector of a type to T; `embedding`; `gate`, a net or None; `attention`, layers;
    `dstd` `(types, 4)` of centres; `sel`, places for neighbours of all types together; `axis`, columns of D; `one_sided`, T_i
    is left out in G; `smooth`, whether neighbours come into attention smoothly: the energy leaps otherwise when one crosses the
    cutoff; `tagged`, T_i is in D.
    """

    types_net: Network
    embedding: Any
    gate: Network | None
    attention: tuple[Attention, ...]
    dstd: Any
    cutoff: float = eqx.field(static=True)
    start: float = eqx.field(static=True)
    sel: int | None = eqx.field(static=True)
    axis: int = eqx.field(static=True)
    one_sided: bool = eqx.field(static=True, default=False)
    smooth: bool = eqx.field(static=True, default=True)
    tagged: bool = eqx.field(static=True, default=True)

    @staticmethod
    def new(
        types: int, *, cutoff: float = 6.0, start: float = 0.5, sel: Any = None, widths: Any = (25, 50, 100), axis: int = 16,
        length: int = 8, strip: bool = False, one_sided: bool = False, layers: int = 2, columns: int = 128, smooth: bool = True,
        tagged: bool = True, slow: bool = False, activation: str = "tanh", key: Any = 0,
    ) -> "SeAtten":  # fmt: skip
        """With random nets; `sel` and the normalisation are found by `md.train` from the data where `sel` is None.

        **Arguments:** `length` of T; `strip`, types act through a gate; `layers` of attention, each with `columns`;
        `smooth=False` is DeePMD-kit's `smooth_type_embedding: false`.

        **Warns** where there is attention that is not smooth: energies leap, and runs at constant energy drift.
        """
        check_radii("SeAtten", cutoff, start)
        widths, rng = check_widths("SeAtten", widths), np.random.default_rng(key)
        if not 0 < axis <= widths[-1]:
            raise ValueError(f"SeAtten: axis={axis!r}; expected a number of columns from 1 to the last width, {widths[-1]}.")
        if sel is not None and (np.ndim(sel) or int(sel) != sel or sel < 1):
            raise ValueError(f"SeAtten: sel={sel!r}; expected the most neighbours of all types together, a number, or None.")
        if min(length, columns) < 1 or layers < 0:
            raise ValueError(f"SeAtten: length={length!r}, columns={columns!r}, layers={layers!r}; expected positive numbers.")
        seen = length if one_sided else 2 * length
        make = lambda n: network((n, *widths), activation=activation, slow=slow, rng=rng)  # noqa: E731
        T = network((types, length), activation="linear", rng=rng)
        bare = tuple(dataclasses.replace(layer, b=None) for layer in T.layers)
        found = SeAtten(
            types_net=Network(bare), embedding=make(1 if strip else 1 + seen), gate=make(seen) if strip else None,
            attention=tuple(Attention.new(widths[-1], columns, rng=rng, smooth=smooth) for _ in range(layers)),
            dstd=np.ones((types, 4)), cutoff=float(cutoff), start=float(start), sel=None if sel is None else int(sel),
            axis=int(axis), one_sided=one_sided, smooth=smooth, tagged=tagged,
        )  # fmt: skip
        warn_of_leaps(found, "SeAtten", 3)
        return found

    @property
    def types(self) -> int:
        return self.dstd.shape[0]

    @property
    def size(self) -> int:
        return self.axis * self.embedding.width + self.tagged * self.types_net.width

    @property
    def mixed(self) -> bool:
        return True

    @property
    def leaps(self) -> bool:
        return bool(self.attention) and not self.smooth

    @property
    def limits(self) -> tuple[Limit, ...]:
        return (Limit(self.cutoff, tuple(range(self.types)), placed(self.sel)),)

    def __call__(self, own: int, parts: list[Any]) -> Any:
        T = self.types_net(jnp.eye(self.types, dtype=parts[0].dtype))
        total = self._attended(own, parts, T) if self.attention else self._summed(own, parts, T)
        A = total / placed(self.sel)
        D = jnp.einsum("ndm,nda->nma", A, A[..., : self.axis]).reshape(len(A), -1)
        return jnp.concatenate([D, jnp.broadcast_to(T[own], (len(A), T.shape[1]))], axis=1) if self.tagged else D

    def _summed(self, own: int, parts: list[Any], T: Any) -> Any:
        """sum_j G_j R_ij `(rows, 4, width)` without attention."""
        total: Any = 0.0
        for t, vectors in enumerate(parts):
            R, w = self._rows(own, vectors)
            seen = self._seen(T[t], T[own])
            if self.gate is None:
                x = jnp.concatenate([R[..., :1], jnp.broadcast_to(seen, (*w.shape, len(seen)))], axis=-1)
                total = total + jnp.einsum("nkm,nkd->ndm", self.embedding(x), R)
            else:
                both = jnp.concatenate([R, R * w[..., None] if self.smooth else R], axis=-1)
                plain, gated = jnp.split(self.embedding.contract(R[..., 0], both), 2, axis=1)
                total = total + plain + gated * self.gate(seen)
        return total

    def _attended(self, own: int, parts: list[Any], T: Any) -> Any:
        """sum_j G_j R_ij `(rows, 4, width)` with attention."""
        sel = placed(self.sel)
        vectors, kinds = jnp.concatenate(parts, axis=1), np.repeat(np.arange(self.types), [p.shape[1] for p in parts])
        kinds = jnp.broadcast_to(jnp.asarray(kinds, jnp.int32), vectors.shape[:2])
        if vectors.shape[1] > sel:
            # There is room for `sel` of each type, but attention costs the square of all places.
            far = dot(vectors, vectors) >= self.cutoff**2
            first = jnp.argsort(far, axis=1, stable=True)[:, :sel]
            vectors = jnp.take_along_axis(vectors, first[..., None], axis=1)
            kinds = jnp.take_along_axis(kinds, first, axis=1)
        R, w = self._rows(own, vectors)
        inside = dot(vectors, vectors) < self.cutoff**2
        seen = self._seen(T[kinds], jnp.broadcast_to(T[own], (*kinds.shape, T.shape[1])))
        if self.gate is None:
            G = self.embedding(jnp.concatenate([R[..., :1], seen], axis=-1))
        else:
            gate = self.gate(self._seen(T, jnp.broadcast_to(T[own], T.shape)))[kinds]
            G = self.embedding(R[..., :1]) * (1 + (gate * w[..., None] if self.smooth else gate))
        ray = vectors / self.dstd[own, 1:]
        ray = ray / jnp.sqrt(dot(ray, ray))[..., None]
        angles = jnp.einsum("njd,nkd->njk", ray, ray)
        for layer in self.attention:
            G = layer(G, inside, w, angles, sel - vectors.shape[1])
        return jnp.einsum("nkm,nkd->ndm", G, R)

    def _rows(self, own: int, vectors: Any) -> tuple[Any, Any]:
        r = jnp.sqrt(dot(vectors, vectors))
        return environment(vectors, self.start, self.cutoff) / self.dstd[own], switch(r, self.start, self.cutoff)

    def _seen(self, neighbour: Any, centre: Any) -> Any:
        return neighbour if self.one_sided else jnp.concatenate([neighbour, centre], axis=-1)

    @property
    def is_new(self) -> bool:
        return self.sel is None or not np.any(np.asarray(self.dstd) != 1)

    def surveyed(self, survey: Any) -> "SeAtten":
        sel = survey.places_in_all(self.cutoff) if self.sel is None else self.sel
        return dataclasses.replace(self, sel=sel, dstd=survey.normalisation(self.cutoff, self.start, sel)[1])

    def with_embeddings(self, change: Any, nearest: float) -> "SeAtten":
        """With attention, or types beside the distance, there is no net of one number whose sums are asked for."""
        if self.attention or self.gate is None:
            return self
        high = radial_ends(0 * self.dstd[:, 0], self.dstd[:, 0], self.start, self.cutoff, nearest)[1]
        return dataclasses.replace(self, embedding=change(self.embedding, 0.0, high.max()))

    def __repr__(self) -> str:
        ways = f"{len(self.attention)} layers of attention", "types by a gate" if self.gate is not None else "types beside it"
        return described("se_atten", self, (self.embedding,), *ways)
