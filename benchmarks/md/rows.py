"""Rows of a table of marks: what was found, its standard error, whether the mark is met."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

VERSIONS = ("jax", "jaxlib", "numpy", "scipy", "equinox", "ase", "h5py")


@dataclass(frozen=True)
class Row:
    """`error` is the standard error of what was found; None where it is a deviation and not an average."""

    name: str
    mark: str
    found: str
    met: bool
    error: float | None = None
    details: dict[str, Any] = field(default_factory=dict)


CASES: dict[str, Callable[[], Iterator[Row]]] = {}


def case(function: Callable[[], Iterator[Row]]) -> Callable[[], Iterator[Row]]:
    CASES[function.__name__] = function
    return function


def header() -> dict[str, Any]:
    """Versions and the machine."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        cpu = platform.processor() or "unknown"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in VERSIONS} | {"sciml": "from the checkout"},
        "system": platform.platform(), "cpu": cpu, "cores": cores, "precision": "float64",
    }  # fmt: skip


def table(rows: list[dict[str, Any]]) -> str:
    lines = ["| case | mark | found | standard error | seconds | |", "| --- | --- | --- | --- | --- | --- |"]
    for r in rows:
        error = "" if r["error"] is None else f"{r['error']:.1e}"
        seconds = "" if r["seconds"] is None else f"{r['seconds']:.0f}"
        lines.append(f"| {r['name']} | {r['mark']} | {r['found']} | {error} | {seconds} | {'met' if r['met'] else 'MISSED'} |")
    return "\n".join(lines) + "\n"
