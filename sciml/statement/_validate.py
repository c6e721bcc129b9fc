"""Static validation: what is missing or does not fit, before anything is compiled."""

from __future__ import annotations

import copy
from itertools import combinations
from typing import Any

import numpy as np
import sympy as sp

from .._evaluate import evaluate
from ..geometry import AbstractGeometry, Box, Domain, Time
from ..pde import PDE, AbstractCondition, Dirichlet, Initial, Neumann, Observed, Periodic
from ._counting import check_counts
from ._finite import check_expressions
from ._places import part_of, whole_parts
from ._sizes import check_sizes


def resolve_domain(pde: PDE, domain: Any) -> Domain:
    """The domain with the kinds of coordinates that the equation declares."""
    if not isinstance(pde, PDE):
        raise TypeError(
            f"The first argument is a sciml.PDE; {type(pde).__name__} came. Write PDE(u.t - u.xx, ...conditions)."
        )
    if isinstance(domain, Time):
        domain = Domain(time=domain)
    if not isinstance(domain, (AbstractGeometry, Domain)):
        raise TypeError(
            f"The second argument is where the equation holds, such as Box(x=(-1, 1), t=(0, 1)); "
            f"{type(domain).__name__} came."
        )
    resolved = domain.resolve({c.name: c.role for c in pde.coordinates})
    extra = [name for name in resolved.names if name not in {c.name for c in pde.coordinates}]
    if extra:
        raise ValueError(
            f"The domain has the coordinates {', '.join(resolved.names)}, but no field depends on "
            f"{', '.join(extra)}. Remove it from the domain, or declare the fields with it."
        )
    return resolved


def placed(pde: PDE, domain: Domain) -> PDE:
    """The equations with every condition where its field has a boundary.

    A field of fewer space coordinates, held on "every boundary", is held where the boundary faces along its own ones: a(x) on
    a rectangle at x_min and x_max.
    """
    conditions = [_on_own_boundary(c, pde, domain) for c in pde.conditions]
    if all(new is old for new, old in zip(conditions, pde.conditions, strict=True)):
        return pde
    return PDE(*pde.equations, *conditions, name=pde.name, fields=pde.fields)


def at_start(pde: PDE, domain: Domain) -> PDE:
    """The equations with initial values at the start of time: an exact solution u(x, t) may be given for one."""
    conditions = [_at_start(c, domain) if isinstance(c, Initial) else c for c in pde.conditions]
    if all(new is old for new, old in zip(conditions, pde.conditions, strict=True)):
        return pde
    return PDE(*pde.equations, *conditions, name=pde.name, fields=pde.fields)


def _at_start(c: Initial, domain: Domain) -> Initial:
    if domain.time is None or c.time not in c.value.free_symbols:
        return c
    moved = copy.copy(c)
    moved.value = c.value.subs(c.time, domain.time.start)
    return moved


def _on_own_boundary(c: AbstractCondition, pde: PDE, domain: Domain) -> AbstractCondition:
    own = {x.name for u in c.fields for x in u.coordinates}
    missing = [i for i, name in enumerate(domain.boundary.names) if name not in own]
    if not missing or c.on is not None or isinstance(c, (Initial, Observed, Periodic)):
        return c
    parts = tuple(
        name for name, part in domain.boundary.items() if np.all(np.abs(part.sample(16)[1][:, missing]) < 1e-9)
    )
    if not parts:
        raise ValueError(
            f"{c.name!r} holds on every boundary, but {' and '.join(u.field_name for u in c.fields)} does not depend on "
            f"{', '.join(domain.boundary.names[i] for i in missing)}, along which all parts of the boundary face. Say where it "
            "holds with on=...."
        )
    moved = copy.copy(c)
    moved.on = parts
    return moved


def validate(pde: PDE, domain: Domain) -> tuple[str, ...]:
    """Conditions: on parts that exist, none missing, with values that are numbers and do not contradict each other.

    **Returns** what is doubtful, as sentences; it has been warned about.
    """
    check_sizes(pde)
    check_places(pde, domain)
    _check_initial(pde)
    check_expressions(pde, domain)
    _check_values(pde.real(), domain)
    return check_counts(pde, domain)


def check_places(pde: PDE, domain: Domain) -> None:
    """Conditions name parts of the boundary that exist, and points of the domain."""
    _check_periodic(pde, domain)
    boundary = domain.boundary
    for condition in pde.conditions:
        if isinstance(condition, Periodic):
            continue
        on = getattr(condition, "on", None)
        if isinstance(on, dict):
            _check_point(condition, domain)
            continue
        if isinstance(condition, (Initial, Observed)):
            continue
        if not boundary:
            raise ValueError(
                f"{condition.name!r} holds on a boundary, but the domain {domain!r} has no space. Use Initial for "
                "values at the start."
            )
        if isinstance(on, (str, tuple)):
            names = [on] if isinstance(on, str) else [p for p in on if isinstance(p, str)]
            unknown = [name for name in names if name not in boundary]
            if unknown:
                ends = set() if pde.time is None else {f"{pde.time.name}_{end}" for end in ("min", "max")}
                raise ValueError(
                    f"{condition.name!r}: the boundary has no part {', '.join(map(repr, unknown))}; its parts are "
                    f"{', '.join(map(repr, boundary))}." + (_at_the_end(pde) if ends & set(unknown) else "")
                )
        elif isinstance(on, sp.Basic):
            part_of(condition, pde, domain)


