"""Embedding nets as Chebyshev series, on as many panels as they need."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np

from ..._precision import float64
from ..potentials._trainable import cast
from ._chebyshev import Chebyshev, chebyshev
from ._panels import panels


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
        change = lambda net, low, high: enough(exact_net(net), float(low), float(high), tolerance)  # noqa: E731
        descriptor = jax.tree.map(np.asarray, model.descriptor.with_embeddings(change, nearest))
    return dataclasses.replace(model, descriptor=descriptor, series_from=float(nearest))


def exact_net(net: Any) -> Any:
    return net.exact if isinstance(net, Chebyshev) else net


def exact(model: Any) -> Any:
    """`model` without series."""
    is_series = lambda x: isinstance(x, Chebyshev)  # noqa: E731
    descriptor = jax.tree.map(exact_net, model.descriptor, is_leaf=is_series)
    return dataclasses.replace(model, descriptor=descriptor, series_from=None)


def enough(net: Any, low: float, high: float, tolerance: float) -> Chebyshev:
    """The series with the fewest panels that meets `tolerance`. **Raises** `ValueError` where none does."""
    net = cast(net, float)
    edges, off = panels(net, low, high, tolerance)
    if off > tolerance:
        raise ValueError(
            f"compressed: a net changes so fast that series on {len(edges) - 1} panels are off by {off:.1e} of its largest "
            f"value or slope; tolerance is {tolerance:.1e}. Ask for less, or use the model as it is."
        )
    return chebyshev(net, edges)
