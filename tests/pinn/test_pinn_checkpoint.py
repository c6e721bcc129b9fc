"""Runs that are stopped: resumed with the same numbers, or ended with the best so far and a reason."""

import json
import os
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import optax
import pytest
import sympy as sp

from sciml import PDE, Box, Dirichlet, Disk, coordinates, field, laplacian, nn, pinn
from sciml.pinn._checkpoint import FORMAT, Checkpoint, read_arrays

x, y, t = coordinates("x y t")
u = field("u", x)
simple = PDE(u.xx + u**2 + 1, Dirichlet(u, 0))
line = Box(x=(0, 1))
w = field("w", x, y)
on_disk = PDE(laplacian(w) + 1, Dirichlet(w, 0))
disk = Disk(center=(0, 0), radius=1)


def net(inputs=1):
    return nn.MLP(inputs, 1, width=4, depth=1, key=0)


def weights_of(solution):
    return np.concatenate([a.ravel() for a in jax.tree.leaves(solution.final.params)])


@pytest.fixture
def often(monkeypatch):
    """Checkpoints after every chunk of steps."""
    monkeypatch.setattr(Checkpoint, "due", lambda self: True)


class Stop(Exception):
    pass


@pytest.mark.slow
def test_a_resumed_run_repeats_an_uninterrupted_one(tmp_path, often, monkeypatch):
    """Two methods, points that move, weights that change."""
    options = dict(
        method=(pinn.Adam(steps=30), pinn.SSBroyden(steps=50)),
        network=net(2),
        points=40,
        progress=False,
        tolerance=0.0,
        collocation=pinn.ResidualAdaptive(every=10, unbiased=True),
        balancing=pinn.GradientNorm(every=15),
    )
    save, path = Checkpoint.save, tmp_path / "state.npz"
    whole = pinn.solve(on_disk, disk, **options)
    for stop_at in (13, 55):  # by the first method, and, resumed, by the second

        def save_and_stop(self, progress, *rest, stop_at=stop_at):
            save(self, progress, *rest)
            if progress.step >= stop_at:
                raise Stop

        monkeypatch.setattr(Checkpoint, "save", save_and_stop)
        with pytest.raises(Stop):
            pinn.solve(on_disk, disk, checkpoint=path, **options)
        stopped_at = read_arrays(path)[0]["progress"]["step"]
        assert stop_at <= stopped_at < (55 if stop_at == 13 else 80)
    monkeypatch.setattr(Checkpoint, "save", save)
    resumed = pinn.solve(on_disk, disk, checkpoint=path, **options)
    assert np.array_equal(weights_of(resumed), weights_of(whole))
    assert resumed.final.problem.weights == whole.final.problem.weights
    assert resumed.stats["steps"] == whole.stats["steps"] == 80
    steps = [row["step"] for row in resumed.history]
    assert steps == sorted(steps) and steps[-1] == 80 and steps[0] < 13


KILLED = """
import sys
from sciml import Box, Dirichlet, PDE, coordinates, field, nn, pinn
import optax
from sciml.pinn._checkpoint import Checkpoint
Checkpoint.due = lambda self: True
x = coordinates("x"); u = field("u", x)
pinn.solve(PDE(u.xx + u**2 + 1, Dirichlet(u, 0)), Box(x=(0, 1)), pinn.Optax(optax.adam(1e-3)),
           network=nn.MLP(1, 1, width=4, depth=1, key=0), points=40, progress=False, checkpoint=sys.argv[1],
           collocation=pinn.Redrawn(every=10), tolerance=0.0)
"""


@pytest.mark.slow
def test_a_killed_process_resumes(tmp_path):
    path = tmp_path / "state.npz"
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], env=dict(os.environ), cwd=_root())
    try:
        began = time.monotonic()
        while not path.exists() and time.monotonic() - began < 120 and child.poll() is None:
            time.sleep(0.05)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    header, arrays = read_arrays(path)
    steps = header["progress"]["step"]
    assert steps > 0
    options = dict(network=net(), points=40, progress=False, collocation=pinn.Redrawn(every=10), tolerance=0.0)
    # The state on disk is that of an uninterrupted run at the same step ...
    whole = pinn.solve(simple, line, pinn.Optax(optax.adam(1e-3), steps=steps), **options)
    assert np.array_equal(arrays["state/0"], weights_of(whole))
    # ... and the same call goes on from there.
    resumed = pinn.solve(simple, line, pinn.Optax(optax.adam(1e-3)), checkpoint=path, max_time=0.5, **options)
    assert resumed.stats["steps"] > steps
    assert [row["step"] for row in resumed.history][: len(header["progress"]["history"])] == [
        row["step"] for row in header["progress"]["history"]
    ]


def _root():
    import sciml

    return str(next(iter(sciml.__path__)).removesuffix("sciml"))


