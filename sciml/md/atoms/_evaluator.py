"""Energy and forces on the host, one configuration after the other."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._precision import float64
from ._closest import is_finite, not_finite
from ._neighbours import SPARE, Neighbours, has_moved
from ._pairs import AbstractPotential, Evaluation, crowd, evaluated, neighbours_for
from ._potential import expect_potential, seen_by, split
from ._resolution import expect_resolved
from ._system import System, complete, expect_system


class Evaluator:
    """Energy, forces and virial of changing positions and cells, on the host, as `md.evaluate` has them. The list of neighbours
    is kept until an atom has moved by half the skin."""

    def __init__(self, atoms: System, potential: AbstractPotential, *, skin: float | None = None):
        expect_system(atoms, "energies")
        expect_potential(potential, "energies")
        self._potential, self._skin = potential, skin
        rest, traced = split(potential)
        with float64():
            traced = jax.tree.map(lambda a: jnp.asarray(a) if isinstance(a, np.ndarray) else a, traced)
        self._seen: Any = seen_by(potential, atoms)
        self._split = rest, traced
        self._list: Neighbours | None = None
        self._made: Any = None  # positions and cell
        self._allocated = 0

    def __call__(self, positions: Any = None, cell: Any = None) -> Evaluation:
        r = np.asarray(self._seen.positions if positions is None else positions, float)
        h = np.asarray(self._seen.cell if cell is None else cell, float)
        now = eqx.tree_at(lambda s: (s.positions, s.cell), self._seen, (r, h))
        expect_resolved(r, complete(h), self._seen.periodic)
        with float64():
            rest, traced = self._split
            return evaluated(rest, traced, now, self._current(now))

    def _current(self, now: System) -> Neighbours:
        r, h = now.positions, complete(now.cell)
        known = self._list
        if known is None or has_moved(self._made[0], self._made[1], r, h, known.cutoff, known.skin):
            # Of the same sizes, or every jump of the atoms would compile anew.
            made = None if known is None else known.update(r, h)
            if made is None or bool(made.overflow):
                spare = SPARE + 0.15 * self._allocated
                made = neighbours_for(now, self._potential, skin=self._skin, spare=spare, kept=True)
                self._allocated += 1
            self._list, self._made = made, (np.array(r), h)
        assert self._list is not None
        return self._list


def expect_finite(where: str, potential: AbstractPotential, atoms: System, found: Any) -> None:
    """**Raises** `ValueError` where the energy or a force of `atoms` is no number: with what the atoms have of it."""
    if is_finite(found.energy, found.forces):
        return
    with float64():
        n = neighbours_for(atoms, potential, transposed=True)
        crowded = crowd(potential, atoms, n)
    raise not_finite(where, atoms, found.energy, found.forces, n, crowded)
