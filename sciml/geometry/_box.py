"""Boxes in any dimension; intervals and rectangles are boxes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._base import AbstractGeometry
from ._checks import coordinate_names, interval, label, point, real
from ._json import stored
from ._pieces import AbstractPiece, Face
from ._samplers import Proposal, box_proposal

TIME = "t"


@stored
@dataclass(frozen=True, init=False, repr=False)
class Box(AbstractGeometry):
    """The product of intervals, one for each named coordinate.

    A coordinate `t` counts as time: it has no boundary parts, and `resolve` separates it. Which of the others
    are parameters of a family is said by the equation (`coordinates("nu", role="parameter")`).

    Args: one keyword `name=(lower, upper)` for each coordinate, or a dictionary of them; `name`, a prefix for
    the names of the faces (`x_min`, `x_max`, ...).
    Raises: ValueError unless lower < upper, both finite.

    >>> box = Box(x=(-1, 1), y=(0, 3))
    >>> box.measure, list(box.boundary)
    (6.0, ['x_min', 'x_max', 'y_min', 'y_max'])
    >>> Box({f"x{i}": (-1, 1) for i in range(10)}).measure
    1024.0
    """

    names: tuple[str, ...]
    bounds: tuple[tuple[float, float], ...]
    name: str

    def __init__(self, bounds: Mapping[str, Any] | None = None, /, *, name: str = "", **axes: Any) -> None:
        if bounds is not None and not isinstance(bounds, Mapping):
            raise TypeError(
                f"Box takes its coordinates by name, Box(x=(0, 1), y=(0, 2)), or as a dictionary; got {bounds!r}."
            )
        given = dict(bounds or {})
        repeated = sorted(given.keys() & axes.keys())
        if repeated:
            raise ValueError(f"Box got the coordinates {', '.join(repeated)} twice.")
        given.update(axes)
        if not given:
            raise ValueError("Box needs at least one coordinate, for instance Box(x=(0, 1)).")
        names = coordinate_names(given, None, "Box")
        object.__setattr__(self, "names", names)
        pairs = tuple(interval(pair, f"{n} of Box") for n, pair in zip(names, given.values(), strict=True))
        object.__setattr__(self, "bounds", pairs)
        object.__setattr__(self, "name", label(name, "Box"))

    def __repr__(self) -> str:
        inner = [f"{n}=({a:g}, {b:g})" for n, (a, b) in zip(self.names, self.bounds, strict=True)]
        if len(inner) > 6:
            inner = [*inner[:3], f"... {len(inner) - 4} more ...", inner[-1]]
        if self.name:
            inner.append(f"name={self.name!r}")
        return f"Box({', '.join(inner)})"

    @property
    def lower(self) -> np.ndarray:
        return np.array([a for a, _ in self.bounds])

    @property
    def upper(self) -> np.ndarray:
        return np.array([b for _, b in self.bounds])

    @property
    def measure(self) -> float:
        return math.prod(b - a for a, b in self.bounds)

    def signed_distance(self, points: Any) -> np.ndarray:
        points = self._points(points)
        excess = np.maximum(self.lower - points, points - self.upper)
        outside = np.linalg.norm(np.maximum(excess, 0), axis=1)
        return np.where(outside > 0, outside, np.minimum(excess.max(axis=1), 0))

    def _inside(self, points: np.ndarray) -> np.ndarray:
        return np.all((points >= self.lower) & (points <= self.upper), axis=1)

    def _pieces(self) -> dict[str, tuple[AbstractPiece, ...]]:
        return {
            f"{name}_{end}": (Face(self.bounds, axis, side),)
            for axis, name in enumerate(self.names)
            if name != TIME
            for end, side in (("min", -1), ("max", 1))
        }

    def _proposal(self) -> Proposal:
        return box_proposal(self.lower, self.upper)

    def _proposal_measure(self) -> float:
        return self.measure

    @property
    def _convex(self) -> bool:
        return True

    def to_json(self) -> dict[str, Any]:
        return {
            "type": "Box",
            "names": list(self.names),
            "bounds": [list(pair) for pair in self.bounds],
            "name": self.name,
        }

    @staticmethod
    def _from_json(data: Mapping[str, Any]) -> Box:
        return Box(dict(zip(data["names"], data["bounds"], strict=True)), name=data["name"])


def Interval(lower: float, upper: float, *, names: Any = ("x",), name: str = "") -> Box:
    """The interval [lower, upper] as a one-dimensional `Box`; its boundary parts are the points `x_min` and
    `x_max`.

    The boundary has the counting measure: 1 for each end.

    >>> Interval(0, 2).measure
    2.0
    """
    (coordinate,) = coordinate_names(names, 1, "Interval")
    return Box({coordinate: (real(lower, "lower of Interval"), real(upper, "upper of Interval"))}, name=name)


def Rectangle(lower: Any, upper: Any, *, names: Any = ("x", "y"), name: str = "") -> Box:
    """The rectangle between two opposite corners as a two-dimensional `Box`.

    >>> Rectangle((0, 0), (2, 1))
    Box(x=(0, 2), y=(0, 1))
    """
    pair = coordinate_names(names, 2, "Rectangle")
    low, high = point(lower, "lower of Rectangle", 2), point(upper, "upper of Rectangle", 2)
    return Box({n: (a, b) for n, a, b in zip(pair, low, high, strict=True)}, name=name)
