"""Rows of equations and conditions as a triangle: the same least-squares problem with few rows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp

import sciml
from sciml import PDE, Box, Initial, Neumann, Observed, coordinates, field, nn, parameter, pinn
from sciml.pinn import _reduced
from sciml.pinn._objective import Batch, make_objective

x, t = coordinates("x t")
u = field("u", x, t)
k = parameter("k", initial=0.5)


@pytest.mark.parametrize("points", [32, 3000])
def test_the_triangle_is_the_same_problem_with_few_rows(points):
    at = np.random.default_rng(0).random((40, 2))
    pde = PDE(u.t - k * u.xx, Initial(u, sp.cos(sp.pi * x)), Neumann(u, 0), Observed(u, at, at[:, 0]))
    problem = pinn.compile(pde, Box(x=(0, 1), t=(0, 1)), nn.MLP(2, 1, width=4, depth=1, key=0))
    with sciml.float64():
        drawn = jax.tree.map(jnp.asarray, problem.sample(points, key=1))
        params = jax.tree.map(jnp.asarray, problem.params)
        objective, p = make_objective(problem, params)
        r, J = (np.asarray(a) for a in objective.jacobian(p, Batch(drawn, problem.weights)))
        J_few, r_few, data = _reduced.reduced_rows(problem, params, drawn, problem.weights)
    assert np.allclose(J_few.T @ J_few, J.T @ J, rtol=1e-12, atol=1e-12 * np.max(J.T @ J))
    assert np.allclose(J_few.T @ r_few, J.T @ r, rtol=1e-10, atol=1e-10 * np.max(np.abs(J.T @ r)))
    assert np.isclose(r_few @ r_few, r @ r, rtol=1e-12)
    assert data.sum() == 40 and len(r_few) <= 40 + p.size + 1
