"""Several potentials: their mean is a potential, their deviation is DP-GEN's, and a run that leaves what they know ends."""

import os
from pathlib import Path

import ase.io
import equinox as eqx
import jax
import matplotlib
import numpy as np
import pytest

from sciml import md
from sciml.md.learning import _deviation

matplotlib.use("Agg")

WATER = Path(os.environ.get("SCIML_DATA", Path(__file__).parents[3] / "../shared/data")) / "deepmd" / "water_a.dp"

MODELS = [md.StillingerWeber(strength=s, epsilon=e) for s, e in ((20.0, 2.1), (21.0, 2.2), (23.0, 2.15))]
COMMITTEE = md.Committee(MODELS)


def crystal(seed, amplitude=0.1, atoms=8):
    ideal = md.diamond(5.431, 1, "Si")
    moved = ideal.positions + amplitude * np.random.default_rng(seed).normal(size=ideal.positions.shape)
    return md.system(moved[:atoms], "Si", cell=ideal.cell)


ATOMS = [crystal(0), crystal(1, atoms=7), md.system(crystal(2).positions, "Si")]
ALONE = [md.evaluate_batch(model, ATOMS) for model in MODELS]


class Other(md.AbstractPotential):
    """The second of MODELS, of another class: no array of numbers holds it and the others."""

    inner: md.StillingerWeber = MODELS[1]
    cutoff: float = eqx.field(static=True, default=MODELS[1].cutoff)

    def atom_energies(self, pairs):
        return self.inner.atom_energies(pairs)


def test_a_committee_is_the_mean_of_its_members():
    together = md.evaluate_batch(COMMITTEE, ATOMS[:2])
    apart = md.evaluate_batch(md.Committee([MODELS[0], Other(), MODELS[2]]), ATOMS[:2])
    for k, found in enumerate(together):
        for name in ("energy", "forces", "virial", "atom_energies"):
            mean = np.mean([getattr(alone[k], name) for alone in ALONE], axis=0)
            np.testing.assert_allclose(getattr(found, name), mean, rtol=1e-11, atol=1e-11)
            np.testing.assert_allclose(getattr(apart[k], name), mean, rtol=1e-11, atol=1e-11)
    assert [m.strength for m in COMMITTEE.members] == [20.0, 21.0, 23.0] and COMMITTEE.together is not None
    assert md.relax(ATOMS[0], COMMITTEE).converged


