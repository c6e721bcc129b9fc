"""Means over cells of what may jump: conductivities between two centres, and sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
import sympy as sp

from ..geometry import Domain
from ..pde import PDE, Coordinate, Field, lower
from ..pde._flux import expanded
from ..statement import breaks_along, find_jump
from .spatial import CellAxis

PIECES = 16  # of the way between two centres, for the harmonic mean
SAMPLES = {1: 64, 2: 16, 3: 4}  # of a source along a cell, where it is not known where it jumps
_GAUSS = np.polynomial.legendre.leggauss(4)
Breaks = tuple[float, ...] | None


def nodes(left: np.ndarray, right: np.ndarray, breaks: Breaks) -> tuple[np.ndarray, np.ndarray]:
    """Gauss nodes and weights (their sum is one) of intervals, `(intervals, nodes)`, cut at the breaks."""
    if breaks is None:
        cuts = left[:, None] + (right - left)[:, None] * np.linspace(0, 1, PIECES + 1)
    else:
        inner = np.clip(np.array(breaks)[None, :], left[:, None], right[:, None])
        cuts = np.concatenate([left[:, None], inner, right[:, None]], axis=1)
    middle, half = (cuts[:, 1:] + cuts[:, :-1]) / 2, (cuts[:, 1:] - cuts[:, :-1]) / 2
    x = middle[..., None] + half[..., None] * _GAUSS[0]
    w = half[..., None] * _GAUSS[1] / (right - left)[:, None, None]
    return x.reshape(len(left), -1), w.reshape(len(left), -1)


@dataclass(frozen=True)
class JumpingSource:
    """A term varying(x, t) factor(u, x, t) of the source of a state; `varying` has no fields, and its mean over each cell is
    taken. `breaks[axis]`: where it jumps, None where that is not known. Both are lowered."""

    state: int
    varying: Any
    factor: Any
    breaks: tuple[Breaks, ...]
    steady: bool

    def mean(self, names: tuple[str, ...], line: tuple[CellAxis, ...], known: Mapping[str, Any]) -> Any:
        """Over each cell `(*n,)`; `known`: parameters and the time."""
        places, weights = [], []
        for axis, breaks in zip(line, self.breaks, strict=True):
            left = axis.lower + axis.spacing * np.arange(axis.n)
            if breaks is None:
                count = SAMPLES[len(line)]
                x = left[:, None] + axis.spacing * (np.arange(count) + 0.5) / count
                w = np.full(x.shape, 1 / count)
            else:
                x, w = nodes(left, left + axis.spacing, breaks)
            places.append(x)
            weights.append(jnp.asarray(w))
        mesh = np.meshgrid(*(x.ravel() for x in places), indexing="ij")
        (value,) = self.varying(dict(known) | dict(zip(names, map(jnp.asarray, mesh), strict=True)))
        value = jnp.broadcast_to(value, mesh[0].shape)
        for k, w in enumerate(weights):
            value = value.reshape(*value.shape[:k], *w.shape, *value.shape[k + 1 :])
            value = jnp.sum(value * w.reshape(*w.shape, *(1,) * (value.ndim - k - 2)), axis=k + 1)
        return value


def split_sources(
    pde: PDE, domain: Domain, sources: tuple[Any, ...]
) -> tuple[tuple[Any, ...], tuple[JumpingSource, ...]]:
    """(what is taken at the centres, what jumps along a coordinate of space) of the sources of all states."""
    smooth, jumping = [], []
    down = lambda e: lower([e], coordinates=pde.coordinates)  # noqa: E731
    for i, source in enumerate(sources):
        rest: Any = sp.Integer(0)
        for term in sp.Add.make_args(expanded(_by_pieces(sp.sympify(source)))):
            outer = [f for f in sp.Mul.make_args(term) if f.atoms(Coordinate) and not f.atoms(Field)]
            varying = sp.Mul(*outer)
            if all(find_jump(pde, domain, varying, c) is None for c in pde.space):
                rest += term
                continue
            factor = sp.Mul(*(f for f in sp.Mul.make_args(term) if f not in outer))
            cuts = tuple(breaks_along(pde, domain, varying, c) for c in pde.space)
            steady = pde.time not in varying.free_symbols
            jumping.append(JumpingSource(i, down(varying), down(factor), cuts, steady))
        smooth.append(rest)
    return tuple(smooth), tuple(jumping)


def _by_pieces(expression: Any) -> Any:
    """With what is piecewise in fields as a sum over its pieces, each an indicator times its value."""

    def parted(*pieces: Any) -> Any:
        whole = sp.Piecewise(*pieces)
        if not any(value.atoms(Field) for value, _ in pieces) or any(when.atoms(Field) for _, when in pieces):
            return whole
        before, total = [], sp.Integer(0)
        for value, when in pieces:
            earlier = [(0, b) for b in before]
            total += value * sp.Piecewise(*earlier, (1, when), (0, True))
            before.append(when)
        return total

    return expression.replace(sp.Piecewise, parted)
