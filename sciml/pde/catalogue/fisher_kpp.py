"""The Fisher-KPP equation."""

from typing import Any

from .._field import field
from .._operators import laplacian
from .._pde import PDE
from ._common import coefficient, space, time


def fisher_kpp(*, diffusivity: Any = 1.0, rate: Any = 1.0, dimension: int = 1) -> PDE:
    """The Fisher-KPP equation of spreading populations, without conditions: add them with
    `.with_conditions(...)`.

        u_t = diffusivity laplacian(u) + rate u (1 - u)

    **Arguments:**

    - `diffusivity`: [length^2 / time], positive.
    - `rate`: growth rate [1 / time], positive.
    - `dimension`: 1, 2 or 3.

    **Returns:** a PDE for the field `u(x, [y, z,] t)`, between 0 and 1.

    Good values: fronts move at 2 sqrt(diffusivity rate) and are sqrt(diffusivity / rate) wide, so rate L^2 /
    diffusivity between 10 and 1000 shows a front inside a box of length L. u = 0 is unstable: an undershoot
    below 0 grows to minus infinity in finite time, which is how a too coarse grid or step shows.

    Source: R. A. Fisher, Ann. Eugen. 7 (1937) 355, doi:10.1111/j.1469-1809.1937.tb02153.x; exact front: M. J.
    Ablowitz, A. Zeppetella, Bull. Math. Biol. 41 (1979) 835, doi:10.1007/BF02462380.

    >>> from sciml.pde import catalogue
    >>> catalogue.fisher_kpp(diffusivity=0.1, rate=2).equations[0]
    <Equation 'equation': u.t - 2*u + 2*u**2 - 0.1*u.xx = 0>
    """
    diffusivity = coefficient("diffusivity", diffusivity, sign="positive")
    rate = coefficient("rate", rate, sign="positive")
    u = field("u", *space(dimension), time())
    return PDE(u.t - diffusivity * laplacian(u) - rate * u + rate * u**2, name="fisher_kpp")
