"""Whether a problem determines its answer, seen in the least-squares matrix that is there anyway.

With the waves' amplitudes a, let J a be what they change in the rows of equations and conditions (in natural sizes) and V a in
the values of the fields. Functions that can be added to a solution without a trace are those with

    |J a| << |V a| = 1,

generalised singular values of (J, V). Of all a only those count that the waves represent with moderate amplitudes: singular
values of V below `tolerance` are left out. A function in the null space is represented the better the lower the tolerance is,
and its singular value falls with it; that of any other function stays where the operator has it.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._constants import anchored
from ._objective import Batch

COLUMNS = 500  # of the matrices: as many as the smallest layer has
LOOSE, TIGHT = 1e-6, 1e-9  # two tolerances
FALLS = 0.1  # a singular value that falls by so much between them ...
SMALL = 1e-2  # ... and is so small belongs to the null space
ROUNDING = 1e-8  # ... as do those that are represented exactly
APART = 30.0  # the rest begins so much higher, or there is no telling where it begins
MOST = 30


def null_space(fit: Any, waves: Any, amplitudes: Any) -> tuple[str, ...]:
    """The sentence on functions that the problem leaves open at these amplitudes, if there are any."""
    problem = anchored(fit.problem)
    m = len(problem.pde.fields)
    used = min(fit.features, COLUMNS // m) * m  # amplitudes are stored wave by wave
    x = jnp.asarray(problem.sample(int(1.5 * used / m) + 50, key=fit.seed + 2)["interior"].x)

    @jax.jit
    def slopes(p: Any, x: Any, waves: Any) -> Any:
        def values(p: Any, x: Any) -> Any:
            network = (*waves, fit.objective.unravel(p))
            return problem.trial(network, x) / jnp.asarray(problem.trial.scales)

        return jax.vmap(lambda x: jax.jacrev(values)(p, x))(x)

    _, J = jax.jit(fit.objective.jacobian)(amplitudes, Batch(fit.points, fit.weights, waves))
    V = np.asarray(slopes(amplitudes, x, waves))[..., :used].swapaxes(0, 1).reshape(m * len(x), used)
    J, V = np.asarray(J)[:, :used], V / np.sqrt(len(x))
    if not (np.all(np.isfinite(J)) and np.all(np.isfinite(V))):
        return ()
    found = left_open(J, V)
    if found is None:
        return ()
    functions, several, change = found
    size = np.sqrt(np.mean(functions.reshape(m, len(x), -1) ** 2, axis=(1, 2)))
    names = [name for name, s in zip(problem.fields, size, strict=True) if s > 0.03 * size.max()]
    parts = {part: name for name, both in problem.original.real_parts.items() for part in both}
    names = list(dict.fromkeys(parts.get(name, name) for name in names))
    n = functions.shape[1]
    many = "many functions" if several else "a function" if n == 1 else f"{n} functions"
    return (
        f"The problem does not determine {', '.join(names)}: {many} can be added without changing an equation or a condition "
        f"by more than {change:.0e} of its natural size. A condition is missing, or the equation resonates in this domain. "
        "What is returned is one of many solutions, if there is any.",
    )


def left_open(J: np.ndarray, V: np.ndarray) -> tuple[np.ndarray, bool, float]| None:
    """(values of functions of the null space of (J, V), whether where it ends is not clear, the largest |J a|)."""
    norms = np.linalg.norm(V, axis=0)
    norms = np.where(norms > 0, norms, 1.0)
    u, s, w = np.linalg.svd(V / norms, full_matrices=False)

    def spectrum(tolerance: float) -> tuple[np.ndarray, np.ndarray]:
        kept = s > tolerance * s[0]
        _, values, v = np.linalg.svd((J / norms) @ (w[kept].T / s[kept]), full_matrices=False)
        return values[::-1], u[:, kept] @ v[::-1].T

    loose, (tight, functions) = spectrum(LOOSE)[0], spectrum(TIGHT)
    count = 0
    while count < min(MOST, len(loose)) and tight[count] < max(min(FALLS * loose[count], SMALL), ROUNDING):
        count += 1
    if count == 0:
        return None
    several = count >= MOST or count >= len(tight) or tight[count] < APART * max(tight[count - 1], ROUNDING)
    return functions[:, :count], several, float(tight[count - 1])
