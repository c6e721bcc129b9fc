"""Frames in an HDF5 file, in the layout H5MD 1.1 (de Buyl, Colberg & Hoefling 2014, doi:10.1016/j.cpc.2014.01.018).

    particles/all/{position,velocity,force}/{value,step,time}, box/edges/{value,step,time}, species, mass, charge
    observables/NAME/{value,step,time};  parameters/vmd_structure, names for VMD;  parameters/sciml, what else a System has

`step` and `time` are one dataset each, linked everywhere. Units are those that MDAnalysis knows: angstrom, fs, angstrom/fs,
kJ/mol/angstrom; eV, K and bar for observables. Reduced units have no unit attributes.

A run writes in HDF5's mode of one writer and many readers, in which the file can be read at any moment, and after the writer
was killed; `step` is written last, so that a frame counts when all of it is there.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..atoms._system import System
from ..atoms._units import METAL, Units
from ._frame import Frame, Stored

FORMAT = ("v110", "v110")  # HDF5 1.10, which has the mode of one writer
CHUNK_BYTES = 1 << 16
ALL = "particles/all"
PLACES = {
    "positions": f"{ALL}/position/value", "velocities": f"{ALL}/velocity/value", "forces": f"{ALL}/force/value",
    "cell": f"{ALL}/box/edges/value", "step": f"{ALL}/position/step", "time": f"{ALL}/position/time",
}  # fmt: skip
UNITS = {
    "positions": "Angstrom", "velocities": "Angstrom fs-1", "forces": "kJ mol-1 Angstrom-1", "cell": "Angstrom", "time": "fs",
    "volume": "Angstrom3", "temperature": "K", "pressure_tensor": "bar", "potential_energy": "eV", "kinetic_energy": "eV",
    "conserved": "eV",
}  # fmt: skip
FACTORS = {"velocities": METAL.time, "forces": 96.48533212331}  # from the units inside; kJ/mol in an eV


def _place(name: str) -> str:
    return PLACES.get(name, f"observables/{name}/value")


class H5MD:
    """A file of frames; see `FrameFile`."""

    def __init__(self, path: Path):
        self.path, self._rows = path, 0
        self._file: Any = None
        self._part: Path | None = None

    # Reading opens and closes the file, so that a run can append to what was loaded.

    @contextmanager
    def _read(self) -> Iterator[Any]:
        if not self.path.exists():
            raise FileNotFoundError(f"There is no file {self.path}.")
        try:
            file = h5py.File(self.path, "r")
        except OSError as error:
            try:  # the writer is at work, or was killed
                file = h5py.File(self.path, "r", swmr=True)
            except OSError:
                raise ValueError(f"{self.path} is no HDF5 file that can be read: {error}") from error
        with file:
            if "parameters/sciml" not in file:
                raise ValueError(f"{self.path} was not written by sciml.md.")
            yield file

    def _about(self) -> dict[str, Any]:
        with self._read() as file:
            return json.loads(str(file["parameters/sciml"].attrs["about"]))

    def runs(self) -> list[dict[str, Any]]:
        return self._about()["runs"]

    def frames(self, start: int = 0, stop: int | None = None) -> Stored:
        with self._read() as file:
            size = sum(file[_place(f.name)][:0].itemsize * int(np.prod(file[_place(f.name)].shape[1:])) for f in fields(Frame))
            rows = range(len(file[PLACES["step"]]))
        return Stored(self, rows[start:stop], size)

    def system(self) -> System:
        about = self._about()
        with self._read() as file:
            inner, count = file[ALL], len(file[PLACES["step"]])
            charges = inner["charge"][:] if "charge" in inner else None
            species, masses = inner["species"][:], inner["mass"][:]
        if not count:
            raise ValueError(f"{self.path} has no frames.")
        last = self.block(range(count - 1, count))[0]
        return System(
            last.positions, species, last.cell, masses, last.velocities, charges,
            names=tuple(about["names"]), periodic=tuple(about["periodic"]), units=Units(**about["units"]),
            fixed=tuple(about.get("fixed", ())),
        )  # fmt: skip

    def columns(self, name: str, rows: range) -> np.ndarray:
        with self._read() as file:
            return _values(file, name, rows)

    def block(self, rows: range) -> list[Frame]:
        with self._read() as file:
            columns = {f.name: _values(file, f.name, rows) for f in fields(Frame)}
        return [Frame(**{k: v[i] if v[i].ndim else v[i].item() for k, v in columns.items()}) for i in range(len(rows))]

    # Writing.

    def create(self, atoms: System, run: dict[str, Any], like: Frame) -> None:
        self._part = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        self._part.parent.mkdir(parents=True, exist_ok=True)
        self._file, self._rows = h5py.File(self._part, "w", libver=FORMAT), 0
        _lay_out(self._file, atoms, run, like)
        self._file.swmr_mode = True

    def extend(self, run: dict[str, Any]) -> None:
        self._open(None, lambda runs: [*runs, run])

    def resume(self, run: dict[str, Any], mark: dict[str, int]) -> None:
        self._open(mark["rows"], lambda runs: [*runs[:-1], run])

    def _open(self, rows: int | None, changed: Callable[[list[Any]], list[Any]]) -> None:
        about = self._about()
        host, pid = about["writer"]
        try:
            file: Any = h5py.File(self.path, "r+", libver=FORMAT)
        except OSError:
            if host == socket.gethostname() and pid != os.getpid() and _is_alive(pid):
                raise ValueError(f"{self.path} is being written by the process {pid}: wait for its end.") from None
            _copy(self.path, rows)
            file = h5py.File(self.path, "r+", libver=FORMAT)
        count = len(file[PLACES["step"]])
        self._file, self._rows = file, count if rows is None else rows
        if self._rows < count:
            for dataset in _series(file):
                dataset.resize(self._rows, 0)
        about |= {"runs": changed(about["runs"]), "writer": [socket.gethostname(), os.getpid()]}
        file["parameters/sciml"].attrs["about"] = json.dumps(about)
        file.swmr_mode = True

    def write(self, frames: list[Frame]) -> None:
        file, end = self._file, self._rows + len(frames)
        for name in [*(f.name for f in fields(Frame) if f.name != "step"), "step"]:
            dataset = file[_place(name)]
            dataset.resize(end, 0)
            factor = FACTORS.get(name, 1.0) if "unit" in dataset.attrs else 1.0
            values = np.stack([np.asarray(getattr(frame, name)) for frame in frames])
            dataset[self._rows :] = values if factor == 1 else values * values.dtype.type(factor)
            dataset.flush()
        self._rows = end
        if self._part is not None:
            # The file appears with its first frames.
            os.replace(self._part, self.path)
            self._part = None

    def mark(self) -> dict[str, int]:
        if self._file is not None:
            self._file.flush()
            with open(self.path, "rb") as file:
                os.fsync(file.fileno())
        return {"rows": self._rows}

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _values(file: Any, name: str, rows: range) -> np.ndarray:
    dataset = file[_place(name)]
    upwards = rows if rows.step > 0 else rows[::-1]  # HDF5 reads no other way
    values = dataset[upwards.start : upwards.stop : upwards.step][:: 1 if rows.step > 0 else -1]
    factor = FACTORS.get(name, 1.0) if "unit" in dataset.attrs else 1.0
    return values if factor == 1 else values / values.dtype.type(factor)


def _lay_out(file: Any, atoms: System, run: dict[str, Any], like: Frame) -> None:
    """All groups and empty datasets: none can be made later."""
    try:
        own = version("sciml")
    except PackageNotFoundError:
        own = "unknown"
    metal = atoms.units.name != "reduced"
    h5md = file.create_group("h5md")
    h5md.attrs["version"] = np.array([1, 1], np.int32)
    h5md.create_group("creator").attrs.update({"name": "sciml", "version": own})
    h5md.create_group("author").attrs["name"] = "unknown"
    if metal:
        file.create_group("h5md/modules/units").attrs.update({"version": np.array([1, 0], np.int32), "system": "SI"})
    box = file.create_group(f"{ALL}/box")
    box.attrs["dimension"] = 3
    box.attrs["boundary"] = np.array([b"periodic" if p else b"none" for p in atoms.periodic])
    inner = file[ALL]
    inner["species"] = np.asarray(atoms.species, np.int32)
    inner["mass"] = np.asarray(atoms.masses)
    if atoms.charges is not None:
        inner["charge"] = np.asarray(atoms.charges)
    for name, unit in (("mass", "u"), ("charge", "e")):
        if metal and name in inner:
            inner[name].attrs["unit"] = unit
    vmd = file.create_group("parameters/vmd_structure")
    vmd["indexOfSpecies"] = np.arange(len(atoms.names), dtype=np.int32)
    vmd["name"] = np.array([name.encode()[:16] for name in atoms.names], "S16")
    about = {
        "names": atoms.names, "periodic": atoms.periodic, "units": asdict(atoms.units), "runs": [run],
        "fixed": atoms.fixed,
        "writer": [socket.gethostname(), os.getpid()],
    }  # fmt: skip
    file.create_group("parameters/sciml").attrs["about"] = json.dumps(about)
    for field in fields(Frame):
        value = np.asarray(getattr(like, field.name))
        row = max(1, value.nbytes)
        shape = (max(1, min(1024, CHUNK_BYTES // row)), *value.shape)
        dataset = file.create_dataset(
            _place(field.name), (0, *value.shape), value.dtype, maxshape=(None, *value.shape), chunks=shape
        )
        if metal and field.name in UNITS:
            dataset.attrs["unit"] = UNITS[field.name]
    for field in fields(Frame):
        group = file[_place(field.name)].parent
        for name in ("step", "time"):
            if name not in group:
                group[name] = file[PLACES[name]]


def _series(file: Any) -> list[Any]:
    return [file[_place(f.name)] for f in fields(Frame)]


def _copy(path: Path, rows: int | None) -> None:
    """A file whose writer was killed, copied with its first `rows`, by default with all that are complete."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    old: Any
    with h5py.File(path, "r", swmr=True) as old, h5py.File(part, "w", libver=FORMAT) as new:
        rows = len(old[PLACES["step"]]) if rows is None else rows
        done: dict[Any, str] = {}

        def group(source: Any, target: Any) -> None:
            target.attrs.update(source.attrs)
            for name, item in source.items():
                if isinstance(item, h5py.Group):
                    group(item, target.create_group(name))
                    continue
                key = h5py.h5o.get_info(item.id).addr  # pyright: ignore[reportAttributeAccessIssue]
                if key in done:
                    target[name] = new[done[key]]
                    continue
                if not item.chunks:
                    target[name] = item[()]
                else:
                    shape = (rows, *item.shape[1:])
                    target.create_dataset(name, shape, item.dtype, maxshape=item.maxshape, chunks=item.chunks)
                    step = item.chunks[0] * max(1, (1 << 24) // CHUNK_BYTES)
                    for k in range(0, rows, step):
                        target[name][k : k + step] = item[k : min(rows, k + step)]
                target[name].attrs.update(item.attrs)
                done[key] = target[name].name

        group(old, new)
        new.flush()
    os.replace(part, path)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
