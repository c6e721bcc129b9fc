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
from ..statement import floating
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


def solve_steady(discrete: Any, constants: Any, guess: Any, rtol: float, open_: Any = None) -> tuple[Any, Any, Any, Any]:
    """(u in the eigenbasis, Newton steps, whether it converged, what is left of the equations in modes that are `open_`,
    relative to the largest source). Those modes are zero: L does not see them."""
    linear, rate = discrete.linear(constants), discrete.rate(constants)
    inverse = _inverse(linear, open_)

    def defect(u: Any) -> Any:
        return u + linear.multiply(inverse, rate(u, jnp.zeros(())))

    zero = jnp.zeros_like(guess)
    size = jnp.sqrt(jnp.mean(jnp.abs(defect(zero)) ** 2))
    u, steps, good = newton_krylov(defect, guess, rtol * size, most=MOST_STEPS, forcing=1e-10)
    if open_ is None:
        return u, steps, good, jnp.zeros(())
    sources = jnp.max(jnp.abs(rate(zero, jnp.zeros(()))))
    left = jnp.max(jnp.where(open_, jnp.abs(rate(u, jnp.zeros(()))), 0.0))
    return u, steps, good, left / jnp.where(sources > 0, sources, 1.0)


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


def _inverse(linear: Linear, open_: Any) -> Any:
    if linear.diagonal is None:
        return jnp.linalg.inv(linear.blocks)
    if open_ is None:
        return 1 / linear.diagonal
    return jnp.where(open_, 0.0, 1 / jnp.where(open_, 1.0, linear.diagonal))


def open_modes(linear: Linear, pde: PDE, states: tuple[State, ...]) -> np.ndarray | None:
    """Which modes L does not see because a field is known up to a constant; None where it sees all.

    **Raises** `ValueError` where it does not see a mode for another reason: the solution is not unique, or there is none.
    """
    values = np.asarray(linear.diagonal if linear.blocks is None else jnp.linalg.eigvals(linear.blocks))
    size = np.abs(values)
    blind = size < 1e-12 * size.max()
    if not blind.any():
        return None
    if linear.blocks is None:
        free = [s.field in floating(pde) for s in states]
        if all(blind[i].sum() == int(yes) for i, yes in enumerate(free)):
            return blind
    raise ValueError(
        "The linear part has no inverse: it takes some function that satisfies the homogeneous boundary conditions to zero "
        "(resonance, L has a zero mode). Such an equation has either no solution or as many as there are multiples of that "
        "function: change the coefficient that makes it resonate, the size of the domain, or a boundary condition."
    )
