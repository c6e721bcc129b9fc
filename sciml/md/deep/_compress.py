"""Embedding nets as Chebyshev series, with as many nodes as they need."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._precision import float64
from ._chebyshev import NODES, Chebyshev, chebyshev


def compressed(model: Any, nearest: float | None, tolerance: float) -> Any:
    """As `DeepPotential.compressed`."""
    nearest = model.closest if nearest is None else nearest
    if nearest is None:
        raise ValueError(
            "compressed: the model does not know the smallest distance of its training data; say down to which distance the "
            "series shall hold, nearest=... [angstrom]. Below it the nets themselves are used."
        )
    if not (np.isfinite(nearest) and 0 < nearest < model.cutoff):
        raise ValueError(f"compressed: nearest={nearest!r}; expected a distance below the cutoff, {model.cutoff:g} angstrom.")
    with float64():
        change = lambda net, low, high: enough(exact_net(net), low, high, tolerance)  # noqa: E731
        descriptor = jax.tree.map(np.asarray, model.descriptor.with_embeddings(change, nearest))
    return eqx.tree_at(lambda m: m.descriptor, model, descriptor)


def exact_net(net: Any) -> Any:
    return net.exact if isinstance(net, Chebyshev) else net


def enough(net: Any, low: float, high: float, tolerance: float) -> Chebyshev:
    """The series with the fewest nodes that meets `tolerance`. **Raises** `ValueError` where none does."""
    net = jax.tree.map(lambda a: jnp.asarray(a, float), net)
    off = np.inf
    for nodes in NODES:
        found = chebyshev(net, low, high, nodes)
        off = float(_deviation(found))
        if off <= tolerance:
            return found
    raise ValueError(
        f"compressed: a net changes so fast that a series of {NODES[-1]} terms is off by {off:.1e} of its largest value or "
        f"slope; tolerance is {tolerance:.1e}. Ask for less, or use the model as it is."
    )


@eqx.filter_jit
def _deviation(series: Chebyshev) -> Any:
    """The largest error of values and of slopes, relative to their largest, halfway between nodes and at the ends."""
    x = jnp.cos(jnp.linspace(0, jnp.pi, 2 * series.nodes + 1))
    s = ((series.high - series.low) * x + series.high + series.low) / 2
    both = lambda f: jax.vmap(lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),)))(s)  # noqa: E731
    pairs = zip(both(series.series), both(lambda x: series.exact(x[None, None])[0]), strict=True)
    return jnp.max(jnp.stack([jnp.max(jnp.abs(a - b)) / jnp.max(jnp.abs(b)) for a, b in pairs]))
