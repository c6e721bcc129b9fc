"""Rows are divided by the local size of their equation where that goes over decades, and by nothing elsewhere."""

import numpy as np
import pytest
import sympy as sp

from sciml import PDE, Box, Dirichlet, Initial, Neumann, coordinates, d, field, laplacian, pinn
from sciml.pinn._checkpoint import Checkpoint
from sciml.pinn._local import local_size
from sciml.pinn._loop import Progress
from sciml.pinn._objective import Batch

x, y, r, t, S = coordinates("x y r t S")
v, u, V, w = field("v", x, y), field("u", r, t), field("V", S, t), field("w", r)
square = Box(x=(-1, 1), y=(-1, 1))
ball, market = Box(r=(0, 1), t=(0, 1)), Box(S=(0, 300), t=(0, 1))
a, f = sp.exp(3 * x + y), 1 + x * y


def size_of(equation, domain, *conditions):
    pde = PDE(equation, *conditions)
    resolved = domain.resolve({c.name: c.role for c in pde.coordinates})
    lengths = (resolved.upper - resolved.lower)[[resolved.names.index(c.name) for c in pde.coordinates]] / 2
    return local_size(pde, resolved, pde.equations[0].expression, {}, lengths)


def test_an_equation_and_the_same_divided_by_its_coefficient_are_one_least_squares_problem():
    b, g = sp.exp(3 * r), 1 + r**2
    stated, divided = (pinn.compile(PDE(e, Dirichlet(w, 0)), Box(r=(0, 1))) for e in (b * w.rr + g, w.rr + g / b))
    points = stated.sample(64)
    one, other = stated.rows(stated.params, points), divided.rows(divided.params, divided.sample(64))
    assert np.allclose(one, other, rtol=1e-4, atol=1e-4 * np.abs(other).max())
    assert np.allclose(stated.trial.scales, divided.trial.scales, rtol=1e-4)
    # Residuals stay in the units of the equation.
    (residual,), (plain,) = stated.residuals(stated.params, points).values(), divided.residuals(divided.params, points).values()
    assert np.allclose(residual, plain * np.exp(3 * points["interior"].x[:, 0]), rtol=1e-3)


@pytest.mark.parametrize(
    ("equation", "domain", "conditions"),
    [
        (laplacian(v) + f / a, square, [Dirichlet(v, 0)]),
        ((1 + x / 3) * laplacian(v), square, [Dirichlet(v, 0)]),
        # Degenerate at S = 0, but V_t is of one size everywhere.
        (V.t + 0.02 * S**2 * V.SS + 0.1 * S * V.S - 0.1 * V, market, [Initial(V, 0), Dirichlet(V, 0)]),
        # Singular at r = 0 beside a leading term that is not, and the reverse.
        (u.t - d(r**2 * u.r, r) / r**2, ball, [Initial(u, 0), Neumann(u, 0)]),
        (r * w.rr + 2 * w.r + r, Box(r=(0, 1)), [Neumann(w, 0)]),
    ],
)
def test_nothing_changes_where_the_equation_has_one_size_everywhere(equation, domain, conditions):
    assert size_of(equation, domain, *conditions) is None


def test_the_size_is_bounded_where_a_coefficient_vanishes_or_is_singular():
    points = np.stack([np.logspace(-12, 0, 50), np.full(50, 0.3)], axis=1)
    for coefficient in (x**4, x**-4):
        local = size_of(coefficient * laplacian(v), Box(x=(0, 1), y=(0, 1)), Dirichlet(v, 0))
        found = local(points)
        assert np.all(np.isfinite(found)) and found.max() / found.min() < 1e6


def test_a_checkpoint_knows_the_local_size_again(tmp_path):
    problem = pinn.compile(PDE(sp.exp(3 * r) * w.rr + 1, Dirichlet(w, 0)), Box(r=(0, 1)))
    file, points = Checkpoint(tmp_path / "run.npz", "signature"), problem.sample(16)
    file.save(Progress(), np.zeros(3), Batch(points, problem.weights))
    saved = file.load(problem)
    assert saved is not None
    assert np.array_equal(saved.points["interior"].local["equation"], points["interior"].local["equation"])
