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
        constants = discrete.constants(problem.parameters(parameters))
        time = problem.domain.time
        start, span = float(time.start), float(time.end - time.start)

        @Program
        def largest(u0: Any, seed: Any) -> Any:
            u = discrete.forward(u0)
            rate = discrete.rate(constants)

            def one(_: Any, carry: Any) -> Any:
                v, _ = carry
                w = jax.jvp(lambda u: rate(u, jnp.asarray(start)), (u,), (v,))[1]
                size = jnp.linalg.norm(w)
                return w / jnp.where(size > 0, size, 1.0), size

            return jax.lax.fori_loop(0, ITERATIONS, one, (seed / jnp.linalg.norm(seed), jnp.zeros(())))[1]

        u0 = discrete.initial(initial)
        found = float(largest(u0, np.random.default_rng(0).normal(size=u0.shape)))
    return Implicit5() if found * span / STABLE > MOST_EXPLICIT else usual
