"""Attention between the neighbours of an atom, as in DPA-1."""

# Annotations are not postponed here, as Equinox asks of fields.

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ._nets import Layer

SHIFT = 20.0  # DeePMD-kit's logit of a neighbour at the cutoff


class Attention(eqx.Module):
    """A gated layer of self-attention (Zhang et al. 2022, arXiv 2208.08236, equations 8 to 12):

        Q, K, V = split(G W_in + b_in),    A = softmax(l)_jk u_j . u_k,    G' = norm(G + (A V) W_out + b_out)

    with l = scale Q K^T, and rows of Q, K, V of length one if `normalize`; u are directions to the neighbours, left out without
    `angular`. If `smooth`, l -> (l + 20) w_j w_k - 20 and A -> A w_j w_k with the switch w, so that a neighbour comes in
    smoothly; empty places are in the softmax. Otherwise they are not, and the energy jumps where one enters.

    **Attributes:** `inward`, `outward`, linear layers; `weight`, `shift` of the norm; `scaling_factor` and `temperature`: scale
    is the latter, or (columns x scaling_factor)^-1/2 where it is None; `eps` is added to the variance in the norm.
    """

    inward: Layer
    outward: Layer
    weight: Any
    shift: Any
    scaling_factor: float = eqx.field(static=True, default=1.0)
    temperature: float | None = eqx.field(static=True, default=None)
    normalize: bool = eqx.field(static=True, default=True)
    angular: bool = eqx.field(static=True, default=True)
    smooth: bool = eqx.field(static=True, default=True)
    eps: float = eqx.field(static=True, default=1e-5)

    @staticmethod
    def new(width: int, columns: int, *, rng: Any, **options: Any) -> "Attention":
        linear = lambda n, m: Layer(rng.normal(size=(n, m)) / np.sqrt(n + m), rng.normal(size=m), None, "none", False)  # noqa: E731
        return Attention(linear(width, 3 * columns), linear(columns, width), np.ones(width), np.zeros(width), **options)

    @property
    def columns(self) -> int:
        return self.outward.w.shape[0]

    def __call__(self, G: Any, inside: Any, w: Any, angles: Any, missing: int) -> Any:
        """G' of G `(rows, slots, width)`.

        **Arguments:** `inside` `(rows, slots)`, which slots hold a neighbour; `w` `(rows, slots)`; `angles` `(rows, slots,
        slots)`, u_j . u_k; `missing`, how many empty places there are beside the slots.
        """
        Q, K, V = jnp.split(self.inward(G), 3, axis=-1)
        if self.normalize:
            Q, K, V = (x / jnp.linalg.norm(x, axis=-1, keepdims=True) for x in (Q, K, V))
        scale = (self.columns * self.scaling_factor) ** -0.5 if self.temperature is None else self.temperature
        logits = scale * jnp.einsum("njd,nkd->njk", Q, K)
        if self.smooth:
            both = w[:, :, None] * w[:, None, :]
            A = both * _softmax((logits + SHIFT) * both - SHIFT, missing)
        else:
            # Not minus infinity: an atom may have no neighbours.
            A = _softmax(jnp.where(inside[:, None, :], logits, jnp.finfo(logits.dtype).min / 2), 0)
        if self.angular:
            A = A * angles
        x = G + self.outward(jnp.einsum("njk,nkd->njd", A, V))
        x = x - jnp.mean(x, axis=-1, keepdims=True)
        return x / jnp.sqrt(jnp.mean(x**2, axis=-1, keepdims=True) + self.eps) * self.weight + self.shift


def _softmax(logits: Any, missing: int) -> Any:
    """Over the last axis, with as many more entries of -SHIFT as are `missing`."""
    top = jax.lax.stop_gradient(jnp.max(logits, axis=-1, keepdims=True))
    e = jnp.exp(logits - top)
    return e / (jnp.sum(e, axis=-1, keepdims=True) + missing * jnp.exp(-SHIFT - top))
