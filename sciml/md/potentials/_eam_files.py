"""LAMMPS's files of the embedded-atom method: funcfl (`.eam`), setfl (`.eam.alloy`) and Finnis-Sinclair's setfl (`.eam.fs`)."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ._eam import EAM, HARTREE_BOHR, pieces


def load_eam(path: Any) -> EAM:
    """Reads a setfl file (`.eam.alloy`, `.eam.fs`; several elements) or a funcfl file (`.eam`, one element). Which of the two
    it is, the head says, not the name; `.fs` in the name tells the form of Finnis and Sinclair. Files that end in `.gz` are
    unpacked.

    **Raises** `FileNotFoundError`, and `ValueError` where the file is of another kind or not whole.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist.")
    packed, own = path.suffix == ".gz", path.name.removesuffix(".gz")
    try:
        content = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is no gzip file that can be unpacked ({error}).") from None
    if content[:2] == b"\x1f\x8b":
        raise ValueError(f"{path} is packed by gzip: give its name the ending .gz, or unpack it (gunzip).")
    lines, fs = content.decode(errors="replace").splitlines(), own.endswith(".fs")
    if not _is_setfl(lines):
        return _read(path, lambda: _funcfl(lines))
    return _read(path, lambda: _setfl(lines, finnis_sinclair=fs), lambda: _setfl(lines, finnis_sinclair=not fs), fs)


def _read(path: Path, read: Callable[[], EAM], other: Callable[[], EAM] | None = None, fs: bool = False) -> EAM:
    """`other` reads the other form of setfl: where that goes well, the name is wrong."""
    try:
        return read()
    except (IndexError, ValueError) as error:
        wrong = error
    told = f"{path} is no table of the embedded-atom method ({wrong}); expected setfl (.eam.alloy, .eam.fs) or funcfl (.eam)."
    if other is not None:
        try:
            other()
        except (IndexError, ValueError):
            raise ValueError(told) from None
        form, known = ("eam/alloy", "one density") if fs else ("eam/fs", "a density for each pair of elements")
        raise ValueError(
            f"{path} is a file of the form {form} ({known}), not of that which its name says: give it the ending "
            f"{'.eam.alloy' if fs else '.eam.fs'}."
        )
    raise ValueError(told)


def _is_setfl(lines: list[str]) -> bool:
    words = lines[3].split() if len(lines) > 3 else []
    return len(words) > 1 and words[0].isdigit() and len(words) == int(words[0]) + 1 and not words[1][0].isdigit()


class _Reader:
    """Numbers one after the other, whole lines at a time."""

    def __init__(self, lines: list[str]):
        self.lines, self.at = lines, 0

    def line(self, what: str) -> list[str]:
        if self.at >= len(self.lines):
            raise ValueError(f"it ends before {what}")
        self.at += 1
        return self.lines[self.at - 1].split()

    def numbers(self, count: int, what: str) -> np.ndarray:
        words: list[str] = []
        while len(words) < count:
            words += self.line(f"number {len(words) + 1} of {count} of {what}")
        if len(words) != count:
            raise ValueError(f"{len(words)} numbers of {what} where {count} were expected")
        found = np.array(words, float)
        if not np.all(np.isfinite(found)):
            raise ValueError(f"{what} has numbers that are not finite")
        return found

    def end(self) -> None:
        if any(line.strip() for line in self.lines[self.at :]):
            raise ValueError(f"it goes on after the last table, in line {self.at + 1}")


def _grid(words: list[str]) -> tuple[int, float, int, float, float]:
    if len(words) < 5:
        raise ValueError(f"{' '.join(words)!r} where nrho, drho, nr, dr and the cutoff were expected")
    nrho, drho, nr, dr, cutoff = (float(s) for s in words[:5])
    if not (min(nrho, nr) >= 5 and min(drho, dr, cutoff) > 0):
        raise ValueError(f"nrho, drho, nr, dr, cutoff = {' '.join(words[:5])}")
    return int(nrho), drho, int(nr), dr, cutoff


def _setfl(lines: list[str], *, finnis_sinclair: bool) -> EAM:
    names = tuple(lines[3].split()[1:])
    reader = _Reader(lines)
    reader.at = 4
    nrho, drho, nr, dr, cutoff = _grid(reader.line("the sizes"))
    embedding, density = [], []
    for name in names:
        reader.line(f"element {name}")
        embedding.append(pieces(reader.numbers(nrho, f"the embedding of {name}")))
        own = [f"the density of {name} at {other}" for other in names] if finnis_sinclair else [f"the density of {name}"]
        found = [pieces(reader.numbers(nr, what)) for what in own]
        density.append(np.stack(found) if finnis_sinclair else found[0])
    pair = np.zeros((len(names), len(names), nr, 4))
    for i in range(len(names)):
        for j in range(i + 1):
            pair[i, j] = pair[j, i] = pieces(reader.numbers(nr, f"the pair {names[i]} {names[j]}"))
    reader.end()
    return EAM(
        embedding=np.stack(embedding), density=np.stack(density), pair=pair, drho=drho, dr=dr, cutoff=cutoff, names=names,
        closest=_closest(pair[..., 3], dr),
    )  # fmt: skip


def _funcfl(lines: list[str]) -> EAM:
    from ase.data import chemical_symbols  # pyright: ignore[reportMissingImports]

    reader = _Reader(lines)
    reader.line("the comment")
    number = int(reader.line("the element")[0])
    if not 0 < number < len(chemical_symbols):
        raise ValueError(f"{number} is no atomic number")
    nrho, drho, nr, dr, cutoff = _grid(reader.line("the sizes"))
    F = reader.numbers(nrho, "the embedding")
    Z = reader.numbers(nr, "the charge")
    rho = reader.numbers(nr, "the density")
    reader.end()
    pair = HARTREE_BOHR * Z**2
    return EAM(
        embedding=pieces(F)[None], density=pieces(rho)[None], pair=pieces(pair)[None, None], drho=drho, dr=dr, cutoff=cutoff,
        names=(chemical_symbols[number],), closest=_closest(pair[None, None], dr),
    )  # fmt: skip


def _closest(pair: np.ndarray, dr: float) -> float | None:
    """Where repulsion, coming from afar, no longer rises, the least of all pairs; None where it rises to the first entry."""
    r, found = dr * np.arange(1, pair.shape[-1]), []
    for i, j in zip(*np.tril_indices(len(pair)), strict=True):
        phi = pair[i, j, 1:] / r
        strong = np.flatnonzero(phi > 1.0)  # eV
        falls = np.flatnonzero(np.diff(phi[: strong[-1] + 1]) > 0) if len(strong) else []
        if len(falls):
            found.append(float(r[falls[-1] + 1]))
    return min(found, default=None)
