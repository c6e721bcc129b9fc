"""The nonlinear Schroedinger equation."""

from typing import Any

import sympy as sp

from .._field import field
from .._operators import laplacian
from .._pde import PDE
from ._common import coefficient, space, time


def schroedinger(*, dispersion: Any = 0.5, coupling: Any = 1, potential: Any = 0, dimension: int = 1) -> PDE:
    """The nonlinear Schroedinger (Gross-Pitaevskii) equation, without conditions: add them with
    `.with_conditions(...)`.

        i psi_t + dispersion laplacian(psi) + coupling |psi|^2 psi - potential psi = 0

    **Arguments:**

    - `dispersion`: 1/2 in natural units (hbar^2 / 2m).
    - `coupling`: positive attracts (bright solitons), negative repels (condensates), 0 is the linear
        equation.
    - `potential`: an expression in the coordinates.
    - `dimension`: 1, 2 or 3.

    **Returns:** a PDE for the complex field `psi(x, [y, z,] t)`; `.real()` gives it in `psi_re` and `psi_im`.

    Good values: dispersion 1/2, coupling 1, psi = 2 sech(x) on [-5, 5], periodic, to t = pi/2 is the standard
    test: a breather whose peak reaches 4 at t = pi/4. The integral of |psi|^2 is conserved: watch it. In 2D
    and 3D an attractive coupling collapses to a point in finite time if the norm is large: the peak grows
    without bound, and that is physics.

    Source: V. E. Zakharov, A. B. Shabat, Sov. Phys. JETP 34 (1972) 62; the test: M. Raissi, P. Perdikaris,
    G. E. Karniadakis, J. Comput. Phys. 378 (2019) 686, doi:10.1016/j.jcp.2018.10.045.

    >>> from sciml.pde import catalogue
    >>> catalogue.schroedinger().equations[0]
    <Equation 'equation': I*psi.t + psi*Abs(psi)**2 + 0.5*psi.xx = 0>
    """
    dispersion, coupling = coefficient("dispersion", dispersion), coefficient("coupling", coupling)
    potential = coefficient("potential", potential)
    psi = field("psi", *space(dimension), time(), complex=True)
    nonlinear = coupling * sp.Abs(psi) ** 2 * psi
    return PDE(sp.I * psi.t + dispersion * laplacian(psi) + nonlinear - potential * psi, name="schroedinger")
