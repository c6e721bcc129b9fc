"""The precision boundary: float64 inside whatever JAX is set to, and the user's setting left alone."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sciml
from sciml import PDE, Box, Dirichlet, Initial, Solution, coordinates, field, nn, pinn
from sciml.pinn._final import NetworkFinal

x, t = coordinates("x t")
u = field("u", x, t)
heat = PDE(u.t - u.xx, Initial(u, 1), Dirichlet(u, 0))  # contradicts itself in the corners: one penalised block
domain = Box(x=(0, 1), t=(0, 1))


@pytest.fixture(scope="module")
def problem():
    return pinn.compile(heat, domain, nn.MLP(2, 1, width=4, depth=2, key=0))


@pytest.fixture(scope="module")
def solution(problem):
    return Solution(heat, problem.domain, NetworkFinal(problem, problem.params))


def test_import_changes_no_setting_and_prints_nothing():
    code = (
        "import jax; before = dict(jax.config.values); import sciml; "
        "changed = {k for k, v in jax.config.values.items() if k in before and v != before[k]}; "
        "assert not changed, changed; import jax.numpy as jnp; assert jnp.zeros(1).dtype == 'float32'"
    )
    # XLA itself may print alarms where it reads a program that another process has compiled.
    alone = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=_root(), env=alone)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def _root():
    return str(next(iter(sciml.__path__)).removesuffix("sciml"))


@pytest.mark.parametrize("inside", [False, True])
def test_float64_restores_the_setting(inside):
    with jax.enable_x64(inside):
        with sciml.float64():
            assert jnp.asarray(1.0).dtype == "float64"
        assert jnp.asarray(1.0).dtype == ("float64" if inside else "float32")
        with pytest.raises(KeyError), sciml.float64():
            raise KeyError
        assert jnp.asarray(1.0).dtype == ("float64" if inside else "float32")


@pytest.mark.parametrize("x64", [False, True])
def test_solve_gives_numpy_float64(x64):
    with jax.enable_x64(x64):
        s = pinn.solve(
            heat, domain, pinn.Adam(steps=2), network=nn.MLP(2, 1, width=4, depth=1, key=0), points=16, progress=False
        )
        assert all(type(a) is np.ndarray and a.dtype == np.float64 for a in jax.tree.leaves(s.final.params["network"]))
        assert type(s.u(0.5, 0.5)) is np.float64
        values = s.u(jnp.linspace(0, 1, 3, dtype=jnp.float32), 0.5)
        assert type(values) is np.ndarray and values.dtype == np.float64
        assert jnp.asarray(1.0).dtype == ("float64" if x64 else "float32")


def test_values_do_not_depend_on_the_setting(solution):
    found = []
    for x64 in (False, True, False):
        with jax.enable_x64(x64):
            found.append((solution.u(0.3, 0.4), solution.u.xx(0.3, 0.4)))
    assert found[0] == found[1] == found[2]
    # More than float32 could hold:
    assert found[0][0] != np.float64(np.float32(found[0][0]))


@pytest.mark.parametrize(
    ("x64", "given", "expected"),
    [
        (False, "float32", "float32"),
        (True, "float32", "float32"),
        (True, "float64", "float64"),
        (False, "float32", "float32"),
    ],
)
def test_under_transformations_the_dtype_of_the_input_is_followed(solution, x64, given, expected):
    with jax.enable_x64(x64):
        a = jnp.asarray([0.3, 0.6], given)
        results = {
            "jit": jax.jit(lambda a: solution.u(a, 0.25))(a),
            "grad": jax.grad(lambda a: solution.u(a, 0.25))(a[0]),
            "vmap": jax.vmap(lambda a: solution.u.x(x=a, t=0.25))(a),
        }
        assert {k: v.dtype.name for k, v in results.items()} == dict.fromkeys(results, expected)
        exact = np.asarray([0.3, 0.6], given).astype(float)
        tolerance = 1e-4 if expected == "float32" else 1e-12
        np.testing.assert_allclose(results["jit"], solution.u(exact, 0.25), rtol=tolerance)
        np.testing.assert_allclose(results["grad"], solution.u.x(exact[0], 0.25), rtol=tolerance)
        np.testing.assert_allclose(results["vmap"], solution.u.x(exact, 0.25), rtol=tolerance)


@pytest.mark.parametrize("x64", [False, True])
def test_concrete_numbers_inside_a_transformation_are_computed_at_once(solution, x64):
    with jax.enable_x64(x64):
        doubled = jax.jit(lambda a: a * solution.u(0.5, 0.25))(2.0)
        np.testing.assert_allclose(doubled, 2 * solution.u(0.5, 0.25), rtol=1e-6)


def test_a_traced_problem_says_what_to_do_while_jax_is_in_32_bits(problem):
    points = problem.sample(16)
    with jax.enable_x64(False):
        for function in (problem.loss, problem.rows, problem.residuals):
            with pytest.raises(ValueError, match=r"32 bits.*`with sciml\.float64\(\):`"):
                jax.jit(lambda p, function=function: function(p, points))(problem.params)
        loss = problem.loss(problem.params, points)  # concrete numbers need no scope
        assert np.asarray(loss).dtype == np.float64 and not isinstance(loss, jax.Array)
    with sciml.float64():
        traced = jax.jit(problem.loss)(problem.params, points)
        assert traced.dtype == "float64"
        np.testing.assert_allclose(traced, loss, rtol=1e-12)
