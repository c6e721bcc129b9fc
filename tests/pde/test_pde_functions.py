"""JAX functions and tables of several arguments: on points and on grids, and what is said where one cannot be called."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sciml import Box, coordinates, field, function, pinn, solvers, table
from sciml.pde import PDE, Dirichlet, Initial, lower

x, y, t = coordinates("x y t")
u = field("u", x, y, t)
GRID = np.linspace(0, 1, 20)
COEFFICIENTS = {
    "table": table("k", (GRID, GRID), 1 + GRID[:, None] * GRID)(x, y),
    "not elementwise": function("k", lambda a, b: 1 + jnp.prod(jnp.stack([a, b])))(x, y),
    "a sum, which would mix points": function("k", lambda a, b: 1 + jnp.sum(a) * jnp.sum(b))(x, y),
}


@pytest.mark.parametrize("name", COEFFICIENTS)
def test_arguments_that_broadcast_are_a_grid(name):
    a, b = np.linspace(0, 1, 3)[:, None], np.linspace(0, 1, 5)
    with jax.enable_x64(True):
        lowered = lower([COEFFICIENTS[name]], coordinates=(x, y, t))
        (value,) = jax.jit(lowered)({"x": a, "y": b})
    np.testing.assert_allclose(value, 1 + a * b, atol=1e-12)


@pytest.mark.parametrize("name", ["table", "not elementwise"])
def test_solvers_take_what_the_formula_gives(name):
    def solved(k):
        pde = PDE(u.t - k * (u.xx + u.yy), Initial(u, 16 * x * (1 - x) * y * (1 - y)), Dirichlet(u, 0))
        problem = solvers.compile(pde, Box(x=(0, 1), y=(0, 1), t=(0, 0.1)), grid=8)
        return problem.run(save_at=[0.0, 0.05], steps=20)

    np.testing.assert_allclose(solved(COEFFICIENTS[name]), solved(1 + x * y), atol=1e-10)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (lambda x: np.sin(np.pi * x), TypeError, "'initial_v' is called with JAX arrays.*jnp.sin.*test_pde_functions.py"),
        (lambda x: math.sin(x), TypeError, "write jnp.sin for np.sin and math.sin"),
        (lambda x: 1.0 if x < 0.5 else 0.0, TypeError, "jnp.where"),
        (lambda x: None, ValueError, "'initial_v'.*returned None"),
        (lambda x: (x, x), ValueError, "returned a tuple"),
        (lambda x: jnp.stack([x, x]), ValueError, r"the shape \(2,\)"),
    ],
)
def test_a_function_that_cannot_be_called_is_named(value, error, message):
    v = field("v", x, t)
    with pytest.raises(error, match=message):
        pinn.compile(PDE(v.t - v.xx, Initial(v, value), Dirichlet(v, 0)), Box(x=(0, 1), t=(0, 1)))
