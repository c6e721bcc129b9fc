"""What is measured on trajectories, with standard errors from block averages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._precision import float64
from ._neighbours import allocate
from ._trajectory import Trajectory


@dataclass(frozen=True)
class Mean:
    """An average and its standard error."""

    value: float
    error: float

    def __repr__(self) -> str:
        return f"{self.value:.6g} +- {self.error:.2g}"


def mean(series: Any) -> Mean:
    """The average of a correlated series, with a standard error from blocks (Flyvbjerg & Petersen 1989,
    doi:10.1063/1.457480): neighbours are averaged in pairs until the error no longer grows by more than its own uncertainty.
    """
    x = np.asarray(series, float)
    if x.ndim != 1 or len(x) < 4:
        raise ValueError(f"mean: a series of shape {x.shape}; expected at least four numbers.")
    value, errors = float(x.mean()), []
    while len(x) >= 4:
        error = float(np.sqrt(x.var(ddof=1) / len(x)))
        errors.append((error, error / np.sqrt(2 * (len(x) - 1))))
        x = (x[: len(x) // 2 * 2 : 2] + x[1::2]) / 2
    best = errors[0][0]
    for (error, doubt), (following, _) in zip(errors, errors[1:], strict=False):
        best = max(best, error)
        if following <= error + doubt:
            break
        best = max(best, following)
    return Mean(value, best)


@dataclass(frozen=True)
class Curve:
    """A function of one variable with standard errors. **Attributes:** `x`, `y`, `error`; `names` of the axes."""

    x: np.ndarray
    y: np.ndarray
    error: np.ndarray
    names: tuple[str, str]

    def plot(self, ax: Any = None) -> Any:
        """The curve and a band of two standard errors."""
        import matplotlib.pyplot as plt

        ax = ax or plt.subplots()[1]
        (line,) = ax.plot(self.x, self.y)
        ax.fill_between(self.x, self.y - 2 * self.error, self.y + 2 * self.error, color=line.get_color(), alpha=0.25, lw=0)
        ax.set(xlabel=self.names[0], ylabel=self.names[1])
        return ax


def radial_distribution(
    trajectory: Trajectory, *, end: float, bins: int = 200, between: tuple[str, str] | None = None, blocks: int = 5
) -> Curve:
    """g(r), the density of atoms at a distance r from another, relative to the mean.

    **Arguments:** `end`, the largest distance [angstrom], which may exceed half the cell; `between`, the names of two species, all
    by default; `blocks` of frames, whose spread gives the error.
    """
    atoms = trajectory.atoms
    if not all(atoms.periodic):
        raise ValueError("radial_distribution: the density of a system that is not periodic is not defined.")
    names, species = atoms.names, np.asarray(atoms.species)
    if between and (unknown := [n for n in between if n not in names]):
        raise ValueError(f"radial_distribution: there is no {', '.join(unknown)}; there are {', '.join(names)}.")
    one, two = (np.ones(len(species), bool) if not between else species == names.index(n) for n in (between or "ab"))
    edges = np.linspace(0, end, bins + 1)
    with float64():
        n = None
        counted = jax.jit(lambda n, r, cell: _histogram(n, r, cell, one, two, end, bins))
        rows = []
        for frame in trajectory.frames:
            r, cell = (jnp.asarray(a, float) for a in (frame.positions, frame.cell))
            n = None if n is None else n.update(r, cell)
            if n is None or bool(n.overflow):
                n = allocate(_at(atoms, r, cell), end, skin=0.0)
            ideal = one.sum() * two.sum() / frame.volume * 4 / 3 * np.pi * np.diff(edges**3)
            rows.append(np.asarray(counted(n, r, cell)) / ideal)
    parts = np.array([np.mean(part, axis=0) for part in np.array_split(np.array(rows), min(blocks, len(rows)))])
    error = parts.std(axis=0, ddof=1) / np.sqrt(len(parts)) if len(parts) > 1 else np.full(bins, np.nan)
    return Curve((edges[1:] + edges[:-1]) / 2, np.mean(rows, axis=0), error, ("r", "g(r)"))


def _at(atoms: Any, r: Any, cell: Any) -> Any:
    import equinox as eqx

    return eqx.tree_at(lambda s: (s.positions, s.cell), atoms, (np.asarray(r), np.asarray(cell)))


def _histogram(n: Any, r: Any, cell: Any, one: np.ndarray, two: np.ndarray, end: float, bins: int) -> Any:
    places = n.at(r, cell)
    apart = jnp.take(places, n.index, axis=0, mode="fill", fill_value=jnp.inf) - places[n.entry][:, None]
    distance = jnp.sqrt(jnp.sum(apart**2, axis=-1))
    theirs = jnp.take(jnp.append(jnp.asarray(two), False), jnp.take(n.owner, n.index, mode="fill", fill_value=len(r)))
    held = jnp.asarray(one)[n.atom][:, None] & theirs & (distance < end)
    place = jnp.where(held, jnp.floor(distance / end * bins), bins).astype(int)
    return jnp.zeros(bins + 1).at[place.ravel()].add(1)[:-1]


def mean_square_displacement(trajectory: Trajectory, *, blocks: int = 5) -> Curve:
    """<|r(t) - r(0)|^2> over all atoms and starting times [angstrom^2], by Fourier transforms (Calandrini et al. 2011,
    doi:10.1051/sfn/201112010); the drift of the centre of mass is taken out. Errors from groups of atoms."""
    r = trajectory.positions
    m = np.asarray(trajectory.atoms.masses)[None, :, None]
    r = r - np.sum(m * r, axis=1, keepdims=True) / np.sum(m)
    each = _squares(r)  # (times, atoms)
    parts = np.array([g.mean(axis=1) for g in np.array_split(each, min(blocks, r.shape[1]), axis=1)])
    error = parts.std(axis=0, ddof=1) / np.sqrt(len(parts)) if len(parts) > 1 else np.full(len(each), np.nan)
    return Curve(trajectory.time - trajectory.time[0], each.mean(axis=1), error, ("t", "mean-square displacement"))


def _squares(r: np.ndarray) -> np.ndarray:
    n = len(r)
    square = np.sum(r**2, axis=2)
    correlation = _correlated(r)
    total = 2 * square.sum(axis=0)
    padded = np.concatenate([np.zeros((1, r.shape[1])), square])
    sums = np.empty_like(square)
    for k in range(n):
        total = total - padded[k] - (square[n - k] if k else 0)
        sums[k] = total / (n - k)
    return sums - 2 * correlation


def _correlated(v: np.ndarray) -> np.ndarray:
    """<v(0) . v(t)> for each atom `(times, atoms)`."""
    n = len(v)
    f = np.fft.rfft(v, 2 * n, axis=0)
    found = np.fft.irfft(np.sum(np.abs(f) ** 2, axis=2), axis=0)[:n]
    return found / (n - np.arange(n))[:, None]


def diffusion(trajectory: Trajectory, *, start: float = 0.3, end: float = 0.7) -> Mean:
    """The self-diffusion coefficient [angstrom^2/fs], a sixth of the slope of the mean-square displacement between two shares of
    the trajectory's length (Einstein); its error from groups of atoms."""
    r = trajectory.positions
    if len(r) < 10:
        raise ValueError(f"diffusion: {len(r)} frames; expected at least ten.")
    m = np.asarray(trajectory.atoms.masses)[None, :, None]
    each = _squares(r - np.sum(m * r, axis=1, keepdims=True) / np.sum(m))
    t = trajectory.time - trajectory.time[0]
    used = slice(int(start * len(t)), max(int(end * len(t)), int(start * len(t)) + 2))
    slopes = [np.polyfit(t[used], g.mean(axis=1)[used], 1)[0] / 6 for g in np.array_split(each, min(5, r.shape[1]), axis=1)]
    return Mean(float(np.polyfit(t[used], each.mean(axis=1)[used], 1)[0] / 6), float(np.std(slopes, ddof=1) / np.sqrt(len(slopes))))


