"""What each condition means, what it accepts, and what it refuses."""

import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp

from sciml.pde import (
    PDE,
    Condition,
    Dirichlet,
    Initial,
    Neumann,
    Observed,
    Opaque,
    Periodic,
    Robin,
    coordinates,
    field,
    fields,
    normal,
)

x, y, t = coordinates("x y t")
u = field("u", x, t)
w = field("w", x, y)
heat = u.t - u.xx


class Part:
    """Stands for a part of a domain's boundary."""

    def __init__(self, name):
        self.name = name


def test_residuals():
    assert Initial(u, sp.sin(x)).residual == u - sp.sin(x)
    assert Initial(u, 2, order=1).residual == u.t - 2
    assert Dirichlet(w, x * y).residual == w - x * y
    assert Neumann(w, 3, on="hole").residual == normal(x) * w.x + normal(y) * w.y - 3
    assert Robin(u, 2, x, t, on="x_min").residual == 2 * u + x * normal(x) * u.x - t
    assert Condition(normal(x) * w.x - w).residual == normal(x) * w.x - w
    assert Condition(sp.Eq(w.x, w)).residual == w.x - w


def test_names_are_readable_and_describe_says_what_holds():
    cases = [
        (Initial(u, 1), "initial u", "u = 1 at the initial time"),
        (Initial(u, 0, order=1), "initial u.t", "u.t = 0 at the initial time"),
        (Dirichlet(u, 0.5), "dirichlet u", "u = 0.5 on every boundary"),
        (Dirichlet(u, sp.sin(t), on="x_min"), "dirichlet u on x_min", "u = sin(t) on x_min"),
        (Dirichlet(w, 0, on=Part("hole")), "dirichlet w on hole", "w = 0 on hole"),
        (
            Dirichlet(w, 0, on=("x_min", Part("hole"))),
            "dirichlet w on x_min and hole",
            "w = 0 on x_min and hole",
        ),
        (Dirichlet(w, 0, on={"x": 0, y: 1}), "dirichlet w on x = 0, y = 1", "w = 0 on x = 0, y = 1"),
        (Neumann(w, 0, on=x < 0), "neumann w on x < 0", "dw/dn = 0 on x < 0"),
        (Robin(u, 2, -1, 0, on="x_max"), "robin u on x_max", "2*u - du/dn = 0 on x_max"),
        (Periodic(), "periodic", "periodic in every space coordinate"),
        (Periodic(x, "y"), "periodic x y", "periodic in x and y"),
        (Periodic(u, x), "periodic u x", "u periodic in x"),
        (Condition(u.x - u, on="x_max"), "condition on x_max", "-u + u.x = 0 on x_max"),
        (
            Observed(u, np.zeros((3, 2)), np.ones(3), noise=0.1),
            "observed u",
            "u observed at 3 points, noise 0.1",
        ),
    ]
    for condition, name, description in cases:
        assert condition.name == name
        assert condition.describe() == description
        assert condition.latex() and condition._repr_latex_().startswith("$") and name in repr(condition)
    assert Dirichlet(u, 0, name="wall").name == "wall"


def test_several_fields_at_once():
    a, b = fields("a b", x, y)
    lid = Dirichlet((a, b), (1, 0), on="y_max")
    assert [c.value for c in lid] == [1, 0] and [c.field for c in lid] == [a, b]
    assert [c.value for c in Dirichlet((a, b), 0)] == [0, 0]
    assert [c.value for c in Dirichlet(sp.Matrix([a, b]), sp.Matrix([x, y]))] == [x, y]
    with pytest.raises(ValueError, match="2 fields but 3 values"):
        Dirichlet((a, b), (1, 2, 3))
    pair = Observed((a, b), np.zeros((4, 2)), np.arange(8.0).reshape(4, 2))
    assert np.array_equal(pair[1].values, [1, 3, 5, 7])
    pde = PDE(a.xx + b, b.yy + a, lid, [Dirichlet((a, b), (0, 0), on="y_min")])
    assert [c.name for c in pde.conditions][-1] == "dirichlet b on y_min"


def test_jax_functions_as_values():
    def profile(x):
        return jnp.sin(x)

    def initial(x):
        return x**2

    start = Initial(u, profile)
    assert isinstance(start.value, Opaque) and start.value.args == (x,)
    assert type(start.value).function_name == "profile"
    assert type(Initial(u, initial).value).function_name == "initial"
    assert Initial(u, lambda x, t: x + t).value.args == (x, t)
    assert Dirichlet(u, lambda x, t: x * t, on="x_min").value.args == (x, t)
    with pytest.raises(TypeError, match="2 scalar arguments"):
        Dirichlet(u, profile)


def test_arrays_as_values():
    xs, ts = np.linspace(0, 1, 9), np.linspace(0, 2, 7)
    value = Initial(u, (xs, np.sin(xs))).value
    assert value.args == (x,) and type(value).callable(0.4) == pytest.approx(np.sin(0.4), abs=1e-5)
    assert Dirichlet(u, (xs, ts, np.ones((9, 7)))).value.args == (x, t)
    with pytest.raises(TypeError, match="bare array"):
        Initial(u, np.sin(xs))
    with pytest.raises(TypeError, match="bare array"):
        Initial(u, [1.0, 2.0])
    with pytest.raises(ValueError, match="grid of x, grid of t"):
        Dirichlet(u, (xs, np.sin(xs)))


