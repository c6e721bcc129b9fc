"""Activations and the names under which they are saved."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array


def gelu_exact(x: Array) -> Array:
    """The Gaussian error linear unit `x Phi(x)` with the error function, not its tanh approximation."""
    return jax.nn.gelu(x, approximate=False)


_BY_NAME: dict[str, Callable] = {
    "tanh": jnp.tanh,
    "sin": jnp.sin,
    "cos": jnp.cos,
    "arctan": jnp.arctan,
    "gelu": jax.nn.gelu,
    "gelu_exact": gelu_exact,
    "silu": jax.nn.silu,
    "softplus": jax.nn.softplus,
    "sigmoid": jax.nn.sigmoid,
    "soft_sign": jax.nn.soft_sign,
    "mish": jax.nn.mish,
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,
    "elu": jax.nn.elu,
    "selu": jax.nn.selu,
    "celu": jax.nn.celu,
    "identity": jax.nn.identity,
}
# The same function under another name, and the name under which it is saved.
_ALIASES: dict[str, tuple[Callable, str]] = {
    "swish": (jax.nn.swish, "silu"),
    "softsign": (jax.nn.soft_sign, "soft_sign"),
    "atan": (jnp.atan, "arctan"),
    "lax.tanh": (jax.lax.tanh, "tanh"),
    "lax.sin": (jax.lax.sin, "sin"),
    "lax.cos": (jax.lax.cos, "cos"),
    "lax.logistic": (jax.lax.logistic, "sigmoid"),
}


def named_activations() -> MappingProxyType[str, Callable]:
    """The activations that can be saved: name -> function.

    >>> sorted(named_activations())[:4]
    ['arctan', 'celu', 'cos', 'elu']
    """
    return MappingProxyType(_BY_NAME)


def named_activation(name: str) -> Callable:
    """The activation with this name.

    **Raises:** `ValueError` when the name is not known; the message lists those that are.

    >>> named_activation("swish") is jax.nn.silu
    True
    """
    if name in _BY_NAME:
        return _BY_NAME[name]
    if name in _ALIASES:
        return _BY_NAME[_ALIASES[name][1]]
    raise ValueError(
        f"Expected the name of a known activation, one of {', '.join(sorted(_BY_NAME))}; {name!r} came. A "
        "custom activation has no name: build the network yourself and hand it in again on load."
    )


def activation_name(activation: Callable) -> str:
    """The name under which an activation is saved.

    **Raises:** `ValueError` for an activation that is not on the list, because only listed ones can be
    rebuilt without evaluating somebody's text.

    >>> activation_name(jnp.tanh), activation_name(jax.nn.swish)
    ('tanh', 'silu')
    """
    function = activation.function if isinstance(activation, Activation) else activation
    for name, known in _BY_NAME.items():
        if function is known:
            return name
    for known, name in _ALIASES.values():
        if function is known:
            return name
    raise ValueError(
        f"The activation {function!r} has no name under which it can be saved; expected one of "
        f"{', '.join(sorted(_BY_NAME))} (sciml.nn.named_activations()). The parameters can still be saved: "
        "hand the network in again on load."
    )


class Activation(eqx.Module):
    """A plain function as a pytree without leaves, so that a network is a pytree of arrays and nothing
    else."""

    function: Callable = eqx.field(static=True)

    def __call__(self, x: Array) -> Array:
        return self.function(x)


def as_activation(activation: Any) -> Callable:
    """Wrap a function; keep an Equinox module, whose arrays are then trained with the network."""
    if not callable(activation):
        raise TypeError(
            f"Expected a function as activation, such as jax.numpy.tanh; {activation!r} came. "
            "sciml.nn.named_activation(name) turns a name into its function."
        )
    wrapped: Any = activation if isinstance(activation, eqx.Module) else Activation(activation)
    return wrapped
