"""The natural size of an equation from point to point.

Where a coefficient goes over decades, a(x) lap u + f = 0 with a from 0.1 to 100, the least squares of the residual see the
places where a is large, and nothing of the others. Rows are divided by what the terms with fields are there,

    s(x)^2 = sum over terms with fields of (their size at x, for fields of their natural size)^2,

bounded to three decades around its middle, which makes a(x) lap u + f and lap u + f / a(x) the same problem. It is done only
where the terms of the highest derivatives vary by themselves: a coefficient that vanishes or is singular beside a term that is
neither (S^2 V_SS beside V_t, u_r / r beside u_rr) is left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import sympy as sp

from .._evaluate import evaluator, frozen
from ..geometry import Domain
from ..pde import PDE, derivatives_of, expand_fluxes

Local = Callable[[np.ndarray], np.ndarray]  # points (n, d) in the order of `pde.coordinates` -> (n,), of mean square one

VARIES = 3.0  # between the twentieths of the points where it is largest and smallest
MOST = 1e3  # times its middle, and the reverse


def additive_terms(expression: Any) -> tuple[Any, ...]:
    return sp.Add.make_args(sp.expand(expand_fluxes(sp.sympify(expression))))


def leaf_sizes(pde: PDE, term: Any, scales: dict[str, float], lengths: np.ndarray) -> dict[Any, float]:
    """The size of every field and derivative of a term: that of the field, varying over `lengths`."""
    return {
        (name, index): scales.get(name, 1.0) / float(np.prod(lengths ** np.array(index)))
        for name, index in derivatives_of(term, pde.coordinates)
    }


def local_size(
    pde: PDE, domain: Domain, expression: Any, scales: dict[str, float], lengths: np.ndarray
) -> Local | None:
    """s(x), or None where it varies little or the terms of the highest derivatives do."""
    terms = {term: derivatives_of(term, pde.coordinates) for term in additive_terms(expression)}
    terms = {term: leaves for term, leaves in terms.items() if leaves}
    coordinates = set(pde.coordinates)
    if not any(frozen(term, pde).free_symbols & coordinates for term in terms):
        return None
    highest = _highest(set().union(*terms.values()), pde)
    sizes = {term: evaluator(pde, term, leaf_sizes(pde, term, scales, lengths)) for term in terms}
    leading = [term for term, leaves in terms.items() if leaves & highest]

    def size(chosen: Any, x: np.ndarray) -> np.ndarray:
        return reduce(np.hypot, (sizes[term](x) for term in chosen))

    x = domain.sample(1024)[:, [domain.names.index(c.name) for c in pde.coordinates]]
    if not all(_varies(size(chosen, x)) for chosen in (leading, terms)):
        return None
    middle = float(np.median(size(terms, x)))

    def bounded(x: np.ndarray) -> np.ndarray:
        s = size(terms, x) / middle
        return 1 / np.sqrt(1 / (s**2 + MOST**-2) + MOST**-2)

    norm = float(np.sqrt(np.mean(bounded(x) ** 2)))
    return lambda x: bounded(x) / norm


def _highest(leaves: set[Any], pde: PDE) -> set[Any]:
    """The derivatives that are the highest of their field along some coordinate."""
    found = set()
    for u in pde.fields:
        mine = [index for name, index in leaves if name == u.field_name]
        for axis in range(len(pde.coordinates)):
            most = max((index[axis] for index in mine), default=0)
            found |= {(u.field_name, index) for index in mine if most and index[axis] == most}
    return found


def _varies(size: np.ndarray) -> bool:
    if not len(size) or not np.all(np.isfinite(size)):
        return False
    low, high = np.quantile(size, [0.05, 0.95])
    return bool(high > VARIES * low)
