"""Fully connected nets as DeePMD-kit has them."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

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
    def widths(self) -> tuple[int, ...]:
        return tuple(int(layer.w.shape[1]) for layer in self.layers)

    def contract(self, s: Any, R: Any) -> Any:
        """sum_k G(s_k) R_k, `s` `(rows, slots)` and `R` `(rows, slots, columns)` -> `(rows, columns, width)`.

        G depends on one number, so that its derivative comes along with it: one pass through the net forwards and none back.
        """
        return _contracted(self, s, R)

    @property
    def _repeats(self) -> tuple[int, ...]:
        return (1, self.layers[-1].carries) if self.layers[-1].carries else (1,)

    def _pieces(self, x: Any) -> list[Any]:
        """p for `x` `(..., 1)`: the output is the sum of the p, each as often beside itself as `_repeats` says.

        Adding what the last layer carries would cost as much as its matrix product; products with the output take it apart.
        """
        for layer in self.layers[:-1]:
            x = layer(x)
        last = self.layers[-1]
        return [last.activated(x), x] if last.carries else [last.activated(x)]

    def _pieces_with_slope(self, x: Any) -> list[tuple[Any, Any]]:
        """As `_pieces`, with dp/dx."""
        dx: Any = jnp.ones_like(x)
        for layer in self.layers[:-1]:
            y, dy = layer.with_slope(x, dx)
            n = layer.carries
            x, dx = (y + jnp.tile(x, n), dy + jnp.tile(dx, n)) if n else (y, dy)
        last = self.layers[-1]
        carried = [(x, dx)] if last.carries else []
        return [last.with_slope(x, dx), *carried]


@jax.custom_jvp
def _contracted(net: Network, s: Any, R: Any) -> Any:
    pieces = [p.reshape(*s.shape, p.shape[-1]) for p in net._pieces(s.reshape(-1, 1))]
    return sum(jnp.tile(_product_sum(p, R), n) for p, n in zip(pieces, net._repeats, strict=True))


@partial(_contracted.defjvp, symbolic_zeros=True)
def _(primals: Any, tangents: Any) -> Any:
    net, s, R = primals
    dnet, ds, dR = tangents
    out: Any = 0.0
    change: Any = 0.0
    pieces = [[a.reshape(*s.shape, a.shape[-1]) for a in piece] for piece in net._pieces_with_slope(s.reshape(-1, 1))]
    for (p, slope), n in zip(pieces, net._repeats, strict=True):
        out = out + jnp.tile(_product_sum(p, R), n)
        if not _is_zero(dR):
            change = change + jnp.tile(_product_sum(p, dR), n)
        if not _is_zero(ds):
            change = change + jnp.tile(_product_sum(slope, ds[..., None] * R), n)
    if not all(map(_is_zero, jax.tree.leaves(dnet))):
        whole = lambda d, x: jnp.zeros_like(x) if _is_zero(d) else d  # noqa: E731
        dnet = jax.tree.map(whole, dnet, net, is_leaf=_is_zero)
        plain = lambda net: _product_sum(net(s[..., None]), R)  # noqa: E731
        change = change + jax.jvp(plain, (net,), (dnet,))[1]
    return out, jnp.broadcast_to(jnp.asarray(change, out.dtype), out.shape)


def _is_zero(d: Any) -> bool:
    return isinstance(d, jax.custom_derivatives.SymbolicZero)


def _product_sum(G: Any, R: Any) -> Any:
    return jnp.einsum("nkm,nkd->ndm", G, R)


def network(widths: Any, *, activation: str = "tanh", output: bool = False, slow: bool = False, rng: Any) -> Network:
    """A net with DeePMD-kit's first weights: W ~ N(0, 1 / (in + out)), b ~ N(0, 1), idt ~ N(0.1, 0.001^2).

    **Arguments:** `widths`, of the input and of all layers; `output`, whether one linear number comes last; `slow`, whether
    layers that carry their input have a factor idt (DeePMD-kit's `resnet_dt`); `rng`, of NumPy.
    """
    layers = []
    for n, m in itertools.pairwise(widths):
        w, b = rng.normal(size=(n, m)) / np.sqrt(n + m), rng.normal(size=m)
        idt = rng.normal(0.1, 0.001, m) if slow and m in (n, 2 * n) else None
        layers.append(Layer(w, b, idt, activation, True))
    if output:
        n = widths[-1]
        layers.append(Layer(rng.normal(size=(n, 1)) / np.sqrt(n + 1), rng.normal(size=1), None, "none", False))
    return Network(tuple(layers))
