"""The architecture of our own networks as JSON: class, sizes and the activation's name, never code."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import jax

from ._activations import activation_name, named_activation
from ._dense import as_key
from ._fourier import Embedded, FourierFeatures, Harmonics
from ._mlp import MLP
from ._modified_mlp import ModifiedMLP
from ._piratenet import PirateNet
from ._random_features import RandomFeatures
from ._separable import SeparableNetwork
from ._siren import SIREN

_MLP_ARGUMENTS = ("in_size", "out_size", "width", "depth", "activation")
_NETWORKS: dict[str, tuple[type, tuple[str, ...]]] = {
    "MLP": (MLP, _MLP_ARGUMENTS),
    "ModifiedMLP": (ModifiedMLP, _MLP_ARGUMENTS),
    "PirateNet": (PirateNet, ("in_size", "out_size", "width", "blocks", "activation", "embedding")),
    "FourierFeatures": (FourierFeatures, ("in_size", "count", "scale", "learn_frequencies")),
    "Harmonics": (Harmonics, ("in_size", "waves")),
    "RandomFeatures": (RandomFeatures, ("in_size", "out_size", "features", "scale", "periodic", "around")),
    "SIREN": (SIREN, ("in_size", "out_size", "width", "depth", "omega")),
    "SeparableNetwork": (SeparableNetwork, ("in_size", "out_size", "rank", "width", "depth", "activation")),
    "Embedded": (Embedded, ("embedding", "network")),
}
_PARTS = ("embedding", "network")


def to_json(network: Any) -> dict[str, Any]:
    """The architecture of one of our networks, without its parameters.

    **Raises:** `ValueError` for a network that is not ours, and for an activation that is not on the list of
    `named_activations`: such a network is handed in again on load.

    >>> to_json(MLP(2, 1, width=20))
    {'class': 'MLP', 'in_size': 2, 'out_size': 1, 'width': 20, 'depth': 3, 'activation': 'tanh'}
    """
    name = type(network).__name__
    if name not in _NETWORKS or type(network) is not _NETWORKS[name][0]:
        raise ValueError(
            f"Only sciml's own networks ({', '.join(_NETWORKS)}) can be described in a file; "
            f"{type(network).__qualname__} came. Its parameters can be saved: hand the network itself in "
            "again on load."
        )
    data: dict[str, Any] = {"class": name}
    for argument in _NETWORKS[name][1]:
        value = getattr(network, argument)
        if argument == "activation":
            value = activation_name(value)
        elif argument in _PARTS:
            value = to_json(value)
        elif argument == "blocks":
            value = len(value)
        elif isinstance(value, tuple):
            value = [list(each) if isinstance(each, tuple) else each for each in value]
        elif isinstance(value, Integral) and not isinstance(value, bool):
            value = int(value)
        data[argument] = value
    return data


def from_json(data: Mapping[str, Any], *, key: Any = 0) -> Any:
    """A network with the architecture that `to_json` described, its parameters started from `key`.

    **Raises:** `ValueError` when the class, an argument or the activation is not one that this version knows.

    >>> net = from_json({"class": "MLP", "in_size": 2, "out_size": 1, "activation": "sin"})
    >>> to_json(net)["activation"]
    'sin'
    """
    name = data.get("class") if isinstance(data, Mapping) else None
    if not isinstance(name, str) or name not in _NETWORKS:
        raise ValueError(
            f"Expected the description of one of {', '.join(_NETWORKS)}, as sciml.nn.to_json makes it; "
            f"{name if name is not None else data!r} came. A network of your own is handed in again on load."
        )
    cls, known = _NETWORKS[name]
    unknown = sorted(set(data) - {"class", *known})
    if unknown:
        raise ValueError(
            f"{name} is described by {', '.join(known)}; {', '.join(map(repr, unknown))} came as well. Was "
            "the file written by a newer version of sciml?"
        )
    keys = jax.random.split(as_key(key), 1 + len(_PARTS))
    arguments: dict[str, Any] = {}
    for argument, value in data.items():
        if argument == "activation":
            arguments[argument] = named_activation(value)
        elif argument in _PARTS:
            arguments[argument] = from_json(value, key=keys[1 + _PARTS.index(argument)])
        elif argument != "class":
            arguments[argument] = value
    if cls is not Embedded:
        # Without parts the key is used as it came: from_json(to_json(net), key=k) is then the network built
        # with k.
        arguments["key"] = keys[0] if any(part in arguments for part in _PARTS) else as_key(key)
    try:
        return cls(**arguments)
    except TypeError as error:
        raise ValueError(
            f"Expected the description of {name} with {', '.join(known)}; it cannot be built: {error}. Was "
            "the file changed by hand?"
        ) from error
