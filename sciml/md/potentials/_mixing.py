"""Rules for pairs of unlike atoms: from the parameters of each species to symmetric tables `(species, species)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

Rule = Callable[[Any, Any], tuple[Any, Any]]


def lorentz_berthelot(epsilon: Any, sigma: Any) -> tuple[Any, Any]:
    """epsilon_ij = sqrt(epsilon_i epsilon_j), sigma_ij = (sigma_i + sigma_j) / 2 (Lorentz 1881, Berthelot 1898); LAMMPS's
    `mix arithmetic`. `epsilon` and `sigma` `(species,)`.

    >>> lorentz_berthelot([1.0, 4.0], [3.0, 4.0])[1].tolist()
    [[3.0, 3.5], [3.5, 4.0]]
    """
    e, s = _columns(epsilon, sigma)
    return jnp.sqrt(e[:, None] * e), (s[:, None] + s) / 2


def geometric(epsilon: Any, sigma: Any) -> tuple[Any, Any]:
    """epsilon_ij = sqrt(epsilon_i epsilon_j), sigma_ij = sqrt(sigma_i sigma_j); LAMMPS's `mix geometric`."""
    e, s = _columns(epsilon, sigma)
    return jnp.sqrt(e[:, None] * e), jnp.sqrt(s[:, None] * s)


def waldman_hagler(epsilon: Any, sigma: Any) -> tuple[Any, Any]:
    """sigma_ij^6 = (sigma_i^6 + sigma_j^6) / 2, epsilon_ij = sqrt(epsilon_i epsilon_j) sigma_i^3 sigma_j^3 / sigma_ij^6
    (Waldman & Hagler 1993, doi:10.1002/jcc.540140909); LAMMPS's `mix sixthpower`."""
    e, s = _columns(epsilon, sigma)
    sixth = (s[:, None] ** 6 + s**6) / 2
    return jnp.sqrt(e[:, None] * e) * (s[:, None] * s) ** 3 / sixth, sixth ** (1 / 6)


def _columns(epsilon: Any, sigma: Any) -> tuple[Any, Any]:
    e, s = jnp.asarray(epsilon), jnp.asarray(sigma)
    if e.ndim != 1 or e.shape != s.shape:
        raise ValueError(f"mixing: epsilon {e.shape} and sigma {s.shape}; expected one number of each for each species.")
    return e, s


def tables(parameters: Mapping[Any, Any], mixing: Rule) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Names, epsilon and sigma from `{"Ar": (epsilon, sigma), ("Ar", "Kr"): (epsilon, sigma), ...}`; pairs that are given are
    not mixed."""
    names = tuple(key for key in parameters if isinstance(key, str))
    pairs = {key: value for key, value in parameters.items() if not isinstance(key, str)}
    wrong = [key for key in pairs if not (isinstance(key, tuple) and len(key) == 2 and all(name in names for name in key))]
    if not names or wrong or any(np.shape(value) != (2,) for value in parameters.values()):
        raise ValueError(
            f"LennardJones.of: {dict(parameters)!r}; expected {{name: (epsilon [eV], sigma [angstrom]), ...}}, and pairs of "
            'these names, ("A", "B"): (epsilon, sigma).'
        )
    epsilon, sigma = (np.array(a) for a in mixing(*np.array([parameters[name] for name in names], float).T))
    for (a, b), (e, s) in pairs.items():
        i, j = names.index(a), names.index(b)
        epsilon[i, j] = epsilon[j, i] = e
        sigma[i, j] = sigma[j, i] = s
    return names, epsilon, sigma
