"""Local least squares: polynomials on patches of space in windows of time, or in steps of a Runge-Kutta method.

- The problem as patches see it: `_statement`, `_pointwise`.
- Functions on patches: `_basis`, `_patches`, `_pieces`; patches of any shape and where they meet: `_cover`,
  `_covering`, `_shape`.
- Least squares on given patches: `_system`, `_normal`; patches and windows that follow the solution: `_adapt`,
  `_grading`; in two dimensions and time: `_stage`, `_steps`.
- With data: `_inverse`, `_learn`; fluxes that jump: `_fluxes`.
- What the user calls and gets: `_solve`, `_final`; what is kept on the way: `_trail`.
"""

from ._final import PatchesFinal as PatchesFinal
from ._fluxes import folded as folded
from ._solve import NO_NETWORK as NO_NETWORK
from ._solve import Local as Local
from ._solve import attempt_locally as attempt_locally
from ._solve import solve_locally as solve_locally
from ._solve import too_many as too_many
from ._statement import in_steps as in_steps
from ._statement import why_not as why_not
from ._trail import known_trail as known_trail
