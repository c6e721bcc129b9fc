"""Wave equations."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp
from _runner import Stated

from sciml import PDE, Box, Dirichlet, Initial, Neumann, coordinates, field, laplacian, table

from ._data import TABLE, best, own, random_field

pi = sp.pi


@TABLE.entry("Wave1D-C", "9.79e-2; 1.6e-2", right=best(9.79e-2))
def wave() -> Stated:
    x, t = coordinates("x t")
    u = field("u", x, t)
    start = sp.sin(pi * x) + sp.sin(4 * pi * x) / 2
    pde = PDE(u.tt - 4 * u.xx, Initial(u, start), Initial(u, 0, order=1), Dirichlet(u, 0))

    def exact(x: Any, t: Any) -> Any:
        return np.sin(np.pi * x) * np.cos(2 * np.pi * t) + 0.5 * np.sin(4 * np.pi * x) * np.cos(8 * np.pi * t)

    return Stated(pde, Box(x=(0, 1), t=(0, 1)), {"u": exact})


@TABLE.entry("Wave2D-CG", "7.94e-1 (reference 7e-3)", right=best(7.94e-1))
def wave_varying_speed() -> Stated:
    x, y, t = coordinates("x y t")
    u = field("u", x, y, t)
    s = np.linspace(-1, 1, 256)
    c = table("c", (s, s), np.where(random_field() > 0, 12.0, 1.0), degree=1)
    start = sp.exp(-((x + 0.5) ** 2 + y**2) / (2 * 0.3**2))
    pde = PDE(u.tt - c(x, y) * laplacian(u), Initial(u, start), Initial(u, 0, order=1), Neumann(u, 0))
    return Stated(pde, Box(x=(-1, 1), y=(-1, 1), t=(0, 5)), own("wave2d_cg"))


def sine_series(x: Any, y: Any, t: Any, terms: int = 400) -> Any:
    """The solution of what is stated. PINNacle's formula leaves the residual -2 pi^2 u; the wave that this residual drives
    is added, in sines between the walls."""
    m = np.arange(1, terms + 1)
    sinh = lambda k: 2 * np.sinh(k * np.pi) * (-1.0) ** (m + 1) * m / (np.pi * (m**2 + k**2))  # noqa: E731
    x, y, t = (np.asarray(q, float).ravel() for q in (x, y, t))
    total = (np.sin(np.pi * x) * np.sinh(np.pi * y) + np.sinh(3 * np.pi * x) * np.sin(2 * np.pi * y)) * np.cos(np.pi * t)
    for mode, other, series, square in (
        (np.sin(np.pi * x), y, sinh(1), 1 + 2 * m**2.0),
        (np.sin(2 * np.pi * y), x, sinh(3), m**2.0 + 8),
    ):
        omega = np.pi * np.sqrt(square)
        weight = 2 * np.pi**2 * series / (omega**2 - np.pi**2)
        for k in range(terms):
            driven = weight[k] * (np.cos(np.pi * t) - np.cos(omega[k] * t))
            total += mode * driven * np.sin(m[k] * np.pi * other)
    return total


@TABLE.entry("Wave2D-MS", "9.82e-1; 9.4e-1", right=best(9.82e-1))
def wave_many_scales() -> Stated:
    x, y, t = coordinates("x y t")
    u = field("u", x, y, t)
    formula = (sp.sin(pi * x) * sp.sinh(pi * y) + sp.sinh(3 * pi * x) * sp.sin(2 * pi * y)) * sp.cos(pi * t)
    pde = PDE(u.tt - u.xx - 2 * u.yy, Initial(u, formula.subs(t, 0)), Initial(u, 0, order=1), Dirichlet(u, formula))
    return Stated(pde, Box(x=(0, 1), y=(0, 1), t=(0, 100)), {"u": sine_series})
