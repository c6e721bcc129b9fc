"""From and to ASE: structures, and a calculator from any potential."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._pairs import AbstractPotential, evaluate, neighbours_for
from ._system import System, system
from ._units import METAL


def from_ase(atoms: Any) -> System:
    """A `System` from ASE `Atoms`, or from a file that `ase.io.read` reads (extended XYZ, POSCAR, LAMMPS data, ...).

    Velocities come along where there are momenta, charges where there are initial charges.
    """
    if not hasattr(atoms, "get_positions"):
        import ase.io  # pyright: ignore[reportMissingImports]

        atoms = ase.io.read(atoms)
    momenta, charges = atoms.get_momenta(), atoms.get_initial_charges()
    cell = np.asarray(atoms.cell)
    return system(
        atoms.get_positions(),
        atoms.get_chemical_symbols(),
        cell=cell if cell.any() else None,
        periodic=atoms.pbc,
        masses=atoms.get_masses(),
        velocities=momenta / atoms.get_masses()[:, None] if momenta.any() else None,
        charges=charges if charges.any() else None,
    )


def to_ase(atoms: System) -> Any:
    """ASE `Atoms`; ASE's unit of time is ours, angstrom sqrt(amu / eV)."""
    from ase import Atoms  # pyright: ignore[reportMissingImports]

    _metal(atoms)
    names = np.array(atoms.names)[np.asarray(atoms.species)]
    made = Atoms(
        names.tolist(), positions=np.asarray(atoms.positions), cell=np.asarray(atoms.cell), pbc=atoms.periodic,
        masses=np.asarray(atoms.masses),
    )  # fmt: skip
    if atoms.velocities is not None:
        made.set_velocities(np.asarray(atoms.velocities))
    if atoms.charges is not None:
        made.set_initial_charges(np.asarray(atoms.charges))
    return made


def ase_calculator(potential: AbstractPotential, *, skin: float | None = None) -> Any:
    """An ASE calculator: energy, forces, stress (the sign of ASE: minus virial over volume), energies of atoms."""
    import jax
    from ase.calculators.calculator import Calculator, all_changes  # pyright: ignore[reportMissingImports]

    from .._precision import float64

    class SciMLCalculator(Calculator):
        implemented_properties = ["energy", "free_energy", "forces", "stress", "energies"]

        def __init__(self) -> None:
            super().__init__()
            self._neighbours: Any = None
            self._key: Any = None
            self._evaluate = jax.jit(lambda p, s, n: evaluate(p, s, n))

        def calculate(self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = all_changes) -> None:
            super().calculate(atoms, properties, system_changes)
            now = from_ase(self.atoms)
            now = System(now.positions, now.species, now.cell, now.masses, names=now.names, periodic=now.periodic)
            key = (now.atoms, now.periodic, now.names, now.species.tobytes())
            with float64():
                if key != self._key or bool(self._neighbours.is_stale(now.positions, now.cell)):
                    self._neighbours, self._key = neighbours_for(now, potential, skin=skin), key
                found = self._evaluate(potential, now, self._neighbours)
            self.results = {
                "energy": float(found.energy), "free_energy": float(found.energy), "forces": np.asarray(found.forces),
                "energies": np.asarray(found.atom_energies),
            }  # fmt: skip
            if all(now.periodic):
                stress = -np.asarray(found.virial) / now.volume
                stress = (stress + stress.T) / 2
                self.results["stress"] = stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]

    return SciMLCalculator()


def _metal(atoms: System) -> None:
    if atoms.units != METAL:
        raise ValueError(f"ASE works in eV and angstrom; the system is in units {atoms.units.name!r}.")
