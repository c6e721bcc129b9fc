"""The state of a training in one file."""

from __future__ import annotations

import hashlib
import re
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...._files import read_arrays, write_arrays

SAVE_SECONDS = 30.0
FORMAT = 1


class Checkpoint:
    """Everything that changes bits, put in place when it is complete."""

    def __init__(self, path: Path, digests: dict[str, str]):
        self.path, self.digests, self._last = path, digests, time.monotonic()

    def due(self) -> bool:
        return time.monotonic() - self._last > SAVE_SECONDS

    def save(self, progress: dict[str, Any], trees: dict[str, Any]) -> None:
        arrays = {f"{name}/{k}": np.asarray(a) for name, tree in trees.items() for k, a in enumerate(jax.tree.leaves(tree))}
        write_arrays(self.path, {"format": FORMAT, "digests": self.digests, "progress": progress}, arrays)
        self._last = time.monotonic()

    def load(self, like: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """(progress, trees), or None where there is no file. **Raises** `ValueError` for another training's."""
        for part in self.path.parent.glob(f"{self.path.name}.*.part"):
            part.unlink()  # of a run that was killed while it wrote
        if not self.path.exists():
            return None
        header, arrays = read_arrays(self.path)
        digests = header.get("digests", {}) if header.get("format") == FORMAT else {}
        if other := [name for name, digest in self.digests.items() if digests.get(name) != digest]:
            raise ValueError(
                f"train: the checkpoint {self.path} is of another training: its {' and '.join(other)} "
                f"{'is' if len(other) == 1 else 'are'} not the same. Take the same arguments as before, give another path, or "
                "remove the file."
            )
        trees = {}
        for name, tree in like.items():
            leaves, structure = jax.tree.flatten(tree)
            if f"{name}/{len(leaves) - 1}" in arrays:
                found = [arrays[f"{name}/{k}"] for k in range(len(leaves))]
                trees[name] = jax.tree.unflatten(structure, [jnp.asarray(a) for a in found])
        return header["progress"], trees


def digest(tree: Any, *settings: Any) -> str:
    """Of structure, arrays and settings."""
    # Functions in it are told by their names; where they are in memory is another place each time.
    structure = re.sub(r" at 0x[0-9a-f]+", "", str(jax.tree.structure(tree)))
    found = hashlib.sha256(repr((structure, settings)).encode())
    for leaf in jax.tree.leaves(tree):
        found.update(np.ascontiguousarray(leaf).tobytes())
    return found.hexdigest()
