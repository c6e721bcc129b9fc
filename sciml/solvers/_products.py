"""Which expressions are evaluated on the grid for N, so that few Fourier transforms are needed.

    u u_x = (u^2 / 2)_x                                      one transform back and one forth instead of two and one
    u w_x + v w_y = (u w)_x + (v w)_y    if u_x + v_y = 0    in three dimensions nine transforms instead of fifteen
    q w_x - p w_y = (p q)_xx - (p q)_yy + (q^2 - p^2)_xy     if p = psi_x, q = psi_y, w = laplacian(psi): four instead of five

A product of polynomials is dealiased either way: both sides are equal to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from ..pde import Coordinate, Field, Opaque, expanded
from ._system import Index, Mean, System, leaves_of, locate


@dataclass(frozen=True)
class Products:
    """N of each state as a sum of spatial derivatives of `expressions`: `rows[state]` has (number of the expression, index,
    sign)."""

    expressions: tuple[Any, ...]
    rows: tuple[tuple[tuple[int, Index, int], ...], ...]

    @property
    def transforms(self) -> int:
        """How many Fourier transforms it takes."""
        return len(self.expressions) + len({leaf for e in self.expressions for leaf in leaves_of(e)})


def products(system: System) -> Products:
    """The form of N that takes fewest transforms."""
    return min((_collected(system, fluxes) for fluxes in (False, True)), key=lambda p: p.transforms)


def _collected(system: System, fluxes: bool) -> Products:
    dim = len(system.pde.space)
    expressions: dict[Any, int] = {}
    rows = []
    for e in system.nonlinear:
        found: list[tuple[Index, int, Any]] = []
        if fluxes:
            e, found = _jacobians(e, system)
            e, along = _as_fluxes(e, system)
            found += [(unit(axis, dim), 1, flux) for axis, flux in along.items()]
        if e != 0:
            found.insert(0, ((0,) * dim, 1, e))
        rows.append(tuple((expressions.setdefault(flux, len(expressions)), index, sign) for index, sign, flux in found))
    return Products(tuple(expressions), tuple(rows))


def unit(axis: int, dim: int) -> Index:
    """The index of one derivative along an axis."""
    return tuple(int(a == axis) for a in range(dim))


def _jacobians(expression: Any, system: System) -> tuple[Any, list[tuple[Index, int, Any]]]:
    """Takes c (psi_y w_x - psi_x w_y) out where w is a multiple of the Laplacian of psi."""
    found: list[tuple[Index, int, Any]] = []
    for d in system.diagnostics:
        own = {term.index: term.coefficient for term in d.own}
        if set(own) != {(2, 0), (0, 2)} or len(set(own.values())) > 1 or len(d.others) != 1 or any(d.others[0].index):
            continue
        x, y = system.pde.space
        psi, w = system.pde[d.field], system.pde[d.others[0].state.field]
        p, q = psi.diff(x), psi.diff(y)
        whole: Any = expanded(expression)
        one, two = whole.coeff(q * w.diff(x)), whole.coeff(p * w.diff(y))
        if one == 0 or one + two != 0 or not _constant(one):
            continue
        expression = whole - expanded(one * (q * w.diff(x) - p * w.diff(y)))
        c = -one * own[2, 0] / d.others[0].coefficient
        found += [((2, 0), 1, c * p * q), ((0, 2), -1, c * p * q), ((1, 1), 1, c * (q**2 - p**2))]
    return expression, found


def _as_fluxes(expression: Any, system: System) -> tuple[Any, dict[int, Any]]:
    """(what is no derivative of a product, {axis: flux})."""
    space = system.pde.space
    velocities = [] if system.projection is None else [system.pde[s.field] for s in system.projection.velocities]
    plain: list[Any] = []
    fluxes: dict[int, list[Any]] = {}
    carried: dict[Any, dict[int, Any]] = {}  # by w and axis: c of the terms c v_j w_j, v the velocities

    def alone(axis: int, w: Any, factor: Any) -> None:
        """factor dw/dx_axis: a flux where the factor is a polynomial in w."""
        value = sp.Dummy()
        own = factor.xreplace({w: value})
        if _constant(own) and own.is_polynomial(value):
            flux: Any = sp.integrate(own, value)
            fluxes.setdefault(axis, []).append(flux.xreplace({value: w}))
        else:
            plain.append(factor * w.diff(space[axis]))

    for term in sp.Add.make_args(expanded(expression)):
        slopes = [leaf for leaf in leaves_of(term) if isinstance(leaf, sp.Derivative)]
        state, index = locate(slopes[0], system.pde) if len(slopes) == 1 else (None, ())
        factor: Any = term / slopes[0] if slopes else term
        if state is None or state.order or sum(index) != 1 or factor.has(sp.Derivative):
            plain.append(term)
            continue
        axis, w = index.index(1), slopes[0].expr
        if velocities and _constant(factor / velocities[axis]):
            along = carried.setdefault(w, {})  # k u u_x and u u_x are two terms
            along[axis] = along.get(axis, 0) + factor / velocities[axis]
        else:
            alone(axis, w, factor)
    for w, factors in carried.items():
        together = len(factors) == len(velocities) and len(set(factors.values())) == 1
        for axis, c in factors.items():
            if together:
                fluxes.setdefault(axis, []).append(c * velocities[axis] * w)
            else:
                alone(axis, w, c * velocities[axis])
    return sp.Add(*plain), {axis: sp.Add(*parts) for axis, parts in fluxes.items()}


def _constant(factor: Any) -> bool:
    """Whether only numbers and parameters are in it."""
    return not factor.atoms(Field, Coordinate, Opaque, Mean)
