"""What all discretisations of a `System` share."""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import sympy as sp

from ..pde import Initial, Parameter, derivatives_of, lower
from ._calls import check_finite
from ._system import Mean, System, Term
from .stepping import ETDRK4, AbstractStepper, Linear


@dataclass(frozen=True, eq=False)
class Lowered:
    """The expressions of a `System` as JAX functions: `coefficients` of all linear terms and `rest`, what N is made of, None
    where there are none; `means`, by name, the functions whose spatial means both refer to."""

    coefficients: Any
    means: dict[str, Any]
    rest: Any


@dataclass(frozen=True, eq=False)
class AbstractDiscrete(abc.ABC):
    """A system on a grid, ready to be stepped; all methods are pure functions of arrays.

    A state is `(states, *grid.n)` at points and whatever `forward` makes of it (the basis in which L is diagonal) elsewhere.
    `constants`: parameters of the equation by name, and what follows from them.
    """

    system: System
    grid: Any
    lowered: Lowered

    def constants(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters, and the means that follow from them."""
        values = {name: jnp.asarray(value, float) for name, value in parameters.items()}
        means = {}
        for name, lowered in self.lowered.means.items():
            (value,) = lowered(values | self.places())
            means[name] = jnp.mean(jnp.broadcast_to(value, self.grid.n))
        return values | means

    def places(self) -> dict[str, Any]:
        """The coordinates of the points `(*n,)` by name."""
        return {name: jnp.asarray(a) for name, a in self.grid.mesh().items()}

    def clock(self, t: Any) -> dict[str, Any]:
        """The value of the time coordinate, where there is one."""
        time = self.system.pde.time
        return {} if time is None else {time.name: t}

    def leaf(self, leaf: Any) -> Any:
        """By which key a lowered expression looks a field or derivative up."""
        ((name, index),) = derivatives_of(leaf, self.system.pde.coordinates)
        return name, index

    def terms(self, constants: Mapping[str, Any]) -> list[tuple[int, int, Term, Any]]:
        """(state, number of the term, term, its coefficient) of all linear terms."""
        coefficients = self.lowered.coefficients
        found = iter(coefficients(dict(constants)) if coefficients is not None else ())
        return [(i, k, term, next(found)) for i, terms in enumerate(self.system.linear) for k, term in enumerate(terms)]

    def initial(self, given: Mapping[str, Any] | None = None, constants: Mapping[str, Any] | None = None) -> Any:
        """The initial state `(states, *n)`: from the conditions, or `given` by name of the field (`u`, `u.t`), on the points
        or on the whole grid. `constants`: values of unknown parameters in the conditions."""
        grid = self.grid
        given = dict(given or {})
        unknown = set(given) - {str(s) for s in self.system.states}
        if unknown:
            raise ValueError(
                f"initial: {', '.join(sorted(unknown))} is not stepped; there are {', '.join(map(str, self.system.states))}."
            )
        rows = []
        for state in self.system.states:
            if str(state) in given:
                check_finite(f"initial[{str(state)!r}]", given[str(state)])
                value = jnp.asarray(given[str(state)], float)
                if value.shape == grid.full:
                    value = value[grid.inside]
                if value.shape != grid.n:
                    raise ValueError(f"initial[{str(state)!r}] has the shape {value.shape}; the grid has {grid.full}.")
            else:
                value = self._stated(state, self.places(), constants)
            rows.append(value)
        return jnp.stack(rows)

    def stated(self, state: Any, constants: Mapping[str, Any] | None = None) -> Any:
        """The initial value as the conditions give it `(*full,)`, at walls too, whatever holds there."""
        return self._stated(state, {name: jnp.asarray(a) for name, a in self.grid.mesh(walls=True).items()}, constants)

    def _stated(self, state: Any, places: Mapping[str, Any], constants: Mapping[str, Any] | None) -> Any:
        pde = self.system.pde
        conditions = {(c.field.field_name, c.order): c for c in pde.conditions if isinstance(c, Initial)}
        if (state.field, state.order) not in conditions:
            raise ValueError(f"The initial value of {state} is missing: add Initial({state.field}, ..., order={state.order}).")
        shape = next(iter(places.values())).shape
        flat = {p.name: p.initial for p in pde.parameters} | dict(constants or {})
        flat |= {name: a.ravel() for name, a in places.items()}
        (value,) = lower([conditions[state.field, state.order].value], coordinates=pde.coordinates)(flat)
        return jnp.broadcast_to(value, (math.prod(shape),)).reshape(shape)

    @property
    def stepper(self) -> AbstractStepper:
        """The method where none is asked for."""
        return ETDRK4()

    def longest(self, constants: Mapping[str, Any]) -> Any:
        """A function of (state in the basis, t): the longest explicit step."""
        raise ValueError(
            "SSPRK3 is for finite volumes, such as grid=solvers.Volumes(200). On this grid take solvers.ETDRK4() or "
            "solvers.Implicit5()."
        )

    def derivative(self, constants: Mapping[str, Any], u: Any, t: Any) -> Any:
        """du/dt in the basis."""
        return self.linear(constants).apply(u) + self.rate(constants)(u, t)

    @abc.abstractmethod
    def linear(self, constants: Mapping[str, Any]) -> Linear:
        """L in the basis."""

    @abc.abstractmethod
    def rate(self, constants: Mapping[str, Any]) -> Any:
        """N in the basis, a function of (state in the basis, t)."""

    @abc.abstractmethod
    def forward(self, u: Any) -> Any:
        """Values at points -> basis."""

    @abc.abstractmethod
    def enclosed(self, u: Any, t: Any, constants: Mapping[str, Any]) -> Any:
        """Values at points -> values on the whole grid `(states, *full)`."""

    @abc.abstractmethod
    def whole(self, u: Any, t: Any, constants: Mapping[str, Any]) -> Any:
        """Basis -> values of the states on the whole grid `(states, *full)`."""

    @abc.abstractmethod
    def fields(self, u: Any, t: Any, constants: Mapping[str, Any]) -> Any:
        """Basis -> all real fields of the equation on the whole grid `(fields, *full)`."""


def lowered(system: System, expressions: tuple[Any, ...] | None = None) -> Lowered:
    """Expressions to JAX functions, N by default; nothing is evaluated."""
    pde = system.pde
    expressions = system.nonlinear if expressions is None else expressions
    means: dict[str, Any] = {}
    symbols: dict[Any, Any] = {}

    def named(expression: Any) -> Any:
        node = Mean(expression)
        if node not in symbols:
            symbols[node] = Parameter(f"mean_{len(symbols)}_", 1.0)
            means[symbols[node].name] = lower([expression], coordinates=pde.coordinates)
        return symbols[node]

    coefficients = [
        sp.sympify(term.coefficient if term.variable is None else term.coefficient * named(term.variable))
        for terms in system.linear
        for term in terms
    ]
    rest = [e.replace(lambda n: isinstance(n, Mean), lambda n: named(n.args[0])) for e in expressions]
    return Lowered(
        lower(coefficients, coordinates=pde.coordinates) if coefficients else None,
        means,
        lower(rest, coordinates=pde.coordinates) if any(e != 0 for e in rest) else None,
    )
