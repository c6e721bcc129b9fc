"""Energies and pressures of lattices, and every potential against LAMMPS."""

from __future__ import annotations

import decimal
import itertools
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from rows import Row, case

import sciml
from sciml import md

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/md/potentials"))
from test_lammps import POTENTIALS, REFERENCE, atoms_of  # noqa: E402

DATA = Path(os.environ.get("SCIML_DATA", ROOT / "../shared/data")).resolve()
EVALUATE = jax.jit(md.evaluate)
LAMMPS = """
units lj
atom_style atomic
lattice fcc 0.8442
region box block 0 20 0 20 0 20
create_box 1 box
create_atoms 1 box
mass 1 1.0
velocity all create 1.44 87287 loop geom
pair_style lj/cut 2.5
pair_coeff 1 1 1.0 1.0 2.5
neighbor 0.3 bin
fix 1 all nve
thermo_style custom step temp pe press
thermo_modify format float %20.15g
run 0
"""


def potentials() -> dict[str, md.AbstractPotential]:
    """Those of tests/md/potentials/test_lammps.py."""
    return {name: make() for name, make in POTENTIALS.items()}


def near(atoms: md.System, known: dict[Any, md.Neighbours] = {}) -> md.Neighbours:  # noqa: B006
    """A list of all neighbours within 9 angstrom, of the same sizes for systems of as many atoms, compiled once."""
    key = atoms.atoms, atoms.periodic
    n = known.get(key)
    n = None if n is None else n.update(jnp.asarray(atoms.positions), jnp.asarray(atoms.cell))
    if n is None or bool(n.overflow):
        n = known[key] = md.allocate(atoms, 5.0, skin=4.0, spare=2.0)
    return n


def evaluated(potential: md.AbstractPotential, atoms: md.System, small: bool = False) -> md.Evaluation:
    with sciml.float64():
        n = near(atoms) if small else md.allocate(atoms, potential.cutoff, skin=0.3)
        found = EVALUATE(potential, jax.tree.map(jnp.asarray, atoms), n)
        return jax.tree.map(np.asarray, found)


def shells(atoms: int = 32_000) -> tuple[float, float]:
    """E_pot/N and P of the lattice, summed over shells of neighbours in 40 digits."""
    with decimal.localcontext(prec=40):
        density, temperature = decimal.Decimal("0.8442"), decimal.Decimal("1.44")
        edge2 = ((4 / density).ln() * 2 / 3).exp()
        energy = work = decimal.Decimal(0)  # of an atom; work = sum over pairs of r f
        for i, j, k in itertools.product(range(-5, 6), repeat=3):
            square = edge2 * (i * i + j * j + k * k) / 4
            if (i + j + k) % 2 == 0 and 0 < square < decimal.Decimal("6.25"):
                x = 1 / square**3
                energy, work = energy + 2 * (x * x - x), work + 12 * (2 * x * x - x)
        return float(energy), float(density * (temperature * (atoms - 1) / atoms + work / 3))


