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
import numpy as np

from .._newton import newton_krylov
from ._base import AbstractStepper, Rate
from ._linear import Linear

NEWTON_STEPS = 12
NEWTON_TOLERANCE = 1e-11

_PAIR: Any = diffrax.KenCarp4.tableau.tableaus
EXPLICIT, IMPLICIT = _PAIR
KVAERNO: Any = diffrax.Kvaerno5.tableau


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
        return linear.resolvent(float(KVAERNO.a_diagonal[-1]) * h)

    def step(self, linear: Linear, factors: Any, rate: Rate, u: Any, t: Any, h: Any, n: Any) -> tuple[Any, Any, Any]:
        gamma = float(KVAERNO.a_diagonal[-1])
        stages = len(KVAERNO.c)
        lower = np.zeros((stages, stages + 1))
        for i, row in enumerate(KVAERNO.a_lower):
            lower[i, : i + 1] = row
        slopes = jnp.zeros((stages + 1, *u.shape), u.dtype).at[0].set(linear.apply(u) + n)

        def one(carry: Any, stage: Any) -> Any:
            slopes, guess, good = carry
            i, a, c = stage
            known = u + h * jnp.tensordot(a, slopes, axes=1)
            found, solved = _stage(linear, factors, rate, known, t + c * h, gamma * h, guess)
            return (slopes.at[i + 1].set((found - known) / (gamma * h)), found, good & solved), None

        start = (slopes, u, jnp.asarray(True))
        rows = (jnp.arange(stages), jnp.asarray(lower), jnp.asarray(KVAERNO.c))
        (slopes, last, good), _ = jax.lax.scan(one, start, rows)
        new = jnp.where(good, last, jnp.nan)  # stiffly accurate: the last stage is the new state
        return new, rate(new, t + h), h * jnp.tensordot(jnp.asarray(KVAERNO.b_error), slopes, axes=1)


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
        def one(v: Any, stage: Any) -> Any:
            kept, moved, c = stage
            at = t + c * h
            return kept * u + moved * (v + h * (linear.apply(v) + rate(v, at))), None

        stages = jnp.asarray([[0.0, 1.0, 0.0], [3 / 4, 1 / 4, 1.0], [1 / 3, 2 / 3, 1 / 2]])
        new, _ = jax.lax.scan(one, u, stages)
        return new, n, jnp.zeros_like(u)


def _combined(weights: Any, values: list[Any]) -> Any:
    return sum(float(w) * v for w, v in zip(weights, values, strict=True) if w)


def _stage(linear: Linear, factors: Any, rate: Rate, known: Any, t: Any, c: Any, guess: Any) -> tuple[Any, Any]:
    """U with U = known + c (L U + N(U)), and whether it was found."""

    def defect(u: Any) -> Any:
        return u - linear.multiply(factors, known + c * rate(u, t))

    size = jnp.sqrt(jnp.mean(jnp.abs(jax.lax.stop_gradient(guess)) ** 2))
    found, _, good = newton_krylov(defect, guess, NEWTON_TOLERANCE * size + 1e-300, most=NEWTON_STEPS)
    return found, good
