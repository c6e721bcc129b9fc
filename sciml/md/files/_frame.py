"""The atoms at one step, and frames of a file that are read as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import equinox as eqx
import numpy as np

from ..atoms._system import System

BLOCK = 16_000_000  # bytes read at a time


@dataclass(frozen=True)
class Frame:
    """The atoms at one step.

    **Attributes:** `step`; `time` [fs]; `positions`, unwrapped [angstrom], `velocities` [sqrt(eV / amu)], `forces`
    [eV/angstrom] `(atoms, 3)`; `cell` `(3, 3)`; `potential_energy`, `kinetic_energy` and `conserved`, the quantity that the
    ensemble conserves [eV]; `temperature` [K]; `volume` [angstrom^3]; `pressure_tensor` `(3, 3)`, kinetic part included [bar].
    The last two are NaN unless the system is periodic along all its vectors.
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

    # Properties are computed for arrays over frames too, without the positions being read.

    @property
    def total_energy(self) -> float:
        """Potential and kinetic energy [eV]."""
        return self.potential_energy + self.kinetic_energy

    @property
    def pressure(self) -> float:
        """A third of the trace of the pressure tensor [bar]."""
        return np.trace(self.pressure_tensor, axis1=-2, axis2=-1) / 3


def system_at(atoms: System, frame: Frame) -> System:
    """`atoms` where they are in a frame."""
    now = (np.asarray(frame.positions), np.asarray(frame.cell), np.asarray(frame.velocities))
    return eqx.tree_at(lambda s: (s.positions, s.cell, s.velocities), atoms, now, is_leaf=lambda x: x is None)


class Stored(Sequence):
    """Frames of a file, read when they are asked for. `block(rows)` and `columns(name, rows)` are the file's."""

    def __init__(self, file: Any, rows: range, size: int):
        self.file, self.rows, self.size = file, rows, size

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Stored(self.file, self.rows[index], self.size)
        return self.file.block(self.rows[index : index + 1 or None])[0]

    def __iter__(self) -> Iterator[Frame]:
        step = max(1, BLOCK // max(1, self.size))
        for k in range(0, len(self.rows), step):
            yield from self.file.block(self.rows[k : k + step])

    def column(self, name: str) -> np.ndarray:
        if name not in {f.name for f in fields(Frame)}:
            return getattr(Frame, name).fget(_Columns(self))
        return self.file.columns(name, self.rows)


class _Columns:
    """Looks like a frame to its properties, and holds arrays over frames."""

    def __init__(self, stored: Stored):
        self._stored = stored

    def __getattr__(self, name: str) -> np.ndarray:
        return self._stored.column(name)
