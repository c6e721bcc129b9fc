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
        return self.activated(x) + jnp.tile(x, self.carries) if self.carries else self.activated(x)

    @property
    def carries(self) -> int:
        """How many times x is added beside itself."""
        n, m = self.w.shape
        return m // n if self.residual and m in (n, 2 * n) else 0

    def activated(self, x: Any) -> Any:
        """Without what is carried."""
        return self._scaled(self._linear(x))

    def with_slope(self, x: Any, dx: Any) -> tuple[Any, Any]:
        """`activated`, and how it changes where x changes by dx."""
        z, dz = self._linear(x), _product(dx, self.w)
        if self.activation == "tanh" and self.idt is None:
            y = jnp.tanh(z)
            return y, (1 - y**2) * dz
        return jax.jvp(self._scaled, (z,), (dz,))

    def _linear(self, x: Any) -> Any:
        y = _product(x, self.w)
        return y if self.b is None else y + self.b

    def _scaled(self, z: Any) -> Any:
        y = ACTIVATIONS[self.activation](z)
        return y if self.idt is None else y * self.idt


def _product(x: Any, w: Any) -> Any:
    return x * w if w.shape[0] == 1 else x @ w  # an outer product needs no matrix product


class Network(eqx.Module):
    """Layers, one after the other."""

    layers: tuple[Layer, ...]

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x

    @property
    def width(self) -> int:
        return self.layers[-1].w.shape[1]

    @property
    def repeats(self) -> tuple[int, ...]:
        """Of the `pieces`."""
        return (1, self.layers[-1].carries) if self.layers[-1].carries else (1,)

    def pieces(self, x: Any) -> list[tuple[Any, Any]]:
        """(p, dp/dx) for `x` `(..., 1)`: the output is the sum of the p, each as often beside itself as `repeats` says.

        Adding what the last layer carries would cost as much as its matrix product; products with the output take it apart.
        """
        dx: Any = jnp.ones_like(x)
        for layer in self.layers[:-1]:
            y, dy = layer.with_slope(x, dx)
            n = layer.carries
            x, dx = (y + jnp.tile(x, n), dy + jnp.tile(dx, n)) if n else (y, dy)
        last = self.layers[-1]
        carried = [(x, dx)] if last.carries else []
        return [last.with_slope(x, dx), *carried]
