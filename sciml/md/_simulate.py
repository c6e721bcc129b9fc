"""Molecular dynamics: chunks of steps, compiled once, with what happens between them on the host."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._precision import computing_in
from ._arguments import expect_run
from ._checkpoint import Checkpoint, signature
from ._checks import check, whole_number
from ._compiled import compiled
from ._ensembles import NVE, AbstractEnsemble, Dynamics, Setting
from ._guards import check_start, guarded, what_happened
from ._interrupt import patient
from ._neighbours import Neighbours
from ._observables import begin, called, stopped_after
from ._pairs import AbstractPotential, Evaluation, evaluate, kinds_of, neighbours_for
from ._record import recording
from ._system import System, complete
from ._trajectory import Frame, Trajectory

CHUNK = 2_000_000  # atoms times steps between two looks of the host
HOT = 30.0  # times what the temperature was, or should be: not dynamics any more


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
    - `skin`: of the lists, by default a tenth of the cutoff. `fixed`: numbers of atoms that are held.
    - `precision`: of everything, `numpy.float64` or `numpy.float32`; `forces_in=numpy.float32` computes forces alone in 32
        bits.
    - `checkpoint`: a `.npz` file, written every 20 seconds and at the end; the same call goes on from it, bit for bit on the
        same machine, after the process was killed too. What a trajectory file has beyond it is cut off and computed again.
    - `key`: of the random numbers. `progress`: a progress bar. `throw`: whether a run that broke down raises; otherwise
        `trajectory.result` says it. Ctrl-C returns what is done.

    Several systems at once: `atoms` is a list of them, of any sizes; those of about the same size are moved by one program
    (`md.evaluate_batch` says how). The outcome is that of each alone, but for the order of sums: nothing is shared but the
    time at which lists are made anew, and random numbers do not depend on the padding (with JAX's default generator).
    `fixed` is then a list too, `key` may be one (otherwise system k has `jax.random.fold_in(key, k)`), and callbacks get the
    frame and the number of its system; of observables, only those that measure several (`md.ModelDeviation`). A system that
    breaks down, or for which a callback returns True, stops; the others go on. They have no checkpoint or file.

    **Returns** a `Trajectory`, or a list of them. **Raises** `ValueError` where arguments do not fit, atoms lie on each other,
    or a file is in the way; `FloatingPointError` where the dynamics broke down: its attribute `trajectory` (`trajectories`)
    holds the frames until then.
    """
    if isinstance(atoms, (list, tuple)):
        from ._together import simulate_all

        steps, every = whole_number("steps", steps, 0), whole_number("every", every, 1)
        options: dict[str, Any] = dict(steps=steps, timestep=timestep, every=every, skin=skin, fixed=fixed)
        options |= dict(precision=precision, forces_in=forces_in, callbacks=callbacks, trajectory=trajectory)
        options |= dict(checkpoint=checkpoint, key=key)
        return simulate_all(atoms, potential, ensemble, progress=progress, throw=throw, **options)
    expect_run(atoms, potential, ensemble, callbacks, precision, forces_in, fixed, key)
    steps, every = whole_number("steps", steps, 0), whole_number("every", every, 1)
    check(atoms, potential, timestep, fixed)
    began = time.monotonic()
    with computing_in(precision):
        run = _Run(atoms, potential, ensemble, float(timestep), skin, fixed, precision, forces_in, key)
        at, neighbours = run.start()
        saved = None if checkpoint is None else Checkpoint(Path(checkpoint), run.signature(every))
        found = saved.load(at) if saved else None
        at, neighbours, known = found or (at, neighbours, None)
        record = recording(trajectory, atoms, steps, known)
        if saved and not found:
            # Before there is a file of frames that no checkpoint knows.
            saved.save(at, neighbours, record)
        why = begin(callbacks, atoms, record.frames() if found else ())
        return _loop(run, at, neighbours, record, steps, every, callbacks, why, saved, began, progress, throw)


