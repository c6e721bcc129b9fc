"""Differentiable integrators: ordinary differential equations, and the same `PDE` and `Domain` as for networks."""

from ._integrate import Event as Event
from ._integrate import Trajectory as Trajectory
from ._integrate import integrate as integrate
from ._problem import Problem as Problem
from ._problem import compile as compile
from ._problem import explain as explain
from ._random_fields import BandLimited as BandLimited
from ._random_fields import GaussianField as GaussianField
from ._rollout import rollout as rollout
from ._solve import solve as solve
from .spatial import Chebyshev as Chebyshev
from .spatial import Differences as Differences
from .spatial import Fourier as Fourier
from .spatial import Volumes as Volumes
from .stepping import ETDRK2 as ETDRK2
from .stepping import ETDRK4 as ETDRK4
from .stepping import IMEX4 as IMEX4
from .stepping import SSPRK3 as SSPRK3
from .stepping import Automatic as Automatic
from .stepping import Implicit5 as Implicit5
from .stepping import Radau as Radau
