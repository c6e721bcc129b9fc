"""The Korteweg-de Vries equation."""

from typing import Any

from .._field import field
from .._operators import d
from .._pde import PDE
from ._common import coefficient, space, time


def kdv(*, nonlinearity: Any = 6, dispersion: Any = 1, conservative: bool = False) -> PDE:
    """The Korteweg-de Vries equation of shallow water, without conditions: add them with
    `.with_conditions(...)`.

        u_t + nonlinearity u u_x + dispersion u_xxx = 0

    **Arguments:**

    - `nonlinearity`, `dispersion`: 6 and 1 in the usual scaling; 1 and 0.0025 in Zabusky and Kruskal's.
    - `conservative`: write the nonlinear term as d(nonlinearity u^2 / 2, x).

    **Returns:** a PDE for the field `u(x, t)`.

    Good values: in the usual scaling a soliton of speed c, u = c/2 sech^2(sqrt(c)/2 (x - c t)), is 4 /
    sqrt(c) wide; a periodic box of 10 widths (L = 40 for c = 1) makes it exact to 1e-8. An explicit step
    blows up from the shortest wavelength where dispersion dt / dx^3 is above about 0.4.

    Source: D. J. Korteweg, G. de Vries, Philos. Mag. 39 (1895) 422, doi:10.1080/14786449508620739; N. J.
    Zabusky, M. D. Kruskal, Phys. Rev. Lett. 15 (1965) 240, doi:10.1103/PhysRevLett.15.240.

    >>> from sciml.pde import catalogue
    >>> catalogue.kdv().equations[0]
    <Equation 'equation': u.t + 6*u*u.x + u.xxx = 0>
    """
    nonlinearity, dispersion = (
        coefficient("nonlinearity", nonlinearity),
        coefficient("dispersion", dispersion),
    )
    (x,) = space(1)
    u = field("u", x, time())
    transport = d(nonlinearity * u**2 / 2, x) if conservative else nonlinearity * u * u.x
    return PDE(u.t + transport + dispersion * u.xxx, name="kdv")
