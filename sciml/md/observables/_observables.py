"""What is measured while atoms move, or on a trajectory afterwards.

An observable takes frames one by one and keeps sums, not frames:

    g = md.RadialDistribution(end=8.0)
    md.simulate(..., callbacks=[g])         or        md.measure(g, trajectory)
    g.curve, g.plot()

Each run that it is handed to begins it anew; a run that goes on from a checkpoint gives it the frames from before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ..atoms._system import System
from ..atoms._units import Units
from ..files._frame import Frame
from ..files._trajectory import Trajectory
from ._blocks import Blocks, Mean, plateau

Observable = TypeVar("Observable", bound="AbstractObservable")


@dataclass(frozen=True)
class Curve:
    """A function of one variable with standard errors. **Attributes:** `x`, `y`, `error`; `names` of the axes."""

    x: np.ndarray
    y: np.ndarray
    error: np.ndarray
    names: tuple[str, str]

    def plot(self, ax: Any = None, **style: Any) -> Any:
        """The curve and a band of two standard errors; `style` is that of Matplotlib's `plot`."""
        ax = _axes(ax)
        (line,) = ax.plot(self.x, self.y, **style)
        ax.fill_between(self.x, self.y - 2 * self.error, self.y + 2 * self.error, color=line.get_color(), alpha=0.25, lw=0)
        ax.set(xlabel=self.names[0], ylabel=self.names[1])
        return ax


def _axes(ax: Any) -> Any:
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1] if ax is None else ax


class AbstractObservable:
    """Measured frame by frame: `begin` clears it for a system, and it is called with each `Frame`; True stops the run.

    **Attributes:** `several`, whether it also measures a list of systems at once: `begin` gets them all, and a call the number
    of the frame's system.
    """

    atoms: System | None = None
    several: bool = False

    def begin(self, atoms: Any) -> None:
        """Clears what was measured; `atoms` are those of the frames to come."""
        raise NotImplementedError

    def __call__(self, frame: Frame) -> bool | None:
        raise NotImplementedError

    def _system(self) -> System:
        if self.atoms is None:
            raise ValueError(
                f"{type(self).__name__} has seen no frames: hand it to md.simulate(..., callbacks=[it]), or to "
                "md.measure(it, trajectory)."
            )
        return self.atoms


def begin(callbacks: Iterable[Any], atoms: System, frames: Iterable[Frame] = ()) -> str | None:
    """Clears the observables among the callbacks, and gives them frames that were there before; why one of them stops at the
    last, or None."""
    found = None
    for observable in callbacks:
        if isinstance(observable, AbstractObservable):
            observable.begin(atoms)
            wish = None
            for frame in frames:
                wish = observable(frame)
            found = found or _why(observable, wish)
    return found


def begin_several(callbacks: Iterable[Any], systems: list[System]) -> None:
    """`begin` for several systems at once. **Raises** `ValueError` for an observable of one system."""
    for observable in callbacks:
        if isinstance(observable, AbstractObservable):
            if not observable.several:
                raise ValueError(
                    f"simulate: {type(observable).__name__} measures one system, and {len(systems)} are simulated at once: "
                    "leave it out and take md.measure(it, trajectory) of each trajectory, or simulate one by one."
                )
            observable.begin(systems)


def called(callbacks: Iterable[Any], *given: Any) -> str | None:
    """Calls all callbacks with a frame: why one of them stops the run, in words, or None."""
    wishes = [_why(callback, callback(*given)) for callback in callbacks]
    return next(filter(None, wishes), None)


def _why(callback: Any, wish: Any) -> str | None:
    # Only a Boolean counts: many functions return something.
    if not (isinstance(wish, (bool, np.bool_)) and wish):
        return None
    return getattr(callback, "reason", None) or BY_A_CALLBACK


BY_A_CALLBACK = "by a callback"


