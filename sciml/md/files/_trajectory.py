"""What a run leaves: frames in memory, or in a file that is read as they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from ..atoms._system import System
from ._frame import Frame
from ._record import frame_file, save


class Trajectory:
    """Frames of a run: `trajectory.temperature`, `.positions`, ... are arrays over frames, of whatever a `Frame` has.
    `trajectory[10:]` leaves frames out, `trajectory[-1]` is one.

    **Attributes:** `frames`, a list, or a sequence that reads its file; `atoms`, the system at the end, from which a next run
    starts; `result`, a sentence; `converged`, whether all steps were done; `stats`.
    """

    def __init__(self, frames: Sequence[Frame], atoms: System, result: str, converged: bool, stats: dict[str, Any]):
        self.frames, self.atoms, self.result, self.converged, self.stats = frames, atoms, result, converged, stats

    @staticmethod
    def load(path: Any) -> Trajectory:
        """The frames in a file that `simulate` or `save` wrote, H5MD (`.h5`) or extended XYZ (`.xyz`). They are read when
        they are asked for: `trajectory.temperature` reads temperatures alone, `trajectory.frames[7]` one frame. The file may
        belong to a run that goes on, or that was killed.

        **Raises** `FileNotFoundError`, and `ValueError` for files that sciml did not write.
        """
        file = frame_file(path)
        frames = file.frames()
        atoms, planned = file.system(), file.runs()[-1]["last"]
        done = bool(len(frames)) and int(frames[-1].step) >= planned
        result = f"{len(frames)} frames of {file.path}{'' if done else ', a run not finished'}."
        return Trajectory(frames, atoms, result, done, {})

    def save(self, path: Any) -> Path:
        """Writes all frames to a new file, H5MD (`.h5`) or extended XYZ (`.xyz`, `.extxyz`). **Raises** `ValueError` where
        there is a file already."""
        return save(self, path)

    def plot(self, ax: Any = None) -> Any:
        """Temperature, energies relative to the first frame, and pressure against time; returns the three axes."""
        import matplotlib.pyplot as plt

        reduced = self.atoms.units.name == "reduced"
        axis = self.atoms.units.axis
        scale, time = (1e3, "ps") if not reduced and np.ptp(self.time) > 2e4 else (1.0, "fs")
        axes = ax if ax is not None else plt.subplots(3, 1, sharex=True, figsize=(6.4, 6.4), layout="constrained")[1]
        t = self.time / scale
        axes[0].plot(t, self.temperature)
        axes[0].set_ylabel(axis("temperature", "K"))
        for name in ("potential_energy", "kinetic_energy", "total_energy", "conserved"):
            energy = getattr(self, name)
            axes[1].plot(t, energy - energy[0], "--" if name == "conserved" else "-", label=name.removesuffix("_energy"))
        axes[1].set_ylabel(axis("energy - first", "eV"))
        axes[1].legend(ncols=4, fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
        axes[2].plot(t, self.pressure)
        axes[2].set(ylabel=axis("pressure", "bar"), xlabel=axis("time", time))
        return axes

    def __getattr__(self, name: str) -> np.ndarray:
        known = [f.name for f in fields(Frame)]
        if name.startswith("_") or name == "frames" or not (name in known or isinstance(getattr(Frame, name, None), property)):
            raise AttributeError(f"A Trajectory has no {name!r}; its frames have {', '.join(known)}.")
        column = getattr(self.frames, "column", None)
        return np.array([getattr(frame, name) for frame in self.frames]) if column is None else column(name)

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, slice):
            return self.frames[index]
        return Trajectory(self.frames[index], self.atoms, self.result, self.converged, self.stats)

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        return f"Trajectory({len(self)} frames of {self.atoms.atoms} atoms; {self.result})"
