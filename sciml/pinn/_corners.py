"""Corners where prescribed values contradict each other.

The solution itself jumps there, its n-th derivatives grow like r^-n. A smooth function that rounds the jump off over a length
delta has squared residuals of delta^-2n on an area delta^2. Rows of an equation of order n are therefore multiplied with
[rho / (1 + rho)]^n, rho = r / RADIUS: what rounding costs then falls like delta^2. With the power n - 1 it would not depend on
delta, so nothing would drive a network to sharpen the jump, and the corner would crowd out the rest of the domain. An
equation of first order keeps its weight: without it, mass would leak through the corner of a cavity.

Distances are measured in half-widths of the domain.
"""

from __future__ import annotations

from typing import Any

import numpy as np

RADIUS = 0.2
NEAREST = 3e-3
SHARE = 0.25

Corner = tuple[tuple[int, float], ...]


def damping(z: np.ndarray, corners: tuple[Corner, ...]) -> np.ndarray:
    """rho / (1 + rho) at points `(n, d)` scaled to [-1, 1], for the nearest corner; one without corners."""
    if not corners:
        return np.ones(len(z))
    nearest = np.full(len(z), np.inf)
    for corner in corners:
        nearest = np.minimum(nearest, np.sqrt(sum((z[:, axis] - value) ** 2 for axis, value in corner)))
    rho = nearest / RADIUS
    return rho / (1 + rho)


def damped(damping: Any, order: int) -> Any:
    """The factor of the rows of an equation of this order."""
    return damping**order if order > 1 else 1.0


def graded(
    z: np.ndarray, corners: tuple[Corner, ...], generator: np.random.Generator, *, inside: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Points `(n, d)` in [-1, 1] with a quarter of them moved towards the corners, and quadrature weights `(n,)` of
    mean one that undo it.

    Their distance r to a corner is then uniform in log r from NEAREST to 1, so that a network can have no spike there
    between the points. A point that lies on one of the two faces of a corner stays on it. With K the number of corners
    that a point can be moved to, the density relative to the uniform one is

        3/4 + 1/(4K) sum_c 8 / (pi r_c^2 log(1/NEAREST))    inside,      2 / (r_c log(1/NEAREST)) on a face.
    """
    if not corners or not len(z):
        return z, np.ones(len(z))
    z, span = np.array(z, dtype=float), np.log(1 / NEAREST)
    on = np.array([[np.abs(z[:, axis] - value) < 1e-9 for axis, value in corner] for corner in corners])  # (K, 2, n)
    near = on.sum(axis=1) < 2
    if not inside:  # a point on a face can be moved only along it
        near &= on.any(axis=1)
    count = near.sum(axis=0)
    moves = (generator.random(len(z)) < SHARE) & (count > 0)
    chosen = np.argmax(near.cumsum(axis=0) > np.floor(generator.random(len(z)) * count), axis=0)
    r, angle = np.exp(-span * generator.random(len(z))), np.pi / 2 * generator.random(len(z))
    for k, corner in enumerate(corners):
        mine = moves & (chosen == k)
        for face, part in enumerate((np.cos(angle), np.sin(angle))):
            axis, value = corner[face]
            length = np.where(on[k, 1 - face], r, r * part)  # along a face the whole distance is in the other axis
            z[:, axis] = np.where(mine & ~on[k, face], value - np.sign(value) * length, z[:, axis])
    density = np.where(count > 0, 1 - SHARE, 1.0)
    for k, corner in enumerate(corners):
        r = np.sqrt(sum((z[:, axis] - value) ** 2 for axis, value in corner))
        moved = (r >= NEAREST) & (r <= 1) & near[k]
        r = np.where(moved, r, 1.0)
        here = np.where(on[k].any(axis=0), 2 / (r * span), 8 / (np.pi * r**2 * span))
        density += np.where(moved, SHARE * here / np.maximum(count, 1), 0.0)
    weight = 1 / density
    return z, weight / weight.mean()
