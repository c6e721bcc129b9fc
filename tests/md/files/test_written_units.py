"""Units and labels in files (../shared/cases/md.md, 1; results.md, M4, M5, M12, M13, M17)."""

import os
import warnings
from pathlib import Path

import ase.io
import numpy as np
import pytest

from sciml import md

ODD = Path(os.environ.get("SCIML_DATA", Path(__file__).parents[3] / "../shared/data")) / "odd"
HEAD = 'Lattice="5 0 0 0 5 0 0 0 5" Properties=species:S:1:pos:R:3:force:R:3 pbc="T T T" '
ATOMS = "Ar 0 0 0 0.01 0 0\nAr 2.5 2.5 2.5 -0.01 0 0\n"
UNIT = " ".join(map(str, np.eye(3).ravel()))


def load(tmp_path, header, **options):
    path = tmp_path / "odd.xyz"
    path.write_text(f"2\n{HEAD}{header}\n{ATOMS}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return md.Dataset.load(path, **options)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("hartree", 27.211386), ("au", 27.211386), ("Ry", 13.605693), ("kcal/mol", 0.0433641), ("kJ/mol", 0.01036427),
        ("eV", 1.0), ("meV", 1e-3),
    ],
)  # fmt: skip
def test_energies(tmp_path, unit, factor):
    found = load(tmp_path, f"energy=-2.0 energy-unit={unit}")
    np.testing.assert_allclose(found.energies, [-2 * factor], rtol=1e-6)
    np.testing.assert_allclose(found.forces[0, 0], 0.01)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("hartree/bohr", 51.422067), ("a.u.", 51.422067), ("kcal/mol/angstrom", 0.0433641), ("eV/bohr", 1 / 0.529177),
        ("eV/A", 1.0),
    ],
)  # fmt: skip
def test_forces(tmp_path, unit, factor):
    found = load(tmp_path, f'energy=-2.0 force_unit="{unit}"')
    np.testing.assert_allclose(found.forces[0, 0], 0.01 * factor, rtol=1e-6)
    np.testing.assert_allclose(found.energies, -2.0)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("GPa", 0.00624150907), ("kbar", 0.000624150907), ("kB", 0.000624150907), ("bar", 6.24150907e-7),
        ("au/bohr^3", 183.6315), ("Hartree/Bohr**3", 183.6315), ("eV/A^3", 1.0), ("eV/angstrom^3", 1.0),
    ],
)  # fmt: skip
def test_stresses(tmp_path, unit, factor):
    found = load(tmp_path, f'energy=-2.0 stress="{" ".join(map(str, (0.004 * np.eye(3)).ravel()))}" stress-unit={unit}')
    np.testing.assert_allclose(found.virials[0], -125 * 0.004 * factor * np.eye(3), rtol=1e-6)


def test_a_virial_is_in_the_unit_of_the_energy(tmp_path):
    found = load(tmp_path, f'energy=-1.0 virial="{UNIT}" energy-unit=hartree')
    np.testing.assert_allclose(found.virials[0], 27.211386 * np.eye(3), rtol=1e-6)
    found = load(tmp_path, f'energy=-1.0 virial="{UNIT}" energy-unit=hartree virial-unit=eV')
    np.testing.assert_allclose(found.virials[0], np.eye(3))


@pytest.mark.parametrize("said", ["energy-unit=nonsense", "stress_units=torr", "force-unit=eV", "positions-unit=bohr"])
def test_units_that_are_not_understood(tmp_path, said):
    with pytest.raises(ValueError, match=f"frame 0: .* in '{said.split('=')[1]}'.*understood are"):
        load(tmp_path, f"energy=-1.0 {said}")


@pytest.mark.parametrize("name", ["stress", "stresses", "REF_stress", "dft_stress"])
def test_six_numbers_and_other_names(tmp_path, name):
    six = load(tmp_path, f'energy=-1.0 {name}="0.01 0.02 0.03 0.004 0.005 0.006"')
    right = -125 * np.array([[0.01, 0.006, 0.005], [0.006, 0.02, 0.004], [0.005, 0.004, 0.03]])
    np.testing.assert_allclose(six.virials[0], right)
    nine = load(tmp_path, f'energy=-1.0 {name}="0.01 0.006 0.005 0.006 0.02 0.004 0.005 0.004 0.03"')
    np.testing.assert_allclose(nine.virials[0], right)


def test_a_stress_of_impossible_size(tmp_path):
    with pytest.raises(UserWarning, match=r"the virial of frame 0 is a stress of 20 eV/angstrom\^3, or 3.2e\+03 GPa"):
        load(tmp_path, f'energy=-1.0 stress="{" ".join(map(str, (20 * np.eye(3)).ravel()))}"')


def test_ase_reads_the_stress_that_is_written(tmp_path):
    stress = np.array([[0.01, 0.006, 0.005], [0.006, 0.02, 0.004], [0.005, 0.004, 0.03]])
    made = load(tmp_path, f'energy=-1.0 stress="{" ".join(map(str, stress.ravel()))}"')
    made.write(tmp_path / "out.xyz")
    np.testing.assert_allclose(ase.io.read(tmp_path / "out.xyz").get_stress(voigt=False), stress, rtol=1e-12)
    again = md.Dataset.load(tmp_path / "out.xyz")
    assert np.array_equal(again.virials, made.virials) and np.array_equal(again.forces, made.forces)


