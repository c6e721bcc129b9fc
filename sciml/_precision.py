"""The precision boundary: float64 inside, whatever the user's JAX is set to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
import numpy as np

from ._jax_faults import warn_of_wrong_rows


@contextmanager
def float64() -> Iterator[None]:
    """Computes in float64 inside the `with` block, and leaves the user's setting as it was.

    Put the outermost `jit`, `grad` or `vmap` inside it when a compiled problem or a solver is called with
    traced arguments:

    >>> import jax, jax.numpy as jnp
    >>> with float64():
    ...     print(jax.jit(lambda x: 2 * x)(jnp.asarray(0.5)).dtype)
    float64
    """
    warn_of_wrong_rows()  # everything that sciml computes passes here
    with jax.enable_x64(True):
        yield


@contextmanager
def computing_in(precision: Any) -> Iterator[None]:
    """Computes in float64 or float32 inside the `with` block."""
    warn_of_wrong_rows()
    with jax.enable_x64(np.dtype(precision) == np.float64):
        yield


def check_precision(precision: Any) -> Any:
    """float64 or float32 as a NumPy dtype; raises `ValueError` on anything else."""
    try:
        dtype = np.dtype(precision)
    except TypeError:
        dtype = None
    if dtype not in (np.dtype(np.float64), np.dtype(np.float32)):
        raise ValueError(f"precision={precision!r}; expected numpy.float64 or numpy.float32.")
    return dtype


def is_traced(*trees: Any) -> bool:
    """Whether any leaf belongs to a transformation of the user's (jit, grad, vmap, scan)."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(trees))


def is_recorded() -> bool:
    """Whether JAX records what is computed here, inside jit or scan, even with concrete numbers."""
    return is_traced(jnp.zeros(()))


def in_float64() -> bool:
    return jnp.finfo(jnp.result_type(float)).bits == 64


def require_float64(what: str) -> None:
    """Raises where a traced call would silently compute in float32."""
    if not in_float64():
        raise ValueError(
            f"{what} was called inside a JAX transformation while JAX computes in 32 bits: float64 numbers would "
            "silently become float32. Wrap the outermost transformation in `with sciml.float64():`."
        )


def to_numpy(tree: Any) -> Any:
    """JAX arrays as NumPy arrays of the same precision: a float64 JAX array outside the scope would shrink."""
    return jax.tree.map(lambda leaf: np.asarray(leaf) if isinstance(leaf, jax.Array) else leaf, tree)
