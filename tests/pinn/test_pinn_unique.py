"""Does the problem determine its answer? What it leaves open is said: parameters, constants, whole functions; or refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp
from jax.flatten_util import ravel_pytree

import sciml
from sciml import (
    PDE,
    Box,
    Condition,
    Dirichlet,
    Disk,
    Initial,
    Neumann,
    Observed,
    Periodic,
    coordinates,
    field,
    fields,
    laplacian,
    nn,
    parameter,
    pinn,
)
from sciml.pinn._null_space import left_open
from sciml.pinn._objective import Batch, make_objective
from sciml.pinn._uncertainty import learned_parameters
from sciml.statement._floating import floating
from sciml.statement._undetermined import check_unknowns, said_before

x, y, t = coordinates("x y t")
u = field("u", x, t)
v = field("v", x)
w = field("w", x, y)
line, square = Box(x=(0, 1)), Box(x=(0, 1), y=(0, 1))
pi = sp.pi


# -- parameters that the data do not determine -------------------------------------------------------------------------


def fitted(pde, domain, network, steps=10, points=300):
    """Gauss-Newton on a layer of random waves; learned parameters and notes."""
    problem = pinn.compile(pde, domain, network)
    with sciml.float64():
        objective, _ = make_objective(problem, problem.params)
        method = pinn.LeastSquares()
        batch = Batch(
            jax.tree.map(jnp.asarray, problem.sample(points)),
            {b.name: jnp.asarray(1e4 if b.kind != "data" else 1.0) for b in problem.blocks},
        )

        # The fields for the unknowns as they start, then everything.
        held, q = make_objective(problem, problem.params["network"], lambda n, unknowns: {"network": n, "unknowns": unknowns})
        start = jax.tree.map(jnp.asarray, problem.params["unknowns"])

        @jax.jit
        def fit(batch):
            first = Batch(batch.points, batch.weights, start)
            network = held.unravel(method.step(held, method.init(held, q, first), first).p)
            state = method.init(objective, ravel_pytree({"network": network, "unknowns": start})[0], batch)
            return jax.lax.fori_loop(0, steps, lambda _, s: method.step(objective, s, batch), state).p

        return learned_parameters(problem, objective.unravel(fit(batch)))


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_only_the_sum_is_determined_and_what_has_no_influence_is_not(noise):
    s = field("s", t)
    p, q, r = parameter("p", initial=0.2), parameter("q", initial=0.9), parameter("r", initial=0.3)
    at = np.linspace(0, 1, 50)
    values = np.exp(-at) + noise * np.random.default_rng(0).normal(size=50)
    pde = PDE(
        s.t + (p + q) * s + r * sp.Heaviside(t - 2), Initial(s, 1), Observed(s, at, values, noise=noise or None)
    )
    found, (note,) = fitted(pde, Box(t=(0, 1)), nn.RandomFeatures(1, 1, features=25, scale=2.0, key=0))
    assert all(np.isinf(f.standard_error) for f in found.values())
    assert repr(found["p"]).startswith("p is not determined by these data (it stopped at ")
    assert note.startswith("p, q and r are not determined by these data; 1 p + 1 q is, to ")
    error = float(note.rsplit(" to ", 1)[1].rstrip("."))
    if noise:
        slope = -at * np.exp(-at)
        assert error == pytest.approx(noise / np.linalg.norm(slope), rel=0.3)
        assert abs(found["p"].value + found["q"].value - 1) < 4 * error
    else:  # exact data: as small as what is left of the misfit
        assert abs(found["p"].value + found["q"].value - 1) < 1e-6 and error < 1e-6


def observed(b, noise, start=(0.4, 0.5, 0.2)):
    """u_t = a u_xx + b u_x + c u from sin(pi x) between walls at zero."""
    rng, a, c = np.random.default_rng(1), 0.5, 0.3
    points = rng.uniform([0.05, 0], [0.95, 1], (100, 2))
    z, weights = np.polynomial.legendre.leggauss(60)
    z, weights = (z + 1) / 2, weights / 2
    values = 0.0
    for n in range(1, 30):
        share = 2 * np.sum(weights * np.exp(b * z / 2 / a) * np.sin(np.pi * z) * np.sin(n * np.pi * z))
        decay = np.exp((c - b**2 / 4 / a - a * (n * np.pi) ** 2) * points[:, 1])
        values = values + share * decay * np.sin(n * np.pi * points[:, 0])
    values = values * np.exp(-b * points[:, 0] / 2 / a) + noise * rng.normal(size=100)
    A, B, C = (parameter(name, initial=i, positive=name == "a") for name, i in zip("abc", start, strict=True))
    return PDE(
        u.t - A * u.xx - B * u.x - C * u,
        Initial(u, sp.sin(pi * x)),
        Dirichlet(u, 0),
        Observed(u, points, values, noise=noise or None),
    )


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_three_coefficients_seen_through_one_mode(noise):
    network = nn.RandomFeatures(2, 1, features=120, scale=5.0, key=0)
    found, (note,) = fitted(observed(0.0, noise), Box(x=(0, 1), t=(0, 1)), network)
    assert [np.isinf(found[n].standard_error) for n in "abc"] == [True, False, True]
    assert note.startswith("a and c are not determined by these data; 9.87 a - 1 c is, to ")
    error = float(note.rsplit(" to ", 1)[1].rstrip("."))
    assert abs(np.pi**2 * found["a"].value - found["c"].value - (np.pi**2 * 0.5 - 0.3)) < 5 * error + 1e-5
    assert error < (0.2 if noise else 0.02)


def test_three_coefficients_seen_through_several_modes():
    network = nn.RandomFeatures(2, 1, features=150, scale=5.0, key=0)
    found, notes = fitted(observed(1.0, 0.01, start=(0.5, 1.0, 0.3)), Box(x=(0, 1), t=(0, 1)), network, steps=0)
    assert notes == ()
    for name, true in (("a", 0.5), ("b", 1.0), ("c", 0.3)):
        assert found[name].value == pytest.approx(true) and 0.01 < found[name].standard_error < 10


# -- constants ---------------------------------------------------------------------------------------------------------

waves = nn.RandomFeatures(2, 1, features=100, scale=4.0, key=0)


def neumann(*pins, source=2 * pi**2 * sp.cos(pi * x) * sp.cos(pi * y)):
    return PDE(-laplacian(w) - source, Neumann(w, 0), *pins)


@pytest.mark.parametrize("pin", [None, Dirichlet(w, 3, on={"x": 0, "y": 0}), Condition(w - 3, on={"x": 0, "y": 0})])
def test_what_is_known_up_to_a_constant_has_the_mean_zero_or_the_value_at_its_point(pin, tmp_path):
    pde = neumann() if pin is None else neumann(pin)
    s = pinn.solve(pde, square, pinn.LeastSquares(steps=1), network=waves, points=250, progress=False)
    exact = lambda x, y: np.cos(np.pi * x) * np.cos(np.pi * y) + (0 if pin is None else 2)  # noqa: E731
    assert float(s.error(exact)) < 1e-4
    assert [("known up to a constant" in n and "mean zero" in n) for n in s.notes] == ([True] if pin is None else [])
    if pin is None:
        assert abs(s.integrate(w)) < 1e-12
    else:
        assert s.w(0, 0) == pytest.approx(3, abs=1e-12) and s.conditions[pin.name] < 1e-12
    again = sciml.Solution.load(s.save(tmp_path / "s.npz"))
    assert again.w(0.3, 0.2) == s.w(0.3, 0.2) and again.notes == s.notes


def test_a_pin_is_not_in_the_trial_function():
    problem = pinn.compile(neumann(Dirichlet(w, 3, on={"x": 0, "y": 0})), square, waves)
    assert "a constant that is added to w" in problem.exactness.exact["dirichlet w on x = 0, y = 0"]
    assert [b.name for b in problem.blocks] == ["equation", "neumann w"]


def test_which_fields_float():
    a, b, p = fields("a b p", x, y)
    flow = (a * a.x + b * a.y + p.x - laplacian(a), a * b.x + b * b.y + p.y - laplacian(b), a.x + b.y)
    walls = Dirichlet((a, b), 0)
    pin = Dirichlet(p, 1, on={"x": 0, "y": 0})
    assert floating(PDE(*flow, walls))["p"].pin is None
    assert floating(PDE(*flow, walls, pin))["p"].pin.value == 1
    assert not floating(PDE(*flow, walls, pin, Dirichlet(p, 2, on={"x": 1, "y": 0}, name="second")))
    assert not floating(PDE(*flow, walls, Dirichlet(p, 0, on="x_max")))
    assert not floating(PDE(*flow, walls, Observed(p, [[0.5, 0.5]], [1.0])))
    assert not floating(PDE(laplacian(w) + w, Neumann(w, 0)))
    a, p = fields("a p", x, t)
    (found,) = floating(PDE(a.t - a.xx + p.x, a.x + p.xx, Initial(a, 0), Dirichlet(a, 0), Neumann(p, 0))).values()
    assert found.free == ("t",) and "at every t" in found.told("p")


def test_a_pressure_in_time_has_the_mean_zero_at_every_time():
    a, p = fields("a p", x, t)
    pde = PDE(a.t - a.xx, p.xx - a.x, Initial(a, sp.sin(pi * x)), Dirichlet(a, 0), Neumann(p, 0))
    network = nn.RandomFeatures(2, 2, features=80, scale=4.0, key=0)
    s = pinn.solve(pde, Box(x=(0, 1), t=(0, 0.2)), pinn.LeastSquares(steps=1), network=network, points=200, progress=False)
    for now in (0.0, 0.13):
        assert abs(s.integrate(p, t=now)) < 1e-9
        assert s.p(1.0, now) - s.p(0.0, now) == pytest.approx(2 / np.pi * np.exp(-(np.pi**2) * now), rel=1e-3)


# -- compatibility, zero, unknowns -------------------------------------------------------------------------------------


def said(*items, on=square):
    return said_before(PDE(*items), on.resolve({}))


def test_fluxes_that_do_not_balance_are_refused():
    with pytest.raises(ValueError, match=r"There is no solution: the source of 'equation' adds up to -1 .* boundary to 0"):
        pinn.solve(neumann(source=1), square, progress=False)
    with pytest.raises(ValueError, match=r"adds up to 0 .* boundary to -1, .*Prescribe a value of v"):
        said(2.5 * v.xx, Neumann(v, 0, on="x_min"), Condition(2.5 * v.x + 1, on="x_max"), on=Box(x=(0, 50)))
    with pytest.raises(ValueError, match="adds up to 1 .* take 1 off the source"):
        said(v.xx + 1, Periodic(x), on=line)
    with pytest.raises(ValueError, match="adds up to -3.14159 .* boundary to 6.28319"):
        said(laplacian(w) - 1, Neumann(w, 1), on=Disk((0, 0), 1))
    a, b, p = fields("a b p", x, y)
    stokes = (p.x - laplacian(a), p.y - laplacian(b), a.x + b.y)
    walls = Dirichlet((a, b), 0, on=("x_max", "y_min", "y_max"))
    with pytest.raises(ValueError, match="boundary to -0.166667.*Leave a part of the boundary open"):
        said(*stokes, walls, Dirichlet((a, b), (y * (1 - y), 0), on="x_min"))


def test_fluxes_that_balance_are_not():
    window = sp.Piecewise((5, sp.Abs(y - 0.5) < 0.1), (0, True))
    sides = Neumann(w, -window, on="x_min"), Neumann(w, window, on="x_max"), Neumann(w, 0, on=("y_min", "y_max"))
    assert said(laplacian(w), *sides) == ()
    assert said(laplacian(w) - 2, Neumann(w, 1), on=Disk((0, 0), 1)) == ()
    assert said(laplacian(w) + 1, Neumann(w, 0, on=("x_min", "y_min", "y_max")), Dirichlet(w, 0, on="x_max")) == ()
    (note,) = said(laplacian(w) - 1.0002, Neumann(w, 1, on="x_min"), Neumann(w, 0, on=("x_max", "y_min", "y_max")))
    assert "Strictly there is no solution" in note


def test_zero_as_a_solution_is_said():
    (note,) = said(v.xx + pi**2 * v, Dirichlet(v, 0), on=line)
    assert note.startswith("v = 0 solves everything that was stated") and "a normalisation is missing" in note
    drift = sp.diff((0.5 * x - 0.5 * x**3) * v, x) - v.xx / 8
    assert said(drift, Dirichlet(v, 0), on=line) == (note,)
    assert said(v.xx + pi**2 * v, Dirichlet(v, 0, on="x_min"), Dirichlet(v, 1, on="x_max"), on=line) == ()
    assert said(v.xx + 1, Dirichlet(v, 0), on=line) == ()
    narrow = sp.exp(-(((x - 0.1234) / 1e-7) ** 2))  # no sample sees it
    assert said(v.xx + narrow, Dirichlet(v, 0), on=line) == ()


def test_an_unknown_that_nothing_determines_is_refused():
    k, norm = parameter("k", initial=0.5), field("norm", x)
    start, walls, place = Initial(u, sp.sin(pi * x)), Dirichlet(u, 0), Box(x=(0, 1), t=(0, 1))
    eigen = (v.xx / 2 + k * v, Dirichlet(v, 0))
    for pde, on in (
        (PDE(u.t - k * u.xx, start, walls), place),
        (PDE(u.t - u.xx, Initial(u, k * sp.sin(pi * x)), walls), place),
        (PDE(*eigen), line),
        (PDE(v.xxxx - k**4 * v, Dirichlet(v, 0), Neumann(v, 0)), line),
        (PDE(v.x - k * v, Dirichlet(v, 1, on="x_min")), line),
    ):
        with pytest.raises(ValueError, match="k is an unknown of the problem, but nothing determines it"):
            pinn.solve(pde, on, progress=False)
    for items, on in (
        ((u.t - k * u.xx, start, walls, Observed(u, [[0.5, 0.1]], [0.3])), place),
        ((*eigen, Neumann(v, -1, on="x_min")), line),
        ((v.xxxx - k**4 * v, Dirichlet(v, 0), Neumann(v, 0), Condition(v.xx - 1, on="x_min")), line),
        ((v.x - k * v, Dirichlet(v, 1, on="x_min"), Dirichlet(v, 2, on="x_max")), line),
        ((*eigen, norm.x - v**2, Dirichlet(norm, 0, on="x_min"), Dirichlet(norm, 1, on="x_max")), line),
        ((u.t - u.xx - k, start, walls, Condition(u - 1, on={"x": 0.5, "t": 1.0})), place),
        ((laplacian(w) - k, Neumann(w, 1)), square),
    ):
        check_unknowns(PDE(*items), on.resolve({}))


# -- functions that can be added ---------------------------------------------------------------------------------------


def matrices(pde, domain, features=100, scale=3.0):
    """(J, V) of a layer of random waves for a linear problem."""
    problem = pinn.compile(pde, domain)
    d, m = len(problem.pde.coordinates), len(problem.pde.fields)
    with sciml.float64():
        problem = problem.with_network(
            nn.RandomFeatures(d, m, features=features, scale=scale, periodic=problem.exactness.periodic, key=0)
        )
        objective, p = make_objective(problem, problem.params)
        points = jax.tree.map(jnp.asarray, problem.sample(2 * features))
        at = jnp.asarray(points["interior"].x)
        J = jax.jit(objective.jacobian)(p, Batch(points, {k: 1.0 for k in problem.weights}))[1]
        values = lambda p, x: problem.trial(objective.unravel(p)["network"], x) / jnp.asarray(problem.trial.scales)  # noqa: E731
        V = jax.jit(jax.vmap(jax.jacrev(values), (None, 0)))(p, at)
        return np.asarray(J), np.asarray(V).swapaxes(0, 1).reshape(m * len(at), -1) / np.sqrt(len(at))


ends = {"on": "x_min"}, {"on": "x_max"}
OPEN = {
    "resonance": (PDE(v.xx + pi**2 * v, Dirichlet(v, 0)), line, 1),
    "a constant": (PDE(v.xx + sp.sin(2 * pi * x), Periodic(x)), line, 1),
    "of order four": (
        PDE(v.xxxx + 1, Dirichlet(v, 0), Condition(v.xx, on="x_min"), Condition(v.xxxx + 1, on="x_max", name="again")),
        line,
        1,
    ),
}
CLOSED = {
    "poisson": (PDE(laplacian(w) + 1, Dirichlet(w, 0)), square),
    "mixed": (PDE(laplacian(w) + 1, Dirichlet(w, 0, on="x_min"), Neumann(w, 0, on=("x_max", "y_min", "y_max"))), square),
    "high": (PDE(v.xx + 900 * v + 1, Dirichlet(v, 0)), line),
    "beam": (PDE(v.xxxx + 1, Dirichlet(v, 0), Neumann(v, 0)), line),
    "hinged": (PDE(v.xxxx + 1, Dirichlet(v, 0), Condition(v.xx)), line),
    "in SI units": (PDE(1e-9 * v.xx + 1e5, Dirichlet(v, 300, **ends[0]), Dirichlet(v, 400, **ends[1])), Box(x=(0, 1e-6))),
    "stiff": (PDE(0.001 * v.xx + v.x - 1, Dirichlet(v, 0)), line),
    "transport": (PDE(v.x - 1, Dirichlet(v, 0, **ends[0])), line),
}


@pytest.mark.parametrize("name", OPEN)
def test_a_function_that_can_be_added_is_found(name):
    pde, domain, count = OPEN[name]
    functions, several, change = left_open(*matrices(pde, domain))
    assert functions.shape[1] == count and not several and change < 1e-3


@pytest.mark.parametrize("name", CLOSED)
def test_no_false_alarm(name):
    assert left_open(*matrices(*CLOSED[name])) is None


def test_resonance_is_said_by_solve():
    s = pinn.solve(PDE(v.xx + pi**2 * v, Dirichlet(v, 0)), line, progress=False)
    assert "v = 0 solves everything" in s.notes[0]
    assert s.notes[1].startswith("The problem does not determine v: a function can be added")
