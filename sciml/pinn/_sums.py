"""Sums of derivatives that enter the equations together, each carried through the network as one number per neuron."""

from __future__ import annotations

from typing import Any

import sympy as sp

from ..derivatives import Combination, Laplacian, Request, Taylor, terms_of
from ..pde import PDE, Parameter, derivatives_of, expand_fluxes

Index = tuple[int, ...]


def collapse_sums(expressions: list[Any], pde: PDE) -> tuple[list[Any], list[tuple[str, str, Request]]]:
    """`u_t + u u_x - nu (u_xx + u_yy)` as `s + u u_x` with `s` one request.

    Derivatives of one field are summed where they enter every expression linearly and in a constant ratio.

    **Returns** the expressions, and for every sum its symbol, the field and the request.
    """
    expanded = [expand_fluxes(sp.sympify(e)) for e in expressions]
    found: list[tuple[str, str, Request]] = []
    for u in pde.fields:
        mine = sorted(
            {index for name, index in derivatives_of(expanded, pde.coordinates) if name == u.field_name and any(index)}
        )
        if len(mine) < 2:
            continue
        dummies = {index: sp.Dummy() for index in mine}
        marked = [e.xreplace({_leaf(u, index, pde): dummies[index] for index in mine}) for e in expanded]
        for group in _groups([[sp.expand(e.diff(dummies[i])) for e in marked] for i in mine], mine, dummies):
            for request in _requests(group):
                symbol = Parameter(f"sum_{len(found)}_of_{u.field_name}_", 1.0)
                terms = terms_of(request, len(pde.coordinates))
                scale, first = terms[0]
                vanish = dict.fromkeys((dummies[index] for _, index in terms), sp.Integer(0))
                marked = [e.xreplace(vanish) + e.diff(dummies[first]) / scale * symbol for e in marked]
                found.append((symbol.name, u.field_name, request))
        expanded = [e.xreplace({dummies[index]: _leaf(u, index, pde) for index in mine}) for e in marked]
    return expanded, found


def _leaf(u: Any, index: Index, pde: PDE) -> Any:
    return u.diff(*((c, n) for c, n in zip(pde.coordinates, index, strict=True) if n))


def _groups(
    factors: list[list[Any]], indices: list[Index], dummies: dict[Index, Any]
) -> list[list[tuple[float, Index]]]:
    """Derivatives whose factors in all expressions have a constant ratio, with that ratio; two or more of them."""
    groups: list[tuple[list[Any], list[tuple[float, Index]]]] = []
    for factor, index in zip(factors, indices, strict=True):
        for first, members in groups:
            ratio = _ratio(factor, first)
            if ratio is not None:
                members.append((ratio, index))
                break
        else:
            groups.append((factor, [(1.0, index)]))
    linear = []
    for factor, members in groups:
        symbols = {dummies[index] for _, index in members}
        if len(members) > 1 and not any(f.free_symbols & symbols for f in factor):
            linear.append(members)
    return linear


def _ratio(factor: list[Any], first: list[Any]) -> float | None:
    ratio: float | None = None
    for a, b in zip(factor, first, strict=True):
        if (a == 0) != (b == 0):
            return None
        if a == 0:
            continue
        quotient = a / b
        if not quotient.is_number or not quotient.is_real:
            return None
        value = float(quotient)
        if ratio is not None and abs(value - ratio) > 1e-14 * abs(ratio):
            return None
        ratio = value
    return ratio


def _requests(members: list[tuple[float, Index]]) -> list[Request]:
    """The sum as requests. A Laplacian along many axes is one by itself: its first derivatives go through the network as
    one array."""
    for factor in {c for c, _ in members}:
        pure = [(c, i) for c, i in members if c == factor and sum(i) == max(i) == 2]
        if len(pure) >= Taylor().block_from:
            rest = [member for member in members if member not in pure]
            return [Laplacian(i.index(2) for _, i in pure), *([Combination(rest)] if len(rest) > 1 else [])]
    return [Combination(members)]
