"""What the scripts of all peers share: the same grid and reference, one clock, one JSON format.

Needs NumPy alone, so that it runs in every peer's environment.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

STARTED = time.time()
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np  # noqa: E402
import references  # noqa: E402


def arguments(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--limit", type=float, default=900.0, help="wall seconds from the start of the process")
    parser.add_argument("--every", type=float, default=5.0, help="wall seconds between two measurements, at least")
    parser.add_argument("--out", required=True, help="the JSON file to write")
    return parser


class Log:
    """Pairs (wall time, relative L2 error on the 256 x 100 grid), written after every measurement.

    Wall time runs from the start of the process, so import and compilation count. The measurements are the
    benchmark's, not the library's, so the time that they take is taken off.
    """

    def __init__(self, library: str, settings: str, args: argparse.Namespace, packages: tuple[str, ...]):
        x, t, self.u = references.burgers_grid()
        self.x, self.t = x.ravel(), t.ravel()
        self.args, self.path = args, Path(args.out)
        self.started = STARTED
        self.measuring = 0.0
        self.last = -np.inf
        self.data: dict[str, Any] = {
            "library": library,
            "settings": settings,
            "versions": {name: metadata.version(name) for name in packages},
            "pairs": [],
            "notes": [],
        }

    def wall(self) -> float:
        return time.time() - self.started - self.measuring

    @property
    def over(self) -> bool:
        return self.wall() >= self.args.limit

    def measure(
        self, predict: Callable[[np.ndarray, np.ndarray], np.ndarray], step: int, *, force: bool = False
    ) -> None:
        """Adds a pair if it is time; `predict(x, t)` gives u at the points `(n,)`."""
        wall = self.wall()
        if not force and wall - self.last < self.args.every:
            return
        self.last = wall
        before = time.time()
        found = np.asarray(predict(self.x, self.t), dtype=float).reshape(self.u.shape)
        error = references.relative_l2(found, self.u)
        self.data["pairs"].append([wall, error, int(step)])
        self.save()
        print(f"{wall:8.1f} s  step {step:6d}  relative L2 {error:.3e}", flush=True)
        self.measuring += time.time() - before

    def note(self, text: str) -> None:
        self.data["notes"].append([self.wall(), text])
        self.save()

    def save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.data, indent=1) + "\n")
