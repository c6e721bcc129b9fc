"""Time of a residual and of its parameter gradient: Taylor mode, nested forward, nested reverse and folx.

    python benchmarks/derivatives/run.py [--quick] [--output FILE]

Orders 1 to 4, Navier-Stokes and the biharmonic operator on a network 2-30-30-30-m with 3,000 points, and
Laplacians in 3, 10 and 100 dimensions, in float64. Tracing, compilation and run time are kept apart; run
times are minima over repeats.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sciml.derivatives import Laplacian, NestedForward, Request, Taylor, plan

RESULTS = pathlib.Path(__file__).parent.parent / "results" / "derivatives.json"
Evaluate = Callable[[Callable, Any], list[Any]]  # (u, x) -> the values of the requests


def parameters(sizes: tuple[int, ...]) -> list[tuple[jax.Array, jax.Array]]:
    keys = jax.random.split(jax.random.key(0), len(sizes) - 1)
    shapes = zip(keys, sizes[:-1], sizes[1:], strict=True)
    return [(jax.random.normal(key, (n, m)) / np.sqrt(m), jnp.full((n,), 0.1)) for key, m, n in shapes]


def network(params: list, x: jax.Array) -> jax.Array:
    for weight, bias in params[:-1]:
        x = jnp.tanh(weight @ x + bias)
    return params[-1][0] @ x + params[-1][1]


def by_plan(requests: list[Request], dimension: int, mode: Any) -> Evaluate:
    evaluate = plan(requests, dimension, mode=mode)
    return lambda u, x: list(evaluate(u, x).values())


def by_nested_reverse(requests: list[Request], dimension: int) -> Evaluate:
    """`jax.grad` of `jax.grad`, output by output: what most PINN code in JAX does."""

    def partial(u: Callable, axis: int) -> Callable:
        return lambda x: jax.grad(u)(x)[axis]

    def output(u: Callable, j: int) -> Callable:
        return lambda x: u(x)[j]

    def evaluate(u: Callable, x: jax.Array) -> list[Any]:
        outputs = jax.eval_shape(u, x).shape[0]
        values = []
        for request in requests:
            components = []
            for j in range(outputs):
                component = output(u, j)
                if isinstance(request, Laplacian):
                    components.append(jnp.trace(jax.jacfwd(jax.grad(component))(x)))
                    continue
                for axis, order in enumerate(request):
                    for _ in range(order):
                        component = partial(component, axis)
                components.append(component(x))
            values.append(jnp.stack(components))
        return values

    return evaluate


def by_folx(requests: list[Request], dimension: int) -> Evaluate:
    import folx

    def evaluate(u: Callable, x: jax.Array) -> list[Any]:
        out = folx.forward_laplacian(u, sparsity_threshold=0)(x)
        return [out.x, out.laplacian]

    return evaluate


def timed(function: Callable, *arguments: Any, seconds: float) -> dict[str, float]:
    start = time.perf_counter()
    lowered = jax.jit(function).lower(*arguments)
    middle = time.perf_counter()
    compiled = lowered.compile()
    end = time.perf_counter()
    jax.block_until_ready(compiled(*arguments))
    runs, stop = [], time.perf_counter() + seconds
    while len(runs) < 5 or time.perf_counter() < stop:
        before = time.perf_counter()
        jax.block_until_ready(compiled(*arguments))
        runs.append(time.perf_counter() - before)
    times = {"trace_s": middle - start, "compile_s": end - middle, "run_ms": 1e3 * min(runs)}
    return {**times, "repeats": len(runs)}


def measure(evaluate: Evaluate, params: list, points: jax.Array, seconds: float) -> dict[str, Any]:
    def residual(params: list, points: jax.Array) -> jax.Array:
        def one(x):
            values = evaluate(lambda x: network(params, x), x)
            return jnp.stack([(k + 1) * value for k, value in enumerate(values)]).sum(axis=0)

        return jax.vmap(one)(points)

    def loss(params: list, points: jax.Array) -> jax.Array:
        return jnp.mean(residual(params, points) ** 2)

    return {
        "residual": timed(residual, params, points, seconds=seconds),
        "gradient": timed(jax.grad(loss), params, points, seconds=seconds),
        "checksum": float(jnp.abs(jax.jit(residual)(params, points)).sum()),
    }


def cases(quick: bool) -> Iterator[tuple[str, list[Request], int, tuple[int, ...], int]]:
    value, rate = (0, 0), (0, 1)
    points = 300 if quick else 3000
    for order in range(1, 3 if quick else 5):
        chain: list[Request] = [value, rate, *((k, 0) for k in range(1, order + 1))]
        yield f"order {order}", chain, 2, (2, 30, 30, 30, 1), points
    yield "Navier-Stokes 2D", [value, (1, 0), rate, (2, 0), (0, 2)], 2, (2, 30, 30, 30, 3), points
    yield "biharmonic 2D", [(4, 0), (2, 2), (0, 4)], 2, (2, 30, 30, 30, 1), points // 3
    for dimension, n in ((3, points), (10, points // 3), (100, points // 15)):
        requests: list[Request] = [(0,) * dimension, Laplacian(range(dimension))]
        yield f"Laplacian {dimension}D", requests, dimension, (dimension, 32, 32, 32, 1), n


def methods(requests: list[Request], dimension: int, name: str) -> dict[str, Evaluate]:
    found = {
        "Taylor (default)": by_plan(requests, dimension, None),
        "nested forward": by_plan(requests, dimension, NestedForward(loop=dimension < 20)),
        "nested reverse": by_nested_reverse(requests, dimension),
    }
    if name.startswith("Laplacian"):
        block_from = 1 if dimension < Taylor().block_from else dimension + 1
        other = "as one array" if block_from == 1 else "one by one"
        found[f"Taylor, first derivatives {other}"] = by_plan(requests, dimension, Taylor(block_from))
        try:
            import folx as folx

            found["folx"] = by_folx(requests, dimension)
        except ImportError:
            pass
    return found


def version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller cases, for continuous integration")
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS)
    options = parser.parse_args()
    rows = []
    with jax.enable_x64(True):
        for name, requests, dimension, sizes, n in cases(options.quick):
            params = parameters(sizes)
            points = jax.random.uniform(jax.random.key(1), (n, dimension), minval=-1, maxval=1)
            for method, evaluate in methods(requests, dimension, name).items():
                result = measure(evaluate, params, points, 0.1 if options.quick else 0.6)
                rows.append({"case": name, "method": method, "points": n, "network": list(sizes), **result})
                r, g = result["residual"], result["gradient"]
                print(
                    f"{name:17} {method:38} residual {r['run_ms']:8.2f} ms  gradient {g['run_ms']:8.2f} ms  "
                    f"trace + compile {sum(t[k] for t in (r, g) for k in ('trace_s', 'compile_s')):5.1f} s",
                    flush=True,
                )
            sums = [row["checksum"] for row in rows if row["case"] == name]
            if not np.allclose(sums, sums[0], rtol=1e-9):
                raise RuntimeError(f"The methods disagree on {name}: {sums}")
        device = jax.devices()[0]
        report = {
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "device": f"{device.platform}: {device.device_kind}",
            "processor": platform.processor() or platform.machine(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "load_at_the_end": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
            "precision": str(jnp.zeros(()).dtype),
            "python": platform.python_version(),
            "versions": {name: version(name) for name in ("jax", "jaxlib", "numpy", "folx")},
            "rows": rows,
        }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
