"""Frames that are drawn, and frames that do not belong."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ._dataset import Dataset

SMALLEST = 1e-6  # eV, below which energies per atom are equal


def split(d: Dataset, validation: Any, key: int) -> tuple[Dataset, Dataset]:
    whole = isinstance(validation, (int, np.integer)) and not isinstance(validation, bool)
    if isinstance(validation, bool) or not isinstance(validation, Real) or not (whole or 0 < float(validation) < 1):
        raise ValueError(f"split: validation={validation!r}; expected a number of frames, or a share between 0 and 1.")
    count = round(float(validation) * (1 if whole else len(d)))
    if not 0 < count < len(d):
        raise ValueError(f"split: {count} of {len(d)} frames to validate; expected at least one, and one left to train on.")
    held = np.zeros(len(d), bool)
    held[np.random.default_rng(key).permutation(len(d))[:count]] = True
    return d[~held], d[held]


def without_outliers(d: Dataset, force: Any, deviations: Any, distance: Any) -> tuple[Dataset, dict[int, str]]:
    asked = {"force": force, "deviations": deviations, "distance": distance}
    if all(bound is None for bound in asked.values()):
        raise ValueError("without_outliers: give at least one of force=, deviations=, distance=.")
    for name, bound in asked.items():
        if bound is not None and (isinstance(bound, bool) or not isinstance(bound, Real) or not 0 < float(bound) < np.inf):
            raise ValueError(f"without_outliers: {name}={bound!r}; expected a positive number.")
    reasons: dict[int, list[str]] = {}
    if force is not None:
        size = np.nan_to_num(np.linalg.norm(d.forces, axis=1))
        for k, largest in enumerate(np.maximum.reduceat(size, d.first[:-1]) if len(d) else ()):
            if largest > force:
                reasons.setdefault(k, []).append(f"a force of {largest:.4g} eV/angstrom (bound {force:g})")
    if deviations is not None:
        off = energy_deviations(d, float(deviations))
        for k in np.flatnonzero(np.abs(off) > deviations):
            reasons.setdefault(int(k), []).append(f"an energy {off[k]:+.3g} standard deviations off (bound {deviations:g})")
    if distance is not None:
        for k in np.flatnonzero(d.distances < distance):
            reasons.setdefault(int(k), []).append(f"atoms {d.distances[k]:.4g} angstrom apart (bound {distance:g})")
    stays = np.ones(len(d), bool)
    stays[list(reasons)] = False
    if len(d) and not stays.any():
        raise ValueError(
            f"without_outliers: all {len(d)} frames would go, frame 0 for {' and '.join(reasons[0])}; widen the bounds."
        )
    return d[stays], {k: " and ".join(reasons[k]) for k in sorted(reasons)}


def energy_deviations(d: Dataset, bound: float) -> np.ndarray:
    """By how many robust standard deviations each energy per atom is off `(frames,)`, 0 where there is none.

    The energies of species are refitted without frames that are off, until these stay the same.
    """
    has = np.isfinite(d.energies)
    off = np.zeros(len(d))
    if not has.any():
        return off
    share = d.counts[has] / d.atoms[has, None]
    energy = d.energies[has] / d.atoms[has]
    stays = np.ones(len(energy), bool)
    z = np.zeros(len(energy))
    for _ in range(10):
        rest = energy - share @ np.linalg.lstsq(share[stays], energy[stays], rcond=None)[0]
        middle = np.median(rest)
        z = (rest - middle) / max(1.4826 * np.median(np.abs(rest - middle)), SMALLEST)
        if np.array_equal(stays, np.abs(z) <= bound) or not np.any(np.abs(z) <= bound):
            break
        stays = np.abs(z) <= bound
    off[has] = z
    return off
