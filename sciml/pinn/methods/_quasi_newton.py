"""Quasi-Newton methods with a dense inverse Hessian: BFGS, self-scaled BFGS and self-scaled Broyden."""

from __future__ import annotations

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp

from ._base import AbstractMethod, Objective, State, start
from ._line_search import line_search


class _DenseQuasiNewton(AbstractMethod):
    """Descends along -H g with a Wolfe line search and updates H, the inverse Hessian `(n, n)`."""

    @abc.abstractmethod
    def factors(self, alpha: Any, s: Any, y: Any, g: Any, ys: Any, yHy: Any, n: int) -> tuple[Any, Any]:
        """tau and phi of the update."""

    def init(self, objective: Objective, p: Any, batch: Any) -> State:
        state = start(objective, p, batch, jnp.eye(objective.size, dtype=p.dtype))
        # A first step of length one, whatever the scale of the loss: the size of H is learned from the second on.
        norm = jnp.sqrt(state.gradient @ state.gradient)
        return eqx.tree_at(lambda s: s.memory, state, state.memory / jnp.maximum(norm, 1e-30))

    def step(self, objective: Objective, state: State, batch: Any) -> State:
        g, H, n = state.gradient, state.memory, objective.size
        d = -H @ g
        # After new points H can fail to be positive along g to rounding: start again from the steepest descent.
        descends = (g @ d < 0) & jnp.all(jnp.isfinite(d)) & ~state.stalled
        eye = jnp.eye(n, dtype=g.dtype) / jnp.maximum(jnp.sqrt(g @ g), 1e-30)
        H = jnp.where(descends, H, eye)
        d = jnp.where(descends, d, -eye @ g)
        found = line_search(lambda q: objective.value_and_grad(q, batch), state.p, state.loss, g, d)
        s, y = found.alpha * d, found.gradient - g
        return State(
            state.p + s,
            found.loss,
            found.gradient,
            self.update(H, found.alpha, s, y, g, n),
            state.evaluations + found.evaluations,
            found.alpha == 0,
        )

    def update(self, H: Any, alpha: Any, s: Any, y: Any, g: Any, n: int) -> Any:
        """H+ = (1/tau) [H - Hy Hy^T/(y.Hy) + phi v v^T] + s s^T/(y.s),  v = sqrt(y.Hy) [s/(y.s) - Hy/(y.Hy)]"""
        ys, Hy = y @ s, H @ y
        yHy = y @ Hy
        tau, phi = self.factors(alpha, s, y, g, ys, yHy, n)
        v = jnp.sqrt(yHy) * (s / ys - Hy / yHy)
        new = (H - jnp.outer(Hy, Hy) / yHy + phi * jnp.outer(v, v)) / tau + jnp.outer(s, s) / ys
        usable = (ys > 0) & (yHy > 0) & (tau > 0) & jnp.isfinite(tau * phi) & jnp.all(jnp.isfinite(v))
        return jnp.where(usable, new, H)

    def bytes(self, size: int, rows: int) -> int:
        return 4 * 8 * size * size


class BFGS(_DenseQuasiNewton):
    """Broyden-Fletcher-Goldfarb-Shanno with a dense inverse Hessian: tau = phi = 1. Nocedal & Wright 2006, (6.17)."""

    steps: int | None = None

    def factors(self, alpha: Any, s: Any, y: Any, g: Any, ys: Any, yHy: Any, n: int) -> tuple[Any, Any]:
        one = jnp.ones_like(ys)
        return one, one


class SSBFGS(_DenseQuasiNewton):
    """Self-scaled BFGS: H is shrunk where it is too large before it is updated.

        tau = min(1, (y.s)/(s.H^-1 s)),  phi = 1

    Al-Baali 1998; Urban, Stefanou & Pons 2024 (arXiv:2405.04230) for physics-informed networks.
    """

    steps: int | None = None

    def factors(self, alpha: Any, s: Any, y: Any, g: Any, ys: Any, yHy: Any, n: int) -> tuple[Any, Any]:
        b = -alpha * (g @ s) / ys
        return jnp.minimum(1, 1 / b), jnp.ones_like(ys)


class SSBroyden(_DenseQuasiNewton):
    """Self-scaled Broyden: the member of Broyden's family, and the scale of H, are chosen anew in every step.

    Al-Baali 1998; Urban, Stefanou & Pons 2024 (arXiv:2405.04230), equations 13 to 23; in their notation

        b = -alpha (g.s)/(y.s)      h = (y.Hy)/(y.s)      a = b h - 1      c = sqrt(a/(a+1))
        rho = min(1, h (1-c))       theta- = (rho-1)/a    theta+ = 1/rho
        theta = max(theta-, min(theta+, (1-b)/b))         sigma = 1 + a theta
        tau1 = min(1, 1/b)
        tau = tau1 min(sigma^(-1/(n-1)), 1/theta)  if theta > 0   else  min(tau1 sigma^(-1/(n-1)), sigma)
        phi = (1-theta)/(1 + a theta)

    The default for networks that are trained as a whole: at a few thousand parameters and in float64 no method known to
    us reaches lower errors. Memory 8 n^2 bytes, a few times over.
    """

    steps: int | None = None

    def factors(self, alpha: Any, s: Any, y: Any, g: Any, ys: Any, yHy: Any, n: int) -> tuple[Any, Any]:
        b = -alpha * (g @ s) / ys
        h = yHy / ys
        a = jnp.maximum(b * h - 1, 1e-14)  # >= 0 by Cauchy-Schwarz, up to rounding
        c = jnp.sqrt(a / (a + 1))
        rho = jnp.minimum(1, h * (1 - c))
        theta = jnp.maximum((rho - 1) / a, jnp.minimum(1 / rho, (1 - b) / b))
        sigma = 1 + a * theta
        tau1 = jnp.minimum(1, 1 / b)
        root = jnp.abs(sigma) ** (-1 / max(n - 1, 1))
        tau = jnp.where(theta > 0, tau1 * jnp.minimum(root, 1 / theta), jnp.minimum(tau1 * root, sigma))
        return tau, (1 - theta) / (1 + a * theta)
