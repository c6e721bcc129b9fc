"""Heat and diffusion: coefficients that jump, fronts, layers, spheres, raw SI units (cases 1, 5, 13, 14, 18, 21, 22, 23)."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp
from _runner import Stated
from scipy.special import ndtr

from sciml import (
    PDE,
    Box,
    Condition,
    Dirichlet,
    Initial,
    Neumann,
    Observed,
    Rectangle,
    Robin,
    coordinates,
    d,
    div,
    field,
    fields,
    grad,
    laplacian,
    parameter,
    solvers,
)

from ._table import TABLE, unknowns, values

x, y, z, t = coordinates("x y z t")
r, S, xi = coordinates("r S xi")
SQUARE = Rectangle((0, 0), (1, 1))

# -- 1: two layers of conductivity 400 over 1.38 (deepxde #1969) -----------------------------------------------------------

LAYERS = values(
    ("rise at the interface", lambda s: float(s.T(0.5, 0.5)) - 293.15, 72.4638),
    ("rise at the top", lambda s: float(s.T(0.5, 1.0)) - 293.15, 72.7138),
)


def layers(conduct: Any) -> Stated:
    T = field("T", x, y)
    k = sp.Piecewise((400.0, y > 0.5), (1.38, True))
    sides = Neumann(T, 0, on=("x_min", "x_max"))
    pde = PDE(conduct(k, T), Dirichlet(T, 293.15, on="y_min"), Neumann(T, 200 / 400, on="y_max"), sides)
    return Stated(pde, SQUARE, LAYERS)


@TABLE.entry("1 two layers, div(k grad T)", "T = 365.6138 on the interface", seconds=60, right=1e-2)
def layers_as_a_flux() -> Stated:
    return layers(lambda k, T: div(k * grad(T)))


@TABLE.entry("1 two layers, k laplacian(T) as posted", "T = 365.6138 on the interface", seconds=60, right=1e-2)
def layers_as_posted() -> Stated:
    return layers(lambda k, T: k * laplacian(T))


@TABLE.entry("1 two layers, folded by hand", "T = 365.6138 on the interface", roads=("pinn",), seconds=60, right=1e-4)
def layers_folded() -> Stated:
    """A(z) = T(z / 2), B(z) = T(1 - z / 2), joined at z = 1."""
    A, B = fields("A B", z)
    pde = PDE(
        A.zz, B.zz, Dirichlet(A, 293.15, on="z_min"), Neumann(B, 0.25, on="z_min"),
        Condition(A - B, on="z_max", name="temperature"), Condition(1.38 * A.z + 400 * B.z, on="z_max", name="flux"),
    )  # fmt: skip
    truth = values(("interface", lambda s: float(s.A(1.0)), 365.6138), ("top", lambda s: float(s.B(0.0)), 365.8638))
    return Stated(pde, Box(z=(0, 1)), truth)


@TABLE.entry("1t two layers in time", "u(1/2, 1) = 6.156e-5, u(3/4, 1) = 0.07710", seconds=60, right=2e-3)
def layers_in_time() -> Stated:
    u = field("u", x, t)
    a = sp.Piecewise((1.14, x < 0.5), (0.01, True))
    pde = PDE(u.t - d(a * u.x, x), Initial(u, 0), Dirichlet(u, 0, on="x_min"), Dirichlet(u, 1, on="x_max"))
    truth = values(("u(., 1)", lambda s: s.u([0.5, 0.75, 0.9], 1.0), [6.156e-5, 0.07710, 0.47950]))
    return Stated(pde, Box(x=(0, 1), t=(0, 1)), truth)


# -- 5: growth and diffusion (SciMLSensitivity.jl #683) --------------------------------------------------------------------

LENGTH = 10.0


def growth(a0: float, a1: float, at: Any, time: Any, terms: int = 80) -> np.ndarray:
    """u_t = 2 a0 u + a1 u_xx, u = 0 at both ends, from exp(-(x - 3)^2): sine series."""
    n = np.arange(1, terms + 1)
    s = np.linspace(0, LENGTH, 20001)
    weight = 2 / LENGTH * np.trapezoid(np.exp(-((s - 3) ** 2)) * np.sin(np.pi * n[:, None] * s / LENGTH), s, axis=1)
    at, time = np.broadcast_arrays(np.asarray(at, float), np.asarray(time, float))
    rate = 2 * a0 - a1 * (np.pi * n / LENGTH) ** 2
    return (weight * np.exp(rate * time[..., None]) * np.sin(np.pi * n * at[..., None] / LENGTH)).sum(-1)


@TABLE.entry("5 growth and diffusion", "u(3, 1) = 3.302021, u(3, 4) = 635.996", seconds=60, right=1e-4)
def growing() -> Stated:
    u = field("u", x, t)
    pde = PDE(u.t - 2 * u - u.xx, Initial(u, sp.exp(-((x - 3) ** 2))), Dirichlet(u, 0))
    truth = values(
        ("t = 1", lambda s: s.u([3.0, 5.0], 1.0), [3.302021, 1.484792]),
        ("t = 4", lambda s: s.u([3.0, 5.0], 4.0), [635.996, 554.4995]),
    )
    return Stated(pde, Box(x=(0, LENGTH), t=(0, 4)), truth)


@TABLE.entry("5 its two coefficients from data", "a0 = a1 = 1", roads=("pinn",), seconds=60, right=1e-2)
def growing_unknown() -> Stated:
    u = field("u", x, t)
    a0, a1 = parameter("a0", initial=0.1), parameter("a1", initial=0.2)
    at, time = (q.ravel() for q in np.meshgrid(np.linspace(0.25, 9.75, 40), [1.0, 2.0, 4.0]))
    data = Observed(u, {"x": at, "t": time}, growth(1, 1, at, time))
    pde = PDE(u.t - 2 * a0 * u - a1 * u.xx, Initial(u, sp.exp(-((x - 3) ** 2))), Dirichlet(u, 0), data)
    return Stated(pde, Box(x=(0, LENGTH), t=(0, 4)), unknowns(a0=1.0, a1=1.0))


@TABLE.entry("5 jax.grad of solvers.solve", "a sentence: solvers.compile(...).run", roads=("call",), seconds=30)
def gradient_of_solve() -> Stated:
    import jax

    u = field("u", x, t)
    k = parameter("k", initial=1.0)
    pde = PDE(u.t - k * u.xx, Initial(u, x * (1 - x)), Dirichlet(u, 0))

    def value(k: Any) -> Any:
        return solvers.solve(pde, Box(x=(0, 1), t=(0, 1)), parameters={"k": k}, grid=32, progress=False).u(0.5, 0.1)

    return Stated(solve=lambda _: jax.grad(value)(1.0))


# -- 13: one face is heated strongly (MethodOfLines.jl #314) ---------------------------------------------------------------

HEATED = values(
    ("u(0, 0.001)", lambda s: float(s.u(0.0, 0.001)), 2084.124),
    ("u(0, 0.01)", lambda s: float(s.u(0.0, 0.01)), 5941.896),
    ("u(0, 0.1)", lambda s: float(s.u(0.0, 0.1)), 18141.312),
    ("u(1, 0.1)", lambda s: float(s.u(1.0, 0.1)), 694.264),
    ("u(., 0)", lambda s: s.u([0.0, 0.02, 0.5], 0.0), [300.0] * 3),
)


def heated(condition: Any, **options: Any) -> Stated:
    u = field("u", x, t)
    pde = PDE(u.t - u.xx, Initial(u, 300), condition(u), Neumann(u, 0, on="x_max"))
    return Stated(pde, Box(x=(0, 1), t=(0, 1)), HEATED, solvers=options)


@TABLE.entry("13 heated face, Neumann", "u(0, 0.001) = 2084.1, u(0, 0.01) = 5941.9", seconds=60)
def heated_face() -> Stated:
    return heated(lambda u: Neumann(u, 5e4, on="x_min"))


@TABLE.entry("13 heated face, Neumann, 64 points", "u(0, 0.001) = 2084.1", roads=("solvers",), seconds=60)
def heated_face_64() -> Stated:
    return heated(lambda u: Neumann(u, 5e4, on="x_min"), grid=64)


@TABLE.entry("13 heated face, Condition", "u(0, 0.001) = 2084.1", roads=("solvers",), seconds=60)
def heated_face_in_other_words() -> Stated:
    return heated(lambda u: Condition(u.x + 5e4, on="x_min"))


# -- 14: spheres (MethodOfLines.jl #281, #75) ------------------------------------------------------------------------------

SPHERE = Box(r=(0, 1), t=(0, 1))


def sphere(equation: Any, start: Any) -> Stated:
    u = field("u", r, t)
    pde = PDE(equation(u), Initial(u, start), Neumann(u, 0, on="r_min"), Dirichlet(u, sp.exp(-t) * sp.sin(1), on="r_max"))
    return Stated(pde, SPHERE, {"u": lambda r, t: np.exp(-t) * np.sinc(r / np.pi)})


@TABLE.entry("14a sphere, (r^2 u_r)_r / r^2, sin(r)/r", "exp(-t) sin(r)/r", seconds=20, right=1e-6)
def sphere_as_written() -> Stated:
    return sphere(lambda u: u.t - d(r**2 * u.r, r) / r**2, sp.sin(r) / r)


@TABLE.entry("14a sphere, u_rr + 2 u_r / r, sin(r)/r", "exp(-t) sin(r)/r", seconds=20, right=1e-6)
def sphere_expanded() -> Stated:
    return sphere(lambda u: u.t - u.rr - 2 * u.r / r, sp.sin(r) / r)


@TABLE.entry("14a sphere, times r, sinc", "exp(-t) sin(r)/r", seconds=20, right=1e-6)
def sphere_times_r() -> Stated:
    return sphere(lambda u: r * u.t - r * u.rr - 2 * u.r, sp.sinc(r))


@TABLE.entry("14b small sphere, Robin, long time", "u(0, 0.001) = 40.5212, u(R, 0.001) = 40.8176", seconds=60)
def small_sphere() -> Stated:
    u = field("u", r, t)
    pde = PDE(r * u.t - r * u.rr - 2 * u.r, Initial(u, 20), Neumann(u, 0, on="r_min"), Robin(u, 1, 1, 100, on="r_max"))
    truth = values(
        ("t = 0.001", lambda s: s.u([0.0, 0.01], 0.001), [40.5212, 40.8176]),
        ("t = 0.1", lambda s: s.u([0.0, 0.01], 0.1), [100.0, 100.0]),
        ("t = 11.5", lambda s: s.u([0.0, 0.01], 11.5), [100.0, 100.0]),
    )
    return Stated(pde, Box(r=(0, 0.01), t=(0, 11.5)), truth)


# -- 18: a European call (deepxde #1692) -----------------------------------------------------------------------------------

STRIKE, RATE, VOLATILITY = 100.0, 0.1, 0.2


def call(S: Any, tau: Any) -> np.ndarray:
    """Black and Scholes 1973."""
    S, tau = np.maximum(S, 1e-12), np.maximum(tau, 1e-12)
    spread = VOLATILITY * np.sqrt(tau)
    first = (np.log(S / STRIKE) + (RATE + VOLATILITY**2 / 2) * tau) / spread
    return S * ndtr(first) - STRIKE * np.exp(-RATE * tau) * ndtr(first - spread)


def generator(V: Any) -> Any:
    return VOLATILITY**2 / 2 * S**2 * V.SS + RATE * S * V.S - RATE * V


def option(time: Any, rest: Any, equation: Any, end: Any) -> PDE:
    V = field("V", S, time)
    return PDE(
        equation(V), end(V), Dirichlet(V, 0, on="S_min"), Dirichlet(V, S - STRIKE * sp.exp(-RATE * rest), on="S_max")
    )


@TABLE.entry("18 call, Initial for the end", "V(100, 0) = 13.269677", seconds=20, right=1e-3)
def option_backwards() -> Stated:
    pde = option(t, 1 - t, lambda V: V.t + generator(V), lambda V: Initial(V, sp.Max(S - STRIKE, 0)))
    return Stated(pde, Box(S=(0, 300), t=(0, 1)), {"V": lambda S, t: call(S, 1 - t)})


@TABLE.entry("18 call, on='t_max'", "V(100, 0) = 13.269677", seconds=20, right=1e-3)
def option_at_the_end() -> Stated:
    pde = option(t, 1 - t, lambda V: V.t + generator(V), lambda V: Dirichlet(V, sp.Max(S - STRIKE, 0), on="t_max"))
    return Stated(pde, Box(S=(0, 300), t=(0, 1)), {"V": lambda S, t: call(S, 1 - t)})


@TABLE.entry("18 call, time to expiry", "V(100, 0) = 13.269677", seconds=30, right=1e-3)
def option_forwards() -> Stated:
    tau = coordinates("tau", role="time")
    pde = option(tau, tau, lambda V: V.tau - generator(V), lambda V: Initial(V, sp.Max(S - STRIKE, 0)))
    return Stated(pde, Box(S=(0, 300), tau=(0, 1)), {"V": call})


# -- 21: NAFEMS T4 (deepxde #253) ------------------------------------------------------------------------------------------


def nafems(T: Any, equation: Any, domain: Any, truth: Any, *more: Any) -> Stated:
    pde = PDE(
        equation, *more, Dirichlet(T, 100, on="y_min"), Neumann(T, 0, on="x_min"), Robin(T, 750, 52, 0, on=("x_max", "y_max"))
    )
    return Stated(pde, domain, truth)


@TABLE.entry("21 convection, transient", "T(0.6, 0.2) = 18.25", seconds=30)
def nafems_transient() -> Stated:
    T = field("T", x, y, t)
    truth = values(("T(0.6, 0.2)", lambda s: float(s.T(0.6, 0.2, 1.0)), 18.2546))
    return nafems(T, 52 * laplacian(T) - 36 * T.t, Box(x=(0, 0.6), y=(0, 1), t=(0, 1)), truth, Initial(T, 0))


@TABLE.entry("21 convection, steady", "T(0.6, 0.2) = 18.25", seconds=30)
def nafems_steady() -> Stated:
    T = field("T", x, y)
    truth = values(("T(0.6, 0.2)", lambda s: float(s.T(0.6, 0.2)), 18.2546))
    return nafems(T, laplacian(T), Rectangle((0, 0), (0.6, 1)), truth)


# -- 22: one-phase Stefan (mathematica.stackexchange 58596) ----------------------------------------------------------------

STEFAN = Box(xi=(0, 1), t=(0, 1))


def stefan(front: Any, s: Any, u: Any, *more: Any) -> PDE:
    """xi = x / s(t):  u_t = u_xi,xi / s^2 + xi s' / s u_xi,  s s' = -u_xi at xi = 1."""
    return PDE(
        u.t - u.diff(xi, 2) / s**2 - xi * s.diff(t) / s * u.diff(xi), *more, Initial(u, 0.1), Initial(s, 0.05),
        Dirichlet(u, 1, on="xi_min"), Dirichlet(u, 0, on="xi_max"), *front(u, s),
    )  # fmt: skip


@TABLE.entry("22 Stefan, a value at xi = 1 in an equation", "s(1) = 1.2410", seconds=15)
def stefan_at_a_place() -> Stated:
    u, s = field("u", xi, t), field("s", t)
    pde = stefan(lambda u, s: (), s, u, s * s.diff(t) + u.diff(xi).subs(xi, 1))
    return Stated(pde, STEFAN, values(("s(1)", lambda found: float(found.s(1.0)), 1.2410)))


@TABLE.entry("22 Stefan, s as a field of (xi, t)", "s(1) = 1.2410", seconds=15)
def stefan_as_a_field() -> Stated:
    u, s = fields("u s", xi, t)
    front = lambda u, s: (Condition(s * s.diff(t) + u.diff(xi), on="xi_max", name="front"),)  # noqa: E731
    pde = stefan(front, s, u, s.diff(xi))
    return Stated(pde, STEFAN, values(("s(1)", lambda found: float(found.s(0.5, 1.0)), 1.2410)))


# -- 23: lithium in a particle (fipy #780) ---------------------------------------------------------------------------------

RADIUS, DIFFUSIVITY, FLUX, START = 8.5e-6, 1e-14, 1.536960e-5, 25458.232


def lithium(condition: Any) -> Stated:
    c = field("c", r, t)
    pde = PDE(
        r * c.t - DIFFUSIVITY * (r * c.rr + 2 * c.r), Initial(c, START), Neumann(c, 0, on="r_min"), condition(c)
    )
    truth = values(
        ("rise at 100 s", lambda s: float(s.c(RADIUS, 100.0)) - START, 27390.67 - START),
        ("rise at 1000 s", lambda s: s.c([RADIUS, 0.0], 1000.0) - START, np.array([33416.39, 27326.89]) - START),
        ("rise at 3600 s", lambda s: s.c([RADIUS, 0.0], 3600.0) - START, np.array([47599.44, 41067.67]) - START),
    )
    return Stated(pde, Box(r=(0, RADIUS), t=(0, 3600)), truth)


@TABLE.entry("23 lithium in SI units, Condition", "c(R, 3600) = 47599.44", seconds=30)
def lithium_flux() -> Stated:
    return lithium(lambda c: Condition(DIFFUSIVITY * c.r - FLUX, on="r_max", name="flux"))


@TABLE.entry("23 lithium in SI units, Neumann", "c(R, 3600) = 47599.44", roads=("solvers",), seconds=30)
def lithium_slope() -> Stated:
    return lithium(lambda c: Neumann(c, FLUX / DIFFUSIVITY, on="r_max"))
