"""Energies of pairs as functions of the distance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._precision import is_traced
from ..atoms._pairs import AbstractPairPotential


class Opaque(eqx.Module):
    """A plain function inside a potential, which compiled functions take as an argument."""

    function: Callable[..., Any] = eqx.field(static=True)

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.function(*args, **options)


def table(parameter: Any) -> Any:
    """Lists as arrays; everything else as it is."""
    return np.asarray(parameter, float) if isinstance(parameter, (list, tuple)) else parameter


def traceable(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` with arrays alone as leaves."""
    return jax.tree.map(lambda leaf: Opaque(leaf) if callable(leaf) else leaf, function)


class Morse(AbstractPairPotential):
    """phi(r) = depth (exp(-2 width (r - distance)) - 2 exp(-width (r - distance))) (Morse 1929, doi:10.1103/PhysRev.34.57),
    zero beyond `cutoff` [angstrom], where it is truncated, or moved to zero (`shift=True`).

    **Arguments:** `depth` [eV], `width` [1/angstrom], `distance` [angstrom], numbers or symmetric `(species, species)`; `names`
    of the species in the order of tables.
    """

    depth: Any = eqx.field(converter=table)
    width: Any = eqx.field(converter=table)
    distance: Any = eqx.field(converter=table)
    cutoff: float = eqx.field(static=True)
    shift: bool = eqx.field(static=True, default=False)
    names: tuple[str, ...] | None = eqx.field(static=True, default=None, kw_only=True)

    def __check_init__(self):
        check_cutoff(self)
        check_tables(self, depth=self.depth, width=self.width, distance=self.distance)

    @property
    def kinds(self) -> int | None:
        return kinds_in(self.depth, self.width, self.distance)

    def pair_energies(self, square: Any, a: Any, b: Any) -> Any:
        depth, width, distance = (for_pairs(p, a, b) for p in (self.depth, self.width, self.distance))

        def curve(r: Any) -> Any:
            e = jnp.exp(-width * (r - distance))
            return depth * (e**2 - 2 * e)

        return shifted(curve, square, self)


class Buckingham(AbstractPairPotential):
    """phi(r) = A exp(-r / rho) - C / r^6 (Buckingham 1938, doi:10.1098/rspa.1938.0173), zero beyond `cutoff` [angstrom], where
    it is truncated, or moved to zero (`shift=True`). It falls to minus infinity where atoms come closer than its maximum.

    **Arguments:** `A` [eV], `rho` [angstrom], `C` [eV angstrom^6], numbers or symmetric `(species, species)`; `names` of the
    species in the order of tables.
    """

    A: Any = eqx.field(converter=table)
    rho: Any = eqx.field(converter=table)
    C: Any = eqx.field(converter=table)
    cutoff: float = eqx.field(static=True)
    shift: bool = eqx.field(static=True, default=False)
    names: tuple[str, ...] | None = eqx.field(static=True, default=None, kw_only=True)

    def __check_init__(self):
        check_cutoff(self)
        check_tables(self, A=self.A, rho=self.rho, C=self.C)

    @property
    def kinds(self) -> int | None:
        return kinds_in(self.A, self.rho, self.C)

    @property
    def closest(self) -> float | None:
        """Where the curve has its maximum [angstrom], the least of all pairs; None where it has none."""
        if is_traced(self.A, self.rho, self.C):
            return None
        found = [_maximum(*values) for values in np.broadcast(*(np.asarray(p, float) for p in (self.A, self.rho, self.C)))]
        return min((r for r in found if r is not None), default=None)

    def pair_energies(self, square: Any, a: Any, b: Any) -> Any:
        A, rho, C = (for_pairs(p, a, b) for p in (self.A, self.rho, self.C))
        return shifted(lambda r: A * jnp.exp(-r / rho) - C / r**6, square, self)


def _maximum(A: float, rho: float, C: float) -> float | None:
    """phi'(r) = 0 where x^7 exp(-x) = 6 C / (A rho^6), x = r / rho: the root below x = 7, where the left side is largest."""
    from scipy.optimize import brentq

    if not (A > 0 and rho > 0 and C > 0):
        return None
    level = np.log(6 * C / (A * rho**6))
    f = lambda x: 7 * np.log(x) - x - level  # noqa: E731
    return rho * float(brentq(f, np.exp(min(level / 7, 0.0)) / 2, 7.0)) if f(7.0) > 0 else None  # type: ignore[arg-type]


class PairPotential(AbstractPairPotential):
    """A function of the distance: phi(r) = `function(r)` [eV], r in angstrom, zero beyond `cutoff` [angstrom], where it is
    truncated, or moved to zero (`shift=True`).

    `function` takes an array of any shape, and may be an Equinox module whose parameters are trained. With `by_species=True`
    it is called as `function(r, a, b)` with the numbers of the two species, in the order of `names`, or else of the system.
    `closest` [angstrom]: a run stops where atoms come closer.
    """

    function: Callable[..., Any] = eqx.field(converter=traceable)
    cutoff: float = eqx.field(static=True)
    shift: bool = eqx.field(static=True, default=False)
    by_species: bool = eqx.field(static=True, default=False)
    names: tuple[str, ...] | None = eqx.field(static=True, default=None, kw_only=True)
    closest: float | None = eqx.field(static=True, default=None, kw_only=True)

    def __check_init__(self):
        check_cutoff(self)

    def pair_energies(self, square: Any, a: Any, b: Any) -> Any:
        return shifted(lambda r: self.function(r, a, b) if self.by_species else self.function(r), square, self)


def shifted(curve: Callable[[Any], Any], square: Any, potential: Any) -> Any:
    """`curve` at the root of `square`, minus its value at the cutoff where the potential has `shift`."""
    value = curve(jnp.sqrt(square))
    return value - curve(jnp.asarray(potential.cutoff, square.dtype)) if potential.shift else value


def for_pairs(parameter: Any, a: Any, b: Any) -> Any:
    """A number for all pairs, or a table `(species, species)`."""
    found = jnp.asarray(parameter)
    return found if not found.ndim else found[a, b]


def kinds_in(*parameters: Any) -> int | None:
    """How many species tables are for, None where all parameters are numbers."""
    return max((np.shape(p)[0] for p in parameters if np.ndim(p)), default=None)


def check_cutoff(potential: Any) -> None:
    if not potential.cutoff > 0:
        raise ValueError(f"{type(potential).__name__}: cutoff={potential.cutoff!r}; expected a positive number [angstrom].")


def check_tables(potential: Any, **parameters: Any) -> None:
    """**Raises** `ValueError` where parameters are neither numbers nor symmetric tables of all species."""
    count = kinds_in(*parameters.values()) if potential.names is None else len(potential.names)
    for name, parameter in parameters.items():
        fits = np.shape(parameter) in ((), (count, count))
        if not fits or not (is_traced(parameter) or np.array_equal(parameter, np.transpose(parameter))):
            raise ValueError(
                f"{type(potential).__name__}: {name} has the shape {np.shape(parameter)}; expected a number or a symmetric "
                f"table (species, species){'' if potential.names is None else f' of {count}'}."
            )
