"""Steps as a pure function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from ..atoms._neighbours import Neighbours
from ..atoms._pairs import energy
from ..atoms._potential import AbstractPotential, kinds_of
from ..atoms._system import System
from ._ensembles import AbstractEnsemble, Dynamics
from ._run import setting_of


def rollout(
    atoms: System, potential: AbstractPotential, ensemble: AbstractEnsemble, neighbours: Neighbours, *, steps: int,
    timestep: float, every: int | None = None, fixed: Sequence[int] | None = None, key: Any = 0,
) -> tuple[Dynamics, Dynamics, Any]:  # fmt: skip
    """Steps as a pure function, to be differentiated with respect to the potential's parameters, positions, velocities, cell.

    The list of `neighbours` is made anew where it is stale, of the same sizes. The memory of a gradient grows like the number
    of frames and the steps between two of them. `fixed` are the numbers of atoms that are held, by
    default those of `atoms.fixed`; `timestep` [fs].

    **Returns** (the state at the end, the states after `every` steps, stacked, whether a list did not fit or was stale: then
    the numbers are not to be used). **Raises** `ValueError` where arguments do not fit.
    """
    every = steps if every is None else every
    if steps % every:
        raise ValueError(f"rollout: steps={steps} is no multiple of every={every}.")
    kinds = jnp.asarray(kinds_of(potential, atoms.names))[atoms.species]
    r = jnp.asarray(atoms.positions)
    setting = setting_of(atoms, ensemble, timestep, fixed, r.dtype)
    key = jax.random.key(key) if isinstance(key, int) else key

    def forces(at: Dynamics, n: Neighbours, virial: Any) -> Dynamics:
        def strained(r: Any, strain: Any) -> Any:
            deformed = at.cell if strain is None else at.cell + at.cell @ strain
            return energy(potential, r if strain is None else r + r @ strain, deformed, kinds, n)

        none = None if virial is False else jnp.zeros_like(at.cell)
        value, (slope, work) = jax.value_and_grad(strained, argnums=(0, 1))(at.positions, none)
        found = -slope, value, at.virial if work is None else -work
        return eqx.tree_at(lambda a: (a.forces, a.energy, a.virial), at, found)

    def one(carry: Any, _: Any) -> Any:
        at, n, bad = carry
        one, two = jax.random.split(jax.random.fold_in(key, at.step))
        moved = ensemble.before(at, setting, one)
        now = jax.lax.stop_gradient((moved.positions, moved.cell))
        n = jax.lax.cond(n.is_stale(*now), lambda: n.update(*now), lambda: n)
        new = ensemble.after(forces(moved, n, ensemble.virial_at(at.step)), setting, two)
        return (eqx.tree_at(lambda a: a.step, new, at.step + 1), n, bad | n.overflow), None

    @jax.checkpoint
    def frame(carry: Any, _: Any) -> Any:
        carry = jax.lax.scan(one, carry, None, length=every)[0]
        return carry, carry[0]

    v = jnp.zeros_like(r) if atoms.velocities is None else jnp.asarray(atoms.velocities) * setting.free
    zero, cell = jnp.zeros((), r.dtype), jnp.asarray(atoms.cell)
    at = Dynamics(r, v, r, cell, zero, jnp.zeros_like(cell), ensemble.init(setting), zero, jnp.zeros((), int))
    carry = forces(at, neighbours, ensemble.virial_at(at.step)), neighbours, neighbours.overflow
    (end, _, bad), frames = jax.lax.scan(frame, carry, None, length=steps // every)
    return end, frames, bad
