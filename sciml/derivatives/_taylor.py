"""Taylor mode: run a traced program on truncated Taylor series instead of numbers.

Every wanted derivative travels through the program together with the values, so each layer's activation is
evaluated once. An operation without a rule of its own is differentiated once by JAX, and the program of its
derivative is run on series of one order less: exact for whatever JAX can differentiate (linear algebra, a
`custom_jvp` with its own rule), and decided by looking at the program, never by trying.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core as jex_core

from . import _functions as _functions  # registers its rules
from ._algebra import Algebra, Block, Collapsed, Key, Series, Term, algebra, plus, scale, total
from ._loops import parts, scan
from ._requests import Laplacian, MultiIndex, Request, below, terms_of, unit
from ._rules import CONSTANT, RULES, bind, primal

_INLINED = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "remat": "jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
    "custom_lin": "jaxpr",
}


def seed(alg: Algebra, x: Any) -> Series:
    """The identity map at x: its first derivatives are the unit vectors, higher ones vanish."""
    rows = np.eye(alg.dimension, dtype=x.dtype)
    vary = 0 * x  # constant coefficients, as those of a point: see `_rules.spread`
    result: Series = {alg.zero: Term(x)}
    for axis in range(alg.dimension):
        if (key := unit(axis, alg.dimension)) in alg.indices:
            result[key] = Term(rows[axis] + vary, rows[axis] != 0)
    for block in alg.blocks:
        result[block] = Term(rows[:, list(block.axes)])
    for key in alg.collapsed:
        firsts = [(factor, index.index(1)) for factor, index in key.terms if sum(index) == 1]
        if firsts:
            row = np.sum([factor * rows[axis] for factor, axis in firsts], axis=0)
            result[key] = Term(row + vary, row != 0)
    return result


def run(alg: Algebra, jaxpr: Any, consts: Any, inputs: list[Any], note: Callable[[Any], None]) -> list[Any]:
    """The outputs of `jaxpr`: series, or arrays where they do not vary. `note` hears of each fallback."""
    environment: dict[Any, Any] = {}

    def read(variable: Any) -> Any:
        return variable.val if isinstance(variable, jex_core.Literal) else environment[variable]

    environment.update(zip(jaxpr.constvars, consts, strict=True))
    environment.update(zip(jaxpr.invars, inputs, strict=True))
    for eqn in jaxpr.eqns:
        arguments = [read(variable) for variable in eqn.invars]
        for variable, output in zip(eqn.outvars, _apply(alg, eqn, arguments, note), strict=True):
            environment[variable] = _shaped(alg, output, variable.aval) if isinstance(output, dict) else output
    return [read(variable) for variable in jaxpr.outvars]


def _apply(alg: Algebra, eqn: Any, arguments: list[Any], note: Callable[[Any], None]) -> list[Any]:
    name = eqn.primitive.name
    varying = any(isinstance(argument, dict) for argument in arguments)
    smooth = any(jnp.issubdtype(variable.aval.dtype, jnp.inexact) for variable in eqn.outvars)
    if not varying or not smooth or name in CONSTANT:
        outputs = bind(eqn, *(primal(alg, argument) for argument in arguments))
        return list(outputs) if eqn.primitive.multiple_results else [outputs]
    if name in _INLINED and _INLINED[name] in eqn.params:
        inner = eqn.params[_INLINED[name]]
        body, consts = (inner.jaxpr, inner.consts) if hasattr(inner, "consts") else (inner, ())
        return run(alg, body, consts, arguments, note)
    if name == "scan" and (layout := parts(eqn)) is not None:
        body, consts = eqn.params["jaxpr"].jaxpr, eqn.params["jaxpr"].consts
        return scan(alg, eqn, arguments, layout, lambda inputs: run(alg, body, consts, inputs, note))
    rule = RULES.get(rule_name(eqn, arguments))
    if rule is None:
        note(eqn)
        return _by_differentiation(alg, eqn, arguments, note)
    return [rule(alg, eqn, arguments)]


def rule_name(eqn: Any, arguments: list[Any]) -> str:
    """The name under which the rule of an equation is kept; '' where it has none."""
    name = eqn.primitive.name
    if name == "custom_jvp_call":
        info = getattr(eqn.params["call_jaxpr"].jaxpr, "debug_info", None)
        source = getattr(info, "func_src_info", None) or ""
        known = getattr(info, "func_name", "") == "logaddexp" and "jax" in source
        return "logaddexp" if known and len(eqn.outvars) == 1 else ""
    varying_exponent = name == "pow" and isinstance(arguments[1], dict)
    return "" if varying_exponent else name


def _shaped(alg: Algebra, output: Series, aval: Any) -> Any:
    """Every coefficient in the shape of the result; a series without derivatives is a constant."""
    if len(output) == 1:
        return output[alg.zero].value
    for key, term in output.items():
        shape = (*aval.shape, len(key.axes)) if isinstance(key, Block) else aval.shape
        if jnp.shape(term.value) != shape:
            mask = None if term.mask is None else np.broadcast_to(term.mask, shape)
            output[key] = Term(jnp.broadcast_to(term.value, shape), mask)
    return output


def _by_differentiation(alg: Algebra, eqn: Any, arguments: list[Any], note: Callable[[Any], None]) -> list[Any]:
    """dy = f'(u) du along each axis, the right-hand side run as a program on series of one order less."""
    varying = [i for i, argument in enumerate(arguments) if isinstance(argument, dict)]
    points = [primal(alg, argument) for argument in arguments]

    def function(*moved: Any) -> list[Any]:
        full = list(points)
        for position, item in zip(varying, moved, strict=True):
            full[position] = item
        outputs = bind(eqn, *full)
        outputs = list(outputs) if eqn.primitive.multiple_results else [outputs]
        return [out for out, keep in zip(outputs, smooth, strict=True) if keep]

    smooth = [jnp.issubdtype(variable.aval.dtype, jnp.inexact) for variable in eqn.outvars]
    push = _pushforward_of_vjp(function) if eqn.primitive.name.startswith("custom_vjp") else _pushforward(function)
    moved = [arguments[i] for i in varying]
    base = tuple(points[i] for i in varying)

    outputs = bind(eqn, *points)
    outputs = list(outputs) if eqn.primitive.multiple_results else [outputs]
    results: list[Series] = [{alg.zero: Term(out)} for out, keep in zip(outputs, smooth, strict=True) if keep]
    # With the terms of the sums, which the arguments lack: what comes out for them is their part of lower order.
    terms = [index for key in alg.collapsed if key.block is None for _, index in key.terms]
    full = algebra(alg.indices | frozenset(terms), frozenset(), alg.dimension)

    def tangents(key: Key) -> tuple[Any, ...]:
        found = [argument.get(key) for argument in moved]
        trail = (len(key.axes),) if isinstance(key, Block) else ()
        return tuple(
            jnp.zeros(jnp.shape(point) + trail, jnp.result_type(point)) if term is None else jnp.asarray(term.value)
            for term, point in zip(found, base, strict=True)
        )

    program = None
    for axis in range(alg.dimension):
        lower, wanted = full.derivative(axis)
        if not wanted or not any(_shift(argument, axis, lower) for argument in moved):
            continue
        if program is None:
            program = jax.make_jaxpr(lambda points, rates: push(points, rates))(base, base)
        restricted = [{key: argument[key] for key in lower.keys if key in argument} for argument in moved]
        rates = [_shift(argument, axis, lower) for argument in moved]
        for rate, point in zip(rates, base, strict=True):
            rate.setdefault(lower.zero, Term(jnp.zeros_like(point)))
        inputs = [item if len(item) > 1 else item[lower.zero].value for item in restricted + rates]
        for result, rate in zip(results, run(lower, program.jaxpr, program.consts, inputs, note), strict=True):
            for index in wanted:
                below = tuple(k - (i == axis) for i, k in enumerate(index))
                term = rate.get(below) if isinstance(rate, dict) else (Term(rate) if sum(below) == 0 else None)
                if term is not None:
                    result[index] = Term(term.value / index[axis], term.mask)

    for key in alg.keys:
        if isinstance(key, Block):
            for result, rate in zip(results, jax.vmap(lambda v: push(base, v), -1, -1)(tangents(key)), strict=True):
                result[key] = Term(rate)
        elif isinstance(key, Collapsed):
            straight = push(base, tangents(key))
            if key.block is None:
                bends: list[Any] = [total(scale(c, result.get(index)) for c, index in key.terms) for result in results]
            else:
                curve = lambda v: jax.jvp(lambda *p: push(p, v), base, v)[1]  # noqa: E731
                curved = jax.vmap(curve, -1, -1)(tangents(key.block))
                bends = [Term(0.5 * bend.sum(axis=-1)) for bend in curved]
            for result, line, bend in zip(results, straight, bends, strict=True):
                result[key] = plus(Term(line), bend)  # type: ignore[assignment]
    for result in results:
        for index in set(terms):
            result.pop(index, None)

    iterator = iter(results)
    return [next(iterator) if keep else out for out, keep in zip(outputs, smooth, strict=True)]


