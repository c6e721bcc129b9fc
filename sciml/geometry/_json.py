"""Reading back what `to_json` wrote: a whitelist of types, nothing is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._base import AbstractGeometry
from ._boolean import Boolean
from ._box import Box
from ._cloud import PointCloud
from ._domain import Domain
from ._mesh import Mesh, Surface
from ._polygon import Polygon
from ._product import Product
from ._round import Annulus, Ball, Disk

GEOMETRIES = {
    cls.__name__: cls for cls in (Annulus, Ball, Boolean, Box, Disk, Mesh, PointCloud, Polygon, Product, Surface)
}


def from_json(data: Mapping[str, Any]) -> AbstractGeometry | Domain:
    """The geometry or domain that `to_json` described.

    Raises: ValueError for an unknown type.

    >>> box = Box(x=(0, 1), t=(0, 2))
    >>> from_json(box.to_json()) == box
    True
    """
    known = {"Domain": Domain, **GEOMETRIES}
    kind = data.get("type") if isinstance(data, Mapping) else None
    if kind not in known:
        raise ValueError(f"a stored geometry has one of the types {', '.join(sorted(known))}; got {kind!r}.")
    return known[kind]._from_json(data)


def geometry_from_json(data: Mapping[str, Any]) -> AbstractGeometry:
    """The same where only a geometry may stand."""
    result = from_json(data)
    if not isinstance(result, AbstractGeometry):
        raise ValueError("a Domain was stored where a geometry belongs.")
    return result