def test_checkpoints_of_other_problems_are_refused(tmp_path, often):
    path = tmp_path / "state.npz"
    options = dict(network=net(), points=16, progress=False)
    pinn.solve(simple, line, pinn.Adam(steps=2), checkpoint=path, **options)
    assert path.exists() and not list(tmp_path.glob("*.part"))
    with np.load(path, allow_pickle=False) as file:
        assert json.loads(file["header"].tobytes())["format"] == FORMAT
    other = PDE(u.xx + u**2 + 2, Dirichlet(u, 0))
    message = "belongs to another problem or other settings.*same arguments as before, give another path, or remove"
    for pde, domain, method, more in (
        (other, line, pinn.Adam(steps=2), {}),
        (simple, Box(x=(0, 2)), pinn.Adam(steps=2), {}),
        (simple, line, pinn.Adam(steps=3), {}),
        (simple, line, pinn.Adam(steps=2), {"points": 17}),
        (simple, line, pinn.Adam(steps=2), {"key": 1}),
        (simple, line, pinn.Adam(steps=2), {"balancing": pinn.GradientNorm()}),
        (simple, line, pinn.Adam(steps=2), {"exact": False}),
        (simple, line, pinn.Adam(steps=2), {"weights": {"equation": 2.0}}),
    ):
        with pytest.raises(ValueError, match=message):
            pinn.solve(pde, domain, method, checkpoint=path, **{**options, **more})


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    path = tmp_path / "state.npz"
    np.savez(path, a=np.zeros(3))
    with pytest.raises(ValueError, match="not written by sciml"):
        pinn.solve(simple, line, pinn.Adam(steps=2), network=net(), points=16, progress=False, checkpoint=path)


class Interrupting(pinn.AbstractCollocation):
    """Ctrl-C when the points are redrawn."""

    every: int | None = 20

    def first(self, problem, n, *, key):
        return problem.sample(n, key=key)

    def again(self, problem, n, *, key, residuals):
        raise KeyboardInterrupt


def test_ctrl_c_returns_what_was_reached():
    options = dict(network=net(), points=16, progress=False)
    stopped = pinn.solve(simple, line, pinn.Optax(optax.adam(1e-2), steps=500), collocation=Interrupting(), **options)
    assert "Interrupted by the user" in stopped.result and not stopped.converged
    assert stopped.stats["steps"] == 20
    twenty = pinn.solve(simple, line, pinn.Optax(optax.adam(1e-2), steps=20), collocation=pinn.Fixed(), **options)
    assert np.array_equal(weights_of(stopped), weights_of(twenty))


def test_ctrl_c_in_the_first_phase_returns_what_was_reached(monkeypatch):
    """One Ctrl-C is enough: the second phase does not begin."""
    from sciml.pinn import _features

    run, calls = _features._Fit.run, []

    def interrupted(self, *args, **kwargs):
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return run(self, *args, **kwargs)

    def refuse(*args, **kwargs):
        raise AssertionError("the second phase began")

    monkeypatch.setattr(_features._Fit, "run", interrupted)
    monkeypatch.setattr("sciml.pinn._solve.train", refuse)
    sharp = PDE(1e-4 * u.xx + u.x, Dirichlet(u, 0, on="x_min"), Dirichlet(u, 1, on="x_max"))
    stopped = pinn.solve(sharp, line, progress=False)
    assert "nterrupted" in stopped.result and not stopped.converged


def test_a_blow_up_is_rolled_back_and_explained():
    options = dict(network=net(), points=16, progress=False)
    method = pinn.Optax(optax.chain(optax.sgd(1e-3), optax.scale_by_schedule(lambda k: 1e200 ** (k >= 10))), steps=50)
    message = (
        r"The loss became NaN or infinite at step \d+; the last good parameters are kept.*division by zero or a root"
    )
    with pytest.raises(FloatingPointError, match=message):
        pinn.solve(simple, line, method, **options)
    kept = pinn.solve(simple, line, method, throw=False, **options)
    assert "NaN" in kept.result and not kept.converged
    assert np.all(np.isfinite(weights_of(kept))) and np.isfinite(kept.u(0.3))
    assert kept.stats["residual"] < 10


@pytest.mark.parametrize("bad", [sp.sqrt(u - 5), 1 / (u - u), sp.log(x - 0.5) * u])
def test_equations_that_are_nan_from_the_start(bad):
    with pytest.raises((FloatingPointError, ValueError), match="NaN|nan|zero|zoo"):
        pinn.solve(PDE(u.xx + bad, Dirichlet(u, 0)), line, pinn.Adam(steps=5), network=net(), points=16, progress=False)


@pytest.mark.slow
def test_max_time_is_honoured():
    options = dict(network=net(), points=64, progress=False, tolerance=0.0)
    began = time.monotonic()
    pinn.solve(simple, line, pinn.Adam(steps=1), collocation=pinn.Fixed(), **options)
    overhead = time.monotonic() - began  # compilation, and the measurements at the end
    began = time.monotonic()
    s = pinn.solve(simple, line, pinn.Adam(steps=None), collocation=pinn.Fixed(), max_time=overhead + 1, **options)
    took, result, steps = time.monotonic() - began, s.result, s.stats["steps"]
    assert took < 2 * overhead + 1 + 4
    assert "max_time was reached" in result and steps > 1
