"""Training of Deep Potentials."""

import dataclasses
import os
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import sciml
from sciml import md
from sciml.md.learning.training._loss import Weights, loss_and_squares
from sciml.md.learning.training._pace import Pace
from sciml.md.learning.training._predict import predict
from sciml.md.learning.training._prepare import least_squares_bias, prepared, without_bias
from sciml.md.learning.training._run import Run
from sciml.md.learning.training._step import Setting

DATA = Path(os.environ.get("SCIML_DATA", Path(__file__).parents[3] / "../shared/data"))


def rattled(atoms, amount, rng, strain=0.0):
    F = np.eye(3) + strain * rng.normal(size=(3, 3))
    r = np.asarray(atoms.positions) + amount * rng.normal(size=(atoms.atoms, 3))
    return eqx.tree_at(lambda s: (s.positions, s.cell), atoms, (r @ F, np.asarray(atoms.cell) @ F))


def silicon(count, seed=0, cells=1):
    rng = np.random.default_rng(seed)
    systems = [rattled(md.diamond(5.43, cells, "Si"), 0.06, rng, 0.02) for _ in range(count)]
    return md.Dataset.of(md.label(systems, md.ase_calculator(md.StillingerWeber())))


def small(names=("Si",), key=0, **options):
    options = dict(cutoff=4.2, start=2.0, widths=(6, 12), axis=4, key=key) | options
    return md.deep_potential(names, md.SeE2A.new(len(names), **options), widths=(16, 16), key=key)


DATASET, HELD = silicon(24), silicon(8, 1)
SETTINGS = dict(precision=np.float64, progress=False)




def equal_panels(model, nearest):
    found = []
    model.descriptor.with_embeddings(lambda net, low, high: found.append(np.linspace(low, high, 9)) or net, nearest)
    return tuple(found)


@pytest.mark.slow
def test_predictions_are_those_of_the_potential():
    rng = np.random.default_rng(0)
    frames = [rattled(md.diamond(5.43, n, "Si"), 0.1, rng, 0.02) for n in ((1, 1, 1), (2, 1, 1), (1, 1, 1))]
    names = [["Si" if rng.random() < 0.6 else "C" for _ in range(f.atoms)] for f in frames]
    frames = [md.system(f.positions, n, cell=f.cell) for f, n in zip(frames, names, strict=True)]
    frames[0] = md.system(frames[0].positions, names[0])  # open
    labels = md.Labels(frames, np.zeros(3), [np.zeros((f.atoms, 3)) for f in frames], None)
    data = md.Dataset.of(labels).renamed(("C", "Si"))
    with sciml.float64():
        model = small(("C", "Si"))
        (made,) = prepared(model, training=data)
        model = dataclasses.replace(model, descriptor=model.descriptor.surveyed(made.survey))
        found = md.evaluate_batch(model, data.systems)
        nearest = made.survey.nearest
        for panels, tolerance, some in (((), 1e-11, made.buckets[:1]), (equal_panels(model, nearest), 1e-9, made.buckets[1:])):
            setting = Setting(model, None, None, 0.0)
            whole = setting.model(jax.tree.map(lambda a: None, model), panels)
            call = jax.jit(lambda frames: predict(whole, frames, np.float64))  # noqa: B023
            for bucket in some:
                p = call(jax.tree.map(jnp.asarray, bucket.frames))
                for k, number in enumerate(bucket.members):
                    np.testing.assert_allclose(p.energies[k], found[number].energy, atol=tolerance * 10)
                    np.testing.assert_allclose(p.forces[k][bucket.row[k]], found[number].forces, atol=tolerance)
                    np.testing.assert_allclose(p.virials[k], found[number].virial, atol=tolerance * 10)


def test_gradients_of_the_loss():
    with sciml.float64():
        model = small()
        (made,) = prepared(model, training=DATASET[:2])
        model = dataclasses.replace(model, descriptor=model.descriptor.surveyed(made.survey))
        (bucket,) = made.buckets
        frames = jax.tree.map(jnp.asarray, without_bias(bucket, DATASET[:2], np.array([-4.0])).frames)
        parameters, frozen = eqx.partition(jax.tree.map(jnp.asarray, model), model.trained)
        nearest = made.survey.nearest
        setting, panels = Setting(frozen, md.Huber(0.5), None, 0.0), equal_panels(model, nearest)

        @jax.jit
        def loss(parameters):
            found = predict(setting.model(parameters, panels), frames, np.float64)
            return loss_and_squares(setting.loss, Weights(1.0, 10.0, 0.1), found, frames)[0]

        rng = np.random.default_rng(0)
        direction = jax.tree.map(lambda a: rng.normal(size=a.shape), parameters)
        slope = sum(jnp.vdot(a, b) for a, b in zip(*map(jax.tree.leaves, (jax.grad(loss)(parameters), direction)), strict=True))
        along = lambda h: float(loss(jax.tree.map(lambda a, d: a + h * d, parameters, direction)))  # noqa: E731
        h = 1e-4
        numeric = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)
        assert abs(float(slope) / numeric - 1) < 1e-7


