"""Programs are few, and kept between calls: a second call of the same shapes compiles nothing."""

from contextlib import contextmanager

import jax
import numpy as np
import pytest

from sciml import md

COMPILED = []
jax.monitoring.register_event_duration_secs_listener(
    lambda name, _, **__: COMPILED.append(name) if name == "/jax/core/compile/backend_compile_duration" else None
)
RNG = np.random.default_rng(0)
MIXTURE = md.LennardJones.of({"Cu": (0.2, 2.3), "Ni": (0.25, 2.2)}, cutoff=4.4, switch=3.4)
TRAIN = dict(steps=6, every=3, progress=False)


@contextmanager
def compiles_nothing():
    before = len(COMPILED)
    yield
    assert len(COMPILED) == before, f"{len(COMPILED) - before} programs were compiled anew."


def rattled(atoms, amount=0.05):
    return md.system(
        atoms.positions + amount * RNG.normal(size=atoms.positions.shape), [atoms.names[k] for k in atoms.species],
        cell=atoms.cell if np.any(atoms.cell) else None,
    )  # fmt: skip


def alloy(copper="Cu", nickel="Ni", turned=False):
    """32 atoms of two species; `turned`, nickel comes first."""
    atoms = md.fcc(3.6, 2, copper)
    names = np.array([copper, nickel])[(np.arange(32) + turned) % 2]
    return rattled(md.system(atoms.positions, names, cell=atoms.cell))


def molecules(count=3):
    """Of one to three atoms, with random labels."""
    systems = [md.system([[0.0, 0, 0]], "O"), md.system([[0.0, 0, 0], [1.2, 0, 0]], ["O", "O"])]
    systems = [*systems, md.system([[0.0, 0, 0], [0.97, 0, 0], [-0.3, 0.92, 0]], list("OHH"))]
    systems = [rattled(systems[k % 3], 0.02) for k in range(count)]
    forces = [RNG.normal(size=(s.atoms, 3)) for s in systems]
    forces = [f - f.mean(axis=0) for f in forces]
    return md.Dataset.of(md.Labels(systems, -3.0 * np.array([s.atoms for s in systems]) + RNG.normal(size=count), forces, None))


def model(key=0):
    return md.deep_potential(("O", "H"), md.SeE2A.new(2, cutoff=4.0, widths=(4, 8), axis=4, key=key), widths=(8, 8), key=key)


@pytest.fixture(scope="module")
def trained():
    first = md.train(model(), molecules(), validation=molecules(4), **TRAIN)
    with compiles_nothing():
        second = md.train(model(1), molecules(6), validation=molecules(3), key=3, **TRAIN)
    return first, second


def test_frames_of_three_sizes_are_one_program(trained):
    # A step, and what is predicted at looks.
    assert trained[0].stats["compiled"] == trained[1].stats["compiled"] == 2
    assert np.all(np.isfinite(trained[1].history.validation_force))


def test_validation(trained):
    frames = molecules()
    found = md.validate(trained[0].potential, frames)
    order = np.concatenate([np.array(s, int) for s in ([0], [1, 2], [5, 3, 4])])
    systems = [s if s.atoms < 3 else md.system(s.positions[[2, 0, 1]], list("HOH")) for s in frames.systems]
    forces = [frames.forces[a:b] for a, b in zip(frames.first[:-1], frames.first[1:], strict=True)]
    forces[2] = forces[2][[2, 0, 1]]
    turned = md.Dataset.of(md.Labels(systems, frames.energies, forces, None))
    with compiles_nothing():
        # Atoms and names in another order.
        again = md.validate(trained[0].potential, turned)
        np.testing.assert_allclose(again.energies, found.energies, rtol=1e-12)
        np.testing.assert_allclose(again.forces, found.forces[order], atol=1e-12)
        # A model trained on other data, as in every round of active learning.
        assert md.validate(trained[1].potential, molecules()).force_error > 0


def test_committees(trained):
    together = [md.Committee([t.potential for t in pair]) for pair in (trained, trained[::-1])]
    found = together[0].deviation(molecules().systems)
    with compiles_nothing():
        again = together[1].deviation(molecules().systems)
    assert len(found) == len(again) == 3


def test_dynamics():
    start = md.thermal(alloy(), 300.0)
    options = dict(steps=4, timestep=1.0, every=2, progress=False)
    run = md.simulate(start, MIXTURE, md.Langevin(300.0, friction=0.01), **options)
    with compiles_nothing():
        # From where it ended, hotter; species in another order.
        md.simulate(md.thermal(run.atoms, 400.0), MIXTURE, md.Langevin(350.0, friction=0.02), key=1, **options)
        md.simulate(alloy(turned=True), MIXTURE, md.Langevin(300.0, friction=0.01), **options)


def test_at_rest():
    first = md.relax(alloy(), MIXTURE)
    with compiles_nothing():
        again = md.relax(alloy(turned=True), MIXTURE)
        assert md.ase_calculator(MIXTURE).get_potential_energy(md.to_ase(again.atoms)) == pytest.approx(again.energy)
        # One compiled evaluation serves all.
        neighbours = md.neighbours_for(again.atoms, MIXTURE, kept=True)
        assert md.evaluate(MIXTURE, again.atoms, neighbours).energy == pytest.approx(again.energy, rel=1e-12)
    assert first.converged and again.converged


def test_batches():
    systems = [alloy() for _ in range(3)]
    md.evaluate_batch(MIXTURE, systems)
    with compiles_nothing():
        found = md.evaluate_batch(MIXTURE, [alloy(turned=True) for _ in range(3)])
    assert len(found) == 3


def test_names_that_a_potential_does_not_know_make_no_difference():
    nameless = md.LennardJones(0.2, 2.3, cutoff=4.4)
    first = md.evaluate_batch(nameless, [alloy()])[0]
    with compiles_nothing():
        same = md.evaluate_batch(nameless, [alloy("Ag", "Au")])[0]
    assert first.forces.shape == same.forces.shape


class Bar:
    """A progress bar that remembers what it said at its start and when steps were done."""

    def __init__(self, **options):
        self.postfix, self.n, self.said = options["postfix"], 0, [options["postfix"]]

    def update(self, steps):
        self.n += steps
        self.said.append(self.postfix)

    def set_postfix_str(self, words, refresh=True):
        self.postfix = words

    def set_postfix(self, refresh=True, **numbers):
        self.postfix = numbers

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.mark.parametrize("what", ["simulate", "several", "train"])
def test_bars_say_that_programs_are_compiled_until_the_first_steps_are_done(what, monkeypatch):
    bars, before = [], []
    monkeypatch.setattr("tqdm.auto.tqdm", lambda **options: bars.append(Bar(**options)) or bars[-1])
    seen = lambda frame, *_: before.append(bars[0].postfix) if frame.step == 0 else None  # noqa: E731
    if what == "train":
        md.train(model(), molecules(), steps=6, every=3)
    else:
        options = dict(steps=4, timestep=1.0, every=2, callbacks=[seen])
        md.simulate(alloy() if what == "simulate" else [alloy()], MIXTURE, **options)
    (bar,) = bars
    assert bar.said[0] == "compiling" and len(bar.said) > 1 and "compiling" not in bar.said[1:]
    assert set(before) <= {"compiling"} and bar.n == (6 if what == "train" else 4)
