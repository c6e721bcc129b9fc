"""Active learning: potentials find out by themselves where they need labels."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from subprocess import SubprocessError
from typing import Any

import numpy as np

from ..atoms._pairs import AbstractPotential
from ..atoms._system import System
from ..dynamics._checks import whole_number
from ..files._ase import Labels, label
from ..files._label_files import Folder, joined
from ..observables._observables import _axes
from ._committee import Committee
from ._explore import structures
from ._select import check_levels, select

COLUMNS = "round", "labels", "frames", "accurate", "candidate", "failed", "deviation"


@dataclass(frozen=True)
class Learned:
    """**Attributes:** `potentials` of the last training, and their `committee`; `dataset`, all labels; `rounds`, arrays over
    rounds, of which 0 is the first training: `round`, `labels` spent until then, `frames` explored and which shares of them
    were `accurate`, `candidate` and `failed`, the largest `deviation` of a force [eV/angstrom], and what `test` said after the
    round's training; `result`, a sentence; `converged`, whether all rounds were done."""

    potentials: list[AbstractPotential]
    committee: Committee
    dataset: Any
    rounds: dict[str, np.ndarray]
    result: str
    converged: bool

    def plot(self, ax: Any = None) -> Any:
        """What `test` said against the labels spent; the largest deviation in each round's exploration without a test."""
        ax = _axes(ax)
        names = [name for name in self.rounds if name not in COLUMNS] or ["deviation"]
        for name in names:
            ax.plot(self.rounds["labels"], self.rounds[name], "o-", label=name)
        label = "deviation of forces [eV/angstrom]" if names == ["deviation"] else names[0] if len(names) == 1 else "error"
        ax.set(xlabel="labels", yscale="log", ylabel=label)
        if len(names) > 1:
            ax.legend(fontsize="small")
        return ax


def active_learning(
    train: Callable[[Any, int], Sequence[AbstractPotential]],
    explore: Callable[[Committee, int], Sequence[System]],
    calculator: Any,
    dataset: Any,
    *,
    rounds: int,
    low: float,
    high: float,
    most: int,
    relative: float | None = None,
    append: Callable[[Labels], Any] | None = None,
    test: Callable[[Committee], dict[str, float]] | None = None,
    folder: Any = None,
    key: int = 0,
    progress: bool = True,
) -> Learned:
    """Explores with several potentials, labels structures in which they differ, trains anew, round by round (Zhang et al. 2019,
    doi:10.1103/PhysRevMaterials.3.023804; DP-GEN, doi:10.1016/j.cpc.2020.107206).

    **Arguments:**

    - `train(dataset, round)`: potentials of different seeds, two or more; four are usual. Round 0 is before the first
        exploration.
    - `explore(committee, round)`: structures that the committee meets, `md.Exploration(...)` or a function. A
        `FloatingPointError` of `md.simulate` in it is not fatal: the frames it has are taken.
    - `calculator`: any ASE calculator. A structure for which it fails is left out with a warning; failing for all raises.
    - `dataset`: labels to begin with. `append(labels)` makes of `md.Labels` what is added to it, by default `type(dataset).of`.
    - `rounds`; `low`, `high` and `most` labels in a round, as of `md.select`; `relative`, a level for `md.Deviation.relative`.
    - `test(committee)`: errors by name, measured after each training.
    - `folder`: for the structures and labels of each round (extended XYZ) and the table (CSV). The same call goes on after the
        last complete round with labels read back, and trains once more on those; labels of a round that was cut short are not
        computed again.

    Ctrl-C returns what is done: labels that were computed are in `dataset`.

    **Returns** a `Learned`. **Raises** `ValueError` where arguments do not fit.
    """
    rounds, most = whole_number("rounds", rounds, 1), whole_number("most", most, 1)
    check_levels("active_learning", low, high)
    append = _checked(train, explore, calculator, dataset, append, test)
    loop = _Loop(train, explore, calculator, dataset, append, test, Folder(folder))
    chosen = dict(low=low, high=high, most=most)
    return loop.run(rounds, chosen, relative, key, progress)


def _checked(train: Any, explore: Any, calculator: Any, dataset: Any, append: Any, test: Any) -> Callable[[Labels], Any]:
    for name, given in (("train", train), ("explore", explore), ("test", test), ("append", append)):
        if not callable(given) and not (given is None and name in ("test", "append")):
            raise ValueError(f"active_learning: {name}={given!r}; expected a function.")
    if not hasattr(calculator, "get_potential_energy"):
        raise ValueError(f"active_learning: a {type(calculator).__name__} came; expected an ASE calculator.")
    if not hasattr(dataset, "__add__"):
        raise ValueError(f"active_learning: a {type(dataset).__name__} cannot be added to; expected an md.Dataset.")
    append = append or getattr(type(dataset), "of", None)
    if append is None:
        raise ValueError(
            f"active_learning: {type(dataset).__name__} has no `of`; say with append= what of md.Labels is added to it."
        )
    return append


