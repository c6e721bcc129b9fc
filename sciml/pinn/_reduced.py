"""The Jacobian of many rows with few: what all but the data contribute to a least-squares problem, as a triangle.

An orthogonal transformation of the rows [J r] changes neither J^T J nor J^T r nor |r|. So the rows of equations and conditions
are made block by block, and of each block only the triangle of a QR decomposition is kept and joined to that of the next:
memory does not grow with the number of points, and nothing is squared.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from ._objective import Batch, group_jacobian, make_objective
from ._problem import Problem


def reduced_rows(
    problem: Problem, params: Any, points: dict[str, Any], weights: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Jacobian `(rows, parameters)`, residuals `(rows,)` and which rows are data. The rows of data are as they are; all others
    are a triangle of as many rows as there are parameters and one."""
    objective, p = make_objective(problem, params)
    data: list[np.ndarray] = []
    triangle = np.zeros((0, p.size + 1))
    for g in problem.groups:
        given, n = points[g.name], len(points[g.name].x)
        jacobian = jax.jit(group_jacobian(problem, g, objective.unravel))
        is_data = any(b.kind == "data" for b in g.blocks)
        # As many rows at a time as the triangle has or more: the decomposition is work for each time.
        most = n if is_data else max(1024, 2 * p.size // len(g.blocks))
        blocks = 1 << max(0, -(-n // most) - 1).bit_length()  # equal ones, so that one is compiled
        for chosen in np.array_split(np.arange(n), blocks):
            part = jax.tree.map(lambda a, chosen=chosen: a[chosen], given)
            r, J = jacobian(p, Batch({g.name: part}, weights))
            rows = np.column_stack([np.asarray(J), np.asarray(r)]) * np.sqrt(len(chosen) / n)
            if is_data:
                data.append(rows)
            else:
                triangle = np.linalg.qr(np.concatenate([triangle, rows]), mode="r")
    together = np.concatenate([triangle, *data])
    is_data_row = np.arange(len(together)) >= len(triangle)
    return together[:, :-1], together[:, -1], is_data_row
