"""The Allen-Cahn equation."""

from typing import Any

from .._field import field
from .._operators import laplacian
from .._pde import PDE
from ._common import coefficient, space, time


def allen_cahn(*, diffusivity: Any = 1e-4, rate: Any = 5.0, dimension: int = 1) -> PDE:
    """The Allen-Cahn equation of phase separation, without conditions: add them with `.with_conditions(...)`.

        u_t = diffusivity laplacian(u) - rate (u^3 - u)

    **Arguments:**

    - `diffusivity`: [length^2 / time], positive.
    - `rate`: [1 / time], positive: how fast u goes to one of the phases -1 and 1.
    - `dimension`: 1, 2 or 3.

    **Returns:** a PDE for the field `u(x, [y, z,] t)`.

    Good values: 1e-4 and 5 with u = x^2 cos(pi x) on [-1, 1], periodic, to t = 1 is the standard test. An
    interface is tanh((x - x0) / sqrt(2 diffusivity / rate)) wide: a grid needs four points in it, otherwise
    interfaces are pinned to grid points. |u| stays at most 1 if it begins so; values beyond that that grow
    mean a time step above 1 / rate.

    Source: S. M. Allen, J. W. Cahn, Acta Metall. 27 (1979) 1085, doi:10.1016/0001-6160(79)90196-2; the test:
    M. Raissi, P. Perdikaris, G. E. Karniadakis, J. Comput. Phys. 378 (2019) 686,
    doi:10.1016/j.jcp.2018.10.045.

    >>> from sciml.pde import catalogue
    >>> catalogue.allen_cahn().equations[0]
    <Equation 'equation': u.t - 5*u + 5*u**3 - 0.0001*u.xx = 0>
    """
    diffusivity = coefficient("diffusivity", diffusivity, sign="positive")
    rate = coefficient("rate", rate, sign="positive")
    u = field("u", *space(dimension), time())
    return PDE(u.t - diffusivity * laplacian(u) + rate * u**3 - rate * u, name="allen_cahn")
