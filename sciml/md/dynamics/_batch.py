"""Systems of different sizes, computed together.

Systems of about the same number of atoms form a *bucket*, one compiled program. Their arrays are padded to the same number of
atoms, and the batch to one of a few numbers of systems. Padding is not there: it stands in no list, has no energy and does not
move. The lists of a bucket have the same sizes, those of its most demanding member, and are made anew together.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..atoms._neighbours import WORD, Neighbours, Sizes, extent, needed_by, remember, shaped
from ..atoms._pairs import AbstractPotential, Evaluation, evaluate, kinds_of
from ..atoms._potential import by_order, common_names, computed, has_no_names, needs_transposed, over
from ..atoms._resolution import expect_resolved
from ..atoms._system import System, complete

TOGETHER = 1 << 14  # atoms, padding included, in one batch
KEPT: dict[Any, Sizes] = {}


def rounded(n: int, bits: int = 3, unit: int = 1) -> int:
    """`n` or the next multiple of `unit` with so many leading bits: three are at most a quarter more, two a half."""
    unit = max(unit, 1 << max(0, n.bit_length() - bits))
    return -(-n // unit) * unit


@dataclass(frozen=True)
class Batch:
    """Systems that are padded to the same shape.

    **Attributes:** `members`, their numbers; `systems`, themselves, and the first again where there are fewer than the batch
    has places; `template`, what they have in common; `positions` `(systems, atoms, 3)`, `cell` `(systems, 3, 3)`, `species`
    `(systems, atoms)`, the potential's numbers, and `count` `(systems,)`, how many atoms are there; `sizes` of the lists.
    """

    members: tuple[int, ...]
    systems: tuple[System, ...]
    template: System
    positions: np.ndarray
    cell: np.ndarray
    species: np.ndarray
    count: np.ndarray
    sizes: Sizes

    def padded(self, arrays: Sequence[Any], fill: float = 0) -> np.ndarray:
        """Arrays `(atoms of a member, ...)` as one `(systems, atoms, ...)`; places beyond the members hold the first again."""
        rows = [np.asarray(a) for a in arrays]
        rows += rows[:1] * (len(self.systems) - len(rows))
        out = np.full((len(rows), self.positions.shape[1], *rows[0].shape[1:]), fill, rows[0].dtype)
        for k, row in enumerate(rows):
            out[k, : len(row)] = row
        return out

    def larger(self, positions: Any, cell: Any, reach: float, spare: float) -> Batch:
        """With room for the atoms as they are now."""
        now = [np.asarray(r)[: s.atoms] for r, s in zip(positions, self.systems, strict=True)]
        sizes = sizes_for(now, list(np.asarray(cell)), reach, self.template.periodic, self.sizes.places > 0, spare)
        return dataclasses.replace(self, sizes=sizes)

    def keep(self, positions: Any, cell: Any, reach: float) -> None:
        """Remembers the sizes, for lists that are about as large; `positions` as of `larger`."""
        now = [np.asarray(r)[: s.atoms] for r, s in zip(positions, self.systems, strict=True)]
        atoms = positions.shape[1]
        name = _name(now, list(np.asarray(cell)), reach, self.template.periodic, self.sizes.places > 0, atoms)
        remember(KEPT, name, self.sizes)

    def blank(self, positions: Any, cell: Any, cutoff: float, skin: float) -> Neighbours:
        """Lists with nothing in them, marked as not fitting, so that they are made before they are used."""
        inverse, counts = np.linalg.inv(np.asarray(cell)), [a.atoms for a in self.systems]
        s = [np.asarray(r)[:n] @ h for r, h, n in zip(positions, inverse, counts, strict=True)]
        ends = [np.stack(e).astype(positions.dtype) for e in ([x.min(0) for x in s], [x.max(0) + 1e-9 for x in s])]
        (width, atoms), to = positions.shape[:2], self.sizes
        none = lambda *shape: np.zeros((width, *shape), np.int32)  # noqa: E731
        return Neighbours(
            owner=none(to.entries), image=none(to.entries, 3), atom=none(atoms), row=none(atoms), entry=none(atoms),
            index=none(atoms, to.slots), transposed=none(atoms, to.places) if to.places else None,
            overflow=np.ones(width, bool), positions=np.asarray(positions), cell=np.asarray(cell), low=ends[0], high=ends[1],
            cutoff=float(cutoff), skin=float(skin), periodic=self.template.periodic, sizes=to, count=self.count,
        )  # fmt: skip


def batches(
    systems: Sequence[System], potential: AbstractPotential, *, skin: float = 0.0, spare: float = 1.0,
    together: int = TOGETHER, kept: bool = False, precision: Any = np.float64,
) -> list[Batch]:  # fmt: skip
    """All systems, in batches of at most `together` atoms; those of a bucket have the same shapes, and lists of sizes that
    earlier ones had if they are `kept`: these may not fit.

    **Raises** `ValueError` where there is none, one is no `System` or not finite, coordinates are too large for the
    `precision` in which they will be, or the potential does not know a species.
    """
    _check(systems, precision)
    named, kinds = _numbered(systems, potential)
    buckets: dict[Any, list[int]] = {}
    for k, s in enumerate(systems):
        buckets.setdefault((rounded(s.atoms, unit=8), s.periodic, s.units), []).append(k)
    out = []
    for (atoms, periodic, _), members in buckets.items():
        cells = [complete(systems[k].cell) for k in members]
        places = [np.asarray(systems[k].positions, float) for k in members]
        reach, transposed = potential.cutoff + skin, needs_transposed(potential)
        sizes = KEPT.get(_name(places, cells, reach, periodic, transposed, atoms)) if kept else None
        sizes = sizes or sizes_for(places, cells, reach, periodic, transposed, spare)
        template = System(None, None, None, None, names=named, periodic=periodic)
        most = max(1, together // atoms)
        each = math.ceil(len(members) / math.ceil(len(members) / most))
        width = min(rounded(each, 2), most)
        for first in range(0, len(members), each):
            inside = members[first : first + each]
            chosen = [systems[k] for k in inside] + [systems[inside[0]]] * (width - len(inside))
            empty = np.zeros((width, atoms, 3))
            count = np.array([s.atoms for s in chosen]) * (np.arange(width) < len(inside))
            cell = np.stack([complete(s.cell) for s in chosen])
            batch = Batch(tuple(inside), tuple(chosen), template, empty, cell, empty[..., 0], count, sizes)
            species = batch.padded([kinds[k] for k in inside + [inside[0]] * (width - len(inside))])
            positions = batch.padded([np.asarray(s.positions, float) for s in chosen])
            out.append(dataclasses.replace(batch, positions=positions, species=species))
    return out


def _numbered(systems: Sequence[System], potential: AbstractPotential) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """Names that all systems have in common, and the numbers of their species in these; where the potential has no names, what
    counts is the order in each system."""
    for s in systems:
        kinds_of(potential, s.names)
    nameless = by_order(potential)
    if has_no_names(potential):
        return tuple(map(str, range(max(len(s.names) for s in systems)))), [np.asarray(s.species) for s in systems]
    names = tuple(dict.fromkeys(name for s in systems for name in s.names))
    if nameless and any(s.names != names[: len(s.names)] for s in systems):
        raise ValueError(
            f"{type(nameless[0]).__name__} has parameters by the order of species, which differs between the systems: give it "
            f"names=, or make the systems with the order {', '.join(names)}."
        )
    names = common_names(potential, names)
    return names, [np.array([names.index(n) for n in s.names], np.int32)[np.asarray(s.species)] for s in systems]


def _check(systems: Sequence[System], precision: Any) -> None:
    wrong = [k for k, s in enumerate(systems) if not isinstance(s, System)]
    if not len(systems) or wrong:
        came = f"{type(systems[wrong[0]]).__name__} as number {wrong[0]}" if wrong else "none"
        raise ValueError(f"Expected one or several systems (md.system); {came} came.")
    bad = [k for k, s in enumerate(systems) if not (np.all(np.isfinite(s.positions)) and np.all(np.isfinite(s.cell)))]
    if bad:
        raise ValueError(f"The positions or the cell of system {', '.join(map(str, bad))} have NaN or infinite numbers.")
    for k, s in enumerate(systems):
        r = np.asarray(s.positions).astype(precision)
        expect_resolved(r, complete(s.cell), s.periodic, f"The positions of system {k}")


def _name(places: list[np.ndarray], cells: list[np.ndarray], reach: float, periodic: Any, transposed: bool, atoms: int) -> Any:
    """Lists with the same are about as large."""
    wide = np.array([extent(r, h, periodic)[2] for r, h in zip(places, cells, strict=True)])
    return reach, periodic, transposed, atoms, shaped(wide, periodic, reach, max(map(len, places)))


def sizes_for(
    positions: list[np.ndarray], cells: list[np.ndarray], reach: float, periodic: Any, transposed: bool, spare: float
) -> Sizes:
    """Sizes with which the lists of all these systems fit."""
    ends = [extent(r, h, periodic) for r, h in zip(positions, cells, strict=True)]
    bins, layers = shaped(np.array([wide for _, _, wide in ends]), periodic, reach, max(map(len, positions)))
    shape = Sizes(bins, layers, 0, 0, 0, 0)
    each = zip(positions, cells, ends, strict=True)
    needs = [needed_by(r, h, low, high, reach, periodic, shape) for r, h, (low, high, _) in each]
    entries, window, slots = (rounded(max(4, math.ceil(spare * k))) for k in np.max(needs, axis=0).tolist())
    return Sizes(bins, layers, entries, WORD * math.ceil(window / WORD), slots, slots if transposed else 0)


def evaluate_lists(
    potential: AbstractPotential, template: System, species: Any, positions: Any, cell: Any, lists: Neighbours, **options: Any
) -> Evaluation:
    """`evaluate` of each system of a batch, to be differentiated with respect to the potential's parameters; what belongs to
    padding is zero."""

    def one(s: Any, r: Any, h: Any, n: Neighbours) -> Evaluation:
        return evaluate(potential, dataclasses.replace(template, positions=r, species=s, cell=h), n, **options)

    return over(potential, one, species, positions, cell, lists)


def on_device(potential: Any) -> Any:
    """Numbers as arrays, so that a program does not depend on their values, without what makes no difference to energies."""
    return jax.tree.map(lambda x: jnp.asarray(x) if isinstance(x, float | np.ndarray) else x, computed(potential))


def member(found: Any, k: int, atoms: int, *per_atom: str) -> Any:
    """Number k of what belongs to a batch; attributes `per_atom` without padding."""
    one = jax.tree.map(lambda a: np.asarray(a)[k], found)
    return dataclasses.replace(one, **{name: getattr(one, name)[:atoms] for name in per_atom})
