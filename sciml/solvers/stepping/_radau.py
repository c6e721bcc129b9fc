"""Radau IIA of order five, and a Tsitouras start that hands over to it when stiffness shows.

Radau IIA: three stages at c = ((4 - sqrt 6)/10, (4 + sqrt 6)/10, 1), L-stable, stiffly accurate. The stage increments Z solve

    Z = h (A x I) F(t + c h, y + Z),

by simplified Newton steps, in which the eigenvectors of A^-1 split the system of size 3 n into a real and a complex one of
size n. Source: Hairer & Wanner, Solving Ordinary Differential Equations II, IV.8; the coefficients are computed here from A.
"""

from __future__ import annotations

from typing import Any, ClassVar

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

_S6 = np.sqrt(6.0)
C = np.array([(4 - _S6) / 10, (4 + _S6) / 10, 1.0])
A = np.array(
    [
        [(88 - 7 * _S6) / 360, (296 - 169 * _S6) / 1800, (-2 + 3 * _S6) / 225],
        [(296 + 169 * _S6) / 1800, (88 + 7 * _S6) / 360, (-2 - 3 * _S6) / 225],
        [(16 - _S6) / 36, (16 + _S6) / 36, 1 / 9],
    ]
)
A_INVERSE = np.linalg.inv(A)


def _eigen() -> tuple[float, complex, np.ndarray, np.ndarray]:
    values, vectors = (np.asarray(a, complex) for a in np.linalg.eig(A_INVERSE))
    real, complex_ = int(np.argmin(np.abs(np.imag(values)))), int(np.argmax(np.imag(values)))
    basis = np.stack([vectors[:, real], vectors[:, complex_], vectors[:, complex_].conj()], axis=1)
    basis[:, 0] /= basis[2, 0]
    return float(values[real].real), complex(values[complex_]), basis, np.linalg.inv(basis)


MU_REAL, MU_COMPLEX, V, V_INVERSE = _eigen()
# The embedded error estimate of order three: (gamma_0 f_0 + Z E / h) through the real factor.
E = np.array([-13 - 7 * _S6, -13 + 7 * _S6, -1.0]) / 3
# Collocation polynomial: sum_j q_j theta^j = Z_i at c_i.
COLLOCATION = np.linalg.inv(C[:, None] ** np.arange(1, 4))
NEWTON_STEPS = 8
ROUNDED = 0.01  # of the tolerance: an increment that shrinks no more but is smaller than this is rounding, not divergence


def _hermite() -> np.ndarray:
    """(h f_0, h k_2, h k_3, y_1 - y_0) -> coefficients of theta^1 .. theta^4: slopes at 0, c_2 and 1, the value at 1."""
    powers = np.arange(1, 5)
    slope = lambda c: powers * c ** (powers - 1.0)  # noqa: E731
    return np.linalg.inv(np.stack([slope(0.0), slope(C[1]), slope(1.0), np.ones(4)]))


HERMITE = _hermite()


class Polynomial(diffrax.AbstractLocalInterpolation):
    """y(t0 + theta h) = y0 + sum_j coefficients[j] theta^(j + 1)."""

    t0: Any
    t1: Any
    y0: Any
    coefficients: Any

    def __init__(self, *, t0: Any, t1: Any, y0: Any, y1: Any, coefficients: Any):
        del y1
        self.t0, self.t1, self.y0, self.coefficients = t0, t1, y0, coefficients

    def evaluate(self, t0: Any, t1: Any = None, left: bool = True) -> Any:
        if t1 is not None:
            return self.evaluate(t1) - self.evaluate(t0)
        h = self.t1 - self.t0
        theta = (t0 - self.t0) / jnp.where(h == 0, 1.0, h)
        value = jnp.zeros_like(self.y0)
        for q in self.coefficients[::-1]:
            value = (value + q) * theta
        return self.y0 + value


class StepState(eqx.Module):
    """Carried from one accepted step to the next.

    `slope`: the derivative at its end (from the stages, where these are implicit); `known`: whether there is one; `guess`
    `(3, n)` and `h`: the collocation polynomial, which is extrapolated, zero without one; `evidence`, `calm`: steps that
    looked stiff, and those since that did not; `stiff`, `since`: whether and when it was handed over; `t`, `y`: the last
    accepted state.
    """

    slope: Float[Array, " n"]
    known: Any
    guess: Float[Array, "3 n"]
    h: Any
    evidence: Any
    calm: Any
    stiff: Any
    since: Any
    t: Any
    y: Float[Array, " n"]