def _loop(
    run: _Run, at: Dynamics, neighbours: Neighbours, record: Any, steps: int, every: int, callbacks: Any,
    stopped: str | None, saved: Checkpoint | None, began: float, progress: bool, throw: bool,
) -> Trajectory:  # fmt: skip
    from tqdm.auto import tqdm

    result, failed = "", False
    bar = tqdm(total=steps, initial=int(at.step), desc="dynamics", unit="step", disable=not progress, leave=False)
    chunk = max(10, min(10_000, CHUNK // run.atoms.atoms))
    reallocated = 0

    def recorded() -> str | None:
        """Records a frame; why a callback wants to stop, or None."""
        frame = record.add(run.frame(at, neighbours))
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
                bar.update(int(at.step) - now)
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
        bar.close()
        record.close()
    done = int(at.step)
    stats = {
        "steps": done, "seconds": time.monotonic() - began, "reallocated": reallocated,
        "slots": neighbours.sizes.slots, "precision": str(np.dtype(run.precision)),
    }  # fmt: skip
    unit = "" if run.atoms.units.name == "reduced" else " fs"
    trajectory = Trajectory(
        record.frames(), run.system(at), result or f"{done} steps of {run.timestep:g}{unit}.", not result, stats
    )
    if throw and failed:
        error = FloatingPointError(f"{result} (throw=False returns the frames until then.)")
        error.trajectory = trajectory  # type: ignore[attr-defined]
        raise error
    return trajectory


def setting_of(atoms: System, ensemble: AbstractEnsemble, timestep: Any, fixed: Any, dtype: Any) -> Setting:
    ensemble.check(atoms, fixed)
    free = np.ones((atoms.atoms, 1))
    free[[] if fixed is None else np.asarray(fixed, int)] = 0
    moving = int(free.sum())
    # Forces of atoms that are held change the momentum of the others.
    degrees = 3 * moving - (3 if ensemble.keeps_momentum and moving == atoms.atoms else 0)
    masses, h = jnp.asarray(atoms.masses, dtype)[:, None], jnp.asarray(timestep * atoms.units.time, dtype)
    return Setting(masses, jnp.asarray(free, dtype), h, max(1, degrees), atoms.units)


class _Run:
    """What does not change in a run, and its compiled functions."""

    def __init__(
        self, atoms: System, potential: Any, ensemble: Any, timestep: float, skin: Any, fixed: Any, precision: Any,
        forces_in: Any, key: Any,
    ):  # fmt: skip
        self.atoms, self.potential, self.ensemble, self.timestep = atoms, potential, ensemble, timestep
        self.precision = np.dtype(precision)
        self.skin = skin
        self.key = jax.random.key(key) if isinstance(key, int) else key
        self.setting = setting_of(atoms, ensemble, timestep, fixed, self.precision)
        self.fixed = np.asarray(self.setting.free)[:, 0] == 0
        kinds_of(potential, atoms.names)
        self.template = eqx.tree_at(
            lambda s: (s.masses, s.velocities, s.charges), atoms, (None, None, None), is_leaf=lambda x: x is None
        )
        self.forces_in = None if forces_in is None else np.dtype(forces_in)
        # Functions are static, numbers and arrays are traced: what was compiled serves the next run of the same shapes.
        self._potential = _split(potential, eqx.is_array_like)
        self._moved = _split((ensemble, guarded(potential)), eqx.is_array_like)

    def signature(self, every: int) -> str:
        trees = self.atoms, self.potential, self.setting, self.ensemble, jax.random.key_data(self.key)
        return signature(trees, self.timestep, every, self.skin, str(self.precision), str(self.forces_in))

    def start(self) -> tuple[Dynamics, Neighbours]:
        """The state before the first step. **Raises** `ValueError` where the potential means nothing there."""
        make = lambda a: jnp.asarray(np.asarray(a), self.precision)  # noqa: E731
        r = make(self.atoms.positions)
        v = jnp.zeros_like(r) if self.atoms.velocities is None else make(self.atoms.velocities) * self.setting.free
        zero, cell = jnp.zeros((), self.precision), make(complete(self.atoms.cell))
        bath, step = self.ensemble.init(self.setting), jnp.zeros((), int)
        at = Dynamics(r, v, jnp.zeros_like(r), cell, zero, jnp.zeros_like(cell), bath, zero, step)
        neighbours = self.allocate(at)
        check_start(self.potential, self._system(at), neighbours)
        at = _with_forces(at, _whole(*self._potential, self._system(at), neighbours))
        self.measure(at)
        return at, neighbours

    def measure(self, at: Dynamics) -> None:
        """How hot it is at the start. **Raises** `ValueError` where that is no number."""
        finite, kinetic = _health(at, self.setting.masses)
        if not finite or not np.isfinite(at.energy):
            raise ValueError(
                f"At the start the energy is {float(at.energy):g}, and forces or velocities are not all finite numbers."
            )
        self.scale = max(
            2 * float(kinetic) / self.setting.degrees, abs(float(at.energy)) / self.atoms.atoms,
            self.atoms.units.temperature * (1.0 if self.atoms.units.name == "reduced" else 300.0),
        )  # fmt: skip

    def allocate(self, at: Dynamics, larger: int = 0) -> Neighbours:
        atoms = eqx.tree_at(lambda s: (s.positions, s.cell), self.atoms, (np.asarray(at.positions), np.asarray(at.cell)))
        return neighbours_for(atoms, self.potential, skin=self.skin, spare=1.1 + 0.15 * larger)

    def advance(self, at: Dynamics, neighbours: Neighbours, until: int) -> tuple[Dynamics, Neighbours]:
        return _advanced(
            self._moved[0], self.forces_in, self._moved[1], self.template, self.setting, self.key, at, neighbours, until
        )

    def _system(self, at: Dynamics) -> System:
        return eqx.tree_at(lambda s: (s.positions, s.cell), self.template, (at.positions, at.cell))

    def _cell(self, at: Dynamics) -> np.ndarray:
        """Without the unit vectors along axes that have none."""
        return np.where(np.any(np.asarray(self.atoms.cell), axis=1)[:, None], np.asarray(at.cell), 0)

    def system(self, at: Dynamics) -> System:
        """The atoms as they are now."""
        return eqx.tree_at(
            lambda s: (s.positions, s.cell, s.velocities), self.atoms,
            (np.asarray(at.positions), self._cell(at), np.asarray(at.velocities)), is_leaf=lambda x: x is None,
        )  # fmt: skip

    def frame(self, at: Dynamics, neighbours: Neighbours) -> Frame:
        if bool(neighbours.is_stale(at.positions, at.cell)):
            neighbours = self.allocate(at)
        return self.framed(at, _whole(*self._potential, self._system(at), neighbours))

    def framed(self, at: Dynamics, found: Evaluation) -> Frame:
        units, setting = self.atoms.units, self.setting
        v = np.asarray(at.velocities, np.float64)
        kinetic = float(np.sum(np.asarray(setting.masses) * v**2) / 2)
        temperature = 2 * kinetic / (setting.degrees * units.temperature)
        cell = self._cell(at)
        volume = float(abs(np.linalg.det(cell.astype(float)))) or np.nan
        tensor = (np.einsum("n,na,nb->ab", np.asarray(self.atoms.masses), v, v) + np.asarray(found.virial, np.float64)) / volume
        stored = float(self.ensemble.stored(at, setting)) - float(at.heat)
        potential = float(found.energy)
        return Frame(
            step=int(at.step), time=int(at.step) * self.timestep, positions=np.asarray(at.positions),
            velocities=np.asarray(at.velocities), forces=np.asarray(found.forces), cell=cell,
            potential_energy=potential, kinetic_energy=kinetic, temperature=temperature, volume=volume,
            pressure_tensor=tensor / units.pressure, conserved=potential + kinetic + stored,
        )  # fmt: skip

    def is_sound(self, at: Dynamics) -> bool:
        """Whether all is finite, and not much hotter than it was or should be."""
        finite, kinetic = _health(at, self.setting.masses)
        wanted = getattr(self.ensemble, "temperature", None)
        heat = 0.0 if wanted is None else float(self.setting.thermal_energy(wanted, at.step))
        return bool(finite) and 2 * float(kinetic) / self.setting.degrees <= HOT * max(heat, self.scale)

    def trouble(self, at: Dynamics, neighbours: Neighbours, bad: Dynamics) -> str:
        """What went wrong between a sound state and a bad one: steps are done again, to find the first that is bad."""
        low, high, good = int(at.step), int(bad.step), at
        while high - low > 1:
            middle = (low + high) // 2
            state, _ = self.advance(at, neighbours, middle)
            if self.is_sound(state):
                low, good = middle, state
            else:
                high, bad = middle, state
        return self.cause(good, bad)

    def cause(self, good: Dynamics, bad: Dynamics) -> str:
        """What is wrong with a bad state, that came about since a good one."""
        low, high = int(good.step), int(bad.step)
        v = np.asarray(bad.velocities, np.float64)
        places = np.isfinite(np.asarray(bad.positions)).all() and np.isfinite(np.asarray(bad.cell)).all()
        why = what_happened(self.potential, self._system(bad), self.skin) if places else None
        if why is not None and why.names_it:
            return f"At step {high} {why.text}"
        why = what_happened(self.potential, self._system(good), self.skin)
        closest = f" At step {low} {why.text}" if why.text else ""
        if not _health(bad, self.setting.masses)[0]:
            wrong = ~np.all(np.isfinite(np.concatenate([np.asarray(bad.positions), v, np.asarray(bad.forces)], 1)), axis=1)
            return (
                f"Positions, velocities or forces of {_named(wrong)} became NaN or infinite at step {high}: atoms that "
                f"overlap, or a time step that is too long.{closest}"
            )
        kinetic = np.asarray(self.setting.masses)[:, 0] * np.sum(v**2, axis=1) / 2
        temperature = 2 * np.sum(kinetic) / (self.setting.degrees * self.atoms.units.temperature)
        return (
            f"The temperature ran away, to {temperature:.3g} at step {high}; {_named(kinetic == kinetic.max())} is "
            f"the fastest. Relax the atoms first, or take a shorter time step.{closest}"
        )


def _split(tree: Any, traced: Any) -> tuple[Any, Any]:
    """(what is static, what is traced)."""
    return eqx.partition(tree, traced)[::-1]


@partial(compiled, static_argnums=0)
def _whole(rest: Any, traced: Any, atoms: System, n: Neighbours) -> Evaluation:
    found = evaluate(eqx.combine(rest, traced), atoms, n)
    return Evaluation(found.energy, found.forces, found.virial, None, None)


@jax.jit
def _health(at: Dynamics, masses: Any) -> tuple[Any, Any]:
    """Whether all is finite, and the kinetic energy."""
    arrays = at.positions, at.velocities, at.forces, at.cell
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(a)) for a in arrays])), jnp.sum(masses * at.velocities**2) / 2


