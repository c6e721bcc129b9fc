"""Which points of a staggered grid are forced so that the flow is at rest on obstacles, and what holds there.

Between a fluid point f and a solid one s along a grid line the surface is crossed at the distance d from f. The nearer of the
two is forced: f to the line between the surface and the next fluid point, or s to the line through f and the surface.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._staggered import Staggered, Surface

KEPT = 1e-7  # singular values, relative to the largest, below which constraints repeat each other


def with_surface(flow: Staggered, region: Any) -> Staggered:
    """`flow` with the obstacles that `region` leaves out of its box."""
    found = [_component(flow, region, a) for a in range(flow.dim)]
    points, neighbours, weights = (tuple(part) for part in zip(*found, strict=True))
    if not sum(map(len, points)):
        raise ValueError("The grid does not see the obstacle: it lies between the points. Take more points (grid=...).")
    bare = replace(flow, surface=Surface(points, neighbours, weights, np.zeros((0, 0))))
    m = sum(map(len, points))
    nothing = tuple(jnp.zeros(flow.shape(a)) for a in range(flow.dim))
    response = jax.jit(
        lambda: jax.lax.map(lambda e: bare.missed(bare.projected(bare.pushed(e, nothing))[0]), jnp.eye(m), batch_size=16)
    )
    K = np.asarray(response()).T
    return replace(flow, surface=Surface(points, neighbours, weights, np.linalg.pinv(K, rcond=KEPT)))


def _component(flow: Staggered, region: Any, a: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    places = [axis.faces[: axis.own] if a == b else axis.centres for b, axis in enumerate(flow.line)]
    mesh = np.meshgrid(*places, indexing="ij")
    shape = mesh[0].shape
    distance = region.signed_distance(np.stack([m.ravel() for m in mesh], axis=1)).reshape(shape)
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
