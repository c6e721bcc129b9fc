"""Long-range corrections of pair potentials that end at a cutoff (Allen & Tildesley 2017,
doi:10.1093/oso/9780198803195.001.0001, section 2.8)."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._precision import float64
from ..atoms._pairs import AbstractGlobalPotential, AbstractPairPotential, kinds_of
from ..atoms._system import System
from ._lennard_jones import LennardJones
from ._tabulated import Tabulated


class TailCorrection(AbstractGlobalPotential):
    """What a homogeneous fluid with g(r) = 1 adds beyond a cutoff, from `md.tail_correction`.

        E = 2 pi / V sum_ab N_a N_b I_ab,        I_ab = integral of (phi - what is computed) r^2 dr

    Minus its derivative with respect to volume is the correction of pressure. A truncated potential jumps at the cutoff by
    phi(cutoff), of which forces know nothing: its share of the pressure, 2 pi / (3 V^2) sum_ab N_a N_b cutoff^3 phi_ab(cutoff),
    is added, as everywhere. Each atom holds its part of the energy.

    **Attributes:** `integrals`, I_ab, and `jumps`, cutoff^3 phi_ab(cutoff) / 3, `(species, species)` [eV angstrom^3].
    """

    integrals: Any
    jumps: Any
    cutoff: float = eqx.field(static=True, default=0.0)
    names: tuple[str, ...] | None = eqx.field(static=True, default=None)

    @property
    def kinds(self) -> int:
        return len(self.integrals)

    def shared_energies(self, positions: Any, cell: Any, species: Any, periodic: Any) -> Any:
        volume = jnp.abs(jnp.linalg.det(cell))
        kinds = jnp.eye(len(self.integrals), dtype=positions.dtype)[species]
        count = jnp.sum(kinds, axis=0)
        each, jump = (2 * jnp.pi * kinds @ (jnp.asarray(I, positions.dtype) @ count) for I in (self.integrals, self.jumps))
        # The jump counts in the derivative alone.
        return each / volume + jump * (1 / volume - 1 / jax.lax.stop_gradient(volume))

    def __repr__(self) -> str:
        return "TailCorrection()"


def tail_correction(potential: AbstractPairPotential, atoms: System) -> TailCorrection:
    """The long-range correction of energy and virial of `potential` for homogeneous fluids, to be added to it: `potential +
    md.tail_correction(potential, atoms)`. Right for mixtures, and at any volume and composition of the species of `atoms`.

    In closed form for Lennard-Jones without a switch, else by quadrature. With `shift=True` it also gives back what the shift
    took from pairs within the cutoff, as many as there are with g(r) = 1.

    **Raises** `ValueError` where the cell is open, the potential is no pair potential or ends by itself, or where its integral
    diverges (charges: that is Ewald's task).
    """
    if not isinstance(potential, AbstractPairPotential) or isinstance(potential, Tabulated):
        raise ValueError(f"tail_correction: {potential!r} is no pair potential that goes on beyond its cutoff.")
    if not all(atoms.periodic):
        raise ValueError("tail_correction: a homogeneous fluid fills a cell that is periodic along all vectors.")
    names = getattr(potential, "names", None)
    kinds_of(potential, atoms.names)
    count = (getattr(potential, "kinds", None) or len(atoms.names)) if names is None else len(names)
    with float64():
        integrals, jumps = (np.zeros((count, count)) for _ in range(2))
        for a in range(count):
            for b in range(a + 1):
                integrals[[a, b], [b, a]], jumps[[a, b], [b, a]] = _integral(potential, a, b)
    return TailCorrection(integrals=integrals, jumps=jumps, names=names)


def _integral(potential: AbstractPairPotential, a: int, b: int) -> tuple[float, float]:
    if isinstance(potential, LennardJones) and potential.switch is None:
        return _closed(potential, a, b)
    return _integrated(potential, a, b)


def _closed(potential: LennardJones, a: int, b: int) -> tuple[float, float]:
    epsilon, sigma = (float(np.asarray(p)[a, b]) if np.ndim(p) else float(p) for p in (potential.epsilon, potential.sigma))
    x, rc = (sigma / potential.cutoff) ** 3, potential.cutoff
    beyond = 4 * epsilon * sigma**3 * (x**3 / 9 - x / 3)
    jump = 4 * epsilon * (x**4 - x**2) * rc**3 / 3
    return (beyond + jump, 0.0) if potential.shift else (beyond, jump)


def _integrated(potential: AbstractPairPotential, a: int, b: int) -> tuple[float, float]:
    from scipy.integrate import IntegrationWarning, quad

    rc, start = potential.cutoff, getattr(potential, "switch", None)
    plain = {k: v for k, v in (("shift", False), ("switch", None)) if hasattr(potential, k)}
    whole = dataclasses.replace(potential, **plain)
    phi, ends = (_curve(p, a, b) for p in (whole, potential))
    jump = phi(rc) * rc**3 / 3
    with warnings.catch_warnings():
        warnings.simplefilter("error", IntegrationWarning)
        try:
            # r = cutoff / x; to the powers of 1/r that count this is a polynomial.
            beyond = quad(lambda x: phi(rc / x) * rc**3 / x**4, 0, 1, epsabs=0, epsrel=1e-9)[0]
        except IntegrationWarning as error:
            raise ValueError(f"tail_correction: the integral of {potential!r} beyond its cutoff diverges ({error}).") from None
    if start is not None:
        inner = quad(lambda r: (phi(r) - ends(r)) * r**2, start, rc, epsabs=0, epsrel=1e-9)[0]
        return beyond + inner, 0.0
    return (beyond + jump, 0.0) if getattr(potential, "shift", False) else (beyond, jump)


def _curve(potential: AbstractPairPotential, a: int, b: int) -> Any:
    found = jax.jit(lambda r: potential.pair_energies(r**2, a, b))
    return lambda r: float(found(jnp.asarray(float(r))))
