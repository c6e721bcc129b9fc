"""Twenty-four cases of molecular dynamics, each with the numbers that are right."""

from . import _files as _files
from . import _tables as _tables
from . import _neighbours as _neighbours
from ._table import TABLE as TABLE
