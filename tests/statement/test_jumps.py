"""Coefficients that jump are found whatever they are written with; nothing else is taken for one."""

import re
import warnings
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp

from sciml import (
    PDE,
    Box,
    Dirichlet,
    Disk,
    Initial,
    coordinates,
    d,
    div,
    field,
    function,
    grad,
    laplacian,
    pinn,
    solvers,
    table,
)
from sciml.solvers._conservation import has_jump
from sciml.solvers._problem import Problem
from sciml.solvers._volumes import Volumes as OnVolumes
from sciml.statement._interfaces import doubtful_interfaces
from sciml.statement._jumps import coefficient_jumps, flux_jumps
from sciml.statement._validate import resolve_domain

x, y, t = coordinates("x y t")
w, v, u = field("w", x), field("v", x, y), field("u", x, t)
line, square, span = Box(x=(0, 1)), Box(x=(-1, 1), y=(-1, 1)), Box(x=(0, 1), t=(0, 1))
K = sp.Piecewise((10.0, x < 0.5), (1.0, True))
k = function("k", lambda x: jnp.where(x < 0.5, 10.0, 1.0))
spot = sp.Piecewise((5, (x - 0.3) ** 2 + y**2 < 0.01), (1, True))
smooth = table("smooth", np.linspace(0, 1, 12), 2 + np.sin(np.arange(12)), degree=3)
blocks = table("blocks", [0, 0.5, 1], [10.0, 1.0], degree=0)
start, walls = Initial(u, 0), Dirichlet(u, 0)


def found(look, domain, equation, *conditions):
    pde = PDE(equation, *(conditions or [Dirichlet(f, 0) for f in PDE(equation).fields])).real()
    return look(pde, resolve_domain(pde, domain))


@pytest.mark.parametrize(
    ("domain", "equation", "where"),
    [
        (line, d(K * w.x, x), "x = 0.5"),
        (line, d(k(x) * w.x, x) + w, "x = 0.5"),
        (line, d(blocks(x) * w.x, x), "x = 0.5"),
        (line, d((1 + sp.Heaviside(x - sp.Rational(1, 3))) * w.x, x), "x = 0.333333"),
        (line, d(d(K * w.xx, x), x) - 1, "x = 0.5"),
        (line, d(w.x + sp.sign(x - 0.7) * w, x), "x = 0.7"),
        # A thousandth of what a steep but smooth front beside it changes by.
        (line, d((2 + sp.tanh((x - 0.4) / 0.01) + sp.Heaviside(x - 0.7) / 1000) * w.x, x), "x = 0.7"),
        (square, div(spot * grad(v)), r"x = 0\.\d+, y = 0\.\d+"),
        (Disk((0, 0), 1), div(sp.Piecewise((5, y < 0.25), (1, True)) * grad(v)), "y = 0.25"),
        (span, u.t - d(k(x - t) * u.x, x), r"x = 0\.\d+, t = 0\.\d+"),
    ],
)
def test_a_jump_of_a_flux_is_found_with_its_place(domain, equation, where):
    places = [jump.where for jump in found(flux_jumps, domain, equation)]
    assert places and re.fullmatch(where, places[0])


@pytest.mark.parametrize(
    ("domain", "equation"),
    [
        (line, d((1.1 + sp.tanh((x - 0.4) / 0.01)) * w.x, x)),
        (line, d((1.1 + sp.tanh((x - 0.4) / 1e-4)) * w.x + sp.log(1.1 + x) * w.x, x)),
        (line, d(sp.Piecewise((x, x < 0.5), (1 - x, True)) * w.x, x)),  # a kink
        (line, d(smooth(x) * w.x, x)),
        (line, d(w.x / x, x)),
        (line, d(sp.Piecewise((1, w < x), (2, True)) * w.x, x)),  # the field decides where
        (line, w.xx - K),
        (square, d(K * v.y, y) + v.xx),  # along the jump, not across
        (span, K * u.t - d(u.x, x)),
    ],
)  # fmt: skip
def test_what_is_steep_or_not_in_a_flux_is_no_interface(domain, equation):
    assert not found(flux_jumps, domain, equation)


