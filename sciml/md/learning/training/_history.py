"""What was measured while training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

COLUMNS = (
    "step", "seconds", "rate", "energy", "force", "virial", "validation_energy", "validation_force", "validation_virial",
)  # fmt: skip


@dataclass(frozen=True)
class History:
    """A table, a row for each look. **Attributes:** `rows` `(looks, 9)`; columns by name: `step`, `seconds`, `rate`; root mean
    square errors of the frames trained on since the last look, `energy` [eV/atom], `force` [eV/angstrom], `virial` [eV/atom],
    and of the validation set, `validation_energy`, ...; NaN where there are no labels."""

    rows: np.ndarray

    def __getattr__(self, name: str) -> np.ndarray:
        if name in COLUMNS:
            return self.rows[:, COLUMNS.index(name)]
        raise AttributeError(f"History has no {name!r}; it has {', '.join(COLUMNS)}.")

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        shown = [0, *range(max(1, len(self) - 5), len(self))] if len(self) > 6 else list(range(len(self)))
        lines = ["    step  seconds      rate  E meV/atom  F meV/A   validation E         F"]
        for k in shown:
            r = dict(zip(COLUMNS, self.rows[k], strict=True))
            lines.append(
                f"{int(r['step']):8d} {r['seconds']:8.1f}  {r['rate']:.2e}  {1e3 * r['energy']:10.3f} {1e3 * r['force']:8.2f}  "
                f"{1e3 * r['validation_energy']:13.3f} {1e3 * r['validation_force']:9.2f}"
            )
        return "\n".join(lines)

    def plot(self, axes: Any = None) -> Any:
        """Errors of energies and forces against steps, on logarithmic axes."""
        import matplotlib.pyplot as plt

        axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")[1] if axes is None else axes
        for ax, name, unit in ((axes[0], "energy", "meV/atom"), (axes[1], "force", "meV/angstrom")):
            for column, label, style in ((name, "training", "-"), (f"validation_{name}", "validation", "o-")):
                x, y = self.step, 1e3 * getattr(self, column)
                if np.any(np.isfinite(y)):
                    ax.loglog(np.maximum(x, 1), y, style, ms=3, label=label)
            ax.set(xlabel="step", ylabel=f"RMS error of {name} [{unit}]")
            ax.legend(frameon=False)
        return axes
