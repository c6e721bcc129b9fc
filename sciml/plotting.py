"""Pictures of a solution: curves, heat maps, time slices, animations, and how the training went.

Matplotlib is imported when something is drawn. The figures belong to pyplot, so `plt.show()` and notebooks show them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp

from .geometry import Box
from .pde import Field
from .pde._printing import latex
from .solution import FieldFunction, Solution

SEQUENTIAL, DIVERGING = "viridis", "RdBu_r"
SLICES = 5
"""Curves beside a heat map over space and time."""
PANELS = 4
"""Instants of a plane field that are shown where none are asked for."""
MOST_COLUMNS = 3
SHOWN_FIXED = 3


def plot(
    solution: Solution, field: Any = None, *, ax: Any = None, n: int | None = None, t: Any = None, **fixed: float
) -> Any:
    """Draws fields of a solution, one row or panel each; complex ones by their absolute value.

    What is drawn follows from the coordinates that are left free: a curve over one; over one in space and time a heat map
    and curves at several times; over two in space a heat map, at several times if there is time; over three the planes
    through the middle. A curved region is blank outside.

    **Arguments:**

    - `field`: a name (`"u"`, `"u.xx"`), a field, a derivative or any expression in them (`v.x - u.y`), `solution.u`, or a
        sequence of these; all fields by default.
    - `ax`: matplotlib axes to draw one panel into, instead of a new figure.
    - `n`: grid points along each coordinate.
    - `t`: a time, or several, to show instead of the whole course.
    - `fixed`: other coordinates to hold, such as `z=0.5` or `nu=0.01`. Parameters of a family, and the third and further
        coordinates where there are more than three in space, are held in the middle of their range unless given here.

    **Returns** the matplotlib figure. **Raises** `ValueError` on an unknown coordinate or a value outside the domain, and
    where several panels do not fit into `ax`.

    >>> figure = solution.plot(t=[0, 0.5, 1])                        # doctest: +SKIP
    >>> figure = solution.plot(v.x - u.y, t=1.0)                     # doctest: +SKIP
    """
    import matplotlib.pyplot as plt

    views = [_view(solution, q, t, fixed) for q in _quantities(solution, field)]
    if ax is not None:
        return _into(ax, solution, views, n)
    rows = [list(_panels(solution, view, n)) for view in views]
    if len(rows) == 1 or all(len(row) == 1 for row in rows):
        flat = [panel for row in rows for panel in row]
        columns = len(flat) if len(flat) <= PANELS and len(rows) == 1 else min(len(flat), MOST_COLUMNS)
        lines = [flat[i : i + columns] for i in range(0, len(flat), columns)]
    else:
        columns, lines = max(map(len, rows)), rows
    width, height = _panel_size(solution, views[0])
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
    _colorbars(figure, [axes.ravel()] if len(rows) == 1 else axes if lines is rows else [[ax] for ax in axes.flat])
    return _shown_once(figure)


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
        [row[by] for row in rows], [row["residual"] for row in rows], color="C0", lw=1.5, label="on the points of training",
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
    return ax.figure if figure is None else _shown_once(figure)


def animate(
    solution: Solution,
    path: Any,
    field: Any = None,
    *,
    frames: int = 60,
    seconds: float = 4.0,
    n: int | None = None,
    **fixed: float,
) -> Path:
    """Writes an animation over time as GIF: curves in one space dimension, heat maps in two; in more, a plane through the
    middle. Returns the path.

    **Arguments:** `field`, `n` and `fixed` as for `plot`; `frames`, how many; `seconds`, how long it lasts.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    time = solution.domain.time
    if time is None:
        raise ValueError("animate needs time; this solution has none. `plot` draws it.")
    if frames < 2:
        raise ValueError(f"frames={frames!r}; expected at least 2.")
    times = np.linspace(time.start, time.end, frames)
    views = [_view(solution, q, times, _plane(solution, q, fixed)) for q in _quantities(solution, field)]
    for view in views:
        if view.time is None or not view.axes:
            raise ValueError(
                f"animate: {view.quantity.name} does not depend on "
                f"{'time' if view.time is None else 'space'}, so nothing moves; `plot` draws it."
            )
    width, height = _panel_size(solution, views[0])
    figure = Figure(figsize=(width * len(views), height + 0.3), layout="constrained", dpi=90)
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(views), squeeze=False)
    updates = [_moving(solution, view, where, n) for view, where in zip(views, axes.flat, strict=True)]
    title = figure.suptitle(" ")
    _colorbars(figure, [[ax] for ax in axes.flat])
    pictures = []
    for i in range(frames):
        title.set_text(_at({time.name: times[i]}))
        for update in updates:
            update(i)
        canvas.draw()
        pictures.append(np.array(canvas.buffer_rgba())[..., :3])
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_gif(path, pictures, seconds / frames)
    return path


