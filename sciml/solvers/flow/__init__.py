"""Incompressible flow in boxes with walls, inflow, outflow and obstacles."""

from ._read import Flow as Flow
from ._read import read_flow as read_flow
from ._solve import FlowProblem as FlowProblem
from ._solve import compile_flow as compile_flow
from ._solve import solve_flow as solve_flow
