"""Incompressible flow in boxes with walls, inflow, outflow and obstacles."""

from ...statement import Flow as Flow
from ...statement import read_flow as read_flow
from ._solve import FlowProblem as FlowProblem
from ._solve import compile_flow as compile_flow
from ._solve import solve_flow as solve_flow
from ._spectral import SpectralFlow as SpectralFlow
from ._spectral import compile_spectral as compile_spectral
from ._spectral import solve_spectral as solve_spectral
