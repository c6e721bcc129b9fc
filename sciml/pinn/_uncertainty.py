"""Standard errors of learned parameters, from the noise of the data; and which parameters the data do not determine.

With r_d the data residuals and r_e those of equations and conditions, the estimate is the maximum of the likelihood under
the constraint r_e = 0. With Jacobians J with respect to the network's parameters and C with respect to the unknowns, the
information about the unknowns is, to first order,

    I = S^T S,   S = (C_d + J_d D) / sigma,   D = argmin kappa |C_e + J_e D|^2 + |C_d + J_d D|^2,   kappa -> infinity:

S is what a change of the unknowns changes in the data once the network has followed it. sigma is the stated noise, or the
root mean square of the data residuals where none is stated, and what the equations leave. The covariance is the
inverse of I. A direction of the unknowns that moves the data by less than the network fails to follow is not determined: its
variance is infinite. (A pseudo-inverse would give it the variance zero.) Weights of the loss do not enter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from .._precision import float64
from ..pde import Observed
from ..solution import Parameter
from ._collocation import ResidualAdaptive
from ._objective import make_objective
from ._problem import Problem
from ._reduced import reduced_rows

KAPPA = 1e8
# More than the network has parameters, or it could absorb the data between the points.
POINTS = 8192
CUT = 1e-10  # relative singular values below it are rounding
CANCEL = 3.0  # times what the equations leave, see there
EXACT = 1e-4  # of their size: data that are met better than this may have no noise
MOST_PARAMETERS = 8192  # of a network: decompositions of larger matrices take minutes
DAMPINGS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)  # of the size of all rows
AT = 1024  # points of the domain where fields are asked for their error
FAINT = 0.03  # of what the network does not follow in the equations: less in the data is not seen
LEFT = 2e-3  # of their sizes: equations that hold less well than this say nothing about what the data determine
SHARE = 0.03  # of a parameter in a direction that is not determined, from which on it is not either


def learned_parameters(problem: Problem, params: Any) -> tuple[dict[str, Parameter], tuple[str, ...]]:
    """Every unknown with its value and standard error, and a sentence on those that the data do not determine."""
    if not problem.pde.parameters:
        return {}, ()
    with float64():
        params = jax.tree.map(jnp.asarray, params)
        values = {k: float(v) for k, v in problem.unknowns(params).items()}
        errors, noise, notes = _standard_errors(problem, params, values)
    return {name: Parameter(name, value, errors.get(name), noise) for name, value in values.items()}, notes


@dataclass(frozen=True)
class FieldErrors:
    """Root mean squares over the domain, one for every field: of its values, of the standard error that the covariance
    gives, and of the step that is `left` to the best fit. `share`: the square of what the equations leave, as a
    part of that of the data."""

    sizes: np.ndarray
    spread: np.ndarray
    left: np.ndarray
    share: float

    @property
    def prevails(self) -> bool:
        """Whether the data leave more than the equations."""
        return self.share < 1


def field_errors(problem: Problem, params: Any) -> FieldErrors | None:
    """The error of every field that noise in the data explains: the standard error that the covariance gives, and the
    Gauss-Newton step that is left to the best fit, with no more damping than it needs to be one towards it. None without data,
    where no noise can be seen in them, and for networks too large for it."""
    if not any(b.kind == "data" for b in problem.blocks) or problem.network.size > MOST_PARAMETERS:
        return None
    misfit = _misfit(problem, params)
    if misfit.exact:
        return None
    objective, p = make_objective(problem, params)
    found = _likelihood(problem, params, misfit)
    rows = np.column_stack([found.J, found.r])
    size = float(np.linalg.norm(found.J))
    # A direction that is not determined has at least the standard deviation of what is just determined.
    triangle = np.asarray(np.linalg.qr(np.concatenate([rows, CUT * size * np.eye(rows.shape[1])]), mode="r"))
    R, z = triangle[:-1, :-1], triangle[:-1, -1]

    def slopes(x: jax.Array) -> jax.Array:
        return jax.jacrev(lambda q: problem.fields_at(objective.unravel(q), x[None])[0])(p)

    @jax.jit
    def tried(q: jax.Array, points: Any, x: jax.Array) -> tuple[Any, Any]:
        return problem._residuals(objective.unravel(q), points), problem.fields_at(objective.unravel(q), x)

    x = jnp.asarray(problem.sample(AT, key=60_019)["interior"].x)
    moved = np.asarray(jax.jit(lambda x: jax.lax.map(slopes, x, batch_size=128))(x))
    moved = solve_triangular(R, moved.reshape(-1, len(R)).T, trans=1, check_finite=False).T.reshape(moved.shape)
    residuals, values = tried(p, misfit.points, x)
    before, left = found.of(_sizes(problem, misfit.points, residuals)), 0.0
    for step in _steps(R, z, size):
        residuals, there = tried(p - step, misfit.points, x)
        if found.of(_sizes(problem, misfit.points, residuals)) < before:
            left = rms(there - values)
            break
    return FieldErrors(
        rms(values),
        rms(np.linalg.norm(moved, axis=-1)),
        left + np.zeros(values.shape[1]),
        (misfit.left / max(misfit.of_data, 1e-300)) ** 2,
    )


def _steps(R: np.ndarray, z: np.ndarray, size: float) -> Iterator[np.ndarray]:
    """argmin |R s - z|^2 + (damping size)^2 |s|^2 with more and more damping."""
    yield solve_triangular(R, z, check_finite=False)
    G, g = R.T @ R, R.T @ z
    for damping in DAMPINGS:
        yield cho_solve(cho_factor(G + (damping * size) ** 2 * np.eye(len(R)), check_finite=False), g, check_finite=False)


def rms(values: Any) -> np.ndarray:
    return np.sqrt(np.mean(np.asarray(values) ** 2, axis=0))


@dataclass(frozen=True)
class _Misfit:
    """What is left at `points`: `size`, mean squares of the blocks by name, relative to their natural sizes. `given`: mean
    squares of the noise of data, alike, None where it is not stated."""

    points: dict[str, Any]
    size: dict[str, float]
    given: dict[str, float | None]

    @property
    def of_data(self) -> float:
        return float(np.sqrt(sum(self.size[name] for name in self.given)))

    @property
    def left(self) -> float:
        """What the equations and conditions leave."""
        return float(np.sqrt(sum(size for name, size in self.size.items() if name not in self.given)))

    @property
    def stated(self) -> bool:
        return None not in self.given.values()

    @property
    def exact(self) -> bool:
        """Whether the data are met as well as the equations, and so have no noise that could be seen."""
        return not self.stated and self.of_data < EXACT and self.of_data <= CANCEL * self.left


def _misfit(problem: Problem, params: Any) -> _Misfit:
    at = jax.jit(lambda q: problem._residuals(params, q))
    drawn = ResidualAdaptive(unbiased=True).again(problem, POINTS, key=80_021, residuals=at)
    points = jax.tree.map(jnp.asarray, drawn)
    noises = {c.name: c.noise for c in problem.pde.conditions if isinstance(c, Observed)}
    given = {}
    for b in problem.blocks:
        if b.kind == "data":
            noise = noises[b.name]
            given[b.name] = None if noise is None else float(np.mean(np.asarray(noise) ** 2)) / b.scale**2
    return _Misfit(points, _sizes(problem, points, at(points)), given)


def _sizes(problem: Problem, points: dict[str, Any], residuals: dict[str, Any]) -> dict[str, float]:
    """Mean squares of the blocks, relative to their natural sizes."""
    return {
        b.name: float(np.mean(np.asarray(points[g.name].weight * (residuals[b.name] / b.size(points[g.name])) ** 2)))
        for g in problem.groups
        for b in g.blocks
    }


@dataclass(frozen=True)
class _Likelihood:
    """`J`, `r`: rows in units of the noise. `data`: which of them are data. `natural`: what a row is multiplied with so that
    the squares of a block add up to its mean square in natural sizes; `weights` are what it is divided by."""

    J: np.ndarray
    r: np.ndarray
    data: np.ndarray
    natural: np.ndarray
    weights: dict[str, float]

    def of(self, size: dict[str, float]) -> float:
        """The sum of the squares of all rows where the blocks have these mean squares."""
        return sum(self.weights[name] * value for name, value in size.items())


def _likelihood(problem: Problem, params: Any, misfit: _Misfit) -> _Likelihood:
    rows = {b.name: misfit.points[g.name].x.shape[0] for g in problem.groups for b in g.blocks}
    data = [b.name for g in problem.groups for b in g.blocks if b.kind == "data"]
    noise = {}
    for name in data:
        given = misfit.given[name]
        noise[name] = misfit.left**2 + (misfit.size[name] if given is None else given)
        noise[name] = max(noise[name], np.finfo(float).eps ** 2)
    firm = KAPPA * sum(rows[name] for name in data) / min(noise.values())
    weights = {name: n / noise[name] if name in noise else firm for name, n in rows.items()}
    J, r, is_data = reduced_rows(problem, params, misfit.points, weights)
    natural = np.full(len(r), 1 / np.sqrt(firm))
    natural[is_data] = np.concatenate([np.full(rows[name], 1 / np.sqrt(weights[name])) for name in data])
    return _Likelihood(J, r, is_data, natural, weights)


def _standard_errors(
    problem: Problem, params: Any, values: dict[str, float]
) -> tuple[dict[str, float], str, tuple[str, ...]]:
    if not any(b.kind == "data" for b in problem.blocks):
        return {}, "no data, so no standard error", ()
    if problem.network.size > MOST_PARAMETERS:
        return {}, f"no standard error: the network has more than {MOST_PARAMETERS} parameters", ()
    misfit = _misfit(problem, params)
    found = _likelihood(problem, params, misfit)
    position = np.asarray(
        ravel_pytree(
            {
                "network": jax.tree.map(jnp.zeros_like, params["network"]),
                "unknowns": {k: jnp.asarray(i + 1.0) for i, k in enumerate(params["unknowns"])},
            }
        )[0]
    )
    names = list(params["unknowns"])
    unit, columns = [], []
    for k, name in enumerate(names):
        parameter = next(q for q in problem.pde.parameters if q.name == name)
        size = abs(parameter.initial) or 1.0
        slope = values[name] if parameter.is_positive else size
        # In units of its own size.
        unit.append(max(abs(values[name]), size))
        columns.append(found.J[:, int(np.flatnonzero(position == k + 1)[0])] * unit[-1] / slope)
    network = found.J[:, position == 0]
    scale = np.linalg.norm(network, axis=0)
    network = network[:, scale > 1e-12 * scale.max()] / scale[scale > 1e-12 * scale.max()]
    u, s, _ = np.linalg.svd(network, full_matrices=False)
    u = u[:, s > CUT * s[0]]
    raw = np.stack(columns, axis=1)
    return _from_columns(names, np.array(unit), raw, raw - u @ (u.T @ raw), found, misfit)


def _from_columns(
    names: list[str], unit: np.ndarray, raw: np.ndarray, C: np.ndarray, found: _Likelihood, misfit: _Misfit
) -> tuple[dict[str, float], str, tuple[str, ...]]:
    """From the changes of all rows with each unknown changed by its `unit`, as they are (`raw`) and after the network has
    followed (`C`)."""
    S = C[found.data]
    _, s, v = np.linalg.svd(S, full_matrices=True)
    s = np.concatenate([s, np.zeros(len(names) - len(s))])
    natural = (C @ v.T) * found.natural[:, None]
    seen = np.sqrt(np.sum(natural[found.data] ** 2, axis=0))
    missed = np.sqrt(np.sum(natural[~found.data] ** 2, axis=0))
    sizes, change = (np.sqrt(np.sum((c * found.natural[:, None])[~found.data] ** 2, axis=0)) for c in (raw, raw @ v.T))
    # Changes of the equations that cancel but for what the equations leave anyway are none; nor are changes of the data that
    # come from what the network could not follow.
    cancel = change <= CANCEL * min(misfit.left, LEFT) * (np.abs(v) @ sizes)
    free = cancel | (seen <= FAINT * missed) | (seen <= CUT * np.max(seen))
    covariance = (v[~free].T / s[~free] ** 2) @ v[~free]
    lost = np.linalg.norm(v[free], axis=0) > SHARE
    errors = {
        name: float(np.inf if gone else np.sqrt(covariance[i, i]) * unit[i])
        for i, (name, gone) in enumerate(zip(names, lost, strict=True))
    }
    noise = "stated noise" if misfit.stated else "noise estimated from the misfit"
    if not lost.any():
        return errors, noise, ()
    open_ = [name for name, gone in zip(names, lost, strict=True) if gone]
    told = f"{_listed(open_)} {'is' if len(open_) == 1 else 'are'} not determined by these data"
    # What is orthogonal to all that is free, among the parameters that are not determined.
    _, s, w = np.linalg.svd(v[free][:, lost])
    known = w[int(np.sum(s > SHARE)) :]
    for row in known:
        full = np.zeros(len(names))
        full[lost] = row / unit[lost]
        kept = np.abs(full * unit) > SHARE
        full = full / np.min(np.abs(full[kept])) * np.sign(full[kept][0])
        error = float(np.sqrt((full * unit) @ covariance @ (full * unit)))
        terms = [f"{abs(c):.3g} {name}" for c, name, k in zip(full, names, kept, strict=True) if k]
        signs = ["-" if c < 0 else "+" for c, k in zip(full, kept, strict=True) if k]
        told += f"; {terms[0]}" + "".join(f" {a} {b}" for a, b in zip(signs[1:], terms[1:], strict=True))
        told += f" is, to {error:.2g}"
    return errors, noise, (told + ".",)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
