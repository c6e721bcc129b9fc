"""What is not finite is named, with its term and its place, before anything is compiled, by networks and integrators alike."""

import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp

from sciml import (
    PDE,
    Box,
    Condition,
    Dirichlet,
    Disk,
    Initial,
    Neumann,
    Observed,
    Rectangle,
    coordinates,
    d,
    field,
    function,
    parameter,
    pinn,
    solvers,
    table,
)
from sciml.statement._finite import check_expressions
from sciml.statement._validate import resolve_domain

r, t, x, y = coordinates("r t x y")
u, v = field("u", r, t), field("v", x, y)
ball, square = Box(r=(0, 1), t=(0, 1)), Box(x=(-1, 1), y=(-1, 1))
poisson = v.xx + v.yy
root = function("root", lambda x: jnp.sqrt(x))
short = table("short", np.linspace(0, 1, 4), np.ones(4), degree=1)
k = parameter("k", initial=0.0)
closed = Dirichlet(u, 0, on="r_max"), Neumann(u, 0, on="r_min")

WRONG = {
    "no branch": (poisson + sp.Piecewise((1, x < 0.5)), "Equation 'equation': .*No branch of the Piecewise .*True"),
    "a root": (poisson + 3 * sp.sqrt(x) * sp.sin(y), r"3\*sqrt\(x\)\*sin\(y\) is not finite at x = -0.*sqrt\(x\) is nan.*Max"),
    "a logarithm in a coefficient": (poisson + sp.log(x) * v.x, r"log\(x\)\*v.x is not finite.*logarithm"),
    "in a flux": (d(sp.sqrt(x) * v.x, x) + v.yy, r"sqrt\(x\)\*v.x is not finite"),
    "a JAX function": (poisson + root(x), "The JAX function 'root' returned it"),
    "a table": (poisson + short(x), "The table 'short' ends there: its grid goes from 0 to 1"),
    "too large": (poisson - sp.exp(1000 * (x + 2)), "number that is too large"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_term_of_an_equation_that_is_not_finite_inside_is_named_with_its_place(case):
    equation, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        check_expressions(PDE(equation, Dirichlet(v, 0)), resolve_domain(PDE(equation, Dirichlet(v, 0)), square))


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (Dirichlet(v, root(x)), "'dirichlet v'.*'root' returned it"),
        (Dirichlet(v, lambda x, y: jnp.log(x)), "'dirichlet_v' returned it"),
        (Condition(v.y + sp.sqrt(x) * v, on="y_min", name="wall"), r"'wall': the term sqrt\(x\)\*v is .*x = -0\.\d+, y = -1"),
        (Condition(v.y + v / (x + 1), on="y_min"), r"x = -1, y = -1 .*divides by zero"),
        (Dirichlet(v, sp.sqrt(x), on={"x": -0.5, "y": 0.5}), r"x = -0\.5"),
        (Dirichlet(v, sp.log(x), on=x < 0), "logarithm"),
        (Observed(sp.log(x) * v, np.array([[-0.5, 0.0]]), [1.0]), "logarithm"),
    ],
)  # fmt: skip
def test_a_condition_that_is_not_finite_where_it_holds_is_named_edges_and_corners_included(condition, message):
    pde = PDE(poisson, condition)
    with pytest.raises(ValueError, match=message):
        check_expressions(pde, resolve_domain(pde, square))


def test_an_initial_value_that_is_zero_over_zero_at_an_end():
    with pytest.raises(ValueError, match=r"'initial u': the term sin\(r\)/r is not finite at r = 0, t = 0.*sp.sinc\(r\)"):
        pinn.solve(PDE(u.t - u.rr - 2 / r * u.r, Initial(u, sp.sin(r) / r), *closed), ball)
    with pytest.raises(ValueError, match="sin"):
        solvers.compile(PDE(u.t - u.rr - 2 / r * u.r, Initial(u, sp.sin(r) / r), *closed), ball)


@pytest.mark.parametrize(
    ("pde", "domain"),
    [
        # A singular coefficient on the boundary: equations hold inside.
        (PDE(u.t - d(r**2 * u.r, r) / r**2, Initial(u, sp.sinc(r)), *closed), ball),
        (PDE(u.t - u.rr - 2 / r * u.r, Initial(u, sp.sinc(r)), *closed), ball),
        # Not finite for some values of the field only.
        (PDE(poisson + x * sp.sqrt(v - 300) + sp.log(v - 5), Dirichlet(v, 400)), square),
        # A table covers what the domain covers.
        (PDE(poisson + short(x**2 + y**2), Dirichlet(v, 0)), Disk((0, 0), 1)),
        (PDE(poisson + sp.sqrt(x), Dirichlet(v, 0)), Rectangle((0, 0), (1, 1))),
    ],
)
def test_what_is_finite_where_it_is_evaluated_is_taken(pde, domain):
    check_expressions(pde, resolve_domain(pde, domain))


def test_parameters_have_their_initial_value():
    pde = PDE(poisson + 1 / k, Dirichlet(v, 0), Observed(v, np.zeros((1, 2)), [1.0]))
    with pytest.raises(ValueError, match="1/k is not finite"):
        check_expressions(pde, resolve_domain(pde, square))


@pytest.mark.slow
def test_the_heat_equation_in_a_ball_is_solved_as_it_is_written():
    """Multiplied by nothing: no point lies at the centre."""
    pde = PDE(u.t - d(r**2 * u.r, r) / r**2, Initial(u, sp.sinc(r)), Neumann(u, 0, on="r_min"),
              Dirichlet(u, sp.exp(-t) * sp.sin(1), on="r_max"))  # fmt: skip
    found = pinn.solve(pde, ball, progress=False, max_time=60)
    assert float(found.error(lambda r, t: np.exp(-t) * np.sinc(r / np.pi))) < 1e-8
