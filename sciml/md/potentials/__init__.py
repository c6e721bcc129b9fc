"""Energies of atoms."""

from ._deep import DeepPotential as DeepPotential
from ._eam import EAM as EAM
from ._eam import load_eam as load_eam
from ._lennard_jones import LennardJones as LennardJones
from ._pair_forms import Buckingham as Buckingham
from ._pair_forms import Morse as Morse
from ._pair_forms import PairPotential as PairPotential
from ._stillinger_weber import StillingerWeber as StillingerWeber
