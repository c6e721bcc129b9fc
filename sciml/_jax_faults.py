"""A fault of JAX's own that gives wrong numbers: looked for where the installed version may have it, and told once."""

from __future__ import annotations

import warnings
from functools import cache

import jax
import jax.numpy as jnp
import jaxlib
import numpy as np

FLAG = "--xla_cpu_experimental_ynn_fusion_type="
# Versions of jaxlib that were found to have it. 0.9.2, 0.10.0, 0.10.1, 0.11.0, 0.11.2 and 0.12.0 were tried and have not.
SUSPECT = ("0.10.2",)
ROWS = 32_769  # the first number of rows in float32 that has a wrong one


@cache
def warn_of_wrong_rows() -> None:
    """Warns, once in a process, where a compiled program of this kind returns wrong numbers on this machine:

        sum_j (A r)_j^2   for each row r of a table of more than 32,768 rows (16,384 in float64), by `vmap`

    (https://github.com/jax-ml/jax/issues/39103). The last rows are those of others. The equations and potentials of sciml were
    compared with small tables and are right; a network or function of the user's may have that form. Only versions and
    machines that may have the fault are tried, which takes a quarter of a second.
    """
    if jaxlib.__version__ in SUSPECT and jax.default_backend() == "cpu" and has_wrong_rows():
        warnings.warn(
            f"jaxlib {jaxlib.__version__} is known to return wrong numbers on CPUs, and does so here: in compiled functions "
            "that multiply each of more than 16,384 rows by a small matrix and sum (jax#39103). The methods of sciml are "
            "not known to be touched, networks and functions of your own may be. Install another version "
            f"(python -m pip install 'jax!={jaxlib.__version__}'), or start Python with XLA_FLAGS={FLAG}",
            UserWarning,
            stacklevel=2,
        )


def has_wrong_rows() -> bool:
    """Whether the pattern gives wrong numbers, tried out; inside a transformation of the user's too."""
    rows = np.zeros((ROWS, 3), np.float32)
    rows[:, 0] = np.arange(ROWS) / ROWS  # each row has its own value: those of another are seen
    with jax.ensure_compile_time_eval():
        found = np.asarray(jax.jit(jax.vmap(_pattern))(rows))
    return not np.allclose(found, rows[:, 0] ** 2, atol=1e-4)


def _pattern(row: jax.Array) -> jax.Array:
    return jnp.sum((jnp.eye(3, dtype=row.dtype) @ row) ** 2)
