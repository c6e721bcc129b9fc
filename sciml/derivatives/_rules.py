"""How the elementary operations of a traced program act on truncated Taylor series.

A rule receives the algebra, the equation of the program, and its arguments: a `dict` where the argument is
a series, an array where it is constant; it returns the series of the result. Values at the point itself
come from the program's own primitive, so they, and their derivatives in the parameters, are those of the
network. Here are the linear operations and products; functions of one variable are in `_functions.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._algebra import (
    Algebra,
    Key,
    Series,
    Term,
    is_block,
    multiply,
    plus,
    scale,
    square_coefficient,
    tidy,
    times,
    total,
)

Rule = Callable[[Algebra, Any, list[Any]], Series]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    def register(function: Rule) -> Rule:
        for name in names:
            RULES[name] = function
        return function

    return register


def bind(eqn: Any, *arguments: Any) -> Any:
    return eqn.primitive.bind(*arguments, **eqn.primitive.get_bind_params(eqn.params))


def primal(alg: Algebra, argument: Any) -> Any:
    return argument[alg.zero].value if isinstance(argument, dict) else argument


def series(alg: Algebra, argument: Any) -> Series:
    return argument if isinstance(argument, dict) else {alg.zero: Term(argument)}


def spread(alg: Algebra, arguments: list[Any]) -> list[Any]:
    """A constant vector (a bias) next to a series, as a product with a one that varies with the point.

    Under `vmap` along the last axis, JAX moves that axis to the front wherever an operand lacks it, and so transposes every
    layer; a matrix product leaves it in place. XLA makes a broadcast of it.
    """
    varying = next(primal(alg, a) for a in arguments if isinstance(a, dict))
    if jnp.ndim(varying) != 1 or jnp.size(varying) == 1:
        return arguments
    one = 0 * varying[:1] + 1
    return [
        jnp.asarray(a, varying.dtype)[:, None] @ one
        if not isinstance(a, dict) and jnp.shape(a) == jnp.shape(varying)
        else a
        for a in arguments
    ]


def value(alg: Algebra, eqn: Any, arguments: list[Any]) -> Any:
    out = bind(eqn, *(primal(alg, argument) for argument in arguments))
    return out[0] if eqn.primitive.multiple_results else out


# Linear operations.


@rule("add", "add_any", "sub")
def _add(alg, eqn, arguments):
    arguments = spread(alg, arguments)
    left, right = (series(alg, argument) for argument in arguments)
    sign = -1 if eqn.primitive.name == "sub" else 1
    return {
        **tidy({key: plus(left.get(key), scale(sign, right.get(key))) for key in alg.keys}),
        alg.zero: Term(value(alg, eqn, arguments)),
    }


def _linear(alg: Algebra, eqn: Any, arguments: list[Any], operands: range) -> Series:
    """A primitive that is linear in the `operands` together, applied to each coefficient."""
    mask_of = STRUCTURE.get(eqn.primitive.name)
    result: Series = {alg.zero: Term(value(alg, eqn, arguments))}
    for key in alg.keys[1:]:
        terms = [argument.get(key) if isinstance(argument, dict) else None for argument in arguments]
        if all(term is None for term in terms):
            continue
        mask = None
        if mask_of is not None and not is_block(key):
            masks = [_mask(alg, argument, term) for argument, term in zip(arguments, terms, strict=True)]
            mask = mask_of(eqn.params, *(masks[i] for i in operands))
            if not mask.any():
                continue
            mask = None if mask.all() else mask
        inputs, axes = [], []
        for position, (argument, term) in enumerate(zip(arguments, terms, strict=True)):
            blocked = term is not None and is_block(key)
            axes.append(-1 if blocked else None)
            if term is not None:
                inputs.append(term.value)
            elif position in operands:
                inputs.append(jnp.zeros_like(primal(alg, argument)))
            else:
                inputs.append(primal(alg, argument))
        apply = jax.vmap(lambda *x: bind(eqn, *x), axes, -1) if is_block(key) else lambda *x: bind(eqn, *x)
        result[key] = Term(apply(*inputs), mask)
    return result


def _mask(alg: Algebra, argument: Any, term: Term | None) -> np.ndarray:
    shape = jnp.shape(primal(alg, argument))
    if term is None:
        return np.zeros(shape, bool)
    return np.ones(shape, bool) if term.mask is None else np.broadcast_to(term.mask, shape)


def _broadcast_mask(params, mask):
    shape = [1] * len(params["shape"])
    for axis, size in zip(params["broadcast_dimensions"], mask.shape, strict=True):
        shape[axis] = size
    return np.broadcast_to(mask.reshape(shape), params["shape"])


def _slice_mask(params, mask):
    strides = params["strides"] or (1,) * mask.ndim
    limits = zip(params["start_indices"], params["limit_indices"], strides, strict=True)
    return mask[tuple(slice(*limit) for limit in limits)]


# What a structural operation does to the pattern of possibly nonzero elements.
STRUCTURE: dict[str, Callable[..., np.ndarray]] = {
    "neg": lambda params, m: m,
    "copy": lambda params, m: m,
    "copy_p": lambda params, m: m,
    "convert_element_type": lambda params, m: m,
    "reduce_precision": lambda params, m: m,
    "reshape": lambda params, m: m.reshape(params["new_sizes"]),
    "squeeze": lambda params, m: m.squeeze(tuple(params["dimensions"])),
    "expand_dims": lambda params, m: np.expand_dims(m, tuple(params["dimensions"])),
    "transpose": lambda params, m: m.transpose(params["permutation"]),
    "rev": lambda params, m: np.flip(m, tuple(params["dimensions"])),
    "reduce_sum": lambda params, m: m.any(axis=tuple(params["axes"])),
    "broadcast_in_dim": _broadcast_mask,
    "slice": _slice_mask,
    "concatenate": lambda params, *ms: np.concatenate(ms, params["dimension"]),
    "stack": lambda params, *ms: np.stack(ms, params["axis"]),
    "select_n": lambda params, *ms: np.logical_or.reduce(ms),
}

_FIRST = ("dynamic_slice", "gather", "cumsum", "real", "imag", "reduce_window_sum", "copy_to_host")
for _name in (*STRUCTURE, *_FIRST):
    if _name not in ("concatenate", "stack", "select_n"):
        RULES[_name] = lambda alg, eqn, arguments: _linear(alg, eqn, arguments, range(1))
for _name in ("concatenate", "stack"):
    RULES[_name] = lambda alg, eqn, arguments: _linear(alg, eqn, arguments, range(len(arguments)))
RULES["select_n"] = lambda alg, eqn, arguments: _linear(alg, eqn, arguments, range(1, len(arguments)))
RULES["pad"] = lambda alg, eqn, arguments: _linear(alg, eqn, arguments, range(2))


# Products.


@rule("mul")
def _mul(alg, eqn, arguments):
    left, right = (series(alg, argument) for argument in arguments)
    if arguments[0] is arguments[1]:
        result = tidy({key: square_coefficient(alg, left, key) for key in alg.keys})
    else:
        result = multiply(alg, left, right, alg.keys[1:])
    return {**result, alg.zero: Term(value(alg, eqn, arguments))}


@rule("dot_general", "conv_general_dilated")
def _bilinear(alg, eqn, arguments):
    left, right = (series(alg, argument) for argument in arguments)

    def apply(b: Key, c: Key) -> Term | None:
        if b not in left or c not in right:
            return None
        blocks = (is_block(b), is_block(c))
        function = lambda x, y: bind(eqn, x, y)  # noqa: E731
        if any(blocks):
            function = jax.vmap(function, tuple(-1 if block else None for block in blocks), -1)
        out = function(left[b].value, right[c].value)
        return Term(out.sum(axis=-1) if all(blocks) else out)

    return tidy({key: total(scale(f, apply(b, c)) for f, b, c in alg.product[key]) for key in alg.keys})


@rule("div")
def _div(alg, eqn, arguments):
    above, under = (series(alg, argument) for argument in arguments)
    result: Series = {alg.zero: Term(value(alg, eqn, arguments))}
    reciprocal = Term(1 / under[alg.zero].value)
    for key in alg.keys[1:]:
        terms = ((f, b, c) for f, b, c in alg.product[key] if c != alg.zero)
        known = total(scale(f, times(result.get(b), under.get(c), b, c)) for f, b, c in terms)
        term = times(plus(above.get(key), scale(-1, known)), reciprocal, key, alg.zero)
        if term is not None:
            result[key] = term
    return result


@rule("square")
def _square(alg, eqn, arguments):
    (u,) = arguments
    return {
        **tidy({key: square_coefficient(alg, u, key) for key in alg.keys[1:]}),
        alg.zero: Term(value(alg, eqn, arguments)),
    }


# Piecewise constant: nothing of the series passes.
CONSTANT = frozenset({"sign", "floor", "ceil", "round", "stop_gradient", "is_finite"})
