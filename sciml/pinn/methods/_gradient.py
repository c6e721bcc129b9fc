"""First-order methods: Adam, and any transformation of optax."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from ._base import AbstractMethod, Objective, State, start


class Optax(AbstractMethod):
    """Any optax transformation, `Optax(optax.lion(1e-3), steps=5000)`.

    **Arguments:** `transformation`, an `optax.GradientTransformation`; `steps`, at most so many.
    """

    steps: int | None
    transformation: Any = eqx.field(static=True)

    def __init__(self, transformation: Any, *, steps: int | None = None):
        if not (hasattr(transformation, "init") and hasattr(transformation, "update")):
            raise TypeError(
                f"Optax takes a gradient transformation such as optax.adam(1e-3); {type(transformation).__name__} came."
            )
        self.transformation, self.steps = transformation, steps

    def init(self, objective: Objective, p: Any, batch: Any) -> State:
        return start(objective, p, batch, self.transformation.init(p))

    def step(self, objective: Objective, state: State, batch: Any) -> State:
        return _descend(self.transformation, objective, state, batch)


class Adam(AbstractMethod):
    """Adam (Kingma & Ba 2015, arXiv:1412.6980) with a learning rate that falls along a cosine to a twentieth.

    **Good values:** 500 to 1000 steps before a quasi-Newton method, which needs a start that is roughly right; alone,
    tens of thousands. `steps=None` keeps the learning rate constant.
    """

    steps: int | None = 1000
    learning_rate: float = 5e-3

    def _transformation(self) -> Any:
        if self.steps is None:
            return optax.adam(self.learning_rate)
        return optax.adam(optax.cosine_decay_schedule(self.learning_rate, self.steps, 0.05))

    def init(self, objective: Objective, p: Any, batch: Any) -> State:
        return start(objective, p, batch, self._transformation().init(p))

    def step(self, objective: Objective, state: State, batch: Any) -> State:
        return _descend(self._transformation(), objective, state, batch)


def _descend(transformation: Any, objective: Objective, state: State, batch: Any) -> State:
    updates, memory = transformation.update(state.gradient, state.memory, state.p)
    p = state.p + updates
    loss, gradient = objective.value_and_grad(p, batch)
    return State(p, loss, gradient, memory, state.evaluations + 1, jnp.zeros_like(state.stalled))


class SOAP(AbstractMethod):
    """Shampoo with Adam in the preconditioner's eigenbasis (Vyas et al. 2024, arXiv:2409.11321).

    Every weight matrix W has running averages L of G G^T and R of G^T G; Adam runs on Q_L^T G Q_R, where Q_L and Q_R are
    their eigenvectors, refined every `every` steps. Wang et al. 2025 (arXiv:2502.00604) for physics-informed
    networks. **Good values:** learning rate 1e-3 to 5e-3, `every` 5 to 20.
    """

    steps: int | None = None
    learning_rate: float = 3e-3
    b1: float = 0.95
    b2: float = 0.99
    every: int = 10

    def init(self, objective: Objective, p: Any, batch: Any) -> State:
        leaves = [jnp.atleast_1d(w) for w in jax.tree.leaves(objective.unravel(p))]
        factors = [_sides(w) for w in leaves]
        memory = {
            "count": jnp.asarray(0),
            "m": jnp.zeros_like(p),
            "v": jnp.zeros_like(p),
            "averages": [[jnp.zeros((k, k), p.dtype) for k in sides] for sides in factors],
            "bases": [[jnp.eye(k, dtype=p.dtype) for k in sides] for sides in factors],
        }
        return start(objective, p, batch, memory)

    def step(self, objective: Objective, state: State, batch: Any) -> State:
        from jax.flatten_util import ravel_pytree

        memory = state.memory
        unravel = objective.unravel
        tree = unravel(state.gradient)
        gradients, structure = jax.tree.flatten(tree)
        shapes = [g.shape for g in gradients]
        averages = [
            [self.b2 * a + (1 - self.b2) * outer for a, outer in zip(side, _outers(g), strict=True)]
            for side, g in zip(memory["averages"], gradients, strict=True)
        ]
        refresh = memory["count"] % self.every == 0
        # The first moment lives in parameter space: only the second is tied to the basis.
        bases = jax.lax.cond(
            refresh,
            lambda: [[jnp.linalg.eigh(a)[1] for a in side] for side in averages],
            lambda: memory["bases"],
        )
        count = memory["count"] + 1
        m = self.b1 * memory["m"] + (1 - self.b1) * state.gradient
        rotate = lambda flat, back: ravel_pytree(  # noqa: E731
            jax.tree.unflatten(
                structure,
                [
                    _rotate(g, side, back).reshape(shape)
                    for g, side, shape in zip(jax.tree.leaves(unravel(flat)), bases, shapes, strict=True)
                ],
            )
        )[0]
        g_rotated = rotate(state.gradient, False)
        v = self.b2 * memory["v"] + (1 - self.b2) * g_rotated**2
        m_hat = rotate(m, False) / (1 - self.b1**count)
        v_hat = v / (1 - self.b2**count)
        p = state.p - self.learning_rate * rotate(m_hat / (jnp.sqrt(v_hat) + 1e-12), True)
        loss, gradient = objective.value_and_grad(p, batch)
        memory = {"count": count, "m": m, "v": v, "averages": averages, "bases": bases}
        return State(p, loss, gradient, memory, state.evaluations + 1, jnp.zeros_like(state.stalled))


def _sides(w: Any) -> tuple[int, ...]:
    return tuple(w.shape) if w.ndim == 2 and max(w.shape) <= 1024 else ()


def _outers(g: Any) -> list[Any]:
    return [g @ g.T, g.T @ g] if _sides(jnp.atleast_1d(g)) else []


def _rotate(g: Any, bases: list[Any], back: bool) -> Any:
    if not bases:
        return g
    left, right = bases
    return left @ g @ right.T if back else left.T @ g @ right
