"""The Gray-Scott model."""

from typing import Any

from .._pde import PDE
from ._common import coefficient
from .reaction_diffusion import reaction_diffusion


def gray_scott(
    *,
    feed: Any = 0.04,
    kill: Any = 0.06,
    diffusivity_u: Any = 2e-5,
    diffusivity_v: Any = 1e-5,
    dimension: int = 2,
) -> PDE:
    """The Gray-Scott model of an autocatalytic reaction, without conditions: add them with
    `.with_conditions(...)`.

        u_t = diffusivity_u laplacian(u) - u v^2 + feed (1 - u)
        v_t = diffusivity_v laplacian(v) + u v^2 - (feed + kill) v

    **Arguments:**

    - `feed`, `kill`: rates [1 / time]; positive.
    - `diffusivity_u`, `diffusivity_v`: [length^2 / time]; positive.
    - `dimension`: 1, 2 or 3.

    **Returns:** a PDE for the concentrations `u` and `v` in [0, 1], with equations `u` and `v`.

    Good values: with the default diffusivities on a periodic box of 2.5 x 2.5: feed 0.04, kill 0.06 (worms
    and spots), 0.035, 0.065 (dividing spots), 0.025, 0.05 (pulsing). Begin from u = 1, v = 0 with a perturbed
    square u = 0.5, v = 0.25; patterns need times of several thousand. All of v dying out to u = 1, v = 0 is a
    kill rate too high, not an error; u beyond [0, 1.05] is.

    Source: P. Gray, S. K. Scott, Chem. Eng. Sci. 38 (1983) 29, doi:10.1016/0009-2509(83)80132-8; J. E.
    Pearson, Science 261 (1993) 189, doi:10.1126/science.261.5118.189.

    >>> from sciml.pde import catalogue
    >>> catalogue.gray_scott().fields
    (u(x, y, t), v(x, y, t))
    """
    feed, kill = coefficient("feed", feed, sign="positive"), coefficient("kill", kill, sign="positive")
    return reaction_diffusion(
        "u v",
        diffusivities=(
            coefficient("diffusivity_u", diffusivity_u, sign="positive"),
            coefficient("diffusivity_v", diffusivity_v, sign="positive"),
        ),
        reaction=lambda u, v: (-u * v**2 + feed * (1 - u), u * v**2 - (feed + kill) * v),
        dimension=dimension,
        name="gray_scott",
    )
