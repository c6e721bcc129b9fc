"""Is there one answer? Coefficients, constants, eigenvalues, normalisation (cases 4, 6, 7, 8, 10, 11, 15)."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp
from _runner import Stated

from sciml import (
    PDE,
    Box,
    Condition,
    Dirichlet,
    Initial,
    Neumann,
    Observed,
    Periodic,
    Rectangle,
    coordinates,
    d,
    field,
    fields,
    laplacian,
    parameter,
)

from ._table import TABLE, unknowns, values

x, y, t = coordinates("x y t")
pi = sp.pi
SQUARE = Rectangle((0, 0), (1, 1))

# -- 4: three coefficients seen through one mode, or several (deepxde #1829) -----------------------------------------------


def decay(a: float, b: float, c: float, at: Any, time: Any, terms: int = 40) -> np.ndarray:
    """u_t = a u_xx + b u_x + c u, u = 0 at 0 and 1, from sin(pi x): exp(-b x / 2a) times a sine series."""
    n = np.arange(1, terms + 1)
    z = np.linspace(0, 1, 4001)
    shape = np.exp(b * z / (2 * a)) * np.sin(np.pi * z)
    weight = 2 * np.trapezoid(shape * np.sin(np.pi * n[:, None] * z), z, axis=1)
    at, time = np.broadcast_arrays(np.asarray(at, float), np.asarray(time, float))
    rate = c - b**2 / (4 * a) - a * (np.pi * n) ** 2
    modes = weight * np.exp(rate * time[..., None]) * np.sin(np.pi * n * at[..., None])
    return np.exp(-b * at / (2 * a)) * modes.sum(-1)


def with_data(b: float) -> tuple[Any, Any]:
    at, time = (q.ravel() for q in np.meshgrid(np.linspace(0.05, 0.95, 19), np.linspace(0.05, 0.5, 10)))
    u = field("u", x, t)
    return u, (Observed(u, {"x": at, "t": time}, decay(0.5, b, 0.3, at, time)), Initial(u, sp.sin(pi * x)), Dirichlet(u, 0))


ROD = Box(x=(0, 1), t=(0, 0.5))


@TABLE.entry("4 three coefficients, b = 1", "a = 0.5, b = 1, c = 0.3", roads=("pinn",), seconds=90, right=2e-2)
def three_coefficients() -> Stated:
    u, conditions = with_data(1.0)
    a, b, c = parameter("a", initial=0.2), parameter("b", initial=0.2), parameter("c", initial=0.0)
    return Stated(PDE(u.t - a * u.xx - b * u.x - c * u, *conditions), ROD, unknowns(a=0.5, b=1.0, c=0.3))


@TABLE.entry("4 b = 0: only c - a pi^2 is determined", "a and c: infinite errors", roads=("pinn",), seconds=90, right=2e-2)
def one_mode() -> Stated:
    u, conditions = with_data(0.0)
    a, c = parameter("a", initial=0.2), parameter("c", initial=0.0)
    return Stated(PDE(u.t - a * u.xx - c * u, *conditions), ROD, unknowns(a=0.5, c=0.3))


@TABLE.entry("4 forward", "u(0.5, 0.1) = 0.608028, u(0.5, 0.3) = 0.217810", seconds=30, right=1e-5)
def three_coefficients_forward() -> Stated:
    u = field("u", x, t)
    pde = PDE(u.t - 0.5 * u.xx - u.x - 0.3 * u, Initial(u, sp.sin(pi * x)), Dirichlet(u, 0))
    truth = values(("u", lambda s: s.u([0.5, 0.25, 0.5], [0.1, 0.1, 0.3]), [0.608028, 0.520572, 0.217810]))
    return Stated(pde, Box(x=(0, 1), t=(0, 0.3)), truth)


# -- 6: pure Neumann (deepxde #1967, fipy #869, jax-fem #67) ---------------------------------------------------------------


@TABLE.entry("6a -lap u = 1, no flux", "no solution", seconds=30)
def no_solution() -> Stated:
    u = field("u", x, y)
    return Stated(PDE(-laplacian(u) - 1, Neumann(u, 0)), SQUARE)


@TABLE.entry("6b u'' = 0, outflow at one end", "no solution", seconds=30)
def no_solution_on_a_line() -> Stated:
    u = field("u", x)
    return Stated(PDE(u.xx, Neumann(u, 0, on="x_min"), Neumann(u, 1, on="x_max")), Box(x=(0, 50)))


def compatible(*pin: Any) -> Stated:
    u = field("u", x, y)
    conditions = [make(u) for make in (lambda u: Neumann(u, 0), *pin)]
    pde = PDE(-laplacian(u) - 2 * pi**2 * sp.cos(pi * x) * sp.cos(pi * y), *conditions)
    return Stated(pde, SQUARE, {"u": lambda x, y: np.cos(np.pi * x) * np.cos(np.pi * y)})


@TABLE.entry("6c compatible, not pinned", "cos(pi x) cos(pi y), a constant is free", seconds=30, right=1e-6)
def known_up_to_a_constant() -> Stated:
    return compatible()


@TABLE.entry("6c compatible, pinned", "cos(pi x) cos(pi y)", seconds=30, right=1e-6)
def pinned() -> Stated:
    return compatible(lambda u: Dirichlet(u, 1, on={"x": 0, "y": 0}))


# -- 7: periodic along a box that is put together (deepxde #2071) ----------------------------------------------------------


def repeated(domain: Any) -> Stated:
    u = field("u", x, y)
    pde = PDE(-laplacian(u) - 2 * pi**2 * sp.cos(pi * x) * sp.sin(pi * y), Periodic(x), Dirichlet(u, 0))
    return Stated(pde, domain, {"u": lambda x, y: np.cos(np.pi * x) * np.sin(np.pi * y)})


@TABLE.entry("7 periodic on a union", "u(0, .5) = 1, u(1, .5) = -1", seconds=15, right=1e-6)
def periodic_union() -> Stated:
    return repeated(Rectangle((0, 0), (1, 1)) | Rectangle((1, 0), (2, 1)))


@TABLE.entry("7 periodic on a difference", "u = sin(2 pi x) sin(pi y)", seconds=15, right=1e-6)
def periodic_difference() -> Stated:
    u = field("u", x, y)
    pde = PDE(-laplacian(u) - 5 * pi**2 * sp.sin(2 * pi * x) * sp.sin(pi * y), Periodic(x), Dirichlet(u, 0))
    domain = Rectangle((0, 0), (2, 1)) - Rectangle((1, 0), (2, 1))
    return Stated(pde, domain, {"u": lambda x, y: np.sin(2 * np.pi * x) * np.sin(np.pi * y)})


@TABLE.entry("7 periodic on a box", "u(0, .5) = 1, u(1, .5) = -1", seconds=15, right=1e-6)
def periodic_box() -> Stated:
    return repeated(Box(x=(0, 2), y=(0, 1)))


# -- 8: Fokker-Planck in a double well (NeuralPDE.jl #854) -----------------------------------------------------------------

BETA, SIGMA = 0.5, 0.5
WELL = Box(x=(-2.2, 2.2))
AT = {0.3: (0.324698, 0.774597, 0.465399), 0.7: (0.0834532, 1.183216, 0.592461)}  # p(0), where the peak is, p there


def drift(alpha: float) -> Any:
    return alpha * x - BETA * x**3


def density(alpha: float, of: Any) -> Any:
    centre, place, peak = AT[alpha]
    return values(("p", lambda s: np.asarray(of(s)([0.0, place, -place])), [centre, peak, peak]))


@TABLE.entry("8 Fokker-Planck, homogeneous", "p(0) = 0.324698; p = 0 solves it too", seconds=15)
def homogeneous() -> Stated:
    p = field("p", x)
    return Stated(PDE(d(drift(0.3) * p, x) - SIGMA**2 / 2 * p.xx, Dirichlet(p, 0)), WELL, density(0.3, lambda s: s.p))


@TABLE.entry("8 Fokker-Planck, an integral as a condition", "p(0) = 0.324698", seconds=15)
def with_an_integral() -> Stated:
    p = field("p", x)
    norm = Condition(sp.Integral(p, (x, -2.2, 2.2)) - 1, name="norm")
    return Stated(PDE(d(drift(0.3) * p, x) - SIGMA**2 / 2 * p.xx, Dirichlet(p, 0), norm), WELL, density(0.3, lambda s: s.p))


def with_a_field(alpha: float) -> Stated:
    p, F = fields("p F", x)
    norm = Dirichlet(F, 0, on="x_min"), Dirichlet(F, 1, on="x_max")
    pde = PDE(d(drift(alpha) * p, x) - SIGMA**2 / 2 * p.xx, F.x - p, Dirichlet(p, 0), *norm)
    return Stated(pde, WELL, density(alpha, lambda s: s.p))


@TABLE.entry("8 Fokker-Planck, field F' = p, alpha = 0.3", "p(0) = 0.324698", seconds=60, right=1e-4)
def with_a_field_wide() -> Stated:
    return with_a_field(0.3)


@TABLE.entry("8 Fokker-Planck, field F' = p, alpha = 0.7", "p(0) = 0.0834532", seconds=60, right=1e-4)
def with_a_field_narrow() -> Stated:
    return with_a_field(0.7)


@TABLE.entry("8 Fokker-Planck, one equation for F", "p(0) = 0.324698", seconds=15, right=1e-5)
def in_one_field() -> Stated:
    F = field("F", x)
    pde = PDE(drift(0.3) * F.x - SIGMA**2 / 2 * F.xx, Dirichlet(F, 0, on="x_min"), Dirichlet(F, 1, on="x_max"))
    return Stated(pde, WELL, density(0.3, lambda s: s.F.x))


# -- 10: flow through a window (FBPINNs #12) -------------------------------------------------------------------------------


def window(*pin: Any) -> Stated:
    p = field("p", x, y)
    flow = sp.Piecewise((5.0, sp.And(y > 0.4, y < 0.6)), (0.0, True))
    walls = Neumann(p, 0, on=("y_min", "y_max")), Neumann(p, -flow, on="x_min"), Neumann(p, flow, on="x_max")
    pde = PDE(laplacian(p), *walls, *[make(p) for make in pin])
    truth = values(
        ("p(1, .5) - p(0, .5)", lambda s: float(s.p(1.0, 0.5) - s.p(0.0, 0.5)), 1.933738),
        ("p(1, 0) - p(0, 0)", lambda s: float(s.p(1.0, 0.0) - s.p(0.0, 0.0)), 0.571525),
        ("p(1/4, .5) - p(1/2, .5)", lambda s: float(s.p(0.25, 0.5) - s.p(0.5, 0.5)), -0.314826),
    )
    return Stated(pde, SQUARE, truth)


@TABLE.entry("10 flow through a window", "p(1, .5) - p(0, .5) = 1.933738", seconds=20)
def window_free() -> Stated:
    return window()


@TABLE.entry("10 flow through a window, pinned", "p(1, .5) - p(0, .5) = 1.933738", seconds=20)
def window_pinned() -> Stated:
    return window(lambda p: Dirichlet(p, 0, on={"x": 0.5, "y": 0.5}))


# -- 11: Poisson, Nernst, Planck (fipy #902) -------------------------------------------------------------------------------

ELECTRODES = values(
    ("phi'(0)", lambda s: float(s.phi.x(0.0)), 1.447521),
    ("phi(1)", lambda s: float(s.phi(1.0)), -0.244578),
    ("Cp at the ends", lambda s: s.Cp([0.0, 10.0]), [2.62191, 0.35484]),
)


def ions(conditions: Any) -> Stated:
    phi, p, n = fields("phi Cp Cn", x)
    flux_p, flux_n = p.x + p * phi.x, n.x - n * phi.x
    more, walls = conditions(p, n, flux_p, flux_n)
    pde = PDE(
        d(flux_p, x), d(flux_n, x), phi.xx - n + p, *more,
        Dirichlet(phi, -1, on="x_min"), Dirichlet(phi, 1, on="x_max"), *walls,
    )  # fmt: skip
    return Stated(pde, Box(x=(0, 10)), ELECTRODES)


@TABLE.entry("11 ions between electrodes, as posted", "phi'(0) = 1.447521; constants solve it too", seconds=20)
def ions_as_posted() -> Stated:
    return ions(lambda p, n, flux_p, flux_n: ((), (Neumann(p, 0), Neumann(n, 0))))


@TABLE.entry("11 ions between electrodes, masses as fields", "phi'(0) = 1.447521", seconds=20)
def ions_with_masses() -> Stated:
    M, N = fields("M N", x)

    def stated(p: Any, n: Any, flux_p: Any, flux_n: Any) -> Any:
        ends = [(Dirichlet(m, 0, on="x_min"), Dirichlet(m, 10, on="x_max")) for m in (M, N)]
        still = [Condition(f, on=("x_min", "x_max"), name=f"no flux {k}") for k, f in (("p", flux_p), ("n", flux_n))]
        return (M.x - p, N.x - n), (*ends[0], *ends[1], *still)

    return ions(stated)


# -- 15: eigenvalues (dedalus #325, quantumNN #1) --------------------------------------------------------------------------


@TABLE.entry("15a Eady waves, c in the conditions", "c = 0.5 + 0.251068 i", roads=("pinn",), seconds=45, right=1e-3)
def eady() -> Stated:
    psi = field("psi", x, complex=True)
    real, imaginary = parameter("cr", initial=0.4), parameter("ci", initial=0.3)
    c = real + sp.I * imaginary
    pde = PDE(
        psi.xx - psi, Condition(c * psi.x + psi, on="x_min", name="floor"),
        Condition((c - 1) * psi.x + psi, on="x_max", name="lid"),
        Dirichlet(psi, 1, on={"x": 0}),
    )  # fmt: skip
    return Stated(pde, Box(x=(0, 1)), unknowns(cr=0.5, ci=0.251068))


@TABLE.entry("15b particle in a box, no norm", "E = 4.934802; psi = 0 for every E", seconds=15, right=1e-4)
def no_norm() -> Stated:
    psi, E = field("psi", x), parameter("energy", initial=4.0)
    return Stated(PDE(-psi.xx / 2 - E * psi, Dirichlet(psi, 0)), Box(x=(0, 1)), unknowns(energy=4.934802))


@TABLE.entry("15b particle in a box, norm as a field", "E = 4.934802", seconds=45, right=1e-4)
def norm_as_a_field() -> Stated:
    psi, N = fields("psi N", x)
    E = parameter("energy", initial=4.0)
    pde = PDE(
        -psi.xx / 2 - E * psi, N.x - psi**2, Dirichlet(psi, 0), Dirichlet(N, 0, on="x_min"), Dirichlet(N, 1, on="x_max")
    )
    return Stated(pde, Box(x=(0, 1)), unknowns(energy=4.934802))