def first_state(t0: Any, y0: Any, stiff: bool) -> StepState:
    zero = jnp.zeros_like(y0)
    t = jnp.asarray(t0, y0.dtype)
    return StepState(
        slope=zero,
        known=jnp.asarray(False),
        guess=jnp.zeros((3, *y0.shape), y0.dtype),
        h=jnp.ones((), y0.dtype),
        evidence=jnp.asarray(0),
        calm=jnp.asarray(0),
        stiff=jnp.asarray(stiff),
        since=t if stiff else jnp.asarray(np.inf, y0.dtype),
        t=t,
        y=y0,
    )


def radau_step(vf: Any, t0: Any, h: Any, y0: Any, state: StepState, rtol: Any, atol: Any) -> tuple[Any, ...]:
    """(y1, error, coefficients (4, n), state, converged). `vf(t, y)`: the right-hand side."""
    n = y0.shape[0]
    scale = jax.lax.stop_gradient(atol + rtol * jnp.abs(y0))
    norm = lambda e: jnp.sqrt(jnp.mean(jnp.abs(e / scale) ** 2))  # noqa: E731
    still = jax.lax.stop_gradient
    J = still(jax.jacfwd(lambda y: vf(t0, y))(y0))
    eye = jnp.eye(n, dtype=y0.dtype)
    hs = still(h)
    real = jax.scipy.linalg.lu_factor(MU_REAL / hs * eye - J)
    complex_ = jax.scipy.linalg.lu_factor(MU_COMPLEX / hs * eye - J)
    stages = jax.vmap(vf)

    def defect(Z: Any) -> Any:
        return Z - h * jnp.asarray(A) @ stages(t0 + jnp.asarray(C) * h, y0 + Z)

    tolerance = jnp.maximum(10 * jnp.finfo(y0.dtype).eps / rtol, jnp.minimum(0.03, jnp.sqrt(rtol)))
    V0, V1 = jnp.asarray(np.real(V[:, 0])), jnp.asarray(V[:, 1])
    I0, I1 = jnp.asarray(np.real(V_INVERSE[0])), jnp.asarray(V_INVERSE[1])

    def newton(_: Any, Z: Any) -> Any:
        t_, y_, h_ = still(t0), still(y0), still(h)

        def body(carry: Any) -> Any:
            k, W0, W1, _, before, _, _ = carry
            Z = jnp.outer(V0, W0) + 2 * jnp.real(jnp.outer(V1, W1))
            F = stages(t_ + jnp.asarray(C) * h_, y_ + Z)
            d0 = jax.scipy.linalg.lu_solve(real, I0 @ F - MU_REAL / h_ * W0)
            d1 = jax.scipy.linalg.lu_solve(complex_, I1 @ F - MU_COMPLEX / h_ * W1)
            size = jnp.sqrt((norm(d0) ** 2 + norm(d1) ** 2) / 1.5)
            rate = jnp.where(k > 0, size / before, 0.0)
            left = rate ** (NEWTON_STEPS - k) / (1 - rate) * size
            rounded = (k > 0) & (size < ROUNDED)
            bad = ~jnp.isfinite(size) | (~rounded & (k > 0) & ((rate >= 1) | (left > tolerance)))
            converged = (size == 0) | ((k > 0) & (rate < 1) & (rate / (1 - rate) * size < tolerance))
            good = ~bad & (converged | (rounded & ((rate >= 0.5) | (k + 1 == NEWTON_STEPS))))
            W0, W1 = (jnp.where(bad, w, w + d) for w, d in ((W0, d0), (W1, d1)))
            return k + 1, W0, W1, good, size, bad, rate

        start = (jnp.asarray(0), I0 @ Z, I1 @ Z.astype(I1.dtype), False, jnp.ones((), y0.dtype), False, jnp.zeros((), y0.dtype))
        start = jax.tree.map(jnp.asarray, start)
        _, W0, W1, good, *_ = jax.lax.while_loop(lambda c: (c[0] < NEWTON_STEPS) & ~c[3] & ~c[5], body, start)
        return jnp.outer(V0, W0) + 2 * jnp.real(jnp.outer(V1, W1)), good.astype(y0.dtype)

    def tangent(g: Any, b: Any) -> Any:
        matrix = jax.jacfwd(g)(jnp.zeros_like(b)).reshape(3 * n, 3 * n)
        return jnp.linalg.solve(matrix, b.ravel()).reshape(b.shape)

    theta = 1 + jnp.asarray(C) * hs / state.h
    powers = theta[:, None] ** jnp.arange(1, 4)
    # The polynomial of the step before, continued, starts at the value that it had at its end.
    guess = still((powers - 1) @ state.guess)
    Z, good = jax.lax.custom_root(defect, guess, newton, tangent, has_aux=True)
    y1 = y0 + Z[2]
    K = jnp.asarray(A_INVERSE) @ Z / h
    f0 = still(vf(t0, y0))
    ZE = still(jnp.asarray(E) @ Z) / hs
    error = jax.lax.stop_gradient(jax.scipy.linalg.lu_solve(real, f0 + ZE))
    # An error that is large because of stiff components is filtered once more.
    error = jax.lax.cond(
        norm(error) > 1,
        lambda e: jax.scipy.linalg.lu_solve(real, jax.lax.stop_gradient(vf(t0, y0 + e)) + ZE),
        lambda e: e,
        error,
    )
    slope = jnp.where(state.known, state.slope, vf(t0, y0))
    coefficients = jnp.asarray(HERMITE) @ jnp.stack([h * slope, h * K[1], h * K[2], Z[2]])
    new = StepState(
        slope=K[2],
        known=jnp.asarray(True),
        guess=still(jnp.asarray(COLLOCATION) @ Z),
        h=hs,
        evidence=state.evidence,
        calm=state.calm,
        stiff=state.stiff,
        since=state.since,
        t=t0 + h,
        y=y1,
    )
    return y1, error, coefficients, new, good > 0


