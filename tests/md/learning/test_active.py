"""Active learning: what is selected, that errors fall with the labels spent, that nothing is computed twice or lost."""

import ase.io
import equinox as eqx
import matplotlib
import numpy as np
import pytest
from ase.calculators.calculator import CalculationFailed

from sciml import md

matplotlib.use("Agg")

CELL = md.diamond(5.431, 1, "Si")
TRUE = md.StillingerWeber()
LEVELS = dict(low=0.005, high=5.0, most=4, progress=False)


def crystal(seed, amplitude=0.1):
    moved = CELL.positions + amplitude * np.random.default_rng(seed).normal(size=CELL.positions.shape)
    return eqx.tree_at(lambda s: s.positions, CELL, moved)


class Labelled:
    """A stand-in for a dataset."""

    def __init__(self, parts):
        self.parts = parts

    @staticmethod
    def of(labels):
        return Labelled([labels])

    def __add__(self, more):
        return Labelled(self.parts + more.parts)

    @property
    def size(self):
        return sum(len(part.systems) for part in self.parts)


class Calculator:
    """Counts what it labels; interrupted or failing at the numbers asked for."""

    def __init__(self, interrupt=None, fail=()):
        self.inner, self.calls, self.interrupt, self.fail = md.ase_calculator(TRUE), 0, interrupt, fail
        self.implemented_properties = self.inner.implemented_properties

    def get_potential_energy(self, atoms, force_consistent=False):
        self.calls += 1
        if self.calls == self.interrupt:
            raise KeyboardInterrupt
        if self.calls in self.fail:
            raise CalculationFailed("no convergence")
        return self.inner.get_potential_energy(atoms, force_consistent=force_consistent)

    def __getattr__(self, name):
        return getattr(self.inner, name)


def train(dataset, round):
    """Two strengths of the three-body term whose errors fall with the labels."""
    off = 4.0 / (1 + dataset.size)
    return [md.StillingerWeber(strength=21.0 + off), md.StillingerWeber(strength=21.0 - off / 2)]


def explore(committee, round):
    return [crystal(100 * round + k, 0.02 * k) for k in range(8)]


def measured(committee):
    return {"strength": abs(float(np.mean([m.strength for m in committee.members])) - 21.0)}


def learn(calculator, rounds=3, **options):
    options = LEVELS | {"explore": explore} | options
    return md.active_learning(train, options.pop("explore"), calculator, Labelled([]), rounds=rounds, **options)


@pytest.mark.slow
def test_errors_fall_with_the_labels_spent():
    calculator = Calculator()
    found = learn(calculator, test=measured)
    table = found.rounds
    np.testing.assert_array_equal(table["round"], range(4))
    np.testing.assert_array_equal(table["labels"], [0, 4, 8, 12])
    assert calculator.calls == 12 == found.dataset.size and found.converged and len(found.potentials) == found.committee.count
    np.testing.assert_allclose(table["strength"], 1.0 / (1 + table["labels"]))
    assert np.all(np.diff(table["accurate"][1:]) >= 0) and np.all(np.diff(table["deviation"][1:]) < 0)
    np.testing.assert_allclose((table["accurate"] + table["candidate"] + table["failed"])[1:], 1)
    assert found.result.startswith("3 rounds, 12 labels. Of 8 frames in the last,")
    labels = found.dataset.parts[0]
    np.testing.assert_allclose(labels.forces[0], md.evaluate_batch(TRUE, labels.systems)[0].forces, atol=1e-10)
    assert found.plot().get_ylabel() == "strength"
    assert learn(calculator, 1).plot().get_ylabel() == "deviation of forces [eV/angstrom]"


def test_interrupted_it_keeps_labels_and_goes_on_without_computing_them_again(tmp_path):
    whole = learn(Calculator(), test=measured)
    calculator = Calculator(interrupt=7)
    broken = learn(calculator, test=measured, folder=tmp_path)
    assert broken.result == "Interrupted by the user in round 2; what was done is returned." and not broken.converged
    assert broken.dataset.size == 6 and list(broken.rounds["labels"]) == [0, 4]
    assert len(ase.io.read(tmp_path / "round_002" / "labels.xyz", index=":")) == 2
    fresh, explored = Calculator(), []
    rest = learn(fresh, test=measured, folder=tmp_path, explore=lambda c, k: explored.append(k) or explore(c, k))
    assert fresh.calls == 6 and explored == [3] and rest.dataset.size == 12
    for name, column in whole.rounds.items():
        np.testing.assert_allclose(rest.rounds[name], column, rtol=1e-6)
    for mine, theirs in zip(rest.dataset.parts, whole.dataset.parts, strict=True):
        for name in ("energies", "forces", "virials"):
            np.testing.assert_allclose(getattr(mine, name), getattr(theirs, name), atol=2e-7)
    again = learn(Calculator(interrupt=1), test=measured, folder=tmp_path)
    assert again.dataset.size == 12 and again.result == rest.result


class Careful(md.AbstractPotential):
    """As TRUE, and of no meaning for atoms that are close."""

    inner: md.StillingerWeber
    closest: float
    cutoff: float = eqx.field(static=True, default=TRUE.cutoff)

    def atom_energies(self, pairs):
        return self.inner.atom_energies(pairs)