class _Loop:
    """The state of the rounds."""

    def __init__(self, train: Any, explore: Any, calculator: Any, dataset: Any, append: Any, test: Any, folder: Folder):
        self.train, self.explore, self.calculator, self.append, self.test = train, explore, calculator, append, test
        self.dataset, self.folder = dataset, folder
        self.rows = folder.rounds()
        self.potentials: list[AbstractPotential] = []

    def run(self, rounds: int, chosen: dict[str, Any], relative: float | None, key: int, progress: bool) -> Learned:
        from tqdm.auto import tqdm

        done = len(self.rows) - 1
        for past in range(1, done + 1):
            self._add(self.folder.labels(past))
        self._train(max(done, 0))
        if not self.rows:
            self._close({"round": 0, "labels": 0, "frames": 0} | dict.fromkeys(COLUMNS[3:], np.nan))
        self.found: dict[int, Labels] = {}
        result = ""
        with tqdm(total=rounds, initial=max(done, 0), desc="active learning", unit="round", disable=not progress) as bar:
            try:
                for k in range(len(self.rows), rounds + 1):
                    self._round(k, chosen, relative, key)
                    bar.update(1)
                    bar.set_postfix(labels=self.rows[-1]["labels"], candidates=f"{self.rows[-1]['candidate']:.0%}")
            except KeyboardInterrupt:
                self._add(self.found)
                result = f"Interrupted by the user in round {len(self.rows)}; what was done is returned."
        names = dict.fromkeys(name for row in self.rows for name in row)
        table = {name: np.array([row.get(name, np.nan) for row in self.rows]) for name in names}
        told = result or _told(self.rows[-1])
        return Learned(self.potentials, self.committee, self.dataset, table, told, not result)

    def _round(self, k: int, chosen: dict[str, Any], relative: float | None, key: int) -> None:
        before = self.folder.selected(k)
        if before is None:
            frames = self._explored(k)
            found = self.committee.deviation(frames) if frames else []
            found = found if relative is None else [d.relative(relative) for d in found]
            taken = select(frames, found, key=int(np.random.default_rng([key, k]).integers(2**31)), **chosen)
            share = {name: getattr(taken, name) / max(1, len(frames)) for name in ("accurate", "candidate", "failed")}
            worst = max((d.max for d in found if np.isfinite(d.max)), default=np.nan)
            told = {"frames": len(frames)} | share | {"deviation": worst}
            before = [frames[i] for i in taken.indices], told
            self.folder.write_selected(k, *before)
        systems, told = before
        self.found = self.folder.labels(k)
        self._label(k, systems)
        found, self.found = self.found, {}
        self._add(found)
        if found:
            self._train(k)
        self._close({"round": k, "labels": self.rows[-1]["labels"] + len(found)} | told)

    def _explored(self, k: int) -> list[System]:
        try:
            return list(self.explore(self.committee, k))
        except FloatingPointError as error:
            runs: list[Any] = getattr(error, "trajectories", None) or [getattr(error, "trajectory", None)]
            if None in runs:
                raise
            return [atoms for run in runs for atoms in structures(run)]

    def _label(self, k: int, systems: list[System]) -> None:
        from ase.calculators.calculator import CalculatorError  # pyright: ignore[reportMissingImports]

        left = [number for number in range(len(systems)) if number not in self.found]
        for number in left:
            try:
                one = label(systems[number], self.calculator)
            except (ValueError, CalculatorError, SubprocessError) as error:
                if number == left[-1] and not self.found:
                    raise
                warnings.warn(f"Structure {number} of round {k} has no label and is left out: {error}", stacklevel=4)
                continue
            self.found[number] = one
            self.folder.write_labels(k, self.found)

    def _add(self, found: dict[int, Labels]) -> None:
        if found:
            self.dataset = self.dataset + self.append(joined([found[n] for n in sorted(found)]))

    def _train(self, k: int) -> None:
        potentials = list(self.train(self.dataset, k))
        self.committee, self.potentials = Committee(potentials), potentials

    def _close(self, row: dict[str, Any]) -> None:
        said = {} if self.test is None else {str(name): float(x) for name, x in self.test(self.committee).items()}
        if taken := [name for name in said if name in COLUMNS]:
            raise ValueError(f"active_learning: test names an error {taken[0]!r}, which is a column already; rename it.")
        self.rows.append(row | said)
        self.folder.write_rounds(self.rows)


def _told(row: dict[str, Any]) -> str:
    told = (
        f"{row['round']} rounds, {row['labels']} labels. Of {row['frames']} frames in the last, {row['accurate']:.0%} were "
        f"accurate, {row['candidate']:.0%} candidates, and {row['failed']:.0%} failed."
    )
    if row["failed"] > 0 and not row["candidate"]:
        told += " No frame was a candidate: raise high, explore nearer to the data, or begin with more labels."
    return told
