"""Solution: call it, compare it, plot it, save it. One interface over two finals, a network's and a grid's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np
import sympy as sp

from ._field_function import FieldFunction as FieldFunction
from ._files import read_arrays, write_arrays
from ._final import AbstractFinal as AbstractFinal
from ._final import Index as Index
from ._integrals import integrate
from ._precision import float64, is_traced
from ._programs import Program
from .geometry import Domain
from .pde import PDE, expand_fluxes, lower

# A relative error from which on the fields are of no use.
USELESS = 0.3


@dataclass(frozen=True)
class Parameter:
    """A learned unknown: `value`, and its `standard_error` with the `noise` it follows from: None where not known, infinite
    where the data do not determine it."""

    name: str
    value: float
    standard_error: float | None = None
    noise: str = ""

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        if self.standard_error is not None and math.isinf(self.standard_error):
            return f"{self.name} is not determined by these data (it stopped at {self.value:.8g})"
        error = "" if self.standard_error is None else f" +- {self.standard_error:.2g}"
        return f"{self.name} = {self.value:.8g}{error}"


@dataclass(frozen=True)
class Error:
    """How far two solutions are apart: relative L2 norm and largest difference, overall and for each field."""

    relative_l2: dict[str, float]
    maximum: dict[str, float]

    def __float__(self) -> float:
        return max(self.relative_l2.values())

    def __repr__(self) -> str:
        rows = [
            f"{name}: relative L2 error {self.relative_l2[name]:.3e}, largest {self.maximum[name]:.3e}"
            for name in self.relative_l2
        ]
        return "\n".join(rows)


@dataclass(frozen=True)
class Estimate:
    """An estimate of the relative L2 error without a reference: `value`, or None and the `reason` why there is none."""

    value: float | None
    fields: dict[str, float]
    reason: str

    def __float__(self) -> float:
        if self.value is None:
            raise ValueError(f"There is no error estimate: {self.reason}")
        return self.value

    def __repr__(self) -> str:
        if self.value is None:
            return f"no estimate: {self.reason}"
        return f"about {self.value:.1e} ({self.reason})"


@dataclass(eq=False, repr=False)
class Solution:
    """The fields that solve a `PDE` on a `Domain`.

    `solution.u(x=0.5, t=0.3)` or `solution.u(x, t)` with NumPy broadcasting, in the order in which the field was
    declared; `grid=True` evaluates on the outer product of 1D arrays. Derivatives have the names of the language:
    `solution.u.xx(x, t)`. With concrete numbers float64 NumPy comes back; under `jit`, `grad` or `vmap` the dtype of
    what comes in is followed.

    **Attributes:** `pde`, `domain`, `parameters` (learned unknowns), `result` (a sentence), `converged`, `stats`,
    `history` (a list of rows), `conditions` (the measured violation of every condition, the exact ones included), `notes`
    (sentences that a reader of the numbers must know: what the equations leave open, what could not be resolved).
    """

    pde: PDE
    domain: Domain
    final: AbstractFinal
    result: str = ""
    converged: bool = True
    stats: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    parameters: dict[str, Parameter] = field(default_factory=dict)
    conditions: dict[str, float] = field(default_factory=dict)
    estimator: Any = None
    _estimate: Estimate | None = None
    notes: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> FieldFunction:
        if not name.startswith("_") and "pde" in self.__dict__:
            for u in self.pde.fields:
                if u.field_name == name:
                    return FieldFunction(self, u)
            raise AttributeError(
                f"{name!r} is no field of this solution; its fields are "
                f"{', '.join(u.field_name for u in self.pde.fields)}."
            )
        raise AttributeError(name)

    def __getitem__(self, name: str) -> FieldFunction:
        return getattr(self, name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(u.field_name for u in self.pde.fields)]

    # -- values ---------------------------------------------------------------------------------------------------

    @property
    def _real(self) -> PDE:
        return self.pde.real()

    def columns(self, x: np.ndarray) -> np.ndarray:
        """Points of the domain with the columns of the equation."""
        return x[:, [self.domain.names.index(c.name) for c in self.pde.coordinates]]

    def values_of(self, expressions: Any, x: Any, normals: Any = None) -> list[Any]:
        """Expressions in fields, derivatives, coordinates and unknowns at points `(n, d)` (columns as
        `pde.coordinates`)."""
        real, coordinates = self._real, self.pde.coordinates
        pairs = [self._in_real_fields(e) for e in expressions]
        lowered = lower([part for pair in pairs for part in pair if part != 0], coordinates=coordinates)
        names = [u.field_name for u in real.fields]
        values: dict[Any, Any] = {c.name: x[:, i] for i, c in enumerate(coordinates)}
        values |= {name: p.value for name, p in self.parameters.items()}
        if normals is not None:
            values |= {("normal", c.name): normals[:, i] for i, c in enumerate(self.pde.space)}
        indices = tuple(sorted({i for _, i in lowered.derivatives}))
        found = dict(zip(indices, self._evaluate(indices, x), strict=True))
        for name, index in lowered.derivatives:
            values[name, index] = found[index][:, names.index(name)]
        with float64(), jax.ensure_compile_time_eval():
            found = (np.broadcast_to(np.asarray(v), (len(x),)) for v in lowered(values))
            together = [[next(found) if part != 0 else np.zeros(len(x)) for part in pair] for pair in pairs]
        return [re if pair[1] == 0 else re + 1j * im for (re, im), pair in zip(together, pairs, strict=True)]

    def _in_real_fields(self, expression: Any) -> tuple[Any, Any]:
        """The real and the imaginary part."""
        expression = sp.sympify(expression)
        if not self.pde.is_complex:
            return expression, sp.S.Zero
        re, im = self.pde.split(expression)
        return expand_fluxes(re), expand_fluxes(im)

    def expression_of(self, quantity: Any) -> Any:
        """What names a quantity as an expression: "u", "u.xx" and `solution.u` beside expressions themselves."""
        if isinstance(quantity, str):
            found: Any = self
            for part in quantity.split("."):
                found = getattr(found, part)
            quantity = found
        return quantity.expression if isinstance(quantity, FieldFunction) else quantity

    def evaluate(self, index: Index, x: Any) -> Any:
        """A derivative of all real fields: traced inputs go straight through, concrete ones in float64 blocks."""
        return self._evaluate((index,), x)[0]

    def _evaluate(self, indices: tuple[Index, ...], x: Any) -> list[Any]:
        """Several derivatives, compiled as one program."""
        if is_traced(x):
            return self._compiled(indices)(x, None)
        x = np.asarray(x, float)
        block = 1 << 15
        out: list[Any] = [None] * len(indices)
        # Concrete numbers inside somebody's jit are computed now, not staged into it.
        with float64(), jax.ensure_compile_time_eval():
            for rows, data in self.final.windows(x):
                for i in range(0, max(len(rows), 1), block):
                    here = rows[i : i + block]
                    # Sizes are rounded up to powers of two, so that few are compiled.
                    padded = np.concatenate([here, np.repeat(here[-1:], _power_of_two(len(here)) - len(here))])
                    for k, found in enumerate(self._compiled(indices)(x[padded], data)):
                        if out[k] is None:
                            out[k] = np.empty((len(x), *found.shape[1:]), found.dtype)
                        out[k][here] = np.asarray(found)[: len(here)]
        return out

    def _compiled(self, indices: tuple[Index, ...]) -> Any:
        cache = self.__dict__.setdefault("_jitted", {})
        if indices not in cache:
            cache[indices] = Program(lambda x, data: [self.final.with_data(data).derivatives(i, x) for i in indices])
        return cache[indices]

    # -- quality --------------------------------------------------------------------------------------------------

    def residual(self, n: int = 2048, *, points: Any = None) -> dict[str, np.ndarray]:
        """The residual of every equation `(n,)` at fresh points of the domain, or at `points` `(n, d)` with the columns
        of `domain.names`."""
        x = self.columns(self.domain.sample(n, key=101) if points is None else np.asarray(points, float))
        equations = self._real.equations
        return dict(zip([e.name for e in equations], self.values_of([e.expression for e in equations], x), strict=True))

    def error(self, reference: Any, *, n: int = 4096) -> Error:
        """The difference to a reference.

        **Arguments:** `reference`: another `Solution`; a function of the coordinates (of one field, or a dict by
        field); or `(grid of each coordinate, ..., values)`, as `to_xarray` gives it; an xarray Dataset is fine too.
        For functions and solutions `n` low-discrepancy points are compared.
        """
        mine, theirs = {}, {}
        if isinstance(reference, tuple):
            *axes, values = reference
            name = self.pde.fields[0].field_name
            mine[name], theirs[name] = self[name](*axes, grid=True, extrapolate=True), np.asarray(values)
            if mine[name].shape != theirs[name].shape:
                raise ValueError(
                    f"error: grids of {' x '.join(str(len(a)) for a in axes)} points need values of shape "
                    f"{mine[name].shape}; {theirs[name].shape} came."
                )
        elif hasattr(reference, "data_vars"):
            for name, array in reference.data_vars.items():
                axes = {c: np.asarray(array[c]) for c in array.dims}
                mine[name] = self[name](grid=True, extrapolate=True, **axes)
                order = [c.name for c in self.pde[str(name)].coordinates]
                theirs[name] = np.asarray(array.transpose(*order))
        else:
            x = self.domain.sample(n, key=1009)
            columns = {name: x[:, i] for i, name in enumerate(self.domain.names)}
            for u in self.pde.fields:
                name = u.field_name
                mine_at: dict[str, Any] = {c.name: columns[c.name] for c in u.coordinates}
                if isinstance(reference, Solution):
                    value = reference[name](**mine_at)
                elif isinstance(reference, Mapping):
                    if name not in reference:
                        continue
                    value = reference[name](*mine_at.values())
                elif callable(reference) and len(self.pde.fields) == 1:
                    value = reference(*mine_at.values())
                else:
                    raise TypeError(
                        "error: the reference is a Solution, a function of the coordinates "
                        f"({'one for each field in a dict' if len(self.pde.fields) > 1 else 'as NumPy arrays'}), "
                        f"(grid, ..., values) or an xarray Dataset; {type(reference).__name__} came."
                    )
                mine[name] = self[name](**mine_at)
                theirs[name] = np.broadcast_to(np.asarray(value), np.shape(mine[name]))
        if not mine:
            raise ValueError(
                f"error: the reference has none of the fields {', '.join(u.field_name for u in self.pde.fields)}."
            )
        relative, largest = {}, {}
        for name, value in mine.items():
            # NaN marks what is outside a curved domain, as in `to_xarray`.
            known = ~np.isnan(theirs[name])
            if not known.any():
                raise ValueError(f"error: the reference for {name} is NaN everywhere.")
            difference = np.abs(value - theirs[name])[known]
            size = np.linalg.norm(theirs[name][known])
            relative[name] = float(np.linalg.norm(difference) / (size if size > 0 else 1.0))
            largest[name] = float(difference.max())
        return Error(relative, largest)

    def estimate_error(self) -> Estimate:
        """An estimate of the relative L2 error without a reference, or the reason why there is none."""
        if self._estimate is not None:
            return self._estimate
        found: Estimate = Estimate(None, {}, "this solution was loaded or made without an estimator")
        if self.estimator is not None:
            found = self.estimator(self)
        self._estimate = found
        return found

    @property
    def parts(self) -> tuple[Solution, ...]:
        """The windows in time, or the members of an ensemble, that this solution is made of; none for most."""
        return self.final.parts

    def spread(self, name: str, *args: Any, **kwargs: Any) -> np.ndarray:
        """The standard deviation of a field over the members of an ensemble, called like `solution.u`: a hint at the
        error, not a bound. What all members share, such as too few points, does not show in it."""
        if self.final.kind != "ensemble":
            raise ValueError("spread is that of an ensemble; make one with pinn.ensemble(pde, domain).")
        return np.std([part[name](*args, **kwargs) for part in self.parts], axis=0, ddof=1)

    # -- integrals ------------------------------------------------------------------------------------------------

    def integrate(self, expression: Any, *, on: Any = None, n: int = 1 << 14, **at: float) -> Any:
        """The integral of an expression in the fields, or of a field by its name, over space, at the coordinates fixed in `at`
        (such as `t=0.5`).

        **Arguments:** `on`: a part of the boundary instead of the interior (`"all"` for the whole); there the
        expression may have `normal(x)`, so a flux is `integrate(-k * u.x * normal(x) - k * u.y * normal(y), on="hole")`.
        Without `at`, time and parameters are integrated over too. Quasi-Monte Carlo with `n` points, whose relative
        error is 1e-3 to 1e-4; on a `Box` of up to three dimensions Gauss-Legendre quadrature.
        """
        return integrate(self, self.expression_of(expression), on=on, n=n, at=at)

    def flux(self, vector: Any, *, on: Any = "all", n: int = 1 << 14, **at: float) -> Any:
        """The integral of `vector . n` over a part of the boundary; the components in the order of `pde.space`."""
        from .pde import normal

        return self.integrate(
            sum((normal(c) * v for c, v in zip(self.pde.space, vector, strict=True)), sp.Integer(0)),
            on=on,
            n=n,
            **at,
        )

    # -- out ------------------------------------------------------------------------------------------------------

    def to_xarray(self, n: int | Mapping[str, int] = 64) -> Any:
        """All fields on an equally spaced grid as an `xarray.Dataset`; outside a curved domain NaN."""
        import xarray as xr

        grid = self.domain.grid(n)
        data = {}
        for u in self.pde.fields:
            axes = {c.name: grid[c.name] for c in u.coordinates}
            values = self[u.field_name](grid=True, extrapolate=True, **axes)
            space = self.domain.space
            if space is not None and set(space.names) <= set(axes):
                mesh = np.meshgrid(*axes.values(), indexing="ij")
                points = np.stack([mesh[list(axes).index(name)].ravel() for name in space.names], axis=1)
                inside = space.contains(points, atol=1e-9 * space.size).reshape(values.shape)
                values = np.where(inside, values, np.nan)
            data[u.field_name] = (tuple(axes), values)
        return xr.Dataset(data, coords=grid, attrs={"result": self.result})

    def plot(self, *args: Any, **options: Any) -> Any:
        """Draws the solution; see `sciml.plotting.plot`."""
        from .plotting import plot

        return plot(self, *args, **options)

    def plot_history(self, **options: Any) -> Any:
        """Draws the residual during training; see `sciml.plotting.plot_history`."""
        from .plotting import plot_history

        return plot_history(self, **options)

    def animate(self, path: Any, **options: Any) -> Path:
        """Writes an animation over time as GIF; see `sciml.plotting.animate`."""
        from .plotting import animate

        return animate(self, path, **options)

    def save(self, path: Any) -> Path:
        """Writes equations, domain, parameters and history into one file, without pickle; see `Solution.load`."""
        path = Path(path)
        write_arrays(path, *self.to_saved())
        return path

    def to_saved(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What `save` writes: a header of plain JSON, and arrays."""
        header, arrays = self.final.to_saved()
        estimate = (
            None if self._estimate is None else [self._estimate.value, self._estimate.fields, self._estimate.reason]
        )
        everything = {
            "sciml": 1,
            "pde": self.pde.to_json(),
            "domain": self.domain.to_json(),
            "result": self.result,
            "converged": self.converged,
            "stats": self.stats,
            "history": self.history,
            "conditions": self.conditions,
            "notes": list(self.notes),
            "parameters": [[p.name, p.value, p.standard_error, p.noise] for p in self.parameters.values()],
            "estimate": estimate,
            "kind": self.final.kind,
            "final": header,
        }
        return everything, arrays

    @classmethod
    def load(cls, path: Any, *, network: Any = None, functions: Mapping[str, Any] | None = None) -> Solution:
        """Reads what `save` wrote; the parameters come back bit for bit. Nothing is unpickled or evaluated.

        **Arguments:** `network`: a network of your own that was trained, built as before (sciml's own networks are
        rebuilt from the file); `functions`: the JAX functions of the equations by name.
        """
        header, arrays = read_arrays(path)
        if header.get("sciml") != 1:
            raise ValueError(f"{path} is no saved Solution of this version of sciml.")
        return cls.from_saved(header, arrays, network=network, functions=functions)

    @classmethod
    def from_saved(
        cls,
        header: dict[str, Any],
        arrays: dict[str, np.ndarray],
        *,
        network: Any = None,
        functions: Mapping[str, Any] | None = None,
    ) -> Solution:
        """What `to_saved` gave."""
        from .geometry import from_json

        pde = PDE.from_json(header["pde"], functions=dict(functions or {}))
        domain: Any = from_json(header["domain"])
        if header["kind"] not in AbstractFinal.kinds:
            raise ValueError(
                f"The file holds a solution of the kind {header['kind']!r}; this version knows "
                f"{', '.join(sorted(AbstractFinal.kinds))}."
            )
        final = AbstractFinal.kinds[header["kind"]].from_saved(
            pde, domain, header["final"], arrays, network=network, functions=functions
        )
        estimate = None if header["estimate"] is None else Estimate(*header["estimate"])
        return cls(
            pde,
            domain,
            final,
            header["result"],
            header["converged"],
            header["stats"],
            header["history"],
            {row[0]: Parameter(*row) for row in header["parameters"]},
            header["conditions"],
            None,
            estimate,
            tuple(header.get("notes", ())),
        )

    def __repr__(self) -> str:
        return "\n".join(f"{name:<12}{line}" for name, line in self._summary())

    def _summary(self) -> list[tuple[str, str]]:
        names = ", ".join(f"{u.field_name}({', '.join(c.name for c in u.coordinates)})" for u in self.pde.fields)
        rows = [("Solution", names), ("domain", repr(self.domain))]
        error = []
        if self.estimator is not None or self._estimate is not None:
            found = self.estimate_error()
            error = [("error", f"relative L2 {found!r}")]
            if found.value is None or not found.value < USELESS:
                # Readers stop at a small residual: what it does not show is said before.
                known = "The size of the error is not known" if found.value is None else "The error is of order one"
                rows += [*error, ("", f"{known}: small residuals and conditions that hold do not make the fields right.")]
                error = []
        rows.append(("result", self.result))
        rows += [("note", sentence) for sentence in self.notes]
        rows += [("parameter", repr(p)) for p in self.parameters.values()]
        rows += error
        if "residual" in self.stats:
            rows.append(("residual", f"{self.stats['residual']:.1e} of its natural size, on fresh points"))
        if self.conditions:
            worst = max(self.conditions, key=lambda k: self.conditions[k])
            rows.append(("conditions", f"hold to {self.conditions[worst]:.1e} (worst: {worst})"))
        if "seconds" in self.stats:
            rows.append(("time", f"{self.stats['seconds']:.1f} s, {self.stats.get('steps', 0)} steps"))
        return rows

    def _repr_html_(self) -> str:
        import html

        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(a)}</th>"
            f"<td style='text-align:left'>{html.escape(b)}</td></tr>"
            for a, b in self._summary()
        )
        return f"<table>{rows}</table>"


def _power_of_two(n: int) -> int:
    return 1 << max(n - 1, 0).bit_length()
