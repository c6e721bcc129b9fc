"""The descriptor se_e2_r, of lengths alone (Zhang et al. 2018, arXiv 1805.09003), as DeePMD-kit 3 computes it."""

# Annotations are not postponed here: Equinox must see what overrides an AbstractVar.

import dataclasses
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ..atoms._potential import dot
from ._arguments import check_radii, check_sel, check_widths, placed
from ._descriptor import AbstractTyped, radial_ends, switch
from ._nets import network
from ._words import described


class SeE2R(AbstractTyped):
    """A descriptor of lengths, DeePMD-kit's se_e2_r:

        s_ij = (w / r - davg) / dstd,    D_i = sum_j G(s_ij) / (5 N_c)

    with the switch w from `start` to `cutoff`, N_c = sum(sel), and G a net of one number for each type of neighbour. The
    fifth is DeePMD-kit's. Empty places are not masked: they hold w = 0 and count.

    **Attributes:** `embeddings`, the nets G; `davg` and `dstd` `(types, types)`, of centre and neighbour; `sel`, places for
    each type of neighbour.
    """

    embeddings: tuple[Any, ...]
    davg: Any
    dstd: Any
    cutoff: float = eqx.field(static=True)
    start: float = eqx.field(static=True)
    sel: tuple[int, ...] | None = eqx.field(static=True)

    @staticmethod
    def new(
        types: int, *, cutoff: float = 6.0, start: float = 0.5, sel: Any = None, widths: Any = (24, 48, 96), slow: bool = False,
        activation: str = "tanh", key: Any = 0,
    ) -> "SeE2R":  # fmt: skip
        """With random nets; `sel` and the normalisation are found by `md.train` from the data where `sel` is None."""
        check_radii("SeE2R", cutoff, start)
        widths, rng = check_widths("SeE2R", widths), np.random.default_rng(key)
        nets = tuple(network((1, *widths), activation=activation, slow=slow, rng=rng) for _ in range(types))
        blank = np.zeros((types, types))
        return SeE2R(
            embeddings=nets, davg=blank, dstd=blank + 1, cutoff=float(cutoff), start=float(start),
            sel=check_sel("SeE2R", sel, types),
        )  # fmt: skip

    def __call__(self, own: int, parts: list[Any]) -> Any:
        total: Any = 0.0
        sel = placed(self.sel)
        for t, vectors in enumerate(parts):
            net, davg, dstd = self.embeddings[t], self.davg[own, t], self.dstd[own, t]
            r = jnp.sqrt(dot(vectors, vectors))
            s = (switch(r, self.start, self.cutoff) / r - davg) / dstd
            total = total + net.contract(s, jnp.ones_like(s)[..., None])[:, 0]
            if absent := sel[t] - s.shape[1]:
                # Places that are not there, or too many: all that are empty are equal.
                total = total + absent * net((-davg / dstd)[None])
        return total / (5 * sum(sel))

    @property
    def is_new(self) -> bool:
        return self.sel is None or not np.any(self.davg)

    def surveyed(self, survey: Any) -> "SeE2R":
        sel = survey.places(self.cutoff) if self.sel is None else self.sel
        davg, dstd = survey.normalisation(self.cutoff, self.start, sum(sel))
        wide = lambda a: np.repeat(a[:, :1], self.types, axis=1)  # noqa: E731
        return dataclasses.replace(self, sel=sel, davg=wide(davg), dstd=wide(dstd))

    def with_embeddings(self, change: Any, nearest: float) -> "SeE2R":
        low, high = radial_ends(self.davg, self.dstd, self.start, self.cutoff, nearest)
        nets = [change(net, low[:, t].min(), high[:, t].max()) for t, net in enumerate(self.embeddings)]
        return dataclasses.replace(self, embeddings=tuple(nets))

    def __repr__(self) -> str:
        return described("se_e2_r", self, self.embeddings)
