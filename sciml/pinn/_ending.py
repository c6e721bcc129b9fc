"""What is said at the end of a training: why it ended, what its residual shows and what not, and which other way there is."""

from __future__ import annotations

from ..geometry import Box
from ._problem import Problem

OUT_OF_TIME = "max_time was reached"
# A residual above this, relative to its natural size, shows no solution.
ORDER_ONE = 0.1
# From here on windows and grids are out of reach.
MOST_AXES = 3


def ending(problem: Problem, reason: str, reached: float, history: list[dict[str, float]]) -> str:
    """The sentence for a Solution. `reason`: why the training ended; `reached`: its residual on fresh points."""
    # Not a number is no solution either.
    if not reached <= ORDER_ONE:
        told = f"{reason.rstrip('.')}. The residual on fresh points is {reached:.1e} of its natural size: the equations are "
        return told + "not satisfied, and the fields may be far from the solution." + other_ways(problem)
    if reason != OUT_OF_TIME:
        return reason
    if _falling(history):
        return f"{OUT_OF_TIME}; the residual was still falling, and more time lowers the error further."
    return f"{OUT_OF_TIME}; the residual had nearly stopped falling at {reached:.1e} of its natural size."


def other_ways(problem: Problem) -> str:
    """Which other roads this problem can take."""
    pde, domain = problem.original, problem.domain
    box = isinstance(domain.space, Box | None) and (domain.space is None or domain.space.dim <= MOST_AXES)
    with_data = bool(pde.parameters) or any(b.kind == "data" for b in problem.blocks)
    if not box or domain.ranges or with_data:
        return ""
    ways = ["sciml.solvers.solve(pde, domain) integrates the same equations on a grid"]
    if domain.time is not None and domain.space is not None and not pde.is_complex:
        ways.append("pinn.solve_windows(pde, domain, 5) cuts the time into windows")
    return f" Other ways: {'; '.join(ways)}."


def _falling(history: list[dict[str, float]]) -> bool:
    """Whether the residual fell by a tenth or more in the last quarter of the time."""
    rows = [(row["seconds"], row["residual"]) for row in history if row.get("residual") == row.get("residual")]
    if len(rows) < 4:
        return True
    start, end = rows[0][0], rows[-1][0]
    late = [residual for seconds, residual in rows if seconds > end - 0.25 * (end - start)]
    early = [residual for seconds, residual in rows if seconds <= end - 0.25 * (end - start)]
    return bool(late) and bool(early) and min(late) < 0.9 * min(early)
