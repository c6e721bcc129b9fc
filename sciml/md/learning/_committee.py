"""Several potentials of the same kind, trained from different starts: where they differ, none of them is to be trusted."""

# Annotations are not postponed here: Equinox must see what overrides an AbstractVar.

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._precision import float64, is_traced
from ..atoms._neighbours import Neighbours
from ..atoms._pairs import AbstractGlobalPotential, AbstractPotential, Pairs, Sum
from ..atoms._potential import over
from ..atoms._system import System
from ..dynamics._batch import TOGETHER, batches, evaluate_lists, on_device
from ..dynamics._evaluate_batch import current, settled


@dataclass(frozen=True)
class Deviation:
    """How far potentials differ (Zhang et al. 2020, doi:10.1016/j.cpc.2020.107206), with averages over the potentials:

        eps_i = sqrt(< |F_i - <F_i>|^2 >)

    **Attributes:** `forces` `(atoms,)`, eps_i [eV/angstrom], and `mean_forces` `(atoms, 3)`, <F_i>; `energy`, the standard
    deviation of the energy per atom, and `virial` `(3, 3)`, that of each component of the virial per atom [eV/atom].
    """

    forces: np.ndarray
    mean_forces: np.ndarray
    energy: float
    virial: np.ndarray

    @property
    def max(self) -> float:
        """The largest eps_i; NaN where a potential has no number."""
        return float(np.max(self.forces))

    @property
    def min(self) -> float:
        return float(np.min(self.forces))

    @property
    def mean(self) -> float:
        return float(np.mean(self.forces))

    @property
    def atom(self) -> int:
        """The atom of the largest eps_i, the first without a number if there is one."""
        return int(np.argmax(self.forces))

    def relative(self, level: float) -> "Deviation":
        """With eps_i / (|<F_i>| + level) as `forces`, `level` [eV/angstrom], which does not count a small share of large forces
        (`relative` of DeePMD-kit). **Raises** `ValueError` where `level` is not positive."""
        if isinstance(level, bool) or not level > 0:
            raise ValueError(f"relative: level={level!r}; expected a positive force, such as 1.0 [eV/angstrom].")
        return replace(self, forces=self.forces / (np.linalg.norm(self.mean_forces, axis=1) + level))

    @staticmethod
    def of(energies: Any, forces: Any, virials: Any) -> "Deviation":
        """From what each potential says: `energies` `(potentials,)`, `forces` `(potentials, atoms, 3)`, `virials`
        `(potentials, 3, 3)`."""
        F, atoms = np.asarray(forces), np.shape(forces)[1]
        mean = np.mean(F, axis=0)
        each = np.sqrt(np.mean(np.sum((F - mean) ** 2, axis=2), axis=0))
        return Deviation(each, mean, float(np.std(energies)) / atoms, np.std(virials, axis=0) / atoms)