def _at_the_end(pde: PDE) -> str:
    assert pde.time is not None
    t = pde.time.name
    return (
        f" What holds at the start is given by Initial; what was measured at the end is data, Observed. For what holds at the "
        f"end, let time run backward: replace {t} by T - "
        f"tau, with tau = coordinates('tau', role='time'), so that the derivative in {t} changes its sign, and give it with "
        "Initial."
    )


def _check_periodic(pde: PDE, domain: Domain) -> None:
    """Opposite faces are identified: they must be there."""
    for condition in pde.conditions:
        if not isinstance(condition, Periodic):
            continue
        missing = [c for c in condition.coordinates if c not in {s.name for s in pde.space}]
        if missing:
            raise ValueError(
                f"{condition.name!r}: {', '.join(missing)} is no space coordinate of this equation; these are "
                f"{', '.join(s.name for s in pde.space) or 'none'}."
            )
        if domain.space is not None and not isinstance(domain.space, Box):
            bounds = zip(domain.space.names, domain.space.lower, domain.space.upper, strict=True)
            box = ", ".join(f"{name}=({a:g}, {b:g})" for name, a, b in bounds)
            raise ValueError(
                f"{condition.name!r}: opposite faces are identified, which needs a Box; the space here is "
                f"{type(domain.space).__name__}, whose faces need not lie opposite each other. If it fills its box, write "
                f"Box({box}) instead of parts joined; if it does not, give Dirichlet, Neumann or Robin on its boundary."
            )


def _check_point(condition: Any, domain: Domain) -> None:
    for name in condition.on:
        if name not in domain.names:
            raise ValueError(
                f"{condition.name!r}: {name} is no coordinate of the domain, which has {', '.join(domain.names)}."
            )
    x = domain.sample(1)
    for name, value in condition.on.items():
        x[:, domain.names.index(name)] = float(value)
    if not domain.contains(x, atol=1e-9 * float(np.max(domain.upper - domain.lower))).all():
        place = ", ".join(f"{k} = {float(v):g}" for k, v in condition.on.items())
        raise ValueError(f"{condition.name!r}: the point {place} is not in the domain {domain!r}.")


def _observed(pde: PDE) -> set[str]:
    return {u.field_name for c in pde.conditions if isinstance(c, Observed) for u in c.fields}


def _check_initial(pde: PDE) -> None:
    if pde.time is None:
        return
    data = _observed(pde)
    for u in pde.fields:
        if u in pde.free_fields:
            continue
        orders = {c.order for c in pde.conditions if isinstance(c, Initial) and c.field == u}
        wanted = pde.order(u, pde.time)
        too_high = [k for k in orders if k >= wanted]
        if too_high and wanted:
            raise ValueError(
                f"Initial({u.field_name}, ..., order={too_high[0]}): the equations have time derivatives of "
                f"{u.field_name} up to order {wanted}, so only orders below {wanted} can be prescribed."
            )
        missing = [k for k in range(wanted) if k not in orders]
        if missing and u.field_name not in data:
            how = (
                f"Initial({u.field_name}, ...)"
                if missing[0] == 0
                else (f"Initial({u.field_name}, ..., order={missing[0]})")
            )
            raise ValueError(
                f"The initial {'value' if missing[0] == 0 else f'time derivative of order {missing[0]}'} of "
                f"{u.field_name} is missing: the equations are of order {wanted} in {pde.time.name}. Add {how}, or "
                "data with Observed."
            )


def _check_values(pde: PDE, domain: Domain) -> None:
    """Two conditions of one kind agree on the parts that they share."""
    order = [domain.names.index(c.name) for c in pde.coordinates]
    prescribed = [
        (c, parts)
        for c in pde.conditions
        if isinstance(c, (Dirichlet, Neumann)) and (parts := whole_parts(c, domain))
    ]
    points: dict[str, np.ndarray] = {}
    for _, labels in prescribed:
        for label in labels:
            if label not in points:
                points[label] = domain.sample_boundary(domain.boundary[label], 64)[0][:, order]
    for (a, mine), (b, theirs) in combinations(prescribed, 2):
        if type(a) is not type(b) or a.field != b.field:
            continue
        for label in mine & theirs:
            values = [evaluate(pde, c.value, points[label]) for c in (a, b)]
            gap = float(np.max(np.abs(values[0] - values[1])))
            if gap > 1e-8 * float(np.max(np.abs(values))):
                raise ValueError(
                    f"{a.name!r} and {b.name!r} contradict each other on {label!r}: they prescribe values that differ "
                    f"by {gap:.2g}. Say with on=... where each holds, for instance "
                    f"on={tuple(k for k in domain.boundary if k != label)!r} for one of them."
                )
