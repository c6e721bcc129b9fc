"""Steady flow on Chebyshev points: velocities of degree N, pressure of degree N - 2 (Maday & Patera 1989), so that no spurious
pressure is left but a constant.

    nu laplacian(u) - (u . grad) u - factor grad(p) + f = 0,      div u = 0        at the interior points,

by Newton's method with GMRES. The preconditioner is the block factorisation of the Stokes equations in which the inverse of the
Laplacian is exact, in its eigenvectors along each axis, and the Schur complement div laplacian^-1 grad is taken for one: its
eigenvalues lie between a constant and one whatever the number of points.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
import sympy as sp

from ..._precision import float64
from ..._programs import Program
from ...geometry import Domain
from ...pde import PDE, lower
from ...solution import Parameter, Solution
from ...statement import Flow
from .._bounded import Bounded, along, compile_bounded
from .._constants import settled
from .._grid import GridFinal
from .._newton import newton_krylov
from .._system import State, System
from ..spatial import AbstractAxis, PeriodicAxis
from ._pressure import pinned

MOST_STEPS = 60
DOUBTFUL = 1e-5  # of the largest coefficient is left in the upper third: too coarse


@dataclass(frozen=True, eq=False)
class SpectralFlow:
    """A steady flow on its grid; `bounded` holds walls and eigenvectors of both velocities."""

    pde: PDE
    domain: Domain
    flow: Flow
    bounded: Bounded
    force: Any
    nu: Any
    factor: Any
    notes: tuple[str, ...] = ()  # what is doubtful about the statement

    def __repr__(self) -> str:
        axes = ", ".join(
            f"{name}: {a.n} {a.kind} points" for name, a in zip(self.bounded.grid.names, self.bounded.grid.line, strict=True)
        )
        return f"steady incompressible flow ({', '.join(self.flow.velocities)}; {self.flow.pressure}), {axes}"

    def explain(self) -> str:
        """The equations and the points."""
        return repr(self)

    def wholes(self, w: Any, values: Any) -> list[Any]:
        """Velocities on the whole grid from those inside."""
        zero = jnp.zeros(())
        return [self.bounded.extended(a, w[a], zero, values) for a in range(len(self.flow.velocities))]

    def defect(self, w: Any, values: Any) -> Any:
        """The equations at the interior points, `(d + 1, *n)`, for `w`: velocities there, then factor times the pressure."""
        grid, d = self.bounded.grid, self.bounded.grid.dim
        whole = self.wholes(w, values)
        slope = lambda u, axis, order=1: grid.line[axis].differentiate(u, order, axis)[grid.inside]  # noqa: E731
        rows = []
        for a in range(d):
            spread = self.nu(values) * sum(slope(whole[a], b, 2) for b in range(d))
            carried = sum(w[b] * slope(whole[a], b) for b in range(d)) if self.flow.inertia else 0.0
            push = along(_inner_slope(grid.line[a]), w[d], a)
            rows.append(spread - carried - push + self.force(a, values))
        # A constant pressure is felt by nothing else; what the walls let in on balance goes there.
        rows.append(sum(slope(whole[a], a) for a in range(d)) + jnp.mean(w[d]) / self.nu(values))
        return jnp.stack([jnp.broadcast_to(r, grid.n) for r in rows])

    def prepared(self, r: Any, values: Any) -> Any:
        """The approximate inverse of the Stokes equations."""
        grid, d, nu = self.bounded.grid, self.bounded.grid.dim, self.nu(values)
        first = self._smoothed(r[:d]) / nu
        loose = self._divergence(first, values)
        p = nu * (r[d] - loose)
        push = jnp.stack([along(_inner_slope(grid.line[a]), p, a) for a in range(d)])
        return jnp.concatenate([first + self._smoothed(push) / nu, p[None]])

    def _smoothed(self, r: Any) -> Any:
        """laplacian^-1 with walls at rest."""
        b = self.bounded
        modes = b.forward(r)
        rows = []
        for a in range(len(self.flow.velocities)):
            total: Any = np.zeros(())
            for axis, basis in enumerate(b.bases[a]):
                total = total + basis.eigenvalues.reshape([-1 if k == axis else 1 for k in range(b.grid.dim)])
            flat = np.abs(total) < 1e-12 * np.max(np.abs(total))
            rows.append(jnp.asarray(np.where(flat, 0.0, 1 / np.where(flat, 1.0, total))) * modes[a])
        return b.backward(jnp.stack(rows))

    def _divergence(self, u: Any, values: Any) -> Any:
        """Of a velocity that vanishes at the walls."""
        grid, total = self.bounded.grid, jnp.zeros(self.bounded.grid.n)
        for a in range(grid.dim):
            row = u[a]
            for axis, basis in enumerate(self.bounded.bases[a]):
                row = row if basis.extend is None else along(basis.extend, row, axis)
            total = total + grid.line[a].differentiate(row, 1, a)[grid.inside]
        return total


def compile_spectral(
    pde: PDE, domain: Domain, flow: Flow, names: tuple[str, ...], line: tuple[AbstractAxis, ...]
) -> SpectralFlow:
    """Walls and eigenvectors; nothing is solved."""
    if pde.time is not None:
        raise ValueError(
            "Chebyshev points are for steady flows. Integrate this one on staggered cells: numbers of cells in grid."
        )
    with float64():
        states = tuple(State(name) for name in flow.velocities)
        none: Any = tuple(() for _ in states)
        system = System(pde, states, none, tuple(sp.Integer(0) for _ in states), {}, 1)  # type: ignore[arg-type]
        bounded = compile_bounded(system, domain, names, line)
        down = lambda e: lower([e], coordinates=pde.coordinates)  # noqa: E731
        forces, nu, factor = [down(f) for f in flow.force], down(flow.nu), down(flow.factor)
        places = bounded.places()
        return SpectralFlow(
            pde, domain, flow, bounded, lambda a, values: forces[a](places | dict(values))[0],
            lambda values: nu(dict(values))[0], lambda values: factor(dict(values))[0],
        )  # fmt: skip


def solve_spectral(problem: SpectralFlow, parameters: Mapping[str, Any], rtol: float, throw: bool) -> Solution:
    """The steady flow, by Newton's method from rest."""
    began = time.monotonic()
    grid = problem.bounded.grid
    with float64():
        values = {name: jnp.asarray(v, float) for name, v in parameters.items()}

        @Program
        def solve(values: Any) -> Any:
            prepared = lambda w: problem.prepared(problem.defect(w, values), values)  # noqa: E731
            start = jnp.zeros((grid.dim + 1, *grid.n))
            size = jnp.sqrt(jnp.mean(prepared(start) ** 2))
            w, steps, good = newton_krylov(prepared, start, rtol * size, most=MOST_STEPS, forcing=1e-6)
            fields = [*problem.wholes(w, values), _to_walls(grid.line, w[grid.dim]) / problem.factor(values)]
            return jnp.stack(fields), steps, good

        fields, steps, good = solve(values)
        fields, steps, good = np.asarray(fields), int(steps), bool(good)
    names = [*problem.flow.velocities, problem.flow.pressure]
    fields = fields[[names.index(u.field_name) for u in problem.pde.fields]]
    final = GridFinal(grid.line, None, fields[None], np.zeros_like(fields)[None])
    final, notes = settled(problem.pde, pinned(problem.pde, problem.domain, problem.flow, final))
    shape, tail = " x ".join(str(a.n) for a in grid.line), grid.tail(fields)
    result = f"Newton-Krylov converged in {steps} steps on {shape} points."
    if not good or not np.all(np.isfinite(fields)):
        result = (
            f"Newton-Krylov did not converge in {steps} steps on {shape} points: take more points, a larger viscosity, or "
            "staggered cells (numbers in grid)."
        )
        if throw:
            raise RuntimeError(f"{result} (throw=False returns the last iterate.)")
    if tail > DOUBTFUL:
        result += f" The grid is too coarse: coefficients in the upper third are {tail:.0e} of the largest (grid=...)."
    stats = {
        "steps": steps, "grid": [a.n for a in grid.line], "tail": tail, "precision": "float64",
        "seconds": time.monotonic() - began,
    }  # fmt: skip
    given = {name: Parameter(name, float(v)) for name, v in parameters.items()}
    return Solution(problem.pde, problem.domain, final, result, good, stats, [], given, {}, notes=notes)


