"""Discretisations of space."""

from ._axes import KINDS as KINDS
from ._axes import AbstractAxis as AbstractAxis
from ._axes import Chebyshev as Chebyshev
from ._axes import Periodic as Periodic
from ._fourier import Fourier as Fourier
