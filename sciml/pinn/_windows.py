"""Long times in windows: each starts where the one before ended."""

from __future__ import annotations

import time
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..geometry import Box, Domain, Time
from ..pde import PDE, Initial, table
from ..solution import Estimate, Index, Solution
from ..statement import resolve_domain, validate
from ._final import AbstractComposite
from ._solve import solve


class WindowsFinal(AbstractComposite):
    """One solution for each window; a point belongs to the first window that contains its time."""

    kind = "windows"

    def derivatives(self, index: Index, x: Any) -> Any:
        first = self.parts[0]
        t = jnp.asarray(x)[:, first.pde.coordinates.index(first.pde.time)]
        value = self.parts[-1].final.derivatives(index, x)
        for part in reversed(self.parts[:-1]):
            end = jnp.asarray(part.domain.time.end, t.dtype)  # type: ignore[union-attr]
            value = jnp.where((t <= end)[:, None], part.final.derivatives(index, x), value)
        return value


def solve_windows(
    pde: PDE, domain: Any, windows: int, method: Any = None, *, grid: int = 129, max_time: float = 180.0, **options: Any
) -> Solution:
    """`solve` on `windows` equal spans of time, one after the other.

    The state at the end of a window is projected onto a fixed interpolant, a spline of degree five through `grid` equally
    spaced points in every space coordinate, and this is the initial value of the next: every window is a problem of its
    own with smooth data, and what it costs does not grow with the number of windows before it.

    **Arguments:** as for `solve`; `windows`, how many; `grid`, points of the interpolant per coordinate; `max_time`, for
    all together. **Returns** one `Solution`; `solution.parts` are those of the windows.

    **Raises** `ValueError` where the space is no `Box` of at most three dimensions, or a field is complex.
    """
    began = time.monotonic()
    resolved = resolve_domain(pde, domain)
    validate(pde, resolved)
    if pde.time is None or resolved.time is None:
        raise ValueError("solve_windows cuts time into windows; the equation has no time coordinate.")
    if not isinstance(resolved.space, Box) or resolved.space.dim > 3 or resolved.ranges or pde.is_complex:
        raise ValueError(
            "solve_windows needs real fields on a Box of one to three space dimensions without parameters of a family; "
            f"the domain is {resolved!r}."
        )
    if isinstance(windows, bool) or not isinstance(windows, int) or windows < 1:
        raise ValueError(f"windows={windows!r}; expected a whole number from 1 on.")
    edges = np.linspace(resolved.time.start, resolved.time.end, windows + 1)
    parts: list[Solution] = []
    current = pde
    for i in range(windows):
        left = max_time - (time.monotonic() - began)
        place = Domain(resolved.space, Time(edges[i], edges[i + 1], resolved.time.name))
        parts.append(solve(current, place, method, max_time=max(left / (windows - i), 1.0), **options))
        if i + 1 < windows:
            current = _continued(pde, parts[-1], edges[i + 1], grid)
    stats = {
        "windows": windows,
        "steps": sum(p.stats.get("steps", 0) for p in parts),
        "residual": max(p.stats.get("residual", np.nan) for p in parts),
        "seconds": time.monotonic() - began,
    }
    return Solution(
        pde,
        resolved,
        WindowsFinal(parts),
        " ".join(f"Window {i + 1}: {p.result}" for i, p in enumerate(parts)),
        all(p.converged for p in parts),
        stats,
        [row for p in parts for row in p.history],
        parts[-1].parameters,
        parts[0].conditions,
        _estimated(parts),
        notes=tuple(dict.fromkeys(note for p in parts for note in p.notes)),
    )


def _continued(pde: PDE, part: Solution, t: float, grid: int) -> PDE:
    """The same equations from the state of `part` at time `t` on."""
    box: Any = part.domain.space
    axes = {n: np.linspace(a, b, grid) for n, (a, b) in zip(box.names, box.bounds, strict=True)}
    conditions = []
    for c in pde.conditions:
        if not isinstance(c, Initial):
            conditions.append(c)
            continue
        state = part[c.field.field_name]
        for _ in range(c.order):
            state = getattr(state, c.time.name)
        order = [s for s in c.field.coordinates if s.role == "space"]
        place: dict[str, Any] = {s.name: axes[s.name] for s in order} | {c.time.name: t}
        values = state(**place, grid=True)
        values = np.squeeze(values, axis=c.field.coordinates.index(c.time))
        value = table(f"{c.name.replace(' ', '_').replace('.', '_')}", tuple(axes[s.name] for s in order), values)
        conditions.append(Initial(c.field, value(*order), c.order, name=c.name))
    return PDE(*pde.equations, *conditions, name=pde.name, fields=pde.fields)


def _estimated(parts: list[Solution]) -> Any:
    def estimate(solution: Solution) -> Estimate:
        """The sum over windows: what one window hands on, the next carries."""
        found = [p.estimate_error() for p in parts]
        if any(e.value is None for e in found):
            return Estimate(None, {}, "; ".join(e.reason for e in found if e.value is None))
        fields = {name: sum(e.fields[name] for e in found) for name in found[0].fields}
        return Estimate(max(fields.values()), fields, "the sum over the windows; growth between them is not counted")

    return estimate
