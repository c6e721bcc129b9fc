"""Deep Potential: descriptors, nets, and what trains them."""

from ._fitting import FittingNet as FittingNet
from ._potential import DeepPotential as DeepPotential
from ._potential import deep_potential as deep_potential
from ._se_e2_a import SeE2A as SeE2A
