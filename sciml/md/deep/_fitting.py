"""From the descriptor of an atom to its energy."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np

from ._arguments import check_widths
from ._nets import Network, network


class FittingNet(eqx.Module):
    """Nets from D to one number, one for each type of centre, or one for all.

    **Attributes:** `nets`.
    """

    nets: tuple[Network, ...]

    @staticmethod
    def new(
        types: int, size: int, *, widths: Any = (240, 240, 240), shared: bool = False, slow: bool = True,
        activation: str = "tanh", key: Any = 0,
    ) -> FittingNet:  # fmt: skip
        """Random nets for descriptors of the length `size`."""
        widths, rng = check_widths("FittingNet", widths), np.random.default_rng([key, 1])
        sizes = (size, *widths)
        count = 1 if shared else types
        return FittingNet(tuple(network(sizes, activation=activation, output=True, slow=slow, rng=rng) for _ in range(count)))

    def __call__(self, own: int, D: Any) -> Any:
        """Energies `(rows,)` without bias, of atoms of the type `own`."""
        return self.nets[min(own, len(self.nets) - 1)](D)[:, 0]
