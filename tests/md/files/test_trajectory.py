"""Frames in files, runs that are killed, stopped and continued, and runs that must not go on."""

import os
import signal
import subprocess
import sys
from typing import Any

import equinox as eqx
import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sciml
from sciml import md
from sciml.md.dynamics import _checkpoint, _simulate
from sciml.md.dynamics._checks import check
from sciml.md.dynamics._guards import guarded
from sciml.md.files import _record

NAMES = ("step", "time", "positions", "velocities", "forces", "cell", "potential_energy", "kinetic_energy", "temperature")
NAMES += ("volume", "pressure_tensor", "conserved", "total_energy", "pressure")


class Cautious(md.AbstractPotential):
    """Lennard-Jones that says what it does not know."""

    inner: md.LennardJones = md.LennardJones(1.0, 1.0, cutoff=1.9, switch=1.6)
    cutoff: float = eqx.field(static=True, default=1.9)
    closest: Any = 0.0
    places: Any = 99

    def atom_energies(self, pairs):
        full = jnp.sum(pairs.mask, axis=1) > self.places
        return self.inner.atom_energies(pairs) * jnp.where(full, jnp.nan, 1.0)

    def crowded(self, pairs):
        counts = np.sum(pairs.mask, axis=1)
        most, atom = counts.max(), int(pairs.atom[np.argmax(counts)])
        return f"Atom {atom} has {most} neighbours, and there are places for {self.places}." if most > self.places else ""


def cluster():
    corner = md.fcc(1.6, 1, "A").positions
    return md.thermal(md.system(np.concatenate([corner, corner + [1.6, 0, 0]]), "A", units=md.REDUCED), 0.4, key=1)


def run(steps=120, potential=None, atoms=None, every=20, **options):
    langevin = md.Langevin(temperature=0.4, friction=1.0)
    settings = dict(timestep=0.004, every=every, skin=0.3, progress=False) | options
    return md.simulate(atoms or cluster(), potential or Cautious(), langevin, steps=steps, **settings)


def made(units=md.METAL, frames=5, periodic=(True, True, False)):
    """A trajectory out of nothing, in a triclinic cell, open along one axis (no volume, no pressure); F could be taken for
    False."""
    rng = np.random.default_rng(0)
    cell = np.array([[8.0, 0, 0], [1.0, 7.0, 0], [0.5, 0.3, 9.0]])
    atoms = md.system(
        rng.normal(size=(5, 3)), ["F", "Cu", "F", "F", "Cu"], cell=cell, periodic=periodic,
        charges=rng.normal(size=5), velocities=rng.normal(size=(5, 3)), units=units, masses=[19.0, 63.5, 20.0, 19.0, 63.5],
    )  # fmt: skip
    made, volume = [], 504.0 if all(periodic) else np.nan
    for k in range(frames):
        r, v, f = rng.normal(size=(3, 5, 3))
        tensor = rng.normal(size=(3, 3)) * 1e3 * (volume / volume)
        numbers = {n: float(rng.normal()) for n in ("potential_energy", "kinetic_energy", "temperature", "conserved")}
        made.append(md.Frame(10 * k, 5.0 * k, r, v, f, cell, volume=volume, pressure_tensor=tensor + tensor.T, **numbers))
    end = eqx.tree_at(lambda s: (s.positions, s.velocities), atoms, (made[-1].positions, made[-1].velocities))
    return md.Trajectory(made, end, "made up", True, {})


def same(one, two, rtol):
    for name in NAMES:
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=rtol, atol=100 * rtol, err_msg=name)


@pytest.mark.parametrize("units", [md.METAL, md.REDUCED])
def test_h5md_files_come_back_and_say_their_units(tmp_path, units):
    one = made(units)
    two = md.Trajectory.load(one.save(tmp_path / "a.h5"))
    same(one, two, 4e-16)
    assert two.converged and two.atoms.names == ("F", "Cu") and two.atoms.periodic == (True, True, False)
    for name in ("species", "masses", "charges", "positions", "cell"):
        assert np.array_equal(getattr(two.atoms, name), getattr(one.atoms, name))
    assert two.atoms.units == units and list(two[::-2].step) == [40, 20, 0] and two[1:3][-1].step == 20 and two[-1].step == 40
    assert [f.step for f in two.frames] == list(one.step)
    with pytest.raises(IndexError):
        two.frames[5]
    with h5py.File(tmp_path / "a.h5") as file:
        every = file["particles/all"]
        assert list(file["h5md"].attrs["version"]) == [1, 1] and every["box"].attrs["dimension"] == 3
        assert list(every["box"].attrs["boundary"]) == [b"periodic", b"periodic", b"none"]
        assert every["velocity/step"] == every["position/step"] and every["force/time"] == file["observables/temperature/time"]
        assert list(file["parameters/vmd_structure/name"]) == [b"F", b"Cu"]
        where = ("position/value", "velocity/value", "force/value", "position/time", "mass")
        said = {n: every[n].attrs.get("unit") for n in where}
        if units is md.REDUCED:
            assert set(said.values()) == {None}
            return
        assert list(said.values()) == ["Angstrom", "Angstrom fs-1", "kJ mol-1 Angstrom-1", "fs", "u"]
        np.testing.assert_allclose(every["velocity/value"][0], one.velocities[0] * 0.0982269475025, rtol=1e-9)
        np.testing.assert_allclose(every["force/value"][0], one.forces[0] * 96.48533212, rtol=1e-9)


