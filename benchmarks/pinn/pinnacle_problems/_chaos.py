"""Reaction and diffusion, chaos."""

from __future__ import annotations

import numpy as np
import sympy as sp
from _runner import Stated

from sciml import PDE, Box, Initial, Periodic, coordinates, field, fields, laplacian

from ._data import TABLE, best, own


@TABLE.entry("GS", "7.99e-2 (reference 3e-3; v 5e-2)", right=best(7.99e-2))
def gray_scott() -> Stated:
    x, y, t = coordinates("x y t")
    u, v = fields("u v", x, y, t)
    pde = PDE(
        u.t - 1e-5 * laplacian(u) - 0.04 * (1 - u) + u * v**2,
        v.t - 5e-6 * laplacian(v) + 0.1 * v - u * v**2,
        Initial(u, 1 - sp.exp(-80 * ((x + 0.05) ** 2 + (y + 0.02) ** 2))),
        Initial(v, sp.exp(-80 * ((x - 0.05) ** 2 + (y - 0.02) ** 2))),
        Periodic(),
    )
    return Stated(pde, Box(x=(-1, 1), y=(-1, 1), t=(0, 200)), own("gray_scott"))


@TABLE.entry("KS", "9.57e-1 (reference 6e-6)", right=best(9.57e-1))
def kuramoto_sivashinsky() -> Stated:
    x, t = coordinates("x t")
    u = field("u", x, t)
    equation = u.t + 100 / 16 * u * u.x + 100 / 16**2 * u.xx + 100 / 16**4 * u.xxxx
    pde = PDE(equation, Initial(u, sp.cos(x) * (1 + sp.sin(x))), Periodic())
    return Stated(pde, Box(x=(0, 2 * np.pi), t=(0, 1)), own("kuramoto_sivashinsky"))
