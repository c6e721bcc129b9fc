"""Our own networks: their equations, how they start, what is trained, and their description as JSON."""

import json
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sciml import nn

OWN = {
    "mlp": lambda key=0: nn.MLP(2, 3, width=8, depth=2, activation=jnp.sin, key=key),
    "modified": lambda key=0: nn.ModifiedMLP(2, 3, width=8, depth=2, key=key),
    "pirate": lambda key=0: nn.PirateNet(2, 3, width=8, blocks=2, key=key),
    "siren": lambda key=0: nn.SIREN(2, 3, width=8, depth=2, key=key),
    "separable": lambda key=0: nn.SeparableNetwork(2, 3, rank=4, width=8, key=key),
    "fourier": lambda key=0: nn.Embedded(
        nn.FourierFeatures(2, count=4, scale=(1.0, 2.0), key=key), nn.MLP(8, 3, width=8, depth=1, key=key)
    ),
    "harmonics": lambda key=0: nn.Embedded(
        nn.Harmonics(2, waves=((0, 20.0), (1, 7.0))), nn.MLP(6, 3, width=8, depth=1, key=key)
    ),
}
X = jnp.array([0.3, -0.7])


def test_mlp_is_its_equation():
    net = nn.MLP(2, 3, width=5, depth=2)
    a, b, c = net.layers
    expected = c.weight @ jnp.tanh(b.weight @ jnp.tanh(a.weight @ X + a.bias) + b.bias) + c.bias
    np.testing.assert_allclose(net(X), expected, rtol=1e-6)
    assert nn.count_parameters(net) == (2 * 5 + 5) + (5 * 5 + 5) + (5 * 3 + 3)


def test_modified_mlp_is_its_equation():
    net = nn.ModifiedMLP(2, 1, width=5, depth=2)
    u, v = (jnp.tanh(g.weight @ X + g.bias) for g in net.gates)
    g = X
    for layer in net.layers[:-1]:
        f = jnp.tanh(layer.weight @ g + layer.bias)
        g = f * u + (1 - f) * v
    np.testing.assert_allclose(net(X), net.layers[-1].weight @ g, rtol=1e-6)


def test_glorot_variance_and_zero_bias():
    net = nn.MLP(100, 1, width=300, depth=2)
    assert float(jnp.var(net.layers[0].weight)) == pytest.approx(2 / 400, rel=0.05)
    assert float(jnp.var(net.layers[1].weight)) == pytest.approx(2 / 600, rel=0.05)
    assert not any(jnp.any(layer.bias) for layer in net.layers)


def test_siren_keeps_its_distribution_with_depth():
    net = nn.SIREN(1, 1, width=256, depth=5, omega=30.0)
    x = jnp.linspace(-1, 1, 512)[:, None]
    for layer in net.layers[:-1]:
        x = jnp.sin(30.0 * jax.vmap(layer)(x))
    # The sine of a wide normal variable has standard deviation 1/sqrt(2): no layer fades and none saturates.
    assert float(jnp.std(x)) == pytest.approx(2**-0.5, abs=0.05)


def test_piratenet_starts_linear_in_its_embedding_and_fits_data():
    net = nn.PirateNet(1, 1, width=32, blocks=3, scale=3.0)
    np.testing.assert_allclose(net(X[:1]), net.last.weight @ net.embedding(X[:1]), rtol=1e-6)
    x = jnp.linspace(-1, 1, 101)[:, None]
    with jax.enable_x64(True):
        fitted = nn.cast(net, jnp.float64).fitted(np.asarray(x, float), np.sin(np.pi * np.asarray(x, float)))
        error = jax.vmap(fitted)(np.asarray(x, float)) - np.sin(np.pi * np.asarray(x, float))
    assert np.abs(error).max() < 1e-3


