"""Windows of time on disk while they are computed, so that a run that ends before its end can go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..._files import read_arrays, write_arrays
from .._checkpoint import Checkpoint, expect_same
from ._basis import Legendre
from ._pieces import Cells, Pieces

FORMAT = 1
KIND = "local"  # of the file


@dataclass
class Trail:
    """The file of `checkpoint`: windows so far, and what the next one needs, `numbers` and `arrays`. It is written at most
    every `checkpoint.every` seconds, and at the end."""

    checkpoint: Checkpoint
    goal: float
    known: tuple[dict[str, Any], dict[str, np.ndarray]] | None = None
    _next: tuple[Any, ...] = field(default=())

    def note(
        self, pieces: Sequence[Pieces], said: dict[str, list[Any]], numbers: dict[str, float], arrays: dict[str, np.ndarray]
    ) -> None:
        """After a window, or step, of which `pieces` are all so far, `said` is their history and the notes."""
        # As they are now: what an interrupted step adds has no numbers yet.
        self._next = list(pieces), {name: list(values) for name, values in said.items()}, numbers, arrays
        if self.checkpoint.due():
            self.write()

    def write(self) -> None:
        if not self._next:
            return
        pieces, said, numbers, arrays = self._next
        header, saved = saved_pieces(pieces)
        header |= {"format": FORMAT, "kind": KIND, "signature": self.checkpoint.signature, "goal": self.goal}
        header |= {"numbers": numbers} | said
        write_arrays(self.checkpoint.path, header, saved | {f"next/{name}": a for name, a in arrays.items()})
        self.checkpoint.written()

    def begin(self) -> tuple[list[Pieces], dict[str, Any], dict[str, float], dict[str, np.ndarray]] | None:
        """What an earlier run left; None where there is none of the same tolerance."""
        if self.known is None or self.known[0]["goal"] != self.goal:
            return None
        header, arrays = self.known
        rest = {name.removeprefix("next/"): a for name, a in arrays.items() if name.startswith("next/")}
        said = {name: header[name] for name in ("history", "notes")}
        return read_pieces(header, arrays), said, header["numbers"], rest


def known_trail(checkpoint: Checkpoint | None) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
    """What an earlier run on patches left; None where there is no file, or one of a network.

    **Raises** `ValueError` where it is of another problem."""
    if checkpoint is None or not checkpoint.path.exists():
        return None
    header, arrays = read_arrays(checkpoint.path)
    if header.get("kind") != KIND:
        return None
    expect_same(checkpoint, header, FORMAT)
    return header, arrays


def saved_pieces(pieces: Sequence[Pieces]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    basis, arrays = pieces[0].basis, {}
    header = {"degrees": list(basis.degrees), "total": basis.total, "beside": basis.beside, "windows": len(pieces)}
    for i, piece in enumerate(pieces):
        arrays |= {f"boxes/{i}": piece.cells.boxes, f"coefficients/{i}": piece.c}
        arrays |= {f"owner/{i}": piece.cells.owner, f"frames/{i}": piece.cells.frames}
    return header, arrays


def read_pieces(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> list[Pieces]:
    basis = Legendre(tuple(header["degrees"]), header["total"], header.get("beside"))
    return [
        Pieces(basis, Cells(*(arrays[f"{name}/{i}"] for name in ("boxes", "owner", "frames"))), arrays[f"coefficients/{i}"])
        for i in range(header["windows"])
    ]
