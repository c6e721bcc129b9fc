"""x_j for the neighbours j of every atom i, and its transpose, without a scatter.

    gather   (atoms, ...) -> (atoms, slots, ...)      x[index], zero in empty slots
    collect  (atoms, slots, ...) -> (atoms, ...)      for each atom the sum over the slots that hold it

Both are linear, and each is the other's transpose whatever the list: `collect` gathers over the transposed list, which knows
for every atom the slots in which it stands. They can be differentiated any number of times and batched.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

TOGETHER = 12  # sums in one loop

gather_p, collect_p = Primitive("neighbour_gather"), Primitive("neighbour_collect")


def gather(x: Any, index: Any, transposed: Any) -> Any:
    """`x` `(atoms, ...)` at `index` `(atoms, slots)`, where `atoms` stands for an empty slot; `transposed` `(atoms, places)`
    holds flat slots, `atoms * slots` for none."""
    flat = x.reshape(x.shape[0], -1)
    return gather_p.bind(flat, index, transposed).reshape(*index.shape, *x.shape[1:])


def collect(y: Any, index: Any, transposed: Any) -> Any:
    """The transpose of `gather`: `y` `(atoms, slots, ...)` to `(atoms, ...)`."""
    return collect_p.bind(y.reshape(*index.shape, -1), index, transposed).reshape(y.shape[0], *y.shape[2:])


def _gathered(x: Any, index: Any, transposed: Any) -> Any:
    del transposed
    return jnp.take(x, index, axis=0, mode="fill", fill_value=0)


def _collected(y: Any, index: Any, transposed: Any) -> Any:
    slots = y.reshape(index.shape[0] * index.shape[1], -1)
    found = jnp.take(slots, transposed, axis=0, mode="fill", fill_value=0)
    if found.shape[-1] > TOGETHER:
        return jnp.sum(found, axis=1)
    return jnp.stack(row_sums(*(found[..., k] for k in range(found.shape[-1]))), axis=1)


@jax.custom_jvp
def row_sums(*arrays: Any) -> tuple[Any, ...]:
    """The sums over the columns of each of the arrays `(rows, columns)`, as one loop: two to four times faster than one sum
    after the other, or one over an axis in the middle."""
    zeros = tuple(np.zeros((), a.dtype) for a in arrays)
    return tuple(jax.lax.reduce(arrays, zeros, lambda a, b: tuple(u + v for u, v in zip(a, b, strict=True)), (1,)))


@row_sums.defjvp
def _(arrays: Any, tangents: Any) -> Any:
    return row_sums(*arrays), tuple(jnp.sum(t, axis=1) for t in tangents)


def _joined(numbers: Any, empty: int) -> Any:
    """Numbers below `empty` of each of a batch `(batch, rows, columns)` as those of the whole `(batch * rows, columns)`."""
    first = jnp.arange(len(numbers), dtype=numbers.dtype)[:, None, None] * empty
    return jnp.where(numbers < empty, numbers + first, len(numbers) * empty).reshape(-1, numbers.shape[-1])


def _declare(p: Any, implementation: Any, other: Any, shape: Any) -> None:
    p.def_impl(jax.jit(implementation))
    p.def_abstract_eval(lambda x, index, transposed: ShapedArray(shape(x, index), x.dtype))
    mlir.register_lowering(p, mlir.lower_fun(implementation, multiple_results=False))

    def tangent(primals: Any, tangents: Any) -> Any:
        x, index, transposed = primals
        out = p.bind(x, index, transposed)
        dx = tangents[0]
        return out, p.bind(ad.instantiate_zeros(dx), index, transposed)

    ad.primitive_jvps[p] = tangent

    def transpose(cotangent: Any, x: Any, index: Any, transposed: Any) -> Any:
        if type(cotangent) is ad.Zero:
            return ad.Zero(x.aval), None, None
        return other.bind(cotangent, index, transposed), None, None

    ad.primitive_transposes[p] = transpose

    def batched(args: Any, axes: Any) -> Any:
        x, index, transposed = args
        if axes[1] is None and axes[2] is None:  # the batch joins the features
            x = jnp.moveaxis(x, axes[0], -1)
            out = p.bind(x.reshape(*x.shape[:-2], -1), index, transposed)
            return out.reshape(*out.shape[:-1], *x.shape[-2:]), out.ndim
        # Lists of their own: all atoms one after the other, so that the transpose stays a gather.
        size = next(a.shape[k] for a, k in zip(args, axes, strict=True) if k is not None)
        first = lambda a, k: jnp.broadcast_to(a, (size, *a.shape)) if k is None else jnp.moveaxis(a, k, 0)  # noqa: E731
        x, index, transposed = (first(a, k) for a, k in zip(args, axes, strict=True))
        atoms, slots = transposed.shape[1], index.shape[1] * index.shape[2]
        out = p.bind(x.reshape(-1, *x.shape[2:]), _joined(index, atoms), _joined(transposed, slots))
        return out.reshape(size, -1, *out.shape[1:]), 0

    batching.primitive_batchers[p] = batched


_declare(gather_p, _gathered, collect_p, lambda x, index: (*index.shape, x.shape[-1]))
_declare(collect_p, _collected, gather_p, lambda y, index: (index.shape[0], y.shape[-1]))
