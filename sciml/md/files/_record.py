"""Where the frames of a run go: into memory, or into a file as they come."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..._files import expect_writable
from ..atoms._system import System
from ._frame import Frame, Stored
from ._h5md import H5MD
from ._xyz import XYZ

BUFFER_BYTES, BUFFER_SECONDS = 4_000_000, 2.0  # of frames, before they are written


@dataclass(frozen=True)
class Append:
    """`simulate(..., trajectory=Append("run.h5"))` goes on in a file that an earlier run wrote, whose last frame holds the
    atoms where they are now; steps and times count on. A file that is not there is made."""

    path: Any


class FrameFile(Protocol):
    """A file of frames. `runs` are the runs that wrote it: `id`, `first` (row), `last` (step planned)."""

    path: Path

    def system(self) -> System: ...
    def runs(self) -> list[dict[str, Any]]: ...
    def frames(self, start: int = 0, stop: int | None = None) -> Stored: ...
    def create(self, atoms: System, run: dict[str, Any], like: Frame) -> None: ...
    def extend(self, run: dict[str, Any]) -> None: ...
    def resume(self, run: dict[str, Any], mark: dict[str, int]) -> None: ...
    def write(self, frames: list[Frame]) -> None: ...
    def mark(self) -> dict[str, int]: ...
    def close(self) -> None: ...


def frame_file(path: Any) -> Any:
    """The file of frames at `path`, by what its name ends with. **Raises** `ValueError` where that is unknown."""
    kinds = {".h5": H5MD, ".h5md": H5MD, ".hdf5": H5MD, ".xyz": XYZ, ".extxyz": XYZ}
    kind = kinds.get(Path(path).suffix.lower())
    if kind is None:
        raise ValueError(f"trajectory: {str(path)!r}; expected a name that ends with {', '.join(kinds)}.")
    return kind(Path(path))


def save(trajectory: Any, path: Any) -> Path:
    file = frame_file(path)
    _refuse_existing(file.path)
    expect_writable(file.path, "save")
    frames = iter(trajectory.frames)
    first = next(frames, None)
    if first is None:
        raise ValueError("save: the trajectory has no frames.")
    try:
        file.create(trajectory.atoms, {"id": _new_id(), "first": 0, "last": int(trajectory.frames[-1].step)}, first)
        block = [first]
        for frame in frames:
            block.append(frame)
            if _bytes(first) * len(block) > BUFFER_BYTES:
                file.write(block)
                block = []
        file.write(block)
    finally:
        file.close()
    return file.path


class Memory:
    """Frames in a list."""

    def __init__(self, frames: list[Frame] | None = None):
        self.held = frames or []

    @property
    def count(self) -> int:
        return len(self.held)

    def begin(self) -> None: ...

    def add(self, frame: Frame) -> Frame:
        self.held.append(frame)
        return frame

    def mark(self) -> dict[str, Any] | None:
        return None

    def frames(self) -> Sequence[Frame]:
        return self.held

    def close(self) -> None: ...


class InFile:
    """Frames in a file. Some wait in memory until there are enough to be written at once; `mark` writes them and says where a
    resumed run goes on."""

    def __init__(self, file: Any, atoms: System, run: dict[str, Any], mode: str, skip: int, mark: Any, offset: Any):
        self.file, self.atoms, self.run, self.mode = file, atoms, run, mode
        self.skip, self.offset, self._mark, self._open = skip, offset, mark, False
        self.count = mark["count"] if mark else 0
        self._waiting: list[Frame] = []
        self._since = time.monotonic()

    def begin(self) -> None:
        """Opens the file to be written. **Raises** `ValueError` where another run has gone on in it."""
        if self.mode == "behind":
            raise ValueError(
                f"Another run has gone on in {self.file.path} after this one, and its frames would be lost: give this run "
                "another trajectory and another checkpoint."
            )
        if self.mode == "append":
            self.file.extend(self.run)
        elif self.mode == "resume":
            self.file.resume(self.run, self._mark)
        self._open = self.mode != "new"

    def add(self, frame: Frame) -> Frame:
        """The frame as it is recorded: steps and times of a file that is appended count on."""
        frame = replace(frame, step=self.offset[0] + frame.step, time=self.offset[1] + frame.time)
        self.count += 1
        if self.count > self.skip:
            self._waiting.append(frame)
        if _bytes(frame) * len(self._waiting) > BUFFER_BYTES or time.monotonic() - self._since > BUFFER_SECONDS:
            self._write()
        return frame

    def _write(self) -> None:
        if self._waiting:
            if not self._open:
                self.file.create(self.atoms, self.run, self._waiting[0])
                self._open = True
            self.file.write(self._waiting)
            self._waiting = []
        self._since = time.monotonic()

    def mark(self) -> dict[str, Any]:
        self._write()
        place = self.file.mark() if self._open else self._mark or {"rows": self.run["first"]}
        return place | {"run": self.run["id"], "count": self.count, "skip": self.skip, "offset": list(self.offset)}

    def frames(self) -> Sequence[Frame]:
        if not self.count:  # killed before the file was made
            return ()
        return self.file.frames(self.run["first"], self.run["first"] + self.count - min(self.skip, self.count))

    def close(self) -> None:
        try:
            self._write()
        finally:
            self.file.close()


def recording(trajectory: Any, atoms: System, steps: int, saved: tuple[Any, list[Frame]] | None) -> Any:
    """Where frames go; nothing is written yet. `saved` is what a checkpoint knows: the mark, and frames it holds itself.

    **Raises** `ValueError` where a file is in the way, cannot be made, is not of this run, or does not hold what it should.
    """
    mark, frames = saved or (None, [])
    if trajectory is None:
        if mark is not None:
            raise ValueError("The checkpoint belongs to a run with its frames in a file: give the same trajectory=.")
        return Memory(frames)
    append = isinstance(trajectory, Append)
    file = frame_file(trajectory.path if append else trajectory)
    run: dict[str, Any] = {"id": mark["run"] if mark else _new_id(), "first": 0, "last": steps}
    # The first checkpoint is written before the file is touched.
    if mark is not None and (mark["count"] or file.path.exists() and run["id"] in [r["id"] for r in file.runs()]):
        return _resumed(file, atoms, steps, mark)
    if not (append and file.path.exists()):
        _refuse_existing(file.path)
        expect_writable(file.path, "trajectory")
        record = InFile(file, atoms, run, "new", 0, None, (0, 0.0))
        for frame in frames:
            record.add(frame)
        return record
    if frames:
        raise ValueError("The checkpoint holds frames of its own, which cannot be appended: give a new trajectory file.")
    rows = file.frames()
    last = _fits(file, atoms, rows)
    run |= {"first": len(rows), "last": last.step + steps}
    return InFile(file, atoms, run, "append", 1, None, (last.step, last.time))


def _resumed(file: Any, atoms: System, steps: int, mark: dict[str, Any]) -> InFile:
    if not file.path.exists():
        raise ValueError(
            f"The checkpoint belongs to {mark['rows']} frames in {file.path}, which is not there: put it back, or remove the "
            "checkpoint to start again."
        )
    runs, there = file.runs(), len(file.frames())
    ids = [r["id"] for r in runs]
    if mark["run"] not in ids or there < mark["rows"]:
        raise ValueError(
            f"{file.path} is not the file of this checkpoint, which knows {mark['rows']} frames of the run {mark['run']}; the "
            f"file has {there}, of {', '.join(ids)}. Give that file, or another checkpoint and another trajectory."
        )
    run = runs[ids.index(mark["run"])] | {"last": mark["offset"][0] + steps}
    record = InFile(file, atoms, run, "resume", mark["skip"], mark, tuple(mark["offset"]))
    if ids[-1] != mark["run"]:
        record.mode = "behind"
    return record


def _fits(file: Any, atoms: System, rows: Any) -> Frame:
    known = file.system()
    same = known.names == atoms.names and known.periodic == atoms.periodic and known.units == atoms.units
    if not same or not np.array_equal(known.species, atoms.species) or not np.allclose(known.masses, atoms.masses):
        raise ValueError(f"{file.path} holds {known!r}, not {atoms!r}: give another file.")
    last = rows[-1]
    edge = max(1.0, float(np.abs(np.asarray(atoms.positions)).max()))
    apart = np.abs(np.asarray(last.positions) - np.asarray(atoms.positions)).max()
    if not apart < 1e-5 * edge or not np.allclose(last.cell, atoms.cell, rtol=1e-5, atol=1e-5):
        raise ValueError(
            f"The atoms are not where the last frame of {file.path} has them (up to {apart:.3g} away): start from the `atoms` "
            "of that trajectory, or give another file."
        )
    return last


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise ValueError(
            f"{path} exists and is not overwritten: give another name, remove it, or go on in it with "
            f'trajectory=md.Append("{path.name}").'
        )


def _new_id() -> str:
    return "r" + uuid.uuid4().hex[:11]  # never to be taken for a number


def _bytes(frame: Frame) -> int:
    return sum(getattr(v, "nbytes", 8) for v in vars(frame).values())
