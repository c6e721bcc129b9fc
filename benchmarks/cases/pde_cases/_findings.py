"""Small problems in which the library was once wrong without a word, crashed, or did not come back."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import sympy as sp
from _runner import Stated

from sciml import (
    PDE,
    Box,
    Condition,
    Dirichlet,
    Disk,
    Initial,
    Neumann,
    Observed,
    Rectangle,
    coordinates,
    d,
    field,
    fields,
    function,
    laplacian,
    parameter,
    solvers,
    table,
)

from ._table import TABLE, unknowns, values

x, y, t = coordinates("x y t")
pi = sp.pi
ROD = Box(x=(0, 1), t=(0, 1))
SQUARE = Rectangle((0, 0), (1, 1))

# -- between saved times, and pulses on a state at rest --------------------------------------------------------------------


def fast_decay(n: int) -> Stated:
    u = field("u", x, t)
    pde = PDE(u.t - u.xx, Initial(u, sp.sin(n * pi * x)), Dirichlet(u, 0))
    times = np.array([0.0005, 0.002, 0.005])
    truth = values(("u(1/2n, .)", lambda s: s.u(0.5 / n, times), np.exp(-((n * np.pi) ** 2) * times)))
    return Stated(pde, ROD, truth)


for waves in (8, 16, 32):
    TABLE.entry(f"F1 sin({waves} pi x) between saved times", "exp(-(n pi)^2 t)", roads=("solvers",), seconds=30, right=1e-4)(
        lambda n=waves: fast_decay(n)
    )


@TABLE.entry("F2b a pulse of width 0.01 on a state at rest", "driven sine", seconds=30, right=1e-3)
def pulse() -> Stated:
    u = field("u", x, t)
    pde = PDE(u.t - u.xx - sp.exp(-(((t - 0.5) / 0.01) ** 2)) * sp.sin(pi * x), Initial(u, 0), Dirichlet(u, 0))
    after = lambda time: 0.01 * np.sqrt(np.pi) * np.exp((np.pi**2 * 0.01 / 2) ** 2 - np.pi**2 * (time - 0.5))  # noqa: E731
    truth = values(
        ("after", lambda s: s.u(0.5, [0.6, 0.8]), after(np.array([0.6, 0.8]))),
        ("before", lambda s: float(s.u(0.5, 0.3)), 0.0),
    )
    return Stated(pde, ROD, truth)


@TABLE.entry("F2b integrate, a pulse of width 0.003", "y(1) = 0.003225", roads=("call",), seconds=20, right=1e-3)
def pulse_integrated() -> Stated:
    rate = lambda t, y: -y + jnp.exp(-(((t - 0.5) / 0.003) ** 2))  # noqa: E731
    right = 0.003 * np.sqrt(np.pi) * np.exp(0.0015**2 - 0.5)
    return Stated(truth=values(("y(1)", lambda s: s.y[-1], right)), solve=lambda _: solvers.integrate(rate, 0.0, (0, 1)))


# -- what the problem does not determine -----------------------------------------------------------------------------------


def not_identifiable(coefficient: Any) -> Stated:
    v = field("v", t)
    p, q = parameter("p", initial=0.2), parameter("q", initial=0.9)
    times = np.linspace(0, 1, 50)
    data = np.exp(-times) + 0.01 * np.random.default_rng(0).normal(size=50)
    pde = PDE(v.t + coefficient(p, q) * v, Initial(v, 1), Observed(v, times, data, noise=0.01))
    # Only the combination is in the data: every value of p needs an infinite standard error.
    return Stated(pde, Box(t=(0, 1)), unknowns(p=np.nan))


@TABLE.entry("F3 only p + q is in the data", "infinite standard errors", roads=("pinn",), seconds=30)
def sum_of_two() -> Stated:
    return not_identifiable(lambda p, q: p + q)


@TABLE.entry("F3 only p q is in the data", "infinite standard errors", roads=("pinn",), seconds=30)
def product_of_two() -> Stated:
    return not_identifiable(lambda p, q: p * q)


@TABLE.entry("F3 a parameter without influence", "infinite standard errors", roads=("pinn",), seconds=30)
def without_influence() -> Stated:
    return not_identifiable(lambda p, q: 1 + p * sp.Heaviside(t - 2) + q * sp.Heaviside(t - 3))


@TABLE.entry("F4 a beam with one condition at each end", "refused", seconds=20)
def half_a_beam() -> Stated:
    v = field("v", x)
    return Stated(PDE(v.xxxx + 1, Dirichlet(v, 0)), Box(x=(0, 1)))


@TABLE.entry("F4 a membrane held at a point", "refused", seconds=20)
def held_at_a_point() -> Stated:
    w = field("w", x, y)
    return Stated(PDE(laplacian(w) + 1, Dirichlet(w, 0, on={"x": 0.5, "y": 0.5})), SQUARE)


@TABLE.entry("F4 advection without inflow", "refused", seconds=20)
def without_inflow() -> Stated:
    u = field("u", x, t)
    return Stated(PDE(u.t + u.x, Initial(u, sp.sin(pi * x))), ROD)


@TABLE.entry("F7 Helmholtz at an eigenvalue", "v = 0 and any multiple of sin(pi x)", seconds=20)
def resonance() -> Stated:
    v = field("v", x)
    return Stated(PDE(v.xx + pi**2 * v, Dirichlet(v, 0)), Box(x=(0, 1)))


# -- coefficients that jump ------------------------------------------------------------------------------------------------

JUMP = sp.Piecewise((10.0, x < 0.5), (1.0, True))


def jump(equation: Any) -> Stated:
    v = field("v", x)
    pde = PDE(equation(v), Dirichlet(v, 0, on="x_min"), Dirichlet(v, 1, on="x_max"))
    return Stated(pde, Box(x=(0, 1)), values(("v(1/2)", lambda s: float(s.v(0.5)), 1 / 11)))


@TABLE.entry("F5 a jump by jnp.where in a flux", "v(1/2) = 1/11", seconds=30)
def jump_of_a_function() -> Stated:
    k = function("k", lambda x: jnp.where(x < 0.5, 10.0, 1.0))(x)
    return jump(lambda v: d(k * v.x, x))


@TABLE.entry("F5 a jump by sp.diff", "v(1/2) = 1/11", seconds=30)
def jump_expanded() -> Stated:
    return jump(lambda v: sp.diff(JUMP * v.x, x))


@TABLE.entry("F5 a jump times a second derivative", "v(1/2) = 1/11 if it is a flux", seconds=30)
def jump_outside_of_a_flux() -> Stated:
    return jump(lambda v: JUMP * v.xx)


@TABLE.entry("P6 a source that jumps", "odd in x; u(-1/2, 0) = 0.11387", seconds=60, right=1e-2)
def source_jumps() -> Stated:
    """On each half the Poisson equation of a rectangle of one by two, held on all sides: the middle is zero by symmetry."""
    u = field("u", x, y)
    pde = PDE(laplacian(u) + sp.Piecewise((1, x < 0), (-1, True)), Dirichlet(u, 0))
    n = np.arange(1, 200, 2)
    middle = 4 / np.pi**3 * np.sum((-1.0) ** ((n - 1) // 2) / n**3 * (1 - 1 / np.cosh(n * np.pi)))  # St Venant's series
    truth = values(("u(-1/2, 0), u(1/2, 0)", lambda s: s.u([-0.5, 0.5], 0.0), [middle, -middle]))
    return Stated(pde, Rectangle((-1, -1), (1, 1)), truth)


@TABLE.entry("a reaction on one side", "u = exp(-t) or 1", seconds=30, right=1e-3)
def reaction_on_one_side() -> Stated:
    """u_t = -H(x - 0.3) u with next to no diffusion."""
    u = field("u", x, t)
    pde = PDE(u.t - 1e-9 * u.xx + sp.Piecewise((u, x > 0.3), (0, True)), Initial(u, 1), Neumann(u, 0))
    truth = values(("u(., 1)", lambda s: s.u([0.1, 0.28, 0.32, 0.9], 1.0), [1, 1, np.exp(-1), np.exp(-1)]))
    return Stated(pde, ROD, truth)


@TABLE.entry("a source that few points see", "v(0.6) = 0.12", seconds=30, right=1e-3)
def narrow_source() -> Stated:
    """A Gaussian of unit area and width 1e-3 at 0.3: off it, Green's function."""
    v = field("v", x)
    bump = sp.exp(-(((x - 0.3) / 1e-3) ** 2)) / (1e-3 * sp.sqrt(pi))
    truth = values(("v(0.6), v(0.1)", lambda s: s.v([0.6, 0.1]), [0.12, 0.07]))
    return Stated(PDE(v.xx + bump, Dirichlet(v, 0)), Box(x=(0, 1)), truth)


