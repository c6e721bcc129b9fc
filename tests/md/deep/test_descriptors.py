"""Descriptors of Deep Potentials: against what DeePMD-kit computes with its own files (benchmarks/deep/exchange.py), and what
holds for each of them."""

import dataclasses
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sciml
from sciml import md
from sciml.md.atoms._pairs import pairs_of
from sciml.md.deep.deepmd._save import model_tree
from sciml.md.deep.deepmd._tree import read_tree, write_tree

CASES = Path(__file__).parent / "deepmd_cases"
NAMES = ("O", "H")
SIX = np.array([[0.0, 0, 0], [1.0, 0.2, 0.1], [-0.3, 1.1, 0.4], [0.2, -0.5, 1.3], [1.4, 1.2, -0.6], [-1.1, -0.4, -0.9]])


def load(path):
    return (md.JoinedPotential if path.stem == "zbl" else md.DeepPotential).load(path)


def evaluated(model, coord, kinds, box=None):
    atoms = md.system(coord, [NAMES[k] for k in kinds], cell=box, periodic=box is not None, masses=1.0)
    with sciml.float64():
        neighbours = md.allocate(atoms, model.cutoff, skin=0.0)
        found = jax.jit(md.evaluate)(model, jax.tree.map(jnp.asarray, atoms), neighbours)
    return jax.tree.map(np.asarray, found)


# Compiled longest, of parts that others have as well.
LONG = {"hybrid_with_dpa1"}


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=pytest.mark.slow if path.stem in LONG else ())
        for path in sorted(CASES.glob("*.dp"))
    ],
)
def test_deepmd_kits_numbers(tmp_path, path):
    """Forces there are differences of energies, good to 2e-10."""
    pytest.importorskip("h5py")
    model, wanted = load(path), np.load(CASES / "wanted.npz")
    found = evaluated(model, wanted["coord"], wanted["kinds"], wanted["box"])
    np.testing.assert_allclose(found.atom_energies, wanted[f"{path.stem}_each"], atol=1e-12)
    np.testing.assert_allclose(found.forces, wanted[f"{path.stem}_forces"], atol=3e-10)
    # What we write is what we read, and has the keys that DeePMD-kit writes, of which it rejects others.
    again = load(model.save(tmp_path / path.name))
    assert repr(again) == repr(model) and jax.tree.structure(again) == jax.tree.structure(model)
    assert all(np.allclose(a, b, rtol=1e-14) for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(model), strict=True))
    ours, theirs = (read_tree(p)["model"] for p in (tmp_path / path.name, path))
    assert keys(ours) <= keys(theirs) | {"descriptor.list.env_mat.rcut"}


def keys(node, name=""):
    if isinstance(node, dict):
        return set().union(*(keys(value, f"{name}.{key}") | {f"{name}.{key}"} for key, value in node.items()))
    return set().union(*(keys(value, name) for value in node)) if isinstance(node, list) else set()


DESCRIPTORS = {
    "se_e2_r": lambda: md.SeE2R.new(2, cutoff=3.0, sel=(4, 5), widths=(4, 8), key=1),
    "se_e3": lambda: md.SeE3.new(2, cutoff=3.0, sel=(4, 5), widths=(4, 8), key=1),
    "hybrid": lambda: md.Hybrid((
        md.SeE2A.new(2, cutoff=3.0, sel=(4, 5), widths=(4, 8), axis=2, key=1),
        md.SeE2R.new(2, cutoff=2.0, sel=(3, 4), widths=(4, 8), key=2),
    )),
    "se_atten": lambda: md.SeAtten.new(2, cutoff=3.0, sel=6, widths=(4, 8), axis=2, layers=1, columns=6, key=1),
    "se_atten without attention": lambda: md.SeAtten.new(2, cutoff=3.0, sel=6, widths=(4, 8), axis=2, layers=0, strip=True),
}  # fmt: skip


def potential(descriptor):
    fitting = md.FittingNet.new(2, descriptor.size, widths=(6, 6), shared=descriptor.mixed, key=3)
    return md.DeepPotential(descriptor=descriptor, fitting=fitting, bias=np.array([-400.0, -10.0]), names=NAMES)


