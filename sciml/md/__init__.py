"""Molecular dynamics: atoms, their neighbours, and potentials."""

from ._neighbours import Neighbours as Neighbours
from ._neighbours import allocate as allocate
from ._pairs import AbstractPotential as AbstractPotential
from ._pairs import Evaluation as Evaluation
from ._pairs import Pairs as Pairs
from ._pairs import energy as energy
from ._pairs import evaluate as evaluate
from ._system import System as System
from ._system import fcc as fcc
from ._system import system as system
from ._system import thermal as thermal
from .deepmd import load_deep_potential as load_deep_potential
from .potentials import EAM as EAM
from .potentials import DeepPotential as DeepPotential
from .potentials import LennardJones as LennardJones
from .potentials import load_eam as load_eam
