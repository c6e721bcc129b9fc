"""sciml: write the physics once; solve it with a network, integrate it, or learn it from data.

What most scripts need stands here; the rest in `sciml.pde`, `sciml.geometry`, `sciml.derivatives`, `sciml.nn`,
`sciml.pinn`, `sciml.solvers`, `sciml.md`.
"""

from . import derivatives as derivatives
from . import geometry as geometry
from . import md as md
from . import nn as nn
from . import pde as pde
from . import pinn as pinn
from . import solvers as solvers
from ._precision import float64 as float64
from ._version import __version__ as __version__
from .geometry import Annulus as Annulus
from .geometry import Ball as Ball
from .geometry import Box as Box
from .geometry import Disk as Disk
from .geometry import Domain as Domain
from .geometry import Interval as Interval
from .geometry import Polygon as Polygon
from .geometry import Rectangle as Rectangle
from .geometry import Time as Time
from .pde import PDE as PDE
from .pde import Condition as Condition
from .pde import Dirichlet as Dirichlet
from .pde import Initial as Initial
from .pde import Neumann as Neumann
from .pde import Observed as Observed
from .pde import Periodic as Periodic
from .pde import Robin as Robin
from .pde import biharmonic as biharmonic
from .pde import catalogue as catalogue
from .pde import coordinates as coordinates
from .pde import curl as curl
from .pde import d as d
from .pde import div as div
from .pde import equation as equation
from .pde import field as field
from .pde import fields as fields
from .pde import function as function
from .pde import grad as grad
from .pde import laplacian as laplacian
from .pde import material_derivative as material_derivative
from .pde import normal as normal
from .pde import parameter as parameter
from .pde import table as table
from .solution import Solution as Solution
