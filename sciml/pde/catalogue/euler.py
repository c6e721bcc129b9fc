"""The Euler equations of a compressible ideal gas."""

from typing import Any

import sympy as sp

from .._equation import equation
from .._field import fields
from .._operators import d
from .._pde import PDE
from ._common import AXES, coefficient, space, time


def euler(*, gamma: Any = 1.4, dimension: int = 1) -> PDE:
    """Mass, momentum and energy of an inviscid ideal gas, without conditions: add them with `.with_conditions(...)`.

        rho_t + div(m) = 0
        m_t + div(m m / rho) + grad(p) = 0
        energy_t + div((energy + p) m / rho) = 0,      p = (gamma - 1) (energy - |m|^2 / (2 rho))

    **Arguments:**

    - `gamma`: ratio of the specific heats, above 1: 1.4 for air, 5/3 for a monatomic gas.
    - `dimension`: 1, 2 or 3.

    **Returns:** a PDE for `rho` [mass / length^d], the momenta `mx`, `my`, `mz` [mass / (length^(d-1) time)] and
    `energy` [pressure].

    Good values: Sod's tube is (rho, p) = (1, 1) beside (0.125, 0.1), both at rest, to t = 0.2 on [0, 1]. Shocks
    form from smooth data, so only a method that captures them goes on: `solvers.solve(...,
    grid=solvers.Volumes(400))`. Walls reflect with Dirichlet(mx, 0) and Neumann(..., 0) for the others;
    Neumann(..., 0) for all lets waves out.

    Source: E. F. Toro, *Riemann Solvers and Numerical Methods for Fluid Dynamics* (2009), chapters 3 and 10.

    >>> from sciml.pde import catalogue
    >>> catalogue.euler().equations[0]
    <Equation 'mass': rho.t + d(mx, x) = 0>
    """
    gamma = coefficient("gamma", gamma, sign="positive")
    if gamma.is_number and not gamma > 1:
        raise ValueError(f"gamma={gamma}; the ratio of the specific heats is above 1.")
    along = space(dimension)
    names = [f"m{axis}" for axis in AXES[:dimension]]
    rho, *m, energy = fields(" ".join(["rho", *names, "energy"]), *along, time())
    p = (gamma - 1) * (energy - sp.Add(*(k**2 for k in m)) / (2 * rho))
    momentum = [
        equation(
            k.t + sp.Add(*(d(k * other / rho + (p if other is k else 0), x) for other, x in zip(m, along))),
            name=f"momentum_{axis}",
        )
        for k, axis in zip(m, AXES)
    ]
    return PDE(
        equation(rho.t + sp.Add(*(d(k, x) for k, x in zip(m, along))), name="mass"),
        *momentum,
        equation(energy.t + sp.Add(*(d((energy + p) * k / rho, x) for k, x in zip(m, along))), name="energy"),
        name="euler",
        fields=(rho, *m, energy),
    )
