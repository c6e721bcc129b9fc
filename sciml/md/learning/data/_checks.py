"""Arrays of a dataset that do not fit together, or are not finite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...atoms._system import complete


def wanted_names(names: Any) -> tuple[str, ...]:
    """**Raises** `ValueError` where these are no different names of species."""
    if isinstance(names, str) or not isinstance(names, Sequence) or not all(isinstance(n, str) and n for n in names):
        raise ValueError(f"names={names!r}; expected a list of species, such as ['O', 'H'].")
    if len(set(names)) != len(names):
        raise ValueError(f"names={list(names)}; expected each species once.")
    return tuple(names)


def meanings(names: Mapping[str, str]) -> dict[str, str]:
    """**Raises** `ValueError` where these are no names of species for names in files."""
    if not names or not all(isinstance(n, str) and n for pair in names.items() for n in pair):
        raise ValueError(f"names={names!r}; expected what names in files mean, such as {{'Type_0': 'O', 'Type_1': 'H'}}.")
    return dict(names)


def checked(given: dict[str, Any]) -> dict[str, Any]:
    """The fields of a `Dataset`, copied, in float64, and protected. **Raises** `ValueError`."""
    names = wanted_names(given["names"])
    kinds = {"species": int, "first": int, "periodic": bool}
    found = {}
    for name, value in given.items():
        if name == "names":
            continue
        try:
            found[name] = np.array(value, kinds.get(name, float))
        except (TypeError, ValueError):
            raise ValueError(f"Dataset: {name} are no array of numbers: {value!r:.60} came.") from None
    first, energies = found["first"], found["energies"]
    frames = energies.size
    if first.shape != (frames + 1,) or first[0] != 0 or np.any(np.diff(first) < 1):
        raise ValueError(
            f"Dataset: first has the shape {first.shape} for {frames} energies; expected frames + 1 numbers that rise from 0: "
            "each frame has atoms."
        )
    atoms = int(first[-1])
    shapes = {
        "positions": (atoms, 3), "species": (atoms,), "first": (frames + 1,), "cells": (frames, 3, 3),
        "periodic": (frames, 3), "energies": (frames,), "forces": (atoms, 3), "virials": (frames, 3, 3),
    }  # fmt: skip
    for name, shape in shapes.items():
        if found[name].shape != shape:
            raise ValueError(
                f"Dataset: {name} have the shape {found[name].shape}; expected {shape}, of {frames} frames with {atoms} atoms "
                "in all."
            )
    species = found["species"]
    if atoms and not (species.min() >= 0 and species.max() < len(names)):
        raise ValueError(
            f"Dataset: species are numbered from {species.min()} to {species.max()}; expected numbers into the {len(names)} "
            f"names {list(names)}."
        )
    _check_finite(found)
    _check_cells(found["cells"], found["periodic"])
    for array in found.values():
        array.setflags(write=False)
    return {"names": names, **found}


def _check_finite(found: dict[str, np.ndarray]) -> None:
    if not len(found["energies"]):
        return
    frame = np.repeat(np.arange(len(found["energies"])), np.diff(found["first"]))
    for name in ("positions", "cells", "energies", "forces", "virials"):
        array = found[name].reshape(len(found[name]), -1)
        of = frame if name in ("positions", "forces") else np.arange(len(array))
        bad = ~np.isfinite(array)
        if name in ("energies", "forces", "virials"):  # all NaN is missing, whole frames only
            lacking = np.bincount(of, np.isnan(array).all(axis=1), len(found["energies"]))
            missing = lacking == np.bincount(of, minlength=len(found["energies"]))
            bad &= ~missing[of, None]
        if np.any(bad):
            k = int(of[bad.any(axis=1)][0])
            rest = "" if name in ("positions", "cells") else " A label that is missing is NaN for the whole frame."
            raise ValueError(f"Dataset: {name} of frame {k} are not finite; leave that frame out.{rest}")


def _check_cells(cells: np.ndarray, periodic: np.ndarray) -> None:
    flat = np.zeros(len(cells), bool)
    whole = periodic.all(axis=1)
    flat[whole] = np.abs(np.linalg.det(cells[whole])) < 1e-9
    for k in np.flatnonzero(periodic.any(axis=1) & ~whole):
        flat[k] = not cells[k][periodic[k]].any(axis=1).all() or abs(np.linalg.det(complete(cells[k]))) < 1e-9
    if np.any(flat):
        k = int(np.flatnonzero(flat)[0])
        raise ValueError(
            f"Dataset: frame {k} is periodic, and its cell {cells[k].tolist()} has no volume; expected three vectors "
            "[angstrom], or a frame that is not periodic (a file nopbc in DeePMD-kit's folders)."
        )
