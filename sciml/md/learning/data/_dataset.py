"""Labelled structures of any sizes and compositions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...atoms._system import System, _mass, _warn_of_masses
from ...atoms._units import METAL
from ...files._ase import Labels
from ._checks import checked
from ._joined import joined
from ._load import from_ase, load, write


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Structures with energies, forces and virials, as far as there are; atoms of all frames one after the other.

    **Attributes:** `names` of species; `positions` `(atoms of all, 3)` [angstrom]; `species` `(atoms of all,)`, numbers into
    `names`; `first` `(frames + 1,)`, where frames begin; `cells` `(frames, 3, 3)`, lattice vectors in rows [angstrom], and
    `periodic` `(frames, 3)`; `energies` `(frames,)` [eV]; `forces` `(atoms of all, 3)` [eV/angstrom]; `virials`
    `(frames, 3, 3)` [eV], minus the derivative of the energy with respect to strain. Labels that a frame lacks are NaN.

    `d[3]`, `d[:100]` and `d[mask]` are datasets, `d + e` is one after the other. Arrays are float64, and are not written to.

    **Raises** `ValueError` where shapes do not fit or numbers are not finite, with the frame.

    >>> import numpy as np, sciml.md as md
    >>> crystals = [md.diamond(a, 1, "Si") for a in (5.3, 5.4, 5.5)]
    >>> d = md.Dataset.of(md.label(crystals, md.ase_calculator(md.StillingerWeber())))
    >>> d
    Dataset(3 frames of Si8; energies, forces, virials)
    >>> d[d.volumes > 150], round(d.nearest, 3)
    (Dataset(2 frames of Si8; energies, forces, virials), 2.295)
    """

    names: tuple[str, ...]
    positions: np.ndarray
    species: np.ndarray
    first: np.ndarray
    cells: np.ndarray
    periodic: np.ndarray
    energies: np.ndarray
    forces: np.ndarray
    virials: np.ndarray

    def __post_init__(self) -> None:
        for name, value in checked({f.name: getattr(self, f.name) for f in fields(self)}).items():
            object.__setattr__(self, name, value)

    # Where it comes from.

    @staticmethod
    def load(
        path: Any, *, names: Sequence[str] | Mapping[str, str] | None = None, keys: Mapping[str, str] | None = None
    ) -> Dataset:
        """Frames of a file or folder, or of several.

        Folders are those of DeePMD-kit (`type.raw`, `type_map.raw`, `set.*/coord.npy`, ...; also mixed type, and folders of
        such folders); files are extended XYZ and whatever ASE reads. In files, energies (ASE's `free_energy` where there is
        one, of which forces are the derivatives), forces and stresses are ASE's own, or have names such as `REF_energy`,
        `dft_forces`, `virial`. A stress is ASE's, in eV/angstrom^3 and positive under tension: the virial is minus stress
        times volume. Units that a file states (`energy-unit=hartree`, `force-unit=kcal/mol/angstrom`, `stress-unit=kbar`, ...)
        are read. `fparam.npy`, `aparam.npy`, `spin.npy` and the like are not.

        **Arguments:** `names`, species in the order wanted, needed where there is no `type_map.raw`, and in the order of the
        types for LAMMPS dump files without elements; or what names in files mean, `{"Type_0": "O", "Type_1": "H"}`; `keys`,
        where names in files are not understood:
        `{"energy": "E_mp2", "forces": ..., "stress": ..., "virial": ...}`.

        **Raises** `FileNotFoundError`; `ValueError` where arrays are missing or do not fit together, types have no names,
        numbers are not finite, a unit is not known, or nothing is labelled. **Warns** where energies and forces are not in the
        same units, where a virial is larger than any solid bears, and of arrays of a folder that are not read.
        """
        return load(Dataset, path, names, keys)

    @staticmethod
    def from_ase(
        frames: Any, *, names: Sequence[str] | Mapping[str, str] | None = None, keys: Mapping[str, str] | None = None
    ) -> Dataset:
        """Frames from ASE `Atoms`, one or several, with what their calculators have computed; as `load` otherwise."""
        return from_ase(Dataset, frames, names, keys)

    @staticmethod
    def of(labels: Labels) -> Dataset:
        """What `md.label` says of systems."""
        if not isinstance(labels, Labels):
            raise ValueError(f"Dataset.of: a {type(labels).__name__} came; expected what md.label returns.")
        if not len(labels.systems):
            raise ValueError("Dataset.of: the labels are of no systems; md.label was given none.")
        names = tuple(dict.fromkeys(name for s in labels.systems for name in s.names))
        numbers = [np.array([names.index(name) for name in s.names], int)[np.asarray(s.species)] for s in labels.systems]
        none = np.full((len(labels.systems), 3, 3), np.nan)
        return Dataset(
            names, np.concatenate([np.asarray(s.positions) for s in labels.systems]), np.concatenate(numbers),
            np.cumsum([0, *(s.atoms for s in labels.systems)]), np.array([s.cell for s in labels.systems]),
            np.array([s.periodic for s in labels.systems]), labels.energies, np.concatenate(list(labels.forces)),
            none if labels.virials is None else labels.virials,
        )  # fmt: skip

    def write(self, path: Any) -> Path:
        """Writes an extended XYZ file (`.xyz`, `.extxyz`), else folders of DeePMD-kit: one for all frames with the same
        atoms, below `path` where there are several. `load` gives the same dataset back, digit by digit.

        **Raises** `ValueError` where there is something at `path` already, or the format cannot hold a frame.
        """
        return write(self, path)

    # What there is.

    def __len__(self) -> int:
        return len(self.energies)

    @property
    def atoms(self) -> np.ndarray:
        """The number of atoms of each frame `(frames,)`."""
        return np.diff(self.first)

    @property
    def frame(self) -> np.ndarray:
        """The frame of each atom `(atoms of all,)`."""
        return np.repeat(np.arange(len(self)), self.atoms)

    @property
    def counts(self) -> np.ndarray:
        """The number of atoms of each species `(frames, species)`."""
        types = len(self.names)
        return np.bincount(self.frame * types + self.species, minlength=len(self) * types).reshape(len(self), types)

    @property
    def volumes(self) -> np.ndarray:
        """Volumes of the cells `(frames,)` [angstrom^3]; NaN unless periodic along all three vectors."""
        return np.where(self.periodic.all(axis=1), np.abs(np.linalg.det(self.cells)), np.nan)

    @property
    def labelled(self) -> dict[str, np.ndarray]:
        """Which frames have `"energies"`, `"forces"`, `"virials"`: three masks `(frames,)`."""
        return {
            "energies": np.isfinite(self.energies), "forces": np.isfinite(self.forces[self.first[:-1], 0]),
            "virials": np.isfinite(self.virials[:, 0, 0]),
        }  # fmt: skip

    @cached_property
    def distances(self) -> np.ndarray:
        """The smallest distance between atoms, images included, of each frame `(frames,)` [angstrom]; infinite for one atom
        that is alone."""
        from ._distances import nearest

        return np.array([nearest(self.positions[a:b], h, p) for a, b, h, p in self._each()])

    @property
    def nearest(self) -> float:
        """The smallest distance between atoms of all frames [angstrom]."""
        return float(self.distances.min(initial=np.inf))

    @property
    def systems(self) -> list[System]:
        """Each frame as a `System`, with those of the dataset's `names` that some atom has; a name that is no element has the
        mass 1, with a warning (`names={...}` of `load` says what names mean)."""
        used = tuple(self.names[k] for k in np.unique(self.species))
        _warn_of_masses(used, METAL, "Dataset.systems", "Say which elements are meant: dataset.renamed({name: element, ...}).")
        return self._systems()

    def _systems(self) -> list[System]:
        """The same where masses do not matter."""
        used = np.unique(self.species)
        names, species = tuple(self.names[k] for k in used), np.searchsorted(used, self.species).astype(np.int32)
        masses = np.array([_mass(name) for name in names])
        return [
            System(self.positions[a:b], species[a:b], h, masses[species[a:b]], names=names,
                   periodic=(bool(p[0]), bool(p[1]), bool(p[2])))
            for a, b, h, p in self._each()
        ]  # fmt: skip

    def _each(self) -> Iterable[Any]:
        return zip(self.first[:-1], self.first[1:], self.cells, self.periodic, strict=True)

    # Parts and sums.

    def __getitem__(self, index: Any) -> Dataset:
        rows = np.atleast_1d(np.arange(len(self))[index])
        first = np.append(0, np.cumsum(self.atoms[rows]))
        atoms = np.repeat(self.first[rows] - first[:-1], self.atoms[rows]) + np.arange(first[-1])
        return Dataset(
            self.names, self.positions[atoms], self.species[atoms], first, self.cells[rows], self.periodic[rows],
            self.energies[rows], self.forces[atoms], self.virials[rows],
        )  # fmt: skip

    def __add__(self, other: Dataset) -> Dataset:
        expect_dataset(other, "a dataset + ...")
        return joined([self, other])

    def renamed(self, names: Sequence[str] | Mapping[str, str]) -> Dataset:
        """The same frames with species in the order of `names`, which may be more; or with other names, `{"OW": "O"}`.
        **Raises** `ValueError` where one that a frame has is missing."""
        return joined([self], names)

    def split(self, validation: float | int, *, key: int = 0) -> tuple[Dataset, Dataset]:
        """A part to train on and one to validate, drawn at random: `validation` frames, or that share of them if below 1.

        **Raises** `ValueError` where one of the two would be empty.
        """
        from ._outliers import split

        return split(self, validation, key)

    def without_outliers(
        self, *, force: float | None = None, deviations: float | None = None, distance: float | None = None
    ) -> tuple[Dataset, dict[int, str]]:
        """The frames that stay, and of each that goes its number and why.

        **Arguments:** what goes: a `force` on an atom above this [eV/angstrom]; an energy per atom, less a least-squares fit of
        one energy for each species, further from the median than so many standard `deviations`, which are 1.4826 times the
        median absolute deviation (Leys et al. 2013, doi:10.1016/j.jesp.2013.03.013); atoms closer than `distance` [angstrom].

        Good values: forces 30 to 50, deviations 10 (liquids and melting crystals have wide and lopsided energies), distances
        half of a bond.

        **Raises** `ValueError` where none is given, one is not positive, or no frame stays.
        """
        from ._outliers import without_outliers

        return without_outliers(self, force, deviations, distance)

    def __repr__(self) -> str:
        many = f"{len(self)} frame{'' if len(self) == 1 else 's'}"
        kinds = np.unique(self.counts, axis=0)
        if len(kinds) == 1:
            each = zip(self.names, kinds[0], strict=True)
            of = " of " + " ".join(f"{name}{n}" if name.isalpha() else f"{name} ({n})" for name, n in each if n)
        elif len(kinds):
            n = self.atoms
            present = " ".join(name for name, k in zip(self.names, kinds.sum(axis=0), strict=True) if k)
            of = f" of {n.min()}{'' if n.min() == n.max() else f' to {n.max()}'} atoms, {present}, {len(kinds)} compositions"
        else:
            of = ""
        has = [k if m.all() else f"{k} of {m.sum()}" for k, m in self.labelled.items() if m.any()]
        return f"Dataset({many}{of}; {', '.join(has) or 'no labels'})"


def expect_dataset(given: Any, where: str) -> None:
    """**Raises** `ValueError` where no `Dataset` came."""
    if not isinstance(given, Dataset):
        raise ValueError(
            f"{where}: expected a Dataset; a {type(given).__name__} came (md.Dataset.load(path), md.Dataset.from_ase(atoms) "
            "and md.Dataset.of(md.label(systems, calculator)) make one)."
        )
