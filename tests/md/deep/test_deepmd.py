"""Models of DeePMD-kit, and what DeePMD-kit computes with them."""

import dataclasses
import itertools
import os
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sciml
from sciml import md
from sciml.md.atoms._pairs import pairs_of
from sciml.md.deep._nets import Layer, Network
from sciml.md.deep.deepmd._save import model_tree
from sciml.md.deep.deepmd._tree import write_tree

DATA = Path(os.environ.get("SCIML_DATA", Path(__file__).parents[3] / "../shared/data")) / "deepmd"
needs_data = pytest.mark.skipif(not DATA.exists(), reason=f"{DATA} is not here: set SCIML_DATA")


def evaluated(model, coord, box, kinds):
    names = [model.names[k] for k in kinds]
    atoms = md.system(coord, names, cell=box, periodic=box is not None, masses=1.0)
    order = [atoms.names.index(n) if n in atoms.names else 0 for n in model.names]
    assert order == sorted(order)  # the first atom is of the model's first type
    with sciml.float64():
        neighbours = md.allocate(atoms, model.cutoff, skin=0.0)
        found = jax.jit(md.evaluate)(model, jax.tree.map(jnp.asarray, atoms), neighbours)
    return jax.tree.map(np.asarray, found)


@needs_data
def test_a_model_of_water(tmp_path):
    pytest.importorskip("h5py")
    model = md.DeepPotential.load(DATA / "water_a.dp")
    # The smallest distance of its training data is in the file.
    assert md.DeepPotential.load(model.save(tmp_path / "again.dp")).nearest == model.nearest == pytest.approx(0.88543857)
    assert model.closest == 0.8 * model.nearest
    wanted = np.load(DATA / "water_a_reference.npz")
    found = evaluated(model, wanted["coord"][0].reshape(-1, 3), wanted["box"][0].reshape(3, 3), wanted["atype"])
    assert abs(float(found.energy) - wanted["energy"][0, 0]) < 1e-10 * 192
    np.testing.assert_allclose(found.atom_energies, wanted["atom_energy"][0, :, 0], atol=1e-9)
    np.testing.assert_allclose(found.forces, wanted["force"][0], atol=1e-10)
    np.testing.assert_allclose(found.virial.ravel(), wanted["virial"][0], atol=1e-9)


def random_model(one_sided, types, seed=0):
    """Types A, B, C; wide for its places, so that empty ones count."""
    rng = np.random.default_rng(seed)

    def net(sizes, last):
        layers = [
            Layer(rng.normal(size=(n, m)) / np.sqrt(n + m), rng.normal(size=m), rng.normal(size=m), "tanh", True)
            for n, m in itertools.pairwise(sizes)
        ]
        return Network((*layers, Layer(rng.normal(size=(sizes[-1], 1)), None, None, "linear", False))[: len(layers) + last])

    descriptor = md.SeE2A(
        embeddings=tuple(net([1, 3, 6, 6], False) for _ in range(types if one_sided else types**2)),
        davg=rng.normal(size=(types, types, 4)) / 10, dstd=0.2 + rng.random((types, types, 4)),
        cutoff=4.0, start=1.0, sel=(20, 90, 30)[:types], axis=2, one_sided=one_sided,
    )  # fmt: skip
    fitting = md.FittingNet(tuple(net([12, 5, 5], True) for _ in range(types)))
    return md.DeepPotential(descriptor, fitting, -1000.0 * np.arange(types), ("A", "B", "C")[:types])


