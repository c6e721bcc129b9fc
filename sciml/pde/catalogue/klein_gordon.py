"""The Klein-Gordon equation."""

from typing import Any

from .._field import field
from .._operators import laplacian
from .._pde import PDE
from ._common import coefficient, space, time


def klein_gordon(
    *, c: Any = 1, mass_squared: Any = 1, cubic: Any = 0, source: Any = 0, dimension: int = 1
) -> PDE:
    """The Klein-Gordon equation, with a cubic term if wanted, without conditions: add them with
    `.with_conditions(...)`.

        u_tt - c^2 laplacian(u) + mass_squared u + cubic u^3 = source

    It is of second order in time: it needs `Initial(u, ...)` and `Initial(u, ..., order=1)`.

    **Arguments:**

    - `c`: speed; positive.
    - `mass_squared`: [1 / time^2]; -1 with cubic = 1 is the phi^4 theory with kinks between -1 and 1.
    - `cubic`: strength of the nonlinearity; not negative, or large values run away.
    - `source`: an expression in the coordinates.
    - `dimension`: 1, 2 or 3.

    **Returns:** a PDE for the field `u(x, [y, z,] t)`.

    Good values: all of order 1 and t up to 10. Waves obey omega^2 = c^2 k^2 + mass_squared. With cubic < 0
    and |u| beyond sqrt(mass_squared / -cubic) the solution reaches infinity in finite time everywhere at
    once.

    Source: O. Klein, Z. Phys. 37 (1926) 895, doi:10.1007/BF01397481; W. Gordon, Z. Phys. 40 (1926) 117,
    doi:10.1007/BF01390840; kinks: R. Rajaraman, *Solitons and Instantons* (1982), chapter 2.

    >>> from sciml.pde import catalogue
    >>> catalogue.klein_gordon(cubic=1).equations[0]
    <Equation 'equation': u.tt + u + u**3 - u.xx = 0>
    """
    c = coefficient("c", c, sign="positive")
    mass_squared, cubic = coefficient("mass_squared", mass_squared), coefficient("cubic", cubic)
    source = coefficient("source", source)
    u = field("u", *space(dimension), time())
    return PDE(u.tt - c**2 * laplacian(u) + mass_squared * u + cubic * u**3 - source, name="klein_gordon")
