"""Which frames a step takes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def order(counts: Sequence[int], batch: Sequence[int], key: int, epoch: int) -> list[tuple[int, np.ndarray]]:
    """The batches of an epoch, (bucket, frames `(batch,)`), in random order: every frame once, and some twice where the
    frames of a bucket are no multiple of its batch."""
    rng = np.random.default_rng([key, epoch])
    found = []
    for k, (count, size) in enumerate(zip(counts, batch, strict=True)):
        shuffled = rng.permutation(count)
        whole = np.resize(shuffled, math.ceil(count / size) * size).reshape(-1, size)
        found += [(k, row) for row in whole]
    return [found[k] for k in rng.permutation(len(found))]
