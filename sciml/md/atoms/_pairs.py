"""What a potential sees of the atoms, and what follows from its energies."""

from __future__ import annotations

import dataclasses
import math
from contextlib import nullcontext
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._precision import float64, is_recorded, is_traced
from ._closest import is_finite, not_finite
from ._compiled import compiled
from ._gather import collect, gather, row_sums
from ._neighbours import SPARE, Neighbours, allocate
from ._potential import AbstractGlobalPotential as AbstractGlobalPotential
from ._potential import AbstractPairPotential as AbstractPairPotential
from ._potential import AbstractPotential as AbstractPotential
from ._potential import Sum as Sum
from ._potential import dot, kinds_of, needs_transposed, parts_of, seen_by, split
from ._system import System

FAR = 2.0  # cutoffs, at which empty slots are


class Pairs(eqx.Module):
    """Atoms with their neighbours, a row for each.

    **Attributes:** `vectors` `(rows, slots, 3)` r_j - r_i [angstrom]; `mask` `(rows, slots)`, which slots hold a neighbour
    within the cutoff; `species` `(rows, slots)` of the neighbours and `centres` `(rows,)` of the atoms; `atom` `(rows,)`, the
    number of each row's atom, and `row` `(atoms,)` the other way round: what belongs to rows is `[pairs.row]` by atoms.
    """

    vectors: Any
    mask: Any
    species: Any
    centres: Any
    atom: Any
    row: Any
    neighbour: Any
    transposed: Any

    @property
    def distances(self) -> Any:
        """|r_j - r_i| `(rows, slots)` [angstrom]; those of empty slots are beyond every cutoff."""
        return jnp.sqrt(dot(self.vectors, self.vectors))

    def gather(self, x: Any) -> Any:
        """`x` `(atoms, ...)` of the neighbours, `(rows, slots, ...)`."""
        if self.transposed is None:
            return jnp.take(x, self.neighbour, axis=0, mode="fill", fill_value=0)
        return gather(x, self.neighbour, self.transposed)


class Evaluation(eqx.Module):
    """**Attributes:** `energy` [eV]; `forces` `(atoms, 3)` [eV/angstrom]; `virial` `(3, 3)` [eV], minus the derivative of the
    energy with respect to strain; `atom_energies` `(atoms,)`; `atom_virials` `(atoms, 3, 3)`, assigned to the neighbour:
    W_j = -sum_i dE/dr_ij r_ij; what a global potential adds to it is minus the derivative of the atom's share of the energy."""

    energy: Any
    forces: Any
    virial: Any
    atom_energies: Any
    atom_virials: Any


def pairs_of(positions: Any, cell: Any, species: Any, neighbours: Neighbours, cutoff: float) -> Pairs:
    """The pairs within `cutoff` at these positions, which can be differentiated any number of times."""
    n = neighbours
    if n.transposed is None:
        raise ValueError("This list is not transposed, which only forces of pair potentials do without: allocate it anew.")
    neighbour = jnp.take(n.owner, n.index, mode="fill", fill_value=len(positions))
    image = jnp.take(n.image.astype(positions.dtype) @ cell, n.index, axis=0, mode="fill", fill_value=0)
    own = positions[n.atom] + n.image[n.entry].astype(positions.dtype) @ cell
    return _masked(gather(positions, neighbour, n.transposed) + image - own[:, None], n, neighbour, species, cutoff)


def _masked(vectors: Any, n: Neighbours, neighbour: Any, species: Any, cutoff: float) -> Pairs:
    mask = (n.index < len(n.owner)) & (dot(vectors, vectors) < cutoff**2)
    far = jnp.asarray([FAR * cutoff, 0.0, 0.0], vectors.dtype)
    kinds = jnp.take(species, neighbour, mode="fill", fill_value=0)
    vectors = jnp.where(mask[..., None], vectors, far)
    return Pairs(vectors, mask, kinds, species[n.atom], n.atom, n.row, neighbour, n.transposed)


def neighbours_for(
    atoms: System, potential: AbstractPotential, *, skin: float | None = None, transposed: bool = False, spare: float = SPARE,
    kept: bool = False,
) -> Neighbours:  # fmt: skip
    """The list that `md.evaluate` needs for `potential`; `skin` [angstrom] is by default a tenth of the cutoff. `md.energy` and
    `md.rollout` need a `transposed` list for pair potentials too. A potential that needs none gets one that is never stale.
    `spare` and `kept` as of `md.allocate`.

    **Raises** `ValueError` where the potential does not know a species.
    """
    kinds_of(potential, atoms.names)
    transposed = transposed or needs_transposed(potential)
    if potential.cutoff > 0:
        wide = 0.1 * potential.cutoff if skin is None else float(skin)
        return allocate(atoms, potential.cutoff, skin=wide, transposed=transposed, spare=spare, kept=kept)
    size = float(np.max(np.ptp(np.concatenate([np.asarray(atoms.positions), np.asarray(atoms.cell)]), axis=0)))
    some = allocate(atoms, max(size, 1.0) / atoms.atoms ** (1 / 3), skin=0.0, transposed=transposed, spare=spare, kept=kept)
    return dataclasses.replace(some, cutoff=0.0, skin=math.inf)


