"""Every odd file of ../shared/data/odd, read with right numbers or refused with a reason (md.md, 1-3, 8, 9, 13).

A file without a row here fails. What the smallest ones hold is made by test_written_units.py itself.
"""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from sciml import md

ODD = Path(os.environ.get("SCIML_DATA", Path(__file__).parents[3] / "../shared/data")) / "odd"
pytestmark = pytest.mark.skipif(not ODD.exists(), reason=f"{ODD} is not here: set SCIML_DATA")


def labels(path):
    return md.Dataset.load(path)


def labelled(*, energy, force=None, virial=None, periodic=True):
    """The first frame of a file with labels: E [eV], F_x of atom 0 [eV/angstrom], the diagonal of the virial [eV]."""

    def check(path):
        found = labels(path)
        np.testing.assert_allclose(found.energies[0], energy, rtol=1e-6)
        assert np.isfinite(found.forces).all() and bool(found.periodic.any()) == periodic
        if force is not None:
            np.testing.assert_allclose(found.forces[0, 0], force, rtol=1e-6)
        if virial is None:
            assert np.isnan(found.virials).all()
        else:
            np.testing.assert_allclose(np.diag(found.virials[0]), virial, rtol=1e-6)

    return check


def refused(message, load=labels):
    def check(path):
        with pytest.raises(ValueError, match=message):
            load(path)

    return check


def without_labels(path, formula, volume):
    with pytest.raises(ValueError, match="no energies"):
        labels(path)
    atoms = md.from_ase(path)
    assert repr(atoms).startswith(f"System({formula}") and atoms.volume == pytest.approx(volume, abs=1e-3)
    return atoms


def left_handed(path):
    """The determinant of the lattice is -124.338; what is computed is that of the cell with two vectors exchanged."""
    atoms = without_labels(path, "Si", 124.338)
    assert np.linalg.det(atoms.cell) == pytest.approx(-124.338, abs=1e-3)


def several_labels(path):
    """E_lj and F_lj are asked for by name; open frames in a lattice of 100 angstrom."""
    refused("keys")(path)
    found = md.Dataset.load(path, keys={"energy": "E_lj", "forces": "F_lj"})
    assert len(found) == 30 and not found.periodic.any()
    np.testing.assert_allclose([found.energies[0], found.forces.min()], [447.40100301767563, -8436.80972524], rtol=1e-8)


def silicon(path):
    """Columns `masses` (1.008) and `mass` (28.0855): those that ASE knows are taken, with a word."""
    found = labels(path)
    with pytest.warns(UserWarning, match="atom 0 is Si and has a mass of 1.008 amu, where 28.09 is usual .8 atoms are so"):
        atoms = md.from_ase(path)
    np.testing.assert_allclose(found.energies, [-32.67517139791636], rtol=1e-10)
    np.testing.assert_allclose(-found.virials[0, 0, :2] / atoms.volume, [0.007483248762384919, -0.01112413485363832], rtol=1e-6)
    assert atoms.names == ("Si",) and atoms.masses.tolist() == [1.008] * 8


def glass(path):
    """32 atoms in 3.006 angstrom: smaller than any cutoff."""
    found = labels(path)
    np.testing.assert_allclose(found.energies, [-181.1892635478015], rtol=1e-10)
    np.testing.assert_allclose(found.virials[0, 0, 0], -0.13225721557320347 * 3.0061351435328256**3, rtol=1e-6)


def eam(names, kind, cutoff, rows):
    def check(path):
        found = md.load_eam(path)
        assert found.names == names and found.density.ndim == (4 if kind == "fs" else 3)
        assert found.pair.shape[-2] == rows and found.cutoff == pytest.approx(cutoff, abs=1e-6)

    return check


def packed_structure(path):
    """ASE unpacks what ends in .gz, and needs the format where the name does not tell it."""
    import ase.io

    text = gzip.decompress(path.read_bytes()).decode()
    assert text.startswith("460\n")
    with gzip.open(path, "rt") as file:
        atoms = md.from_ase(ase.io.read(file, format="extxyz"))
    assert atoms.atoms == 460 and set(atoms.names) == {"Cu", "Zr"} and atoms.volume == pytest.approx(9261)