class Radau(diffrax.AbstractAdaptiveSolver):
    """Radau IIA of order five with an error estimate of order three and dense output of order four, for stiff systems.

    Factorises a real and a complex n x n matrix in every step. `rtol` and `atol` are those of `integrate` when left out.
    Source: Hairer & Wanner II, IV.8.
    """

    rtol: Any = None
    atol: Any = None
    term_structure: ClassVar[Any] = diffrax.AbstractTerm
    interpolation_cls: ClassVar[Any] = Polynomial

    def order(self, terms: Any) -> int:
        return 5

    def error_order(self, terms: Any) -> float:
        return 4.0

    def init(self, terms: Any, t0: Any, t1: Any, y0: Any, args: Any) -> StepState:
        return first_state(t0, y0, True)

    def func(self, terms: Any, t0: Any, y0: Any, args: Any) -> Any:
        return terms.vf(t0, y0, args)

    def step(
        self, terms: Any, t0: Any, t1: Any, y0: Any, args: Any, solver_state: StepState, made_jump: Any
    ) -> tuple[Any, Any, Any, Any, Any]:
        vf = _right(terms, t0, t1, args)
        state = _after_jump(solver_state, made_jump)
        out = radau_step(vf, t0, t1 - t0, y0, state, self.rtol, self.atol)
        return _packed(y0, *out)


class Automatic(diffrax.AbstractAdaptiveSolver):
    """Tsitouras' explicit pair of order 5(4) until stiffness shows, Radau IIA from then on.

    Stiffness is looked for in every step, by h |k_7 - k_6| / |y_7 - y_6| (both stages at t + h), an estimate of h times the
    largest eigenvalue: 15 accepted steps near the edge of the explicit method's stability hand over (Hairer & Wanner II,
    IV.2). It never switches back: Radau is accurate on what is not stiff, only slower.
    """

    rtol: Any = None
    atol: Any = None
    term_structure: ClassVar[Any] = diffrax.AbstractTerm
    interpolation_cls: ClassVar[Any] = Polynomial

    def order(self, terms: Any) -> int:
        return 5

    def error_order(self, terms: Any) -> float:
        return 4.0

    def init(self, terms: Any, t0: Any, t1: Any, y0: Any, args: Any) -> StepState:
        return first_state(t0, y0, False)

    def func(self, terms: Any, t0: Any, y0: Any, args: Any) -> Any:
        return terms.vf(t0, y0, args)

    def step(
        self, terms: Any, t0: Any, t1: Any, y0: Any, args: Any, solver_state: StepState, made_jump: Any
    ) -> tuple[Any, Any, Any, Any, Any]:
        vf = _right(terms, t0, t1, args)
        state = _after_jump(solver_state, made_jump)
        out = jax.lax.cond(
            state.stiff,
            lambda s: radau_step(vf, t0, t1 - t0, y0, s, self.rtol, self.atol),
            lambda s: explicit_step(vf, t0, t1 - t0, y0, s, self.rtol, self.atol),
            state,
        )
        return _packed(y0, *out)


