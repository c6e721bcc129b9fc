"""Molecular dynamics: chunks of steps, compiled once, with what happens between them on the host."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._files import read_arrays, write_arrays
from .._precision import computing_in
from ._arguments import expect_run
from ._ensembles import NVE, AbstractEnsemble, Dynamics, Setting
from ._neighbours import Neighbours, Sizes, allocate
from ._observables import begin
from ._pairs import AbstractPairPotential, AbstractPotential, energy, evaluate, kinds_of
from ._system import System
from ._trajectory import Frame, Trajectory

CHUNK = 2_000_000  # atoms times steps between two looks of the host
HOT = 30.0  # times what the temperature was, or should be: not dynamics any more
SAVE_SECONDS = 20.0
FORMAT = 1


def simulate(
    atoms: System,
    potential: AbstractPotential,
    ensemble: AbstractEnsemble = NVE(),
    *,
    steps: int,
    timestep: float,
    every: int = 100,
    skin: float | None = None,
    fixed: Sequence[int] | None = None,
    precision: Any = np.float64,
    forces_in: Any = None,
    callbacks: Sequence[Callable[[Frame], Any]] = (),
    checkpoint: Any = None,
    key: int = 0,
    progress: bool = True,
    throw: bool = True,
) -> Trajectory:
    """Moves atoms.

    Lists of neighbours are made anew when atoms have moved by half the skin. A list that does not fit is made larger on the
    host before the step is done: nothing is lost or wrong silently.

    **Arguments:**

    - `atoms`: with velocities (`md.thermal`), else they start at rest. `potential`: their energy.
    - `ensemble`: `NVE()`, `Langevin(temperature=...)`, `Rescaling(temperature=...)`, `NoseHoover(temperature=...)`.
    - `steps`, `timestep` [fs] (in reduced units for a system in those).
    - `every`: steps between frames. `callbacks`: functions of each `Frame`, or observables (`md.RadialDistribution`, ...).
    - `skin`: of the lists, by default a tenth of the cutoff. `fixed`: numbers of atoms that are held.
    - `precision`: of everything, `numpy.float64` or `numpy.float32`; `forces_in=numpy.float32` computes forces alone in 32 bits.
    - `checkpoint`: a `.npz` file; the same call goes on from it, bit for bit on the same machine.
    - `key`: of the random numbers. `progress`: a progress bar. `throw`: whether a run that broke down raises; otherwise
        `trajectory.result` says it. Ctrl-C returns what is done.

    **Returns** a `Trajectory`. **Raises** `ValueError` where arguments do not fit, `FloatingPointError` where the dynamics broke
    down; its attribute `trajectory` holds the frames until then.
    """
    expect_run(atoms, potential, ensemble, callbacks, precision, forces_in, fixed, key)
    _check(atoms, steps, timestep, every, fixed)
    began = time.monotonic()
    with computing_in(precision):
        run = _Run(atoms, potential, ensemble, timestep, skin, fixed, precision, forces_in, key)
        saved = None if checkpoint is None else _Checkpoint(Path(checkpoint), run.signature(every))
        at, neighbours, frames = run.start()
        if saved and (found := saved.load(at)) is not None:
            at, neighbours, frames = found
            begin(callbacks, atoms, frames)
        else:
            begin(callbacks, atoms)
            frames.append(run.frame(at, neighbours))
            for callback in callbacks:
                callback(frames[-1])
        return _loop(run, at, neighbours, frames, steps, every, callbacks, saved, began, progress, throw)


def _loop(
    run: _Run, at: Dynamics, neighbours: Neighbours, frames: list[Frame], steps: int, every: int, callbacks: Any,
    saved: _Checkpoint | None, began: float, progress: bool, throw: bool,
) -> Trajectory:  # fmt: skip
    from tqdm.auto import tqdm

    first, result, converged = int(at.step), "", True
    bar = tqdm(total=steps, initial=first, desc="dynamics", unit="step", disable=not progress, leave=False)
    chunk = max(10, min(10_000, CHUNK // run.atoms.atoms))
    reallocated = 0
    try:
        while (now := int(at.step)) < steps:
            # Chunks end at the same steps whatever happens, or a restart would not repeat the bits.
            until = min(steps, (now // every + 1) * every, (now // chunk + 1) * chunk)
            found, listed = run.advance(at, neighbours, until)
            if bool(listed.overflow) and np.all(np.isfinite(found.positions)):
                # What was done until the list did not fit is right.
                at, neighbours = found, run.allocate(found, larger=reallocated)
                reallocated += 1
                continue
            if trouble := run.trouble(found, frames[0]):
                result, converged = f"{trouble} {int(at.step)} steps are kept.", False
                break
            at, neighbours = found, listed
            if int(at.step) % every == 0 or int(at.step) == steps:
                frames.append(run.frame(at, neighbours))
                for callback in callbacks:
                    callback(frames[-1])
                bar.set_postfix(
                    T=f"{frames[-1].temperature:.4g}", E=f"{frames[-1].total_energy:.6g}", refresh=False
                )
            bar.update(int(at.step) - now)
            if saved and saved.due():
                saved.save(at, neighbours, frames)
    except KeyboardInterrupt:
        result, converged = f"Interrupted by the user after {int(at.step)} steps; what was done is returned.", False
    finally:
        bar.close()
    if saved:
        saved.save(at, neighbours, frames)
    done = int(at.step)
    stats = {
        "steps": done, "seconds": time.monotonic() - began, "reallocated": reallocated,
        "slots": neighbours.sizes.slots, "precision": str(np.dtype(run.precision)),
    }  # fmt: skip
    result = result or f"{done} steps of {run.timestep:g} {'fs' if run.atoms.units.name != 'reduced' else ''}".rstrip() + "."
    trajectory = Trajectory(frames, run.system(at), result, converged, stats)
    if throw and not converged and "Interrupted" not in result:
        error = FloatingPointError(f"{result} (throw=False returns the frames until then.)")
        error.trajectory = trajectory  # type: ignore[attr-defined]
        raise error
    return trajectory


class _Run:
    """What does not change in a run, and its compiled functions."""

    def __init__(
        self, atoms: System, potential: Any, ensemble: Any, timestep: float, skin: Any, fixed: Any, precision: Any,
        forces_in: Any, key: Any,
    ):  # fmt: skip
        self.atoms, self.potential, self.ensemble, self.timestep = atoms, potential, ensemble, timestep
        self.precision = np.dtype(precision)
        self.skin = 0.1 * potential.cutoff if skin is None else float(skin)
        self.pairwise = isinstance(potential, AbstractPairPotential)
        self.key = jax.random.key(key) if isinstance(key, int) else key
        free = np.ones((atoms.atoms, 1))
        free[[] if fixed is None else np.asarray(fixed, int)] = 0
        self.fixed = free[:, 0] == 0
        moving = int(free.sum())
        degrees = 3 * moving - (3 if ensemble.keeps_momentum and moving == atoms.atoms else 0)
        masses = jnp.asarray(np.asarray(atoms.masses)[:, None], self.precision)
        h = jnp.asarray(timestep * atoms.units.time, self.precision)
        self.setting = Setting(masses, jnp.asarray(free, self.precision), h, max(1, degrees), atoms.units)
        kinds_of(potential, atoms.names)
        self.template = eqx.tree_at(
            lambda s: (s.masses, s.velocities, s.charges), atoms, (None, None, None), is_leaf=lambda x: x is None
        )
        self.forces_in = None if forces_in is None else np.dtype(forces_in)
        self._advance = jax.jit(partial(_advance, self.template, ensemble, self.forces_in))
        self._whole = jax.jit(lambda p, s, n: evaluate(p, s, n))

    def signature(self, every: int) -> str:
        import hashlib

        digest = hashlib.sha256(repr((self.timestep, every, self.skin, self.precision, self.ensemble)).encode())
        for leaf in jax.tree.leaves((self.atoms, self.potential, self.setting, self.ensemble)):
            digest.update(np.ascontiguousarray(leaf).tobytes())
        return digest.hexdigest()

    def start(self) -> tuple[Dynamics, Neighbours, list[Frame]]:
        make = lambda a: jnp.asarray(np.asarray(a), self.precision)  # noqa: E731
        r = make(self.atoms.positions)
        v = jnp.zeros_like(r) if self.atoms.velocities is None else make(self.atoms.velocities) * self.setting.free
        zero, cell = jnp.zeros((), self.precision), make(self.atoms.cell)
        at = Dynamics(
            r, v, jnp.zeros_like(r), cell, zero, jnp.zeros_like(cell), self.ensemble.init(self.setting), zero, jnp.asarray(0)
        )
        neighbours = self.allocate(at)
        found = self._whole(self.potential, self._system(at), neighbours)
        return _with_forces(at, found), neighbours, []

    def allocate(self, at: Dynamics, larger: int = 0) -> Neighbours:
        atoms = eqx.tree_at(lambda s: (s.positions, s.cell), self.atoms, (np.asarray(at.positions), np.asarray(at.cell)))
        return allocate(
            atoms, self.potential.cutoff, skin=self.skin, transposed=not self.pairwise, spare=1.1 + 0.15 * larger
        )

    def advance(self, at: Dynamics, neighbours: Neighbours, until: int) -> tuple[Dynamics, Neighbours]:
        return self._advance(self.potential, self.setting, self.key, at, neighbours, until)

    def _system(self, at: Dynamics) -> System:
        return eqx.tree_at(lambda s: (s.positions, s.cell), self.template, (at.positions, at.cell))

    def system(self, at: Dynamics) -> System:
        """The atoms as they are now."""
        return eqx.tree_at(
            lambda s: (s.positions, s.cell, s.velocities), self.atoms,
            (np.asarray(at.positions), np.asarray(at.cell), np.asarray(at.velocities)), is_leaf=lambda x: x is None,
        )  # fmt: skip

    def frame(self, at: Dynamics, neighbours: Neighbours) -> Frame:
        if bool(neighbours.is_stale(at.positions, at.cell)):
            neighbours = self.allocate(at)
        found = self._whole(self.potential, self._system(at), neighbours)
        units, setting = self.atoms.units, self.setting
        v = np.asarray(at.velocities, np.float64)
        kinetic = float(np.sum(np.asarray(setting.masses) * v**2) / 2)
        temperature = 2 * kinetic / (setting.degrees * units.temperature)
        volume = float(abs(np.linalg.det(np.asarray(at.cell))))
        tensor = (np.einsum("n,na,nb->ab", np.asarray(self.atoms.masses), v, v) + np.asarray(found.virial, np.float64)) / volume
        stored = float(self.ensemble.stored(at, setting)) - float(at.heat)
        potential = float(found.energy)
        return Frame(
            step=int(at.step), time=int(at.step) * self.timestep, positions=np.asarray(at.positions),
            velocities=np.asarray(at.velocities), forces=np.asarray(found.forces), cell=np.asarray(at.cell),
            potential_energy=potential, kinetic_energy=kinetic, temperature=temperature, volume=volume,
            pressure_tensor=tensor / units.pressure, conserved=potential + kinetic + stored,
        )  # fmt: skip

    def trouble(self, at: Dynamics, first: Frame) -> str:
        """What is wrong with a state, or nothing."""
        bad = ~np.all(np.isfinite(np.concatenate([np.asarray(a) for a in (at.positions, at.velocities, at.forces)], 1)), axis=1)
        if bad.any():
            return (
                f"Positions, velocities or forces of {_named(bad)} became NaN or infinite by step {int(at.step)}: atoms that "
                "overlap, or a time step that is too long."
            )
        kinetic = self.setting.masses[:, 0] * jnp.sum(at.velocities**2, axis=1) / 2
        wanted = getattr(self.ensemble, "temperature", None)
        heat = 0.0 if wanted is None else float(self.setting.thermal_energy(wanted, at.step))
        units = self.atoms.units
        scale = max(heat, first.temperature * units.temperature, abs(first.potential_energy) / self.atoms.atoms)
        mean = 2 * float(jnp.sum(kinetic)) / self.setting.degrees
        if mean > HOT * scale:
            fastest = np.asarray(kinetic) == float(jnp.max(kinetic))
            return (
                f"The temperature ran away, to {mean / units.temperature:.3g} by step {int(at.step)}; {_named(fastest)} is the "
                "fastest. Relax the atoms first, or take a shorter time step."
            )
        return ""


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
            new = _with_forces(moved, evaluate(potential, atoms, n, dtype=forces_in, virials=False))
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


def _check(atoms: System, steps: Any, timestep: Any, every: Any, fixed: Any) -> None:
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 0:
        raise ValueError(f"steps={steps!r}; expected a whole number.")
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise ValueError(f"every={every!r}; expected a positive whole number of steps.")
    if not (isinstance(timestep, (int, float)) and math.isfinite(timestep) and timestep > 0):
        raise ValueError(f"timestep={timestep!r}; expected a positive number [fs].")
    if atoms.units.name != "reduced" and not 1e-3 <= timestep <= 20:
        import warnings

        warnings.warn(f"timestep={timestep!r} is {timestep:g} fs; usual are 0.2 to 5 fs.", stacklevel=3)
    if fixed is not None:
        numbers = np.asarray(fixed)
        if numbers.size and (numbers.min() < 0 or numbers.max() >= atoms.atoms):
            raise ValueError(f"fixed: numbers of atoms from 0 to {atoms.atoms - 1}; {fixed!r} came.")


class _Checkpoint:
    """The whole state in one file: what changes bits is in it, the list with its order and sizes too."""

    def __init__(self, path: Path, signature: str):
        self.path, self.signature, self._last = path, signature, time.monotonic()

    def due(self) -> bool:
        return time.monotonic() - self._last > SAVE_SECONDS

    def save(self, at: Dynamics, n: Neighbours, frames: list[Frame]) -> None:
        leaves = {f"at/{k}": np.asarray(a) for k, a in enumerate(jax.tree.leaves(at))}
        lists = {f"list/{k}": np.asarray(a) for k, a in enumerate(jax.tree.leaves(n))}
        rows = {f"frame/{f.name}": np.stack([getattr(x, f.name) for x in frames]) for f in dataclasses.fields(Frame)}
        header = {
            "format": FORMAT, "signature": self.signature, "sizes": dataclasses.asdict(n.sizes),
            "transposed": n.transposed is not None, "cutoff": n.cutoff, "skin": n.skin, "periodic": list(n.periodic),
        }  # fmt: skip
        write_arrays(self.path, json.loads(json.dumps(header)), leaves | lists | rows)
        self._last = time.monotonic()

    def load(self, like: Dynamics) -> tuple[Dynamics, Neighbours, list[Frame]] | None:
        if not self.path.exists():
            return None
        header, arrays = read_arrays(self.path)
        if header.get("format") != FORMAT or header.get("signature") != self.signature:
            raise ValueError(
                f"The checkpoint {self.path} belongs to another system, potential, ensemble or other settings: take the same "
                "arguments as before, give another path, or remove the file."
            )
        take = lambda kind: [arrays[f"{kind}/{k}"] for k in range(sum(name.startswith(kind) for name in arrays))]  # noqa: E731
        at = jax.tree.unflatten(jax.tree.structure(like), [jnp.asarray(a) for a in take("at")])
        sizes = Sizes(**{k: tuple(v) if isinstance(v, list) else v for k, v in header["sizes"].items()})
        lists = [jnp.asarray(a) for a in take("list")]
        if not header["transposed"]:
            lists.insert(6, None)  # type: ignore[arg-type]
        n = Neighbours(*lists, header["cutoff"], header["skin"], tuple(header["periodic"]), sizes)
        names = [f.name for f in dataclasses.fields(Frame)]
        columns = {name: arrays[f"frame/{name}"] for name in names}
        frames = [
            Frame(**{k: (v[i] if v[i].ndim else v[i].item()) for k, v in columns.items()}) for i in range(len(columns["step"]))
        ]
        return at, n, frames


def rollout(
    atoms: System, potential: AbstractPotential, ensemble: AbstractEnsemble, neighbours: Neighbours, *, steps: int,
    timestep: float, every: int | None = None, key: Any = 0,
) -> tuple[Dynamics, Dynamics, Any]:  # fmt: skip
    """Steps as a pure function, to be differentiated with respect to the potential's parameters, positions, velocities, cell.

    The list of `neighbours` is made anew where it is stale, of the same sizes. The memory of a gradient grows like the number of
    frames and the steps between two of them.

    **Returns** (the state at the end, the states after `every` steps, stacked, whether a list did not fit or was stale: then the
    numbers are not to be used).
    """
    every = steps if every is None else every
    if steps % every:
        raise ValueError(f"rollout: steps={steps} is no multiple of every={every}.")
    kinds = jnp.asarray(kinds_of(potential, atoms.names))[atoms.species]
    masses = jnp.asarray(atoms.masses)[:, None]
    degrees = max(1, 3 * atoms.atoms - 3 * ensemble.keeps_momentum)
    setting = Setting(masses, jnp.ones_like(masses), timestep * atoms.units.time, degrees, atoms.units)
    key = jax.random.key(key) if isinstance(key, int) else key

    def forces(at: Dynamics, n: Neighbours) -> Dynamics:
        value, slope = jax.value_and_grad(lambda r: energy(potential, r, at.cell, kinds, n))(at.positions)
        return eqx.tree_at(lambda a: (a.forces, a.energy), at, (-slope, value))

    def one(carry: Any, _: Any) -> Any:
        at, n, bad = carry
        one, two = jax.random.split(jax.random.fold_in(key, at.step))
        moved = ensemble.before(at, setting, one)
        now = jax.lax.stop_gradient((moved.positions, moved.cell))
        n = jax.lax.cond(n.is_stale(*now), lambda: n.update(*now), lambda: n)
        new = ensemble.after(forces(moved, n), setting, two)
        return (eqx.tree_at(lambda a: a.step, new, at.step + 1), n, bad | n.overflow), None

    @jax.checkpoint
    def frame(carry: Any, _: Any) -> Any:
        carry = jax.lax.scan(one, carry, None, length=every)[0]
        return carry, carry[0]

    r = jnp.asarray(atoms.positions)
    v = jnp.zeros_like(r) if atoms.velocities is None else jnp.asarray(atoms.velocities)
    zero, cell = jnp.zeros((), r.dtype), jnp.asarray(atoms.cell)
    at = Dynamics(r, v, r, cell, zero, jnp.zeros_like(cell), ensemble.init(setting), zero, jnp.asarray(0))
    carry = forces(at, neighbours), neighbours, neighbours.overflow
    (end, _, bad), frames = jax.lax.scan(frame, carry, None, length=steps // every)
    return end, frames, bad
