"""Datasets from and to files."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._checks import wanted_names
from ._consistency import warn_of_stresses, warn_of_units
from ._deepmd import read_folder, unread_files, write_folder
from ._frames import read_atoms, read_file, write_file
from ._joined import joined

if TYPE_CHECKING:
    from ._dataset import Dataset


XYZ = (".xyz", ".extxyz")


def load(
    kind: type[Dataset], path: Any, names: Sequence[str] | Mapping[str, str] | None, keys: Mapping[str, str] | None
) -> Dataset:
    """See `Dataset.load`."""
    paths = [path] if isinstance(path, (str, Path)) else path
    if not isinstance(paths, Sequence) or not paths or not all(isinstance(p, (str, Path)) for p in paths):
        raise ValueError(f"Dataset.load: path={path!r}; expected the path of a file or folder, or a list of such.")
    order, found, unread = _order(names), [], {}
    for p in map(Path, paths):
        if not p.exists():
            raise FileNotFoundError(f"{p} does not exist.")
        if p.is_dir():
            unread |= unread_files(p)
        found.append(read_folder(kind, p, order) if p.is_dir() else read_file(kind, p, order, keys))
    _tell_of(unread)
    return _told(joined(found, names), ", ".join(map(str, paths)))


def from_ase(
    kind: type[Dataset], frames: Any, names: Sequence[str] | Mapping[str, str] | None, keys: Mapping[str, str] | None
) -> Dataset:
    """See `Dataset.from_ase`."""
    frames = [frames] if hasattr(frames, "get_positions") else list(frames)
    if not frames or not all(hasattr(atoms, "get_positions") for atoms in frames):
        raise ValueError("Dataset.from_ase: expected ase.Atoms, one or a list of them; Dataset.load reads files.")
    found = read_atoms(kind, frames, "Dataset.from_ase", _order(names), keys)
    return _told(joined([found], names) if isinstance(names, Mapping) else found, "from_ase")


def _order(names: Any) -> tuple[str, ...] | None:
    return None if names is None or isinstance(names, Mapping) else wanted_names(names)


def _tell_of(unread: Mapping[Path, Sequence[str]]) -> None:
    """Warns of arrays that are there and are not read."""
    if unread:
        files = sorted({name for names in unread.values() for name in names})
        more = f" and {len(unread) - 1} more" if len(unread) > 1 else ""
        warnings.warn(
            f"{next(iter(unread))}{more}: {', '.join(files)} {'is' if len(files) == 1 else 'are'} not read. Where energies and "
            "forces depend on what is there (parameters of frames or atoms, spins), no potential of positions and species can "
            "learn them.",
            stacklevel=4,
        )


def _told(d: Dataset, where: str) -> Dataset:
    if not any(mask.any() for mask in d.labelled.values()):
        raise ValueError(
            f"{where}: {len(d)} frames and no label: no energies, forces or virials. Files of ASE hold them as a calculator's "
            "results, or under names that keys={'energy': ..., 'forces': ..., 'virial': ...} tells; DeePMD-kit's folders as "
            "energy.npy, force.npy, virial.npy; md.label(systems, calculator) computes them."
        )
    warn_of_units(d, where)
    warn_of_stresses(d, where)
    return d


def write(d: Dataset, path: Any) -> Path:
    """See `Dataset.write`."""
    path = Path(path)
    if path.exists():
        raise ValueError(f"{path} is there already; choose another name, or remove it.")
    if not len(d):
        raise ValueError("The dataset has no frames to write.")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        (write_file if path.suffix.lower() in XYZ else write_folder)(d, part)
        os.replace(part, path)
    finally:
        if part.is_dir():
            shutil.rmtree(part)
        part.unlink(missing_ok=True)
    return path
