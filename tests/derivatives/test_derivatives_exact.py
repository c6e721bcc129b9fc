"""The engine agrees with plain nested autodiff, and with closed forms, to rounding."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sciml.derivatives import Combination, Laplacian, NestedForward, Taylor, plan, reference


def jit(function):
    """Compilation of nested autodiff dominates these tests, so the compiler is asked not to optimise."""
    return jax.jit(function, compiler_options={"xla_backend_optimization_level": 0})


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def layers(sizes, seed=0):
    keys = jax.random.split(jax.random.key(seed), len(sizes) - 1)
    return [
        (jax.random.normal(key, (n, m)) / np.sqrt(m), 0.3 * jax.random.normal(key, (n,)))
        for key, m, n in zip(keys, sizes[:-1], sizes[1:], strict=True)
    ]


def mlp(activation, sizes=(2, 5, 5, 2)):
    *hidden, (last, _) = layers(sizes)

    def network(x):
        for weight, bias in hidden:
            x = activation(weight @ x + bias)
        return last @ x

    return network


def modified_mlp(x):
    (u_w, u_b), (v_w, v_b) = layers((2, 5), 1) + layers((2, 5), 2)
    (w1, b1), (w2, b2) = layers((2, 5, 5), 3)
    u, v = jnp.tanh(u_w @ x + u_b), jnp.tanh(v_w @ x + v_b)
    h = jnp.tanh(w1 @ x + b1)
    h = h * u + (1 - h) * v
    h = jnp.tanh(w2 @ h + b2)
    return (h * u + (1 - h) * v)[:2]


def fourier_features(x):
    ((frequencies, _),) = layers((2, 3), 4)
    phase = 2 * jnp.pi * frequencies @ x
    return mlp(jnp.tanh, (6, 5, 2))(jnp.concatenate([jnp.sin(phase), jnp.cos(phase)]))


def users_network(p):
    x, t = p
    bump = jnp.exp(-(x**2)) / (1 + t**2) + jnp.sqrt(2 + x * t)
    features = jnp.stack([x, t, bump, jnp.where(x > 0, x**3, t)])
    return {"u": t * (1 - x**2) * mlp(jax.nn.swish, (4, 4, 1))(features)[0], "v": jnp.log(3 + features).sum()}


NETWORKS = {
    "tanh": mlp(jnp.tanh),
    "sin": mlp(jnp.sin),
    "gelu": mlp(jax.nn.gelu),
    "gelu exact": mlp(lambda x: jax.nn.gelu(x, approximate=False)),
    "swish": mlp(jax.nn.swish),
    "softplus": mlp(jax.nn.softplus),
    "modified": modified_mlp,
    "fourier": fourier_features,
    "user": users_network,
}
X = np.array([0.31, -0.67])


def agree(actual, expected, tolerance):
    assert actual.keys() == expected.keys()
    for request in expected:
        pairs = zip(jax.tree.leaves(actual[request]), jax.tree.leaves(expected[request]), strict=True)
        for a, e in pairs:
            assert a.shape == e.shape and a.dtype == e.dtype
            scale = max(np.abs(e).max(), 1e-3)
            np.testing.assert_allclose(a, e, rtol=0, atol=tolerance * scale, err_msg=str(request))


SUM = Combination([(1, (0, 1)), (-0.3, (2, 0)), (0.7, (3, 0)), (2, (1, 1))])


@pytest.mark.parametrize("name", NETWORKS)
def test_low_orders_agree_with_nested_autodiff(name):
    requests = [a for a in itertools.product(range(3), repeat=2) if sum(a) <= 2] + [Laplacian((0, 1)), SUM]
    network = NETWORKS[name]
    expected = jit(lambda x: reference(network, requests, x))(X)
    agree(jit(lambda x: plan(requests, 2)(network, x))(X), expected, 2e-14)
    collapsed = jit(lambda x: plan([(1, 0), SUM], 2)(network, x))(X)
    agree(collapsed, {(1, 0): expected[1, 0], SUM: expected[SUM]}, 2e-14)


def test_nested_forward_mode_agrees_too():
    requests = [(0, 0), (2, 1), Laplacian((0, 1)), SUM]
    expected = jit(lambda x: reference(NETWORKS["tanh"], requests, x))(X)
    for mode in (NestedForward(), NestedForward(loop=False)):
        agree(jit(lambda x, m=mode: plan(requests, 2, mode=m)(NETWORKS["tanh"], x))(X), expected, 2e-14)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in ("user", "modified") else ()) for n in NETWORKS]
)
def test_orders_up_to_six_and_mixed_agree_with_nested_autodiff(name):
    requests = [(6, 0), (2, 2)]
    network = NETWORKS[name]
    expected = jit(lambda x: reference(network, requests, x))(X)
    agree(jit(lambda x: plan(requests, 2)(network, x))(X), expected, 1e-12)


def test_every_mixed_derivative_of_an_exponential_in_three_coordinates():
    slope = np.array([0.7, -1.3, 0.4])
    x = np.array([0.2, 0.5, -0.1])
    requests = [a for a in itertools.product(range(7), repeat=3) if sum(a) <= 6]
    values = jit(lambda x: plan(requests, 3)(lambda x: jnp.exp(slope @ x), x))(x)
    for a in requests:
        np.testing.assert_allclose(values[a], np.prod(slope ** np.array(a)) * np.exp(slope @ x), rtol=1e-13)


def test_tanh_keeps_its_digits_near_zero():
    x = 1e-9
    values = plan([(k,) for k in range(7)], 1)(lambda p: jnp.tanh(p[0]), np.array([x]))
    expected = [x, 1, -2 * x, -2, 16 * x, 16, -272 * x]
    np.testing.assert_allclose([values[k,] for k in range(7)], expected, rtol=1e-14)


@pytest.mark.parametrize("base", [-2.0, 0.0, 1.5])
def test_integer_powers_have_derivatives_at_negative_bases_and_at_zero(base):
    requests = [(k,) for k in range(5)]
    for power, f in ((3, lambda p: p[0] ** 3.0), (3, lambda p: p[0] ** 3), (2, lambda p: jnp.square(p[0]))):
        values = plan(requests, 1)(f, np.array([base]))
        for k in range(5):
            np.testing.assert_allclose(values[k,], math.perm(power, k) * base ** max(power - k, 0))


@jax.custom_jvp
def stubborn(x):
    return jnp.sin(x)


@stubborn.defjvp
def _(primals, tangents):
    (x,), (t,) = primals, tangents
    return stubborn(x), 3 * t * stubborn(x) * x  # not the derivative of sin: the rule must win over the body


@jax.custom_vjp
def backwards(x):
    return jnp.sin(x) * x


backwards.defvjp(lambda x: (backwards(x), x), lambda x, g: (g * (jnp.cos(x) * x + jnp.sin(x)),))

WITHOUT_RULE = {
    "custom_jvp": mlp(stubborn),
    "scan": mlp(lambda x: jax.lax.scan(lambda c, w: (jnp.tanh(c + w * x), c), 0 * x, jnp.arange(3.0))[0] + x),
    "scan outputs": mlp(lambda x: jax.lax.scan(lambda c, w: (c * w, c + w), x, x[:3])[1].sum(0) * x),
    "fori_loop": mlp(lambda x: jax.lax.fori_loop(0, 3, lambda i, c: jnp.sin(c) + x, x)),
    "cond": mlp(lambda x: jax.lax.cond(x[0] > 0, jnp.sin, jnp.cos, x)),
    "sort": mlp(lambda x: jnp.sort(x) * jnp.sin(x)),
    "solve": mlp(lambda x: jnp.linalg.solve(jnp.eye(5) * 3 + jnp.outer(jnp.sin(x), x) / 9, x)),
    "inverse tan, norm": mlp(lambda x: jnp.arctan(x) / jnp.linalg.norm(x)),
    "kinks": mlp(lambda x: jax.nn.relu(x) ** 3 + jnp.abs(x) * x + jnp.clip(x, -0.5, jnp.maximum(x, 0.1))),
    "softmax, power": mlp(lambda x: jax.nn.softmax(x) * (2 + x**2) ** jnp.sin(x) + jax.lax.lgamma(3 + x**2)),
    "checkpoint": mlp(jax.checkpoint(lambda x: jnp.expm1(x) + jnp.log1p(x**2) + jnp.cosh(x) * jax.lax.rsqrt(2 + x**2))),
}


@pytest.mark.parametrize("name", WITHOUT_RULE)
def test_operations_without_a_taylor_rule_are_exact_too(name):
    requests = [(2, 1), Laplacian((0, 1)), SUM]
    network = WITHOUT_RULE[name]
    expected = jit(lambda x: reference(network, requests, x))(X)
    agree(jit(lambda x: plan(requests, 2)(network, x))(X), expected, 1e-13)
    blocks = requests[1:]
    actual = jit(lambda x: plan(blocks, 2, mode=Taylor(block_from=1))(network, x))(X)
    agree(actual, {r: expected[r] for r in blocks}, 1e-13)


def test_a_custom_vjp_that_plain_forward_mode_refuses():
    requests = [(1, 0), (0, 1), (1, 1), (2, 0)]
    network = mlp(backwards)
    expected = jit(lambda x: reference(network, requests, x, reverse=True))(X)
    agree(jit(lambda x: plan(requests, 2)(network, x))(X), expected, 1e-13)


@pytest.mark.parametrize("dimension, block_from", [(3, 99), (10, 99), (10, 5), (30, 25)])
def test_laplacians_are_the_trace_of_the_hessian(dimension, block_from):
    network = mlp(jnp.tanh, (dimension, 7, 7, 2))
    x = np.linspace(-0.4, 0.6, dimension)
    space, time = tuple(range(dimension - 1)), dimension - 1
    first = tuple(int(i == 0) for i in range(dimension))
    rate = tuple(int(i == time) for i in range(dimension))
    requests = [(0,) * dimension, first, rate, Laplacian(space)]
    values = jit(lambda x: plan(requests, dimension, mode=Taylor(block_from=block_from))(network, x))(x)
    jacobian, hessian = jit(lambda x: (jax.jacfwd(network)(x), jax.hessian(network)(x)))(x)
    expected = {
        requests[0]: network(x),
        first: jacobian[:, 0],
        rate: jacobian[:, time],
        requests[3]: sum(hessian[:, i, i] for i in space),
    }
    agree(values, expected, 3e-14)


def test_a_laplacian_whose_terms_are_asked_for_anyway():
    requests = [(2, 0), (0, 2), Laplacian((0, 1)), Laplacian((0,))]
    values = plan(requests, 2)(NETWORKS["tanh"], X)
    np.testing.assert_allclose(values[Laplacian((0, 1))], values[2, 0] + values[0, 2], rtol=1e-14)
    np.testing.assert_allclose(values[Laplacian((0,))], values[2, 0], rtol=1e-14)
