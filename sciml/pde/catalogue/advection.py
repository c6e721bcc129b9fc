"""Advection and advection-diffusion."""

from typing import Any

import sympy as sp

from .._field import field
from .._operators import grad, laplacian
from .._pde import PDE
from ._common import coefficient, space, time, vector


def advection(*, velocity: Any = 1.0, diffusivity: Any = 0, source: Any = 0, dimension: int = 1) -> PDE:
    """Transport by a given velocity, with diffusion if wanted, without conditions: add them with
    `.with_conditions(...)`.

        u_t + velocity . grad(u) = diffusivity laplacian(u) + source

    **Arguments:**

    - `velocity`: one number in 1D, a tuple of `dimension` numbers or expressions otherwise [length / time].
    - `diffusivity`: [length^2 / time], not negative; 0 is pure advection.
    - `source`: an expression in the coordinates.
    - `dimension`: 1, 2 or 3.

    **Returns:** a PDE for the field `u(x, [y, z,] t)`.

    Good values: with Peclet number |velocity| L / diffusivity above 100 boundary layers of width diffusivity
    / |velocity| form at the outflow. Pure advection carries values along characteristics, so only inflow
    boundaries take a condition (or `Periodic()`); one at the outflow makes grid-scale wiggles that grow from
    there. Networks fail to propagate velocities above about 30 L per unit of time without causal weighting or
    time windows (Krishnapriyan et al. 2021, arXiv:2109.01050).

    Source: R. J. LeVeque, *Finite Volume Methods for Hyperbolic Problems* (2002), chapter 2.

    >>> from sciml.pde import catalogue
    >>> catalogue.advection(velocity=(1, -1), dimension=2).equations[0]
    <Equation 'equation': u.t + u.x - u.y = 0>
    """
    along = vector("velocity", velocity, dimension)
    diffusivity = coefficient("diffusivity", diffusivity, sign="nonnegative")
    source = coefficient("source", source)
    u = field("u", *space(dimension), time())
    transport = sp.Add(*(speed * slope for speed, slope in zip(along, grad(u))))
    return PDE(u.t + transport - diffusivity * laplacian(u) - source, name="advection")
