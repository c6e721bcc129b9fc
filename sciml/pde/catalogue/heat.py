"""The heat (diffusion) equation."""

from typing import Any

from .._field import field
from .._operators import div, grad, laplacian
from .._pde import PDE
from ._common import coefficient, space, time, varies


def heat(*, alpha: Any = 1.0, source: Any = 0, dimension: int = 1) -> PDE:
    """The heat equation, without conditions: add them with `.with_conditions(...)`.

        u_t = alpha laplacian(u) + source          (div(alpha grad(u)) where alpha varies in space)

    **Arguments:**

    - `alpha`: diffusivity [length^2 / time]; positive. A number, a `parameter`, or an expression in x, y, z.
    - `source`: heating rate, an expression in the coordinates.
    - `dimension`: 1, 2 or 3.

    **Returns:** a PDE for the field `u(x, [y, z,] t)`.

    Good values: a mode of wavenumber k decays as exp(-alpha k^2 t), so on a box of length L anything but the
    steady state is gone after L^2 / alpha; choose the end of time below that. Explicit steppers blow up, with
    a growing zigzag from point to point, where alpha dt / dx^2 > 1 / (2 dimension). A jump between initial
    and wall value is smoothed at once but leaves u_t unbounded in the corner.

    Source: J. Fourier, *Théorie analytique de la chaleur* (1822), chapter II; L. C. Evans, *Partial
    Differential Equations*, 2nd ed. (2010), section 2.3.

    >>> import sympy as sp
    >>> from sciml.pde import Dirichlet, Initial, catalogue
    >>> problem = catalogue.heat(alpha=0.1)
    >>> u, (x, t) = problem["u"], problem.coordinates
    >>> problem = problem.with_conditions(Initial(u, sp.sin(sp.pi * x)), Dirichlet(u, 0))
    """
    alpha, source = coefficient("alpha", alpha, sign="positive"), coefficient("source", source)
    u = field("u", *space(dimension), time())
    diffusion = div(alpha * grad(u)) if varies(alpha) else alpha * laplacian(u)
    return PDE(u.t - diffusion - source, name="heat")