def by_definition(model, r, kinds):
    """Energies without bias of atoms in open space, with every one of DeePMD-kit's slots."""

    def run(net, x):
        for layer in net.layers:
            y = x @ layer.w + (0 if layer.b is None else layer.b)
            y = np.tanh(y) * layer.idt if layer.activation == "tanh" else y
            n, m = layer.w.shape
            x = y + np.tile(x, m // n) if layer.residual and m in (n, 2 * n) else y
        return x

    d, found = model.descriptor, []
    for i, own in enumerate(kinds):
        A = 0.0
        for t, places in enumerate(d.sel):
            R, row = np.zeros((places, 4)), 0
            for j in np.flatnonzero((kinds == t) & (np.arange(len(r)) != i)):
                far = np.linalg.norm(r[j] - r[i])
                if far < d.cutoff:
                    u = np.clip((far - d.start) / (d.cutoff - d.start), 0, 1)
                    R[row] = (1 + u**3 * (-6 * u**2 + 15 * u - 10)) * np.array([1 / far, *(r[j] - r[i]) / far**2])
                    row += 1
            R = (R - d.davg[own, t]) / d.dstd[own, t]
            net = d.embeddings[t if d.one_sided else own + len(d.sel) * t]
            A = A + run(net, R[:, :1]).T @ R / sum(d.sel)
        found.append(run(model.fitting.nets[own], (A @ A[: d.axis].T).reshape(1, -1))[0, 0])
    return np.array(found)


def some_atoms(model):
    """27 atoms of two types in open space, in the order of no type."""
    rng = np.random.default_rng(1)
    r = 2.2 * np.stack(np.meshgrid(*(np.arange(3.0),) * 3), axis=-1).reshape(-1, 3) + rng.uniform(-0.4, 0.4, (27, 3))
    kinds = (len(model.descriptor.sel) - 1) * rng.integers(2, size=27)
    n = md.allocate(md.system(r, [model.names[k] for k in kinds], masses=1.0), model.cutoff, skin=0.3)
    return r, kinds, n, pairs_of(jnp.asarray(r), jnp.eye(3), jnp.asarray(kinds), n, model.cutoff)


@pytest.mark.slow
def test_slopes_and_places():
    # Three types, of which one does not occur.
    model = random_model(True, 3)
    with sciml.float64():
        r, kinds, n, pairs = some_atoms(model)
        fast = jax.jit(lambda pairs: model.energies_and_slopes(pairs))
        each, slopes = fast(pairs)
        inside = np.asarray(each - model.bias[np.asarray(pairs.centres)])[np.asarray(n.row)]
        np.testing.assert_allclose(inside, by_definition(model, r, kinds), atol=1e-11)
        defined, wanted = jax.jit(lambda pairs: md.AbstractPotential.energies_and_slopes(model, pairs))(pairs)
        np.testing.assert_allclose(each, defined, atol=1e-12)
        np.testing.assert_allclose(slopes, wanted, atol=1e-12)
        # 32 bits do not round the bias, thousands of eV.
        low, steep = fast(eqx.tree_at(lambda p: p.vectors, pairs, pairs.vectors.astype(np.float32)))
        assert low.dtype == np.float64 and steep.dtype == np.float32
        np.testing.assert_allclose(low, each, atol=1e-5)
        np.testing.assert_allclose(steep, slopes, atol=1e-4)
        # All atoms of the first type, more than `sel`: the middle one has no energy, and is named.
        crowd = eqx.tree_at(lambda p: p.species, pairs, jnp.zeros_like(pairs.species))
        counts = np.sum(np.asarray(pairs.mask), axis=1)
        energies, _ = fast(crowd)
        assert np.array_equal(np.isnan(energies), counts > 20) and 0 < np.sum(counts > 20) < 6
        atom = int(np.asarray(pairs.atom)[np.argmax(counts)])
        assert str(atom) in model.crowded(crowd) and f"[{counts.max()}, 90, 30] are needed" in model.crowded(crowd)
        assert model.crowded(pairs) == ""


def test_nets_of_pairs_of_types():
    model = random_model(False, 2)
    with sciml.float64():
        r, kinds, n, pairs = some_atoms(model)
        each = jax.jit(lambda pairs: model.energies_and_slopes(pairs)[0])(pairs)
        inside = np.asarray(each - model.bias[np.asarray(pairs.centres)])[np.asarray(n.row)]
    np.testing.assert_allclose(inside, by_definition(model, r, kinds), atol=1e-11)


@pytest.mark.parametrize("one_sided", [True, False])
def test_a_saved_model_is_the_same(tmp_path, one_sided):
    pytest.importorskip("h5py")
    model = random_model(one_sided, 2)
    found = md.DeepPotential.load(model.save(tmp_path / "a.dp"))
    assert jax.tree.structure(found) == jax.tree.structure(model) and repr(found) == repr(model)
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(model), strict=True))
    assert "A, B;" in repr(model) and ("each pair" in repr(model)) is not one_sided


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m["descriptor"].update(type="dpa3"), "dpa3"),
        (lambda m: m["descriptor"].update(exclude_types=[[0, 1]]), "exclude_types"),
        (lambda m: m["descriptor"].update(spin={"use_spin": [True]}), "spin"),
        (lambda m: m["descriptor"].update(compress={"min_nbor_dist": 0.9}), "compressed"),
        (lambda m: m["fitting"].update(numb_fparam=1), "fparam"),
        (lambda m: m["fitting"].update(type="dipole"), "dipole"),
        (lambda m: m.update(type="zbl"), "zbl"),
    ],
)
def test_what_is_not_here_is_named(tmp_path, change, said):
    pytest.importorskip("h5py")
    tree = model_tree(random_model(True, 2))
    change(tree["model"])
    with pytest.raises(NotImplementedError, match=said):
        md.DeepPotential.load(write_tree(tmp_path / "a.dp", tree))