@pytest.mark.slow
def test_the_deviation_is_that_of_its_formula():
    found = COMMITTEE.deviation(ATOMS)
    assert len(found) == 3
    for k, (atoms, one) in enumerate(zip(ATOMS, found, strict=True)):
        F = np.stack([alone[k].forces for alone in ALONE])
        wanted = [np.sqrt(sum(np.sum((f[i] - F[:, i].mean(0)) ** 2) for f in F) / 3) for i in range(atoms.atoms)]
        np.testing.assert_allclose(one.forces, wanted, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose([one.max, one.min, one.mean], [max(wanted), min(wanted), np.mean(wanted)], rtol=1e-9)
        assert one.atom == np.argmax(wanted)
        np.testing.assert_allclose(one.energy, np.std([a[k].energy for a in ALONE]) / atoms.atoms, rtol=1e-9)
        virials = np.std([a[k].virial for a in ALONE], axis=0)
        np.testing.assert_allclose(one.virial, virials / atoms.atoms, rtol=1e-8, atol=1e-12)
        wanted = one.forces / (np.linalg.norm(F.mean(0), axis=1) + 0.5)
        np.testing.assert_allclose(one.relative(0.5).forces, wanted, rtol=1e-9)
    # By the lists of a run that moves on, for a closed and an open system.
    for k in (0, 2):
        watch = _deviation.Watch(COMMITTEE, ATOMS[k])
        watch(crystal(9).positions, ATOMS[k].cell)
        np.testing.assert_allclose(watch(ATOMS[k].positions, ATOMS[k].cell).forces, found[k].forces, rtol=1e-9, atol=1e-12)


@pytest.mark.skipif(not WATER.exists(), reason=f"{WATER} is not here: set SCIML_DATA")
def test_deep_potentials_are_computed_together():
    model = md.DeepPotential.load(WATER)
    other = jax.tree.map(lambda a: a * (1 + 1e-3 * np.random.default_rng(0).normal(size=np.shape(a))), model)
    pair = md.Committee([model, other])
    atoms = md.system(1.5 * np.random.default_rng(1).permutation(np.indices((2, 2, 2)).reshape(3, 8).T), list("OHHOHHHH"))
    alone = [md.evaluate_batch(m, [atoms])[0] for m in (model, other)]
    wanted = md.Deviation.of(*(np.stack([getattr(a, name) for a in alone]) for name in ("energy", "forces", "virial")))
    found = pair.deviation(atoms)
    assert pair.together is not None and pair.names == ("O", "H") and pair.closest == model.closest and found.max > 1e-3
    np.testing.assert_allclose(found.forces, wanted.forces, rtol=1e-8)
    np.testing.assert_allclose(found.energy, wanted.energy, rtol=1e-8)


def test_members_say_how_close_and_how_crowded_atoms_may_be():
    class Cautious(md.AbstractPairPotential):
        closest: float = 1.0
        cutoff: float = eqx.field(static=True, default=3.0)

        def pair_energies(self, square, a, b):
            return 1 / square

        def crowded(self, pairs):
            return "" if self.closest < 2 else "Too many."

    pair = md.Committee([Cautious(), Cautious(1.5)])
    assert float(pair.closest) == 1.5 and pair.crowded(None) == "" and md.Committee([Cautious(), Cautious(2)]).crowded(None)
    with pytest.raises(ValueError, match=r"At the start atoms 0 .* 1.2 angstrom apart, and Committee knows nothing below 1.5"):
        md.simulate(md.system([[0, 0, 0], [1.2, 0, 0.0]], "Si"), pair, steps=1, timestep=1.0, progress=False)
    assert COMMITTEE.closest is None and not hasattr(COMMITTEE, "kinds") and COMMITTEE.names is None


START = md.thermal(crystal(3), 900, key=1)
SHORT = dict(steps=100, timestep=1.0, every=10, progress=False)


def run(watch, atoms=START, **options):
    return md.simulate(atoms, MODELS[0], callbacks=[watch], **SHORT | options)


@pytest.mark.slow
def test_deviations_are_measured_on_the_fly():
    watch = md.ModelDeviation(MODELS, warn=1e-3)
    with pytest.warns(UserWarning, match=r"step 0 the forces of 3 potentials on atom \d \(Si\) differ by .*warn=0.001") as told:
        whole = run(watch)
    assert whole.converged and len(told) == 1 and watch.reason is None
    table = watch.table
    np.testing.assert_array_equal(table["step"], range(0, 101, 10))
    np.testing.assert_array_equal(table["time"], whole.time)
    again = COMMITTEE.deviation([e.atoms for e in watch.exceeded])
    assert len(again) == 11
    for name in ("max", "mean", "min", "energy"):
        np.testing.assert_allclose(table[name], [getattr(d, name) for d in again], rtol=1e-8)
    later = md.measure(md.ModelDeviation(COMMITTEE, relative=1.0), whole)
    np.testing.assert_allclose(later.table["max"], [d.relative(1.0).max for d in again], rtol=1e-8)
    assert watch.plot().get_ylabel() == "deviation of forces [eV/angstrom]"
    assert later.plot().get_ylabel() == "deviation of forces"


@pytest.mark.slow
def test_a_run_ends_where_potentials_differ_and_says_where(tmp_path):
    whole = md.ModelDeviation(MODELS)
    run(whole)
    series = whole.table["max"]
    first = int(np.argmax(series))
    stop = float(np.sort(series)[-2])  # below the largest alone
    assert 0 < first < 10
    watch = md.ModelDeviation(MODELS, stop=stop, save=tmp_path / "kept.xyz")
    options = dict(checkpoint=tmp_path / "run.npz")
    ended = run(watch, **options)
    (kept,) = watch.exceeded
    told = (
        f"Stopped after {10 * first} of 100 steps: at step {10 * first} the forces of 3 potentials on atom {kept.atom} (Si) "
        f"differ by {series[first]:.3g} eV/angstrom, more than stop={stop:g}. The frame is in `exceeded` of the ModelDeviation."
    )
    assert ended.result == told and not ended.converged and len(ended) == first + 1
    np.testing.assert_allclose(kept.deviation, series[first], rtol=1e-8)
    np.testing.assert_array_equal(kept.atoms.positions, ended.atoms.positions)
    saved = ase.io.read(tmp_path / "kept.xyz", index=":")
    assert len(saved) == 1 and saved[0].info["step"] == 10 * first and np.argmax(saved[0].arrays["deviation"]) == kept.atom
    # The same call does not go on, a larger bound does; a frame is saved once.
    assert run(watch, **options).result == told
    assert len(ase.io.read(tmp_path / "kept.xyz", index=":")) == 1
    assert run(md.ModelDeviation(MODELS, stop=2 * stop), **options).converged
    assert md.simulate(START, MODELS[0], callbacks=[lambda f: f.step == 20], **SHORT).result.startswith("Stopped by a callback")


@pytest.mark.slow
def test_of_several_systems_the_one_that_is_beyond_stops():
    calm = md.thermal(md.diamond(5.431, 1, "Si"), 20, key=1)
    watch = md.ModelDeviation(MODELS, stop=0.05)
    runs = run(watch, [calm, START])
    assert runs[0].converged and runs[1].result.startswith("Stopped after 0 of 100 steps: at step 0 the forces of 3 potentials")
    assert [e.system for e in watch.exceeded] == [1]
    np.testing.assert_array_equal(np.bincount(watch.table["system"]), [11, 1])
    watch.plot()
    with pytest.raises(ValueError, match="RadialDistribution measures one system, and 2 are simulated at once"):
        run(md.RadialDistribution(end=2.0), [calm, START])


class Named(md.AbstractPairPotential):
    names: tuple = eqx.field(static=True)
    cutoff: float = eqx.field(static=True, default=3.0)

    def pair_energies(self, square, a, b):
        return 1 / square


@pytest.mark.parametrize(
    "make, told",
    [
        (lambda: md.Committee(MODELS[:1]), "expected two potentials or more.*1 came"),
        (lambda: md.Committee(MODELS[0]), "expected two potentials or more.*1 came"),
        (lambda: md.Committee([MODELS[0], print]), "builtin_function_or_method is among them"),
        (lambda: md.Committee([Named(("Si",)), Named(("C",))]), r"species of potential 0 are \('Si',\), .* 1 \('C',\)"),
        (lambda: md.Committee([Named(("Si",)), Named(("Si",), cutoff=4.0)]), "cutoff of potential 0 is 3, of potential 1 4"),
        (lambda: md.Committee([MODELS[0] + MODELS[1]] * 2), r"a Sum came.*md.Committee\(\[a, b\]\) \+ c"),
        (lambda: COMMITTEE.deviation([None]), "NoneType as number 0 came"),
        (lambda: md.Committee([Named(("C",))] * 2).deviation(ATOMS), "does not know Si"),
        (lambda: COMMITTEE.deviation(ATOMS[0]).relative(0), "level=0; expected a positive force"),
        (lambda: md.ModelDeviation(MODELS, stop=-1), "stop=-1; expected a positive number"),
        (lambda: md.ModelDeviation(MODELS, warn=True), "warn=True; expected a positive number"),
        (lambda: md.ModelDeviation(MODELS, warn=2.0, stop=1.0), "warn=2 and stop=1; a run would stop before it warns"),
        (lambda: md.ModelDeviation(MODELS).table, "ModelDeviation has seen no frames"),
        (lambda: run(md.ModelDeviation([Named(("C",))] * 2)), "does not know Si"),
        (lambda: md.ModelDeviation(MODELS, save="a.xyz").begin(md.system([[0, 0, 0.0]], "Q")), "Q are no elements"),
    ],
)
def test_what_cannot_be_is_refused(make, told):
    with pytest.raises(ValueError, match=told):
        make()
