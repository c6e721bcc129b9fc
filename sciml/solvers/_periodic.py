"""Time-dependent equations on periodic boxes: Fourier in space, exponential time differencing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import sympy as sp

from ..pde import Initial, Parameter, derivatives_of, lower
from ._system import Mean, System
from .spatial import Fourier
from .stepping import Linear


@dataclass(frozen=True, eq=False)
class Periodic:
    """A system on a Fourier grid, ready to be stepped. All methods are pure functions of arrays.

    `values`: parameters of the equation by name (numbers or arrays); a state is `(states, *n)` in space, `(states, *modes)` in
    Fourier space.
    """

    system: System
    grid: Fourier
    coefficients: Any  # lowered coefficients of all linear terms
    means: dict[str, Any]  # spatial means of variable coefficients: name -> lowered expression
    rest: Any  # lowered N
    kept: np.ndarray
    constraint: Any = None  # lowered coefficients of the projection and of the diagnostic fields

    def constants(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters, and the means that follow from them."""
        values = {name: jnp.asarray(value, float) for name, value in parameters.items()}
        mesh = {name: jnp.asarray(a) for name, a in self.grid.mesh().items()}
        means = {}
        for name, lowered in self.means.items():
            (value,) = lowered(values | mesh)
            means[name] = jnp.mean(jnp.broadcast_to(value, self.grid.n))
        return values | means

    def linear(self, constants: Mapping[str, Any]) -> Linear:
        """L in Fourier space."""
        states = self.system.states
        found = iter(self.coefficients(dict(constants)) if self.coefficients is not None else ())
        blocks = [[jnp.zeros(self.grid.modes, complex) for _ in states] for _ in states]
        for i, terms in enumerate(self.system.linear):
            for term in terms:
                j = states.index(term.state)
                blocks[i][j] = blocks[i][j] + next(found) * jnp.asarray(self.grid.symbol(term.index))
        coupled = any(term.state != states[i] for i, terms in enumerate(self.system.linear) for term in terms)
        if not coupled:
            return Linear(diagonal=jnp.stack([blocks[i][i] for i in range(len(states))]))
        matrix = jnp.stack([jnp.stack(row, axis=-1) for row in blocks], axis=-2)
        return Linear(blocks=matrix)

    def rate(self, constants: Mapping[str, Any]) -> Any:
        """N as a function of (state in Fourier space, t), dealiased."""
        if self.rest is None:
            return lambda u, t: jnp.zeros_like(u)
        names = [str(s) for s in self.system.states]
        mesh = {name: jnp.asarray(a) for name, a in self.grid.mesh().items()}
        kept = jnp.asarray(self.kept)
        wanted = dict(self.system.symbols)

        def evaluate(u: Any, t: Any) -> Any:
            spectra = dict(zip(names, jnp.where(kept, u, 0), strict=True)) | self._diagnosed(u, constants, kept)
            values: dict[Any, Any] = dict(constants) | mesh | clock(self.system, t)
            for leaf, (state, index) in wanted.items():
                values[leaf_name(leaf, self.system)] = self.grid.backward(spectra[str(state)] * self.grid.symbol(index))
            found = self.rest(values)
            stacked = jnp.stack([jnp.broadcast_to(f, self.grid.n) for f in found])
            return jnp.where(kept, self.grid.forward(stacked), 0)

        if self.system.projection is None:
            return evaluate
        return lambda u, t: self._projected(evaluate(u, t))[0]

    def _diagnosed(self, u: Any, constants: Mapping[str, Any], kept: Any = True) -> dict[str, Any]:
        """Fields that follow from the states, in Fourier space; their mean is zero where the equation leaves it open."""
        if not self.system.diagnostics:
            return {}
        names = [str(s) for s in self.system.states]
        found = iter(self.constraint(dict(constants)))
        out = {}
        for d in self.system.diagnostics:
            own = sum(next(found) * self.grid.symbol(term.index) for term in d.own)
            right = sum(next(found) * self.grid.symbol(t.index) * u[names.index(str(t.state))] for t in d.others)
            out[d.field] = jnp.where(kept & (own != 0), -right / jnp.where(own == 0, 1, own), 0)
        return out

    def _projected(self, n: Any) -> tuple[Any, Any]:
        """The velocities' part of n without its gradient, and the potential of that gradient."""
        projection = self.system.projection
        assert projection is not None
        where = [self.system.states.index(s) for s in projection.velocities]
        d = self.grid.dim
        slopes = [jnp.asarray(self.grid.symbol(tuple(int(a == i) for a in range(d)))) for i in range(d)]
        laplacian = sum(s * s for s in slopes)
        divergence = sum(s * n[i] for s, i in zip(slopes, where, strict=True))
        potential = jnp.where(laplacian != 0, divergence / jnp.where(laplacian == 0, 1, laplacian), 0)
        for s, i in zip(slopes, where, strict=True):
            n = n.at[i].add(-s * potential)
        return n, potential

    def fields(self, u: Any, t: Any, constants: Mapping[str, Any]) -> Any:
        """All real fields of the equation on the grid, `(fields, *n)`, the pressure and the like included."""
        names = [str(s) for s in self.system.states]
        spectra = dict(zip(names, u, strict=True)) | self._diagnosed(u, constants)
        projection = self.system.projection
        if projection is not None:
            (factor,) = self.constraint(dict(constants))
            raw = replace(self, system=replace(self.system, projection=None)).rate(constants)(u, t)
            spectra[projection.pressure] = self._projected(raw)[1] / factor
        wanted = [u.field_name for u in self.system.pde.real().fields]
        return self.grid.backward(jnp.stack([spectra[name] for name in wanted]))

    def initial(self, given: Mapping[str, Any] | None = None) -> Any:
        """The initial state `(states, *n)`: from the conditions, or `given` by name of the field (`u`, `u.t`)."""
        pde, grid = self.system.pde, self.grid
        mesh = grid.mesh()
        conditions = {(c.field.field_name, c.order): c for c in pde.conditions if isinstance(c, Initial)}
        rows = []
        for state in self.system.states:
            if given and str(state) in given:
                value = jnp.asarray(given[str(state)], float)
                if value.shape != grid.n:
                    raise ValueError(f"initial[{str(state)!r}] has the shape {value.shape}; the grid has {grid.n}.")
                rows.append(value)
                continue
            if (state.field, state.order) not in conditions:
                raise ValueError(
                    f"The initial value of {state} is missing: add Initial({state.field}, ..., order={state.order})."
                )
            values = {name: jnp.asarray(a) for name, a in mesh.items()}
            lowered = lower([conditions[state.field, state.order].value], coordinates=pde.coordinates)
            flat = {name: a.ravel() for name, a in values.items()}
            (value,) = lowered(flat)
            rows.append(jnp.broadcast_to(value, (math.prod(grid.n),)).reshape(grid.n))
        return jnp.stack(rows)

    def forward(self, u: Any) -> Any:
        """Values on the grid -> Fourier space; a flow loses its divergence."""
        spectrum = self.grid.forward(u)
        return spectrum if self.system.projection is None else self._projected(spectrum)[0]

    def whole(self, u: Any, t: Any, constants: Mapping[str, Any]) -> Any:
        """Fourier space -> values on the grid `(states, *n)`."""
        return self.grid.backward(u)

    def derivative(self, constants: Mapping[str, Any], u: Any, t: Any) -> Any:
        """du/dt in Fourier space."""
        return self.linear(constants).apply(u) + self.rate(constants)(u, t)


