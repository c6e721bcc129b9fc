"""Patches for what is to be found from data (see `_inverse`)."""

from __future__ import annotations

import time as clock
from dataclasses import dataclass, field

import numpy as np

from ._adapt import MOST_CELLS, Adapted, Budget, Tell
from ._basis import Legendre
from ._inverse import Fit, Inverse, Solved, noise_at_most, size_of
from ._patches import halves_along
from ._pieces import Pieces
from ._statement import Statement

PULL = 100.0  # times the weight of the data, from no knowledge of the solution
GIVEN = 0.01  # relative noise where none is stated, to begin with
EXACT = 1e-10  # relative noise that is none
REWEIGHTED = 3  # times that noise which is not stated is estimated
RESOLVED = 1e-3  # tails of a solution that patches resolve
NOISY = 0.3  # of what data leave: tails that may come from their noise
LEVELS = 10  # of patches halved before the equations have their weight
STEPS, FEW = 12, 4  # of Gauss-Newton: to the end, and on the way
BELOW = 0.1  # of the error that noise causes: patches need not do better
DISTURBING = 2.0  # of what is minimised, which one standard error moves by one
ABOUT = 0.3  # one over the standard deviation of unknowns, until the equations have their weight
FINEST = 0.01  # of the tolerance: what no noise asks for
ROUGH = 30.0  # lambda of fields without an equation to begin with: nearly no curvature
GENTLE = 1.0  # the same of others of which too little is known
FINER = 10**-0.5  # each lambda, of the one before
LEAST, MOST = 1e-4, 1e4
PATIENCE = 2  # of lambdas that are worse
ROUNDS = 3
SAMPLES = 24  # of what the data leave open
AT = 60  # points of a patch where those are measured


@dataclass
class Learned(Adapted):
    """**Attributes:** `unknowns` and their `covariance`; `spread`: the standard error of every field, root mean square over the
    domain, `(fields,)`; `stated`: whether all noise was; `misfits`: root mean squares of the data in units of the
    noise that is stated; `state`: where the search ended."""

    unknowns: np.ndarray = field(default_factory=lambda: np.empty(0))
    covariance: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    spread: np.ndarray = field(default_factory=lambda: np.empty(0))
    stated: bool = True
    misfits: dict[str, float] = field(default_factory=dict)
    state: State | None = None


@dataclass
class State:
    """What goes from level to level: the solution on the last patches and the unknowns (as `Inverse.physical` takes them),
    the relative noise of each set of data, lambda of each smooth field, and `pull`, how many times their weight the
    data have."""

    last: Pieces | None
    raw: np.ndarray
    noise: tuple[float, ...]
    curvature: np.ndarray
    doubt: float  # the largest relative noise of a set of data, as far as it can be told before
    pull: float = PULL

    @classmethod
    def first(cls, statement: Statement) -> State:
        stated = [None if d.noise is None else float(np.sqrt(np.mean(d.noise**2))) / size_of(d) for d in statement.data]
        curvature = [ROUGH if u in statement.free else GENTLE for u in statement.smooth]
        noise = tuple(GIVEN if n is None else n for n in stated)
        doubt = max(noise_at_most(data) for data in statement.data)
        return cls(None, np.zeros(len(statement.unknowns)), noise, np.array(curvature), doubt)

    def on(self, inverse: Inverse) -> Fit:
        """Of the last patches; at first fields without an equation have their size, and the others are zero."""
        statement, system = inverse.statement, inverse.system
        if self.last is not None:
            return Fit.begun(system.fitted(self.last), self.raw)
        c = np.zeros((system.patches, len(statement.fields), system.basis.size))
        for u in statement.free:
            f = statement.fields.index(u.field_name)
            c[:, f, 0] = statement.scales[f]
        return Fit.begun(c, self.raw)

    def fit(self, inverse: Inverse, fit: Fit, steps: int, tolerance: float) -> Fit:
        return inverse.fit(fit, self.curvature, self.pull, steps, tolerance)

    def keep(self, inverse: Inverse, fit: Fit) -> None:
        self.last, self.raw = Pieces(inverse.system.basis, inverse.system.cells, fit.c), fit.raw


