"""Grids: axes, and how a user asks for them."""

from ._axes import AbstractAxis as AbstractAxis
from ._axes import ChebyshevAxis as ChebyshevAxis
from ._axes import PeriodicAxis as PeriodicAxis
from ._cells import GHOSTS as GHOSTS
from ._cells import CellAxis as CellAxis
from ._differences import DifferenceAxis as DifferenceAxis
from ._fourier import FourierGrid as FourierGrid
from ._specs import KINDS as KINDS
from ._specs import AbstractSpacing as AbstractSpacing
from ._specs import Chebyshev as Chebyshev
from ._specs import Differences as Differences
from ._specs import Fourier as Fourier
from ._specs import Volumes as Volumes
from ._stretched import StretchedAxis as StretchedAxis
from ._stretched import matrix_between as matrix_between