@pytest.mark.parametrize(
    "equation", [sp.diff(K * w.x, x), sp.Derivative(K * w.x, x), K * w.xx - 1, w + k(x) * w.diff(x, 4)]
)
def test_a_jump_beside_a_high_derivative_is_found_outside_of_a_flux(equation):
    (jump,) = found(coefficient_jumps, line, equation)
    assert jump.where == "x = 0.5"


def test_coefficients_that_make_no_doubt():
    equations = [w.xx / (x - sp.sqrt(2) / 2) + 1, w.xx + K * w.x, smooth(x) * w.xx + K, d(K * w.x, x)]
    assert not [jump for e in equations for jump in found(coefficient_jumps, line, e)]
    assert not found(coefficient_jumps, span, u.t - x**2 * u.xx / 2 + K * u.x, start, walls)


def test_each_equation_is_doubted_in_one_sentence():
    pde = PDE(K * laplacian(v) + 1, Dirichlet(v, 0))
    with pytest.warns(UserWarning, match=r"v.xx at x = 0.5. As it stands, v.x is continuous .*d\(k\*v.x, x\) or div"):
        (note,) = doubtful_interfaces(pde, resolve_domain(pde, square))
    assert note.startswith("Equation 'equation'")


def test_a_network_refuses_an_interface_and_is_warned_of_a_doubtful_one():
    ends = Dirichlet(w, 0, on="x_min"), Dirichlet(w, 1, on="x_max")
    with pytest.raises(ValueError, match=r"the flux in d\(k\(x\)\*w.x, x\) jumps at x = 0.5 .*docs/interfaces.md"):
        pinn.compile(PDE(d(k(x) * w.x, x), *ends), line)
    with pytest.warns(UserWarning, match="w.xx at x = 0.5"):
        problem = pinn.compile(PDE(sp.diff(K * w.x, x), *ends), line)
    assert len(problem.notes) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pinn.compile(PDE(w.xx - K, *ends), line)


def test_solvers_take_volumes_for_a_jax_function_and_cut_the_cells_where_it_jumps():
    pde = PDE(u.t - d(k(x) * u.x, x), start, walls)
    assert has_jump(pde, resolve_domain(pde, span))
    for coefficient in (k(x), K):
        problem = solvers.compile(PDE(u.t - d(coefficient * u.x, x), start, walls), span, grid=5)
        assert isinstance(problem, Problem) and isinstance(problem.discrete, OnVolumes)
        ((diffusion, *_),) = problem.discrete.diffusion[0]
        assert np.allclose(diffusion.breaks, [0.5], atol=1e-8)
        between = problem.discrete._between(diffusion, problem.discrete.diffusion[0][0][1], {}, 0.0)
        # The middle cell has a jump in its middle, so the faces beside it have pure coefficients.
        assert np.allclose(between, [10, 10, 10, 1, 1, 1], rtol=1e-6)
    at_rest = solvers.compile(PDE(d(blocks(x) * w.x, x), Dirichlet(w, 0)), line, grid=5)
    assert isinstance(at_rest, Problem) and isinstance(at_rest.discrete, OnVolumes)
    with pytest.warns(UserWarning, match="u.xx at x = 0.5"):
        problem = solvers.compile(PDE(u.t - K * u.xx, start, walls), span, grid=16)
    assert isinstance(problem, Problem) and len(problem.notes) == 1


@pytest.mark.slow
def test_the_advice_of_the_page_on_interfaces_gives_the_right_values(capsys):
    page = Path(__file__).parent.parent.parent / "docs" / "interfaces.md"
    names: dict = {}
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        exec(block, names)
    assert np.allclose(names["whole"].u([0.25, 0.75]), [1 / 22, 6 / 11], atol=1e-7)
    solution = names["solution"]
    assert np.allclose([solution.a(1.0), solution.a(0.5), solution.b(0.5)], [1 / 11, 1 / 22, 6 / 11], atol=1e-7)
