"""Newton's method with GMRES: no matrix is formed, and derivatives are those of the root (implicit function theorem).

JAX's GMRES, because lineax's calls a Krylov space that is exhausted early, as symmetric initial values make it, a breakdown.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.sparse.linalg import gmres

RESTART = 30
TIGHT = 1e-13  # of the linear equation that derivatives solve
HALVINGS = 8


def newton_krylov(
    defect: Callable[[Any], Any], guess: Any, tolerance: Any, *, most: int, forcing: float = 1e-3, cycles: int = 10
) -> tuple[Any, Any, Any]:
    """(root, steps, whether it was found) of a real or complex `defect`; found where a step is below `tolerance` in the root
    mean square.

    Steps are halved while they make the defect larger. `forcing`: how far GMRES reduces the linear residual.
    """
    pack, unpack = _real_view(guess)
    w0 = jax.lax.stop_gradient(pack(guess))
    constants, f = eqx.partition(eqx.filter_closure_convert(lambda w: pack(defect(unpack(w))), w0), eqx.is_array)
    w, steps, done = _root(f, (most, forcing, cycles), w0, jax.lax.stop_gradient(tolerance), constants)
    return unpack(w), steps, done > 0


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _root(f: Any, limits: tuple[int, float, int], w0: Any, tolerance: Any, constants: Any) -> Any:
    most, forcing, cycles = limits
    at = eqx.combine(f, constants)
    norm = lambda w: jnp.sqrt(jnp.mean(w**2))  # noqa: E731

    def body(carry: Any) -> Any:
        k, w, r, _, _ = carry
        _, push = jax.linearize(at, w)
        d, _ = gmres(push, r, tol=forcing, atol=0.0, restart=RESTART, maxiter=cycles)

        def shorter(c: Any) -> Any:
            return c[0] / 2, at(w - c[0] / 2 * d), c[2] + 1

        first = (jnp.ones(()), at(w - d), jnp.asarray(0))
        worse = lambda c: ~(norm(c[1]) <= norm(r) * 1.0001 + 1e-300) & (c[2] < HALVINGS)  # noqa: E731
        scale, new, tried = jax.lax.while_loop(worse, shorter, first)
        size = norm(scale * d)
        good = jnp.isfinite(size) & jnp.all(jnp.isfinite(new))
        w, r = jnp.where(good, w - scale * d, w), jnp.where(good, new, r)
        return k + 1, w, r, good & (size <= tolerance) & (tried < HALVINGS), good

    first = at(w0)
    start = (jnp.asarray(0), w0, first, norm(first) == 0, jnp.asarray(True))
    k, w, _, done, _ = jax.lax.while_loop(lambda c: (c[0] < most) & ~c[3] & c[4], body, start)
    return w, k.astype(w.dtype), done.astype(w.dtype)


@_root.defjvp
def _root_jvp(f: Any, limits: tuple[int, float, int], primals: Any, tangents: Any) -> Any:
    """dw = - (df/dw)^-1 df/dconstants dconstants."""
    w0, tolerance, constants = primals
    w, steps, done = _root(f, limits, w0, tolerance, constants)
    _, change = jax.jvp(lambda c: eqx.combine(f, c)(w), (constants,), (tangents[2],))
    _, push = jax.linearize(eqx.combine(f, constants), w)
    solve = lambda mv, b: gmres(mv, b, tol=TIGHT, atol=0.0, restart=2 * RESTART, maxiter=4 * limits[2])[0]  # noqa: E731
    moved = jax.lax.custom_linear_solve(push, -change, solve, solve)
    return (w, steps, done), (moved, jnp.zeros_like(steps), jnp.zeros_like(done))


def _real_view(u: Any) -> tuple[Any, Any]:
    """A complex array as a real one and back: a defect need not be complex-linear."""
    if not jnp.iscomplexobj(u):
        return (lambda u: u), (lambda w: w)
    return (lambda u: jnp.stack([u.real, u.imag])), (lambda w: w[0] + 1j * w[1])
