"""Incompressible flow on a staggered grid (Harlow & Welch 1965): velocities on faces, pressure in cells.

    du/dt + div(u u) = - factor grad p + nu laplacian(u) + f,      div u = 0

Central differences in conservation form on a stretched tensor grid; three-stage Runge-Kutta steps (Shu & Osher 1988), each
stage projected. The Poisson equation is solved in the eigenvectors of its one-dimensional operators (Lynch, Rice & Thomas
1964), factored once.

Obstacles are cut out by forces at the points next to their surface, such that the velocity interpolated to the surface is that
of the surface and the flow has no divergence, both exactly: a system as large as the surface, factored once (after Taira &
Colonius 2007, with the interpolation of Fadlun et al. 2000). Their sum is the force on the obstacle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._bounded import along
from .._volumes import mirror
from .._walls import Wall
from ..spatial import matrix_between

Velocity = tuple[Any, ...]  # one array for each component: faces along its own axis, cells along the others


@dataclass(frozen=True, eq=False)
class FlowAxis:
    """`faces` `(n + 1,)`; the last is the first where the axis `wraps`."""

    faces: np.ndarray
    wraps: bool

    @property
    def n(self) -> int:
        return len(self.faces) - 1

    @property
    def widths(self) -> np.ndarray:
        return np.diff(self.faces)

    @property
    def centres(self) -> np.ndarray:
        return (self.faces[1:] + self.faces[:-1]) / 2

    @property
    def apart(self) -> np.ndarray:
        """What lies between the centres on both sides of each face `(n + 1,)`; half a cell at walls."""
        w = self.widths
        if self.wraps:
            wide = np.concatenate([w[-1:], w, w[:1]])
            return (wide[1:] + wide[:-1]) / 2
        return np.concatenate([w[:1] / 2, (w[1:] + w[:-1]) / 2, w[-1:] / 2])

    @property
    def own(self) -> int:
        """Faces that are unknowns of the component along the axis."""
        return self.n if self.wraps else self.n + 1


@dataclass(frozen=True, eq=False)
class Side:
    """One end of an axis for one component: the wall, and its value as a function of (t, parameters) on the points there."""

    wall: Wall
    value: Callable[[Any, Any], Any]


@dataclass(frozen=True, eq=False)
class Continuation:
    """Values of cells that follow from others: p[targets] = sum of weights p[sources]."""

    targets: np.ndarray
    sources: np.ndarray
    weights: np.ndarray

    def apply(self, p: Any) -> Any:
        flat = p.ravel()
        found = jnp.sum(jnp.asarray(self.weights) * flat[self.sources], axis=1)
        return flat.at[self.targets].set(found, unique_indices=True).reshape(p.shape)


@dataclass(frozen=True, eq=False)
class Surface:
    """Forced points of each component: `points[a]` flat indices, and rows that say what holds there,
    u[points] = weight u[neighbours]; how the pressure of the flow goes on in the obstacle."""

    points: tuple[np.ndarray, ...]
    neighbours: tuple[np.ndarray, ...]
    weights: tuple[np.ndarray, ...]
    inverse: np.ndarray  # from what is missed on the surface to the forces
    pressure: Continuation


@dataclass(frozen=True, eq=False)
class Staggered:
    """The flow on its grid. `sides[a][b]`: the ends of axis b for component a, None where it wraps; `open_ends[b][side]`:
    whether the flow passes freely there, with the pressure zero."""

    line: tuple[FlowAxis, ...]
    sides: tuple[tuple[tuple[Side, Side] | None, ...], ...]
    open_ends: tuple[tuple[bool, bool], ...]
    force: Callable[[int, Any, Any], Any]  # (component, t, parameters) -> on its points
    nu: Callable[[Any], Any]
    poisson: tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]  # [axis]: eigenvalues, to modes, to cells
    surface: Surface | None = None

    @property
    def dim(self) -> int:
        return len(self.line)

    @property
    def cells(self) -> tuple[int, ...]:
        return tuple(a.n for a in self.line)

    def shape(self, a: int) -> tuple[int, ...]:
        return tuple(axis.own if b == a else axis.n for b, axis in enumerate(self.line))

    # Boundary values --------------------------------------------------------------------------------------------------

    def bounded(self, u: Velocity, t: Any, values: Any) -> Velocity:
        """With the given normal velocities on faces at walls. What the sampled ones let in on balance, an error of the grid, is
        taken off evenly where no end is open."""
        at_wall = [
            (a, end, (slice(None),) * a + (-1 if end else 0,), side.value(t, values))
            for a in range(self.dim)
            for end, side in enumerate(self.sides[a][a] or ())
            if not self.open_ends[a][end]
        ]
        excess = jnp.zeros(())
        if not any(map(any, self.open_ends)):
            out, areas = jnp.zeros(()), 0.0
            for a, end, _, given in at_wall:
                area = self._area(a)
                out = out + (1 if end else -1) * jnp.sum(given * jnp.asarray(area))
                areas += float(np.sum(area))
            excess = out / areas if at_wall else excess
        found = list(u)
        for a, end, place, given in at_wall:
            found[a] = found[a].at[place].set(given - (1 if end else -1) * excess)
        return tuple(found)

    def _area(self, a: int) -> np.ndarray:
        """The faces of one end of axis a."""
        area = np.ones(())
        for b, axis in enumerate(self.line):
            if b != a:
                area = np.multiply.outer(area, axis.widths)
        return area

    def padded(self, v: Any, a: int, b: int, t: Any, values: Any) -> Any:
        """Component a with one more value at both ends of another axis b."""
        v = jnp.moveaxis(v, b, 0)
        ends, line = self.sides[a][b], self.line[b]
        if ends is None:
            out = jnp.concatenate([v[-1:], v, v[:1]])
        else:
            rows = []
            for end, side in enumerate(ends):
                own, given = mirror(side.wall, line.widths[-end])
                value = side.value(t, values)
                # Where other axes are padded already, what holds in their last cells holds in their ghosts.
                wider = [((m - k) // 2,) * 2 for k, m in zip(value.shape, v.shape[1:], strict=True)]
                rows.append((own * v[-end] + given * jnp.pad(value, wider, mode="edge"))[None])
            out = jnp.concatenate([rows[0], v, rows[1]])
        return jnp.moveaxis(out, 0, b)

    # What moves the flow ----------------------------------------------------------------------------------------------

    def acceleration(self, u: Velocity, t: Any, values: Any) -> Velocity:
        """-div(u u) + nu laplacian(u) + f on the faces, zero on those at walls."""
        nu = self.nu(values)
        wide = {(a, b): self.padded(u[a], a, b, t, values) for a in range(self.dim) for b in range(self.dim) if a != b}
        found = []
        for a in range(self.dim):
            rate = self.force(a, t, values) + jnp.zeros_like(u[a])
            for b in range(self.dim):
                if a == b:
                    rate = rate + self._along_itself(u[a], a, nu)
                else:
                    rate = rate + self._across(wide[a, b], wide[b, a], a, b, nu)
            found.append(self._inside(rate, a))
        return tuple(found)

    def _inside(self, rate: Any, a: int) -> Any:
        for end in (0, 1):
            if not self.line[a].wraps and not self.open_ends[a][end]:
                rate = rate.at[(slice(None),) * a + (-1 if end else 0,)].set(0.0)
        return rate

    def _along_itself(self, v: Any, a: int, nu: Any) -> Any:
        """d/dx_a (nu du_a/dx_a - u_a u_a) on the faces."""
        line = self.line[a]
        v = jnp.moveaxis(v, a, -1)
        whole = jnp.concatenate([v, v[..., :1]], -1) if line.wraps else v
        middle = (whole[..., 1:] + whole[..., :-1]) / 2
        flux = nu * jnp.diff(whole, axis=-1) / jnp.asarray(line.widths) - middle**2
        if line.wraps:
            flux = jnp.concatenate([flux[..., -1:], flux], -1)
            rate = jnp.diff(flux, axis=-1) / jnp.asarray(line.apart[:-1])
        else:  # at open ends nothing changes along the axis
            flux = jnp.concatenate([-(v[..., :1] ** 2), flux, -(v[..., -1:] ** 2)], -1)
            rate = jnp.diff(flux, axis=-1) / jnp.asarray(line.apart)
        return jnp.moveaxis(rate, -1, a)

    def _across(self, wide: Any, other: Any, a: int, b: int, nu: Any) -> Any:
        """d/dx_b (nu du_a/dx_b - u_b u_a): `wide` is u_a padded along b, `other` u_b padded along a."""
        v = jnp.moveaxis(wide, (a, b), (-2, -1))
        w = jnp.moveaxis(other, (a, b), (-2, -1))
        carried = _to_faces(v, self.line[b])  # u_a on edges: (own faces of a, n_b + 1)
        w = _to_faces(jnp.swapaxes(w, -1, -2), self.line[a])
        w = jnp.swapaxes(w, -1, -2)  # u_b on edges: (n_a + 1, own faces of b)
        if self.line[a].wraps:
            w = w[..., :-1, :]
        if self.line[b].wraps:
            w = jnp.concatenate([w, w[..., :1]], -1)
        spread = self.line[b].apart.copy()
        if not self.line[b].wraps:
            spread[[0, -1]] *= 2  # ghosts mirror the first cells
        flux = nu * jnp.diff(v, axis=-1) / jnp.asarray(spread) - carried * w
        return jnp.moveaxis(jnp.diff(flux, axis=-1) / jnp.asarray(self.line[b].widths), (-2, -1), (a, b))

    def longest(self, u: Velocity, values: Any) -> Any:
        """The longest stable step."""
        slowness = jnp.zeros(())
        for a, axis in enumerate(self.line):
            h = jnp.asarray(axis.apart[: axis.own]).reshape([-1 if b == a else 1 for b in range(self.dim)])
            slowness = slowness + jnp.max(jnp.abs(u[a]) / h) / 1.4
            slowness = slowness + 4 * self.nu(values) / np.min(axis.widths) ** 2 / 2.4
        return 0.9 / slowness

    # No divergence ----------------------------------------------------------------------------------------------------

    def divergence(self, u: Velocity) -> Any:
        total = jnp.zeros(self.cells)
        for a, axis in enumerate(self.line):
            v = jnp.moveaxis(u[a], a, -1)
            whole = jnp.concatenate([v, v[..., :1]], -1) if axis.wraps else v
            total = total + jnp.moveaxis(jnp.diff(whole, axis=-1) / jnp.asarray(axis.widths), -1, a)
        return total

    def gradient(self, p: Any) -> Velocity:
        """On all faces; zero on those at walls."""
        found = []
        for a, axis in enumerate(self.line):
            q = jnp.moveaxis(p, a, -1)
            if axis.wraps:
                slope = (q - jnp.roll(q, 1, -1)) / jnp.asarray(axis.apart[:-1])
            else:
                low, high = self.open_ends[a]
                inner = jnp.diff(q, axis=-1) / jnp.asarray(axis.apart[1:-1])
                first = q[..., :1] / axis.apart[0] if low else jnp.zeros_like(q[..., :1])
                last = -q[..., -1:] / axis.apart[-1] if high else jnp.zeros_like(q[..., :1])
                slope = jnp.concatenate([first, inner, last], -1)
            found.append(jnp.moveaxis(slope, -1, a))
        return tuple(found)

    def potential(self, divergence: Any) -> Any:
        """q with div(grad q) = divergence."""
        for axis, (_, forward, _) in enumerate(self.poisson):
            divergence = along(forward, divergence, axis)
        total: Any = np.zeros(())
        for axis, (values, _, _) in enumerate(self.poisson):
            total = total + values.reshape([-1 if b == axis else 1 for b in range(self.dim)])
        flat = np.abs(total) < 1e-9 * np.max(np.abs(total))
        q = jnp.asarray(np.where(flat, 0.0, 1 / np.where(flat, 1.0, total))) * divergence
        for axis, (_, _, backward) in enumerate(self.poisson):
            q = along(backward, q, axis)
        return q

    def projected(self, u: Velocity) -> tuple[Velocity, Any]:
        """u without its gradient part, and the potential of that; obstacles are not seen."""
        q = self.potential(self.divergence(u))
        return tuple(v - g for v, g in zip(u, self.gradient(q), strict=True)), q

    def constrained(self, u: Velocity) -> tuple[Velocity, Any, Velocity]:
        """As `projected`, at rest on obstacles: (velocity, potential, forces that were added)."""
        free, q = self.projected(u)
        nothing = tuple(jnp.zeros_like(v) for v in u)
        if self.surface is None:
            return free, q, nothing
        strength = -jnp.asarray(self.surface.inverse) @ self.missed(free)
        push = self.pushed(strength, nothing)
        more, r = self.projected(push)
        return tuple(a + b for a, b in zip(free, more, strict=True)), q + r, push

    def missed(self, u: Velocity) -> Any:
        """By how much u misses what holds on the surface, `(m,)`."""
        s = self.surface
        assert s is not None
        rows = [
            v.ravel()[points] - jnp.asarray(weights) * v.ravel()[neighbours]
            for v, points, neighbours, weights in zip(u, s.points, s.neighbours, s.weights, strict=True)
        ]
        return jnp.concatenate(rows)

    def pushed(self, strength: Any, nothing: Velocity) -> Velocity:
        """Accelerations at the forced points, from a vector `(m,)`."""
        s = self.surface
        assert s is not None
        found, at = [], 0
        for v, points in zip(nothing, s.points, strict=True):
            part = strength[at : at + len(points)]
            found.append(v.ravel().at[points].set(part, unique_indices=True).reshape(v.shape))
            at += len(points)
        return tuple(found)

    def volumes(self, a: int) -> np.ndarray:
        """What belongs to each point of component a."""
        total: Any = np.ones(())
        for b, axis in enumerate(self.line):
            size = axis.apart[: axis.own] if a == b else axis.widths
            total = total * size.reshape([-1 if c == b else 1 for c in range(self.dim)])
        return total

    # Steps ------------------------------------------------------------------------------------------------------------

    def start(self, u: Velocity, t: Any, values: Any) -> Velocity:
        """The nearest flow without divergence that agrees with the walls."""
        return self.constrained(self.bounded(u, t, values))[0]

    def step(self, u: Velocity, t: Any, h: Any, values: Any) -> Velocity:
        """One Runge-Kutta step of order three."""

        def euler(v: Velocity, at: Any) -> Velocity:
            return tuple(x + h * f for x, f in zip(v, self.acceleration(v, at, values), strict=True))

        def clean(v: Velocity, at: Any) -> Velocity:
            return self.constrained(self.bounded(v, at, values))[0]

        mixed = lambda w, v: tuple((1 - w) * x + w * y for x, y in zip(u, v, strict=True))  # noqa: E731
        first = clean(euler(u, t), t + h)
        second = clean(mixed(0.25, euler(first, t + h)), t + h / 2)
        return clean(mixed(2 / 3, euler(second, t + h / 2)), t + h)

    def rates(self, u: Velocity, t: Any, values: Any) -> tuple[Velocity, Any, Any]:
        """(du/dt, factor times the pressure, the force on the obstacle per density `(d,)`) of the flow as it is."""
        still = tuple(jnp.zeros_like(v) for v in u)
        _, walls = jax.jvp(lambda t: self.bounded(still, t, values), (t,), (jnp.ones_like(t),))
        pushed = tuple(f + w for f, w in zip(self.acceleration(u, t, values), walls, strict=True))
        rate, p, push = self.constrained(pushed)
        total = [-jnp.sum(f * jnp.asarray(self.volumes(a))) for a, f in enumerate(push)]
        return rate, p, jnp.stack(total)

    # On common points -------------------------------------------------------------------------------------------------

    def at_vertices(self, u: Velocity, p: Any, t: Any, values: Any) -> Any:
        """Velocities and pressure where the grid lines cross, `(d + 1, *vertices)`, by cubic interpolation."""
        rows = []
        for a in range(self.dim):
            others = [(b, axis) for b, axis in enumerate(self.line) if b != a]
            v = u[a]
            for b, axis in others:
                v = v if axis.wraps else self.padded(v, a, b, t, values)
            for b, axis in others:
                if axis.wraps:
                    v = along(_periodic_matrix(axis), v, b)
                    continue
                v = jnp.moveaxis(v, b, 0)
                known = jnp.concatenate([(v[:1] + v[1:2]) / 2, v[1:-1], (v[-1:] + v[-2:-1]) / 2])
                nodes = np.concatenate([axis.faces[:1], axis.centres, axis.faces[-1:]])
                v = along(matrix_between(nodes, axis.faces), jnp.moveaxis(known, 0, b), b)
            rows.append(v)
        p = p if self.surface is None else self.surface.pressure.apply(p)
        for b, axis in enumerate(self.line):
            p = along(_periodic_matrix(axis) if axis.wraps else matrix_between(axis.centres, axis.faces), p, b)
        return jnp.stack([*rows, p])


def from_vertices(line: tuple[FlowAxis, ...], u: Any) -> Velocity:
    """The inverse of `at_vertices`, about: velocities `(d, *vertices)` on their faces, by cubic interpolation."""
    found = []
    for a, v in enumerate(u):
        for b, axis in enumerate(line):
            if a != b:
                v = along(_centre_matrix(axis), v, b)
        found.append(v)
    return tuple(found)


def between(coarse: tuple[FlowAxis, ...], fine: tuple[FlowAxis, ...], u: Velocity) -> Velocity:
    """Velocities on one grid from those on another one of the same box, by cubic interpolation."""
    found = []
    for a, v in enumerate(u):
        for b, (old, new) in enumerate(zip(coarse, fine, strict=True)):
            nodes, x = ((axis.faces[: axis.own] if a == b else axis.centres) for axis in (old, new))
            v = along(_wrapped(nodes, x, old.faces[-1] - old.faces[0]) if old.wraps else matrix_between(nodes, x), v, b)
        found.append(v)
    return tuple(found)


def _to_faces(v: Any, axis: FlowAxis) -> Any:
    """Linear interpolation from padded cells `(..., n + 2)` to faces `(..., n + 1)`."""
    w = axis.widths
    ends = (w[-1:], w[:1]) if axis.wraps else (w[:1], w[-1:])
    wide = np.concatenate([ends[0], w, ends[1]])
    left = jnp.asarray(wide[1:] / (wide[1:] + wide[:-1]))
    return left * v[..., :-1] + (1 - left) * v[..., 1:]


def _periodic_matrix(axis: FlowAxis) -> np.ndarray:
    """From centres to faces `(n, n)` of an axis that wraps."""
    return _wrapped(axis.centres, axis.faces[:-1], axis.faces[-1] - axis.faces[0])


def _centre_matrix(axis: FlowAxis) -> np.ndarray:
    """From faces to centres."""
    if axis.wraps:
        return _wrapped(axis.faces[:-1], axis.centres, axis.faces[-1] - axis.faces[0])
    return matrix_between(axis.faces, axis.centres)


def _wrapped(nodes: np.ndarray, x: np.ndarray, period: float) -> np.ndarray:
    """`matrix_between` `(m, n)` for functions of this period."""
    n = len(nodes)
    wide = matrix_between(np.concatenate([nodes[-2:] - period, nodes, nodes[:2] + period]), x)
    out = wide[:, 2 : n + 2].copy()
    out[:, -2:] += wide[:, :2]
    out[:, :2] += wide[:, -2:]
    return out


def poisson_basis(axis: FlowAxis, open_ends: tuple[bool, bool]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors of div(grad) along one axis; symmetric after scaling with the root of the widths."""
    n, w, apart = axis.n, axis.widths, axis.apart
    A = np.zeros((n, n))
    for face in range(n + 1):
        low, high = face - 1, face
        if axis.wraps:
            if face == n:
                continue
            low %= n
        elif face in (0, n):
            cell = 0 if face == 0 else n - 1
            if open_ends[0 if face == 0 else 1]:
                A[cell, cell] -= 1 / apart[face]
            continue
        A[low, low] -= 1 / apart[face]
        A[high, high] -= 1 / apart[face]
        A[low, high] += 1 / apart[face]
        A[high, low] += 1 / apart[face]
    root = np.sqrt(w)
    values, vectors = np.linalg.eigh(A / root[:, None] / root[None, :])
    return values, vectors.T * root[None, :], vectors / root[:, None]
