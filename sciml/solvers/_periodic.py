"""Equations on periodic boxes: Fourier in every direction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import sympy as sp

from ..pde import lower
from ._discrete import AbstractDiscrete, lowered
from ._products import Products, products, unit
from ._system import System, leaves_of, locate
from .spatial import FourierGrid
from .stepping import Linear


@dataclass(frozen=True, eq=False)
class Periodic(AbstractDiscrete):
    """A system on a Fourier grid; its basis is `(states, *modes)`. `products`: what `lowered.rest` evaluates, and what N is of
    it; `constraint`: the lowered coefficients of the projection and of the fields that follow from the states."""

    products: Products
    constraint: Any = None

    def linear(self, constants: Mapping[str, Any]) -> Linear:
        """L in Fourier space."""
        states = self.system.states
        blocks = [[jnp.zeros(self.grid.modes, complex) for _ in states] for _ in states]
        for i, _, term, value in self.terms(constants):
            j = states.index(term.state)
            blocks[i][j] = blocks[i][j] + value * jnp.asarray(self.grid.symbol(term.index))
        coupled = any(term.state != states[i] for i, terms in enumerate(self.system.linear) for term in terms)
        if not coupled:
            return Linear(diagonal=jnp.stack([blocks[i][i] for i in range(len(states))]))
        matrix = jnp.stack([jnp.stack(row, axis=-1) for row in blocks], axis=-2)
        return Linear(blocks=matrix)

    def rate(self, constants: Mapping[str, Any]) -> Any:
        """N as a function of (state in Fourier space, t), dealiased."""
        if self.lowered.rest is None:
            return lambda u, t: jnp.zeros_like(u)
        names = [str(s) for s in self.system.states]
        places, diagnosed = self.places(), self._diagnosis(constants)
        kept = jnp.asarray(self.grid.kept)
        wanted = {leaf: locate(leaf, self.system.pde) for e in self.products.expressions for leaf in leaves_of(e)}

        def evaluate(u: Any, t: Any) -> Any:
            u = jnp.where(kept, u, 0)
            spectra = dict(zip(names, u, strict=True)) | diagnosed(u)
            values: dict[Any, Any] = dict(constants) | places | self.clock(t)
            for leaf, (state, index) in wanted.items():
                values[self.leaf(leaf)] = self.grid.backward(self.grid.derivative(spectra[str(state)], index))
            found = jnp.stack([jnp.broadcast_to(f, self.grid.n) for f in self.lowered.rest(values)])
            found = jnp.where(kept, self.grid.forward(found), 0)
            zero = jnp.zeros(self.grid.modes, u.dtype)
            rows = [
                sum((sign * self.grid.derivative(found[k], index) for k, index, sign in row), zero)
                for row in self.products.rows
            ]
            return jnp.stack(rows)

        if self.system.projection is None:
            return evaluate
        return lambda u, t: self._projected(evaluate(u, t))[0]

    def _diagnosis(self, constants: Mapping[str, Any]) -> Any:
        """A function of the states to the fields that follow from them, in Fourier space; their mean is zero where the
        equation leaves it open."""
        names = [str(s) for s in self.system.states]
        found = iter(self.constraint(dict(constants))) if self.system.diagnostics else iter(())
        factors = {}
        for d in self.system.diagnostics:
            own = sum(next(found) * self.grid.symbol(term.index) for term in d.own)
            inverse = jnp.where(own != 0, -1 / jnp.where(own == 0, 1, own), 0)
            factors[d.field] = [
                (names.index(str(term.state)), inverse * next(found) * self.grid.symbol(term.index)) for term in d.others
            ]
        return lambda u: {name: sum(factor * u[i] for i, factor in terms) for name, terms in factors.items()}

    def _projected(self, n: Any) -> tuple[Any, Any]:
        """The velocities' part of n without its gradient, and the potential of that gradient."""
        projection = self.system.projection
        assert projection is not None
        where = [self.system.states.index(s) for s in projection.velocities]
        d = self.grid.dim
        slopes = [jnp.asarray(self.grid.symbol(unit(i, d))) for i in range(d)]
        laplacian = sum(s * s for s in slopes)
        divergence = sum(s * n[i] for s, i in zip(slopes, where, strict=True))
        potential = jnp.where(laplacian != 0, divergence / jnp.where(laplacian == 0, 1, laplacian), 0)
        for s, i in zip(slopes, where, strict=True):
            n = n.at[i].add(-s * potential)
        return n, potential

    def fields(self, u: Any, t: Any, constants: Mapping[str, Any]) -> Any:
        """All real fields of the equation on the grid, `(fields, *n)`, the pressure and the like included."""
        names = [str(s) for s in self.system.states]
        spectra = dict(zip(names, u, strict=True)) | self._diagnosis(constants)(u)
        projection = self.system.projection
        if projection is not None:
            (factor,) = self.constraint(dict(constants))
            raw = replace(self, system=replace(self.system, projection=None)).rate(constants)(u, t)
            spectra[projection.pressure] = self._projected(raw)[1] / factor
        wanted = [u.field_name for u in self.system.pde.real().fields]
        return self.grid.backward(jnp.stack([spectra[name] for name in wanted]))

    def forward(self, u: Any) -> Any:
        """Values on the grid -> Fourier space; a flow loses its divergence."""
        spectrum = self.grid.forward(u)
        return spectrum if self.system.projection is None else self._projected(spectrum)[0]

    def enclosed(self, u: Any, t: Any, constants: Mapping[str, Any]) -> Any:
        return self.whole(self.forward(u), t, constants)

    def whole(self, u: Any, t: Any, constants: Mapping[str, Any]) -> Any:
        """Fourier space -> values on the grid `(states, *n)`."""
        return self.grid.backward(u)


def compile_periodic(system: System, grid: FourierGrid) -> Periodic:
    """Expressions to JAX functions; nothing is evaluated."""
    bound = [term.coefficient for d in system.diagnostics for term in (*d.own, *d.others)]
    bound += [system.projection.factor] if system.projection else []
    constraint = lower([sp.sympify(c) for c in bound], coordinates=system.pde.coordinates) if bound else None
    found = products(system)
    return Periodic(system, grid, lowered(system, found.expressions), found, constraint)
