"""Frames of ASE and of files that it reads; extended XYZ."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...files._ase import types_of_dump
from ._joined import joined
from ._written_units import factors

if TYPE_CHECKING:
    from ._dataset import Dataset


QUANTITIES = ("energy", "forces", "stress", "virial")
# What programs put before or behind the name of a label, and names that mean the same.
MARKS = ("ref", "dft", "qm")
SAME = {"total_energy": "energy", "force": "forces", "virials": "virial", "stresses": "stress"}


def read_file(
    kind: type[Dataset], path: Path, names: tuple[str, ...] | None, keys: Mapping[str, str] | None
) -> Dataset:
    """**Raises** `ValueError` where ASE cannot read it."""
    types = types_of_dump(path)
    if types is not None and names is None:
        raise ValueError(
            f"{path} is a LAMMPS dump with {len(types)} types and no elements: name the types in their order, "
            f"names=[{', '.join('...' for _ in types)}], or dump the column element (dump_modify element)."
        )
    try:
        frames = _read(path)
    except (KeyboardInterrupt, MemoryError):
        raise
    except Exception as error:  # ASE's readers raise whatever their parsing does
        raise ValueError(
            f"{path} could not be read by ASE ({type(error).__name__}: {error}); expected extended XYZ (.xyz, .extxyz) or "
            "another format of ase.io.read. Where the name does not tell the format: "
            "md.Dataset.from_ase(ase.io.read(path, index=':', format=...))."
        ) from None
    if not frames:
        raise ValueError(f"{path} has no frames.")
    if types is not None and names is not None and max(types) > len(names):
        raise ValueError(f"{path} has atoms of type {max(types)}, and names={list(names)} has {len(names)}; name every type.")
    return read_atoms(kind, frames, str(path), names, keys, typed=types is not None)


def _read(path: Path) -> Any:
    """ASE's frames. It cannot read a stress of six numbers under that name."""
    import ase.io  # pyright: ignore[reportMissingImports]

    try:
        return ase.io.read(path, index=":")
    except (ValueError, IndexError, TypeError, AssertionError):
        text = path.read_text() if path.suffix.lower() in (".xyz", ".extxyz") else ""
        renamed = re.sub(r"(?<![\w-])stress=", "ref_stress=", text)
        if renamed == text:
            raise
        return ase.io.read(io.StringIO(renamed), index=":", format="extxyz")


def read_atoms(
    kind: type[Dataset],
    frames: Any,
    where: str,
    names: tuple[str, ...] | None,
    keys: Mapping[str, str] | None,
    typed: bool = False,
) -> Dataset:
    """**Raises** `ValueError` with the frame where labels do not fit, contradict each other or are not finite."""
    if unknown := [name for name in keys or () if name not in QUANTITIES]:
        raise ValueError(f"keys has {', '.join(map(repr, unknown))}; expected names of {', '.join(QUANTITIES)}.")
    for quantity, name in (keys or {}).items():
        if not any(name in (*atoms.info, *atoms.arrays) for atoms in frames):
            there = sorted({key for atoms in frames for key in (*atoms.info, *atoms.arrays)} - {"numbers", "positions"})
            raise ValueError(f"{where}: no frame has {name!r}, which keys gives as {quantity}; there is {', '.join(there)}.")
    symbols = [_symbols(atoms, names if typed else None) for atoms in frames]
    known = tuple(dict.fromkeys(s for of in symbols for s in of))
    written = _written_names(frames)
    known = written if written and set(known) <= set(written) else known
    number = {name: k for k, name in enumerate(known)}
    energies, forces, virials = [], [], []
    for k, atoms in enumerate(frames):
        if not len(atoms):
            raise ValueError(f"{where}: frame {k} has no atoms.")
        said = _labels(atoms, f"{where}: frame {k}", keys or {})
        energies.append(said.get("energy", np.nan))
        forces.append(said.get("forces", np.full((len(atoms), 3), np.nan)))
        virials.append(said.get("virial", np.full((3, 3), np.nan)))
    d = kind(
        known, np.concatenate([atoms.get_positions() for atoms in frames]), np.array([number[s] for of in symbols for s in of]),
        np.cumsum([0, *map(len, frames)]), np.array([np.asarray(atoms.cell) for atoms in frames]),
        np.array([atoms.pbc for atoms in frames]), np.array(energies), np.concatenate(forces), np.array(virials),
    )  # fmt: skip
    return d if names is None else joined([d], names)


def _symbols(atoms: Any, names: tuple[str, ...] | None) -> list[str]:
    """Elements, or the names of the types that a LAMMPS dump numbers from one."""
    return atoms.get_chemical_symbols() if names is None else [names[k - 1] for k in atoms.get_atomic_numbers()]


def _written_names(frames: Any) -> tuple[str, ...]:
    """The species of the dataset that was written."""
    said = frames[0].info.get("names")
    return tuple(map(str, said)) if isinstance(said, (list, tuple, np.ndarray)) else ()


