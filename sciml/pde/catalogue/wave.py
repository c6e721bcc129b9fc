"""The wave equation."""

from typing import Any

from .._field import field
from .._operators import div, grad, laplacian
from .._pde import PDE
from ._common import coefficient, space, time, varies


def wave(*, c: Any = 1.0, source: Any = 0, dimension: int = 1) -> PDE:
    """The wave equation, without conditions: add them with `.with_conditions(...)`.

        u_tt = c^2 laplacian(u) + source           (div(c^2 grad(u)) where c varies in space)

    It is of second order in time: it needs `Initial(u, ...)` and `Initial(u, ..., order=1)`.

    **Arguments:**

    - `c`: speed [length / time]; positive. A number, a `parameter`, or an expression in x, y, z.
    - `source`: an expression in the coordinates.
    - `dimension`: 1, 2 or 3.

    **Returns:** a PDE for the field `u(x, [y, z,] t)`.

    Good values: on a box of length L one crossing takes L / c; ten crossings are a hard problem for a
    network, since errors are carried and not damped. Explicit steppers blow up, doubling at every step from
    the shortest wavelength, where c dt / dx > 1 / sqrt(dimension).

    Source: J. d'Alembert, Hist. Acad. Sci. Berlin 3 (1747) 214; L. C. Evans, *Partial Differential
    Equations*, 2nd ed. (2010), section 2.4.

    >>> from sciml.pde import catalogue
    >>> catalogue.wave(c=2).equations[0]
    <Equation 'equation': u.tt - 4*u.xx = 0>
    """
    c, source = coefficient("c", c, sign="positive"), coefficient("source", source)
    u = field("u", *space(dimension), time())
    stiffness = div(c**2 * grad(u)) if varies(c) else c**2 * laplacian(u)
    return PDE(u.tt - stiffness - source, name="wave")
