"""The problems of the benchmark: stated as in the paper, with nothing tuned, and what a solution is measured against.

Each is a `Problem`; `PROBLEMS` holds them by name. `build()` gives what `sciml.pinn.solve` takes,
`errors(solution)` the relative L2 error of each field (or what else the issue's table asks for), `marks` what
has to be reached and when.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import references
import sympy as sp
from references import MARCHI_100, NU, extremum, relative_l2

from sciml.geometry import Box, Polygon
from sciml.pde import (
    PDE,
    Dirichlet,
    Initial,
    Observed,
    Periodic,
    coordinates,
    fields,
    laplacian,
    parameter,
)
from sciml.pde import field as make_field

Errors = dict[str, float]


@dataclass(frozen=True)
class Mark:
    """What has to be reached within `seconds`: a bound for each measured quantity, `bound` where it has no own."""

    bound: float
    seconds: float
    own: dict[str, float] = field(default_factory=dict)

    def passed(self, errors: Errors) -> bool:
        return all(value <= self.own.get(name, self.bound) for name, value in errors.items())

    def text(self) -> str:
        own = "".join(f", {name} {bound:g}" for name, bound in self.own.items())
        return f"{self.bound:g}{own} in {self.seconds:g} s"


@dataclass(frozen=True)
class Problem:
    """One row of the table.

    **Attributes:** `build()` -> (pde, domain). `points` -> the coordinates where fields are compared, arrays by name;
    `exact` -> the fields there, arrays by name. `measure(solution)` -> what the marks are about where it is not
    the relative L2 error of each field. `aim`: what the issue hopes for beyond the marks. `details(solution)`: more
    numbers for the record.
    """

    name: str
    title: str
    build: Callable[[], tuple[Any, Any]]
    reference: Callable[[], tuple[dict[str, np.ndarray], dict[str, np.ndarray]]]
    marks: tuple[Mark, ...]
    aim: float | None = None
    measure: Callable[[Any], Errors] | None = None
    details: Callable[[Any], dict[str, Any]] | None = None

    def field_errors(self, solution: Any) -> Errors:
        """The relative L2 error of each field, and of all together (|all errors| / |all values|) as `all`."""
        points, exact = self.reference()
        found = {name: np.asarray(getattr(solution, name)(**points)) for name in exact}
        errors = {name: relative_l2(found[name], exact[name]) for name in exact}
        top = sum(float(np.sum((found[name] - exact[name]) ** 2)) for name in exact)
        bottom = sum(float(np.sum(exact[name] ** 2)) for name in exact)
        return errors | {"all": float(np.sqrt(top / bottom))}

    def errors(self, solution: Any) -> Errors:
        """What the marks bound, by name."""
        if self.measure is not None:
            return self.measure(solution)
        return {name: value for name, value in self.field_errors(solution).items() if name != "all"}


# One field ------------------------------------------------------------------------------------------------------------


def burgers(nu: float = 0.01 / np.pi) -> tuple[Any, Any]:
    x, t = coordinates("x t")
    u = make_field("u", x, t)
    pde = PDE(u.t + u * u.x - nu * u.xx, Initial(u, -sp.sin(sp.pi * x)), Dirichlet(u, 0))
    return pde, Box(x=(-1, 1), t=(0, 1))


def burgers_reference() -> tuple[dict, dict]:
    x, t, u = references.burgers_grid()
    return {"x": x, "t": t}, {"u": u}


def allen_cahn() -> tuple[Any, Any]:
    x, t = coordinates("x t")
    u = make_field("u", x, t)
    pde = PDE(u.t - 1e-4 * u.xx + 5 * (u**3 - u), Initial(u, x**2 * sp.cos(sp.pi * x)), Periodic(x))
    return pde, Box(x=(-1, 1), t=(0, 1))


def allen_cahn_reference() -> tuple[dict, dict]:
    x, t, u = references.allen_cahn_grid()
    return {"x": x, "t": t}, {"u": u}


def kuramoto_sivashinsky() -> tuple[Any, Any]:
    x, t = coordinates("x t")
    u = make_field("u", x, t)
    start = sp.cos(x / 16) * (1 + sp.sin(x / 16))
    pde = PDE(u.t + u * u.x + u.xx + u.diff(x, 4), Initial(u, start), Periodic(x))
    return pde, Box(x=(0, 32 * np.pi), t=(0, 10))


def kuramoto_sivashinsky_reference() -> tuple[dict, dict]:
    x, t, u = references.kuramoto_sivashinsky_grid()
    return {"x": x, "t": t}, {"u": u}


def heat() -> tuple[Any, Any]:
    x, t = coordinates("x t")
    u = make_field("u", x, t)
    pde = PDE(u.t - u.xx, Initial(u, sp.sin(sp.pi * x) + sp.sin(3 * sp.pi * x) / 3), Dirichlet(u, 0))
    return pde, Box(x=(0, 1), t=(0, 0.2))


def heat_reference() -> tuple[dict, dict]:
    at = grid(x=np.linspace(0, 1, 201), t=np.linspace(0, 0.2, 101))
    x, t = at["x"], at["t"]
    first, third = (np.sin(k * np.pi * x) * np.exp(-((k * np.pi) ** 2) * t) / k for k in (1, 3))
    return at, {"u": first + third}


def wave() -> tuple[Any, Any]:
    x, t = coordinates("x t")
    u = make_field("u", x, t)
    pde = PDE(
        u.tt - 4 * u.xx,
        Initial(u, sp.sin(sp.pi * x) + sp.sin(4 * sp.pi * x) / 2),
        Initial(u, 0, order=1),
        Dirichlet(u, 0),
    )
    return pde, Box(x=(0, 1), t=(0, 1))


def wave_reference() -> tuple[dict, dict]:
    at = grid(x=np.linspace(0, 1, 201), t=np.linspace(0, 1, 201))
    x, t = at["x"], at["t"]
    first = np.sin(np.pi * x) * np.cos(2 * np.pi * t)
    return at, {"u": first + np.sin(4 * np.pi * x) * np.cos(8 * np.pi * t) / 2}


def poisson() -> tuple[Any, Any]:
    x, y = coordinates("x y")
    u = make_field("u", x, y)
    f = -13 * sp.pi**2 * sp.sin(2 * sp.pi * x) * sp.sin(3 * sp.pi * y)
    return PDE(laplacian(u) - f, Dirichlet(u, 0)), Box(x=(0, 1), y=(0, 1))


def poisson_reference() -> tuple[dict, dict]:
    at = grid(x=np.linspace(0, 1, 151), y=np.linspace(0, 1, 151))
    return at, {"u": np.sin(2 * np.pi * at["x"]) * np.sin(3 * np.pi * at["y"])}


def helmholtz() -> tuple[Any, Any]:
    x, y = coordinates("x y")
    u = make_field("u", x, y)
    f = (1 - 17 * sp.pi**2) * sp.sin(sp.pi * x) * sp.sin(4 * sp.pi * y)
    return PDE(laplacian(u) + u - f, Dirichlet(u, 0)), Box(x=(-1, 1), y=(-1, 1))


def helmholtz_reference() -> tuple[dict, dict]:
    at = grid(x=np.linspace(-1, 1, 151), y=np.linspace(-1, 1, 151))
    return at, {"u": np.sin(np.pi * at["x"]) * np.sin(4 * np.pi * at["y"])}


def kdv() -> tuple[Any, Any]:
    """The soliton of speed 1 runs from x = -5 to 5 of [-20, 20]: its tails at the ends stay below 7e-7."""
    x, t = coordinates("x t")
    u = make_field("u", x, t)
    pde = PDE(u.t + 6 * u * u.x + u.xxx, Initial(u, 1 / (2 * sp.cosh((x + 5) / 2) ** 2)), Periodic(x))
    return pde, Box(x=(-20, 20), t=(0, 10))


def kdv_reference() -> tuple[dict, dict]:
    at = grid(x=np.linspace(-20, 20, 401), t=np.linspace(0, 10, 101))
    nearest = (at["x"] + 5 - at["t"] + 20) % 40 - 20
    return at, {"u": 0.5 / np.cosh(nearest / 2) ** 2}


def burgers_sharp_reference() -> tuple[dict, dict]:
    at = grid(x=np.concatenate([np.linspace(-1, 1, 129), np.linspace(-0.01, 0.01, 42)]), t=np.linspace(0.01, 1, 50))
    return at, {"u": references.burgers_sharp(at["x"], at["t"], NU / 10)}


def two_solitons() -> tuple[Any, Any]:
    """Of speeds 9 and 4, from t = -1 to 1; they meet at t = 0."""
    x, t = coordinates("x t")
    u = make_field("u", x, t)
    # u = 2 (log F)_xx of `references.two_solitons`, F divided by its second term: no exponential overflows.
    a, b = 3 * x + 27, 2 * x + 8
    F = sp.exp(-a) + 1 + sp.exp(b - a) + sp.exp(b) / 25
    start = 2 * sp.diff(sp.log(F), x, 2)
    pde = PDE(u.t + 6 * u * u.x + u.xxx, Initial(u, start), Periodic(x))
    return pde, Box(x=(-24, 24), t=(-1, 1))


def two_solitons_reference() -> tuple[dict, dict]:
    at = grid(x=np.linspace(-24, 24, 801), t=np.linspace(-1, 1, 101))
    return at, {"u": references.two_solitons(at["x"], at["t"])}


def l_shape() -> tuple[Any, Any]:
    """u = r^(2/3) sin(2 theta / 3) around the corner."""
    x, y = coordinates("x y")
    u = make_field("u", x, y)
    angle = sp.Piecewise((sp.atan2(y, x) + 2 * sp.pi, sp.atan2(y, x) < -1e-9), (sp.atan2(y, x), True))
    exact = (x**2 + y**2) ** sp.Rational(1, 3) * sp.sin(2 * angle / 3)
    shape = Polygon([(-1, -1), (0, -1), (0, 0), (1, 0), (1, 1), (-1, 1)])
    return PDE(laplacian(u), Dirichlet(u, exact)), shape


def l_shape_reference() -> tuple[dict, dict]:
    middles = (np.arange(160) + 0.5) / 80 - 1  # a corner, which is no area, would count as one of these squares
    at = grid(x=middles, y=middles)
    inside = ~((at["x"] > 0) & (at["y"] < 0))
    x, y = at["x"][inside], at["y"][inside]
    angle = np.arctan2(y, x)
    angle = np.where(angle < -1e-9, angle + 2 * np.pi, angle)
    return {"x": x, "y": y}, {"u": np.hypot(x, y) ** (2 / 3) * np.sin(2 * angle / 3)}


def burgers_2d() -> tuple[Any, Any]:
    """A front along the diagonal, u = 1 / (1 + exp((x + y - t) / (2 nu))), nu = 0.01."""
    x, y, t = coordinates("x y t")
    u = make_field("u", x, y, t)
    exact = 1 / (1 + sp.exp(50 * (x + y - t)))
    pde = PDE(u.t + u * (u.x + u.y) - 0.01 * laplacian(u), Initial(u, exact.subs(t, 0)), Dirichlet(u, exact))
    return pde, Box(x=(0, 1), y=(0, 1), t=(0, 1))


def burgers_2d_reference() -> tuple[dict, dict]:
    at = grid(x=np.linspace(0, 1, 61), y=np.linspace(0, 1, 61), t=np.linspace(0, 1, 31))
    return at, {"u": 1 / (1 + np.exp(50 * (at["x"] + at["y"] - at["t"])))}


def poisson_10d() -> tuple[Any, Any]:
    axes = coordinates(" ".join(f"x{i}" for i in range(1, 11)))
    u = make_field("u", *axes)
    square = sum(x**2 for x in axes)
    exact = sp.exp(-square / 10)
    pde = PDE(laplacian(u) - (square / 25 - 2) * exact, Dirichlet(u, exact))
    return pde, Box(**{f"x{i}": (-1, 1) for i in range(1, 11)})


def poisson_10d_reference() -> tuple[dict, dict]:
    points = np.random.default_rng(20240601).uniform(-1, 1, (100_000, 10))
    return {f"x{i + 1}": points[:, i] for i in range(10)}, {"u": np.exp(-np.sum(points**2, axis=1) / 10)}


# Flows ----------------------------------------------------------------------------------------------------------------


def _navier_stokes(nu: float) -> tuple[Any, ...]:
    x, y = coordinates("x y")
    u, v, p = fields("u v p", x, y)
    equations = (
        u * u.x + v * u.y + p.x - nu * laplacian(u),
        u * v.x + v * v.y + p.y - nu * laplacian(v),
        u.x + v.y,
    )
    return x, y, u, v, p, equations


def kovasznay() -> tuple[Any, Any]:
    """Velocity from the exact flow on the whole boundary, the pressure at one corner."""
    x, y, u, v, p, equations = _navier_stokes(1 / 40)
    a = 20 - sp.sqrt(400 + 4 * sp.pi**2)
    exact_u = 1 - sp.exp(a * x) * sp.cos(2 * sp.pi * y)
    exact_v = a / (2 * sp.pi) * sp.exp(a * x) * sp.sin(2 * sp.pi * y)
    corner = {"x": -0.5, "y": -0.5}
    exact_p = float(((1 - sp.exp(2 * a * x)) / 2).subs(x, corner["x"]))
    conditions = (Dirichlet((u, v), (exact_u, exact_v)), Dirichlet(p, exact_p, on=corner))
    return PDE(*equations, *conditions, fields=(u, v, p)), Box(x=(-0.5, 1), y=(-0.5, 1.5))


def kovasznay_reference() -> tuple[dict, dict]:
    at = grid(x=np.linspace(-0.5, 1, 121), y=np.linspace(-0.5, 1.5, 161))
    x, y = at["x"], at["y"]
    a = 20 - np.sqrt(400 + 4 * np.pi**2)
    u = 1 - np.exp(a * x) * np.cos(2 * np.pi * y)
    v = a / (2 * np.pi) * np.exp(a * x) * np.sin(2 * np.pi * y)
    return at, {"u": u, "v": v, "p": (1 - np.exp(2 * a * x)) / 2}


def cavity() -> tuple[Any, Any]:
    _, _, u, v, p, equations = _navier_stokes(1 / 100)
    conditions = (
        Dirichlet(u, 1, on="y_max"),
        Dirichlet(u, 0, on=("x_min", "x_max", "y_min")),
        Dirichlet(v, 0),
        Dirichlet(p, 0, on={"x": 0, "y": 0}),
    )
    return PDE(*equations, *conditions, fields=(u, v, p)), Box(x=(0, 1), y=(0, 1))


def cavity_extrema(solution: Any) -> dict[str, float]:
    line = np.linspace(0, 1, 2001)
    u, v = solution.u(x=0.5, y=line), solution.v(x=line, y=0.5)
    return {"u_min": extremum(u, -1), "v_max": extremum(v, 1), "v_min": extremum(v, -1)}


def cavity_measure(solution: Any) -> Errors:
    return {name: abs(value / MARCHI_100[name] - 1) for name, value in cavity_extrema(solution).items()}


def cavity_reference() -> tuple[dict, dict]:
    x, y, u, v = references.cavity_grid()
    return {"x": x, "y": y}, {"u": u, "v": v}


# Inverse problems -----------------------------------------------------------------------------------------------------

TRUTH = {"nu": NU, "advection": 1.0}
SCATTERED = 2000


def scattered(draw: int, noise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """x, t, u at 2,000 random points and sigma: noise of `noise` times the standard deviation of u is in u already."""
    rng = np.random.default_rng(1000 + draw)
    x, t = rng.uniform(-1, 1, SCATTERED), rng.uniform(0, 1, SCATTERED)
    u = references.burgers(x, t)
    sigma = noise * float(np.std(u))
    return x, t, u + sigma * rng.standard_normal(SCATTERED), sigma


def inverse_burgers(draw: int = 0, noise: float = 0.0) -> tuple[Any, Any]:
    """Both coefficients start wrong, by a factor of 3 and 2; the initial and boundary values are known."""
    x, t = coordinates("x t")
    u = make_field("u", x, t)
    nu = parameter("nu", initial=0.01, positive=True)
    advection = parameter("advection", initial=0.5)
    at, when, values, sigma = scattered(draw, noise)
    data = Observed(u, {"x": at, "t": when}, values, **({"noise": sigma} if noise else {}))
    equation = u.t + advection * u * u.x - nu * u.xx
    return PDE(equation, Initial(u, -sp.sin(sp.pi * x)), Dirichlet(u, 0), data), Box(x=(-1, 1), t=(0, 1))


def inverse_errors(solution: Any) -> Errors:
    return {name: abs(float(solution.parameters[name].value) / truth - 1) for name, truth in TRUTH.items()}


def noisy(draw: int) -> Callable[[], tuple[Any, Any]]:
    return lambda: inverse_burgers(draw, noise=0.01)


def noisy_measure(draw: int) -> Callable[[Any], Errors]:
    """The standard error over the Cramer-Rao bound; the distance from the truth in standard errors is in the details.

    A standard error far below the bound is as wrong as one far above, so the inverse ratio is held to 1.5 as well.
    """

    def measure(solution: Any) -> Errors:
        x, t, _, sigma = scattered(draw, 0.01)
        bound = references.burgers_cramer_rao(x, t, sigma)
        ratio = {name: _standard_error(solution, name) / bound[name] for name in TRUTH}
        return {
            f"standard error of {name}, as a factor of the bound": max(r, 1 / r if r else np.inf)
            for name, r in ratio.items()
        }

    return measure


def noisy_details(draw: int) -> Callable[[Any], dict[str, Any]]:
    def details(solution: Any) -> dict[str, Any]:
        x, t, _, sigma = scattered(draw, 0.01)
        bound = references.burgers_cramer_rao(x, t, sigma)
        found = {}
        for name, truth in TRUTH.items():
            value, error = float(solution.parameters[name].value), _standard_error(solution, name)
            found[name] = {
                "value": value,
                "truth": truth,
                "standard error": error,
                "standard error, relative": error / truth,
                "cramer-rao, relative": bound[name] / truth,
                "off by standard errors": abs(value - truth) / error,
                "covered by two": bool(abs(value - truth) <= 2 * error),
            }
        return found

    return details


def clean_details(solution: Any) -> dict[str, Any]:
    return {name: {"value": float(solution.parameters[name].value), "truth": truth} for name, truth in TRUTH.items()}


def _standard_error(solution: Any, name: str) -> float:
    error = solution.parameters[name].standard_error
    return float("nan") if error is None else float(error)


def noisy_draw(draw: int) -> Problem:
    """Draw `draw` of the noise, for the coverage."""
    return Problem(
        f"inverse_burgers_noisy_{draw}", f"inverse Burgers, 1 % noise, draw {draw}", noisy(draw), burgers_reference,
        (Mark(1.5, 180),), measure=noisy_measure(draw), details=noisy_details(draw),
    )  # fmt: skip


# The table ------------------------------------------------------------------------------------------------------------


def grid(**axes: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(axes, np.meshgrid(*axes.values(), indexing="ij"), strict=True))


PROBLEMS = {
    p.name: p
    for p in (
        Problem(
            "burgers", "Burgers, nu = 0.01/pi", burgers, burgers_reference,
            (Mark(1e-4, 60), Mark(1e-5, 180), Mark(1e-8, 30)), aim=1e-10,
        ),
        Problem(
            "burgers_sharp", "Burgers, nu = 0.001/pi", partial(burgers, 0.001 / np.pi), burgers_sharp_reference,
            (Mark(1e-6, 60),),
        ),
        Problem(
            "allen_cahn", "Allen-Cahn, periodic", allen_cahn, allen_cahn_reference,
            (Mark(2e-4, 180), Mark(1e-4, 300), Mark(1e-7, 60)), aim=1e-8,
        ),
        Problem(
            "kuramoto_sivashinsky", "Kuramoto-Sivashinsky to t = 10 (mark of our own)", kuramoto_sivashinsky,
            kuramoto_sivashinsky_reference, (Mark(1e-3, 180), Mark(1e-6, 150)),
        ),
        Problem("heat", "heat", heat, heat_reference, (Mark(1e-6, 60),)),
        Problem("wave", "wave, two modes", wave, wave_reference, (Mark(1e-4, 180),), aim=1e-6),
        Problem("poisson_2d", "Poisson 2D", poisson, poisson_reference, (Mark(1e-6, 60),)),
        Problem("helmholtz_2d", "Helmholtz 2D, k = 1", helmholtz, helmholtz_reference, (Mark(1e-5, 120),), aim=1e-6),
        Problem(
            "kovasznay", "Kovasznay, Re 40", kovasznay, kovasznay_reference,
            (Mark(1e-5, 120, {"p": 1e-4}), Mark(1e-5, 180)),
        ),
        Problem(
            "cavity", "lid-driven cavity, Re 100", cavity, cavity_reference, (Mark(1e-2, 600), Mark(2e-3, 300)),
            measure=cavity_measure,
            details=cavity_extrema,
        ),
        Problem("kdv", "KdV soliton", kdv, kdv_reference, (Mark(1e-4, 180), Mark(1e-9, 60))),
        Problem("two_solitons", "KdV, two solitons that meet", two_solitons, two_solitons_reference, (Mark(1e-6, 60),)),
        Problem("l_shape", "L-shape, r^(2/3)", l_shape, l_shape_reference, (Mark(1e-5, 60),)),
        Problem("burgers_2d", "Burgers 2D, nu = 0.01", burgers_2d, burgers_2d_reference, (Mark(1e-3, 300),)),
        Problem("poisson_10d", "Poisson 10D", poisson_10d, poisson_10d_reference, (Mark(1e-3, 180),), aim=1e-4),
        Problem(
            "inverse_burgers", "inverse Burgers, clean", inverse_burgers, burgers_reference, (Mark(1e-4, 180),),
            measure=inverse_errors, details=clean_details,
        ),
        Problem(
            "inverse_burgers_noisy", "inverse Burgers, 1 % noise", noisy(0), burgers_reference, (Mark(1.5, 180),),
            measure=noisy_measure(0), details=noisy_details(0),
        ),
    )
}  # fmt: skip
