"""Nets of one number as Chebyshev series on panels, which cost a fraction of the net.

    G(s) = sum_b C_ab T_b(t),    t = (2 s - e_a - e_(a+1)) / (e_(a+1) - e_a),    e_a <= s < e_(a+1),    b < 16

Panels are small where the net changes fast. Sums over neighbours are products of matrices with nothing looked up, H_a(s) being
one in panel a and zero in others:

    sum_k G(s_k) R_k = sum_ab C_ab sum_k H_a(s_k) [T_b(t_k) R_k]

Each series has the values and slopes of the net at the ends of its panel, so that G has no leaps and no kinks. Beyond the last
panel a polynomial explodes: `DeepPotential` uses the nets themselves where atoms are closer than it reaches.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import roots_jacobi

TERMS = 16
# Where values are met besides the ends, such that max |(t^2 - 1)^2 prod (t - t_i)| is small.
INSIDE = roots_jacobi(TERMS - 4, 3.5, 3.5)[0]


class Chebyshev(eqx.Module):
    """A net of one number as series on panels.

    **Attributes:** `exact`, the net; `coefficients` `(panels, 16, width)`; `edges` `(panels + 1,)`.
    """

    exact: Any
    coefficients: Any
    edges: Any

    @property
    def terms(self) -> int:
        return self.coefficients.shape[0] * TERMS

    @property
    def width(self) -> int:
        return self.exact.width

    @property
    def layers(self) -> Any:
        return self.exact.layers

    def __call__(self, x: Any) -> Any:
        """The net itself."""
        return self.exact(x)

    def series(self, s: Any) -> Any:
        """G `(numbers, width)` at the numbers `s`."""
        return self.contract(s[:, None], jnp.ones((len(s), 1, 1), s.dtype))[:, 0]

    def contract(self, s: Any, R: Any) -> Any:
        """sum_k G(s_k) R_k, `s` `(rows, slots)` and `R` `(rows, slots, columns)` -> `(rows, columns, width)`."""
        edges = self.edges
        # The first and the last panel have no end.
        number = jnp.searchsorted(edges[1:-1], s, side="right", method="compare_all")
        panel = (number[:, None] == jnp.arange(len(edges) - 1, dtype=number.dtype)[:, None]).astype(s.dtype)
        middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
        t = (s - middle[number]) / half[number]
        return jnp.einsum("ndab,abm->ndm", _moments(t, jnp.swapaxes(R, 1, 2), panel), self.coefficients)


def chebyshev(net: Any, edges: Any) -> Chebyshev:
    """The series of `net` on panels between `edges`; differentiable in the net."""
    dtype = net.layers[-1].w.dtype
    edges = jnp.asarray(edges, dtype)
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    inside = middle[:, None] + half[:, None] * jnp.asarray(INSIDE, dtype)
    values = net(inside.reshape(-1, 1)).reshape(*inside.shape, -1)
    at, slope = jax.jvp(net, (edges[:, None],), (jnp.ones_like(edges)[:, None],))
    wide = half[:, None]
    known = [values, *(a[:, None] for a in (at[:-1], at[1:], wide * slope[:-1], wide * slope[1:]))]
    given = jnp.concatenate(known, axis=1)
    return Chebyshev(net, jnp.einsum("bg,agm->abm", jnp.asarray(_inverse(), dtype), given), edges)


def _inverse() -> np.ndarray:
    """From values inside, those at both ends and slopes there, to coefficients."""
    basis = np.polynomial.chebyshev.Chebyshev.basis
    rows = [[basis(b)(t) for b in range(TERMS)] for t in (*INSIDE, -1.0, 1.0)]
    rows += [[basis(b).deriv()(t) for b in range(TERMS)] for t in (-1.0, 1.0)]
    return np.linalg.inv(np.array(rows))


def _basis(t: Any) -> Any:
    """T_b of `t` `(rows, slots)`, `(rows, 16, slots)`."""
    T = [jnp.ones_like(t), t]
    while len(T) < TERMS:
        T.append(2 * t * T[-1] - T[-2])
    return jnp.stack(T, axis=1)


def _slopes(t: Any) -> Any:
    """The derivatives of `_basis`: T_n' = n U_(n-1), with U_n = 2 t U_(n-1) - U_(n-2)."""
    U = [jnp.zeros_like(t), jnp.ones_like(t)]
    while len(U) < TERMS:
        U.append(2 * t * U[-1] - U[-2])
    return jnp.stack([n * u for n, u in enumerate(U)], axis=1)


def basis_and_slopes(t: Any) -> tuple[Any, Any]:
    return _basis(t), _slopes(t)


@jax.custom_jvp
def _moments(t: Any, R: Any, panel: Any) -> Any:
    """sum_k H_a T_b(t_k) R_dk `(rows, d, a, 16)` of `t` `(rows, slots)`, `R` `(rows, columns, slots)` and H `(rows, a, slots)`.

    Slots come last: recurrences are then long loops over memory in its order, three times faster than with the terms last. Of
    the ways to multiply three factors, the one here is the fastest forwards, the one of the derivative backwards.
    """
    rows, slots = t.shape
    held = (R[:, :, None] * panel[:, None]).reshape(rows, R.shape[1] * panel.shape[1], slots)
    sums = jnp.einsum("nxk,nbk->nxb", held, _basis(t))
    return sums.reshape(rows, R.shape[1], panel.shape[1], TERMS)


@_moments.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (t, R, panel), (dt, dR, _) = primals, tangents
    T, slopes = _basis(t), _slopes(t)
    along = jnp.stack([dt * R[:, d] for d in range(R.shape[1])], axis=1)
    change = _products(slopes, along) + _products(T, dR)
    return _moments(t, R, panel), jnp.einsum("nak,nbdk->ndab", panel, change)


def _products(T: Any, R: Any) -> Any:
    # One product for each term: what JAX makes of it backwards are sums of arrays, not reductions over a short axis.
    return jnp.stack([T[:, b : b + 1] * R for b in range(TERMS)], axis=1)
