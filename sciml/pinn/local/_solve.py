"""`pinn.Local`: a solution of polynomials on patches, by least squares."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._precision import float64
from ...pde import Initial, Observed, Periodic
from ...solution import Estimate, Parameter, Solution
from .._bar import progress_bar_of
from .._checkpoint import Checkpoint
from .._error import told
from .._groups import Place
from .._problem import Problem
from ._adapt import ACCEPTED, Adapted, again, march, refine
from ._basis import Legendre
from ._covering import cover
from ._final import PatchesFinal
from ._learn import Learned, learn, learn_again
from ._pieces import half, placed
from ._statement import Statement, state, why_not
from ._steps import again_in_steps, march_in_steps
from ._system import System
from ._trail import Trail, known_trail

TOLERANCES = {1: (1e-6, 1e-8), 2: (1e-6, 1e-8), 3: (1e-3, 1e-4, 1e-5)}  # of the default, one after the other, by coordinates
COARSEST = 1e-3
SHARE = 2 / 3  # of the time, before a network is trained in the rest
SHARE_OF_DATA = 1 / 3  # the same where there are data
MOST_WITH_DATA = 2  # coordinates: in three, data do not choose among so many coefficients
NO_NETWORK = "none"  # in `solution.stats`
SHORTEST = 4.0  # seconds: less do not even compile
DOUBTFUL = 1.5  # times the noise that is stated, or one over it
FINER = 4.0  # times as long the second may take
STRONGER = {1: 2, 2: 2, 3: 1}  # degrees more, for the estimate, by coordinates


@dataclass(frozen=True)
class Local:
    """Local least squares: polynomials on patches of space in windows of time, no network. For fronts, layers, holes, corners,
    long times and high frequencies.

    On every patch each field is a sum of products of Legendre polynomials. Their coefficients minimise the squares of
    the equations at points inside, of the conditions on the boundary and at the start, and of the jumps of the fields and
    their normal derivatives (up to the order of the equations less one) between patches; a nonlinear equation takes a few
    such steps (Gauss-Newton). Patches are halved and windows shortened where the expansion does not fall below `tolerance`,
    or the equations do not hold between the points. In two dimensions time goes in implicit Runge-Kutta steps of order four
    (three where what walls prescribe changes in time) instead of windows, each stage on patches of space alone.

    **Arguments:** `tolerance`, relative to the size of the fields, of each window: errors are of its order, and those of the
    windows add up; `degree`, of the polynomials in space and in time, by default 14 and 10 in one dimension, a total
    degree of 14 (of three fields and more, 10) in the plane, of 12 (10) there with time, and of 6 to 12 in three dimensions, by
    the tolerance.

    Takes up to three coordinates, time included, and any shape: patches are cut by its boundary, and graded towards its corners
    in the plane. Systems, nonlinear and complex equations, every condition on the boundary or at a point; patches end
    where sources, initial or boundary values jump along the lines of a box, and where coefficients of fluxes do
    (`d(k * u.x, x)`): there the flux is continuous instead of the slope.

    With data (`Observed`) fields, unknown parameters and fields without an equation are the maximum-likelihood estimate under
    equations that hold, with all of time at once: standard errors from the information matrix; fields that equations
    and conditions do not determine are as smooth as makes the data most probable (D. J. C. MacKay, Neural Comput. 4, 415
    (1992)). Not for data in time on a shape that is no box.

    Least squares on pieces: P. B. Bochev and M. D. Gunzburger, Least-Squares Finite Element Methods (2009); spectral
    elements in space and time: A. T. Patera, J. Comput. Phys. 54, 468 (1984).
    """

    tolerance: float = 1e-7
    degree: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.tolerance < 1:
            raise ValueError(f"Local: tolerance={self.tolerance!r}; expected a number between 0 and 1, such as 1e-7.")
        if self.degree is not None and not (isinstance(self.degree, int) and 2 <= self.degree <= 30):
            raise ValueError(f"Local: degree={self.degree!r}; expected a whole number from 2 to 30.")

    def basis(self, statement: Statement) -> Legendre:
        d, when = len(statement.pde.coordinates), statement.time
        of_plane = max(10, 16 - 2 * len(statement.fields))  # systems take more patches of fewer functions
        if statement.stepped:
            return Legendre((self.degree or min(of_plane, 12),) * d, total=True)
        if when is None:
            return Legendre((self.degree or (of_plane if d == 2 else 14 if d == 1 else self._of_three()),) * d, total=d > 1)
        if d == 2:
            p = self.degree or 14
            return Legendre(tuple(max(2, round(p / 1.4)) if a == when else p for a in range(d)))
        return Legendre((self.degree or self._of_three(),) * d, total=True)

    def _of_three(self) -> int:
        """The degree in three coordinates, where each costs most."""
        return int(np.clip(round(4 - 1.2 * np.log10(self.tolerance)), 6, 12))


def solve_locally(
    problem: Problem, method: Local, began: float, deadline: float, *, progress: bool, checkpoint: Checkpoint | None = None
) -> Solution:
    """**Raises** `ValueError` where patches cannot do the problem, and says what they cannot; `FloatingPointError` where
    nothing was found."""
    reason = why_not(problem)
    if reason:
        raise ValueError(f"pinn.Local cannot solve this: {reason}. Leave `method` to its default.")
    statement = state(problem)
    trail = None if checkpoint is None else Trail(checkpoint, method.tolerance, known_trail(checkpoint))
    found = _adapted(statement, method, deadline, deadline, progress, trail)
    if not found.pieces:
        raise FloatingPointError(
            f"pinn.Local found no solution: {found.reason}. Ask for less (pinn.Local({10 * method.tolerance:.0e})), "
            "give it more time (max_time=...), or leave `method` to its default."
        )
    if not found.complete:
        warnings.warn(f"pinn.Local: {found.reason}.", stacklevel=3)
    return _solution(problem, statement, found, began)


def attempt_locally(
    problem: Problem, began: float, deadline: float, *, tolerance: float, progress: bool, checkpoint: Checkpoint | None = None
) -> Solution | None:
    """The solution on patches, where they do the problem in two thirds of the time that is left until `deadline` (a
    `time.monotonic()`) or are well on the way by then; to a finer tolerance, where that can be expected in time; what there is
    where the user interrupts. To no more than `tolerance`, within what it can be believed at (`COARSEST`). What a
    `checkpoint` holds goes on in all of the time."""
    if why_not(problem) or too_many(problem):
        return None
    best, start = None, time.monotonic()
    if deadline - start < SHORTEST:
        return None
    statement = state(problem)
    share = 1.0 if problem.fluxes else SHARE_OF_DATA if statement.learns else SHARE
    until = start + share * (deadline - start)
    wanted = min(tolerance, COARSEST)
    tolerances = sorted({max(t, wanted) for t in TOLERANCES[len(problem.pde.coordinates)]}, reverse=True)
    if statement.learns:
        found = _adapted(statement, Local(max(wanted, tolerances[0])), until, deadline, progress)
        done = found.complete or found.interrupted and found.pieces
        return _solution(problem, statement, found, began) if done else None
    known = known_trail(checkpoint)
    if known is not None:
        tolerances, until = [goal for goal in tolerances if goal <= known[0]["goal"]], deadline
    for goal in tolerances if statement.time is not None else tolerances[-1:]:
        trail = None if checkpoint is None else Trail(checkpoint, goal, known)
        found = _adapted(statement, Local(goal), until, deadline, progress, trail)
        if found.misfit < tolerances[0]:
            found.reason = ""
        ended = found.interrupted or known is not None and time.monotonic() > until - SHORTEST
        if found.complete or found.misfit < ACCEPTED or best is None and ended and found.pieces:
            best = found
        now = time.monotonic()
        if not found.complete or now + FINER * (now - start) > deadline:
            break
        until = deadline
    return None if best is None else _solution(problem, statement, best, began)


def too_many(problem: Problem) -> str:
    """Why patches, which could do the problem, are not tried unasked; empty where they are."""
    if problem.learns and len(problem.pde.coordinates) > MOST_WITH_DATA:
        return "there are data in three coordinates"
    return ""


def _adapted(
    statement: Statement, method: Local, deadline: float, late: float, progress: bool, trail: Trail | None = None
) -> Adapted:
    bar = progress_bar_of("local", "level" if statement.time is None else "window", shown=progress)

    def tell(values: dict[str, str]) -> None:
        bar.set_postfix(**values)
        bar.update(1)

    given = statement, method.basis(statement), method.tolerance, deadline, tell, late
    found = Learned() if statement.learns else Adapted(tolerance=method.tolerance, trail=trail)
    try:
        if isinstance(found, Learned):
            learn(found, *given)
        else:
            (refine if statement.time is None else march_in_steps if statement.stepped else march)(found, *given)
    except KeyboardInterrupt:
        found.reason, found.interrupted = "Interrupted by the user", True
    finally:
        bar.close()
        if trail is not None:
            trail.write()
    return found


def _solution(problem: Problem, statement: Statement, found: Adapted, began: float) -> Solution:
    final = PatchesFinal(found.pieces, statement.time, ends=found.complete or statement.time is None)
    windows = "" if statement.time is None else f" in {len(found.pieces)} windows of time"
    most = max(len(p.c) for p in found.pieces)
    done = f"Local least squares: polynomials on up to {most} patches{windows}; no network was trained."
    unknowns = [p.c.size for p in found.pieces]
    system = _last(statement, found)
    stats = {
        "residual": _mean(system, system.defect(found.pieces[-1].c)),
        "steps": len(found.history),
        "patches": most,
        "windows": len(found.pieces),
        "parameters": sum(unknowns),
        "network": NO_NETWORK,
        "precision": "float64",
    }
    parameters, notes = (_learned(problem, found), _doubts(statement, found)) if isinstance(found, Learned) else ({}, ())
    solution = Solution(
        problem.original,
        problem.domain,
        final,
        done if found.complete else f"{found.reason}. {done}",
        found.complete,
        stats,
        found.history,
        parameters,
        measured(problem, statement, final) | {"continuity": _mean(system, system.misfit(found.pieces[-1].c))},
        lambda solution: _estimate(problem, statement, found),
        notes=(*problem.notes, *notes, *found.notes),
    )
    solution.stats["seconds"] = time.monotonic() - began
    return solution


def _learned(problem: Problem, found: Learned) -> dict[str, Parameter]:
    noise = "stated noise" if found.stated else "noise estimated from the misfit"
    errors = np.sqrt(found.covariance.diagonal())
    names = [p.name for p in problem.pde.parameters]
    return {
        name: Parameter(name, float(value), float(error), noise)
        for name, value, error in zip(names, found.unknowns, errors, strict=True)
    }


def _doubts(statement: Statement, found: Learned) -> tuple[str, ...]:
    """What the misfit of data says where their noise is stated, by three standard deviations of it and more."""
    counts = {d.name: len(d.x) for d in statement.data}
    return tuple(
        f"{name!r} is missed by {misfit:.2g} times the noise that is stated: "
        + ("the equations do not describe these data, or the noise is larger." if misfit > 1 else "the noise is smaller.")
        for name, misfit in found.misfits.items()
        if abs(np.log(misfit)) > np.log(DOUBTFUL) + 3 / np.sqrt(2 * max(counts[name] - len(found.unknowns), 1))
    )


def _mean(system: System, of_patches: np.ndarray) -> float:
    """The root mean square over the domain."""
    volume = system.cover.volume
    return float(np.sqrt(np.sum(volume * of_patches**2) / np.sum(volume)))


def _last(statement: Statement, found: Adapted) -> System:
    """The last window anew, for what is measured on it."""
    last = found.pieces[-1]
    zero = lambda x, alpha: np.zeros((len(statement.fields), len(x)))  # noqa: E731
    return System(statement, last.basis, last.cells.boxes, zero)


def measured(problem: Problem, statement: Statement, final: PatchesFinal, *, n: int = 512) -> dict[str, float]:
    """The violation of every condition: root mean square over fresh points, relative to the size of the field."""
    place, found = Place(problem.pde, problem.domain), {}
    at = {c.name: c.at for c in (*statement.on_faces, *statement.at_points, *statement.at_start)}
    for i, condition in enumerate(problem.pde.conditions):
        if isinstance(condition, (Observed, Periodic)):
            continue
        draw = place.initial if isinstance(condition, Initial) else place.boundary(condition)
        points = draw(n, key=70_001 + i)
        leaves, x = at[condition.name].leaves, np.asarray(points.x)
        with float64():
            U = np.stack([np.asarray(final.derivatives(a, x))[:, statement.fields.index(name)] for name, a in leaves])
        values = at[condition.name](U, x, np.asarray(points.normals))
        size = np.abs(values.slopes[0]).max(axis=1) @ statement.sizes(leaves, half(statement.whole))
        found[condition.name] = float(np.sqrt(np.mean(values.r[0] ** 2)) / (size or 1.0))
    return found


def _estimate(problem: Problem, statement: Statement, found: Adapted) -> Estimate:
    """From a solve with more degrees on the same patches and windows, and from the noise of data."""
    basis = found.pieces[0].basis
    more = STRONGER[len(basis.degrees)]
    finer = Legendre(tuple(p + more for p in basis.degrees), basis.total)
    learned = isinstance(found, Learned)
    better: Sequence[Any] = ()
    if learned:
        better = [learn_again(found, statement, finer)]
    elif statement.stepped:
        try:
            better = again_in_steps(statement, found.pieces, finer.degrees, found.tolerance)
        except (FloatingPointError, np.linalg.LinAlgError) as error:
            return Estimate(None, {}, f"{error}; compare with another tolerance")
    else:
        better = again(statement, found.pieces, finer)
    sizes, errors, volume = np.zeros(len(statement.fields)), np.zeros(len(statement.fields)), 0.0
    for old, new in zip(found.pieces, better, strict=True):
        whole = cover(statement, old.basis, old.cells.boxes)
        volume += whole.volume.sum()
        for k, (frame, z) in enumerate(zip(whole.cells.frames, whole.fresh, strict=True)):
            x = placed(frame, z)
            before, after = old.on(k, x, (0,) * x.shape[1]), new.on(k, x, (0,) * x.shape[1])
            sizes += whole.volume[k] * np.mean(after**2, axis=1)
            errors += whole.volume[k] * np.mean((after - before) ** 2, axis=1)
    reason = f"from a solve with {'two degrees' if more > 1 else 'one degree'} more on the same patches"
    if statement.stepped:
        reason += ", in steps half as long"
    if learned:
        errors += found.spread**2 * volume
        reason = f"from the noise of the data, and {reason}"
    return told(problem, np.sqrt(sizes), np.sqrt(errors), reason)