def _shift(argument: Series, axis: int, lower: Algebra) -> Series:
    """The series of the derivative along `axis`: (d_i u)_a = (a_i + 1) u_{a + e_i}."""
    result: Series = {}
    for index in lower.indices:
        above = tuple(k + (i == axis) for i, k in enumerate(index))
        if above in argument:
            result[index] = scale(above[axis], argument[above])  # type: ignore[assignment]
    return result


def _pushforward(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda points, rates: jax.jvp(function, tuple(points), tuple(rates))[1]


def _pushforward_of_vjp(function: Callable[..., Any]) -> Callable[..., Any]:
    """Forward mode through a `custom_vjp`, which JAX refuses: the transpose of its (linear) backward rule."""

    def push(points, rates):
        outputs, pull = jax.vjp(function, *points)
        return jax.linear_transpose(pull, outputs)(tuple(rates))[0]

    return push


def derivatives(
    alg: Algebra,
    function: Callable[[Any], Any],
    x: Any,
    note: Callable[[Any], None] = lambda eqn: None,
) -> tuple[list[Any], Any]:
    """The series of every leaf of `function(x)`, and the tree they belong to."""
    closed, shapes = jax.make_jaxpr(function, return_shape=True)(x)
    outputs = run(alg, closed.jaxpr, closed.consts, [seed(alg, x)], note)
    return outputs, jax.tree.structure(shapes)


def extract(alg: Algebra, output: Any, request: Request) -> Any:
    """The requested derivative from the series of one output; None where it vanishes by structure."""
    if not isinstance(output, dict):
        return output if request == alg.zero else None
    if not isinstance(request, tuple):
        summed, alone = split(request, alg)
        term = total(scale(factor, output.get(key)) for factor, key in (*summed, *alone))
        return None if term is None else term.value
    if request in alg.indices:
        term = output.get(request)
        factor = math.prod(math.factorial(k) for k in request)
        return None if term is None else (term.value if factor == 1 else factor * term.value)
    axis = request.index(1)
    for block in alg.blocks:
        if axis in block.axes:
            return output[block].value[..., block.axes.index(axis)] if block in output else None
    raise AssertionError(request)


def extract_all(alg: Algebra, outputs: list[Any], tree: Any, requests: tuple[Request, ...]) -> dict[Request, Any]:
    """Each request in the structure of the function's value."""

    def leaf(output: Any, request: Request) -> Any:
        found = extract(alg, output, request)
        return jnp.zeros_like(primal(alg, output)) if found is None else jnp.asarray(found)

    return {request: jax.tree.unflatten(tree, [leaf(output, request) for output in outputs]) for request in requests}


def operation_name(eqn: Any) -> str:
    """`custom_jvp_call (relu)`: what a person can find in the network."""
    name = eqn.primitive.name
    inner = eqn.params.get("call_jaxpr") if name.startswith("custom_") else None
    info = getattr(getattr(inner, "jaxpr", inner), "debug_info", None)
    function = getattr(info, "func_name", None)
    return f"{name} ({function})" if function else name


def subprograms(jaxpr: Any) -> Iterator[Any]:
    """Every equation of a program and of the programs inside it."""
    for eqn in jaxpr.eqns:
        yield eqn
        for parameter in eqn.params.values():
            for inner in parameter if isinstance(parameter, tuple | list) else (parameter,):
                if hasattr(inner, "eqns"):
                    yield from subprograms(getattr(inner, "jaxpr", inner))


def build(requests: tuple[Request, ...], dimension: int, *, block_from: int) -> Algebra:
    """The smallest algebra that holds the requests; Laplacians along `block_from` axes use a block."""
    indices = {request for request in requests if isinstance(request, tuple)}
    sums = [request for request in requests if not isinstance(request, tuple)]
    blocks = {r for r in sums if isinstance(r, Laplacian) and len(r.axes) >= block_from}
    sums = [request for request in sums if request not in blocks]
    blocked = {_block(r, dimension) for r in blocks if not {index for _, index in terms_of(r, dimension)} <= indices}
    firsts = {unit(axis, dimension) for key in blocked if key.block for axis in key.block.axes}
    closed = {low for index in indices - firsts for low in below(index)}
    for request in sums:
        closed |= {low for _, index in terms_of(request, dimension) for low in below(index) if low != index}
    collapsed: set[Collapsed] = set()
    while True:  # until no sum has a term that is carried anyway, nor only one
        rest = [[(c, i) for c, i in _taylor(request, dimension) if i not in closed] for request in sums]
        single = {terms[0][1] for terms in rest if len(terms) == 1}
        if not single:
            collapsed = {Collapsed(tuple(terms)) for terms in rest if terms}
            break
        closed |= single
    return algebra(frozenset(closed), frozenset(collapsed | blocked), dimension)


def _taylor(request: Request, dimension: int) -> tuple[tuple[float, MultiIndex], ...]:
    """A sum in Taylor coefficients: d^a u = a! u_a."""
    terms = terms_of(request, dimension)
    return tuple((factor * math.prod(math.factorial(k) for k in index), index) for factor, index in terms)


def _block(request: Laplacian, dimension: int) -> Collapsed:
    return Collapsed(tuple((1.0, index) for _, index in terms_of(request, dimension)), Block(request.axes))


def split(request: Request, alg: Algebra) -> tuple[list[tuple[float, Key]], list[tuple[float, Key]]]:
    """A sum as coefficients that are carried, with their factors: collapsed ones, and single ones."""
    if isinstance(request, Laplacian) and (key := _block(request, alg.dimension)) in alg.collapsed:
        return [(2.0, key)], []
    terms = _taylor(request, alg.dimension)
    rest = tuple((c, i) for c, i in terms if i not in alg.indices)
    alone: list[tuple[float, Key]] = [(c, i) for c, i in terms if i in alg.indices]
    return [(1.0, Collapsed(rest))] if rest else [], alone
