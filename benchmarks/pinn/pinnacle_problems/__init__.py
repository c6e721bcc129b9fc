"""The 22 problems of PINNacle (Hao et al. 2023, arXiv:2306.08827), stated as a user of sciml would."""

from . import _chaos as _chaos
from . import _diffusion as _diffusion
from . import _flow as _flow
from . import _inverse as _inverse
from . import _waves as _waves
from ._data import TABLE as TABLE