# What is drawn ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Quantity:
    """Something with a value at every point: its LaTeX name, its coordinates, and (columns by name) -> values."""

    name: str
    coordinates: tuple[str, ...]
    values: Callable[[dict[str, np.ndarray]], np.ndarray]


@dataclass(frozen=True)
class _View:
    """A quantity with its free coordinates in space (up to three), its time where that is free or several, and the rest."""

    quantity: _Quantity
    axes: tuple[str, ...]
    time: str | None
    times: np.ndarray | None
    fixed: dict[str, float]


def _quantities(solution: Solution, field: Any) -> list[_Quantity]:
    if field is None:
        return [_quantity(solution, u) for u in solution.pde.fields]
    if isinstance(field, Sequence) and not isinstance(field, str):
        return [_quantity(solution, one) for one in field]
    return [_quantity(solution, field)]


def _quantity(solution: Solution, field: Any) -> _Quantity:
    if isinstance(field, str):
        found: Any = solution
        for part in field.split("."):
            found = getattr(found, part)
        field = found
    if isinstance(field, FieldFunction):
        field = field.expression
    if not isinstance(field, sp.Expr) or not field.atoms(Field):
        raise TypeError(
            "plot: the field is a name such as 'u' or 'u.xx', a field, an expression in fields and derivatives, or a "
            f"sequence of these; {field!r} came."
        )
    strange = field.atoms(Field) - set(solution.pde.fields)
    if strange:
        raise ValueError(
            f"plot: {', '.join(sorted(map(str, strange)))} is no field of this solution; its fields are "
            f"{', '.join(map(str, solution.pde.fields))}."
        )
    used = {c.name for u in field.atoms(Field) for c in u.coordinates} | {s.name for s in field.free_symbols}  # pyright: ignore
    # Shown in the order of the domain: space, time, parameters.
    names = tuple(name for name in solution.domain.names if name in used)
    single = isinstance(field, Field) or isinstance(field, sp.Derivative) and isinstance(field.expr, Field)
    is_complex = any(u.is_complex_field for u in field.atoms(Field))

    def values(columns: dict[str, np.ndarray]) -> np.ndarray:
        if single:
            function = FieldFunction(solution, field)
            found = function(**{c.name: columns[c.name] for c in function.coordinates})
        else:
            lower, upper = solution.domain.lower, solution.domain.upper
            middle = dict(zip(solution.domain.names, (lower + upper) / 2, strict=True))
            size = len(next(iter(columns.values())))
            x = [columns.get(c.name, np.full(size, middle[c.name])) for c in solution.pde.coordinates]
            (found,) = solution.values_of([field], np.stack(x, axis=1))
        return np.abs(found) if np.iscomplexobj(found) else np.asarray(found)

    name = latex(field)
    return _Quantity(f"$|{name}|$" if single and is_complex else f"${name}$", names, values)


def _view(solution: Solution, quantity: _Quantity, t: Any, fixed: Mapping[str, float]) -> _View:
    domain = solution.domain
    ranges = dict(zip(domain.names, zip(domain.lower, domain.upper, strict=True), strict=True))
    held = {name: float(value) for name, value in fixed.items()}
    for name, value in held.items():
        _inside_range(name, [value], ranges)
    time = domain.time.name if domain.time is not None else None
    times = None
    if t is not None:
        if time is None:
            raise ValueError("t= was given, but this solution has no time.")
        if time in held:
            raise ValueError(f"plot: both t={t!r} and {time}={held[time]:g} were given; expected one of them.")
        times = np.atleast_1d(np.asarray(t, float)).ravel()
        _inside_range(time, times, ranges)
    elif time in held:
        times = np.array([held.pop(time)])
    if time not in quantity.coordinates:
        time, times = None, None
    space = domain.space.names if domain.space is not None else ()
    free = [name for name in quantity.coordinates if name in space and name not in held]
    if len(free) > 3:
        free = free[:2]
    if not free and time is None:
        free = [name for name in quantity.coordinates if name not in held][:2]
    rest = [name for name in quantity.coordinates if name not in (*free, time)]
    values = {name: held.get(name, float(np.mean(ranges[name]))) for name in rest}
    return _View(quantity, tuple(free), time, times, values)


