"""Equations on boxes with walls: Chebyshev points or finite differences along walled axes, Fourier along periodic ones.

The unknowns are the values at interior points. Values on the walls follow from the conditions: with E the rows of
alpha u + beta du/dn at both ends,

    u_full = P u + R g(t),          E u_full = g(t).

The second derivative along each axis, D^2 P on the interior, is diagonalised once, so terms of L with second derivatives become
numbers in that basis and exponential time differencing applies; everything else, the walls' contribution included, is N.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..geometry import Domain
from ..pde import lower
from ._discrete import AbstractDiscrete, lowered
from ._system import State, System
from ._walls import Wall, wall_at
from .spatial import AbstractAxis, PeriodicAxis
from .stepping import Linear


@dataclass(frozen=True, eq=False)
class AxisBasis:
    """One axis for one field: how walls follow from the interior, and the eigenvectors of the second derivative, which are
    sought when they are first needed.

    `extend` `(full, interior)` and `lift` `(full, 2)`: P and R; `eigenvalues` `(interior,)`, `to_modes`, `to_points`.
    `modal`: whether these are eigenvectors; they are the points where a wall takes no condition.
    """

    extend: np.ndarray | None
    lift: np.ndarray | None
    factored: Callable[[], tuple[np.ndarray, np.ndarray, np.ndarray]]
    modal: bool = True

    @cached_property
    def _modes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.factored()

    @property
    def eigenvalues(self) -> np.ndarray:
        return self._modes[0]

    @property
    def to_modes(self) -> np.ndarray:
        return self._modes[1]

    @property
    def to_points(self) -> np.ndarray:
        return self._modes[2]


def walled_axis(axis: Any, low: Wall, high: Wall) -> AxisBasis:
    """P, R and the eigenvectors along an axis with these walls. Where one takes no condition, the value there is that of the
    polynomial through the points inside."""
    n = axis.n
    sloped = low.beta != 0 or high.beta != 0
    D = axis.matrix(1) if sloped else np.zeros((n, n))
    ends, inside = [0, n - 1], slice(1, n - 1)
    E = np.zeros((2, n))
    for row, wall, sign in ((0, low, -1.0), (1, high, 1.0)):
        E[row] = -axis.beyond(int(sign)) if wall.free else wall.beta * sign * D[ends[row]]
        E[row, ends[row]] += 1.0 if wall.free else wall.alpha
    boundary = np.linalg.inv(E[:, ends])
    extend, lift = np.zeros((n, n - 2)), np.zeros((n, 2))
    extend[inside] = np.eye(n - 2)
    extend[ends] = -boundary @ E[:, inside]
    lift[ends] = boundary
    if low.free or high.free:  # no eigenvectors: polynomials without conditions differentiate to zero
        return AxisBasis(extend, lift, lambda: (np.zeros(n - 2), np.eye(n - 2), np.eye(n - 2)), modal=False)

    def factored() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        values, vectors = (np.asarray(a, complex) for a in np.linalg.eig((axis.matrix(2) @ extend)[inside]))
        if np.max(np.abs(np.imag(values))) > 1e-6 * np.max(np.abs(values)):
            raise ValueError("These boundary conditions make the second derivative oscillate: check the sign of Robin's beta.")
        order = np.argsort(-np.real(values))
        vectors = np.real(vectors[:, order])
        return np.real(values[order]), np.linalg.inv(vectors), vectors

    return AxisBasis(extend, lift, factored)


def periodic_axis(axis: PeriodicAxis) -> AxisBasis:
    """The real Fourier basis: 1, cos, sin, ..."""
    n, x = axis.n, np.arange(axis.n) / axis.n
    columns, values = [np.ones(n) / math.sqrt(n)], [0.0]
    for k in range(1, n // 2 + 1):
        rate = -((2 * np.pi * k / (axis.upper - axis.lower)) ** 2)
        columns.append(np.cos(2 * np.pi * k * x))
        values.append(rate)
        if 2 * k < n:
            columns.append(np.sin(2 * np.pi * k * x))
            values.append(rate)
    vectors = np.stack([c / np.linalg.norm(c) for c in columns], axis=1)
    return AxisBasis(None, None, lambda: (np.array(values), vectors.T, vectors))


@dataclass(frozen=True, eq=False)
class Grid:
    """The tensor grid. States are kept at interior points; `n` counts those, `full` the walls too."""

    names: tuple[str, ...]
    line: tuple[AbstractAxis, ...]

    @property
    def dim(self) -> int:
        return len(self.line)

    @property
    def inside(self) -> tuple[slice, ...]:
        return tuple(slice(1, -1) if a.walled else slice(None) for a in self.line)

    @property
    def n(self) -> tuple[int, ...]:
        return tuple(a.n - 2 if a.walled else a.n for a in self.line)

    @property
    def full(self) -> tuple[int, ...]:
        return tuple(a.n for a in self.line)

    def mesh(self, walls: bool = False) -> dict[str, np.ndarray]:
        """The coordinates of the interior points, or of all."""
        axes = [a.points if walls else a.points[s] for a, s in zip(self.line, self.inside, strict=True)]
        return dict(zip(self.names, np.meshgrid(*axes, indexing="ij"), strict=True))

    def tail(self, u: Any) -> float:
        """The worst tail of any axis, see there; `u` is `(..., *full)`."""
        u = np.asarray(u)
        return max(axis.tail(np.moveaxis(u, u.ndim - self.dim + i, -1)) for i, axis in enumerate(self.line))


@dataclass(frozen=True, eq=False)
class Bounded(AbstractDiscrete):
    """A system on a grid with walls. The basis has the shape `(states, *n)`, and `n` counts interior points."""

    bases: tuple[tuple[AxisBasis, ...], ...]  # [state][axis]
    walls: tuple[tuple[tuple[Any, Any] | None, ...], ...]  # [state][axis]: lowered g at both ends
    modal: tuple[tuple[bool, ...], ...]  # whether a linear term is diagonal in the basis

    def linear(self, constants: Mapping[str, Any]) -> Linear:
        states = self.system.states
        blocks = [[jnp.zeros(self.grid.n) for _ in states] for _ in states]
        coupled = False
        for i, k, term, value in self.terms(constants):
            if not self.modal[i][k]:
                continue
            j = states.index(term.state)
            coupled |= i != j
            factor = jnp.ones(())
            for axis, order in enumerate(term.index):
                if order:
                    shape = [-1 if a == axis else 1 for a in range(self.grid.dim)]
                    factor = jnp.asarray(self.bases[i][axis].eigenvalues.reshape(shape))
            blocks[i][j] = blocks[i][j] + value * factor
        if not coupled:
            return Linear(diagonal=jnp.stack([blocks[i][i] for i in range(len(states))]))
        return Linear(blocks=jnp.stack([jnp.stack(row, axis=-1) for row in blocks], axis=-2))

    def forward(self, u: Any) -> Any:
        """Interior values -> eigenbasis."""
        return self._transform(u, "to_modes")

    def backward(self, u: Any) -> Any:
        return self._transform(u, "to_points")

    def _transform(self, u: Any, which: str) -> Any:
        rows = []
        for i, bases in enumerate(self.bases):
            row = u[..., i, *(slice(None),) * self.grid.dim]
            for axis, basis in enumerate(bases):
                row = along(getattr(basis, which), row, row.ndim - self.grid.dim + axis)
            rows.append(row)
        return jnp.stack(rows, axis=-1 - self.grid.dim)

    def extended(self, i: int, u: Any, t: Any, constants: Mapping[str, Any]) -> Any:
        """State `i` on the whole grid, walls included, from its interior values `(*n,)` (None: zeros)."""
        full = jnp.zeros(self.grid.n) if u is None else u
        for axis, basis in enumerate(self.bases[i]):
            if basis.extend is None:
                continue
            lifted = along(basis.extend, full, axis)
            ends = self.walls[i][axis]
            assert ends is not None
            shape = [a for k, a in enumerate(full.shape) if k != axis]
            g = jnp.stack([self._wall(value, axis, side, shape, t, constants) for side, value in enumerate(ends)])
            full = lifted + jnp.moveaxis(jnp.tensordot(jnp.asarray(basis.lift), g, axes=1), 0, axis)
        return full

    def enclosed(self, u: Any, t: Any, constants: Mapping[str, Any]) -> Any:
        """Interior values -> values on the whole grid `(states, *full)`."""
        return jnp.stack([self.extended(i, u[i], t, constants) for i in range(len(self.system.states))])

    def whole(self, u: Any, t: Any, constants: Mapping[str, Any]) -> Any:
        """Eigenbasis -> values on the whole grid `(states, *full)`."""
        return self.enclosed(self.backward(u), t, constants)

    def fields(self, u: Any, t: Any, constants: Mapping[str, Any]) -> Any:
        """All real fields of the equation on the whole grid, `(fields, *full)`."""
        names = [str(s) for s in self.system.states]
        whole = self.whole(u, t, constants)
        return whole[np.array([names.index(u.field_name) for u in self.system.pde.real().fields])]

    def _wall(self, at: Any, axis: int, side: int, shape: list[int], t: Any, constants: Mapping[str, Any]) -> Any:
        """g at an end of `axis`: axes before it are whole, those after it have interior points only."""
        place = []
        for k, (line, inside) in enumerate(zip(self.grid.line, self.grid.inside, strict=True)):
            if k == axis:
                place.append(np.array([line.points[-side]]) if side else np.array([line.points[0]]))
            else:
                place.append(line.points if k < axis else line.points[inside])
        mesh = np.meshgrid(*place, indexing="ij")
        names = self.grid.names
        values = dict(constants) | {n: jnp.asarray(m.squeeze(axis)) for n, m in zip(names, mesh, strict=True)}
        values |= self.clock(t)
        (value,) = at(values)
        return jnp.broadcast_to(value, shape)

    def _needed(self) -> dict[tuple[State, tuple[int, ...]], None]:
        wanted: dict[tuple[State, tuple[int, ...]], None] = dict.fromkeys(self.system.symbols.values())
        for i, terms in enumerate(self.system.linear):
            for k, term in enumerate(terms):
                if not self.modal[i][k]:
                    wanted[term.state, term.index] = None
        return wanted

    def rate(self, constants: Mapping[str, Any]) -> Any:
        """N in the eigenbasis: the expression N, linear terms that are not diagonal, and what the walls add to L."""
        grid, states = self.grid, self.system.states
        places = self.places()
        terms = [(i, term, value, self.modal[i][k]) for i, k, term, value in self.terms(constants)]
        wanted = self._needed()
        walled = {term.state for _, term, _, modal in terms if modal and any(term.index)}

        def derivative(full: Any, index: tuple[int, ...]) -> Any:
            for axis, order in enumerate(index):
                full = grid.line[axis].differentiate(full, order, axis)
            return full[grid.inside]

        def evaluate(modes: Any, t: Any) -> Any:
            u = self.backward(modes)
            whole = {s: self.extended(i, u[i], t, constants) for i, s in enumerate(states) if any(s == w for w, _ in wanted)}
            lifts = {s: self.extended(states.index(s), None, t, constants) for s in walled}
            found = {(s, index): derivative(whole[s], index) for s, index in wanted}
            rows = [jnp.zeros(grid.n) for _ in states]
            if self.lowered.rest is not None:
                values: dict[Any, Any] = dict(constants) | places | self.clock(t)
                for leaf, place in self.system.symbols.items():
                    values[self.leaf(leaf)] = found[place]
                rows = [jnp.broadcast_to(r, grid.n) for r in self.lowered.rest(values)]
            for i, term, value, modal in terms:
                if not modal:
                    rows[i] = rows[i] + value * found[term.state, term.index]
                elif any(term.index):
                    rows[i] = rows[i] + value * derivative(lifts[term.state], term.index)
            return self.forward(jnp.stack(rows))

        return evaluate


def along(matrix: Any, u: Any, axis: int) -> Any:
    return jnp.moveaxis(jnp.tensordot(jnp.asarray(matrix), u, axes=(1, axis)), 0, axis)


def compile_bounded(system: System, domain: Domain, names: tuple[str, ...], line: tuple[AbstractAxis, ...]) -> Bounded:
    """Expressions to JAX functions, and one eigenbasis for each field and axis."""
    pde = system.pde
    if system.projection or system.diagnostics:
        raise NotImplementedError(
            "Fields without a time derivative, such as the pressure of a flow, are eliminated on periodic boxes only so far."
        )
    grid = Grid(names, line)
    bases, walls = [], []
    cache: dict[Any, AxisBasis] = {}
    for state in system.states:
        rows, values = [], []
        for name, axis in zip(names, line, strict=True):
            if isinstance(axis, PeriodicAxis):
                rows.append(cache.setdefault(axis, periodic_axis(axis)))
                values.append(None)
                continue
            ends = [wall_at(pde, domain, state, f"{name}_{end}") for end in ("min", "max")]
            key = (axis, *((w.alpha, w.beta) for w in ends))
            if key not in cache:
                cache[key] = walled_axis(axis, *ends)
            rows.append(cache[key])
            values.append(tuple(lower([w.value], coordinates=pde.coordinates) for w in ends))
        bases.append(tuple(rows))
        walls.append(tuple(values))
    modal = tuple(
        tuple(
            term.state.field == system.states[i].field
            and (
                not any(term.index)
                or (sum(term.index) == max(term.index) == 2 and bases[i][term.index.index(2)].modal)
            )
            for term in terms
        )
        for i, terms in enumerate(system.linear)
    )
    return Bounded(system, grid, lowered(system), tuple(bases), tuple(walls), modal)
