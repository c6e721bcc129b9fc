"""Time steppers."""

from ._base import AbstractStepper as AbstractStepper
from ._etdrk import ETDRK2 as ETDRK2
from ._etdrk import ETDRK4 as ETDRK4
from ._linear import Linear as Linear
from ._radau import Automatic as Automatic
from ._radau import Radau as Radau
from ._runge_kutta import IMEX4 as IMEX4
from ._runge_kutta import SSPRK3 as SSPRK3
from ._runge_kutta import Implicit5 as Implicit5
