"""Where a flow leaves: the natural condition nu du/dn - p n = 0, in whatever words it is written.

- `Neumann((u, v), 0)` with `Dirichlet(p, 0)`, or without it;
- `Condition(nu * u.x - p)` with `Neumann(v, 0)`;
- `Dirichlet(p, 0)` alone: the velocities follow with `Neumann((u, v), 0)`.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from ..geometry import Domain
from ..pde import PDE, Condition, Dirichlet, Initial, Neumann, Observed, Periodic
from ._flow import Flow
from ._places import covered
from ._walls import at_face, facing

POINTS = 32  # of a part of the boundary, at which it is looked whether a condition holds


def with_outlets(pde: PDE, domain: Domain, flow: Flow | None) -> tuple[PDE, tuple[str, ...]]:
    """The problem with the velocities' conditions where the pressure is prescribed alone, and a sentence that says so."""
    if flow is None:
        return pde, ()
    velocities = [pde[name] for name in flow.velocities]
    alone = []
    for label in domain.boundary:
        here = _at(pde, domain, label)
        pressed = any(isinstance(c, Dirichlet) and c.field.field_name == flow.pressure for c in here)
        if pressed and not any(set(c.fields) & set(velocities) for c in here):
            alone.append(label)
    if not alone:
        return pde, ()
    names = f"({', '.join(flow.velocities)})"
    note = (
        f"{flow.pressure} is prescribed alone on {' and '.join(alone)}: the flow passes there with Neumann({names}, 0), "
        "which was added."
    )
    return pde.with_conditions(Neumann(tuple(velocities), 0, on=alone[0] if len(alone) == 1 else tuple(alone))), (note,)


def as_neumann(pde: PDE, domain: Domain, flow: Flow) -> PDE:
    """The problem with every `Condition(nu * u.x - p)` on a face along x as `Neumann(u, 0)` and `Dirichlet(p, 0)` there."""
    conditions, changed = [], False
    for c in pde.conditions:
        labels = _outlet(c, pde, domain, flow) if isinstance(c, Condition) else ()
        if not labels:
            conditions.append(c)
            continue
        changed = True
        p = pde[flow.pressure]
        for label in labels:
            x, _ = facing(domain, label, pde) or (pde.space[0], 1)
            u = pde[flow.velocities[pde.space.index(x)]]
            conditions.append(Neumann(u, 0, on=label, name=f"{c.name} ({u.field_name} on {label})"))
            pressed = [o for o in pde.conditions if isinstance(o, Dirichlet) and o.field == p]
            if not any(o in _at(pde, domain, label) for o in pressed):
                conditions.append(Dirichlet(p, 0, on=label, name=f"{c.name} ({p.field_name} on {label})"))
    return PDE(*pde.equations, *conditions, name=pde.name, fields=pde.fields) if changed else pde


def _outlet(c: Condition, pde: PDE, domain: Domain, flow: Flow) -> tuple[str, ...]:
    """The faces on which a condition is that of a natural outlet, all that it holds on; none where it is something else."""
    labels = [label for label in domain.boundary if c in _at(pde, domain, label)]
    p = pde[flow.pressure]
    for label in labels:
        found = facing(domain, label, pde)
        if found is None:
            return ()
        x, side = found
        u = pde[flow.velocities[pde.space.index(x)]]
        slope, pressure = sp.Dummy(), sp.Dummy()
        residual = sp.expand(at_face(c.residual, pde, x, side).xreplace({u.diff(x): slope, p: pressure}))
        a, b = residual.coeff(slope), residual.coeff(pressure)
        if a == 0 or sp.simplify(residual - a * slope - b * pressure) != 0 or sp.simplify(a * flow.factor + b * flow.nu) != 0:
            return ()
    return tuple(labels)


def _at(pde: PDE, domain: Domain, label: str) -> list[Any]:
    """The conditions that hold on a whole part of the boundary."""
    points = domain.boundary[label].sample(POINTS)[0]
    mine = [c for c in pde.conditions if not isinstance(c, Initial | Periodic | Observed)]
    return [c for c in mine if covered(c, domain, label, points).all()]
