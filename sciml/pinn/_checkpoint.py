"""Training states on disk: written atomically while training, and read back bit for bit."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._files import read_arrays, write_arrays

FORMAT = 2
KIND = "network"  # of the file
PARTS = ("x", "normals", "weight", "data", "damping")


@dataclasses.dataclass
class Progress:
    """Where the training stands; everything in it, and the method's state, goes into a checkpoint."""

    method: int = 0
    method_step: int = 0
    step: int = 0
    draw: int = 0
    elapsed: float = 0.0
    history: list[dict[str, float]] = dataclasses.field(default_factory=list)
    # Parameters `(n,)` on the way with the residual that they were trained to; see `_error`.
    earlier: list[tuple[float, np.ndarray]] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Saved:
    """What a checkpoint holds; `into(state)` fills a freshly made state of the same method."""

    progress: Any
    points: Any
    weights: dict[str, float]
    leaves: list[np.ndarray]

    def into(self, state: Any) -> Any:
        leaves, structure = jax.tree.flatten(state)
        if [np.shape(a) for a in leaves] != [a.shape for a in self.leaves]:
            raise ValueError(
                "The checkpoint was written with another network or method: the shapes of the training state differ. "
                "Call solve as before, or remove the file to start anew."
            )
        return jax.tree.unflatten(structure, [jnp.asarray(a) for a in self.leaves])


class Checkpoint:
    """One file, rewritten at most every `every` seconds; `signature` says which problem it belongs to."""

    def __init__(self, path: Any, signature: str, every: float = 20.0):
        self.path, self.signature, self.every = Path(path), signature, every
        self._last = time.monotonic()

    def due(self) -> bool:
        return time.monotonic() - self._last >= self.every

    def save(self, progress: Any, state: Any, batch: Any) -> None:
        header = {
            "format": FORMAT,
            "signature": self.signature,
            "progress": dataclasses.asdict(progress) | {"earlier": [residual for residual, _ in progress.earlier]},
            "weights": {k: float(v) for k, v in batch.weights.items()},
        }
        arrays = {f"state/{i}": np.asarray(a) for i, a in enumerate(jax.tree.leaves(state))}
        arrays |= {f"earlier/{i}": p for i, (_, p) in enumerate(progress.earlier)}
        for name, points in batch.points.items():
            for part in PARTS:
                arrays[f"points/{name}/{part}"] = np.asarray(getattr(points, part))
        write_arrays(self.path, header, arrays)
        self.written()

    def written(self) -> None:
        self._last = time.monotonic()

    def load(self, problem: Any) -> Saved | None:
        from ._groups import Points, local_sizes

        if not self.path.exists():
            return None
        header, arrays = read_arrays(self.path)
        if header.get("kind", KIND) != KIND:
            return None  # of patches, which did not do it
        expect_same(self, header, FORMAT)
        points = {}
        for g in problem.groups:
            saved: dict[str, Any] = {part: arrays[f"points/{g.name}/{part}"] for part in PARTS}
            points[g.name] = Points(**saved, local=local_sizes(g.blocks, saved["x"]))
        leaves = [arrays[f"state/{i}"] for i in range(sum(k.startswith("state/") for k in arrays))]
        progress = header["progress"]
        progress["earlier"] = [(r, arrays[f"earlier/{i}"]) for i, r in enumerate(progress["earlier"])]
        return Saved(Progress(**progress), points, header["weights"], leaves)


def expect_same(checkpoint: Checkpoint, header: dict[str, Any], version: int) -> None:
    """**Raises** `ValueError` where a file was written by another version, or for another problem."""
    if header.get("format") != version:
        raise ValueError(
            f"The checkpoint {checkpoint.path} was written by another version of sciml. Give another path, or remove the file."
        )
    if header.get("signature") != checkpoint.signature:
        raise ValueError(
            f"The checkpoint {checkpoint.path} belongs to another problem or other settings. Call solve with the same "
            "arguments as before, give another path, or remove the file."
        )
