"""What `adapt` returns: parameters, a pure function, and what is needed to save them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from ._dense import as_key, check_point
from ._split import paths
from ._trainable import cast_leaf, check_dtype, count_parameters


# Not an equinox.Module: equality and hash are by identity, so that `jax.jit(adapted.apply)` works and an
# Adapted can be a static field of whoever holds it. What changes during training is `params`, which travels
# by itself.
@dataclass(frozen=True, eq=False, repr=False)
class Adapted:
    """A network of anybody's, as parameters and a pure function. Made by `adapt`.

    - `params`: pytree of floating arrays, everything that is trained and nothing else;
    - `apply(params, x)`: one point `(in_size,)` -> `(out_size,)`, in the precision of `params` and `x`;
    - `constants`: path -> array, everything that is not trained (frozen frequencies, batch statistics,
      tables);
    - `kind` and `name`: where the network comes from, and its class;
    - `architecture`: `to_json(network)` for our own networks, None for others.
    """

    params: PyTree
    constants: dict[str, Any]
    in_size: int
    out_size: int
    kind: str
    name: str
    architecture: dict[str, Any] | None
    _join: Callable[[PyTree, dict[str, Any]], Any] = field(repr=False)
    _call: Callable[[Any, Array], Array] = field(repr=False)
    _restart: Callable[[Any], Any] | None = field(repr=False)

    def apply(self, params: PyTree, x: Float[Array | np.ndarray, " in"]) -> Float[Array, " out"]:
        """The network at one point.

        Pure: composes with jit, grad and vmap, over points and over parameters.
        """
        check_point(f"The network {self.name}", x, self.in_size)
        x = jnp.asarray(x)
        dtype = jnp.result_type(x, *jax.tree.leaves(params))
        constants = {name: cast_leaf(leaf, dtype) for name, leaf in self.constants.items()}
        return self._call(self._join(params, constants), x.astype(dtype))

    @property
    def init_params(self) -> PyTree:
        """The parameters at the start, the same as `params`."""
        return self.params

    @property
    def size(self) -> int:
        """How many numbers are trained."""
        return count_parameters(self.params)

    @property
    def dtype(self) -> Any:
        """The precision of the parameters."""
        return jax.tree.leaves(self.params)[0].dtype

    def network(self, params: PyTree | None = None) -> Any:
        """The network itself, as it was handed in, with these parameters: an Equinox or NNX module, `(module,
        variables)` for Flax linen, `(function, params)` for a function."""
        return self._join(self.params if params is None else params, self.constants)

    def restarted(self, key: Any) -> "Adapted":
        """The same architecture with parameters started from another key, for ensembles.

        The constants, such as random frequencies, are new as well.

        **Raises:** `ValueError` where only the user knows how to start the parameters (modules that are not
        ours, functions).
        """
        if self._restart is None:
            raise ValueError(
                f"{self.name} ({self.kind}) cannot be started again from another key, because only its "
                "author knows how its parameters are made. Build one network per key and hand each in."
            )
        fresh: Adapted = self._restart(as_key(key))
        return replace(fresh, params=jax.tree.map(lambda a: a.astype(self.dtype), fresh.params))

    def describe(self) -> str:
        """A table of what is trained, and what is not."""
        lines = [
            f"{self.name} ({self.kind}): {self.in_size} -> {self.out_size}, {self.size:,} parameters in "
            f"{self.dtype.name}"
        ]
        trained = [(name, str(jnp.shape(leaf)), "") for name, leaf in paths(self.params)]
        constant = [(name, str(jnp.shape(leaf)), "  not trained") for name, leaf in self.constants.items()]
        rows = trained + constant
        width = max(len(name) for name, _, _ in rows)
        lines += [f"  {name:<{width}}  {shape}{note}" for name, shape, note in rows]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Adapted {self.describe().splitlines()[0]}>"

    def to_json(self) -> dict[str, Any]:
        """What a file needs besides the arrays, for `restore`."""
        return {
            "kind": self.kind,
            "name": self.name,
            "in_size": self.in_size,
            "out_size": self.out_size,
            "dtype": self.dtype.name,
            "architecture": self.architecture,
            "parameters": {name: list(jnp.shape(leaf)) for name, leaf in paths(self.params)},
        }

    def to_arrays(self, params: PyTree | None = None) -> dict[str, np.ndarray]:
        """Parameters and constants by name, for an `.npz` file: `params/<path>` and `constants/<path>`.

        Random keys (of layers that are switched off) are left out.
        """
        params = self.params if params is None else params
        arrays = {f"params/{name}": np.asarray(leaf) for name, leaf in paths(params)}
        for name, leaf in self.constants.items():
            if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
                arrays[f"constants/{name}"] = np.asarray(leaf)
        return arrays

    def with_arrays(self, arrays: Mapping[str, Any]) -> "Adapted":
        """The same network with the arrays that `to_arrays` wrote, bit for bit.

        **Raises:** `ValueError` when names or shapes are not those of this network, or when they are float64
        and JAX computes in 32 bits.
        """
        expected = {f"params/{name}": leaf for name, leaf in paths(self.params)}
        expected |= {f"constants/{name}": leaf for name, leaf in self.constants.items()}
        expected = {
            name: leaf
            for name, leaf in expected.items()
            if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        }
        missing, unknown = sorted(set(expected) - set(arrays)), sorted(set(arrays) - set(expected))
        if missing or unknown:
            raise ValueError(
                f"The arrays do not belong to {self.name} ({self.kind}): "
                + "; ".join(
                    f"{what}: {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"
                    for what, names in (("missing", missing), ("not expected", unknown))
                    if names
                )
                + ". Hand in a network built with the same sizes as the one that was saved."
            )
        for name, leaf in expected.items():
            if np.shape(arrays[name]) != jnp.shape(leaf):
                raise ValueError(
                    f"{name} of {self.name} ({self.kind}) has shape {jnp.shape(leaf)}; an array of shape "
                    f"{np.shape(arrays[name])} came. Hand in a network built with the same sizes as the one "
                    "that was saved."
                )
        leaves = [_exact(arrays[f"params/{name}"]) for name, _ in paths(self.params)]
        params = jax.tree.unflatten(jax.tree.structure(self.params), leaves)
        constants = {name: arrays.get(f"constants/{name}", leaf) for name, leaf in self.constants.items()}
        return replace(self, params=params, constants=constants)


def _exact(array: Any) -> Array:
    array = np.asarray(array)
    return jnp.asarray(array, check_dtype(array.dtype))
