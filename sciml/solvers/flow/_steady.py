"""Flow at rest in time: Newton's method along a pseudo-time whose step grows as the flow settles.

    (u - u_old) / dt = P a(u),       P: no divergence, at rest on obstacles; a: advection, viscosity, forces

Each step is one Newton step, its linear equation solved by GMRES. The preconditioner P (sigma - nu laplacian)^-1 is diagonal in
the eigenvectors of the second differences along each axis. With dt -> infinity it is Newton's method (Kelley & Keyes 1998).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.scipy.sparse.linalg import gmres

from ..._programs import Program
from .._bounded import along
from .._volumes import mirror
from ._staggered import FlowAxis, Staggered, Velocity

MOST_STEPS = 200
GROWTH = 4.0  # of the pseudo-time step, at most
FORCING = 1e-3
RESTART, CYCLES = 60, 4
SETTLED = 1e-11
CLOSE = 1e3  # the first pseudo-time step near the answer


@dataclass(frozen=True, eq=False)
class Viscous:
    """(sigma - nu laplacian)^-1 for each component, walls at rest."""

    flow: Staggered
    bases: tuple[tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...], ...]  # [component][axis]

    def solve(self, u: Velocity, sigma: Any, nu: Any) -> Velocity:
        found = []
        for a, v in enumerate(u):
            for axis, (_, forward, _) in enumerate(self.bases[a]):
                v = along(forward, v, axis)
            total: Any = jnp.zeros(())
            for axis, (values, _, _) in enumerate(self.bases[a]):
                total = total + jnp.asarray(values.reshape([-1 if b == axis else 1 for b in range(self.flow.dim)]))
            v = v / (sigma - nu * total)
            for axis, (_, _, backward) in enumerate(self.bases[a]):
                v = along(backward, v, axis)
            found.append(v)
        return tuple(found)


def viscous(flow: Staggered) -> Viscous:
    """Factors the second differences along every axis, once for every component."""
    return Viscous(
        flow,
        tuple(
            tuple(
                _own(axis, flow.open_ends[b]) if a == b else _across(axis, flow.sides[a][b])
                for b, axis in enumerate(flow.line)
            )
            for a in range(flow.dim)
        ),
    )


def _own(axis: FlowAxis, open_ends: tuple[bool, bool]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """On faces; those at walls stay as they are (eigenvalue zero, vector of their own)."""
    n, w, apart = axis.own, axis.widths, axis.apart[: axis.own]
    A = np.zeros((n, n))
    for cell in range(axis.n):
        low, high = cell, (cell + 1) % n
        for i, j in ((low, high), (high, low)):
            A[i, i] -= 1 / w[cell]
            A[i, j] += 1 / w[cell]
    if not axis.wraps:
        for end, place in ((0, 0), (1, n - 1)):
            if not open_ends[end]:
                A[place, :] = A[:, place] = 0.0
    return _factored(A, apart)


def _across(axis: FlowAxis, ends: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """In cells, with ghosts that mirror them."""
    n, w = axis.n, axis.widths
    A = np.zeros((n, n))
    for face in range(1, n):
        gap = axis.apart[face]
        for i, j in ((face - 1, face), (face, face - 1)):
            A[i, i] -= 1 / gap
            A[i, j] += 1 / gap
    if ends is None:
        for i, j in ((0, n - 1), (n - 1, 0)):
            A[i, i] -= 1 / axis.apart[0]
            A[i, j] += 1 / axis.apart[0]
    else:
        for place, side in ((0, ends[0]), (n - 1, ends[1])):
            A[place, place] += (mirror(side.wall, w[place])[0] - 1) / w[place]
    return _factored(A, w)


def _factored(A: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    root = np.sqrt(weights)
    values, vectors = np.linalg.eigh(A / root[:, None] / root[None, :])
    return values, vectors.T * root[None, :], vectors / root[:, None]


def settle(
    flow: Staggered, u: Velocity, values: Any, pace: float, close: bool, report: Callable[[int, float, float], bool]
) -> tuple[Velocity, int, float, bool]:
    """(velocities, steps, rate of change relative to speed times `pace`, whether it settled). `pace`: speed over size;
    `report`: whether to go on; `close`: whether `u` is near the answer, so that long steps come at once."""
    inverse, t = viscous(flow), jnp.zeros(())
    _, unravel = ravel_pytree(u)

    def rate(u: Velocity) -> Velocity:
        return flow.constrained(flow.acceleration(u, t, values))[0]

    def prepared(r: Velocity, sigma: Any) -> Velocity:
        return flow.constrained(inverse.solve(r, sigma + pace, flow.nu(values)))[0]

    @Program
    def step(u: Velocity, dt: Any) -> tuple[Velocity, Any]:
        """One Newton step, and how far GMRES got."""
        now, push = jax.linearize(rate, u)

        def operator(d: Any) -> Any:
            d = unravel(d)
            moved = jax.tree.map(lambda a, b: a / dt - b, d, push(d))
            return ravel_pytree(prepared(moved, 1 / dt))[0]

        right = ravel_pytree(prepared(now, 1 / dt))[0]
        d, _ = gmres(operator, right, tol=FORCING, atol=0.0, restart=RESTART, maxiter=CYCLES)
        new = jax.tree.map(jnp.add, u, unravel(d))
        # Rounding must not build up in what P has removed.
        return flow.start(new, t, values), size(rate(new))

    def size(v: Velocity) -> Any:
        return jnp.sqrt(sum(jnp.mean(x**2) for x in v))

    speed = max(float(jnp.max(jnp.abs(v))) for v in u) or 1.0
    before = float(Program(lambda u: size(rate(u)))(u))
    dt, steps = (CLOSE if close else 1.0) / pace, 0
    while steps < MOST_STEPS:
        new, after = step(u, dt)
        after, steps = float(after), steps + 1
        if not np.isfinite(after) or after > 10 * before:
            dt /= 4
            if dt * pace < 1e-6:
                return u, steps, before / (speed * pace), False
            continue
        u = new
        dt *= min(GROWTH, max(0.5, before / max(after, 1e-300)))
        dt = min(dt, 1e9 / pace)
        before = after
        speed = max(float(jnp.max(jnp.abs(v))) for v in u) or 1.0
        goes_on = report(steps, before / (speed * pace), dt * pace)
        if before < SETTLED * speed * pace:
            return u, steps, before / (speed * pace), True
        if not goes_on:
            break
    return u, steps, before / (speed * pace), before < 1e-7 * speed * pace