def test_ase_reads_extended_xyz(tmp_path):
    ase_io = pytest.importorskip("ase.io")
    for k, periodic in enumerate(((True, True, False), (True, True, True))):
        one = made(periodic=periodic)
        path = one.save(tmp_path / f"{k}.xyz")
        same(one, md.Trajectory.load(path), 2e-11)
        read = ase_io.read(path, index=":")
        assert len(read) == 5 and read[2].get_chemical_symbols() == ["F", "Cu", "F", "F", "Cu"]
        assert tuple(read[2].pbc) == periodic
    frame, atoms = one[2], read[2]
    for found, expected in (
        (atoms.positions, frame.positions), (atoms.get_velocities(), frame.velocities), (atoms.get_forces(), frame.forces),
        (atoms.get_potential_energy(), frame.potential_energy), (atoms.cell, frame.cell),
        (atoms.get_masses(), one.atoms.masses),
        (atoms.get_initial_charges(), one.atoms.charges), (atoms.info["time"], frame.time),
    ):  # fmt: skip
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)
    # Without the kinetic part, and of the other sign.
    v = frame.velocities
    kinetic = np.einsum("n,na,nb->ab", one.atoms.masses, v, v) / frame.volume
    stress = kinetic - frame.pressure_tensor * 1e5 * 1e-30 / 1.602176634e-19
    np.testing.assert_allclose(atoms.get_stress(voigt=False), stress, rtol=1e-9)


def test_nothing_is_overwritten_or_taken_for_something_else(tmp_path):
    one = made()
    for name in ("a.h5", "a.xyz"):
        path = one.save(tmp_path / name)
        with pytest.raises(ValueError, match="exists and is not overwritten"):
            one.save(path)
        with pytest.raises(ValueError, match="exists and is not overwritten"):
            _record.recording(path, one.atoms, 10, None)
        moved = eqx.tree_at(lambda s: s.positions, one.atoms, one.atoms.positions + 0.01)
        with pytest.raises(ValueError, match="not where the last frame"):
            _record.recording(md.Append(path), moved, 10, None)
        with pytest.raises(ValueError, match="holds System"):
            _record.recording(md.Append(path), made(md.REDUCED).atoms, 10, None)
        foreign = tmp_path / ("b" + path.suffix)
        foreign.write_text("1\n\nH 0 0 0\n")
        with pytest.raises(ValueError, match=r"not written by sciml|no HDF5 file"):
            md.Trajectory.load(foreign)
        with pytest.raises(FileNotFoundError):
            md.Trajectory.load(tmp_path / ("c" + path.suffix))
    with pytest.raises(ValueError, match="ends with .h5"):
        one.save(tmp_path / "a.dcd")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.h5", "a.xyz"])
def test_a_run_goes_on_in_its_file(tmp_path, name):
    path = tmp_path / name
    memory, digits = run(), 1e-15 if name == "a.h5" else 1e-10
    first = run(steps=np.int64(120), every=np.int32(20), trajectory=path)
    if name == "a.h5":
        same(memory, first, digits)
    second = run(steps=40, atoms=first.atoms, trajectory=md.Append(path))
    assert list(second.step) == [140, 160] and np.allclose(second.time, [0.56, 0.64])
    whole = md.Trajectory.load(path)
    assert list(whole.step) == list(range(0, 161, 20)) and whole.converged
    np.testing.assert_allclose(whole.positions[:7], memory.positions, rtol=digits, atol=digits)
    assert len(run(steps=0)) == 1 and len(list(tmp_path.iterdir())) == 1
    assert np.isnan(whole.pressure).all() and np.array_equal(whole.atoms.cell, np.zeros((3, 3)))