def packed_dump(path, folder):
    (folder / "glass.dump").write_bytes(gzip.decompress(path.read_bytes()))
    with pytest.raises(ValueError, match=r"types=\{1: ..., 2: ...\}"):
        md.from_ase(folder / "glass.dump")
    glass = md.from_ase(folder / "glass.dump", types={1: "Zr", 2: "Cu"})
    forces = md.Dataset.load(folder / "glass.dump", names=["Zr", "Cu"]).forces
    assert glass.atoms == 460
    # LAMMPS's rms of components and largest force (../shared/cases/md.md, 9).
    np.testing.assert_allclose(np.sqrt(np.mean(forces**2)), 1.061597, atol=2e-5)
    np.testing.assert_allclose(np.abs(forces).max(), 5.358775, atol=2e-5)


STRESS, GPA = (-0.27, -0.54, -0.81), (-0.780189,) * 3
BORON = (159.582203018, 164.488614479, 300.596373102)
FILES = {
    "dpdata_xyz": {
        "energy_au.xyz": labelled(energy=-13.605693, force=0.5142207),
        "energy_hartree.xyz": labelled(energy=-13.605693, force=0.5142207),
        "energy_kcal_mol.xyz": labelled(energy=-0.4336412, force=0.0433641),
        "energy_key_variants.xyz": labelled(energy=-1.5),
        "forces_key.xyz": labelled(energy=-1.5),
        "nopbc.xyz": labelled(energy=-1.5, periodic=False),
        "pbc_false.xyz": labelled(energy=-1.5, periodic=False),
        "stress_au_bohr3.xyz": labelled(energy=-3.0, virial=(-22.95394,) * 3),
        "stress_gpa.xyz": labelled(energy=-3.0, virial=GPA),
        "stress_kbar.xyz": labelled(energy=-3.0, virial=GPA),
        "stress_only.xyz": labelled(energy=-1.5, virial=STRESS),
        "stress_voigt.xyz": labelled(energy=-1.5, virial=STRESS),
        "stresses_key.xyz": labelled(energy=-1.5, virial=STRESS),
        "unknown_props.xyz": labelled(energy=-1.5),
        "unsupported_unit.xyz": refused("energy in 'nonsense'"),
        "virial_hartree.xyz": labelled(energy=-27.211386, virial=(27.211386,) * 3),
        "virials_key.xyz": labelled(energy=-1.5, virial=(0.27, 0.54, 0.81)),
        "xyz_B5C7_novirials.xyz": labelled(energy=2.397023, force=-7.255659),
        "xyz_unittest.field.xyz": refused("could not be read by ASE"),
        "xyz_unittest.sort.xyz": labelled(energy=2.397023, force=-14.394908, virial=BORON),
        "xyz_unittest.xyz": labelled(energy=2.397023, force=-7.255659, virial=BORON),
    },
    "matscipy_misc": {
        "aSi_N8.xyz": silicon,
        "cryst_rot_mod.xyz": left_handed,
        "glass_min.xyz": glass,
        "opls_extxyz.xyz": lambda path: without_labels(path, "H2", 1000.0),
        "test_data.xyz": labelled(energy=-0.9743916502614107, force=1.74328636, periodic=False),
        "training_data.xyz": several_labels,
    },
    "eam": {
        "Au_Zhou.eam.alloy": eam(("Au",), "alloy", 6.451132297515869, 2000),
        "CuAg.eam.alloy.gz": eam(("Cu", "Ag"), "alloy", 5.995011000293092, 10000),
        "CuZr_glass_460_atoms.gz": packed_structure,
        "CuZr_glass_460_atoms_forces.lammps.dump.gz": packed_dump,
        "CuZr_mm.eam.fs.gz": eam(("Cu", "Zr"), "fs", 7.6, 10000),
        "ZrCu.onecolumn.eam.alloy": eam(("Zr", "Cu"), "alloy", 6.5, 1001),
    },
}  # fmt: skip


@pytest.mark.parametrize("folder", FILES)
def test_every_file_has_a_row(folder):
    there = {path.name for path in (ODD / folder).iterdir()}
    assert there == set(FILES[folder])


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("folder", "name"), [(f, n) for f, names in FILES.items() for n in names])
def test_file(folder, name, tmp_path):
    check = FILES[folder][name]
    check(ODD / folder / name, tmp_path) if check is packed_dump else check(ODD / folder / name)
