"""`md.evaluate` by hand, and names that are no elements (../shared/cases/results.md, M10, M15)."""

import warnings

import jax
import numpy as np
import pytest

import sciml
from sciml import md

ARGON = md.system(md.fcc(5.4, 2, "Ar").positions + 0.05 * np.random.default_rng(0).normal(size=(32, 3)), "Ar", cell=10.8)
LJ = md.LennardJones(0.0104, 3.4, cutoff=5.0)


def test_concrete_numbers_are_computed_in_float64():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = md.evaluate(LJ, ARGON, md.neighbours_for(ARGON, LJ))
    with sciml.float64():
        right = md.evaluate(LJ, ARGON, md.neighbours_for(ARGON, LJ))
    assert found.energy.dtype == found.forces.dtype == np.float64
    assert found.energy == right.energy and np.array_equal(found.forces, right.forces)


def test_inside_of_jit_concrete_numbers_are_computed_at_once():
    neighbours, found = md.neighbours_for(ARGON, LJ), []
    with sciml.float64():
        jax.jit(lambda x: found.append(md.evaluate(LJ, ARGON, neighbours)) or x)(1.0)
    assert found[0].energy == pytest.approx(float(md.evaluate(LJ, ARGON, neighbours).energy), rel=1e-13)
    assert isinstance(found[0].forces, np.ndarray)


@pytest.mark.parametrize(("name", "hint"), [("ar", "do you mean Ar?"), ("Fe2+", "do you mean Fe?"), ("Type_0", "Give masses")])
def test_a_mass_of_one_is_told(name, hint):
    with pytest.warns(UserWarning, match=f"{name.replace('+', '.')} is no element, and mass 1 amu is taken") as told:
        md.system([[0.0, 0, 0]], name)
    assert hint in str(told[0].message)


def test_no_word_where_masses_are_given_or_units_have_none():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        md.system([[0.0, 0, 0]], "bead", masses=72.0)
        md.system([[0.0, 0, 0]], "bead", units=md.REDUCED)
        md.system([[0.0, 0, 0]], "Ar")