def stopped_after(steps: int, planned: int, why: str) -> str:
    """What a trajectory says of a run that a callback stopped."""
    if why == BY_A_CALLBACK:
        return f"Stopped by a callback after {steps} of {planned} steps."
    return f"Stopped after {steps} of {planned} steps: {why}"


def measure(observable: Observable, trajectory: Trajectory) -> Observable:
    """`observable` after all frames of a trajectory."""
    begin([observable], trajectory.atoms, trajectory.frames)
    return observable


class Average(AbstractObservable):
    """The average of `quantity(frame)`, a number or an array, such as `lambda frame: frame.pressure`.

    **Attributes:** `mean`, a `Mean` with a standard error from blocks.
    """

    def __init__(self, quantity: Callable[[Frame], Any], *, name: str = "average"):
        self._quantity, self._name = quantity, name

    def begin(self, atoms: System) -> None:
        self.atoms, self._blocks, self._times = atoms, Blocks(), Blocks()

    def __call__(self, frame: Frame) -> None:
        self._system()
        self._blocks.add(self._quantity(frame))
        self._times.add(frame.time)

    @property
    def mean(self) -> Mean:
        self._system()
        return self._blocks.mean()

    def plot(self, ax: Any = None) -> Any:
        """Averages of blocks against time, and that of all with a band of two standard errors."""
        return plot_blocks(self._times.means, self._blocks.means, self.mean, self._name, ax, self._system().units)


def plot_blocks(times: np.ndarray, values: np.ndarray, mean: Mean, name: str, ax: Any, units: Units) -> Any:
    ax = _axes(ax)
    value, error = np.ravel(mean.value), np.ravel(mean.error)
    for k, column in enumerate(values.reshape(len(values), -1).T):
        (line,) = ax.plot(times, column, ".")
        ax.axhline(value[k], color=line.get_color())
        ax.axhspan(value[k] - 2 * error[k], value[k] + 2 * error[k], color=line.get_color(), alpha=0.2, lw=0)
    ax.set(xlabel=units.axis("time", "fs"), ylabel=name)
    return ax


class HeatCapacity(AbstractObservable):
    """The heat capacity at constant volume of a canonical run, (<E^2> - <E>^2) / (kB T^2), T the mean temperature.

    **Attributes:** `mean` [eV/K] (in reduced units, kB).
    """

    def begin(self, atoms: System) -> None:
        self.atoms, self._first = atoms, 0.0
        self._energies, self._temperature = Blocks(), Blocks()

    def __call__(self, frame: Frame) -> None:
        self._system()
        self._first = self._first if self._energies.count else frame.total_energy
        e = frame.total_energy - self._first
        self._energies.add([e, e**2, frame.time])
        self._temperature.add(frame.temperature)

    def _parts(self) -> tuple[np.ndarray, np.ndarray, Mean]:
        """Times and averages over blocks of (E - <E>)^2 / (kB T^2), and the average over all."""
        scale = 1 / (self._system().units.temperature * self._temperature.mean().value ** 2)
        e, square, _ = self._energies.mean().value
        blocks = self._energies.means
        values = (blocks[:, 1] - 2 * e * blocks[:, 0] + e**2) * scale
        return blocks[:, 2], values, Mean(float((square - e**2) * scale), float(plateau(values)))

    @property
    def mean(self) -> Mean:
        return self._parts()[2]

    def plot(self, ax: Any = None) -> Any:
        """What blocks contribute, against time, and the average with a band of two standard errors."""
        units = self._system().units
        return plot_blocks(*self._parts(), units.axis("heat capacity", "eV/K"), ax, units)


def select(atoms: System, species: str | None, name: str) -> np.ndarray:
    """The numbers of the atoms of a species, of all for None."""
    if species is None:
        return np.arange(atoms.atoms)
    if species not in atoms.names:
        raise ValueError(f"{name}: there is no {species!r}; there are {', '.join(atoms.names)}.")
    return np.flatnonzero(np.asarray(atoms.species) == atoms.names.index(species))
