"""Where residuals are evaluated: groups of points that share equations or conditions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float

from ..derivatives import Plan, Request, plan
from ..geometry import AbstractSampler, Domain, Sobol
from ..pde import PDE, Condition, Dirichlet, Initial, Lowered, Neumann, Observed, Robin, lower
from ..statement import part_of
from ._corners import Corner, damping, graded
from ._local import Local
from ._sums import collapse_sums


class Points(eqx.Module):
    """Points of one group: `x` `(n, d)`, outward normals `(n, space)`, quadrature weights `(n,)` of mean one, observed
    values `(n, blocks)`, what the rows of equations are damped with near contradictory corners `(n,)`, and the local size of
    residuals, by name of the block where that varies, `(n,)`."""

    x: Any
    normals: Any
    weight: Any
    data: Any
    damping: Any
    local: dict[str, Any] = eqx.field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Block:
    """A residual with a name: an equation, or a penalised condition. `scale` is its natural size; where that varies from point
    to point, the natural size at x is scale local(x)."""

    name: str
    expression: Any
    scale: float
    kind: str  # "equation", "condition" or "data"
    order: int = 0  # of an equation: the exponent of the damping near contradictory corners
    local: Local | None = None

    def size(self, points: Points) -> Any:
        """The natural size at points, `(n,)` or a number."""
        return self.scale * points.local[self.name] if self.name in points.local else self.scale


@dataclass(frozen=True, eq=False)
class Group:
    """Blocks on the same points. `draw(n, key)` gives fresh ones; `fixed` says that there are no others."""

    name: str
    blocks: tuple[Block, ...]
    draw: Callable[..., Points]
    dimension: int
    fixed: int | None
    lowered: Lowered
    plan: Plan | None
    names: tuple[str, ...] = field(default=())
    space: tuple[str, ...] = field(default=())
    sums: tuple[tuple[str, str, Request], ...] = ()  # (symbol, field, request)

    def values(
        self, trial: Callable[[Any], Any], unknowns: dict[str, Any], points: Points, fields: tuple[str, ...]
    ) -> dict[Any, Any]:
        """Every leaf of the expressions at the points."""
        values: dict[Any, Any] = {name: points.x[:, i] for i, name in enumerate(self.names)}
        values |= unknowns
        values |= {("normal", name): points.normals[:, i] for i, name in enumerate(self.space)}
        if self.plan is not None:
            evaluate = self.plan
            # Points along the last axis: arrays stay (features, points) through layers `W @ x`, twice as fast on a CPU.
            found = jax.vmap(lambda x: evaluate(trial, x), in_axes=1, out_axes=1)(points.x.T)
            for name, index in self.lowered.derivatives:
                values[name, index] = found[index][fields.index(name)]
            for symbol, name, request in self.sums:
                values[symbol] = found[request][fields.index(name)]
        return values

    def residuals(
        self, trial: Callable[[Any], Any], unknowns: dict[str, Any], points: Points, fields: tuple[str, ...]
    ) -> list[Float[Array, " n"]]:
        """The residual of each block at each point, in physical units."""
        raw = self.lowered(self.values(trial, unknowns, points, fields))
        out = []
        for i, (block, value) in enumerate(zip(self.blocks, raw, strict=True)):
            value = jax.numpy.broadcast_to(value, points.x.shape[:1])
            out.append(value - points.data[:, i] if block.kind == "data" else value)
        return out


def make_group(name: str, blocks: list[Block], pde: PDE, draw: Callable[..., Points], fixed: int | None) -> Group:
    expressions, sums = collapse_sums([b.expression for b in blocks], pde)
    lowered: Any = lower(expressions, coordinates=pde.coordinates)
    requests = [*sorted({index for _, index in lowered.derivatives}), *dict.fromkeys(r for _, _, r in sums)]
    return Group(
        name,
        tuple(blocks),
        _with_local(draw, blocks),
        len(pde.coordinates),
        fixed,
        lowered,
        plan(requests, len(pde.coordinates)) if requests else None,
        tuple(c.name for c in pde.coordinates),
        tuple(c.name for c in pde.space),
        tuple(sums),
    )


def local_sizes(blocks: Sequence[Block], x: Any) -> dict[str, Any]:
    """What `Points.local` holds at x."""
    return {b.name: b.local(np.asarray(x)) for b in blocks if b.local is not None}


def _with_local(draw: Callable[..., Points], blocks: Sequence[Block]) -> Callable[..., Points]:
    if all(b.local is None for b in blocks):
        return draw

    def drawn(n: int, **options: Any) -> Points:
        points = draw(n, **options)
        return replace(points, local=local_sizes(blocks, points.x))

    return drawn


@dataclass(frozen=True)
class Place:
    """How to sample the points of a condition. Columns in the order of the equation's coordinates."""

    pde: PDE
    domain: Domain
    lengths: Any = None
    corners: tuple[Corner, ...] = ()

    @property
    def _order(self) -> list[int]:
        return [self.domain.names.index(c.name) for c in self.pde.coordinates]

    @property
    def _space_order(self) -> list[int]:
        names = self.domain.space.names if self.domain.space is not None else ()
        return [names.index(c.name) for c in self.pde.space]

    def _points(
        self, x: np.ndarray, normals: np.ndarray | None = None, *, key: Any = None, inside: bool = False
    ) -> Points:
        normals = np.zeros((len(x), len(self.pde.space))) if normals is None else normals[:, self._space_order]
        x = x[:, self._order]
        weight, damped = np.ones(len(x)), np.ones(len(x))
        if self.corners:
            middle = ((self.domain.lower + self.domain.upper) / 2)[self._order]
            z = (x - middle) / self.lengths
            if key is not None:
                seed = np.asarray(key if isinstance(key, (int, np.integer)) else jax.random.key_data(key))
                z, weight = graded(z, self.corners, np.random.default_rng(np.abs(seed.ravel())), inside=inside)
                x = np.clip(middle + self.lengths * z, middle - self.lengths, middle + self.lengths)
            damped = damping(z, self.corners)
        return Points(x, normals, weight, np.zeros((len(x), 0)), damped)

    def interior(self, n: int, *, key: Any, sampler: AbstractSampler = Sobol()) -> Points:
        return self._points(self.domain.sample(n, sampler=sampler, key=key), key=key, inside=True)

    def initial(self, n: int, *, key: Any, sampler: AbstractSampler = Sobol()) -> Points:
        return self._points(self.domain.sample_initial(n, sampler=sampler, key=key), key=key)

    def boundary(self, condition: Any) -> Callable[..., Points]:
        """The sampler of the points that a condition holds on."""
        on = condition.on
        if isinstance(on, dict):
            return lambda n, *, key, sampler=Sobol(): self._at_point(on, n, key, sampler)
        part = part_of(condition, self.pde, self.domain)
        return lambda n, *, key, sampler=Sobol(): self._points(
            *self.domain.sample_boundary(part, n, sampler=sampler, key=key), key=key
        )

    def _at_point(self, on: dict[str, float], n: int, key: Any, sampler: AbstractSampler) -> Points:
        names = self.domain.names
        unknown = set(on) - set(names)
        if unknown:
            raise ValueError(
                f"on={on}: {', '.join(sorted(unknown))} is no coordinate of the domain, which has {', '.join(names)}."
            )
        x = self.domain.sample(n, sampler=sampler, key=key)
        for name, value in on.items():
            x[:, names.index(name)] = value
        if not self.domain.contains(x, atol=1e-9 * float(np.max(self.domain.upper - self.domain.lower))).all():
            raise ValueError(f"on={on}: this point is not in the domain {self.domain!r}.")
        return self._points(x)

    def observed(self, condition: Observed) -> Points:
        mine = [c.name for c in condition.coordinates]
        middle = (self.domain.lower + self.domain.upper) / 2
        x = np.tile(middle[self._order], (len(condition.points), 1))
        for i, c in enumerate(self.pde.coordinates):
            if c.name in mine:
                x[:, i] = condition.points[:, mine.index(c.name)]
        full = np.empty_like(x)
        full[:, self._order] = x
        inside = self.domain.contains(full, atol=1e-9 * float(np.max(self.domain.upper - self.domain.lower)))
        if not inside.all():
            row = int(np.flatnonzero(~inside)[0])
            raise ValueError(
                f"{condition.name!r}: {int((~inside).sum())} observed points lie outside the domain "
                f"{self.domain!r}; the first is row {row}: {condition.points[row].tolist()}."
            )
        weight = np.ones(len(x))
        if isinstance(condition.noise, np.ndarray) and condition.noise.ndim:
            weight = np.mean(condition.noise**2) / condition.noise**2
        return Points(
            x,
            np.zeros((len(x), len(self.pde.space))),
            weight,
            np.asarray(condition.values, float)[:, None],
            np.ones(len(x)),
        )


def expression_of(condition: Any) -> Any:
    """What must vanish on the points of a condition (for data: what is compared with them)."""
    if isinstance(condition, Observed):
        return condition.expression
    if isinstance(condition, (Initial, Dirichlet, Neumann, Robin, Condition)):
        return condition.residual
    raise TypeError(f"no residual for {condition!r}")
