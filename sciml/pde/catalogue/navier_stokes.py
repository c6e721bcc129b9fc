"""The incompressible Navier-Stokes equations."""

from typing import Any

import sympy as sp

from .._equation import equation
from .._field import field, fields
from .._operators import grad, laplacian, material_derivative
from .._pde import PDE
from ._common import AXES, coefficient, space, time, vector


def navier_stokes(
    *, nu: Any = 0.01, rho: Any = 1, force: Any = None, dimension: int = 2, steady: bool = False
) -> PDE:
    """The incompressible Navier-Stokes equations for velocity and pressure, without conditions: add
    `.with_conditions(...)`.

        u_t + (u . grad) u = -grad(p) / rho + nu laplacian(u) + force
        div(u) = 0

    **Arguments:**

    - `nu`: kinematic viscosity [length^2 / time]; positive. With speed and size 1 it is 1 / Re.
    - `rho`: density; positive.
    - `force`: acceleration, a tuple of `dimension` expressions in the coordinates.
    - `dimension`: 2 or 3.
    - `steady`: without the time derivative, and without time as a coordinate.

    **Returns:** a PDE for `u`, `v`, (`w`,) `p` with the equations `momentum_x`, `momentum_y`, (`momentum_z`,)
    `continuity`.

    The pressure takes no initial value. Where no condition fixes it (walls all around), it is known up to a
    constant: pin it with `Dirichlet(p, 0, on={"x": 0, "y": 0})`.

    Good values: nu = 0.01 to 0.1 for size and speed 1 (Re 10 to 100); a steady laminar flow past a cylinder
    exists below Re 47, in the lid-driven cavity below about 8000. Boundary layers are 1 / sqrt(Re) wide. A
    checkerboard in the pressure is a discretisation without stabilisation; speeds that double from step to
    step, mostly at outlets, are advection that the step does not resolve (|u| dt / dx > 1).

    Source: G. K. Batchelor, *An Introduction to Fluid Dynamics* (1967), section 3.3; Kovasznay's exact flow:
    Math. Proc. Camb. Philos. Soc. 44 (1948) 58, doi:10.1017/S0305004100023999.

    >>> from sciml.pde import catalogue
    >>> catalogue.navier_stokes(nu=0.025, steady=True)
    PDE 'navier_stokes' for u(x, y), v(x, y), p(x, y)
      momentum_x       u*u.x + v*u.y + p.x - 0.025*u.xx - 0.025*u.yy = 0
      momentum_y       u*v.x + v*v.y + p.y - 0.025*v.xx - 0.025*v.yy = 0
      continuity       u.x + v.y = 0
    """
    if dimension not in (2, 3):
        raise ValueError(f"dimension={dimension!r}; the flow is written in 2 or 3 dimensions.")
    nu, rho = coefficient("nu", nu, sign="positive"), coefficient("rho", rho, sign="positive")
    push = vector("force", force if force is not None else (0,) * dimension, dimension)
    along = space(dimension)
    everywhere = along if steady else (*along, time())
    velocity, p = fields(" ".join("uvw"[:dimension]), *everywhere), field("p", *everywhere)
    equations = [
        equation(
            material_derivative(u, velocity) + slope / rho - nu * laplacian(u) - f, name=f"momentum_{axis}"
        )
        for u, slope, f, axis in zip(velocity, grad(p), push, AXES)
    ]
    continuity = sp.Add(*(u.diff(x) for u, x in zip(velocity, along)))
    return PDE(
        *equations, equation(continuity, name="continuity"), name="navier_stokes", fields=(*velocity, p)
    )
