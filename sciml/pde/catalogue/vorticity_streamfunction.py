"""Two-dimensional incompressible flow by vorticity and streamfunction."""

from typing import Any

from .._equation import equation
from .._field import fields
from .._operators import laplacian, material_derivative
from .._pde import PDE
from ._common import coefficient, space, time


def vorticity_streamfunction(*, nu: Any = 0.01, force: Any = 0, steady: bool = False) -> PDE:
    """The Navier-Stokes equations in 2D without a pressure, without conditions: add them with
    `.with_conditions(...)`.

        omega_t + u omega_x + v omega_y = nu laplacian(omega) + force,    u = psi_y,  v = -psi_x
        laplacian(psi) = -omega

    **Arguments:**

    - `nu`: kinematic viscosity [length^2 / time]; not negative (0 is the Euler equation).
    - `force`: curl of the acceleration, an expression in the coordinates.
    - `steady`: without the time derivative, and without time as a coordinate.

    **Returns:** a PDE for `omega` and `psi` with the equations `vorticity` and `streamfunction`. Only `omega`
    takes an initial value; on a periodic box psi is known up to a constant.

    Good values: on a periodic box of 2 pi with speed 1, nu = 1e-3 to 1e-2 and t to 20 shows vortices merging.
    At walls psi and its normal derivative are given, and nothing for omega; giving omega there instead loses
    the no-slip condition. Vorticity filaments thinner than the grid pile up energy at the shortest wavelength
    before it becomes NaN.

    Source: G. K. Batchelor, *An Introduction to Fluid Dynamics* (1967), section 7.1; Taylor-Green vortex:
    Proc. R. Soc. A 158 (1937) 499, doi:10.1098/rspa.1937.0036.

    >>> from sciml.pde import catalogue
    >>> catalogue.vorticity_streamfunction(steady=True).equations[1]
    <Equation 'streamfunction': omega + psi.xx + psi.yy = 0>
    """
    nu, force = coefficient("nu", nu, sign="nonnegative"), coefficient("force", force)
    x, y = space(2)
    omega, psi = fields("omega psi", x, y, *(() if steady else (time(),)))
    transport = material_derivative(omega, (psi.y, -psi.x), x, y)
    return PDE(
        equation(transport - nu * laplacian(omega) - force, name="vorticity"),
        equation(laplacian(psi) + omega, name="streamfunction"),
        name="vorticity_streamfunction",
        fields=(omega, psi),
    )
