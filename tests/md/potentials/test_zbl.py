"""Repulsion of nuclei, and a Deep Potential that gives way to it."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sciml
from sciml import md
from sciml.md.atoms._pairs import pairs_of

# Energy [eV] and force [eV/angstrom] of two atoms: LAMMPS, units metal, pair_style zbl 1.0 2.0.
LAMMPS = [
    ("O", "H", 0.3, 102.431432302329, 694.866421659616),
    ("O", "H", 1.2, 1.71245545851482, 7.36111199542144),
    ("Si", "Si", 0.9, 67.796803567029, 294.067167744356),
    ("Si", "Si", 1.7, 0.754643011310403, 7.70180557550439),
    ("Au", "C", 1.2, 28.6442536385126, 136.613363872081),
    ("Au", "C", 1.99, 3.96410026644034e-05, 0.0118949322231128),
]


@pytest.mark.parametrize(("a", "b", "r", "energy", "force"), LAMMPS)
def test_lammps(a, b, r, energy, force):
    zbl = md.ZBL((a, b), start=1.0, cutoff=2.0)
    with sciml.float64():
        E, slope = jax.value_and_grad(lambda r: zbl.pair_energies(r**2, 0, 1))(jnp.asarray(r))
    np.testing.assert_allclose([E, -slope], [energy, force], rtol=1e-11)


def test_nothing_jumps():
    zbl = md.ZBL(("A", "B"), numbers=(8, 1), start=1.0, cutoff=2.0)
    with sciml.float64():
        curve = lambda r: zbl.pair_energies(r**2, 0, 1)  # noqa: E731
        slope, bend = jax.grad(curve), jax.grad(jax.grad(curve))
        np.testing.assert_allclose([f(2.0) for f in (curve, slope, bend)], 0, atol=1e-12)
        for f in (curve, slope, bend):
            assert f(1.0 - 1e-9) == pytest.approx(float(f(1.0 + 1e-9)), rel=1e-7)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: md.ZBL(("O", "Qq")), "Qq are no elements"),
        (lambda: md.ZBL(("O",), start=2.0, cutoff=1.0), "0 <= start < cutoff"),
        (lambda: md.ZBL(("O",), numbers=(8, 1)), "atomic numbers of O"),
        (lambda: md.JoinedPotential.new(md.ZBL(("O",)), md.ZBL(("O",)), start=0.5, end=1.0), "far is a ZBL"),
        (lambda: joined(start=1.0, end=0.5), "0 <= start < end"),
        (lambda: joined(near=md.ZBL(("O",))), "does not know H"),
    ],
)
def test_what_was_expected(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def joined(near=None, start=1.0, end=1.4):
    d = md.SeAtten.new(2, cutoff=4.0, sel=8, widths=(4, 8), axis=2, layers=0)
    fitting = md.FittingNet.new(2, d.size, widths=(6,), shared=True)
    model = md.DeepPotential(descriptor=d, fitting=fitting, bias=np.array([-400.0, -10.0]), names=("O", "H"))
    # Its own order of the types.
    return md.JoinedPotential.new(model, near or md.ZBL(("H", "O"), start=1.0, cutoff=2.0), start=start, end=end)


def seen(potential, r):
    """Energies of atoms of O and H at distances r, those of the model alone, and what should be zero."""
    n = md.allocate(md.system([[0.0, 0, 0], [1.0, 0, 0]], ["O", "H"], masses=1.0), 8.0, skin=0.0)

    def one(r):
        at = lambda r: pairs_of(jnp.array([[0.0, 0, 0], [1, 0, 0]]) * r, jnp.eye(3), jnp.arange(2), n, potential.cutoff)  # noqa: E731
        each, slopes = potential.energies_and_slopes(at(r))
        defined, change = jax.jvp(lambda r: jnp.sum(potential.atom_energies(at(r))), (r,), (1.0,))
        along = jnp.sum(jax.jvp(lambda r: at(r).vectors, (r,), (1.0,))[1] * slopes)
        return each[n.row], potential.far.atom_energies(at(r))[n.row], jnp.stack([jnp.sum(each) - defined, along - change])

    return jax.jit(jax.vmap(one))(r)


def test_each_where_it_belongs():
    potential = joined()
    with sciml.float64():
        each, far, off = seen(potential, jnp.array([0.5, 0.99, 1.2, 1.41, 3.0]))
        near = potential.near.pair_energies(jnp.array([0.5, 0.99]) ** 2, 0, 1) / 2
    bias = np.array([-400.0, -10.0])
    np.testing.assert_allclose(each[3:], far[3:] + bias, atol=1e-12)
    np.testing.assert_allclose(each[:2], near[:, None] + bias, atol=1e-12)
    np.testing.assert_allclose(off, 0, atol=1e-10)
    assert potential.closest is None and "ZBL(H, O" in repr(potential)


def test_a_file_holds_a_table(tmp_path):
    pytest.importorskip("h5py")
    potential = joined()
    path = potential.save(tmp_path / "a.dp")
    found = md.JoinedPotential.load(path)
    with sciml.float64():
        r = jnp.linspace(0.5, 1.9, 30)
        np.testing.assert_allclose(found.near.pair_energies(r**2, 0, 1), potential.near.pair_energies(r**2, 1, 0), atol=1e-7)
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(found.far), jax.tree.leaves(potential.far), strict=True))
    assert np.array_equal(found.bias, potential.bias)
    assert found.closest == pytest.approx(1e-3) and (found.start, found.end, found.reach) == (1.0, 1.4, 4.0)
    with pytest.raises(NotImplementedError, match=r"md\.JoinedPotential\.load"):
        md.DeepPotential.load(path)
    again = md.JoinedPotential.load(found.save(tmp_path / "b.dp"))
    np.testing.assert_allclose(again.near.pieces, found.near.pieces, rtol=1e-12)
    with pytest.raises(NotImplementedError, match="'standard', without a pair potential"):
        md.JoinedPotential.load(potential.far.save(tmp_path / "c.dp"))
    assert Path(path).stat().st_size < 1e6
