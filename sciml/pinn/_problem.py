"""A compiled problem: residuals and loss as pure functions of parameters and points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from .._precision import check_precision, computing_in, float64, in_float64, is_traced, require_float64, to_numpy
from ..derivatives import Laplacian, terms_of
from ..derivatives import check as check_derivatives
from ..geometry import Domain
from ..nn import MLP, Adapted, Embedded, Harmonics, RandomFeatures, adapt
from ..pde import PDE, Initial, Observed, Periodic, derivatives_of
from ..statement import (
    check_size,
    doubtful_interfaces,
    placed,
    read_flow,
    refuse_interfaces,
    resolve_domain,
    said_before,
    validate,
    with_outlets,
    with_values,
)
from ._corners import damped
from ._exact import Exactness, decide
from ._frequencies import carriers
from ._groups import Block, Group, Place, Points, expression_of, make_group
from ._local import local_size
from ._scales import equation_scale, field_scales
from ._trial import Trial, exact_part, input_size

INTERIOR = "interior"
CONDITION_WEIGHT = 10.0
# Data pull less than equations: where they are noisy the equations decide, and the estimate comes close to maximum
# likelihood under exact equations.
DATA_WEIGHT = 0.1
DEFAULT_WEIGHTS = {"equation": 1.0, "condition": CONDITION_WEIGHT, "data": DATA_WEIGHT}


@dataclass(frozen=True, eq=False)
class Problem:
    """Equations, place and network as one least-squares problem. Made by `pinn.compile`.

    Every equation and every penalised condition is a *block*; its rows are

        r_i sqrt(weight_block q_i / n) / scale_block,       q_i the quadrature weight of point i (mean one),

    so that the loss is the sum over blocks of weight x mean(q r^2) / scale^2; the scale of an equation whose coefficients go
    over decades is one for each point (`Block.local`). All functions are pure and go through
    `jit`, `grad`, `vmap` and `scan`; inside these, and not with concrete numbers, JAX must compute in float64
    (`with sciml.float64():` around the outermost one).

    **Attributes:** `pde` (in real fields), `domain`, `trial`, `groups`, `blocks`, `exactness`, `weights` (of the
    blocks), `params` (at the start: `{"network": ..., "unknowns": {...}}`).
    """

    original: PDE
    pde: PDE
    domain: Domain
    trial: Trial
    groups: tuple[Group, ...]
    exactness: Exactness
    params: Any
    weights: dict[str, float]
    precision: Any = np.dtype(np.float64)
    notes: tuple[str, ...] = ()  # what is doubtful about the statement
    fluxes: tuple[Any, ...] = ()  # those that jump, where the equations of `pde` hold on either side (see local/_fluxes)

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(u.field_name for u in self.pde.fields)

    @property
    def blocks(self) -> tuple[Block, ...]:
        return tuple(b for g in self.groups for b in g.blocks)

    @property
    def learns(self) -> bool:
        """Whether there are data or unknown parameters."""
        return bool(self.pde.parameters) or any(b.kind == "data" for b in self.blocks)

    @property
    def network(self) -> Adapted:
        return self.trial.network

    def sample(self, n: int | Mapping[str, int] = 2048, *, key: Any = 0) -> dict[str, Points]:
        """Fresh points for every group, as NumPy float64.

        **Arguments:** `n`, the number in the interior; every other group gets an eighth of it, half of it in
        more than three dimensions (data are as they are). Or
        one number for each group by name. `key`, a whole number or a JAX key.
        """
        counts = dict(n) if isinstance(n, Mapping) else {INTERIOR: int(n)}
        unknown = set(counts) - {g.name for g in self.groups}
        if unknown:
            raise ValueError(
                f"sample: there is no group {', '.join(sorted(unknown))}; the groups are "
                f"{', '.join(g.name for g in self.groups)}."
            )
        # In many dimensions the boundary is most of the domain.
        share = 8 if len(self.pde.space) <= 3 else 2
        other = max(32, counts.get(INTERIOR, 2048) // share)
        return {
            g.name: g.draw(g.fixed or counts.get(g.name, other), key=_fold(key, i)) for i, g in enumerate(self.groups)
        }

    def unknowns(self, params: PyTree) -> dict[str, Any]:
        """The unknown parameters of the equations in physical units.

        A positive one is initial x exp(raw); any other is initial + |initial| raw.
        """
        values = {}
        for p in self.pde.parameters:
            raw = params["unknowns"][p.name]
            size = abs(p.initial) or 1.0
            values[p.name] = p.initial * jnp.exp(raw) if p.is_positive else p.initial + size * raw
        return values

    def residuals(self, params: PyTree, points: Mapping[str, Points]) -> dict[str, Float[Array, " n"]]:
        """The residual of every block at its points `(n,)`, in the units of the equation."""
        found = self._boundary("problem.residuals", self._residuals, params, points)
        return {b.name: found[b.name] for b in self.blocks}

    def rows(
        self, params: PyTree, points: Mapping[str, Points], weights: Mapping[str, Any] | None = None
    ) -> Float[Array, " rows"]:
        """All rows of the least-squares problem; the loss is the sum of their squares."""
        return self._boundary("problem.rows", self._rows, params, points, weights)

    def loss(
        self, params: PyTree, points: Mapping[str, Points], weights: Mapping[str, Any] | None = None
    ) -> Float[Array, ""]:
        """The sum over blocks of weight x mean(q r^2) / scale^2."""
        return self._boundary("problem.loss", self._loss, params, points, weights)

    def fields_at(self, params: PyTree, x: Float[Array, "n d"]) -> Float[Array, "n fields"]:
        """The fields at points in the order of `pde.coordinates`."""
        return jax.vmap(lambda x: self.trial(params["network"], x))(x)

    def with_network(self, network: Any, *, key: Any = 0) -> Problem:
        """The same problem with another network."""
        trial, params = _trial(self.pde, self.domain, self.exactness, self.trial.scales, network, key)
        return replace(self, trial=trial, params=params)

    def _boundary(self, name: str, function: Callable[..., Any], *args: Any) -> Any:
        if is_traced(*args):
            if self.precision == np.float64:
                require_float64(name)
            return function(*args)  # as a part of what the user compiles
        # Compiled once, unless the equation calls functions of the user's, which may look at what changes.
        program = jax.jit(function) if self.pde.functions else self._programs.setdefault(name, jax.jit(function))
        if in_float64() and self.precision == np.float64:
            return program(*args)
        with computing_in(self.precision):
            return to_numpy(program(*args))

    @cached_property
    def _programs(self) -> dict[str, Any]:
        return {}

    def _residuals(self, params: PyTree, points: Mapping[str, Points]) -> dict[str, Any]:
        missing = [g.name for g in self.groups if g.name not in points]
        if missing:
            raise ValueError(
                f"No points for {', '.join(missing)}; expected what problem.sample() returns, with the groups "
                f"{', '.join(g.name for g in self.groups)}."
            )
        found = {}
        for g in self.groups:
            given = jax.tree.map(jnp.asarray, points[g.name])
            for block, r in zip(g.blocks, self.group_residuals(g, params, given), strict=True):
                found[block.name] = r
        return found

    def group_residuals(self, group: Group, params: PyTree, points: Points) -> list[Float[Array, " n"]]:
        """The residuals of one group's blocks, in physical units."""
        trial = lambda x: self.trial(params["network"], x)  # noqa: E731
        return group.residuals(trial, self.unknowns(params), points, self.fields)

    def row_factor(self, block: Block, points: Points, weights: Mapping[str, Any]) -> Float[Array, " n"]:
        """What a residual is multiplied with to become a row: sqrt(weight q / n) / natural size, damped near corners where
        prescribed values contradict each other."""
        quadrature = jnp.asarray(points.weight)
        factor = jnp.sqrt(weights[block.name] * quadrature / quadrature.shape[0]) / block.size(points)
        return factor * damped(jnp.asarray(points.damping), block.order)

    def _rows(self, params: PyTree, points: Mapping[str, Points], weights: Mapping[str, Any] | None = None) -> Any:
        weights = self.weights if weights is None else weights
        residuals = self._residuals(params, points)
        rows = [residuals[b.name] * self.row_factor(b, points[g.name], weights) for g in self.groups for b in g.blocks]
        return jnp.concatenate(rows)

    def _loss(self, params: PyTree, points: Mapping[str, Points], weights: Mapping[str, Any] | None = None) -> Any:
        return jnp.sum(self._rows(params, points, weights) ** 2)


