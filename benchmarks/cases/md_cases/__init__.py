"""Twenty-four cases of molecular dynamics, each with the numbers that are right."""

from . import _files as _files  # isort: skip
from . import _tables as _tables  # isort: skip
from . import _neighbours as _neighbours  # isort: skip
from . import _deep as _deep  # isort: skip
from . import _dynamics as _dynamics  # isort: skip
from . import _derived as _derived  # isort: skip
from ._table import TABLE as TABLE
