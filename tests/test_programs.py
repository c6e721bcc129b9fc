"""Arrays that a program captures are arguments of it."""

import jax.numpy as jnp
import numpy as np

import sciml
from sciml import PDE, Box, Dirichlet, Initial, coordinates, field, solvers
from sciml._programs import Program

x, t = coordinates("x t")
u = field("u", x, t)


def longest_line(lowered):
    return max(map(len, lowered.as_text().splitlines()))


def test_captured_arrays_are_arguments_and_equal_ones_are_passed_once():
    M = np.random.default_rng(0).normal(size=(128, 128))
    with sciml.float64():
        program = Program(lambda v, s: {"out": s * (jnp.asarray(M) @ (jnp.asarray(M.copy()) @ v))})
        v = np.ones(128)
        assert np.allclose(program(v, 2.0)["out"], 2 * M @ (M @ v), rtol=1e-12)
        ((_, captured, _),) = program._kept.values()
        assert [a.shape for a in captured] == [M.shape]
        assert longest_line(program.lower(v, 2.0)) < 2000
        program(v, 3.0)
        assert len(program._kept) == 1


def test_programs_of_a_problem_and_of_its_solution_hold_no_matrix_and_no_trajectory():
    pde = PDE(u.t - u.xx + u * u.x, Initial(u, x * (1 - x)), Dirichlet(u, 0))
    box = Box(x=(0, 1), t=(0, 0.1))
    problem = solvers.compile(pde, box, grid=128)
    times = np.array([0.0, 0.1])
    problem.run(save_at=times, steps=2)
    (program,) = problem.programs.values()
    with sciml.float64():
        assert longest_line(program.lower(None, None, times, 1e-8)) < 2000
    found = solvers.solve(pde, box, grid=128, save_at=np.linspace(0, 0.1, 5), steps=1, progress=False)
    found.u(0.5, 0.05)
    with sciml.float64():
        assert longest_line(found._compiled(((0, 0),)).lower(np.array([[0.5, 0.05]]), None)) < 2000
