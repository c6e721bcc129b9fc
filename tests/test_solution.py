"""A Solution is called, compared, integrated, exported, saved and read back."""

import dataclasses
import pickle
import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp

import sciml
from sciml import (
    PDE,
    Box,
    Dirichlet,
    Disk,
    Initial,
    Neumann,
    Periodic,
    Solution,
    Time,
    coordinates,
    field,
    fields,
    laplacian,
    nn,
    normal,
    pinn,
)
from sciml.pde._names import SOLUTION_NAMES
from sciml.pinn._final import NetworkFinal
from sciml.solution import AbstractFinal, Estimate

x, y, t = coordinates("x y t")


class Formula(AbstractFinal):
    """A solution that is known: columns of the equation -> real fields."""

    kind = "formula"

    def __init__(self, formula):
        self.formula = formula

    def derivatives(self, index, x):
        one = lambda x: jnp.stack(self.formula(*x))  # noqa: E731
        for axis, order in enumerate(index):
            for _ in range(order):
                one = (lambda f, axis: lambda x: jax.jacfwd(f)(x)[:, axis])(one, axis)  # noqa: B023
        return jax.vmap(one)(jnp.asarray(x))

    def to_saved(self):
        return {}, {}

    @classmethod
    def from_saved(cls, pde, domain, header, arrays, **given):
        raise NotImplementedError("a formula is not read back")


def known(pde, domain, formula, **more):
    return Solution(pde, domain.resolve({c.name: c.role for c in pde.coordinates}), Formula(formula), **more)


def wave(x, t, xp=np):
    return xp.sin(2 * x) * xp.exp(-t)


@pytest.fixture(scope="module")
def moving():
    u = field("u", x, t)
    pde = PDE(u.t - u.xx + u * u.x, Initial(u, sp.sin(2 * x)), Dirichlet(u, 0))
    return known(pde, Box(x=(0, 2), t=(0, 1)), lambda x, t: [wave(x, t, jnp)])


@pytest.fixture(scope="module")
def round_():
    u, v = fields("u v", x, y)
    return known(PDE(u.x - 1, v.y - 1), Disk(center=(0, 0), radius=2), lambda x, y: [x**2 + y**2, x * y])


# -- calls -------------------------------------------------------------------------------------------------------------


def test_calls_by_position_by_name_broadcast_and_on_grids(moving):
    assert moving.u(0.3, 0.5) == pytest.approx(wave(0.3, 0.5), rel=1e-14)
    assert moving.u(t=0.5, x=0.3) == moving.u(0.3, t=0.5) == moving.u(0.3, 0.5) == moving["u"](0.3, 0.5)
    a, b = np.linspace(0, 2, 5), np.linspace(0, 1, 3)
    np.testing.assert_allclose(moving.u(a, 0.25), wave(a, 0.25), rtol=1e-13)
    np.testing.assert_allclose(moving.u(a[:, None], b), wave(a[:, None], b), rtol=1e-13)
    np.testing.assert_allclose(moving.u(a, b, grid=True), wave(a[:, None], b), rtol=1e-13)
    assert moving.u(a, 0.5, grid=True).shape == (5, 1) and moving.u([], 0.5).shape == (0,)


def test_derivatives_by_name(moving):
    a, b = np.linspace(0.1, 1.9, 7), 0.4
    np.testing.assert_allclose(moving.u.x(a, b), 2 * np.cos(2 * a) * np.exp(-b), rtol=1e-12)
    np.testing.assert_allclose(moving.u.xx(a, b), -4 * wave(a, b), rtol=1e-12)
    np.testing.assert_allclose(moving.u.x.t(a, b), -2 * np.cos(2 * a) * np.exp(-b), rtol=1e-12)
    assert np.array_equal(moving.u.x.t(a, b), moving.u.xt(a, b)) and np.array_equal(
        moving.u.xt(a, b), moving.u.t.x(a, b)
    )


def test_wrong_calls_say_why(moving):
    for call, message in (
        (lambda: moving.u(0.1), "coordinates t are missing"),
        (lambda: moving.u(0.1, 0.2, 0.3), "3 arguments came for 2 coordinates"),
        (lambda: moving.u(0.1, x=0.2), "x was given twice"),
        (lambda: moving.u(0.1, y=0.2), "y is no coordinate"),
    ):
        with pytest.raises(TypeError, match=message):
            call()
    with pytest.raises(ValueError, match="NaN or infinite"):
        moving.u(np.nan, 0.1)
    with pytest.raises(ValueError, match="one 1D array for each"):
        moving.u(np.zeros((2, 2)), 0.1, grid=True)
    with pytest.raises(AttributeError, match="'v' is no field of this solution; its fields are u"):
        moving.v  # noqa: B018
    with pytest.raises(AttributeError, match="no derivative 'y'"):
        moving.u.y  # noqa: B018


