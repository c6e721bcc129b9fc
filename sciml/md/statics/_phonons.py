"""Vibrations of a crystal in the harmonic approximation.

The energy of small displacements of atoms i in cells n, u_in = e_i / sqrt(m_i) exp(2 pi i q n), is that of the Hermitian

    D_ia,jb(q) = sum_n Phi_ia,jb(n) exp(2 pi i q n) / sqrt(m_i m_j),        D(q) e = omega^2 e,

with the second derivatives Phi of the energy between an atom of a cell and one of a cell n away (Born & Huang 1954, Dynamical
Theory of Crystal Lattices). These come from automatic differentiation, exact and of the infinite crystal: no supercell, no
displacements, no sum rule to be restored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..atoms._arguments import numbers
from ..atoms._pairs import AbstractPotential
from ..atoms._potential import expect_potential
from ..atoms._system import System, expect_system
from ..atoms._units import METAL
from ..dynamics._checks import whole_number
from ..observables._observables import Curve
from ._bands import Bands, band_path
from ._force_constants import force_constants

PLANCK = 4.135667696e-3  # eV / THz
AT_REST = 1e-3  # eV/angstrom, the largest force
AT_ONCE = 1 << 22  # numbers in the matrices of wave vectors that are done at a time


@dataclass(frozen=True, repr=False)
class Phonons:
    """What `md.phonons` returns. Wave vectors `q` `(..., 3)` are in units of the reciprocal lattice of the cell: 1/2 is at the
    face of its zone.

    **Attributes:** `atoms`; `images` `(images, 3)`, whole lattice vectors n; `constants` `(images, 3 atoms, 3 atoms)`,
    Phi(n) [eV/angstrom^2].
    """

    atoms: System
    images: np.ndarray
    constants: np.ndarray

    def dynamical_matrix(self, q: Any) -> np.ndarray:
        """D(q) [eV/(angstrom^2 amu)] `(..., 3 atoms, 3 atoms)`, row 3 i + a. **Raises** `ValueError` for a wrong shape."""
        q = _wave_vectors(q)
        phases = np.exp(2j * np.pi * (q @ self.images.T))
        size = self.constants.shape[1]
        D = (phases @ self.constants.reshape(len(self.images), -1)).reshape(*q.shape[:-1], size, size)
        root = np.repeat(np.sqrt(np.asarray(self.atoms.masses, float)), 3)
        D = D / np.outer(root, root)
        return (D + np.swapaxes(D.conj(), -1, -2)) / 2

    def frequencies(self, q: Any) -> np.ndarray:
        """omega / 2 pi [THz] `(..., 3 atoms)`, ascending; an imaginary one, along which the crystal is unstable, as a negative
        number. In reduced units, per unit of time."""
        q = _wave_vectors(q)
        flat = q.reshape(-1, 3)
        pieces = np.array_split(flat, max(1, len(flat) * self.constants[0].size // AT_ONCE))
        squares = np.concatenate([np.linalg.eigvalsh(self.dynamical_matrix(piece)) for piece in pieces])
        return self._rooted(squares).reshape(*q.shape[:-1], -1)

    def modes(self, q: Any) -> tuple[np.ndarray, np.ndarray]:
        """`frequencies`, and for each the vectors e of the atoms, `(..., 3 atoms, atoms, 3)`, orthonormal. Atom i of cell n
        moves along the real part of e_i / sqrt(m_i) exp(2 pi i q n)."""
        squares, vectors = np.linalg.eigh(self.dynamical_matrix(q))
        vectors = np.swapaxes(vectors, -1, -2)
        return self._rooted(squares), vectors.reshape(*vectors.shape[:-1], -1, 3)

    def bands(self, path: str | None = None, *, points: int = 200) -> Bands:
        """Frequencies at `points` along a path such as "GXWKGL" between points of high symmetry, by ASE's names for the
        lattice (Setyawan & Curtarolo 2010, doi:10.1016/j.commatsci.2010.05.010); a comma leaps. By default ASE's own path.

        The names are those of the lattice of the cell: cubic cells of a face-centred crystal have the zone of a simple cubic
        one. `md.primitive` finds the smallest.

        **Raises** `ValueError` for a point that the lattice does not have.
        """
        way = band_path(self.atoms, path, whole_number("points", points, 2))
        return Bands(*way, self.frequencies(way[0]), self._unit)

    def density_of_states(self, mesh: Any = 20, *, width: float | None = None, bins: int = 400) -> Curve:
        """Modes of the cell per THz, of integral 3 atoms, from `mesh` wave vectors along each axis, one number or three. Each
        counts as a Gaussian of the standard deviation `width` [THz], by default a hundredth of the range.

        Good values: as many wave vectors as give a smooth curve; the width smears what is sharper than it.
        """
        f = self.frequencies(self._mesh(mesh)).ravel()
        wide = 0.01 * float(np.ptp(f)) if width is None else float(width)
        if not wide > 0:
            raise ValueError(f"density_of_states: width={width!r}; expected a positive number [THz].")
        edges = np.linspace(min(f.min(), 0) - 4 * wide, f.max() + 4 * wide, whole_number("bins", bins, 2) + 1)
        x, step = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
        # Fine bins first: there are far more modes than bins.
        counts, fine = np.histogram(f, np.linspace(edges[0], edges[-1], 10 * bins + 1))
        at = (fine[1:] + fine[:-1]) / 2
        y = np.exp(-(((x[:, None] - at) / wide) ** 2) / 2) @ counts
        y *= 3 * self.atoms.atoms / (np.sum(y) * step)
        return Curve(x, y, np.zeros_like(y), (f"frequency [{self._unit}]", f"density of states [1/{self._unit}]"))

    def free_energy(self, temperature: float, *, mesh: Any = 20) -> float:
        """F = sum of h f / 2 + kB T ln(1 - exp(-h f / kB T)) over the modes [eV for the cell], the mean over `mesh` wave
        vectors along each axis; `temperature` [K].

        **Raises** `ValueError` where a frequency is imaginary, for molecules, and in reduced units, which have no h.
        """
        quantum, kT = self._quanta("free_energy", temperature, mesh)
        each = quantum / 2 + (kT * np.log(-np.expm1(-quantum / kT)) if kT else 0)
        return float(np.mean(np.sum(each, axis=1)))

    def heat_capacity(self, temperature: float, *, mesh: Any = 20) -> float:
        """C = kB sum of (x / sinh x)^2 over the modes, x = h f / 2 kB T [eV/K for the cell], at constant volume; arguments and
        errors are those of `free_energy`."""
        quantum, kT = self._quanta("heat_capacity", temperature, mesh)
        x = np.minimum(quantum / (2 * kT), 300) if kT else np.full_like(quantum, 300)  # beyond it sinh overflows, C is 0
        return float(METAL.temperature * np.mean(np.sum((x / np.sinh(x)) ** 2, axis=1)))

    def _quanta(self, where: str, temperature: float, mesh: Any) -> tuple[np.ndarray, float]:
        """h f `(wave vectors, modes)` and kB T [eV]."""
        T = float(numbers(f"{where}: temperature", temperature))
        if T < 0:
            raise ValueError(f"{where}: temperature={temperature!r}; expected a number that is not negative [K].")
        if self.atoms.units != METAL or not any(self.atoms.periodic):
            raise ValueError(f"{where}: expected a crystal in md.METAL; {self!r} is in units {self.atoms.units.name!r}.")
        f = self.frequencies(self._mesh(mesh))
        if not f.min() > 0:
            raise ValueError(
                f"{where}: the lowest frequency is {f.min():.3g} THz, an imaginary one: the crystal is unstable. Displace the "
                "atoms of a larger cell along that mode and relax them."
            )
        return PLANCK * f, METAL.temperature * T

    def _mesh(self, mesh: Any) -> np.ndarray:
        """Wave vectors that fill the zone and keep off its centre (Monkhorst & Pack 1976, doi:10.1103/PhysRevB.13.5188)."""
        counts = np.asarray(mesh)
        if counts.shape not in ((), (3,)) or counts.dtype.kind not in "iu" or counts.min() < 1:
            raise ValueError(f"mesh={mesh!r}; expected the number of wave vectors along each axis, one or three.")
        along = zip(np.broadcast_to(counts, 3), self.atoms.periodic, strict=True)
        axes = [(np.arange(k) + 0.5) / k if wraps else np.zeros(1) for k, wraps in along]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)

    def _rooted(self, squares: np.ndarray) -> np.ndarray:
        """omega / 2 pi in the user's units."""
        unit = 1e3 * METAL.time if self.atoms.units == METAL else 1.0
        return np.sign(squares) * np.sqrt(np.abs(squares)) * unit / (2 * np.pi)

    @property
    def _unit(self) -> str:
        return "THz" if self.atoms.units == METAL else "1/time"

    def __repr__(self) -> str:
        return f"Phonons({self.atoms!r}, force constants between {len(self.images)} cells)"


