"""Angles at and near 180 degrees, to second order (../shared/cases/results.md, M3)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sciml
from sciml import md
from sciml.md.potentials._bonded import STRAIGHT, _bent

K, R = 5.0, 1.16


def carbon_dioxide(angle=180.0):
    rest = np.deg2rad(180 - angle)
    return md.system([[-R, 0, 0], [0, 0, 0], [R * np.cos(rest), R * np.sin(rest), 0]], ["O", "C", "O"])


@pytest.mark.parametrize("off", [0.0, 1e-7, 1e-3])
def test_a_straight_molecule_bends(off):
    """Two modes of 6 k / r^2: (r1 + r3 - 2 r2) / r is the angle, of squared length 6 / r^2."""
    modes = np.linalg.eigvalsh(md.hessian(carbon_dioxide(180 - off), md.HarmonicAngles([[0, 1, 2]], K, 180.0)))
    np.testing.assert_allclose(modes[-2:], 6 * K / R**2, rtol=1e-5)
    # Turning it as a whole costs what its forces are: k off / r^2.
    np.testing.assert_allclose(modes[:-2], 0, atol=1e-9 + 2 * K * np.deg2rad(off) / R**2)


@pytest.mark.parametrize("wanted", [180.0, 110.0])
def test_series_and_closed_form_join(wanted):
    with sciml.float64():
        edge = np.pi - np.arcsin(np.sqrt(STRAIGHT))
        theta = jnp.asarray([0.0, 0.3, np.pi / 2, edge - 1e-4, edge + 1e-4, np.pi - 1e-5, np.pi])
        w = np.deg2rad(wanted)
        of = lambda a: _bent(jnp.sin(a) ** 2, jnp.cos(a), w)  # noqa: E731
        np.testing.assert_allclose(of(theta), (theta - w) ** 2, rtol=1e-12, atol=1e-15)
        inner = np.asarray(theta[1:-2])
        slopes, curvatures = (np.asarray(jax.vmap(f)(inner)) for f in (jax.grad(of), jax.grad(jax.grad(of))))
    np.testing.assert_allclose(slopes, 2 * (inner - w), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(curvatures, 2, rtol=1e-8)
