"""What a round of active learning leaves on disk: structures and labels as extended XYZ, numbers as CSV."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..atoms._system import System
from ._ase import Labels, from_ase, to_ase


def joined(labels: Sequence[Labels]) -> Labels:
    """Several `Labels` as one; virials only where all have them."""
    forces = [np.asarray(f) for one in labels for f in one.forces]
    same = len({f.shape for f in forces}) == 1
    virials = [one.virials for one in labels if one.virials is not None]
    return Labels(
        [s for one in labels for s in one.systems], np.concatenate([one.energies for one in labels]),
        np.array(forces) if same else forces, np.concatenate(virials) if len(virials) == len(labels) else None,
    )  # fmt: skip


class Folder:
    """The files of rounds in a folder; with None nothing is written.

        rounds.csv                      a row for each round that is complete
        round_001/explored.json         what was found, once selected.xyz is there
        round_001/selected.xyz          structures chosen for labels
        round_001/labels.xyz            those that are labelled so far
    """

    def __init__(self, path: Any):
        self.path = None if path is None else Path(path)

    def rounds(self) -> list[dict[str, Any]]:
        """Rows of the rounds that are complete."""
        if self.path is None or not (self.path / "rounds.csv").exists():
            return []
        with (self.path / "rounds.csv").open() as file:
            rows = [{name: float(x) for name, x in row.items()} for row in csv.DictReader(file)]
        return [row | {name: int(row[name]) for name in ("round", "labels", "frames")} for row in rows]

    def write_rounds(self, rows: list[dict[str, Any]]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), restval="nan")
        writer.writeheader()
        writer.writerows(rows)
        self._write("rounds.csv", text.getvalue())

    def selected(self, round: int) -> tuple[list[System], dict[str, Any]] | None:
        """What a round chose and found, or None."""
        told = self._at(round, "explored.json")
        if told is None or not told.exists():
            return None
        return [from_ase(a) for a in _read(told.with_name("selected.xyz"))], json.loads(told.read_text())

    def write_selected(self, round: int, systems: list[System], told: dict[str, Any]) -> None:
        if self.path is not None:
            self._write_atoms(round, "selected.xyz", [to_ase(s) for s in systems])
            self._write(f"round_{round:03d}/explored.json", json.dumps(told))

    def labels(self, round: int) -> dict[int, Labels]:
        """Labels of a round, by the number of the structure among those chosen."""
        path = self._at(round, "labels.xyz")
        return {} if path is None else {int(a.info["selected"]): _labels(a) for a in _read(path)}

    def write_labels(self, round: int, labels: dict[int, Labels]) -> None:
        if self.path is not None:
            self._write_atoms(round, "labels.xyz", [_labelled(one, k) for k, one in sorted(labels.items())])

    def _at(self, round: int, name: str) -> Path | None:
        return None if self.path is None else self.path / f"round_{round:03d}" / name

    def _write_atoms(self, round: int, name: str, frames: list[Any]) -> None:
        import ase.io  # pyright: ignore[reportMissingImports]

        text = io.StringIO()
        if frames:
            ase.io.write(text, frames, format="extxyz")
        self._write(f"round_{round:03d}/{name}", text.getvalue())

    def _write(self, name: str, text: str) -> None:
        if self.path is None:
            return
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        part.write_text(text)
        os.replace(part, path)


def _read(path: Path) -> list[Any]:
    import ase.io  # pyright: ignore[reportMissingImports]

    if not path.exists() or not path.stat().st_size:
        return []
    return list(ase.io.read(path, index=":", format="extxyz"))


def _labelled(one: Labels, number: int) -> Any:
    from ase.calculators.singlepoint import SinglePointCalculator  # pyright: ignore[reportMissingImports]

    made = to_ase(one.systems[0])
    found: dict[str, Any] = dict(energy=float(one.energies[0]), forces=np.asarray(one.forces[0]))
    if one.virials is not None and np.isfinite(one.virials).all():
        stress = one.stresses[0]
        found["stress"] = ((stress + stress.T) / 2)[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    made.calc = SinglePointCalculator(made, **found)
    made.info |= {"selected": number, "stressed": one.virials is not None}
    return made


def _labels(made: Any) -> Labels:
    atoms = from_ase(made)
    virials = None
    if made.info["stressed"]:
        whole = "stress" in made.calc.results
        virials = -made.get_stress(voigt=False)[None] * float(atoms.volume) if whole else np.full((1, 3, 3), np.nan)
    return Labels([atoms], np.array([made.get_potential_energy()]), made.get_forces()[None], virials)
