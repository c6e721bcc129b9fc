"""Weights that vanish where prescribed values contradict each other.

At such a corner the solution itself jumps, its n-th derivatives grow like r^-n, and no smooth function has a small
residual. Rows of the equations are therefore multiplied with (rho / (1 + rho))^n, rho = r / radius, where n is the order of the
equation: the weighted residual of the exact solution's singular part stays bounded. Rows of conditions keep their
weight but for the last hundredth next to the corner, where half-way between two values is as right as any.
"""

from __future__ import annotations

from typing import Any

import numpy as np

RADIUS = 0.1  # of the half-width of the domain
BLUNT = 0.02

Corner = tuple[tuple[int, float], ...]


def corner_distance(x: np.ndarray, corners: list[Corner], half_widths: np.ndarray) -> np.ndarray:
    """The distance of points `(n, d)` to the nearest corner, in half-widths of the domain, `(n,)`; inf without corners."""
    nearest = np.full(len(x), np.inf)
    for corner in corners:
        squares = [((x[:, axis] - value) / half_widths[axis]) ** 2 for axis, value in corner]
        nearest = np.minimum(nearest, np.sqrt(np.sum(squares, axis=0)))
    return nearest


def equation_weight(x: np.ndarray, corners: list[Corner], half_widths: np.ndarray, order: int) -> Any:
    """Quadrature weights: the square of (rho / (1 + rho))^order."""
    if not corners:
        return np.ones(len(x))
    rho = corner_distance(x, corners, half_widths) / RADIUS
    return (rho / (1 + rho)) ** (2 * order)


def condition_weight(x: np.ndarray, corners: list[Corner], half_widths: np.ndarray) -> Any:
    if not corners:
        return np.ones(len(x))
    rho = corner_distance(x, corners, half_widths) / BLUNT
    return np.minimum(1.0, rho) ** 2
