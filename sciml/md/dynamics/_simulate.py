"""Molecular dynamics: chunks of steps, compiled once, with what happens between them on the host."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..._precision import computing_in
from ..atoms._neighbours import Neighbours
from ..atoms._pairs import AbstractPotential
from ..files._record import recording
from ..files._trajectory import Trajectory
from ..observables._observables import begin, called, stopped_after
from ._arguments import expect_run
from ._bar import bar_of, moved
from ._checkpoint import Checkpoint
from ._checks import check, check_bath, whole_number
from ._ensembles import NVE, AbstractEnsemble, Dynamics
from ._interrupt import patient
from ._run import CHUNK, Run
from ._together import simulate_all


def simulate(
    atoms: Any,
    potential: AbstractPotential,
    ensemble: AbstractEnsemble = NVE(),  # type: ignore[call-arg]
    *,
    steps: int,
    timestep: float,
    every: int = 100,
    trajectory: Any = None,
    skin: float | None = None,
    fixed: Any = None,
    precision: Any = np.float64,
    forces_in: Any = None,
    callbacks: Sequence[Callable[..., Any]] = (),
    checkpoint: Any = None,
    key: Any = 0,
    progress: bool = True,
    throw: bool = True,
) -> Any:
    """Moves atoms.

    Lists of neighbours are made anew when atoms have moved by half the skin. A list that does not fit is made larger on the
    host before the step is done. The run stops where numbers are not finite, where the temperature runs away, where atoms come
    closer than the potential knows (its `closest`), or where it has no place for so many neighbours (its `crowded`); steps
    since the last look are taken back before a frame or a callback sees them. Nothing is lost or wrong silently.

    **Arguments:**

    - `atoms`: with velocities (`md.thermal`), else they start at rest. `potential`: their energy.
    - `ensemble`: `NVE()`, `Langevin(temperature=...)`, `Rescaling(temperature=...)`, `NoseHoover(temperature=...)`,
        `CellRescaling(temperature=..., pressure=...)`.
    - `steps`, `timestep` [fs] (in reduced units for a system in those).
    - `every`: steps between frames. `callbacks`: observables (`md.RadialDistribution`, ...), or functions of each `Frame`; one
        that returns True stops the run there, and its attribute `reason`, if it has one, says why in `trajectory.result`.
    - `trajectory`: a new file for the frames, H5MD (`.h5`) or extended XYZ (`.xyz`), or `md.Append(file)` to go on in one; by
        default they stay in memory.
    - `skin`: of the lists, by default a tenth of the cutoff. `fixed`: numbers of atoms that are held,
        by default those of `atoms.fixed` (constraints of ASE, selective dynamics); `[]` holds none.
    - `precision`: of everything, `numpy.float64` or `numpy.float32`; `forces_in=numpy.float32` computes forces alone in 32
        bits.
    - `checkpoint`: a `.npz` file, written every 20 seconds and at the end; the same call goes on from it, bit for bit on the
        same machine, after the process was killed too. What a trajectory file has beyond it is cut off and computed again.
        One that holds more than `steps` warns, and all it has is returned.
    - `key`: of the random numbers. `progress`: a progress bar. `throw`: whether a run that broke down raises; otherwise
        `trajectory.result` says it. Ctrl-C returns what is done.

    Several systems at once: `atoms` is a list of them, of any sizes; those of about the same size are moved by one program
    (`md.evaluate_batch` says how). The outcome is that of each alone, but for the order of sums: nothing is shared but the
    time at which lists are made anew, and random numbers do not depend on the padding (with JAX's default generator).
    `fixed` is then a list too, one for each, `key` may be one (otherwise system k has `jax.random.fold_in(key, k)`), and
    callbacks get the frame and the number of its system; of observables, only those that measure several
    (`md.ModelDeviation`). A system that breaks down, or for which a callback returns True, stops; the others go on. They have
    no checkpoint or file.

    **Returns** a `Trajectory`, or a list of them. **Raises** `ValueError` where arguments do not fit, atoms lie on each other,
    or a file is in the way; `FloatingPointError` where the dynamics broke down: its attribute `trajectory` (`trajectories`)
    holds the frames until then.
    """
    if isinstance(atoms, (list, tuple)):
        steps, every = whole_number("steps", steps, 0), whole_number("every", every, 1)
        options: dict[str, Any] = dict(steps=steps, timestep=timestep, every=every, skin=skin, fixed=fixed)
        options |= dict(precision=precision, forces_in=forces_in, callbacks=callbacks, trajectory=trajectory)
        options |= dict(checkpoint=checkpoint, key=key)
        return simulate_all(atoms, potential, ensemble, progress=progress, throw=throw, **options)
    expect_run(atoms, potential, ensemble, callbacks, precision, forces_in, fixed, key)
    steps, every = whole_number("steps", steps, 0), whole_number("every", every, 1)
    check(atoms, potential, timestep, fixed)
    check_bath(atoms, ensemble, float(timestep), steps)
    began = time.monotonic()
    with computing_in(precision), bar_of("dynamics", steps, progress) as bar:
        run = Run(atoms, potential, ensemble, float(timestep), skin, fixed, precision, forces_in, key)
        at, neighbours = run.start()
        saved = None if checkpoint is None else Checkpoint(Path(checkpoint), run.signature(every))
        found = saved.load(at) if saved else None
        at, neighbours, known = found or (at, neighbours, None)
        record = recording(trajectory, atoms, steps, known)
        if saved and not found:
            # Before there is a file of frames that no checkpoint knows.
            saved.save(at, neighbours, record)
        why = begin(callbacks, atoms, record.frames() if found else ())
        return _loop(run, at, neighbours, record, steps, every, callbacks, why, saved, began, bar, throw)


def _loop(
    run: Run, at: Dynamics, neighbours: Neighbours, record: Any, steps: int, every: int, callbacks: Any,
    stopped: str | None, saved: Checkpoint | None, began: float, bar: Any, throw: bool,
) -> Trajectory:  # fmt: skip
    result, failed = "", False
    bar.n = bar.initial = int(at.step)
    chunk = max(10, min(10_000, CHUNK // run.atoms.atoms))
    reallocated, first = 0, int(at.step)

    def recorded() -> str | None:
        """Records a frame; why a callback wants to stop, or None."""
        frame = record.add(run.frame(at, neighbours))
        if frame.step > first:
            bar.set_postfix(T=f"{frame.temperature:.4g}", E=f"{frame.total_energy:.6g}", refresh=False)
        return called(callbacks, frame)

    try:
        with patient() as interrupted:
            if int(at.step) < steps or not record.count:
                record.begin()
            stopped = stopped if record.count else recorded()
            framed = int(at.step)
            while (now := int(at.step)) < steps and not stopped:
                if interrupted():
                    raise KeyboardInterrupt
                # Chunks end at the same steps whatever happens, or a restart would not repeat the bits.
                until = min(steps, (now // every + 1) * every, (now // chunk + 1) * chunk)
                found, listed = run.advance(at, neighbours, until)
                if not run.is_sound(found):
                    result, failed = f"{run.trouble(at, neighbours, found)} {now} steps are kept.", True
                    if framed < now:
                        record.add(run.frame(at, neighbours))
                    break
                if bool(listed.overflow):
                    # What was done until the list did not fit is right.
                    at, neighbours = found, run.allocate(found, larger=reallocated)
                    reallocated += 1
                    continue
                at, neighbours = found, listed
                if int(at.step) % every == 0 or int(at.step) == steps:
                    stopped, framed = recorded(), int(at.step)
                moved(bar, int(at.step) - now)
                if saved and saved.due():
                    saved.save(at, neighbours, record)
            if stopped and int(at.step) < steps:
                result = stopped_after(int(at.step), steps, stopped)
            if saved:
                saved.save(at, neighbours, record)
    except KeyboardInterrupt:
        result = f"Interrupted by the user after {int(at.step)} steps; what was done is returned."
        if saved:
            saved.save(at, neighbours, record)
    finally:
        record.close()
    done = int(at.step)
    unit = "" if run.atoms.units.name == "reduced" else " fs"
    said = f"{done} steps of {run.timestep:g}{unit}."
    if done > steps and not result:
        said = f"The checkpoint holds {done} steps, more than the {steps} that were asked for: all of them are returned."
        warnings.warn(f"simulate: {said} Give another checkpoint= for a shorter run.", stacklevel=3)
    stats = {
        "steps": done, "seconds": time.monotonic() - began, "reallocated": reallocated,
        "slots": neighbours.sizes.slots, "precision": str(np.dtype(run.precision)),
    }  # fmt: skip
    trajectory = Trajectory(record.frames(), run.system(at), result or said, not result, stats)
    if throw and failed:
        error = FloatingPointError(f"{result} (throw=False returns the frames until then.)")
        error.trajectory = trajectory  # type: ignore[attr-defined]
        raise error
    return trajectory
