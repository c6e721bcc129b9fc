"""Many runs at once, and the random fields they start from."""

import numpy as np
import pytest

from sciml import PDE, Box, Dirichlet, Initial, Periodic, catalogue, coordinates, field, parameter, solvers

x, y, t = coordinates("x y t")
u = field("u", x, t)
k = parameter("k", initial=1.0)
HEAT = solvers.compile(PDE(u.t - k * u.xx, Initial(u, 0), Periodic()), Box(x=(0, 2 * np.pi), t=(0, 1)), grid=16)
TIMES = [0, 0.1, 0.2]


def starts(n=5):
    s = HEAT.grid.points[0]
    return np.array([(i + 1) * np.sin(s) for i in range(n)])


def test_every_sample_is_its_own_run_with_its_own_parameters():
    k = np.linspace(0.5, 2, 5)
    data = solvers.rollout(HEAT, starts(), save_at=TIMES, parameters={"k": k}, batch=2, progress=False)
    exact = starts()[:, None] * np.exp(-k[:, None, None] * np.array(TIMES)[None, :, None])
    np.testing.assert_allclose(data["u"], exact, atol=1e-9)
    assert data["u"].dims == ("sample", "time", "x")


@pytest.mark.parametrize("name", ["runs.nc", "runs.zarr"])
def test_a_file_goes_on_after_a_kill(tmp_path, name, monkeypatch):
    pytest.importorskip("h5netcdf")
    pytest.importorskip("h5py")
    if name.endswith("zarr"):
        pytest.importorskip("zarr")
    path, calls = tmp_path / name, []
    from sciml.solvers import _rollout

    made = _rollout._dataset

    def dies(problem, chunk, times, found):
        calls.append(chunk[0])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return made(problem, chunk, times, found)

    monkeypatch.setattr(_rollout, "_dataset", dies)
    with pytest.raises(KeyboardInterrupt):
        solvers.rollout(HEAT, starts(), save_at=TIMES, path=path, batch=2, progress=False)
    again = solvers.rollout(HEAT, starts(), save_at=TIMES, path=path, batch=2, progress=False)
    assert calls == [0, 2, 4, 4]  # the third batch once more, the others not
    whole = solvers.rollout(HEAT, starts(), save_at=TIMES, batch=5, progress=False)
    np.testing.assert_array_equal(again["u"].values, whole["u"].values)
    again.close()
    with pytest.raises(ValueError, match="holds other runs"):
        solvers.rollout(HEAT, starts() + 1, save_at=TIMES, path=path, batch=2, progress=False)


def test_flows_with_walls():
    flow = catalogue.navier_stokes(nu=0.05)
    a, b, p = flow.fields
    walls = flow.with_conditions(Initial((a, b), (0, 0)), Dirichlet((a, b), (0, 0)), Dirichlet(p, 0, on={"x": 0, "y": 0}))
    problem = solvers.compile(walls, Box(x=(0, 1), y=(0, 1), t=(0, 1)), grid=16)
    field = solvers.GaussianField(0.3)
    start = {"u": field.sample(problem, 3), "v": field.sample(problem, 3, key=1)}
    data = solvers.rollout(problem, start, save_at=[0, 0.02, 0.05], batch=2, progress=False)
    assert data["u"].dims == ("sample", "time", "x", "y") and set(data) == {"u", "v", "p"}
    energy = (data["u"] ** 2 + data["v"] ** 2).mean(("x", "y")).values
    assert np.all(np.diff(energy, axis=1) < 0)  # at rest walls, it only decays
    alone = problem.run(np.stack([start["u"][2], start["v"][2]]), save_at=[0, 0.02, 0.05])
    np.testing.assert_allclose(data["u"].values[2], alone[:, 0], rtol=1e-9, atol=1e-12)
    with pytest.raises(ValueError, match="would change nothing"):
        solvers.rollout(problem, start, save_at=[0, 1], method=solvers.ETDRK4(), progress=False)


def test_samples_that_blow_up_are_named():
    grows = solvers.compile(PDE(u.t - u.xx - u**2, Initial(u, 0), Periodic()), Box(x=(0, 2 * np.pi), t=(0, 1)), grid=16)
    with pytest.warns(UserWarning, match=r"samples \[1\] blew up"):
        data = solvers.rollout(grows, np.array([np.full(16, 0.1), np.full(16, 5.0)]), save_at=[0, 0.1, 1], progress=False)
    assert np.all(np.isfinite(data["u"][0])) and np.all(np.isfinite(data["u"][1, :2])) and np.all(np.isnan(data["u"][1, 2]))


def test_random_fields_have_the_statistics_they_claim():
    v = field("v", x, y, t)
    pde = PDE(v.t - v.xx - v.yy, Initial(v, 0), Periodic(x), Dirichlet(v, 0))
    problem = solvers.compile(pde, Box(x=(0, 8), y=(0, 2), t=(0, 1)), grid={"x": 32, "y": 9})
    drawn = solvers.GaussianField(0.5, std=2.0, mean=1.0).sample(problem, 4000, key=3)
    assert drawn.shape == (4000, 32, 9)
    assert abs(drawn.mean() - 1) < 0.05 and abs(drawn.std() - 2) < 0.05
    apart = np.mean((drawn[:, :, 4] - 1) * (np.roll(drawn, 2, 1)[:, :, 4] - 1)) / 4  # 0.5 away along x
    assert abs(apart - np.exp(-0.5)) < 0.03
    across = np.mean((drawn[:, :, 0] - 1) * (drawn[:, :, 8] - 1)) / 4  # both walls, four lengths apart
    assert abs(across) < 0.03
    band = solvers.BandLimited(4, lowest=2).sample(HEAT, 500)
    spectrum = np.mean(np.abs(np.fft.rfft(band, axis=1)) ** 2, axis=0)
    assert np.all(spectrum[[0, 1, 5, 6, 7, 8]] < 1e-20) and np.ptp(spectrum[2:5]) < 0.3 * spectrum[2]
    assert abs(band.std() - 1) < 0.05
    np.testing.assert_array_equal(band[:3], solvers.BandLimited(4, lowest=2).sample(HEAT, 500)[:3])


@pytest.mark.parametrize(
    ("initial", "options", "message"),
    [
        (np.zeros((3, 8)), {}, r"shape \(3, 8\); expected \(samples, 16\)"),
        ({"w": np.zeros((3, 16))}, {}, "initial states of u are needed"),
        (np.full((2, 16), np.nan), {}, "NaN or infinite"),
        (np.zeros((2, 16)), {"parameters": {"k": np.ones(3)}}, "one for each of the 2 samples"),
        (np.zeros((2, 16)), {"save_at": [0]}, "at least two increasing times"),
        (np.zeros((2, 16)), {"path": "runs.csv"}, "ends in .nc or .zarr"),
    ],
)
def test_bad_rollouts_are_told(initial, options, message):
    with pytest.raises(ValueError, match=message):
        solvers.rollout(HEAT, initial, **({"save_at": TIMES, "progress": False} | options))


def test_second_order_states_go_by_name():
    wave = PDE(u.tt - u.xx, Initial(u, 0), Initial(u, 0, order=1), Periodic())
    problem = solvers.compile(wave, Box(x=(0, 2 * np.pi), t=(0, 1)), grid=16)
    data = solvers.rollout(problem, {"u": starts(2), "u.t": 0 * starts(2)}, save_at=TIMES, progress=False)
    np.testing.assert_allclose(data["u"], starts(2)[:, None] * np.cos(np.array(TIMES))[None, :, None], atol=1e-8)
    assert "u_t" in data
