"""Energies of pairs from tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ..atoms._pairs import AbstractPairPotential


class Tabulated(AbstractPairPotential):
    """phi(r) through the points of a table, a spline whose exact derivative is the force; zero beyond the last distance, the
    `cutoff`. Below the first, `closest`, energies and forces are NaN, and a run stops.

    **Arguments:** `r` `(points,)`, ascending [angstrom]; `energy` [eV] `(points,)`, or `(species, species, points)`, symmetric;
    `degree`, 3 (not-a-knot at the ends) or 5, or with `slopes`, dphi/dr of the shape of `energy` [eV/angstrom], pieces of third
    degree with these slopes at the points. `shift=True` moves the last energy to zero. `names` of the species in the order of
    the table. Evenly spaced points are found faster.

    **Raises** `ValueError` where the table is too short, not ascending, not finite or not symmetric.

    >>> r = np.linspace(0.8, 2.5, 200)
    >>> Tabulated(r, 4 * (r**-12 - r**-6))
    Tabulated(200 points from 0.8 to 2.5 angstrom)
    """

    knots: Any
    pieces: Any  # (..., points - 1, degree + 1), highest power first
    cutoff: float = eqx.field(static=True)
    closest: float = eqx.field(static=True)
    even: bool = eqx.field(static=True)
    names: tuple[str, ...] | None = eqx.field(static=True)

    def __init__(
        self, r: Any, energy: Any, *, slopes: Any = None, degree: int = 3, shift: bool = False,
        names: tuple[str, ...] | None = None,
    ):  # fmt: skip
        r, E = np.asarray(r, float), np.asarray(energy, float)
        _check(r, E, slopes, degree, names)
        E = E - E[..., -1:] if shift else E
        self.knots, self.pieces = r, _pieces(r, E, None if slopes is None else np.asarray(slopes, float), degree)
        self.cutoff, self.closest = float(r[-1]), float(r[0])
        self.even = bool(np.allclose(np.diff(r), r[1] - r[0], rtol=1e-9, atol=0))
        self.names = None if names is None else tuple(names)

    @property
    def kinds(self) -> int | None:
        return self.pieces.shape[0] if self.pieces.ndim == 4 else None

    def pair_energies(self, square: Any, a: Any, b: Any) -> Any:
        r = jnp.sqrt(square)
        knots = jnp.asarray(self.knots, r.dtype)
        last = len(self.knots) - 2
        if self.even:
            row = jnp.floor((r - self.closest) * ((last + 1) / (self.cutoff - self.closest))).astype(jnp.int32)
        else:
            row = jnp.searchsorted(knots, r, side="right").astype(jnp.int32) - 1
        row = jnp.clip(row, 0, last)
        pieces = jnp.asarray(self.pieces, r.dtype)
        c = pieces[row] if pieces.ndim == 2 else pieces[a, b, row]
        p = jnp.minimum(r, self.cutoff) - knots[row]
        value = c[..., 0]
        for k in range(1, c.shape[-1]):
            value = value * p + c[..., k]
        return value * jnp.where(r < self.closest, jnp.nan, 1.0)

    def __repr__(self) -> str:
        names = "" if self.names is None else f"{', '.join(self.names)}; "
        return f"Tabulated({names}{len(self.knots)} points from {self.closest:g} to {self.cutoff:g} angstrom)"


def load_table(path: Any, section: str, *, names: tuple[str, ...] | None = None) -> Tabulated:
    """Reads a section of a file of LAMMPS's `pair_style table` (in its units metal): distances, energies and forces of the
    file, with pieces of third degree between them. LAMMPS's own interpolation is another one.

    **Raises** `FileNotFoundError`, and `ValueError` that names the sections of the file where there is no such section, or
    where it is not whole.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist.")
    lines = [line.split("#")[0].split() for line in path.read_text().splitlines()]
    lines = [line for line in lines if line]
    heads = [k for k, line in enumerate(lines[:-1]) if lines[k + 1][0] == "N" and not line[0].isdigit()]
    found = {lines[k][0]: k for k in heads}
    if section not in found:
        raise ValueError(f"{path} has no section {section!r}; it has {', '.join(found) or 'none'}.")
    at = found[section]
    try:
        count = int(lines[at + 1][1])
        rows = np.array([[float(x) for x in line[1:4]] for line in lines[at + 2 : at + 2 + count]])
        if rows.shape != (count, 3):
            raise ValueError(f"{len(rows)} rows where {count} were expected")
    except (IndexError, ValueError) as error:
        raise ValueError(f"{path}: section {section!r} is not whole ({error}).") from None
    return Tabulated(rows[:, 0], rows[:, 1], slopes=-rows[:, 2], names=names)


def _pieces(r: np.ndarray, E: np.ndarray, slopes: np.ndarray | None, degree: int) -> np.ndarray:
    from scipy.interpolate import CubicHermiteSpline, CubicSpline, PPoly, make_interp_spline

    flat = E.reshape(-1, len(r))
    if slopes is not None:
        c = CubicHermiteSpline(r, flat, slopes.reshape(-1, len(r)), axis=1).c  # (degree + 1, points - 1, curves)
    elif degree == 3:
        c = CubicSpline(r, flat, axis=1).c
    else:
        whole = [PPoly.from_spline(make_interp_spline(r, curve, k=5)) for curve in flat]
        # Pieces of a spline with other knots than the points, cut at the points.
        at = np.maximum(np.searchsorted(whole[0].x, r[:-1], side="right") - 1, 0)
        c = np.stack([_moved(p.c[:, at], r[:-1] - p.x[at]) for p in whole], axis=-1)
    return np.ascontiguousarray(np.moveaxis(c, (2, 1, 0), (0, 1, 2))).reshape(*E.shape[:-1], len(r) - 1, -1)


def _moved(c: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Coefficients of polynomials about another point."""
    from math import comb

    n = len(c) - 1
    return np.stack([sum(c[n - j] * comb(j, k) * by ** (j - k) for j in range(k, n + 1)) for k in range(n, -1, -1)])


def _check(r: np.ndarray, E: np.ndarray, slopes: Any, degree: int, names: Any) -> None:
    if degree not in (3, 5):
        raise ValueError(f"Tabulated: degree={degree!r}; expected 3 or 5.")
    if r.ndim != 1 or len(r) <= degree or not np.all(np.diff(r) > 0) or not r[0] >= 0:
        raise ValueError(f"Tabulated: r {r.shape}; expected more than {degree} ascending distances [angstrom].")
    count = E.shape[0] if names is None else len(names)
    if E.shape not in ((len(r),), (count, count, len(r))) or not np.all(np.isfinite(E)):
        raise ValueError(f"Tabulated: energy {E.shape}; expected finite numbers ({len(r)},) or (species, species, {len(r)}).")
    if E.ndim == 3 and not np.array_equal(E, np.swapaxes(E, 0, 1)):
        raise ValueError("Tabulated: energy of (a, b) differs from that of (b, a).")
    if slopes is not None and (np.shape(slopes) != E.shape or not np.all(np.isfinite(slopes))):
        raise ValueError(f"Tabulated: slopes {np.shape(slopes)}; expected finite numbers, of the shape {E.shape} of energy.")