def _inside_range(name: str, values: Any, ranges: Mapping[str, tuple[float, float]]) -> None:
    if name not in ranges:
        raise ValueError(f"plot: {name!r} is no coordinate; these are {', '.join(ranges)}.")
    low, high = ranges[name]
    slack = 1e-9 * (high - low)
    for value in values:
        if not low - slack <= value <= high + slack:
            raise ValueError(f"plot: {name}={value:g} is outside the domain, where {name} is from {low:g} to {high:g}.")


def _plane(solution: Solution, quantity: _Quantity, fixed: Mapping[str, float]) -> dict[str, float]:
    """`fixed`, and the third and further space coordinates in the middle."""
    domain = solution.domain
    names = domain.space.names if domain.space is not None else ()
    free = [name for name in quantity.coordinates if name in names and name not in fixed]
    middle = dict(zip(domain.names, (domain.lower + domain.upper) / 2, strict=True))
    return dict(fixed) | {name: middle[name] for name in free[2:]}


def _grid(solution: Solution, names: Sequence[str], n: int) -> dict[str, np.ndarray]:
    ranges = dict(zip(solution.domain.names, zip(solution.domain.lower, solution.domain.upper, strict=True), strict=True))
    return {name: np.linspace(*ranges[name], n) for name in names}


def _evaluate(
    solution: Solution, quantity: _Quantity, axes: Mapping[str, np.ndarray], fixed: Mapping[str, float]
) -> np.ndarray:
    """Values on the outer product of `axes`; NaN outside the region."""
    mesh = np.meshgrid(*axes.values(), indexing="ij")
    columns = dict(zip(axes, (m.ravel() for m in mesh), strict=True))
    columns |= {name: np.full(mesh[0].size, value) for name, value in fixed.items()}
    space = solution.domain.space
    inside = np.ones(mesh[0].size, bool)
    if space is not None and set(space.names) <= set(columns):
        inside = space.contains(np.stack([columns[name] for name in space.names], axis=1), 1e-9 * space.size)
    values = np.full(mesh[0].size, np.nan)
    if inside.any():
        values[inside] = quantity.values({name: column[inside] for name, column in columns.items()})
    return values.reshape(mesh[0].shape)


# Panels ----------------------------------------------------------------------------------------------------------------

Panel = Callable[[Any], None]


def _panels(solution: Solution, view: _View, n: int | None) -> Iterator[Panel]:
    """The panels of one quantity, each drawing into the axes that it is given."""
    if not view.axes or len(view.axes) == 1 and (view.time is None or view.times is not None):
        yield lambda ax: _curves(ax, solution, view, n or 400)
    elif len(view.axes) == 1:
        assert view.time is not None
        yield lambda ax: _course(ax, solution, view, n or 240)
        time = solution.domain.time
        assert time is not None
        slices = np.linspace(time.start, time.end, SLICES)
        yield lambda ax: _curves(ax, solution, _View(view.quantity, view.axes, view.time, slices, view.fixed), n or 400)
    else:
        yield from _maps(solution, view, n or (160 if view.time or len(view.axes) == 3 else 240))


def _curves(ax: Any, solution: Solution, view: _View, n: int) -> None:
    along = view.axes[0] if view.axes else view.time
    assert along is not None
    axes = _grid(solution, [along], n)
    if view.axes and view.time is not None:
        assert view.times is not None
        colors = _colors(len(view.times))
        for time, color in zip(view.times, colors, strict=True):
            values = _evaluate(solution, view.quantity, axes, view.fixed | {view.time: float(time)})
            ax.plot(axes[along], values, color=color, label=_at({view.time: time}))
        if len(view.times) > 1:
            ax.legend(frameon=False, fontsize="small")
    else:
        ax.plot(axes[along], _evaluate(solution, view.quantity, axes, view.fixed), color="C0")
        if not view.axes and view.times is not None:
            at = np.array([float(t) for t in view.times])
            values = _evaluate(solution, view.quantity, {along: at}, view.fixed)
            ax.plot(at, values, "o", color="C0")
    several = view.axes and view.time is not None and view.times is not None
    only = {view.time: view.times[0]} if several and len(view.times) == 1 else {}
    ax.set(xlabel=_symbol(along), ylabel=view.quantity.name, title=_at({**view.fixed, **only}))
    _plain(ax)


def _plain(ax: Any) -> None:
    ax.margins(x=0)
    ax.locator_params(nbins=6)
    ax.grid(True, alpha=0.25)


