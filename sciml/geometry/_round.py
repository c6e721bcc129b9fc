"""Disks, balls and annuli."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._base import AbstractGeometry, Pieces
from ._checks import coordinate_names, label, point, positive
from ._json import stored
from ._pieces import Arc, Sphere, ball_volume, direction_dim, directions
from ._samplers import Proposal, box_proposal


def _shown(center: tuple[float, ...]) -> str:
    return f"({', '.join(f'{c:g}' for c in center)})"


def _options(names: tuple[str, ...], default: tuple[str, ...], name: str) -> str:
    return ("" if names == default else f", names={names}") + (f", name={name!r}" if name else "")


@stored
@dataclass(frozen=True, init=False, repr=False)
class Disk(AbstractGeometry):
    """A disk in the plane; its boundary part is `circle`.

    >>> Disk((0, 0), 1).measure
    3.141592653589793
    """

    center: tuple[float, float]
    radius: float
    names: tuple[str, ...]
    name: str

    def __init__(self, center: Any, radius: float, *, names: Any = ("x", "y"), name: str = "") -> None:
        object.__setattr__(self, "center", point(center, "the center of Disk", 2))
        object.__setattr__(self, "radius", positive(radius, "the radius of Disk"))
        object.__setattr__(self, "names", coordinate_names(names, 2, "Disk"))
        object.__setattr__(self, "name", label(name, "Disk"))

    def __repr__(self) -> str:
        return f"Disk({_shown(self.center)}, {self.radius:g}{_options(self.names, ('x', 'y'), self.name)})"

    @property
    def lower(self) -> np.ndarray:
        return np.array(self.center) - self.radius

    @property
    def upper(self) -> np.ndarray:
        return np.array(self.center) + self.radius

    @property
    def measure(self) -> float:
        return math.pi * self.radius**2

    def signed_distance(self, points: Any) -> np.ndarray:
        return np.hypot(*(self._points(points) - np.array(self.center)).T) - self.radius

    def _inside(self, points: np.ndarray) -> np.ndarray:
        return self.signed_distance(points) <= 0

    def _pieces(self) -> Pieces:
        return {"circle": (Arc(self.center, self.radius),)}

    def _proposal(self) -> Proposal:
        return box_proposal(self.lower, self.upper)

    def _proposal_measure(self) -> float:
        return 4 * self.radius**2

    @property
    def _convex(self) -> bool:
        return True

    def to_json(self) -> dict[str, Any]:
        return {
            "type": "Disk",
            "center": list(self.center),
            "radius": self.radius,
            "names": list(self.names),
            "name": self.name,
        }

    @staticmethod
    def _from_json(data: Mapping[str, Any]) -> Disk:
        return Disk(data["center"], data["radius"], names=data["names"], name=data["name"])


@stored
@dataclass(frozen=True, init=False, repr=False)
class Annulus(AbstractGeometry):
    """The plane region between two concentric circles; its boundary parts are `inner` and `outer`.

    >>> list(Annulus((0, 0), 1, 2).boundary)
    ['inner', 'outer']
    """

    center: tuple[float, float]
    inner: float
    outer: float
    names: tuple[str, ...]
    name: str

    def __init__(self, center: Any, inner: float, outer: float, *, names: Any = ("x", "y"), name: str = "") -> None:
        object.__setattr__(self, "center", point(center, "the center of Annulus", 2))
        object.__setattr__(self, "inner", positive(inner, "the inner radius of Annulus"))
        object.__setattr__(self, "outer", positive(outer, "the outer radius of Annulus"))
        if not self.inner < self.outer:
            raise ValueError(f"Annulus must have inner < outer radius, got {self.inner} and {self.outer}.")
        object.__setattr__(self, "names", coordinate_names(names, 2, "Annulus"))
        object.__setattr__(self, "name", label(name, "Annulus"))

    def __repr__(self) -> str:
        radii = f"{self.inner:g}, {self.outer:g}"
        return f"Annulus({_shown(self.center)}, {radii}{_options(self.names, ('x', 'y'), self.name)})"

    @property
    def lower(self) -> np.ndarray:
        return np.array(self.center) - self.outer

    @property
    def upper(self) -> np.ndarray:
        return np.array(self.center) + self.outer

    @property
    def measure(self) -> float:
        return math.pi * (self.outer - self.inner) * (self.outer + self.inner)

    def signed_distance(self, points: Any) -> np.ndarray:
        distance = np.hypot(*(self._points(points) - np.array(self.center)).T)
        return np.maximum(self.inner - distance, distance - self.outer)

    def _inside(self, points: np.ndarray) -> np.ndarray:
        return self.signed_distance(points) <= 0

    def _pieces(self) -> Pieces:
        return {
            "inner": (Arc(self.center, self.inner, sign=-1),),
            "outer": (Arc(self.center, self.outer),),
        }

    def _proposal(self) -> Proposal:
        """Polar coordinates with uniform r^2: a thin ring would starve rejection from its bounding box."""

        def points(u: np.ndarray) -> np.ndarray:
            r = np.sqrt(self.inner**2 + u[:, :1] * (self.outer**2 - self.inner**2))
            return np.array(self.center) + r * directions(u[:, 1:])

        return Proposal(2, points)

    def _proposal_measure(self) -> float:
        return self.measure

    @property
    def _convex(self) -> bool:
        return False

    def to_json(self) -> dict[str, Any]:
        return {
            "type": "Annulus",
            "center": list(self.center),
            "inner": self.inner,
            "outer": self.outer,
            "names": list(self.names),
            "name": self.name,
        }

    @staticmethod
    def _from_json(data: Mapping[str, Any]) -> Annulus:
        return Annulus(data["center"], data["inner"], data["outer"], names=data["names"], name=data["name"])


@stored
@dataclass(frozen=True, init=False, repr=False)
class Ball(AbstractGeometry):
    """A ball in three or more dimensions; its boundary part is `sphere`. In two dimensions use `Disk`, in one
    `Interval`.

    Its measure is pi^(d/2) r^d / Gamma(d/2 + 1).

    >>> round(Ball((0, 0, 0), 1).measure, 6)
    4.18879
    """

    center: tuple[float, ...]
    radius: float
    names: tuple[str, ...]
    name: str

    def __init__(self, center: Any, radius: float, *, names: Any = None, name: str = "") -> None:
        middle = point(center, "the center of Ball")
        if len(middle) < 3:
            raise ValueError(
                f"Ball needs a center of three or more coordinates, got {middle}; "
                "in two dimensions use Disk, in one Interval."
            )
        if names is None:
            if len(middle) > 3:
                raise ValueError(f"Ball in {len(middle)} dimensions needs names= for its coordinates.")
            names = ("x", "y", "z")
        object.__setattr__(self, "center", middle)
        object.__setattr__(self, "radius", positive(radius, "the radius of Ball"))
        object.__setattr__(self, "names", coordinate_names(names, len(middle), "Ball"))
        object.__setattr__(self, "name", label(name, "Ball"))

    def __repr__(self) -> str:
        return f"Ball({_shown(self.center)}, {self.radius:g}{_options(self.names, ('x', 'y', 'z'), self.name)})"

    @property
    def lower(self) -> np.ndarray:
        return np.array(self.center) - self.radius

    @property
    def upper(self) -> np.ndarray:
        return np.array(self.center) + self.radius

    @property
    def measure(self) -> float:
        return ball_volume(len(self.center), self.radius)

    def signed_distance(self, points: Any) -> np.ndarray:
        return np.linalg.norm(self._points(points) - np.array(self.center), axis=1) - self.radius

    def _inside(self, points: np.ndarray) -> np.ndarray:
        return self.signed_distance(points) <= 0

    def _pieces(self) -> Pieces:
        return {"sphere": (Sphere(self.center, self.radius),)}

    def _proposal(self) -> Proposal:
        """The bounding box in 3 dimensions; above, where that is nearly empty, r u^(1/d) and a direction."""
        dim = self.dim
        if dim == 3:
            return box_proposal(self.lower, self.upper)

        def points(u: np.ndarray) -> np.ndarray:
            return np.array(self.center) + self.radius * u[:, :1] ** (1 / dim) * directions(u[:, 1:])

        return Proposal(1 + direction_dim(dim), points)

    def _proposal_measure(self) -> float:
        return (2 * self.radius) ** 3 if self.dim == 3 else self.measure

    @property
    def _convex(self) -> bool:
        return True

    def to_json(self) -> dict[str, Any]:
        return {
            "type": "Ball",
            "center": list(self.center),
            "radius": self.radius,
            "names": list(self.names),
            "name": self.name,
        }

    @staticmethod
    def _from_json(data: Mapping[str, Any]) -> Ball:
        return Ball(data["center"], data["radius"], names=data["names"], name=data["name"])
