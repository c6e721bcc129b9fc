"""The incompressible Navier-Stokes equations, recognised in a PDE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from ..pde import PDE, Field, expand_fluxes, expanded


@dataclass(frozen=True)
class Flow:
    """u_t + (u . grad) u = - factor grad(p) + nu laplacian(u) + force, div(u) = 0, for `velocities` in the order of the space
    coordinates and `pressure`, names of fields. `inertia` is False for Stokes flow, without (u . grad) u."""

    velocities: tuple[str, ...]
    pressure: str
    factor: Any
    nu: Any
    force: tuple[Any, ...]
    inertia: bool = True


def read_flow(pde: PDE) -> Flow | None:
    """The flow that `pde` describes, or None where it is something else."""
    space = pde.space
    if len(pde.fields) != len(space) + 1 or any(u.is_complex_field for u in pde.fields) or len(space) < 2:
        return None
    expressions = [expanded(expand_fluxes(sp.sympify(e.expression))) for e in pde.equations]
    found = _continuity(expressions, pde)
    if found is None:
        return None
    velocities, at = found
    (p,) = [u for u in pde.fields if u not in velocities]
    momentum = [e for i, e in enumerate(expressions) if i != at]
    nus, factors, forces, inertias = set(), set(), [], set()
    for u, x in zip(velocities, space, strict=True):
        own = [e for e in momentum if e.has(p.diff(x))]
        if len(own) != 1:
            return None
        rest = own[0]
        if pde.time is not None:
            speed = rest.coeff(u.diff(pde.time))
            if speed == 0 or speed.atoms(Field):
                return None
            rest = expanded(rest / speed)
            rest = expanded(rest - u.diff(pde.time))
        elif rest.coeff(u.diff(space[0], 2)).is_positive:
            rest = -rest
        nu, factor = sp.simplify(-rest.coeff(u.diff(space[0], 2))), sp.simplify(rest.coeff(p.diff(x)))
        rest = expanded(rest - factor * p.diff(x) + nu * sp.Add(*(u.diff(s, 2) for s in space)))
        carried = expanded(rest - sp.Add(*(v * u.diff(s) for v, s in zip(velocities, space, strict=True))))
        inertia = not carried.atoms(Field)
        rest = carried if inertia else rest
        if rest.atoms(Field) or any(c.atoms(Field) or c.free_symbols & set(pde.coordinates) for c in (nu, factor)):
            return None
        nus.add(nu)
        factors.add(factor)
        inertias.add(inertia)
        forces.append(-rest)
    if len(nus) != 1 or len(factors) != 1 or len(inertias) != 1:
        return None
    names = tuple(u.field_name for u in velocities)
    return Flow(names, p.field_name, factors.pop(), nus.pop(), tuple(forces), inertias.pop())


def _continuity(expressions: list[Any], pde: PDE) -> tuple[list[Any], int] | None:
    for i, e in enumerate(expressions):
        terms = sp.Add.make_args(e)
        if len(terms) != len(pde.space):
            continue
        parts = []
        for x in pde.space:
            parts += [(u, sp.simplify(e.coeff(u.diff(x)))) for u in pde.fields if e.coeff(u.diff(x)) != 0]
        if len(parts) == len(pde.space) and len({c for _, c in parts}) == 1 and len({u for u, _ in parts}) == len(parts):
            if expanded(e - parts[0][1] * sp.Add(*(u.diff(x) for (u, _), x in zip(parts, pde.space, strict=True)))) == 0:
                return [u for u, _ in parts], i
    return None
