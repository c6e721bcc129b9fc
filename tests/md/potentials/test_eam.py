"""Files of the embedded-atom method: cohesive energies (../shared/reference/md.md), several elements, files that are not
whole. Forces and LAMMPS's numbers are in test_lammps.py."""

import gzip
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sciml
from sciml import md

DATA = Path(os.environ.get("SCIML_DATA", Path(__file__).parents[3] / "../shared/data")) / "eam"


@pytest.mark.skipif(not DATA.exists(), reason=f"{DATA} is not here: set SCIML_DATA")
def test_cohesive_energies():
    n = None
    for file, constant, wanted in (("Cu_u3.eam", 3.615, -3.5400), ("Au-Grochola-JCP05.eam.alloy", 4.0701, -3.924)):
        potential = md.load_eam(DATA / file)
        atoms = md.fcc(constant, 1, potential.names[0])
        with sciml.float64():
            now = jax.tree.map(jnp.asarray, atoms)
            n = md.allocate(atoms, 5.5, skin=0.0) if n is None else n.update(now.positions, now.cell)
            found = jax.jit(md.evaluate)(potential, now, n)
        assert not bool(n.overflow) and potential.closest is None
        assert abs(float(found.energy) / atoms.atoms - wanted) < 5e-4
    with pytest.raises(ValueError, match=f"does not know Ni; it knows {potential.names[0]}"):
        md.relax(md.fcc(3.5, 1, "Ni"), potential)


def written(path, names, *, fs=False, rows=20, head="comments\n" * 3):
    """Tables of small numbers that tell whose they are."""
    r = 0.2 * np.arange(rows)
    tables = []
    for a in range(len(names)):
        tables += ["29 63.5 3.6 fcc", *map(repr, (-np.sqrt(r) * (a + 1)).tolist())]
        for b in range(len(names) if fs else 1):
            tables += map(repr, ((a + 1 + 10 * b) * np.exp(-r)).tolist())
    for a in range(len(names)):
        for b in range(a + 1):
            tables += map(repr, (r * np.exp(-2 * r) * (1 + a + b) - 30 * (r < 0.7)).tolist())
    grid = f"{rows} 0.2 {rows} 0.2 {0.2 * (rows - 1)!r}\n"
    path.write_text(head + f"{len(names)} {' '.join(names)}\n" + grid + "\n".join(tables) + "\n")
    return path


def test_several_elements_in_both_forms(tmp_path):
    alloy = md.load_eam(written(tmp_path / "a.eam.alloy", ["X", "Y", "Z"]))
    assert alloy.names == ("X", "Y", "Z") and alloy.density.shape == (3, 20, 4)
    np.testing.assert_allclose(alloy.density[:, 0, 3], [1, 2, 3])
    np.testing.assert_allclose(alloy.embedding[:, 5, 3], [-1, -2, -3])
    wanted = 1.6 * np.exp(-3.2) * np.array([[1, 2, 3], [2, 3, 4], [3, 4, 5]])
    np.testing.assert_allclose(alloy.pair[:, :, 8, 3], wanted)
    fs = md.load_eam(written(tmp_path / "a.eam.fs", ["X", "Y"], fs=True))
    np.testing.assert_allclose(fs.density[:, :, 0, 3], [[1, 11], [2, 12]])  # of the neighbour, for the centre


def test_how_close_atoms_may_come(tmp_path):
    """Where a table turns over: here -30 below 0.7 angstrom, and repulsion of more than 1 eV at no point."""
    assert md.load_eam(written(tmp_path / "a.eam.alloy", ["X"])).closest is None
    text = written(tmp_path / "a.eam.alloy", ["X"]).read_text().splitlines()
    r = 0.2 * np.arange(20)
    text[-20:] = map(repr, (r * (40 * np.exp(-r) - 100 * (r < 0.7))).tolist())
    (tmp_path / "b.eam.alloy").write_text("\n".join(text))
    np.testing.assert_allclose(md.load_eam(tmp_path / "b.eam.alloy").closest, 0.8)


def test_files_that_are_not_whole(tmp_path):
    (tmp_path / "a.eam").write_text("nothing\n1 2\n")
    with pytest.raises(ValueError, match="no table of the embedded-atom method"):
        md.load_eam(tmp_path / "a.eam")
    with pytest.raises(FileNotFoundError):
        md.load_eam(tmp_path / "b.eam")
    lines = written(tmp_path / "c.eam.alloy", ["X", "Y"]).read_text().splitlines()
    for name, text, message in (
        ("short", lines[:-1], "ends before number 20 of 20 of the pair Y Y"),
        ("embedding", lines[:9], "ends before number 4 of 20 of the embedding of X"),
        ("longer", [*lines, "1.0"], "goes on after the last table"),
        ("words", [*lines[:-1], "one"], "could not convert"),
        ("infinite", [*lines[:-1], "inf"], "not finite"),
        ("sizes", [*lines[:4], "20 0.2 20", *lines[5:]], "nrho, drho, nr, dr and the cutoff were expected"),
    ):
        (tmp_path / f"{name}.eam.alloy").write_text("\n".join(text))
        with pytest.raises(ValueError, match=message):
            md.load_eam(tmp_path / f"{name}.eam.alloy")


def test_packed_files_and_wrong_names(tmp_path):
    """.gz is unpacked; a file whose name tells the other form of setfl is told so (../shared/cases/results.md, M18, M22)."""
    for name, fs in (("a.eam.alloy", False), ("a.eam.fs", True)):
        plain = written(tmp_path / name, ["X", "Y"], fs=fs)
        packed = tmp_path / (name + ".gz")
        packed.write_bytes(gzip.compress(plain.read_bytes()))
        for a, b in zip(*(jax.tree.leaves(md.load_eam(p)) for p in (plain, packed)), strict=True):
            np.testing.assert_array_equal(a, b)
        hidden = tmp_path / f"hidden_{name}"
        hidden.write_bytes(packed.read_bytes())
        with pytest.raises(ValueError, match="is packed by gzip: give its name the ending .gz"):
            md.load_eam(hidden)
        packed.write_bytes(packed.read_bytes()[:-20])
        with pytest.raises(ValueError, match="is no gzip file that can be unpacked"):
            md.load_eam(packed)
        wrong = written(tmp_path / ("wrong.eam.alloy" if fs else "wrong.eam.fs"), ["X", "Y"], fs=fs)
        form, ending = ("eam/fs", ".eam.fs") if fs else ("eam/alloy", ".eam.alloy")
        with pytest.raises(ValueError, match=f"is a file of the form {form} .* give it the ending {ending}"):
            md.load_eam(wrong)