def _course(ax: Any, solution: Solution, view: _View, n: int) -> None:
    """A heat map, time along the horizontal axis."""
    (x,), time = view.axes, view.time
    assert time is not None
    axes = _grid(solution, [time, x], n)
    values = _evaluate(solution, view.quantity, axes, view.fixed)
    _heat(ax, axes[time], axes[x], values.T, _limits(values))
    ax.set(xlabel=_symbol(time), ylabel=_symbol(x), title=_title(view.quantity.name, view.fixed))
    ax.locator_params(nbins=6)


def _maps(solution: Solution, view: _View, n: int) -> Iterator[Panel]:
    """Heat maps over two space coordinates: at each time, and for three coordinates through the middle of each."""
    times: list[dict[str, float]] = [{}]
    if view.time is not None:
        span = solution.domain.time
        assert span is not None
        count = PANELS if len(view.axes) == 2 else 1
        default = np.linspace(span.start, span.end, count) if count > 1 else [span.end]
        times = [{view.time: float(t)} for t in (default if view.times is None else view.times)]
    middle = _middle(solution, view.axes)
    planes = [(view.axes, {})] if len(view.axes) == 2 else [
        (tuple(name for name in view.axes if name != out), {out: middle[out]}) for out in reversed(view.axes)
    ]
    grids = [(axes, _grid(solution, axes, n), time | plane) for time in times for axes, plane in planes]
    drawn = [_evaluate(solution, view.quantity, grid, view.fixed | held) for _, grid, held in grids]
    limits = _limits(np.concatenate([values.ravel() for values in drawn]))
    for (axes, grid, held), values in zip(grids, drawn, strict=True):

        def panel(ax: Any, axes: Any = axes, grid: Any = grid, held: Any = held, values: Any = values) -> None:
            _heat(ax, grid[axes[0]], grid[axes[1]], values.T, limits)
            _frame(ax, solution, axes)
            ax.set(title=_title(view.quantity.name, held | view.fixed))

        yield panel


def _moving(solution: Solution, view: _View, ax: Any, n: int | None) -> Callable[[int], Any]:
    """Draws the first frame of an animation into `ax`; returns what shows frame `i`."""
    assert view.time is not None and view.times is not None
    axes = _grid(solution, view.axes, n or (400 if len(view.axes) == 1 else 100))
    values = _evaluate(solution, view.quantity, {view.time: view.times, **axes}, view.fixed)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    ax.set_title(_title(view.quantity.name, view.fixed))
    if len(view.axes) == 1:
        (line,) = ax.plot(axes[view.axes[0]], values[0], color="C0")
        pad = 0.05 * (high - low or 1.0)
        ax.set(xlabel=_symbol(view.axes[0]), ylabel=view.quantity.name, ylim=(low - pad, high + pad))
        _plain(ax)

        def update(i: int) -> Any:
            line.set_ydata(values[i])
            return line

        return update
    x, y = view.axes
    mesh = _heat(ax, axes[x], axes[y], values[0].T, _limits(values))
    _frame(ax, solution, view.axes)

    def recolor(i: int) -> Any:
        mesh.set_array(np.ma.masked_invalid(values[i].T))
        return mesh

    return recolor


def _into(ax: Any, solution: Solution, views: list[_View], n: int | None) -> Any:
    if len(views) > 1:
        raise ValueError(
            f"plot: {len(views)} fields came for one ax=; name one of them, such as solution.plot('u', ax=ax)."
        )
    view = views[0]
    panels = list(_panels(solution, view, n))
    if len(panels) > 1 and not (len(view.axes) == 1 and view.times is None):
        raise ValueError(
            f"plot: this picture has {len(panels)} panels but one ax= came; give one time (t=...) and, in three dimensions, "
            "one plane (such as z=0.5)."
        )
    panels[0](ax)
    _colorbars(ax.figure, [[ax]])
    return ax.figure


# Details ---------------------------------------------------------------------------------------------------------------


def _heat(ax: Any, x: np.ndarray, y: np.ndarray, values: np.ndarray, limits: tuple[str, float, float]) -> Any:
    """`values` of shape (len(y), len(x)) as colours."""
    cmap, low, high = limits
    full = bool(np.all(np.isfinite(values)))
    return ax.pcolormesh(
        x, y, np.ma.masked_invalid(values), cmap=cmap, vmin=low, vmax=high, rasterized=True,
        shading="gouraud" if full else "nearest",
    )  # fmt: skip


