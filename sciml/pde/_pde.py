"""PDE: equations and conditions on fields."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import sympy as sp

from ._complex import Splitter
from ._conditions import AbstractCondition, Condition
from ._coordinates import Coordinate, Parameter, in_canonical_order
from ._equation import Equation, equation
from ._field import Field, multi_index
from ._flux import expand_without_check, leaves
from ._json import from_json, to_json
from ._names import as_identifier
from ._observed import Observed
from ._opaque import Opaque
from ._printing import latex_word
from ._spline import Spline
from ._validate import (
    check_conditions,
    check_count,
    check_names,
    check_symbols,
    expressions_of,
    fields_without_equation,
)


class PDE:
    """The physics of a problem: equations and conditions, checked as soon as it is made.

    **Arguments:**

    - `items`: equations - expressions that are zero, `sp.Eq`, or `equation(expression, name=...)` - and
        conditions, in any order; tuples and lists of them are opened.
    - `name`: shown when printed.
    - `fields`: fixes the order of the fields; by name otherwise.

    **Attributes:** `equations`, `conditions`, `fields`, `coordinates` (space, then time, then parameters of a
    family), `space`, `time` (or None), `family`, `parameters` (unknowns), `functions` (name -> JAX callable).
    `pde["u"]` is the field, coordinate or parameter of that name.

    **Raises:** `TypeError` and `ValueError` with the reason on a Python bool, an identity, an unknown symbol,
    a name used twice, a field that neither equations nor data determine, a condition on a field of no equation, conditions that
    contradict each other.

    >>> import numpy as np, sympy as sp
    >>> from sciml.pde import Dirichlet, Initial, coordinates, field
    >>> x, t = coordinates("x t")
    >>> u = field("u", x, t)
    >>> PDE(u.t + u * u.x - 0.01 / np.pi * u.xx, Initial(u, -sp.sin(sp.pi * x)), Dirichlet(u, 0))
    PDE for u(x, t)
      equation         u.t + u*u.x - 0.0031831*u.xx = 0
      initial u        u = -sin(pi*x) at the initial time
      dirichlet u      u = 0 on every boundary
    """

    def __init__(self, *items: Any, name: str = "", fields: tuple[Any, ...] | None = None):
        equations, conditions = _sort(items)
        if not equations:
            raise ValueError(
                "A PDE needs at least one equation: an expression in fields that is zero, such as u.t - u.xx."
            )
        self.name = name
        equations = _named(equations)
        conditions = _numbered(conditions)
        check_names(equations, conditions)
        self.equations: tuple[Equation, ...] = tuple(equations)
        self.conditions: tuple[Any, ...] = tuple(conditions)
        self.fields: tuple[Any, ...] = _order(equations, fields)
        found = expressions_of(equations, conditions)
        check_symbols(found, self.fields)
        widest_first = sorted(self.fields, key=lambda f: -len(f.coordinates))
        self.coordinates: tuple[Coordinate, ...] = in_canonical_order(
            c for f in widest_first for c in f.coordinates
        )
        self.space = tuple(c for c in self.coordinates if c.role == "space")
        times = [c for c in self.coordinates if c.role == "time"]
        if len(times) > 1:
            raise ValueError(
                f"There are {len(times)} time coordinates ({', '.join(map(str, times))}); expected at most "
                "one."
            )
        self.time: Coordinate | None = times[0] if times else None
        self.family = tuple(c for c in self.coordinates if c.role == "parameter")
        symbols = {s for _, expression in found for s in expression.free_symbols if isinstance(s, Parameter)}
        self.parameters: tuple[Parameter, ...] = tuple(sorted(symbols, key=lambda s: s.name))
        self._check_counts()
        check_conditions(self)

    def _check_counts(self) -> None:
        unknowns = sum(2 if f.is_complex_field else 1 for f in self.fields)
        counted = list(self.equations)
        if self.is_complex:
            counted = Splitter(self.fields).equations(self.equations)
        check_count(unknowns, self.fields, len(counted), self.free_fields, self.conditions)
        seen: dict[Any, str] = {}
        for e in counted:
            other = seen.setdefault(e.expression, e.name)
            if other != e.name:
                raise ValueError(
                    f"Equations {other!r} and {e.name!r} are the same: {e.describe()}. Drop one of them."
                )

    @cached_property
    def free_fields(self) -> tuple[Any, ...]:
        """The fields without an equation of their own, which follow from data or conditions: unknown coefficients.

        >>> from sciml.pde import Observed, coordinates, div, field, grad
        >>> x, t = coordinates("x t")
        >>> u, a = field("u", x, t), field("a", x)
        >>> PDE(u.t - div(a * grad(u)), Observed(u, [[0.5, 0.5]], [1.0])).free_fields
        (a(x),)
        """
        return fields_without_equation(self.fields, list(self.equations))

    @property
    def is_complex(self) -> bool:
        """Whether a field is complex; `real()` then gives the same problem in real fields."""
        return any(f.is_complex_field for f in self.fields)

    @property
    def functions(self) -> dict[str, Callable]:
        """The JAX functions inside, by name: what `from_json` must be handed again (tables need not be)."""
        found = {n for _, e in self._expressions() for n in e.atoms(Opaque)}
        return {
            node.function_name: node.base.callable
            for node in sorted(found, key=lambda n: n.function_name)
            if not isinstance(node.base.callable, Spline)
        }

    def _expressions(self) -> list[tuple[str, Any]]:
        return expressions_of(list(self.equations), list(self.conditions))

    def __getitem__(self, name: str) -> Any:
        named = {f.field_name: f for f in self.fields} | {
            s.name: s for s in (*self.coordinates, *self.parameters)
        }
        name = as_identifier(name)
        if name not in named:
            raise KeyError(
                f"{name!r} is no field, coordinate or parameter here; these are {', '.join(named)}."
            )
        return named[name]

    def order(self, field: Any, coordinate: Any) -> int:
        """The highest derivative of `field` along `coordinate` in the equations, fluxes expanded.

        >>> from sciml.pde import coordinates, d, field
        >>> x, t = coordinates("x t")
        >>> u = field("u", x, t)
        >>> PDE(u.t - d(u * u.x, x)).order(u, x)
        2
        """
        field = self[field] if isinstance(field, str) else field
        coordinate = self[coordinate] if isinstance(coordinate, str) else coordinate
        orders = [0]
        for e in self.equations:
            for leaf in leaves(expand_without_check(e.expression)):
                if (leaf.expr if isinstance(leaf, sp.Derivative) else leaf) == field:
                    orders += multi_index(leaf, (coordinate,))
        return max(orders)

    def with_conditions(self, *conditions: Any) -> "PDE":
        """The same equations with these conditions added.

        >>> from sciml.pde import Dirichlet, catalogue
        >>> heat = catalogue.heat(alpha=0.5)
        >>> u, = heat.fields
        >>> len(heat.with_conditions(Dirichlet(u, 0)).conditions)
        1
        """
        for item in _flatten(conditions):
            if not isinstance(item, AbstractCondition):
                raise TypeError(f"with_conditions takes conditions such as Dirichlet(u, 0); got {item!r}.")
        return PDE(*self.equations, *self.conditions, *conditions, name=self.name, fields=self.fields)

    def real(self) -> "PDE":
        """The same problem in real fields: psi becomes psi_re and psi_im, each complex equation two real
        ones.

        `pde.real_parts` says which field became which two. Returns itself if all fields are real.
        """
        if not self.is_complex:
            return self
        splitter = Splitter(self.fields)
        conditions = [new for c in self.conditions for new in splitter.condition(c)]
        fields = tuple(part for f in self.fields for part in splitter.parts.get(f, (f,)))
        return PDE(*splitter.equations(self.equations), *conditions, name=self.name, fields=fields)

    @property
    def real_parts(self) -> dict[str, tuple[str, str]]:
        """The real and imaginary part of each complex field in `real()`: psi = psi_re + i psi_im, by name."""
        return {
            f.field_name: (f"{f.field_name}_re", f"{f.field_name}_im")
            for f in self.fields
            if f.is_complex_field
        }

    def split(self, expression: Any) -> tuple[Any, Any]:
        """The real and the imaginary part of an expression, both in the fields of `real()`."""
        return Splitter(self.fields)(sp.sympify(expression))

    def substitute(self, solution: Mapping[Any, Any]) -> tuple[Any, ...]:
        """What is left of each equation when fields are replaced: zero for an exact solution.

        For a manufactured solution it is the source term. Keys are fields or their names. Not simplified.

        >>> import sympy as sp
        >>> from sciml.pde import coordinates, field
        >>> x, t = coordinates("x t")
        >>> u = field("u", x, t)
        >>> PDE(u.t - u.xx).substitute({u: sp.exp(-t) * sp.sin(x)})
        (0,)
        """
        by_field = {self[f] if isinstance(f, str) else f: sp.sympify(value) for f, value in solution.items()}
        return tuple(e.expression.subs(by_field, simultaneous=True).doit() for e in self.equations)

    def to_json(self) -> dict[str, Any]:
        """The problem as plain data (dicts, lists, strings, numbers) for `json.dumps`; see `from_json`."""
        return to_json(self)

    @classmethod
    def from_json(cls, data: Any, *, functions: Mapping[str, Callable] | None = None) -> "PDE":
        """The problem saved by `to_json`. Nothing in `data` is evaluated as text: it is a tree over a
        whitelist.

        **Arguments:**

        - `data`: what `to_json` returned, or its JSON text.
        - `functions`: the JAX functions by name, since these are saved by name only.

        **Raises:** `ValueError` naming the functions that are missing, or the part of the tree that is not in
        the whitelist.
        """
        return from_json(cls, data, functions or {})

    def __eq__(self, other):
        if not isinstance(other, PDE):
            return NotImplemented
        mine, theirs = ((p.name, p.equations, p.conditions, p.fields) for p in (self, other))
        return mine == theirs

    def __hash__(self):
        return hash((self.name, self.equations, self.fields))

    def __repr__(self):
        title = " ".join(
            [
                "PDE",
                *([f"'{self.name}'"] if self.name else []),
                "for",
                ", ".join(_signature(f) for f in self.fields),
            ]
        )
        lines = [(e.name, e.describe()) for e in self.equations]
        lines += [(c.name, c.describe()) for c in self.conditions]
        lines += [(f"field {u.field_name}", "no equation: follows from data and conditions") for u in self.free_fields]
        lines += [(f"parameter {s.name}", f"unknown, starts at {s.initial:g}") for s in self.parameters]
        width = max(15, *(len(name) for name, _ in lines))
        return "\n".join([title, *(f"  {name:<{width}}  {line}" for name, line in lines)])

    def _repr_latex_(self):
        rows = [rf"{e.latex()} && {latex_word(e.name)}" for e in self.equations]
        rows += [rf"{c.latex()} && {latex_word(c.name)}" for c in self.conditions]
        body = r" \\ ".join("& " + row for row in rows)
        return rf"$\displaystyle \begin{{aligned}} {body} \end{{aligned}}$"


def _signature(f: Any) -> str:
    arguments = ", ".join(c.name for c in f.coordinates)
    return f"{f.field_name}({arguments})" + (" (complex)" if f.is_complex_field else "")


def _flatten(items: Any) -> list[Any]:
    flat = []
    for item in items:
        if isinstance(item, (tuple, list, sp.MatrixBase, sp.Tuple)):
            flat += _flatten(item)
        else:
            flat.append(item)
    return flat


def _sort(items: Any) -> tuple[list[Equation], list[AbstractCondition]]:
    equations, conditions = [], []
    for item in _flatten(items):
        if isinstance(item, AbstractCondition):
            conditions.append(item)
        elif isinstance(item, Equation):
            equations.append(equation(item.expression, name=item.name or None))
        elif isinstance(item, bool | sp.Basic):
            equations.append(equation(item))
        else:
            raise TypeError(
                "A PDE is made of equations (expressions that are zero, or sp.Eq) and conditions "
                "(Dirichlet, Initial, ...); "
                f"got {item!r} of type {type(item).__name__}."
            )
    return equations, conditions


def _named(equations: list[Equation]) -> list[Equation]:
    single = len(equations) == 1
    return [
        e if e.name else Equation("equation" if single else f"equation_{i}", e.expression)
        for i, e in enumerate(equations, 1)
    ]


def _numbered(conditions: list[Any]) -> list[Any]:
    """Free expressions and data sets may come several times: their automatic names are numbered."""
    import copy

    seen: dict[str, int] = {}
    made = []
    for c in conditions:
        if c.automatic and isinstance(c, Condition | Observed):
            seen[c.name] = count = seen.get(c.name, 0) + 1
            if count > 1:
                c = copy.copy(c)
                c.name = f"{c.name} {count}"
        made.append(c)
    return made


def _order(equations: list[Equation], given: tuple[Any, ...] | None) -> tuple[Any, ...]:
    found = {f for e in equations for f in e.expression.atoms(Field)}
    if given is None:
        return tuple(sorted(found, key=lambda f: (f.field_name, str(f))))
    for f in found - set(given):
        raise ValueError(f"Field {f} is in an equation but not in fields=({', '.join(map(str, given))}).")
    for f in set(given) - found:
        raise ValueError(f"Field {f} is listed in fields= but is in no equation.")
    return tuple(given)
