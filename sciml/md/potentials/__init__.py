"""Energies of atoms."""

from ._bonded import HarmonicAngles as HarmonicAngles
from ._bonded import HarmonicBonds as HarmonicBonds
from ._eam import EAM as EAM
from ._eam_files import load_eam as load_eam
from ._excluding import Excluding as Excluding
from ._excluding import excluding as excluding
from ._lennard_jones import LennardJones as LennardJones
from ._local import LocalPotential as LocalPotential
from ._mixing import geometric as geometric
from ._mixing import lorentz_berthelot as lorentz_berthelot
from ._mixing import waldman_hagler as waldman_hagler
from ._pair_forms import Buckingham as Buckingham
from ._pair_forms import Morse as Morse
from ._pair_forms import PairPotential as PairPotential
from ._stillinger_weber import StillingerWeber as StillingerWeber
from ._tabulated import Tabulated as Tabulated
from ._tabulated import load_table as load_table
from ._tail import TailCorrection as TailCorrection
from ._tail import tail_correction as tail_correction
from ._zbl import ZBL as ZBL
