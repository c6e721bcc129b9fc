"""Runge-Kutta steps for du/dt = L u + N(u, t): implicit in L, implicit in both, or explicit in both.

    IMEX4       Kennedy & Carpenter 2003, ARK4(3)6L[2]SA: L implicit, N explicit
    Implicit5   Kvaerno 2004, ESDIRK 5(4): both implicit, by Newton-Krylov steps that L preconditions
    SSPRK3      Shu & Osher 1988: explicit, strong stability preserving; its step follows the fastest signal

The tableaux are diffrax's. With R = (1 - gamma h L)^-1, diagonal in the spectral basis, a stage of the implicit methods solves

    U = R (b + gamma h N(U)).
"""

from __future__ import annotations

from typing import Any, ClassVar

import diffrax
import jax
import jax.numpy as jnp
import lineax as lx
import optimistix as optx

from ._base import AbstractStepper, Rate
from ._linear import Linear

NEWTON_STEPS = 12
NEWTON_TOLERANCE = 1e-11
KRYLOV_TOLERANCE = 1e-4

EXPLICIT, IMPLICIT = diffrax.KenCarp4.tableau.tableaus
KVAERNO = diffrax.Kvaerno5.tableau


class IMEX4(AbstractStepper):
    """Fourth order, L implicit and L-stable, N explicit; error estimate of order three. Kennedy & Carpenter, Appl. Numer. Math.
    44 (2003) 139. For an L that is stiff without being dominant; where L is all that is stiff, `ETDRK4` is more accurate."""

    order: ClassVar[int] = 4

    def prepare(self, linear: Linear, h: Any) -> Any:
        return linear.resolvent(float(IMPLICIT.a_diagonal[-1]) * h)

    def step(self, linear: Linear, factors: Any, rate: Rate, u: Any, t: Any, h: Any, n: Any) -> tuple[Any, Any, Any]:
        stiff, rest = [linear.apply(u)], [n]
        for c, a, b in zip(IMPLICIT.c, IMPLICIT.a_lower, EXPLICIT.a_lower, strict=True):
            known = u + h * _combined(a, stiff) + h * _combined(b, rest)
            stage = linear.multiply(factors, known)
            stiff.append(linear.apply(stage))
            rest.append(rate(stage, t + float(c) * h))
        both = [s + r for s, r in zip(stiff, rest, strict=True)]
        new = u + h * _combined(IMPLICIT.b_sol, both)
        return new, rate(new, t + h), linear.multiply(factors, h * _combined(IMPLICIT.b_error, both))


class Implicit5(AbstractStepper):
    """Fifth order, all implicit and L-stable; error estimate of order four. Kvaerno, BIT 44 (2004) 489. For an N that is stiff
    itself: a strongly varying coefficient, fast reactions. Stages are solved by Newton steps with GMRES, without a matrix."""

    order: ClassVar[int] = 5

    def prepare(self, linear: Linear, h: Any) -> Any:
        return linear.resolvent(float(KVAERNO.a_diagonal[-1]) * h)  # type: ignore[index]

    def step(self, linear: Linear, factors: Any, rate: Rate, u: Any, t: Any, h: Any, n: Any) -> tuple[Any, Any, Any]:
        gamma = float(KVAERNO.a_diagonal[-1])  # type: ignore[index]
        slopes = [linear.apply(u) + n]
        stage, good = u, jnp.asarray(True)
        for c, a in zip(KVAERNO.c, KVAERNO.a_lower, strict=True):
            known, when = u + h * _combined(a, slopes), t + float(c) * h
            stage, solved = _stage(linear, factors, rate, known, when, gamma * h, stage)
            slopes.append((stage - known) / (gamma * h))
            good = good & solved
        new = jnp.where(good, stage, jnp.nan)  # stiffly accurate: the last stage is the new state
        return new, rate(new, t + h), h * _combined(KVAERNO.b_error, slopes)


class SSPRK3(AbstractStepper):
    """Third order, explicit; keeps what a forward Euler step keeps, such as a bound on the total variation. The step is `cfl`
    times the time in which the fastest signal crosses a cell. Shu & Osher, J. Comput. Phys. 77 (1988) 439."""

    order: ClassVar[int] = 3
    cfl: float = 0.5

    def __check_init__(self):
        if not 0 < self.cfl <= 1:
            raise ValueError(f"SSPRK3(cfl={self.cfl!r}): expected a number above 0, at most 1.")

    def prepare(self, linear: Linear, h: Any) -> Any:
        return ()

    def step(self, linear: Linear, factors: Any, rate: Rate, u: Any, t: Any, h: Any, n: Any) -> tuple[Any, Any, Any]:
        whole = lambda u, t: linear.apply(u) + rate(u, t)  # noqa: E731
        first = u + h * (linear.apply(u) + n)
        second = 0.75 * u + 0.25 * (first + h * whole(first, t + h))
        new = u / 3 + 2 / 3 * (second + h * whole(second, t + h / 2))
        return new, rate(new, t + h), new - second


def _combined(weights: Any, values: list[Any]) -> Any:
    return sum(float(w) * v for w, v in zip(weights, values, strict=True) if w)


def _stage(linear: Linear, factors: Any, rate: Rate, known: Any, t: Any, c: Any, guess: Any) -> tuple[Any, Any]:
    """U with U = known + c (L U + N(U)), and whether it was found. GMRES sees real numbers: N is not complex-linear."""
    pack, unpack = _real_view(known)

    def defect(w: Any, args: Any) -> Any:
        known, t, c, factors = args
        u = unpack(w)
        return pack(u - linear.multiply(factors, known + c * rate(u, t)))

    size = jnp.sqrt(jnp.mean(pack(guess) ** 2))
    solver = optx.Newton(
        rtol=NEWTON_TOLERANCE,
        atol=NEWTON_TOLERANCE * jax.lax.stop_gradient(size) + 1e-300,
        norm=optx.rms_norm,
        linear_solver=lx.GMRES(rtol=KRYLOV_TOLERANCE, atol=0.0, restart=20, max_steps=200),
    )
    adjoint = optx.ImplicitAdjoint(linear_solver=lx.GMRES(rtol=1e-12, atol=0.0, restart=30))
    found = optx.root_find(
        defect, solver, pack(guess), (known, t, c, factors), max_steps=NEWTON_STEPS, throw=False, adjoint=adjoint
    )
    return unpack(found.value), found.result == optx.RESULTS.successful


def _real_view(u: Any) -> tuple[Any, Any]:
    if not jnp.iscomplexobj(u):
        return (lambda u: u), (lambda w: w)
    return (lambda u: jnp.stack([u.real, u.imag])), (lambda w: w[0] + 1j * w[1])
