"""Screened repulsion of nuclei (Ziegler, Biersack & Littmark 1985, "The Stopping and Range of Ions in Matter", vol. 1)."""

# Annotations are not postponed here: Equinox must see what overrides an AbstractVar.

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ..atoms._pairs import AbstractPairPotential
from ._pair_forms import check_cutoff, for_pairs

COULOMB = 14.399645  # e^2 / (4 pi epsilon_0) [eV angstrom], as LAMMPS has it
SHARES = np.array([0.18175, 0.50986, 0.28022, 0.02817])
RATES = np.array([3.19980, 0.94229, 0.40290, 0.20162])


class ZBL(AbstractPairPotential):
    """The universal screened repulsion of bare nuclei, as LAMMPS's pair_style zbl has it:

        phi(r) = Z_a Z_b e^2 / (4 pi epsilon_0 r) f(r / l) + S(r),    l = 0.46850 / (Z_a^0.23 + Z_b^0.23) angstrom
        f(x) = 0.18175 e^(-3.1998 x) + 0.50986 e^(-0.94229 x) + 0.28022 e^(-0.4029 x) + 0.02817 e^(-0.20162 x)

    S is a constant below `start` and a polynomial of fourth degree from there to `cutoff` [angstrom], where phi, phi' and phi''
    are zero. For atoms closer than a bond, beside a potential that knows nothing of them: `md.JoinedPotential`.

    **Arguments:** `names` of the species, elements, or `numbers`, their atomic numbers.

    **Raises** `ValueError` where a name is no element and there are no `numbers`, or not 0 <= start < cutoff.

    >>> ZBL(("O", "H"), start=1.0, cutoff=2.0)
    ZBL(O, H; from 1 to 2 angstrom)
    """

    charges: Any  # (species, species), Z_a Z_b e^2 / (4 pi epsilon_0)
    rates: Any  # (species, species), 1 / l
    smoothing: Any  # (3, species, species): S = c + (r - start)^3 (a + b (r - start))
    start: float = eqx.field(static=True)
    cutoff: float = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)

    def __init__(self, names: Any, *, start: float = 1.0, cutoff: float = 2.0, numbers: Any = None):
        self.names, self.start, self.cutoff = tuple(names), float(start), float(cutoff)
        check_cutoff(self)
        if not 0 <= start < cutoff:
            raise ValueError(f"ZBL: start={start!r} and cutoff={cutoff!r}; expected 0 <= start < cutoff [angstrom].")
        Z = np.asarray(_numbers(self.names) if numbers is None else numbers, float)
        if Z.shape != (len(self.names),) or not np.all(Z > 0):
            raise ValueError(f"ZBL: numbers={numbers!r}; expected the atomic numbers of {', '.join(self.names)}.")
        self.charges = COULOMB * Z[:, None] * Z
        self.rates = (Z[:, None] ** 0.23 + Z**0.23) / 0.46850
        f, slope, bend = _bare(self.cutoff, self.charges, self.rates)
        t = self.cutoff - self.start
        a, b = (-3 * slope + t * bend) / t**2 / 3, (2 * slope - t * bend) / t**3 / 4
        self.smoothing = np.stack([-f + t / 2 * slope - t**2 / 12 * bend, a, b])

    @property
    def kinds(self) -> int:
        return len(self.names)

    def pair_energies(self, square: Any, a: Any, b: Any) -> Any:
        r = jnp.sqrt(square)
        charge, rate, c, cubic, quartic = (
            for_pairs(jnp.asarray(p, r.dtype), a, b) for p in (self.charges, self.rates, *self.smoothing)
        )
        x = r * rate
        screened = sum(float(s) * jnp.exp(-float(d) * x) for s, d in zip(SHARES, RATES, strict=True))
        t = jnp.maximum(r - self.start, 0)
        return charge / r * screened + c + t**3 * (cubic + quartic * t)

    def __repr__(self) -> str:
        return f"ZBL({', '.join(self.names)}; from {self.start:g} to {self.cutoff:g} angstrom)"


def _bare(r: float, charge: np.ndarray, rate: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The repulsion without S, and its two derivatives."""
    d = RATES * rate[..., None]
    e = charge[..., None] * SHARES * np.exp(-d * r) / r
    return tuple(np.sum(e * factor, axis=-1) for factor in (1.0, -(d + 1 / r), d**2 + 2 * d / r + 2 / r**2))  # type: ignore[return-value]


def _numbers(names: tuple[str, ...]) -> list[int]:
    from ase.data import atomic_numbers  # pyright: ignore[reportMissingImports]

    if unknown := [name for name in names if not atomic_numbers.get(name)]:
        raise ValueError(f"ZBL: {', '.join(unknown)} are no elements: give numbers=..., their atomic numbers.")
    return [atomic_numbers[name] for name in names]