def killed(folder):
    """What the process does that is killed: the file has a frame more than the checkpoint knows."""
    _checkpoint.SAVE_SECONDS = _record.BUFFER_SECONDS = 0.0

    def kill(frame):
        if frame.step == 60:
            os.kill(os.getpid(), signal.SIGKILL)

    run(trajectory=f"{folder}/run.h5", checkpoint=f"{folder}/run.npz", callbacks=[kill])


@pytest.mark.slow
def test_a_killed_run_repeats_every_bit(tmp_path):
    script = f"import runpy; runpy.run_path({__file__!r})['killed']({str(tmp_path)!r})"
    assert subprocess.run([sys.executable, "-c", script], env=dict(os.environ)).returncode == -signal.SIGKILL
    path, checkpoint = tmp_path / "run.h5", tmp_path / "run.npz"
    left = md.Trajectory.load(path)
    assert list(left.step) == [0, 20, 40, 60] and not left.converged
    whole = run(trajectory=tmp_path / "whole.h5")
    again = run(trajectory=path, checkpoint=checkpoint)
    with h5py.File(path) as one, h5py.File(tmp_path / "whole.h5") as two:
        both: list[str] = []
        two["particles"].visititems(lambda name, item: both.append(name) if isinstance(item, h5py.Dataset) else None)
        assert len(both) >= 8 and all(np.array_equal(one["particles"][n][()], two["particles"][n][()]) for n in both)
    assert np.array_equal(again.conserved, whole.conserved)
    # Another run goes on; the first is done, and leaves that alone.
    run(steps=20, atoms=again.atoms, trajectory=md.Append(path))
    assert len(run(trajectory=path, checkpoint=checkpoint)) == 7 and len(md.Trajectory.load(path)) == 8
    with pytest.raises(ValueError, match="Another run has gone on"):
        run(steps=140, trajectory=path, checkpoint=checkpoint)
    with pytest.raises(ValueError, match="frames in a file"):
        run(checkpoint=checkpoint)
    path.unlink()
    with pytest.raises(ValueError, match="which is not there"):
        run(trajectory=path, checkpoint=checkpoint)


