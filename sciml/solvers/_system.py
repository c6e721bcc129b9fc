"""A PDE as a first-order system in time, split into what is stiff and linear and the rest.

    du/dt = L u + N(u, x, t)

L: terms that are linear in the fields with coefficients that are constant in space and time; N: everything else. A coefficient
c(x) gives its mean to L, and c(x) minus its mean stays in N.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from ..pde import PDE, Coordinate, Field, Opaque, expand_fluxes, expanded, multi_index

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
class Projection:
    """Incompressible flow: du/dt = F - factor grad(p) with div(u) = 0. `velocities` in the order of the space coordinates."""

    pressure: str
    factor: Any
    velocities: tuple[State, ...]


@dataclass(frozen=True)
class Diagnostic:
    """A field without a time derivative that follows from the states at every time, such as a stream function: the sum of
    `own` terms (their state is the field itself) and `others` is zero, all with constant coefficients."""

    field: str
    own: tuple[Term, ...]
    others: tuple[Term, ...]


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
    projection: Projection | None = None
    diagnostics: tuple[Diagnostic, ...] = ()

    def explain(self) -> str:
        """The split, one line for each state."""
        lines = []
        for state, terms, rest in zip(self.states, self.linear, self.nonlinear, strict=True):
            linear = " + ".join(_text(t, self.pde) for t in terms) or "0"
            lines.append(f"d/dt {state} = L + N,   L = {linear},   N = {_readable(rest)}")
        if self.projection:
            lines.append(f"{self.projection.pressure}: eliminated by projecting N onto flows without divergence")
        for found in self.diagnostics:
            left = " + ".join(_text(term, self.pde) for term in (*found.own, *found.others))
            lines.append(f"{found.field}: from {left} = 0 at every time")
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
    expressions = {e.name: expand_fluxes(sp.sympify(e.expression)) for e in pde.equations}
    still = [u for u, k in orders.items() if k == 0]
    static = {name: e for name, e in expressions.items() if not any(multi_index(n, (time,))[0] for n in leaves_of(e))}
    for name in static:
        del expressions[name]
    moving = {u: k for u, k in orders.items() if k}
    if not moving:
        raise ValueError("No equation has a time derivative, so there is nothing to step.")
    projection, diagnostics = _constraints(pde, still, static)
    highest = {u: sp.Derivative(u, (time, k)) if k > 1 else u.diff(time) for u, k in moving.items()}
    dummies = {leaf: sp.Dummy() for leaf in highest.values()}
    for e in expressions.values():
        for leaf in e.atoms(sp.Derivative):
            u: Any = leaf.expr
            k = multi_index(leaf, (time,))[0]
            if u in moving and k >= moving[u] and leaf != highest[u]:
                raise ValueError(
                    f"The term {leaf} has {k} time derivatives of {u.field_name} inside a spatial one; steppers need the "
                    "highest time derivative by itself."
                )
    expressions = {name: expanded(e.xreplace(dummies)) for name, e in expressions.items()}
    matrix, right = _linear_in(expressions, list(dummies.values()), [u.field_name for u in moving])
    solved = dict(zip(moving, matrix.LUsolve(right), strict=True))
    if projection is not None:
        projection, solved = _without_pressure(projection, solved, pde)
    states, rates = [], []
    for u, k in moving.items():
        for order in range(k):
            states.append(State(u.field_name, order))
            last = order + 1 == k
            rates.append(expanded(solved[u]) if last else (sp.Derivative(u, (time, order + 1)) if order else u.diff(time)))
    return replace(split(pde, tuple(states), rates), projection=projection, diagnostics=diagnostics)


def _constraints(pde: PDE, still: list[Any], static: dict[str, Any]) -> tuple[Projection | None, tuple[Diagnostic, ...]]:
    """Equations without a time derivative: that the velocity has no divergence, or what a field follows from."""
    if not still and not static:
        return None, ()
    names = ", ".join(u.field_name for u in still)
    if len(still) != len(static):
        raise ValueError(
            f"Fields without a time derivative: {names or 'none'}; equations without one: {', '.join(static) or 'none'}. An "
            "integrator needs as many of both: each such equation says what such a field is at a given time. pinn.solve takes "
            "any number."
        )
    left, diagnostics = list(still), []
    for name, e in static.items():
        terms = []
        for term in sp.Add.make_args(expanded(e)):
            found = _as_linear(term, pde)
            if found is None or found[1] is not None:
                raise ValueError(
                    f"Equation {name!r} has no time derivative and is not linear with constant coefficients ({term}): a "
                    "constraint like that is not stepped."
                )
            terms.append(Term(found[0], *locate(found[2], pde)))
        inside = [u for u in left if any(term.state.field == u.field_name for term in terms)]
        if len(still) == 1 and not inside:
            return _divergence(pde, name, terms, still[0]), ()
        if len(inside) != 1:
            raise ValueError(f"Equation {name!r} does not determine one of {names} by itself.")
        (u,) = inside
        left.remove(u)
        own = tuple(term for term in terms if term.state.field == u.field_name)
        others = tuple(term for term in terms if term.state.field != u.field_name)
        if any(term.state.field in {v.field_name for v in still} for term in others):
            raise ValueError(f"Equation {name!r} joins several fields without time derivatives; one each is understood.")
        diagnostics.append(Diagnostic(u.field_name, own, others))
    return None, tuple(diagnostics)


def _divergence(pde: PDE, name: str, terms: list[Term], pressure: Any) -> Projection:
    by_axis = {term.index.index(1): term for term in terms if sum(term.index) == 1}
    same = len({sp.simplify(sp.sympify(term.coefficient) / terms[0].coefficient) for term in terms}) == 1
    if len(terms) != len(pde.space) or len(by_axis) != len(terms) or not same or any(term.state.order for term in terms):
        raise ValueError(
            f"Equation {name!r} has no time derivative and {pressure.field_name} is in none without one: only "
            "div(velocity) = 0, one component for each space coordinate, is understood."
        )
    return Projection(pressure.field_name, None, tuple(by_axis[i].state for i in range(len(terms))))


def _without_pressure(projection: Projection, solved: dict[Any, Any], pde: PDE) -> tuple[Projection, dict[Any, Any]]:
    p = pde[projection.pressure]
    factors, rest = set(), {}
    for u, rate in solved.items():
        rate = expanded(rate)
        rest[u] = rate
        names = [s.field for s in projection.velocities]
        if u.field_name in names:
            slope = p.diff(pde.space[names.index(u.field_name)])
            factors.add(sp.simplify(-rate.coeff(slope)))
            rest[u] = expanded(rate - rate.coeff(slope) * slope)
        if rest[u].has(p):
            raise ValueError(f"{p.field_name} enters the equation of {u.field_name} other than by its gradient.")
    (factor,) = factors if len(factors) == 1 else (None,)
    if factor is None or factor == 0 or factor.atoms(Coordinate, Field):
        raise ValueError(f"The gradient of {p.field_name} must enter all momentum equations with one constant factor.")
    return replace(projection, factor=factor), rest


def _linear_in(expressions: dict[str, Any], unknown: list[Any], fields: list[str]) -> tuple[Any, Any]:
    if len(expressions) != len(fields):
        raise ValueError(
            f"{len(expressions)} equations have a time derivative, of {len(fields)} fields ({', '.join(fields)}): as many "
            "are needed."
        )
    rows, right = [], []
    for name, e in expressions.items():
        row = [e.diff(d) for d in unknown]
        if any(r.has(*unknown) or r.atoms(Field) for r in row):
            raise ValueError(f"Equation {name!r} is not linear in its highest time derivative, or multiplies it with a field.")
        rows.append(row)
        right.append(-e.xreplace(dict.fromkeys(unknown, sp.Integer(0))))
    matrix = sp.Matrix(rows)
    determinant: Any = matrix.det()
    if sp.simplify(determinant) == 0:
        raise ValueError(
            "The equations cannot be solved for the time derivatives of "
            f"{', '.join(fields)}: their matrix is singular."
        )
    return matrix, sp.Matrix(right)


def split(pde: PDE, states: tuple[State, ...], rates: list[Any]) -> System:
    """L and N of each rate."""
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
            state, index = locate(leaf, pde)
            terms.append(Term(coefficient, state, index, variable))
            if variable is not None:
                rest.append(term - coefficient * _Mean(variable) * leaf)
        expression = sp.Add(*rest)
        nonlinear.append(expression)
        linear.append(tuple(terms))
        for leaf in leaves_of(expression):
            symbols[leaf] = locate(leaf, pde)
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


def locate(leaf: Any, pde: PDE) -> tuple[State, Index]:
    """The state that a field or derivative belongs to, and its spatial index."""
    u: Any = leaf.expr if isinstance(leaf, sp.Derivative) else leaf
    order = 0 if pde.time is None else multi_index(leaf, (pde.time,))[0]
    return State(u.field_name, order), multi_index(leaf, pde.space)


def order_in(expression: Any, u: Any) -> int:
    """The highest order of a derivative of a field in an expression; -1 where it is not in it."""
    found = [sum(int(n) for _, n in e.variable_count) for e in expression.atoms(sp.Derivative) if e.expr == u]
    return max(found, default=0 if expression.has(u) else -1)


def leaves_of(expression: Any) -> list[Any]:
    """The derivatives of fields in an expression, and the fields that stand by themselves."""
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
    leaves = leaves_of(expression)
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

