"""Molecular dynamics of several systems at once.

The systems of a batch (`_batch`) step together. Their lists are made anew together, as soon as one of them is stale: one
condition outside of `vmap`, which would turn it into a choice between two results that are both computed in every step.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._precision import check_precision, computing_in
from ..atoms._neighbours import Neighbours
from ..atoms._pairs import AbstractPotential
from ..atoms._system import System
from ..files._frame import Frame
from ..files._trajectory import Trajectory
from ..observables._observables import begin_several, called, stopped_after
from ._bar import bar_of, moved
from ._batch import Batch, batches, evaluate_lists, member, on_device
from ._checks import check, check_bath
from ._ensembles import Dynamics, Setting
from ._guards import guarded
from ._run import CHUNK, Run, with_forces

SPARE = 1.1  # room in lists, relative to what is needed now
BY_ATOM = "positions", "velocities", "forces"


def simulate_all(
    systems: Sequence[System], potential: AbstractPotential, ensemble: Any, *, steps: int, timestep: float, every: int,
    skin: Any, fixed: Any, precision: Any, forces_in: Any, callbacks: Any, trajectory: Any, checkpoint: Any, key: Any,
    progress: bool, throw: bool,
) -> list[Trajectory]:  # fmt: skip
    """`simulate` for several systems."""
    for name, given in (("checkpoint", checkpoint), ("trajectory", trajectory)):
        if given is not None:
            raise ValueError(f"simulate: several systems at once have no {name}; simulate them one by one, or without it.")
    systems = list(systems)
    held = [None] * len(systems) if fixed is None else list(fixed)
    if len(held) != len(systems):
        raise ValueError(f"fixed: {len(held)} came for {len(systems)} systems; expected numbers of atoms, or None, for each.")
    skin = 0.1 * potential.cutoff if skin is None else float(skin)
    done: dict[int, Trajectory] = {}
    bad: set[int] = set()
    with computing_in(check_precision(precision)):
        groups = batches(systems, potential, skin=skin, spare=SPARE, precision=precision)
        for system, numbers in zip(systems, held, strict=True):
            check(system, potential, timestep, numbers)
            check_bath(system, ensemble, float(timestep), steps)
        keys = _keys(key, len(systems))
        begin_several(callbacks, systems)
        with bar_of("dynamics", steps * len(groups), progress) as bar:
            for batch in groups:
                runs = [
                    Run(systems[k], potential, ensemble, timestep, skin, held[k], precision, forces_in, keys[k])
                    for k in batch.members
                ]
                stopped = any("Interrupted" in t.result for t in done.values())
                group = _Group(batch, runs, on_device(guarded(potential)), skin)
                group.go(0 if stopped else steps, every, callbacks, bar, stopped)
                done |= dict(zip(batch.members, group.trajectories(), strict=True))
                bad |= {batch.members[k] for k in group.broken}
    found = [done[k] for k in range(len(systems))]
    if throw and bad:
        told = " ".join(f"System {k}: {found[k].result}" for k in sorted(bad)[:3]) + (" ..." if len(bad) > 3 else "")
        error = FloatingPointError(
            f"{len(bad)} of {len(systems)} systems broke down. {told} (throw=False returns the frames until then.)"
        )
        error.trajectories = found  # type: ignore[attr-defined]
        raise error
    return found


def _keys(key: Any, count: int) -> list[Any]:
    if isinstance(key, list | tuple | np.ndarray) or (isinstance(key, jax.Array) and key.shape):
        if len(key) != count:
            raise ValueError(f"key: {len(key)} came for {count} systems; expected one, or one for each.")
        return [jax.random.key(int(k)) if isinstance(k, int | np.integer) else k for k in key]
    key = jax.random.key(key) if isinstance(key, int) else key
    return [jax.random.fold_in(key, k) for k in range(count)]


class _Group:
    """A batch on its way."""

    def __init__(self, batch: Batch, runs: list[Run], potential: Any, skin: float):
        self.batch, self.runs, self.potential = batch, runs, potential
        self.ranges = float(runs[0].potential.cutoff), skin
        self.began = time.monotonic()
        run, width, precision = runs[0], len(batch.systems), runs[0].precision
        self.going = np.arange(width) < len(runs)
        self.results, self.frames = [""] * len(runs), [[] for _ in runs]
        self.broken: list[int] = []
        self.reallocated = 0
        settings = [r.setting for r in runs] + [runs[0].setting] * (width - len(runs))
        masses, free = (batch.padded([getattr(s, n) for s in settings], fill) for n, fill in (("masses", 1), ("free", 0)))
        whole = jax.tree.map(lambda *a: np.stack(a), *(dataclasses.replace(s, masses=None, free=None) for s in settings))
        self.setting: Setting = dataclasses.replace(whole, masses=masses, free=free)
        keys = [r.key for r in runs] + [runs[0].key] * (width - len(runs))
        self.keys = np.stack([np.asarray(jax.random.key_data(k)) for k in keys]), str(jax.random.key_impl(keys[0]))
        given = [np.zeros(s.positions.shape) if s.velocities is None else np.asarray(s.velocities) for s in batch.systems]
        velocities = (batch.padded(given) * free).astype(precision)
        baths = jax.tree.map(lambda *a: np.stack(a), *(run.ensemble.init(s) for s in settings))
        zero, cell = np.zeros(width, precision), batch.cell.astype(precision)
        self.at = Dynamics(
            positions=batch.positions.astype(precision), velocities=velocities, forces=np.zeros_like(velocities), cell=cell,
            energy=zero, virial=np.zeros_like(cell), bath=baths, heat=zero, step=np.zeros(width, int),
        )  # fmt: skip
        self.lists = batch.blank(self.at.positions, self.at.cell, *self.ranges)

    def go(self, steps: int, every: int, callbacks: Any, bar: Any, stopped: bool) -> None:
        """`steps` steps, or as many as it can; frames at multiples of `every` and at the end."""
        now, chunk = 0, max(10, min(10_000, CHUNK // self.batch.species.size))
        try:
            self._advance(0, 0)
            found = self._evaluation()
            self.at = with_forces(self.at, found)
            self._frame(found, callbacks, steps)
            while now < steps and self.going.any():
                until = min(steps, (now // every + 1) * every, (now // chunk + 1) * chunk)
                reached = self._advance(now, until)
                if self.going.any() and reached > now and (reached % every == 0 or reached == steps):
                    self._frame(self._evaluation(), callbacks, steps)
                moved(bar, reached - now)
                now = reached
        except KeyboardInterrupt:
            stopped = True
        if stopped:
            told = f"Interrupted by the user after {now} steps; what was done is returned."
            self.results = [result or told for result in self.results]

    def _advance(self, now: int, until: int) -> int:
        """As far as lists fit, at most to `until`; lists of those that go on fit afterwards where `until` was reached."""
        attempts = 0
        while True:
            run = self.runs[0]
            found, lists, reached = _advanced(
                self.potential, on_device(run.ensemble), run.forces_in, self.batch.template, self.batch.species, self.setting,
                *self.keys,
                self.going, self.at, self.lists, np.asarray(now), np.asarray(until),
            )  # fmt: skip
            self._judge(found, now)
            self.lists, reached = lists, int(reached)
            if not np.any(np.asarray(lists.overflow) & self.going):
                return reached
            # What was done until a list did not fit is right.
            attempts = attempts + 1 if reached == now else 0
            if attempts > 5:
                raise RuntimeError("The lists of neighbours of a batch did not fit after they were made larger five times.")
            now, at = reached, self.at
            self.reallocated += 1
            spare = max(SPARE + 0.15 * self.reallocated, 2.0 ** (attempts - 1))
            self.batch = self.batch.larger(at.positions, at.cell, sum(self.ranges), spare)
            self.lists = self.batch.blank(at.positions, at.cell, *self.ranges)

    def _judge(self, found: Dynamics, now: int) -> None:
        """Takes what was found for those that are well, and stops the others where they were."""
        host, good = jax.tree.map(np.asarray, found), self.going.copy()
        for k in np.flatnonzero(self.going).tolist():
            run = self.runs[k]
            at = member(host, k, run.atoms.atoms, *BY_ATOM)
            if self.frames[k] and not run.is_sound(at):
                before = member(self.at, k, run.atoms.atoms, *BY_ATOM)
                good[k], self.results[k] = False, f"{run.cause(before, at)} {now} steps are kept."
                self.broken.append(k)
        if not np.array_equal(good, self.going):
            kept = lambda new, old: np.where(good.reshape(-1, *[1] * (new.ndim - 1)), new, old)  # noqa: E731
            found, self.going = jax.tree.map(kept, host, self.at), good
        self.at = found

    def _evaluation(self) -> Any:
        batch, at = self.batch, self.at
        return _whole(self.potential, batch.template, batch.species, at.positions, at.cell, self.lists)

    def _frame(self, found: Any, callbacks: Any, steps: int) -> None:
        at, found = jax.tree.map(np.asarray, (self.at, found))
        for k in np.flatnonzero(self.going).tolist():
            run, n = self.runs[k], self.runs[k].atoms.atoms
            if not self.frames[k]:
                run.measure(member(at, k, n, *BY_ATOM))
            frame: Frame = run.framed(member(at, k, n, *BY_ATOM), member(found, k, n, "forces"))
            self.frames[k].append(frame)
            why = called(callbacks, frame, self.batch.members[k])
            if why and frame.step < steps:
                self.going[k], self.results[k] = False, stopped_after(frame.step, steps, why)

    def trajectories(self) -> list[Trajectory]:
        out = []
        for k, (run, frames, result) in enumerate(zip(self.runs, self.frames, self.results, strict=True)):
            at = member(self.at, k, run.atoms.atoms, *BY_ATOM)
            stats = {
                "steps": int(at.step), "seconds": time.monotonic() - self.began, "reallocated": self.reallocated,
                "slots": self.batch.sizes.slots, "precision": str(run.precision), "together": len(self.runs),
                "padded_atoms": self.batch.positions.shape[1],
            }  # fmt: skip
            unit = "" if run.atoms.units.name == "reduced" else " fs"
            said = result or f"{int(at.step)} steps of {run.timestep:g}{unit}."
            out.append(Trajectory(frames, run.system(at), said, not result, stats))
        return out


@eqx.filter_jit
def _whole(potential: Any, template: System, species: Any, positions: Any, cell: Any, lists: Neighbours) -> Any:
    return evaluate_lists(potential, template, species, positions, cell, lists)


@eqx.filter_jit
def _advanced(
    potential: Any, ensemble: Any, forces_in: Any, template: System, species: Any, setting: Setting, keys: Any, kind: str,
    going: Any, at: Dynamics, lists: Neighbours, now: Any, until: Any,
) -> tuple[Dynamics, Neighbours, Any]:  # fmt: skip
    """Steps of all that are `going` until `until`, or until a list does not fit: the last complete steps, lists that hold there
    where they fit, and how far it came."""

    def keyed(steps: Any) -> Any:
        split = lambda k, s: jax.random.split(jax.random.fold_in(jax.random.wrap_key_data(k, impl=kind), s))  # noqa: E731
        return jax.vmap(split)(keys, steps)

    def chosen(new: Any, old: Any) -> Any:
        return jax.tree.map(lambda a, b: jnp.where(going.reshape(-1, *[1] * (a.ndim - 1)), a, b), new, old)

    def moved_from(done: Dynamics) -> Dynamics:
        return chosen(jax.vmap(ensemble.before)(done, setting, keyed(done.step)[:, 0]), done)

    def stale(n: Neighbours, at: Dynamics) -> Any:
        return jnp.any(going & (jax.vmap(Neighbours.is_stale)(n, at.positions, at.cell) | n.overflow))

    def with_lists(n: Neighbours, moved: Dynamics, done: Dynamics, now: Any, full: Any) -> Any:
        """As far as these lists hold. `moved` is on its way to the next step, `done` the last that is complete."""

        def one(c: Any) -> Any:
            moved, _, now = c
            found = evaluate_lists(potential, template, species, moved.positions, moved.cell, n, dtype=forces_in, virials=False)
            new = jax.vmap(ensemble.after)(with_forces(moved, found), setting, keyed(moved.step)[:, 1])
            new = chosen(dataclasses.replace(new, step=moved.step + 1), moved)
            return moved_from(new), new, now + 1

        return jax.lax.while_loop(lambda c: (c[2] < until) & ~full & ~stale(n, c[0]), one, (moved, done, now))

    def relisted(c: Any) -> Any:
        n, moved, done, now, _ = c
        # At the end lists are to hold where the atoms are, not where they would be next.
        place = jax.tree.map(lambda a, b: jnp.where(now < until, a, b), moved, done)
        update = lambda: jax.vmap(Neighbours.update)(n, place.positions, place.cell)  # noqa: E731
        n = jax.lax.cond(stale(n, place), update, lambda: n)
        full = jnp.any(going & n.overflow)
        return n, *with_lists(n, moved, done, now, full), full

    at, lists = jax.tree.map(jnp.asarray, (at, lists))
    carry = lists, moved_from(at), at, jnp.asarray(now), jnp.asarray(False)
    lists, _, done, now, _ = jax.lax.while_loop(lambda c: ~c[4] & ((c[3] < until) | stale(c[0], c[2])), relisted, carry)
    return done, lists, now
