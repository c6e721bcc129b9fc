"""Folders of DeePMD-kit.

    type.raw        the number of each atom's type, the same in all frames
    type_map.raw    names of types
    nopbc           a file that says: no cell
    set.*/          coord.npy (frames, atoms x 3), box.npy (frames, 9), energy.npy (frames,), force.npy (frames, atoms x 3),
                    virial.npy (frames, 9); mixed type: real_atom_types.npy (frames, atoms), -1 where there is no atom

Where `write_folder` makes several, `set.000/frame.npy` holds the places of their frames in the dataset; DeePMD-kit reads past
it.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ._joined import joined

if TYPE_CHECKING:
    from ._dataset import Dataset


TYPES = "real_atom_types"
KNOWN = "coord", "box", "energy", "force", "virial", TYPES, "frame"


def read_folder(kind: type[Dataset], path: Path, names: tuple[str, ...] | None) -> Dataset:
    """All systems at and below `path`, sorted by name. **Raises** `ValueError`."""
    folders = [path] if (path / "type.raw").exists() else sorted(file.parent for file in path.rglob("type.raw"))
    if not folders:
        inside = ", ".join(sorted(p.name for p in path.iterdir())[:5])
        raise ValueError(
            f"{path} holds no dataset of DeePMD-kit, a folder with type.raw, type_map.raw and set.*/coord.npy"
            f"{f'; it holds {inside}' if inside else ': it is empty'}. Files of frames are loaded by their own path."
        )
    parts = [_read_system(kind, folder, names) for folder in folders]
    d = joined([part for part, _ in parts], names)
    places = [place for _, place in parts if place is not None]
    return d[np.argsort(np.concatenate(places), kind="stable")] if len(parts) > 1 and len(places) == len(parts) else d


def unread_files(path: Path) -> dict[Path, list[str]]:
    """By set, the arrays of DeePMD-kit that `read_folder` leaves alone."""
    sets = sorted({file.parent for file in path.rglob("set.*/*.npy") if (file.parents[1] / "type.raw").exists()})
    rest = {s: sorted(file.name for file in s.glob("*.npy") if file.stem not in KNOWN) for s in sets}
    return {s: names for s, names in rest.items() if names}


def _read_system(
    kind: type[Dataset], path: Path, names: tuple[str, ...] | None
) -> tuple[Dataset, np.ndarray | None]:
    """A folder's frames, and their places in the dataset that was written."""
    try:
        types = np.array((path / "type.raw").read_text().split(), int)
    except ValueError:
        raise ValueError(f"{path / 'type.raw'}: expected whole numbers, the type of each atom.") from None
    own = tuple((path / "type_map.raw").read_text().split()) if (path / "type_map.raw").exists() else names
    if own is None:
        raise ValueError(
            f"{path} has no type_map.raw, which names its {types.max(initial=-1) + 1} types: give them in their order, "
            "names=['O', 'H']."
        )
    folders = sorted(p for p in path.glob("set.*") if p.is_dir())
    if not folders:
        raise ValueError(f"{path} has no folder set.* with coord.npy; DeePMD-kit's raw_to_set.sh makes them from .raw files.")
    if len(own) > 1 and len(types) > 1 and not types.any() and not any((f / f"{TYPES}.npy").exists() for f in folders):
        warnings.warn(
            f"{path}: every atom is {own[0]}, and type_map.raw names {', '.join(own[1:])} too, which no atom is. In folders of "
            f"mixed type each set has {TYPES}.npy: is it missing?",
            stacklevel=2,
        )
    sets = [_read_set(kind, folder, types, own, not (path / "nopbc").exists()) for folder in folders]
    places = [_array(folder / "frame.npy", (len(d),)) for folder, d in zip(folders, sets, strict=True)]
    return joined(sets), None if any(p is None for p in places) else np.concatenate(places)  # type: ignore[arg-type]


def _read_set(
    kind: type[Dataset], path: Path, types: np.ndarray, names: tuple[str, ...], periodic: bool
) -> Dataset:
    n = len(types)
    positions = _needed(path / "coord.npy", ("frames", 3 * n))
    frames = len(positions)
    if not frames:
        raise ValueError(f"{path / 'coord.npy'} has no frames.")
    _check_frames(path, ("coord", "energy", "force", "virial", TYPES, *(["box"] if periodic else [])))
    cells = _needed(path / "box.npy", (frames, 9)) if periodic else np.zeros((frames, 9))
    labels = {"energy": (frames,), "force": (frames, 3 * n), "virial": (frames, 9)}
    found = {key: _array(path / f"{key}.npy", shape) for key, shape in labels.items()}
    energy, force, virial = (np.full(labels[key], np.nan) if a is None else a for key, a in found.items())
    mixed = _array(path / f"{TYPES}.npy", (frames, n))
    kinds = np.broadcast_to(types, (frames, n)) if mixed is None else mixed.astype(int)
    if kinds.max(initial=0) >= len(names) or kinds.min(initial=0) < (0 if mixed is None else -1):
        file = path.parent / "type.raw" if mixed is None else path / f"{TYPES}.npy"
        raise ValueError(
            f"{file}: types are numbered from {kinds.min()} to {kinds.max()}, and {len(names)} have names: {', '.join(names)}. "
            "Complete type_map.raw, or names=."
        )
    there = kinds.ravel() >= 0
    atoms = (kinds >= 0).sum(axis=1)
    if not atoms.all():
        raise ValueError(f"{path}: frame {np.flatnonzero(atoms == 0)[0]} has no atoms.")
    return kind(
        names, positions.reshape(-1, 3)[there], kinds.ravel()[there], np.append(0, np.cumsum(atoms)),
        cells.reshape(-1, 3, 3), np.full((frames, 3), periodic), energy, force.reshape(-1, 3)[there],
        virial.reshape(-1, 3, 3),
    )  # fmt: skip


