"""The box around the space of a flow: what is cut out of it, and which parts of the boundary lie on its faces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from ...geometry import Boolean, Box, Domain, Polygon, shape_name
from ...pde import PDE
from ...statement import Wall, facing
from .._system import State
from .._walls import wall_at


@dataclass(frozen=True)
class Outline:
    """`bounds` along each axis; `cut`, the (lower, upper) corners of what is cut out, or None; for each face of the box the
    parts of the boundary on it, with what they span of the other coordinate (None: all of the face)."""

    bounds: Mapping[str, tuple[float, float]]
    cut: Any
    faces: Mapping[str, tuple[tuple[str, tuple[float, float] | None], ...]]

    @property
    def outer(self) -> set[str]:
        return {label for parts in self.faces.values() for label, _ in parts}


def outline(domain: Domain, pde: PDE) -> Outline:
    """The box of a flow: a box, a box less obstacles, or a polygon whose sides are all along the axes."""
    names = tuple(c.name for c in pde.space)
    space: Any = domain.space
    if isinstance(space, Polygon) and all(facing(domain, label, pde) for label in domain.boundary):
        return _of_polygon(domain, pde, names)
    cut = None
    while isinstance(space, Boolean) and space.operation == "difference":
        lower, upper = np.asarray(space.second.lower), np.asarray(space.second.upper)
        cut = (lower, upper) if cut is None else (np.minimum(cut[0], lower), np.maximum(cut[1], upper))
        space = space.first
    if not isinstance(space, Box):
        raise ValueError(
            "A flow needs a box, a box less obstacles such as Rectangle(...) - Disk(...), or a Polygon with all sides along "
            f"the axes; the space here is {shape_name(space)}. pinn.solve takes any shape."
        )
    place = [list(space.names).index(n) for n in names]
    cut = None if cut is None else tuple(np.asarray(c, float)[place] for c in cut)
    faces = {f"{n}_{end}": ((f"{n}_{end}", None),) for n in names for end in ("min", "max")}
    return Outline(_bounds(space, names), cut, faces)


def _bounds(space: Any, names: tuple[str, ...]) -> dict[str, tuple[float, float]]:
    bounds = dict(zip(space.names, zip(space.lower, space.upper, strict=True), strict=True))
    return {n: (float(bounds[n][0]), float(bounds[n][1])) for n in names}


def _of_polygon(domain: Domain, pde: PDE, names: tuple[str, ...]) -> Outline:
    space: Any = domain.space
    bounds = _bounds(space, names)
    faces: dict[str, list[Any]] = {f"{n}_{end}": [] for n in names for end in ("min", "max")}
    inner = []
    for label in domain.boundary:
        x, side = facing(domain, label, pde) or (pde.space[0], 1)
        other = next(n for n in names if n != x.name)
        (edge,) = domain.boundary[label].pieces
        ends = np.array([edge.start, edge.end], float)  # type: ignore[attr-defined]
        level, end = ends[0, space.names.index(x.name)], bounds[x.name][side > 0]
        if abs(level - end) < 1e-9 * (bounds[x.name][1] - bounds[x.name][0]):
            low, high = sorted(map(float, ends[:, space.names.index(other)]))
            faces[f"{x.name}_{'max' if side > 0 else 'min'}"].append((label, (low, high)))
        else:
            inner.append(ends[:, [space.names.index(n) for n in names]])
    # What is cut out lies between the inner sides and the faces that they meet.
    cut = (np.concatenate(inner).min(axis=0), np.concatenate(inner).max(axis=0)) if inner else None
    return Outline(bounds, cut, {face: tuple(parts) for face, parts in faces.items()})


def wall_of(pde: PDE, domain: Domain, state: State, face: str, found: Outline) -> Wall:
    """What holds for a velocity on a face of the box; zero where the face is not the flow's."""
    other = [c for c in pde.space if c.name != face.rsplit("_", 1)[0]]
    walls = [(wall_at(pde, domain, state, label), span) for label, span in found.faces[face]]
    for (wall, _), (label, _) in zip(walls, found.faces[face], strict=True):
        if wall.free:
            raise ValueError(
                f"No boundary condition for {state.field} on {label}: a flow needs one for each velocity on every wall, inlet "
                "and outlet."
            )
    kinds = {(wall.alpha, wall.beta) for wall, _ in walls}
    if len(kinds) > 1:
        raise ValueError(
            f"{' and '.join(label for label, _ in found.faces[face])} lie on one face of the box around the flow, with "
            f"conditions of several kinds for {state.field}: on cells, one kind holds on a face. pinn.solve takes them."
        )
    ((alpha, beta),) = kinds
    if any(span is None for _, span in walls):
        return walls[0][0]
    (y,) = other
    pieces = [(wall.value, (y >= low) & (y <= high)) for wall, (low, high) in ((w, s) for w, s in walls if s is not None)]
    return Wall(alpha, beta, sp.Piecewise(*pieces, (0, True)))
