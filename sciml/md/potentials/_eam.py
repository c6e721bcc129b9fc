"""Embedded-atom method (Daw & Baskes 1984, doi:10.1103/PhysRevB.29.6443), from LAMMPS's tables.

    E = sum_i F_i(rho_i) + 1/2 sum_ij phi_ij(r_ij),      rho_i = sum_j rho_j(r_ij)

Tables are interpolated as LAMMPS does, by cubic pieces whose slopes are five-point differences, so that energies agree to
rounding. Where r phi is given as Z_i Z_j, the constants are LAMMPS's, 27.2 eV and 0.529 angstrom.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from .._pairs import AbstractPotential, Pairs

HARTREE_BOHR = 27.2 * 0.529  # eV angstrom, as in LAMMPS


class EAM(AbstractPotential):
    """**Attributes:** `embedding` `(types, rows, 4)`, `density` `(types, rows, 4)` of the neighbour, and `pair`
    `(types, types, rows, 4)`, r phi, all as pieces c3 p^3 + c2 p^2 + c1 p + c0; `drho` and `dr`, their spacings; `cutoff`
    [angstrom]; `names` of the types."""

    embedding: Any
    density: Any
    pair: Any
    drho: float = eqx.field(static=True)
    dr: float = eqx.field(static=True)
    cutoff: float = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)

    def atom_energies(self, pairs: Pairs) -> Any:
        r = pairs.distances
        row, p = _place(r / self.dr, self.density.shape[1])
        rho = jnp.sum(jnp.where(pairs.mask, _value(jnp.asarray(self.density)[pairs.species, row], p), 0), axis=1)
        kinds = pairs.centres[:, None], pairs.species
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


def load_eam(path: Any) -> EAM:
    """Reads a setfl file (`.eam.alloy`, several elements) or a funcfl file (`.eam`, one element).

    **Raises** `FileNotFoundError`, and `ValueError` where the file is of another kind or too short.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist.")
    lines = path.read_text().splitlines()
    try:
        return _setfl(lines) if path.name.endswith((".eam.alloy", ".setfl", ".alloy")) else _funcfl(lines, path.stem)
    except (IndexError, ValueError) as error:
        raise ValueError(
            f"{path} is no table of the embedded-atom method ({error}); expected setfl (.eam.alloy) or funcfl (.eam)."
        ) from None


def _numbers(lines: list[str], count: int) -> tuple[np.ndarray, list[str]]:
    """The next `count` numbers, whole lines at a time, and the lines that are left."""
    found: list[float] = []
    used = 0
    while len(found) < count:
        found += map(float, lines[used].split())
        used += 1
    if len(found) != count:
        raise ValueError(f"{len(found)} numbers where {count} were expected")
    return np.array(found), lines[used:]


def _setfl(lines: list[str]) -> EAM:
    names = tuple(lines[3].split()[1:])
    nrho, drho, nr, dr, cutoff = (float(s) for s in lines[4].split()[:5])
    rest = lines[5:]
    embedding, density = [], []
    for _ in names:
        rest = rest[1:]
        F, rest = _numbers(rest, int(nrho))
        rho, rest = _numbers(rest, int(nr))
        embedding.append(pieces(F))
        density.append(pieces(rho))
    pair = np.zeros((len(names), len(names), int(nr), 4))
    for i in range(len(names)):
        for j in range(i + 1):
            z, rest = _numbers(rest, int(nr))
            pair[i, j] = pair[j, i] = pieces(z)
    return EAM(
        embedding=np.stack(embedding), density=np.stack(density), pair=pair, drho=drho, dr=dr, cutoff=cutoff, names=names
    )


def _funcfl(lines: list[str], name: str) -> EAM:
    nrho, drho, nr, dr, cutoff = (float(s) for s in lines[2].split()[:5])
    F, rest = _numbers(lines[3:], int(nrho))
    Z, rest = _numbers(rest, int(nr))
    rho, rest = _numbers(rest, int(nr))
    pair = pieces(HARTREE_BOHR * Z**2)[None, None]
    return EAM(
        embedding=pieces(F)[None], density=pieces(rho)[None], pair=pair, drho=drho, dr=dr, cutoff=cutoff,
        names=(name.split("_")[0],),
    )  # fmt: skip
