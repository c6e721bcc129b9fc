"""The potential of Stillinger and Weber for silicon and its like."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp

from ..atoms._pairs import AbstractPotential, Pairs


class StillingerWeber(AbstractPotential):
    """Two- and three-body energies (Stillinger & Weber 1985, doi:10.1103/PhysRevB.31.5262), of one species.

        phi2(r) = A epsilon (B (sigma/r)^p - (sigma/r)^q) exp(sigma / (r - a sigma))
        phi3(r, s, theta) = lambda epsilon (cos theta - cos0)^2
                            exp(gamma sigma / (r - a sigma)) exp(gamma sigma / (s - a sigma))

    The defaults are those of silicon. **Arguments:** `epsilon` [eV], `sigma` [angstrom]; `cutoff`, a sigma [angstrom]; the
    others have no unit.
    """

    epsilon: Any = 2.1683
    sigma: Any = 2.0951
    cutoff: float = eqx.field(static=True, default=1.80 * 2.0951)
    strength: Any = 21.0
    gamma: Any = 1.20
    cos0: Any = -1 / 3
    A: Any = 7.049556277
    B: Any = 0.6022245584
    p: float = eqx.field(static=True, default=4.0)
    q: float = eqx.field(static=True, default=0.0)

    def atom_energies(self, pairs: Pairs) -> Any:
        r = pairs.distances
        inside = pairs.mask & (r < self.cutoff * (1 - 1e-7))
        r = jnp.where(inside, r, self.sigma)
        tail = self.sigma / (r - self.cutoff)
        x = self.sigma / r
        two = self.A * self.epsilon * (self.B * x**self.p - x**self.q) * jnp.exp(tail)
        decay = jnp.where(inside, jnp.exp(self.gamma * tail), 0)
        unit = pairs.vectors / r[..., None]
        cos = jnp.einsum("nkd,nld->nkl", unit, unit)
        three = (cos - self.cos0) ** 2 * decay[:, :, None] * decay[:, None, :]
        diagonal = jnp.sum((jnp.sum(unit**2, axis=-1) - self.cos0) ** 2 * decay**2, axis=1)
        angles = (jnp.sum(three, axis=(1, 2)) - diagonal) / 2
        return jnp.sum(jnp.where(inside, two, 0), axis=1) / 2 + self.strength * self.epsilon * angles