def learn(
    out: Learned, statement: Statement, basis: Legendre, tolerance: float, deadline: float, tell: Tell, late: float
) -> None:
    """Patches halved until equations, conditions and jumps hold between the points, or better than the noise lets the fields be
    known; the last into `out`."""
    boxes = np.array([b for root in statement.roots() for b in halves_along(root, statement.axes)])
    budget, state, levels = Budget(deadline), State.first(statement), 0
    out.state = state
    while True:
        began = clock.monotonic()
        inverse = Inverse(statement, basis, boxes, state.noise)
        system = inverse.system
        boxes, owner = system.cells.boxes, system.cells.owner
        if short := budget.missing_for(system):
            out.reason = f"{short}; equations and conditions hold to {out.misfit:.1e}"
            return
        try:
            fit, resolved = _approached(state, inverse, tolerance)
            if resolved:
                inverse, fit, solved = _weighed(state, inverse, fit, tolerance)
                if not np.all(np.isfinite(fit.c)) or not solved.determined:
                    raise np.linalg.LinAlgError
                cut = _told(out, state, inverse, fit, solved, tolerance)
            else:
                tail, levels = system.tails(fit.c).max(axis=1), levels + 1
                cut = tail > 0.1 * tail.max()
        except np.linalg.LinAlgError:
            out.reason = "equations, conditions and data do not determine all that is unknown"
            return
        state.keep(inverse, fit)
        tell({"patches": str(system.patches), "misfit": f"{out.misfit:.1e}"} if resolved else {"patches": str(system.patches)})
        if not cut.any():
            return
        if levels > LEVELS:
            out.reason = "patches do not resolve what follows the data"
            return
        if len(out.history) > 2 and out.misfit > 0.5 * out.history[-3]["misfit"]:
            if not inverse.stated or state.pull <= 1:
                out.reason = f"equations and conditions hold to {out.misfit:.1e}, and halving patches does not help"
                return
            # The equations do not describe the data: they hold firmly against all of them, and what is missed is told.
            state.pull = min(state.noise)
            continue
        boxes = _halved(statement, boxes, owner, system.tails(fit.c), cut)
        budget.learn(system, clock.monotonic() - began)
        if len(boxes) > MOST_CELLS:
            out.reason = f"equations and conditions hold to {out.misfit:.1e}, and more than {MOST_CELLS} patches are needed"
            return


def learn_again(found: Learned, statement: Statement, basis: Legendre) -> Pieces:
    """The same patches with other functions, and all else the same."""
    state = found.state
    assert state is not None
    inverse = Inverse(statement, basis, found.pieces[-1].cells.boxes, state.noise)
    fit = state.fit(inverse, state.on(inverse), 3, 0.0)
    return Pieces(basis, inverse.system.cells, fit.c)


def _approached(state: State, inverse: Inverse, tolerance: float) -> tuple[Fit, bool]:
    """From what follows the data to what satisfies the equations: the weight of the data is lowered as long as patches resolve
    the solution (the second value tells whether they do) and the data are still met."""
    fit = inverse.fit(state.on(inverse), state.curvature, state.pull, FEW, tolerance, ABOUT)
    while inverse.system.tails(fit.c).max() < max(RESOLVED, NOISY * min(state.doubt, inverse.missed(fit))):
        if state.pull > 1:
            lower = inverse.fit(fit, state.curvature, state.pull / 10, FEW, tolerance, ABOUT)
            if inverse.met(fit, lower):
                fit, state.pull = lower, state.pull / 10
                continue
        return state.fit(inverse, fit, STEPS, tolerance), True
    return fit, False


def _weighed(state: State, inverse: Inverse, fit: Fit, tolerance: float) -> tuple[Inverse, Fit, Solved]:
    """With what is estimated from the data: their noise where it is not stated, the curvature of smooth fields."""
    statement = inverse.statement
    if not inverse.stated and len(state.noise) > 1:
        for _ in range(REWEIGHTED):
            state.noise = tuple(
                max(float(np.sqrt(m)) * before, EXACT) if d.noise is None else before
                for d, m, before in zip(statement.data, fit.of_data, state.noise, strict=True)
            )
            inverse = Inverse(statement, inverse.system.basis, inverse.system.cells.boxes, state.noise)
            fit = state.fit(inverse, fit, STEPS, tolerance)
    solved = Solved(inverse, fit)
    if statement.smooth and solved.determined:
        left = _left(inverse, fit)
        W = inverse.precision(fit, solved, state.pull)
        if left.max() < max(tolerance, BELOW * _relative(*_spread(inverse, solved, fit, W))):
            fit, state.curvature = _bent(state, inverse, fit, tolerance)
            solved = Solved(inverse, fit)
    return inverse, fit, solved


