"""Units: eV, angstrom, atomic mass unit, elementary charge, and the time that follows, angstrom sqrt(amu / eV).

CODATA 2018 (doi:10.1103/RevModPhys.93.025010). Users write fs, K and bar; `REDUCED` leaves numbers as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EV, AMU = 1.602176634e-19, 1.66053906660e-27  # J, kg


@dataclass(frozen=True)
class Units:
    """What one of the user's units is inside: `time` (fs), `temperature` (K, as an energy), `pressure` (bar)."""

    name: str
    time: float
    temperature: float
    pressure: float

    def axis(self, name: str, unit: str) -> str:
        """What stands at an axis of a plot, `time [fs]`; reduced units have no names."""
        return name if self.name == "reduced" else f"{name} [{unit}]"


METAL = Units("eV, angstrom, fs, K, bar", 1e-15 / (1e-10 * float(np.sqrt(AMU / EV))), 8.617333262e-5, 1e5 * 1e-30 / EV)
REDUCED = Units("reduced", 1.0, 1.0, 1.0)