def compile(
    pde: PDE,
    domain: Any,
    network: Any = None,
    *,
    exact: bool = True,
    weights: Mapping[str, float] | None = None,
    precision: Any = np.float64,
    key: Any = 0,
) -> Problem:
    """Puts equations, place and network together, after checking that they belong together.

    **Arguments:**

    - `pde`, `domain`: as for `solve`.
    - `network`: anything that `sciml.nn.adapt` accepts, with as many inputs as there are coordinates (one more for each
        periodic one, which enters as cos and sin) and as many outputs as there are fields. By default an `MLP`.
    - `exact`: whether conditions are built into the trial function where they are compatible.
    - `weights`: of equations and penalised conditions, by name; by default 1 for equations, 10 for conditions and 0.1
        for data.
    - `precision`: `numpy.float32` compiles for 32 bits: about twice as fast on a CPU and more on a GPU, but residuals stop
        falling near 1e-4 of their natural size, and quasi-Newton methods stall there.

    **Returns** a `Problem`. **Raises** `ValueError` or `TypeError` that says what does not fit.

    >>> import jax, sciml
    >>> from sciml import Box, Dirichlet, PDE, coordinates, field, pinn
    >>> x = coordinates("x")
    >>> u = field("u", x)
    >>> problem = pinn.compile(PDE(u.xx + 1, Dirichlet(u, 0)), Box(x=(0, 1)))
    >>> points = problem.sample(64)
    >>> {name: r.shape for name, r in problem.residuals(problem.params, points).items()}
    {'equation': (64,)}
    >>> with sciml.float64():
    ...     gradient = jax.jit(jax.grad(problem.loss))(problem.params, points)
    """
    return compile_beside(pde, (), domain, network, exact=exact, weights=weights, precision=precision, key=key)


