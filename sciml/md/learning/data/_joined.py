"""Datasets one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ._checks import meanings, wanted_names

if TYPE_CHECKING:
    from ._dataset import Dataset


def joined(parts: Sequence[Dataset], names: Sequence[str] | Mapping[str, str] | None = None) -> Dataset:
    """One after the other, species in the order of `names`, or as they come; with what `names` says that names mean."""
    there = tuple(dict.fromkeys(name for d in parts for name in d.names))
    meaning = meanings(names) if isinstance(names, Mapping) else {}
    if unknown := [name for name in meaning if name not in there]:
        raise ValueError(f"names says what {', '.join(unknown)} means, which no frame has; there is {', '.join(there)}.")
    if names is None or isinstance(names, Mapping):
        known = tuple(dict.fromkeys(meaning.get(name, name) for name in there))
    else:
        known = wanted_names(names)
    species = []
    for d in parts:
        said = [meaning.get(name, name) for name in d.names]
        if lacking := [said[k] for k in np.unique(d.species) if said[k] not in known]:
            example = ", ".join(f"{name!r}: ..." for name in lacking)
            raise ValueError(
                f"names={list(known)} lacks {', '.join(lacking)}, which frames have; name all species, or say what names mean, "
                f"names={{{example}}}."
            )
        number = np.array([known.index(name) if name in known else -1 for name in said], int)
        species.append(number[d.species])
    whole = lambda name: np.concatenate([getattr(d, name) for d in parts])  # noqa: E731
    first = np.append(0, np.cumsum(np.concatenate([d.atoms for d in parts])))
    return type(parts[0])(
        known, whole("positions"), np.concatenate(species), first, whole("cells"), whole("periodic"), whole("energies"),
        whole("forces"), whole("virials"),
    )  # fmt: skip