def test_coordinates_are_real_numbers(moving):
    for call, message in (
        (lambda: moving.u("a", 0.1), "x is a real number or an array of such; 'a' came"),
        (lambda: moving.u(0.5, t=0.1 + 1j), "t is a real number or an array of such; complex numbers came"),
    ):
        with pytest.raises(TypeError, match=message):
            call()
    assert moving.u(sp.Rational(1, 2), True) == moving.u(0.5, 1.0)


def test_outside_the_domain_nothing_is_known(moving, round_):
    with pytest.warns(UserWarning, match=r"1 of 3 points lie outside the domain \(x in \(0, 2\), t in \(0, 1\)\)") as said:
        values = moving.u.x([0.5, 1.0, 3.0], 0.5)
    assert len(said) == 1 and np.array_equal(np.isnan(values), [False, False, True])
    with pytest.warns(UserWarning, match="u"):
        assert np.isnan(moving.u(2.0, 1.5)) and np.isnan(moving.u(2.0, 1.0 + 1e-6))
    with pytest.warns(UserWarning, match="a region inside of that"):
        assert np.isnan(round_.u(1.9, 1.9))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert moving.u(3.0, 0.5, extrapolate=True) == pytest.approx(wave(3.0, 0.5))
        angle = np.linspace(0, 2 * np.pi, 50)
        assert np.isfinite(round_.u(2 * np.cos(angle), 2 * np.sin(angle))).all()  # on the boundary up to rounding
        assert np.isfinite(moving.u(2 * (1 + 1e-15), np.float32(1) + np.float32(1e-7)))
        moving.error((np.linspace(0, 3, 4), np.linspace(0, 2, 3), np.ones((4, 3))))


def test_outside_under_jit_value_and_gradient_are_nan(moving):
    with sciml.float64():
        value, slope = jax.jit(jax.value_and_grad(lambda x: moving.u(x, 0.5)))(3.0)
        assert np.isnan(value) and np.isnan(slope)
        assert np.isclose(jax.grad(lambda x: moving.u(x, 0.5))(2.0), 2 * np.cos(4.0) * np.exp(-0.5))
        assert np.isclose(jax.jit(lambda x: moving.u(x, 0.5, extrapolate=True))(3.0), wave(3.0, 0.5))


