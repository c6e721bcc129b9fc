"""The descriptor se_e2_a, of lengths and directions (Zhang et al. 2018, arXiv 1805.09003), as DeePMD-kit 3 computes it."""

# Annotations are not postponed here: Equinox must see what overrides an AbstractVar.

import dataclasses
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ._arguments import check_radii, check_sel, check_widths, placed
from ._descriptor import AbstractEmbedded, environment
from ._nets import network
from ._words import described


class SeE2A(AbstractEmbedded):
    """A descriptor of lengths and directions, DeePMD-kit's se_e2_a:

        R~_ij = (R_ij - davg) / dstd,    A_i = sum_j G(R~_ij0) R~_ij / N_c,    D_i = A_i A_i[:axis]^T

    R_ij = w (1/r, x/r^2, y/r^2, z/r^2) with the switch w from `start` to `cutoff`, N_c = sum(sel), and G a net of one number.
    DeePMD-kit's empty places are not masked: they hold R = 0 and count.

    **Attributes:** `embeddings`, the nets G, one for each type of neighbour (`one_sided`), or for each pair, number centre +
    types x neighbour; `davg` and `dstd` `(types, types, 4)`, of centre and neighbour; `sel`, places for each type of neighbour;
    `axis`, columns of D.
    """

    embeddings: tuple[Any, ...]
    davg: Any
    dstd: Any
    cutoff: float = eqx.field(static=True)
    start: float = eqx.field(static=True)
    sel: tuple[int, ...] | None = eqx.field(static=True)
    axis: int = eqx.field(static=True)
    one_sided: bool = eqx.field(static=True)

    @staticmethod
    def new(
        types: int, *, cutoff: float = 6.0, start: float = 0.5, sel: Any = None, widths: Any = (25, 50, 100), axis: int = 16,
        one_sided: bool = True, slow: bool = False, activation: str = "tanh", key: Any = 0,
    ) -> "SeE2A":  # fmt: skip
        """With random nets; `sel` and the normalisation are found by `md.train` from the data where `sel` is None."""
        check_radii("SeE2A", cutoff, start)
        widths = check_widths("SeE2A", widths)
        if not 0 < axis <= widths[-1]:
            raise ValueError(f"SeE2A: axis={axis!r}; expected a number of columns from 1 to the last width, {widths[-1]}.")
        rng = np.random.default_rng(key)
        nets = [network((1, *widths), activation=activation, slow=slow, rng=rng) for _ in range(types ** (2 - one_sided))]
        blank = np.zeros((types, types, 4))
        return SeE2A(
            embeddings=tuple(nets), davg=blank, dstd=blank + 1, cutoff=float(cutoff), start=float(start),
            sel=check_sel("SeE2A", sel, types), axis=int(axis), one_sided=one_sided,
        )  # fmt: skip

    @property
    def size(self) -> int:
        return self.axis * self.embeddings[0].width

    @property
    def row_by_row(self) -> bool:
        return self.one_sided

    def __call__(self, own: Any, parts: list[Any]) -> Any:
        total: Any = 0.0
        sel = placed(self.sel)
        for t, vectors in enumerate(parts):
            net = self.embedding(own, t)
            mean, spread = (jnp.asarray(a)[own, t][..., None, :] for a in (self.davg, self.dstd))
            R = (environment(vectors, self.start, self.cutoff) - mean) / spread
            total = total + net.contract(R[..., 0], R)
            if absent := sel[t] - vectors.shape[1]:
                # Places that are not there, or too many: all that are empty are equal.
                empty = (-mean / spread)[..., 0, :]
                total = total + absent * empty[..., None] * net(empty[..., :1])[..., None, :]
        A = total / sum(sel)
        return jnp.einsum("ndm,nda->nma", A, A[..., : self.axis]).reshape(len(A), -1)

    def surveyed(self, survey: Any) -> "SeE2A":
        sel = survey.places(self.cutoff) if self.sel is None else self.sel
        davg, dstd = survey.normalisation(self.cutoff, self.start, sum(sel))
        wide = lambda a: np.repeat(a[:, None], self.types, axis=1)  # noqa: E731
        return dataclasses.replace(self, sel=sel, davg=wide(davg), dstd=wide(dstd))

    def __repr__(self) -> str:
        more = () if self.one_sided else ("a net for each pair of types",)
        return described("se_e2_a", self, self.embeddings, *more)
