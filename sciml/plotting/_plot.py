"""`plot`: fields of a solution as a figure; `plot_history`: how the training went."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ._panels import PANELS, panels_of
from ._quantity import View, quantities, view_of
from ._style import colorbars, panel_size, shown_once

if TYPE_CHECKING:
    from ..solution import Solution


MOST_COLUMNS = 3


def plot(
    solution: Solution,
    field: Any = None,
    *,
    ax: Any = None,
    n: int | None = None,
    t: Any = None,
    patches: bool = False,
    **fixed: float,
) -> Any:
    """Draws fields of a solution, one row or panel each; complex ones by absolute value and phase.

    What is drawn follows from the coordinates that are left free: a curve over one; over one in space and time a heat
    map and curves at several times; over two in space a heat map, at several times if there is time; over three the
    planes through the middle. A curved region is blank outside.

    **Arguments:**

    - `field`: a name (`"u"`, `"u.xx"`), a field, a derivative or any expression in them (`v.x - u.y`), `solution.u`,
        or a sequence of these; all fields by default.
    - `ax`: matplotlib axes to draw one panel into, instead of a new figure.
    - `n`: grid points along each coordinate.
    - `t`: a time, or several, to show instead of the whole course.
    - `patches`: whether the patches and windows of time are drawn that the solution is made of (`pinn.Local`).
    - `fixed`: other coordinates to hold, such as `z=0.5` or `nu=0.01`. Parameters of a family, and the third and
        further coordinates where there are more than three in space, are held in the middle unless given here.

    **Returns** the matplotlib figure. **Raises** `ValueError` on an unknown coordinate or a value outside the domain,
    and where several panels do not fit into `ax`.

    >>> from sciml import Box, Dirichlet, PDE, coordinates, field, pinn
    >>> x = coordinates("x")
    >>> u = field("u", x)
    >>> solution = pinn.solve(PDE(u.xx + 1, Dirichlet(u, 0)), Box(x=(0, 1)), progress=False)
    >>> figure = solution.plot([u, u.x])
    >>> [ax.get_ylabel() for ax in figure.axes]
    ['$u$', '$u_{x}$']
    """
    import matplotlib.pyplot as plt

    if patches and solution.final.cells() is None:
        raise ValueError(
            f"plot: patches=True, but this solution has none ({solution.result.split('.')[0]}). Solutions of pinn.Local have."
        )
    views = [replace(view_of(solution, q, t, fixed), patches=patches) for q in quantities(solution, field)]
    if ax is not None:
        return _into(ax, solution, views, n)
    rows = [list(panels_of(solution, view, n)) for view in views]
    if len(rows) == 1 or all(len(row) == 1 for row in rows):
        flat = [panel for row in rows for panel in row]
        columns = len(flat) if len(flat) <= PANELS and len(rows) == 1 else min(len(flat), MOST_COLUMNS)
        lines = [flat[i : i + columns] for i in range(0, len(flat), columns)]
    else:
        columns, lines = max(map(len, rows)), rows
    width, height = panel_size(solution, views[0])
    figure, axes = plt.subplots(
        len(lines), columns, figsize=(width * columns, height * len(lines)), squeeze=False, layout="constrained"
    )
    for line, panels in zip(axes, lines, strict=True):
        for where, panel in zip(line, panels, strict=False):
            panel(where)
        for where in line[len(panels) :]:
            where.remove()
    # Panels of one quantity share their colours, and one bar.
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.08)  # pyright: ignore
    colorbars(figure, [axes.ravel()] if len(rows) == 1 else axes if lines is rows else [[ax] for ax in axes.flat])
    # The first layout does not know yet how far equal units shrink the axes, and cuts the titles.
    figure.get_layout_engine().execute(figure)  # pyright: ignore
    return shown_once(figure)


def _into(ax: Any, solution: Solution, views: list[View], n: int | None) -> Any:
    if len(views) > 1:
        raise ValueError(
            f"plot: {len(views)} fields came for one ax=; name one of them, such as solution.plot('u', ax=ax)."
        )
    view = views[0]
    panels = list(panels_of(solution, view, n))
    if len(panels) > 1 and not (len(view.axes) == 1 and view.times is None):
        raise ValueError(
            f"plot: this picture has {len(panels)} panels but one ax= came; give one time (t=...) and, in three "
            "dimensions, one plane (such as z=0.5)."
        )
    panels[0](ax)
    colorbars(ax.figure, [[ax]])
    return ax.figure


def plot_history(solution: Solution, *, ax: Any = None) -> Any:
    """Draws the residual against the time of training, both on logarithmic axes; where points were redrawn, also the
    residual on the fresh points. Returns the matplotlib figure."""
    import matplotlib.pyplot as plt

    rows = [row for row in solution.history if "residual" in row and np.isfinite(row["residual"])]
    if not rows:
        raise ValueError("This solution has no history of a training to draw.")
    figure = None
    if ax is None:
        figure, ax = plt.subplots(figsize=(5.6, 3.8), layout="constrained")
    by = "seconds" if all(row.get("seconds", 0) > 0 for row in rows) else "step"
    ax.loglog(
        [row[by] for row in rows], [row["residual"] for row in rows], color="C0", lw=1.5,
        label="on the points of training",
        marker="o" if len(rows) < 40 else None, ms=3,
    )  # fmt: skip
    fresh = [row for row in rows if "fresh" in row]
    if fresh:
        ax.loglog(
            [row[by] for row in fresh], [row["fresh"] for row in fresh], "o", ms=3.5, mfc="none", color="C1",
            label="on fresh points",
        )  # fmt: skip
        ax.legend(frameon=False)
    ax.set(xlabel="seconds" if by == "seconds" else "steps", ylabel="residual, relative to its natural size")
    ax.grid(True, which="major", alpha=0.3)
    return ax.figure if figure is None else shown_once(figure)
