"""The descriptor se_e3, of angles, as DeePMD-kit 3 computes it."""

# Annotations are not postponed here: Equinox must see what overrides an AbstractVar.

import dataclasses
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ._arguments import check_radii, check_sel, check_widths, placed
from ._descriptor import AbstractTyped, environment
from ._nets import network
from ._words import described


class SeE3(AbstractTyped):
    """A descriptor of the angles between neighbours, DeePMD-kit's se_e3 (se_at; Zhang et al. 2018, arXiv 1805.09003):

        c_jk = R~_ij . R~_ik,    D_i = sum_{a <= b} sum_{j of type a, k of type b} c_jk G_ab(c_jk) / (sel_a sel_b)

    R~_ij = w (x, y, z) / r^2 / dstd, the switch w from `start` to `cutoff`, and G_ab a net of one number for each pair of
    types. Its cost is that of pairs of neighbours: beside se_e2_a in a `Hybrid` a small cutoff is enough.

    **Attributes:** `embeddings`, the nets G_ab, in the order (0, 0), (0, 1), ..., (1, 1), ...; `dstd` `(types, types, 3)`, of
    centre and neighbour; `sel`, places for each type of neighbour.
    """

    embeddings: tuple[Any, ...]
    dstd: Any
    cutoff: float = eqx.field(static=True)
    start: float = eqx.field(static=True)
    sel: tuple[int, ...] | None = eqx.field(static=True)

    @staticmethod
    def new(
        types: int, *, cutoff: float = 4.0, start: float = 0.5, sel: Any = None, widths: Any = (8, 16, 32), slow: bool = False,
        activation: str = "tanh", key: Any = 0,
    ) -> "SeE3":  # fmt: skip
        """With random nets; `sel` and the normalisation are found by `md.train` from the data where `sel` is None."""
        check_radii("SeE3", cutoff, start)
        widths, rng = check_widths("SeE3", widths), np.random.default_rng(key)
        nets = tuple(network((1, *widths), activation=activation, slow=slow, rng=rng) for _ in pairs_of_types(types))
        return SeE3(
            embeddings=nets, dstd=np.ones((types, types, 3)), cutoff=float(cutoff), start=float(start),
            sel=check_sel("SeE3", sel, types),
        )  # fmt: skip

    def __call__(self, own: int, parts: list[Any]) -> Any:
        sel = placed(self.sel)
        R = [environment(v, self.start, self.cutoff)[..., 1:] / self.dstd[own, t] for t, v in enumerate(parts)]
        total: Any = 0.0
        for (a, b), net in zip(pairs_of_types(self.types), self.embeddings, strict=True):
            if sel[a] and sel[b]:
                c, times = _products(R[a]) if a == b else (jnp.einsum("njd,nkd->njk", R[a], R[b]), 1)
                c, weighted = (x.reshape(len(c), -1) for x in (c, c * times))
                total = total + net.contract(c, weighted[..., None])[:, 0] / (sel[a] * sel[b])
        return total

    @property
    def is_new(self) -> bool:
        return self.sel is None or not np.any(np.asarray(self.dstd) != 1)

    def surveyed(self, survey: Any) -> "SeE3":
        sel = survey.places(self.cutoff) if self.sel is None else self.sel
        _, dstd = survey.normalisation(self.cutoff, self.start, sum(sel))
        return dataclasses.replace(self, sel=sel, dstd=np.repeat(dstd[:, None, 1:], self.types, axis=1))

    def with_embeddings(self, change: Any, nearest: float) -> "SeE3":
        """Its nets are small and see many numbers: a series of as many terms as the net has products is no faster."""
        return self

    def __repr__(self) -> str:
        return described("se_e3", self, self.embeddings)


def pairs_of_types(types: int) -> list[tuple[int, int]]:
    return [(a, b) for a in range(types) for b in range(a, types)]


def _products(R: Any) -> tuple[Any, Any]:
    """c_j,j+s for s up to half of the places, and how often each stands among all c_jk: c_jk is c_kj, nets see it once."""
    places = R.shape[1]
    half = places // 2
    width = places + half + 1
    c = jnp.einsum("njd,nkd->njk", R, jnp.concatenate([R, R[:, :half]], axis=1)).reshape(len(R), -1)
    # Rows one longer than they were start one place later each: their columns are what were diagonals.
    c = jnp.pad(c, ((0, 0), (0, places))).reshape(len(R), places, width)[..., : half + 1]
    return c, np.where(2 * np.arange(half + 1) % max(places, 1), 2.0, 1.0).astype(c.dtype)