def test_text_is_cut_to_the_checkpoint(tmp_path):
    """As if killed: frames that the checkpoint does not know, the last of them not complete."""
    path, checkpoint = tmp_path / "run.xyz", tmp_path / "run.npz"
    run(steps=40, trajectory=path, checkpoint=checkpoint)
    kept = path.read_bytes()
    path.write_bytes(kept + kept[: len(kept) // 2])
    run(trajectory=path, checkpoint=checkpoint)
    run(trajectory=tmp_path / "whole.xyz")
    strip = lambda text: [line.split(" names=")[0] for line in text.splitlines()]  # noqa: E731
    assert strip(path.read_text()) == strip((tmp_path / "whole.xyz").read_text())


@pytest.mark.parametrize("name", ["run.h5", "run.xyz"])
def test_a_run_that_broke_off_before_its_second_checkpoint_goes_on(tmp_path, name):
    path, checkpoint = tmp_path / name, tmp_path / "run.npz"

    def fail(frame):
        raise RuntimeError("mine")

    for append in (False, True):
        before = run(steps=40, trajectory=path).atoms if append else None
        options = dict(trajectory=md.Append(path) if append else path, checkpoint=checkpoint, atoms=before)
        with pytest.raises(RuntimeError, match="mine"):
            run(callbacks=[fail], **options)
        done = run(steps=40, **options)
        assert list(done.step) == ([60, 80] if append else [0, 20, 40])
        assert list(md.Trajectory.load(path).step) == list(range(0, 81 if append else 41, 20))
        path.unlink() if not append else None
        checkpoint.unlink()


def test_callbacks_and_interrupts_stop_a_run(tmp_path, request):
    seen = []
    stopped = run(callbacks=[lambda f: seen.append(f.step) or [1], lambda f: f.step == 40])
    assert seen == [0, 20, 40] and stopped.result == "Stopped by a callback after 40 of 120 steps." and not stopped.converged
    checkpoint = tmp_path / "a.npz"
    press = lambda f: os.kill(os.getpid(), signal.SIGINT) if f.step == 40 else None  # noqa: E731
    # Jobs in the background ignore Ctrl-C, and then a run does too.
    request.addfinalizer(lambda old=signal.getsignal(signal.SIGINT): signal.signal(signal.SIGINT, old))
    before = signal.default_int_handler
    signal.signal(signal.SIGINT, before)
    broken = run(callbacks=[press], checkpoint=checkpoint)
    assert "Interrupted by the user after 40" in broken.result and signal.getsignal(signal.SIGINT) is before
    assert np.array_equal(run(checkpoint=checkpoint).positions, run().positions)


def test_what_a_potential_does_not_know_stops_the_run(tmp_path, monkeypatch):
    fine = run(every=1)
    r = fine.positions
    apart = np.linalg.norm(r[:, :, None] - r[:, None], axis=-1) + 9 * np.eye(8)
    nearest = apart.min(axis=(1, 2))
    first = int(np.argmin(nearest[:119]))
    assert first % 20  # between two looks, and gone again
    limit = float(np.sort(nearest)[:2].mean())
    i, j = np.unravel_index(np.argmin(apart[first]), (8, 8))
    words = rf"At step {first} atoms {i} \(A\) and {j} \(A\) are {apart[first].min():.4g} apart, .* below {limit:.4g}"
    seen = []
    with pytest.raises(FloatingPointError, match=words) as caught:
        run(potential=Cautious(closest=limit), trajectory=tmp_path / "a.h5", callbacks=[lambda f: seen.append(f.step)])
    good = first // 20 * 20
    kept = caught.value.trajectory
    assert list(kept.step) == seen == list(range(0, good + 1, 20)) and not kept.converged
    np.testing.assert_allclose(kept.positions, r[: good + 1 : 20], atol=1e-12)
    # Chunks that end between frames: the last good state is a frame.
    monkeypatch.setattr(_simulate, "CHUNK", 80)
    kept = run(potential=Cautious(closest=limit), every=100, throw=False)
    assert list(kept.step) == sorted({0, *(s for s in (100,) if s <= first), first // 10 * 10})
    monkeypatch.undo()
    counts = (apart < 1.9).sum(axis=2).max(axis=1)
    crowd = int(np.argmax(counts > counts[0]))
    assert crowd, counts
    words = rf"At step {crowd} Atom \d has {counts[crowd]} neighbours, and there are places for {counts[0]}"
    with pytest.raises(FloatingPointError, match=words):
        run(potential=Cautious(places=int(counts[0])))
    with pytest.raises(ValueError, match=r"At the start Atom \d has .* places for 3"):
        run(potential=Cautious(places=3))
    with pytest.raises(ValueError, match=r"At the start atoms 0 .* knows nothing below 1.5"):
        run(potential=Cautious(closest=1.5))


def test_guards_of_pairs_poison_only_the_pair():
    """Two kinds: only A and B know a smallest distance."""
    r = np.array([[0, 0, 0], [1.0, 0, 0], [5, 0, 0], [6.0, 0, 0]])
    atoms = md.system(r, ["A", "A", "A", "B"], units=md.REDUCED)
    potential = type("Close", (md.LennardJones,), {"closest": np.array([[0.5, 1.1], [1.1, 0.5]])})(1.0, 1.0, cutoff=2.5)
    with sciml.float64():
        n = md.allocate(atoms, 2.5)
        free, held = (jax.jit(md.evaluate)(p, atoms, n) for p in (potential, guarded(potential)))
    assert np.array_equal(free.forces[:2], held.forces[:2]) and np.isnan(held.forces[2:, 0]).all()
    with pytest.raises(ValueError, match="closest=3.0"):
        guarded(Cautious(closest=3.0))


def test_atoms_on_each_other_are_told():
    atoms = cluster()
    atoms.positions[5] = atoms.positions[2] + 0.05
    with pytest.raises(ValueError, match=r"atoms 2 \(A\) and 5 \(A\) are 0.0866 apart, where"):
        run(atoms=atoms, potential=md.LennardJones(1.0, 1.0, cutoff=1.9))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(cell=1.2), "understood in angstrom: 0.0173 angstrom"),
        (dict(masses=9.1e-31), "understood as 9.1e-31 amu"),
        (dict(velocities=100.0), r"understood in sqrt\(eV / amu\)"),
        (dict(cell=4.0), "each atom has about"),
        (dict(timestep=2e-15), "understood as 2e-15 fs"),
    ],
)
def test_values_hardly_meant_are_told(change, message):
    timestep = change.pop("timestep", 1.0)
    given = dict(cell=12.0) | change
    r = np.random.default_rng(0).normal(size=(100, 3))
    with pytest.warns(UserWarning, match=message):
        potential = md.LennardJones(0.01, 3.4, cutoff=12.0 if given["cell"] == 4.0 else 0.5)
        check(md.system(r, "Ar", **given), potential, timestep, None)


def test_a_plot_shows_what_happened(tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    axes = made().plot()
    assert [ax.get_ylabel() for ax in axes] == ["temperature [K]", "energy - first [eV]", "pressure [bar]"]
    axes[0].figure.savefig(tmp_path / "a.png")
