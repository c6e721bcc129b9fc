"""A PDE as a first-order system in time, split into what is stiff and linear and the rest.

    du/dt = L u + N(u, x, t)

L: terms that are linear in the fields with coefficients that are constant in space and time; N: everything else. A coefficient
c(x) gives its mean to L, and c(x) minus its mean stays in N.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from ..pde import PDE, Coordinate, Field, Opaque, Parameter, expand_fluxes, multi_index

Index = tuple[int, ...]


@dataclass(frozen=True)
class State:
    """A field, or one of its time derivatives, that is stepped in time."""

    field: str
    order: int = 0

    def __str__(self) -> str:
        return self.field if not self.order else f"{self.field}.{'t' * self.order}"


@dataclass(frozen=True)
class Term:
    """`coefficient` times the spatial derivative `index` of a state. The coefficient holds numbers and parameters only;
    `variable`, a function of the coordinates whose spatial mean multiplies it (None where there is none)."""

    coefficient: Any
    state: State
    index: Index
    variable: Any = None


@dataclass(frozen=True)
class System:
    """`states`; for each of them its linear terms, and the rest as an expression in fields and derivatives.

    In `nonlinear` a state appears as the field or its time derivative, as in the PDE; `symbols` maps each such leaf to its
    state and spatial index.
    """

    pde: PDE
    states: tuple[State, ...]
    linear: tuple[tuple[Term, ...], ...]
    nonlinear: tuple[Any, ...]
    symbols: dict[Any, tuple[State, Index]]
    degree: int

    def explain(self) -> str:
        """The split, one line for each state."""
        lines = []
        for state, terms, rest in zip(self.states, self.linear, self.nonlinear, strict=True):
            linear = " + ".join(_text(t, self.pde) for t in terms) or "0"
            lines.append(f"d/dt {state} = L + N,   L = {linear},   N = {_readable(rest)}")
        return "\n".join(lines)


def first_order(pde: PDE) -> System:
    """The real form of `pde` solved for its highest time derivatives.

    **Raises** `ValueError` where an equation has none, or cannot be solved for them.
    """
    pde = pde.real()
    time = pde.time
    if time is None:
        raise ValueError("This equation has no time coordinate: it is steady.")
    orders = {u: pde.order(u, time) for u in pde.fields}
    still = [u.field_name for u, k in orders.items() if k == 0]
    if still:
        raise ValueError(
            f"No equation has a time derivative of {', '.join(still)}, so there is nothing to step it with. Constraints are "
            "solved for incompressible flow only (the velocity-pressure form of the catalogue)."
        )
    highest = {u: sp.Derivative(u, (time, k)) if k > 1 else u.diff(time) for u, k in orders.items()}
    expressions = [expand_fluxes(sp.sympify(e.expression)) for e in pde.equations]
    dummies = {leaf: sp.Dummy() for leaf in highest.values()}
    for e in expressions:
        for leaf in e.atoms(sp.Derivative):
            u: Any = leaf.expr
            k = multi_index(leaf, (time,))[0]
            if k >= orders[u] and leaf != highest[u]:
                raise ValueError(
                    f"The term {leaf} has {k} time derivatives of {u.field_name} inside a spatial one; steppers need the "
                    "highest time derivative by itself."
                )
    expressions = [sp.expand(e.xreplace(dummies)) for e in expressions]
    unknown = list(dummies.values())
    matrix, right = _linear_in(expressions, unknown, pde)
    solved = dict(zip(orders, matrix.LUsolve(right), strict=True))
    states, rates = [], []
    for u, k in orders.items():
        for order in range(k):
            states.append(State(u.field_name, order))
            last = order + 1 == k
            rates.append(sp.expand(solved[u]) if last else (sp.Derivative(u, (time, order + 1)) if order else u.diff(time)))
    return _split(pde, tuple(states), rates)


def _linear_in(expressions: list[Any], unknown: list[Any], pde: PDE) -> tuple[Any, Any]:
    rows, right = [], []
    for name, e in zip([q.name for q in pde.equations], expressions, strict=True):
        row = [e.diff(d) for d in unknown]
        if any(r.has(*unknown) or r.atoms(Field) for r in row):
            raise ValueError(f"Equation {name!r} is not linear in its highest time derivative, or multiplies it with a field.")
        rows.append(row)
        right.append(-e.xreplace(dict.fromkeys(unknown, sp.Integer(0))))
    matrix = sp.Matrix(rows)
    if sp.simplify(matrix.det()) == 0:
        raise ValueError(
            "The equations cannot be solved for the time derivatives of "
            f"{', '.join(u.field_name for u in pde.fields)}: their matrix is singular."
        )
    return matrix, sp.Matrix(right)


def _split(pde: PDE, states: tuple[State, ...], rates: list[Any]) -> System:
    symbols: dict[Any, tuple[State, Index]] = {}
    linear, nonlinear, degree = [], [], 0
    for rate in rates:
        terms: list[Term] = []
        rest: list[Any] = []
        for term in sp.Add.make_args(rate):
            found = _as_linear(term, pde)
            if found is None:
                rest.append(term)
                continue
            coefficient, variable, leaf = found
            state, index = _locate(leaf, pde)
            terms.append(Term(coefficient, state, index, variable))
            if variable is not None:
                rest.append(term - coefficient * _Mean(variable) * leaf)
        expression = sp.Add(*rest)
        nonlinear.append(expression)
        linear.append(tuple(terms))
        for leaf in _leaves(expression):
            symbols[leaf] = _locate(leaf, pde)
        degree = max(degree, _degree(expression))
    return System(pde, states, tuple(linear), tuple(nonlinear), symbols, degree)


class _Mean(sp.Expr):
    """The spatial mean of a coefficient; a number once there is a grid."""

    def __new__(cls, expression: Any):
        return super().__new__(cls, sp.sympify(expression))

    def _eval_is_commutative(self):
        return True

    def _sympystr(self, printer: Any) -> str:
        return f"mean({printer._print(self.args[0])})"


Mean = _Mean


def _as_linear(term: Any, pde: PDE) -> tuple[Any, Any, Any] | None:
    """(constant factor, factor that varies in space or None, leaf) of a term that is linear in the fields."""
    leaf, constant, variable = None, [], []
    for factor in sp.Mul.make_args(term):
        if isinstance(factor, Field) or (isinstance(factor, sp.Derivative) and isinstance(factor.expr, Field)):
            if leaf is not None:
                return None
            leaf = factor
        elif factor.atoms(Field):
            return None
        elif factor.atoms(Coordinate):
            variable.append(factor)
        else:
            constant.append(factor)
    if leaf is None:
        return None
    varying = sp.Mul(*variable) if variable else None
    if varying is not None and pde.time in varying.free_symbols:
        return None
    return sp.Mul(*constant), varying, leaf


def _locate(leaf: Any, pde: PDE) -> tuple[State, Index]:
    u: Any = leaf.expr if isinstance(leaf, sp.Derivative) else leaf
    assert pde.time is not None
    return State(u.field_name, multi_index(leaf, (pde.time,))[0]), multi_index(leaf, pde.space)


def _leaves(expression: Any) -> list[Any]:
    found = [n for n in expression.atoms(sp.Derivative) if isinstance(n.expr, Field)]
    inside = {n.expr for n in found}
    bare = [u for u in expression.atoms(Field) if u not in inside or _stands_alone(expression, u)]
    return sorted([*found, *bare], key=sp.default_sort_key)


def _stands_alone(expression: Any, u: Any) -> bool:
    hidden = {n: sp.Dummy() for n in expression.atoms(sp.Derivative) if n.expr == u}
    return expression.xreplace(hidden).has(u)


def _degree(expression: Any) -> int:
    """The polynomial degree in fields and derivatives: what dealiasing goes by. A variable coefficient counts as one
    factor more, what is no polynomial as degree three."""
    leaves = _leaves(expression)
    if not leaves:
        return 0
    dummies = {leaf: sp.Dummy() for leaf in leaves}
    replaced = expression.xreplace(dummies)
    if replaced.has(Opaque):
        return 3
    try:
        polynomial = sp.Poly(replaced, *dummies.values())
    except sp.PolynomialError:
        return 3
    varies = any(c.free_symbols & set(expression.atoms(Coordinate)) for c in polynomial.coeffs())
    return int(polynomial.total_degree()) + (1 if varies or replaced.has(_Mean) else 0)


def _text(term: Term, pde: PDE) -> str:
    names = [c.name for c in pde.space]
    dots = "".join(n * k for n, k in zip(names, term.index, strict=True))
    leaf = f"{term.state}{'.' if dots and '.' not in str(term.state) else ''}{dots}"
    factor = term.coefficient if term.variable is None else term.coefficient * _Mean(term.variable)
    return leaf if factor == 1 else f"{_readable(factor)} {leaf}"


def _readable(expression: Any) -> str:
    from ..pde._printing import text

    return text(expression)


def parameters_of(system: System) -> tuple[Parameter, ...]:
    return system.pde.parameters
