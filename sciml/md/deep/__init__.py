"""Deep Potential: descriptors, nets, and what trains them."""

from ._descriptor import AbstractDescriptor as AbstractDescriptor
from ._fitting import FittingNet as FittingNet
from ._hybrid import Hybrid as Hybrid
from ._joined import JoinedPotential as JoinedPotential
from ._potential import DeepPotential as DeepPotential
from ._potential import deep_potential as deep_potential
from ._se_atten import SeAtten as SeAtten
from ._se_e2_a import SeE2A as SeE2A
from ._se_e2_r import SeE2R as SeE2R
from ._se_e3 import SeE3 as SeE3
