"""The state of a run in one file."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import time
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._files import expect_writable, read_arrays, write_arrays
from ..atoms._neighbours import Neighbours, Sizes
from ..files._frame import Frame
from ._ensembles import Dynamics

SAVE_SECONDS = 20.0
FORMAT = 2


class Checkpoint:
    """What changes bits is in it, the list of neighbours with its order and sizes too; and the frames, or, where they are in a
    file, how many of them there are. It is put in place when it is complete."""

    def __init__(self, path: Path, signature: str):
        self.path, self.signature, self._last = path, signature, time.monotonic()

    def due(self) -> bool:
        return time.monotonic() - self._last > SAVE_SECONDS

    def save(self, at: Dynamics, n: Neighbours, record: Any) -> None:
        leaves = {f"at/{k}": np.asarray(a) for k, a in enumerate(jax.tree.leaves(at))}
        lists = {f"list/{k}": np.asarray(a) for k, a in enumerate(jax.tree.leaves(n))}
        mark, rows = record.mark(), {}
        if mark is None and record.count:
            rows = {f"frame/{f.name}": np.stack([getattr(x, f.name) for x in record.held]) for f in dataclasses.fields(Frame)}
        header = {
            "format": FORMAT, "signature": self.signature, "sizes": dataclasses.asdict(n.sizes), "mark": mark,
            "transposed": n.transposed is not None, "cutoff": n.cutoff, "skin": n.skin, "periodic": list(n.periodic),
        }  # fmt: skip
        write_arrays(self.path, json.loads(json.dumps(header)), leaves | lists | rows)
        self._last = time.monotonic()

    def load(self, like: Dynamics) -> tuple[Dynamics, Neighbours, tuple[Any, list[Frame]]] | None:
        """(state, list, what was recorded), or None where there is no file. **Raises** `ValueError` for another run's."""
        for part in self.path.parent.glob(f"{self.path.name}.*.part"):
            part.unlink()  # of a run that was killed while it wrote
        if not self.path.exists():
            expect_writable(self.path, "checkpoint")
            return None
        header, arrays = read_arrays(self.path)
        if header.get("format") != FORMAT or header.get("signature") != self.signature:
            raise ValueError(
                f"The checkpoint {self.path} belongs to another system, potential, ensemble or other settings: take the same "
                "arguments as before, give another path, or remove the file."
            )
        take = lambda kind: [arrays[f"{kind}/{k}"] for k in range(sum(name.startswith(kind + "/") for name in arrays))]  # noqa: E731
        at = jax.tree.unflatten(jax.tree.structure(like), [jnp.asarray(a) for a in take("at")])
        sizes: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in header["sizes"].items()}
        lists = [jnp.asarray(a) for a in take("list")]
        if not header["transposed"]:
            lists.insert(6, None)  # type: ignore[arg-type]
        settings = header["cutoff"], header["skin"], tuple(header["periodic"]), Sizes(**sizes)
        n = Neighbours(*lists, *settings)  # type: ignore[call-arg]
        columns = {k.removeprefix("frame/"): v for k, v in arrays.items() if k.startswith("frame/")}
        frames = [
            Frame(**{k: (v[i] if v[i].ndim else v[i].item()) for k, v in columns.items()})
            for i in range(len(columns.get("step", ())))
        ]
        return at, n, (header["mark"], frames)


def signature(trees: Any, *settings: Any) -> str:
    """A digest of everything that changes bits. Functions count by their names."""
    arrays, rest = eqx.partition(trees, eqx.is_array_like)
    text = repr((jax.tree.structure(trees), jax.tree.leaves(rest), settings))
    digest = hashlib.sha256(re.sub(r" at 0x[0-9a-f]+", "", text).encode())
    for leaf in jax.tree.leaves(arrays):
        digest.update(np.ascontiguousarray(leaf).tobytes())
    return digest.hexdigest()