def _frame(ax: Any, solution: Solution, axes: Sequence[str]) -> None:
    """Labels, equal units of length unless the region is too long for that, and the outline of a curved one."""
    space = solution.domain.space
    ax.set(xlabel=_symbol(axes[0]), ylabel=_symbol(axes[1]))
    ax.locator_params(nbins=5)
    if _aspect(solution, axes) is not None:
        ax.set_aspect("equal")
    if space is None or isinstance(space, Box) or tuple(space.names) != tuple(axes):
        return
    from .geometry._plot import _line

    for part in space.boundary.values():
        lines = [_line(piece) for piece in part.pieces]
        for line in lines:
            if line is not None:
                ax.plot(*line.T, color="0.2", lw=1.5, solid_capstyle="round")


def _colorbars(figure: Any, groups: Any) -> None:
    """One for each group of axes, which share their colours."""
    for group in groups:
        meshes = [(ax, mesh) for ax in group for mesh in ax.collections if mesh.get_array() is not None]
        if len(meshes) == 1:
            ((ax, mesh),) = meshes
            # Inside the axes' own box, so that it is as high as a panel whose units are equal.
            figure.colorbar(mesh, cax=ax.inset_axes((1.03, 0.0, 0.045, 1.0)))
        elif meshes:
            figure.colorbar(meshes[-1][1], ax=[ax for ax, _ in meshes], pad=0.02)


def _write_gif(path: Path, pictures: list[np.ndarray], seconds: float) -> None:
    """All frames with the same 256 colours, chosen to cover the colour maps: a palette for each frame would flicker."""
    from PIL import Image

    some = pictures[:: max(1, len(pictures) // 6)]
    palette = Image.fromarray(np.concatenate(some)).quantize(256, Image.Quantize.MAXCOVERAGE)
    colors = np.reshape(palette.getpalette() or [], (-1, 3))
    colors[np.argmax(colors.sum(axis=1))] = 255  # the paper stays white
    palette.putpalette(colors.ravel().tolist())
    first, *rest = [Image.fromarray(p).quantize(palette=palette, dither=Image.Dither.NONE) for p in pictures]
    first.save(path, format="GIF", save_all=True, append_images=rest, duration=round(1000 * seconds), loop=0)


def _limits(values: np.ndarray) -> tuple[str, float, float]:
    """A colour map and its range: diverging around zero where the sign changes."""
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


def _panel_size(solution: Solution, view: _View) -> tuple[float, float]:
    if len(view.axes) < 2:
        return 4.8, 3.4
    aspect = _aspect(solution, view.axes[:2])
    if aspect is None:
        return 4.4, 3.4
    area = 12.0
    return float(np.clip((area / aspect) ** 0.5, 2.4, 7.0)) + 1.0, float(np.clip((area * aspect) ** 0.5, 1.4, 6.0)) + 0.7


def _aspect(solution: Solution, axes: Sequence[str]) -> float | None:
    """Height over width; None where that is too far from one for equal units, or the axes are not both in space."""
    space = solution.domain.space
    if space is None or not set(axes) <= set(space.names):
        return None
    lengths = dict(zip(space.names, space.upper - space.lower, strict=True))
    aspect = float(lengths[axes[1]] / lengths[axes[0]])
    return aspect if 0.1 <= aspect <= 10 else None


def _middle(solution: Solution, names: Sequence[str]) -> dict[str, float]:
    domain = solution.domain
    middle = dict(zip(domain.names, (domain.lower + domain.upper) / 2, strict=True))
    return {name: float(middle[name]) for name in names}


def _colors(count: int) -> list[Any]:
    import matplotlib

    return [matplotlib.colormaps[SEQUENTIAL](0.9 * i / max(count - 1, 1)) for i in range(count)]


def _symbol(name: str) -> str:
    return f"${sp.latex(sp.Symbol(name))}$"


def _at(values: Mapping[str, float]) -> str:
    shown = [f"{_symbol(name)} = {value:.3g}" for name, value in values.items()]
    return ", ".join(shown[:SHOWN_FIXED]) + (", ..." if len(shown) > SHOWN_FIXED else "")


def _title(name: str, values: Mapping[str, float]) -> str:
    return f"{name} at {_at(values)}" if values else name


def _shown_once(figure: Any) -> Any:
    """In a notebook pyplot shows the figure at the end of the cell; as the cell's value it would be shown again."""
    import matplotlib
    import matplotlib.pyplot as plt

    if "inline" not in matplotlib.get_backend():
        return figure

    def display() -> None:
        if not plt.fignum_exists(figure.number):
            raise NotImplementedError  # IPython then displays it as it does any figure

    figure._ipython_display_ = display
    return figure
