"""Where a condition holds: the points of the boundary that `on=` means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp

from ..geometry import AbstractGeometry, Domain
from ..pde import PDE, Periodic, place_text

CLOSE = 1e-9  # of the size of the domain


def relation(condition: Any, space: AbstractGeometry) -> Callable[[np.ndarray], np.ndarray]:
    """`condition.on`, a relation, as a function of points `(n, dim)` of the space; equality means to within rounding."""
    on, names = condition.on, space.names
    used = {s.name for s in on.free_symbols}
    if used - set(names):
        raise ValueError(
            f"{condition.name!r}, on={on}: a part of the boundary is told by space coordinates; "
            f"{', '.join(sorted(used - set(names)))} is none of {', '.join(names)}."
        )
    size = float(np.max(space.upper - space.lower))
    # Sampled points are not exactly on a plane.
    relaxed = on.replace(
        lambda e: isinstance(e, sp.Eq), lambda e: sp.Abs(e.lhs - e.rhs) <= CLOSE * max(size, 1e-300)
    )
    symbols = {s.name: s for s in relaxed.free_symbols}
    function = sp.lambdify([symbols.get(n, sp.Symbol(n)) for n in names], relaxed, "numpy")
    return lambda x: np.broadcast_to(function(*x.T), (len(x),))


def part_of(condition: Any, pde: PDE, domain: Domain) -> Any:
    """The part of the boundary that a condition holds on, which is not at a point: faces along which its fields repeat are
    none.

    **Raises** `ValueError` where a relation holds nowhere on the boundary: inside the domain no condition is held.
    """
    on = condition.on
    if on is not None and not isinstance(on, sp.Basic):
        return domain.boundary.select(on)
    whole = domain.boundary.select(tuple(_open_labels(condition, pde, domain)))
    if on is None:
        return whole
    assert domain.space is not None
    holds = relation(condition, domain.space)
    try:
        return whole.where(holds, name="relation")
    except ValueError:
        raise ValueError(
            f"{condition.name!r}: no part of the boundary has {place_text(on)}. The boundary is made of "
            f"{', '.join(map(repr, domain.boundary))}; a condition holds there, or at one point, on={{...}} with a number for "
            "every space coordinate, and on no line or surface inside. Where a field is given on one, cut the domain there and "
            "solve each side by itself."
        ) from None


def _open_labels(condition: Any, pde: PDE, domain: Domain) -> list[str]:
    """The parts of the boundary without those along which all fields of the condition are periodic."""
    return [label for label in domain.boundary if not all(repeats(u, label, pde, domain) for u in condition.fields)]


def repeats(u: Any, label: str, pde: PDE, domain: Domain) -> bool:
    """Whether a field is periodic along the normal of a part of the boundary, which then is none for it."""
    part = domain.boundary[label]
    along = None if part.axis is None else part.names[part.axis]
    periodic = [c for c in pde.conditions if isinstance(c, Periodic)]
    return any(p.covers(u, c) for p in periodic for c in u.coordinates if c.name == along)


def whole_parts(condition: Any, domain: Domain) -> set[str]:
    """The named parts that a condition covers whole; none where it is told by a relation or at a point."""
    on = condition.on
    if on is None:
        return set(domain.boundary)
    if isinstance(on, (str, tuple)) or hasattr(on, "labels"):
        return set(domain.boundary.select(on).labels) & set(domain.boundary)
    return set()


def covered(condition: Any, domain: Domain, label: str, x: np.ndarray) -> np.ndarray:
    """At which of the points `x` `(n, space dim)` of the part `label` a condition holds."""
    on = condition.on
    everywhere, nowhere = np.ones(len(x), bool), np.zeros(len(x), bool)
    if on is None:
        return everywhere
    if isinstance(on, dict):
        # Only in one dimension is a point a part of the boundary.
        assert domain.space is not None
        if domain.space.dim > 1 or set(on) != set(domain.space.names):
            return nowhere
        size = float(np.max(domain.space.upper - domain.space.lower))
        return np.abs(x[:, 0] - next(iter(on.values()))) <= CLOSE * size
    if isinstance(on, sp.Basic):
        assert domain.space is not None
        return np.asarray(relation(condition, domain.space)(x), bool)
    names = (on,) if isinstance(on, str) else on
    if isinstance(names, tuple) and all(isinstance(name, str) for name in names):
        return everywhere if label in names else nowhere
    part = domain.boundary.select(on)
    return part.contains(x) if label in part.labels else nowhere
