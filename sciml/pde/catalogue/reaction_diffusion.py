"""Reaction-diffusion systems in general."""

from collections.abc import Callable
from typing import Any

from .._equation import equation
from .._field import fields
from .._names import split_names
from .._operators import laplacian
from .._pde import PDE
from ._common import coefficient, space, time


def reaction_diffusion(
    names: str,
    *,
    diffusivities: Any,
    reaction: Callable[..., Any],
    dimension: int = 2,
    name: str = "reaction_diffusion",
) -> PDE:
    """Any number of species that diffuse and react, without conditions: add them with
    `.with_conditions(...)`.

        u_t = D_u laplacian(u) + f(u, v, ...),   v_t = D_v laplacian(v) + g(u, v, ...),   ...

    **Arguments:**

    - `names`: the species, such as `"u v"`.
    - `diffusivities`: one for each [length^2 / time], not negative; or one number for all.
    - `reaction`: a Python function of the fields that returns the rates as a tuple of expressions (called
        once).
    - `dimension`: 1, 2 or 3.

    **Returns:** a PDE with one equation for each species, named after it.

    Good values: patterns need the inhibitor to diffuse several times faster than the activator (Turing), and
    a box of ten or more wavelengths sqrt(D / rate). A concentration that turns negative and then grows is a
    step or grid too coarse.

    Source: A. M. Turing, Philos. Trans. R. Soc. B 237 (1952) 37, doi:10.1098/rstb.1952.0012; J. D. Murray,
    *Mathematical Biology II*, 3rd ed. (2003), chapter 2.

    >>> from sciml.pde import catalogue
    >>> brusselator = catalogue.reaction_diffusion(
    ...     "u v",
    ...     diffusivities=(1, 8),
    ...     reaction=lambda u, v: (4.5 - 8.5 * u + u**2 * v, 7.5 * u - u**2 * v),
    ...     dimension=1,
    ... )
    >>> brusselator.equations[1]
    <Equation 'v': v.t + u**2*v - 7.5*u - 8*v.xx = 0>
    """
    unknowns = fields(names, *space(dimension), time())
    count = len(split_names(names))
    spread = tuple(diffusivities) if isinstance(diffusivities, (tuple, list)) else (diffusivities,) * count
    rates = reaction(*unknowns)
    rates = tuple(rates) if isinstance(rates, (tuple, list)) else (rates,)
    if len(spread) != count or len(rates) != count:
        raise ValueError(
            f"For {count} species ({names}): expected as many diffusivities and rates; got {len(spread)} "
            f"and {len(rates)}."
        )
    equations = [
        equation(
            u.t - coefficient("diffusivity", diffusivity, sign="nonnegative") * laplacian(u) - rate,
            name=u.field_name,
        )
        for u, diffusivity, rate in zip(unknowns, spread, rates)
    ]
    return PDE(*equations, name=name, fields=unknowns)
