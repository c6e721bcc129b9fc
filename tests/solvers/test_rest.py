"""Conservation laws at rest: coefficients that jump inside a flux of a steady equation."""

import warnings

import numpy as np
import pytest
import sympy as sp

from sciml import PDE, Box, Dirichlet, Neumann, coordinates, d, div, field, grad, solvers

x, y = coordinates("x y")
v, T = field("v", x), field("T", x, y)


def test_two_layers():
    k = sp.Piecewise((10.0, x < 0.5), (1.0, True))
    pde = PDE(d(k * v.x, x), Dirichlet(v, 0, on="x_min"), Dirichlet(v, 1, on="x_max"))
    found = solvers.solve(pde, Box(x=(0, 1)), progress=False)
    assert found.converged and "cells" in found.result
    np.testing.assert_allclose(found.v([0.25, 0.5, 0.75]), [1 / 22, 1 / 11, 6 / 11], rtol=1e-9)


def test_a_plate_of_two_materials_that_is_heated_from_above():
    """Conductivities 400 over 1.38, a flux of 200: the interface has 365.6138, the top 365.8638."""
    k = sp.Piecewise((400.0, y > 0.5), (1.38, True))
    pde = PDE(
        div(k * grad(T)),
        Dirichlet(T, 293.15, on="y_min"),
        Neumann(T, 200 / 400, on="y_max"),
        Neumann(T, 0, on=("x_min", "x_max")),
    )
    found = solvers.solve(pde, Box(x=(0, 1), y=(0, 1)), grid={"x": 8, "y": 33}, progress=False)
    assert abs(found.T(0.3, 0.5) - 365.6138) < 1e-3
    assert abs(found.T(0.7, 1.0) - 365.8638) < 1e-3


def test_a_source_and_a_coefficient_that_depends_on_the_solution():
    """d((1 + v) v') = -1: v + v^2 / 2 = s (1 - s) / 2 between walls at zero."""
    pde = PDE(d((1 + v) * v.x, x) + 1, Dirichlet(v, 0))
    found = solvers.solve(pde, Box(x=(0, 1)), grid=solvers.Volumes(200), progress=False)
    s = np.linspace(0, 1, 11)
    np.testing.assert_allclose(found.v(s), np.sqrt(1 + s * (1 - s)) - 1, atol=2e-5)


def test_known_up_to_a_constant():
    """k v' = -sin(pi x) / pi, so v = (cos(pi x) - mean) / (pi^2 k) on either side, continuous."""
    k = sp.Piecewise((10.0, x < 0.5), (1.0, True))
    s = np.linspace(0, 1, 11)
    right = np.cos(np.pi * s) / np.pi**2 / np.where(s < 0.5, 10, 1)
    mean = (1 / 10 - 1) / np.pi**3
    source = d(k * v.x, x) + sp.cos(sp.pi * x)
    found = solvers.solve(PDE(source, Neumann(v, 0)), Box(x=(0, 1)), progress=False)
    assert found.converged and "known up to a constant" in found.notes[-1]
    np.testing.assert_allclose(found.v(s), right - mean, atol=3e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pinned = solvers.solve(PDE(source, Neumann(v, 0), Dirichlet(v, 3, on={"x": 0.2})), Box(x=(0, 1)), progress=False)
    np.testing.assert_allclose(pinned.v(s), right - right[2] + 3, atol=3e-6)
    assert pinned.notes == ()


def test_cells_that_do_not_balance_are_not_solved():
    k = sp.Piecewise((10.0, x < 0.5), (1.0, True))
    with pytest.raises(ValueError, match="There is no solution"):
        solvers.solve(PDE(d(k * v.x, x) + sp.cos(sp.pi * x) + 1, Neumann(v, 0)), Box(x=(0, 1)), progress=False)
    # What Gauss's theorem says of a flux that depends on the solution is not known before.
    with pytest.raises(RuntimeError, match="did not converge in 1 steps on 40 cells"):
        solvers.solve(PDE(d(k * (1 + v) * v.x, x) + 1, Neumann(v, 0)), Box(x=(0, 1)), grid=40, progress=False)
