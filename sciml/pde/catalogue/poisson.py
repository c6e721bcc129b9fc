"""The Poisson equation."""

from typing import Any

from .._coordinates import coordinates
from .._field import field
from .._operators import div, grad, laplacian
from .._pde import PDE
from ._common import coefficient, space, varies


def poisson(*, source: Any = 0, k: Any = 1, dimension: int = 2) -> PDE:
    """The Poisson equation (Laplace's where the source is 0), without conditions: add them with
    `.with_conditions(...)`.

        -k laplacian(u) = source                   (-div(k grad(u)) where k varies in space)

    **Arguments:**

    - `source`: an expression in the coordinates.
    - `k`: conductivity; positive. A number, a `parameter`, or an expression in the coordinates.
    - `dimension`: 1 to 3 with coordinates x, y, z; above 3 they are x1, x2, ..., x10, ...

    **Returns:** a PDE for the field `u(x, y, ...)`.

    Good values: with source and k of order 1 on a box of size 1, u is of order 1/8. With `Neumann` on the
    whole boundary u is known up to a constant only, and exists only if the source and the fluxes balance: a
    solver then drifts or reports a singular matrix; pin u at a point. A discontinuous k needs a method that
    keeps fluxes.

    Source: S. D. Poisson, Nouv. Bull. Soc. Philomath. 3 (1813) 388; L. C. Evans, *Partial Differential
    Equations*, 2nd ed. (2010), section 2.2.

    >>> from sciml.pde import catalogue
    >>> catalogue.poisson(source=1).equations[0]
    <Equation 'equation': -u.xx - u.yy - 1 = 0>
    """
    k, source = coefficient("k", k, sign="positive"), coefficient("source", source)
    if isinstance(dimension, int) and dimension > 3:
        along = coordinates(" ".join(f"x{i}" for i in range(1, dimension + 1)))
    else:
        along = space(dimension)
    u = field("u", *along)
    diffusion = div(k * grad(u)) if varies(k) else k * laplacian(u)
    return PDE(-diffusion - source, name="poisson")
