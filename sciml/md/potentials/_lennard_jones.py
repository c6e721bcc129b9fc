"""Lennard-Jones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp

from ..._precision import float64
from ..atoms._pairs import AbstractPairPotential
from ._mixing import Rule, lorentz_berthelot, tables
from ._pair_forms import check_tables, for_pairs, kinds_in, table


class LennardJones(AbstractPairPotential):
    """E = sum over pairs of 4 epsilon ((sigma / r)^12 - (sigma / r)^6) (Lennard-Jones 1924, doi:10.1098/rspa.1924.0082).

    **Arguments:** `epsilon` [eV] and `sigma` [angstrom], numbers or symmetric `(species, species)`; `cutoff` [angstrom]. At the
    cutoff it is truncated, `shift=True` moves it to zero, and `switch=r` takes it to zero between r and the cutoff with two
    continuous derivatives. `names` of the species in the order of the tables; without them it is the system's order. What is
    beyond the cutoff: `md.tail_correction`.

    **Raises** `ValueError` where these do not fit.

    Good values: argon 0.0104 eV, 3.4 angstrom, cutoff 2.5 sigma.

    >>> LennardJones(*lorentz_berthelot([0.0104, 0.0141], [3.40, 3.65]), cutoff=9.0, names=("Ar", "Kr"))
    LennardJones(Ar, Kr; cutoff 9 angstrom)
    """

    epsilon: Any = eqx.field(converter=table)
    sigma: Any = eqx.field(converter=table)
    cutoff: float = eqx.field(static=True)
    shift: bool = eqx.field(static=True, default=False)
    switch: float | None = eqx.field(static=True, default=None)
    names: tuple[str, ...] | None = eqx.field(static=True, default=None, kw_only=True)

    def __check_init__(self):
        switch = self.switch
        if not self.cutoff > 0 or (switch is not None and (self.shift or not 0 < switch < self.cutoff)):
            raise ValueError(
                f"LennardJones: cutoff={self.cutoff!r}, switch={switch!r}, shift={self.shift!r}; expected a positive cutoff, "
                "and at most one of shift and a switch below the cutoff."
            )
        check_tables(self, epsilon=self.epsilon, sigma=self.sigma)

    @staticmethod
    def of(
        parameters: Mapping[Any, Any], *, cutoff: float, mixing: Rule = lorentz_berthelot, shift: bool = False,
        switch: float | None = None,
    ) -> LennardJones:  # fmt: skip
        """From `(epsilon [eV], sigma [angstrom])` of each species by name, and of those pairs that are not to be mixed.

        >>> argon_krypton = {"Ar": (0.0104, 3.40), "Kr": (0.0141, 3.65), ("Ar", "Kr"): (0.0119, 3.53)}
        >>> LennardJones.of(argon_krypton, cutoff=9.0)
        LennardJones(Ar, Kr; cutoff 9 angstrom)
        """
        with float64():
            names, epsilon, sigma = tables(parameters, mixing)
        return LennardJones(epsilon=epsilon, sigma=sigma, cutoff=cutoff, shift=shift, switch=switch, names=names)

    @property
    def kinds(self) -> int | None:
        return kinds_in(self.epsilon, self.sigma)

    def pair_energies(self, square: Any, a: Any, b: Any) -> Any:
        epsilon, sigma = (for_pairs(p, a, b) for p in (self.epsilon, self.sigma))
        value = _curve(square, epsilon, sigma)
        if self.shift:
            value = value - _curve(jnp.asarray(self.cutoff, square.dtype) ** 2, epsilon, sigma)
        return value if self.switch is None else value * switched(jnp.sqrt(square), self.switch, self.cutoff)

    def __repr__(self) -> str:
        names = "" if self.names is None else f"{', '.join(self.names)}; "
        return f"LennardJones({names}cutoff {self.cutoff:g} angstrom)"


def _curve(square: Any, epsilon: Any, sigma: Any) -> Any:
    attraction = (sigma**2 / square) ** 3
    return 4 * epsilon * (attraction**2 - attraction)


def switched(r: Any, start: float, end: float) -> Any:
    """One below `start`, zero beyond `end`, a quintic with two continuous derivatives between them."""
    u = jnp.clip((r - start) / (end - start), 0, 1)
    return 1 + u**3 * (-6 * u**2 + 15 * u - 10)
