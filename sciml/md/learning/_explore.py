"""Where a committee goes by itself: structures that it meets in runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..atoms._system import System, expect_system, thermal
from ..dynamics._arguments import expect_ensemble
from ..dynamics._checks import whole_number
from ..dynamics._ensembles import AbstractEnsemble
from ..dynamics._simulate import simulate
from ..files._frame import system_at
from ..files._trajectory import Trajectory
from ._committee import Committee
from ._deviation import ModelDeviation


@dataclass(frozen=True)
class Exploration:
    """Runs of every system in every ensemble by a committee, anew in each round of `md.active_learning`.

    Systems without velocities start at the temperature of the ensemble, with other velocities in each round. A run that breaks
    down gives its frames until then.

    **Arguments:** `systems` and `ensembles`, one or several; `steps`, `timestep` [fs], `every`, as of `md.simulate`; `stop`,
    the deviation of forces at which a run ends [eV/angstrom] (`md.ModelDeviation`), a little above `high` of the selection;
    `key`.

    **Raises** `ValueError` where these do not fit.
    """

    systems: System | Sequence[System]
    ensembles: AbstractEnsemble | Sequence[AbstractEnsemble]
    steps: int
    timestep: float
    every: int = 100
    stop: float | None = None
    key: int = 0

    def __post_init__(self) -> None:
        systems, ensembles = self._lists()
        if not systems or not ensembles:
            raise ValueError(f"Exploration: {len(systems)} systems and {len(ensembles)} ensembles; expected some of each.")
        for system in systems:
            expect_system(system, "Exploration")
        for ensemble in ensembles:
            expect_ensemble(ensemble, "Exploration")
        whole_number("steps", self.steps, 1)
        whole_number("every", self.every, 1)

    def _lists(self) -> tuple[list[System], list[AbstractEnsemble]]:
        some = lambda x, kind: [x] if isinstance(x, kind) else list(x)  # noqa: E731
        return some(self.systems, System), some(self.ensembles, AbstractEnsemble)

    def __call__(self, committee: Committee, round: int) -> list[System]:
        """The frames of all runs, run by run. **Raises** `KeyboardInterrupt` where the user interrupted them."""
        systems, ensembles = self._lists()
        found = []
        for k, ensemble in enumerate(ensembles):
            seeds = np.random.default_rng([self.key, round, k]).integers(2**31, size=len(systems) + 1).tolist()
            starts = [_moving(s, ensemble, seed) for s, seed in zip(systems, seeds, strict=False)]
            watch = [] if self.stop is None else [ModelDeviation(committee, stop=self.stop)]
            runs = simulate(
                starts, committee, ensemble, steps=self.steps, timestep=self.timestep, every=self.every, callbacks=watch,
                key=seeds[-1], progress=False, throw=False,
            )  # fmt: skip
            if any(run.result.startswith("Interrupted") for run in runs):
                raise KeyboardInterrupt
            found += [atoms for run in runs for atoms in structures(run)]
        return found


def structures(run: Trajectory) -> list[System]:
    """The atoms in each frame."""
    return [system_at(run.atoms, frame) for frame in run.frames]


def _moving(atoms: System, ensemble: Any, seed: int) -> System:
    wanted: Any = getattr(ensemble, "temperature", None)
    if atoms.velocities is not None or wanted is None:
        return atoms
    start: Any = wanted(0.0) if callable(wanted) else wanted
    return thermal(atoms, float(start), key=seed)
