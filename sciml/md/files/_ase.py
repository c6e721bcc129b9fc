"""From and to ASE: structures and their files, a calculator from any potential, labels from any calculator."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..atoms._closest import is_finite
from ..atoms._evaluator import Evaluator, expect_finite
from ..atoms._pairs import AbstractPotential
from ..atoms._potential import expect_potential
from ..atoms._system import System, expect_system, system, volume_of
from ..atoms._units import METAL

ODD_MASS = 0.25  # by which the mass of an atom may be off that of its element
GUESSED = 0.1  # amu, by which a mass may be off for its element to be recognised


def from_ase(atoms: Any, *, types: Mapping[int, str] | None = None) -> System:
    """A `System` from ASE `Atoms`, or from a file that ASE reads: extended XYZ, POSCAR, LAMMPS data, ...; of several frames
    the last.

    Velocities come along where there are momenta, charges where there are initial charges. LAMMPS data and dump files (metal
    units) know numbers only: `types={1: "Cu", 2: "Zr"}` names them, unless there are labels, a column of elements, or masses
    of elements in a data file.

    Atoms that are held (ASE's `FixAtoms`, selective dynamics of a POSCAR, `move_mask` of extended XYZ) are `fixed` of the
    system, which `md.simulate` and `md.relax` hold.

    **Raises** `FileNotFoundError`, and `ValueError` where ASE cannot read the file or types have no names. **Warns** of other
    constraints, which have no counterpart here, and of masses that are far from those of the elements.
    """
    names, masses = None, True
    if isinstance(atoms, (str, Path)):
        atoms, names, masses = _read(Path(atoms), types)
    elif not hasattr(atoms, "get_positions"):
        raise ValueError(f"from_ase: a {type(atoms).__name__} came; expected ase.Atoms or the path of a file.")
    _warn_of_constraints(atoms)
    _warn_of_masses(atoms if masses and not names else None)
    return _converted(atoms, names, masses)


def _converted(atoms: Any, names: list[str] | None = None, masses: bool = True) -> System:
    momenta, charges = atoms.get_momenta(), atoms.get_initial_charges()
    cell = np.asarray(atoms.cell)
    return system(
        atoms.get_positions(),
        names or atoms.get_chemical_symbols(),
        cell=cell if cell.any() else None,
        periodic=atoms.pbc,
        masses=atoms.get_masses() if masses else None,
        velocities=momenta / atoms.get_masses()[:, None] if momenta.any() else None,
        charges=charges if charges.any() else None,
        fixed=sorted({int(k) for c in atoms.constraints if type(c).__name__ == "FixAtoms" for k in c.index}),
    )


def _warn_of_constraints(atoms: Any) -> None:
    """A `System` holds whole atoms; other constraints of ASE are told."""
    others = sorted({type(c).__name__ for c in atoms.constraints} - {"FixAtoms"})
    if others:
        have = "has" if len(others) == 1 else "have"
        warnings.warn(f"from_ase: {', '.join(others)} {have} no counterpart here; only whole atoms are held.", stacklevel=3)


def _warn_of_masses(atoms: Any) -> None:
    """Masses that ASE read, of atoms that are far from them; hydrogen may be deuterium or made heavier on purpose."""
    from ase.data import atomic_masses  # pyright: ignore[reportMissingImports]

    if atoms is None or not atoms.has("masses"):
        return
    own = atomic_masses[atoms.get_atomic_numbers()]
    off = (np.abs(atoms.get_masses() / own - 1) > ODD_MASS) & (own > 2)
    if off.any():
        k = int(np.argmax(off))
        warnings.warn(
            f"from_ase: atom {k} is {atoms.get_chemical_symbols()[k]} and has a mass of {atoms.get_masses()[k]:.4g} amu, where "
            f"{own[k]:.4g} is usual ({off.sum()} atoms are so): the masses of the file or of ASE's Atoms are taken. "
            "atoms.set_masses() of ASE takes those of the elements.",
            stacklevel=3,
        )


def _read(path: Path, types: Mapping[int, str] | None) -> tuple[Any, list[str] | None, bool]:
    """ASE's `Atoms`, names in place of its own, and whether it has masses."""
    import ase.io  # pyright: ignore[reportMissingImports]

    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist.")
    with path.open(errors="replace") as file:
        begins = file.read(4096)
    lammps = re.search(r"^\s*\d+\s+atom types\b", begins, re.MULTILINE) is not None
    dumped = types_of_dump(path)
    if types is not None and not lammps and dumped is None:
        raise ValueError(
            f"{path} is no LAMMPS data file, which has a line 'atom types', nor a dump file without elements; `types` is for "
            "those."
        )
    try:
        if dumped is not None:
            return _dumped(path, types, dumped)
        if not lammps:
            return ase.io.read(path), None, True
        return _lammps(path, types)
    except (KeyboardInterrupt, MemoryError):
        raise
    except _Untyped as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # ASE's readers raise whatever their parsing does
        raise ValueError(
            f"{path} could not be read by ASE ({type(error).__name__}: {error}); expected extended XYZ (.xyz, .extxyz), "
            "POSCAR, LAMMPS data or another format of ase.io.read. Where the name does not tell the format: "
            "md.from_ase(ase.io.read(path, format=...))."
        ) from None


class _Untyped(Exception):
    pass


def types_of_dump(path: Path) -> list[int] | None:
    """The types in a LAMMPS dump file that does not name elements; None for any other file."""
    with path.open(errors="replace") as file:
        if not file.readline().startswith("ITEM: TIMESTEP"):
            return None
        found: set[int] = set()
        column = None
        for line in file:
            if line.startswith("ITEM:"):
                columns = line.split()[2:] if line.startswith("ITEM: ATOMS") else []
                if "element" in columns or columns and "type" not in columns:
                    return None
                column = columns.index("type") if columns else None
            elif column is not None:
                found.add(int(line.split()[column]))
    return sorted(found)


def _dumped(path: Path, types: Mapping[int, str] | None, there: list[int]) -> tuple[Any, list[str], bool]:
    """The last frame of a LAMMPS dump file; ASE takes types for atomic numbers."""
    import ase.io  # pyright: ignore[reportMissingImports]

    example = "{" + ", ".join(f"{k}: ..." for k in there) + "}"
    if types is None:
        raise _Untyped(
            f"{path} is a LAMMPS dump of {len(there)} types without elements: hand over a map of types to species, "
            f"types={example}, or dump the column element (dump_modify element)."
        )
    if missing := sorted(set(there) - set(types)):
        raise _Untyped(f"{path} has atoms of type {', '.join(map(str, missing))}, which `types` lacks: types={example}.")
    read: Any = ase.io.read(path, index=-1)
    return read, [types[k] for k in read.get_atomic_numbers().tolist()], False


def _lammps(path: Path, types: Mapping[int, str] | None) -> tuple[Any, list[str] | None, bool]:
    import ase.io  # pyright: ignore[reportMissingImports]
    from ase.data import atomic_masses  # pyright: ignore[reportMissingImports]

    text = path.read_text()
    masses, labels = (re.search(rf"^\s*{s}\b", text, re.MULTILINE) is not None for s in ("Masses", "Atom Type Labels"))
    count = int(re.findall(r"^\s*(\d+)\s+atom types\b", text, re.MULTILINE)[0])
    example = "{" + ", ".join(f"{k}: ..." for k in range(1, count + 1)) + "}"
    if types is None:
        read = ase.io.read(path, format="lammps-data")
        off = np.abs(read.get_masses() - atomic_masses[read.get_atomic_numbers()])  # type: ignore[union-attr]
        if not labels and not (masses and np.all(off < GUESSED)):
            raise _Untyped(
                f"{path} does not say which elements its {count} types are: hand over a map of types to species, "
                f"types={example}."
            )
        return read, None, True
    read = ase.io.read(path, format="lammps-data", Z_of_type=dict.fromkeys(range(1, count + 1), 0))
    numbers = read.arrays["type"]  # type: ignore[union-attr]
    if missing := sorted(set(numbers.tolist()) - set(types)):
        raise _Untyped(f"{path} has atoms of type {', '.join(map(str, missing))}, which `types` lacks: types={example}.")
    return read, [types[k] for k in numbers.tolist()], masses


def to_ase(atoms: System) -> Any:
    """ASE `Atoms`; ASE's unit of time is ours, angstrom sqrt(amu / eV). Atoms that are fixed have the constraint `FixAtoms`.

    **Raises** `ValueError` where a species is no element, or units are not those of `md.METAL`.
    """
    from ase import Atoms  # pyright: ignore[reportMissingImports]
    from ase.constraints import FixAtoms  # pyright: ignore[reportMissingImports]
    from ase.data import atomic_numbers  # pyright: ignore[reportMissingImports]

    expect_system(atoms, "to_ase")
    if atoms.units != METAL:
        raise ValueError(f"ASE works in eV and angstrom; the system is in units {atoms.units.name!r}.")
    if unknown := [name for name in atoms.names if name not in atomic_numbers]:
        raise ValueError(f"to_ase: {', '.join(unknown)} are no elements; ASE takes their symbols, and X for what is none.")
    names = np.array(atoms.names)[np.asarray(atoms.species)]
    made = Atoms(
        names.tolist(), positions=np.asarray(atoms.positions), cell=np.asarray(atoms.cell), pbc=atoms.periodic,
        masses=np.asarray(atoms.masses),
    )  # fmt: skip
    if atoms.velocities is not None:
        made.set_velocities(np.asarray(atoms.velocities))
    if atoms.charges is not None:
        made.set_initial_charges(np.asarray(atoms.charges))
    if atoms.fixed:
        made.set_constraint(FixAtoms(list(atoms.fixed)))
    return made


def ase_calculator(potential: AbstractPotential, *, skin: float | None = None) -> Any:
    """An ASE calculator: energy, forces, stress (the sign of ASE: minus virial over volume), energies of atoms. Lists of
    neighbours are kept until an atom has moved by half the `skin` [angstrom], by default a tenth of the cutoff. It raises
    `ValueError` where energy or forces are not finite, with the atoms that lie on each other."""
    from ase.calculators.calculator import Calculator, all_changes  # pyright: ignore[reportMissingImports]

    expect_potential(potential, "ase_calculator")

    class SciMLCalculator(Calculator):
        implemented_properties = ["energy", "free_energy", "forces", "stress", "energies"]

        def __init__(self) -> None:
            super().__init__()
            self._evaluator: Any = None
            self._key: Any = None
            self._cell: Any = None

        def calculate(self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = all_changes) -> None:
            super().calculate(atoms, properties, system_changes)
            assert self.atoms is not None
            r, h = self.atoms.get_positions(), np.array(self.atoms.cell)
            key = (self.atoms.numbers.tobytes(), tuple(map(bool, self.atoms.pbc)))
            if key != self._key or not np.array_equal(h, self._cell) or not np.all(np.isfinite(r)):
                now = _converted(self.atoms)  # which looks at the cell
                if key != self._key:
                    self._evaluator, self._key = Evaluator(now, potential, skin=skin), key
                self._cell = h
            found = self._evaluator(r, h)
            if not is_finite(found.energy, found.forces):
                expect_finite("ase_calculator", potential, _converted(self.atoms), found)
            self.results = {
                "energy": float(found.energy), "free_energy": float(found.energy), "forces": found.forces,
                "energies": found.atom_energies,
            }  # fmt: skip
            if all(key[1]):
                stress = -found.virial / volume_of(h, key[1])
                stress = (stress + stress.T) / 2
                self.results["stress"] = stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]

    return SciMLCalculator()


