"""The viscous Burgers equation."""

import math
from typing import Any

from .._equation import equation
from .._field import field, fields
from .._operators import d, laplacian, material_derivative
from .._pde import PDE
from ._common import AXES, coefficient, space, time


def burgers(*, nu: Any = 0.01 / math.pi, dimension: int = 1, conservative: bool = False) -> PDE:
    """The viscous Burgers equation, without conditions: add them with `.with_conditions(...)`.

        u_t + u u_x = nu u_xx                      in 1D, or u_t + (u^2 / 2)_x = nu u_xx if `conservative`
        u_t + (u . grad) u = nu laplacian(u)       in 2D and 3D, for the vector (u, v, w)

    **Arguments:**

    - `nu`: viscosity [length^2 / time], not negative; 0 only with a method that captures shocks.
    - `dimension`: 1, 2 or 3.
    - `conservative`: keep the flux u^2 / 2 as it is (1D only).

    **Returns:** a PDE for `u`, `u v` or `u v w`. The equations of the system are `momentum_x`, `momentum_y`,
    `momentum_z`.

    Good values: nu = 0.01 / pi with u = -sin(pi x) on [-1, 1] to t = 1 is the standard test: a front of width
    about nu forms at t = 1 / pi. Halving nu halves the front. A grid that does not resolve it rings beside
    the front; an unresolved explicit step turns into NaN there first.

    Source: J. M. Burgers, Adv. Appl. Mech. 1 (1948) 171, doi:10.1016/S0065-2156(08)70100-5; exact solution:
    C. Basdevant et al., Comput. Fluids 14 (1986) 23, doi:10.1016/0045-7930(86)90036-8.

    >>> from sciml.pde import catalogue
    >>> catalogue.burgers(nu=0.1).equations[0]
    <Equation 'equation': u.t + u*u.x - 0.1*u.xx = 0>
    """
    nu = coefficient("nu", nu, sign="nonnegative")
    along = space(dimension)
    if dimension == 1:
        u, (x,) = field("u", *along, time()), along
        transport = d(u**2 / 2, x) if conservative else u * u.x
        return PDE(u.t + transport - nu * u.xx, name="burgers")
    if conservative:
        raise ValueError(
            "The Burgers system in several dimensions has no conservation form: use conservative=False."
        )
    velocity = fields(" ".join("uvw"[:dimension]), *along, time())
    equations = [
        equation(material_derivative(u, velocity) - nu * laplacian(u), name=f"momentum_{axis}")
        for u, axis in zip(velocity, AXES)
    ]
    return PDE(*equations, name="burgers", fields=velocity)
