"""One run of dynamics, as `simulate` steps it: compiled pieces, and what they are told."""

from __future__ import annotations

from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..atoms._closest import named_atoms
from ..atoms._compiled import compiled
from ..atoms._neighbours import Neighbours
from ..atoms._pairs import Evaluation, evaluate, evaluated, neighbours_for
from ..atoms._potential import needs_transposed, seen_by, split
from ..atoms._resolution import is_resolved
from ..atoms._system import System, complete, volume_of
from ..files._frame import Frame
from ._checkpoint import signature
from ._checks import held_atoms
from ._ensembles import AbstractEnsemble, Dynamics, Setting
from ._guards import check_start, guarded, what_happened

CHUNK = 2_000_000  # atoms times steps between two looks of the host
HOT = 30.0  # times what the temperature was, or should be: not dynamics any more


def setting_of(atoms: System, ensemble: AbstractEnsemble, timestep: Any, fixed: Any, dtype: Any) -> Setting:
    held = held_atoms(fixed, atoms)
    ensemble.check(atoms, held)
    free = np.ones((atoms.atoms, 1))
    free[held] = 0
    moving = int(free.sum())
    # Forces of atoms that are held change the momentum of the others.
    degrees = 3 * moving - (3 if ensemble.keeps_momentum and moving == atoms.atoms else 0)
    masses, h = jnp.asarray(atoms.masses, dtype)[:, None], jnp.asarray(timestep * atoms.units.time, dtype)
    return Setting(masses, jnp.asarray(free, dtype), h, max(1, degrees), atoms.units)


class Run:
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
        self.template = seen_by(potential, atoms)
        self.forces_in = None if forces_in is None else np.dtype(forces_in)
        # Functions are static, numbers and arrays are traced: what was compiled serves the next run of the same shapes.
        self._potential, self._moved = split(potential), split((ensemble, guarded(potential)))

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
        check_start(self.potential, self._named(at), neighbours)
        at = with_forces(at, self._evaluated(at, neighbours))
        self.measure(at)
        return at, neighbours

    def measure(self, at: Dynamics) -> None:
        """How hot it is at the start. **Raises** `ValueError` where that is no number."""
        finite, kinetic, _ = _health(at, self.setting.masses)
        if not finite or not np.isfinite(at.energy):
            raise ValueError(
                f"At the start the energy is {float(at.energy):g}, and forces or velocities are not all finite numbers."
            )
        self.scale = max(
            2 * float(kinetic) / self.setting.degrees, abs(float(at.energy)) / self.atoms.atoms,
            self.atoms.units.temperature * (1.0 if self.atoms.units.name == "reduced" else 300.0),
        )  # fmt: skip

    def allocate(self, at: Dynamics, larger: int = 0) -> Neighbours:
        return neighbours_for(self._named(at), self.potential, skin=self.skin, spare=1.1 + 0.15 * larger, kept=True)

    def advance(self, at: Dynamics, neighbours: Neighbours, until: int) -> tuple[Dynamics, Neighbours]:
        return _advanced(
            self._moved[0], self.forces_in, self._moved[1], self.template, self.setting, self.key, at, neighbours, until
        )

    def _evaluated(self, at: Dynamics, neighbours: Neighbours) -> Evaluation:
        atoms = eqx.tree_at(lambda s: (s.positions, s.cell), self.template, (at.positions, at.cell))
        return evaluated(*self._potential, atoms, neighbours, virials=False)

    def _named(self, at: Dynamics) -> System:
        return eqx.tree_at(lambda s: (s.positions, s.cell), self.atoms, (np.asarray(at.positions), np.asarray(at.cell)))

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
        return self.framed(at, self._evaluated(at, neighbours))

    def framed(self, at: Dynamics, found: Evaluation) -> Frame:
        units, setting = self.atoms.units, self.setting
        v = np.asarray(at.velocities, np.float64)
        kinetic = float(np.sum(np.asarray(setting.masses) * v**2) / 2)
        temperature = 2 * kinetic / (setting.degrees * units.temperature)
        cell = self._cell(at)
        volume = volume_of(cell, self.atoms.periodic)
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
        """Whether all is finite, not much hotter than it was or should be, and where the precision tells places apart."""
        finite, kinetic, largest = _health(at, self.setting.masses)
        return bool(finite) and self._is_cool(kinetic, at.step) and is_resolved(float(largest), self.precision)

    def _is_cool(self, kinetic: Any, step: Any) -> bool:
        """Whether a kinetic energy is not far above what it was or should be."""
        wanted = getattr(self.ensemble, "temperature", None)
        heat = 0.0 if wanted is None else float(self.setting.thermal_energy(wanted, step))
        return 2 * float(kinetic) / self.setting.degrees <= HOT * max(heat, self.scale)

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
        finite, heat, largest = _health(bad, self.setting.masses)
        resolved = is_resolved(float(largest), self.precision)
        if finite and not resolved and self._is_cool(heat, bad.step):
            return (
                f"At step {high} an atom is {float(largest):.3g} away from the origin, and {self.precision} does not tell "
                "places apart there (positions are unwrapped): simulate in numpy.float64, or wrap the atoms into the cell."
            )
        places = resolved and np.isfinite(np.asarray(bad.positions)).all() and np.isfinite(np.asarray(bad.cell)).all()
        why = what_happened(self.potential, self._named(bad), self.skin) if places else None
        if why is not None and why.names_it:
            return f"At step {high} {why.text}"
        why = what_happened(self.potential, self._named(good), self.skin)
        closest = f" At step {low} {why.text}" if why.text else ""
        if not finite:
            wrong = ~np.all(np.isfinite(np.concatenate([np.asarray(bad.positions), v, np.asarray(bad.forces)], 1)), axis=1)
            return (
                f"Positions, velocities or forces of {named_atoms(wrong)} became NaN or infinite at step {high}: atoms that "
                f"overlap, or a time step that is too long.{closest}"
            )
        kinetic = np.asarray(self.setting.masses)[:, 0] * np.sum(v**2, axis=1) / 2
        temperature = 2 * np.sum(kinetic) / (self.setting.degrees * self.atoms.units.temperature)
        return (
            f"The temperature ran away, to {temperature:.3g} at step {high}; {named_atoms(kinetic == kinetic.max())} is "
            f"the fastest. Relax the atoms first, or take a shorter time step.{closest}"
        )


@jax.jit
def _health(at: Dynamics, masses: Any) -> tuple[Any, Any, Any]:
    """Whether all is finite, the kinetic energy, and the largest coordinate."""
    arrays = at.positions, at.velocities, at.forces, at.cell
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(a)) for a in arrays]))
    return finite, jnp.sum(masses * at.velocities**2) / 2, jnp.max(jnp.abs(at.positions))


def with_forces(at: Dynamics, found: Any) -> Dynamics:
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
                return with_forces(moved, evaluate(potential, atoms, n, dtype=forces_in, virials=False, virial=virial))

            wanted = ensemble.virial_at(moved.step)
            if not isinstance(wanted, bool) and needs_transposed(potential):
                wanted = True  # which costs nothing beside such forces, and half the time to compile
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