@pytest.mark.parametrize("make", DESCRIPTORS.values(), ids=DESCRIPTORS)
def test_invariance_and_smoothness(make):
    model, rng, kinds = potential(make()), np.random.default_rng(0), np.array([0, 1, 1, 0, 1, 1])
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    order = rng.permutation(6)
    with sciml.float64():
        n = md.allocate(md.system(SIX, ["O"] * 6, masses=1.0), 6.0, skin=0.0)

        @jax.jit
        def energies_and_forces(r, k):
            pairs = pairs_of(r, jnp.eye(3), k, n, model.cutoff)
            each, slopes = model.energies_and_slopes(pairs)
            return each[n.row], jax.vjp(lambda r: pairs_of(r, jnp.eye(3), k, n, model.cutoff).vectors, r)[1](-slopes)[0]

        plain, forces = map(np.asarray, energies_and_forces(SIX, kinds))
        turned, others = energies_and_forces(SIX @ turn, kinds), energies_and_forces(SIX[order], kinds[order])
        np.testing.assert_allclose(turned[0], plain, atol=1e-12)
        np.testing.assert_allclose(turned[1], forces @ turn, atol=1e-13)
        np.testing.assert_allclose(others[0], plain[order], atol=1e-12)
        np.testing.assert_allclose(others[1], forces[order], atol=1e-13)
        # An atom leaves the cutoffs of others one by one: its force does not jump, and is that of the energy.
        x = np.linspace(0, 3, 121)
        places = [np.concatenate([SIX[:5], [[-1.7 - d, 0.3, 0.1]]]) for d in x]
        found = [energies_and_forces(r, kinds) for r in places]
        values, along = np.array([np.sum(e) for e, _ in found]), np.array([f[5, 0] for _, f in found])
    whole = np.concatenate([[0], np.cumsum((along[1:] + along[:-1]) / 2 * (x[1] - x[0]))])
    assert np.max(np.abs(np.diff(along))) < 0.2 * np.ptp(along) and np.ptp(values) > 1e-4
    np.testing.assert_allclose(whole, values - values[0], atol=1e-2 * np.ptp(values))


def test_places():
    """Empty places count in DeePMD-kit; more neighbours than places are NaN, also of all types together."""
    model = potential(md.SeAtten.new(2, cutoff=3.0, sel=3, widths=(4, 8), axis=2, layers=1, columns=6))
    with sciml.float64():
        n = md.allocate(md.system(SIX, ["O"] * 6, masses=1.0), 3.0, skin=0.0)
        pairs = pairs_of(jnp.asarray(SIX), jnp.eye(3), jnp.array([0, 1, 1, 0, 1, 1]), n, 3.0)
        each, counts = model.atom_energies(pairs), np.sum(np.asarray(pairs.mask), axis=1)
    assert np.array_equal(np.isnan(each), counts > 3) and 0 < np.sum(counts > 3)
    assert f"sel is [3], [{counts.max()}] are needed" in model.crowded(pairs)


@pytest.mark.parametrize("name", ["se_e2_r", "se_e2_r of pairs", "hybrid", "se_atten without attention"])
def test_series(name):
    """Nets of one number as Chebyshev series."""
    model = potential(DESCRIPTORS[name]() if name in DESCRIPTORS else of_pairs())
    series = model.compressed(nearest=0.7, tolerance=1e-10)
    assert "Chebyshev" in repr(series)
    with sciml.float64():
        parts = [jnp.asarray(SIX[None, 1:3]), jnp.asarray(SIX[None, 3:])]
        np.testing.assert_allclose(series.in_precision(np.float64).descriptor(1, parts), model.descriptor(1, parts), atol=1e-9)


def of_pairs():
    rng = np.random.default_rng(5)
    d = md.SeE2R.new(2, cutoff=3.0, start=0.5, sel=(4, 5), widths=(4, 8), one_sided=False, key=1)
    return dataclasses.replace(d, davg=rng.normal(size=(2, 2)) / 10, dstd=0.5 + rng.random((2, 2)))


@pytest.mark.parametrize("one_sided", [True, False])
def test_lengths_with_nets_of_pairs_of_types(tmp_path, one_sided):
    """D_i = sum_j G((w / r - davg) / dstd) / (5 sum sel) over all places, G of the neighbour, or of centre and neighbour."""
    pytest.importorskip("h5py")
    d = of_pairs()
    d = dataclasses.replace(d, embeddings=d.embeddings[:2], one_sided=True) if one_sided else d
    parts = [SIX[None, 1:3], SIX[None, 3:]]
    for own in range(2):
        wanted = np.zeros(8)
        for t, vectors in enumerate(parts):
            r = np.linalg.norm(vectors[0], axis=1)
            u = (r - 0.5) / 2.5
            s = np.concatenate([(1 - 10 * u**3 + 15 * u**4 - 6 * u**5) / r, np.zeros(d.sel[t] - len(r))])
            first, second = d.embeddings[t if one_sided else own + 2 * t].layers
            x = np.tanh((s - d.davg[own, t])[:, None] / d.dstd[own, t] @ first.w + first.b)
            wanted += np.sum(np.tanh(x @ second.w + second.b) + np.tile(x, 2), axis=0)
        with sciml.float64():
            np.testing.assert_allclose(d(own, [jnp.asarray(v) for v in parts])[0], wanted / 45, atol=1e-14)
    again = md.DeepPotential.load(potential(d).save(tmp_path / "a.dp")).descriptor
    assert repr(again) == repr(d) and ("each pair of types" in repr(d)) is not one_sided
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(d), strict=True))


class Survey:
    """What `md.train` finds in the data."""

    def places(self, cutoff):
        return (7, 9)

    def places_in_all(self, cutoff):
        return 14

    def normalisation(self, cutoff, start, slots):
        return np.array([[0.1, 0, 0, 0], [0.2, 0, 0, 0]]), np.array([[0.3, 0.1, 0.1, 0.1], [0.4, 0.2, 0.2, 0.2]])


