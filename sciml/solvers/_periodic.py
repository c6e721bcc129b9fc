"""Time-dependent equations on periodic boxes: Fourier in space, exponential time differencing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
import sympy as sp

from ..pde import Initial, Parameter, derivatives_of, lower
from ._system import Mean, System
from .spatial import Fourier
from .stepping import AbstractETD, Linear

MOST_STEPS = 1 << 20
SMALLEST_STEP = 1e-12  # of the interval between two saved times


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
        time = self.system.pde.time

        def evaluate(u: Any, t: Any) -> Any:
            u = jnp.where(kept, u, 0)
            values: dict[Any, Any] = dict(constants) | mesh | {time.name: t}  # type: ignore[union-attr]
            for leaf, (state, index) in wanted.items():
                spectrum = u[names.index(str(state))] * jnp.asarray(self.grid.symbol(index))
                values[leaf_name(leaf, self.system)] = self.grid.backward(spectrum)
            found = self.rest(values)
            stacked = jnp.stack([jnp.broadcast_to(f, self.grid.n) for f in found])
            return jnp.where(kept, self.grid.forward(stacked), 0)

        return evaluate

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
        """Values on the grid -> Fourier space."""
        return self.grid.forward(u)

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
    return Periodic(system, grid, lowered, means, nonlinear, grid.kept(system.degree))


def leaf_name(leaf: Any, system: System) -> Any:
    """By which key a lowered expression looks a leaf up."""
    ((name, index),) = derivatives_of(leaf, system.pde.coordinates)
    return name, index


# From one saved time to the next ---------------------------------------------------------------------------------------


def fixed(
    linear: Linear, rate: Any, stepper: AbstractETD, u: Any, t0: Any, t1: Any, steps: int
) -> Any:
    """`steps` equal steps; memory of a gradient grows like the square root of their number."""
    h = (t1 - t0) / steps
    factors = stepper.prepare(linear, h)

    def one(carry: Any, _: Any) -> Any:
        u, n, t = carry
        u, n, _ = stepper.step(linear, factors, rate, u, t, h, n)
        return (u, n, t + h), None

    inner = max(1, math.isqrt(steps))

    @jax.checkpoint
    def several(carry: Any, _: Any) -> Any:
        return jax.lax.scan(one, carry, None, length=inner)[0], None

    carry = (u, rate(u, t0), jnp.asarray(t0, float))
    carry, _ = jax.lax.scan(several, carry, None, length=steps // inner)
    carry, _ = jax.lax.scan(one, carry, None, length=steps % inner)
    return carry[0]


def adaptive(
    linear: Linear, rate: Any, stepper: AbstractETD, u: Any, t0: Any, t1: Any, h: Any, rtol: Any, *, kind: str = "lax"
) -> tuple[Any, Any, Any, Any, Any]:
    """(u, step size wanted next, t reached, steps, rejected). Equal steps to `t1`, whose number changes where the error
    estimate, relative to the largest state so far in the L2 norm of each component, leaves `rtol`.

    It stops before t1 where the step became smaller than 1e-12 of the interval: the solution blew up, or is NaN.
    """
    span = t1 - t0
    axes = tuple(range(1, u.ndim))
    norm = lambda e: jnp.sqrt(jnp.sum(jnp.abs(e) ** 2, axis=axes))  # noqa: E731
    power = 1 / stepper.order

    def fitted(h: Any, left: Any) -> Any:
        return left / jnp.maximum(jnp.ceil(left / h * (1 - 1e-9)), 1.0)

    h = fitted(jnp.minimum(h, span), span)
    first = (u, rate(u, t0), jnp.asarray(t0, float), h, h, stepper.prepare(linear, h), norm(u), 0, 0)
    first = jax.tree.map(jnp.asarray, first)

    def goes_on(carry: Any) -> Any:
        t, h = carry[2], carry[3]
        return (t1 - t > 1e-10 * span) & (h > SMALLEST_STEP * span)

    def body(carry: Any) -> Any:
        u, n, t, h, _, factors, largest, steps, rejected = carry
        new, after, error = stepper.step(linear, factors, rate, u, t, h, n)
        size = jnp.maximum(largest, norm(new))
        ratio = jnp.max(norm(error) / (rtol * jnp.where(size > 0, size, 1.0)))
        good = (ratio <= 1) & jnp.all(jnp.isfinite(after))
        factor = jnp.clip(0.9 * jnp.maximum(ratio, 1e-10) ** -power, 0.2, 4.0)
        factor = jnp.where(jnp.isfinite(factor), factor, 0.2)
        wanted = h * jnp.where(good, jnp.where(factor > 1.5, factor, 1.0), jnp.minimum(factor, 0.8))
        u, n, t, largest = jax.tree.map(
            lambda a, b: jnp.where(good, a, b), (new, after, t + h, size), (u, n, t, largest)
        )
        left = jnp.maximum(t1 - t, 1e-10 * span)
        following = fitted(jnp.minimum(wanted, left), left)
        same = jnp.abs(following - h) < 1e-9 * h
        following = jnp.where(same, h, following)
        factors = jax.lax.cond(same, lambda: factors, lambda: stepper.prepare(linear, following))
        return u, n, t, following, wanted, factors, largest, steps + 1, rejected + ~good

    out = eqxi.while_loop(goes_on, body, first, kind=kind, max_steps=MOST_STEPS if kind != "lax" else None)
    return out[0], out[4], out[2], out[7], out[8]
