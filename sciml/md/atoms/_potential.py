"""What a potential is: one of three kinds, or a sum of them."""

# Annotations are not postponed here: Equinox must see AbstractVar.

from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ._arguments import shown
from ._system import System

if TYPE_CHECKING:
    from ._pairs import Pairs


class AbstractPotential(eqx.Module):
    """The energy of atoms as a sum over atoms, each of which depends on its neighbours within `cutoff` [angstrom].

    Potentials are added: `a + b`. What a potential may have besides: `names` of the species it knows, in the order of its
    tables; `closest` [angstrom], the distance below which it makes no sense, or None.
    """

    cutoff: eqx.AbstractVar[float]

    def atom_energies(self, pairs: "Pairs") -> Any:
        """The energy of each row's atom `(rows,)` [eV]."""
        raise NotImplementedError

    def energies_and_slopes(self, pairs: "Pairs") -> tuple[Any, Any]:
        """`atom_energies`, and the derivative of their sum with respect to `pairs.vectors`: what `evaluate` asks for."""

        def total(vectors: Any) -> tuple[Any, Any]:
            each = self.atom_energies(eqx.tree_at(lambda p: p.vectors, pairs, vectors))
            return jnp.sum(each), each

        (_, each), slopes = jax.value_and_grad(total, has_aux=True)(pairs.vectors)
        return each, slopes

    def __add__(self, other: Any) -> "Sum":
        return Sum(self, other) if isinstance(other, AbstractPotential) else NotImplemented


class AbstractPairPotential(AbstractPotential):
    """The energy of atoms as a sum over pairs closer than `cutoff`."""

    def pair_energies(self, square: Any, a: Any, b: Any) -> Any:
        """The energy [eV] of pairs at the squared distance `square` [angstrom^2], for any shape of it; `a` and `b` are the
        species of the two."""
        raise NotImplementedError

    def atom_energies(self, pairs: "Pairs") -> Any:
        square = dot(pairs.vectors, pairs.vectors)
        found = self.pair_energies(square, pairs.centres[:, None], pairs.species)
        return jnp.sum(jnp.where(pairs.mask, found, 0), axis=1) / 2


class AbstractGlobalPotential(AbstractPotential):
    """An energy that needs no list of neighbours: bonds, angles, long-range corrections. Its `cutoff` is 0."""

    def shared_energies(self, positions: Any, cell: Any, species: Any, periodic: tuple[bool, bool, bool]) -> Any:
        """The energy shared among the atoms `(atoms,)` [eV], in any way whose sum is the energy; `species` are the potential's
        numbers. Forces and the virial are its derivatives with respect to positions and strain."""
        raise NotImplementedError


class Sum(AbstractPotential):
    """The sum of potentials, `md.Sum(a, b)` or `a + b`. Each part sees the pairs within its own cutoff, from one list of the
    largest.

    **Attributes:** `parts`; `cutoff`, the largest [angstrom]; `closest`, the largest of the parts, or None.
    """

    parts: tuple[AbstractPotential, ...]
    cutoff: float = eqx.field(static=True)

    def __init__(self, *parts: AbstractPotential):
        wrong = [part for part in parts if not isinstance(part, AbstractPotential)]
        if wrong or not parts:
            raise ValueError(f"Sum: expected potentials; {', '.join(type(w).__name__ for w in wrong) or 'nothing'} came.")
        self.parts = tuple(p for part in parts for p in (part.parts if isinstance(part, Sum) else (part,)))
        self.cutoff = max(part.cutoff for part in self.parts)

    @property
    def closest(self) -> float | None:
        found = [c for part in self.parts if (c := getattr(part, "closest", None)) is not None]
        return max(found, default=None)

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.parts))


def parts_of(potential: AbstractPotential, species: Any) -> list[tuple[AbstractPotential, Any]]:
    """The parts of a sum, or the potential itself, each with its numbers of the species, which a sum has in columns."""
    if not isinstance(potential, Sum):
        return [(potential, species)]
    columns = species.T if species.ndim == 2 else [species] * len(potential.parts)
    return list(zip(potential.parts, columns, strict=True))


