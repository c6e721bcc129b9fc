"""Differentiable integrators: ordinary differential equations, and the same `PDE` and `Domain` as for networks."""

from ._integrate import Event as Event
from ._integrate import Trajectory as Trajectory
from ._integrate import integrate as integrate
from ._solve import Problem as Problem
from ._solve import compile as compile
from ._solve import explain as explain
from ._solve import solve as solve
from .stepping import ETDRK2 as ETDRK2
from .stepping import ETDRK4 as ETDRK4
from .stepping import Automatic as Automatic
from .stepping import Radau as Radau
