"""Drawings of regions in one to three dimensions, each boundary part in its own colour."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._base import LATER, AbstractGeometry
from ._cloud import PointCloud
from ._pieces import AbstractPiece, Arc, Face, Segment
from ._samplers import Grid

LEGEND_UP_TO = 12
"""With more parts than this no legend is drawn."""


def plot(
    geometry: AbstractGeometry,
    ax: Any = None,
    *,
    points: int = 2000,
    normals: bool = False,
    legend: bool = True,
) -> Any:
    """Draw a geometry of one to three dimensions; returns the matplotlib axes.

    Args: `ax`, axes to draw into (three-dimensional ones for three dimensions); `points`, how many points
    stand for a surface in space; `normals`, also draw outward normals (in the plane); `legend`, name the
    parts.
    """
    if geometry.dim > 3:
        raise ValueError(f"{geometry!r} has {geometry.dim} dimensions; only 1, 2 or 3 can be drawn.")
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(subplot_kw={"projection": "3d"} if geometry.dim == 3 else {})
    draw = (_draw_line, _draw_plane, _draw_space)[geometry.dim - 1]
    draw(geometry, ax, points)
    if normals and geometry.dim == 2 and len(geometry.boundary):
        where, direction = geometry.boundary.all.sample(40, sampler=Grid())
        length = {"angles": "xy", "scale_units": "xy", "scale": 20 / geometry.size}
        ax.quiver(*where.T, *direction.T, **length, width=0.003, color="0.4", zorder=3)
    ax.set(**{f"{axis}label": name for axis, name in zip("xyz", geometry.names, strict=False)})
    if legend and 0 < len(geometry.boundary) <= LEGEND_UP_TO:
        ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1), frameon=False)
    return ax


def _draw_line(geometry: AbstractGeometry, ax: Any, points: int) -> None:
    x = np.linspace(geometry.lower[0], geometry.upper[0], points)
    inside = geometry.contains(x[:, None])
    ax.plot(x, np.where(inside, 0.0, np.nan), color="0.6", lw=3)
    if isinstance(geometry, PointCloud):
        ax.plot(geometry.points[:, 0], np.zeros(len(geometry.points)), "|", color="0.4")
    for name, part in geometry.boundary.items():
        where, _ = part.sample(len(part.pieces))
        ax.plot(where[:, 0], np.zeros(len(where)), "o", label=name)
    ax.set_yticks([])
    ax.margins(0.1)


def _draw_plane(geometry: AbstractGeometry, ax: Any, points: int) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    curves = [_line(piece) for part in geometry.boundary.values() for piece in part.pieces]
    if isinstance(geometry, PointCloud):
        ax.plot(*geometry.points.T, ".", color="0.6", ms=3)
    elif curves and all(curve is not None for curve in curves):
        loops = _loops([curve for curve in curves if curve is not None])
        codes = [[Path.MOVETO] + [Path.LINETO] * (len(loop) - 2) + [Path.CLOSEPOLY] for loop in loops]
        path = Path(np.concatenate(loops), np.concatenate(codes).astype(np.uint8))
        ax.add_patch(PathPatch(path, facecolor="0.92", edgecolor="none"))
    else:
        ax.plot(*geometry.sample(points).T, ",", color="0.6")
    for number, (name, part) in enumerate(geometry.boundary.items()):
        lines = [line for line in map(_line, part.pieces) if line is not None]
        color = f"C{number % 10}"
        if lines:
            ax.add_collection(LineCollection(lines, colors=color, linewidths=2, label=name))
        else:
            ax.plot(*part.sample(200)[0].T, ".", color=color, ms=3, label=name)
    ax.set_aspect("equal")
    ax.autoscale_view()
    ax.margins(0.05)


def _line(piece: AbstractPiece) -> np.ndarray | None:
    """A plane curve as points along it, in the sense that keeps the region on its left."""
    if not isinstance(piece, (Segment, Arc, Face)):
        return None
    u = np.linspace(0, 1, 2 if not isinstance(piece, Arc) else max(9, int(piece.measure / piece.radius * 32)))
    line, normals = piece.at(u[:, None])
    along = line[1] - line[0]
    turned = normals[0] @ np.array([along[1], -along[0]]) < 0
    return line[::-1] if turned else line


def _loops(curves: list[np.ndarray]) -> list[np.ndarray]:
    """Curves joined end to end to closed loops."""
    left, loops = list(curves), []
    while left:
        loop = left.pop(0)
        while left and not np.allclose(loop[0], loop[-1]):
            gaps = [np.linalg.norm(curve[0] - loop[-1]) for curve in left]
            loop = np.concatenate([loop, left.pop(int(np.argmin(gaps)))[1:]])
        loops.append(loop)
    return loops


def _draw_space(geometry: AbstractGeometry, ax: Any, points: int) -> None:
    if isinstance(geometry, PointCloud):
        ax.scatter(*geometry.points.T, s=3, color="0.6")
    total = geometry.boundary.measure
    for name, part in geometry.boundary.items():
        where, _ = part.sample(max(20, int(points * part.measure / total)))
        ax.scatter(*where.T, s=4, label=name)
    ax.set_box_aspect(np.maximum(geometry.upper - geometry.lower, 1e-12))


LATER.update(plot=plot)
