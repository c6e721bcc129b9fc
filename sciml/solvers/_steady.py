"""Steady equations: Newton-Krylov on the grid, preconditioned by the linear part.

With the equations as L u + N(u) = 0, split as for a time-dependent one, the root of

    u + L^-1 N(u)

is sought: L is diagonal in the eigenbasis, so L^-1 costs nothing, and GMRES sees an equation of the second kind. A linear
equation with constant coefficients takes one step. Derivatives with respect to parameters are implicit.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import sympy as sp
from scipy.optimize import linear_sum_assignment

from ..pde import PDE, Opaque, expand_fluxes
from ..pde._flux import expand_without_check
from ._newton import newton_krylov
from ._system import State, System, expanded, leaves_of, order_in, split
from .stepping import Linear

MOST_STEPS = 60


def steady_system(pde: PDE) -> System:
    """Every equation is given to the field whose derivatives in it are highest, as if it were its rate of change."""
    pde = pde.real()
    if len(pde.equations) != len(pde.fields):
        raise ValueError(
            f"{len(pde.equations)} equations came for {len(pde.fields)} fields; a steady solver needs as many of both."
        )
    expressions = [expanded(expand_fluxes(sp.sympify(e.expression))) for e in pde.equations]
    orders = np.array([[order_in(e, u) for u in pde.fields] for e in expressions], float)
    rows, columns = linear_sum_assignment(-orders)
    if np.any(orders[rows, columns] < 2):
        bare = [pde.fields[c].field_name for r, c in zip(rows, columns, strict=True) if orders[r, c] < 2]
        raise NotImplementedError(
            f"No equation of second order is left for {', '.join(bare)}: steady solvers take one elliptic equation for each "
            "field so far."
        )
    rates = [expressions[rows[list(columns).index(i)]] for i in range(len(pde.fields))]
    return split(pde, tuple(State(u.field_name) for u in pde.fields), rates)


def solve_steady(discrete: Any, constants: Any, guess: Any, rtol: float) -> tuple[Any, Any, Any]:
    """(u in the eigenbasis, Newton steps, whether it converged)."""
    linear, rate = discrete.linear(constants), discrete.rate(constants)
    inverse = _inverse(linear)

    def defect(u: Any) -> Any:
        return u + linear.multiply(inverse, rate(u, jnp.zeros(())))

    size = jnp.sqrt(jnp.mean(jnp.abs(defect(jnp.zeros_like(guess))) ** 2))
    return newton_krylov(defect, guess, rtol * size, most=MOST_STEPS, forcing=1e-10)


def has_source(pde: PDE) -> bool:
    """Whether anything in the equations or conditions keeps zero from solving them."""
    pde = pde.real()
    left = [expand_without_check(sp.sympify(e.expression)) for e in pde.equations]
    left = [e.xreplace(dict.fromkeys(leaves_of(e), sp.Integer(0))) for e in left]
    return any(e != 0 for e in (*left, *(sp.sympify(getattr(c, "value", 0)) for c in pde.conditions)))


def is_linear(system: System) -> bool:
    """Whether N is linear in the fields."""
    for rest in system.nonlinear:
        dummies = {leaf: sp.Dummy() for leaf in leaves_of(rest)}
        rest = rest.xreplace(dummies)
        inside = set(dummies.values())
        if any(node.free_symbols & inside for node in rest.atoms(Opaque)):
            return False
        if any(rest.diff(symbol).free_symbols & inside for symbol in inside):
            return False
    return True


def _inverse(linear: Linear) -> Any:
    if linear.diagonal is None:
        return jnp.linalg.inv(linear.blocks)
    return 1 / linear.diagonal


def check_invertible(linear: Linear) -> None:
    """Raises where L has a mode that it does not see: the equation then has no unique solution, or none."""
    values = linear.diagonal if linear.blocks is None else jnp.linalg.eigvals(linear.blocks)
    size = np.abs(np.asarray(values))
    if size.min() < 1e-12 * size.max():
        raise ValueError(
            "The linear part has no inverse: with these boundary conditions the solution is known up to a constant at best "
            "(Neumann or periodic all around). Prescribe a value on a part of the boundary."
        )
