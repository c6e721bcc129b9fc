"""Known equations, one file each: `catalogue.heat(alpha=0.1)` is a PDE without conditions.

Add conditions with `.with_conditions(...)`. The coordinates are x, y, z and t; `pde["u"]` is a field,
`pde.fields` are all. Coefficients are numbers, unknowns made by `parameter`, or expressions in the
coordinates.
"""

from .advection import advection as advection
from .allen_cahn import allen_cahn as allen_cahn
from .burgers import burgers as burgers
from .euler import euler as euler
from .fisher_kpp import fisher_kpp as fisher_kpp
from .gray_scott import gray_scott as gray_scott
from .heat import heat as heat
from .helmholtz import helmholtz as helmholtz
from .kdv import kdv as kdv
from .klein_gordon import klein_gordon as klein_gordon
from .kuramoto_sivashinsky import kuramoto_sivashinsky as kuramoto_sivashinsky
from .navier_stokes import navier_stokes as navier_stokes
from .poisson import poisson as poisson
from .reaction_diffusion import reaction_diffusion as reaction_diffusion
from .schroedinger import schroedinger as schroedinger
from .vorticity_streamfunction import vorticity_streamfunction as vorticity_streamfunction
from .wave import wave as wave
