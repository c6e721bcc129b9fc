"""Correlations in time of positions, velocities and the stress."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.integrate import cumulative_trapezoid

from ..atoms._system import System, expect_periodic
from ..files._frame import Frame
from ._blocks import Blocks, Mean
from ._correlator import Correlator
from ._observables import AbstractObservable, Curve, select


class AbstractCorrelation(AbstractObservable):
    """A correlation in time of frames up to `length - 1` intervals apart. All frames serve as origins; the last `length` and an
    eighth are kept (atoms x 24 bytes each), and sums. Frames must follow at the same interval; a last one that does not is left
    out."""

    _squares = False

    def __init__(self, *, length: int = 200):
        if isinstance(length, bool) or not isinstance(length, int) or length < 2:
            raise ValueError(f"{type(self).__name__}: length={length!r}; expected a whole number of frames, two at least.")
        self.length = length

    def begin(self, atoms: System) -> None:
        self.atoms = atoms
        self._correlator = Correlator(self.length, squares=self._squares)
        self._last: float | None = None
        self._interval: float | None = None
        self._odd = False

    def __call__(self, frame: Frame) -> None:
        self._system()
        if self._last is not None:
            step = frame.time - self._last
            self._interval = step if self._interval is None else self._interval
            if self._odd or not abs(step - self._interval) <= 1e-6 * abs(self._interval):
                if self._odd or not 0 < step < self._interval:
                    raise ValueError(
                        f"{type(self).__name__}: the frame at {frame.time:g} does not follow at the interval "
                        f"{self._interval:g} of those before; a correlation needs frames at equal intervals."
                    )
                self._odd = True
                return
        self._last = frame.time
        self._correlator.add(self.signal(frame))

    def signal(self, frame: Frame) -> np.ndarray:
        """What is correlated, `(items, components)`."""
        raise NotImplementedError

    def _estimated(self, function: Any, name: str, unit: str | None = None) -> Curve:
        axis = self._system().units.axis
        y, error = self._correlator.curve(function)
        names = axis("time", "fs"), name if unit is None else axis(name, unit)
        return Curve(np.arange(len(y)) * (self._interval or 1.0), y, error, names)


class MeanSquareDisplacement(AbstractCorrelation):
    """<|r(s + t) - r(s)|^2> over atoms, all or those of a `species`, and all times s [angstrom^2]; the drift of the centre of
    mass is taken out. See `AbstractCorrelation` for `length`.

    **Attributes:** `curve`. Errors: the larger of those from blocks of time and from groups of atoms.
    """

    _squares = True

    def __init__(self, *, length: int = 200, species: str | None = None):
        super().__init__(length=length)
        self.species = species

    def begin(self, atoms: System) -> None:
        self._which = select(atoms, self.species, "MeanSquareDisplacement")
        super().begin(atoms)

    def signal(self, frame: Frame) -> np.ndarray:
        m = np.asarray(self._system().masses)
        r = np.asarray(frame.positions, float)
        return (r - m @ r / m.sum())[self._which]

    @property
    def curve(self) -> Curve:
        return self._estimated(lambda y: y, "mean-square displacement", "angstrom^2")

    def diffusion(self, *, start: float = 0.2, end: float = 0.8) -> Mean:
        """The self-diffusion coefficient [angstrom^2/fs; times 0.1 is cm^2/s], a sixth of the slope of the curve between two
        shares of its length (Einstein)."""
        if not 0 <= start < end <= 1:
            raise ValueError(f"diffusion: start={start!r}, end={end!r}; expected 0 <= start < end <= 1, shares of the curve.")
        t = self.curve.x
        used = slice(int(start * len(t)), max(int(end * len(t)), int(start * len(t)) + 2))
        if len(t[used]) < 2:
            raise ValueError(f"diffusion: {len(t)} lags; a slope needs more frames.")
        value, error = self._correlator.curve(lambda y: np.polyfit(t[used], y[used], 1)[0] / 6)
        return Mean(float(value), float(error))

    def plot(self, ax: Any = None) -> Any:
        return self.curve.plot(ax)


class VelocityAutocorrelation(AbstractCorrelation):
    """<m v(s) . v(s + t)> / <m v^2> over atoms, all or those of a `species`, and all times s. See `AbstractCorrelation` for
    `length`.

    **Attributes:** `curve`; `spectrum`, the density of vibrational states: its cosine transform under a Hann window, against
    the frequency [1/fs; times 33,356.4 is 1/cm], of integral one. The resolution is 1 / (length x interval), and frames must
    follow faster than half the shortest period.
    """

    def __init__(self, *, length: int = 200, species: str | None = None):
        super().__init__(length=length)
        self.species = species

    def begin(self, atoms: System) -> None:
        self._which = select(atoms, self.species, "VelocityAutocorrelation")
        self._root = np.sqrt(np.asarray(atoms.masses)[self._which])[:, None]
        super().begin(atoms)

    def signal(self, frame: Frame) -> np.ndarray:
        return self._root * np.asarray(frame.velocities, float)[self._which]

    @property
    def curve(self) -> Curve:
        return self._estimated(lambda y: y / y[0], "velocity autocorrelation")

    @property
    def spectrum(self) -> Curve:
        n, interval = len(self.curve.x), self._interval or 1.0
        frequency = np.fft.rfftfreq(2 * n - 1, interval)
        window = np.cos(np.pi * np.arange(n) / (2 * n)) ** 2

        def density(y: np.ndarray) -> np.ndarray:
            signal = y * window
            found = np.fft.rfft(np.concatenate([signal, signal[:0:-1]])).real
            return found / np.trapezoid(found, frequency)

        axis = self._system().units.axis
        names = axis("frequency", "1/fs"), axis("vibrational density of states", "fs")
        return Curve(frequency, *self._correlator.curve(density), names)

    def plot(self, ax: Any = None) -> Any:
        return self.curve.plot(ax)


class Stress(AbstractCorrelation):
    """The pressure tensor, its autocorrelation and the shear viscosity. See `AbstractCorrelation` for `length`.

        eta = V / (kB T) integral of <P_ab(0) P_ab(t)> dt

    (Green 1954, doi:10.1063/1.1740082; Kubo 1957, doi:10.1143/JPSJ.12.570), ab: xy, xz, yz, (xx - yy)/2, (yy - zz)/2, which are
    alike in an isotropic liquid. It takes frames every few fs, and a run at constant volume.

    **Attributes:** `pressure`, a `Mean` of the tensor `(3, 3)` [bar]; `curve`, the autocorrelation [bar^2]; `viscosity`, the
    integral up to t, against t [bar fs; times 1e-7 is mPa s], to be read where it no longer grows.
    """

    def begin(self, atoms: System) -> None:
        expect_periodic(atoms, "Stress")
        super().begin(atoms)
        self._state, self._tensor = Blocks(), Blocks()

    def __call__(self, frame: Frame) -> None:
        super().__call__(frame)
        self._state.add([frame.temperature, frame.volume])
        self._tensor.add(frame.pressure_tensor)

    def signal(self, frame: Frame) -> np.ndarray:
        p = np.asarray(frame.pressure_tensor, float)
        return np.array([p[0, 1], p[0, 2], p[1, 2], (p[0, 0] - p[1, 1]) / 2, (p[1, 1] - p[2, 2]) / 2])[:, None]

    @property
    def pressure(self) -> Mean:
        self._system()
        return self._tensor.mean()

    @property
    def curve(self) -> Curve:
        return self._estimated(lambda y: y, "autocorrelation of the stress", "bar^2")

    @property
    def viscosity(self) -> Curve:
        units, (T, V) = self._system().units, self._state.mean().value
        scale = V * units.pressure / (units.temperature * T)

        def integral(y: np.ndarray) -> np.ndarray:
            return scale * cumulative_trapezoid(y, dx=self._interval or 1.0, initial=0)

        return self._estimated(integral, "viscosity", "bar fs")

    def plot(self, ax: Any = None) -> Any:
        """The viscosity against the time up to which the autocorrelation is integrated."""
        return self.viscosity.plot(ax)
