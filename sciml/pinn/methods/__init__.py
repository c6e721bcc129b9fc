"""How the least-squares problem is minimised: one method per file, one loop for all (`pinn/_loop.py`)."""

from ._base import AbstractMethod as AbstractMethod
from ._base import Objective as Objective
from ._base import State as State
from ._gauss_newton import Dense as Dense
from ._gauss_newton import EnergyNaturalGradient as EnergyNaturalGradient
from ._gauss_newton import GaussNewton as GaussNewton
from ._gauss_newton import LevenbergMarquardt as LevenbergMarquardt
from ._gauss_newton import MatrixFree as MatrixFree
from ._gauss_newton import Woodbury as Woodbury
from ._gradient import SOAP as SOAP
from ._gradient import Adam as Adam
from ._gradient import Optax as Optax
from ._lbfgs import LBFGS as LBFGS
from ._least_squares import LeastSquares as LeastSquares
from ._quasi_newton import BFGS as BFGS
from ._quasi_newton import SSBFGS as SSBFGS
from ._quasi_newton import SSBroyden as SSBroyden