def test_a_type_that_no_atom_has(tmp_path):
    """It is in type_map.raw; a potential that does not know it may take the frames all the same."""
    made = load(tmp_path, "energy=-1.0").renamed(["Ar", "D"])
    assert made.systems[0].names == ("Ar",)
    md.validate(md.LennardJones(0.01, 3.4, cutoff=5.0), made)


def test_a_folder_of_mixed_type_without_its_types(tmp_path):
    load(tmp_path, "energy=-1.0").renamed(["Ar", "D"]).write(tmp_path / "folder")
    with pytest.warns(UserWarning, match="every atom is Ar, .*D too, which no atom is.*real_atom_types.npy: is it missing"):
        md.Dataset.load(tmp_path / "folder")


DUMP = """ITEM: TIMESTEP
0
ITEM: NUMBER OF ATOMS
2
ITEM: BOX BOUNDS pp pp pp
0.0 5.0
0.0 5.0
0.0 5.0
ITEM: ATOMS id type x y z fx fy fz
1 1 0.0 0.0 0.0 0.1 0.0 0.0
2 2 2.5 2.5 2.5 -0.1 0.0 0.0
"""


def test_dump_files_of_lammps(tmp_path):
    path = tmp_path / "glass.dump"
    path.write_text(DUMP)
    with pytest.raises(ValueError, match=r"a LAMMPS dump of 2 types without elements.*types=\{1: ..., 2: ...\}"):
        md.from_ase(path)
    with pytest.raises(ValueError, match=r"a LAMMPS dump with 2 types and no elements.*names="):
        md.Dataset.load(path)
    with pytest.raises(ValueError, match="atoms of type 2, which `types` lacks"):
        md.from_ase(path, types={1: "Zr"})
    atoms = md.from_ase(path, types={1: "Zr", 2: "Cu"})
    assert atoms.names == ("Zr", "Cu") and abs(atoms.masses[1] - 63.546) < 0.01
    found = md.Dataset.load(path, names=["Zr", "Cu"])
    assert found.names == ("Zr", "Cu") and found.forces[0, 0] == 0.1
    path.write_text(DUMP.replace("id type x", "id element x").replace("1 1 0", "1 Zr 0").replace("2 2 2.5", "2 Cu 2.5"))
    assert md.from_ase(path).names == ("Zr", "Cu")


@pytest.mark.skipif(not ODD.exists(), reason="the odd files are not here")
@pytest.mark.parametrize(
    ("name", "energy", "force", "virial"),
    [
        ("stress_only", -1.5, None, (-0.27, -0.54, -0.81)), ("stress_voigt", -1.5, None, (-0.27, -0.54, -0.81)),
        ("stresses_key", -1.5, None, (-0.27, -0.54, -0.81)), ("virials_key", -1.5, None, (0.27, 0.54, 0.81)),
        ("stress_gpa", -3.0, None, (-0.780189,) * 3), ("stress_kbar", -3.0, None, (-0.780189,) * 3),
        ("stress_au_bohr3", -3.0, None, (-22.95394,) * 3), ("energy_hartree", -13.605693, 0.5142207, None),
        ("energy_au", -13.605693, 0.5142207, None), ("energy_kcal_mol", -0.4336412, 0.0433641, None),
        ("virial_hartree", -27.211386, None, (27.211386,) * 3), ("energy_key_variants", -1.5, None, None),
        ("forces_key", -1.5, None, None), ("unknown_props", -1.5, None, None), ("nopbc", -1.5, None, None),
        ("pbc_false", -1.5, None, None),
    ],
)  # fmt: skip
def test_files_of_dpdata(name, energy, force, virial):
    found = md.Dataset.load(ODD / "dpdata_xyz" / f"{name}.xyz")
    np.testing.assert_allclose(found.energies[0], energy, rtol=1e-6)
    assert np.isfinite(found.forces).all()
    if force is not None:
        np.testing.assert_allclose(found.forces[0, 0], force, rtol=1e-6)
    if virial is None:
        assert np.isnan(found.virials).all()
    else:
        np.testing.assert_allclose(np.diag(found.virials[0]), virial, rtol=1e-6)
    assert bool(found.periodic.any()) == (name not in ("nopbc", "pbc_false"))


@pytest.mark.skipif(not ODD.exists(), reason="the odd files are not here")
def test_files_of_dpdata_that_are_refused():
    with pytest.raises(ValueError, match="energy in 'nonsense'"):
        md.Dataset.load(ODD / "dpdata_xyz" / "unsupported_unit.xyz")
    with pytest.raises(ValueError, match=r"xyz_unittest.field.xyz could not be read by ASE"):
        md.Dataset.load(ODD / "dpdata_xyz" / "xyz_unittest.field.xyz")
