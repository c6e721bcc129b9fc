"""What a run leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._system import System


@dataclass(frozen=True)
class Frame:
    """The atoms at one step.

    **Attributes:** `step`; `time` [fs]; `positions`, unwrapped [angstrom], `velocities` [sqrt(eV / amu)], `forces` [eV/angstrom]
    `(atoms, 3)`; `cell` `(3, 3)`; `potential_energy`, `kinetic_energy` and `conserved`, the quantity that the ensemble conserves
    [eV]; `temperature` [K]; `volume` [angstrom^3]; `pressure_tensor` `(3, 3)`, kinetic part included [bar].
    """

    step: int
    time: float
    positions: np.ndarray
    velocities: np.ndarray
    forces: np.ndarray
    cell: np.ndarray
    potential_energy: float
    kinetic_energy: float
    temperature: float
    volume: float
    pressure_tensor: np.ndarray
    conserved: float

    @property
    def total_energy(self) -> float:
        """Potential and kinetic energy [eV]."""
        return self.potential_energy + self.kinetic_energy

    @property
    def pressure(self) -> float:
        """A third of the trace of the pressure tensor [bar]."""
        return float(np.trace(self.pressure_tensor)) / 3


class Trajectory:
    """Frames of a run: `trajectory.temperature`, `.positions`, ... are arrays over frames, of whatever a `Frame` has.

    **Attributes:** `frames`; `atoms`, the system at the end, from which a next run starts; `result`, a sentence; `converged`,
    whether all steps were done; `stats`.
    """

    def __init__(self, frames: list[Frame], atoms: System, result: str, converged: bool, stats: dict[str, Any]):
        self.frames, self.atoms, self.result, self.converged, self.stats = frames, atoms, result, converged, stats

    def __getattr__(self, name: str) -> np.ndarray:
        if name.startswith("_") or name == "frames" or not hasattr(Frame, name) and name not in Frame.__dataclass_fields__:
            raise AttributeError(f"A Trajectory has no {name!r}; its frames have {', '.join(Frame.__dataclass_fields__)}.")
        return np.array([getattr(frame, name) for frame in self.frames])

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        return f"Trajectory({len(self)} frames of {self.atoms.atoms} atoms; {self.result})"