def _inner(axis: AbstractAxis) -> tuple[np.ndarray, np.ndarray]:
    """The interior points of an axis between walls, and their barycentric weights."""
    theta = np.pi * np.arange(1, axis.n - 1) / (axis.n - 1)
    return axis.points[1:-1], (-1.0) ** np.arange(axis.n - 2) * np.sin(theta) ** 2


def _inner_slope(axis: AbstractAxis) -> np.ndarray:
    """d/dx of the polynomial through the interior points, at them."""
    if isinstance(axis, PeriodicAxis):
        eye = np.eye(axis.n)
        return np.fft.ifft(np.fft.fft(eye, axis=0) * axis.symbol(1)[:, None], axis=0).real
    x, w = _inner(axis)
    apart = x[:, None] - x[None, :]
    np.fill_diagonal(apart, 1.0)
    D = w[None, :] / w[:, None] / apart
    np.fill_diagonal(D, 0.0)
    np.fill_diagonal(D, -D.sum(axis=1))
    return D


def _to_walls(line: tuple[AbstractAxis, ...], p: Any) -> Any:
    """The polynomial through the interior points, on all points."""
    for k, axis in enumerate(line):
        if isinstance(axis, PeriodicAxis):
            continue
        x, w = _inner(axis)
        full = np.zeros((axis.n, axis.n - 2))
        full[1:-1] = np.eye(axis.n - 2)
        for row in (0, axis.n - 1):
            raw = w / (axis.points[row] - x)
            full[row] = raw / raw.sum()
        p = along(full, p, k)
    return p
