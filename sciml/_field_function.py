"""A field of a solution as a function: called with numbers, under `jit`, on a grid; its derivatives by name."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
import sympy as sp

from ._precision import is_traced
from .geometry import Box
from .pde import Periodic, derivatives_of, multi_index

if TYPE_CHECKING:
    from .solution import Solution


# A point this far outside, relative to the size of the domain, is on its boundary up to rounding.
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class FieldFunction:
    """A field of a solution, or a derivative of it: a function of its coordinates.

    Outside the domain nothing is known: the value is NaN there, with a `UserWarning`, unless `extrapolate=True`. Along a
    periodic coordinate there is no outside. Under `jit`, `grad` and `vmap` value and gradient are NaN outside of the box around
    the domain, without a warning: what is true of a traced point is not known while tracing.
    """

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

    def __call__(self, *args: Any, grid: bool = False, extrapolate: bool = False, **kwargs: Any) -> Any:
        names = [c.name for c in self.coordinates]
        given = self._arguments(names, args, kwargs)
        given = [a if is_traced(a) else self._numbers(name, a) for name, a in zip(names, given, strict=True)]
        if grid:
            axes = [jnp.asarray(a) if is_traced(a) else np.atleast_1d(a) for a in given]
            if any(a.ndim != 1 for a in axes):
                raise ValueError("grid=True takes one 1D array for each coordinate.")
            given = list((jnp if is_traced(axes) else np).meshgrid(*axes, indexing="ij"))
        if is_traced(given):
            return self._traced(names, given, extrapolate)
        arrays = np.broadcast_arrays(*(np.asarray(a, float) for a in given))
        columns = [a.ravel() for a in arrays]
        x = self._points(names, columns, np)
        if not np.all(np.isfinite(x)):
            raise ValueError(f"{self!r} was called with NaN or infinite coordinates.")
        values = self._combine(lambda index: self.solution.evaluate(index, x))
        if not extrapolate:
            # Numbers that were float32 before are rounded as such.
            coarse = max((np.finfo(a.dtype).eps for a in given if a.dtype.kind == "f"), default=0.0)
            inside = self._inside(dict(zip(names, columns, strict=True)), coarse)
            if not inside.all():
                values = np.where(inside, values, np.nan)
                self._warn(int((~inside).sum()), len(inside))
        values = values.reshape(arrays[0].shape)
        return values if values.ndim else values[()]

    def _warn(self, outside: int, of: int) -> None:
        domain = self.solution.domain
        box = ", ".join(
            f"{n} in ({a:g}, {b:g})" for n, a, b in zip(domain.names, domain.lower, domain.upper, strict=True)
        )
        curved = "" if isinstance(domain.space, Box | None) else ", and a region inside of that"
        warnings.warn(
            f"{self.expression}: {outside} of {of} points lie outside the domain ({box}{curved}), where the value is NaN. "
            "extrapolate=True gives what the representation happens to continue with.",
            UserWarning,
            stacklevel=3,
        )

    def _bounds(self, names: Any, coarse: float) -> dict[str, tuple[float, float]]:
        """The range of each coordinate, widened by rounding; none for periodic ones, which repeat."""
        domain, pde = self.solution.domain, self.solution.pde
        conditions = [c for c in pde.conditions if isinstance(c, Periodic)]
        repeated = {c.name for c in pde.coordinates if any(p.covers(u, c) for p in conditions for u in pde.fields)}
        found = {}
        for name, low, high in zip(domain.names, domain.lower.tolist(), domain.upper.tolist(), strict=True):
            if name in names and name not in repeated:
                slack = ROUNDING * (high - low) + 4 * coarse * max(abs(low), abs(high))
                found[name] = (low - slack, high + slack)
        return found

    def _inside(self, columns: dict[str, np.ndarray], coarse: float) -> np.ndarray:
        bounds = self._bounds(columns, coarse)
        inside = np.ones(len(next(iter(columns.values()))), bool)
        for name, (low, high) in bounds.items():
            inside &= (columns[name] >= low) & (columns[name] <= high)
        space = self.solution.domain.space
        if not isinstance(space, Box | None) and set(space.names) <= set(columns):
            points = np.stack([columns[name] for name in space.names], axis=1)
            inside &= space.contains(points)
            doubtful = np.flatnonzero(~inside)
            if len(doubtful):  # the distance costs more than the sign
                at = {name: column[doubtful] for name, column in columns.items()}
                near = np.ones(len(doubtful), bool)
                for name, (low, high) in bounds.items():
                    near &= (at[name] >= low) & (at[name] <= high)
                atol = (ROUNDING + 4 * coarse) * space.size
                inside[doubtful] = near & space.contains(points[doubtful], atol)
        return inside

    def _numbers(self, name: str, value: Any) -> np.ndarray:
        array = np.asarray(value)
        if array.dtype.kind == "O":
            try:
                array = array.astype(float)
            except (TypeError, ValueError):
                pass
        if array.dtype.kind not in "biuf":
            kind = "complex numbers" if array.dtype.kind == "c" else f"{value!r}"
            raise TypeError(f"{self!r}: {name} is a real number or an array of such; {kind} came.")
        return array if array.dtype.kind == "f" else array.astype(float)

    def _traced(self, names: list[str], given: list[Any], extrapolate: bool) -> Any:
        dtype = jnp.result_type(*[g for g in given if is_traced(g)])
        dtype = dtype if jnp.issubdtype(dtype, jnp.floating) else jnp.result_type(float)
        arrays = jnp.broadcast_arrays(*(jnp.asarray(a, dtype) for a in given))
        x = self._points(names, [a.ravel() for a in arrays], jnp)
        values = self._combine(lambda index: self.solution.final.derivatives(index, x)).reshape(arrays[0].shape)
        if extrapolate:
            return values
        inside: Any = True
        for name, (low, high) in self._bounds(names, float(jnp.finfo(dtype).eps)).items():
            at = arrays[names.index(name)]
            inside = inside & (at >= low) & (at <= high)
        # A factor, not a choice: the gradient outside is NaN as well, not zero.
        return values * jnp.where(inside, jnp.ones((), dtype), jnp.nan)

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
