"""The table, and the rows of a case."""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _runner import DATA, Missing, Stated, Table

TABLE = Table()
SIGMAS = 4.0


@dataclass(frozen=True)
class Row:
    """What came, what is right, and how far it may be off; `error` of a statistical mean, or None."""

    label: str
    found: Any
    right: Any
    allowed: float
    error: float | None = None

    def words(self) -> str:
        off = float(np.linalg.norm(np.ravel(np.subtract(self.found, self.right))))
        shown = f"{float(self.found):.10g}" if np.ndim(self.found) == 0 else f"off by {off:.1e}"
        right = f" ({float(self.right):.10g})" if np.ndim(self.right) == 0 and np.ndim(self.found) == 0 else ""
        return f"{self.label} {shown}{'' if self.error is None else f' +- {self.error:.2g}'}{right}"


@dataclass(frozen=True)
class Found:
    """The rows of a case; it looks like a solution to the runner."""

    rows: list[Row]

    @property
    def result(self) -> str:
        return "; ".join(row.words() for row in self.rows)

    def truth(self) -> dict[str, tuple[Any, Any, float]]:
        return {row.label: (row.found, row.right, row.allowed) for row in self.rows}


def case(name: str, beside: str, seconds: float = 200) -> Callable[[Callable[[], Iterator[Row]]], Callable[[], Iterator[Row]]]:
    """A case of the table: a function that yields rows."""

    def add(function: Callable[[], Iterator[Row]]) -> Callable[[], Iterator[Row]]:
        def state() -> Stated:
            return Stated(solve=lambda _: Found(list(function())), truth=lambda found: found.truth())

        TABLE.entry(name, beside, roads=("call",), seconds=seconds, right=1.0)(state)
        return function

    return add


def close(label: str, found: Any, right: Any, allowed: float) -> Row:
    return Row(label, found, right, allowed)


def same(label: str, found: Any, right: Any) -> Row:
    """Equal, digit by digit."""
    return Row(label, float(np.array_equal(found, right)), 1.0, 0.5)


def mean(label: str, values: Any, right: float, blocks: int = 10, floor: float = 0.0) -> Row:
    """The mean of a series, to `SIGMAS` standard errors of means over `blocks`; `floor` is an error known besides."""
    parts = np.array([np.mean(part) for part in np.array_split(np.asarray(values, float), blocks)])
    error = float(np.std(parts, ddof=1) / np.sqrt(blocks))
    return Row(label, float(np.mean(parts)), right, SIGMAS * error + floor, error)


def refused(label: str, call: Callable[[], Any], words: str) -> Row:
    """Whether a call raises an error that sciml words so."""
    try:
        call()
    except (ValueError, TypeError, NotImplementedError) as error:
        return Row(f"refused: {label}", float(re.search(words, str(error), re.DOTALL) is not None), 1.0, 0.5)
    return Row(f"refused: {label}", 0.0, 1.0, 0.5)


def warned(label: str, call: Callable[[], Any], words: str) -> Row:
    """Whether a call warns in these words, or raises them."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            call()
        except (ValueError, NotImplementedError) as error:
            return Row(f"told: {label}", float(re.search(words, str(error), re.DOTALL) is not None), 1.0, 0.5)
    return Row(f"told: {label}", float(any(re.search(words, str(w.message), re.DOTALL) for w in said)), 1.0, 0.5)


def quietly(call: Callable[[], Any]) -> Any:
    """What a call returns; its warnings are another row's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()


def data(*parts: str) -> Path:
    """A file of ../shared/data. **Raises** `Missing`."""
    path = DATA.joinpath(*parts)
    if not path.exists():
        raise Missing(f"{path} is not here: set SCIML_DATA")
    return path


def odd(*parts: str) -> Path:
    return data("odd", *parts)


def folder() -> Path:
    """An empty one."""
    return Path(tempfile.mkdtemp())
