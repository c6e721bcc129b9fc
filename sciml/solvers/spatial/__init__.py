"""Discretisations of space."""

from ._fourier import Fourier as Fourier
