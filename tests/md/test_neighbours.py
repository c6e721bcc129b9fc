"""Lists of neighbours against brute force, and the linear operation from positions to pairs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sciml
from sciml import md
from sciml.md._gather import collect, gather

CUTOFF = 3.0


def random_system(seed):
    """A triclinic cell, small ones too, open along any vector."""
    rng = np.random.default_rng(seed)
    cell = np.diag(rng.uniform(1.5, 11, 3)) + rng.uniform(-1.2, 1.2, (3, 3))
    periodic = rng.random(3) < 0.7
    n = int(rng.integers(1, 40))
    positions = rng.uniform(-1, 2, (n, 3)) @ cell
    return md.system(positions, ["A", "B"] * (n // 2) + ["A"] * (n % 2), cell=cell, periodic=periodic, masses=1.0)


def brute(atoms, reach):
    """All pairs (i, j, vector), by looking at every image that could matter."""
    cell, r = atoms.cell, atoms.positions
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    span = np.ptp(r @ np.linalg.inv(cell), axis=0)
    m = [int(np.ceil(reach / h + s)) if p else 0 for h, s, p in zip(heights, span, atoms.periodic, strict=True)]
    found = []
    for shift in np.stack(np.meshgrid(*(np.arange(-k, k + 1) for k in m), indexing="ij"), axis=-1).reshape(-1, 3):
        apart = r[None] + shift @ cell - r[:, None]
        near = np.sum(apart**2, axis=-1) < reach**2
        if not shift.any():
            np.fill_diagonal(near, False)
        found += [(i, j, *np.round(apart[i, j], 6)) for i, j in zip(*np.nonzero(near), strict=True)]
    return sorted(found)


def listed(atoms, n):
    index, owner, image = (np.asarray(a) for a in (n.index, n.owner, n.image))
    r = np.asarray(n.at(jnp.asarray(atoms.positions), jnp.asarray(n.cell)))
    found = []
    for row, k in zip(*np.nonzero(index < len(owner)), strict=True):
        i, j = n.entry[row], index[row, k]
        assert owner[i] == n.atom[row] and owner[j] < atoms.atoms
        found.append((int(owner[i]), int(owner[j]), *np.round(r[j] - r[i], 6)))
    return sorted(found)


@pytest.mark.parametrize("seed", range(12))
def test_it_is_that_of_brute_force(seed):
    atoms = random_system(seed)
    with sciml.float64():
        neighbours = md.allocate(atoms, CUTOFF - 0.5, skin=0.5)
        assert not bool(neighbours.overflow)
        mine, theirs = listed(atoms, neighbours), brute(atoms, CUTOFF)
    assert len(mine) == len(theirs)
    np.testing.assert_allclose(np.array(mine), np.array(theirs).reshape(np.array(mine).shape), atol=2e-6)


def test_what_does_not_fit_is_said():
    atoms = md.fcc(1.6, 3, "A")
    with sciml.float64():
        neighbours = md.allocate(atoms, 1.5, skin=0.1)
        crowded = neighbours.update(jnp.asarray(atoms.positions) * 0.5, neighbours.cell)
        assert not bool(neighbours.overflow) and bool(crowded.overflow)
        assert bool(neighbours.update(jnp.full_like(neighbours.positions, jnp.nan), neighbours.cell).overflow)
        assert not bool(neighbours.is_stale(neighbours.positions + 0.02, neighbours.cell * 1.0))
        assert bool(neighbours.is_stale(neighbours.positions.at[0, 0].add(0.06), neighbours.cell))
        assert bool(neighbours.is_stale(neighbours.positions @ jnp.diag(jnp.array([0.9, 1, 1])), neighbours.cell * jnp.array([0.9, 1, 1])))  # noqa: E501


def test_gather_and_collect_are_transposes_differentiable_and_batched():
    atoms = random_system(3)
    with sciml.float64():
        n = md.allocate(atoms, 2.0)
        index, transposed = jnp.take(n.owner, n.index, mode='fill', fill_value=atoms.atoms), n.transposed
        rng = np.random.default_rng(0)
        x, y = jnp.asarray(rng.normal(size=(atoms.atoms, 2))), jnp.asarray(rng.normal(size=(*index.shape, 2)))
        left, right = jnp.sum(gather(x, index, transposed) * y), jnp.sum(x * collect(y, index, transposed))
        np.testing.assert_allclose(left, right, rtol=1e-12)
        once = jax.grad(lambda x: jnp.sum(gather(x, index, transposed) * y))(x)
        np.testing.assert_allclose(once, collect(y, index, transposed))
        cube = lambda x: jnp.sum(gather(x, index, transposed) ** 3)  # noqa: E731
        hessian = jax.hessian(cube)(x).reshape(x.size, x.size)
        np.testing.assert_allclose(hessian, np.diag(np.diag(hessian)))
        several = jnp.stack([x, 2 * x, -x])
        np.testing.assert_allclose(jax.vmap(jax.grad(cube))(several), jnp.stack([jax.grad(cube)(v) for v in several]))