def compile_beside(
    pde: PDE,
    fluxes: tuple[Any, ...],
    domain: Any,
    network: Any,
    *,
    exact: bool,
    weights: Mapping[str, float] | None,
    precision: Any,
    key: Any,
) -> Problem:
    """`compile`, where the equations hold on either side of the jumps of `fluxes`."""
    precision = check_precision(precision)
    resolved = resolve_domain(pde, domain)
    pde = placed(pde, resolved)
    pde, added = with_outlets(pde, resolved, read_flow(pde))
    refuse_interfaces(pde, resolved)
    doubts = () if fluxes else doubtful_interfaces(pde, resolved)
    notes = added + validate(pde, resolved) + doubts + said_before(pde, resolved)
    real = with_values(pde.real())
    with float64():
        exactness = decide(real, resolved, exact=exact)
        order = _columns(real, resolved)
        lengths = (resolved.upper - resolved.lower)[order] / 2
        sizes = field_scales(real, resolved, lengths)
        for name, size in sizes.items():
            check_size(name, size)
        scales = np.array([sizes[u.field_name] for u in real.fields])
        trial, params = _trial(real, resolved, exactness, scales, network, key)
        groups = _groups(real, resolved, exactness, sizes, lengths)
        block_weights = {b.name: DEFAULT_WEIGHTS[b.kind] for g in groups for b in g.blocks}
        unknown = set(weights or {}) - set(block_weights)
        if unknown:
            raise ValueError(
                f"weights: there is no penalised block {', '.join(map(repr, sorted(unknown)))}; the blocks are "
                f"{', '.join(map(repr, block_weights))}. Conditions that hold exactly have no weight."
            )
        block_weights |= {k: float(v) for k, v in (weights or {}).items()}
        params = jax.tree.map(lambda a: np.asarray(a, precision), params)
        problem = Problem(pde, real, resolved, trial, groups, exactness, params, block_weights, precision, notes, fluxes)
        _check_network(problem)
    return problem


def _trial(
    pde: PDE, domain: Domain, exactness: Exactness, scales: np.ndarray, network: Any, key: Any
) -> tuple[Trial, Any]:
    order = _columns(pde, domain)
    low, high = domain.lower[order], domain.upper[order]
    angles = bool(getattr(network, "angles", False))
    inputs = input_size(len(order), exactness.periodic, angles)
    if network is None:
        network = _default_network(pde, domain, exactness, inputs, key)
    elif isinstance(network, RandomFeatures) and set(network.periodic) != set(exactness.periodic):
        raise ValueError(
            f"RandomFeatures was built with periodic={network.periodic}; the equation is periodic along the coordinates "
            f"{exactness.periodic}. Build it with periodic={exactness.periodic}."
        )
    adapted = (
        network if isinstance(network, Adapted) else adapt(network, inputs, len(pde.fields), key=key, dtype=jnp.float64)
    )
    missing = tuple(tuple(i for i, c in enumerate(pde.coordinates) if c not in u.coordinates) for u in pde.fields)
    trial = Trial(
        adapted,
        low,
        high,
        exactness.periodic,
        angles,
        tuple(c.name for c in pde.coordinates),
        scales,
        exact_part(pde, low, high, exactness),
        missing,
    )
    params = {"network": adapted.params, "unknowns": {p.name: jnp.zeros(()) for p in pde.parameters}}
    return trial, params


