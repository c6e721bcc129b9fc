"""A line search that ends where both Wolfe conditions hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Accepted(NamedTuple):
    """Step length (0 where none was found), loss and gradient there, evaluations, and whether Wolfe holds."""

    alpha: Any
    loss: Any
    gradient: Any
    evaluations: Any
    wolfe: Any


def line_search(
    value_and_grad: Callable[[Any], tuple[Any, Any]],
    p: Any,
    loss: Any,
    gradient: Any,
    direction: Any,
    *,
    c1: float = 1e-4,
    c2: float = 0.9,
    first: Any = 1.0,
    most: int = 15,
) -> Accepted:
    """Bracketing and bisection with interpolation; Nocedal & Wright 2006, algorithm 3.5, for the weak Wolfe conditions

        f(p + a d) <= f + c1 a g.d,        g(p + a d).d >= c2 g.d

    A non-finite loss counts as too long a step. If the conditions are not met after `most` evaluations, the best
    point found is returned.
    """
    slope = gradient @ direction

    def unfinished(c: dict[str, Any]) -> Any:
        return ~c["done"] & (c["count"] < most)

    def shrink_or_grow(c: dict[str, Any]) -> dict[str, Any]:
        a = c["alpha"]
        f, g = value_and_grad(p + a * direction)
        too_long = ~jnp.isfinite(f) | (f > loss + c1 * a * slope)
        too_short = ~too_long & (g @ direction < c2 * slope)
        done = ~(too_long | too_short)
        high = jnp.where(too_long, a, c["high"])
        low = jnp.where(too_short, a, c["low"])
        # The minimum of the parabola through f, its slope and f(a), kept inside the bracket.
        parabola = -slope * a * a / (2 * (f - loss - slope * a))
        parabola = jnp.where(jnp.isfinite(parabola), parabola, a / 2)
        width = high - low
        inside = jnp.clip(jnp.where(low == 0, parabola, (low + high) / 2), low + 0.1 * width, low + 0.6 * width)
        following = jnp.where(jnp.isinf(high), 2.5 * a, inside)
        better = jnp.isfinite(f) & (f < c["loss"]) | done
        return {
            "alpha": jnp.where(done, a, following),
            "high": high,
            "low": low,
            "count": c["count"] + 1,
            "done": done,
            "best": jnp.where(better, a, c["best"]),
            "loss": jnp.where(better, f, c["loss"]),
            "gradient": jnp.where(better, g, c["gradient"]),
        }

    zero = jnp.zeros_like(loss)
    c = jax.lax.while_loop(
        unfinished,
        shrink_or_grow,
        {
            "alpha": jnp.asarray(first, loss.dtype) + zero,
            "high": zero + jnp.inf,
            "low": zero,
            "count": jnp.asarray(0),
            "done": jnp.asarray(False),
            "best": zero,
            "loss": loss,
            "gradient": gradient,
        },
    )
    return Accepted(c["best"], c["loss"], c["gradient"], c["count"], c["done"])