def _check_frames(path: Path, names: tuple[str, ...]) -> None:
    """**Raises** `ValueError` where the files have different numbers of frames, with all of them."""
    counts: dict[int, list[str]] = {}
    for name in names:
        file = path / f"{name}.npy"
        if file.exists() and (shape := _loaded(file).shape):
            counts.setdefault(shape[0], []).append(file.name)
    if len(counts) > 1:
        said = "; ".join(f"{n} in {', '.join(files)}" for n, files in sorted(counts.items(), reverse=True))
        raise ValueError(
            f"{path}: files have different numbers of frames, {said}. Expected as many in each: write the set anew, or remove "
            "it."
        )


def _needed(path: Path, shape: tuple[Any, ...]) -> np.ndarray:
    found = _array(path, shape)
    if found is None:
        hint = "; a system without a cell has an empty file nopbc beside type.raw" if path.name == "box.npy" else ""
        raise ValueError(f"{path} is missing{hint}.")
    return found


def _array(path: Path, shape: tuple[Any, ...]) -> np.ndarray | None:
    """The array in a file in float64, None where there is no file. **Raises** `ValueError` with file and shapes."""
    if not path.exists():
        return None
    found = _loaded(path).astype(float)
    wanted = tuple(len(found) if found.ndim and size == "frames" else size for size in shape)
    size = int(np.prod([k for k in wanted if k != "frames"]))
    if "frames" in wanted or found.size != size or (found.ndim and len(found) != wanted[0]):
        atoms = f" of {wanted[1] // 3} atoms, as many as type.raw has" if path.name in ("coord.npy", "force.npy") else ""
        raise ValueError(f"{path} has the shape {found.shape}; expected ({', '.join(map(str, wanted))}){atoms}.")
    found = found.reshape(wanted)
    bad = np.asarray(~np.isfinite(found.reshape(len(found), -1 if found.size else 0)).all(axis=1))
    if np.any(bad):
        raise ValueError(f"{path}: frame {np.flatnonzero(bad)[0]} is not finite ({bad.sum()} of {len(bad)} frames); remove it.")
    return found


def _loaded(path: Path) -> np.ndarray:
    try:
        found = np.load(path, allow_pickle=False, mmap_mode="r")
        if not np.issubdtype(found.dtype, np.number) and found.dtype != bool:
            raise ValueError(f"it holds {found.dtype}")
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is no file of an array of numbers: {error}") from None
    return found


def write_folder(d: Dataset, path: Path) -> None:
    """**Raises** `ValueError` for frames periodic along some vectors only."""
    open_ones = d.periodic.any(axis=1) & ~d.periodic.all(axis=1)
    if np.any(open_ones):
        raise ValueError(
            f"Frame {np.flatnonzero(open_ones)[0]} is periodic along some vectors only, which DeePMD-kit's folders cannot say; "
            "write an .xyz file."
        )
    masks = np.stack(list(d.labelled.values()), axis=1)
    groups: dict[Any, list[int]] = {}
    for k, (a, b) in enumerate(zip(d.first[:-1], d.first[1:], strict=True)):
        groups.setdefault((d.species[a:b].tobytes(), bool(d.periodic[k, 0]), masks[k].tobytes()), []).append(k)
    for number, rows in enumerate(groups.values()):
        part = d[rows]
        folder = path if len(groups) == 1 else path / f"system_{number:0{len(str(len(groups) - 1))}d}"
        inside = folder / "set.000"
        inside.mkdir(parents=True)
        n, frames = part.first[1], len(part)
        (folder / "type.raw").write_text("".join(f"{k}\n" for k in part.species[:n]))
        (folder / "type_map.raw").write_text("".join(f"{name}\n" for name in d.names))
        arrays = {"coord": part.positions, "energy": part.energies, "force": part.forces, "virial": part.virials}
        if part.periodic[0, 0]:
            arrays["box"] = part.cells
        else:
            (folder / "nopbc").touch()
        if len(groups) > 1:
            arrays["frame"] = np.array(rows)
        for name, array in arrays.items():
            if np.isfinite(array).all():
                np.save(inside / f"{name}.npy", array if array.ndim == 1 else array.reshape(frames, -1))
