"""Expressions evaluated once on the host: scales and compatibility checks compile nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp

from .pde import PDE, Field, NormalComponent, Opaque, Parameter, derivatives_of, expand_fluxes, lower


def evaluate(pde: PDE, expression: Any, x: np.ndarray, leaves: Mapping[Any, float] | None = None) -> np.ndarray:
    """An expression at points `(n, d)` in the order of `pde.coordinates`, shape `(n,)`.

    `leaves` gives a number for each field or derivative, keyed as `(name, multi-index)`; normals are 1 and unknown
    parameters have their initial size.
    """
    expression = expand_fluxes(sp.sympify(expression))
    if expression.is_number:
        return np.full(len(x), float(expression))
    columns: dict[Any, Any] = {c: x[:, i] for i, c in enumerate(pde.coordinates)}
    if expression.has(Opaque):
        values: dict[Any, Any] = {c.name: column for c, column in columns.items()}
        values |= {p.name: abs(p.initial) or 1.0 for p in pde.parameters}
        values |= {("normal", c.name): 1.0 for c in pde.space} | dict(leaves or {})
        (value,) = lower([expression], coordinates=pde.coordinates)(values)
        return np.broadcast_to(np.asarray(value, float), (len(x),))
    replaced: dict[Any, Any] = {}
    traversal = sp.preorder_traversal(expression)
    for node in traversal:
        if isinstance(node, NormalComponent):
            columns[node] = 1.0
        elif isinstance(node, Parameter):
            columns[node] = abs(node.initial) or 1.0
        elif isinstance(node, (sp.Derivative, Field)):
            traversal.skip()
            if node not in replaced:
                replaced[node] = dummy = sp.Dummy()
                columns[dummy] = (leaves or {})[next(iter(derivatives_of(node, pde.coordinates)))]
    function = sp.lambdify(list(columns), expression.xreplace(replaced), modules=["scipy", "numpy"])
    with np.errstate(all="ignore"):
        value = function(*columns.values())
    return np.broadcast_to(np.asarray(value, float), (len(x),))
