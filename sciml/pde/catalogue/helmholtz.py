"""The Helmholtz equation."""

from typing import Any

from .._field import field
from .._operators import laplacian
from .._pde import PDE
from ._common import coefficient, space


def helmholtz(*, k: Any = 1.0, source: Any = 0, dimension: int = 2, complex: bool = False) -> PDE:
    """The Helmholtz equation of time-harmonic waves, without conditions: add them with
    `.with_conditions(...)`.

        laplacian(u) + k^2 u = source

    **Arguments:**

    - `k`: wavenumber [1 / length]: a number, a `parameter`, or an expression in the coordinates.
    - `source`: an expression in the coordinates.
    - `dimension`: 1, 2 or 3.
    - `complex`: a complex field, as radiating waves need (the Sommerfeld condition du/dn = i k u is complex).

    **Returns:** a PDE for the field `u(x, [y, z])`.

    Good values: k L up to about 10 is easy; a grid needs ten points per wavelength 2 pi / k and more as k
    grows (the pollution effect: the phase drifts while the amplitude looks right). With Dirichlet walls the
    problem has no unique solution where k^2 is an eigenvalue of the box, k^2 = pi^2 sum(n_i^2 / L_i^2): near
    it the solution is huge.

    Source: H. von Helmholtz, J. Reine Angew. Math. 57 (1860) 1; F. Ihlenburg, *Finite Element Analysis of
    Acoustic Scattering* (1998), chapter 4.

    >>> from sciml.pde import catalogue
    >>> catalogue.helmholtz(k=2).equations[0]
    <Equation 'equation': 4*u + u.xx + u.yy = 0>
    """
    k, source = coefficient("k", k), coefficient("source", source)
    u = field("u", *space(dimension), complex=complex)
    return PDE(laplacian(u) + k**2 * u - source, name="helmholtz")
