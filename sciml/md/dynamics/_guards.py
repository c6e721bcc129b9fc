"""Where a potential means nothing: atoms closer than it knows, more neighbours than it has places for.

A potential may have `closest`, a distance or `(species, species)` [angstrom], and `crowded(pairs)`, a sentence about atoms that
have too many neighbours, whose energies it makes NaN itself. Inside a run a potential gives NaN below `closest`, which costs
nothing beside the energies of the pairs and cannot be missed between two looks of the host; the host finds the first step
where it came about, and what it was.
"""

# Annotations are not postponed here: Equinox must see what overrides an AbstractVar.

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ..._precision import float64
from ..atoms._closest import closest_pair, nearest_distances
from ..atoms._neighbours import Neighbours, allocate
from ..atoms._pairs import AbstractPairPotential, AbstractPotential, Pairs, Sum, crowd, kinds_of, neighbours_for
from ..atoms._potential import dot
from ..atoms._system import System
from ..atoms._units import METAL

OVERLAP = 0.1  # of a usual distance
FALLEN = 0.25  # where atoms are that a potential without a lower bound pulls into each other


class _GuardedPairs(AbstractPairPotential):
    inner: AbstractPairPotential
    closest: Any

    @property
    def cutoff(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.inner.cutoff

    @property
    def names(self) -> Any:
        return getattr(self.inner, "names", None)

    @property
    def kinds(self) -> Any:
        return getattr(self.inner, "kinds", None)

    def pair_energies(self, square: Any, a: Any, b: Any) -> Any:
        close = square < _of(self.closest, a, b) ** 2
        return self.inner.pair_energies(square, a, b) * jnp.where(close, jnp.nan, 1.0).astype(square.dtype)


class _Guarded(AbstractPotential):
    inner: AbstractPotential
    closest: Any

    @property
    def cutoff(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.inner.cutoff

    @property
    def names(self) -> Any:
        return getattr(self.inner, "names", None)

    @property
    def kinds(self) -> Any:
        return getattr(self.inner, "kinds", None)

    def atom_energies(self, pairs: Pairs) -> Any:
        return self.inner.atom_energies(pairs) * self._factor(pairs)

    def energies_and_slopes(self, pairs: Pairs) -> tuple[Any, Any]:
        (each, slopes), factor = self.inner.energies_and_slopes(pairs), self._factor(pairs)
        return each * factor, slopes * factor[:, None, None]

    def _factor(self, pairs: Pairs) -> Any:
        """NaN for rows where the potential means nothing, so that energies and forces are NaN."""
        square = dot(pairs.vectors, pairs.vectors)
        close = pairs.mask & (square < _of(self.closest, pairs.centres[:, None], pairs.species) ** 2)
        return jnp.where(jnp.any(close, axis=1), jnp.nan, 1.0).astype(pairs.vectors.dtype)


def _of(closest: Any, a: Any, b: Any) -> Any:
    table = jnp.asarray(closest)
    return table[a, b] if table.ndim else table


def guarded(potential: AbstractPotential) -> AbstractPotential:
    """A potential that is NaN where it means nothing; itself where it does not say. **Raises** `ValueError` where `closest` is
    no distance below the cutoff."""
    if isinstance(potential, Sum):
        return Sum(*(guarded(part) for part in potential.parts))
    closest = getattr(potential, "closest", None)
    if closest is not None:
        table = np.asarray(closest, float)
        if table.ndim not in (0, 2) or not np.all((table >= 0) & (table < potential.cutoff)):
            raise ValueError(
                f"{type(potential).__name__}: closest={closest!r}; expected a distance [angstrom], or one for each pair of "
                f"species, from 0 to the cutoff {potential.cutoff:g}."
            )
    if closest is None:
        return potential
    return (_GuardedPairs if isinstance(potential, AbstractPairPotential) else _Guarded)(potential, closest)  # type: ignore


def _limits(potential: AbstractPotential, atoms: System) -> tuple[np.ndarray, np.ndarray]:
    table = np.asarray(potential.closest, float)  # type: ignore[attr-defined]
    kinds = kinds_of(potential, atoms.names)[np.asarray(atoms.species)] if table.ndim else np.asarray(atoms.species)
    size = max(int(kinds.max()) + 1, len(atoms.names))
    return kinds, np.maximum(np.broadcast_to(table, (size, size)) if not table.ndim else table, 1e-30)


def _usual(atoms: System, n: Neighbours) -> tuple[np.ndarray, np.ndarray]:
    """Usual distances: sums of covalent radii, else the median distance of the nearest neighbour."""
    from ase.data import atomic_numbers, covalent_radii  # pyright: ignore[reportMissingImports]

    kinds, size = np.asarray(atoms.species), len(atoms.names)
    if atoms.units == METAL and all(name in atomic_numbers for name in atoms.names):
        radii = np.array([covalent_radii[atomic_numbers[name]] for name in atoms.names])
        return kinds, radii[:, None] + radii
    nearest = nearest_distances(atoms, n)
    nearest = nearest[np.isfinite(nearest)]
    return kinds, np.full((size, size), max(float(np.median(nearest)) if len(nearest) else 1.0, 1e-12))


def check_start(potential: AbstractPotential, atoms: System, n: Neighbours) -> None:
    """**Raises** `ValueError` where atoms lie on each other, closer than the potential knows, or are too crowded for it."""
    if getattr(potential, "closest", None) is not None:
        found = invasion(potential, atoms, n)
        if found:
            raise ValueError(f"At the start {found}")
    else:
        ratio, words, usual = closest_pair(atoms, n, *_usual(atoms, n))
        if ratio < OVERLAP:
            raise ValueError(
                f"At the start {words}, where {usual:.3g} is usual: they lie on each other. Are the positions in "
                "angstrom? Is one atom there twice, or the cell too small? (A potential for which this makes sense says so "
                "with closest = 0.)"
            )
    found = crowd(potential, atoms, n)
    if found:
        raise ValueError(f"At the start {found}")


def invasion(potential: AbstractPotential, atoms: System, n: Neighbours) -> str:
    """Which atoms are closer than the potential knows, in words, or nothing."""
    if getattr(potential, "closest", None) is None:
        return ""
    ratio, words, limit = closest_pair(atoms, n, *_limits(potential, atoms))
    if ratio >= 1:
        return ""
    return (
        f"{words}, and {type(potential).__name__} knows nothing below {limit:.4g}. Relax the atoms, take a shorter time step "
        "or a lower temperature, or a potential that holds there."
    )


class Cause(NamedTuple):
    """`names_it`: whether `text` is what went wrong, and not only the closest pair."""

    text: str
    names_it: bool


def what_happened(potential: AbstractPotential, atoms: System, skin: float | None) -> Cause:
    """Why a run went wrong where the atoms are at these positions."""
    n = neighbours_for(atoms, potential, skin=skin)
    found = invasion(potential, atoms, n) or crowd(potential, atoms, n)
    if found:
        return Cause(found, True)
    ratio, words, _ = closest_pair(atoms, n)
    return Cause(f"{words}, the closest of all." if np.isfinite(ratio) else "", False)


def fallen_together(potential: AbstractPotential, atoms: System) -> str:
    """Which two atoms are closer than a quarter of what is usual, in words, or nothing."""
    with float64():
        n = allocate(atoms, max(potential.cutoff, 3.0), skin=0.0)
        ratio, words, _ = closest_pair(atoms, n, *_usual(atoms, n))
    return words[0].upper() + words[1:] if ratio < FALLEN else ""
