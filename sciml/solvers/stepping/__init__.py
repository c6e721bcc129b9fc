"""Time steppers."""

from ._etdrk import ETDRK2 as ETDRK2
from ._etdrk import ETDRK4 as ETDRK4
from ._etdrk import AbstractETD as AbstractETD
from ._etdrk import Linear as Linear
from ._radau import Automatic as Automatic
from ._radau import Radau as Radau
