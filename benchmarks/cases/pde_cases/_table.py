"""The table, and what is right at single places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from _runner import Table

TABLE = Table()


def values(*rows: tuple[str, Callable[[Any], Any], Any]) -> Callable[[Any], dict[str, tuple[Any, Any]]]:
    """The truth of a `Stated` as rows of a label, what the solution has there, and what is right."""
    return lambda solution: {label: (found(solution), right) for label, found, right in rows}


def unknowns(**right: float) -> Callable[[Any], dict[str, tuple[Any, Any]]]:
    """The truth where parameters are looked for."""
    return lambda solution: {name: (float(solution.parameters[name].value), value) for name, value in right.items()}
