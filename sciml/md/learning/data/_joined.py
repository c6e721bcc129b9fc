"""Datasets one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ._checks import wanted_names

if TYPE_CHECKING:
    from ._dataset import Dataset


def joined(parts: Sequence[Dataset], names: Sequence[str] | None = None) -> Dataset:
    """One after the other, species in the order of `names`, or as they come."""
    known = tuple(dict.fromkeys(name for d in parts for name in d.names)) if names is None else wanted_names(names)
    species = []
    for d in parts:
        used = np.unique(d.species)
        if lacking := [d.names[k] for k in used if d.names[k] not in known]:
            raise ValueError(f"names={list(known)} lacks {', '.join(lacking)}, which frames have; name all species.")
        number = np.array([known.index(name) if name in known else -1 for name in d.names], int)
        species.append(number[d.species])
    whole = lambda name: np.concatenate([getattr(d, name) for d in parts])  # noqa: E731
    first = np.append(0, np.cumsum(np.concatenate([d.atoms for d in parts])))
    return type(parts[0])(
        known, whole("positions"), np.concatenate(species), first, whole("cells"), whole("periodic"), whole("energies"),
        whole("forces"), whole("virials"),
    )  # fmt: skip