def _labels(atoms: Any, where: str, keys: Mapping[str, str]) -> dict[str, Any]:
    """Energy, forces and virial, as far as there are."""
    shapes = {"energy": (), "forces": (len(atoms), 3), "stress": (3, 3), "virial": (3, 3)}
    found: dict[str, dict[str, np.ndarray]] = {name: {} for name in QUANTITIES}
    # What an atom has of an energy or a stress is no label of the frame.
    columns = {key: value for key, value in atoms.arrays.items() if _meaning(str(key)) not in ("energy", "stress", "virial")}
    stored = {**atoms.info, **columns}
    factor = factors(atoms.info, where)
    for quantity, key, value in (*_computed(atoms, where), *((_meaning(str(k)), str(k), v) for k, v in stored.items())):
        if quantity in found and quantity not in keys:
            found[quantity][key] = _shaped(value, shapes[quantity], f"{where}: {key}")
    for quantity, key in keys.items():
        if key in stored:
            found[quantity] = {key: _shaped(stored[key], shapes[quantity], f"{where}: {key}")}
    said: dict[str, Any] = {}
    for quantity, values in found.items():
        for key, value in values.items():
            first, said[quantity] = next(iter(values.items()))
            if not np.allclose(value, said[quantity], rtol=1e-6, atol=1e-6):
                raise ValueError(
                    f"{where} has two of {quantity}, {first} and {key}, that differ; say which, keys={{{quantity!r}: {key!r}}}."
                )
    said = {quantity: value * factor.get(quantity, 1.0) for quantity, value in said.items()}
    stress = said.pop("stress", None)
    if stress is not None and "virial" not in said and all(atoms.pbc):
        said["virial"] = -stress * abs(np.linalg.det(np.asarray(atoms.cell)))
    return said


def _computed(atoms: Any, where: str) -> list[tuple[str, str, Any]]:
    """What the calculator has computed; the energy of which forces are the derivatives where it tells two apart."""
    results = getattr(atoms.calc, "results", None)
    if not results:
        return []
    if atoms.calc.check_state(atoms):
        raise ValueError(
            f"{where}: atoms were changed after the calculator computed them; compute again, or md.label them."
        )
    energy = "free_energy" if results.get("free_energy") is not None else "energy"
    asked = (("energy", energy), ("forces", "forces"), ("stress", "stress"))
    return [(quantity, key, results[key]) for quantity, key in asked if results.get(key) is not None]


def _meaning(key: str) -> str:
    """`energy` of `REF_energy`, `forces` of `dft_force`, ..."""
    name = key.lower()
    for mark in MARKS:
        name = name.removeprefix(f"{mark}_").removesuffix(f"_{mark}")
    return SAME.get(name, name)


def _shaped(value: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    try:
        found = np.array(value, float)
    except (TypeError, ValueError):
        raise ValueError(f"{what} is {value!r:.60}; expected numbers.") from None
    if shape == (3, 3) and found.shape == (6,):
        found = found[[[0, 5, 4], [5, 1, 3], [4, 3, 2]]]
    if found.size != np.prod(shape, dtype=int) or (found.ndim == 2 and found.shape != shape):
        raise ValueError(f"{what} has the shape {found.shape}; expected {shape}.")
    if not np.all(np.isfinite(found)):
        raise ValueError(f"{what} is not finite; leave that frame, or that label of it, out.")
    return found.reshape(shape)


def write_file(d: Dataset, path: Path) -> None:
    """Extended XYZ with all digits; virials as `virial` [eV], and as `stress`.

    **Raises** `ValueError` for species that are no elements.
    """
    from ase.data import atomic_numbers  # pyright: ignore[reportMissingImports]

    if unknown := [name for name in d.names if name not in atomic_numbers]:
        raise ValueError(f"{', '.join(unknown)} are no elements, which an .xyz file asks for; write a folder.")
    row = lambda values: " ".join(map(repr, values))  # noqa: E731
    with path.open("w") as file:
        for k, (a, b) in enumerate(zip(d.first[:-1], d.first[1:], strict=True)):
            has = {name: bool(mask[k]) for name, mask in d.labelled.items()}
            said = f'Lattice="{row(d.cells[k].ravel().tolist())}" ' if d.cells[k].any() else ""
            said += f"Properties=species:S:1:pos:R:3{':forces:R:3' if has['forces'] else ''}"
            said += f" energy={float(d.energies[k])!r}" if has["energies"] else ""
            # ASE reads tensors column by column.
            said += f' virial="{row(d.virials[k].T.ravel().tolist())}"' if has["virials"] else ""
            if has["virials"] and d.periodic[k].all():  # which ASE reads as the stress
                stress = -d.virials[k] / abs(np.linalg.det(d.cells[k]))
                said += f' stress="{row(stress.T.ravel().tolist())}"'
            said += f' pbc="{" ".join("FT"[int(p)] for p in d.periodic[k])}" names="_JSON '
            said += "[" + ", ".join(f'\\"{name}\\"' for name in d.names) + ']"'
            columns = np.concatenate([d.positions[a:b], *([d.forces[a:b]] if has["forces"] else [])], axis=1)
            file.write(f"{b - a}\n{said}\n")
            for kind, values in zip(d.species[a:b], columns.tolist(), strict=True):
                file.write(f"{d.names[kind]} {row(values)}\n")
