"""Structures at rest: evaluation on the host, relaxation, equation of state, elastic constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import numpy as np

from ..atoms._evaluator import Evaluator, expect_finite
from ..atoms._pairs import AbstractPotential
from ..atoms._resolution import is_resolved
from ..atoms._system import System, expect_periodic, volume_of
from ..atoms._units import METAL, Units
from ..dynamics._checks import held_atoms
from ._no_rest import no_rest

EV_PER_A3_IN_GPA = 160.21766208
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@dataclass(frozen=True)
class FIRE:
    """The fast inertial relaxation engine (Bitzek et al. 2006, doi:10.1103/PhysRevLett.97.170201); steps in angstrom
    sqrt(amu / eV), with masses of one."""

    first: float = 0.05
    largest: float = 0.5
    most: float = 0.2  # that an atom moves in a step [angstrom]

    def minimise(self, slope: Any, x: np.ndarray, tolerance: float, steps: int) -> tuple[np.ndarray, int, bool]:
        v, dt, alpha, downhill = np.zeros_like(x), self.first, 0.1, 0
        for k in range(steps):
            f = -slope(x)[1]
            if np.max(np.linalg.norm(f.reshape(-1, 3), axis=1)) < tolerance:
                return x, k, True
            if np.sum(f * v) > 0:
                v = (1 - alpha) * v + alpha * f * np.linalg.norm(v) / np.linalg.norm(f)
                downhill += 1
                if downhill > 5:
                    dt, alpha = min(1.1 * dt, self.largest), 0.99 * alpha
            else:
                v, dt, alpha, downhill = np.zeros_like(v), 0.5 * dt, 0.1, 0
            v = v + dt * f
            step = dt * v
            longest = np.max(np.linalg.norm(step.reshape(-1, 3), axis=1))
            x = x + step * min(1.0, self.most / max(longest, 1e-300))
        return x, steps, False


@dataclass(frozen=True)
class LBFGS:
    """Limited-memory quasi-Newton steps (SciPy's L-BFGS-B)."""

    memory: int = 20

    def minimise(self, slope: Any, x: np.ndarray, tolerance: float, steps: int) -> tuple[np.ndarray, int, bool]:
        from scipy.optimize import minimize

        small = tolerance / 2
        options = {"maxiter": steps, "maxcor": self.memory, "gtol": small, "ftol": 0.0, "maxfun": 20 * steps}
        found = minimize(lambda x: slope(x), x, jac=True, method="L-BFGS-B", options=options)
        f = slope(found.x)[1].reshape(-1, 3)
        return found.x, int(found.nit), bool(np.max(np.linalg.norm(f, axis=1)) < tolerance)


@dataclass(frozen=True)
class Relaxed:
    """**Attributes:** `atoms`, at rest; `energy` [eV]; `force`, the largest left on an atom [eV/angstrom]; `stress` `(3, 3)`,
    minus the virial over the volume [bar], NaN where atoms are open; `result`; `converged`."""

    atoms: System
    energy: float
    force: float
    stress: np.ndarray
    result: str
    converged: bool


class _Lost(Exception):
    """Atoms went where no numbers are told apart."""


def relax(
    atoms: System,
    potential: AbstractPotential,
    method: Any = LBFGS(),
    *,
    cell: bool = False,
    pressure: float = 0.0,
    fixed: Any = None,
    tolerance: float = 1e-4,
    steps: int = 1000,
    throw: bool = True,
) -> Relaxed:
    """Moves atoms, those numbered in `fixed` excepted, and with `cell=True` the cell at a `pressure` [bar], until no force on
    an atom that moves is larger than `tolerance` [eV/angstrom]. By default those of `atoms.fixed` are held (constraints of ASE,
    selective dynamics); `fixed=[]` lets all move.

    The cell is varied as a deformation F of what it was, cell F; its force is that of the enthalpy with respect to F, shared
    among the atoms (as in Tadmor et al. 1999, doi:10.1103/PhysRevB.59.235).

    **Raises** `RuntimeError` where that does not happen in `steps`, with what helps: a potential without a lower bound, into
    which atoms fall, has no place of rest; `throw=False` returns what was reached. `ValueError` where atoms lie on each other.
    """
    evaluator = Evaluator(atoms, potential)
    if not hasattr(method, "minimise"):
        raise ValueError(f"relax: method={method!r}; expected md.LBFGS() or md.FIRE().")
    if not tolerance > 0:
        raise ValueError(f"relax: tolerance={tolerance!r}; expected a positive force [eV/angstrom].")
    free = np.ones((atoms.atoms, 1))
    free[held_atoms(fixed, atoms)] = 0
    if cell:
        expect_periodic(atoms, "relax(cell=True)")
        if not free.all():
            raise ValueError(
                "relax: atoms that are fixed have no place in a cell that changes: fixed=[] lets them move, or leave out "
                "cell=True."
            )
    r0, h0 = np.asarray(atoms.positions, float), np.asarray(atoms.cell, float)
    expect_finite("relax", potential, atoms, evaluator(r0, h0))
    n, share = atoms.atoms, max(1, atoms.atoms)
    p = pressure * atoms.units.pressure

    x0 = np.concatenate([r0.ravel(), share * np.eye(3).ravel()]) if cell else r0.ravel()

    def places(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        F = x[3 * n :].reshape(3, 3) / share if cell else np.eye(3)
        return x[: 3 * n].reshape(n, 3) @ F, h0 @ F, F

    best: list[Any] = [np.inf, x0]

    def slope(x: np.ndarray) -> tuple[float, np.ndarray]:
        r, h, F = places(x)
        if not is_resolved(float(np.max(np.abs(x))), float):
            raise _Lost
        found = evaluator(r, h)
        g = -free * np.asarray(found.forces) @ F.T
        volume = abs(np.linalg.det(h)) if cell else 0.0
        value = float(found.energy) + p * volume
        if value < best[0]:
            best[:] = value, x.copy()
        if not cell:
            return value, g.ravel()
        # A further strain e makes F (1 + e): dE/dF = F^-T dE/de, with dE/de = -virial, dV/de = V.
        dF = np.linalg.inv(F).T @ (p * volume * np.eye(3) - np.asarray(found.virial))
        return value, np.concatenate([g.ravel(), dF.ravel() / share])

    try:
        x, taken, good = method.minimise(slope, x0, tolerance, steps)
    except _Lost:
        x, taken, good = best[1], steps, False
    r, h, _ = places(x)
    found = evaluator(r, h)
    force = float(np.max(np.linalg.norm(free * found.forces, axis=1)))
    done = eqx.tree_at(lambda s: (s.positions, s.cell), atoms, (r, h))
    stress = -np.asarray(found.virial) / volume_of(h, atoms.periodic) / atoms.units.pressure
    off = f", the stress is off by {np.abs(stress + pressure * np.eye(3)).max():.2g} bar" if cell else ""
    ending = "converged" if good else "stopped"
    result = f"{type(method).__name__} {ending} after {taken} steps; the largest force is {force:.2e}{off}."
    if not good and throw:
        raise RuntimeError(f"{result} {no_rest(atoms, done, potential)} (throw=False returns what was reached.)")
    return Relaxed(done, float(found.energy), force, stress, result, good)


@dataclass(frozen=True)
class EquationOfState:
    """Birch-Murnaghan of third order (Birch 1947, doi:10.1103/PhysRev.71.809). **Attributes:** `volumes` [angstrom^3] and
    `energies` [eV] that were computed; `volume` and `energy` at the minimum; `bulk_modulus` [GPa] and its `derivative` with
    respect to pressure; `units` of the atoms."""

    volumes: np.ndarray
    energies: np.ndarray
    volume: float
    energy: float
    bulk_modulus: float
    derivative: float
    units: Units = METAL

    def plot(self, ax: Any = None) -> Any:
        """The energies and the curve through them."""
        import matplotlib.pyplot as plt

        ax = ax or plt.subplots()[1]
        v = np.linspace(self.volumes.min(), self.volumes.max(), 200)
        B = self.bulk_modulus / EV_PER_A3_IN_GPA
        ax.plot(v, birch_murnaghan(v, self.energy, self.volume, B, self.derivative))
        ax.plot(self.volumes, self.energies, "o")
        ax.set(xlabel=self.units.axis("volume", "angstrom^3"), ylabel=self.units.axis("energy", "eV"))
        return ax


def birch_murnaghan(v: Any, energy: float, volume: float, B: float, derivative: float) -> Any:
    x = (volume / v) ** (2 / 3)
    return energy + 9 * volume * B / 16 * ((x - 1) ** 3 * derivative + (x - 1) ** 2 * (6 - 4 * x))


def equation_of_state(
    atoms: System, potential: AbstractPotential, *, strain: float = 0.03, points: int = 9, positions: bool = False
) -> EquationOfState:
    """Energies of the cell stretched and compressed by up to `strain` in each direction, and the curve through them;
    `positions` are relaxed in each if asked for."""
    from scipy.optimize import curve_fit

    evaluator = Evaluator(atoms, potential)
    expect_periodic(atoms, "equation_of_state")
    if points < 5:
        raise ValueError(f"equation_of_state: points={points!r}; a curve of four parameters takes five at least.")
    volumes, energies = [], []
    for s in np.linspace(1 - strain, 1 + strain, points):
        scaled = eqx.tree_at(lambda a: (a.positions, a.cell), atoms, (s * atoms.positions, s * atoms.cell))
        volumes.append(float(scaled.volume))
        found = relax(scaled, potential) if positions else evaluator(scaled.positions, scaled.cell)
        energies.append(float(found.energy))
    v, e = np.array(volumes), np.array(energies)
    a, b, c = np.polyfit(v, e, 2)
    start = (c - b**2 / (4 * a), -b / (2 * a), -b, 4.0)
    (energy, volume, B, derivative), _ = curve_fit(birch_murnaghan, v, e, p0=start, maxfev=20000)
    return EquationOfState(v, e, float(volume), float(energy), float(B) * EV_PER_A3_IN_GPA, float(derivative), atoms.units)


def elastic_constants(
    atoms: System, potential: AbstractPotential, *, strain: float = 1e-3, positions: bool = True
) -> np.ndarray:
    """C_ij = d stress_i / d strain_j [GPa], `(6, 6)` in Voigt's order xx, yy, zz, yz, xz, xy, by central differences;
    `positions` follow the strain at rest. The atoms should be relaxed, cell and all."""
    evaluator = Evaluator(atoms, potential)
    expect_periodic(atoms, "elastic_constants")
    C = np.zeros((6, 6))
    for j, (a, b) in enumerate(VOIGT):
        for sign in (1, -1):
            e = np.zeros((3, 3))
            e[a, b] += sign * strain / 2
            e[b, a] += sign * strain / 2
            F = np.eye(3) + e
            moved = eqx.tree_at(lambda s: (s.positions, s.cell), atoms, (atoms.positions @ F, atoms.cell @ F))
            if positions:
                moved = relax(moved, potential, tolerance=1e-7, throw=False).atoms
            stress = -np.asarray(evaluator(moved.positions, moved.cell).virial) / moved.volume * EV_PER_A3_IN_GPA
            C[:, j] += sign * np.array([stress[p] for p in VOIGT]) / (2 * strain)
    return (C + C.T) / 2

