"""Energies of pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp

from .._pairs import AbstractPairPotential


class Morse(AbstractPairPotential):
    """phi(r) = depth (exp(-2 width (r - distance)) - 2 exp(-width (r - distance))) (Morse 1929, doi:10.1103/PhysRev.34.57), zero
    beyond `cutoff` [angstrom], where it is truncated, or moved to zero (`shift=True`).

    **Arguments:** `depth` [eV], `width` [1/angstrom], `distance` [angstrom].
    """

    depth: Any
    width: Any
    distance: Any
    cutoff: float = eqx.field(static=True)
    shift: bool = eqx.field(static=True, default=False)

    def pair_energies(self, square: Any, a: Any, b: Any) -> Any:
        depth, width, distance = (for_pairs(p, a, b) for p in (self.depth, self.width, self.distance))

        def curve(r: Any) -> Any:
            e = jnp.exp(-width * (r - distance))
            return depth * (e**2 - 2 * e)

        return shifted(curve, square, self)


class Buckingham(AbstractPairPotential):
    """phi(r) = A exp(-r / rho) - C / r^6 (Buckingham 1938, doi:10.1098/rspa.1938.0173), zero beyond `cutoff` [angstrom], where
    it is truncated, or moved to zero (`shift=True`). It falls to minus infinity where atoms come very close.

    **Arguments:** `A` [eV], `rho` [angstrom], `C` [eV angstrom^6].
    """

    A: Any
    rho: Any
    C: Any
    cutoff: float = eqx.field(static=True)
    shift: bool = eqx.field(static=True, default=False)

    def pair_energies(self, square: Any, a: Any, b: Any) -> Any:
        A, rho, C = (for_pairs(p, a, b) for p in (self.A, self.rho, self.C))
        return shifted(lambda r: A * jnp.exp(-r / rho) - C / r**6, square, self)


class PairPotential(AbstractPairPotential):
    """A function of the distance: phi(r) = `function(r)` [eV], r in angstrom, zero beyond `cutoff`.

    `function` takes an array of any shape, and may be an Equinox module whose parameters are trained. With `by_species=True`
    it is called as `function(r, a, b)` with the numbers of the two species.
    """

    function: Callable[..., Any]
    cutoff: float = eqx.field(static=True)
    shift: bool = eqx.field(static=True, default=False)
    by_species: bool = eqx.field(static=True, default=False)

    def pair_energies(self, square: Any, a: Any, b: Any) -> Any:
        return shifted(lambda r: self.function(r, a, b) if self.by_species else self.function(r), square, self)


def shifted(curve: Callable[[Any], Any], square: Any, potential: Any) -> Any:
    """`curve` at the root of `square`, minus its value at the cutoff where the potential has `shift`."""
    value = curve(jnp.sqrt(square))
    return value - curve(jnp.asarray(potential.cutoff, square.dtype)) if potential.shift else value


def for_pairs(parameter: Any, a: Any, b: Any) -> Any:
    """A number for all pairs, or a table `(species, species)`."""
    table = jnp.asarray(parameter)
    return table if not table.ndim else table[a, b]