class Committee(AbstractPotential):
    """The mean of several potentials, and how far they differ.

        E = (1/M) sum_m E_m

    Potentials of the same structure, which differ in numbers only, are computed together, others one after the other. A
    potential that is the same in all is added afterwards: `md.Committee(models) + repulsion`.

    **Arguments:** two potentials or more, local (no `md.Sum`), with the same cutoff and the same `names`, or none.

    **Raises** `ValueError` for others.

    >>> from sciml import md
    >>> pair = md.Committee([md.Morse(0.3, 1.4, 2.6, cutoff=6.0), md.Morse(0.3, 1.5, 2.6, cutoff=6.0)])
    >>> found = pair.deviation(md.fcc(3.6, 2, "Cu"))
    >>> bool(found.max < 1e-12), round(found.energy, 2)
    (True, 0.09)
    """

    together: Any  # one potential whose numbers have a leading axis; None if they differ in more
    apart: tuple[AbstractPotential, ...]
    count: int = eqx.field(static=True)
    cutoff: float = eqx.field(static=True)

    def __init__(self, models: Sequence[AbstractPotential]):
        models = _checked(models)
        self.together = _stacked(models)
        self.apart = models if self.together is None else ()
        self.count, self.cutoff = len(models), float(models[0].cutoff)

    @property
    def members(self) -> tuple[AbstractPotential, ...]:
        return self.apart or tuple(self._member(k) for k in range(self.count))

    def _member(self, k: int) -> AbstractPotential:
        return self.apart[k] if self.apart else jax.tree.map(lambda a: a[k] if eqx.is_array_like(a) else a, self.together)

    @property
    def names(self) -> tuple[str, ...] | None:
        return getattr(self._member(0), "names", None)

    @property
    def large(self) -> bool:
        return getattr(self._member(0), "large", False)

    @property
    def kinds(self) -> int | None:
        # Where members have none, there is none here either.
        return self._member(0).kinds  # type: ignore[attr-defined]

    @property
    def closest(self) -> Any:
        """The largest of the members', for each pair of species where they have a table; None without any."""
        found = [c for m in self.members if (c := getattr(m, "closest", None)) is not None]
        return reduce(np.maximum, found) if found else None

    def crowded(self, pairs: Pairs) -> str:
        """What a member says of atoms that have too many neighbours for it, or nothing."""
        return next(filter(None, (m.crowded(pairs) for m in self.members if hasattr(m, "crowded"))), "")  # type: ignore

    def of_each(self, function: Any) -> Any:
        """`function(potential)` of each member, arrays with a leading axis."""
        if self.apart:
            return jax.tree.map(lambda *a: jnp.stack(a), *(function(member) for member in self.apart))
        arrays, rest = eqx.partition(self.together, eqx.is_array_like)
        return over(self.together, lambda a: function(eqx.combine(a, rest)), arrays)

    def atom_energies(self, pairs: Pairs) -> Any:
        return jnp.mean(self.of_each(lambda m: m.atom_energies(pairs)), axis=0)

    def energies_and_slopes(self, pairs: Pairs) -> tuple[Any, Any]:
        each, slopes = self.of_each(lambda m: m.energies_and_slopes(pairs))
        return jnp.mean(each, axis=0), jnp.mean(slopes, axis=0)

    def deviation(self, systems: System | Sequence[System]) -> Any:
        """The `Deviation` of a system, or a list of those of several, which are computed together as by `md.evaluate_batch`.

        **Raises** `ValueError` where one is no system or not finite, or its species are not known.
        """
        alone = isinstance(systems, System)
        given, out = [systems] if alone else list(systems), {}
        with float64():
            device = on_device(self)
            for batch in batches(given, self, together=max(1, TOGETHER // self.count), kept=True):
                found = settled(device, self.cutoff, batch, batch.positions, batch.cell, members_of_lists)
                energies, forces, virials = (np.asarray(a) for a in found)
                for k, number in enumerate(batch.members):
                    out[number] = Deviation.of(energies[:, k], forces[:, k, : given[number].atoms], virials[:, k])
        return out[0] if alone else [out[k] for k in range(len(given))]

    def __repr__(self) -> str:
        return f"Committee({self.count} potentials such as {self._member(0)!r})"


@eqx.filter_jit
def members_of_lists(
    committee: Committee, template: System, species: Any, positions: Any, cell: Any, lists: Neighbours
) -> tuple[Any, Any]:
    """Energies, forces and virials `(members, systems, ...)`, and the lists."""
    lists = current(lists, positions, cell)

    def one(member: Any) -> Any:
        found = evaluate_lists(member, template, species, positions, cell, lists, virials=False)
        return found.energy, found.forces, found.virial

    return committee.of_each(one), lists


def _checked(models: Any) -> tuple[AbstractPotential, ...]:
    models = tuple(models) if np.iterable(models) else (models,)
    wrong = [m for m in models if not isinstance(m, AbstractPotential)]
    if wrong or len(models) < 2:
        came = f"a {type(wrong[0]).__name__} is among them" if wrong else f"{len(models)} came"
        raise ValueError(f"Committee: expected two potentials or more, such as Deep Potentials of different seeds; {came}.")
    if unfit := [m for m in models if isinstance(m, Sum | AbstractGlobalPotential)]:
        raise ValueError(
            f"Committee: a {type(unfit[0]).__name__} came; expected local potentials. What is the same in all is added "
            "afterwards: md.Committee([a, b]) + c."
        )
    names = [getattr(m, "names", None) or getattr(m, "kinds", None) for m in models]
    for k, (model, known) in enumerate(zip(models, names, strict=True)):
        if known != names[0]:
            raise ValueError(
                f"Committee: the species of potential 0 are {names[0]}, of potential {k} {known}; expected one order."
            )
        if model.cutoff != models[0].cutoff:
            raise ValueError(
                f"Committee: the cutoff of potential 0 is {models[0].cutoff:g}, of potential {k} {model.cutoff:g} angstrom; "
                "expected the same."
            )
    return models


def _stacked(models: tuple[AbstractPotential, ...]) -> Any:
    """One potential with the numbers of all, or None where they differ in more than numbers."""
    leaves, structures = zip(*(jax.tree.flatten(m) for m in models), strict=True)
    alike = all(s == structures[0] for s in structures)
    columns = list(zip(*leaves, strict=True)) if alike else []
    for column in columns:
        if all(map(eqx.is_array_like, column)):
            alike = alike and len({(np.shape(a), jnp.result_type(a)) for a in column}) == 1
        else:
            alike = alike and all(a is column[0] for a in column)
    if not alike:
        return None

    def joined(column: Any) -> Any:
        if not eqx.is_array_like(column[0]):
            return column[0]
        # On the host: a JAX array of float64 would become one of float32 outside of its scope.
        return jnp.stack(column) if is_traced(column) else np.stack([np.asarray(a) for a in column])

    return jax.tree.unflatten(structures[0], [joined(column) for column in columns])
