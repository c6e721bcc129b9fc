"""A field of a solution as a function: called with numbers, under `jit`, on a grid; its derivatives by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
import sympy as sp

from ._precision import is_traced
from .pde import derivatives_of, multi_index

if TYPE_CHECKING:
    from .solution import Solution


@dataclass(frozen=True, eq=False, repr=False)
class FieldFunction:
    """A field of a solution, or a derivative of it: a function of its coordinates."""

    solution: Solution
    expression: Any

    @property
    def coordinates(self) -> tuple[Any, ...]:
        u: Any = self.expression.expr if isinstance(self.expression, sp.Derivative) else self.expression
        return u.coordinates

    def __getattr__(self, name: str) -> FieldFunction:
        if name.startswith("_"):
            raise AttributeError(name)
        u: Any = self.expression.expr if isinstance(self.expression, sp.Derivative) else self.expression
        extra = getattr(u, name)  # the field's own message where this is no derivative
        if not isinstance(extra, sp.Derivative):
            raise AttributeError(name)
        index = multi_index(extra, u.coordinates)
        expression = self.expression
        for c, k in zip(u.coordinates, index, strict=True):
            expression = expression.diff(c, k) if k else expression
        return FieldFunction(self.solution, expression)

    def __repr__(self) -> str:
        names = ", ".join(c.name for c in self.coordinates)
        return f"<{self.expression} of a Solution: call it with ({names})>"

    def __call__(self, *args: Any, grid: bool = False, **kwargs: Any) -> Any:
        names = [c.name for c in self.coordinates]
        given = self._arguments(names, args, kwargs)
        if grid:
            axes = [jnp.asarray(a) if is_traced(a) else np.atleast_1d(np.asarray(a, float)) for a in given]
            if any(a.ndim != 1 for a in axes):
                raise ValueError("grid=True takes one 1D array for each coordinate.")
            given = list((jnp if is_traced(axes) else np).meshgrid(*axes, indexing="ij"))
        if is_traced(given):
            return self._traced(names, given)
        arrays = np.broadcast_arrays(*(np.asarray(a, float) for a in given))
        x = self._points(names, [a.ravel() for a in arrays], np)
        if not np.all(np.isfinite(x)):
            raise ValueError(f"{self!r} was called with NaN or infinite coordinates.")
        values = self._combine(lambda index: self.solution.evaluate(index, x))
        values = values.reshape(arrays[0].shape)
        return values if values.ndim else values[()]

    def _traced(self, names: list[str], given: list[Any]) -> Any:
        dtype = jnp.result_type(*[g for g in given if is_traced(g)])
        dtype = dtype if jnp.issubdtype(dtype, jnp.floating) else jnp.result_type(float)
        arrays = jnp.broadcast_arrays(*(jnp.asarray(a, dtype) for a in given))
        x = self._points(names, [a.ravel() for a in arrays], jnp)
        return self._combine(lambda index: self.solution.final.derivatives(index, x)).reshape(arrays[0].shape)

    def _points(self, names: list[str], columns: list[Any], xp: Any) -> Any:
        domain = self.solution.domain
        middle = dict(zip(domain.names, (domain.lower + domain.upper) / 2, strict=True))
        given = dict(zip(names, columns, strict=True))
        return xp.stack(
            [
                given[c.name] if c.name in given else xp.full_like(columns[0], middle[c.name])
                for c in self.solution.pde.coordinates
            ],
            axis=1,
        )

    def _combine(self, evaluate: Any) -> Any:
        pde = self.solution.pde
        ((name, index),) = derivatives_of(self.expression, pde.coordinates)
        found, real = evaluate(index), [u.field_name for u in pde.real().fields]
        if name in pde.real_parts:
            re, im = (found[:, real.index(part)] for part in pde.real_parts[name])
            return re + 1j * im
        return found[:, real.index(name)]

    def _arguments(self, names: list[str], args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        if len(args) > len(names):
            raise TypeError(f"{self!r}: {len(args)} arguments came for {len(names)} coordinates.")
        given = dict(zip(names, args, strict=False))
        twice = set(given) & set(kwargs)
        unknown = set(kwargs) - set(names)
        if twice or unknown:
            raise TypeError(
                f"{self!r}: {', '.join(sorted(twice or unknown))} "
                f"{'was given twice' if twice else 'is no coordinate of it'}."
            )
        given |= kwargs
        missing = [name for name in names if name not in given]
        if missing:
            raise TypeError(f"{self!r}: the coordinates {', '.join(missing)} are missing.")
        return [given[name] for name in names]
