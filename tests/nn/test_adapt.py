"""The contract that every adapted network keeps, whoever wrote it."""

import functools
import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from jax.flatten_util import ravel_pytree

from sciml import nn


class TiedEquinox(eqx.Module):
    shared: eqx.nn.Shared

    def __init__(self, key):
        a, b = (eqx.nn.Linear(2, 2, key=k) for k in jax.random.split(key))
        self.shared = eqx.nn.Shared((a, b), lambda pair: pair[1].weight, lambda pair: pair[0].weight)

    def __call__(self, x):
        a, b = self.shared()
        return b(jnp.tanh(a(x)))


class NNX(nnx.Module):
    def __init__(self, rngs, dtype=None):
        self.a = nnx.Linear(2, 6, rngs=rngs, dtype=dtype)
        self.norm = nnx.LayerNorm(6, rngs=rngs, dtype=dtype)
        self.b = nnx.Linear(6, 2, rngs=rngs, dtype=dtype)

    def __call__(self, x):
        return self.b(jnp.tanh(self.norm(self.a(x))))


class TiedNNX(nnx.Module):
    def __init__(self, rngs):
        self.a = nnx.Linear(2, 2, rngs=rngs)
        self.b = self.a

    def __call__(self, x):
        return self.b(jnp.tanh(self.a(x)))


class StochasticNNX(nnx.Module):
    def __init__(self, rngs):
        self.a = nnx.Linear(2, 6, rngs=rngs)
        self.norm = nnx.BatchNorm(6, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)
        self.b = nnx.Linear(6, 2, rngs=rngs)

    def __call__(self, x):
        return self.b(jnp.tanh(self.drop(self.norm(self.a(x)))))


class Linen(linen.Module):
    inference: bool = True

    @linen.compact
    def __call__(self, x):
        x = linen.BatchNorm(use_running_average=self.inference)(linen.Dense(6)(x))
        return linen.Dense(2)(jnp.tanh(x))


class TiedLinen(linen.Module):
    @linen.compact
    def __call__(self, x):
        layer = linen.Dense(2)
        return layer(jnp.tanh(layer(x)))


def function(params, x):
    return params["w"] @ jnp.tanh(params["v"] @ x) * params["scale"]


def weights(key):
    v, w = jax.random.split(jax.random.key(key))
    return {"v": jax.random.normal(v, (6, 2)), "w": jax.random.normal(w, (2, 6)), "scale": 0.5, "order": 3}


def evaluated(model):
    model.eval()
    return model


NETWORKS = {
    "MLP": lambda key: nn.MLP(2, 2, width=6, depth=2, key=key),
    "ModifiedMLP": lambda key: nn.ModifiedMLP(2, 2, width=6, depth=2, activation=jax.nn.gelu, key=key),
    "PirateNet": lambda key: nn.PirateNet(2, 2, width=6, blocks=1, key=key),
    "SIREN": lambda key: nn.SIREN(2, 2, width=6, depth=2, key=key),
    "SeparableNetwork": lambda key: nn.SeparableNetwork(2, 2, rank=3, width=6, key=key),
    "Embedded": lambda key: nn.Embedded(
        nn.FourierFeatures(2, count=3, key=key), nn.MLP(6, 2, width=6, key=key)
    ),
    "learned Fourier": lambda key: nn.Embedded(
        nn.FourierFeatures(2, count=3, learn_frequencies=True, key=key), nn.MLP(6, 2, width=6, key=key)
    ),
    "harmonics": lambda key: nn.Embedded(nn.Harmonics(2, waves=((1, 9.0),)), nn.MLP(4, 2, width=6, key=key)),
    "Equinox MLP": lambda key: eqx.nn.MLP(2, 2, 6, 2, jnp.tanh, key=jax.random.key(key)),
    "Equinox tied": lambda key: TiedEquinox(jax.random.key(key)),
    "Equinox inference": lambda key: eqx.nn.inference_mode(
        eqx.nn.Sequential([eqx.nn.Linear(2, 2, key=jax.random.key(key)), eqx.nn.Dropout(0.5)])
    ),
    "Partial": lambda key: jax.tree_util.Partial(function, weights(key) | {"scale": jnp.ones(())}),
    "NNX": lambda key: NNX(nnx.Rngs(key)),
    "NNX tied": lambda key: TiedNNX(nnx.Rngs(key)),
    "NNX eval": lambda key: evaluated(StochasticNNX(nnx.Rngs(key))),
    "linen": lambda key: Linen(),
    "linen tied": lambda key: TiedLinen(),
    "linen with variables": lambda key: (Linen(), Linen().init(jax.random.key(key), jnp.ones(2))),
    "function": lambda key: (function, weights(key)),
}
X = np.array([[0.3, -0.7], [0.1, 0.2], [-0.9, 0.5]])


