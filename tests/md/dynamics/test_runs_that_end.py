"""Runs that did not end, could not go on, or did nothing without a word (../shared/cases/results.md, M1, M2, M8, M9, M16)."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from sciml import md

LJ = md.LennardJones(0.0104, 3.4, cutoff=6.0, switch=5.0)


def simulate(atoms, ensemble=None, **options):
    ensemble = md.NVE() if ensemble is None else ensemble
    return md.simulate(atoms, LJ, ensemble, **{"steps": 2, "timestep": 2.0, "progress": False} | options)


@pytest.mark.parametrize("precision", [np.float64, np.float32])
def test_a_skin_of_zero_ends(precision):
    """A list just made looked stale by rounding, and was made anew for ever."""
    perfect = md.simple_cubic(3.825, 4, "Ar")
    cell = 15.3 * np.eye(3) + np.random.default_rng(0).normal(size=(3, 3))
    if precision is np.float32:
        cell = 15.26548 * np.eye(3)
    atoms = md.thermal(md.system(perfect.positions @ np.linalg.inv(perfect.cell) @ cell, "Ar", cell=cell), 300)
    bare, usual = (simulate(atoms, steps=5, skin=skin, precision=precision) for skin in (0.0, None))
    assert bare.converged
    np.testing.assert_allclose(bare.positions[-1], usual.positions[-1], atol=1e-10 if precision is np.float64 else 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["early.h5", "early.xyz"])
def test_a_run_killed_before_its_first_frame_goes_on(tmp_path, name):
    code = f"""
from sciml import md
lj = md.LennardJones(0.0104, 3.4, cutoff=6.0)
print(md.simulate(md.thermal(md.fcc(5.4, 3, "Ar"), 80), lj, md.NVE(), steps=20, timestep=4.0, every=10,
      trajectory={name!r}, checkpoint="early.npz", progress=False).step)
"""
    run = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    while not (tmp_path / "early.npz").exists():
        assert run.poll() is None
        time.sleep(0.01)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert not (tmp_path / name).exists()
    again = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert again.stdout.strip() == "[ 0 10 20]", again.stderr


@pytest.mark.parametrize("periodic", [False, (True, True, False)])
def test_open_systems_have_no_pressure(periodic):
    atoms = md.system([[0, 0, 0], [3.9, 0, 0]], "Ar", cell=20.0, periodic=periodic)
    run = simulate(md.thermal(atoms, 50))
    assert np.isnan(run.pressure).all() and np.isnan(run.volume).all()
    assert np.isnan(md.relax(atoms, LJ).stress).all() and np.isnan(atoms.volume)
    assert np.isfinite(simulate(md.thermal(md.system([[0, 0, 0], [3.9, 0, 0]], "Ar", cell=20.0), 50)).pressure).all()


@pytest.mark.parametrize(
    ("fixed", "message"),
    [
        (np.array([1] * 10 + [0] * 54), r"names an atom twice.*numpy.flatnonzero\(mask\)"),
        ([3, 3], "names an atom twice"),
        (np.arange(64), "holds all atoms"),
        ([[0, 1]], r"the shape \(1, 2\)"),
    ],
)
def test_what_is_no_list_of_atoms_to_hold(fixed, message):
    with pytest.raises(ValueError, match=message):
        simulate(md.simple_cubic(3.825, 4, "Ar"), fixed=fixed)


CRYSTAL = md.simple_cubic(3.825, 4, "Ar")


@pytest.mark.parametrize(
    ("atoms", "ensemble", "message"),
    [
        (CRYSTAL, md.NoseHoover(100.0), "these atoms are at rest"),
        (md.thermal(CRYSTAL, 100), md.NoseHoover(100.0, time=2.0), "time=2 is 1 steps of 2"),
        (md.system([[0.0, 0, 0]], "Ar", cell=20.0), md.Rescaling(100.0), "one atom moves with nothing else"),
        (CRYSTAL, md.Langevin(lambda t: 30 - t), "temperature is 0 at t = 30, step 15"),
    ],
)
def test_thermostats_that_cannot_work(atoms, ensemble, message):
    with pytest.raises(ValueError, match=message):
        simulate(atoms, ensemble, steps=20)
