"""The error of a trained solution without a reference: the linearised equation is solved for the correction.

If u solves F(u) = r with a small residual r, the error e = u_exact - u satisfies

    F'(u) e = -r,        the penalised conditions likewise,

to second order in e. It is solved by least squares in functions that the network cannot represent itself: the last
hidden layer times Chebyshev polynomials of the coordinates (sharp where the solution is), or a new layer of random waves
where the network is one of those or somebody else's. The size of the correction estimates the error; how much of the
residual the correction takes away says whether to believe it.

Where it takes away too little because the data are noisy, the covariance of the fit tells. Where it does in many dimensions or
at singular corners, the training itself is asked: with u_s the state that had
the residual s and u_T the one returned, with T < s, an error proportional to the residual is

    |u_T - u| = |u_s - u_T| T / (s - T).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._precision import float64
from ..nn import MLP, RandomFeatures
from ..solution import Estimate
from ._collocation import ResidualAdaptive
from ._objective import Batch, make_objective
from ._problem import Problem
from ._uncertainty import field_errors

MOST_FUNCTIONS = 900
MOST_DEGREE = 10


def estimate(
    problem: Problem, params: Any, weights: dict[str, float], earlier: Sequence[tuple[float, Any]] = ()
) -> Estimate:
    """An `Estimate` of the error at `params`. `earlier`: parameters on the way there, with their residuals."""
    with float64():
        params = jax.tree.map(jnp.asarray, params)
        found = _linearised(problem, params, weights)
        if found.value is not None:
            return found
        noisy = field_errors(problem, params, jnp.asarray(problem.sample(2048, key=60_019)["interior"].x))
        if noisy is not None:
            return Estimate(max(noisy.values()), noisy, "from the noise of the data and the step that is left to the best fit")
        return _from_training(problem, params, earlier, found) if earlier else found


def _from_training(problem: Problem, params: Any, earlier: Sequence[tuple[float, Any]], failed: Estimate) -> Estimate:
    """From `earlier`, the last of which is how large the residual was at the end."""
    now = earlier[-1][0]
    worse = [(residual, old) for residual, old in earlier if residual > 1.5 * now]
    if not worse:
        return failed
    x = jnp.asarray(problem.sample(4096, key=60_019)["interior"].x)
    fields = jax.jit(problem.fields_at)
    residual, old = worse[-1]
    last, before = (np.asarray(fields(p, x)) for p in (params, jax.tree.map(jnp.asarray, old)))
    size = np.linalg.norm(last, axis=0)
    moved = np.linalg.norm(last - before, axis=0) / np.where(size > 0, size, 1.0)
    by_field = dict(zip(problem.fields, (moved * now / (residual - now)).tolist(), strict=True))
    return Estimate(
        float(max(by_field.values())),
        by_field,
        f"from how far it moved while the residual fell from {residual:.1e} to {now:.1e}; rough",
    )


def _linearised(problem: Problem, params: Any, weights: dict[str, float]) -> Estimate:
    network = problem.network.network(params["network"])
    d, m = len(problem.pde.coordinates), len(problem.pde.fields)
    basis, constants, count = _basis(network, d, m, problem)
    corrected = replace(problem, trial=replace(problem.trial, network=_Corrected(problem, basis)))  # pyright: ignore
    unknowns = params["unknowns"]
    trained = {"correction": jnp.zeros((count, m)), "unknowns": unknowns}
    objective, p = make_objective(
        corrected,
        trained,
        join=_joined,
    )
    extra = {"network": params["network"], "basis": constants}
    equations = max(1, sum(b.kind == "equation" for b in problem.blocks))
    n = int(4 * count * m / equations)
    residuals = jax.jit(lambda params, points: problem._residuals(params, points))
    # Conditions are held firmly: the correction must not leave them to gain in the equation.
    scaled = {b.name: jnp.asarray(weights[b.name] * (1.0 if b.kind == "equation" else 10.0)) for b in problem.blocks}

    def drawn(seed: int, n: int) -> Batch:
        points = ResidualAdaptive(unbiased=True).again(
            problem, n, key=seed, residuals=lambda q: residuals(params, jax.tree.map(jnp.asarray, q))
        )
        return Batch(jax.tree.map(jnp.asarray, points), scaled, extra)

    jacobian = jax.jit(objective.jacobian)
    r, J = jacobian(p, drawn(60_013, n))
    held_out, J_held_out = jacobian(p, drawn(60_017, n // 2))
    q, left = _regularised(np.asarray(r), np.asarray(J), np.asarray(held_out), np.asarray(J_held_out))
    q = p + jnp.asarray(q)
    x = jnp.asarray(problem.sample(4096, key=60_019)["interior"].x)
    fields = jax.jit(
        lambda p, extra, x: jax.vmap(lambda x: corrected.trial(_joined(objective.unravel(p), extra)["network"], x))(x)
    )
    old, new = np.asarray(fields(p, extra, x)), np.asarray(fields(q, extra, x))
    if not np.all(np.isfinite(new)):
        return Estimate(None, {}, "the equation for the correction could not be solved")
    size = np.linalg.norm(old, axis=0)
    relative = np.linalg.norm(new - old, axis=0) / np.where(size > 0, size, 1.0)
    if left > 0.9:
        return Estimate(
            None,
            {},
            f"the correction leaves {100 * left:.0f} % of the residual, so it says little about the error. Train longer, "
            "or compare with another network",
        )
    # What the correction leaves of the residual can hide as much error again.
    relative = np.maximum(relative * (1 + left), 1e-15)
    by_field = dict(zip(problem.fields, relative.tolist(), strict=True))
    return Estimate(
        float(max(by_field.values())),
        by_field,
        f"from the linearised equation; the correction takes away {100 * (1 - left):.0f} % of the residual",
    )


def _regularised(
    r: np.ndarray, J: np.ndarray, held_out: np.ndarray, J_held_out: np.ndarray
) -> tuple[np.ndarray, float]:
    """The correction, and which part of the residual it leaves on points that were held out.

    Truncated least squares, with the truncation that leaves least on those points.
    """
    norms = np.linalg.norm(J, axis=0)
    norms = np.where(norms > 0, norms, 1.0)
    Q, R = np.linalg.qr(J / norms)
    u, s, vt = np.linalg.svd(R)
    projected, basis = u.T @ (Q.T @ r), vt.T / norms[:, None]
    seen = J_held_out @ basis
    before = float(np.linalg.norm(held_out)) or 1.0
    tried = []
    for cutoff in np.logspace(-1, -13, 25):
        z = projected * s / (s**2 + (cutoff * s[0]) ** 2)
        left = float(np.linalg.norm(held_out - seen @ z)) / before
        if np.isfinite(left):
            tried.append((left, z))
    best = min((left for left, _ in tried), default=1.0)
    if best >= 1:
        return np.zeros(J.shape[1]), 1.0
    # The smoothest correction that takes away nine tenths of what the best one does: beyond, noise is fitted.
    left, z = next((left, z) for left, z in tried if 1 - left >= 0.9 * (1 - best))
    return -basis @ z, left


def _joined(trained: Any, extra: Any) -> Any:
    return {
        "network": {"base": extra["network"], "basis": extra["basis"], "correction": trained["correction"]},
        "unknowns": trained["unknowns"],
    }


class _Corrected:
    """The network plus a linear combination of the basis."""

    def __init__(self, problem: Problem, basis: Any):
        self.base, self.basis = problem.network, basis

    def apply(self, params: Any, z: Any) -> Any:
        functions = self.basis(params["base"], params["basis"], z)
        return self.base.apply(params["base"], z) + functions @ params["correction"]


def _basis(network: Any, d: int, m: int, problem: Problem) -> tuple[Any, Any, int]:
    """The functions of the correction, (parameters, constants, z) -> (count,), their constants, and their number."""
    most = MOST_FUNCTIONS // m if m > 1 else MOST_FUNCTIONS
    if isinstance(network, MLP):
        inputs, width = network.in_size, network.width
        degree = 0
        while degree < MOST_DEGREE and len(_exponents(inputs, degree + 1)) * (width + 1) <= most:
            degree += 1
        exponents = np.array(_exponents(inputs, degree))

        def products(params: Any, constants: Any, z: Any) -> Any:
            trained = problem.network.network(params)
            h = z
            for layer in trained.layers[:-1]:
                h = trained.activation(layer(h))
            powers = [jnp.ones_like(z), z]
            for _ in range(2, degree + 1):
                powers.append(2 * z * powers[-1] - powers[-2])
            table = jnp.stack(powers[: degree + 1])
            polynomials = jnp.prod(table[exponents, np.arange(inputs)], axis=1)
            return (jnp.concatenate([jnp.ones(1, h.dtype), h])[:, None] * polynomials).ravel()

        return products, None, len(exponents) * (width + 1)
    scale: Any = tuple(1.3 * s for s in network.scale) if isinstance(network, RandomFeatures) else 6.0
    periodic = problem.trial.periodic if isinstance(network, RandomFeatures) else ()
    inputs = problem.network.in_size
    count = min(most, network.features) if isinstance(network, RandomFeatures) else most
    waves = RandomFeatures(inputs, m, features=count, scale=scale, periodic=periodic, key=4243).waves.value
    return (lambda params, constants, z: jnp.sin(constants[0] @ z + constants[1])), waves, count


def _exponents(dimension: int, degree: int) -> list[tuple[int, ...]]:
    """All multi-indices of total degree at most `degree`."""
    if dimension == 1:
        return [(k,) for k in range(degree + 1)]
    return [(k, *rest) for k in range(degree + 1) for rest in _exponents(dimension - 1, degree - k)]