def test_places_and_normalisation_from_the_data():
    found = [type_.new(2, widths=(4,)).surveyed(Survey()) for type_ in (md.SeE2R, md.SeE3)]
    assert [d.sel for d in found] == [(7, 9)] * 2 and not any(d.is_new for d in found)
    assert np.array_equal(found[0].davg, [[0.1, 0.1], [0.2, 0.2]]) and np.array_equal(found[0].dstd, [[0.3, 0.3], [0.4, 0.4]])
    assert np.array_equal(found[1].dstd[:, 1], [[0.1] * 3, [0.2] * 3])
    blank = md.Hybrid((md.SeE2R.new(2), md.SeAtten.new(2, layers=0)))
    both = blank.surveyed(Survey())
    assert blank.is_new and not both.is_new
    assert [k.places for k in both.limits] == [7, 9, 14] and both.descriptors[1].dstd.shape == (2, 4)
    with pytest.raises(ValueError, match="no places for neighbours yet"):
        _ = md.SeAtten.new(2).limits


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: md.SeE2R.new(2, cutoff=1.0, start=2.0), "SeE2R: start=2.0 and cutoff=1.0"),
        (lambda: md.SeE2R.new(2, sel=(1, 2, 3)), "of each of 2 types"),
        (lambda: md.SeE3.new(2, widths=()), "SeE3: widths"),
        (lambda: md.SeAtten.new(2, sel=(3, 4)), "of all types together"),
        (lambda: md.SeAtten.new(2, axis=1000), "axis=1000"),
        (lambda: md.SeAtten.new(2, length=0), "length=0"),
        (lambda: md.Hybrid(()), "nothing came"),
        (lambda: md.Hybrid((md.SeE2R.new(2), 3.0)), "float came"),
        (lambda: md.Hybrid((md.SeE2R.new(2), md.SeE2R.new(3))), "2, 3 types"),
    ],
)
def test_what_was_expected(make, said):
    with pytest.raises(ValueError, match=said):
        make()


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("se_atten", lambda d: d.update(lmax=2), "lmax"),
        ("se_atten", lambda d: d.update(use_econf_tebd=True), "use_econf_tebd"),
        ("se_atten", lambda d: d["@variables"]["davg"].fill(0.1), "set_davg_zero"),
        ("se_atten", lambda d: d["@variables"]["dstd"][:, 0].fill(0.1), "differs between slots"),
        ("se_atten", lambda d: d.update(tebd_input_mode="other"), "'other'"),
        ("se_e3", lambda d: d["@variables"]["davg"].fill(0.1), "davg of directions"),
        ("hybrid", lambda d: d["list"][1].update(exclude_types=[[0, 1]]), "exclude_types"),
    ],
)
def test_what_is_not_here_is_named(tmp_path, name, change, said):
    pytest.importorskip("h5py")
    tree = model_tree(potential(DESCRIPTORS[name]()))
    change(tree["model"]["descriptor"])
    with pytest.raises(NotImplementedError, match=said):
        md.DeepPotential.load(write_tree(tmp_path / "a.dp", tree))


def test_what_deepmd_kit_does_not_have(tmp_path):
    pytest.importorskip("h5py")
    d = DESCRIPTORS["se_atten"]()
    fitting = md.FittingNet.new(2, d.size, widths=(6,))
    model = md.DeepPotential(descriptor=d, fitting=fitting, bias=np.zeros(2), names=NAMES)
    with pytest.raises(NotImplementedError, match="shared=True"):
        model.save(tmp_path / "a.dp")
    joined = md.JoinedPotential.new(potential(DESCRIPTORS["se_e3"]()), md.ZBL(NAMES), start=0.5, end=0.9)
    with pytest.raises(NotImplementedError, match="SeAtten"):
        joined.save(tmp_path / "a.dp")
    # Of nets that are the same for all types it has copies.
    shared = dataclasses.replace(joined.far, fitting=md.FittingNet.new(2, joined.far.descriptor.size, shared=True))
    assert len(model_tree(shared)["model"]["fitting"]["nets"]["networks"]) == 2


@pytest.mark.parametrize(("layers", "strip"), [(1, False), (1, True), (0, False), (0, True)])
def test_only_attention_that_is_not_smooth_leaps_at_the_cutoff(tmp_path, layers, strip):
    """An atom at 3 angstrom less and more a little, beside five others."""
    for smooth in (True, False):
        options = dict(cutoff=3.0, sel=8, widths=(4, 8), axis=2, columns=6, layers=layers, strip=strip, smooth=smooth)
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            d = md.SeAtten.new(2, **options)
            md.DeepPotential.load(potential(d).save(tmp_path / "a.dp"))
        leaps = bool(layers) and not smooth
        assert ["leaps where an atom crosses" in str(w.message) for w in found] == [True] * 2 * leaps
        assert all(w.filename == __file__ for w in found)
        with sciml.float64():
            D = [d(0, [jnp.asarray([[*SIX[1:3], [x, 0, 0]]]), jnp.asarray(SIX[None, 3:])]) for x in (3 - 1e-7, 3 + 1e-7)]
        change = np.max(np.abs(np.asarray(D[1] - D[0])))
        assert change > 1e-5 if leaps else change < 1e-12
