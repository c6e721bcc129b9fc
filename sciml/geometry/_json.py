"""Reading back what `to_json` wrote: a whitelist of types, nothing is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from ._base import AbstractGeometry

KINDS: dict[str, Any] = {}  # by name
Kind = TypeVar("Kind", bound=type)


def stored(kind: Kind) -> Kind:
    """A class that `from_json` reads, by its `_from_json`."""
    KINDS[kind.__name__] = kind
    return kind


def from_json(data: Mapping[str, Any]) -> Any:
    """The geometry or domain that `to_json` described.

    Raises: ValueError for an unknown type.

    >>> from sciml import Box
    >>> box = Box(x=(0, 1), t=(0, 2))
    >>> from_json(box.to_json()) == box
    True
    """
    kind = data.get("type") if isinstance(data, Mapping) else None
    if kind not in KINDS:
        raise ValueError(f"a stored geometry has one of the types {', '.join(sorted(KINDS))}; got {kind!r}.")
    return KINDS[kind]._from_json(data)


def geometry_from_json(data: Mapping[str, Any]) -> AbstractGeometry:
    """The same where only a geometry may stand."""
    result = from_json(data)
    if not isinstance(result, AbstractGeometry):
        raise ValueError("a Domain was stored where a geometry belongs.")
    return result