def energy(potential: AbstractPotential, positions: Any, cell: Any, species: Any, neighbours: Neighbours) -> Any:
    """The energy alone [eV], a function that can be differentiated any number of times; `species` are the potential's
    numbers `(atoms,)`, for a sum of each part `(atoms, parts)`."""

    def one(part: AbstractPotential, kinds: Any) -> Any:
        if isinstance(part, AbstractGlobalPotential):
            return jnp.sum(part.shared_energies(positions, cell, kinds, neighbours.periodic))
        return jnp.sum(_present(part.atom_energies(pairs_of(positions, cell, kinds, neighbours, part.cutoff)), neighbours))

    return sum(one(part, kinds) for part, kinds in parts_of(potential, species))


def evaluate(
    potential: AbstractPotential, atoms: System, neighbours: Neighbours | None, *, dtype: Any = None, virials: bool = True,
    virial: bool = True,
) -> Evaluation:  # fmt: skip
    """Energy, forces and virial, of the whole and of each atom; `dtype` other than that of the positions computes pairs in it;
    without `virials` those of atoms are None, and without either, `virial` too. `neighbours`, from `md.neighbours_for`, may be
    None for potentials without pairs. Concrete numbers are computed in float64, whatever JAX is set to, and come as NumPy
    arrays; what is traced is computed in its own precision.

    **Raises** `ValueError` where the potential does not know a species, and for concrete numbers where energy or forces are
    not finite: which atoms lie on each other, or have more neighbours than the potential has places.
    """
    if not is_traced(potential, atoms, neighbours):
        # Inside somebody's jit, concrete numbers are computed at once; elsewhere that would compile anew.
        with float64(), jax.ensure_compile_time_eval() if is_recorded() else nullcontext():
            found = evaluated(*split(potential), seen_by(potential, atoms), neighbours, dtype, virials, virial)
        if not is_finite(found.energy, found.forces):
            crowded = "" if neighbours is None else crowd(potential, atoms, neighbours)
            raise not_finite("evaluate", atoms, found.energy, found.forces, neighbours, crowded)
        return found
    species = jnp.asarray(kinds_of(potential, atoms.names))[atoms.species]
    found = [_evaluated(part, atoms, kinds, neighbours, dtype, virials, virial) for part, kinds in parts_of(potential, species)]
    return found[0] if len(found) == 1 else jax.tree.map(lambda *each: sum(each), *found)


def evaluated(
    rest: Any, traced: Any, atoms: System, neighbours: Neighbours | None, dtype: Any = None, virials: bool = True,
    virial: bool = True,
) -> Evaluation:  # fmt: skip
    """`evaluate` of concrete numbers by the one program of a potential that was `split` and of atoms as it has `seen` them, as
    NumPy arrays."""
    dtype = None if dtype is None else np.dtype(dtype)
    return jax.tree.map(np.asarray, _concrete(rest, dtype, virials, virial, traced, atoms, neighbours))


@partial(compiled, static_argnums=(0, 1, 2, 3))
def _concrete(
    rest: Any, dtype: Any, virials: bool, virial: bool, traced: Any, atoms: System, neighbours: Neighbours | None
) -> Evaluation:
    return evaluate(eqx.combine(rest, traced), atoms, neighbours, dtype=dtype, virials=virials, virial=virial)


def _evaluated(
    potential: AbstractPotential, atoms: System, species: Any, neighbours: Neighbours | None, dtype: Any, virials: bool,
    virial: bool,
) -> Evaluation:  # fmt: skip
    if isinstance(potential, AbstractGlobalPotential):
        return _of_all(potential, atoms, species, virials, virial)
    if neighbours is None:
        raise ValueError(f"evaluate: {potential!r} needs a list of neighbours: md.neighbours_for(atoms, potential).")
    if isinstance(potential, AbstractPairPotential):
        return _of_pairs(potential, atoms, species, neighbours, dtype, virials, virial)
    pairs = pairs_of(atoms.positions, atoms.cell, species, neighbours, potential.cutoff)
    pairs = eqx.tree_at(lambda p: p.vectors, pairs, pairs.vectors.astype(dtype or pairs.vectors.dtype))
    each, slope = potential.energies_and_slopes(pairs)
    each = _present(each, neighbours)
    value = jnp.sum(each)
    slope = jnp.where(pairs.mask[..., None], slope, 0)
    by_neighbour = lambda y: collect(y, pairs.neighbour, pairs.transposed)  # noqa: E731
    columns = lambda x: [x[..., d] for d in range(3)]  # noqa: E731
    products = [s * v for s in columns(slope) for v in columns(pairs.vectors)] if virials or virial else []
    rows = row_sums(*columns(slope), *products)
    forces = jnp.stack(rows[:3], axis=1)[pairs.row] - by_neighbour(slope)
    each = each[pairs.row]
    if not products:
        return Evaluation(value, forces, None, each, None)
    total = -jnp.sum(jnp.stack(rows[3:], axis=1).astype(atoms.positions.dtype), axis=0).reshape(3, 3)
    if not virials:
        return Evaluation(value, forces, total, each, None)
    tensors = by_neighbour(jnp.stack(products, axis=-1).reshape(*slope.shape, 3))
    return Evaluation(value, forces, total, each, -tensors)


