"""Another architecture in one file: messages between atoms, as an Equinox module; another descriptor of a Deep Potential."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sciml import md
from sciml.md.learning.training._checkpoint import digest

WIDTH = 6


class Messages(eqx.Module):
    """E_i of features that atoms send each other twice."""

    start: jax.Array
    radial: eqx.nn.Linear
    mix: eqx.nn.Linear
    end: eqx.nn.MLP
    cutoff: float = 4.0  # no array: not trained

    @staticmethod
    def new(types, key=0):
        a, b, c, d = jax.random.split(jax.random.key(key), 4)
        return Messages(
            jax.random.normal(a, (types, WIDTH)), eqx.nn.Linear(4, WIDTH, key=b),
            eqx.nn.Linear(WIDTH, WIDTH, key=c), eqx.nn.MLP(WIDTH, 1, 8, 1, jnp.tanh, key=d),
        )  # fmt: skip

    def __call__(self, pairs):
        r = pairs.distances[..., None]
        w = jnp.where(pairs.mask[..., None], (1 - (r / self.cutoff) ** 2) ** 3, 0)
        waves = jnp.exp(-((r - jnp.array([1.8, 2.4, 3.0, 3.6], r.dtype)) ** 2))
        radial = w * jax.vmap(jax.vmap(self.radial))(waves)
        h = self.start[pairs.centres]
        for _ in range(2):
            heard = jnp.sum(radial * pairs.gather(h[pairs.row]), axis=1)
            h = h + jnp.tanh(jax.vmap(self.mix)(heard))
        return jax.vmap(self.end)(h)[:, 0]


class Bumps(md.AbstractDescriptor):
    """D = sums over neighbours of w exp(-(r - r_k)^2), w = (1 - r^2 / cutoff^2)^3."""

    scale: Any
    cutoff: float = eqx.field(static=True)
    start: float = eqx.field(static=True)
    sel: tuple[int, ...] | None = eqx.field(static=True)

    types = property(lambda self: 1)
    size = property(lambda self: 4)
    is_new = property(lambda self: self.sel is None)
    limits = property(lambda self: (md.Limit(self.cutoff, (0,), self.sel[0]),))

    def __call__(self, own, parts):
        r = jnp.linalg.norm(parts[0], axis=-1)[..., None]
        w = jnp.where(r < self.cutoff, (1 - (r / self.cutoff) ** 2) ** 3, 0)
        return self.scale * jnp.sum(w * jnp.exp(-4 * (r - jnp.array([2.0, 2.4, 2.8, 3.6], r.dtype)) ** 2), axis=1)

    def surveyed(self, survey):
        return dataclasses.replace(self, sel=survey.places(self.cutoff))

    def with_embeddings(self, change, nearest):
        return self


def rattled(count, seed, names=("Si",)):
    rng, systems = np.random.default_rng(seed), []
    for _ in range(count):
        atoms = md.diamond(5.43, 1, "Si")
        r = np.asarray(atoms.positions) + 0.06 * rng.normal(size=(atoms.atoms, 3))
        systems.append(md.system(r, rng.permutation(np.resize(names, atoms.atoms)).tolist(), cell=atoms.cell))
    return systems


def labelled(systems):
    return md.Dataset.of(md.label(systems, md.ase_calculator(md.StillingerWeber())))


DATASET, HELD = labelled(rattled(16, 0)), labelled(rattled(6, 1))
SETTINGS = dict(precision=np.float64, progress=False)


def new(key=0, names=("Si",), **options):
    return md.LocalPotential(Messages.new(len(names), key), cutoff=4.0, names=names, **options)


@pytest.mark.slow
def test_it_is_trained_and_runs(tmp_path):
    same = dict(validation=HELD, steps=150, checkpoint=tmp_path / "training.npz", **SETTINGS)
    found = md.train(new(), DATASET, **same)
    history = found.history
    assert found.success and history.validation_force[-1] < 0.5 * history.validation_force[0]
    # What training measured is what the potential says, messages through the cell's faces included.
    error = md.validate(found.potential, HELD)
    assert f"{1e3 * error.energy_error:.3g} meV/atom, {1e3 * error.force_error:.3g} meV/angstrom" in repr(found.potential)
    assert repr(found.potential).startswith("LocalPotential(Messages; cutoff 4 angstrom; Si; ")
    assert found.potential.function.cutoff == 4.0 and abs(found.potential.bias[0]) > 1
    run = md.simulate(md.thermal(HELD.systems[0], 100.0), found.potential, md.NVE(), steps=80, timestep=0.25, progress=False)
    assert run.converged and np.ptp(run.total_energy) < 1e-3 * np.ptp(run.potential_energy)
    assert found.potential.closest == pytest.approx(0.8 * min(DATASET.nearest, np.inf))
    # The same call finds that all is done; another model is refused.
    again = md.train(new(), DATASET, **same)
    assert np.array_equal(again.potential.function.start, found.potential.function.start)
    with pytest.raises(ValueError, match="of another training: its model is not the same"):
        md.train(new(key=1), DATASET, **same)
    # It goes on from a file, and for labels with another zero.
    eqx.tree_serialise_leaves(tmp_path / "a.eqx", found.potential)
    loaded = eqx.tree_deserialise_leaves(tmp_path / "a.eqx", found.potential)
    moved = md.change_bias(loaded, dataclasses.replace(DATASET, energies=DATASET.energies + 2.0 * DATASET.atoms))
    np.testing.assert_allclose(moved.bias - found.potential.bias, 2.0, atol=1e-5)


@pytest.mark.slow
def test_several_at_once_with_two_species():
    def energy(pairs):
        depth = 1.0 + 0.5 * pairs.species + 0.25 * pairs.centres[:, None]
        return jnp.sum(jnp.where(pairs.mask, -depth * (1 - (pairs.distances / 3.5) ** 2) ** 3, 0), axis=1)

    names = ("C", "Si")
    truth = md.LocalPotential(energy, cutoff=3.5, names=names)
    data = md.Dataset.of(md.label(rattled(12, 2, names), md.ase_calculator(truth)))
    together = md.train([new(0, names), new(1, names)], data, steps=60, ema=0.9, **SETTINGS)
    assert together[0].history.force[-1] < 0.8 * together[0].history.force[0]
    error = md.validate(together[1].potential, data).force_error
    assert error == pytest.approx(together[1].history.force[-1], rel=0.3)  # that of the average, and of its last steps
    committee = md.Committee([t.potential for t in together])
    assert committee.deviation(data.systems[0]).max > 0


def test_a_checkpoint_knows_functions_by_name():
    def made(factor):
        def well(pairs):
            return factor * jnp.sum(pairs.mask, axis=1)

        return well

    one, same, other = (md.LocalPotential(f, cutoff=4.0, names=("Si",)) for f in (made(1), made(1), jnp.sum))
    assert digest(one) == digest(same) != digest(other)


def test_a_flax_nnx_module():
    class Net(nnx.Module):
        def __init__(self, rngs):
            self.first, self.last = nnx.Linear(1, 8, rngs=rngs), nnx.Linear(8, 1, rngs=rngs)

        def __call__(self, pairs):
            w = jnp.where(pairs.mask, (1 - (pairs.distances / 4.0) ** 2) ** 3, 0)
            each = self.last(jnp.tanh(self.first(pairs.distances[..., None])))[..., 0]
            return jnp.sum(w * each, axis=1)

    net = Net(nnx.Rngs(0))
    found = md.train(md.LocalPotential(net, cutoff=4.0, names=("Si",)), DATASET, steps=200, **SETTINGS)
    assert found.history.force[-1] < found.history.force[0]
    moved = jax.tree.map(lambda a, b: float(np.max(np.abs(a - b))), found.potential.function, net)
    assert all(m > 1e-3 for m in jax.tree.leaves(moved))


def test_another_descriptor(tmp_path):
    model = md.deep_potential("Si", Bumps(np.ones(4), 4.0, 0.0, None), widths=(8, 8))
    found = md.train(model, DATASET, validation=HELD, steps=100, **SETTINGS)
    assert found.history.validation_force[-1] < 0.9 * found.history.validation_force[0]
    assert f"{1e3 * md.validate(found.potential, HELD).force_error:.3g} meV/angstrom" in repr(found.potential)
    with pytest.raises(NotImplementedError, match="Bumps is no descriptor of DeePMD-kit"):
        found.potential.save(tmp_path / "a.dp")


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: md.LocalPotential(Messages.new(1), cutoff=4.0), "has no names of species; say which it knows"),
        (lambda: md.LocalPotential(lambda p: 0.0, cutoff=4.0, names=("Si",)), "has no parameters: no floating arrays"),
        (lambda: new(names=("O", "H")), "the training set has Si; the model knows O, H"),
        (lambda: md.StillingerWeber(), r"StillingerWeber came\. .* md\.LocalPotential\(network"),
    ],
)
def test_what_cannot_be_trained(make, message):
    with pytest.raises(ValueError, match=message):
        md.train(make(), DATASET, **SETTINGS)
