"""A PDE as conservation laws, with its fluxes as they were written:

    du_i/dt = - sum_a d(F_ia)/dx_a + S_i,      F_ia = f_ia(u, x, t) - sum_j k_iaj(u, x, t) du_j/dx_b

A coefficient k may jump: the flux does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp
from scipy.optimize import linear_sum_assignment

from ..geometry import Domain
from ..pde import PDE, Coordinate, Field, FluxDerivative, expand_fluxes
from ..statement import flux_jumps
from ._system import State, _linear_in, _readable, expanded, leaves_of, locate, order_in


@dataclass(frozen=True)
class Diffusion:
    """A part - varying(x, t) factor(u, x, t) d(state)/d(x_slope) of the flux along x_axis. `varying` has no fields: between two
    cells its harmonic mean is taken. `breaks` along x_axis are where it may jump; None where that is not known."""

    axis: int
    varying: Any
    factor: Any
    state: State
    slope: int
    breaks: tuple[float, ...] | None = ()


@dataclass(frozen=True)
class Conservation:
    """For each state: `diffusion`, the fluxes `advection[i][axis]` without derivatives, and the `source`."""

    pde: PDE
    states: tuple[State, ...]
    diffusion: tuple[tuple[Diffusion, ...], ...]
    advection: tuple[tuple[Any, ...], ...]
    source: tuple[Any, ...]
    degree: int = 1
    projection: None = None
    diagnostics: tuple[()] = ()

    @property
    def diffuses(self) -> bool:
        """Whether every state diffuses by itself, which smooths what cells do not resolve. Waves do not: their phase is off by
        what a grid of second order makes of it."""
        pairs = zip(self.states, self.diffusion, strict=True)
        return all(any(d.state == state and d.slope == d.axis for d in found) for state, found in pairs)

    def explain(self) -> str:
        """The fluxes, one line for each state."""
        names = [c.name for c in self.pde.space]
        lines = []
        for state, diffusion, advection, source in zip(
            self.states, self.diffusion, self.advection, self.source, strict=True
        ):
            for axis, name in enumerate(names):
                parts = [] if advection[axis] == 0 else [_readable(advection[axis])]
                parts += [
                    f"- ({_readable(d.varying * d.factor)}) {d.state}.{names[d.slope]}" for d in diffusion if d.axis == axis
                ]
                lines.append(f"flux of {state} along {name}: {' '.join(parts) or '0'}")
            if source != 0:
                lines.append(f"source of {state}: {_readable(source)}")
        return "\n".join(lines)


def conservation(pde: PDE) -> Conservation:
    """The real form of `pde` as conservation laws.

    **Raises** `ValueError` for terms that are not in that form.
    """
    pde = pde.real()
    time = pde.time
    late = [] if time is None else [u.field_name for u in pde.fields if pde.order(u, time) != 1]
    if late:
        raise ValueError(
            f"Finite volumes take equations of first order in time for every field; {', '.join(late)} is not. Write it as a "
            "system of first order."
        )
    fluxes: dict[Any, FluxDerivative] = {}
    expressions = {}
    for e in pde.equations:
        expression = sp.sympify(e.expression)
        for node in expression.atoms(FluxDerivative):
            if node.flux.has(FluxDerivative):
                raise ValueError(f"{node} has a flux inside a flux; finite volumes take equations of second order in space.")
            fluxes.setdefault(sp.Dummy(), node)
        expressions[e.name] = expression.xreplace({node: symbol for symbol, node in fluxes.items()})
    found = [_read(expanded(rate), fluxes, pde) for rate in _rates(expressions, fluxes, pde)]
    states = tuple(State(u.field_name) for u in pde.fields)
    diffusion, advection, source = (tuple(part) for part in zip(*found, strict=True))
    return Conservation(pde, states, diffusion, advection, source)


def _rates(expressions: dict[str, Any], fluxes: dict[Any, FluxDerivative], pde: PDE) -> list[Any]:
    """The rate of change of each field; at rest what has to vanish, the equation with its highest derivative."""
    time = pde.time
    if time is None:
        whole = list(expressions.values())
        if len(whole) != len(pde.fields):
            raise ValueError(f"{len(whole)} equations came for {len(pde.fields)} fields; as many of both are needed.")
        orders = np.array([[_order(e, u, fluxes) for u in pde.fields] for e in whole], float)
        rows, columns = linear_sum_assignment(-orders)
        given = dict(zip(columns, rows, strict=True))
        return [whole[given[k]] for k in range(len(pde.fields))]
    rates = {u: sp.Dummy() for u in pde.fields}
    leaves = {u.diff(time): rates[u] for u in pde.fields}
    expressions = {name: expanded(e.xreplace(leaves)) for name, e in expressions.items()}
    matrix, right = _linear_in(expressions, list(rates.values()), [u.field_name for u in pde.fields])
    return list(matrix.LUsolve(right))


def _order(expression: Any, u: Any, fluxes: dict[Any, FluxDerivative]) -> int:
    """The highest derivative of a field; fluxes are not expanded, since what jumps has no derivative."""
    inside = [1 + order_in(node.flux, u) for symbol, node in fluxes.items() if expression.has(symbol) and node.flux.has(u)]
    return max([order_in(expression, u), *inside])


def _read(rate: Any, fluxes: dict[Any, FluxDerivative], pde: PDE) -> tuple[tuple[Diffusion, ...], tuple[Any, ...], Any]:
    """(diffusion, advection, source) of one rate of change."""
    diffusion: list[Diffusion] = []
    advection: list[Any] = [sp.Integer(0) for _ in pde.space]
    source: Any = sp.Integer(0)

    def add(axis: int, flux: Any) -> None:
        """- d(flux)/dx_axis."""
        for term in sp.Add.make_args(expanded(flux)):
            inner = [leaf for leaf in leaves_of(term) if isinstance(leaf, sp.Derivative)]
            if not inner:
                advection[axis] += term
                continue
            coefficient: Any = term.coeff(inner[0])
            state, index = locate(inner[0], pde)
            if len(inner) > 1 or state.order or sum(index) != 1 or expanded(term - coefficient * inner[0]) != 0:
                raise ValueError(f"The flux {term} is not linear in one first derivative of a field.")
            outer = [f for f in sp.Mul.make_args(-coefficient) if f.atoms(Coordinate) and not f.atoms(Field)]
            factor = [f for f in sp.Mul.make_args(-coefficient) if f not in outer]
            diffusion.append(Diffusion(axis, sp.Mul(*outer), sp.Mul(*factor), state, index.index(1)))

    for term in sp.Add.make_args(rate):
        inside = [symbol for symbol in fluxes if term.has(symbol)]
        if inside:
            coefficient: Any = term.coeff(inside[0])
            if len(inside) > 1 or coefficient.atoms(Coordinate, Field):
                raise ValueError(f"A flux is multiplied with {coefficient}, which is not constant.")
            node = fluxes[inside[0]]
            add(list(pde.space).index(node.coordinate), -coefficient * node.flux)
            continue
        slopes = [leaf for leaf in leaves_of(term) if isinstance(leaf, sp.Derivative)]
        if not slopes:
            source += term
            continue
        coefficient: Any = term.coeff(slopes[0])
        _, index = locate(slopes[0], pde)
        if len(slopes) > 1 or coefficient.atoms(Coordinate, Field) or sum(index) > 2:
            raise ValueError(
                f"The term {_readable(term)} is not in conservation form, which finite volumes need: write it as d(flux, x) or "
                "div(flux)."
            )
        axis = next(i for i, k in enumerate(index) if k)
        lower = tuple(k - (i == axis) for i, k in enumerate(index))
        u: Any = slopes[0].expr
        inner = u if not any(lower) else u.diff(pde.space[lower.index(1)])
        add(axis, -coefficient * inner)
    return _together(diffusion), tuple(advection), source


def _together(terms: list[Diffusion]) -> tuple[Diffusion, ...]:
    """Terms that differ only in what has no fields, parameters and numbers included, as one: means over two cells are taken of
    the whole of it."""
    groups: dict[Any, list[tuple[Any, Diffusion]]] = {}
    for term in terms:
        fields = term.factor.atoms(Field)
        given, factor = term.factor.as_independent(*fields, as_Add=False) if fields else (term.factor, sp.Integer(1))
        groups.setdefault((term.axis, term.state, term.slope, factor), []).append((given * term.varying, term))
    return tuple(
        group[0][1]
        if len(group) == 1
        else replace(group[0][1], varying=sp.Add(*(varying for varying, _ in group)), factor=factor)
        for (*_, factor), group in groups.items()
    )


def has_jump(pde: PDE, domain: Domain) -> bool:
    """Whether a flux has a coefficient that is not smooth, so that only finite volumes do: found in how it is written, or by
    sampling whatever it is written with."""
    for e in pde.equations:
        try:
            expand_fluxes(sp.sympify(e.expression))
        except ValueError:
            return True
    return bool(flux_jumps(pde.real(), domain))
