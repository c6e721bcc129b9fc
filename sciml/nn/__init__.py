"""Networks of one point, and the adapter that accepts everybody else's.

A network is a callable pytree with `net(x) -> y`, `x` of shape `(d,)` and `y` of shape `(m,)`; batching is
`jax.vmap`. `adapt` turns Equinox modules, Flax NNX and linen modules and plain functions into one `Adapted`:
parameters to be trained, and a pure `apply(params, x)`.
"""

from ._activations import activation_name as activation_name
from ._activations import gelu_exact as gelu_exact
from ._activations import named_activation as named_activation
from ._activations import named_activations as named_activations
from ._adapt import adapt as adapt
from ._adapt import restore as restore
from ._adapted import Adapted as Adapted
from ._fourier import Embedded as Embedded
from ._fourier import FourierFeatures as FourierFeatures
from ._fourier import Harmonics as Harmonics
from ._json import from_json as from_json
from ._json import to_json as to_json
from ._mlp import MLP as MLP
from ._modified_mlp import ModifiedMLP as ModifiedMLP
from ._piratenet import PirateNet as PirateNet
from ._random_features import RandomFeatures as RandomFeatures
from ._separable import SeparableNetwork as SeparableNetwork
from ._siren import SIREN as SIREN
from ._trainable import Frozen as Frozen
from ._trainable import cast as cast
from ._trainable import count_parameters as count_parameters
from ._trainable import trainable as trainable
from ._trainable import unfreeze as unfreeze
