"""What came where an ensemble, or what a run takes, was expected."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..atoms._arguments import shown
from ..atoms._potential import expect_potential
from ..atoms._system import expect_system


def expect_ensemble(given: Any, where: str) -> None:
    """**Raises** `ValueError` where no ensemble came."""
    from ..dynamics._ensembles import AbstractEnsemble

    if not isinstance(given, AbstractEnsemble):
        raise ValueError(
            f"{where}: expected an ensemble, such as md.NVE() or md.Langevin(temperature=300); {shown(given)} came."
        )


def expect_run(
    atoms: Any, potential: Any, ensemble: Any, callbacks: Any, precision: Any, forces_in: Any, fixed: Any, key: Any
) -> None:
    """The arguments of `simulate` whose types a newcomer confuses. **Raises** `ValueError`."""
    expect_system(atoms, "simulate")
    expect_potential(potential, "simulate")
    expect_ensemble(ensemble, "simulate")
    if callable(callbacks) or not np.iterable(callbacks) or not all(map(callable, callbacks)):
        raise ValueError(f"simulate: callbacks={shown(callbacks)}; expected a list of functions of a Frame or observables.")
    for name, given in (("precision", precision), ("forces_in", forces_in)):
        if not (_is_floating(given) or name == "forces_in" and given is None):
            raise ValueError(f"simulate: {name}={given!r}; expected numpy.float64 or numpy.float32.")
    if isinstance(key, (str, bytes, float)) or key is None:
        raise ValueError(f"simulate: key={key!r}; expected a whole number, or a key of jax.random.")


def _is_floating(given: Any) -> bool:
    try:
        return np.dtype(given) in (np.dtype(np.float64), np.dtype(np.float32))
    except TypeError:
        return False