def everything(adapted, params, x):
    """A loss with second derivatives in x, its gradient in params, the second derivative, and the values."""
    e = jnp.array([1.0, 0.0], x.dtype)

    def second(params, x):
        slope = lambda x: jax.jvp(lambda x: adapted.apply(params, x), (x,), (e,))[1]  # noqa: E731
        return jax.jvp(slope, (x,), (e,))[1]

    def loss(params):
        curvature = jax.vmap(second, (None, 0))(params, x)
        values = jax.vmap(adapted.apply, (None, 0))(params, x)
        return jnp.mean((curvature + values) ** 2), (curvature, values)

    (value, (curvature, values)), gradient = jax.value_and_grad(loss, has_aux=True)(params)
    return value, gradient, curvature, values


@pytest.mark.parametrize("name", NETWORKS)
def test_contract(name):
    """One point, vmap, jit, the gradient in params, the second derivative in x, the flat form, in float64."""
    with jax.enable_x64(True):
        adapted = nn.adapt(NETWORKS[name](1), 2, 2, dtype=jnp.float64)
        run, x = jax.jit(functools.partial(everything, adapted)), jnp.asarray(X)
        _, gradient, curvature, values = run(adapted.params, x)
        left, right = (run(adapted.params, x + h * jnp.array([1.0, 0.0]))[3] for h in (-1e-4, 1e-4))
        numeric = (left - 2 * values + right) / 1e-8
        assert values.shape == curvature.shape == (3, 2)
        np.testing.assert_allclose(adapted.apply(adapted.params, x[0]), values[0], rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(curvature, numeric, rtol=1e-4, atol=1e-5)

        flat, unravel = ravel_pytree(adapted.params)
        assert flat.shape == (adapted.size,) and flat.dtype == jnp.float64
        assert all(map(np.array_equal, jax.tree.leaves(unravel(flat)), jax.tree.leaves(adapted.params)))
        slope, _ = ravel_pytree(gradient)
        step = 1e-5 * slope / jnp.linalg.norm(slope)
        rise = run(unravel(flat + step), x)[0] - run(unravel(flat - step), x)[0]
        np.testing.assert_allclose(rise / 2e-5, jnp.linalg.norm(slope), rtol=1e-5)
        assert {a.dtype.name for a in jax.tree.leaves((gradient, curvature, values))} == {"float64"}


@pytest.mark.parametrize("name", NETWORKS)
def test_contract_in_float32(name):
    """Float32 stays float32 through every transformation, even where 64 bits are switched on."""
    with jax.enable_x64(True):
        adapted = nn.adapt(NETWORKS[name](1), 2, 2, dtype=jnp.float32)
        x = jnp.asarray(X, jnp.float32)
        shapes = jax.eval_shape(functools.partial(everything, adapted), adapted.params, x)
        assert {a.dtype.name for a in jax.tree.leaves((adapted.params, shapes))} == {"float32"}
        assert jax.tree.structure(shapes[1]) == jax.tree.structure(adapted.params)
        y = adapted.apply(adapted.params, x[0])
        double = nn.cast(adapted.params, jnp.float64)
        np.testing.assert_allclose(y, adapted.apply(double, X[0]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_key_gives_the_same_network_and_another_another(name):
    a, b, c = (nn.adapt(NETWORKS[name](k), 2, 2, key=k) for k in (1, 1, 2))
    flat = [ravel_pytree(n.params)[0] for n in (a, b, c)]
    np.testing.assert_array_equal(flat[0], flat[1])
    assert not np.array_equal(flat[0], flat[2])
    assert all(map(np.array_equal, a.to_arrays().values(), b.to_arrays().values()))


@pytest.mark.parametrize("name", NETWORKS)
def test_saved_and_restored_bit_for_bit(name, tmp_path):
    with jax.enable_x64(True):
        adapted = nn.adapt(NETWORKS[name](1), 2, 2, dtype=jnp.float64)
        trained = jax.tree.map(lambda a: a + jnp.pi / 7, adapted.params)
        np.savez(tmp_path / "network.npz", allow_pickle=False, **adapted.to_arrays(trained))
        data = json.loads(json.dumps(adapted.to_json()))
        own = adapted.kind == "sciml"
        if not own:
            with pytest.raises(ValueError, match="hand it in: network="):
                nn.restore(data, {})
        with np.load(tmp_path / "network.npz", allow_pickle=False) as arrays:
            again = nn.restore(data, arrays, network=None if own else NETWORKS[name](5))
        assert all(map(np.array_equal, jax.tree.leaves(again.params), jax.tree.leaves(trained)))
        np.testing.assert_array_equal(again.apply(again.params, X[0]), adapted.apply(trained, X[0]))
    with pytest.raises(ValueError, match=r"sciml.float64\(\)"):
        nn.restore(data, {}, network=NETWORKS[name](5))


def test_arrays_of_another_network_are_refused_by_name():
    small, large = (nn.adapt(nn.MLP(2, 1, width=w), 2, 1) for w in (4, 5))
    with pytest.raises(ValueError, match=r"params/layers.0.weight of MLP .* \(4, 2\).*\(5, 2\) came"):
        small.with_arrays(large.to_arrays())
    arrays = small.to_arrays()
    del arrays["params/layers.0.bias"]
    with pytest.raises(ValueError, match="missing: params/layers.0.bias"):
        small.with_arrays(arrays)


def step(adapted):
    gradient = jax.grad(lambda p: jnp.sum(adapted.apply(p, X[0]) ** 2))(adapted.params)
    return jax.tree.map(lambda p, g: p - 0.1 * g, adapted.params, gradient)


def test_shared_weights_stay_tied_after_a_gradient_step():
    tied = nn.adapt(TiedNNX(nnx.Rngs(0)), 2, 2)
    assert tied.size == 6
    model = tied.network(step(tied))
    assert model.a is model.b and model.a.kernel is model.b.kernel
    assert not np.array_equal(model.a.kernel[...], TiedNNX(nnx.Rngs(0)).a.kernel[...])

    tied = nn.adapt(TiedEquinox(jax.random.key(0)), 2, 2)
    assert tied.size == 8
    a, b = tied.network(step(tied)).shared()
    np.testing.assert_array_equal(a.weight, b.weight)

    tied = nn.adapt(TiedLinen(), 2, 2)
    assert tied.size == 6
    module, variables = tied.network(step(tied))
    layer = variables["params"]["Dense_0"]
    once = lambda x: x @ layer["kernel"] + layer["bias"]  # noqa: E731
    np.testing.assert_allclose(
        module.apply(variables, X[0]), once(jnp.tanh(once(jnp.asarray(X[0])))), rtol=1e-6
    )


def test_tied_gradient_is_the_sum_of_both_uses():
    tied = nn.adapt(TiedNNX(nnx.Rngs(0)), 2, 2)

    def apart(first, second):
        a, b = tied.network(first), tied.network(second)
        return jnp.sum(b.b(jnp.tanh(a.a(jnp.asarray(X[0])))) ** 2)

    parts = jax.grad(apart, (0, 1))(tied.params, tied.params)
    whole = jax.grad(lambda p: jnp.sum(tied.apply(p, X[0]) ** 2))(tied.params)
    for name in whole:
        np.testing.assert_allclose(whole[name], parts[0][name] + parts[1][name], rtol=1e-5)


def test_an_equinox_layer_used_twice_is_refused_with_both_paths():
    layer = eqx.nn.Linear(2, 2, key=jax.random.key(0))
    with pytest.raises(ValueError, match=r"layers.0.weight and at layers.1.weight.*equinox.nn.Shared"):
        nn.adapt(eqx.nn.Sequential([layer, layer]), 2, 2)


def test_batch_statistics_are_constants_of_an_evaluated_model():
    model = StochasticNNX(nnx.Rngs(0))
    model.norm.mean[...] = jnp.full(6, 0.25)
    adapted = nn.adapt(evaluated(model), 2, 2)
    assert "norm.mean" in adapted.constants and "norm.scale" in adapted.params
    np.testing.assert_allclose(adapted.apply(adapted.params, X[0]), model(jnp.asarray(X[0])), rtol=1e-6)
    assert "norm.mean" in adapted.describe() and "not trained" in adapted.describe()


def test_float64_reaches_layers_that_were_given_float32_and_spares_the_users_model():
    model = NNX(nnx.Rngs(0), dtype=jnp.float32)
    with jax.enable_x64(True):
        adapted = nn.adapt(model, 2, 2, dtype=jnp.float64)
        free = nn.adapt(NNX(nnx.Rngs(0)), 2, 2, dtype=jnp.float64)
        y, expected = (n.apply(n.params, X[0]) for n in (adapted, free))
        assert y.dtype == jnp.float64
        np.testing.assert_allclose(y, expected, rtol=1e-14)
        again = nn.adapt(nn.adapt(model, 2, 2), 2, 2, dtype=jnp.float64)
        np.testing.assert_array_equal(again.apply(again.params, X[0]), y)
    assert model.a.dtype == jnp.float32 and model.a.kernel[...].dtype == jnp.float32


def test_restarted_for_ensembles():
    adapted = nn.adapt(nn.MLP(2, 2, width=6, depth=2, key=1), 2, 2)
    np.testing.assert_array_equal(
        ravel_pytree(adapted.restarted(1).params)[0], ravel_pytree(adapted.params)[0]
    )
    keys = jax.random.split(jax.random.key(0), 4)
    members = jax.vmap(lambda key: adapted.restarted(key).params)(keys)
    values = jax.vmap(adapted.apply, (0, None))(members, jnp.asarray(X[0]))
    assert values.shape == (4, 2) and len(np.unique(values[:, 0])) == 4
    linen_network = nn.adapt(Linen(), 2, 2)
    one, two = (ravel_pytree(linen_network.restarted(k).params)[0] for k in (1, 2))
    assert not np.array_equal(one, two)
    with pytest.raises(ValueError, match="Build one network per key"):
        nn.adapt(NNX(nnx.Rngs(0)), 2, 2).restarted(1)


def test_function_parameters_keep_their_form():
    adapted = nn.adapt((function, weights(0)), 2, 2)
    assert adapted.size == 12 + 12 + 1 and adapted.params["order"] is None
    called, params = adapted.network()
    assert called is function and params["order"] == 3


class Stateful(eqx.Module):
    layers: list

    def __call__(self, x, state):
        return x, state


def unfinished(params, x):
    return params * jnp.log(-x)


ERRORS = {
    "output size": (lambda: nn.MLP(2, 3), "MLP was built with out_size=3; expected out_size=2"),
    "input size": (lambda: nn.MLP(3, 2), "MLP was built with in_size=3; expected in_size=2"),
    "output shape": (lambda: NNXLinear(2, 3), r"output of shape \(2,\) from Linear .*; \(3,\) came"),
    "input shape": (lambda: NNXLinear(3, 2), r"could not be evaluated at one point of shape \(2,\)"),
    "a batch axis": (lambda: (lambda p, x: (p * x)[None], jnp.ones(2)), r"\(1, 2\) came.*y.reshape\(2\)"),
    "several arrays": (lambda: (lambda p, x: (x, p), jnp.ones(2)), "tuple came. Return the fields stacked"),
    "integers": (lambda: (lambda p, x: jnp.arange(2), jnp.ones(2)), "floating output.*int32 came"),
    "complex": (lambda: (lambda p, x: 1j * p * x, jnp.ones(2)), "complex64 came. A complex field is two"),
    "complex parameters": (lambda: (lambda p, x: x, jnp.ones(2) * 1j), "Expected real parameters"),
    "not finite": (lambda: (unfinished, jnp.ones(2)), "Expected a finite output.*probe=point"),
    "NaN parameters": (
        lambda: (lambda p, x: p["a"] * x, {"a": jnp.full(2, jnp.nan)}),
        "finite parameters; a of",
    ),
    "no parameters": (lambda: (lambda p, x: x, {}), "nothing to train"),
    "a bare function": (lambda: jnp.sin, r"give a plain function as \(function, params\)"),
    "two precisions": (
        lambda: (lambda p, x: p[0] * p[1] * x, [jnp.ones(2), jnp.ones(2, jnp.bfloat16)]),
        "one precision; .*float32 at 0 and bfloat16 at 1",
    ),
    "an inner cast": (lambda: NNX(nnx.Rngs(0), dtype=jnp.bfloat16), "float32 and its output is bfloat16"),
    "a key": (
        lambda: eqx.nn.Sequential([equinox_linear(), eqx.nn.Dropout(0.1)]),
        "Dropout at layers.1.*inference_mode",
    ),
    "a state": (
        lambda: Stateful([eqx.nn.BatchNorm(2, "batch", mode="batch")]),
        "keeps a state at layers.0.*LayerNorm",
    ),
    "NNX in training": (lambda: StochasticNNX(nnx.Rngs(0)), r"changes .*norm.mean.*model.eval\(\)"),
    "linen in training": (lambda: Linen(inference=False), "BatchNorm_0.*\n*.*use_running_average=True"),
    "NNX with parameters": (lambda: (NNX(nnx.Rngs(0)), {}), "hand in the module alone"),
    "a class": (lambda: nn.MLP, "the class MLP, not an instance"),
    "a string": (lambda: "mlp", "Expected an Equinox module"),
    "three things": (lambda: (function, {}, 3), "a tuple of 3"),
}


def NNXLinear(a, b):
    return nnx.Linear(a, b, rngs=nnx.Rngs(0))


def equinox_linear():
    return eqx.nn.Linear(2, 2, key=jax.random.key(0))


@pytest.mark.parametrize("name", ERRORS)
def test_what_is_no_network_of_one_point_is_refused(name):
    build, message = ERRORS[name]
    with pytest.raises((ValueError, TypeError), match=f"(?s){message}"):
        nn.adapt(build(), 2, 2)


def test_a_probe_where_the_network_is_defined():
    adapted = nn.adapt((unfinished, jnp.ones(2)), 2, 2, probe=[-1.0, -2.0])
    np.testing.assert_allclose(
        adapted.apply(adapted.params, np.array([-1.0, -2.0])), np.log([1, 2]), rtol=1e-6
    )


def test_apply_refuses_a_batch():
    adapted = nn.adapt((lambda p, x: p * x, jnp.ones(2)), 2, 2)
    with pytest.raises(ValueError, match=r"one point of shape \(2,\).*\(5, 2\) came.*jax.vmap"):
        adapted.apply(adapted.params, np.ones((5, 2)))


def test_apply_traces_once_under_jit():
    traces = []

    def counted(params, x):
        traces.append(1)
        return params * x

    adapted = nn.adapt((counted, jnp.ones(2)), 2, 2)
    before = len(traces)
    compiled = jax.jit(adapted.apply)
    for x in X:
        compiled(adapted.params, jnp.asarray(x))
    assert len(traces) == before + 1
