"""From the derivatives that an equation asks for to the cheapest way of evaluating them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from ._algebra import Algebra
from ._nested import nested_forward, reference
from ._requests import Laplacian, Request, describe, normalise
from ._taylor import build, derivatives, extract_all, operation_name, split


@dataclass(frozen=True)
class Taylor:
    """All derivatives at once as truncated Taylor series through the traced program.

    Laplacians and other sums are collapsed (forward Laplacian). Along `block_from` or more axes their first derivatives are
    carried as one array; below, as separate coefficients. Separate ones run two to three times faster in the
    gradient on CPU, but the program grows with them: in 100 dimensions 5 s of compilation instead of 1 s, which
    a long training repays with `Taylor(block_from=101)`. See `benchmarks/derivatives`.
    """

    block_from: int = 25


@dataclass(frozen=True)
class NestedForward:
    """jvp of jvp along coordinate directions, one nest per request. `loop=False`: vmap for Laplacians."""

    loop: bool = True


@dataclass(frozen=True)
class Reference:
    """Plain nested `jacfwd` (or `jacrev`) of one coordinate at a time: slow, for comparison."""

    reverse: bool = False


@dataclass(frozen=True)
class Auto:
    """`Taylor()`, the fastest of all in the measurements of `benchmarks/derivatives`."""


Mode: TypeAlias = Auto | Taylor | NestedForward | Reference


@dataclass(frozen=True)
class Plan:
    """How a set of derivatives is evaluated; made by `plan`. Call it as `plan(f, x)`."""

    requests: tuple[Request, ...]
    dimension: int
    mode: Mode

    def __call__(self, function: Callable[[Any], Any], x: Any) -> dict[Request, Any]:
        """The requested derivatives of `function` at one point.

        **Arguments**: `function` maps a point `(dimension,)` to an array or a pytree of arrays; `x` has shape
        `(dimension,)`. Batch with `jax.vmap(lambda x: plan(f, x))`, or `plan.batched(f, points)`.

        **Returns** a dict from each request to a value of the same structure as `function(x)`.
        """
        x = jnp.asarray(x)
        if x.shape != (self.dimension,):
            raise ValueError(
                f"This plan takes one point of shape ({self.dimension},); shape {x.shape} came. "
                "Batch with plan.batched(f, points) or jax.vmap."
            )
        if not jnp.issubdtype(x.dtype, jnp.floating):
            raise TypeError(f"Derivatives need a floating point input; dtype {x.dtype} came.")
        if isinstance(self.mode, NestedForward):
            return nested_forward(function, self.requests, x, loop=self.mode.loop)
        if isinstance(self.mode, Reference):
            return reference(function, self.requests, x, reverse=self.mode.reverse)
        return extract_all(self.algebra, *derivatives(self.algebra, function, x), self.requests)

    @property
    def algebra(self) -> Algebra:
        """Which Taylor coefficients are carried, and how they combine."""
        mode = self.mode if isinstance(self.mode, Taylor) else Taylor()
        return build(self.requests, self.dimension, block_from=mode.block_from)

    def batched(self, function: Callable[[Any], Any], points: Any) -> dict[Request, Any]:
        """The same at each row of `points` `(n, dimension)`; every value gains a leading axis."""
        return jax.vmap(lambda x: self(function, x))(jnp.asarray(points))

    def explain(self, function: Callable[[Any], Any] | None = None, x: Any = None) -> str:
        """How each derivative is evaluated and, given a network and a point, where a fallback is taken."""
        mode = self.mode
        if isinstance(mode, NestedForward | Reference):
            how = "nested jvp" if isinstance(mode, NestedForward) else "nested jacfwd, one coordinate at a time"
            return "\n".join([f"{len(self.requests)} derivatives by {how}:", *self._lines(lambda request: how)])
        alg = self.algebra
        head = (
            f"{len(self.requests)} derivatives in {self.dimension} coordinates, carried together through the "
            f"network as {len(alg.keys)} Taylor coefficients:"
        )
        lines = [head, *self._lines(self._how)]
        if function is not None:
            lines += self._fallbacks(function, x)
        return "\n".join(lines)

    def _lines(self, how: Callable[[Request], str]) -> list[str]:
        width = max((len(describe(request)) for request in self.requests), default=0)
        return [f"  {describe(request):{width}}  {how(request)}" for request in self.requests]

    def _how(self, request: Request) -> str:
        if isinstance(request, tuple):
            mixed = sum(order > 0 for order in request) > 1
            return f"Taylor mode, {'mixed ' if mixed else ''}coefficient of order {sum(request)}"
        summed, alone = split(request, self.algebra)
        if not summed:
            return "sum of derivatives that are carried anyway"
        if isinstance(request, Laplacian):
            blocked = getattr(summed[0][1], "block", None) is not None
            return "forward Laplacian, first derivatives " + ("as one array" if blocked else "one by one")
        return "one coefficient for the sum" + (f", {len(alone)} terms of it carried anyway" if alone else "")

    def _fallbacks(self, function: Callable[[Any], Any], x: Any) -> list[str]:
        found: dict[str, int] = {}

        def note(eqn: Any) -> None:
            name = operation_name(eqn)
            found[name] = found.get(name, 0) + 1

        x = jnp.zeros(self.dimension) if x is None else jnp.asarray(x)
        jax.eval_shape(lambda x: extract_all(self.algebra, *derivatives(self.algebra, function, x, note), ()), x)
        if not found:
            return ["Every operation of the traced network has a Taylor rule."]
        return [
            "Operations of the traced network without a Taylor rule (JAX differentiates them once, and the "
            "program of the derivative is run on series of one order less): "
            + ", ".join(f"{name} x{n}" for name, n in found.items())
        ]


def plan(requests: Iterable[Request], dimension: int, *, mode: Mode | None = None) -> Plan:
    """Plan the evaluation of a set of partial derivatives.

    **Arguments**

    - `requests`: multi-indices (tuples with the order of differentiation per coordinate; zeros are the
      value itself), `Laplacian(axes)` and `Combination(terms)`.
    - `dimension`: the number of coordinates of a point.
    - `mode`: `Auto()` (the default), or how to evaluate: `Taylor()`, `NestedForward()`, `Reference()`.

    **Returns** a `Plan`; `plan(f, x)` maps each request to its value at the point `x`.

        >>> import jax.numpy as jnp
        >>> heat = plan([(0, 1), (2, 0)], 2)
        >>> values = heat(lambda p: jnp.exp(p[1]) * p[0] ** 2, jnp.array([1.0, 0.0]))
        >>> float(values[0, 1]), float(values[2, 0])
        (1.0, 2.0)
        >>> print(heat.explain())
        2 derivatives in 2 coordinates, carried together through the network as 4 Taylor coefficients:
          d/dx1     Taylor mode, coefficient of order 1
          d2/dx0^2  Taylor mode, coefficient of order 2
    """
    return Plan(normalise(requests, dimension), dimension, Auto() if mode is None else mode)
