"""What came where a system, a potential, an ensemble or an array was expected."""

from __future__ import annotations

from typing import Any

import numpy as np


def numbers(name: str, given: Any, shape: tuple[int | str, ...] = ()) -> np.ndarray:
    """`given` as an array of float64. **Raises** `ValueError` where it is no array of finite real numbers."""
    wanted = f"numbers of shape ({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})" if shape else "numbers"
    try:
        found = np.asarray(given)
        found = found if found.dtype.kind in "biuf" else found.astype(object).astype(float)
        found = np.array(found, float)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: expected {wanted}; {_shown(given)} came.") from None
    if not np.all(np.isfinite(found)):
        raise ValueError(f"{name}: {np.sum(~np.isfinite(found))} of {found.size} are NaN or infinite.")
    return found


def _shown(given: Any) -> str:
    text = repr(given)
    return text if len(text) < 60 else f"a {type(given).__name__} such as {text[:40]}..."


def expect_system(given: Any, where: str) -> None:
    """**Raises** `ValueError` where no `System` came."""
    from ._system import System

    if not isinstance(given, System):
        ase = hasattr(given, "get_positions")
        hint = "md.from_ase(atoms) makes one of it" if ase else "md.system(positions, species, cell=...) makes one"
        raise ValueError(f"{where}: expected a System; a {type(given).__name__} came ({hint}).")


def expect_potential(given: Any, where: str) -> None:
    """**Raises** `ValueError` where no potential came."""
    from ._pairs import AbstractPotential

    if not isinstance(given, AbstractPotential):
        raise ValueError(
            f"{where}: expected a potential, such as md.LennardJones(...), md.load_eam(file) or md.DeepPotential.load(file); "
            f"{_shown(given)} came."
        )


def expect_ensemble(given: Any, where: str) -> None:
    """**Raises** `ValueError` where no ensemble came."""
    from ._ensembles import AbstractEnsemble

    if not isinstance(given, AbstractEnsemble):
        raise ValueError(
            f"{where}: expected an ensemble, such as md.NVE() or md.Langevin(temperature=300); {_shown(given)} came."
        )


def expect_periodic(atoms: Any, where: str) -> None:
    """**Raises** `ValueError` where the system has no volume."""
    if not all(atoms.periodic):
        raise ValueError(f"{where}: the system is open, and has no volume; it takes one that is periodic in all directions.")


def expect_run(
    atoms: Any, potential: Any, ensemble: Any, callbacks: Any, precision: Any, forces_in: Any, fixed: Any, key: Any
) -> None:
    """The arguments of `simulate` whose types a newcomer confuses. **Raises** `ValueError`."""
    expect_system(atoms, "simulate")
    expect_potential(potential, "simulate")
    expect_ensemble(ensemble, "simulate")
    if callable(callbacks) or not np.iterable(callbacks) or not all(map(callable, callbacks)):
        raise ValueError(f"simulate: callbacks={_shown(callbacks)}; expected a list of functions of a Frame or observables.")
    for name, given in (("precision", precision), ("forces_in", forces_in)):
        if not (_is_floating(given) or name == "forces_in" and given is None):
            raise ValueError(f"simulate: {name}={given!r}; expected numpy.float64 or numpy.float32.")
    if fixed is not None and np.size(fixed) and np.asarray(fixed).dtype.kind not in "iu":
        raise ValueError(
            f"simulate: fixed has the type {np.asarray(fixed).dtype}; expected whole numbers of atoms "
            "(numpy.flatnonzero(mask) for a mask)."
        )
    if isinstance(key, (str, bytes, float)) or key is None:
        raise ValueError(f"simulate: key={key!r}; expected a whole number, or a key of jax.random.")


def _is_floating(given: Any) -> bool:
    try:
        return np.dtype(given) in (np.dtype(np.float64), np.dtype(np.float32))
    except TypeError:
        return False