def _right(terms: Any, t0: Any, t1: Any, args: Any) -> Any:
    """The right-hand side; diffrax integrates backward in time by a sign in the control."""
    direction = terms.contr(t0, t1) / (t1 - t0)
    return lambda t, y: direction * terms.vf(t, y, args)


def _after_jump(state: StepState, made_jump: Any) -> StepState:
    return eqx.tree_at(lambda s: s.known, state, state.known & ~jnp.asarray(made_jump))


def _packed(y0: Any, y1: Any, error: Any, coefficients: Any, state: Any, good: Any) -> tuple[Any, ...]:
    error = jnp.where(good, error, jnp.inf)  # a failed Newton iteration: a smaller step
    y1 = jnp.where(good, y1, y0)
    return y1, error, dict(y0=y0, y1=y1, coefficients=coefficients), state, diffrax.RESULTS.successful


# Tsitouras 2011 --------------------------------------------------------------------------------------------------------

_TABLEAU: Any = diffrax.Tsit5.tableau
STABLE = 2.0  # h times the eigenvalue: the edge is at 3.3, where steps of a small tolerance do not come every time
MOST_EVIDENCE, MOST_CALM = 15, 6


def _interpolant() -> np.ndarray:
    """The weights b_i(theta) of the free interpolant of order four as coefficients of theta^1 .. theta^4, `(4, 7)`."""
    poly = np.polynomial.Polynomial
    x = poly([0, 1])
    b = [
        -1.0530884977290216 * x * (x - 1.3299890189751412) * (x**2 - 1.4364028541716351 * x + 0.7139816917074209),
        0.1017 * x**2 * (x**2 - 2.1966568338249754 * x + 1.2949852507374631),
        2.490627285651252793 * x**2 * (x**2 - 2.38535645472061657 * x + 1.57803468208092486),
        -16.54810288924490272 * (x - 1.21712927295533244) * (x - 0.61620406037800089) * x**2,
        47.37952196281928122 * (x - 1.203071208372362603) * (x - 0.658047292653547382) * x**2,
        -34.87065786149660974 * (x - 1.2) * (x - 0.666666666666666667) * x**2,
        2.5 * (x - 1) * (x - 0.6) * x**2,
    ]
    return np.stack([p.coef[1:5] for p in b], axis=1)


INTERPOLANT = _interpolant()


def explicit_step(vf: Any, t0: Any, h: Any, y0: Any, state: StepState, rtol: Any, atol: Any) -> tuple[Any, ...]:
    """As `radau_step`, by Tsitouras' pair; the state counts evidence of stiffness."""
    f0 = jax.lax.cond(state.known, lambda: state.slope, lambda: vf(t0, y0))
    k, values = [f0], []
    for a, c in zip(_TABLEAU.a_lower, _TABLEAU.c, strict=True):
        values.append(y0 + h * sum(w * ki for w, ki in zip(a.tolist(), k, strict=True)))
        k.append(vf(t0 + float(c) * h, values[-1]))
    K, y1 = jnp.stack(k), values[-1]
    error = h * jnp.asarray(_TABLEAU.b_error) @ K
    scale = atol + rtol * jnp.abs(y0)
    still = jax.lax.stop_gradient
    norm = lambda e: jnp.sqrt(jnp.sum((still(e) / still(scale)) ** 2))  # noqa: E731
    apart = norm(y1 - values[-2])
    stretched = still(h) * norm(k[-1] - k[-2]) / jnp.where(apart > 0, apart, jnp.inf)
    suspect = stretched > STABLE
    calm = jnp.where(suspect, 0, state.calm + 1)
    evidence = jnp.where(suspect, state.evidence + 1, jnp.where(calm >= MOST_CALM, 0, state.evidence))
    stiff = evidence >= MOST_EVIDENCE
    new = StepState(
        slope=k[-1],
        known=jnp.asarray(True),
        guess=jnp.zeros_like(state.guess),
        h=still(h),
        evidence=evidence,
        calm=calm,
        stiff=stiff,
        since=jnp.where(stiff, still(t0 + h), state.since),
        t=t0 + h,
        y=y1,
    )
    return y1, error, h * jnp.asarray(INTERPOLANT) @ K, new, jnp.asarray(True)
