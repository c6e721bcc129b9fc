"""Panels on which a net of one number is met by series, as few as will do."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..potentials._trainable import cast
from ._chebyshev import TERMS, basis_and_slopes, chebyshev

COUNTS = (*range(2, 9), *range(10, 25, 2), 28, 32, 40, 48, 64)
MOST = COUNTS[-1]
BETWEEN = np.cos(np.linspace(0, np.pi, 2 * TERMS + 2))[1:-1]  # where errors are looked for
ROUNDS = 8


def panels(net: Any, low: float, high: float, tolerance: float, least: int = 1) -> tuple[np.ndarray, float]:
    """The edges of the fewest panels, `least` or more, found for which `deviations` are below `tolerance`, and the largest of
    them; those of the smallest deviation where no number will do.

    Errors of slopes fall with the fifteenth power of the width of a panel: what width is wanted where follows from those of
    some panels.
    """
    net = cast(net, float)
    edges = np.linspace(low, high, max(least, MOST // 2) + 1)
    best = edges, np.inf
    for _ in range(ROUNDS):
        off = deviations(net, edges)
        found = edges, float(off.max())
        if _better(found, best, tolerance):
            best = found
        widths = np.diff(edges)
        # A panel that is far too small may become four times as wide, and one that is too wide a sixteenth.
        share = np.clip((off / (0.5 * tolerance)) ** (1 / (TERMS - 1)), 0.25, 16.0)
        count = next((n for n in COUNTS if n >= max(least, share.sum())), MOST)
        known = np.concatenate([[0.0], np.cumsum(share)])
        following = np.interp(np.linspace(0, known[-1], count + 1), known, edges)
        if len(following) == len(edges) and np.max(np.abs(following - edges)) < 0.02 * widths.min():
            break
        edges = following
    return best


def _better(a: tuple[np.ndarray, float], b: tuple[np.ndarray, float], tolerance: float) -> bool:
    if (a[1] <= tolerance) != (b[1] <= tolerance):
        return a[1] <= tolerance
    return len(a[0]) < len(b[0]) if a[1] <= tolerance else a[1] < b[1]


def deviations(net: Any, edges: np.ndarray) -> np.ndarray:
    """The largest error of values or slopes in each panel, relative to their largest in all."""
    padded = np.concatenate([edges, np.full(MOST + 1 - len(edges), edges[-1])])
    return np.asarray(_deviations(net, jnp.asarray(padded, float)))[: len(edges) - 1]


@eqx.filter_jit
def _deviations(net: Any, edges: Any) -> Any:
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    t = jnp.asarray(BETWEEN)
    s = (middle[:, None] + half[:, None] * t).reshape(-1, 1)
    exact = [a.reshape(len(half), len(t), -1) for a in jax.jvp(net, (s,), (jnp.ones_like(s),))]
    terms = [a[0] for a in basis_and_slopes(t[None])]
    made = jnp.einsum("dbt,abm->datm", jnp.stack(terms), chebyshev(net, edges).coefficients)
    wide = (half > 0)[:, None, None]
    scaled = made[0], made[1] / jnp.where(wide, half[:, None, None], 1)
    off = [jnp.max(jnp.abs(a - b) * wide, axis=(1, 2)) / jnp.max(jnp.abs(b)) for a, b in zip(scaled, exact, strict=True)]
    return jnp.maximum(*off)