def _present(each: Any, n: Neighbours) -> Any:
    """Energies of rows, zero for padding."""
    return each if n.count is None else jnp.where(jnp.arange(len(each)) < n.count, each, 0)


def _of_all(potential: AbstractGlobalPotential, atoms: System, species: Any, virials: bool, virial: bool) -> Evaluation:
    """As `evaluate`; a strain e takes r to r (1 + e) and the cell h to h (1 + e)."""
    unit = jnp.eye(3, dtype=atoms.positions.dtype)

    def each(r: Any, strain: Any) -> Any:
        F = unit + strain
        return potential.shared_energies(r @ F, atoms.cell @ F, species, atoms.periodic)

    def total(r: Any) -> tuple[Any, Any]:
        found = each(r, 0 * unit)
        return jnp.sum(found), found

    (value, found), slope = jax.value_and_grad(total, has_aux=True)(atoms.positions)
    if not (virials or virial):
        return Evaluation(value, -slope, None, found, None)
    if not virials:
        work = jax.grad(lambda strain: jnp.sum(each(atoms.positions, strain)))(0 * unit)
        return Evaluation(value, -slope, -work, found, None)
    tensors = -jax.jacfwd(lambda strain: each(atoms.positions, strain))(0 * unit)
    return Evaluation(value, -slope, jnp.sum(tensors, axis=0), found, tensors)


def _of_pairs(
    potential: AbstractPairPotential, atoms: System, species: Any, n: Neighbours, dtype: Any, virials: bool, virial: bool
) -> Evaluation:
    """As `evaluate`. Each pair is in the list twice, so that what an atom feels is in its own row. Each coordinate is an
    array of its own and all sums are one reduction, so that XLA makes one loop of it: 4 ms for 32,000 atoms instead of 50."""
    dtype = dtype or atoms.positions.dtype
    one = len(atoms.names) == 1
    kinds = None if one else jnp.append(jnp.take(species, n.owner, mode="fill", fill_value=0), 0)
    x, y, z = (jnp.append(u.astype(dtype), jnp.asarray(jnp.inf, dtype)) for u in n.coordinates(atoms.positions, atoms.cell))
    limit = jnp.asarray(potential.cutoff, dtype) ** 2
    # Every index is one of an entry, or the one appended.
    near = lambda u: u.at[n.index].get(mode="promise_in_bounds")  # noqa: E731
    dx, dy, dz = (near(u) - u[n.entry][:, None] for u in (x, y, z))
    square = dx**2 + dy**2 + dz**2
    held = square < limit
    own = int(kinds_of(potential, atoms.names)[0])
    a, b = (own, own) if one else (kinds[n.entry][:, None], near(kinds))  # type: ignore[index]
    value, slope = _with_slope(lambda s: potential.pair_energies(s, a, b), jnp.where(held, square, limit))
    value, slope = jnp.where(held, value, 0), jnp.where(held, slope, 0)
    dx, dy, dz = (jnp.where(held, d, 0) for d in (dx, dy, dz))
    fx, fy, fz = (slope * d for d in (dx, dy, dz))
    products = (fx * dx, fx * dy, fx * dz, fy * dy, fy * dz, fz * dz) if virials or virial else ()
    found = jnp.stack(row_sums(value, fx, fy, fz, *products), axis=1)[n.row]
    each, forces = found[:, 0] / 2, 2 * found[:, 1:4]
    full = np.array([4, 5, 6, 5, 7, 8, 6, 8, 9])
    if not virials:
        total = -jnp.sum(found, axis=0)[full].reshape(3, 3) if virial else None
        return Evaluation(jnp.sum(each), forces, total, each, None)
    tensors = -found[:, full].reshape(-1, 3, 3)
    return Evaluation(jnp.sum(each), forces, jnp.sum(tensors, axis=0), each, tensors)


def _with_slope(function: Any, x: Any) -> tuple[Any, Any]:
    return jax.jvp(function, (x,), (jnp.ones_like(x),))


def crowd(potential: AbstractPotential, atoms: System, n: Neighbours) -> str:
    """Which atom has more neighbours than the potential has places for, in words, or nothing."""
    if isinstance(potential, Sum):
        return next(filter(None, (crowd(part, atoms, n) for part in potential.parts)), "")
    if not hasattr(potential, "crowded"):
        return ""
    kinds = jnp.asarray(kinds_of(potential, atoms.names))[atoms.species]
    found = potential.crowded(pairs_of(jnp.asarray(atoms.positions), n.cell, kinds, n, potential.cutoff))  # type: ignore
    return f"{found} Check the density, or train a model with larger sel." if found else ""
