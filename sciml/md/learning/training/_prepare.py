"""From a model and a dataset to what the steps take."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import numpy as np

from ...atoms._closest import OVERLAP
from ...atoms._resolution import expect_resolved
from ...atoms._system import complete
from ._buckets import Bucket, FrameSet, buckets
from ._lists import FramePairs, frame_pairs
from ._survey import Survey


@dataclass(frozen=True)
class Prepared:
    """Frames of a dataset for a model. **Attributes:** `buckets`; `survey`; `counts` `(frames, types)` of atoms."""

    buckets: list[Bucket]
    survey: Survey
    counts: np.ndarray


def numbered(names: tuple[str, ...], data: Any, what: str) -> list[np.ndarray]:
    """The model's types of each frame's atoms. **Raises** `ValueError` for species that the model does not have."""
    present = [data.names[k] for k in np.unique(data.species)]
    if missing := [name for name in present if name not in names]:
        raise ValueError(
            f"train: the {what} set has {', '.join(missing)}; the model knows {', '.join(names)}. Make a model of all species."
        )
    table = np.array([names.index(n) if n in names else -1 for n in data.names])
    return np.split(table[data.species], np.asarray(data.first)[1:-1])


def prepared(model: Any, **data: Any) -> list[Prepared]:
    """Each of the datasets, by name: those trained on and those held for validation share the shapes of their frames.

    **Raises** `ValueError` where species are unknown, coordinates are too large, atoms lie on each other, or none has a
    neighbour.
    """
    sets = []
    for what, one in data.items():
        species = numbered(model.names, one, what)
        for k, (a, b) in enumerate(zip(one.first[:-1], one.first[1:], strict=True)):
            expect_resolved(one.positions[a:b], complete(one.cells[k]), one.periodic[k], f"train: the positions of frame {k}")
        pairs = _all_pairs(one, model.cutoff)
        check_distances(one, pairs, model.cutoff, what)
        counts = np.stack([np.bincount(k, minlength=len(model.names)) for k in species])
        sets.append(FrameSet(one, pairs, species, counts))
    surveys = [Survey(s.pairs, s.species, len(model.names)) for s in sets]
    made = zip(buckets(sets, model.cutoff), surveys, sets, strict=True)
    return [Prepared(found, survey, s.counts) for found, survey, s in made]


def _all_pairs(data: Any, cutoff: float) -> Sequence[FramePairs]:
    ends = zip(data.first[:-1], data.first[1:], strict=True)
    return [frame_pairs(data.positions[a:b], data.cells[k], data.periodic[k], cutoff) for k, (a, b) in enumerate(ends)]


def check_distances(data: Any, pairs: Sequence[FramePairs], cutoff: float, what: str) -> None:
    """**Raises** `ValueError` where atoms of a frame lie on each other, or no atom of any has a neighbour within the cutoff."""
    for k, p in enumerate(pairs):
        if len(p.distance) and (distance := p.distance[(at := int(np.argmin(p.distance)))]) < OVERLAP:
            i, j = sorted((int(p.first[at]), int(p.second[at])))
            name = lambda a, k=k: f"{a} ({data.names[data.species[data.first[k] + a]]})"  # noqa: E731
            who = f"atoms {name(i)} and {name(j)}" if i != j else f"atom {name(i)} and its own image"
            raise ValueError(
                f"train: in frame {k} of the {what} set {who} are {distance:.3g} angstrom apart: they lie on each other. Leave "
                "the frame out: data.without_outliers(distance=0.5)."
            )
    if not any(len(p.distance) for p in pairs) and np.isfinite(data.nearest):
        raise ValueError(
            f"train: in the {what} set no atom has a neighbour within the model's cutoff of {cutoff:g} angstrom; the smallest "
            f"distance of all is {data.nearest:.4g}. Make the model with a larger cutoff; usual are 5 to 8. Are the positions "
            "in angstrom?"
        )


def check_places(model: Any, survey: Survey, what: str) -> None:
    """**Raises** `ValueError` where `sel` is too small, with the number needed."""
    for limit in model.limits:
        found = survey.most(limit.cutoff)
        needed = int(found[limit.kinds[0]]) if len(limit.kinds) == 1 else survey.most_in_all(limit.cutoff)
        if needed > limit.places:
            who = ", ".join(model.names[k] for k in limit.kinds)
            raise ValueError(
                f"train: sel is too small: in the {what} set an atom has {needed} neighbours {who} within {limit.cutoff:g} "
                f"angstrom, the model has places for {limit.places}. Make it with sel=None, and places are found from the data."
            )


def check_alike(models: Sequence[Any]) -> None:
    """**Raises** `ValueError` where models that are trained at once have been normalised with different data."""
    fixed = [eqx.tree_at(lambda m: m.bias, eqx.filter(m, m.trained, inverse=True), None) for m in models]
    first = jax.tree.leaves(fixed[0])
    for k, other in enumerate(fixed[1:], 1):
        if not all(np.array_equal(a, b) for a, b in zip(first, jax.tree.leaves(other), strict=True)):
            raise ValueError(
                f"train: models 0 and {k} have been normalised with different data, so that they cannot be trained at once; "
                "train one after the other."
            )


def least_squares_bias(counts: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """The energy of an atom of each type that fits energies best, of minimum norm where compositions do not tell them apart
    [eV]."""
    known = np.isfinite(energies)
    if not np.any(known):
        return np.zeros(counts.shape[1])
    return np.linalg.lstsq(counts[known].astype(float), energies[known], rcond=None)[0]


def without_bias(bucket: Bucket, data: Any, bias: np.ndarray) -> Bucket:
    energies = np.nan_to_num(np.asarray(data.energies)[bucket.members] - bucket.counts @ bias)
    return dataclasses.replace(bucket, frames=eqx.tree_at(lambda f: f.energies, bucket.frames, energies))