def _named(which: np.ndarray) -> str:
    found = np.flatnonzero(which)
    names = ", ".join(map(str, found[:5])) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
    return f"atom{'s' if len(found) > 1 else ''} {names}"


def _with_forces(at: Dynamics, found: Any) -> Dynamics:
    dtype = at.positions.dtype
    virial = at.virial if found.virial is None else found.virial.astype(dtype)
    return eqx.tree_at(
        lambda a: (a.forces, a.energy, a.virial), at, (found.forces.astype(dtype), found.energy.astype(dtype), virial)
    )


def _advance(
    template: System, ensemble: Any, forces_in: Any, potential: Any, setting: Setting, key: Any, at: Dynamics,
    neighbours: Neighbours, until: Any,
) -> tuple[Dynamics, Neighbours]:  # fmt: skip
    """Steps until `until`, or until a list does not fit: the last complete step, and its list."""

    def keyed(at: Dynamics) -> Any:
        return jax.random.split(jax.random.fold_in(key, at.step))

    def moved_from(done: Dynamics) -> Dynamics:
        return ensemble.before(done, setting, keyed(done)[0])

    def with_list(n: Neighbours, moved: Dynamics, done: Dynamics) -> tuple[Dynamics, Dynamics]:
        """As far as this list holds. `moved` is on its way to the next step, `done` the last that is complete."""

        def one(c: tuple[Dynamics, Dynamics]) -> tuple[Dynamics, Dynamics]:
            moved, _ = c
            atoms = eqx.tree_at(lambda s: (s.positions, s.cell), template, (moved.positions, moved.cell))

            def forces(virial: bool) -> Dynamics:
                return _with_forces(moved, evaluate(potential, atoms, n, dtype=forces_in, virials=False, virial=virial))

            wanted = ensemble.virial_at(moved.step)
            known = isinstance(wanted, bool)
            new = forces(wanted) if known else jax.lax.cond(wanted, lambda: forces(True), lambda: forces(False))
            new = ensemble.after(new, setting, keyed(moved)[1])
            new = eqx.tree_at(lambda a: a.step, new, moved.step + 1)
            return moved_from(new), new

        return jax.lax.while_loop(
            lambda c: (c[1].step < until) & ~n.is_stale(c[0].positions, c[0].cell), one, (moved, done)
        )

    def relisted(c: Any) -> Any:
        n, moved, done = c
        stale = n.is_stale(moved.positions, moved.cell)
        n = jax.lax.cond(stale, lambda: n.update(moved.positions, moved.cell), lambda: n)
        # A list that does not fit leaves everything as it is.
        moved, done = jax.lax.cond(n.overflow, lambda: (moved, done), lambda: with_list(n, moved, done))
        return n, moved, done

    at, neighbours = jax.tree.map(jnp.asarray, (at, neighbours))
    n, _, done = jax.lax.while_loop(
        lambda c: (c[2].step < until) & ~c[0].overflow, relisted, (neighbours, moved_from(at), at)
    )
    return done, n


@partial(compiled, static_argnums=(0, 1))
def _advanced(
    rest: Any, forces_in: Any, traced: Any, template: System, setting: Setting, key: Any, at: Dynamics, neighbours: Neighbours,
    until: Any,
) -> tuple[Dynamics, Neighbours]:  # fmt: skip
    ensemble, potential = eqx.combine(rest, traced)
    return _advance(template, ensemble, forces_in, potential, setting, key, at, neighbours, until)
