"""Waves, memory, oscillations, columns, orbits (cases 2, 3, 9, 12, 17)."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import sympy as sp
from _runner import Stated

from sciml import PDE, Box, Dirichlet, Initial, Neumann, Time, coordinates, field, fields, pinn, solvers

from ._table import TABLE, values

x, t, s = coordinates("x t s")

# -- 2: a Maxwell pulse from a line inside (deepxde #2018) -----------------------------------------------------------------

PULSE = sp.exp(-((t - 0.3) ** 2) / (2 * 0.05**2))


@TABLE.entry("2 Maxwell, inner line", "E(0.4, 0.7) = 1, E(0.4, 0.8) = 0.1353", seconds=90)
def maxwell_inside() -> Stated:
    E, H = fields("Ez Hy", x, t)
    pde = PDE(
        E.t + H.x, H.t + E.x, Initial((E, H), 0), Dirichlet((E, H), 0, on=("x_min", "x_max")), Dirichlet(E, PULSE, on={"x": 0})
    )
    truth = values(("E(+-0.4, 0.7), E(0.4, 0.8)", lambda s: s.Ez([0.4, -0.4, 0.4], [0.7, 0.7, 0.8]), [1.0, 1.0, 0.1353]))
    return Stated(pde, Box(x=(-1, 1), t=(0, 1)), truth)


@TABLE.entry("2 Maxwell, half of it", "E = H = g(t - x)", seconds=90, right=1e-3)
def maxwell_half() -> Stated:
    E, H = fields("Ez Hy", x, t)
    pde = PDE(E.t + H.x, H.t + E.x, Initial((E, H), 0), Dirichlet(E, PULSE, on="x_min"), Dirichlet(E, 0, on="x_max"))
    g = lambda x, t: np.exp(-((t - x - 0.3) ** 2) / (2 * 0.05**2))  # noqa: E731
    return Stated(pde, Box(x=(0, 1), t=(0, 1)), {"Ez": g, "Hy": g})


# -- 3: diffusion with a memory (deepxde #1853, #95) -----------------------------------------------------------------------


@TABLE.entry("3 memory, as an integral", "u = exp(t)", seconds=20)
def memory_as_an_integral() -> Stated:
    u = field("u", x, t)
    memory = sp.Integral(sp.exp(s) * u.subs(t, s), (s, 0, t))
    return Stated(PDE(u.t - u.xx * memory - u, Initial(u, 1), Neumann(u, 0)), Box(x=(0, 1), t=(0, 1)))


@TABLE.entry("3 memory, as a field", "u = exp(t)", seconds=30, right=1e-6)
def memory_as_a_field() -> Stated:
    u, w = fields("u w", x, t)
    pde = PDE(u.t - u.xx * w - u, w.t - sp.exp(t) * u, Initial(u, 1), Initial(w, 0), Neumann(u, 0))
    return Stated(pde, Box(x=(0, 1), t=(0, 1)), {"u": lambda x, t: np.exp(t)})


@TABLE.entry("3b an integral over the length", "y = exp(-t) sin(x)", seconds=20)
def nonlocal_source() -> Stated:
    y = field("y", x, t)
    total = sp.Integral(y.subs(x, s), (s, 0, sp.pi / 2))
    ends = Dirichlet(y, 0, on="x_min"), Dirichlet(y, sp.exp(-t), on="x_max")
    pde = PDE(y.t - y.xx - total + sp.exp(-t), Initial(y, sp.sin(x)), *ends)
    return Stated(pde, Box(x=(0, np.pi / 2), t=(0, 1)), {"y": lambda x, t: np.exp(-t) * np.sin(x)})


# -- 9: optical Bloch equations (NeuralPDE.jl #818, #821) ------------------------------------------------------------------


def bloch(rabi: float, domain: Any, *at: tuple[float, tuple[float, float, float]]) -> Stated:
    ground, excited = fields("r11 r22", t)
    c = field("c", t, complex=True)
    pump = sp.I * rabi * (c - sp.conjugate(c))
    pde = PDE(
        ground.t - pump - excited, excited.t + pump + excited, c.t + c / 2 + sp.I * rabi * (excited - ground),
        Initial(ground, 1), Initial(excited, 0), Initial(c, 0),
    )  # fmt: skip
    truth = values(
        *[(f"t = {q:g}", lambda s, q=q: [float(s.r11(q)), float(s.r22(q)), float(np.imag(s.c(q)))], v) for q, v in at]
    )
    return Stated(pde, domain, truth)


SLOW, FAST = (0.521238, 0.478762, 0.230525), (0.690896, 0.309104, 0.425032)


@TABLE.entry("9 Bloch, W = 2", "(r11, r22, Im r12)(2) = 0.521238, 0.478762, 0.230525", roads=("pinn",), seconds=15, right=1e-5)
def bloch_slow() -> Stated:
    return bloch(2.0, Box(t=(0, 2)), (2.0, SLOW))


@TABLE.entry("9 Bloch, W = 2, Time(0, 2)", "0.521238, 0.478762, 0.230525", roads=("pinn",), seconds=15, right=1e-5)
def bloch_on_time() -> Stated:
    return bloch(2.0, Time(0, 2), (2.0, SLOW))


@TABLE.entry("9 Bloch, W = 100, six periods", "0.690896, 0.309104, 0.425032", roads=("pinn",), seconds=15, right=1e-5)
def bloch_fast() -> Stated:
    return bloch(100.0, Box(t=(0, 0.2)), (0.01, (0.295183, 0.704817, 0.454776)), (0.1, FAST))


@TABLE.entry("9 Bloch, W = 100, integrated to 7", "0.501066, 0.498934, 9.828e-5", roads=("call",), seconds=30, right=1e-4)
def bloch_integrated() -> Stated:
    def rate(t: Any, y: Any) -> Any:
        pump = -200 * jnp.imag(y["c"])
        flow = pump + y["r22"]
        return {"r11": flow, "r22": -flow, "c": -y["c"] / 2 - 100j * (y["r22"] - y["r11"])}

    start = {"r11": 1.0, "r22": 0.0, "c": 0j}
    last = lambda s: [float(s.y["r11"][-1]), float(s.y["r22"][-1]), float(np.imag(s.y["c"][-1]))]  # noqa: E731
    truth = values(("t = 7", last, (0.501066, 0.498934, 9.828e-5)))
    return Stated(truth=truth, solve=lambda _: solvers.integrate(rate, start, (0, 7)))


# -- 12: a thermal storage column (py-pde #557) ----------------------------------------------------------------------------


@TABLE.entry("12 storage column", "1 before the front x = t, 1 - exp(-t) just behind it", seconds=60, right=5e-2)
def column() -> Stated:
    f, s = fields("Tf Ts", x, t)
    pde = PDE(
        f.t + f.x - (s - f), s.t - (s - f), Initial((f, s), 1), Dirichlet(f, sp.sin(t), on="x_min"), Neumann(f, 0, on="x_max")
    )
    truth = values(
        ("before the front", lambda s: s.Tf([1.2, 2.0, 3.5], 1.0), [1.0] * 3),
        ("behind the front", lambda s: float(s.Tf(0.98, 1.0)), 1 - np.exp(-1)),
        ("inlet", lambda s: float(s.Tf(0.0, 1.0)), np.sin(1)),
        ("storage before the front", lambda s: s.Ts([1.2, 2.0, 3.5], 1.0), [1.0] * 3),
    )
    return Stated(pde, Box(x=(0, 4), t=(0, 1)), truth)


# -- 17: a centre orbit (diffrax #702) -------------------------------------------------------------------------------------


def orbit(_: Any, y: Any) -> Any:
    return jnp.stack([-(y[0] ** 2) + y[1] ** 2 - 256, -2 * y[0] * y[1]])


def orbit_integrated(**options: Any) -> Stated:
    truth = values(
        ("t = 1", lambda s: s.y[1], (0.9105473, 17.2988861)),
        ("t = 10", lambda s: s.y[10], (-0.7121010, 17.4238283)),
        ("t = 1000", lambda s: s.y[1000], (-0.4348228, 17.5367940)),
    )
    times = np.arange(1001.0)
    return Stated(truth=truth, solve=lambda _: solvers.integrate(orbit, np.array([0.0, 17.6]), times, **options))


@TABLE.entry("17 orbit, 5000 periods, defaults", "(-0.4348228, 17.5367940) at t = 1000", roads=("call",), seconds=30)
def orbit_default() -> Stated:
    return orbit_integrated()


@TABLE.entry("17 orbit, more steps", "(-0.4348228, 17.5367940) at t = 1000", roads=("call",), seconds=30, right=1e-3)
def orbit_more_steps() -> Stated:
    return orbit_integrated(rtol=1e-8, max_steps=10_000_000)


@TABLE.entry("17 orbit, five periods", "(0.9105473, 17.2988861) at t = 1", roads=("pinn",), seconds=20, right=1e-4)
def orbit_short() -> Stated:
    a, b = fields("a b", t)
    pde = PDE(a.t + a**2 - b**2 + 256, b.t + 2 * a * b, Initial(a, 0), Initial(b, 17.6))
    truth = values(("t = 1", lambda s: (float(s.a(1.0)), float(s.b(1.0))), (0.9105473, 17.2988861)))
    return Stated(pde, Box(t=(0, 1)), truth)


@TABLE.entry("17 orbit, five windows", "(0.9105473, 17.2988861) at t = 1", roads=("call",), seconds=30, right=1e-4)
def orbit_in_windows() -> Stated:
    whole = orbit_short()
    solve = lambda seconds: pinn.solve_windows(whole.pde, whole.domain, 5, max_time=seconds, progress=False)  # noqa: E731
    return Stated(truth=whole.truth, solve=solve)
