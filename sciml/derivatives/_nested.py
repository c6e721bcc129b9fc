"""Plain nested autodiff: forward mode along coordinates, and the reference for everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._requests import Laplacian, MultiIndex, Request, directions, normalise, terms_of


def nested_forward(function: Callable[[Any], Any], requests: Iterable[Request], x: Any, *, loop: bool = True) -> dict:
    """jvp of jvp along the coordinate directions. XLA merges the work that the requests share."""
    units = np.eye(x.shape[0], dtype=x.dtype)
    result: dict[Request, Any] = {}
    for request in requests:
        if isinstance(request, Laplacian) and not loop:
            result[request] = _laplacian_vmap(function, units[list(request.axes)], x)
        else:
            result[request] = _summed(request, x, lambda index: _along(function, directions(index), units)(x))
    return result


def _summed(request: Request, x: Any, partial: Callable[[MultiIndex], Any]) -> Any:
    """The request from its partial derivatives, one by one."""
    if isinstance(request, tuple):
        return partial(request)
    pairs = terms_of(request, x.shape[0])
    values = [jax.tree.map(lambda leaf, factor=factor: factor * leaf, partial(index)) for factor, index in pairs]
    return jax.tree.map(lambda *leaves: sum(leaves), *values)


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

    return {request: _summed(request, x, partial) for request in normalise(requests, x.shape[0])}


def _partial(function: Callable[[Any], Any], axis: int, jacobian: Callable[..., Any]) -> Callable[[Any], Any]:
    def derivative(x: Any) -> Any:
        along = jnp.zeros_like(x).at[axis].set(1)
        return jacobian(lambda step: function(x + step * along))(jnp.zeros((), x.dtype))

    return derivative
