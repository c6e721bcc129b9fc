"""Burgers and Navier-Stokes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import references
import sympy as sp
from _runner import Stated

from sciml import (
    PDE,
    Box,
    Condition,
    Dirichlet,
    Initial,
    Neumann,
    Periodic,
    Polygon,
    Rectangle,
    coordinates,
    field,
    fields,
    laplacian,
)

from ._data import SEED, TABLE, best, own, points_file

pi = sp.pi
NU = 0.01


@TABLE.entry("Burgers1D-C", "1.43e-2 (1.33e-2 is the file's own error)", right=best(1.43e-2))
def burgers() -> Stated:
    """Against Cole and Hopf: PINNacle's file is off by 1.3e-2."""
    x, t = coordinates("x t")
    u = field("u", x, t)
    pde = PDE(u.t + u * u.x - 0.01 / np.pi * u.xx, Initial(u, -sp.sin(pi * x)), Dirichlet(u, 0))
    return Stated(pde, Box(x=(-1, 1), t=(0, 1)), {"u": references.burgers})


def random_waves(x: Any, y: Any) -> list[Any]:
    """sum A_ij sin 2 pi (i x + j y) + B_ij cos 2 pi (i x + j y), scaled, plus a constant, for u and for v."""
    random = np.random.RandomState(SEED)
    draws = [(random.randn(4, 4), random.randn(4, 4)) for _ in range(2)]
    shift = random.randn(2)

    def waves(a: Any, b: Any, x: Any, y: Any, m: Any) -> Any:
        angles = [(i, j, 2 * m.pi * (i * x + j * y)) for i in range(4) for j in range(4)]
        return sum(a[i, j] * m.sin(angle) + b[i, j] * m.cos(angle) for i, j, angle in angles)

    mesh = np.meshgrid(*[np.linspace(0, 4, 512)] * 2)
    largest = max(waves(a, b, *mesh, np).max() for a, b in draws)
    return [waves(2 * a / largest, 2 * b / largest, x, y, sp) + c for (a, b), c in zip(draws, shift, strict=True)]


@TABLE.entry("Burgers2D-C", "2.60e-1 (reference 4.5e-2)", right=best(2.60e-1))
def burgers_plane() -> Stated:
    """The initial value is ours, from PINNacle's seed: its file is not public."""
    x, y, t = coordinates("x y t")
    u, v = fields("u v", x, y, t)
    momentum = [w.t + u * w.x + v * w.y - 0.001 * laplacian(w) for w in (u, v)]
    pde = PDE(*momentum, Initial((u, v), tuple(random_waves(x, y))), Periodic())
    return Stated(pde, Box(x=(0, 4), y=(0, 4), t=(0, 1)), own("burgers2d"))


def steady(u: Any, v: Any, p: Any) -> tuple[Any, Any, Any]:
    momentum = [u * w.x + v * w.y + slope - NU * laplacian(w) for w, slope in ((u, p.x), (v, p.y))]
    return momentum[0], momentum[1], u.x + v.y


@TABLE.entry("NS2D-C", "3.60e-2; 2.4e-2", right=best(3.60e-2))
def cavity() -> Stated:
    x, y = coordinates("x y")
    u, v, p = fields("u v p", x, y)
    pde = PDE(
        *steady(u, v, p),
        Dirichlet((u, v), (4 * x * (1 - x), 0), on="y_max"),
        Dirichlet((u, v), 0, on=("x_min", "x_max", "y_min")),
        Dirichlet(p, 0, on={"x": 0, "y": 0}),
    )
    points, truth = points_file("lid_driven_a4.dat", "xy", "uvp")
    # At the ends of the lid the slope of u jumps and the pressure is infinite, in the file what the finest element had.
    finite = ~((points["y"] == 1) & np.isin(points["x"], (0, 1)))
    return Stated(
        pde, Rectangle((0, 0), (1, 1)), ({k: a[finite] for k, a in points.items()}, {k: a[finite] for k, a in truth.items()})
    )


# The three ways to state an outlet: the pressure alone, as PINNacle does; that of the README; pressure and no change of the
# velocity along the flow. Each gives the conditions on `part`.
Outlet = Callable[[Any, Any, Any, str], tuple[Any, ...]]
OUTLETS: dict[str, Outlet] = {
    "": lambda u, v, p, part: (Dirichlet(p, 0, on=part),),
    ", open outlet": lambda u, v, p, part: (Condition(NU * u.x - p, on=part, name="open outlet"), Neumann(v, 0, on=part)),
    ", p = 0 and Neumann": lambda u, v, p, part: (Dirichlet(p, 0, on=part), Neumann((u, v), 0, on=part)),
}


def step(outlet: Outlet, polygon: bool) -> Stated:
    x, y = coordinates("x y")
    u, v, p = fields("u v p", x, y)
    if polygon:  # counter-clockwise from the origin: floor, outlet, roof, two edges of the step, inlet
        domain: Any = Polygon([(0, 0), (4, 0), (4, 2), (2, 2), (2, 1), (0, 1)])
        inlet, out, walls = "edge_5", "edge_1", ("edge_0", "edge_2", "edge_3", "edge_4")
    else:
        domain = Rectangle((0, 0), (4, 2)) - Rectangle((0, 1), (2, 2), name="step")
        inlet, out, walls = "x_min", "x_max", tuple(n for n in domain.boundary if n not in ("x_min", "x_max"))
    pde = PDE(
        *steady(u, v, p),
        Dirichlet((u, v), (4 * y * (1 - y), 0), on=inlet),
        Dirichlet((u, v), 0, on=walls),
        *outlet(u, v, p, out),
    )
    return Stated(pde, domain, own("ns2d_cg"))


def long_channel(outlet: Outlet) -> Stated:
    x, y, t = coordinates("x y t")
    u, v, p = fields("u v p", x, y, t)
    along, across, mass = steady(u, v, p)
    force = -sp.sin(pi * x) * sp.sin(pi * y) * sp.sin(pi * t)
    inflow = sp.sin(pi * y) * (sp.sin(pi * t) + sp.sin(3 * pi * t) + sp.sin(5 * pi * t))
    pde = PDE(
        u.t + along, v.t + across - force, mass,
        Initial((u, v), 0),
        Dirichlet((u, v), (inflow, 0), on="x_min"),
        Dirichlet((u, v), 0, on=("y_min", "y_max")),
        *outlet(u, v, p, "x_max"),
    )  # fmt: skip
    return Stated(pde, Box(x=(0, 2), y=(0, 1), t=(0, 5)), own("ns2d_lt"))


for form, outlet in OUTLETS.items():
    TABLE.entry(f"NS2D-CG{form}", "8.24e-2 (its file has another outlet)", right=best(8.24e-2))(
        lambda form=form, outlet=outlet: step(outlet, polygon=not form)
    )
for form, outlet in OUTLETS.items():
    TABLE.entry(f"NS2D-LT{form}", "9.70e-1", right=best(9.70e-1))(lambda outlet=outlet: long_channel(outlet))
