"""Points go where the residual is and the loss stays the mean square; balancing changes weights and results."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sciml
from sciml import PDE, Box, Dirichlet, Disk, coordinates, field, laplacian, nn, pinn
from sciml.pinn._balance import block_gradients
from sciml.pinn._collocation import inclusion, systematic
from sciml.pinn._objective import Batch, make_objective

x, y, t = coordinates("x y t")


@pytest.fixture(scope="module")
def square():
    u = field("u", x, y)
    return pinn.compile(
        PDE(laplacian(u) + 1, Dirichlet(u, 0)), Box(x=(0, 1), y=(0, 1)), nn.MLP(2, 1, width=4, depth=1, key=0)
    )


def peak(points):
    """A planted residual: a narrow peak around (0.7, 0.2) that holds almost all of the mean square."""
    q = points["interior"].x
    return {"equation": 0.01 + 3 * np.exp(-(((q - [0.7, 0.2]) / 0.04) ** 2).sum(axis=1))}


def near(points):
    return np.mean(np.linalg.norm(points["interior"].x - [0.7, 0.2], axis=1) < 0.1)


def test_points_move_to_a_planted_peak(square):
    method = pinn.ResidualAdaptive(candidates=16)
    first, again = method.first(square, 500, key=1), method.again(square, 500, key=1, residuals=peak)
    assert len(again["interior"].x) == 500
    assert near(first) < 0.05
    assert near(again) > 5 * near(first)
    assert np.all(again["interior"].weight == 1)
    assert square.domain.contains(again["interior"].x).all()


def test_unbiased_weights_keep_the_mean_square(square):
    axis = (np.arange(1000) + 0.5) / 1000
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    exact = np.mean(peak({"interior": SimpleNamespace(x=grid)})["equation"] ** 2)

    def estimates(method):
        found = []
        for key in range(40):
            points = method.again(square, 400, key=key, residuals=peak)
            weight = points["interior"].weight
            assert weight.mean() == pytest.approx(1)
            found.append(np.mean(weight * peak(points)["equation"] ** 2))
        return np.array(found)

    unbiased, uniform = estimates(pinn.ResidualAdaptive(unbiased=True)), estimates(pinn.Redrawn())
    error = unbiased.std() / np.sqrt(len(unbiased))
    assert abs(unbiased.mean() - exact) < 3 * error + 0.005 * exact
    assert unbiased.std() < 0.7 * uniform.std()  # and with less variance than uniform points
    assert estimates(pinn.ResidualAdaptive()).mean() > 2 * exact  # the plain one counts the peak more


def test_systematic_sampling_keeps_the_probabilities():
    rng = np.random.default_rng(0)
    density = rng.exponential(size=60) ** 3 + 0.01
    probability = inclusion(density, 15)
    assert probability.sum() == pytest.approx(15) and probability.max() <= 1
    free = probability < 1
    np.testing.assert_allclose(np.ptp(probability[free] / density[free]), 0, atol=1e-12)
    counts = np.zeros(60)
    for _ in range(4000):
        chosen = systematic(probability, rng.random())
        assert len(chosen) == 15
        counts[chosen] += 1
    assert np.all(np.abs(counts / 4000 - probability) < 5 * np.sqrt(probability * (1 - probability) / 4000) + 1e-9)


def test_nothing_to_follow_gives_plain_points(square):
    zero = lambda q: {"equation": np.zeros(len(q["interior"].x))}  # noqa: E731
    bad = lambda q: {"equation": np.full(len(q["interior"].x), np.nan)}  # noqa: E731
    method = pinn.ResidualAdaptive(unbiased=True)
    for residuals in (zero, bad):
        points = method.again(square, 64, key=3, residuals=residuals)
        assert np.array_equal(points["interior"].x, method.first(square, 64, key=3)["interior"].x)


def test_redrawn_points_are_new_and_keys_repeat(square):
    method = pinn.Redrawn()
    a, b, c = (method.again(square, 64, key=k, residuals=None)["interior"].x for k in (1, 2, 1))
    assert np.array_equal(a, c) and not np.array_equal(a, b)


@pytest.fixture(scope="module")
def disk():
    u = field("u", x, y)
    network = nn.MLP(2, 1, width=6, depth=1, key=2)
    return pinn.compile(PDE(laplacian(u) + 1, Dirichlet(u, x**2)), Disk(center=(0, 0), radius=1), network)


def test_gradients_of_blocks_are_those_of_their_losses(disk):
    with sciml.float64():
        objective, p = make_objective(disk, disk.params)
        points = jax.tree.map(jnp.asarray, disk.sample(40))
        weights = {k: jnp.asarray(v) for k, v in disk.weights.items()}
        norms, losses = block_gradients(disk, objective)(p, Batch(points, weights))
        loss = jax.jit(jax.value_and_grad(lambda p, only: objective.loss(p, Batch(points, only))))
        for i, name in enumerate(weights):
            value, g = loss(p, {k: 1.0 if k == name else 0.0 for k in weights})
            np.testing.assert_allclose([losses[i], norms[i]], [value, jnp.linalg.norm(g)], rtol=1e-10)


def test_updates_of_the_weights():
    movable = {"wall"}
    weights, losses = {"equation": 1.0, "wall": 10.0}, {"equation": 0.1, "wall": 0.3}
    new = pinn.GradientNorm(memory=0.5).update(weights, movable, {"equation": 4.0, "wall": 0.2}, losses)
    assert new == {"equation": 1.0, "wall": pytest.approx((10 + 4.0 / 0.2) / 2)}
    new = pinn.SelfAdaptive(rate=0.5).update(weights, movable, {}, losses)
    assert new == {"equation": 1.0, "wall": pytest.approx(10 * np.exp(0.5 * 3 / 3.1))}
    capped = pinn.GradientNorm(memory=0.0, largest=50.0).update(
        weights, movable, {"equation": 4.0, "wall": 1e-9}, losses
    )
    assert capped["wall"] == 50.0
    assert pinn.GradientNorm().update(weights, movable, {"equation": 4.0, "wall": float("nan")}, losses) == weights


@pytest.mark.slow
def test_balancing_changes_the_weights_and_the_result(disk):
    found = {}
    for balancing in (None, pinn.GradientNorm(every=20), pinn.SelfAdaptive(every=20)):
        s = pinn.solve(
            disk.original,
            disk.domain,
            pinn.Adam(steps=100),
            network=nn.MLP(2, 1, width=6, depth=1, key=2),
            points=64,
            balancing=balancing,
            collocation=pinn.Fixed(),
            progress=False,
        )
        found[type(balancing).__name__] = (
            s.final.problem.weights["dirichlet u"],
            s.u(0.3, 0.1),
            s.conditions["dirichlet u"],
        )
    weights = {k: v[0] for k, v in found.items()}
    assert weights["NoneType"] == 10.0 and len(set(weights.values())) == 3
    assert len({v[1] for v in found.values()}) == 3
    # The heavier condition is met better.
    heavy, light = max(found.values()), min(found.values())
    assert heavy[2] < light[2]