def kinds_of(potential: AbstractPotential, names: tuple[str, ...]) -> np.ndarray:
    """The potential's number for each species of a system; their own where it has no `names`. For a sum `(names, parts)`.

    **Raises** `ValueError` where the potential does not know a species, or has tables of fewer.
    """
    if isinstance(potential, Sum):
        return np.stack([kinds_of(part, names) for part in potential.parts], axis=1)
    known = getattr(potential, "names", None)
    if known is None:
        count = getattr(potential, "kinds", None)
        if count is not None and len(names) > count:
            raise ValueError(f"The potential has parameters of {count} species; the system has {', '.join(names)}.")
        return np.arange(len(names), dtype=np.int32)
    missing = [name for name in names if name not in known]
    if missing:
        raise ValueError(f"The potential does not know {', '.join(missing)}; it knows {', '.join(known)}.")
    return np.array([known.index(name) for name in names], np.int32)


def computed(potential: Any) -> Any:
    """`potential` without what makes no difference to its energies (the data that it was trained on, the `computed` of a part
    says), so that what was compiled for one serves others of the same structure."""
    has = lambda p: hasattr(type(p), "computed")  # noqa: E731
    return jax.tree.map(lambda p: p.computed if has(p) else p, potential, is_leaf=has)


def split(potential: Any) -> tuple[Any, Any]:
    """(structure and functions, to be hashed; numbers and arrays, to be traced) of a `computed` potential."""
    return eqx.partition(computed(potential), eqx.is_array_like)[::-1]


def common_names(potential: AbstractPotential, names: tuple[str, ...]) -> tuple[str, ...]:
    """`names` in the order of the potential, so that systems which differ in the order alone are computed by one program; in
    their own order where the potential has parameters by the order of species.

    **Raises** `ValueError` where the potential does not know a species.
    """
    kinds_of(potential, names)
    known: Any = next((n for part in parts_in(potential) if (n := getattr(part, "names", None)) is not None), None)
    return names if known is None or by_order(potential) else tuple(name for name in known if name in names)


def by_order(potential: AbstractPotential) -> list[AbstractPotential]:
    """The parts whose parameters belong to species by their order in a system."""
    return [p for p in parts_in(potential) if getattr(p, "names", None) is None and getattr(p, "kinds", 0) is not None]


def seen_by(potential: AbstractPotential, atoms: System) -> System:
    """What a potential sees of concrete atoms: no masses, velocities, charges and units, and names that tell systems apart only
    where the potential does. **Raises** `ValueError` where it does not know a species."""
    names, species = common_names(potential, atoms.names), atoms.species
    if names != atoms.names:
        species = np.array([names.index(name) for name in atoms.names], np.int32)[np.asarray(species)]
    if has_no_names(potential):
        names = tuple(map(str, range(len(names))))
    return System(atoms.positions, species, atoms.cell, None, names=names, periodic=atoms.periodic)


def has_no_names(potential: AbstractPotential) -> bool:
    """Whether species are numbers to it, those of the system."""
    return all(getattr(part, "names", None) is None for part in parts_in(potential))


def parts_in(potential: AbstractPotential) -> tuple[AbstractPotential, ...]:
    return potential.parts if isinstance(potential, Sum) else (potential,)


def needs_transposed(potential: AbstractPotential) -> bool:
    """Whether forces need a transposed list: those of pair potentials and of potentials without a list do not."""
    return not all(isinstance(part, (AbstractPairPotential, AbstractGlobalPotential)) for part in parts_in(potential))


def dot(a: Any, b: Any) -> Any:
    """The product of vectors, over the last axis. Written out: XLA's sum over so short an axis costs more than a net's largest
    product."""
    return sum(a[..., d] * b[..., d] for d in range(a.shape[-1]))


def over(potential: Any, function: Any, *batches: Any) -> Any:
    """`function` of each of a batch. Potentials that are `large` (a net's temporaries are) take one after the other: that costs
    them nothing, saves memory, and keeps a condition from becoming a choice between two results that are both computed."""
    if _is_large(potential):
        return jax.lax.map(lambda each: function(*each), batches)
    return jax.vmap(function)(*batches)


def _is_large(potential: Any) -> bool:
    inside = (*getattr(potential, "parts", ()), getattr(potential, "inner", None))
    return getattr(potential, "large", False) or any(_is_large(p) for p in inside if p is not None)


def is_global(potential: AbstractPotential) -> bool:
    """Whether it needs no list of neighbours at all."""
    return all(isinstance(part, AbstractGlobalPotential) for part in parts_in(potential))


def expect_potential(given: Any, where: str) -> None:
    """**Raises** `ValueError` where no potential came."""
    if not isinstance(given, AbstractPotential):
        raise ValueError(
            f"{where}: expected a potential, such as md.LennardJones(...), md.load_eam(file) or md.DeepPotential.load(file); "
            f"{shown(given)} came."
        )
