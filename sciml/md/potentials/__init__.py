"""Energies of atoms."""

from ._deep import DeepPotential as DeepPotential
from ._eam import EAM as EAM
from ._eam import load_eam as load_eam
from ._lennard_jones import LennardJones as LennardJones
