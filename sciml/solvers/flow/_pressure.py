"""The pressure of a closed flow is known up to a constant; a condition says which."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from ..._flow import Flow
from ..._precision import float64
from ..._programs import Program
from ...geometry import Domain
from ...pde import PDE, Dirichlet, lower
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
        times = np.zeros(1) if final.times is None else np.asarray(final.times)
        values = np.array(final.values)
        with float64():
            # The rows as fields of one steady solution: interpolation in space only.
            rows = GridFinal(final.axes, None, values[None, :, i], np.zeros_like(values[None, :, i]))
            value = Program(lambda x, rows=rows: rows.derivatives((0,) * len(names), x))
            here = np.asarray(value(points[:, : len(names)]))
            at = {n: jnp.asarray(points[:, k])[:, None] for k, n in enumerate(names)}
            if pde.time is not None:
                at[pde.time.name] = jnp.asarray(times)
            (wanted,) = lower([c.value], coordinates=pde.coordinates)(at)
        off = np.mean(np.broadcast_to(np.asarray(wanted), here.shape) - here, axis=0)
        values[:, i] += off.reshape(-1, *[1] * len(names))
        final = GridFinal(final.axes, final.times, values, final.rates, final.smooth)
    return final