@pytest.fixture(scope="module")
def trained():
    return md.train(small(), DATASET, validation=HELD, steps=400, **SETTINGS)


def test_training_makes_errors_small(trained):
    history = trained.history
    assert trained.success and trained.stats["steps"] == 400 == history.step[-1] and len(history) == 25
    first, last = history.validation_force[0], history.validation_force[-1]
    # Virials too: they are labels of their own, in the loss from the start.
    assert last < 0.25 * first and history.validation_virial[-1] < 0.5 * history.validation_virial[0]
    # The remark is what the whole validation set says of the final model, in the precision of files.
    found = md.validate(trained.potential, HELD)
    assert found.force_error == pytest.approx(last, rel=1e-5)
    assert f"{1e3 * found.energy_error:.3g} meV/atom, {1e3 * found.force_error:.3g} meV/angstrom" in repr(trained.potential)
    assert trained.potential.nearest == pytest.approx(min(DATASET.nearest, HELD.nearest))
    assert trained.potential.descriptor.sel[0] >= 16 and "validation" in repr(trained)


def test_biases_are_refitted(trained):
    found = md.validate(trained.potential, DATASET)
    assert abs(np.mean(found.energies - found.wanted_energies)) < 1e-8


def test_plots(trained):
    plt = pytest.importorskip("matplotlib.pyplot")
    axes = trained.history.plot()
    assert axes[1].get_ylabel() == "RMS error of force [meV/angstrom]" and len(axes[1].lines) == 2
    found = md.validate(trained.potential, HELD)
    assert "meV/angstrom" in found.plot()[1].get_title() and "RMS" in found.plot_by_magnitude().get_ylabel()
    size, error = found.by_magnitude(4)
    assert np.all(np.diff(size) > 0)
    assert np.sqrt(np.mean(error**2) / 3) == pytest.approx(found.force_error)
    plt.close("all")


class Killed(Exception):
    pass


