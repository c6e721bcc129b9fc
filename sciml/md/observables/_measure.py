"""Observables of a whole trajectory, in a line."""

from __future__ import annotations

from ..files._trajectory import Trajectory
from ._blocks import Mean
from ._observables import Average, Curve, HeatCapacity, measure
from ._radial import RadialDistribution
from ._time_correlations import MeanSquareDisplacement, Stress, VelocityAutocorrelation


def radial_distribution(
    trajectory: Trajectory, *, end: float, bins: int = 200, between: tuple[str, str] | None = None
) -> Curve:
    """g(r): `RadialDistribution` of all frames."""
    return measure(RadialDistribution(end=end, bins=bins, between=between), trajectory).curve


def mean_square_displacement(trajectory: Trajectory, *, length: int | None = None, species: str | None = None) -> Curve:
    """`MeanSquareDisplacement` up to `length` frames, by default half of them [angstrom^2]."""
    return measure(MeanSquareDisplacement(length=_length(trajectory, length), species=species), trajectory).curve


def diffusion(
    trajectory: Trajectory, *, start: float = 0.2, end: float = 0.8, length: int | None = None, species: str | None = None
) -> Mean:
    """The self-diffusion coefficient [angstrom^2/fs], from `MeanSquareDisplacement` up to `length` frames, by default half of
    them, between two shares of that.

    **Raises** `ValueError` for fewer than ten frames.
    """
    if len(trajectory) < 10:
        raise ValueError(f"diffusion: {len(trajectory)} frames; expected at least ten.")
    found = measure(MeanSquareDisplacement(length=_length(trajectory, length), species=species), trajectory)
    return found.diffusion(start=start, end=end)


def velocity_autocorrelation(trajectory: Trajectory, *, length: int | None = None, species: str | None = None) -> Curve:
    """`VelocityAutocorrelation` up to `length` frames, by default half of them."""
    return measure(VelocityAutocorrelation(length=_length(trajectory, length), species=species), trajectory).curve


def vibrational_spectrum(trajectory: Trajectory, *, length: int | None = None, species: str | None = None) -> Curve:
    """The density of vibrational states, against the frequency [1/fs], from `VelocityAutocorrelation` up to `length` frames, by
    default half of them."""
    return measure(VelocityAutocorrelation(length=_length(trajectory, length), species=species), trajectory).spectrum


def viscosity(trajectory: Trajectory, *, length: int | None = None) -> Curve:
    """The shear viscosity of Green and Kubo [bar fs], against the time up to which it is integrated, from `Stress` up to
    `length` frames, by default half of them."""
    return measure(Stress(length=_length(trajectory, length)), trajectory).viscosity


def pressure_tensor(trajectory: Trajectory) -> Mean:
    """The mean pressure tensor `(3, 3)` [bar]."""
    return measure(Average(lambda frame: frame.pressure_tensor), trajectory).mean


def heat_capacity(trajectory: Trajectory) -> Mean:
    """The heat capacity at constant volume [eV/K] of a canonical run: `HeatCapacity` of all frames."""
    return measure(HeatCapacity(), trajectory).mean


def _length(trajectory: Trajectory, length: int | None) -> int:
    return max(2, len(trajectory) // 2) if length is None else length