@pytest.mark.slow
def test_runs_of_a_committee_are_explored_and_what_breaks_down_is_not_fatal():
    hot = md.Langevin(temperature=md.Ramp(600.0, 900.0, 20.0), friction=0.01)
    exploring = md.Exploration([CELL, crystal(1, 0.02)], hot, steps=40, timestep=1.0, every=10)
    committee = lambda closest: md.Committee([Careful(m, closest) for m in train(Labelled([]), 0)])  # noqa: E731
    frames = exploring(committee(0.5), 1)
    assert len(frames) == 10 and all(isinstance(f, md.System) for f in frames)
    assert np.abs(frames[0].velocities - exploring(committee(0.5), 2)[0].velocities).max() > 1e-3
    np.testing.assert_array_equal(frames[-1].positions, exploring(committee(0.5), 1)[-1].positions)
    some = exploring(committee(2.26), 1)
    assert 2 <= len(some) < 10

    def exploding(_, round):
        starts = [md.thermal(CELL, 600.0, key=k) for k in range(2)]
        options = dict(steps=40, timestep=1.0, every=10, progress=False)
        return md.simulate(starts, committee(2.26), hot, **options)

    found = learn(Calculator(), 1, explore=exploding, low=1e-9)
    assert 2 <= found.rounds["frames"][1] < 10 and found.converged


def test_a_calculator_that_fails_for_one_structure_leaves_it_out():
    with pytest.warns(UserWarning, match="Structure 1 of round 1 has no label and is left out: no convergence"):
        found = learn(Calculator(fail=[2]), 1)
    assert found.dataset.size == 3 == found.rounds["labels"][1]
    with pytest.warns(UserWarning), pytest.raises(CalculationFailed):
        learn(Calculator(fail=range(9)), 1)


def test_frames_that_are_too_bad_are_counted_and_not_labelled():
    calculator = Calculator()
    found = learn(calculator, 1, high=0.0051)
    assert calculator.calls == 0 and found.rounds["failed"][1] > 0.5 and "No frame was a candidate: raise high" in found.result


def test_selection_is_between_the_levels_spaced_and_repeatable():
    frames, worst = [crystal(k) for k in range(40)], np.linspace(0, 1, 40)
    worst[20] = np.nan
    drawn = lambda key: md.select(frames, worst, low=0.25, high=0.75, most=5, key=key)  # noqa: E731
    found = drawn(3)
    assert (found.accurate, found.candidate, found.failed) == (10, 19, 11)
    assert np.all((worst[found.indices] >= 0.25) & (worst[found.indices] < 0.75)) and np.diff(found.indices).min() >= 3
    np.testing.assert_array_equal(found.indices, drawn(3).indices)
    assert any(not np.array_equal(found.indices, drawn(key).indices) for key in range(5))
    # One that hardly moved since the last, and an image of it, count and are not taken.
    near = [CELL, crystal(0, 0.01), eqx.tree_at(lambda s: s.positions, CELL, CELL.positions + CELL.cell[0]), crystal(1)]
    found = md.select(near, [0.5] * 4, low=0.25, high=0.75, most=9)
    assert found.indices.tolist() == [0, 3] and found.candidate == 4


@pytest.mark.parametrize(
    "make, told",
    [
        (lambda: md.select([CELL], [0.1], low=0.5, high=0.2, most=1), "low=0.5 and high=0.2; expected two forces, low below"),
        (lambda: md.select([CELL], [0.1, 0.2], low=0.1, high=0.2, most=1), "2 deviations came for 1 systems"),
        (lambda: md.select([CELL], [0.1], low=0.1, high=0.2, most=0), "most=0; expected a whole number, at least 1"),
        (lambda: md.select([CELL], [0.1], low=0.1, high=0.2, most=1, apart=-1), "apart=-1; expected a distance"),
        (lambda: md.select([None], [0.1], low=0.1, high=0.2, most=1), "select: expected a System"),
        (lambda: learn(None), "a NoneType came; expected an ASE calculator"),
        (lambda: learn(Calculator(), low=9.0), "active_learning: low=9.0 and high=5.0"),
        (lambda: learn(Calculator(), rounds=0), "rounds=0; expected a whole number"),
        (lambda: learn(Calculator(), explore=[CELL]), "explore=.* expected a function"),
        (lambda: learn(Calculator(), test=lambda c: {"labels": 1}), "names an error 'labels'"),
        (lambda: md.active_learning(train, explore, Calculator(), None, rounds=1, **LEVELS), "NoneType cannot be added to"),
        (lambda: md.active_learning(train, explore, Calculator(), [], rounds=1, **LEVELS), "list has no `of`; say with"),
        (lambda: md.active_learning(lambda d, k: [TRUE], explore, Calculator(), Labelled([]), rounds=1, **LEVELS), "1 came"),
        (lambda: md.Exploration([], md.NVE(), 10, 1.0), "0 systems and 1 ensembles; expected some of each"),
        (lambda: md.Exploration(CELL, [300.0], 10, 1.0), "expected an ensemble"),
        (lambda: md.Exploration(CELL, md.NVE(), 0, 1.0), "steps=0; expected a whole number"),
    ],
)
def test_what_cannot_be_is_refused(make, told):
    with pytest.raises(ValueError, match=told):
        make()