def _default_network(pde: PDE, domain: Domain, exactness: Exactness, inputs: int, key: Any) -> Any:
    """A small MLP, behind waves where what is prescribed oscillates."""
    waves, column = [], 0
    for axis, found in enumerate(carriers(pde, domain)):
        if axis in exactness.periodic:
            column += 2
            continue
        waves += [(column, omega) for omega in found if omega]
        column += 1
    sizes = default_size(pde)
    if not waves:
        return MLP(inputs, len(pde.fields), **sizes, key=key)
    harmonics = Harmonics(inputs, waves=waves)
    return Embedded(harmonics, MLP(harmonics.out_size, len(pde.fields), **sizes, key=key))


def default_size(pde: PDE) -> dict[str, Any]:
    """Width and depth of the default network: a quasi-Newton method wants few parameters, several fields a few more."""
    return {"width": 20 if len(pde.fields) == 1 and len(pde.coordinates) <= 2 else 30, "depth": 3}


def _groups(
    pde: PDE, domain: Domain, exactness: Exactness, sizes: dict[str, float], lengths: np.ndarray
) -> tuple[Group, ...]:
    middle = (domain.lower + domain.upper)[_columns(pde, domain)] / 2
    corners = tuple(
        tuple((axis, float((v - middle[axis]) / lengths[axis])) for axis, v in corner) for corner in exactness.corners
    )
    place = Place(pde, domain, lengths, corners)
    scale = lambda e: equation_scale(pde, domain, e, sizes, lengths)  # noqa: E731
    equations = []
    for e in pde.equations:
        local = local_size(pde, domain, e.expression, sizes, lengths)
        size = equation_scale(pde, domain, e.expression, sizes, lengths, local)
        equations.append(Block(e.name, e.expression, size, "equation", _order(pde, e.expression), local))
    groups = [make_group(INTERIOR, equations, pde, place.interior, None)]
    together: dict[Any, list[Any]] = {}
    for condition in pde.conditions:
        if condition.name in exactness.exact or isinstance(condition, Periodic):
            continue
        key = (
            "initial"
            if isinstance(condition, Initial)
            else condition.name
            if isinstance(condition, Observed) or not isinstance(condition.on, (str, type(None)))
            else ("on", condition.on)
        )
        together.setdefault(key, []).append(condition)
    for conditions in together.values():
        first = conditions[0]
        kind = "data" if isinstance(first, Observed) else "condition"
        blocks = [Block(c.name, expression_of(c), scale(expression_of(c)), kind) for c in conditions]
        fixed: int | None = None
        if isinstance(first, Observed):
            data = place.observed(first)
            draw, fixed = (lambda n, *, key, data=data: data), len(data.x)
        elif isinstance(first, Initial):
            draw = place.initial
        else:
            draw = place.boundary(first)
        groups.append(make_group(first.name, blocks, pde, draw, fixed))
    return tuple(groups)


def _order(pde: PDE, expression: Any) -> int:
    return max((sum(index) for _, index in derivatives_of(expression, pde.coordinates)), default=0)


def _check_network(problem: Problem) -> None:
    """Every requested derivative of the network, at one point, before anything is compiled."""
    trial = problem.trial
    x = jnp.asarray(problem.domain.sample(1, key=7)[0][_columns(problem.pde, problem.domain)])
    needed: dict[Any, set[int]] = {}
    for g in problem.groups:
        for name, index in g.lowered.derivatives:
            needed.setdefault(index, set()).add(problem.fields.index(name))
        for _, name, request in g.sums:
            # One by one: that a part of a sum vanishes cannot be seen from the sum.
            apart = (request,) if isinstance(request, Laplacian) else [i for _, i in terms_of(request, g.dimension)]
            for each in apart:
                needed.setdefault(each, set()).add(problem.fields.index(name))
    if needed and not trial.angles:
        check_derivatives(
            lambda x: trial.network.apply(problem.params["network"], trial.inputs(x)),
            {index: tuple(sorted(fields)) for index, fields in needed.items()},
            x,
        )


def _columns(pde: PDE, domain: Domain) -> list[int]:
    return [domain.names.index(c.name) for c in pde.coordinates]


def _fold(key: Any, i: int) -> Any:
    return key * 1000 + i if isinstance(key, (int, np.integer)) else jax.random.fold_in(key, i)