def velocity_autocorrelation(trajectory: Trajectory, *, blocks: int = 5) -> Curve:
    """<v(0) . v(t)> / <v^2>, weighted with the masses; errors from groups of atoms."""
    each = _correlated(trajectory.velocities) * np.asarray(trajectory.atoms.masses)[None]
    whole = each.mean(axis=1)
    parts = np.array([g.mean(axis=1) for g in np.array_split(each, min(blocks, each.shape[1]), axis=1)])
    parts = parts / parts[:, :1]
    error = parts.std(axis=0, ddof=1) / np.sqrt(len(parts)) if len(parts) > 1 else np.full(len(whole), np.nan)
    return Curve(trajectory.time - trajectory.time[0], whole / whole[0], error, ("t", "velocity autocorrelation"))


def vibrational_spectrum(trajectory: Trajectory) -> Curve:
    """The density of vibrational states: the cosine transform of the velocity autocorrelation under a Hann window, against the
    frequency [1/fs; times 33,356 is 1/cm], of integral one."""
    correlation = velocity_autocorrelation(trajectory)
    n = len(correlation.x)
    window = np.cos(np.pi * np.arange(n) / (2 * n)) ** 2
    signal = np.concatenate([correlation.y * window, (correlation.y * window)[:0:-1]])
    density = np.fft.rfft(signal).real
    frequency = np.fft.rfftfreq(len(signal), correlation.x[1] - correlation.x[0])
    density = density / np.trapezoid(density, frequency)
    return Curve(frequency, density, np.full(len(density), np.nan), ("frequency", "vibrational density of states"))


def heat_capacity(trajectory: Trajectory) -> Mean:
    """The heat capacity at constant volume [eV/K] of a canonical run: (<E^2> - <E>^2) / (kB T^2), with an error from
    blocks."""
    E, T = trajectory.total_energy, float(np.mean(trajectory.temperature))
    fluctuation = mean((E - E.mean()) ** 2)
    scale = 1 / (trajectory.atoms.units.temperature * T**2)
    return Mean(fluctuation.value * scale, fluctuation.error * scale)