def _told(out: Learned, state: State, inverse: Inverse, fit: Fit, solved: Solved, tolerance: float) -> np.ndarray:
    """What was found, into `out`; and which patches are to be halved."""
    statement, left = inverse.statement, _left(inverse, fit)
    values, slopes = inverse.physical(fit.raw)
    W = inverse.precision(fit, solved, state.pull)
    spread, sizes = _spread(inverse, solved, fit, W)
    relative = _relative(spread, sizes)
    out.pieces = [Pieces(inverse.system.basis, inverse.system.cells, fit.c)]
    out.misfit, out.unknowns, out.spread, out.stated = float(left.max()), values, spread, inverse.stated
    out.covariance = np.linalg.inv(solved.information) / W**2 * np.outer(slopes, slopes)
    out.misfits = {
        d.name: float(np.sqrt(m)) for d, m in zip(statement.data, fit.of_data, strict=True) if d.noise is not None
    }
    out.history.append({"patches": inverse.system.patches, "misfit": out.misfit, "noise": relative})
    # What patches do not resolve must not be taken for what the data say; of fields that follow them, as much is left anyway.
    disturbed = state.pull <= 1 and not statement.smooth and W**2 * fit.firm > DISTURBING and out.misfit > FINEST * tolerance
    goal = max(tolerance, BELOW * relative) if state.pull <= 1 else tolerance
    if out.misfit < goal and not disturbed:
        return np.zeros(len(left), bool)
    return left > max(0.0 if disturbed else goal, 0.03 * left.max())


def _left(inverse: Inverse, fit: Fit) -> np.ndarray:
    """What equations, conditions and jumps leave on each patch."""
    inverse.statement.unknowns[:] = inverse.physical(fit.raw)[0]
    return np.maximum(inverse.system.defect(fit.c), inverse.system.misfit(fit.c))


def _halved(statement: Statement, boxes: np.ndarray, owner: np.ndarray, tail: np.ndarray, cut: np.ndarray) -> np.ndarray:
    """The boxes of the patches to `cut` in halves along the axes along which they do not resolve."""
    out = []
    for k, box in zip(owner, boxes, strict=True):
        out += halves_along(box, [a for a in statement.axes if cut[k] and tail[k, a] >= 0.1 * tail[k].max()])
    return np.array(out)


def _bent(state: State, inverse: Inverse, fit: Fit, tolerance: float) -> tuple[Fit, np.ndarray]:
    """The curvatures under which the data are most probable, with their fit: one after the other lowered or raised."""
    best = fit, state.curvature, inverse.evidence(fit, state.pull)
    for _ in range(ROUNDS if len(state.curvature) > 1 else 1):
        before = best[2]
        for i in range(len(state.curvature)):
            for factor in (FINER, 1 / FINER):
                worse, (fit, curvature, start) = 0, best
                while worse < PATIENCE and LEAST < curvature[i] * factor < MOST:
                    curvature = curvature.copy()
                    curvature[i] *= factor
                    fit = inverse.fit(fit, curvature, state.pull, STEPS // 2, max(tolerance, 1e-4))
                    value = inverse.evidence(fit, state.pull)
                    worse = 0 if value < best[2] else worse + 1
                    best = (fit, curvature, value) if worse == 0 else best
                if best[2] < start:
                    break
        if best[2] > before - 1:
            break
    return best[:2]


def _spread(inverse: Inverse, solved: Solved, fit: Fit, W: float) -> tuple[np.ndarray, np.ndarray]:
    """Standard errors and sizes of the fields, root mean squares over the domain."""
    statement, system = inverse.statement, inverse.system
    scales = statement.scales[:, None]
    samples = np.stack([s.reshape(fit.c.shape) * scales for s in solved.samples(SAMPLES, W)])
    squares, sizes = np.zeros(len(scales)), np.zeros(len(scales))
    for k, z in enumerate(system.cover.fresh):
        table = system.basis.table(z[:AT], (0,) * z.shape[1])
        squares += system.cover.volume[k] * np.mean((samples[:, k] @ table.T) ** 2, axis=(0, 2))
        sizes += system.cover.volume[k] * np.mean((fit.c[k] @ table.T) ** 2, axis=1)
    volume = system.cover.volume.sum()
    return np.sqrt(squares / volume), np.sqrt(sizes / volume)


def _relative(spread: np.ndarray, sizes: np.ndarray) -> float:
    return float((spread / np.maximum(sizes, 1e-300)).max())
