"""Where there is no place of rest, `relax` says what helps; more steps do not (../shared/cases/results.md, bad inputs)."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from sciml import md


class Attraction(md.AbstractPairPotential):
    """-1 / r: without a lower bound."""

    cutoff: float = eqx.field(static=True, default=10.0)

    def pair_energies(self, square, a, b):
        return -1 / jnp.sqrt(square)


PAIR = md.system([[0, 0, 0], [2.0, 0, 0]], "Ar")
FALL = r"Atoms 0 \(Ar\) and 1 \(Ar\) are .* apart: they fell into each other, where this potential has no lower bound.*md.ZBL"


@pytest.mark.parametrize("method", [md.LBFGS(), md.FIRE()])
def test_atoms_that_fall_into_each_other(method):
    with pytest.raises(RuntimeError, match=FALL):
        md.relax(PAIR, Attraction(), method)
    left = md.relax(PAIR, Attraction(), method, throw=False)
    assert not left.converged and np.isfinite(left.energy)


def test_a_bond_that_pushes():
    with pytest.raises(RuntimeError, match="The atoms flew apart, from 2 to .*the energy has no lower bound there"):
        md.relax(PAIR, md.HarmonicBonds([[0, 1]], -1.0, 1.0))


def test_a_cell_that_is_torn():
    lj = md.LennardJones(0.0104, 3.4, cutoff=6.0)
    with pytest.raises(RuntimeError, match="The cell grew from 5.3 to .*Take a pressure that is not below"):
        md.relax(md.fcc(5.3, 1, "Ar"), lj, cell=True, pressure=-1e5)


def test_too_few_steps():
    lj = md.LennardJones(0.0104, 3.4, cutoff=6.0)
    off = eqx.tree_at(lambda s: s.positions, md.fcc(5.3, 1, "Ar"), md.fcc(5.3, 1, "Ar").positions + 0.2 * np.eye(4, 3))
    with pytest.raises(RuntimeError, match="Allow more steps"):
        md.relax(off, lj, steps=2)
