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
from ._algebra import Algebra, Block, Collapsed, Key, Series, Term, algebra, is_block, plus, scale, total
from ._loops import parts, scan
from ._requests import Laplacian, Request, unit
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
    result: Series = {alg.zero: Term(x)}
    for axis in range(alg.dimension):
        if (key := unit(axis, alg.dimension)) in alg.indices:
            result[key] = Term(rows[axis], rows[axis] != 0)
    for block in alg.blocks:
        result[block] = Term(rows[:, list(block.axes)])
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

    def tangents(key: Key) -> tuple[Any, ...]:
        found = [argument.get(key) for argument in moved]
        trail = (len(key.axes),) if isinstance(key, Block) else ()
        return tuple(
            jnp.zeros(jnp.shape(point) + trail, jnp.result_type(point)) if term is None else jnp.asarray(term.value)
            for term, point in zip(found, base, strict=True)
        )

    program = None
    for axis in range(alg.dimension):
        lower, wanted = alg.derivative(axis)
        if not wanted or not any(_shift(argument, axis, lower, alg) for argument in moved):
            continue
        if program is None:
            program = jax.make_jaxpr(lambda points, rates: push(points, rates))(base, base)
        restricted = [{key: argument[key] for key in lower.keys if key in argument} for argument in moved]
        rates = [_shift(argument, axis, lower, alg) for argument in moved]
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
            curve = lambda v: jax.jvp(lambda *p: push(p, v), base, v)[1]  # noqa: E731
            firsts = [Block(key.axes)] if key.blocked else [unit(axis, alg.dimension) for axis in key.axes]
            bends = [jax.vmap(curve, -1, -1)(tangents(k)) if is_block(k) else curve(tangents(k)) for k in firsts]
            straight = push(base, tangents(key))
            for i, result in enumerate(results):
                bend = total(Term(b[i].sum(axis=-1) if key.blocked else b[i]) for b in bends)
                result[key] = plus(Term(straight[i]), scale(0.5, bend))  # type: ignore[assignment]

    iterator = iter(results)
    return [next(iterator) if keep else out for out, keep in zip(outputs, smooth, strict=True)]


def _shift(argument: Series, axis: int, lower: Algebra, alg: Algebra) -> Series:
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
    if isinstance(request, Laplacian):
        for blocked in (False, True):
            key = Collapsed(request.axes, blocked)
            if key in alg.collapsed:
                term = scale(2, output.get(key))
                return None if term is None else term.value
        seconds = [tuple(2 * k for k in unit(axis, alg.dimension)) for axis in request.axes]
        term = scale(2, total(output.get(index) for index in seconds))
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
    indices = {request for request in requests if not isinstance(request, Laplacian)}
    collapsed = set()
    for request in requests:
        if isinstance(request, Laplacian):
            seconds = {tuple(2 * k for k in unit(axis, dimension)) for axis in request.axes}
            if not seconds <= indices:  # else the sum of what is carried anyway
                collapsed.add(Collapsed(request.axes, len(request.axes) >= block_from))
    covered = {axis for key in collapsed if key.blocked for axis in key.axes}
    firsts = {unit(axis, dimension) for axis in covered}
    return algebra(frozenset(indices - firsts), frozenset(collapsed), dimension)