@dataclass(frozen=True)
class Labels:
    """What a calculator says of structures.

    **Attributes:** `systems`; `energies` `(systems,)` [eV]; `forces` [eV/angstrom], `(systems, atoms, 3)` where all have as
    many atoms, else a list; `virials` `(systems, 3, 3)` [eV], minus the derivative of the energy with respect to strain, NaN
    for open systems, None where the calculator has no stress.
    """

    systems: list[System]
    energies: np.ndarray
    forces: Any
    virials: np.ndarray | None

    @property
    def stresses(self) -> np.ndarray:
        """Minus the virials over the volumes `(systems, 3, 3)` [eV/angstrom^3], positive under tension, as ASE has it."""
        if self.virials is None:
            raise ValueError("The calculator has no stress.")
        return -self.virials / np.array([float(s.volume) for s in self.systems])[:, None, None]


def label(systems: System | Iterable[System], calculator: Any) -> Labels:
    """Energies, forces and virials of `systems` by any ASE calculator, a density-functional code or a potential.

    Energies are those whose derivatives the forces are (ASE's `free_energy`) where the calculator tells the two apart.

    **Raises** `ValueError` where one is no `System`, or numbers that come back are not finite.
    """
    systems = [systems] if isinstance(systems, System) else list(systems)
    if not hasattr(calculator, "get_potential_energy"):
        raise ValueError(
            f"label: a {type(calculator).__name__} came; expected an ASE calculator (md.ase_calculator(potential) is one)."
        )
    offered = getattr(calculator, "implemented_properties", ())
    energies, forces, virials = [], [], []
    for k, atoms in enumerate(systems):
        expect_system(atoms, "label")
        made = to_ase(atoms)
        made.calc = calculator
        made.set_constraint()  # ASE sets the forces on atoms that are held to zero
        energies.append(float(made.get_potential_energy(force_consistent="free_energy" in offered)))
        forces.append(np.array(made.get_forces()))
        whole = all(atoms.periodic) and "stress" in offered
        virials.append(-made.get_stress(voigt=False) * float(atoms.volume) if whole else np.full((3, 3), np.nan))
        if not (np.isfinite(energies[-1]) and np.all(np.isfinite(forces[-1]))):
            raise ValueError(f"label: the calculator's energy or forces of system {k} are not finite.")
    same = len({f.shape for f in forces}) == 1
    return Labels(
        systems, np.array(energies), np.array(forces) if same else forces, np.array(virials) if "stress" in offered else None
    )
