"""Steady problems that are known up to a constant, have no solution, or resonate; and zero as a solution."""

import numpy as np
import pytest
import sympy as sp

from sciml import PDE, Box, Dirichlet, Initial, Neumann, Periodic, coordinates, d, field, fields, laplacian, solvers

x, y, t = coordinates("x y t")
v, w, u = field("v", x), field("w", x, y), field("u", x, t)
line, square = Box(x=(0, 1)), Box(x=(0, 1), y=(0, 1))
pi = sp.pi


def solve(*items, on=line, **options):
    return solvers.solve(PDE(*items), on, progress=False, **options)


@pytest.mark.parametrize("pin", [None, Dirichlet(w, 3, on={"x": 0, "y": 0})])
def test_pure_neumann_has_the_mean_zero_or_the_value_at_its_point(pin):
    source = 2 * pi**2 * sp.cos(pi * x) * sp.cos(pi * y)
    s = solve(-laplacian(w) - source, Neumann(w, 0), *([] if pin is None else [pin]), on=square)
    exact = lambda x, y: np.cos(np.pi * x) * np.cos(np.pi * y) + (0 if pin is None else 2)  # noqa: E731
    assert float(s.error(exact)) < 1e-8
    assert [n.startswith("w is known up to a constant") for n in s.notes] == ([True] if pin is None else [])


def test_periodic_all_around_and_coefficients_that_vary():
    s = solve(v.xx + 4 * pi**2 * sp.sin(2 * pi * x), Periodic(x), Dirichlet(v, 2, on={"x": 0.25}))
    assert float(s.error(lambda x: np.sin(2 * np.pi * x) + 1)) < 1e-12
    source = sp.diff((2 + x) * sp.diff(sp.cos(pi * x), x), x)
    s = solve(d((2 + x) * v.x, x) - source, Neumann(v, 0), grid=32)
    assert float(s.error(lambda x: np.cos(np.pi * x))) < 1e-9


def test_what_has_no_solution_or_many_is_refused():
    with pytest.raises(ValueError, match="There is no solution: .* -1 over the domain"):
        solve(-laplacian(w) - 1, Neumann(w, 0), on=square)
    # No divergence: what must balance is seen in the mode that L does not see.
    with pytest.raises(ValueError, match="There is no solution: .*sources do not balance"):
        solve(v.xx + v.x + 1, Neumann(v, 0), grid=16)
    with pytest.raises(ValueError, match="resonance, L has a zero mode"):
        solve(v.xx + pi**2 * v + 1, Dirichlet(v, 0))


def test_zero_as_a_solution_is_said():
    s = solve(u.t - u.xx, Initial(u, 0), Dirichlet(u, 0), on=Box(x=(0, 1), t=(0, 1)), grid=8)
    assert s.notes[0].startswith("u = 0 solves everything that was stated")


def test_the_pressure_of_a_closed_flow_has_the_mean_zero():
    a, b, p = fields("a b p", x, y)
    stokes = (p.x - laplacian(a) - y, p.y - laplacian(b), a.x + b.y, Dirichlet((a, b), 0))
    s = solve(*stokes, on=square, grid=solvers.Chebyshev(10))
    assert abs(s.integrate(p)) < 1e-12 and s.notes[0].startswith("p is known up to a constant")
    pinned = solve(*stokes, Dirichlet(p, 1, on={"x": 0, "y": 0}), on=square, grid=solvers.Chebyshev(10))
    assert pinned.p(0, 0) == pytest.approx(1, abs=1e-12) and pinned.notes == ()
