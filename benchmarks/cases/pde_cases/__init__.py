"""Twenty-four problems that users of other libraries stumbled over, each with the numbers that are right."""

from . import _diffusion as _diffusion
from . import _findings as _findings
from . import _solids as _solids
from . import _transport as _transport
from . import _unique as _unique
from ._table import TABLE as TABLE
