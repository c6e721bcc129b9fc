"""The error of a trained solution without a reference: the linearised equation is solved for the correction.

If u solves F(u) = r with a small residual r, the error e = u_exact - u satisfies

    F'(u) e = -r,        the penalised conditions likewise,

to second order in e. It is solved by least squares in functions that the network cannot represent itself: the last
hidden layer times Chebyshev polynomials of the coordinates (sharp where the solution is), or a new layer of random waves
where the network is one of those or somebody else's. The size of the correction e estimates the error where it explains most
of the residual: if it leaves the part q behind, as much error again can hide there for each part that it took away, so the
estimate is |e| / (1 - q), and there is none for q > 1/2. (What is left is what these functions cannot represent: a kink, a
layer. At q = 0.8 true errors were 6 to 80 times |e|.)

Where the data are noisy, the covariance of the fit tells. Where the correction takes away too little in many dimensions or
at singular corners, the training itself is asked: with u_s the state that had
the residual s and u_T the one returned, with T < s, an error that falls as the residual to the power a is

    |u_T - u| = |u_s - u_T| T^a / (s^a - T^a),

with a = 1, or less where the states before say so.
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
from ._uncertainty import FieldErrors, field_errors, rms

MOST_FUNCTIONS = 900
MOST_DEGREE = 10
# A correction that leaves more of the residual is not believed.
MOST_LEFT = 0.5
# Training whose residual is above this has not found the solution, whichever way it moves.
HOPELESS = 0.3
# What the states say with a power below one must agree so much better than with one.
CLEARLY = 0.5
# A field below this part of its natural size, and no larger than its error, is zero.
NOTHING = 1e-3


def estimate(
    problem: Problem, params: Any, weights: dict[str, float], earlier: Sequence[tuple[float, Any]] = ()
) -> Estimate:
    """An `Estimate` of the error at `params`. `earlier`: parameters on the way there, with their residuals."""
    with float64():
        params = jax.tree.map(jnp.asarray, params)
        noise = field_errors(problem, params)
        found = _linearised(problem, params, weights, noise if noise and noise.prevails else None)
        if found.value is not None:
            return found
        if noise:
            reason = "from the noise of the data and the step that is left to the best fit"
            return told(problem, noise.sizes, np.hypot(noise.spread, noise.left), reason)
        return _from_training(problem, params, earlier, found) if earlier else found


def _from_training(problem: Problem, params: Any, earlier: Sequence[tuple[float, Any]], failed: Estimate) -> Estimate:
    """From `earlier`, the last of which is how large the residual was at the end."""
    now = earlier[-1][0]
    worse = [(residual, old) for residual, old in earlier if residual > 1.5 * now]
    if not worse:
        return failed
    if now > HOPELESS:
        return Estimate(None, {}, f"the residual is {now:.1e} of its natural size: the equations are not satisfied yet")
    x = jnp.asarray(problem.sample(4096, key=60_019)["interior"].x)
    fields = jax.jit(problem.fields_at)
    last = np.asarray(fields(params, x))
    # On its way from the residual s the state moved so far.
    ways = [
        (residual, rms(np.asarray(fields(jax.tree.map(jnp.asarray, old), x)) - last)) for residual, old in worse
    ]
    residual, moved = ways[-1]
    errors = np.array([_beyond([(s, way[i]) for s, way in ways], now) for i in range(len(moved))])
    # An error larger than the fields is about as large as the solution.
    sizes = np.maximum(rms(last), errors)
    return told(
        problem, sizes, errors, f"from how far it moved while the residual fell from {residual:.1e} to {now:.1e}; rough"
    )


def _beyond(ways: Sequence[tuple[float, float]], now: float) -> float:
    """How far it still is, if the error falls as the residual to a power: |u_s - u| - |u_T - u| = |u_s - u_T| for every s."""

    def left(power: float) -> np.ndarray:
        return np.array([way * now**power / (s**power - now**power) for s, way in ways])

    # The power for which all states before say the same; not above one, where an early start would promise too much. States
    # that wander (once trained, by more than their error) say nothing of it.
    powers = np.linspace(0.25, 1.0, 16)
    spreads = [float(np.std(np.log(np.maximum(left(a), 1e-300)))) for a in powers]
    best = int(np.argmin(spreads)) if len(ways) > 1 else -1
    power = powers[best] if spreads[best] < CLEARLY * spreads[-1] else 1.0
    return float(max(left(power)[-1], left(1.0)[-1]))


def told(problem: Problem, sizes: np.ndarray, errors: np.ndarray, reason: str) -> Estimate:
    """An `Estimate` from root mean square sizes and errors of the real fields: relative to the modulus of a complex field, and
    to the natural size of a field that is zero as far as can be seen."""
    names, parts = list(problem.fields), problem.original.real_parts
    by_field, about_zero = {}, []
    for u in problem.original.fields:
        mine = [names.index(name) for name in parts.get(u.field_name, (u.field_name,))]
        size, error = float(np.linalg.norm(sizes[mine])), float(np.linalg.norm(errors[mine]))
        natural = float(np.max(problem.trial.scales[mine]))
        if size <= NOTHING * natural and error > 0.3 * size:
            about_zero.append(u.field_name)
            size = natural
        by_field[u.field_name] = max(error / size, 1e-15) if size > 0 else float(error > 0)
    if about_zero:
        reason += f"; {', '.join(about_zero)}, which is about zero, relative to its natural size"
    return Estimate(float(max(by_field.values())), by_field, reason)


def _linearised(problem: Problem, params: Any, weights: dict[str, float], noise: FieldErrors | None) -> Estimate:
    """`noise`: of data that leave more than the equations. No correction takes it away, so that they weigh as little as it
    needs, and what is left is that of the equations and conditions; the error is that of both together."""
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
    firm = {"equation": 1.0, "data": noise.share if noise else 10.0}
    scaled = {b.name: jnp.asarray(weights[b.name] * firm.get(b.kind, 10.0)) for b in problem.blocks}

    def drawn(seed: int) -> Batch:
        points = ResidualAdaptive(unbiased=True).again(
            problem, n, key=seed, residuals=lambda q: residuals(params, jax.tree.map(jnp.asarray, q))
        )
        return Batch(jax.tree.map(jnp.asarray, points), scaled, extra)

    jacobian = jax.jit(objective.jacobian)
    # As many points are held out, so that both are one program: compiling takes most of the time.
    r, J = jacobian(p, drawn(60_013))
    batch = drawn(60_017)
    held_out, J_held_out = jacobian(p, batch)
    if noise:
        seen = [np.full(len(batch.points[g.name].x), b.kind != "data") for g in problem.groups for b in g.blocks]
        held_out, J_held_out = held_out[np.concatenate(seen)], J_held_out[np.concatenate(seen)]
    q, left = _regularised(np.asarray(r), np.asarray(J), np.asarray(held_out), np.asarray(J_held_out))
    q = p + jnp.asarray(q)
    x = jnp.asarray(problem.sample(4096, key=60_019)["interior"].x)
    fields = jax.jit(
        lambda p, extra, x: jax.vmap(lambda x: corrected.trial(_joined(objective.unravel(p), extra)["network"], x))(x)
    )
    old, new = np.asarray(fields(p, extra, x)), np.asarray(fields(q, extra, x))
    if not np.all(np.isfinite(new)):
        return Estimate(None, {}, "the equation for the correction could not be solved")
    if left > MOST_LEFT:
        return Estimate(
            None,
            {},
            f"the correction leaves {100 * left:.0f} % of the residual, so it says little about the error; compare with "
            "another network or method",
        )
    reason = "from the noise of the data and the linearised equation" if noise else "from the linearised equation"
    return told(
        problem,
        np.maximum(rms(old), rms(new)),  # the corrected fields are those of the solution
        np.hypot(rms(new - old) / (1 - left), noise.spread if noise else 0.0),
        f"{reason}; the correction takes away {100 * (1 - left):.0f} % of the residual",
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
    around = network.around if isinstance(network, RandomFeatures) else ()
    waves = RandomFeatures(inputs, m, features=most, scale=scale, periodic=periodic, around=around, key=4243).waves.value
    return (lambda params, constants, z: jnp.sin(constants[0] @ z + constants[1])), waves, most


def _exponents(dimension: int, degree: int) -> list[tuple[int, ...]]:
    """All multi-indices of total degree at most `degree`."""
    if dimension == 1:
        return [(k,) for k in range(degree + 1)]
    return [(k, *rest) for k in range(degree + 1) for rest in _exponents(dimension - 1, degree - k)]