def lammps_fcc() -> tuple[float, float, float]:
    """T, E_pot/N and P as LAMMPS has them."""
    env = Path(os.environ.get("LAMMPS_ENV", "/work/venvs/peer_lammps"))
    with tempfile.NamedTemporaryFile("w", suffix=".in") as file:
        file.write(LAMMPS)
        file.flush()
        out = subprocess.run(
            [env / "bin/lmp", "-in", file.name, "-log", "none"], capture_output=True, text=True, check=False,
            env={**os.environ, "LD_LIBRARY_PATH": str(env / "lib"), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
    found = re.search(r"^\s*0\s+(\S+)\s+(\S+)\s+(\S+)\s*$", out.stdout, re.M)
    if not found:
        raise RuntimeError(out.stdout[-500:] + out.stderr[-500:])
    return tuple(float(x) for x in found.groups())  # type: ignore[return-value]


@case
def lj_fcc() -> Iterator[Row]:
    atoms = md.fcc((4 / 0.8442) ** (1 / 3), 20, "A", units=md.REDUCED)
    found = evaluated(md.LennardJones(1.0, 1.0, cutoff=2.5), atoms)
    n, volume = atoms.atoms, float(atoms.volume)
    energy = float(found.energy) / n
    # 2 K = (3 N - 3) T
    pressure = (1.44 * (3 * n - 3) + float(np.trace(found.virial))) / (3 * volume)
    same = f"{energy:.7f}" == "-6.7733681"
    yield Row("LJ fcc, 32,000 atoms: E_pot/N", "-6.7733681", f"{energy:.10f}", same, None, {"value": energy})
    same = f"{pressure:.7f}" == "-5.0197073"
    yield Row("LJ fcc, 32,000 atoms: P at T = 1.44", "-5.0197073", f"{pressure:.10f}", same, None, {"value": pressure})
    exact, pressed = shells()
    off = max(abs(energy / exact - 1), abs(pressure / pressed - 1))
    details = {"energy": exact, "pressure": pressed}
    yield Row("the same against the sum over shells in 40 digits", "1e-13 relative", f"{off:.1e}", off < 1e-13, None, details)
    _, theirs, press = lammps_fcc()
    off = max(abs(energy / theirs - 1), abs(pressure / press - 1))
    own = max(abs(theirs / exact - 1), abs(press / pressed - 1))
    details = {"energy": theirs, "pressure": press, "lammps_off_the_sum": own}
    text = f"{off:.1e} (LAMMPS is off the sum over shells by {own:.1e})"
    yield Row("the same against LAMMPS, 15 digits", "1e-11 relative", text, off < 1e-11, None, details)


@case
def against_lammps() -> Iterator[Row]:
    for name, group in REFERENCE.items():
        potential, worst = POTENTIALS[name](), dict.fromkeys(("energy", "forces", "virial"), 0.0)
        for number, wanted in enumerate(group["cases"]):
            found = evaluated(potential, atoms_of(name, number), small=True)
            for what in worst:
                exact = np.asarray(wanted[what])
                worst[what] = max(worst[what], float(np.max(np.abs(getattr(found, what) - exact)) / np.max(np.abs(exact))))
        text = ", ".join(f"{what} {value:.1e}" for what, value in worst.items())
        met = max(worst.values()) < 1e-11
        yield Row(f"{name}, random triclinic cells, against LAMMPS", "1e-11 of the largest", text, met, None, worst)


@case
def copper() -> Iterator[Row]:
    atoms, ours = md.fcc(3.615, 4, "Cu"), md.load_eam(DATA / "eam/Cu_u3.eam")
    from ase.units import Bohr, Hartree

    from sciml.md.potentials._eam import HARTREE_BOHR

    codata = eqx.tree_at(lambda p: p.pair, ours, ours.pair * (Hartree * Bohr / HARTREE_BOHR))
    for name, potential, wanted in (("LAMMPS's constants", ours, -3.5400), ("CODATA's constants", codata, -3.5382)):
        energy = float(evaluated(potential, atoms).energy) / atoms.atoms
        met = abs(energy - wanted) < 5e-5
        yield Row(f"Cu u3, a = 3.615, {name}", f"{wanted:.4f} eV/atom", f"{energy:.6f}", met, None, {"value": energy})


@case
def gold() -> Iterator[Row]:
    potential = md.load_eam(DATA / "eam/Au-Grochola-JCP05.eam.alloy")
    found = md.relax(md.fcc(4.1, 2, "Au"), potential, cell=True, tolerance=1e-7)
    C = md.elastic_constants(found.atoms, potential, positions=False)
    rows = (
        ("a0 [angstrom]", 4.0701, 5e-5, float(found.atoms.cell[0, 0]) / 2),
        ("energy [eV/atom]", -3.924, 5e-4, found.energy / found.atoms.atoms),
        ("C11 - C12 [GPa]", 32.07, 0.005 * 32.07, float(C[0, 0] - C[0, 1])),
        ("C44 [GPa]", 45.94, 0.005 * 45.94, float(C[3, 3])),
    )
    for name, wanted, bound, value in rows:
        mark = f"{wanted}" + (" +- 0.5 %" if "C" in name else "")
        yield Row(f"Au, Grochola: {name}", mark, f"{value:.6g}", abs(value - wanted) <= bound, None, {"value": value})
