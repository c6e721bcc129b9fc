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
        raise ValueError(f"{where}: expected a System as the first argument; a {type(given).__name__} came ({hint}).")


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


def expect_callbacks(given: Any) -> None:
    """**Raises** `ValueError` where no list of functions came."""
    if callable(given) or not np.iterable(given) or not all(map(callable, given)):
        raise ValueError(f"simulate: callbacks={_shown(given)}; expected a list of functions of a Frame, or of observables.")
