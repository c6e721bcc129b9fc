"""Plans compose with JAX's transformations, share work, explain themselves, and refuse what is wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sciml.derivatives import Combination, Laplacian, NestedForward, Reference, Taylor, plan, reference


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


def initial(sizes=(2, 6, 6, 2)):
    keys = jax.random.split(jax.random.key(0), len(sizes) - 1)
    shapes = zip(keys, sizes[:-1], sizes[1:], strict=True)
    return [(jax.random.normal(key, (n, m)) / np.sqrt(m), jnp.linspace(-0.1, 0.2, n)) for key, m, n in shapes]


def network(params, x):
    for weight, bias in params[:-1]:
        x = jnp.tanh(weight @ x + bias)
    return params[-1][0] @ x + params[-1][1]


BURGERS = [(0, 0), (1, 0), (0, 1), (2, 0)]


def residual(params, x, evaluate):
    v = evaluate(lambda x: network(params, x))
    return v[0, 1] + v[0, 0] * v[1, 0] - 0.1 * v[2, 0]


def by_plan(params, x):
    return residual(params, x, lambda f: plan(BURGERS, 2)(f, x))


def by_reference(params, x):
    return residual(params, x, lambda f: reference(f, BURGERS, x))


def close(a, b):
    jax.tree.map(lambda p, q: np.testing.assert_allclose(p, q, rtol=1e-11, atol=1e-13), a, b)


def test_parameter_gradients_per_sample_jacobians_and_products(float64):
    params, points = initial(), np.random.default_rng(0).uniform(-1, 1, (5, 2))

    def everything(r):
        def loss(params):
            return jnp.mean(jax.vmap(lambda x: r(params, x))(points) ** 2)

        def first(params, x):
            return r(params, x)[0]

        gradient = jax.grad(loss)(params)
        return (
            gradient,
            jax.vmap(jax.grad(first), (None, 0))(params, points),
            jax.jvp(lambda p: jax.vmap(lambda x: r(p, x))(points), (params,), (gradient,))[1],
            jax.vmap(jax.grad(lambda x: r(params, x)[0]))(points),
        )

    close(jax.jit(lambda: everything(by_plan))(), jax.jit(lambda: everything(by_reference))())


def test_batched_is_vmap(float64):
    params, points = initial(), np.random.default_rng(0).uniform(-1, 1, (4, 2))
    values = plan(BURGERS, 2).batched(lambda x: network(params, x), points)
    expected = jax.jit(lambda x: reference(lambda x: network(params, x), BURGERS, x))
    for row, x in enumerate(points):
        close({r: v[row] for r, v in values.items()}, expected(x))


def test_an_ensemble_of_parameters_under_vmap(float64):
    params = jax.tree.map(lambda p: jnp.stack([p, 2 * p]), initial())
    x = np.array([0.3, 0.2])
    values = jax.vmap(lambda p: by_plan(p, x))(params)
    close(values[1], by_reference(jax.tree.map(lambda p: p[1], params), x))


def test_the_dtype_is_that_of_the_input():
    x = np.array([0.3, 0.2], "float32")
    values = plan([*BURGERS, (3, 1), Laplacian((0, 1))], 2)(lambda x: network(initial(), x), x)
    assert {v.dtype for v in values.values()} == {np.dtype("float32")}


@pytest.mark.parametrize("requests", [BURGERS, [(4, 0), (0, 1)], [Laplacian((0, 1))]])
def test_one_tanh_per_layer_for_all_derivatives(requests):
    points = jnp.zeros((3, 2))

    def loss(params):
        values = plan(requests, 2).batched(lambda x: network(params, x), points)
        return sum(jnp.sum(v**2) for v in values.values())

    assert str(jax.make_jaxpr(loss)(initial())).count(" tanh ") == 2
    assert str(jax.make_jaxpr(jax.grad(loss))(initial())).count(" tanh ") == 2


def test_derivatives_that_vanish_cost_nothing():
    def separable(p):
        return jnp.sin(p[0]) + jnp.cos(p[1]) * (1 - p[1] ** 2)

    program = jax.make_jaxpr(lambda x: plan([(1, 1), (2, 2)], 2)(separable, x)[2, 2])(jnp.zeros(2))
    assert not {"dot_general"} & {eqn.primitive.name for eqn in program.eqns}
    assert plan([(1, 1)], 2)(separable, jnp.ones(2))[1, 1] == 0


def test_a_scan_is_traced_as_one_loop():
    def f(x):
        return jax.lax.scan(lambda c, w: (jnp.tanh(w * c), None), x, jnp.arange(1.0, 4.0))[0]

    program = jax.make_jaxpr(lambda x: plan([(5,)], 1)(f, x))(jnp.ones(1))
    assert str(program).count(" scan[") == 1


def test_explain_names_the_way_and_the_fallbacks():
    text = plan([(0, 1), (2, 2)], 2).explain() + plan([Laplacian((0, 1))], 2).explain()
    text += plan([(0, 1), Combination([(1, (0, 1)), (1, (2, 0)), (1, (0, 2))])], 2).explain()
    assert "one coefficient for the sum, 1 terms of it carried anyway" in text
    assert "mixed coefficient of order 4" in text and "forward Laplacian" in text
    clean = plan(BURGERS, 2).explain(lambda x: network(initial(), x), jnp.zeros(2))
    assert "Every operation of the traced network has a Taylor rule" in clean
    odd = plan(BURGERS, 2).explain(lambda x: jnp.arctan(jax.nn.relu(x)), jnp.zeros(2))
    assert "atan" in odd and "relu" in odd
    assert "nested jvp" in plan(BURGERS, 2, mode=NestedForward()).explain()
    assert "one array" in plan([Laplacian(range(30))], 30).explain()


def test_modes_agree_on_a_pytree_of_scalars(float64):
    def f(x):
        return {"u": x[0] ** 3 * x[1], "v": (jnp.sin(x).sum(),)}

    x = np.array([0.4, 0.7])
    results = [plan([(2, 1), (0, 0)], 2, mode=m)(f, x) for m in (Taylor(), NestedForward(), Reference())]
    for result in results:
        close(result, results[0])
    np.testing.assert_allclose(results[0][2, 1]["u"], 6 * 0.4)


@pytest.mark.parametrize(
    "requests, message",
    [
        ([(1,)], "dimension 2 is 2 non-negative integers"),
        ([(1, -1)], "non-negative"),
        ([(1, 0.5)], "non-negative integers"),
        ([Laplacian((0, 2))], "distinct axes from 0 to 1"),
        ([Laplacian(())], "distinct axes"),
        ([Combination([])], "different derivatives"),
        ([Combination([(1, (0, 0))])], "order one at least"),
        ([Combination([(1, (0, 1, 0))])], "points of dimension 2"),
    ],
)
def test_wrong_requests_are_refused(requests, message):
    with pytest.raises(ValueError, match=message):
        plan(requests, 2)


def test_wrong_types_and_shapes_are_refused():
    with pytest.raises(TypeError, match="multi-index"):
        plan(["xx"], 2)  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"shape \(2,\); shape \(3, 2\)"):
        plan(BURGERS, 2)(lambda x: x, jnp.zeros((3, 2)))
    with pytest.raises(TypeError, match="floating point"):
        plan(BURGERS, 2)(lambda x: x, jnp.zeros(2, int))
