"""Unknown coefficients that are functions, from noisy data of the solution."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp
from _runner import Stated

from sciml import PDE, Box, Dirichlet, Observed, Rectangle, coordinates, div, field, fields, grad, parameter

from ._data import SEED, TABLE, best, numbers

pi = sp.pi
NOISE = 0.1


def noisy(clean: np.ndarray) -> np.ndarray:
    return clean + np.random.RandomState(SEED).normal(0, NOISE, clean.shape)


def source(a: Any, u: Any, space: tuple[Any, ...], t: Any = None) -> Any:
    """f of u_t = div(a grad u) + f, or of 0 = div(a grad u) + f, from the truth. (PINNacle's source of Poisson-Inv has
    2x + 1 where 2x - 1 is right.)"""
    return (0 if t is None else sp.diff(u, t)) - sum(sp.diff(a * sp.diff(u, s), s) for s in space)


def wave(*at: Any) -> Any:
    return np.prod([np.sin(np.pi * s) for s in at], axis=0)


def bell(x: Any, y: Any) -> Any:
    return 1 / (1 + x**2 + y**2 + (x - 1) ** 2 + (y - 1) ** 2)


def grid_of_data() -> tuple[np.ndarray, np.ndarray]:
    px, py = np.meshgrid(*[np.linspace(0, 1, 50)] * 2)
    return px.ravel(), py.ravel()


@TABLE.entry("Poisson-Inv", "1.96e-2", roads=("pinn",), right=best(1.96e-2))
def poisson_unknown() -> Stated:
    x, y = coordinates("x y")
    u, a = fields("u a", x, y)
    px, py = grid_of_data()
    f = source(bell(x, y), sp.sin(pi * x) * sp.sin(pi * y), (x, y))
    data = Observed(u, {"x": px, "y": py}, noisy(wave(px, py)), noise=NOISE)
    pde = PDE(div(a * grad(u)) + f, data, Dirichlet(a, bell(x, y)))
    return Stated(pde, Rectangle((0, 0), (1, 1)), {"u": wave, "a": bell})


@TABLE.entry("Poisson-Inv, unknown amplitudes", "1.96e-2", roads=("pinn",), right=best(1.96e-2))
def poisson_amplitudes(n: int = 3) -> Stated:
    """The coefficient as its boundary values and n^2 sine waves of unknown amplitudes."""
    x, y = coordinates("x y")
    u = field("u", x, y)
    px, py = grid_of_data()
    b = lambda x_, y_: bell(sp.sympify(x_), sp.sympify(y_))  # noqa: E731
    blend = (1 - x) * b(0, y) + x * b(1, y) + (1 - y) * b(x, 0) + y * b(x, 1)
    blend -= (1 - x) * (1 - y) * b(0, 0) + x * (1 - y) * b(1, 0) + (1 - x) * y * b(0, 1) + x * y * b(1, 1)
    pairs = [(i, j) for i in range(1, n + 1) for j in range(1, n + 1)]
    amplitudes = [parameter(f"c{i}{j}", initial=0.0) for i, j in pairs]
    a = blend + sum(c * sp.sin(i * pi * x) * sp.sin(j * pi * y) for c, (i, j) in zip(amplitudes, pairs, strict=True))
    f = source(bell(x, y), sp.sin(pi * x) * sp.sin(pi * y), (x, y))
    data = Observed(u, {"x": px, "y": py}, noisy(wave(px, py)), noise=NOISE)

    def found(solution: Any) -> dict[str, Any]:
        points = solution.domain.sample(8192, key=1).T
        learned = a.subs({c: float(solution.parameters[c.name].value) for c in amplitudes})
        return {
            "u": (solution.u(*points), wave(*points)),
            "a": (sp.lambdify((x, y), learned, "numpy")(*points), bell(*points)),
        }

    return Stated(PDE(div(a * grad(u)) + f, data), Rectangle((0, 0), (1, 1)), found)


HEAT_TRUTH = {"u": lambda x, y, t: np.exp(-t) * wave(x, y), "a": lambda x, y, *t: 2 + wave(x, y)}


def heat_unknown(x: Any, y: Any, t: Any, u: Any, a: Any, *more: Any) -> Stated:
    known = 2 + sp.sin(pi * x) * sp.sin(pi * y)
    f = source(known, sp.exp(-t) * sp.sin(pi * x) * sp.sin(pi * y), (x, y), t)
    points = numbers("heatinv_points.dat")
    data = Observed(u, points, noisy(HEAT_TRUTH["u"](*points.T)), noise=NOISE)
    pde = PDE(u.t - div(a * grad(u)) - f, data, Dirichlet(a, known), *more)
    return Stated(pde, Box(x=(-1, 1), y=(-1, 1), t=(0, 1)), HEAT_TRUTH)


@TABLE.entry("Heat-Inv", "5.09e-2; 3.8e-2", roads=("pinn",), right=best(5.09e-2))
def heat_coefficient() -> Stated:
    x, y, t = coordinates("x y t")
    return heat_unknown(x, y, t, field("u", x, y, t), field("a", x, y))


@TABLE.entry("Heat-Inv, a.t = 0 and data of a", "5.09e-2; 3.8e-2", roads=("pinn",), right=best(5.09e-2))
def heat_coefficient_at_rest() -> Stated:
    """Where a field needs an equation: da/dt = 0, and its values on the boundary at the start, which are known."""
    x, y, t = coordinates("x y t")
    u, a = fields("u a", x, y, t)
    s, end = np.linspace(-1, 1, 50), np.ones(50)
    sides = np.concatenate([np.stack(pair) for e in (-end, end) for pair in ((e, s), (s, e))], axis=1)
    places = np.stack([*sides, np.zeros(200)], axis=1)
    return heat_unknown(x, y, t, u, a, a.t, Observed(a, places, 2 + wave(*sides)))
