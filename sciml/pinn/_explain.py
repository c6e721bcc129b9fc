"""What `solve` will do with a problem, in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._frequencies import carriers
from ._problem import Problem, compile_beside
from .local import folded, in_steps, too_many, why_not


def explain(pde: Any, domain: Any, network: Any = None, *, exact: bool = True) -> str:
    """Fields, how each derivative is evaluated, which conditions hold exactly, which are penalised and why, sizes.

    >>> from sciml import Box, Dirichlet, PDE, coordinates, field, pinn
    >>> x = coordinates("x")
    >>> u = field("u", x)
    >>> print(pinn.explain(PDE(u.xx + 1, Dirichlet(u, 0)), Box(x=(0, 1))).splitlines()[0])
    u(x) of size 0.25
    """
    pde, fluxes = folded(pde, domain) if network is None else (pde, ())
    problem = compile_beside(pde, fluxes, domain, network, exact=exact, weights=None, precision=np.float64, key=0)
    return describe(problem, _tried(problem) if network is None else "")


def _tried(problem: Problem) -> str:
    """What `solve` tries before it trains the network."""
    if problem.fluxes:
        places = " and ".join(f.coordinate.name for f in problem.fluxes)
        return f"local least squares, on patches that end where the flux along {places} jumps{_in_time(problem)}; nothing else"
    reason = why_not(problem) or too_many(problem)
    waves = "" if problem.exactness.corners or problem.learns else "a layer of random waves; "
    patches = f"local least squares, polynomials on patches{_in_time(problem)}"
    local = f"no local least squares ({reason})" if reason else patches
    return f"{waves}{local}; then the network is trained"


def _in_time(problem: Problem) -> str:
    """How patches go through time; data are of all times at once."""
    if problem.pde.time is None or problem.learns:
        return ""
    return ", steps of a Runge-Kutta method in time" if in_steps(problem.pde) else ", windows of time"


def describe(problem: Problem, tried: str = "") -> str:
    trial, decided = problem.trial, problem.exactness
    lines = [
        f"{u.field_name}({', '.join(c.name for c in u.coordinates)}) of size {size:.3g}"
        for u, size in zip(problem.pde.fields, trial.scales, strict=True)
    ]
    lines.append(f"network: {problem.network!r}"[:100])
    lengths = trial.upper - trial.lower
    for c, found, length in zip(problem.pde.coordinates, carriers(problem.pde, problem.domain), lengths, strict=True):
        if found:
            each = " and ".join(f"{2 * f / length:.3g}" for f in found if f)
            lines.append(
                f"frequencies: what is prescribed oscillates along {c.name} with the angular frequency {each}; waves around it "
                "are tried first, with all conditions penalised"
            )
    if tried:
        lines.append(f"tried first: {tried}")
    lines.append("conditions:")
    for name, how in decided.exact.items():
        lines.append(f"  {name}: held exactly, {how}")
    for name, why in decided.penalised.items():
        lines.append(f"  {name}: penalised, {why}")
    lines.append("residuals:")
    for g in problem.groups:
        for b in g.blocks:
            local = "" if b.local is None else " times that of its terms at each point, which varies"
            lines.append(f"  {b.name}: natural size {b.scale:.3g}{local}, weight {problem.weights[b.name]:.3g}")
        if g.plan is not None:
            lines += ["    " + line for line in g.plan.explain().splitlines()]
    lines.append(
        "points: drawn where the residual is large, with quadrature weights 1/density, so the loss stays the mean square "
        "over the domain"
    )
    lines += [f"note: {sentence}" for sentence in problem.notes]
    return "\n".join(lines)
