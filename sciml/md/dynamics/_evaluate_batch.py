"""Energies of several systems at once, by programs and with lists of neighbours that are kept between calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._precision import check_precision, computing_in
from ..atoms._evaluator import expect_finite
from ..atoms._neighbours import LOOSE, Neighbours, remember
from ..atoms._pairs import AbstractPotential, Evaluation
from ..atoms._system import System
from ._batch import TOGETHER, Batch, batches, evaluate_lists, member, on_device

LISTS: dict[Any, Neighbours] = {}
MANY = 8  # lists that are kept


def current(lists: Neighbours, positions: Any, cell: Any) -> Neighbours:
    """Lists of a batch, made at these positions if they are blank or an atom has moved by half the skin."""
    update = lambda: jax.vmap(Neighbours.update)(lists, positions, cell)  # noqa: E731
    stale = jax.vmap(Neighbours.is_stale)(lists, positions, cell)
    return jax.lax.cond(jnp.any(lists.overflow | stale), update, lambda: lists)


@eqx.filter_jit
def _evaluated(
    potential: Any, template: System, species: Any, positions: Any, cell: Any, lists: Neighbours
) -> tuple[Evaluation, Neighbours]:
    lists = current(lists, positions, cell)
    return evaluate_lists(potential, template, species, positions, cell, lists), lists


@jax.jit
def _used(lists: Neighbours) -> Any:
    """The most slots that hold a neighbour."""
    return jnp.max(jnp.sum(lists.index < lists.owner.shape[-1], axis=-1))


def settled(
    potential: Any, cutoff: float, batch: Batch, positions: Any, cell: Any, function: Callable[..., Any] = _evaluated,
    skin: float = 0.0,
) -> Any:  # fmt: skip
    """What `function(potential, template, species, positions, cell, lists)` finds, which returns it with the lists: those of an
    earlier call where no atom has moved by half the `skin` since, others made larger as often as it takes."""
    name = cutoff, skin, batch.template.periodic, positions.shape, str(positions.dtype), batch.count.tobytes()
    name = *name, batch.members[0], batch.sizes.places > 0
    lists, known = batch.blank(positions, cell, cutoff, skin), LISTS.get(name)
    blank = known is None or known.sizes.bins != batch.sizes.bins
    if not blank:
        lists = eqx.tree_at(lambda n: (n.low, n.high), known, (lists.low, lists.high))
    for attempt in range(5):
        found, made = function(potential, batch.template, batch.species, positions, cell, lists)
        if not np.any(made.overflow):
            if blank:
                if batch.sizes.slots > LOOSE * max(4, int(_used(made))):
                    batch = batch.larger(positions, cell, cutoff + skin, 1.0)  # for the next call
                batch.keep(positions, cell, cutoff + skin)
            if skin > 0:
                remember(LISTS, name, made, MANY)
            return jax.tree.map(np.asarray, found)
        batch = batch.larger(positions, cell, cutoff + skin, 2.0**attempt)
        lists, blank = batch.blank(positions, cell, cutoff, skin), True
    raise RuntimeError("The lists of neighbours of a batch did not fit after they were made larger five times.")


def evaluate_batch(
    potential: AbstractPotential, systems: Sequence[System], *, precision: Any = np.float64, together: int = TOGETHER,
    skin: float | None = None,
) -> list[Evaluation]:  # fmt: skip
    """Energy, forces and virial of each of several systems, whatever their sizes, as NumPy arrays.

    Numbers of atoms are padded to the next of 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, ..., and all systems of the same padded
    number, periodic along the same vectors, are computed by one program, at most `together` atoms at a time. What was compiled
    serves later calls of as many systems of about the same size and density, and lists of neighbours do until an atom has moved
    by half the `skin` [angstrom], by default a tenth of the cutoff. Without (`skin=0`) evaluations that have nothing to do with
    each other are a little faster.

    **Raises** `ValueError` where there is no system, one is no `System` or not finite, coordinates are too large for the
    precision, the potential does not know a species, the skin is negative, or energies or forces are not finite: atoms lie
    on each other.
    """
    cutoff = float(potential.cutoff)
    wide = 0.1 * cutoff if skin is None else float(skin)
    if not 0 <= wide < np.inf:
        raise ValueError(f"evaluate_batch: skin={skin!r}; expected a length that is not negative [angstrom].")
    out: dict[int, Evaluation] = {}
    with computing_in(check_precision(precision)):
        device = on_device(potential)
        for batch in batches(systems, potential, skin=wide, together=together, kept=True, precision=precision):
            positions, cell = batch.positions.astype(precision), batch.cell.astype(precision)
            found: Evaluation = settled(device, cutoff, batch, positions, cell, skin=wide)
            for k, number in enumerate(batch.members):
                out[number] = member(found, k, systems[number].atoms, "forces", "atom_energies", "atom_virials")
                expect_finite(f"evaluate_batch: system {number}", potential, systems[number], out[number])
    return [out[k] for k in range(len(systems))]
