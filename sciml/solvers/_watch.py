"""A first look at a right-hand side over the whole interval, so that no pulse in it is stepped over.

An error estimate sees a source where a stage of a step falls. On a state at rest steps grow until one passes over a pulse, and
nothing tells. So the source is looked at on some hundred times before: where a cubic through every eighth of them misses the
others, steps are held to the distance between them, and elsewhere they end where such a part begins.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

LOOKS, EVERY = 256, 8  # times that are looked at, and how many of them steps are as long as at most while a source moves
MISSED = 0.01  # of the range of a source, that a cubic through every eighth look may miss
COLUMNS = 64  # numbers that are remembered of an array


class Watch(eqx.Module):
    """How long a step may be. `begins` `(LOOKS,)`: for each part of the interval where the next one begins in which the source
    moves fast, infinity where there is none. `longest` `(LOOKS,)`."""

    start: Any
    part: Any
    begins: Any
    longest: Any

    def _place(self, t: Any) -> Any:
        return jnp.clip(jnp.floor((t - self.start) / self.part + 1e-9).astype(int), 0, LOOKS - 1)

    def room(self, t: Any) -> Any:
        """The longest step from `t`."""
        i = self._place(t)
        return jnp.minimum(self.longest[i], jnp.maximum(self.begins[i] - t, self.part))

    def fast(self, t: Any) -> Any:
        """Whether the source moves fast at `t`, or before a step from there ends."""
        return self.begins[self._place(t)] <= t + self.part


def depends(function: Any, t: Any) -> bool:
    """Whether `function(t)` looks at its argument."""
    return looks_at(jax.make_jaxpr(function)(t).jaxpr, 0)


def looks_at(jaxpr: Any, i: int) -> bool:
    """Whether a traced function looks at its argument number i."""
    return any(v is jaxpr.invars[i] for e in jaxpr.eqns for v in e.invars) or jaxpr.invars[i] in jaxpr.outvars


def remembered(v: Any) -> Any:
    """A few real numbers of a real or complex array, in which every entry counts."""
    v = jnp.ravel(v)
    v = jnp.concatenate([v.real, v.imag]) if jnp.iscomplexobj(v) else v
    if len(v) <= COLUMNS:
        return v
    v = v * jnp.cos(0.7 + jnp.arange(len(v)))
    return jnp.sum(jnp.pad(v, (0, -len(v) % COLUMNS)).reshape(-1, COLUMNS), axis=0)


def looks(start: Any, end: Any) -> Any:
    """The times `(LOOKS + 1,)` of the first look."""
    return start + (end - start) * jnp.arange(LOOKS + 1) / LOOKS


def watch(start: Any, end: Any, seen: Any, longest: Any = None, rtol: Any = None) -> Watch:
    """From start to a later end, and numbers `seen` `(LOOKS + 1, m)` of the source at `looks`, None where it does not depend on
    the time; a step is at most `longest`. With `rtol`, h^4 / 2880 times the fourth derivative, the error of Simpson's rule, is
    no more of the largest source: what methods have to ask for whose error estimate does not see one."""
    longest = jnp.full(LOOKS, jnp.inf if longest is None else longest, float)
    part = jnp.abs(end - start) / LOOKS
    if seen is None:
        return Watch(start, part, jnp.full(LOOKS, jnp.inf), longest)
    seen = jax.lax.stop_gradient(seen)
    seen = jnp.where(jnp.isfinite(seen), seen, 0)
    apart = jnp.max(jnp.abs(seen - jnp.mean(seen, axis=0)), axis=0)
    moves = apart > 1e-9 * jnp.max(jnp.abs(seen), axis=0)
    c = seen[::EVERY]
    c = jnp.concatenate([(3 * c[0] - 3 * c[1] + c[2])[None], c, (3 * c[-1] - 3 * c[-2] + c[-3])[None]])
    w = (np.arange(LOOKS) % EVERY / EVERY)[:, None]
    four = [jnp.repeat(c[i : len(c) - 3 + i], EVERY, axis=0) for i in range(4)]
    cubic = -w * (w - 1) * (w - 2) / 6 * four[0] + (w + 1) * (w - 1) * (w - 2) / 2 * four[1]
    cubic = cubic - (w + 1) * w * (w - 2) / 2 * four[2] + (w + 1) * w * (w - 1) / 6 * four[3]
    missed = jnp.max(jnp.where(moves, jnp.abs(seen[:-1] - cubic) / jnp.where(moves, apart, 1), 0), axis=1)
    fast = jnp.max(missed.reshape(-1, EVERY), axis=1) > MISSED
    fast = fast | jnp.roll(fast.at[-1].set(False), 1) | jnp.roll(fast.at[0].set(False), -1)
    fast = jnp.repeat(fast, EVERY)
    own = jnp.where(fast, start + part * jnp.arange(LOOKS), jnp.inf)
    begins = jax.lax.cummin(own, reverse=True)
    longest = jnp.where(jnp.any(moves), jnp.minimum(longest, EVERY * part), longest)
    if rtol is not None:
        fourth = seen[4:] - 4 * seen[3:-1] + 6 * seen[2:-2] - 4 * seen[1:-3] + seen[:-4]
        bend = jnp.max(jnp.where(moves, jnp.abs(fourth) / jnp.maximum(jnp.max(jnp.abs(seen), axis=0), 1e-300), 0), axis=1)
        bend = jnp.pad(bend, (2, 1 + EVERY), mode="edge")
        bend = jnp.max(jnp.stack([bend[i : i + LOOKS] for i in range(EVERY)]), axis=0)
        most = part * (2880 * rtol / jnp.maximum(bend, 1e-15)) ** 0.25
        longest = jnp.minimum(longest, jnp.where(fast, jnp.inf, jnp.maximum(most, part / 8)))
    return Watch(start, part, begins, longest)
