"""What is measured while atoms move, and on trajectories, against what is known."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from sciml import md
from sciml.md import Frame, Trajectory
from sciml.md.observables import _radial

matplotlib.use("Agg")


def trajectory(positions, velocities, dt=1.0, edge=10.0, tensors=None, energies=None):
    atoms = md.system(positions[-1], "A", cell=edge, masses=1.0, units=md.REDUCED)
    tensors = np.zeros((len(positions), 3, 3)) if tensors is None else tensors
    energies = np.zeros(len(positions)) if energies is None else energies
    frames = [
        Frame(
            step=k, time=k * dt, positions=positions[k], velocities=velocities[k], forces=0 * positions[k],
            cell=edge * np.eye(3), potential_energy=energies[k], kinetic_energy=0.0, temperature=2.0, volume=edge**3,
            pressure_tensor=tensors[k], conserved=0.0,
        )
        for k in range(len(positions))
    ]  # fmt: skip
    return Trajectory(frames, atoms, "made up", True, {})


def autoregressive(rng, a, shape):
    """x_k = a x_(k-1) + noise, of variance one from the start."""
    noise = rng.normal(size=shape) * np.sqrt(1 - a**2)
    noise[0] /= np.sqrt(1 - a**2)
    x = noise.copy()
    for k in range(1, len(x)):
        x[k] += a * x[k - 1]
    return x


@pytest.mark.parametrize("a", [0.0, 0.9, -0.5])
def test_standard_errors_of_correlated_series(a):
    """The variance of the mean is (1 + a) / (1 - a) / n; two errors cover the true mean in 95 of 100 series."""
    found = md.mean(autoregressive(np.random.default_rng(0), a, (8192, 400)))
    ratio = np.mean(found.error) / np.sqrt((1 + a) / (1 - a) / 8192)
    covered = np.mean(np.abs(found.value) < 2 * found.error)
    if a >= 0:
        assert 0.95 < ratio < 1.1 and abs(covered - 0.95) < 0.03, (ratio, covered)
    else:  # the rule takes the largest of the levels: too large where neighbours alternate, never too small
        assert ratio > 1 and covered > 0.95


def test_averages_on_the_fly_are_those_of_the_series():
    x = autoregressive(np.random.default_rng(1), 0.8, (3000,))
    frames = trajectory(np.zeros((3000, 1, 3)), np.zeros((3000, 1, 3)), energies=x)
    found = md.measure(md.Average(lambda frame: frame.potential_energy), frames).mean
    assert abs(found.value - x.mean()) < 1e-12
    assert abs(found.error / md.mean(x).error - 1) < 0.25
    heat = md.measure(md.HeatCapacity(), frames)
    np.testing.assert_allclose(heat.mean.value, x.var() / 4, rtol=1e-9)
    np.testing.assert_allclose(heat.mean.error, md.mean((x - x.mean()) ** 2).error / 4, rtol=0.25)
    assert md.heat_capacity(frames) == heat.mean


def test_correlations_are_those_of_their_definition():
    """All origins, short windows: the sum over every pair of frames, whatever is kept."""
    rng = np.random.default_rng(2)
    r, v = np.cumsum(rng.normal(size=(61, 5, 3)), axis=0), rng.normal(size=(61, 5, 3))
    walk = trajectory(r, v, dt=0.5)
    r = r - r.mean(axis=1, keepdims=True)
    for length in (2, 7, 20, 61, 90):
        lags = np.arange(min(length, 61))
        wanted = [np.mean(np.sum((r[k:] - r[: 61 - k]) ** 2, axis=2)) for k in lags]
        curve = md.mean_square_displacement(walk, length=length)
        np.testing.assert_allclose(curve.y, wanted, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(curve.x, 0.5 * lags)
        wanted = np.array([np.mean(np.sum(v[k:] * v[: 61 - k], axis=2)) for k in lags])
        np.testing.assert_allclose(md.velocity_autocorrelation(walk, length=length).y, wanted / wanted[0], atol=1e-11)


def test_flight_is_ballistic_and_random_walks_diffuse():
    rng = np.random.default_rng(3)
    v = rng.normal(size=(300, 3))
    v -= v.mean(axis=0)
    t = np.arange(50) * 2.0
    flight = trajectory(t[:, None, None] * v, np.broadcast_to(v, (50, 300, 3)), dt=2.0)
    curve = md.mean_square_displacement(flight)
    np.testing.assert_allclose(curve.y, np.mean(np.sum(v**2, axis=1)) * curve.x**2, rtol=1e-9, atol=1e-9)
    deviations = []
    for _ in range(12):
        steps = rng.normal(size=(400, 100, 3))
        walk = md.measure(md.MeanSquareDisplacement(length=60), trajectory(np.cumsum(steps, axis=0), steps, dt=2.0))
        found = walk.diffusion()
        wanted = 0.25 * (1 - 1 / 100)  # without the centre of mass
        deviations.append((found.value - wanted) / found.error)
        assert abs(found.value / wanted - 1) < 0.1
    assert np.sqrt(np.mean(np.square(deviations))) < 1.7


def test_a_gas_has_no_structure():
    rng = np.random.default_rng(4)
    gas = trajectory(rng.uniform(0, 10, (40, 64, 3)), np.zeros((40, 64, 3)))
    g = md.radial_distribution(gas, end=6.0, bins=12)  # beyond half the cell
    deviations = (g.y - 63 / 64)[2:] / g.error[2:]
    assert np.all(np.abs(deviations) < 4) and 0.4 < np.sqrt(np.mean(deviations**2)) < 1.6


def test_all_pairs_and_lists_count_alike(monkeypatch):
    """In a triclinic cell, up to half of its smallest height; of all pairs and of two species."""
    rng = np.random.default_rng(5)
    cell = np.array([[9.0, 0, 0], [2.0, 8.0, 0], [-1.0, 1.5, 7.0]])
    r = rng.uniform(-2, 2, (40, 3)) @ cell
    kinds = ["A", "B"] * 20
    atoms = md.system(r, kinds, cell=cell, masses=1.0, units=md.REDUCED)
    zero = np.zeros_like(r)
    frame = Frame(0, 0.0, r, zero, zero, cell, 0.0, 0.0, 0.0, float(atoms.volume), np.zeros((3, 3)), 0.0)
    end = 0.5 / np.linalg.norm(np.linalg.inv(cell), axis=0).max()
    for between in (None, ("A", "B")):
        curves = []
        for few in (0, 1 << 20):
            monkeypatch.setattr(_radial, "FEW", few)
            g = md.RadialDistribution(end=end, bins=30, between=between)
            g.begin(atoms)
            g(frame), g(frame)
            assert (g._neighbours is None) == bool(few)
            curves.append(g.curve.y)
        assert np.array_equal(*curves) and curves[0].max() > 0


def test_a_lattice_has_shells():
    """Rock salt with the constant a: around each atom 6 of the other kind at a/2, 12 of its own at a/sqrt(2), 8 others."""
    a = 5.62
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    names = np.where(grid.sum(axis=1) % 2, "Cl", "Na").tolist()
    atoms = md.system(a / 2 * grid, names, cell=2 * a)
    frames = trajectory(np.stack([atoms.positions] * 2), np.zeros((2, 64, 3)), edge=2 * a).frames
    salt, end, bins = Trajectory(frames, atoms, "", True, {}), 5.1, 100
    shells = np.diff(np.linspace(0, end, bins + 1) ** 3) * 4 / 3 * np.pi * 64 / (2 * a) ** 3
    for between, numbers, distances in (
        (None, [6, 12, 8], a * np.sqrt([1 / 4, 1 / 2, 3 / 4])),
        (("Na", "Cl"), [6, 8], a * np.sqrt([1 / 4, 3 / 4])),
        (("Cl", "Cl"), [12], a * np.sqrt([1 / 2])),
    ):
        g = md.radial_distribution(salt, end=end, bins=bins, between=between)
        where = np.flatnonzero(g.y)
        np.testing.assert_allclose(g.x[where], distances, atol=end / bins / 2)
        np.testing.assert_allclose((g.y * shells)[where] / (1 if between is None else 2), numbers, rtol=1e-9)


def test_a_harmonic_oscillator_has_its_frequency():
    """Langevin oscillators: the correlation is exp(-g t/2) (cos w t - g/(2 w) sin w t), w^2 = w0^2 - g^2/4."""
    frequency, dt, rate = 0.06, 1.0, 0.02
    omega0 = 2 * np.pi * frequency
    omega = np.sqrt(omega0**2 - rate**2 / 4)
    rng = np.random.default_rng(5)
    x, v, out = rng.normal(size=(60, 3)) / omega0, rng.normal(size=(60, 3)), []
    for k in range(3 * 2000):  # BAOAB, three steps for each frame
        h = dt / 3
        v = v - h / 2 * omega0**2 * x
        x = x + h / 2 * v
        v = np.exp(-rate * h) * v + np.sqrt(1 - np.exp(-2 * rate * h)) * rng.normal(size=v.shape)
        x = x + h / 2 * v
        v = v - h / 2 * omega0**2 * x
        if k % 3 == 2:
            out.append(v)
    found = md.measure(md.VelocityAutocorrelation(length=150), trajectory(np.zeros((2000, 60, 3)), out, dt=dt))
    t = found.curve.x
    wanted = np.exp(-rate * t / 2) * (np.cos(omega * t) - rate / (2 * omega) * np.sin(omega * t))
    deviations = (found.curve.y - wanted)[1:] / found.curve.error[1:]
    assert np.sqrt(np.mean(deviations**2)) < 2 and np.all(found.curve.error[1:] < 0.02)
    spectrum = found.spectrum
    assert abs(spectrum.x[np.argmax(spectrum.y)] - frequency) < spectrum.x[1]
    np.testing.assert_allclose(np.trapezoid(spectrum.y, spectrum.x), 1)


def test_the_viscosity_of_a_stress_that_forgets():
    """Components of variance s^2 that forget within tau: the integral is s^2 tau, times V / T; and the mean tensor."""
    rng, tau, s = np.random.default_rng(6), 8.0, 0.3
    x = s * autoregressive(rng, np.exp(-1 / tau), (4000, 6))
    p = np.zeros((4000, 3, 3))
    for k, (a, b) in enumerate(((0, 1), (0, 2), (1, 2))):
        p[:, a, b] = p[:, b, a] = x[:, k]
    # Diagonal elements have twice the variance of the others, and no mean but 5.
    d = np.sqrt(2) * x[:, 3:]
    p[:, [0, 1, 2], [0, 1, 2]] = d - d.mean(axis=1, keepdims=True) + 5
    at_rest = np.zeros((4000, 1, 3))
    found = md.measure(md.Stress(length=60), trajectory(at_rest, at_rest, tensors=p))
    curve = found.viscosity
    ratio = np.exp(-1 / tau)  # the trapezium of a geometric series
    wanted = 1000 / 2 * s**2 * ((1 - ratio**59) / (1 - ratio) - (1 - ratio**59) / 2)
    assert abs(curve.y[-1] - wanted) < 3 * curve.error[-1] and curve.error[-1] < 0.2 * wanted
    assert np.all(np.abs(found.pressure.value - 5 * np.eye(3)) < 4 * found.pressure.error)
    assert np.array_equal(md.pressure_tensor(trajectory(at_rest, at_rest, tensors=p)).value, found.pressure.value)


@pytest.mark.slow
def test_on_the_fly_is_as_afterwards_and_everything_has_a_plot(tmp_path):
    liquid = md.thermal(md.fcc(1.7, 2, "A", units=md.REDUCED), 1.4, key=1)
    makers = [
        lambda: md.RadialDistribution(end=2.0, bins=20),
        lambda: md.MeanSquareDisplacement(length=8),
        lambda: md.VelocityAutocorrelation(length=8),
        lambda: md.Stress(length=8),
        md.HeatCapacity,
        lambda: md.Average(lambda frame: frame.pressure),
    ]
    live = [make() for make in makers]
    options = dict(timestep=0.004, every=2, skin=0.3, progress=False)
    potential = md.LennardJones(1.0, 1.0, cutoff=2.5)
    with pytest.raises(ValueError, match=r"md.measure\(it, trajectory\)"):
        live[0].curve  # noqa: B018

    path, stopped = tmp_path / "state.npz", []

    def stop(frame):
        if frame.step == 20 and not stopped:
            stopped.append(frame)
            raise KeyboardInterrupt

    for _ in range(2):  # interrupted, and gone on with
        run = md.simulate(liquid, potential, steps=41, callbacks=[*live, stop], checkpoint=path, **options)
    assert stopped and len(run) == 22  # the last frame is at another interval
    for seen, make in zip(live, makers, strict=True):
        after = md.measure(make(), run)
        for name in ("curve", "spectrum", "viscosity", "pressure", "mean"):
            if hasattr(type(seen), name):
                one, two = getattr(seen, name), getattr(after, name)
                one, two = ((c.y, c.error) if isinstance(c, md.Curve) else (c.value, c.error) for c in (one, two))
                np.testing.assert_array_equal(one, two)
                assert np.all(np.isfinite(one[0]))
        ax = seen.plot()
        assert ax.get_xlabel() and ax.get_ylabel() and ax.lines
    assert live[1].curve.x[1] == pytest.approx(0.008) and len(live[1].curve.x) == 8
    plt.close("all")


def part(run, numbers, atoms=None):
    return Trajectory([run.frames[k] for k in numbers], atoms or run.atoms, "", True, {})


OPEN = md.system([[0.0, 0.0, 0.0]], "A")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda run: md.RadialDistribution(end=0.0), "positive distance"),
        (lambda run: md.RadialDistribution(end=3.0, bins=0), "positive whole number"),
        (lambda run: md.RadialDistribution(end=3.0, between="O"), "two species"),
        (lambda run: md.radial_distribution(run, end=3.0, between=("A", "B")), "there is no 'B'; there are A"),
        (lambda run: md.mean_square_displacement(run, species="B"), "there is no 'B'"),
        (lambda run: md.MeanSquareDisplacement(length=1), "two at least"),
        (lambda run: md.diffusion(run), "expected at least ten"),
        (lambda run: md.measure(md.MeanSquareDisplacement(), run).diffusion(start=0.9, end=0.1), "start < end"),
        (lambda run: md.mean([1.0, 2.0]), "at least four"),
        (lambda run: md.mean([1.0, np.nan, 2.0, 3.0]), "1 of 4 numbers are NaN"),
        (lambda run: md.measure(md.Average(lambda f: 1.0), part(run, [0])).mean, "two"),
        (lambda run: md.velocity_autocorrelation(part(run, [0, 1, 4])), "equal"),
        (lambda run: md.radial_distribution(part(run, [0, 1], OPEN), end=1.0), "open"),
        (lambda run: md.viscosity(part(run, [0, 1], OPEN)), "open"),
    ],
)
def test_bad_input_is_told(call, message):
    with pytest.raises(ValueError, match=message):
        call(trajectory(np.zeros((5, 2, 3)), np.zeros((5, 2, 3))))
    with pytest.raises(AttributeError, match="frames have"):
        trajectory(np.zeros((5, 2, 3)), np.zeros((5, 2, 3))).nothing  # noqa: B018
