"""Fully connected nets as DeePMD-kit has them."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

ACTIVATIONS: dict[str, Any] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "gelu": lambda x: jax.nn.gelu(x, approximate=True),
    "sigmoid": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
    "relu6": jax.nn.relu6,
    "linear": lambda x: x,
    "none": lambda x: x,
}


class Layer(eqx.Module):
    """y = act(x w + b) idt, plus x where the widths are equal, [x, x] where the output is twice as wide, if `residual`."""

    w: Any
    b: Any
    idt: Any
    activation: str = eqx.field(static=True)
    residual: bool = eqx.field(static=True)

    def __call__(self, x: Any) -> Any:
        y = self._activated(self._linear(x))
        return y + self._carried(x) if self._carries else y

    def with_slope(self, x: Any, dx: Any) -> tuple[Any, Any]:
        """y and dy where x changes by dx."""
        z = self._linear(x)
        dz = dx * self._weights(x) if x.shape[-1] == 1 else dx @ self._weights(x)
        if self.activation == "tanh" and self.idt is None:
            y = jnp.tanh(z)
            dy = (1 - y**2) * dz
        else:
            y, dy = jax.jvp(self._activated, (z,), (dz,))
        return (y + self._carried(x), dy + self._carried(dx)) if self._carries else (y, dy)

    @property
    def _carries(self) -> bool:
        n, m = self.w.shape
        return self.residual and m in (n, 2 * n)

    def _carried(self, x: Any) -> Any:
        return x if self.w.shape[1] == x.shape[-1] else jnp.concatenate([x, x], axis=-1)

    def _weights(self, x: Any) -> Any:
        return jnp.asarray(self.w, x.dtype)

    def _linear(self, x: Any) -> Any:
        # The product with a matrix of one row is an outer product.
        y = x * self._weights(x) if x.shape[-1] == 1 else x @ self._weights(x)
        return y if self.b is None else y + jnp.asarray(self.b, x.dtype)

    def _activated(self, z: Any) -> Any:
        y = ACTIVATIONS[self.activation](z)
        return y if self.idt is None else y * jnp.asarray(self.idt, z.dtype)


class Network(eqx.Module):
    """Layers, one after the other."""

    layers: tuple[Layer, ...]

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x

    def with_slope(self, x: Any, dx: Any) -> tuple[Any, Any]:
        """y and dy where x changes by dx, in one pass that keeps nothing."""
        for layer in self.layers:
            x, dx = layer.with_slope(x, dx)
        return x, dx
