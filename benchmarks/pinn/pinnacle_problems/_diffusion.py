"""Poisson and heat equations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp
from _runner import Stated

from sciml import (
    PDE,
    Ball,
    Box,
    Dirichlet,
    Disk,
    Initial,
    Neumann,
    Rectangle,
    Robin,
    Time,
    coordinates,
    field,
    laplacian,
    table,
)

from ._data import TABLE, best, numbers, own, points_file, random_field, times_file

pi = sp.pi
OUTSIDE = ("x_min", "x_max", "y_min", "y_max")


def with_holes(rectangle: Any, disks: list[tuple[float, float, float]], name: str = "hole") -> tuple[Any, tuple[str, ...]]:
    names = tuple(f"{name}{i}" for i in range(len(disks)))
    for hole, (a, b, radius) in zip(names, disks, strict=True):
        rectangle = rectangle - Disk((a, b), radius, name=hole)
    return rectangle, names


@TABLE.entry("Poisson2D-C", "1.23e-2; 8.2e-3", right=best(1.23e-2))
def poisson_classic() -> Stated:
    x, y = coordinates("x y")
    u = field("u", x, y)
    domain, holes = with_holes(
        Rectangle((-0.5, -0.5), (0.5, 0.5)), [(a, b, 0.1) for a, b in ((0.3, 0.3), (-0.3, 0.3), (0.3, -0.3), (-0.3, -0.3))]
    )
    pde = PDE(laplacian(u), Dirichlet(u, 1, on=OUTSIDE), Dirichlet(u, 0, on=holes))
    return Stated(pde, domain, points_file("poisson1_cg_data.dat", "xy", "u"))


@TABLE.entry("Poisson2D-CG", "1.43e-2; 4.1e-3", right=best(1.43e-2))
def poisson_boltzmann() -> Stated:
    x, y = coordinates("x y")
    u = field("u", x, y)
    domain, holes = with_holes(
        Rectangle((-1, -1), (1, 1)), [(0.5, 0.5, 0.2), (0.4, -0.4, 0.4), (-0.2, -0.7, 0.1), (-0.6, 0.5, 0.3)]
    )
    source = 10 * (1 + x**2 + 16 + y**2) * sp.sin(pi * x) * sp.sin(4 * pi * y)
    pde = PDE(-laplacian(u) + 64 * u - source, Dirichlet(u, 0.2, on=OUTSIDE), Dirichlet(u, 1, on=holes))
    return Stated(pde, domain, points_file("poisson_boltzmann2d.dat", "xy", "u"))


@TABLE.entry("Poisson3D-CG", "1.02e-1; 5.7e-2 (reference 5e-3)", right=best(1.02e-1))
def poisson_with_balls() -> Stated:
    x, y, z = coordinates("x y z")
    u = field("u", x, y, z)
    domain: Any = Box(x=(0, 1), y=(0, 1), z=(0, 1))
    for a, b, c, radius in ((0.4, 0.3, 0.6, 0.2), (0.6, 0.7, 0.6, 0.2), (0.2, 0.8, 0.7, 0.1), (0.6, 0.2, 0.3, 0.1)):
        domain = domain - Ball((a, b, c), radius)
    square = x**2 + y**2 + z**2
    waves = sp.sin(pi * x) + sp.sin(10 * pi * y) + sp.sin(5 * pi * z)
    source = 20 * sp.exp(waves) * (square - 1) / (square + 1)
    source += 100 * sp.sin(pi * x) * sp.sin(10 * pi * y) * sp.sin(5 * pi * z)
    k = sp.Piecewise((64, z < 0.5), (100, True))
    return Stated(PDE(-laplacian(u) + k * u - source, Neumann(u, 0)), domain, own("poisson3d"))


def by_block(x: Any, y: Any, value: Callable[[int, int], Any]) -> Any:
    """`value(i, j)` on blocks of side 4 in (-10, 10)^2."""

    def along(s: Any, part: Callable[[int], Any]) -> Any:
        return sp.Piecewise(*[(part(i), s < 4 * i - 6 if i < 4 else True) for i in range(5)])

    return along(x, lambda i: along(y, lambda j: value(i, j)))


def many_blocks(divided: bool) -> Stated:
    x, y = coordinates("x y")
    u = field("u", x, y)
    a, f = numbers("poisson_a_coef.dat"), numbers("poisson_f_coef.dat").reshape(5, 5, 2, 2)

    def source(i: int, j: int) -> Any:
        wave = sp.sin(pi * (x + 10 - 4 * i) / 4) * sp.sin(pi * (y + 10 - 4 * j) / 4)
        total = float(f[i, j, 0, 0]) + float(f[i, j, 1, 1]) * wave
        return total / float(a[i, j]) if divided else total

    coefficient = 1 if divided else by_block(x, y, lambda i, j: float(a[i, j]))
    pde = PDE(coefficient * laplacian(u) + by_block(x, y, source), Robin(u, 1, 1, 0))
    return Stated(pde, Rectangle((-10, -10), (10, 10)), own("poisson2d_ms"))


@TABLE.entry("Poisson2D-MS", "5.90e-1 (reference 5e-5)", right=best(5.90e-1))
def poisson_many_scales() -> Stated:
    return many_blocks(divided=False)


@TABLE.entry("Poisson2D-MS, divided by a", "5.90e-1 (reference 5e-5)", right=best(5.90e-1))
def poisson_many_scales_divided() -> Stated:
    return many_blocks(divided=True)


@TABLE.entry("PoissonNd-C", "4.67e-4; 1.3e-4", roads=("pinn",), right=best(4.67e-4))
def poisson_five_dimensions() -> Stated:
    xs = coordinates("x1 x2 x3 x4 x5")
    u = field("u", *xs)
    exact = sum(sp.sin(pi / 2 * x) for x in xs)
    pde = PDE(laplacian(u) + pi**2 / 4 * exact, Dirichlet(u, exact))
    return Stated(pde, Box({x.name: (0, 1) for x in xs}), {"u": lambda *p: sum(np.sin(np.pi / 2 * q) for q in p)})


@TABLE.entry("Heat2D-VC", "2.12e-1 (reference 2e-3)", right=best(2.12e-1))
def heat_varying_coefficient() -> Stated:
    """The coefficient is interpolated linearly here, by the nearest value in PINNacle."""
    x, y, t = coordinates("x y t")
    u = field("u", x, y, t)
    s = np.linspace(0, 1, 256)
    a = table("a", (s, s), np.exp(random_field()), degree=1)
    source = 200 * sp.sin(pi * x) * sp.sin(5 * pi * y) * sp.sin(pi * t)
    pde = PDE(u.t - a(x, y) * laplacian(u) - source, Initial(u, 0), Dirichlet(u, 0))
    return Stated(pde, Box(x=(0, 1), y=(0, 1), t=(0, 5)), own("heat2d_vc"))


@TABLE.entry("Heat2D-MS", "4.40e-2; 1.4e-2", right=best(4.40e-2))
def heat_many_scales() -> Stated:
    x, y, t = coordinates("x y t")
    u = field("u", x, y, t)
    start = sp.sin(20 * pi * x) * sp.sin(pi * y)
    pde = PDE(u.t - u.xx / (500 * np.pi) ** 2 - u.yy / np.pi**2, Initial(u, start), Dirichlet(u, 0))
    rate = (20 / 500) ** 2 + 1
    exact = lambda x, y, t: np.sin(20 * np.pi * x) * np.sin(np.pi * y) * np.exp(-rate * t)  # noqa: E731
    return Stated(pde, Box(x=(0, 1), y=(0, 1), t=(0, 5)), {"u": exact})


LARGE = [(-4, -3), (4, -3), (-4, 3), (4, 3), (-4, -9), (4, -9), (-4, 9), (4, 9), (0, 0), (0, 6), (0, -6)]
SMALL = [(-3.2, -6), (-3.2, 6), (3.2, -6), (3.2, 6), (-3.2, 0), (3.2, 0)]


@TABLE.entry("Heat2D-CG", "2.39e-2; 1.6e-2 (reference 2e-4)", right=best(2.39e-2))
def heat_complex_geometry() -> Stated:
    x, y, t = coordinates("x y t")
    u = field("u", x, y, t)
    space, large = with_holes(Rectangle((-8, -12), (8, 12)), [(a, b, 1.0) for a, b in LARGE], "large")
    space, small = with_holes(space, [(a, b, 0.4) for a, b in SMALL], "small")
    outside = [Robin(u, 1, 1, value, on=part) for value, part in ((5, large), (1, small), (0.1, OUTSIDE))]
    pde = PDE(u.t - laplacian(u), Initial(u, 0), *outside)
    return Stated(pde, space * Time(0, 3), own("heat2d_cg"))


@TABLE.entry("Heat2D-LT", "9.99e-1", right=best(9.99e-1))
def heat_long_time() -> Stated:
    x, y, t = coordinates("x y t")
    u = field("u", x, y, t)
    source = 5 * sp.sin(u**2) * (1 + 2 * sp.sin(pi * t / 4)) * sp.sin(4 * pi * x) * sp.sin(2 * pi * y)
    start = sp.sin(4 * pi * x) * sp.sin(3 * pi * y)
    pde = PDE(u.t - 0.001 * laplacian(u) - source, Initial(u, start), Dirichlet(u, 0))
    return Stated(pde, Box(x=(0, 1), y=(0, 1), t=(0, 100)), times_file("heat_longtime.dat", "xy", "u", 0.2))


@TABLE.entry("HeatNd-C", "1.19e-4", roads=("pinn",), right=best(1.19e-4))
def heat_five_dimensions() -> Stated:
    *xs, t = coordinates("x1 x2 x3 x4 x5 t")
    u = field("u", *xs, t)
    square = sum(x**2 for x in xs)
    exact = sp.exp(square / 2 + t)
    pde = PDE(u.t - laplacian(u) / 5 + square / 5 * exact, Initial(u, exact), Neumann(u, exact))
    domain = Ball((0,) * 5, 1, names=[x.name for x in xs]) * Time(0, 1)
    return Stated(pde, domain, {"u": lambda *p: np.exp(sum(q**2 for q in p[:-1]) / 2 + p[-1])})
