"""Embedded-atom method (Daw & Baskes 1984, doi:10.1103/PhysRevB.29.6443), from LAMMPS's tables.

    E = sum_i F_i(rho_i) + 1/2 sum_ij phi_ij(r_ij),      rho_i = sum_j rho_j(r_ij)

Tables are interpolated as LAMMPS does, by cubic pieces whose slopes are five-point differences, so that energies agree to
rounding. Where r phi is given as Z_i Z_j, the constants are LAMMPS's, 27.2 eV and 0.529 angstrom.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ..atoms._pairs import AbstractPotential, Pairs

HARTREE_BOHR = 27.2 * 0.529  # eV angstrom, as in LAMMPS


class EAM(AbstractPotential):
    """**Attributes:** `embedding` `(types, rows, 4)`; `density` `(types, rows, 4)` of the neighbour, or in the form of Finnis
    and Sinclair (1984, doi:10.1080/01418618408244210) `(types, types, rows, 4)` of the neighbour for the centre; `pair`
    `(types, types, rows, 4)`, r phi, all as pieces c3 p^3 + c2 p^2 + c1 p + c0; `drho` and `dr`, their spacings; `cutoff`
    [angstrom]; `names` of the types; `closest` [angstrom], where the repulsion of a table has its top, or None where it rises
    to the first entry."""

    embedding: Any
    density: Any
    pair: Any
    drho: float = eqx.field(static=True)
    dr: float = eqx.field(static=True)
    cutoff: float = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)
    closest: float | None = eqx.field(static=True, default=None)

    def atom_energies(self, pairs: Pairs) -> Any:
        r = pairs.distances
        row, p = _place(r / self.dr, self.density.shape[-2])
        kinds = pairs.centres[:, None], pairs.species
        of = (pairs.species,) if self.density.ndim == 3 else kinds[::-1]
        rho = jnp.sum(jnp.where(pairs.mask, _value(jnp.asarray(self.density)[*of, row], p), 0), axis=1)
        phi = _value(jnp.asarray(self.pair)[*kinds, row], p) / r
        row, p = _place(rho / self.drho, self.embedding.shape[1])
        pieces = jnp.asarray(self.embedding)[pairs.centres, row]
        # Beyond the table the embedding goes on as a straight line.
        beyond = rho - (self.embedding.shape[1] - 1) * self.drho
        slope = (3 * pieces[..., 0] + 2 * pieces[..., 1] + pieces[..., 2]) / self.drho
        F = _value(pieces, p) + jnp.where(beyond > 0, beyond * slope, 0)
        return F + jnp.sum(jnp.where(pairs.mask, phi, 0), axis=1) / 2

    def __repr__(self) -> str:
        return f"EAM({', '.join(self.names)}; cutoff {self.cutoff:g} angstrom)"


def _place(x: Any, rows: int) -> tuple[Any, Any]:
    """Which piece, and where in it."""
    row = jnp.clip(jnp.floor(x).astype(int), 0, rows - 2)
    return row, jnp.clip(x - row, 0, 1)


def _value(pieces: Any, p: Any) -> Any:
    return ((pieces[..., 0] * p + pieces[..., 1]) * p + pieces[..., 2]) * p + pieces[..., 3]


def pieces(f: np.ndarray) -> np.ndarray:
    """Cubic Hermite pieces `(rows, 4)` of a table, with LAMMPS's slopes (PairEAM::interpolate)."""
    slope = np.empty_like(f)
    slope[0], slope[-1] = f[1] - f[0], f[-1] - f[-2]
    slope[1], slope[-2] = (f[2] - f[0]) / 2, (f[-1] - f[-3]) / 2
    slope[2:-2] = ((f[:-4] - f[4:]) + 8 * (f[3:-1] - f[1:-3])) / 12
    rise = np.append(np.diff(f), 0.0)
    following = np.append(slope[1:], 0.0)
    out = np.stack([slope + following - 2 * rise, 3 * rise - 2 * slope - following, slope, f], axis=1)
    out[-1, :2] = 0.0
    return out


