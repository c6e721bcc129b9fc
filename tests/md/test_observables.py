"""What is measured on trajectories, against what is known."""

import numpy as np
import pytest

from sciml import md
from sciml.md import Frame, Trajectory


def trajectory(positions, velocities, dt=1.0, edge=10.0):
    atoms = md.system(positions[-1], "A", cell=edge, masses=1.0, units=md.REDUCED)
    zero = np.zeros((3, 3))
    frames = [
        Frame(k, k * dt, r, v, 0 * r, edge * np.eye(3), 0.0, 0.5 * float(np.sum(v**2)), 1.0, edge**3, zero, 0.0)
        for k, (r, v) in enumerate(zip(positions, velocities, strict=True))
    ]
    return Trajectory(frames, atoms, "made up", True, {})


def test_standard_errors_of_correlated_series():
    """An autoregressive series: the variance of the mean is (1 + a) / (1 - a) times that of independent numbers."""
    rng, a, n = np.random.default_rng(0), 0.9, 4096
    ratios = []
    for _ in range(20):
        x = np.zeros(n)
        for k in range(1, n):
            x[k] = a * x[k - 1] + rng.normal()
        ratios.append(md.mean(x).error / np.sqrt((1 + a) / (1 - a) / (1 - a**2) / n))
    assert 0.8 < np.mean(ratios) < 1.25


def test_random_walks_diffuse():
    rng = np.random.default_rng(1)
    steps = rng.normal(size=(200, 400, 3))
    walk = trajectory(np.cumsum(steps, axis=0), steps, dt=2.0)
    curve = md.mean_square_displacement(walk)
    np.testing.assert_allclose(curve.y[:40], 3 * curve.x[:40] / 2.0, rtol=0.05, atol=1e-9)
    direct = np.mean(np.sum((walk.positions[7:] - walk.positions[:-7]) ** 2, axis=2))
    centre = np.mean(np.mean(walk.positions[7:] - walk.positions[:-7], axis=1) ** 2) * 3
    np.testing.assert_allclose(curve.y[7], direct - centre, rtol=1e-3)
    found = md.diffusion(walk)
    assert abs(found.value - 0.25) < 4 * found.error + 0.01


def test_a_gas_has_no_structure_and_a_lattice_has_shells():
    rng = np.random.default_rng(2)
    gas = trajectory(rng.uniform(0, 10, (20, 300, 3)), np.zeros((20, 300, 3)))
    g = md.radial_distribution(gas, end=6.0, bins=12)  # beyond half the cell
    assert np.all(np.abs(g.y[2:] - 299 / 300) < 6 * g.error[2:] + 0.01)
    atoms = md.fcc(1.6, 3, "A")
    crystal = trajectory(atoms.positions[None], np.zeros((1, 108, 3)), edge=4.8)
    g = md.radial_distribution(crystal, end=1.7, bins=170)
    shell = np.diff(np.linspace(0, 1.7, 171) ** 3) * 4 / 3 * np.pi * 108 / 4.8**3
    count = g.y * shell
    assert round(count[(g.x > 1.0) & (g.x < 1.3)].sum()) == 12 and round(count[g.x > 1.5].sum()) == 6


def test_a_vibration_has_its_frequency():
    t = np.arange(512) * 0.5
    v = np.cos(2 * np.pi * 0.125 * t)[:, None, None] * np.ones((1, 4, 3)) * np.array([1, -1, 1, -1])[None, :, None]
    spectrum = md.vibrational_spectrum(trajectory(np.zeros_like(v) + 1.0, v, dt=0.5))
    assert abs(spectrum.x[np.argmax(spectrum.y)] - 0.125) < 0.004
    with pytest.raises(AttributeError, match="frames have"):
        trajectory(v, v).nothing
