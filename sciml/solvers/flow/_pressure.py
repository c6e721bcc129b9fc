"""The pressure of a closed flow is known up to a constant; a condition says which."""

from __future__ import annotations

import numpy as np

from ...geometry import Domain
from ...pde import PDE, Dirichlet
from ...statement import Flow
from .._constants import moved
from .._grid import GridFinal

SAMPLES = 64  # points on a part of the boundary


def pinned(pde: PDE, domain: Domain, flow: Flow, final: GridFinal, *, parts: bool = True) -> GridFinal:
    """`final` with the pressure moved by a constant at each time, to what a `Dirichlet` condition says at a point, or, with
    `parts`, on average over a part of the boundary; at an opening it holds already."""
    names = [x.name for x in pde.space]
    i = [u.field_name for u in pde.fields].index(flow.pressure)
    for c in pde.conditions:
        if not isinstance(c, Dirichlet) or c.field.field_name != flow.pressure or not (parts or isinstance(c.on, dict)):
            continue
        if isinstance(c.on, dict):
            points = np.array([[float(c.on[n]) for n in names]])
        else:
            points = domain.boundary.select(c.on).sample(SAMPLES, key=0)[0]
        final = moved(pde, final, i, points, c.value)
    return final
