"""Derivatives that a network cannot give, found before anything long is compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._plan import plan
from ._requests import Request, describe, normalise, terms_of
from ._taylor import derivatives, extract, extract_all, subprograms

_KINKED = frozenset({"max", "min", "abs", "sign", "clamp", "floor", "ceil", "round", "relu", "relu6", "select_n"})


def check(
    function: Callable[[Any], Any],
    requests: Iterable[Request] | Mapping[Request, Iterable[int]],
    x: Any,
    *,
    numeric: bool = True,
    throw: bool = True,
) -> tuple[str, ...]:
    """Whether `function` can give the requested derivatives.

    Found from the traced program: outputs that are not floating point, operations that cannot be
    differentiated, and derivatives that are identically zero (the second of a ReLU network, any along a
    coordinate that is not used). Found from numbers, unless `numeric=False`: derivatives that are NaN or
    infinite, or exactly zero at every point.

    **Arguments**

    - `function`: maps a point `(dimension,)` to an array or a pytree of arrays.
    - `requests`: as for `plan`. A dict says in addition which components of the (flattened) output each is
      needed of;
      without it a derivative counts as zero only if it is zero of all of them.
    - `x`: one point `(dimension,)` or several `(n, dimension)`; exact zeros are judged from three points on.

    **Returns** one sentence per finding; empty if all is well. **Raises** `ValueError` with them if `throw`.

        >>> import jax, jax.numpy as jnp
        >>> (finding,) = check(lambda p: jax.nn.relu(p), [(2,)], jnp.array([0.3]), throw=False)
        >>> print(finding.split(". ")[0])
        d2/dx0^2 is identically zero: the function is piecewise linear along x0 (relu)
    """
    points = jnp.atleast_2d(jnp.asarray(x))
    dimension = points.shape[1]
    wanted = normalise(requests, dimension)
    components = {request: tuple(requests[request]) for request in wanted} if isinstance(requests, Mapping) else {}
    findings = _findings(function, wanted, components, points, numeric)
    if findings and throw:
        raise ValueError("The network cannot give the derivatives that the equations ask for. " + " ".join(findings))
    return findings


def _findings(function, requests, components, points, numeric) -> tuple[str, ...]:
    dimension = points.shape[1]
    try:
        closed, shapes = jax.make_jaxpr(function, return_shape=True)(points[0])
    except Exception as error:
        raise ValueError(
            f"The function cannot be traced at a point of shape ({dimension},), which it should accept. "
            f"{type(error).__name__}: {error}"
        ) from error
    wrong = [leaf for leaf in jax.tree.leaves(shapes) if not jnp.issubdtype(leaf.dtype, jnp.floating)]
    if wrong:
        return (f"The output must be floating point; dtype {wrong[0].dtype} came. Remove the cast or comparison.",)

    # Derivatives one by one: that a collapsed sum vanishes cannot be seen from the program.
    alg = plan([index for request in requests for _, index in terms_of(request, dimension)], dimension).algebra
    names = [name for eqn in subprograms(closed.jaxpr) for name in (eqn.primitive.name, eqn.params.get("name", ""))]
    zero: dict[Request, list[bool]] = {}

    def trace(x):
        outputs, tree = derivatives(alg, function, x)
        for request in requests:
            zero[request] = []
            for output, shape in zip(outputs, jax.tree.leaves(shapes), strict=True):
                zero[request] += [extract(alg, output, request) is None] * int(np.prod(shape.shape))
        return extract_all(alg, outputs, tree, requests)

    try:
        jax.eval_shape(trace, points[0])
    except Exception as error:
        custom = sorted({name for name in names if name.startswith(("custom_vjp", "pure_callback", "io_callback"))})
        cause = f" The program contains {', '.join(custom)}; give it a custom_jvp rule." if custom else ""
        return (f"The function cannot be differentiated in its coordinates: {error}.{cause}",)

    findings, said = [], set()
    for request in requests:
        needed = components.get(request, range(len(zero[request])))
        hits = [index for index in needed if zero[request][index]]
        if hits and (request in components or len(hits) == len(zero[request])):
            said.add(request)
            findings.append(_zero(request, hits if request in components else [], names, zero, alg, function, points))
    if numeric:
        findings += _numbers(function, [r for r in requests if r not in said], components, points, names)
    return tuple(findings)


def _zero(request, hits, names, zero, alg, function, points) -> str:
    of = f" of output {', '.join(map(str, hits))}" if hits else ""
    indices = [index for _, index in terms_of(request, alg.dimension)]
    axes = [i for i in range(alg.dimension) if any(index[i] for index in indices)]
    along = ", ".join(f"x{axis}" for axis in axes)
    if not axes:
        return f"The value{of} is identically zero."
    outputs: list[Any] = []
    jax.eval_shape(lambda x: outputs.extend(_used(alg, *derivatives(alg, function, x)[:1], axes)), points[0])
    if not all(outputs):
        unused = ", ".join(f"x{axis}" for axis, used in zip(axes, outputs, strict=True) if not used)
        return f"{describe(request)}{of} is identically zero: the function does not depend on {unused}."
    kinks = sorted({name for name in names if name in _KINKED and not (name == "max" and "relu" in names)})
    if kinks:
        return (
            f"{describe(request)}{of} is identically zero: the function is piecewise linear along {along} "
            f"({', '.join(kinks)}). Use a smooth activation such as tanh."
        )
    return f"{describe(request)}{of} is identically zero: the function is of lower degree along {along}."


def _used(alg, outputs, axes) -> list[bool]:
    """For each axis, whether some carried coefficient of some output involves it."""

    keys = {key for output in outputs if isinstance(output, dict) for key in output}
    return [any(key[axis] for key in keys) for axis in axes]


def _numbers(function, requests, components, points, names) -> list[str]:
    value = (0,) * points.shape[1]
    evaluate = plan([value, *requests], points.shape[1])
    flat = jax.jit(
        lambda points: {
            request: jnp.concatenate([leaf.reshape(len(points), -1) for leaf in jax.tree.leaves(out)], axis=1)
            for request, out in evaluate.batched(function, points).items()
        }
    )(points)
    result = {request: np.asarray(values) for request, values in flat.items()}
    findings = []
    for request in requests:
        values = result[request]
        needed = list(components.get(request, range(values.shape[1])))
        bad = ~np.isfinite(values[:, needed])
        if bad.any():
            row, column = np.argwhere(bad)[0]
            cause = "" if np.isfinite(result[value][row]).all() else " (so is the value itself)"
            findings.append(
                f"{describe(request)} of output {needed[column]} is {values[row, needed[column]]} at the "
                f"point {np.asarray(points[row]).tolist()}{cause}; look for sqrt, log, a power or a division."
            )
        elif len(points) >= 3 and request != value:
            hits = [index for index in needed if not values[:, index].any()]
            if hits and (request in components or len(hits) == values.shape[1]):
                kinks = sorted({name for name in names if name in _KINKED})
                hint = f" The program contains {', '.join(kinks)}." if kinks else ""
                findings.append(
                    f"{describe(request)} of output {', '.join(map(str, hits))} is exactly zero at all "
                    f"{len(points)} points.{hint} Use a smooth activation such as tanh."
                )
    return findings
