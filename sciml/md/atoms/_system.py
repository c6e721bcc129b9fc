"""Atoms in a cell."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ..._precision import is_traced
from ._arguments import numbers
from ._units import METAL, Units


class System(eqx.Module):
    """Atoms in a cell, which may be triclinic, small, or open along any of its vectors.

    **Attributes:** `positions` `(atoms, 3)` [angstrom], unwrapped; `species` `(atoms,)`, numbers into `names`; `cell` `(3, 3)`,
    a lattice vector in each row; `periodic` along each of them; `masses` `(atoms,)` [amu]; `velocities` `(atoms, 3)`
    [sqrt(eV / amu)] and `charges` `(atoms,)` [e], or None; `units`; `fixed`, numbers of the atoms that `md.simulate` and
    `md.relax` hold unless they are told otherwise.
    """

    positions: Any
    species: Any
    cell: Any
    masses: Any
    velocities: Any = None
    charges: Any = None
    names: tuple[str, ...] = eqx.field(static=True, default=())
    periodic: tuple[bool, bool, bool] = eqx.field(static=True, default=(True, True, True))
    units: Units = eqx.field(static=True, default=METAL)
    fixed: tuple[int, ...] = eqx.field(static=True, default=())

    @property
    def kinetic_energy(self) -> Any:
        """sum m v^2 / 2 [eV]; zero without velocities."""
        return 0.0 if self.velocities is None else (self.masses[:, None] * self.velocities**2).sum() / 2

    @property
    def temperature(self) -> Any:
        """2 K / (3 N - 3) [K]; where atoms are fixed, 2 K / 3 N of the others."""
        return 2 * self.kinetic_energy / (max(1, self.degrees) * self.units.temperature)

    @property
    def degrees(self) -> int:
        """Of freedom: 3 N - 3, or 3 N of the atoms that are not fixed."""
        return 3 * (self.atoms - len(self.fixed)) if self.fixed else 3 * self.atoms - 3

    @property
    def atoms(self) -> int:
        return self.positions.shape[0]

    @property
    def volume(self) -> Any:
        """The volume of the cell [angstrom^3]; NaN unless it is periodic along all its vectors."""
        return volume_of(self.cell, self.periodic)

    def __repr__(self) -> str:
        counts = np.bincount(np.asarray(self.species), minlength=len(self.names))
        formula = " ".join(f"{name}{count}" for name, count in zip(self.names, counts, strict=True) if count)
        open_axes = [axis for axis, wraps in zip("abc", self.periodic, strict=True) if not wraps]
        edges = " x ".join(f"{e:.4g}" for e in np.linalg.norm(np.asarray(self.cell), axis=1))
        held = f", {len(self.fixed)} fixed" if self.fixed else ""
        return f"System({formula}, cell {edges}{held}{', open along ' + ', '.join(open_axes) if open_axes else ''})"


def system(
    positions: Any,
    species: Sequence[str] | str,
    *,
    cell: Any = None,
    periodic: bool | Sequence[bool] | None = None,
    masses: Any = None,
    velocities: Any = None,
    charges: Any = None,
    units: Units = METAL,
    fixed: Any = None,
) -> System:
    """A `System` from arrays.

    **Arguments:** `positions` `(atoms, 3)` [angstrom]; `species`, a name for each atom, or one for all; `cell` `(3, 3)`, three
    edges or one edge [angstrom]; `periodic`, by default where there is a cell; `masses` [amu], by default those of the
    elements, and 1 for names that are none, with a warning in `md.METAL`; `units`, `md.METAL` (eV, angstrom, amu) or
    `md.REDUCED`; `fixed`, the numbers of the atoms that are held, none by default.

    **Raises** `ValueError` where shapes do not fit, numbers are not finite, masses not positive, `fixed` is no list of atoms,
    or a periodic system has no cell.
    """
    r = numbers("system: positions", positions, ("atoms", 3))
    if r.ndim != 2 or r.shape[1] != 3 or not len(r):
        raise ValueError(f"system: positions have the shape {r.shape}; expected (atoms, 3).")
    if not isinstance(species, str) and (not np.iterable(species) or not all(isinstance(s, str) for s in species)):
        raise ValueError(f"system: species={species!r}; expected names such as 'Cu', one for each atom or one for all.")
    kinds = [species] * len(r) if isinstance(species, str) else [str(s) for s in species]
    if len(kinds) != len(r):
        raise ValueError(f"system: {len(kinds)} species came for {len(r)} atoms; expected one for each, or one name for all.")
    if not isinstance(units, Units):
        raise ValueError(f"system: units={units!r}; expected md.METAL or md.REDUCED.")
    names = tuple(dict.fromkeys(kinds))
    wraps = _flags(periodic, cell is not None)
    if cell is None and any(wraps):
        raise ValueError("system: a periodic system needs a cell: one edge, three edges, or three vectors [angstrom].")
    h = np.zeros((3, 3)) if cell is None else numbers("system: cell", cell)
    if h.shape not in ((), (1,), (3,), (3, 3)):
        raise ValueError(f"system: cell has the shape {h.shape}; expected one edge, three, or three vectors (rows) [angstrom].")
    if h.ndim < 2 and np.any(h < 0):
        raise ValueError(f"system: cell={cell!r}; edges are not negative.")
    h = np.diag(np.broadcast_to(h, 3)) if h.ndim < 2 else h
    arrays = {"positions": r, "cell": h}
    given_arrays = (("masses", masses, (len(r),)), ("velocities", velocities, r.shape), ("charges", charges, (len(r),)))
    for name, given, shape in given_arrays:
        if given is None:
            continue
        found = numbers(f"system: {name}", given, shape)
        if found.shape not in ((), shape):
            raise ValueError(f"system: {name} have the shape {found.shape} for {len(r)} atoms; expected {shape}.")
        arrays[name] = np.array(np.broadcast_to(found, shape))
    if "masses" in arrays and not arrays["masses"].min() > 0:
        k = int(np.argmin(arrays["masses"]))
        raise ValueError(f"system: the mass of atom {k} is {arrays['masses'][k]:g}; expected a positive number [amu].")
    if any(wraps) and (not h[np.array(wraps)].any(axis=1).all() or abs(np.linalg.det(complete(h))) < 1e-9):
        raise ValueError(
            "system: the vectors of the cell lie in one plane, or one that is periodic is zero; expected three edges or "
            f"vectors [angstrom], {h.tolist()} came."
        )
    if "masses" not in arrays:
        arrays["masses"] = np.array([_mass(name) for name in kinds])
        _warn_of_masses(names, units)
    which = {name: k for k, name in enumerate(names)}
    species_numbers = np.array([which[k] for k in kinds], np.int32)
    held = tuple(sorted(fixed_atoms(fixed, len(r)).tolist()))
    return System(
        species=species_numbers, names=names, periodic=wraps, units=units, fixed=held, **arrays  # type: ignore[arg-type]
    )  # fmt: skip


def fixed_atoms(fixed: Any, atoms: int) -> np.ndarray:
    """The numbers of the atoms that are held. **Raises** `ValueError` where `fixed` is no list of some of them."""
    given = np.asarray([] if fixed is None else fixed)
    if given.ndim != 1:
        raise ValueError(f"fixed has the shape {given.shape}; expected the numbers of the atoms that are held, (atoms,).")
    if not given.size:
        return np.zeros(0, int)
    if given.dtype.kind not in "iu":
        raise ValueError(
            f"fixed has the type {given.dtype}; expected whole numbers of atoms (numpy.flatnonzero(mask) for a mask)."
        )
    if given.min() < 0 or given.max() >= atoms:
        raise ValueError(f"fixed: numbers of atoms from 0 to {atoms - 1}; {fixed!r} came.")
    if len(np.unique(given)) < given.size:
        mask = " A mask is handed over as numpy.flatnonzero(mask)." if given.size == atoms else ""
        raise ValueError(f"fixed names an atom twice; expected each number once.{mask}")
    return given.astype(int)


def volume_of(cell: Any, periodic: Sequence[bool]) -> Any:
    """|det cell| [angstrom^3]; NaN for atoms that are open along a vector, which have none, and so no pressure."""
    if not all(periodic):
        return math.nan
    return jnp.abs(jnp.linalg.det(cell)) if is_traced(cell) else float(abs(np.linalg.det(np.asarray(cell, float))))


def _flags(periodic: Any, default: bool) -> tuple[bool, bool, bool]:
    flags = np.asarray(default if periodic is None else periodic)
    if flags.shape not in ((), (3,)) or flags.dtype.kind not in "biu" or np.any((flags != 0) & (flags != 1)):
        raise ValueError(f"system: periodic={periodic!r}; expected True or False, one for the three vectors or three.")
    a, b, c = np.broadcast_to(flags.astype(bool), 3).tolist()
    return a, b, c


def _mass(name: str) -> float:
    from ase.data import atomic_masses, atomic_numbers  # pyright: ignore[reportMissingImports]

    return float(atomic_masses[atomic_numbers[name]]) if name in atomic_numbers else 1.0


def _warn_of_masses(
    names: tuple[str, ...],
    units: Units,
    what: str = "system",
    advice: str = "Give masses=[...], one for each atom, or names of elements.",
) -> None:
    """In amu a mass of 1 for names that are no elements is hardly meant."""
    from ase.data import atomic_numbers  # pyright: ignore[reportMissingImports]

    unknown = [name for name in names if name not in atomic_numbers]
    if not unknown or units is not METAL:
        return
    letters = {name: re.sub(r"[^A-Za-z].*", "", name).capitalize() for name in unknown}
    meant = [f"{name}: do you mean {found}?" for name, found in letters.items() if found in atomic_numbers]
    warnings.warn(
        f"{what}: {', '.join(unknown)} {'is no element' if len(unknown) == 1 else 'are no elements'}, and mass 1 amu is taken: "
        f"atoms move too fast. {' '.join([*meant, advice])}",
        stacklevel=3,
    )


def complete(cell: Any) -> np.ndarray:
    """`cell` with unit vectors across the others in place of vectors that are zero."""
    h = np.array(cell, float)
    missing = ~np.any(h, axis=1)
    given = h[~missing]
    h[missing] = np.linalg.svd(given if len(given) else np.zeros((1, 3)))[2][len(given) :]
    return h


def fcc(constant: float, repeat: int | Sequence[int], species: str, **options: Any) -> System:
    """A face-centred cubic lattice of `repeat` cubic cells along each axis; `constant` is the edge of one [angstrom]; `options`
    as of `md.system`."""
    return _lattice(FCC, (constant,) * 3, repeat, species, options)


def bcc(constant: float, repeat: int | Sequence[int], species: str, **options: Any) -> System:
    """A body-centred cubic lattice of `repeat` cubic cells of two atoms along each axis; `constant` is the edge of one
    [angstrom]."""
    return _lattice([[0, 0, 0], [0.5, 0.5, 0.5]], (constant,) * 3, repeat, species, options)


def simple_cubic(constant: float, repeat: int | Sequence[int], species: str, **options: Any) -> System:
    """A simple cubic lattice of `repeat` cells along each axis; `constant` is the edge of one [angstrom]."""
    return _lattice([[0, 0, 0]], (constant,) * 3, repeat, species, options)


def diamond(constant: float, repeat: int | Sequence[int], species: str, **options: Any) -> System:
    """The lattice of diamond, `repeat` cubic cells of eight atoms along each axis; `constant` is the edge of one [angstrom]."""
    return _lattice([*FCC, *(np.array(FCC) + 0.25)], (constant,) * 3, repeat, species, options)


def hcp(
    constant: float, repeat: int | Sequence[int], species: str, *, height: float | None = None, **options: Any
) -> System:
    """A hexagonal close-packed lattice of `repeat` right-angled cells a, sqrt(3) a, c of four atoms; `constant` is a, `height`
    c [angstrom], by default sqrt(8 / 3) a."""
    edges = (constant, 3**0.5 * constant, (8 / 3) ** 0.5 * constant if height is None else height)
    return _lattice([[0, 0, 0], [0.5, 0.5, 0], [0.5, 5 / 6, 0.5], [0, 1 / 3, 0.5]], edges, repeat, species, options)


FCC = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]


def _lattice(basis: Any, edges: Any, repeat: int | Sequence[int], species: str, options: dict[str, Any]) -> System:
    n, edges = np.broadcast_to(np.asarray(repeat), 3), np.array(edges, float)
    if not np.issubdtype(n.dtype, np.integer) or n.min() < 1 or not edges.min() > 0:
        raise ValueError(f"lattice: edges {edges.tolist()} repeated {repeat!r} times; expected positive lengths and numbers.")
    corners = np.stack(np.meshgrid(*(np.arange(k) for k in n), indexing="ij"), axis=-1).reshape(-1, 1, 3)
    return system((edges * (corners + np.asarray(basis))).reshape(-1, 3), species, cell=edges * n, **options)


def random_fluid(
    atoms: int,
    species: str | Sequence[str] | Mapping[str, float],
    density: float,
    *,
    closest: float | None = None,
    key: int = 0,
    **options: Any,
) -> System:
    """A start for a fluid: atoms at random in a cube, none closer to another than `closest`. Relax it before dynamics.

    **Arguments:** `species`, a name, one for each atom, or the fraction of each, `{"Ar": 0.7, "Kr": 0.3}`, which are mixed at
    random; `density` [atoms/angstrom^3]; `closest` [angstrom], by default 0.8 density^(-1/3); `options` as of `md.system`.

    **Raises** `ValueError` where numbers do not fit, or no places were found that far apart.

    >>> random_fluid(100, {"Ar": 0.7, "Kr": 0.3}, 0.02)
    System(Ar70 Kr30, cell 17.1 x 17.1 x 17.1)
    """
    from scipy.spatial import KDTree

    if not (isinstance(atoms, int) and atoms > 0 and density > 0):
        raise ValueError(f"random_fluid: {atoms!r} atoms, density={density!r}; expected positive numbers.")
    rng, edge = np.random.default_rng(key), (atoms / density) ** (1 / 3)
    apart = 0.8 * density ** (-1 / 3) if closest is None else float(closest)
    r = rng.random((atoms, 3)) * edge
    for _ in range(2000):
        i, j = KDTree(r, boxsize=edge).query_pairs(min(apart, 0.499 * edge), output_type="ndarray").T
        if not len(i):
            break
        # Pairs that are too close move apart, a little more than they must.
        d = r[j] - r[i]
        d -= edge * np.round(d / edge)
        length = np.maximum(np.linalg.norm(d, axis=1, keepdims=True), 1e-9)
        step = d / length * (1.02 * apart - length) / 2
        np.add.at(r, i, -step)
        np.add.at(r, j, step)
        r = (r % edge) % edge
    else:
        raise ValueError(f"random_fluid: no places for {atoms} atoms {apart:.3g} angstrom apart; lower closest or density.")
    return system(r, _mixture(species, atoms, rng), cell=edge, **options)


def _mixture(species: Any, atoms: int, rng: Any) -> Any:
    if not isinstance(species, Mapping):
        return species
    share = np.array(list(species.values()), float)
    if not len(share) or not (share.min() >= 0 and abs(share.sum() - 1) < 1e-9):
        raise ValueError(f"random_fluid: fractions {dict(species)!r}; expected numbers whose sum is 1.")
    counts = np.diff(np.round(np.append(0.0, np.cumsum(share)) * atoms)).astype(int)
    kinds = np.repeat(np.arange(len(share)), counts)
    rng.shuffle(kinds)
    order = list(species)
    return [order[k] for k in kinds]


def thermal(atoms: System, temperature: float, *, key: int = 0) -> System:
    """`atoms` with Maxwell-Boltzmann velocities without net momentum, scaled to `temperature` [K] exactly; atoms that are fixed
    have none, and then the others keep their net momentum.

    **Raises** `ValueError` for a temperature that is negative or no number. **Warns** where no atom can move: one atom alone
    has no velocity without net momentum.
    """
    expect_system(atoms, "thermal")
    if isinstance(temperature, bool) or not isinstance(temperature, Real) or not 0 <= temperature < float("inf"):
        raise ValueError(f"thermal: temperature={temperature!r}; expected a number that is not negative [K].")
    m = np.asarray(atoms.masses)[:, None]
    v = np.random.default_rng(key).normal(size=atoms.positions.shape) / np.sqrt(m)
    if atoms.fixed:
        v[list(atoms.fixed)] = 0
    else:
        v -= np.sum(m * v, axis=0) / np.sum(m)
    if atoms.degrees < 1 and temperature > 0:
        why = "all atoms are fixed" if atoms.fixed else "one atom without net momentum is at rest"
        warnings.warn(
            f"thermal: {why}, and stays at 0 K instead of {temperature:g}; md.Langevin gives one atom its temperature.",
            stacklevel=2,
        )
        v = 0 * v
    kinetic = float(np.sum(m * v**2)) / max(1, atoms.degrees)
    v *= np.sqrt(temperature * atoms.units.temperature / kinetic) if kinetic else 0.0
    return eqx.tree_at(lambda s: s.velocities, atoms, v, is_leaf=lambda x: x is None)


def expect_system(given: Any, where: str) -> None:
    """**Raises** `ValueError` where no `System` came."""
    if not isinstance(given, System):
        ase = hasattr(given, "get_positions")
        hint = "md.from_ase(atoms) makes one of it" if ase else "md.system(positions, species, cell=...) makes one"
        raise ValueError(f"{where}: expected a System; a {type(given).__name__} came ({hint}).")


def expect_periodic(atoms: Any, where: str) -> None:
    """**Raises** `ValueError` where the system has no volume."""
    if not all(atoms.periodic):
        raise ValueError(f"{where}: the system is open, and has no volume; it takes one that is periodic in all directions.")
