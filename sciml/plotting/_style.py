"""Colours, labels, colour bars and sizes, the same in every picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from ..geometry import Box
from ._quantity import View

if TYPE_CHECKING:
    from ..solution import Solution


SEQUENTIAL, DIVERGING, CYCLIC = "viridis", "RdBu_r", "twilight"
SHOWN_FIXED = 3


def heat(ax: Any, x: np.ndarray, y: np.ndarray, values: np.ndarray, limits: tuple[str, float, float]) -> Any:
    """`values` of shape (len(y), len(x)) as colours."""
    cmap, low, high = limits
    # Smoothly shaded, an angle would run through all colours where it jumps from pi to -pi.
    full = bool(np.all(np.isfinite(values))) and cmap != CYCLIC
    return ax.pcolormesh(
        x, y, np.ma.masked_invalid(values), cmap=cmap, vmin=low, vmax=high, rasterized=True,
        shading="gouraud" if full else "nearest",
    )  # fmt: skip


def frame(ax: Any, solution: Solution, axes: Sequence[str]) -> None:
    """Labels, equal units of length unless the region is too long for that, and the outline of a curved one."""
    space = solution.domain.space
    ax.set(xlabel=symbol(axes[0]), ylabel=symbol(axes[1]))
    ax.locator_params(nbins=5)
    if _aspect(solution, axes) is not None:
        ax.set_aspect("equal")
    if space is None or isinstance(space, Box) or tuple(space.names) != tuple(axes):
        return
    ax.set_facecolor("0.9")  # white is a value of the diverging map
    from ..geometry._plot import _line

    for part in space.boundary.values():
        lines = [_line(piece) for piece in part.pieces]
        for line in lines:
            if line is not None:
                ax.plot(*line.T, color="0.2", lw=1.5, solid_capstyle="round")


def colorbars(figure: Any, groups: Any) -> None:
    """One for each group of axes, which share their colours."""
    for group in groups:
        meshes = [(ax, mesh) for ax in group for mesh in ax.collections if mesh.get_array() is not None]
        if len(meshes) == 1:
            ((ax, mesh),) = meshes
            # Inside the axes' own box, so that it is as high as a panel whose units are equal.
            figure.colorbar(mesh, cax=ax.inset_axes((1.03, 0.0, 0.045, 1.0)))
        elif meshes:
            figure.colorbar(meshes[-1][1], ax=[ax for ax, _ in meshes], pad=0.02)


def color_limits(values: np.ndarray, is_angle: bool = False) -> tuple[str, float, float]:
    """A colour map and its range: diverging around zero where the sign changes, a circle for angles."""
    if is_angle:
        return CYCLIC, -np.pi, np.pi
    finite = values[np.isfinite(values)]
    if not finite.size:
        return SEQUENTIAL, 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    largest = max(abs(low), abs(high))
    if min(-low, high) > 0.05 * largest:
        return DIVERGING, -largest, largest
    if high - low <= 1e-12 * largest:
        return SEQUENTIAL, low - 0.5 * (largest or 1.0), high + 0.5 * (largest or 1.0)
    return SEQUENTIAL, low, high


def panel_size(solution: Solution, view: View) -> tuple[float, float]:
    if len(view.axes) < 2:
        return 4.8, 3.4
    aspect = _aspect(solution, view.axes[:2])
    if aspect is None:
        return 4.4, 3.4
    width, height = (12 / aspect) ** 0.5, (12 * aspect) ** 0.5
    return float(np.clip(width, 2.4, 7.0)) + 1.0, float(np.clip(height, 1.4, 6.0)) + 0.7


def _aspect(solution: Solution, axes: Sequence[str]) -> float | None:
    """Height over width; None where that is too far from one for equal units, or the axes are not both in space."""
    space = solution.domain.space
    if space is None or not set(axes) <= set(space.names):
        return None
    lengths = dict(zip(space.names, space.upper - space.lower, strict=True))
    aspect = float(lengths[axes[1]] / lengths[axes[0]])
    return aspect if 0.1 <= aspect <= 10 else None


def plain(ax: Any) -> None:
    ax.margins(x=0)
    ax.locator_params(nbins=6)
    ax.grid(True, alpha=0.25)


def line_colors(count: int) -> list[Any]:
    import matplotlib

    return [matplotlib.colormaps[SEQUENTIAL](0.9 * i / max(count - 1, 1)) for i in range(count)]


def symbol(name: str) -> str:
    return f"${sp.latex(sp.Symbol(name))}$"


def at_text(values: Mapping[str, float]) -> str:
    shown = [f"{symbol(name)} = {value:.3g}" for name, value in values.items()]
    return ", ".join(shown[:SHOWN_FIXED]) + (", ..." if len(shown) > SHOWN_FIXED else "")


def title_text(name: str, values: Mapping[str, float]) -> str:
    return f"{name} at {at_text(values)}" if values else name


def shown_once(figure: Any) -> Any:
    """In a notebook a figure is shown as the value of a cell, and pyplot shows what is open at the cell's end: whichever
    comes first closes it, so that it is shown once."""
    import matplotlib
    import matplotlib.pyplot as plt

    if "inline" not in matplotlib.get_backend():
        return figure

    def display() -> None:
        plt.close(figure)
        raise NotImplementedError  # IPython goes on as with any figure

    figure._ipython_display_ = display
    return figure
