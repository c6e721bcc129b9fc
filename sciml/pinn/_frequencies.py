"""The frequencies that an equation brings with it: those of initial values, of boundary values and of sources.

They are read from values along lines, by Fourier transforms, so that tables and JAX functions count as formulas do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from .._evaluate import evaluate
from ..geometry import Domain
from ..pde import PDE, Condition, Dirichlet, Initial, Neumann, Robin, derivatives_of
from ._scales import additive_terms

LINES, POINTS = 8, 1024
# Slower than two and a half waves over the interval: within reach of the frequencies that are tried anyway.
SLOW = 5 * np.pi
STRONG = 0.1  # a peak of the spectrum, relative to the largest value of the spectrum
MOST_PEAKS = 3


def carriers(pde: PDE, domain: Domain) -> tuple[tuple[float, ...], ...]:
    """For every coordinate, scaled to [-1, 1], the angular frequencies around which the data of the problem oscillate: peaks of
    their spectra above `SLOW`, and zero where there are slow parts as well. Nothing for a coordinate without such peaks."""
    found = []
    known = _known(pde)
    for axis, coordinate in enumerate(pde.coordinates):
        peaks: list[float] = []
        slow = False
        for expression in known:
            if coordinate not in expression.free_symbols:
                continue
            spectrum = _spectrum(pde, domain, expression, axis)
            if spectrum is None:
                continue
            mine = _peaks(spectrum)
            peaks += [p for p in mine if all(abs(p - q) > 1 for q in peaks)]
            slow |= bool(spectrum[: int(SLOW / np.pi)].max() > STRONG * spectrum.max())
        found.append(((0.0,) if slow else ()) + tuple(peaks[:MOST_PEAKS]) if peaks else ())
    return tuple(found)


def _known(pde: PDE) -> list[Any]:
    """What is prescribed: values of conditions, and terms without fields."""
    known = []
    for c in pde.conditions:
        if isinstance(c, (Initial, Dirichlet, Neumann, Robin)):
            known.append(sp.sympify(c.value))
    residuals = [e.expression for e in pde.equations] + [c.residual for c in pde.conditions if isinstance(c, Condition)]
    known += [t for r in residuals for t in additive_terms(r) if not derivatives_of(t, pde.coordinates)]
    return [k for k in known if k.free_symbols]


def _spectrum(pde: PDE, domain: Domain, expression: Any, axis: int) -> np.ndarray | None:
    """Amplitudes along a coordinate at k half-waves (angular frequencies pi k), the root mean square over a few lines; without
    the straight line through the values, and windowed (Hann), so that the ends make no frequencies of their own."""
    order = [domain.names.index(c.name) for c in pde.coordinates]
    base = domain.sample(LINES, key=11)[:, order]
    x = np.repeat(base[:, None, :], POINTS, axis=1)
    s = np.arange(POINTS) / POINTS
    x[:, :, axis] = domain.lower[order[axis]] + (domain.upper - domain.lower)[order[axis]] * s
    values = evaluate(pde, expression, x.reshape(-1, x.shape[2])).reshape(LINES, POINTS)
    values = values[np.isfinite(values).all(axis=1)]
    largest = np.abs(values).max(initial=0.0)
    if not largest > 0 or not np.isfinite(largest):
        return None
    values = values / largest
    line = np.stack([np.ones(POINTS), s - s.mean()], axis=1)
    values = values - (values @ np.linalg.pinv(line).T) @ line.T
    amplitudes = np.sqrt(np.mean(np.abs(np.fft.rfft(values * np.hanning(POINTS), axis=1)) ** 2, axis=0))
    return amplitudes if amplitudes.max() > 1e-9 * POINTS else None


def _peaks(spectrum: np.ndarray) -> list[float]:
    """Angular frequencies of the strong maxima above `SLOW`, the strongest first."""
    first = int(np.ceil(SLOW / np.pi))
    middle = spectrum[1:-1]
    top = (middle > spectrum[:-2]) & (middle >= spectrum[2:]) & (middle > STRONG * spectrum.max())
    where = np.flatnonzero(top) + 1
    where = where[where >= first]
    return [float(np.pi * k) for k in where[np.argsort(-spectrum[where])][:MOST_PEAKS]]
