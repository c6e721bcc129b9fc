"""Standard errors of learned parameters, from the noise of the data.

With r_d the data residuals and r_e those of equations and conditions, the estimate is the maximum of the likelihood under
the constraint r_e = 0. To first order its covariance is

    cov = sigma^2 [ (J_d^T J_d + kappa J_e^T J_e)^-1 ]  restricted to the unknowns,   kappa -> infinity,

with the Jacobians taken with respect to the network's parameters and the unknowns together. sigma is the stated noise, or
the root mean square of the data residuals where none is stated. Weights of the loss do not enter.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from .._precision import float64
from ..pde import Observed
from ..solution import Parameter
from ._collocation import ResidualAdaptive
from ._objective import Batch, make_objective
from ._problem import Problem

KAPPA = 1e6
# More than the network has parameters, or it could absorb the data between the points.
POINTS = 8192
CUT = 1e-10  # relative singular values below it are rounding


def learned_parameters(problem: Problem, params: Any) -> dict[str, Parameter]:
    """Every unknown with its value and standard error."""
    if not problem.pde.parameters:
        return {}
    with float64():
        params = jax.tree.map(jnp.asarray, params)
        values = {k: float(v) for k, v in problem.unknowns(params).items()}
        errors, noise = _standard_errors(problem, params)
    return {name: Parameter(name, value, errors.get(name), noise) for name, value in values.items()}


def field_errors(problem: Problem, params: Any, x: Any) -> np.ndarray | None:
    """The error of every field that noise in the data explains: the root mean square over the points `x` of the
    standard error that the covariance gives, and of the Gauss-Newton step that is left to the best fit. None without data."""
    if not any(b.kind == "data" for b in problem.blocks):
        return None
    objective, p = make_objective(problem, params)
    J, r, _ = _likelihood(problem, params)
    u, s, v = np.linalg.svd(J, full_matrices=False)
    kept = s > CUT * s[0]
    u, s, v = u[:, kept], s[kept], v[kept]
    at = jax.jit(lambda q: problem.fields_at(objective.unravel(q), x))
    # Each direction by how far it moves the fields, in units of its standard deviation.
    moved = jax.jit(jax.vmap(lambda d: jax.jvp(at, (p,), (d,))[1]))(jnp.asarray(v / s[:, None]))
    spread = np.sqrt(np.mean(np.sum(np.asarray(moved) ** 2, axis=0), axis=0))
    left = np.sqrt(np.mean(np.tensordot(u.T @ r, np.asarray(moved), axes=(0, 0)) ** 2, axis=0))
    return np.hypot(spread, left)


def _likelihood(problem: Problem, params: Any) -> tuple[np.ndarray, np.ndarray, bool]:
    """(Jacobian, residuals) in units of the noise, and whether that was stated for all data."""
    objective, p = make_objective(problem, params)
    data = [b for b in problem.blocks if b.kind == "data"]
    at = jax.jit(lambda q: problem._residuals(params, q))
    drawn = ResidualAdaptive(unbiased=True).again(problem, POINTS, key=80_021, residuals=at)
    points = jax.tree.map(jnp.asarray, drawn)
    residuals = at(points)
    observed = {c.name: c for c in problem.pde.conditions if isinstance(c, Observed)}
    weights, stated = {}, True
    for b in problem.blocks:
        group = next(g for g in problem.groups if b in g.blocks)
        n = points[group.name].x.shape[0]
        if b.kind != "data":
            # Rows of natural size count KAPPA times a data point of the noise's size.
            weights[b.name] = KAPPA * sum(len(observed[d.name].values) for d in data)
            continue
        noise = observed[b.name].noise
        if noise is None:
            stated = False
            variance = float(jnp.mean(residuals[b.name] ** 2))
        else:
            variance = float(np.mean(np.asarray(noise) ** 2))
        weights[b.name] = n * b.scale**2 / variance if variance > 0 else 0.0
    r, J = jax.jit(objective.jacobian)(p, Batch(points, weights))
    return np.asarray(J), np.asarray(r), stated


def _standard_errors(problem: Problem, params: Any) -> tuple[dict[str, float], str]:
    if not any(b.kind == "data" for b in problem.blocks):
        return {}, "no data, so no standard error"
    J, _, stated = _likelihood(problem, params)
    position = np.asarray(
        ravel_pytree(
            {
                "network": jax.tree.map(jnp.zeros_like, params["network"]),
                "unknowns": {k: jnp.asarray(i + 1.0) for i, k in enumerate(params["unknowns"])},
            }
        )[0]
    )
    errors = {}
    unknown = np.flatnonzero(position > 0)
    network = J[:, position == 0]
    # The unknowns' columns, orthogonal to all that the network can absorb.
    scale = np.linalg.norm(network, axis=0)
    network = network[:, scale > 1e-12 * scale.max()] / scale[scale > 1e-12 * scale.max()]
    u, s, _ = np.linalg.svd(network, full_matrices=False)
    u = u[:, s > CUT * s[0]]
    columns = J[:, unknown]
    columns = columns - u @ (u.T @ columns)
    covariance = np.linalg.pinv(columns.T @ columns)
    names = list(params["unknowns"])
    for column, index in enumerate(unknown):
        name = names[int(position[index]) - 1]
        parameter = next(q for q in problem.pde.parameters if q.name == name)
        raw = float(params["unknowns"][name])
        size = abs(parameter.initial) or 1.0
        slope = parameter.initial * np.exp(raw) if parameter.is_positive else size
        errors[name] = float(np.sqrt(covariance[column, column]) * abs(slope))
    return errors, "stated noise" if stated else "noise estimated from the misfit"
