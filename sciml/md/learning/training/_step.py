"""One step of training, compiled."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from ...deep._chebyshev import chebyshev
from ...deep._compress import exact_net
from ._buckets import Frames
from ._loss import AbstractLoss, Squares, Weights, loss_and_squares
from ._predict import Prediction, biased, predict


class State(NamedTuple):
    """What changes: `parameters`, the moments of the `optimizer`, the `average` of parameters or None, and the `shift` of the
    energy biases `(types,)` [eV], which is fitted, not trained."""

    parameters: Any
    optimizer: Any
    average: Any
    shift: Any


class Setting(eqx.Module):
    """What does not change: `frozen` leaves of the model, `loss`, `optimizer`, the smallest distance
    that series are for, `nearest` [angstrom], and the decay of the `average`, 0 for none."""

    frozen: Any
    loss: AbstractLoss
    optimizer: optax.GradientTransformation = eqx.field(static=True)
    nearest: float = eqx.field(static=True)
    average: float = eqx.field(static=True)

    def model(self, parameters: Any, panels: tuple[Any, ...]) -> Any:
        """With the series of each net on panels between its edges, if any."""
        model = eqx.combine(parameters, self.frozen)
        if not panels:
            return model
        edges = iter(panels)
        change = lambda net, low, high: chebyshev(exact_net(net), next(edges))  # noqa: E731
        return model.with_embeddings(change, self.nearest)


def advance(
    setting: Setting, state: State, panels: Any, frames: Frames, picks: Any, rates: Any, weights: Weights, count: Any
) -> Any:
    """`count` steps, of at most as many as there are rows of `picks` `(steps, batch)`, numbers of frames; `rates` and `weights`
    `(steps,)`. The state, and the sum of all squares."""
    dtype = jax.tree.leaves(state.parameters)[0].dtype
    low = lambda a: a.astype(dtype)  # noqa: E731

    def one(k: Any, carry: Any) -> Any:
        state, total = carry
        batch = jax.tree.map(lambda a: a[picks[k]], frames)

        def objective(parameters: Any) -> tuple[Any, Squares]:
            found = biased(predict(setting.model(parameters, panels), batch, dtype), batch, state.shift)
            return loss_and_squares(setting.loss, Weights(*(low(w[k]) for w in weights)), found, batch)

        grads, squares = jax.grad(objective, has_aux=True)(state.parameters)
        updates, moments = setting.optimizer.update(grads, state.optimizer, state.parameters)
        parameters = jax.tree.map(lambda p, u: p - low(rates[k]) * u, state.parameters, updates)
        average = state.average
        if average is not None:
            average = jax.tree.map(lambda a, p: setting.average * a + (1 - setting.average) * p, average, parameters)
        return State(parameters, moments, average, state.shift), jax.tree.map(jnp.add, total, squares)

    nothing = Squares(jnp.zeros(3, dtype), jnp.zeros(3, dtype))
    return jax.lax.fori_loop(0, count, one, (state, nothing))


def compiled_step(setting: Setting, several: bool) -> Any:
    """`advance`, of several models with a leading axis where there are `several`."""
    one = partial(advance, setting)
    return jax.jit(jax.vmap(one, in_axes=(0, None, None, 0, None, None, None)) if several else one, donate_argnums=0)


def compiled_prediction(setting: Setting, several: bool) -> Any:
    def some(parameters: Any, shift: Any, panels: Any, frames: Frames, which: Any) -> Prediction:
        batch = jax.tree.map(lambda a: a[which], frames)
        return biased(predict(setting.model(parameters, panels), batch, jax.tree.leaves(parameters)[0].dtype), batch, shift)

    return jax.jit(jax.vmap(some, in_axes=(0, 0, None, None, None)) if several else some)