@TABLE.entry("Bratu beyond the fold", "no solution: 4 > 3.513831", seconds=30)
def bratu() -> Stated:
    v = field("v", x)
    return Stated(PDE(v.xx + 4 * sp.exp(v), Dirichlet(v, 0)), Box(x=(0, 1)))


# -- walls and grids -------------------------------------------------------------------------------------------------------


def raised(**options: Any) -> Stated:
    u = field("u", x, t)
    pde = PDE(u.t - u.xx, Initial(u, 0), Dirichlet(u, 0, on="x_min"), Dirichlet(u, 1, on="x_max"))

    def right(x: Any, t: Any, terms: int = 400) -> Any:
        n = np.arange(1, terms + 1)[:, None]
        return x + np.sum(2 / (np.pi * n) * (-1.0) ** n * np.exp(-((n * np.pi) ** 2) * t) * np.sin(n * np.pi * x), axis=0)

    at, time = np.array([0.98, 0.9, 0.5]), np.array([1e-4, 0.01, 0.2])
    truth = values(("u", lambda s: s.u(at, time), right(at, time)))
    return Stated(pde, Box(x=(0, 1), t=(0, 0.5)), truth, solvers=options)


@TABLE.entry("F9 a wall suddenly raised", "u(0.98, 1e-4) = 0.157", seconds=60)
def wall_raised() -> Stated:
    return raised()


