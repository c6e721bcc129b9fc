"""Several trainings from different keys: their mean, and how far they are apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..solution import Estimate, Index, Parameter, Solution
from ._final import AbstractComposite
from ._solve import solve
from .local import NO_NETWORK, Local
from .methods import Adam, SSBroyden


class EnsembleFinal(AbstractComposite):
    """The mean of its members."""

    kind = "ensemble"

    def derivatives(self, index: Index, x: Any) -> Any:
        return sum(part.final.derivatives(index, x) for part in self.parts) / len(self.parts)


def ensemble(pde: Any, domain: Any, method: Any = None, *, keys: Iterable[int] = range(3), **options: Any) -> Solution:
    """`solve` once for each key; every other argument as there (`max_time` counts for each member). Where that would be
    answered by polynomials on patches, which are the same for every key, networks are trained.

    **Returns** a `Solution` whose fields are the means of the members (`solution.parts`), `solution.spread("u", x, t)`
    their standard deviation. The value and standard error of an unknown are mean and standard deviation over the members.

    **Raises** `ValueError` with fewer than two keys, and for `method=Local()`.
    """
    keys = tuple(keys)
    if len(keys) < 2:
        raise ValueError(f"An ensemble has at least two members; keys={keys!r} came.")
    if isinstance(method, Local):
        raise ValueError("pinn.Local finds the same for every key; an ensemble of it has no spread. Call pinn.solve once.")
    parts: list[Solution] = []
    for key in keys:
        part = solve(pde, domain, method, key=key, **options)
        if part.stats["network"] == NO_NETWORK:
            method = (Adam(), SSBroyden())
            part = solve(pde, domain, method, key=key, **options)
        parts.append(part)
    stats = {
        "residual": max(p.stats["residual"] for p in parts),
        "steps": sum(p.stats["steps"] for p in parts),
        "seconds": sum(p.stats["seconds"] for p in parts),
    }
    return Solution(
        parts[0].pde,
        parts[0].domain,
        EnsembleFinal(parts),
        " ".join(f"Member {i + 1}: {p.result}" for i, p in enumerate(parts)),
        all(p.converged for p in parts),
        stats,
        [row for p in parts for row in p.history],
        {name: _learned(name, parts) for name in parts[0].parameters},
        {name: max(p.conditions[name] for p in parts) for name in parts[0].conditions},
        _estimated,
        notes=tuple(dict.fromkeys(note for p in parts for note in p.notes)),
    )


def _learned(name: str, parts: list[Solution]) -> Parameter:
    values = [p.parameters[name].value for p in parts]
    return Parameter(name, float(np.mean(values)), float(np.std(values, ddof=1)), f"spread of {len(parts)} trainings")


def _estimated(solution: Solution) -> Estimate:
    """The spread of the members relative to their mean, in the L2 norm."""
    x = solution.domain.sample(4096, key=1013)
    columns = {name: x[:, i] for i, name in enumerate(solution.domain.names)}
    fields = {}
    for u in solution.pde.fields:
        at: dict[str, Any] = {c.name: columns[c.name] for c in u.coordinates}
        size = np.linalg.norm(solution[u.field_name](**at))
        fields[u.field_name] = float(np.linalg.norm(solution.spread(u.field_name, **at)) / (size if size > 0 else 1.0))
    reason = f"the spread of {len(solution.parts)} trainings; an error that all share does not show"
    return Estimate(max(fields.values()), fields, reason)
