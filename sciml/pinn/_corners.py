"""Corners where prescribed values contradict each other.

The solution itself jumps there, its n-th derivatives grow like r^-n, and no smooth function has a small residual. Rows of an
equation of order n are therefore multiplied with [rho / (1 + rho)]^(n-1), rho = r / RADIUS: what is left grows like 1/r, whose
square is all but integrable, and the corner does not crowd out the rest of the domain. An equation of first order keeps
its weight: without it, mass would leak through the corner of a cavity.

Distances are measured in half-widths of the domain.
"""

from __future__ import annotations

import numpy as np

RADIUS = 0.2

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