def test_files_of_another_kind(tmp_path):
    with pytest.raises(FileNotFoundError):
        md.DeepPotential.load(tmp_path / "no.dp")
    (tmp_path / "a.pb").write_bytes(b"")
    with pytest.raises(ValueError, match="dp convert-backend a.pb model.dp"):
        md.DeepPotential.load(tmp_path / "a.pb")
    (tmp_path / "a.yaml").write_text("a: 1")
    with pytest.raises(ValueError, match="no model"):
        md.DeepPotential.load(tmp_path / "a.yaml")


@pytest.mark.slow
def test_a_run_stops_below_the_distances_of_the_training_data():
    """Two atoms fly towards each other, faster than the model could turn them round."""
    model = dataclasses.replace(random_model(True, 2), nearest=1.0)
    r = np.array([[0.0, 0, 0], [2.0, 0, 0]])
    v = np.array([[0.5, 0, 0], [-0.5, 0, 0]])
    atoms = md.system(r, ["A", "B"], masses=1e4, velocities=v)
    run = md.simulate(atoms, model, steps=200, timestep=0.2, every=10, progress=False, throw=False)
    assert not run.converged and "atoms 0 (A) and 1 (B) are 0." in run.result and "knows nothing below 0.8" in run.result
    assert 0.8 <= np.linalg.norm(run.atoms.positions[1] - run.atoms.positions[0]) < 1.2


@pytest.mark.slow
def test_dynamics_in_both_precisions_and_together():
    model = random_model(True, 2)
    rng = np.random.default_rng(3)
    systems = []
    for n in (1, 2):
        r = 2.2 * np.stack(np.meshgrid(*(np.arange(2.0),) * 3), axis=-1).reshape(-1, 3)
        names = [model.names[k] for k in rng.integers(2, size=len(r))]
        atoms = md.system(r + rng.uniform(-0.1, 0.1, r.shape), ["A", "B", *names[2:]], cell=6.0 + 0.3 * n, masses=20.0)
        systems.append(md.thermal(atoms, 300.0, key=n))
    options = dict(steps=20, timestep=0.2, every=10, progress=False)
    alone = [md.simulate(s, model, **options) for s in systems]
    together = md.simulate(systems, model, **options)
    for one, same in zip(alone, together, strict=True):
        np.testing.assert_allclose(one.total_energy, same.total_energy, atol=1e-9)
        np.testing.assert_allclose(one.atoms.positions, same.atoms.positions, atol=1e-9)
    # Energies of thousands of eV: the bias is kept apart, or 32 bits would round them to a millielectronvolt.
    low = md.simulate(systems[0], model, precision=np.float64, forces_in=np.float32, **options)
    np.testing.assert_allclose(low.potential_energy, alone[0].potential_energy, atol=2e-4)
    np.testing.assert_allclose(low.atoms.positions, alone[0].atoms.positions, atol=1e-5)


@pytest.mark.slow
def test_series_and_the_nets_below_them():
    model = random_model(True, 2)
    with sciml.float64():
        r, kinds, n, pairs = some_atoms(model)
        small = model.compressed(nearest=1.2, tolerance=1e-9)
        assert "Chebyshev series of" in repr(small) and small.series_from == 1.2
        call = jax.jit(lambda model, pairs: model.energies_and_slopes(pairs))
        for exact, found in zip(call(model, pairs), call(small, pairs), strict=True):
            np.testing.assert_allclose(exact, found, atol=1e-7)
        # Two atoms closer than the series reach: the nets themselves, for all in their block.
        close = eqx.tree_at(lambda p: p.vectors, pairs, pairs.vectors.at[:, 0].set(jnp.asarray([0.4, 0.5, 0.1])))
        for exact, found in zip(call(model, close), call(small, close), strict=True):
            np.testing.assert_allclose(exact, found, rtol=1e-12, atol=1e-15)
    for wrong, message in ((dict(), "does not know the smallest distance"), (dict(nearest=9.0), "below the cutoff, 4"),
                           (dict(nearest=0.01, tolerance=1e-14), "changes so fast")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            model.compressed(**wrong)
