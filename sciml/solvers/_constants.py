"""The constants that the equations leave open, fixed once the rest is solved: a value at a point, or the mean zero."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._precision import float64
from .._programs import Program
from ..pde import PDE, lower
from ..statement import floating
from ._grid import GridFinal
from .spatial import AbstractAxis, CellAxis, PeriodicAxis


def settled(pde: PDE, final: GridFinal) -> tuple[GridFinal, tuple[str, ...]]:
    """`final` with the constants of all fields that are known up to one, and a sentence on each that is a convention."""
    real = pde.real()
    parts: dict[str, str] = {part: name for name, both in pde.real_parts.items() for part in both}
    names, notes = [x.name for x in real.space], []
    for i, u in enumerate(real.fields):
        found = floating(pde).get(u.field_name)
        if found is None or set(found.free) - {c.name for c in real.coordinates if c == real.time}:
            continue
        if found.pin is not None:
            final = moved(real, final, i, np.array([[found.pin.place[n] for n in names]]), found.pin.value)
        else:
            final = _without_mean(final, i)
            notes.append(found.told(parts.get(found.field, found.field)))
    return final, tuple(dict.fromkeys(notes))


def moved(pde: PDE, final: GridFinal, i: int, points: np.ndarray, value: Any) -> GridFinal:
    """Field `i` moved by a constant at each time, so that it is `value` on average over points of space `(n, dim)`."""
    names = [x.name for x in pde.space]
    lowered = lower([value], coordinates=pde.coordinates)
    with float64():
        # The rows as fields of one steady solution: interpolation in space only.
        rows = np.concatenate([np.asarray(final.values)[:, i], np.asarray(final.rates)[:, i]])[None]
        steady = GridFinal(final.axes, None, rows, np.zeros_like(rows))
        here = Program(lambda x: steady.derivatives((0,) * len(names), x))(points[:, : len(names)])
        at = {n: jnp.asarray(points[:, k])[:, None] for k, n in enumerate(names)}
        times = jnp.zeros(1) if final.times is None else jnp.asarray(final.times)

        def wanted(t: Any) -> Any:
            clock = {} if pde.time is None else {pde.time.name: t}
            return jnp.broadcast_to(lowered(at | clock)[0], (len(points), len(times)))

        values, rates = jax.jvp(wanted, (times,), (jnp.ones_like(times),))
        off = np.mean(np.concatenate([values, rates], axis=1) - np.asarray(here), axis=0)
    return _raised(final, i, off)


def _without_mean(final: GridFinal, i: int) -> GridFinal:
    mean = np.concatenate([np.asarray(final.values)[:, i], np.asarray(final.rates)[:, i]])
    for axis in reversed(final.axes):
        mean = mean @ _mean_weights(axis)
    return _raised(final, i, -mean)


def _raised(final: GridFinal, i: int, by: np.ndarray) -> GridFinal:
    """`by`: for the values at all times, then for their rates."""
    values, rates = np.array(final.values), np.array(final.rates)
    both = by.reshape(2, -1, *[1] * len(final.axes))
    values[:, i] += both[0]
    rates[:, i] += both[1]
    return GridFinal(final.axes, final.times, values, rates, final.smooth)


def _mean_weights(axis: AbstractAxis) -> np.ndarray:
    """Weights of the values on an axis whose sum is the mean of their interpolant, by Gauss's quadrature."""
    if isinstance(axis, PeriodicAxis | CellAxis):
        return np.full(axis.n, 1 / axis.n)
    nodes, weights = np.polynomial.legendre.leggauss(axis.n)
    x = (axis.lower + axis.upper + (axis.upper - axis.lower) * nodes) / 2
    with float64():
        slots, shares = jax.vmap(lambda x: axis.weights(x, axis.n))(jnp.asarray(x))
    total = np.zeros(axis.n)
    np.add.at(total, np.asarray(slots), np.asarray(shares) * weights[:, None] / 2)
    return total