def test_numbers_keep_every_digit():
    value = 0.1 + 0.2
    for given in (value, np.float64(value), np.array(value), jnp.asarray(0.5)):
        assert float(Dirichlet(u, given).value) == float(given)
    assert Dirichlet(u, 3).value is sp.Integer(3)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Dirichlet(u, True), TypeError, "bool"),
        (lambda: Dirichlet(u, float("nan")), ValueError, "finite"),
        (lambda: Dirichlet(u, 1j), ValueError, "complex=True"),
        (lambda: Dirichlet(u, sp.sin), TypeError, "itself"),
        (lambda: Dirichlet(u, u.x), ValueError, "Condition"),
        (lambda: Dirichlet(u.x, 0), TypeError, "Condition"),
        (lambda: Dirichlet(u, "0"), TypeError, "str"),
        (lambda: Dirichlet(u, 0, on=x == 0), TypeError, "sp.Eq"),
        (lambda: Dirichlet(u, 0, on="left side"), ValueError, "x_min"),
        (lambda: Dirichlet(u, 0, on=3), TypeError, "part"),
        (lambda: Dirichlet(u, 0, on=sp.Symbol("s") < 0), ValueError, "not a coordinate"),
        (lambda: Initial(w, 0), ValueError, "time"),
        (lambda: Initial(u, 0, order=-1), ValueError, "order"),
        (lambda: Robin(u, 1, 0, 0), ValueError, "Dirichlet"),
        (lambda: Condition(u.x == 0), TypeError, "bool"),
        (lambda: Condition(x**2), ValueError, "no field"),
        (lambda: Periodic(t), ValueError, "space"),
        (lambda: Periodic(3), TypeError, "names"),
        (lambda: Observed(u, [[0.0, np.nan]], [1.0]), ValueError, "NaN"),
        (lambda: Observed(u, np.zeros((2, 2)), [1.0, np.nan]), ValueError, "NaN"),
        (lambda: Observed(u, np.zeros((2, 3)), [1.0, 2.0]), ValueError, r"\(n, 2\)"),
        (lambda: Observed(u, np.zeros((2, 2)), [1.0]), ValueError, r"\(2,\)"),
        (lambda: Observed(u, {"x": [0.0]}, [1.0]), ValueError, "coordinates x, t"),
        (lambda: Observed(u, np.zeros((1, 2)), [1.0], noise=0), ValueError, "positive"),
        (lambda: Observed(u, np.zeros((1, 2)), [1j]), ValueError, "complex"),
        (lambda: Observed(3, np.zeros((1, 2)), [1.0]), TypeError, "field"),
    ],
)
def test_bad_input_is_refused_with_the_reason(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_observed_points():
    observed = Observed(u, {"t": [0.0, 1.0], "x": [2.0, 3.0]}, [1.0, 2.0])
    assert np.array_equal(observed.points, [[2.0, 0.0], [3.0, 1.0]]) and observed.coordinates == (x, t)
    one = field("f", x)
    assert Observed(one, [0.0, 1.0], [1.0, 2.0]).points.shape == (2, 1)
    assert Observed(u * u.x, np.zeros((2, 2)), np.ones((2, 1))).values.shape == (2,)
    with pytest.raises(ValueError, match="read-only"):
        observed.points[0, 0] = 5.0


def test_conditions_against_the_equations():
    wave = u.tt - u.xx
    assert len(PDE(wave, Initial(u, 0), Initial(u, 1, order=1)).conditions) == 2
    with pytest.raises(ValueError, match="order 1"):
        PDE(heat, Initial(u, 1, order=1))
    p = field("p", x, t)
    with pytest.raises(ValueError, match="no initial value"):
        PDE(u.t + p.x, u.x, Initial(p, 0))
    with pytest.raises(ValueError, match="in no equation"):
        PDE(heat, Dirichlet(p, 0))
    with pytest.raises(ValueError, match="given 2 times"):
        PDE(heat, Dirichlet(u, 0), Dirichlet(u, 1))
    with pytest.raises(ValueError, match="same quantity"):
        PDE(heat, Dirichlet(u, 0), Dirichlet(u, 1, name="again"))
    with pytest.raises(ValueError, match="must be unique"):
        PDE(heat, Dirichlet(u, 0, on="x_min", name="wall"), Dirichlet(u, 0, on="x_max", name="wall"))
    with pytest.raises(ValueError, match="periodic"):
        PDE(heat, Periodic(), Dirichlet(u, 0))
    with pytest.raises(ValueError, match="periodic"):
        PDE(heat, Periodic(x), Dirichlet(u, 0, on="x_min"))
    with pytest.raises(ValueError, match="space coordinate here"):
        PDE(heat, Periodic("y"))
    with pytest.raises(ValueError, match="every space coordinate"):
        PDE(w.xx + w.yy, Dirichlet(w, 0, on={"x": 0}))


def test_data_sets_and_free_conditions_are_numbered():
    data = [Observed(u, np.full((2, 2), float(i)), np.zeros(2)) for i in range(2)]
    pde = PDE(heat, data, Condition(u.x, on="x_min"), Condition(u.xx, on="x_min"))
    names = [c.name for c in pde.conditions]
    assert names == ["observed u", "observed u 2", "condition on x_min", "condition on x_min 2"]
    assert data[1].name == "observed u"
