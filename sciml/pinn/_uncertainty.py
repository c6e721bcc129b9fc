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

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

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


def field_errors(problem: Problem, params: Any, x: Any) -> np.ndarray | None:
    """The error of every field that noise in the data explains: the root mean square over the points `x` of the
    standard error that the covariance gives, and of the Gauss-Newton step that is left to the best fit. None without data, and
    where no noise can be seen in them."""
    if not any(b.kind == "data" for b in problem.blocks):
        return None
    objective, p = make_objective(problem, params)
    found = _likelihood(problem, params)
    if found.exact:
        return None
    u, s, v = np.linalg.svd(found.J, full_matrices=False)
    kept = s > CUT * s[0]
    # What is cut off has at least the standard deviation of what is just kept.
    s = np.maximum(s, CUT * s[0])
    at = jax.jit(lambda q: problem.fields_at(objective.unravel(q), x))
    # Each direction by how far it moves the fields, in units of its standard deviation.
    # A few at a time: all together are as many copies of the network's layers at all points.
    along = jax.jit(lambda d: jax.lax.map(lambda d: jax.jvp(at, (p,), (d,))[1], d, batch_size=32))
    moved = along(jnp.asarray(v / s[:, None]))
    spread = np.sqrt(np.mean(np.sum(np.asarray(moved) ** 2, axis=0), axis=0))
    steps = np.where(kept, u.T @ found.r, 0.0)
    left = np.sqrt(np.mean(np.tensordot(steps, np.asarray(moved), axes=(0, 0)) ** 2, axis=0))
    return np.hypot(spread, left)


@dataclass(frozen=True)
class _Likelihood:
    """`J`, `r`: rows in units of the noise. `data`: which of them are data. `natural`: what a row is multiplied with so that
    the squares of a block add up to its mean square in natural sizes. `stated`: whether the noise was, for all data."""

    J: np.ndarray
    r: np.ndarray
    data: np.ndarray
    natural: np.ndarray
    stated: bool

    @property
    def left(self) -> float:
        """What the equations and conditions leave, relative to their natural sizes."""
        return float(np.sqrt(np.sum((self.r * self.natural)[~self.data] ** 2)))

    @property
    def exact(self) -> bool:
        """Whether the data are met as well as the equations, and so have no noise that could be seen."""
        misfit = float(np.sqrt(np.sum((self.r * self.natural)[self.data] ** 2)))
        return not self.stated and misfit < EXACT and misfit <= CANCEL * self.left


def _likelihood(problem: Problem, params: Any) -> _Likelihood:
    at = jax.jit(lambda q: problem._residuals(params, q))
    drawn = ResidualAdaptive(unbiased=True).again(problem, POINTS, key=80_021, residuals=at)
    points = jax.tree.map(jnp.asarray, drawn)
    residuals = at(points)
    observed = {c.name: c for c in problem.pde.conditions if isinstance(c, Observed)}
    count = sum(len(observed[b.name].values) for b in problem.blocks if b.kind == "data")
    size, where = {}, []
    for g in problem.groups:
        for b in g.blocks:
            q, n = np.asarray(points[g.name].weight), points[g.name].x.shape[0]
            size[b.name] = float(np.mean(q * np.asarray(residuals[b.name]) ** 2)) / b.scale**2
            where.append((b, n))
    left = sum(size[b.name] for b, _ in where if b.kind != "data")
    noise = {}
    for b, _ in where:
        if b.kind == "data":
            given = observed[b.name].noise
            noise[b.name] = left + (size[b.name] if given is None else float(np.mean(np.asarray(given) ** 2)) / b.scale**2)
            noise[b.name] = max(noise[b.name], np.finfo(float).eps ** 2)
    firm = KAPPA * count / min(noise.values())
    weights = {b.name: n / noise[b.name] if b.kind == "data" else firm for b, n in where}
    J, r, data = reduced_rows(problem, params, points, weights)
    natural = np.full(len(r), 1 / np.sqrt(firm))
    natural[data] = np.concatenate([np.full(n, 1 / np.sqrt(weights[b.name])) for b, n in where if b.kind == "data"])
    return _Likelihood(
        J,
        r,
        data,
        natural,
        all(observed[b.name].noise is not None for b, _ in where if b.kind == "data"),
    )


def _standard_errors(
    problem: Problem, params: Any, values: dict[str, float]
) -> tuple[dict[str, float], str, tuple[str, ...]]:
    if not any(b.kind == "data" for b in problem.blocks):
        return {}, "no data, so no standard error", ()
    found = _likelihood(problem, params)
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
    return _from_columns(names, np.array(unit), raw, raw - u @ (u.T @ raw), found)


def _from_columns(
    names: list[str], unit: np.ndarray, raw: np.ndarray, C: np.ndarray, found: _Likelihood
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
    cancel = change <= CANCEL * min(found.left, LEFT) * (np.abs(v) @ sizes)
    free = cancel | (seen <= FAINT * missed) | (seen <= CUT * np.max(seen))
    covariance = (v[~free].T / s[~free] ** 2) @ v[~free]
    lost = np.linalg.norm(v[free], axis=0) > SHARE
    errors = {
        name: float(np.inf if gone else np.sqrt(covariance[i, i]) * unit[i])
        for i, (name, gone) in enumerate(zip(names, lost, strict=True))
    }
    noise = "stated noise" if found.stated else "noise estimated from the misfit"
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