def test_a_killed_training_goes_on_bit_for_bit(tmp_path, monkeypatch):
    train = lambda **more: md.train(small(), DATASET, steps=60, every=15, patience=50, validation=HELD, **SETTINGS, **more)  # noqa: E731
    whole, path, advance = train(), tmp_path / "training.npz", Run.advance

    def dies(self, until, steps, schedule):
        if self.step >= 30:
            raise Killed
        return advance(self, until, steps, schedule)

    monkeypatch.setattr("sciml.md.learning.training._checkpoint.SAVE_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(Run, "advance", dies)
        with pytest.raises(Killed):
            train(checkpoint=path)
    again = train(checkpoint=path)
    for a, b in zip(*map(jax.tree.leaves, (whole.potential, again.potential)), strict=True):
        assert np.array_equal(a, b)
    wanted = np.delete(whole.history.rows, 1, axis=1)
    assert np.array_equal(np.delete(again.history.rows, 1, axis=1), wanted)
    same = dict(steps=60, every=15, patience=50, validation=HELD, checkpoint=path, **SETTINGS)
    for change, word in ((dict(key=1), "settings"), (dict(validation=HELD[:4]), "data")):
        with pytest.raises(ValueError, match=f"of another training: its {word} "):
            md.train(small(), DATASET, **same | change)
    with pytest.raises(ValueError, match="of another training: its model is not the same"):
        md.train(small(key=1), DATASET, **same)


@pytest.mark.slow
def test_several_at_once_are_each_alone():
    together = md.train([small(key=0), small(key=1)], DATASET, validation=HELD, steps=40, ema=0.9, **SETTINGS)
    alone = md.train(small(key=0), DATASET, validation=HELD, steps=40, ema=0.9, **SETTINGS)
    np.testing.assert_allclose(together[0].history.validation_force, alone.history.validation_force, rtol=1e-8)
    assert abs(together[1].history.validation_force[-1] / alone.history.validation_force[-1] - 1) > 1e-3
    for one in together:
        found = md.validate(one.potential, DATASET)
        assert abs(np.mean(found.energies - found.wanted_energies)) < 1e-8
    moved = dataclasses.replace(together[0].potential.descriptor, davg=together[0].potential.descriptor.davg + 0.1)
    with pytest.raises(ValueError, match="models 0 and 1 have been normalised with different data"):
        md.train([together[0].potential, dataclasses.replace(together[0].potential, descriptor=moved)], DATASET, **SETTINGS)
    committee = md.Committee([t.potential for t in together])
    assert committee.deviation(HELD.systems[0]).max > 0


def test_labels_that_are_missing():
    # Frames without forces or without an energy: what is left over is trained on, and NaN harms nothing.
    forces = DATASET.forces.copy()
    forces[DATASET.frame < 12] = np.nan
    energies = DATASET.energies.copy()
    energies[20:] = np.nan
    data = dataclasses.replace(DATASET, forces=forces, energies=energies, virials=np.full_like(DATASET.virials, np.nan))
    found = md.train(small(), data, validation=HELD, steps=300, loss=md.AbsoluteError(), **SETTINGS)
    assert np.all(np.isnan(found.history.virial)) and np.all(np.isfinite(found.history.validation_virial))
    assert found.history.validation_force[-1] < 0.8 * found.history.validation_force[0]


def test_fine_tuning_keeps_the_normalisation(trained):
    shifted = dataclasses.replace(DATASET, energies=DATASET.energies + 3.0 * DATASET.atoms)
    moved = md.change_bias(trained.potential, shifted)
    np.testing.assert_allclose(moved.bias - trained.potential.bias, 3.0, atol=1e-6)
    found = md.train(trained.potential, shifted, steps=20, schedule=md.Exponential(rate=(1e-4, 1e-5)), **SETTINGS)
    assert np.array_equal(found.potential.descriptor.davg, trained.potential.descriptor.davg)
    after = md.validate(found.potential, shifted)
    assert abs(np.mean(after.energies - after.wanted_energies)) < 1e-8
    assert found.history.force[0] < 1.3 * trained.history.force[-1]


def test_patience_returns_the_best():
    # A rate far too high for going on from a good model: errors rise, and the best look is returned.
    found = md.train(
        small(), DATASET, validation=HELD, steps=200, every=10, patience=2,
        schedule=md.Exponential(rate=(0.5, 0.4)), optimizer=optax.identity(), throw=False, **SETTINGS,
    )  # fmt: skip
    assert not found.success
    if "has not fallen for 2 looks" in found.result:
        best = np.nanmin(found.history.validation_force)
        assert md.validate(found.potential, HELD).force_error == pytest.approx(best, rel=1e-5)
    else:
        assert "NaN or infinite" in found.result


def test_a_training_that_breaks_down_keeps_the_last_good_model():
    schedule = md.Exponential(rate=(1e30, 1e30))
    options = dict(steps=20, every=5, schedule=schedule, optimizer=optax.identity(), **SETTINGS)
    with pytest.raises(FloatingPointError, match="became NaN or infinite between steps 0 and 5") as caught:
        md.train(small(), DATASET, **options)
    kept = caught.value.training
    assert all(np.all(np.isfinite(a)) for a in jax.tree.leaves(kept.potential)) and not kept.success


def test_a_time_instead_of_steps(monkeypatch):
    # A clock that runs 10 s while compiling, and then a tenth of a second each step.
    clock = [100.0]
    monkeypatch.setattr("sciml.md.learning.training._pace.time.monotonic", lambda: clock[0])
    pace, step = Pace.of(None, 60.0, None, clock[0]), 0
    clock[0] += 10.0
    while not pace.over(step):
        n = min(pace.stride(step), pace.next_look(step) - step)
        step, clock[0] = step + n, clock[0] + 0.1 * n
        pace.moved(step)
    assert 480 <= step <= 500 and step == pace.steps


def test_schedules():
    rate, weights = md.Cosine(rate=(1e-2, 1e-4), warm=0.1).at(1000, 1000)
    assert rate == pytest.approx(1e-4) and weights.force == pytest.approx(100 + 900 * 0.01)
    assert md.Cosine(warm=0.1).at(0, 1000)[0] == pytest.approx(5e-3 / 100)
    # DeePMD-kit: lr0 r^floor(t / 5000), r = (stop / start)^(5000 / T)
    rate, weights = md.deepmd_schedule().at(12_345, 1_000_000)
    assert rate == pytest.approx(1e-3 * (3.51e-5) ** (10_000 / 1e6))
    assert weights.energy == pytest.approx(1 + (0.02 - 1) * rate / 1e-3) and weights.virial == 0


def test_losses():
    x = np.array([-3.0, -0.05, 0.0, 0.1, 2.0])
    np.testing.assert_allclose(md.Huber(0.1)(x), [0.59, 0.0025, 0, 0.01, 0.39])
    np.testing.assert_allclose(md.AbsoluteError()(x), np.abs(x))
    np.testing.assert_allclose(md.SquaredError()(x), x**2)


def test_biases_from_one_composition_are_of_minimum_norm():
    np.testing.assert_allclose(least_squares_bias(np.array([[1, 2], [1, 2]]), np.array([-5.0, -5.0])), [-1.0, -2.0])
    np.testing.assert_allclose(least_squares_bias(np.array([[1, 2], [1, 0]]), np.array([-5.0, -3.0])), [-3.0, -1.0])


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(model="x"), "expected a DeepPotential"),
        (dict(model=[small(), small(widths=(4, 4))]), "have the same species, sizes and cutoffs"),
        (dict(dataset=3), "the training set is a int; expected a Dataset"),
        (dict(dataset=DATASET[:0]), "the training set is empty"),
        (dict(validation=HELD[:0]), "the validation set is empty"),
        (dict(model=small(("O", "H"))), "the training set has Si; the model knows O, H"),
        (dict(model=small(sel=(5,))), "sel is too small: in the training set an atom has 18 neighbours Si within 4.2"),
        (dict(steps=5, max_time=1.0), "give steps or max_time, not both"),
        (dict(max_time=-1.0), "max_time=-1.0; expected seconds"),
        (dict(steps=2.5), "steps=2.5; expected a whole number"),
        (dict(batch=0), "batch=0; expected a whole number"),
        (dict(loss="huber"), "expected md.SquaredError"),
        (dict(schedule=1e-3), "expected md.Cosine"),
        (dict(optimizer="adam"), "expected an optax transformation"),
        (dict(ema=1.5), "ema=1.5; expected a decay"),
        (dict(patience=3), "patience needs a validation set"),
        (dict(precision="half"), "precision='half'"),
    ],
)
def test_arguments(arguments, message):
    given = dict(model=small(), dataset=DATASET) | arguments
    with pytest.raises(ValueError, match=message):
        md.train(given.pop("model"), given.pop("dataset"), **SETTINGS | given)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: md.deep_potential(("Si", "Si")), "each once"),
        (lambda: md.deep_potential(("Si", "C"), md.SeE2A.new(1)), "the descriptor is of 1 types"),
        (lambda: md.SeE2A.new(1, start=7.0), "expected 0 <= start < cutoff"),
        (lambda: md.SeE2A.new(2, sel=(5,)), "expected the most neighbours of each of 2 types"),
        (lambda: md.SeE2A.new(1, widths=()), "expected the widths of the layers"),
        (lambda: md.SeE2A.new(1, axis=200), "expected a number of columns"),
        (lambda: md.Huber(0.0), "expected a positive number"),
        (lambda: md.Cosine(rate=(1e-4, 1e-3)), "expected a positive rate at the start"),
        (lambda: md.Exponential(force=(-1.0, 1.0)), "expected two weights"),
        (lambda: md.validate(md.StillingerWeber(), DATASET[:0]), "an empty Dataset came"),
        (lambda: md.change_bias(small(), dataclasses.replace(DATASET, energies=np.full(24, np.nan))), "has no energies"),
        (lambda: md.evaluate_batch(small(), DATASET.systems[:1]), "has no places for neighbours yet"),
    ],
)
def test_choices(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.slow
@pytest.mark.parametrize(
    "descriptor",
    [
        md.SeE2R.new(1, cutoff=4.2, start=2.0, widths=(6, 12)),
        md.SeE3.new(1, cutoff=3.2, start=2.0, widths=(2, 4)),
        md.SeAtten.new(1, cutoff=4.2, start=2.0, widths=(6, 12), axis=4, layers=1),
        md.Hybrid((md.SeE2A.new(1, cutoff=4.2, start=2.0, widths=(4, 8), axis=4), md.SeE2R.new(1, cutoff=3.2, start=2.0))),
    ],
    ids=lambda d: type(d).__name__,
)
def test_every_descriptor_is_trained(descriptor, tmp_path):
    # Lengths alone, divided by five, are slow to learn.
    steps = 300 if isinstance(descriptor, md.SeE2R) else 60
    found = md.train(md.deep_potential(("Si",), descriptor, widths=(8, 8)), DATASET, validation=HELD, steps=steps, **SETTINGS)
    force = found.history.validation_force
    assert force[-1] < 0.9 * force[0]
    # What was found in training is what the potential says, and what is in its file.
    error = md.validate(found.potential, HELD).force_error
    assert f"{1e3 * error:.3g} meV/angstrom" in repr(found.potential)
    again = md.DeepPotential.load(found.potential.save(tmp_path / "a.dp"))
    assert md.validate(again, HELD).force_error == pytest.approx(error, rel=1e-10)
