"""What a network cannot give is said before anything is compiled."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sciml.derivatives import Laplacian, check

WEIGHT = np.random.default_rng(0).normal(size=(2, 5, 5))
POINTS = np.random.default_rng(1).uniform(0.1, 1, (6, 2)).astype("float32")


def mlp(activation):
    return lambda x: activation(WEIGHT[1] @ activation(WEIGHT[0][:, :2] @ x))


def findings(function, requests, points=POINTS, **options):
    return check(function, requests, points, throw=False, **options)


def test_a_smooth_network_passes():
    assert check(mlp(jnp.tanh), [(0, 0), (2, 1), Laplacian((0, 1))], POINTS) == ()


@pytest.mark.parametrize("activation", [jax.nn.relu, jax.nn.leaky_relu, lambda x: jnp.maximum(x, 0), jnp.abs])
@pytest.mark.parametrize("request_", [(2, 0), Laplacian((0, 1))])
def test_the_second_derivative_of_a_piecewise_linear_network(activation, request_):
    (finding,) = findings(mlp(activation), [(1, 0), request_], numeric=False)
    assert "identically zero" in finding and "piecewise linear" in finding and "tanh" in finding


def test_it_raises_by_default_and_says_what_to_do():
    with pytest.raises(ValueError, match="relu.*Use a smooth activation"):
        check(mlp(jax.nn.relu), [(2, 0)], POINTS)


def test_an_unused_coordinate():
    (finding,) = findings(lambda x: jnp.sin(x[0]), [(1, 0), (0, 1)])
    assert "does not depend on x1" in finding


def test_only_the_components_that_need_it():
    def f(x):
        return jnp.stack([jnp.sin(x[0]), x[0]])

    assert findings(f, {(2, 0): [0]}) == ()
    assert findings(f, [(2, 0)]) == ()
    (finding,) = findings(f, {(2, 0): [1]})
    assert "of output 1" in finding


def test_a_polynomial_of_too_low_degree():
    (finding,) = findings(lambda x: x[0] ** 2 * x[1], [(3, 0)])
    assert "lower degree" in finding


def test_nan_is_located():
    (finding,) = findings(lambda x: jnp.sqrt(x[0] * 0), [(1, 0)], np.zeros((1, 2), "float32"))
    assert "d/dx0 of output 0" in finding and "nan" in finding


def test_outputs_that_are_not_floating_point():
    (finding,) = findings(lambda x: jnp.argmax(x), [(1, 0)])
    assert "floating point" in finding and "int" in finding


def test_rounding_has_no_derivative():
    (finding,) = findings(lambda x: jnp.round(jnp.sin(x)), [(1, 0)], numeric=False)
    assert "identically zero" in finding


def test_a_callback_cannot_be_differentiated():
    def f(x):
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct((), x.dtype), x[0])

    (finding,) = findings(f, [(1, 0)])
    assert "cannot be differentiated" in finding and "custom_jvp" in finding


def test_a_custom_vjp_whose_backward_rule_is_not_linear():
    @jax.custom_vjp
    def clipped(x):
        return x

    clipped.defvjp(lambda x: (x, None), lambda _, g: (jnp.clip(g, -1, 1),))
    (finding,) = findings(lambda x: clipped(x), [(1, 0)])
    assert "custom_vjp" in finding and "custom_jvp rule" in finding


def test_a_function_of_the_wrong_shape():
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        findings(lambda x: jnp.ones((3, 3)) @ x, [(1, 0)])
