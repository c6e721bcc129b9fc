"""From one saved time to the next: fixed steps, or steps that follow the error estimate."""

from __future__ import annotations

import math
from typing import Any

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp

from ._watch import Watch, depends, looks, remembered, watch
from .stepping import ETDRK4, SSPRK3, AbstractStepper, Linear

MOST_STEPS = 1 << 20
SMALLEST_STEP = 1e-12  # of the interval between two saved times
FLOOR = 1e-6  # of what a source can drive a state to


class March(eqx.Module):
    """Where the integration stands. `rate`: N(u, t); `h`: the step that `factors` belong to, `wanted`: the one that the error
    allows; `largest`: the L2 norm of each state where it was largest; `steps`, `rejected`."""

    u: Any
    rate: Any
    t: Any
    h: Any
    wanted: Any
    factors: Any
    largest: Any
    steps: Any
    rejected: Any


class Bounds(eqx.Module):
    """What follows from a first look at N. `watch`: how long steps may be; `floor` `(states,)`: what a state counts at least
    in the error norm; `moves`: whether N depends on the time by itself."""

    watch: Watch
    floor: Any
    moves: bool = eqx.field(static=True)


def bounds(
    linear: Linear, rate: Any, stepper: AbstractStepper, u: Any, t0: Any, t1: Any, rtol: Any, longest: Any = None
) -> Bounds:
    """The first look, from `u` at t0 to t1.

    A state at rest that N(0, t) wakes has no size yet: what counts is where the largest N(0, t) drives it in the whole time,
    T phi_1(T L) N (growth left out), times `FLOOR`. For a state that others wake, N is taken where those are then.
    """
    span, zero = t1 - t0, jnp.zeros_like(u)
    moves = depends(lambda t: rate(u, t), t0)

    def look(most: Any, t: Any) -> Any:
        n = rate(zero, t)
        larger = jnp.sum(_norm(n)) > jnp.sum(_norm(most[0]))
        most = jnp.where(larger, n, most[0]), jnp.where(larger, t, most[1])
        return most, jnp.concatenate([remembered(row) for row in rate(u, t)]) if moves else None

    times = looks(t0, t1) if moves else jnp.reshape(t0, (1,))
    (n, t), seen = jax.lax.scan(look, (zero, t0), times)
    whole, one, _, _ = linear.phi(span)
    finite = lambda a: jnp.where(jnp.isfinite(a), a, 0)  # noqa: E731
    response = finite(span * one / jnp.maximum(1.0, jnp.abs(whole)))
    driven = lambda n: linear.multiply(response, finite(n))  # noqa: E731
    size = lambda n: _norm(linear.multiply(jnp.abs(response), jnp.abs(finite(n))))  # noqa: E731
    floor = size(n)
    for _ in range(min(2, len(u) - 1)):
        n = rate(u + driven(n), t)
        floor = jnp.where((floor > 0) | (_norm(u) > 0), floor, size(n))
    watched = watch(t0, t1, seen, longest, rtol if isinstance(stepper, ETDRK4) else None)
    return jax.lax.stop_gradient(Bounds(watched, FLOOR * floor, moves))


def begin(linear: Linear, rate: Any, stepper: AbstractStepper, u: Any, t0: Any, h: Any) -> March:
    """At the initial state, with a first guess of the step. Factors come with the first step: here they belong to h = 0."""
    t0, h = jnp.asarray(t0, float), jnp.asarray(h, float)
    zero = jnp.asarray(0)
    n = jnp.zeros_like(u) if isinstance(stepper, SSPRK3) else rate(u, t0)  # which it does not start from
    factors = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(lambda h: stepper.prepare(linear, h), h))
    return March(u, n, t0, jnp.zeros_like(h), h, factors, _norm(u), zero, zero)


def _norm(u: Any) -> Any:
    """The L2 norm of each state. What decides about steps is not differentiated: its derivative is NaN where it vanishes."""
    u = jax.lax.stop_gradient(u)
    return jnp.sqrt(jnp.sum(jnp.abs(u) ** 2, axis=tuple(range(1, u.ndim))))


def _prepared(linear: Linear, stepper: AbstractStepper, h: Any, old: Any, factors: Any) -> tuple[Any, Any]:
    """The step and its factors: the old ones where they agree to rounding."""
    same = jnp.abs(h - old) < 1e-9 * old
    h = jnp.where(same, old, h)
    return h, jax.lax.cond(same, lambda: factors, lambda: stepper.prepare(linear, h))


def fixed(linear: Linear, rate: Any, stepper: AbstractStepper, at: March, t1: Any, steps: int) -> March:
    """`steps` equal steps to `t1`; the memory of a gradient grows like the square root of their number."""
    h, factors = _prepared(linear, stepper, (t1 - at.t) / steps, at.h, at.factors)

    def one(carry: Any, _: Any) -> Any:
        u, n, t = carry
        u, n, _ = stepper.step(linear, factors, rate, u, t, h, n)
        return (u, n, t + h), None

    u, n, _ = repeated(one, (at.u, at.rate, at.t), steps)
    return March(u, n, jnp.asarray(t1, float), h, h, factors, at.largest, at.steps + steps, at.rejected)


