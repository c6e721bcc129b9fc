"""Units that a file states beside its labels, `stress-unit=kbar`, `energy_unit=hartree`, ...: what a number in them is in eV
and angstrom. A unit that is not known is refused, and so are positions in anything but angstrom.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HARTREE, BOHR, EV = 27.211386245988, 0.529177210903, 1.602176634e-19  # eV, angstrom, J (CODATA 2018)
KCAL, KJ = 0.0433641153, 0.0103642697  # eV for each molecule of a mole
ENERGIES = {
    "ev": 1.0, "mev": 1e-3, "hartree": HARTREE, "ha": HARTREE, "eh": HARTREE, "rydberg": HARTREE / 2, "ry": HARTREE / 2,
    "kcal/mol": KCAL, "kj/mol": KJ,
}  # fmt: skip
LENGTHS = {"angstrom": 1.0, "ang": 1.0, "a": 1.0, "å": 1.0, "bohr": BOHR, "nm": 10.0}
ATOMIC = ("au", "a.u.", "atomic", "atomic units")
PRESSURES = {"pa": 1e-30 / EV, "bar": 1e-25 / EV, "kbar": 1e-22 / EV, "kb": 1e-22 / EV, "mpa": 1e-24 / EV, "gpa": 1e-21 / EV}
SPEAKS_OF = {
    "energy": "energy", "energies": "energy", "force": "forces", "forces": "forces", "stress": "stress", "stresses": "stress",
    "virial": "virial", "virials": "virial", "length": "length", "position": "length", "positions": "length", "pos": "length",
    "cell": "length", "lattice": "length", "distance": "length",
}  # fmt: skip
EXAMPLES = {
    "energy": "eV, hartree, Ry, kcal/mol", "forces": "eV/angstrom, hartree/bohr, kcal/mol/angstrom", "virial": "eV, hartree",
    "stress": "eV/angstrom^3, GPa, kbar, hartree/bohr^3", "length": "angstrom",
}  # fmt: skip


def factors(info: Mapping[str, Any], where: str) -> dict[str, float]:
    """What the numbers of each quantity are multiplied by. A virial is in the unit of the energy where it has none of its own.

    **Raises** `ValueError` for a unit that is not known.
    """
    found = {}
    for key, value in info.items():
        said = re.fullmatch(r"([a-z]+)[-_ ]?units?", str(key).lower())
        quantity = SPEAKS_OF.get(said[1]) if said else None
        if quantity is None:
            continue
        factor = _factor(quantity, str(value).strip().lower())
        if factor is None or (quantity == "length" and factor != 1):
            what = "positions" if quantity == "length" else quantity
            raise ValueError(
                f"{where}: {what} in {value!r} ({key}); understood are {EXAMPLES[quantity]} and the like. Convert the file, "
                "and leave the unit out."
            )
        found[quantity] = factor
    if "energy" in found:
        found.setdefault("virial", found["energy"])
    return found


def _factor(quantity: str, unit: str) -> float | None:
    if quantity == "length":
        return LENGTHS.get(unit, BOHR if unit in ATOMIC else None)
    if quantity in ("energy", "virial"):
        return HARTREE if unit in ATOMIC else ENERGIES.get(unit)
    if quantity == "stress" and unit in PRESSURES:
        return PRESSURES[unit]
    power = 3 if quantity == "stress" else 1
    if unit in ATOMIC:
        return HARTREE / BOHR**power
    energy, _, length = unit.rpartition("/")
    if power == 3:
        length = re.sub(r"(\^|\*\*)?(3|³)$", "", length) if re.search("(3|³)$", length) else ""
    scale = LENGTHS.get(length, BOHR if length in ATOMIC else None)
    value = HARTREE if energy in ATOMIC else ENERGIES.get(energy)
    return None if scale is None or value is None else value / scale**power
