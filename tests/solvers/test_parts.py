"""Pieces that everything else stands on: functions of matrices, axes, Newton's method."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import BarycentricInterpolator
from scipy.linalg import expm

import sciml
from sciml import PDE, Box, Dirichlet, Initial, coordinates, field, solvers
from sciml.solvers._newton import newton_krylov
from sciml.solvers.spatial import CellAxis, ChebyshevAxis, DifferenceAxis, PeriodicAxis, StretchedAxis
from sciml.solvers.stepping import Linear

x, t = coordinates("x t")
u = field("u", x, t)


@jax.jit
def phi(z):
    return Linear(blocks=z[None]).phi(1.0)


def phi_by_expm(z):
    m = len(z)
    whole = np.zeros((4 * m, 4 * m), complex)
    whole[:m, :m] = z
    for k in range(3):
        whole[k * m : (k + 1) * m, (k + 1) * m : (k + 2) * m] = np.eye(m)
    return [expm(whole)[:m, k * m : (k + 1) * m] for k in range(4)]


@pytest.mark.parametrize(
    "block",
    [
        [[0.0, 1.0], [0.0, 0.0]],  # nilpotent: a wave of length infinity
        [[0.0, 1.0], [-400.0, 0.0]],  # a wave
        [[0.0, 30.0], [-30.0, 0.0]],  # a rotation
        [[-3.0, 0.3], [0.1, -2.9]],  # eigenvalues close to each other
        [[-50.0, 4.0], [1.0, -2.0]],
        [[0.1, 1e-9], [2e-9, 0.1]],
    ],
)
def test_phi_functions_of_blocks(block):
    z = np.array(block)
    with sciml.float64():
        found = phi(z)
    for mine, wanted in zip(found, phi_by_expm(z), strict=True):
        np.testing.assert_allclose(mine[0], wanted.real, atol=2e-12 * max(1, np.abs(wanted).max()))


def test_phi_functions_of_three_fields():
    z = np.array([[-1.0, 2.0, 0.0], [0.0, -3.0, 1.0], [0.5, 0.0, -20.0]])
    with sciml.float64():
        found = phi(z)
    for mine, wanted in zip(found, phi_by_expm(z), strict=True):
        np.testing.assert_allclose(mine[0], wanted.real, atol=1e-12)


AXES = [
    (PeriodicAxis(0.0, 2 * np.pi, 24), 1e-8, 1e-8),
    (ChebyshevAxis(0.0, 2 * np.pi, 24), 1e-8, 1e-8),
    (DifferenceAxis(0.0, 2 * np.pi, 101, 4), 1e-4, 1e-5),
    (CellAxis(0.0, 2 * np.pi, 201), 3e-3, 1e-3),
    (StretchedAxis(0.0, 2 * np.pi, 101, tuple(2 * np.pi * (s - np.sin(2 * np.pi * s) / 15) for s in np.linspace(0, 1, 101))), 1e-3, 1e-5),  # noqa: E501
]


@pytest.mark.parametrize(("axis", "slope", "value"), AXES, ids=lambda a: getattr(a, "kind", ""))
def test_derivatives_and_interpolation_along_an_axis(axis, slope, value):
    with sciml.float64():
        f, s = np.sin(axis.points), np.linspace(0.1, 6.1, 17)

        def at(values, order):
            fine = axis.refined(axis.differentiate(values, order, 0), 4, 0)
            return jax.vmap(lambda place: interpolated(fine, place))(s)

        def interpolated(values, place):
            slots, w = axis.weights(place, len(values))
            return values[slots] @ w

        # Values at the very ends are the values there.
        found = jax.jit(lambda f: ([at(f, order) for order in range(3)], interpolated(f, jnp.asarray(axis.lower))))
        (values, first, second), end = found(f)
        np.testing.assert_allclose(values, np.sin(s), atol=value)
        np.testing.assert_allclose(first, np.cos(s), atol=slope)
        np.testing.assert_allclose(second, -np.sin(s), atol=20 * slope)
        assert axis.kind == "fourier" or abs(float(end) - float(np.sin(axis.lower))) < value


HEAT = PDE(u.t - u.xx - 1 / (1 + t), Initial(u, x * (1 - x) * (2 + x)), Dirichlet(u, 0))


def heated(grid):
    """Points, and the state at t = 0.1 there."""
    problem = solvers.compile(HEAT, Box(x=(0, 1), t=(0, 0.1)), grid=grid)
    return problem.axes[0].points, problem.run(save_at=(0, 0.1), rtol=1e-9)[-1, 0]


@pytest.fixture(scope="module")
def resolved():
    return BarycentricInterpolator(*heated(solvers.Chebyshev(40)))


@pytest.mark.parametrize("order", [2, 4])
def test_differences_converge_with_their_order(resolved, order):
    errors = []
    for n in (11, 21):
        points, found = heated(solvers.Differences(n, order))
        errors.append(np.max(np.abs(found - resolved(points))))
    assert np.log2(errors[0] / errors[1]) > order - 0.3, errors


def test_newton_finds_roots_and_their_derivatives():
    with sciml.float64():
        a = jnp.array([[4.0, 1.0], [-2.0, 3.0]])

        def root(p):
            w, steps, good = newton_krylov(lambda w: a @ w + 0.1 * w**3 - p, jnp.zeros(2), 1e-13, most=30)
            return w

        p = jnp.array([1.0, 2.0])
        w, backward, forward = jax.jit(lambda p: (root(p), jax.jacrev(root)(p), jax.jacfwd(root)(p)))(p)
        w = np.asarray(w)
        np.testing.assert_allclose(np.asarray(a) @ w + 0.1 * w**3, p, atol=1e-12)
        wanted = np.linalg.inv(np.asarray(a) + np.diag(0.3 * w**2))
        np.testing.assert_allclose(backward, wanted, rtol=1e-9)
        np.testing.assert_allclose(forward, wanted, rtol=1e-9)
        good = jax.jit(lambda w: newton_krylov(lambda w: w**2 + 1, w, 1e-12, most=20)[2])(jnp.ones(1))
        assert not bool(good)