def test_separable_grid_is_the_point_evaluated_on_the_product():
    net = nn.SeparableNetwork(3, 2, rank=4, width=8)
    axes = [jnp.linspace(-1, 1, n) for n in (3, 4, 5)]
    points = jnp.stack(jnp.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    np.testing.assert_allclose(
        net.grid(*axes), jax.vmap(net)(points).reshape(3, 4, 5, 2), rtol=1e-5, atol=1e-6
    )
    one = nn.SeparableNetwork(1, 2, rank=4)
    np.testing.assert_allclose(one.grid(axes[0]), jax.vmap(one)(axes[0][:, None]), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="Expected 3 arrays"):
        net.grid(axes[0])


def test_fourier_frequencies_are_frozen_unless_asked():
    frozen, learned = nn.FourierFeatures(2, count=8), nn.FourierFeatures(2, count=8, learn_frequencies=True)
    assert nn.count_parameters(frozen) == 0 and nn.count_parameters(learned) == 16
    np.testing.assert_array_equal(frozen(X), learned(X))
    # Somebody who differentiates the whole module gets no gradient either.
    gradient = jax.grad(lambda net: jnp.sum(net(X) ** 2 * jnp.arange(16)))(frozen)
    assert not jnp.any(gradient.frequencies.value)
    spread = jnp.std(nn.FourierFeatures(2, count=2000, scale=(1.0, 5.0)).frequencies.value, axis=0)
    np.testing.assert_allclose(spread, [1, 5], rtol=0.1)


def test_a_part_of_a_users_network_can_be_frozen():
    class Net(eqx.Module):
        encoder: nn.Frozen
        head: eqx.nn.Linear
        table: np.ndarray

        def __call__(self, x):
            return self.head(nn.unfreeze(self.encoder)(x) * jnp.asarray(self.table, x.dtype))

    encoder, head = (eqx.nn.Linear(2, 2, key=jax.random.key(k)) for k in (0, 1))
    adapted = nn.adapt(Net(nn.Frozen(encoder), head, np.array([2.0, 3.0])), 2, 2)
    assert adapted.size == 6 and set(adapted.constants) == {
        "encoder.value.weight", "encoder.value.bias", "table"
    }  # fmt: skip
    np.testing.assert_allclose(
        adapted.apply(adapted.params, X), head(encoder(X) * jnp.array([2.0, 3.0])), rtol=1e-6
    )


def test_a_trainable_activation_is_trained():
    class Slope(eqx.Module):
        a: jax.Array

        def __call__(self, x):
            return jnp.tanh(self.a * x)

    net = nn.MLP(2, 1, width=4, depth=2, activation=Slope(jnp.ones(())))
    assert nn.count_parameters(net) == nn.count_parameters(nn.MLP(2, 1, width=4, depth=2)) + 1
    assert nn.adapt(net, 2, 1).architecture is None
    with pytest.raises(ValueError, match="no name under which it can be saved"):
        nn.to_json(net)


@pytest.mark.parametrize("name", OWN)
def test_networks_are_pytrees_of_arrays_for_plain_jax(name):
    net = OWN[name]()
    loss = jax.jit(lambda net, x: jnp.sum(net(x) ** 2))
    assert loss(net, X) > 0
    assert jax.tree.structure(jax.eval_shape(jax.grad(loss), net, X)) == jax.tree.structure(net)


@pytest.mark.parametrize("name", OWN)
def test_json_round_trip_rebuilds_architecture_and_start(name):
    net = OWN[name](key=7)
    data = json.loads(json.dumps(nn.to_json(net)))
    again = nn.from_json(data, key=7)
    assert jax.tree.structure(again) == jax.tree.structure(net) and nn.to_json(again) == data
    if name not in ("pirate", "fourier", "harmonics"):  # networks with parts split their key
        assert all(map(np.array_equal, jax.tree.leaves(again), jax.tree.leaves(net)))


def test_a_learned_embedding_survives_json():
    net = nn.Embedded(nn.FourierFeatures(2, count=4, learn_frequencies=True), nn.ModifiedMLP(8, 1, width=4))
    again = nn.from_json(nn.to_json(net))
    assert nn.count_parameters(again) == nn.count_parameters(net)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"class": "os.system"}, "Expected the description of one of MLP"),
        ({}, "Expected the description of one of MLP"),
        ({"class": "MLP", "in_size": 1}, "missing 1 required positional argument: 'out_size'"),
        ({"class": "MLP", "in_size": 1, "out_size": 1, "activation": "eval"}, "name of a known activation"),
        ({"class": "MLP", "in_size": 1, "out_size": 1, "__class__": 3}, "'__class__' came as well"),
    ],
)
def test_json_knows_only_what_is_listed(data, message):
    with pytest.raises(ValueError, match=message):
        nn.from_json(data)


