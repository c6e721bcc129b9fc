"""How the loops over atoms are compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, wraps
from typing import Any

import jax

# On a CPU, XLA adds the terms of a sum one after the other unless it may choose the order, which vector registers need: forces
# of Lennard-Jones take half the time. Infinities, NaN, divisions and functions stay as IEEE 754 has them.
SUMS_IN_ANY_ORDER = {
    "xla_cpu_enable_fast_math": True,
    "xla_cpu_fast_math_honor_infs": True,
    "xla_cpu_fast_math_honor_nans": True,
    "xla_cpu_fast_math_honor_division": True,
    "xla_cpu_fast_math_honor_functions": True,
}


def compiled(function: Callable[..., Any], static_argnums: int | Sequence[int] = ()) -> Callable[..., Any]:
    """`jax.jit` for functions over atoms that are called from the host."""

    @cache
    def on(backend: str) -> Callable[..., Any]:
        options = SUMS_IN_ANY_ORDER if backend == "cpu" else None
        return jax.jit(function, static_argnums=static_argnums, compiler_options=options)

    @wraps(function)
    def call(*arguments: Any) -> Any:
        return on(jax.default_backend())(*arguments)

    return call
