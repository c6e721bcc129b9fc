"""The state of a training, and what is done with it between two looks."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np
import optax

from ...atoms._potential import computed
from ...deep._chebyshev import TERMS
from ...deep._compress import exact_net
from ...deep._panels import MOST, deviations, panels
from ...potentials._trainable import cast
from ._buckets import Frames
from ._loss import AbstractLoss, Weights
from ._order import order
from ._predict import Prediction
from ._prepare import Prepared, least_squares_bias
from ._schedule import AbstractSchedule
from ._step import Programs, Setting, State

MANY = 200  # frames that biases are fitted to at the end
TOGETHER = 64  # steps in one call at most
FRAMES = 4  # that are predicted at a time
LIMIT = 1e-4  # of values and slopes of nets, by which a series may be off in training
COUNTS = 8, 16, 32, MOST  # of panels: each number is compiled anew
CHOSEN = 1e-5  # what new panels are chosen for, so that they last
NOTHING = optax.identity()


class Run:
    """Models, stacked where there are several, and their frames, of which the device gets what the next steps take."""

    def __init__(
        self, models: Sequence[Any], data: Prepared, *, batch: int | None = None, loss: AbstractLoss | None = None,
        optimizer: Any = NOTHING, average: float = 0.0, series: bool = True, nearest: float, key: int = 0, dtype: Any,
    ):  # fmt: skip
        self.count, self.key, self.data, self.nearest = len(models), key, data, nearest
        halves = [eqx.partition(cast(m, dtype), m.trained) for m in models]
        self._own, self._structure = halves[0][1], jax.tree.structure(halves[0][0])
        halves = [computed(half) for half in halves]
        stack = lambda *each: np.stack(each) if self.count > 1 else np.asarray(each[0])  # noqa: E731
        parameters = jax.tree.map(stack, *(p for p, _ in halves))
        # Energies are without the biases of the first model.
        shifts = np.stack([np.asarray(m.bias, float) - np.asarray(models[0].bias, float) for m in models])
        self.programs = Programs(Setting(halves[0][1], loss, optimizer, average), self.count > 1)
        self.state = self.programs.start(parameters, shifts if self.count > 1 else shifts[0], bool(average))
        self.series, self.panels = series, ()
        self.batch = [batch or max(1, -(-32 // b.atoms)) for b in data.buckets]
        self.step, self._epoch = 0, -1
        self._seen, self._queue = set(), []
        self._timed = np.zeros(2)

    # Moving on.

    def advance(self, until: int, steps: int, schedule: AbstractSchedule) -> Any:
        """Steps up to `until`; the sums of squares `(members, 3)` and the numbers of terms."""
        sums = np.zeros((2, self.count, 3))
        while self.step < until:
            bucket, picks = self._next(until)
            n = picks.shape[1]
            rates, weights = zip(*(schedule.at(self.step + k, steps) for k in range(n)), strict=True)
            columns = Weights(*(_padded(np.array(c)) for c in zip(*weights, strict=True)))
            frames = _taken(self.data.buckets[bucket].frames, picks if self.count > 1 else picks[0])
            known, began = self._known("step", frames), time.monotonic()
            state, squares = self.programs.advance(self.state, self.panels, frames, _padded(np.array(rates)), columns, n)
            self.state = state
            sums += np.stack([np.reshape(a, (self.count, 3)) for a in squares])
            self.step += n
            if known and len(self.data.buckets) == 1:
                self._timed += [n, time.monotonic() - began]
        return sums

    @property
    def seconds_per_step(self) -> float:
        """Without compiling and looking; NaN where that is not known."""
        return self._timed[1] / self._timed[0] if self._timed[0] else np.nan

    def _next(self, until: int) -> tuple[int, np.ndarray]:
        """The bucket of the next steps and their frames `(members, steps, batch)`."""
        if not self._queue:
            self._fill()
        bucket, most = self._queue[0][0][0], min(TOGETHER, until - self.step)
        n = 0
        while n < min(most, len(self._queue)) and all(row[0] == bucket for row in self._queue[n]):
            n += 1
        n = max(n, 1)
        taken, self._queue = self._queue[:n], self._queue[n:]
        return bucket, np.stack([[row[m][1] for row in taken] for m in range(self.count)])

    def _fill(self) -> None:
        """The next epoch. All members go through the buckets in one order, and through the frames of each in their own."""
        self._epoch += 1
        counts = [len(b.members) for b in self.data.buckets]
        first = order(counts, self.batch, self.key, self._epoch)
        rows = [first]
        for member in range(1, self.count):
            rng = np.random.default_rng([self.key, self._epoch, member])
            mixed = [rng.permutation(n) for n in counts]
            rows.append([(b, mixed[b][which]) for b, which in first])
        self._queue = [tuple(each) for each in zip(*rows, strict=True)]

    def resume(self, state: State, progress: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.state, self.panels = state, tuple(map(np.array, progress["panels"]))
        self.rewind(progress["step"])

    def rewind(self, step: int) -> None:
        """To where the order of frames is at `step`."""
        self.step = 0
        self._epoch, self._queue = -1, []
        while self.step < step:
            if not self._queue:
                self._fill()
            n = min(len(self._queue), step - self.step)
            self._queue, self.step = self._queue[n:], self.step + n

    # Looking.

    def predictions(self, data: Prepared, parameters: Any, some: Sequence[np.ndarray]) -> list[Prediction]:
        """Of the frames `some` of each bucket, arrays `(members, frames, ...)`."""
        found = []
        for bucket, which in zip(data.buckets, some, strict=True):
            parts = []
            for k in range(0, len(which), FRAMES):
                rows = np.resize(which[k : k + FRAMES], FRAMES)
                frames = jax.tree.map(lambda a: a[rows], bucket.frames)  # noqa: B023
                self._known("prediction", frames)
                part = self.programs.predict(parameters, self.state.shift, self.panels, frames)
                parts.append([np.reshape(a, (self.count, FRAMES, *a.shape[(self.count > 1) + 1 :])) for a in part])
            joined = [np.concatenate([p[f] for p in parts], axis=1)[:, : len(which)] for f in range(3)] if parts else [None] * 3
            found.append(Prediction(*joined))
        return found

    def refit(self, parameters: Any, most: int) -> None:
        """Fits the energy biases to what `parameters` leave over, on at most about `most` of the frames."""
        some = [evenly(len(b.members), most / len(self.data.counts)) for b in self.data.buckets]
        some = [which[np.asarray(b.frames.known)[which, 0]] for which, b in zip(some, self.data.buckets, strict=True)]
        chosen = [(b, which) for b, which in zip(self.data.buckets, some, strict=True)]
        counts = np.concatenate([b.counts[which] for b, which in chosen])
        if not len(counts):
            return
        found = self.predictions(self.data, parameters, some)
        left = [
            np.asarray(b.frames.energies)[which] - p.energies for (b, which), p in zip(chosen, found, strict=True) if len(which)
        ]
        more = np.stack([least_squares_bias(counts, row) for row in np.concatenate(left, axis=1)])
        self.state = self.state._replace(shift=self.state.shift + more.reshape(self.state.shift.shape))

    @property
    def shifts(self) -> np.ndarray:
        """Of the biases of each member `(members, types)` [eV]."""
        return np.asarray(self.state.shift).reshape(self.count, -1)

    @property
    def parameters(self) -> Any:
        """Those that count: the average where there is one."""
        return self.state.parameters if self.state.average is None else self.state.average

    def models(self, parameters: Any) -> list[Any]:
        """The models themselves, as NumPy arrays, without series."""
        arrays = [np.asarray(a) for a in jax.tree.leaves(parameters)]
        each = [[a[k] for a in arrays] if self.count > 1 else arrays for k in range(self.count)]
        return [eqx.combine(jax.tree.unflatten(self._structure, one), self._own) for one in each]

    def refine(self) -> bool:
        """Chooses new panels where the series of a net are off by more than `LIMIT`; whether it did."""
        if not self.series:
            return False
        nets = list(zip(*map(self._intervals, self.models(self.state.parameters)), strict=True))
        known = zip(nets, self.panels, strict=False)  # none at first
        if not nets or self.panels and all(deviations(n, e).max() <= LIMIT for each, e in known for n, _, _ in each):
            return False
        # As many for all nets, and no fewer than before: what is compiled is for their number.
        count = max(map(len, self.panels), default=COUNTS[0] + 1) - 1
        while True:
            found = [_shared([panels(n, a, b, CHOSEN, count)[0] for n, a, b in each], count) for each in nets]
            needed = max(len(edges) for edges in found) - 1
            if needed <= count:
                break
            count = next((n for n in COUNTS if n >= needed), COUNTS[-1])
        self.panels = tuple(found)
        return True

    @property
    def terms(self) -> int:
        """Of the longest series; 0 where there are none."""
        return max((TERMS * (len(edges) - 1) for edges in self.panels), default=0)

    def _intervals(self, model: Any) -> list[tuple[Any, float, float]]:
        """Nets that series can stand for, and where."""
        found: list[tuple[Any, float, float]] = []

        def look(net: Any, low: float, high: float) -> Any:
            found.append((cast(exact_net(net), float), float(low), float(high)))
            return net

        model.with_embeddings(look, self.nearest)
        return found

    def _known(self, program: str, frames: Any) -> bool:
        """Whether it was called before for frames of these shapes and as many panels."""
        seen = (program, frames.index.shape, frames.owns, frames.rooms, *map(len, self.panels))
        known = seen in self._seen
        self._seen.add(seen)
        return known

    @property
    def compiled(self) -> int:
        """How many programs it takes."""
        return len(self._seen)


def _shared(each: list[np.ndarray], least: int) -> np.ndarray:
    """Edges of at least as many panels that are nowhere much wider than any of `each`."""
    if len(each) == 1:
        return each[0]
    at = np.unique(np.concatenate(each))
    middle = (at[1:] + at[:-1]) / 2
    dense = np.max([1 / np.diff(edges)[np.searchsorted(edges, middle) - 1] for edges in each], axis=0)
    known = np.concatenate([[0.0], np.cumsum(dense * np.diff(at))])
    count = max(least, min(math.ceil(known[-1]), MOST))
    return np.interp(np.linspace(0, known[-1], count + 1), known, at)


def evenly(count: int, part: float) -> np.ndarray:
    """About a `part` of `count` numbers, one at least."""
    return np.unique(np.linspace(0, count - 1, min(count, max(1, math.ceil(part * count)))).astype(int))


def _padded(a: np.ndarray) -> np.ndarray:
    return np.concatenate([a, np.repeat(a[-1:], TOGETHER - len(a), axis=0)])


def _taken(frames: Frames, picks: np.ndarray) -> Frames:
    """The frames numbered `picks` `(..., steps, batch)`; steps beyond them, up to `TOGETHER`, are not done and hold nothing."""

    def one(a: np.ndarray) -> np.ndarray:
        out = np.zeros((*picks.shape[:-2], TOGETHER, picks.shape[-1], *a.shape[1:]), a.dtype)
        out[..., : picks.shape[-2], :, *[slice(None)] * (a.ndim - 1)] = a[picks]
        return out

    return jax.tree.map(one, frames)
