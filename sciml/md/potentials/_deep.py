"""Deep Potential, smooth edition: se_e2_a (Zhang et al. 2018, arXiv 1805.09003), as DeePMD-kit 3 computes it.

    u = clip((r - rs) / (rc - rs), 0, 1),    w = 1 + u^3 (-6 u^2 + 15 u - 10)
    R_ij = w (1/r, x/r^2, y/r^2, z/r^2),     R~ = (R - davg) / dstd
    A_i = sum_j G(R~_ij0) R~_ij / N_c,       D_i = A_i A_i[:axis]^T,      E_i = fitting(D_i) + bias

N_c is the number of slots DeePMD-kit has for an atom, sum(sel), not of neighbours. Its empty slots are not masked there: they
hold R = 0, and what they add is added here in closed form, sel - K times for the K neighbours of a type.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .._pairs import AbstractPotential, Pairs

ACTIVATIONS: dict[str, Any] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "gelu": lambda x: jax.nn.gelu(x, approximate=True),
    "sigmoid": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
    "relu6": jax.nn.relu6,
    "linear": lambda x: x,
    "none": lambda x: x,
}


class Layer(eqx.Module):
    """y = act(x w + b) idt, plus x where the widths are equal, [x, x] where the output is twice as wide, if `residual`."""

    w: Any
    b: Any
    idt: Any
    activation: str = eqx.field(static=True)
    residual: bool = eqx.field(static=True)

    def __call__(self, x: Any) -> Any:
        y = x @ self.w
        y = ACTIVATIONS[self.activation](y if self.b is None else y + self.b)
        y = y if self.idt is None else y * self.idt
        if not self.residual:
            return y
        n, m = self.w.shape
        if m == n:
            return y + x
        return y + jnp.concatenate([x, x], axis=-1) if m == 2 * n else y


class Network(eqx.Module):
    """Layers, one after the other."""

    layers: tuple[Layer, ...]

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x


class DeepPotential(AbstractPotential):
    """Deep Potential with the descriptor se_e2_a.

    **Attributes:** `embeddings`, networks of one number, for each type of neighbour (`one_sided`), or for each pair, number
    centre + types x neighbour; `fittings`, one for each type of centre; `davg` and `dstd` `(types, types, 4)`, of centre and
    neighbour; `bias` `(types,)` [eV]; `sel`, slots for each type of neighbour; `start` and `cutoff` of the switch [angstrom];
    `axis`, columns of D; `names` of the types.
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
        """The energy of each atom [eV], biases included."""
        D = self.descriptors(pairs)
        found = jnp.stack([fitting(D)[:, 0] for fitting in self.fittings], axis=1)
        own = jnp.take_along_axis(found, pairs.centres[:, None], axis=1)[:, 0]
        return own + jnp.asarray(self.bias)[pairs.centres]

    def descriptors(self, pairs: Pairs) -> Any:
        """D `(atoms, M axis)`."""
        r = pairs.distances
        u = jnp.clip((r - self.start) / (self.cutoff - self.start), 0, 1)
        w = jnp.where(pairs.mask, 1 + u**3 * (-6 * u**2 + 15 * u - 10), 0)
        R = jnp.concatenate([(w / r)[..., None], (w / r**2)[..., None] * pairs.vectors], axis=-1)
        total: Any = 0.0
        for kind, count in enumerate(self.sel):
            davg, dstd = (jnp.asarray(a)[pairs.centres, kind] for a in (self.davg, self.dstd))  # (atoms, 4)
            held = pairs.mask & (pairs.species == kind)
            scaled = (R - davg[:, None]) / dstd[:, None]
            G = self._embedded(scaled[..., 0], pairs.centres, kind)
            total = total + jnp.einsum("nkm,nkd->nmd", jnp.where(held[..., None], G, 0), scaled)
            empty = -davg / dstd
            rest = count - jnp.sum(held, axis=1)
            G = self._embedded(empty[:, :1], pairs.centres, kind)[:, 0]
            total = total + rest[:, None, None] * G[:, :, None] * empty[:, None, :]
        A = total / sum(self.sel)
        return jnp.einsum("nmd,nad->nma", A, A[:, : self.axis]).reshape(len(r), -1)

    def _embedded(self, s: Any, centres: Any, kind: int) -> Any:
        if self.one_sided:
            return self.embeddings[kind](s[..., None])
        types = len(self.sel)
        found = jnp.stack([self.embeddings[own + types * kind](s[..., None]) for own in range(types)])
        return jnp.take_along_axis(found, centres[None, :, None, None], axis=0)[0]

    def crowded(self, pairs: Pairs) -> Any:
        """Whether an atom has more neighbours of a type within the cutoff than `sel`: DeePMD-kit would drop some of them."""
        counts = [jnp.max(jnp.sum(pairs.mask & (pairs.species == kind), axis=1)) for kind in range(len(self.sel))]
        return jnp.any(jnp.stack(counts) > jnp.asarray(self.sel))

    def __repr__(self) -> str:
        return (
            f"DeepPotential({', '.join(self.names)}; se_e2_a, cutoff {self.cutoff:g} angstrom, sel {list(self.sel)}, "
            f"{sum(a.size for a in jax.tree.leaves(self))} parameters)"
        )