def repeated(one: Any, carry: Any, steps: int) -> Any:
    """What `one`, as for `jax.lax.scan`, makes of `carry` in so many steps; a gradient keeps the root of their number."""
    inner = max(1, math.isqrt(steps))

    @jax.checkpoint
    def several(carry: Any, _: Any) -> Any:
        return jax.lax.scan(one, carry, None, length=inner)[0], None

    carry, _ = jax.lax.scan(several, carry, None, length=steps // inner)
    return jax.lax.scan(one, carry, None, length=steps % inner)[0] if steps % inner else carry


def adaptive(
    linear: Linear,
    rate: Any,
    stepper: AbstractStepper,
    within: Bounds,
    at: March,
    t1: Any,
    rtol: Any,
    *,
    pause: Any = None,
    most: Any = math.inf,
    kind: Any = "lax",
) -> March:
    """Equal steps to `t1`, whose number changes where the error estimate, relative to the largest state so far in the L2 norm
    of each component, leaves `rtol`, or where steps must be shorter to see a source; it may pause after the first step that
    ends at or after `pause`, which changes no step, or
    where the steps are `most` in all.

    It stops before t1 where the step became smaller than 1e-12 of the interval: the solution blew up, or is NaN.
    """
    span, pause = t1 - at.t, t1 if pause is None else pause
    power = 1 / stepper.order

    def fitted(h: Any, left: Any) -> Any:
        return left / jnp.maximum(jnp.ceil(left / h * (1 - 1e-9)), 1.0)

    def goes_on(m: March) -> Any:
        going = (m.t < pause) & (m.steps < most)
        return going & (t1 - m.t > 1e-10 * span) & (m.wanted > SMALLEST_STEP * span)

    def body(m: March) -> March:
        left = t1 - m.t
        room = jnp.minimum(jnp.minimum(m.wanted, within.watch.room(m.t)), left)
        h, factors = _prepared(linear, stepper, fitted(room, left), m.h, m.factors)
        new, after, error = stepper.step(linear, factors, rate, m.u, m.t, h, m.rate)
        if within.moves and isinstance(stepper, ETDRK4):
            etd: ETDRK4 = stepper
            missed = lambda: etd.missed(linear, factors, lambda s: rate(jnp.zeros_like(m.u), s), m.t, h)  # noqa: E731
            error = error + jax.lax.cond(within.watch.fast(m.t), missed, lambda: jnp.zeros_like(error))
        size = jnp.maximum(m.largest, _norm(new))
        counted = jnp.maximum(size, within.floor)
        ratio = jnp.max(_norm(error) / (rtol * jnp.where(counted > 0, counted, 1.0)))
        good = (ratio <= 1) & jnp.all(jnp.isfinite(after))
        factor = jnp.clip(0.9 * jnp.maximum(ratio, 1e-10) ** -power, 0.2, 4.0)
        factor = jnp.where(jnp.isfinite(factor), factor, 0.2)
        # A step that could be a little longer stays as it is: its factors are known.
        wanted = h * jnp.where(good, jnp.where(factor > 1.5, factor, 1.0), jnp.minimum(factor, 0.8))
        accepted, kept = (new, after, m.t + h, size), (m.u, m.rate, m.t, m.largest)
        u, n, t, largest = jax.tree.map(lambda a, b: jnp.where(good, a, b), accepted, kept)
        return March(u, n, t, h, wanted, factors, largest, m.steps + 1, m.rejected + ~good)

    last = eqxi.while_loop(goes_on, body, at, kind=kind, max_steps=MOST_STEPS if kind != "lax" else None)
    reached = t1 - last.t <= 1e-10 * span
    return eqx.tree_at(lambda m: m.t, last, jnp.where(reached, t1, last.t))


def limited(
    linear: Linear,
    rate: Any,
    stepper: Any,
    longest: Any,
    within: Bounds,
    at: March,
    t1: Any,
    *,
    pause: Any = None,
    most: Any = math.inf,
    kind: Any = "lax",
) -> March:
    """Steps of `stepper.cfl` times `longest(u, t)` to `t1`, for explicit steppers; it ends early and pauses like `adaptive`."""
    span, pause = t1 - at.t, t1 if pause is None else pause

    def goes_on(m: March) -> Any:
        going = (m.t < pause) & (m.steps < most)
        return going & (t1 - m.t > 1e-10 * span) & (m.h > SMALLEST_STEP * span) & jnp.all(jnp.isfinite(m.u))

    def body(m: March) -> March:
        h = jnp.minimum(stepper.cfl * longest(m.u, m.t), within.watch.room(m.t))
        h = jnp.minimum(h, jnp.maximum(t1 - m.t, 1e-10 * span))
        u, n, _ = stepper.step(linear, m.factors, rate, m.u, m.t, h, m.rate)
        good = jnp.all(jnp.isfinite(n)) & jnp.all(jnp.isfinite(u))
        u, n, t = (jnp.where(good, a, b) for a, b in ((u, m.u), (n, m.rate), (m.t + h, m.t)))
        h = jnp.where(good, h, 0.0)
        return March(u, n, t, h, h, m.factors, m.largest, m.steps + 1, m.rejected)

    first = eqx.tree_at(lambda m: (m.h, m.wanted), at, (span, span))
    last = eqxi.while_loop(goes_on, body, first, kind=kind, max_steps=MOST_STEPS if kind != "lax" else None)
    return eqx.tree_at(lambda m: m.t, last, jnp.where(t1 - last.t <= 1e-10 * span, t1, last.t))
