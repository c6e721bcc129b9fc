"""The checks of a network before anything is compiled: what was expected, what came, what to do."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import PyTree

from ._split import paths
from ._trainable import Frozen, check_dtype, is_float_array

_STOCHASTIC_REMEDY = "Switch it off with equinox.nn.inference_mode(network), or remove it."


def check_equinox(network: Any, label: str) -> None:
    """Refuse what is not a function of the point alone, and arrays that would be trained apart."""
    forbidden = (eqx.nn.StateIndex, eqx.nn.State, eqx.nn.Dropout, Frozen)
    flat = jax.tree_util.tree_flatten_with_path(network, is_leaf=lambda node: isinstance(node, forbidden))[0]
    owners: dict[int, str] = {}
    for path, leaf in flat:
        name = jax.tree_util.keystr(path, simple=True, separator=".") or "the network itself"
        if isinstance(leaf, (eqx.nn.StateIndex, eqx.nn.State)):
            raise ValueError(
                f"Expected a network that is a function of one point; {label} keeps a state at {name}, as "
                "BatchNorm and SpectralNorm do. Statistics of a batch have no meaning at one point: use "
                "LayerNorm, or remove the layer."
            )
        if isinstance(leaf, eqx.nn.Dropout) and not leaf.inference and leaf.p != 0:
            raise ValueError(
                f"Expected a network without randomness; {label} has Dropout at {name}. {_STOCHASTIC_REMEDY}"
            )
        if is_float_array(leaf):
            if id(leaf) in owners:
                raise ValueError(
                    f"In {label} the same array stands at {owners[id(leaf)]} and at {name}. Equinox would "
                    "train two copies apart. To keep them tied use equinox.nn.Shared; if they are meant to "
                    "be apart, copy one with jax.numpy.array(...)."
                )
            owners[id(leaf)] = name


def check_real(tree: PyTree, label: str) -> None:
    """Complex parameters are refused: half of the methods would treat them as real."""
    flat = jax.tree_util.tree_flatten_with_path(tree, is_leaf=lambda node: isinstance(node, Frozen))[0]
    for path, leaf in flat:
        if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jnp.complexfloating):
            raise ValueError(
                f"Expected real parameters; {label} has {leaf.dtype.name} at "
                f"{jax.tree_util.keystr(path, simple=True, separator='.')}. Hold the real and the imaginary "
                "part as two arrays, or make it a constant with sciml.nn.Frozen(...)."
            )


def check_parameters(params: PyTree, label: str) -> None:
    """There are some, of one precision, all finite."""
    named = paths(params)
    if not any(leaf.size for _, leaf in named):
        raise ValueError(
            f"{label} has nothing to train: expected at least one JAX array of a floating type among its "
            "parameters. NumPy arrays, Python numbers, integers and sciml.nn.Frozen parts are constants; "
            "make what should be trained a jax.numpy array, or give a plain function as (function, params)."
        )
    dtypes = {leaf.dtype.name: name for name, leaf in named}
    if len(dtypes) > 1:
        raise ValueError(
            f"Expected parameters of one precision; {label} has "
            + " and ".join(f"{dtype} at {name}" for dtype, name in dtypes.items())
            + ". Choose one: adapt(..., dtype=jax.numpy.float64)."
        )
    check_dtype(named[0][1].dtype)
    for name, leaf in named:
        if not isinstance(leaf, Tracer) and not np.isfinite(np.asarray(leaf, np.float64)).all():
            raise ValueError(
                f"Expected finite parameters; {name} of {label} contains NaN or infinity. Start it again, "
                "or look at what trained it before."
            )


def check_output(adapted: Any) -> None:
    """Shape and dtype of the output at one point, found without computing anything."""
    label = f"{adapted.name} ({adapted.kind})"
    point = jax.ShapeDtypeStruct((adapted.in_size,), adapted.dtype)
    try:
        out = jax.eval_shape(adapted.apply, adapted.params, point)
    except Exception as error:
        raise ValueError(
            f"{label} could not be evaluated at one point of shape ({adapted.in_size},): "
            f"{type(error).__name__}: {error}\nExpected: network(x) with x of shape ({adapted.in_size},) "
            f"gives an array of shape ({adapted.out_size},), with no batch axis, no key and no other "
            "argument. Check the network's input size, and switch layers with randomness or batch "
            "statistics to inference mode (equinox.nn.inference_mode, model.eval() in Flax NNX, "
            "deterministic=True or use_running_average=True in linen)."
        ) from error
    if not hasattr(out, "shape"):
        raise ValueError(
            f"Expected one array of shape ({adapted.out_size},) from {label}; {type(out).__name__} came. "
            "Return the fields stacked into one array."
        )
    if out.shape != (adapted.out_size,):
        hint = "Give the network one output for each field."
        if out.shape == () or out.shape[0] == 1 and len(out.shape) > 1:
            hint = f"Return an array with exactly one axis, such as y.reshape({adapted.out_size})."
        raise ValueError(
            f"Expected an output of shape ({adapted.out_size},) from {label}; {out.shape} came. {hint}"
        )
    if not jnp.issubdtype(out.dtype, jnp.floating):
        raise ValueError(
            f"Expected a floating output from {label}; {out.dtype.name} came. A complex field is two real "
            "outputs."
        )
    if out.dtype != adapted.dtype:
        raise ValueError(
            f"The parameters of {label} are {adapted.dtype.name} and its output is {out.dtype.name}: "
            "something inside casts, and derivatives would carry that rounding. Leave `dtype` of its "
            "layers at None and take array constants to the dtype of the input, or ask for adapt(..., "
            f"dtype=jax.numpy.{out.dtype.name})."
        )


def check_finite(adapted: Any, probe: Any) -> None:
    """The output at one point, computed."""
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((adapted.params, adapted.constants))):
        return
    y = np.asarray(adapted.apply(adapted.params, probe), np.float64)
    if not np.isfinite(y).all():
        raise ValueError(
            f"Expected a finite output from {adapted.name} ({adapted.kind}); at the point "
            f"{np.asarray(probe).tolist()} it is {y.tolist()}. If the network is not defined there, hand in "
            "a point where it is: adapt(..., probe=point)."
        )
