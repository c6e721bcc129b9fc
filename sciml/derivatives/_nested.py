"""Plain nested autodiff: forward mode along coordinates, and the reference for everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._requests import Laplacian, MultiIndex, Request, directions, normalise


def nested_forward(function: Callable[[Any], Any], requests: Iterable[Request], x: Any, *, loop: bool = True) -> dict:
    """jvp of jvp along the coordinate directions. XLA merges the work that the requests share."""
    units = np.eye(x.shape[0], dtype=x.dtype)
    result: dict[Request, Any] = {}
    for request in requests:
        if not isinstance(request, Laplacian):
            result[request] = _along(function, directions(request), units)(x)
        elif loop:
            terms = [_along(function, (axis, axis), units)(x) for axis in request.axes]
            result[request] = jax.tree.map(lambda *leaves: sum(leaves), *terms)
        else:
            result[request] = _laplacian_vmap(function, units[list(request.axes)], x)
    return result


def _along(function: Callable[[Any], Any], axes: tuple[int, ...], units: np.ndarray) -> Callable[[Any], Any]:
    for axis in axes:
        function = _directional(function, units[axis])
    return function


def _directional(function: Callable[[Any], Any], direction: Any) -> Callable[[Any], Any]:
    return lambda x: jax.jvp(function, (x,), (jnp.asarray(direction),))[1]


def _laplacian_vmap(function: Callable[[Any], Any], units: Any, x: Any) -> Any:
    second = jax.vmap(lambda e: _directional(_directional(function, e), e)(x))(jnp.asarray(units))
    return jax.tree.map(lambda leaf: leaf.sum(axis=0), second)


def reference(function: Callable[[Any], Any], requests: Iterable[Request], x: Any, *, reverse: bool = False) -> dict:
    """Every request by nested `jax.jacfwd` of a function of one coordinate: slow, and as plain as it can be.

    **Arguments**: `function` maps a point `(dimension,)` to an array or a pytree of arrays; `x` is one point;
    `reverse=True` nests `jax.jacrev` instead (the only way through a `custom_vjp` in plain JAX).

    **Returns** a dict from each request to a value of the same structure as `function(x)`.
    """
    x = jnp.asarray(x)
    jacobian = jax.jacrev if reverse else jax.jacfwd

    def partial(index: MultiIndex) -> Any:
        current = function
        for axis in directions(index):
            current = _partial(current, axis, jacobian)
        return current(x)

    result = {}
    for request in normalise(requests, x.shape[0]):
        if isinstance(request, Laplacian):
            terms = [partial(tuple(2 * (i == axis) for i in range(x.shape[0]))) for axis in request.axes]
            result[request] = jax.tree.map(lambda *leaves: sum(leaves), *terms)
        else:
            result[request] = partial(request)
    return result


def _partial(function: Callable[[Any], Any], axis: int, jacobian: Callable[..., Any]) -> Callable[[Any], Any]:
    def derivative(x: Any) -> Any:
        along = jnp.zeros_like(x).at[axis].set(1)
        return jacobian(lambda step: function(x + step * along))(jnp.zeros((), x.dtype))

    return derivative
