"""Which points of a staggered grid are forced so that the flow is at rest on obstacles, and what holds there.

Between a fluid point f and a solid one s along a grid line the surface is crossed at the distance d from f. The nearer of the
two is forced: f to the line between the surface and the next fluid point, or s to the line through f and the surface.

The forces make the pressure jump at the forced points. What it is on the fluid side is continued into the obstacle, by the
quadratic polynomial through the nearest cells that see no force, so that it can be interpolated to the surface.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.spatial import KDTree

from ..._programs import Program
from ._staggered import Continuation, Staggered, Surface

KEPT = 1e-7  # singular values, relative to the largest, below which constraints repeat each other
DEPTH = 5  # cells, to which the pressure is continued


def with_surface(flow: Staggered, region: Any) -> Staggered:
    """`flow` with the obstacles that `region` leaves out of its box."""
    found = [_component(flow, region, a) for a in range(flow.dim)]
    points, neighbours, weights = (tuple(part) for part in zip(*found, strict=True))
    if not sum(map(len, points)):
        raise ValueError("The grid does not see the obstacle: it lies between the points. Take more points (grid=...).")
    continued = _continuation(flow, region, points)
    bare = replace(flow, surface=Surface(points, neighbours, weights, np.zeros((0, 0)), continued))
    m = sum(map(len, points))
    nothing = tuple(jnp.zeros(flow.shape(a)) for a in range(flow.dim))
    response = Program(
        lambda: jax.lax.map(lambda e: bare.missed(bare.projected(bare.pushed(e, nothing))[0]), jnp.eye(m), batch_size=16)
    )
    K = np.asarray(response()).T
    return replace(flow, surface=Surface(points, neighbours, weights, np.linalg.pinv(K, rcond=KEPT), continued))


def _component(flow: Staggered, region: Any, a: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    places = _places(flow, a)
    mesh, distance = _distance(region, places)
    shape = distance.shape
    on_wall = np.zeros(shape, bool)
    for m, axis in zip(mesh, flow.line, strict=True):
        on_wall |= (m <= axis.faces[0]) | (m >= axis.faces[-1])
    solid = (distance > 0) & ~on_wall
    number = np.arange(distance.size).reshape(shape)
    best: dict[int, tuple[float, int, float]] = {}

    def offer(point: int, near: float, neighbour: int, weight: float) -> None:
        if point not in best or near < best[point][0]:
            best[point] = near, neighbour, weight

    for b, line in enumerate(places):
        for step in (1, -1):
            # Fluid points whose next one in this direction is solid.
            ahead = np.roll(solid, -step, axis=b)
            cut = ~solid & ahead
            edge = [slice(None)] * flow.dim
            edge[b] = slice(-1, None) if step == 1 else slice(0, 1)
            cut[tuple(edge)] = False
            for place in zip(*np.nonzero(cut), strict=True):
                i = place[b]
                inner = tuple(k + step * (c == b) for c, k in enumerate(place))
                gap = abs(line[i + step] - line[i])
                f, s = abs(distance[place]), abs(distance[inner])
                d = gap * f / (f + s)
                if d > gap / 2:
                    offer(int(number[inner]), gap - d, int(number[place]), -(gap - d) / d)
                    continue
                behind = tuple(k - step * (c == b) for c, k in enumerate(place))
                if not 0 <= behind[b] < shape[b] or solid[behind]:
                    offer(int(number[place]), d, int(number[place]), 0.0)
                else:
                    back = abs(line[i - step] - line[i])
                    offer(int(number[place]), d, int(number[behind]), d / (d + back))
    order = sorted(best)
    return (
        np.array(order, int),
        np.array([best[k][1] for k in order], int),
        np.array([best[k][2] for k in order], float),
    )


def _places(flow: Staggered, a: int) -> list[np.ndarray]:
    """Where component a lives along each axis."""
    return [axis.faces[: axis.own] if a == b else axis.centres for b, axis in enumerate(flow.line)]


def _distance(region: Any, places: list[np.ndarray]) -> tuple[list[Any], Any]:
    """The tensor grid of `places`, and its signed distance to the boundary: positive in obstacles."""
    mesh = list(np.meshgrid(*places, indexing="ij"))
    distance = region.signed_distance(np.stack([m.ravel() for m in mesh], axis=1))
    return mesh, np.asarray(distance).reshape(mesh[0].shape)


def _continuation(flow: Staggered, region: Any, points: tuple[np.ndarray, ...]) -> Continuation:
    """How the pressure of cells in and next to obstacles follows from those in the flow."""
    mesh, distance = _distance(region, [axis.centres for axis in flow.line])
    # A cell is in the flow if the equation of motion joins it to another one: through a face that is not forced, in the fluid.
    joined = np.zeros(distance.shape, bool)
    for a, axis in enumerate(flow.line):
        _, at_faces = _distance(region, _places(flow, a))
        free = at_faces <= 0
        free.flat[points[a]] = False
        free = np.moveaxis(free, a, 0)
        below, above = (np.roll(free, -1, axis=0), free) if axis.wraps else (free[1:], free[:-1])
        joined |= np.moveaxis(below | above, 0, a)
    known = joined & (distance < 0)
    # Lengths in cells, which are of equal size around an obstacle.
    width = min(float(axis.widths.min()) for axis in flow.line)
    x = np.stack([m.ravel() for m in mesh], axis=1) / width
    sources = np.flatnonzero(known.ravel())
    targets = np.flatnonzero(~known.ravel() & (distance.ravel() < DEPTH * width))
    count = {2: 12, 3: 24}[flow.dim]
    near = np.asarray(KDTree(x[sources]).query(x[targets], k=count)[1])
    rows = []
    for target, group in zip(targets, near, strict=True):
        apart = x[sources[group]] - x[target]
        middle = apart.mean(axis=0)
        basis = _quadratic(apart - middle)
        # The value at the target of the polynomial that fits best.
        rows.append((_quadratic(-middle[None]) @ np.linalg.pinv(basis, rcond=1e-6))[0])
    return Continuation(targets, sources[near], np.array(rows))


def _quadratic(x: np.ndarray) -> np.ndarray:
    """All monomials of degree two or less."""
    d = x.shape[1]
    products = [x[:, i] * x[:, j] for i in range(d) for j in range(i, d)]
    return np.stack([np.ones(len(x)), *x.T, *products], axis=1)
