"""Frequencies along lines between points of high symmetry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..atoms._system import System, complete
from ..observables._observables import _axes


@dataclass(frozen=True, repr=False)
class Bands:
    """What `Phonons.bands` returns. **Attributes:** `q` `(points, 3)`, wave vectors in units of the reciprocal lattice; `x`
    `(points,)`, the length of the way to them [1/angstrom], 2 pi included; `ticks` on it and `labels` of the points of high
    symmetry, "U|K" where the way leaps; `frequencies` `(points, 3 atoms)` and their `unit`."""

    q: np.ndarray
    x: np.ndarray
    ticks: np.ndarray
    labels: tuple[str, ...]
    frequencies: np.ndarray
    unit: str

    def plot(self, ax: Any = None, **style: Any) -> Any:
        """Frequencies against the way, imaginary ones below zero; `style` is that of Matplotlib's `plot`, its label is given to
        the first band."""
        ax = _axes(ax)
        leaps = np.flatnonzero(np.diff(self.x) == 0) + 1
        label = style.pop("label", None)
        lines = ax.plot(
            np.insert(self.x, leaps, np.nan), np.insert(self.frequencies, leaps, np.nan, axis=0), **{"color": "C0"} | style
        )
        lines[0].set_label(label)
        for tick in self.ticks[1:-1]:
            ax.axvline(tick, color="0.8", lw=0.8, zorder=0)
        if self.frequencies.min() < -0.01 * self.frequencies.max():
            ax.axhline(0, color="0.8", lw=0.8, zorder=0)
        else:
            ax.set_ylim(bottom=0)
        ax.set(xlim=(self.x[0], self.x[-1]), ylabel=f"frequency [{self.unit}]")
        ax.set_xticks(self.ticks, self.labels)
        return ax

    def __repr__(self) -> str:
        return f"Bands({' '.join(self.labels)}; {self.frequencies.min():.4g} to {self.frequencies.max():.4g} {self.unit})"


def band_path(atoms: System, path: str | None, points: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[str, ...]]:
    """(`q`, `x`, `ticks`, `labels`), as of `Bands`."""
    from ase.cell import Cell  # pyright: ignore[reportMissingImports]

    if not any(atoms.periodic):
        raise ValueError("bands: the system is open; expected a crystal, periodic along one of its vectors at least.")
    line = Cell(complete(atoms.cell)).bandpath("", npoints=0, pbc=atoms.periodic, eps=1e-3)
    known = line.special_points
    if path is not None:
        asked = re.findall(r"[A-Z]\d*|.", path.replace(",", "")) if isinstance(path, str) else [repr(path)]
        unknown = [name for name in asked if name not in known]
        if unknown or len(asked) < 2:
            raise ValueError(
                f"bands: path={path!r}; expected two names or more of {', '.join(known)}, the points of high symmetry of this "
                "cell's lattice, such as 'GX'. Those of the smallest cell belong to md.primitive(atoms)."
            )
    line = Cell(complete(atoms.cell)).bandpath(path, npoints=points, pbc=atoms.periodic, eps=1e-3)
    x, ticks, names = line.get_linear_kpoint_axis()
    at: list[float] = []
    labels: list[str] = []
    for tick, name in zip(ticks, map(_symbol, names), strict=True):
        if at and abs(tick - at[-1]) < 1e-9:
            labels[-1] = f"{labels[-1]}|{name}"
        else:
            at.append(float(tick))
            labels.append(name)
    return np.asarray(line.kpts), np.asarray(x), np.array(at), tuple(labels)


def _symbol(name: str) -> str:
    return re.sub(r"(\d+)", r"$_{\1}$", name.replace("G", "\u0393"))