def test_every_listed_activation_has_its_name_and_works():
    for name, function in nn.named_activations().items():
        assert nn.activation_name(function) == name and nn.named_activation(name) is function
        assert jnp.isfinite(function(jnp.array(0.3)))
    assert nn.activation_name(jax.nn.swish) == "silu" and nn.activation_name(jax.lax.tanh) == "tanh"
    with pytest.raises(ValueError, match="no name under which it can be saved"):
        nn.to_json(nn.MLP(1, 1, activation=lambda x: x**3))
    with pytest.raises(TypeError, match="Expected a function as activation"):
        nn.MLP(1, 1, activation="tanh")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", OWN)
def test_a_batch_is_refused_with_the_remedy(name):
    with pytest.raises(ValueError, match=r"one point of shape \(2,\).*jax.vmap"):
        OWN[name]()(jnp.ones((5, 2)))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: nn.MLP(0, 1), "at least 1 as in_size; 0 came"),
        (lambda: nn.MLP(1, 1, width=2.5), "at least 1 as width; 2.5 came"),  # pyright: ignore[reportArgumentType]
        (lambda: nn.PirateNet(1, 1, width=7), "even width"),
        (lambda: nn.PirateNet(1, 1, width=8, embedding=nn.FourierFeatures(1, count=8)), "gives 16 numbers"),
        (lambda: nn.FourierFeatures(2, scale=[1.0]), "one for each of the 2 coordinates; 1 came"),
        (lambda: nn.Embedded(nn.FourierFeatures(2, count=8), nn.MLP(2, 1)), "in_size=16"),
        (lambda: nn.Harmonics(2, waves=((2, 5.0),)), "pairs of a coordinate, 0 to 1, and a positive angular frequency"),
        (lambda: nn.Harmonics(2, waves=((0, 0.0),)), "a positive angular frequency"),
        (lambda: nn.SIREN(1, 1, omega=0.0), "positive omega"),
    ],
)
def test_bad_sizes_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("name", OWN)
def test_keys_decide_everything_and_dtype_is_the_default(name):
    a, b, c = OWN[name](key=3), OWN[name](key=jax.random.key(3)), OWN[name](key=4)
    assert all(map(np.array_equal, jax.tree.leaves(a), jax.tree.leaves(b)))
    assert not all(map(np.array_equal, jax.tree.leaves(a), jax.tree.leaves(c)))
    assert {leaf.dtype.name for leaf in jax.tree.leaves(a)} == {"float32"}
    with jax.enable_x64(True):
        double = jax.eval_shape(OWN[name])
        assert {leaf.dtype.name for leaf in jax.tree.leaves(double)} == {"float64"}
        # No constant inside pulls float32 up or float64 down.
        point = jax.ShapeDtypeStruct((2,), jnp.float64)
        assert jax.eval_shape(lambda net, x: net(x), a, X).dtype == jnp.float32
        assert jax.eval_shape(lambda net, x: net(x), double, point).dtype == jnp.float64


def test_cast_refuses_float64_that_would_become_float32():
    with pytest.raises(ValueError, match=r"sciml.float64\(\)"):
        nn.cast(nn.MLP(1, 1), jnp.float64)
    with pytest.raises(ValueError, match="floating dtype"):
        nn.cast(nn.MLP(1, 1), jnp.int32)


def test_importing_networks_imports_no_flax():
    code = "import sys; from sciml import nn; nn.adapt(nn.MLP(1, 1), 1, 1); print('flax' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