@TABLE.entry("F9 a wall suddenly raised, 200 volumes", "u(0.98, 1e-4) = 0.157", roads=("solvers",), seconds=60)
def wall_raised_volumes() -> Stated:
    return raised(grid=solvers.Volumes(200))


@TABLE.entry("F10 a field without derivatives in space", "a damped oscillator times sin(pi x)", seconds=30, right=1e-4)
def without_space() -> Stated:
    """u_t = u_xx - w, w_t = u: on sin(pi x) a damped oscillator, u' = -pi^2 u - w."""
    u, w = fields("u w", x, t)
    pde = PDE(u.t - u.xx + w, w.t - u, Initial(u, sp.sin(pi * x)), Initial(w, 0), Dirichlet(u, 0))
    roots = np.roots([1.0, np.pi**2, 1.0])
    amplitude = lambda t: (np.exp(roots[0] * t) - np.exp(roots[1] * t)) / (roots[0] - roots[1])  # noqa: E731
    return Stated(pde, ROD, {"w": lambda x, t: amplitude(t) * np.sin(np.pi * x)})


@TABLE.entry("P1 a table of two coordinates", "exp(-t) sin(pi x) sin(pi y)", seconds=60, right=1e-4)
def table_of_two() -> Stated:
    """k = 1 + x y as a table, with the source that makes exp(-t) sin(pi x) sin(pi y) the solution."""
    u = field("u", x, y, t)
    s = np.linspace(0, 1, 20)
    k = table("k", (s, s), 1 + s[:, None] * s[None, :])
    wave = sp.exp(-t) * sp.sin(pi * x) * sp.sin(pi * y)
    pde = PDE(u.t - k(x, y) * laplacian(u) - wave * (2 * pi**2 * (1 + x * y) - 1), Initial(u, wave.subs(t, 0)), Dirichlet(u, 0))
    truth = {"u": lambda x, y, t: np.exp(-t) * np.sin(np.pi * x) * np.sin(np.pi * y)}
    return Stated(pde, Box(x=(0, 1), y=(0, 1), t=(0, 0.1)), truth)


@TABLE.entry("P5 the flow of the README", "what flows in flows out: u = 1 in the middle of the outlet", seconds=60, right=2e-2)
def flow_of_the_readme() -> Stated:
    u, v, p = fields("u v p", x, y)
    channel = Rectangle((0, 0), (2.2, 0.41)) - Disk((0.2, 0.2), 0.05, name="cylinder")
    pde = PDE(
        u * u.x + v * u.y + p.x - 0.05 * laplacian(u),
        u * v.x + v * v.y + p.y - 0.05 * laplacian(v),
        u.x + v.y,
        Dirichlet((u, v), (4 * y * (0.41 - y) / 0.41**2, 0), on="x_min"),
        Dirichlet((u, v), 0, on=("y_min", "y_max", "cylinder")),
        Condition(0.05 * u.x - p, on="x_max", name="open outlet"),
        Neumann(v, 0, on="x_max"),
    )
    across = np.linspace(0, 0.41, 42)
    truth = values(
        ("flow through the outlet", lambda s: np.trapezoid(s.u(2.2, across), across), 0.41 * 2 / 3),
        ("u in its middle", lambda s: float(s.u(2.2, 0.205)), 1.0),
    )
    return Stated(pde, channel, truth)