def phonons(atoms: System, potential: AbstractPotential, *, largest: float = AT_REST) -> Phonons:
    """The vibrations of a crystal at rest, of which `atoms` is a cell of any size: the smallest is the fastest. For any
    potential that is a sum over atoms and their neighbours, sums of such included, Deep Potentials too.

    Only what the potential says counts: it has no electric field, which parts longitudinal from transverse waves in polar
    crystals, unless it was made to have one.

    **Arguments:** `largest` force on an atom [eV/angstrom] that is taken for rest.

    **Raises** `ValueError` where a force is larger, for potentials that need no list of neighbours (bonds, long-range
    corrections) or pass messages, and where second derivatives are not finite.

    >>> from sciml import md
    >>> crystal = md.primitive(md.diamond(5.431, 1, "Si"))
    >>> vibrations = md.phonons(crystal, md.StillingerWeber())
    >>> vibrations
    Phonons(System(Si2, cell 3.84 x 3.84 x 3.84), force constants between 13 cells)
    >>> vibrations.frequencies([0.5, 0.5, 0]).round(2)
    array([ 6.65,  6.65, 12.99, 12.99, 15.63, 15.63])
    """
    expect_system(atoms, "phonons")
    expect_potential(potential, "phonons")
    found = force_constants(atoms, potential)
    force = float(np.max(np.linalg.norm(found.forces, axis=1)))
    if force > largest:
        raise ValueError(
            f"phonons: the largest force on an atom is {force:.3g}; expected at most {largest:g} eV/angstrom. Relax the atoms "
            "first: md.relax(atoms, potential, cell=True).atoms; phonons(..., largest=...) takes them as they are."
        )
    return Phonons(atoms, found.images, found.blocks)


def _wave_vectors(q: Any) -> np.ndarray:
    found = numbers("phonons: q", q, ("...", 3))
    if found.ndim < 1 or found.shape[-1] != 3:
        raise ValueError(f"phonons: q has the shape {found.shape}; expected (..., 3), in units of the reciprocal lattice.")
    return found
