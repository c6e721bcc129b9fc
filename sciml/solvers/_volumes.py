"""Finite volumes: conservation laws in cells, with the flux through a face taken from the one and given to the other.

Advective fluxes: WENO reconstruction and a Riemann solver. Diffusive ones: k (u_{j+1} - u_j) / h with k the harmonic mean of
the coefficient between the two centres, h / int dx / k, so that the flux is right where k jumps. Sources are taken at the
centres, those that jump as their means. Walls act through ghost cells: alpha u + beta du/dn = g holds on the face between a
cell and its mirror image.

L is the diffusion with the mean of each k, diagonal in the eigenvectors of the second difference along each axis; N the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import sympy as sp

from .._evaluate import frozen
from ..geometry import Domain
from ..pde import lower
from ..statement import breaks_along
from ._averages import JumpingSource, nodes, split_sources
from ._bounded import along
from ._conservation import Conservation, Diffusion
from ._discrete import AbstractDiscrete, Lowered
from ._riemann import HLLC, Rusanov, ideal_gas
from ._walls import Wall, wall_at
from .spatial import GHOSTS, CellAxis
from .stepping import SSPRK3, AbstractStepper, Implicit5, Linear


@dataclass(frozen=True, eq=False)
class CellGrid:
    """The tensor grid of cells."""

    names: tuple[str, ...]
    line: tuple[CellAxis, ...]

    @property
    def dim(self) -> int:
        return len(self.line)

    @property
    def n(self) -> tuple[int, ...]:
        return tuple(a.n for a in self.line)

    full = n

    @property
    def inside(self) -> tuple[Any, ...]:
        return (...,)

    def mesh(self, walls: bool = False) -> dict[str, np.ndarray]:
        """The coordinates of the centres."""
        return dict(zip(self.names, np.meshgrid(*(a.points for a in self.line), indexing="ij"), strict=True))

    def tail(self, u: Any) -> float:
        return 0.0


Basis = tuple[np.ndarray, np.ndarray, np.ndarray]  # eigenvalues of the second difference, to its modes, to cells


@dataclass(frozen=True, eq=False)
class Volumes(AbstractDiscrete):
    """Conservation laws on a grid of cells."""

    walls: tuple[tuple[tuple[tuple[Wall, Any], ...] | None, ...], ...]  # [state][axis][end]: the wall, its lowered g
    advection: tuple[Any, ...]  # [axis]: lowered fluxes of all states, or None
    diffusion: tuple[tuple[tuple[Diffusion, Any, Any], ...], ...]  # [state]: with `varying` and `factor` lowered
    source: Any  # at the centres
    jumping: tuple[JumpingSource, ...]
    riemann: tuple[Any, ...]
    bases: tuple[tuple[Basis, ...], ...]  # [state][axis]; empty where there is no L

    def breaks(self, axis: int) -> tuple[float, ...]:
        """Where coefficients of fluxes jump along an axis, as far as that is known."""
        return tuple({b for found in self.diffusion for d, *_ in found if d.axis == axis for b in d.breaks or ()})

    # What a time stepper needs ----------------------------------------------------------------------------------------

    def linear(self, constants: Mapping[str, Any]) -> Linear:
        system: Any = self.system
        rows = []
        for i in range(len(system.states)):
            row = jnp.zeros(self.grid.n)
            for d, varying, factor in self.diffusion[i]:
                if not self._stiff(i, d):
                    continue
                k = self._between(d, varying, constants, jnp.zeros(()))
                (f,) = factor(dict(constants) | self.clock(jnp.zeros(())))
                mean = jnp.mean(k) * f
                shape = [-1 if a == d.axis else 1 for a in range(self.grid.dim)]
                row = row + mean * jnp.asarray(self.bases[i][d.axis][0]).reshape(shape)
            rows.append(row)
        return Linear(diagonal=jnp.stack(rows))

    def _stiff(self, i: int, d: Diffusion) -> bool:
        system: Any = self.system
        return d.state == system.states[i] and d.slope == d.axis and not d.factor.free_symbols & set(system.pde.coordinates)

    @property
    def spectral(self) -> bool:
        """Whether there is any L; without, the basis is the cells themselves."""
        return any(self._stiff(i, d) for i, found in enumerate(self.diffusion) for d, *_ in found)

    def _transform(self, u: Any, which: int) -> Any:
        if not self.spectral:
            return u
        rows = []
        for i in range(u.shape[0]):
            row = u[i]
            for axis in range(self.grid.dim):
                row = along(self.bases[i][axis][which], row, axis)
            rows.append(row)
        return jnp.stack(rows)

    def forward(self, u: Any) -> Any:
        return self._transform(u, 1)

    def backward(self, u: Any) -> Any:
        return self._transform(u, 2)

    def enclosed(self, u: Any, t: Any, constants: Mapping[str, Any]) -> Any:
        return u

    def whole(self, u: Any, t: Any, constants: Mapping[str, Any]) -> Any:
        return self.backward(u)

    def fields(self, u: Any, t: Any, constants: Mapping[str, Any]) -> Any:
        return self.backward(u)

    def rate(self, constants: Mapping[str, Any]) -> Any:
        total, linear = self.total(constants), self.linear(constants)
        if not self.spectral:
            return total
        return lambda u, t: self.forward(total(self.backward(u), t)) - linear.apply(u)

    @property
    def stepper(self) -> AbstractStepper:
        return Implicit5() if any(self.diffusion) else SSPRK3()

    def longest(self, constants: Mapping[str, Any]) -> Any:
        """A function of (state in the basis, t): the time in which the fastest signal crosses a cell, or in which diffusion
        does."""
        signal, places, between = self._signal(constants), self.places(), self._conductance(constants)

        def evaluate(u: Any, t: Any) -> Any:
            cells = self.backward(u)
            slowness = jnp.zeros(self.grid.n)
            for axis, line in enumerate(self.grid.line):
                if self.advection[axis] is not None:
                    flux = signal(axis, places, t)
                    slowness = slowness + self.riemann[axis].speed(flux, cells) / line.spacing
            for found in self.diffusion:
                for d, varying, factor in found:
                    k = jnp.max(jnp.abs(between(d, varying, t)))
                    (f,) = factor(dict(constants) | places | self.clock(t) | self._values(cells))
                    slowness = slowness + 4 * k * jnp.abs(f) / self.grid.line[d.axis].spacing ** 2
            return 1 / jnp.max(slowness)

        return evaluate

    # Fluxes -----------------------------------------------------------------------------------------------------------

    def _values(self, cells: Any) -> dict[Any, Any]:
        """The states by the keys that lowered expressions use."""
        pde = self.system.pde
        real = {u.field_name: u for u in pde.fields}
        return {self.leaf(real[s.field]): cells[i] for i, s in enumerate(self.system.states)}

    def _signal(self, constants: Mapping[str, Any]) -> Any:
        """(axis, coordinates, t) -> the flux function of states `(m, ...)`."""

        def at(axis: int, places: Mapping[str, Any], t: Any) -> Any:
            def flux(U: Any) -> Any:
                found = self.advection[axis](dict(constants) | dict(places) | self.clock(t) | self._values(U))
                return jnp.stack([jnp.broadcast_to(f, U.shape[1:]) for f in found])

            return flux

        return at

    def _conductance(self, constants: Mapping[str, Any]) -> Any:
        """(diffusion, its lowered coefficient, t) -> `_between`, computed here and now where it is the same at all times."""
        time = self.system.pde.time
        steady = {
            d: self._between(d, varying, constants, jnp.zeros(()))
            for found in self.diffusion
            for d, varying, _ in found
            if time not in d.varying.free_symbols
        }
        return lambda d, varying, t: steady[d] if d in steady else self._between(d, varying, constants, t)

    def _between(self, d: Diffusion, varying: Any, constants: Mapping[str, Any], t: Any) -> Any:
        """h / int dx / k between neighbouring centres, for all faces along the axis: `(..., n + 1, ...)`, an axis of length
        one where k does not depend on it."""
        line = self.grid.line[d.axis]
        if not d.varying.free_symbols & set(self.system.pde.coordinates):
            (k,) = varying(dict(constants))
            return jnp.broadcast_to(k, (1,) * self.grid.dim)
        left = line.lower + line.spacing * (np.arange(line.n + 1) - 0.5)
        x, w = nodes(left, left + line.spacing, d.breaks)
        places = [a.points for a in self.grid.line]
        places[d.axis] = line.mirrored(x).ravel()
        mesh = np.meshgrid(*places, indexing="ij")
        values = dict(constants) | dict(zip(self.grid.names, map(jnp.asarray, mesh), strict=True)) | self.clock(t)
        (k,) = varying(values)
        k = jnp.moveaxis(jnp.broadcast_to(k, mesh[0].shape), d.axis, -1)
        k = k.reshape(*k.shape[:-1], *x.shape)
        return jnp.moveaxis(1 / jnp.sum(jnp.asarray(w) / k, axis=-1), -1, d.axis)

    def _padded(self, u: Any, walls: Any, axis: int, t: Any, constants: Mapping[str, Any]) -> Any:
        """States `(m, ...)` between `walls` with three ghost cells at both ends of an axis."""
        line = self.grid.line[axis]
        rows = []
        for i in range(u.shape[0]):
            v = jnp.moveaxis(u[i], axis, 0)
            ends = walls[i][axis]
            if ends is None:
                rows.append(jnp.moveaxis(jnp.concatenate([v[-GHOSTS:], v, v[:GHOSTS]]), 0, axis))
                continue
            sides = []
            for side, (wall, at) in enumerate(ends):
                g = self._at_wall(at, axis, side, v.shape[1:], t, constants)
                ghosts = []
                for k in range(GHOSTS):
                    own, given = mirror(wall, (2 * k + 1) * line.spacing)
                    ghosts.append(own * (v[k] if side == 0 else v[-1 - k]) + given * g)
                sides.append(jnp.stack(ghosts[::-1] if side == 0 else ghosts))
            rows.append(jnp.moveaxis(jnp.concatenate([sides[0], v, sides[1]]), 0, axis))
        return jnp.stack(rows)

    def _at_wall(self, at: Any, axis: int, side: int, shape: Any, t: Any, constants: Mapping[str, Any]) -> Any:
        places = []
        for k, (line, count) in enumerate(zip(self.grid.line, _inserted(shape, axis), strict=True)):
            if k == axis:
                places.append(np.array([line.upper if side else line.lower]))
            else:  # cells, or faces
                places.append(line.points if count == line.n else line.lower + line.spacing * np.arange(count))
        mesh = np.meshgrid(*places, indexing="ij")
        named = {n: jnp.asarray(m.squeeze(axis)) for n, m in zip(self.grid.names, mesh, strict=True)}
        (value,) = at(dict(constants) | named | self.clock(t))
        return jnp.broadcast_to(value, shape)

    def _faces(self, axis: int) -> dict[str, Any]:
        places = [a.points for a in self.grid.line]
        line = self.grid.line[axis]
        places[axis] = line.lower + line.spacing * np.arange(line.n + 1)
        return dict(zip(self.grid.names, map(jnp.asarray, np.meshgrid(*places, indexing="ij")), strict=True))

    def total(self, constants: Mapping[str, Any]) -> Any:
        """du/dt in the cells, as a function of (cells, t)."""
        signal, places = self._signal(constants), self.places()
        faces = [self._faces(a) for a in range(self.grid.dim)]
        between = self._conductance(constants)
        means = [j.mean(self.grid.names, self.grid.line, dict(constants)) if j.steady else None for j in self.jumping]

        def evaluate(u: Any, t: Any) -> Any:
            rows = self.source(dict(constants) | places | self.clock(t) | self._values(u)) if self.source else None
            out = jnp.zeros_like(u) if rows is None else jnp.stack([jnp.broadcast_to(r, self.grid.n) for r in rows])
            for j, mean in zip(self.jumping, means, strict=True):
                known = dict(constants) | self.clock(t)
                (f,) = j.factor(known | places | self._values(u))
                out = out.at[j.state].add(f * (mean if j.steady else j.mean(self.grid.names, self.grid.line, known)))
            for axis, line in enumerate(self.grid.line):
                p = self._padded(u, self.walls, axis, t, constants)
                flux = jnp.zeros([line.n + 1 if a - 1 == axis else k for a, k in enumerate(u.shape)])
                if self.advection[axis] is not None:
                    last = jnp.moveaxis(p, 1 + axis, -1)
                    sides = [jnp.moveaxis(s, -1, 1 + axis) for s in self.riemann[axis].states(last)]
                    flux = flux + self.riemann[axis](signal(axis, faces[axis], t), *sides)
                for i, found in enumerate(self.diffusion):
                    for d, varying, factor in found:
                        if d.axis == axis:
                            k = between(d, varying, t)
                            flux = flux.at[i].add(-k * self._slope(d, factor, u, p, faces[axis], t, constants))
                out = out - jnp.diff(flux, axis=1 + axis) / line.spacing
            return out

        return evaluate

    def _slope(
        self, d: Diffusion, factor: Any, u: Any, p: Any, faces: Mapping[str, Any], t: Any, constants: Mapping[str, Any]
    ) -> Any:
        """factor du/dx_slope on the faces of an axis, from cells `p` padded along it."""
        inner = slice(GHOSTS - 1, -GHOSTS)
        outer = slice(GHOSTS, 1 - GHOSTS)
        pick = lambda q, s: q[(slice(None), *(s if a == d.axis else slice(None) for a in range(self.grid.dim)))]  # noqa: E731
        low, high = pick(p, inner), pick(p, outer)
        j = self.system.states.index(d.state)
        if d.slope == d.axis:
            slope = (high[j] - low[j]) / self.grid.line[d.axis].spacing
        else:
            mean = (low + high)[j : j + 1] / 2
            (wide,) = self._padded(mean, self.walls[j : j + 1], d.slope, t, constants)
            at = lambda s: wide[tuple(s if a == d.slope else slice(None) for a in range(self.grid.dim))]  # noqa: E731
            step = self.grid.line[d.slope].spacing
            slope = (at(slice(GHOSTS + 1, 1 - GHOSTS)) - at(slice(GHOSTS - 1, -GHOSTS - 1))) / (2 * step)
        (f,) = factor(dict(constants) | dict(faces) | self.clock(t) | self._values((low + high) / 2))
        return f * slope


def mirror(wall: Wall, apart: float) -> tuple[float, float]:
    """(a, b): a cell beyond the wall is a u + b g, u its mirror image at the distance `apart`, so that on the face between
    them alpha u + beta du/dn = g."""
    here, beyond = wall.alpha / 2 - wall.beta / apart, wall.alpha / 2 + wall.beta / apart
    return -here / beyond, 1 / beyond


def _inserted(shape: Any, axis: int) -> list[int]:
    found = list(shape)
    found.insert(axis, 1)
    return found


def _basis(line: CellAxis, ends: Any) -> Basis:
    """The eigenvectors of the second difference along an axis between walls."""
    n = line.n
    A = -2 * np.eye(n) + np.eye(n, k=1) + np.eye(n, k=-1)
    if ends is None:
        A[0, -1] = A[-1, 0] = 1.0
    else:
        for row, (wall, _) in zip((0, n - 1), ends, strict=True):
            A[row, row] += mirror(wall, line.spacing)[0]
    values, vectors = np.linalg.eigh(A / line.spacing**2)
    return values, vectors.T, vectors


def compile_volumes(system: Conservation, domain: Domain, names: tuple[str, ...], line: tuple[CellAxis, ...]) -> Volumes:
    """Expressions to JAX functions, and a Riemann solver for each axis."""
    pde = system.pde
    down = lambda e: lower([sp.sympify(x) for x in e], coordinates=pde.coordinates)  # noqa: E731
    walls = []
    for state in system.states:
        rows = []
        for name, axis in zip(names, line, strict=True):
            if axis.wraps:
                rows.append(None)
                continue
            ends = [wall_at(pde, domain, state, f"{name}_{end}") for end in ("min", "max")]
            ends = [Wall(0.0, 1.0, w.value) if w.free else w for w in ends]  # what leaves is the same on both sides
            rows.append(tuple((w, down([w.value])) for w in ends))
        walls.append(tuple(rows))
    per_axis = [[row[a] for row in system.advection] for a in range(len(names))]
    advection = tuple(down(row) if any(e != 0 for e in row) else None for row in per_axis)
    cut = lambda d: replace(d, breaks=breaks_along(pde, domain, frozen(d.varying, pde), pde.space[d.axis]))  # noqa: E731
    diffusion = tuple(tuple((cut(d), down([d.varying]), down([d.factor])) for d in found) for found in system.diffusion)
    at_centres, jumping = split_sources(pde, domain, system.source)
    source = down(at_centres) if any(e != 0 for e in at_centres) else None
    plain: Any = system
    grid = CellGrid(names, line)
    rusanov = (Rusanov(),) * len(names)
    made = Volumes(plain, grid, Lowered(None, {}, None), tuple(walls), advection, diffusion, source, jumping, rusanov, ())
    if made.spectral:
        different = {_key(axis, ends): (axis, ends) for rows in walls for axis, ends in zip(line, rows, strict=True)}
        cache = {key: _basis(*found) for key, found in different.items()}
        bases = tuple(tuple(cache[_key(axis, ends)] for axis, ends in zip(line, rows, strict=True)) for rows in walls)
        made = replace(made, bases=bases)
    if all(a is not None for a in advection):
        constants = made.constants({p.name: p.initial for p in pde.parameters})
        there = {name: jnp.zeros(()) for name in names}
        fluxes = [made._signal(constants)(a, there, jnp.zeros(())) for a in range(len(names))]
        gamma = ideal_gas(fluxes, len(system.states))
        if gamma is not None:
            return replace(made, riemann=tuple(HLLC(gamma, a) for a in range(len(names))))
    return made


def _key(axis: CellAxis, ends: Any) -> Any:
    return axis, None if ends is None else tuple((w.alpha, w.beta) for w, _ in ends)
