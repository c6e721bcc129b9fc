"""Fluxes whose coefficients jump along lines of a box: patches end there, and the flux is what goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from ..._evaluate import frozen
from ...geometry import Box, Domain
from ...pde import PDE, Coordinate, FluxDerivative
from ...pde._equation import Equation
from ...pde._flux import leaves, slope_beside_jumps
from ...statement import breaks_along, flux_jumps, placed, resolve_domain


@dataclass(frozen=True)
class Flux:
    """What is continuous where a coefficient in it jumps along `coordinate`."""

    coordinate: Coordinate
    expression: Any


def folded(pde: PDE, domain: Any) -> tuple[PDE, tuple[Flux, ...]]:
    """A PDE whose fluxes are differentiated on either side of their jumps, and these fluxes. The PDE itself and none, where no
    flux jumps, or not along lines of a box."""
    if not isinstance(pde, PDE) or not any(sp.sympify(e.expression).has(FluxDerivative) for e in pde.equations):
        return pde, ()
    place = resolve_domain(pde, domain)
    pde = placed(pde, place)
    if not isinstance(place.space, Box) or any(u.is_complex_field for u in pde.fields) or not flux_jumps(pde, place):
        return pde, ()
    fluxes: list[Flux] = []
    equations: list[Equation] = []
    for e in pde.equations:
        expression = sp.sympify(e.expression)
        nodes = sorted(expression.atoms(FluxDerivative), key=sp.default_sort_key)
        if not all(_along_lines(pde, place, node) for node in nodes):
            return pde, ()
        slopes = {node: slope_beside_jumps(node.flux, node.coordinate) for node in nodes}
        dummies = {node: sp.Dummy() for node in nodes}
        outer = expression.xreplace(dummies)
        weights = {node: outer.diff(dummy) for node, dummy in dummies.items()}
        if any(s.has(FluxDerivative) for s in slopes.values()) or any(w.has(*dummies.values()) for w in weights.values()):
            return pde, ()
        for c in pde.space:
            total = sp.Add(*(weights[node] * node.flux for node in nodes if node.coordinate == c))
            if total != 0:
                fluxes.append(Flux(c, total))
        equations.append(Equation(e.name, expression.xreplace(slopes)))
    return PDE(*equations, *pde.conditions, name=pde.name, fields=pde.fields), tuple(fluxes)


def _along_lines(pde: PDE, domain: Domain, node: FluxDerivative) -> bool:
    """Whether the jumps of a flux of values and slopes are the same on all lines along each coordinate."""
    slopes: list[Any] = [leaf for leaf in leaves(node.flux) if isinstance(leaf, sp.Derivative)]
    if any(sum(int(n) for _, n in slope.variable_count) > 1 for slope in slopes):
        return False
    known = frozen(node.flux, pde)
    return all(breaks_along(pde, domain, known, c) is not None for c in pde.space)
