"""Characteristic sizes: of each field from the data, of each equation from its largest term.

With them an equation in SI units is the same least-squares problem as its dimensionless form.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._evaluate import evaluate
from ..geometry import Domain
from ..pde import PDE, Dirichlet, Initial, Neumann, Observed, Periodic, Robin, derivatives_of
from ._local import Local, additive_terms, leaf_sizes, local_size


def field_scales(pde: PDE, domain: Domain, lengths: np.ndarray) -> dict[str, float]:
    """The size U of every field: the largest prescribed or observed value, or what balances an equation.

    A field without data of its own (the pressure of a flow, a field driven by a source) gets the size at which its
    terms are as large as the known terms of the equation: U = max over equations of known / (its terms for U = 1). Its
    terms are those without other fields; of an unknown coefficient the products with known ones too.
    """
    known = _from_data(pde, domain, lengths)
    x = _points(pde, domain, 256)
    terms = [(additive_terms(e.expression), _local(pde, domain, e.expression, known, x, lengths)) for e in pde.equations]
    free = {u.field_name for u in pde.free_fields}
    for _ in pde.fields:
        unknown = [u.field_name for u in pde.fields if u.field_name not in known]
        if not unknown:
            break
        # An unknown coefficient stands in products only.
        factors = {name: known.keys() if name in free else set() for name in unknown}
        for name in unknown:
            sizes = []
            for equation, local in terms:
                mine = [t for t in equation if name in _fields_of(t, pde) and _fields_of(t, pde) - {name} <= factors[name]]
                other = [t for t in equation if _fields_of(t, pde) <= known.keys()]
                if mine and other:
                    reference = max(_size(pde, t, known, x, lengths, local) for t in other)
                    unit = max(_size(pde, t, {**known, name: 1.0}, x, lengths, local) for t in mine)
                    if reference > 0 and unit > 0:
                        sizes.append(reference / unit)
            if sizes:
                known[name] = max(sizes)
    rest = max(known.values(), default=1.0)
    return {u.field_name: known.get(u.field_name, rest) for u in pde.fields}


def equation_scale(
    pde: PDE, domain: Domain, expression: Any, scales: dict[str, float], lengths: np.ndarray, local: Local | None = None
) -> float:
    """The natural size of a residual: its largest additive term for fields of their size varying over `lengths`, divided by
    its `local` size where that varies."""
    x = _points(pde, domain, 256)
    at = None if local is None else local(x)
    sizes = [_size(pde, term, scales, x, lengths, at) for term in additive_terms(expression)]
    largest = max(sizes, default=1.0)
    return largest if largest > 0 else 1.0


def _local(
    pde: PDE, domain: Domain, expression: Any, known: dict[str, float], x: np.ndarray, lengths: np.ndarray
) -> np.ndarray | None:
    local = local_size(pde, domain, expression, known, lengths)
    return None if local is None else local(x)


def _points(pde: PDE, domain: Domain, n: int) -> np.ndarray:
    return domain.sample(n)[:, [domain.names.index(c.name) for c in pde.coordinates]]


def _fields_of(term: Any, pde: PDE) -> set[str]:
    return {name for name, _ in derivatives_of(term, pde.coordinates)}


def _size(
    pde: PDE,
    term: Any,
    scales: dict[str, float],
    x: np.ndarray,
    lengths: np.ndarray,
    local: np.ndarray | None = None,
) -> float:
    value = np.abs(evaluate(pde, term, x, leaf_sizes(pde, term, scales, lengths)))
    value = value if local is None else value / local
    value = value[np.isfinite(value)]
    largest = float(value.max(initial=0.0))
    if not largest > 0:
        return largest if value.size else 1.0
    return largest * float(np.sqrt(np.mean((value / largest) ** 2)))  # squares of very small numbers are zero


def _from_data(pde: PDE, domain: Domain, lengths: np.ndarray) -> dict[str, float]:
    x = _points(pde, domain, 256)
    found: dict[str, float] = {}
    for condition in pde.conditions:
        if isinstance(condition, Periodic):
            continue
        if isinstance(condition, Observed):
            leaves = derivatives_of(condition.expression, pde.coordinates)
            if len(leaves) == 1:
                ((name, index),) = leaves
                size = float(np.sqrt(np.mean(np.abs(condition.values) ** 2)))
                _raise(found, name, size * float(np.prod(lengths ** np.array(index))))
            continue
        if not isinstance(condition, (Initial, Dirichlet, Neumann, Robin)):
            continue
        size = _size(pde, condition.value, {}, x, lengths)
        if isinstance(condition, Initial) and condition.order:
            assert pde.time is not None
            size *= float(lengths[pde.coordinates.index(pde.time)]) ** condition.order
        elif isinstance(condition, (Neumann, Robin)):
            space = [lengths[pde.coordinates.index(c)] for c in pde.space]
            unit = _size(pde, condition.left, {}, x, lengths) if isinstance(condition, Robin) else 1 / min(space)
            size = size / unit if unit > 0 else 0.0
        _raise(found, condition.field.field_name, size)
    return found


def _raise(found: dict[str, float], name: str, size: float) -> None:
    if np.isfinite(size) and size > 0:
        found[name] = max(found.get(name, 0.0), size)
