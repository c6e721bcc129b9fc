"""Whether what is left beside L is so stiff that it has to be implicit.

Exponential steps are explicit in N, and N has what varies in space, such as 2/r u_r near a wall where points crowd. The steps
that its largest eigenvalue asks for, found by the power method, are counted over the whole interval.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._precision import float64
from .._programs import Program
from ._bounded import Bounded
from .stepping import AbstractStepper, Implicit5

ITERATIONS = 20
STABLE = 3.0  # the step times the largest eigenvalue, about
MOST_EXPLICIT = 50_000  # steps


def stepper_for(problem: Any, parameters: Any, initial: Any, steps: int | None) -> AbstractStepper:
    """The method where none is asked for; `steps`: the number of them that was."""
    discrete, system = problem.discrete, problem.system
    usual = discrete.stepper
    if steps is not None or not isinstance(discrete, Bounded):
        return usual
    if not any(term.variable is not None and any(term.index) for terms in system.linear for term in terms):
        return usual
    with float64():
        u0 = discrete.forward(jnp.asarray(discrete.initial(initial)))
        time = problem.domain.time
        stiff = is_stiff(problem, parameters, u0, float(time.start), float(time.end))
    return Implicit5() if stiff else usual


def is_stiff(problem: Any, parameters: Any, u: Any, t: float, end: float) -> bool:
    """Whether N at the state `u` (in the basis of L) would ask explicit steps for more than `MOST_EXPLICIT` until `end`."""
    discrete = problem.discrete
    constants = discrete.constants(problem.parameters(parameters))

    @Program
    def largest(u: Any, seed: Any, t: Any) -> Any:
        rate = discrete.rate(constants)

        def one(_: Any, carry: Any) -> Any:
            v, _ = carry
            w = jax.jvp(lambda u: rate(u, t), (u,), (v,))[1]
            size = jnp.linalg.norm(w)
            return w / jnp.where(size > 0, size, 1.0), size

        return jax.lax.fori_loop(0, ITERATIONS, one, (seed / jnp.linalg.norm(seed), jnp.zeros(())))[1]

    seed = np.random.default_rng(0).normal(size=u.shape)
    return float(largest(u, seed, t)) * (end - t) / STABLE > MOST_EXPLICIT


class Watch:
    """Whether a run that began with explicit steps has become one for implicit ones: a coefficient that depends on fields may
    grow. Looked at where, at the pace of the last interval, more than `MOST_EXPLICIT` steps are ahead."""

    def __init__(self, problem: Any, parameters: Any, stepper: AbstractStepper, steps: int | None, times: np.ndarray):
        self._problem, self._parameters, self._times = problem, parameters, times
        self._on = steps is None and isinstance(problem.discrete, Bounded) and not isinstance(stepper, Implicit5)
        self._looked, self._before = 0, 0

    def turns(self, state: Any, t: float) -> bool:
        """`state` was reached at `t`, one of the times."""
        pace, self._before = int(state.steps) - self._before, int(state.steps)
        left = int(np.sum(self._times > t))
        # Looking compiles a program: once more only where the pace has doubled.
        if not self._on or pace * left <= max(MOST_EXPLICIT, 2 * self._looked):
            return False
        self._looked = pace * left
        return is_stiff(self._problem, self._parameters, state.u, t, float(self._times[-1]))