def compile_periodic(system: System, grid: Fourier) -> Periodic:
    """Expressions to JAX functions; nothing is evaluated."""
    pde = system.pde
    means: dict[str, Any] = {}
    symbols: dict[Any, Any] = {}

    def named(expression: Any) -> Any:
        node = Mean(expression)
        if node not in symbols:
            symbols[node] = Parameter(f"mean_{len(symbols)}_", 1.0)
            means[symbols[node].name] = lower([expression], coordinates=pde.coordinates)
        return symbols[node]

    coefficients = [
        term.coefficient if term.variable is None else term.coefficient * named(term.variable)
        for terms in system.linear
        for term in terms
    ]
    rest = [e.replace(lambda n: isinstance(n, Mean), lambda n: named(n.args[0])) for e in system.nonlinear]
    lowered = lower([sp.sympify(c) for c in coefficients], coordinates=pde.coordinates) if coefficients else None
    nonlinear = lower(rest, coordinates=pde.coordinates) if any(e != 0 for e in rest) else None
    bound = [term.coefficient for d in system.diagnostics for term in (*d.own, *d.others)]
    bound += [system.projection.factor] if system.projection else []
    constraint = lower([sp.sympify(c) for c in bound], coordinates=pde.coordinates) if bound else None
    return Periodic(system, grid, lowered, means, nonlinear, grid.kept(system.degree), constraint)


def clock(system: System, t: Any) -> dict[str, Any]:
    """The value of the time coordinate, where there is one."""
    return {} if system.pde.time is None else {system.pde.time.name: t}


def leaf_name(leaf: Any, system: System) -> Any:
    """By which key a lowered expression looks a leaf up."""
    ((name, index),) = derivatives_of(leaf, system.pde.coordinates)
    return name, index
