"""The Kuramoto-Sivashinsky equation."""

from typing import Any

from .._field import field
from .._operators import biharmonic, grad, laplacian
from .._pde import PDE
from ._common import coefficient, space, time


def kuramoto_sivashinsky(*, instability: Any = 1, damping: Any = 1, dimension: int = 1) -> PDE:
    """The Kuramoto-Sivashinsky equation of flame fronts and thin films, without conditions: add
    `.with_conditions(...)`.

        u_t + u u_x + instability u_xx + damping u_xxxx = 0                            in 1D
        u_t + |grad u|^2 / 2 + instability laplacian(u) + damping biharmonic(u) = 0    in 2D (integral form)

    **Arguments:**

    - `instability`: growth of long waves; positive.
    - `damping`: damping of short waves; positive.
    - `dimension`: 1 or 2.

    **Returns:** a PDE for the field `u(x, [y,] t)`.

    Good values: both 1 on a periodic box of L = 22 (weakly chaotic) to L = 32 pi (the standard picture); the
    fastest growing wavelength is 2 sqrt(2) pi, about 9. Chaos: nearby solutions separate like exp(0.05 t) to
    exp(0.1 t), so compare up to t of about 50. |u| stays below about 4; beyond 10 and growing, the step is
    too large or the top third of the modes is aliased.

    Source: Y. Kuramoto, Prog. Theor. Phys. Suppl. 64 (1978) 346, doi:10.1143/PTPS.64.346; G. I. Sivashinsky,
    Acta Astronaut. 4 (1977) 1177, doi:10.1016/0094-5765(77)90096-0.

    >>> from sciml.pde import catalogue
    >>> catalogue.kuramoto_sivashinsky().equations[0]
    <Equation 'equation': u.t + u*u.x + u.xx + u.xxxx = 0>
    """
    instability = coefficient("instability", instability, sign="positive")
    damping = coefficient("damping", damping, sign="positive")
    u = field("u", *space(dimension, largest=2), time())
    steepening = u * u.x if dimension == 1 else grad(u).dot(grad(u)) / 2
    return PDE(
        u.t + steepening + instability * laplacian(u) + damping * biharmonic(u), name="kuramoto_sivashinsky"
    )
