"""How far a potential is from labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..atoms._potential import AbstractPotential, expect_potential
from ..dynamics._evaluate_batch import evaluate_batch

MANY = 20_000  # points in a plot
LINES = 20


@dataclass(frozen=True)
class Validation:
    """What a potential says beside what the labels say.

    **Attributes:** `energies` and `wanted_energies` `(frames,)` [eV/atom]; `forces` and `wanted_forces` `(atoms of all, 3)`
    [eV/angstrom]; `virials` and `wanted_virials` `(frames, 3, 3)` [eV/atom]; labels that are missing are NaN.
    """

    energies: np.ndarray
    wanted_energies: np.ndarray
    forces: np.ndarray
    wanted_forces: np.ndarray
    virials: np.ndarray
    wanted_virials: np.ndarray

    @property
    def energy_error(self) -> float:
        """Root mean square error [eV/atom]."""
        return _rms(self.energies - self.wanted_energies)

    @property
    def force_error(self) -> float:
        """Root mean square error of components [eV/angstrom]."""
        return _rms(self.forces - self.wanted_forces)

    @property
    def virial_error(self) -> float:
        """Root mean square error of components [eV/atom]."""
        return _rms(self.virials - self.wanted_virials)

    @property
    def mean_absolute(self) -> tuple[float, float, float]:
        """Mean absolute errors of energies [eV/atom], components of forces [eV/angstrom] and of virials [eV/atom]."""
        return tuple(_mean(np.abs(a - b)) for a, b in self._pairs())  # type: ignore[return-value]

    def _pairs(self) -> list[tuple[np.ndarray, np.ndarray]]:
        names = "energies", "forces", "virials"
        return [(getattr(self, n), getattr(self, "wanted_" + n)) for n in names]

    def __repr__(self) -> str:
        kinds = ("energies", "meV/atom"), ("forces", "meV/angstrom"), ("virials", "meV/atom")
        lines = []
        for (name, unit), (a, b), mean in zip(kinds, self._pairs(), self.mean_absolute, strict=True):
            if np.any(known := np.isfinite(b)):
                rms, count = _rms(a - b), int(np.sum(known))
                lines.append(f"{name}: RMS error {1e3 * rms:.4g} {unit}, mean absolute {1e3 * mean:.4g}, of {count} numbers")
        return "Validation(" + "; ".join(lines) + ")"

    def plot(self, axes: Any = None) -> Any:
        """Parity: what the potential says against the labels, energies and forces, with the errors."""
        import matplotlib.pyplot as plt

        axes = plt.subplots(1, 2, figsize=(8.4, 4), layout="constrained")[1] if axes is None else axes
        kinds = ("energy", "eV/atom", 1e3, "meV/atom"), ("force", "eV/angstrom", 1e3, "meV/angstrom")
        for ax, (name, unit, scale, small), (a, b) in zip(axes, kinds, self._pairs(), strict=False):
            a, b = (x[np.isfinite(b)] for x in (a, b))
            if not len(b):
                ax.set_axis_off()
                continue
            some, few = slice(None, None, max(1, len(b) // MANY)), len(b) < 1000
            ax.plot([b.min(), b.max()], [b.min(), b.max()], color="0.6", lw=1, zorder=0)
            ax.plot(b[some], a[some], ".", ms=7 if few else 3, alpha=0.7 if few else 0.2, mew=0)
            ax.set(xlabel=f"{name}, label [{unit}]", ylabel=f"{name}, potential [{unit}]", aspect="equal")
            ax.set_title(f"RMS error {scale * _rms(a - b):.3g} {small}", fontsize="medium")
        return axes

    def plot_by_magnitude(self, ax: Any = None) -> Any:
        """The error of forces on atoms against the size of the labels, in bins of equal numbers of atoms."""
        import matplotlib.pyplot as plt

        ax = plt.subplots(layout="constrained")[1] if ax is None else ax
        size, error = self.by_magnitude()
        ax.plot(size, 1e3 * error, "o-", ms=3)
        ax.set(xlabel="|F| of the labels [eV/angstrom]", ylabel="RMS error of |dF| [meV/angstrom]", ylim=(0, None))
        return ax

    def by_magnitude(self, bins: int = LINES) -> tuple[np.ndarray, np.ndarray]:
        """The mean |F| of the labels and the RMS |dF| of atoms in bins of equal numbers of atoms [eV/angstrom]."""
        known = np.all(np.isfinite(self.wanted_forces), axis=1)
        size = np.linalg.norm(self.wanted_forces[known], axis=1)
        error = np.linalg.norm((self.forces - self.wanted_forces)[known], axis=1)
        parts = np.array_split(np.argsort(size), min(bins, max(1, len(size))))
        return np.array([size[p].mean() for p in parts]), np.array([np.sqrt(np.mean(error[p] ** 2)) for p in parts])


def validate(potential: AbstractPotential, dataset: Any, *, precision: Any = np.float64) -> Validation:
    """Energies, forces and virials of a potential beside the labels of a dataset.

    >>> from sciml import md
    >>> crystals = [md.diamond(a, 1, "Si") for a in (5.3, 5.4, 5.5)]
    >>> d = md.Dataset.of(md.label(crystals, md.ase_calculator(md.StillingerWeber())))
    >>> md.validate(md.StillingerWeber(), d).energy_error < 1e-12
    True

    **Raises** `ValueError` where no potential or no dataset came, or the potential does not know a species.
    """
    from .data import Dataset

    expect_potential(potential, "validate")
    if not isinstance(dataset, Dataset) or not len(dataset):
        what = "an empty Dataset" if isinstance(dataset, Dataset) else f"a {type(dataset).__name__}"
        raise ValueError(f"validate: {what} came; expected frames: md.Dataset.load(path).")
    found = evaluate_batch(potential, dataset._systems(), precision=precision, skin=0.0)
    atoms = dataset.atoms
    whole = np.asarray(dataset.periodic.all(axis=1))[:, None, None]
    return Validation(
        np.array([float(f.energy) for f in found]) / atoms, dataset.energies / atoms,
        np.concatenate([f.forces for f in found]), dataset.forces,
        np.where(whole, np.array([f.virial for f in found]), np.nan) / atoms[:, None, None],
        dataset.virials / atoms[:, None, None],
    )  # fmt: skip


def _mean(x: np.ndarray) -> float:
    known = x[np.isfinite(x)]
    return float(known.mean()) if len(known) else np.nan


def _rms(x: np.ndarray) -> float:
    return float(np.sqrt(_mean(x**2)))
