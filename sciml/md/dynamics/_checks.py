"""Arguments of a run that cannot be, and those that are hardly meant."""

from __future__ import annotations

import math
import numbers
import operator
import warnings
from typing import Any

import numpy as np

from ..atoms._potential import is_global
from ..atoms._system import System, complete, fixed_atoms
from ._ensembles import NoseHoover

TIMESTEPS = 1e-3, 20.0  # fs
VOLUMES = 1.0, 5e6  # angstrom^3 per atom: hydrogen in a planet has 2, a gas at 10 mbar 4e6
MASSES = 0.5, 1000.0  # amu
HOTTEST = 1e6  # K
NEIGHBOURS = 3000
SCHEDULE = 1000  # times at which schedules are looked at
SHORTEST = 5  # steps of a Nose-Hoover thermostat's period


def whole_number(name: str, value: Any, least: int) -> int:
    """`value` as an int, NumPy's too. **Raises** `ValueError`."""
    try:
        found = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        found = None
    if found is None or found < least:
        raise ValueError(f"{name}={value!r}; expected a whole number{', at least 1' if least else ''}.")
    return found


def held_atoms(fixed: Any, atoms: System) -> np.ndarray:
    """The numbers of the atoms that are held: `fixed`, or where it is None those that the system says. **Raises** `ValueError`
    where it is no list of some of them."""
    found = fixed_atoms(atoms.fixed if fixed is None else fixed, atoms.atoms)
    if found.size == atoms.atoms:
        hint = " The system says so (atoms.fixed): fixed=[] lets all move." if fixed is None else ""
        raise ValueError(f"fixed holds all atoms: nothing would move.{hint}")
    return found


def check(atoms: System, potential: Any, timestep: Any, fixed: Any) -> None:
    """**Raises** `ValueError` for what cannot be; warns of values that are hardly meant, reduced units excepted."""
    if isinstance(timestep, bool) or not isinstance(timestep, numbers.Real) or not math.isfinite(timestep) or timestep <= 0:
        raise ValueError(f"timestep={timestep!r}; expected a positive number [fs].")
    held_atoms(fixed, atoms)
    masses = np.asarray(atoms.masses, float)
    if not np.all(np.isfinite(masses) & (masses > 0)):
        k = int(np.flatnonzero(~(masses > 0) | ~np.isfinite(masses))[0])
        raise ValueError(f"The mass of atom {k} is {masses[k]:g}; expected a positive number: atoms without mass cannot move.")
    if any(atoms.periodic) and abs(np.linalg.det(complete(atoms.cell))) < 1e-9:
        raise ValueError("The system is periodic and has no cell: give md.system a cell, or periodic=False.")
    if any(w and not np.any(h) for w, h in zip(atoms.periodic, np.asarray(atoms.cell), strict=True)):
        raise ValueError("The system is periodic along an axis whose vector of the cell is zero: give it, or open that axis.")
    cutoff = potential.cutoff
    if not np.isfinite(cutoff) or cutoff < 0 or (cutoff == 0 and not is_global(potential)):
        raise ValueError(
            f"The potential's cutoff is {cutoff!r}; expected a positive finite length. For all pairs of an open system take "
            "one larger than the system."
        )
    _warn(atoms, cutoff, float(timestep))


def check_bath(atoms: System, ensemble: Any, timestep: float, steps: int) -> None:
    """**Raises** `ValueError` where a thermostat cannot work on these atoms, with this step or for so long."""
    name = type(ensemble).__name__
    for what in ("temperature", "pressure"):
        schedule: Any = getattr(ensemble, what, None)
        if not callable(schedule):
            continue
        for step in np.unique(np.linspace(0, steps, min(steps, SCHEDULE) + 1).astype(int)).tolist():
            found: Any = schedule(step * timestep)
            value = float(found)
            if not math.isfinite(value) or (what == "temperature" and value <= 0):
                wanted = "a temperature above zero [K]" if what == "temperature" else "a number [bar]"
                raise ValueError(f"{name}: {what} is {value:g} at t = {step * timestep:g}, step {step}; expected {wanted}.")
    if getattr(ensemble, "temperature", None) is None:
        return
    if atoms.atoms == 1 and ensemble.keeps_momentum:
        raise ValueError(
            f"{name} keeps the momentum, and one atom moves with nothing else: it has no temperature. Take md.Langevin."
        )
    if isinstance(ensemble, NoseHoover):
        if atoms.velocities is None or not np.any(atoms.velocities):
            raise ValueError(
                "NoseHoover scales velocities, and these atoms are at rest: they would stay so. Start with "
                "md.thermal(atoms, temperature), or take md.Langevin."
            )
        if ensemble.time < SHORTEST * timestep:
            raise ValueError(
                f"NoseHoover: time={float(ensemble.time):g} is {float(ensemble.time) / timestep:.3g} steps of {timestep:g}; an "
                f"oscillation takes at least {SHORTEST} to be followed, usual are 50 to 200."
            )


def _warn(atoms: System, cutoff: float, timestep: float) -> None:
    warn = lambda text: warnings.warn(text, stacklevel=5)  # noqa: E731
    periodic = all(atoms.periodic)
    volume = float(atoms.volume) / atoms.atoms
    if periodic and 4 / 3 * np.pi * cutoff**3 / volume > NEIGHBOURS:
        warn(
            f"The cutoff {cutoff:g} is understood in the unit of the cell: each atom has about "
            f"{4 / 3 * np.pi * cutoff**3 / volume:.3g} neighbours within it."
        )
    if atoms.units.name == "reduced":
        return
    if not TIMESTEPS[0] <= timestep <= TIMESTEPS[1]:
        warn(f"timestep={timestep:g} is understood as {timestep:g} fs; usual are 0.2 to 5 fs.")
    if periodic and not VOLUMES[0] <= volume <= VOLUMES[1]:
        edges = " x ".join(f"{e:.4g}" for e in np.linalg.norm(np.asarray(atoms.cell), axis=1))
        warn(
            f"The cell, {edges}, is understood in angstrom: {volume:.3g} angstrom^3 for an atom; liquids and solids have "
            "about 10 to 30 (1 nm = 10 angstrom)."
        )
    masses = np.asarray(atoms.masses, float)
    if masses.min() < MASSES[0] or masses.max() > MASSES[1]:
        k = int(np.argmin(masses) if masses.min() < MASSES[0] else np.argmax(masses))
        warn(f"The mass of atom {k} is understood as {masses[k]:.4g} amu; hydrogen has 1.008.")
    if atoms.velocities is not None and float(atoms.temperature) > HOTTEST:
        warn(
            "The velocities are understood in sqrt(eV / amu), 0.0982 angstrom/fs: the temperature is "
            f"{float(atoms.temperature):.3g} K."
        )
