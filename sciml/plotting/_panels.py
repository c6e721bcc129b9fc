"""The panels of a picture: curves, heat maps over space and time, heat maps over a plane."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ._quantity import View, evaluate, grid_of, middle_of
from ._style import at_text, color_limits, frame, heat, line_colors, plain, symbol, title_text

if TYPE_CHECKING:
    from ..solution import Solution


SLICES = 5
"""Curves beside a heat map over space and time."""
VANISHING = 0.01
"""On planes through the middle, relative to the largest value anywhere: a picture of them would show noise."""
PANELS = 4
"""Instants of a plane field that are shown where none are asked for."""

OUTLINE: dict[str, Any] = {"color": "0.2", "lw": 0.4, "alpha": 0.6}
"""Of patches."""
PIECES = 32  # of a side of a patch, each drawn where it is inside

Panel = Callable[[Any], None]


def panels_of(solution: Solution, view: View, n: int | None) -> Iterator[Panel]:
    """The panels of one quantity, each drawing into the axes that it is given."""
    if not view.axes or len(view.axes) == 1 and (view.time is None or view.times is not None):
        yield lambda ax: curves(ax, solution, view, n or 400)
    elif len(view.axes) == 1:
        assert view.time is not None
        yield lambda ax: course(ax, solution, view, n or 240)
        time = solution.domain.time
        assert time is not None
        slices = np.linspace(time.start, time.end, SLICES)
        yield lambda ax: curves(ax, solution, replace(view, times=slices, patches=False), n or 400)
    else:
        yield from maps(solution, view, n or (160 if view.time or len(view.axes) == 3 else 240))


def curves(ax: Any, solution: Solution, view: View, n: int) -> None:
    along = view.axes[0] if view.axes else view.time
    assert along is not None
    axes = grid_of(solution, [along], n)
    if view.axes and view.time is not None:
        assert view.times is not None
        colors = line_colors(len(view.times))
        for time, color in zip(view.times, colors, strict=True):
            values = evaluate(solution, view.quantity, axes, view.fixed | {view.time: float(time)})
            ax.plot(axes[along], values, color=color, label=at_text({view.time: time}))
        if len(view.times) > 1:
            ax.legend(frameon=False, fontsize="small")
    else:
        ax.plot(axes[along], evaluate(solution, view.quantity, axes, view.fixed), color="C0")
        if not view.axes and view.times is not None:
            at = np.array([float(t) for t in view.times])
            values = evaluate(solution, view.quantity, {along: at}, view.fixed)
            ax.plot(at, values, "o", color="C0")
    only = {}
    if view.axes and view.time is not None and view.times is not None and len(view.times) == 1:
        only = {view.time: float(view.times[0])}
    ax.set(xlabel=symbol(along), ylabel=view.quantity.name, title=at_text({**view.fixed, **only}))
    plain(ax)
    if view.patches:
        boxes = cells(solution, (along,), view.fixed | only)
        for end in np.unique(boxes.round(12)):
            ax.axvline(end, **OUTLINE)


def course(ax: Any, solution: Solution, view: View, n: int) -> None:
    """A heat map, time along the horizontal axis."""
    (x,), time = view.axes, view.time
    assert time is not None
    axes = grid_of(solution, [time, x], n)
    values = evaluate(solution, view.quantity, axes, view.fixed)
    heat(ax, axes[time], axes[x], values.T, color_limits(values, view.quantity.is_angle))
    ax.set(xlabel=symbol(time), ylabel=symbol(x), title=title_text(view.quantity.name, view.fixed))
    ax.locator_params(nbins=6)
    if view.patches:
        outline(ax, sides(cells(solution, (time, x), view.fixed)))


def maps(solution: Solution, view: View, n: int) -> Iterator[Panel]:
    """Heat maps over two space coordinates: at each time, and for three coordinates through the middle of each (where the
    field vanishes on all three planes, as an odd mode does, through a point where it is large)."""
    times: list[dict[str, float]] = [{}]
    if view.time is not None:
        span = solution.domain.time
        assert span is not None
        count = PANELS if len(view.axes) == 2 else 1
        default = np.linspace(span.start, span.end, count) if count > 1 else [span.end]
        times = [{view.time: float(t)} for t in (default if view.times is None else view.times)]
    middle = middle_of(solution, view.axes)
    if len(view.axes) == 3 and (instead := _where_it_is(solution, view, times, middle)):
        middle = instead
    planes = (
        [(view.axes, {})]
        if len(view.axes) == 2
        else [(tuple(name for name in view.axes if name != out), {out: middle[out]}) for out in reversed(view.axes)]
    )
    grids = [(axes, grid_of(solution, axes, n), time | plane) for time in times for axes, plane in planes]
    drawn = [evaluate(solution, view.quantity, grid, view.fixed | held) for _, grid, held in grids]
    limits = color_limits(np.concatenate([values.ravel() for values in drawn]), view.quantity.is_angle)
    for (axes, grid, held), values in zip(grids, drawn, strict=True):

        def panel(ax: Any, axes: Any = axes, grid: Any = grid, held: Any = held, values: Any = values) -> None:
            heat(ax, grid[axes[0]], grid[axes[1]], values.T, limits)
            frame(ax, solution, axes)
            if view.patches:
                outline(ax, inner(solution, cells(solution, axes, held | view.fixed), axes, held | view.fixed))
            ax.set(title=title_text(view.quantity.name, held | view.fixed))

        yield panel


def cells(solution: Solution, axes: tuple[str, ...], held: dict[str, float]) -> np.ndarray:
    """The patches that a line or plane of a picture passes, `(C, len(axes), 2)`."""
    boxes = solution.final.cells()
    assert boxes is not None
    names = [c.name for c in solution.pde.coordinates]
    for name, value in held.items():
        box = boxes[:, names.index(name)]
        boxes = boxes[(box[:, 0] <= value) & (value <= box[:, 1])]
    return boxes[:, [names.index(name) for name in axes]]


def sides(boxes: np.ndarray) -> np.ndarray:
    """The sides of boxes `(C, 2, 2)` as lines `(n, 2, 2)` from point to point."""
    (a, b), (c, d) = boxes[:, 0].T, boxes[:, 1].T
    corners = np.stack([np.stack(pair, axis=1) for pair in ((a, c), (b, c), (b, d), (a, d))], axis=1)
    return np.stack([corners, np.roll(corners, -1, axis=1)], axis=2).reshape(-1, 2, 2)


def inner(solution: Solution, boxes: np.ndarray, axes: tuple[str, ...], held: dict[str, float]) -> np.ndarray:
    """What of the sides of boxes lies in the domain, in pieces."""
    lines, u = sides(boxes), np.linspace(0, 1, PIECES + 1)[:, None]
    points = lines[:, None, 0] + u * (lines[:, None, 1] - lines[:, None, 0])
    pieces = np.stack([points[:, :-1], points[:, 1:]], axis=2).reshape(-1, 2, 2)
    domain = solution.domain
    x = np.tile((domain.lower + domain.upper) / 2, (len(pieces), 1))
    for name, value in held.items():
        x[:, domain.names.index(name)] = value
    x[:, [domain.names.index(name) for name in axes]] = pieces.mean(axis=1)
    return pieces[domain.contains(x, atol=1e-9 * float(np.max(domain.upper - domain.lower)))]


def outline(ax: Any, lines: np.ndarray) -> None:
    from matplotlib.collections import LineCollection

    style = {"colors": OUTLINE["color"], "linewidths": OUTLINE["lw"], "alpha": OUTLINE["alpha"]}
    ax.add_collection(LineCollection(list(lines), **style))


def _where_it_is(
    solution: Solution, view: View, times: list[dict[str, float]], middle: dict[str, float]
) -> dict[str, float] | None:
    """The sampled place where the field is largest, if it is nearly zero on every plane through the middle."""
    x = solution.domain.sample(2048, key=3)
    columns = {name: x[:, i] for i, name in enumerate(solution.domain.names)}

    def largest(held: dict[str, float]) -> tuple[float, int]:
        found = np.zeros(len(x))
        for time in times:
            at = {name: np.full(len(x), {**view.fixed, **held, **time}.get(name, np.nan)) for name in columns}
            at = {name: np.where(np.isnan(a), columns[name], a) for name, a in at.items()}
            inside = np.ones(len(x), bool)
            space = solution.domain.space
            if space is not None:
                inside = space.contains(np.stack([at[name] for name in space.names], axis=1))
            if inside.any():
                at = {name: a[inside] for name, a in at.items()}
                found[inside] = np.maximum(found[inside], np.abs(view.quantity.values(at)))
        return float(np.max(found)), int(np.argmax(found))

    most, where = largest({})
    if max(largest({name: middle[name]})[0] for name in view.axes) > VANISHING * most:
        return None
    return {name: float(columns[name][where]) for name in view.axes}
