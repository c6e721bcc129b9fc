"""Networks that solve equations: `solve`, and everything underneath it."""

from ._balance import AbstractBalancing as AbstractBalancing
from ._balance import GradientNorm as GradientNorm
from ._balance import SelfAdaptive as SelfAdaptive
from ._collocation import AbstractCollocation as AbstractCollocation
from ._collocation import Fixed as Fixed
from ._collocation import Redrawn as Redrawn
from ._collocation import ResidualAdaptive as ResidualAdaptive
from ._explain import explain as explain
from ._groups import Points as Points
from ._problem import Problem as Problem
from ._problem import compile as compile
from ._solve import solve as solve
from .methods import BFGS as BFGS
from .methods import LBFGS as LBFGS
from .methods import SOAP as SOAP
from .methods import SSBFGS as SSBFGS
from .methods import AbstractMethod as AbstractMethod
from .methods import Adam as Adam
from .methods import EnergyNaturalGradient as EnergyNaturalGradient
from .methods import GaussNewton as GaussNewton
from .methods import LeastSquares as LeastSquares
from .methods import LevenbergMarquardt as LevenbergMarquardt
from .methods import Optax as Optax
from .methods import SSBroyden as SSBroyden
