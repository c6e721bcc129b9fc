"""The one adapter: whatever network comes in, an `Adapted` goes out."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import _flax
from ._adapted import Adapted
from ._check import check_equinox, check_finite, check_output, check_parameters, check_real
from ._dense import as_key, check_sizes
from ._json import from_json, to_json
from ._split import split
from ._trainable import cast, check_dtype, strip_frozen, trainable

_ACCEPTED = (
    "an Equinox module (or another callable pytree), a Flax NNX module, a Flax linen module, (linen "
    "module, variables), or (function, params) with function(params, x)"
)


def adapt(
    network: Any, in_size: int, out_size: int, *, key: Any = 0, dtype: Any = None, probe: Any = None
) -> Adapted:
    """Turn a network into parameters to be trained and a pure function of one point.

    **Arguments:**

    - `network`, one of
        - an Equinox module, ours or yours, or any callable pytree: its JAX floating arrays are trained, NumPy
          arrays and `Frozen` parts are not. Layers that are used twice stay tied through `equinox.nn.Shared`;
        - a Flax NNX module: each `nnx.Param` is trained, other variables are constants, shared layers stay
          tied. BatchNorm and Dropout after `model.eval()` only;
        - a Flax linen module, initialised with `key`, or `(module, variables)`;
        - `(function, params)` with `function(params, x)`: every floating number in `params` is trained.
    - `in_size`, `out_size`: coordinates and fields, `x` of shape `(in_size,)` -> `(out_size,)`.
    - `key`: for linen modules without variables; modules that come with parameters do not use it.
    - `dtype`: cast the parameters, and the `dtype` of NNX layers; by default they stay as they came.
    - `probe`: a point where the network is defined, tried before training; by default 0.5 in every
      coordinate.

    **Raises:** `TypeError` for what is none of these. `ValueError` for wrong sizes, an output that is not
    floating, not finite or not of the parameters' precision, nothing to train, complex or non-finite
    parameters, and for networks that are not functions of the point: with a state, batch statistics or
    randomness.

    >>> adapted = adapt((lambda p, x: p["a"] * x, {"a": jnp.ones(1)}), 1, 1)
    >>> adapted.apply(adapted.params, jnp.array([2.0]))
    Array([2.], dtype=float32)
    """
    check_sizes("adapt", in_size=in_size, out_size=out_size)
    dtype = None if dtype is None else check_dtype(dtype)
    if isinstance(network, Adapted):
        _check_declared_sizes(network, network.name, in_size, out_size)
        adapted = network
        if dtype is not None and dtype != adapted.dtype:
            # From the network itself, because NNX layers carry a dtype of their own.
            return adapt(network.network(), in_size, out_size, key=key, dtype=dtype, probe=probe)
    elif isinstance(network, tuple) and not callable(network):
        adapted = _adapt_pair(network, in_size, out_size)
    elif _flax.is_nnx(network):
        adapted = _adapt_nnx(network, in_size, out_size, dtype)
    elif _flax.is_linen(network):
        adapted = _adapt_linen(network, None, in_size, out_size, key)
    elif callable(network) and not isinstance(network, type):
        adapted = _adapt_pytree(network, in_size, out_size)
    else:
        raise TypeError(f"Expected {_ACCEPTED}; {_describe(network)} came.")
    if dtype is not None:
        adapted = replace(adapted, params=cast(adapted.params, dtype))
    label = f"{adapted.name} ({adapted.kind})"
    check_parameters(adapted.params, label)
    check_output(adapted)
    point = jnp.full(in_size, 0.5, adapted.dtype) if probe is None else jnp.asarray(probe, adapted.dtype)
    if adapted.kind == "Flax NNX":
        _check_pure(adapted, point)
    check_finite(adapted, point)
    return adapted


def restore(
    data: Mapping[str, Any], arrays: Mapping[str, Any], *, network: Any = None, probe: Any = None
) -> Adapted:
    """The network that `Adapted.to_json` and `Adapted.to_arrays` described, with its parameters bit for bit.

    **Arguments:** `data` and `arrays` as they were written; `network`, handed in again, where it is not one
    of ours; `probe` as in `adapt`.

    **Raises:** `ValueError` when a network has to be handed in and was not, or is not the one that was saved.
    """
    if network is None:
        if data.get("architecture") is None:
            raise ValueError(
                f"The saved network is {data.get('name')} ({data.get('kind')}), which a file cannot "
                "describe without code. Build it as before and hand it in: network=..."
            )
        network = from_json(data["architecture"])
    adapted = adapt(network, data["in_size"], data["out_size"], dtype=data["dtype"], probe=probe)
    return adapted.with_arrays(arrays)


def _adapt_pytree(network: Any, in_size: int, out_size: int) -> Adapted:
    name = getattr(network, "__name__", type(network).__name__)
    _check_declared_sizes(network, name, in_size, out_size)
    check_equinox(network, name)
    check_real(network, name)
    try:
        architecture = to_json(network)
    except ValueError:  # not ours, or with an activation that has no name: handed in again on load
        architecture = None

    def restart(key: Any) -> Adapted:
        return adapt(from_json(architecture or {}, key=key), in_size, out_size)

    kept, constants, join = split(network, trainable(network))
    return Adapted(
        kept,
        constants,
        in_size,
        out_size,
        kind="sciml" if type(network).__module__.startswith("sciml.nn") else "Equinox",
        name=name,
        architecture=architecture,
        _join=join,
        _call=lambda network, x: strip_frozen(network)(x),
        _restart=None if architecture is None else restart,
    )


def _adapt_pair(pair: tuple, in_size: int, out_size: int) -> Adapted:
    if len(pair) != 2 or not callable(pair[0]):
        raise TypeError(f"Expected {_ACCEPTED}; {_describe(pair)} came.")
    function, params = pair
    if _flax.is_linen(function):
        return _adapt_linen(function, params, in_size, out_size, None)
    if _flax.is_nnx(function):
        raise TypeError(
            f"{_describe(function)} is a Flax NNX module, which holds its own parameters: hand in the "
            "module alone."
        )
    name = getattr(function, "__name__", type(function).__name__)
    # The parameters were named as such, so NumPy arrays and Python floats among them are trained too.
    params = jax.tree.map(
        lambda p: jnp.asarray(p) if isinstance(p, (np.ndarray, np.generic, float)) else p, params
    )
    check_real(params, name)
    kept, constants, join = split(params, trainable(params))
    return Adapted(
        kept,
        constants,
        in_size,
        out_size,
        kind="function",
        name=name,
        architecture=None,
        _join=lambda params, constants: (function, join(params, constants)),
        _call=lambda pair, x: pair[0](strip_frozen(pair[1]), x),
        _restart=None,
    )


def _adapt_nnx(module: Any, in_size: int, out_size: int, dtype: Any) -> Adapted:
    name = type(module).__name__
    kept, constants, join = _flax.split_nnx(module, dtype)
    return Adapted(
        kept,
        constants,
        in_size,
        out_size,
        kind="Flax NNX",
        name=name,
        architecture=None,
        _join=join,
        _call=lambda module, x: module(x),
        _restart=None,
    )


def _adapt_linen(module: Any, variables: Any, in_size: int, out_size: int, key: Any) -> Adapted:
    name = type(module).__name__

    def started(variables: Any) -> Adapted:
        kept, constants, join = _flax.split_linen(module, variables)
        check_real(kept, name)
        return Adapted(
            kept,
            constants,
            in_size,
            out_size,
            kind="Flax linen",
            name=name,
            architecture=None,
            _join=join,
            _call=lambda pair, x: pair[0].apply(pair[1], x),
            _restart=restart,
        )

    def restart(key: Any) -> Adapted:
        return started(_flax.init_linen(module, in_size, key))

    return restart(as_key(key)) if variables is None else started(variables)


def _check_pure(adapted: Adapted, point: Any) -> None:
    changed = _flax.changed_by_call(adapted, point)
    if changed:
        raise ValueError(
            f"Expected a network that is a function of one point; a call of {adapted.name} (Flax NNX) "
            f"changes {', '.join(changed)}, as BatchNorm and Dropout do in training. Switch them to "
            "inference with model.eval(): the stored statistics are then constants. Or remove the layer."
        )


def _check_declared_sizes(network: Any, name: str, in_size: int, out_size: int) -> None:
    for what, wanted, of in (("in_size", in_size, "coordinates"), ("out_size", out_size, "fields")):
        declared = getattr(network, what, None)
        if isinstance(declared, int) and not isinstance(declared, bool) and declared != wanted:
            raise ValueError(
                f"{name} was built with {what}={declared}; expected {what}={wanted}, because there are "
                f"{wanted} {of}. Build it with {what}={wanted}."
            )


def _describe(value: Any) -> str:
    if isinstance(value, tuple):
        return f"a tuple of {len(value)} ({', '.join(type(v).__name__ for v in value)})"
    if isinstance(value, type):
        return f"the class {value.__name__}, not an instance of it,"
    return f"{type(value).__name__} {value!r}"[:200]
