"""Energy and forces on the host, one configuration after the other."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import numpy as np

from ..._precision import float64
from ._closest import is_finite, not_finite
from ._compiled import compiled
from ._neighbours import SPARE
from ._pairs import AbstractPotential, Evaluation, crowd, evaluate, neighbours_for
from ._potential import expect_potential
from ._resolution import expect_resolved
from ._system import System, complete, expect_system


class Evaluator:
    """Energy, forces and virial of changing positions and cells, on the host, with a list that is made anew when it must be."""

    def __init__(self, atoms: System, potential: AbstractPotential, *, skin: float | None = None):
        expect_system(atoms, "energies")
        expect_potential(potential, "energies")
        self.atoms, self.potential = atoms, potential
        self._skin = skin
        self._neighbours: Any = None
        self._allocated = 0
        self._plain = eqx.tree_at(
            lambda s: (s.masses, s.velocities, s.charges), atoms, (None, None, None), is_leaf=lambda x: x is None
        )

    def __call__(self, positions: Any = None, cell: Any = None) -> Evaluation:
        r = np.asarray(self.atoms.positions if positions is None else positions, float)
        h = np.asarray(self.atoms.cell if cell is None else cell, float)
        now = eqx.tree_at(lambda s: (s.positions, s.cell), self._plain, (r, h))
        expect_resolved(r, complete(h), self.atoms.periodic)
        with float64():
            if self._neighbours is None:
                self._allocate(now)
            elif bool(self._neighbours.is_stale(r, h)):
                # Of the same sizes, or every jump of the atoms would compile anew.
                self._neighbours = self._neighbours.update(r, h)
                if bool(self._neighbours.overflow):
                    self._allocate(now)
            return jax.tree.map(np.asarray, _evaluate(self.potential, now, self._neighbours))

    def _allocate(self, now: System) -> None:
        more = SPARE + 0.15 * self._allocated
        self._neighbours = neighbours_for(now, self.potential, skin=self._skin, spare=more)
        self._allocated += 1


def expect_finite(where: str, potential: AbstractPotential, atoms: System, found: Any) -> None:
    """**Raises** `ValueError` where the energy or a force of `atoms` is no number: with what the atoms have of it."""
    if is_finite(found.energy, found.forces):
        return
    with float64():
        n = neighbours_for(atoms, potential, transposed=True)
        crowded = crowd(potential, atoms, n)
    raise not_finite(where, atoms, found.energy, found.forces, n, crowded)


_evaluate = compiled(evaluate)
