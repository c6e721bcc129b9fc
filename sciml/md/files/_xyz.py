"""Frames in extended XYZ, which ASE and OVITO read: positions, momenta, forces; energy, and the stress in ASE's convention, the
virial over the volume with a minus, without the kinetic part."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..atoms._system import System, volume_of
from ..atoms._units import METAL, REDUCED
from ._frame import Frame, Stored

COLUMNS = "species:S:1:pos:R:3:momenta:R:3:forces:R:3:masses:R:1"
MASK = ":move_mask:L:1"  # of ASE: F for atoms that are fixed
FLOAT = "%.12g"


class XYZ:
    """A file of frames; see `FrameFile`. Text of twelve digits: `.h5` is exact, smaller and faster."""

    def __init__(self, path: Path):
        self.path, self._new, self._rows = path, False, 0
        self._file: Any = None
        self._places: list[int] = []  # where frames begin, as far as was looked
        self._atoms: Any = None
        self._run: dict[str, Any] = {}

    # Reading.

    def _scan(self) -> list[int]:
        """Where complete frames begin, and where the last of them ends."""
        if not self.path.exists():
            raise FileNotFoundError(f"There is no file {self.path}.")
        places = self._places or [0]
        with open(self.path, "rb") as file:
            file.seek(places[-1])
            while line := file.readline():
                if not line.strip().isdigit():
                    raise ValueError(f"{self.path} is no file of extended XYZ: {line[:40]!r} should be a number of atoms.")
                for _ in range(int(line) + 1):
                    line = file.readline()
                if not line.endswith(b"\n"):
                    break  # cut off
                places.append(file.tell())
        self._places = places
        return places

    def _comments(self) -> Iterator[dict[str, Any]]:
        from ase.io.extxyz import key_val_str_to_dict  # pyright: ignore[reportMissingImports]

        with open(self.path, "rb") as file:
            for place in self._scan()[:-1]:
                file.seek(place)
                file.readline()
                yield key_val_str_to_dict(file.readline().decode().strip())

    def runs(self) -> list[dict[str, Any]]:
        found: dict[str, Any] = {}
        for row, said in enumerate(self._comments()):
            if "run" not in said or "planned" not in said:
                raise ValueError(f"{self.path} was not written by sciml.md; md.from_ase reads structures of other programs.")
            name = str(said["run"])
            found[name] = {"id": name, "first": found.get(name, {"first": row})["first"], "last": int(said["planned"])}
        if not found:
            raise ValueError(f"{self.path} was not written by sciml.md: it has no frames.")
        return list(found.values())

    def frames(self, start: int = 0, stop: int | None = None) -> Stored:
        places = self._scan()
        self.runs()
        return Stored(self, range(len(places) - 1)[start:stop], places[1])

    def system(self) -> System:
        count = len(self._scan()) - 1
        return self._parsed(count - 1)[0]

    def columns(self, name: str, rows: range) -> np.ndarray:
        return np.array([getattr(self._parsed(row)[1], name) for row in rows])

    def block(self, rows: range) -> list[Frame]:
        return [self._parsed(row)[1] for row in rows]

    def _parsed(self, row: int) -> tuple[System, Frame]:
        places = self._places if len(self._places) > row + 1 else self._scan()
        with open(self.path, "rb") as file:
            file.seek(places[row])
            count = int(file.readline())
            from ase.io.extxyz import key_val_str_to_dict  # pyright: ignore[reportMissingImports]

            said = key_val_str_to_dict(file.readline().decode().strip())
            lines = file.read(places[row + 1] - file.tell()).decode().splitlines()
        held = str(said["Properties"]).endswith(MASK)
        words = [line.split() for line in lines]
        names = [row[0] for row in words]
        numbers = np.array([row[1:-1] if held else row[1:] for row in words], float).reshape(count, -1)
        fixed = tuple(k for k, row in enumerate(words) if held and row[-1] == "F")
        r, p, f, m = numbers[:, :3], numbers[:, 3:6], numbers[:, 6:9], numbers[:, 9]
        v = p / m[:, None]
        cell = np.zeros((3, 3)) if "Lattice" not in said else np.asarray(said["Lattice"], float).T
        units = REDUCED if said["units"] == "reduced" else METAL
        known = tuple(said["names"])
        charges = numbers[:, 10] if numbers.shape[1] > 10 else None
        periodic = tuple(bool(w) for w in np.asarray(said["pbc"]))
        atoms = System(
            r, np.array([known.index(n) for n in names], np.int32), cell, m, v, charges,
            names=known, periodic=periodic, units=units, fixed=fixed,  # type: ignore[arg-type]
        )  # fmt: skip
        volume = volume_of(cell, periodic)
        tensor = np.asarray(said["pressure_tensor"], float).reshape(3, 3)
        frame = Frame(
            step=int(said["step"]), time=float(said["time"]), positions=r, velocities=v, forces=f, cell=cell,
            potential_energy=float(said["energy"]), kinetic_energy=float(said["kinetic_energy"]),
            temperature=float(said["temperature"]), volume=volume, pressure_tensor=tensor, conserved=float(said["conserved"]),
        )  # fmt: skip
        return atoms, frame

    # Writing.

    def create(self, atoms: System, run: dict[str, Any], like: Frame) -> None:
        self._atoms, self._run, self._new, self._rows = atoms, run, True, 0

    def extend(self, run: dict[str, Any]) -> None:
        self._go_on(run, len(self._scan()) - 1)

    def resume(self, run: dict[str, Any], mark: dict[str, int]) -> None:
        self._go_on(run, mark["rows"])

    def _go_on(self, run: dict[str, Any], rows: int) -> None:
        self._atoms, self._run, self._rows = self.system(), run, rows
        self._places = self._scan()[: rows + 1]
        end = self._places[-1]
        self._file = open(self.path, "r+b")
        self._file.truncate(end)
        self._file.seek(end)

    def write(self, frames: list[Frame]) -> None:
        text = "".join(self._text(frame) for frame in frames).encode()
        part = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        if self._new:
            part.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(part, "wb")
        self._file.write(text)
        self._file.flush()
        if self._new:
            # The file appears with its first frames.
            os.replace(part, self.path)
            self._new = False
        self._rows += len(frames)

    def mark(self) -> dict[str, int]:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
        return {"rows": self._rows}

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _text(self, frame: Frame) -> str:
        from ase.io.extxyz import key_val_dict_to_str  # pyright: ignore[reportMissingImports]

        atoms, units = self._atoms, self._atoms.units
        m, v = np.asarray(atoms.masses, float), np.asarray(frame.velocities, float)
        said: dict[str, Any] = {}
        if np.any(frame.cell):
            said["Lattice"] = np.asarray(frame.cell, float).T
        charged = ":initial_charges:R:1" if atoms.charges is not None else ""
        said |= {"Properties": COLUMNS + charged + (MASK if atoms.fixed else "")}
        said |= {"pbc": np.array(atoms.periodic), "energy": frame.potential_energy}
        if np.isfinite(frame.volume):
            kinetic = np.einsum("n,na,nb->ab", m, v, v) / frame.volume
            said["stress"] = kinetic - np.asarray(frame.pressure_tensor, float) * units.pressure
        said |= {"step": frame.step, "time": frame.time, "kinetic_energy": frame.kinetic_energy}
        said |= {"pressure_tensor": np.asarray(frame.pressure_tensor, float).ravel(), "temperature": frame.temperature}
        said |= {"conserved": frame.conserved}
        said |= {"names": list(atoms.names), "units": units.name, "run": self._run["id"], "planned": self._run["last"]}
        charges = () if atoms.charges is None else (np.asarray(atoms.charges, float)[:, None],)
        columns = np.concatenate([frame.positions, m[:, None] * v, frame.forces, m[:, None], *charges], axis=1)
        out = io.StringIO()
        out.write(f"{len(m)}\n{key_val_dict_to_str(said)}\n")
        row = "%s" + f" {FLOAT}" * columns.shape[1] + "%s\n"
        names = np.array(atoms.names)[np.asarray(atoms.species)]
        moves = np.where(np.isin(np.arange(len(m)), atoms.fixed), " F", " T") if atoms.fixed else np.full(len(m), "")
        for name, values, last in zip(names.tolist(), columns.tolist(), moves.tolist(), strict=True):
            out.write(row % (name, *values, last))
        return out.getvalue()
