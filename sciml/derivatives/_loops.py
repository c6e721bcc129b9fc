"""Taylor series through `scan`: the loop carries every coefficient, so its body is traced and run once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ._algebra import Algebra, Block, Key, Series, Term

Run = Callable[[list[Any]], list[Any]]


def parts(eqn: Any) -> tuple[int, int] | None:
    """How many arguments of a `scan` equation are fixed and how many are carried; None in an unknown
    layout."""
    if "num_consts" in eqn.params:
        return eqn.params["num_consts"], eqn.params["num_carry"]
    tree = eqn.params.get("ft_in")  # JAX 0.12
    if not hasattr(tree, "unpack"):
        return None
    fixed, carried, _ = tree.unpack()
    return len(fixed), len(carried)


def scan(alg: Algebra, eqn: Any, arguments: list[Any], layout: tuple[int, int], run: Run) -> list[Any]:
    """The outputs of a `scan` equation. `run` propagates series through the body."""
    params = eqn.params
    split, stop = layout[0], layout[0] + layout[1]
    fixed, start, stepped = arguments[:split], arguments[split:stop], arguments[stop:]
    count = len(start)
    kept: list[tuple[Key, ...]] = [_keys(alg, item) for item in start]
    steps = [_keys(alg, item) for item in stepped]
    produced: list[tuple[Key, ...]] = []

    def step(carry: list[Any], inputs: list[Any]) -> list[Any]:
        pairs = zip([*kept, *steps], [*carry, *inputs], strict=True)
        return run([*fixed, *(_pack(alg, keys, values) for keys, values in pairs)])

    def body(carry: list[Any], inputs: list[Any]) -> tuple[list[Any], list[Any]]:
        outputs = step(carry, inputs)
        return (
            [_unpack(alg, keys, output) for keys, output in zip(kept, outputs[:count], strict=True)],
            [_unpack(alg, keys, output) for keys, output in zip(produced, outputs[count:], strict=True)],
        )

    def probe(carry: list[Any], inputs: list[Any]) -> None:
        found = [_keys(alg, output) for output in step(carry, jax.tree.map(lambda stack: stack[0], inputs))]
        grown = [{*old, *new} for old, new in zip(kept, found[:count], strict=True)]
        kept[:] = [tuple(key for key in alg.keys if key in keys) for keys in grown]
        produced[:] = found[count:]

    inputs = [_unpack(alg, keys, item) for keys, item in zip(steps, stepped, strict=True)]
    while True:  # until the set of coefficients that the carry needs no longer grows
        before = list(kept)
        carry = [_unpack(alg, keys, item) for keys, item in zip(kept, start, strict=True)]
        jax.eval_shape(probe, carry, inputs)
        if kept == before:
            break
    options = {name: params[name] for name in ("length", "reverse", "unroll")}
    last, stacked = jax.lax.scan(body, carry, inputs, **options)
    results = zip([*kept, *produced], [*last, *stacked], strict=True)
    return [_pack(alg, keys, values) for keys, values in results]


def _keys(alg: Algebra, item: Any) -> tuple[Key, ...]:
    return tuple(key for key in alg.keys if key in item) if isinstance(item, dict) else (alg.zero,)


def _pack(alg: Algebra, keys: tuple[Key, ...], values: list[Any]) -> Any:
    if len(keys) == 1:
        return values[0]
    series: Series = {key: Term(value) for key, value in zip(keys, values, strict=True)}
    return series


def _unpack(alg: Algebra, keys: tuple[Key, ...], item: Any) -> list[Any]:
    series: Series = item if isinstance(item, dict) else {alg.zero: Term(item)}
    value = jnp.asarray(series[alg.zero].value)

    def zeros(key: Key) -> Any:
        return jnp.zeros(value.shape + ((len(key.axes),) if isinstance(key, Block) else ()), value.dtype)

    return [jnp.asarray(series[key].value) if key in series else zeros(key) for key in keys]
