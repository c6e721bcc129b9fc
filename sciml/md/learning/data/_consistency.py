"""Energies and forces that are not in the same units.

Between two frames of the same atoms in the same cell that are near each other,

    E_b - E_a = -sum (F_a + F_b) / 2 . (r_b - r_a)

up to the third order in the displacement (trapezoidal rule). The ratio of both sides tells the units.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from ...atoms._system import complete

if TYPE_CHECKING:
    from ._dataset import Dataset

# CODATA 2018: what one eV, or one eV/angstrom, is in the unit.
ENERGIES = {"Hartree": 1 / 27.211386246, "Rydberg": 1 / 13.605693123, "kcal/mol": 23.060548, "kJ/mol": 96.485332, "meV": 1e3}
FORCES = {
    "Hartree/bohr": 1 / 51.422067, "Rydberg/bohr": 1 / 25.711034, "Hartree/angstrom": 1 / 27.211386,
    "Rydberg/angstrom": 1 / 13.605693, "kcal/mol/angstrom": 23.060548, "kJ/mol/angstrom": 96.485332,
    "kJ/mol/nm": 964.85332, "meV/angstrom": 1e3,
}  # fmt: skip
FRAMES = 400  # of the same atoms in the same cell, that are compared
SOME = 24  # atoms by which near frames are found
NEAR = 0.2  # angstrom, the root mean square displacement of a coordinate at most
FEW, MANY = 6, 40  # pairs
SURE = 0.9  # the correlation from which a ratio is believed, within a fifth
WIDE = 2.5  # a ratio that may be chance
BOHR = 0.529177211
HARDEST = 10.0  # eV/angstrom^3, 1600 GPa
PRECISE = 12, 0.95, 1.2  # pairs and correlation from which a ratio of 1.89 is told from 1; how far off it may be


def warn_of_units(d: Dataset, where: str) -> None:
    """Warns where energies differ by another factor than the work of the forces says."""
    found = work_ratio(d)
    if found is None:
        return
    ratio, correlation, pairs = found
    measured = (
        f"{where}: between {pairs} pairs of near frames energies change by {ratio:.3g} times the work of the forces "
        f"(correlation {correlation:.2f}); a Dataset takes eV, angstrom and eV/angstrom"
    )
    if correlation < 0:
        text = "forces seem to be gradients of the energy: turn their sign, dataclasses.replace(d, forces=-d.forces)"
    elif not 1 / WIDE < ratio < WIDE:
        text = _likely(ratio)
    elif pairs < PRECISE[0] or correlation < PRECISE[1]:
        return
    elif abs(np.log(ratio * BOHR)) < np.log(PRECISE[2]):
        text = (
            "energies and forces are likely both in atomic units, to be multiplied by 27.2114 and 51.4221 (Hartree and "
            "Hartree/bohr) or 13.6057 and 25.7110 (Rydberg and Rydberg/bohr), or forces in eV/bohr, to be multiplied by 1.88973"
        )
    elif abs(np.log(ratio / BOHR)) < np.log(PRECISE[2]):
        text = "positions are likely in bohr, to be multiplied by 0.529177, as cells"
    else:
        return
    warnings.warn(f"{measured}: {text}.", stacklevel=5)


def warn_of_stresses(d: Dataset, where: str) -> None:
    """Warns where a virial over the volume is larger than any solid bears."""
    has = d.labelled["virials"] & d.periodic.all(axis=1)
    if not has.any():
        return
    stress = np.abs(d.virials[has]).max(axis=(1, 2)) / d.volumes[has]
    worst = int(np.argmax(stress))
    if stress[worst] > HARDEST:
        warnings.warn(
            f"{where}: the virial of frame {np.flatnonzero(has)[worst]} is a stress of {stress[worst]:.3g} eV/angstrom^3, or "
            f"{stress[worst] * 160.2:.3g} GPa. A virial is in eV, a stress in eV/angstrom^3 (1 GPa = 0.00624151, 1 kbar = "
            "0.000624151): say its unit in the file, stress-unit=kbar, or convert it.",
            stacklevel=5,
        )


def _likely(ratio: float) -> str:
    guesses = [(abs(np.log(ratio / one)), "energies", unit, one) for unit, one in ENERGIES.items()]
    guesses += [(abs(np.log(ratio * one)), "forces", unit, one) for unit, one in FORCES.items()]
    guesses.sort(key=lambda guess: guess[0])
    close = [guess for guess in guesses if guess[0] < np.log(1.3)][:2]
    if not close:
        return "energies and forces are not in the same units, or do not belong together"
    said = [
        f"{name} are likely in {unit}: dataclasses.replace(d, {name}={1 / one:.6g} * d.{name})" for _, name, unit, one in close
    ]
    return "; or ".join(said)


def work_ratio(d: Dataset) -> tuple[float, float, int] | None:
    """Changes of energy over the work of the forces, their correlation, and how many pairs of frames; None where no frames
    are near, or the two have little to do with each other."""
    usable = np.flatnonzero(d.labelled["energies"] & d.labelled["forces"])
    groups: dict[bytes, list[int]] = {}
    for k in usable:
        atoms = d.species[d.first[k] : d.first[k + 1]]
        groups.setdefault(atoms.tobytes() + d.cells[k].tobytes() + d.periodic[k].tobytes(), []).append(int(k))
    pairs = [row for rows in groups.values() if len(rows) > 1 for row in _near(d, rows[:FRAMES])]
    pairs = sorted(row for row in pairs if 0 < row[0] < NEAR)[:MANY]
    # As many of the nearest as the rule holds for; frames further apart add noise.
    for n in range(len(pairs), FEW - 1, -1):
        _, change, work = np.array(pairs[:n]).T
        both = np.sqrt((change @ change) * (work @ work))
        if both and abs(change @ work) > SURE * both:
            return float(np.sqrt((change @ change) / (work @ work))), float(change @ work / both), n
    return None


def _near(d: Dataset, rows: list[int]) -> list[tuple[float, float, float]]:
    """Of each frame and the one nearest to it: displacement, change of energy, work."""
    n, start, periodic = int(d.atoms[rows[0]]), d.first[rows], d.periodic[rows[0]]
    index = start[:, None] + np.arange(n)
    h = complete(d.cells[rows[0]])
    share = d.positions[index] @ np.linalg.inv(h)
    some = np.unique(np.linspace(0, n - 1, SOME).astype(int))
    best = np.full(len(rows), np.inf)
    other = np.zeros(len(rows), int)
    few = share[:, some].astype(np.float32)
    for k in range(len(rows)):
        away = few - few[k]
        away -= np.round(away) * periodic
        square = np.einsum("fna,fna->f", away @ h.astype(np.float32), away @ h.astype(np.float32))
        square[k] = np.inf
        other[k], best[k] = int(np.argmin(square)), square.min()
    found = {}
    for k in np.flatnonzero(best < 3 * len(some) * (2 * NEAR) ** 2):
        a, b = sorted((int(k), int(other[k])))
        away = share[b] - share[a]
        move = (away - np.round(away) * periodic) @ h
        work = -np.sum((d.forces[index[a]] + d.forces[index[b]]) * move) / 2
        found[a, b] = float(np.sqrt(np.mean(move**2))), float(d.energies[rows[b]] - d.energies[rows[a]]), float(work)
    return list(found.values())
