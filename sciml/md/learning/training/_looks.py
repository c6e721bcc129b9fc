"""What is measured between steps."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._history import COLUMNS
from ._prepare import Prepared
from ._run import Run, evenly

SOME = 4, 32  # frames that a look takes, at least and at most
MOST = 1000  # frames that the remark of a model speaks of


class Looks:
    """Errors of the frames trained on, and of some of the validation set; the best parameters where there is `patience`."""

    def __init__(self, run: Run, held: Prepared | None, patience: int | None):
        self.run, self.held, self.patience = run, held, patience
        self.best: Any = None
        self._rows: list[np.ndarray] = []  # (members, columns)
        self._lowest = np.full(run.count, np.inf)
        self._since = 0
        self._sums = np.zeros((2, run.count, 3))

    def add(self, sums: np.ndarray) -> None:
        self._sums += sums

    def is_sound(self) -> bool:
        finite = [np.all(np.isfinite(np.asarray(a))) for a in jax.tree.leaves(self.run.state.parameters)]
        return bool(np.all(finite) and np.all(np.isfinite(self._sums)))

    def look(self, rate: float, seconds: float, steps: int) -> None:
        """A row of the history, after `steps` steps; looking takes a small part of their time."""
        some = int(np.clip(steps * max(self.run.batch) // 4, *SOME))
        self.run.refit(self.run.parameters, some)
        trained = _root(self._sums)
        self._sums[:] = 0
        ahead = np.broadcast_to([self.run.step, seconds, rate], (self.run.count, 3))
        held = np.full((self.run.count, 3), np.nan)
        if self.held is not None:
            which = [evenly(len(b.members), some / len(self.held.counts)) for b in self.held.buckets]
            held = _root(squares(self.run, self.run.parameters, self.held, which))
        self._rows.append(np.concatenate([ahead, trained, held], axis=1))
        if self.patience is not None:
            force = held[:, 1]
            measure = np.where(np.isfinite(force), force, held[:, 0])
            self._since += 1
            better = measure < self._lowest
            if np.any(better):
                self._since, self._lowest = 0, np.where(better, measure, self._lowest)
                self.best = _chosen(better, self.run.parameters, self.best, self.run.count)

    def is_over(self) -> bool:
        return self.patience is not None and self._since >= self.patience

    def table(self, member: int) -> np.ndarray:
        return np.array([row[member] for row in self._rows]).reshape(-1, len(COLUMNS))

    def words(self) -> str:
        """Of the last look, for the progress bar."""
        row: dict[str, float] = dict(zip(COLUMNS, self._rows[-1].mean(axis=0), strict=True))
        shown = []
        for prefix, label in (("", ""), ("validation_", "val ")):
            if np.isfinite(e := row[prefix + "energy"]):
                shown.append(f"{label}E {1e3 * e:.3g} meV/atom")
            if np.isfinite(f := row[prefix + "force"]):
                shown.append(f"{label}F {1e3 * f:.3g} meV/A")
        return ", ".join(shown)

    def progress(self) -> dict[str, Any]:
        return {
            "rows": [r.tolist() for r in self._rows], "lowest": self._lowest.tolist(), "since": self._since,
            "sums": self._sums.tolist(),
        }  # fmt: skip

    def resume(self, progress: dict[str, Any], best: Any) -> None:
        self._rows, self._since = [np.array(r) for r in progress["rows"]], progress["since"]
        self._lowest, self._sums, self.best = np.array(progress["lowest"]), np.array(progress["sums"]), best


def squares(run: Run, parameters: Any, held: Prepared, some: Any) -> np.ndarray:
    """Sums of squared errors and the numbers of terms `(2, members, 3)`."""
    sums = np.zeros((2, run.count, 3))
    for bucket, which, found in zip(held.buckets, some, run.predictions(held, parameters, some), strict=True):
        if not len(which):
            continue
        f, known = bucket.frames, np.asarray(bucket.frames.known)[which]
        atoms = np.asarray(f.present)[which].sum(axis=1)
        energy = (found.energies - f.energies[which]) / atoms
        force = (found.forces - f.forces[which]) * np.asarray(f.present)[which][..., None]
        virial = (found.virials - f.virials[which]) / atoms[:, None, None]
        for k, (error, count) in enumerate(((energy, 1), (force, 3 * atoms), (virial, 9))):
            each = np.sum(error.reshape(*error.shape[:2], -1).astype(float) ** 2, axis=2)
            sums[0, :, k] += each @ known[:, k]
            sums[1, :, k] += np.sum(count * known[:, k])
    return sums


def errors_in_words(run: Run, parameters: Any, data: Prepared, what: str) -> list[str]:
    """Of all frames of a set, or of `MOST` that are evenly spaced in it, which is then said; for each member."""
    count = len(data.counts)
    some = [evenly(len(b.members), min(1.0, MOST / count)) for b in data.buckets]
    taken = sum(map(len, some))
    name = f"{what} errors" + (f" of {taken} of {count} frames" if taken < count else "")
    found = _root(squares(run, parameters, data, some))
    return [_words(name, error[0], error[1]) for error in found]


def _words(what: str, energy: float, force: float) -> str:
    parts = [f"{1e3 * energy:.3g} meV/atom"] if np.isfinite(energy) else []
    parts += [f"{1e3 * force:.3g} meV/angstrom"] if np.isfinite(force) else []
    return f"{what} {', '.join(parts)}" if parts else ""


def _root(sums: np.ndarray) -> np.ndarray:
    return np.sqrt(np.where(sums[1] > 0, sums[0] / np.maximum(sums[1], 1), np.nan))


def _chosen(better: np.ndarray, now: Any, best: Any, members: int) -> Any:
    if best is None or members == 1:
        return jax.tree.map(jnp.copy, now)
    take = lambda a, b: jnp.where(better.reshape(-1, *[1] * (a.ndim - 1)), a, b)  # noqa: E731
    return jax.tree.map(take, now, best)