def test_along_a_periodic_coordinate_there_is_no_outside():
    u = field("u", x, t)
    s = known(PDE(u.t + u.x, Periodic(x)), Box(x=(0, 1), t=(0, 1)), lambda x, t: [jnp.sin(2 * jnp.pi * (x - t))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isclose(s.u(1.25, 0.0), 1.0)
    with pytest.warns(UserWarning, match="t in"):
        assert np.isnan(s.u(1.25, 2.0))


def test_through_jit_grad_and_vmap_by_position_and_by_name(moving):
    with sciml.float64():
        a = jnp.linspace(0.1, 1.9, 4)
        np.testing.assert_allclose(jax.jit(moving.u)(a, 0.4), moving.u(a, 0.4), rtol=1e-13)
        np.testing.assert_allclose(jax.jit(lambda a: moving.u(t=0.4, x=a))(a), moving.u(a, 0.4), rtol=1e-13)
        np.testing.assert_allclose(jax.vmap(jax.grad(moving.u), (0, None))(a, 0.4), moving.u.x(a, 0.4), rtol=1e-12)
        np.testing.assert_allclose(jax.vmap(lambda a: moving.u.x(x=a, t=0.4))(a), moving.u.x(a, 0.4), rtol=1e-12)
        grid = jax.jit(lambda a: moving.u(a, jnp.asarray([0.0, 1.0]), grid=True))(a)
        np.testing.assert_allclose(grid, moving.u(a, [0.0, 1.0], grid=True), rtol=1e-13)


def test_residuals_and_expressions(moving):
    points = moving.domain.sample(50)
    found = moving.residual(points=points)["equation"]
    u, ux = wave(*points.T), 2 * np.cos(2 * points[:, 0]) * np.exp(-points[:, 1])
    np.testing.assert_allclose(found, 3 * u + u * ux, rtol=1e-11, atol=1e-13)


# -- comparison --------------------------------------------------------------------------------------------------------


def test_error_against_everything(moving):
    double = lambda x, t: 2 * wave(x, t)  # noqa: E731
    a, b = np.linspace(0, 2, 9), np.linspace(0, 1, 5)
    grid = moving.to_xarray({"x": 9, "t": 5})
    other = known(moving.pde, Box(x=(0, 2), t=(0, 1)), lambda x, t: [2 * wave(x, t, jnp)])
    references = (double, {"u": double}, (a, b, double(a[:, None], b)), 2 * grid, 2 * grid.transpose("t", "x"), other)
    for reference in references:
        e = moving.error(reference)
        assert float(e) == pytest.approx(0.5, rel=1e-12) and e.relative_l2 == {"u": pytest.approx(0.5)}
        assert 0.9 < e.maximum["u"] <= 1 and "u: relative L2 error 5.000e-01" in repr(e)
    assert float(moving.error(moving)) == 0


def test_error_refuses_what_it_cannot_compare(moving, round_):
    with pytest.raises(TypeError, match="a function of the coordinates.*int came"):
        moving.error(3)
    with pytest.raises(TypeError, match="one for each field in a dict"):
        round_.error(lambda x, y: x)
    with pytest.raises(ValueError, match=r"2 x 3 points need values of shape \(2, 3\); \(3, 2\) came"):
        moving.error(([0, 1], [0, 0.5, 1], np.zeros((3, 2))))
    with pytest.raises(ValueError, match="none of the fields u"):
        moving.error({"v": wave})


def test_error_where_the_reference_is_masked(round_):
    data = round_.to_xarray(21)
    assert np.isnan(data.u).any()
    assert float(round_.error(data)) < 1e-14
    assert float(round_.error({"u": lambda x, y: x**2 + y**2})) < 1e-13  # one field of two


def test_estimates():
    u = field("u", x)
    s = known(PDE(u.xx, Dirichlet(u, 0)), Box(x=(0, 1)), lambda x: [x])
    assert s.estimate_error().value is None and "no estimate: this solution was" in repr(s.estimate_error())
    with pytest.raises(ValueError, match="There is no error estimate"):
        float(s.estimate_error())
    calls = []
    s = known(
        s.pde, Box(x=(0, 1)), lambda x: [x], estimator=lambda s: calls.append(s) or Estimate(2e-3, {}, "a reason")
    )
    assert float(s.estimate_error()) == 2e-3 and "about 2.0e-03 (a reason)" in repr(s) and len(calls) == 1


# -- integrals ---------------------------------------------------------------------------------------------------------


def test_integrals_on_a_box(moving):
    u = moving.pde.fields[0]
    space = (1 - np.cos(4)) / 2
    assert moving.integrate(u, t=0.5) == pytest.approx(space * np.exp(-0.5), rel=1e-12)
    assert moving.integrate(u) == pytest.approx(space * (1 - np.exp(-1)), rel=1e-12)
    assert moving.integrate(u**2 * x, t=0) == pytest.approx(1 - np.sin(8) / 4 + (1 - np.cos(8)) / 32, rel=1e-10)
    assert moving.integrate(u, x=0.5) == pytest.approx(np.sin(1) * (1 - np.exp(-1)), rel=1e-12)
    assert moving.integrate(u, on="x_max", t=0.5) == pytest.approx(wave(2, 0.5), rel=1e-12)
    # Outward at both ends: u_x(2) - u_x(0).
    exact = 2 * (np.cos(4) - 1) * np.exp(-0.5)
    assert moving.integrate(u.x * normal(x), on="all", t=0.5) == pytest.approx(exact, rel=1e-10)
    assert moving.flux([u.x], t=0.5) == pytest.approx(exact, rel=1e-10)


def test_integrals_of_a_field_by_its_name(moving):
    u = moving.pde.fields[0]
    assert moving.integrate("u", t=0.5) == moving.integrate(u, t=0.5) == moving.integrate(moving.u, t=0.5)
    assert moving.integrate("u.x", t=0.5) == moving.integrate(u.x, t=0.5)
    with pytest.raises(AttributeError, match="'v' is no field"):
        moving.integrate("v", t=0.5)
    with pytest.raises(TypeError, match="expected an expression in the fields"):
        moving.integrate(np.sin, t=0.5)
    with pytest.raises(ValueError, match="t=5 is outside the domain, where t is from 0 to 1"):
        moving.integrate("u", t=5)


def test_integrals_on_a_disk(round_):
    u, v = round_.pde.fields
    assert round_.integrate(sp.Integer(1)) == pytest.approx(4 * np.pi, rel=1e-12)
    assert round_.integrate(u) == pytest.approx(8 * np.pi, rel=1e-3)
    assert abs(round_.integrate(v)) < 2e-2  # the integral of |v| is 16
    assert round_.integrate(u, on="all") == pytest.approx(16 * np.pi, rel=1e-10)
    # The divergence theorem: grad u = 2 (x, y), its divergence 4.
    assert round_.flux([u.x, u.y]) == pytest.approx(16 * np.pi, rel=1e-10)
    with pytest.raises(ValueError, match="x is fixed, which leaves a slice"):
        round_.integrate(u, x=0.3)
    with pytest.raises(ValueError, match="z is no coordinate; these are x, y"):
        round_.integrate(u, z=0.3)


# -- out ---------------------------------------------------------------------------------------------------------------


def test_to_xarray(moving, round_):
    data = moving.to_xarray({"x": 4, "t": 3})
    assert data.u.dims == ("x", "t") and data.u.shape == (4, 3)
    np.testing.assert_allclose(data.u, wave(data.x.values[:, None], data.t.values), rtol=1e-13)
    data = round_.to_xarray(41)
    inside = (data.x**2 + data.y**2 <= 4 + 1e-8).transpose("x", "y")
    assert set(data.data_vars) == {"u", "v"}
    assert np.array_equal(~np.isnan(data.u), inside) and 0.7 < float(inside.mean()) < 0.8


def test_representations(moving):
    s = known(
        moving.pde,
        Box(x=(0, 2), t=(0, 1)),
        lambda x, t: [x],
        result="a < b",
        conditions={"initial u": 2e-3, "dirichlet u": 0.0},
        stats={"residual": 1e-4, "seconds": 3.0, "steps": 7},
    )
    lines = repr(s)
    for part in (
        "u(x, t)",
        "a < b",
        "1.0e-04 of its natural size",
        "hold to 2.0e-03 (worst: initial u)",
        "3.0 s, 7 steps",
    ):
        assert part in lines
    html = s._repr_html_()
    assert html.startswith("<table>") and "a &lt; b" in html and "a < b" not in html
    assert "u" in dir(s) and "call it with (x, t)" in repr(s.u.xx)


class Own(eqx.Module):
    """A user's network."""

    a: jax.Array
    b: jax.Array

    def __init__(self, inputs, outputs):
        self.a = jax.random.normal(jax.random.key(0), (7, inputs))
        self.b = jax.random.normal(jax.random.key(1), (outputs, 7))

    def __call__(self, x):
        return self.b @ jnp.tanh(self.a @ x)


def cases():
    u, w, psi, k = (
        field("u", x, t),
        field("w", x, y),
        field("psi", x, t, complex=True),
        sciml.parameter("k", initial=0.5, positive=True),
    )
    box, disk = Box(x=(-1, 1), t=(0, 1)), Disk(center=(0, 0), radius=1)
    heat = PDE(u.t - k * u.xx, Initial(u, sp.sin(sp.pi * x)), Dirichlet(u, 0))
    periodic = PDE(u.t - u.xx, Initial(u, sp.cos(sp.pi * x)), Periodic(x))
    return {
        "unknown parameters": (heat, box, nn.MLP(2, 1, width=5, depth=2, key=0), {}),
        "random features": (periodic, box, nn.RandomFeatures(2, 1, features=9, periodic=(0,), key=0), {}),
        "periodic, nothing exact": (periodic, box, nn.MLP(3, 1, width=5, depth=2, key=0), {"exact": False}),
        "own network on a disk": (PDE(laplacian(w) + 1, Dirichlet(w, x)), disk, Own(2, 1), {}),
        "a disk in time": (_disk_in_time(), disk * Time(0, 1), nn.SIREN(3, 1, width=5, depth=2, key=0), {}),
        "complex": (
            PDE(sp.I * psi.t + psi.xx, Initial(psi, sp.exp(-(x**2)) + sp.I * x), Dirichlet(psi, 0)),
            box,
            nn.MLP(2, 2, width=5, depth=2, key=0),
            {},
        ),
    }


def _disk_in_time():
    v = field("v", x, y, t)
    return PDE(v.t - laplacian(v), Initial(v, x), Neumann(v, 0))


@pytest.mark.parametrize("name", cases())
def test_saved_solutions_come_back_bit_for_bit(tmp_path, monkeypatch, name):
    for function in ("load", "loads", "dump", "dumps"):
        monkeypatch.setattr(pickle, function, lambda *a, **k: pytest.fail("pickle was used"))
    pde, domain, network, options = cases()[name]
    problem = pinn.compile(pde, domain, network, **options)
    with sciml.float64():
        params = jax.tree.map(
            lambda a: a + 1e-3 * jnp.cos(jnp.arange(a.size, dtype=a.dtype)).reshape(a.shape), problem.params
        )
    saved = Solution(
        pde,
        problem.domain,
        NetworkFinal(problem, params),
        "a result",
        False,
        {"residual": 1e-3, "seconds": 1.0},
        [{"step": 1, "loss": float("nan")}],
        {"k": sciml.solution.Parameter("k", 0.1 + 0.2, 0.01, "stated noise")} if pde.parameters else {},
        {"initial u": 1e-17},
        notes=("u is known up to a constant.",),
    )
    path = saved.save(tmp_path / "solution.npz")
    with np.load(path, allow_pickle=False) as file:  # no object arrays
        assert all(file[k].dtype != object for k in file.files)
    loaded = Solution.load(path, network=Own(2, 1) if name.startswith("own") else None)
    for a, b in zip(jax.tree.leaves(saved.final.params), jax.tree.leaves(loaded.final.params), strict=True):
        assert np.array_equal(a, b) and np.asarray(a).dtype == np.asarray(b).dtype
    names = loaded.domain.names
    q = dict(zip(names, loaded.domain.sample(11).T, strict=True))
    for u in pde.fields:
        assert np.array_equal(saved[u.field_name](**q), loaded[u.field_name](**q))
        assert np.iscomplexobj(loaded[u.field_name](**q)) == u.is_complex_field
        assert np.array_equal(saved[u.field_name].xx(**q), loaded[u.field_name].xx(**q))
    assert loaded.pde == pde and loaded.parameters == saved.parameters and loaded.conditions == saved.conditions
    assert (loaded.result, loaded.converged, loaded.stats) == (saved.result, saved.converged, saved.stats)
    assert repr(loaded.history) == repr(saved.history) and repr(loaded) == repr(saved)
    assert loaded.notes == saved.notes and "known up to a constant" in repr(loaded)


def test_a_users_network_must_be_handed_in(tmp_path):
    pde, domain, network, _ = cases()["own network on a disk"]
    problem = pinn.compile(pde, domain, network)
    path = Solution(pde, problem.domain, NetworkFinal(problem, problem.params)).save(tmp_path / "s.npz")
    with pytest.raises(ValueError, match="network"):
        Solution.load(path)
    with pytest.raises(ValueError):
        Solution.load(path, network=nn.MLP(2, 1, width=3, depth=2, key=0))


def test_files_that_are_no_solution(tmp_path):
    np.savez(tmp_path / "a.npz", header=np.frombuffer(b'{"sciml": 99}', np.uint8))
    with pytest.raises(ValueError, match="no saved Solution of this version"):
        Solution.load(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", header=np.array([{"sciml": 1}], dtype=object))
    with pytest.raises(ValueError):
        Solution.load(tmp_path / "b.npz")
    with pytest.raises(FileNotFoundError):
        Solution.load(tmp_path / "c.npz")


# -- a trained one ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained():
    u = field("u", x, t)
    heat = PDE(u.t - u.xx, Initial(u, sp.sin(sp.pi * x)), Dirichlet(u, 0))
    network = nn.RandomFeatures(2, 1, features=130, scale=4.0, key=0)
    return pinn.solve(
        heat, Box(x=(0, 1), t=(0, 0.2)), pinn.LeastSquares(steps=1), network=network, points=300, progress=False
    )


def test_a_trained_linear_problem(trained):
    exact = lambda x, t: np.exp(-(np.pi**2) * t) * np.sin(np.pi * x)  # noqa: E731
    assert float(trained.error(exact)) < 1e-5
    a = np.linspace(0, 1, 9)
    np.testing.assert_allclose(trained.u.xx(a, 0.1), -(np.pi**2) * exact(a, 0.1), atol=1e-3)
    np.testing.assert_allclose(
        trained.u.x.t(a, 0.1), -(np.pi**3) * np.cos(np.pi * a) * np.exp(-(np.pi**2) * 0.1), atol=1e-2
    )
    assert trained.conditions == {"initial u": pytest.approx(0, abs=1e-14), "dirichlet u": pytest.approx(0, abs=1e-14)}
    assert trained.stats["residual"] < 1e-3 and trained.stats["steps"] == 1 and trained.history[-1]["step"] == 1
    assert trained.integrate(trained.pde.fields[0], t=0.1) == pytest.approx(
        2 / np.pi * np.exp(-(np.pi**2) * 0.1), rel=1e-5
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no silent truncation to float32
        trained.u(0.5, 0.1)


def test_no_field_can_hide_behind_an_attribute_of_a_solution():
    public = {name for name in dir(Solution) if not name.startswith("_")}
    public |= {f.name for f in dataclasses.fields(Solution) if not f.name.startswith("_")}
    assert public <= SOLUTION_NAMES
