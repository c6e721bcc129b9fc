"""The constants that the equations leave open, fixed once a network is trained.

A field that the equations know only by its derivatives is trained without its constant: held at a point it would get a
spike there, which no residual sees, since a point has no area. Afterwards the value at the point is taken off everywhere,
or the mean where nothing pins it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import sympy as sp

from .._integrals import quadrature
from .._precision import float64
from ..pde import PDE, Lowered, lower
from ..statement import Floating, Pin, floating
from ._problem import Problem

DEGREE = 32  # of the Chebyshev series in time of a mean


@dataclass(frozen=True, eq=False)
class ToPin:
    """u(x) minus its value at the pin plus the one that is wanted there; `axes`: where the pin fixes `values`."""

    axes: np.ndarray
    values: np.ndarray
    names: tuple[str, ...]
    wanted: Lowered

    def __call__(self, field: Callable[[Any], Any], x: Any) -> Any:
        (wanted,) = self.wanted({name: x[i] for i, name in enumerate(self.names)})
        return field(x.at[self.axes].set(jnp.asarray(self.values, x.dtype))) - wanted.astype(x.dtype)


@dataclass(frozen=True, eq=False)
class ToMean:
    """The mean over space, a Chebyshev series along one other coordinate `axis`, or a number."""

    coefficients: np.ndarray
    axis: int | None
    lower: float
    upper: float

    def __call__(self, field: Callable[[Any], Any], x: Any) -> Any:
        coefficients = jnp.asarray(self.coefficients, x.dtype)
        if self.axis is None:
            return coefficients[0]
        z = (2 * x[self.axis] - (self.lower + self.upper)) / (self.upper - self.lower)
        before, value = jnp.zeros_like(z), jnp.zeros_like(z)
        for c in coefficients[:0:-1]:  # Clenshaw
            before, value = value, 2 * z * value - before + c
        return z * value - before + coefficients[0]


def settled(problem: Problem, params: Any) -> tuple[Problem, tuple[str, ...]]:
    """The problem with a trial function that has its constants, and a sentence on each that is a convention."""
    shifts, notes = [], []
    parts = {part: name for name, both in problem.original.real_parts.items() for part in both}
    for name, found in floating(problem.pde).items():
        if found.pin is not None:
            shifts.append((problem.fields.index(name), _to_pin(problem.pde, found.pin)))
            continue
        notes.append(found.told(parts.get(name, name)))
        if len(found.free) <= 1:
            shifts.append((problem.fields.index(name), _to_mean(problem, params, found)))
        else:
            notes[-1] = notes[-1].rsplit(" The one of mean", 1)[0] + " One of them is returned."
    return replace(problem, trial=replace(problem.trial, shifts=tuple(shifts))), tuple(dict.fromkeys(notes))


def anchored(problem: Problem) -> Problem:
    """The problem with every field that is known up to a constant taken as its difference from a point, that of its pin or one
    inside: what remains of it is what the equations know, whatever the parameters are. An error at the pin, such as a corner of
    the domain, is one of the field everywhere."""
    names = [c.name for c in problem.pde.coordinates]
    inside = problem.sample(1, key=0)["interior"].x[0]
    shifts = []
    for name, found in floating(problem.pde).items():
        if found.pin is not None:
            shifts.append((problem.fields.index(name), _to_pin(problem.pde, found.pin)))
            continue
        u = problem.pde[name]
        place = {c.name: float(inside[names.index(c.name)]) for c in u.coordinates if c.name not in found.free}
        shifts.append((problem.fields.index(name), _to_pin(problem.pde, Pin("", place, sp.Integer(0)))))
    return replace(problem, trial=replace(problem.trial, shifts=tuple(shifts)))


def _to_pin(pde: PDE, pin: Pin) -> ToPin:
    names = tuple(c.name for c in pde.coordinates)
    wanted: Any = lower([pin.value], coordinates=pde.coordinates)
    axes = np.array([names.index(name) for name in pin.place])
    return ToPin(axes, np.array(list(pin.place.values())), names, wanted)


def _to_mean(problem: Problem, params: Any, found: Floating) -> ToMean:
    domain, pde = problem.domain, problem.pde
    order = [domain.names.index(c.name) for c in pde.coordinates]
    i = problem.fields.index(found.field)
    u = pde.fields[i]
    moving = [domain.names.index(c.name) for c in u.coordinates if c.name not in found.free]
    x, weights, _ = quadrature(domain, moving, {})
    with float64():
        params = jax.tree.map(jnp.asarray, params["network"])
        at = jax.jit(lambda x: jax.vmap(lambda x: problem.trial.unshifted(params, x)[i])(x))
        if not found.free:
            return ToMean(np.array([np.sum(weights * np.asarray(at(jnp.asarray(x[:, order]))))]), None, 0.0, 1.0)
        (name,) = found.free
        column = domain.names.index(name)
        low, high = float(domain.lower[column]), float(domain.upper[column])
        nodes = np.cos(np.pi * (np.arange(DEGREE + 1) + 0.5) / (DEGREE + 1))
        means = []
        for node in nodes:
            x = x.copy()
            x[:, column] = (low + high + (high - low) * node) / 2
            means.append(np.sum(weights * np.asarray(at(jnp.asarray(x[:, order])))))
    series = np.polynomial.chebyshev.chebfit(nodes, means, DEGREE)
    return ToMean(series, [c.name for c in pde.coordinates].index(name), low, high)
