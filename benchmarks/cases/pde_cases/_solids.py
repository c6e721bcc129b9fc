"""Corners, shells, elasticity, beams (cases 16, 19, 20, 24)."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp
from _runner import Stated

from sciml import (
    PDE,
    Ball,
    Box,
    Condition,
    Dirichlet,
    Initial,
    Neumann,
    Polygon,
    Rectangle,
    coordinates,
    field,
    fields,
    laplacian,
    normal,
)

from ._table import TABLE, values

x, y, z, t = coordinates("x y z t")
pi = sp.pi

# -- 16: large harmonic data (deepxde #279, #728) --------------------------------------------------------------------------

CORNER = Polygon([(0, 0), (1, 0), (1, -1), (-1, -1), (-1, 1), (0, 1)])
HARMONIC = {"u": lambda x, y: np.exp(-np.pi * x) * np.sin(np.pi * y)}


@TABLE.entry("16a L-shape", "exp(-pi x) sin(pi y)", seconds=45, right=1e-6)
def l_shape() -> Stated:
    u = field("u", x, y)
    return Stated(PDE(laplacian(u), Dirichlet(u, sp.exp(-pi * x) * sp.sin(pi * y))), CORNER, HARMONIC)


@TABLE.entry("16a' L-shape, fluxes at the corner", "exp(-pi x) sin(pi y)", seconds=20, right=1e-6)
def l_shape_mixed() -> Stated:
    u = field("u", x, y)
    pde = PDE(
        laplacian(u), Neumann(u, pi * sp.exp(-pi * x), on="edge_0"), Neumann(u, -pi * sp.sin(pi * y), on="edge_5"),
        Dirichlet(u, sp.exp(-pi * x) * sp.sin(pi * y), on=("edge_1", "edge_2", "edge_3", "edge_4")),
    )  # fmt: skip
    return Stated(pde, CORNER, HARMONIC)


@TABLE.entry("16b shell, range 1e15", "exp(-sqrt(8) pi x) sin(2 pi y) sin(2 pi z)", seconds=45, right=1e-2)
def shell() -> Stated:
    u = field("u", x, y, z)
    exact = sp.exp(-sp.sqrt(8) * pi * x) * sp.sin(2 * pi * y) * sp.sin(2 * pi * z)
    domain = Ball((0, 0, 0), 2) - Ball((0, 0, 0), 1)
    wave = lambda s: np.sin(2 * np.pi * s)  # noqa: E731
    truth = {"u": lambda x, y, z: np.exp(-np.sqrt(8) * np.pi * x) * wave(y) * wave(z)}
    return Stated(PDE(laplacian(u), Dirichlet(u, exact)), domain, truth)


# -- 19, 20: cantilevers (jax-fem #37, FreeFEM 1282, deepxde #1442) --------------------------------------------------------


def stress(displacement: Any, space: Any, lame: float, shear: float) -> list[list[Any]]:
    """sigma = lambda tr(e) 1 + 2 mu e."""
    e = [[(u.diff(b) + v.diff(a)) / 2 for v, b in zip(displacement, space)] for u, a in zip(displacement, space)]
    trace = sum(e[i][i] for i in range(len(space)))
    return [[2 * shear * e[i][j] + (lame * trace if i == j else 0) for j in range(len(space))] for i in range(len(space))]


def balance(s: list[list[Any]], space: Any) -> list[Any]:
    return [sum(sp.expand(row[j].diff(b)) for j, b in enumerate(space)) for row in s]


@TABLE.entry("19 cantilever in 3D", "deflection of the tip 1.45", seconds=30, right=2e-2)
def cantilever() -> Stated:
    space, displacement = (x, y, z), fields("u v w", x, y, z)
    young, nu = 70e3, 0.3
    s = stress(displacement, space, young * nu / ((1 + nu) * (1 - 2 * nu)), young / (2 * (1 + nu)))
    faces = ("y_min", "y_max", "z_min", "z_max")
    traction = [sum(s[i][j] * normal(b) for j, b in enumerate(space)) for i in range(3)]
    free = [Condition(traction[i], on=faces, name=f"free {i}") for i in range(3)]
    load = [Condition(s[i][0] - (100 if i == 2 else 0), on="x_max", name=f"load {i}") for i in range(3)]
    pde = PDE(*balance(s, space), Dirichlet(displacement, 0, on="x_min"), *free, *load)
    truth = values(("w at the tip", lambda found: float(found.w(10.0, 1.0, 1.0)), 1.45))
    return Stated(pde, Box(x=(0, 10), y=(0, 2), z=(0, 2)), truth)


@TABLE.entry("20 plane-stress cantilever in SI units", "v(0, 0) = -8.53333e-3", seconds=25, right=1e-3)
def plane_stress() -> Stated:
    young, nu, load, length, inertia = 3e7, 0.3, -1000.0, 48.0, 144.0
    u, v = fields("u v", x, y)
    s = stress((u, v), (x, y), young * nu / (1 - nu**2), young / (2 * (1 + nu)))

    def exact(x: Any, y: Any) -> tuple[Any, Any]:
        across = 3 * (x**2 - length**2) - (2 + nu) * y**2 + 6 * (1 + nu) * 36
        along = 3 * nu * x * y**2 + x**3 - 3 * length**2 * x + 2 * length**3
        return -load * y / (6 * young * inertia) * across, load / (6 * young * inertia) * along

    # On x = 0 the outward normal is -x: the shear there is -(P / 2I)(36 - y^2) as s_xy.
    shear = load / (2 * inertia) * (y**2 - 36)
    pde = PDE(
        *balance(s, (x, y)), Dirichlet((u, v), exact(x, y), on="x_max"),
        Condition(s[0][0], on="x_min", name="end along"), Condition(s[0][1] - shear, on="x_min", name="end across"),
        Condition(s[1][1], on=("y_min", "y_max"), name="free across"),
        Condition(s[0][1], on=("y_min", "y_max"), name="free along"),
    )  # fmt: skip
    truth = {"u": lambda x, y: exact(x, y)[0], "v": lambda x, y: exact(x, y)[1]}
    return Stated(pde, Rectangle((0, -6), (48, 6)), truth)


@TABLE.entry("20m plane strain, manufactured", "cos(2 pi x) sin(pi y), 4 sin(pi x) y^4 / 4", seconds=20, right=1e-6)
def plane_strain() -> Stated:
    lame, shear, load = 1.0, 0.5, 4.0
    u, v = fields("u v", x, y)
    s = stress((u, v), (x, y), lame, shear)
    known = sp.cos(2 * pi * x) * sp.sin(pi * y), load * sp.sin(pi * x) * y**4 / 4
    exact = stress(known, (x, y), lame, shear)
    body = balance(exact, (x, y))
    pde = PDE(
        *[a - b for a, b in zip(balance(s, (x, y)), body)],
        Dirichlet((u, v), known, on=("x_min", "x_max", "y_min")),
        Dirichlet(u, known[0], on="y_max"), Condition(s[1][1] - exact[1][1], on="y_max", name="top"),
    )  # fmt: skip
    truth = {
        "u": lambda x, y: np.cos(2 * np.pi * x) * np.sin(np.pi * y),
        "v": lambda x, y: load * np.sin(np.pi * x) * y**4 / 4,
    }
    return Stated(pde, Rectangle((0, 0), (1, 1)), truth)


# -- 24: beams (deepxde #314, #160, #489, #505) ----------------------------------------------------------------------------

BEAM = Box(x=(0, 1))


def cantilever_beam(load: Any) -> Stated:
    w = field("w", x)
    pde = PDE(
        w.xxxx - load, Dirichlet(w, 0, on="x_min"), Neumann(w, 0, on="x_min"),
        Condition(w.xx, on="x_max", name="no moment"), Condition(w.xxx, on="x_max", name="no shear"),
    )  # fmt: skip
    truth = values(("tip", lambda s: float(s.w(1.0)), 5 / 48), ("under the load", lambda s: float(s.w(0.5)), 1 / 24))
    return Stated(pde, BEAM, truth)


@TABLE.entry("24a beam, point load as DiracDelta", "tip 5/48", seconds=15)
def point_load() -> Stated:
    return cantilever_beam(sp.DiracDelta(x - sp.Rational(1, 2)))


@TABLE.entry("24a beam, point load as a bump", "tip 5/48", seconds=20)
def bump_load() -> Stated:
    width = 0.01
    return cantilever_beam(sp.exp(-((x - 0.5) ** 2) / (2 * width**2)) / (width * sp.sqrt(2 * pi)))


@TABLE.entry("24a beam, two fields joined", "tip 5/48", seconds=15, right=1e-8)
def joined_beam() -> Stated:
    """a(z) = w(z / 2), b(z) = w(1 - z / 2), joined at z = 1 with a jump of one in w'''."""
    a, b = fields("a b", z)
    joined = [
        Condition(a - b, on="z_max", name="value"), Condition(a.z + b.z, on="z_max", name="slope"),
        Condition(a.zz - b.zz, on="z_max", name="moment"), Condition(8 * (a.zzz + b.zzz) + 1, on="z_max", name="shear"),
    ]  # fmt: skip
    pde = PDE(
        a.zzzz, b.zzzz, Dirichlet(a, 0, on="z_min"), Neumann(a, 0, on="z_min"),
        Condition(b.zz, on="z_min", name="no moment"), Condition(b.zzz, on="z_min", name="no shear"), *joined,
    )  # fmt: skip
    truth = values(("tip", lambda s: float(s.b(0.0)), 5 / 48), ("under the load", lambda s: float(s.a(1.0)), 1 / 24))
    return Stated(pde, Box(z=(0, 1)), truth)


@TABLE.entry("24b vibrating beam in SI units", "w(0.25, 0.025) = 0.0552002", seconds=20, right=1e-3)
def vibrating_beam() -> Stated:
    stiffness, mass, load, rate, length = 2e11 / 3 * 1e-8, 3.14, 5e4, 20 * np.pi, 0.5
    w = field("w", x, t)
    pde = PDE(
        stiffness * w.xxxx + mass * w.tt - load * sp.sin(20 * pi * t), Initial(w, 0), Initial(w, 0, order=1), Dirichlet(w, 0),
        Condition(w.xx, on=("x_min", "x_max"), name="hinges"),
    )  # fmt: skip

    def exact(x: Any, t: Any) -> Any:
        total = 0.0
        for n in range(1, 80, 2):
            own = (n * np.pi / length) ** 2 * np.sqrt(stiffness / mass)
            moved = (np.sin(rate * t) - rate / own * np.sin(own * t)) / (own**2 - rate**2)
            total = total + 4 * load / (np.pi * n * mass) * np.sin(n * np.pi * x / length) * moved
        return total

    return Stated(pde, Box(x=(0, length), t=(0, 0.025)), {"w": exact})


@TABLE.entry("24c clamped beam", "w(1/2) = -1/384", seconds=15, right=1e-8)
def clamped_beam() -> Stated:
    w = field("w", x)
    truth = {"w": lambda x: -(x**4 - 2 * x**3 + x**2) / 24}
    return Stated(PDE(w.xxxx + 1, Dirichlet(w, 0), Neumann(w, 0)), BEAM, truth)
