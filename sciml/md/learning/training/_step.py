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
    """What does not change: `frozen` leaves of the model, `loss`, `optimizer`, and the decay of the `average`, 0 for none."""

    frozen: Any
    loss: AbstractLoss | None
    optimizer: optax.GradientTransformation | None = eqx.field(static=True)
    average: Any

    def model(self, parameters: Any, panels: tuple[Any, ...]) -> Any:
        """With the series of each net on panels between its edges, if any."""
        model = eqx.combine(parameters, self.frozen)
        if not panels:
            return model
        edges = iter(panels)
        change = lambda net, low, high: chebyshev(exact_net(net), next(edges))  # noqa: E731
        return model.with_embeddings(change, model.cutoff)


def _advance(
    setting: Setting, state: State, panels: Any, frames: Frames, rates: Any, weights: Weights, count: Any
) -> tuple[State, Squares]:
    """`count` steps, each of one of the batches `frames` `(steps, batch, ...)`, with one of `rates` and `weights` `(steps,)`.
    The state, and the sum of all squares."""
    assert setting.loss is not None and setting.optimizer is not None
    loss, optimizer = setting.loss, setting.optimizer
    dtype = jax.tree.leaves(state.parameters)[0].dtype
    low = lambda a: jnp.asarray(a).astype(dtype)  # noqa: E731

    def one(k: Any, carry: Any) -> Any:
        state, total = carry
        batch = jax.tree.map(lambda a: a[k], frames)

        def objective(parameters: Any) -> tuple[Any, Squares]:
            found = biased(predict(setting.model(parameters, panels), batch, dtype), batch, state.shift)
            return loss_and_squares(loss, Weights(*(low(w[k]) for w in weights)), found, batch)

        grads, squares = jax.grad(objective, has_aux=True)(state.parameters)
        updates, moments = optimizer.update(grads, state.optimizer, state.parameters)
        parameters = jax.tree.map(lambda p, u: p - low(rates[k]) * u, state.parameters, updates)
        average = state.average
        if average is not None:
            old, new = low(setting.average), low(1 - setting.average)
            average = jax.tree.map(lambda a, p: old * a + new * p, average, parameters)
        return State(parameters, moments, average, state.shift), jax.tree.map(jnp.add, total, squares)

    nothing = Squares(jnp.zeros(3, dtype), jnp.zeros(3, dtype))
    return jax.lax.fori_loop(0, count, one, (state, nothing))


def _predict(setting: Setting, parameters: Any, shift: Any, panels: Any, frames: Frames) -> Prediction:
    return biased(predict(setting.model(parameters, panels), frames, jax.tree.leaves(parameters)[0].dtype), frames, shift)


@partial(jax.jit, static_argnums=(0, 1), donate_argnums=3)
def _advanced(rest: Any, several: bool, traced: Any, state: State, panels: Any, frames: Any, *schedule: Any) -> Any:
    one = partial(_advance, eqx.combine(rest, traced))
    one = jax.vmap(one, in_axes=(0, None, 0, None, None, None)) if several else one
    return one(state, panels, frames, *schedule)


@partial(jax.jit, static_argnums=(0, 1))
def _predicted(rest: Any, several: bool, traced: Any, parameters: Any, shift: Any, panels: Any, frames: Frames) -> Any:
    one = partial(_predict, eqx.combine(rest, traced))
    return (jax.vmap(one, in_axes=(0, 0, None, None)) if several else one)(parameters, shift, panels, frames)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _started(optimizer: Any, several: bool, averaged: bool, parameters: Any, shift: Any) -> State:
    init = jax.vmap(optimizer.init) if several else optimizer.init
    return State(parameters, init(parameters), jax.tree.map(jnp.copy, parameters) if averaged else None, shift)


class Programs:
    """The compiled functions of a training; trainings of models and frames of the same shapes share them, whatever the
    numbers. With `several` models parameters, shifts and the frames of steps have a leading axis."""

    def __init__(self, setting: Setting, several: bool):
        traced, self.rest = eqx.partition(setting, eqx.is_array_like)
        self.traced, self.several, self.setting = jax.tree.map(jnp.asarray, traced), several, setting

    def start(self, parameters: Any, shift: Any, averaged: bool) -> State:
        return _started(self.setting.optimizer, self.several, averaged, parameters, shift)

    def advance(self, state: State, panels: Any, frames: Frames, *schedule: Any) -> tuple[State, Squares]:
        """As `_advance`; the `state` that is given is used up."""
        return _advanced(self.rest, self.several, self.traced, state, panels, frames, *schedule)

    def predict(self, parameters: Any, shift: Any, panels: Any, frames: Frames) -> Prediction:
        return _predicted(self.rest, self.several, self.traced, parameters, shift, panels, frames)
