"""`animate`: a solution over time as GIF."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ._quantity import View, evaluate, grid_of, held_in_plane, quantities, view_of
from ._style import at_text, color_limits, colorbars, frame, heat, panel_size, plain, symbol, title_text

if TYPE_CHECKING:
    from ..solution import Solution


def animate(
    solution: Solution,
    path: Any,
    field: Any = None,
    *,
    frames: int = 60,
    seconds: float = 4.0,
    n: int | None = None,
    between: tuple[float, float] | None = None,
    **fixed: float,
) -> Path:
    """Writes an animation over time as GIF: curves in one space dimension, heat maps in two; in more, a plane through
    the middle. Returns the path.

    **Arguments:** `field`, `n` and `fixed` as for `plot`; `frames`, how many; `seconds`, how long it lasts;
    `between`, two times, by default the first and the last.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    time = solution.domain.time
    if time is None:
        raise ValueError("animate needs time; this solution has none. `plot` draws it.")
    if frames < 2:
        raise ValueError(f"frames={frames!r}; expected at least 2.")
    start, end = (time.start, time.end) if between is None else map(float, between)
    if not time.start <= start < end <= time.end:
        raise ValueError(f"between={between!r}; expected two increasing times from {time.start:g} to {time.end:g}.")
    times = np.linspace(start, end, frames)
    views = [view_of(solution, q, times, held_in_plane(solution, q, fixed)) for q in quantities(solution, field)]
    for view in views:
        if view.time is None or not view.axes:
            raise ValueError(
                f"animate: {view.quantity.name} does not depend on "
                f"{'time' if view.time is None else 'space'}, so nothing moves; `plot` draws it."
            )
    width, height = panel_size(solution, views[0])
    figure = Figure(figsize=(width * len(views), height + 0.3), layout="constrained", dpi=90)
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(views), squeeze=False)
    updates = [_moving(solution, view, where, n) for view, where in zip(views, axes.flat, strict=True)]
    title = figure.suptitle(" ")
    colorbars(figure, [[ax] for ax in axes.flat])
    pictures = []
    for i in range(frames):
        title.set_text(at_text({time.name: times[i]}))
        for update in updates:
            update(i)
        canvas.draw()
        pictures.append(np.array(canvas.buffer_rgba())[..., :3])
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_gif(path, pictures, seconds / frames)
    return path


def _moving(solution: Solution, view: View, ax: Any, n: int | None) -> Callable[[int], Any]:
    """Draws the first frame of an animation into `ax`; returns what shows frame `i`."""
    assert view.time is not None and view.times is not None
    axes = grid_of(solution, view.axes, n or (400 if len(view.axes) == 1 else 100))
    values = evaluate(solution, view.quantity, {view.time: view.times, **axes}, view.fixed)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    ax.set_title(title_text(view.quantity.name, view.fixed))
    if len(view.axes) == 1:
        (line,) = ax.plot(axes[view.axes[0]], values[0], color="C0")
        pad = 0.05 * (high - low or 1.0)
        ax.set(xlabel=symbol(view.axes[0]), ylabel=view.quantity.name, ylim=(low - pad, high + pad))
        plain(ax)

        def update(i: int) -> Any:
            line.set_ydata(values[i])
            return line

        return update
    x, y = view.axes
    mesh = heat(ax, axes[x], axes[y], values[0].T, color_limits(values, view.quantity.is_angle))
    frame(ax, solution, view.axes)

    def recolor(i: int) -> Any:
        mesh.set_array(np.ma.masked_invalid(values[i].T))
        return mesh

    return recolor


def _write_gif(path: Path, pictures: list[np.ndarray], seconds: float) -> None:
    """All frames with the same 256 colours, chosen to cover the colour maps: a palette for each frame would flicker."""
    from PIL import Image

    some = pictures[:: max(1, len(pictures) // 6)]
    palette = Image.fromarray(np.concatenate(some)).quantize(256, Image.Quantize.MAXCOVERAGE)
    colors = np.reshape(palette.getpalette() or [], (-1, 3))
    colors[(colors > 247).all(axis=1)] = 255  # the paper stays white
    palette.putpalette(colors.ravel().tolist())
    first, *rest = [Image.fromarray(p).quantize(palette=palette, dither=Image.Dither.NONE) for p in pictures]
    first.save(path, format="GIF", save_all=True, append_images=rest, duration=round(1000 * seconds), loop=0)
