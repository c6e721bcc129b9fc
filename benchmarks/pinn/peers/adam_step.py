"""Time of one Adam step on Burgers: DeepXDE on PyTorch against sciml, compilation excluded.

    python adam_step.py                     float64 and float32, 5 turns each; writes benchmarks/results/adam_step.json

The same on both sides: network 2-20-20-20-1 of tanh (921 parameters, counted on both sides), the very points of
DeepXDE's published script (2,540 inside, 80 on the walls, 160 initial; DeepXDE draws them and evaluates the
equation on all 2,780 of them, so sciml does too), the loss mean(r^2) + mean(walls^2) + mean(initial^2), the
derivatives u_t, u_x, u_xx, Adam at 1e-3, the precision. DeepXDE's step is its own `_train_step`, without the
loop, callbacks and displays around it; it is timed with one thread and with PyTorch's default number of them,
and the faster of the two counts. sciml's is 200 steps in one compiled scan. Turns alternate, each in a fresh
process; the result is the median over turns.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parents[1] / "results"
DEEPXDE = "/work/venvs/peer_deepxde/bin/python"
BLOCK = 200
BLOCKS = 5


def deepxde(precision: str, threads: int, points: Path, steps: int) -> dict:
    """Runs in DeepXDE's environment. Draws the points, writes them to `points`, times blocks of its own train step."""
    os.environ["DDE_BACKEND"] = "pytorch"
    import deepxde as dde
    import numpy as np
    import torch

    if threads:
        torch.set_num_threads(threads)
    dde.config.set_default_float(precision)
    dde.config.set_random_seed(0)

    def pde(x, y):
        dy_x = dde.grad.jacobian(y, x, i=0, j=0)
        dy_t = dde.grad.jacobian(y, x, i=0, j=1)
        dy_xx = dde.grad.hessian(y, x, i=0, j=0)
        return dy_t + y * dy_x - 0.01 / np.pi * dy_xx

    place = dde.geometry.GeometryXTime(dde.geometry.Interval(-1, 1), dde.geometry.TimeDomain(0, 0.99))
    walls = dde.icbc.DirichletBC(place, lambda x: 0, lambda _, on_boundary: on_boundary)
    initial = dde.icbc.IC(place, lambda x: -np.sin(np.pi * x[:, 0:1]), lambda _, on_initial: on_initial)
    data = dde.data.TimePDE(place, pde, [walls, initial], num_domain=2540, num_boundary=80, num_initial=160)
    model = dde.Model(data, dde.nn.FNN([2] + [20] * 3 + [1], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0)
    model.train(iterations=20, verbose=0)
    X, y, aux = data.train_next_batch()
    edges = np.cumsum([0, *data.num_bcs])
    np.savez(points, interior=X[edges[-1] :], walls=X[edges[0] : edges[1]], initial=X[edges[1] : edges[2]])
    times = []
    for _ in range(BLOCKS):
        before = time.perf_counter()
        for _ in range(steps):
            model._train_step(X, y, aux)
        times.append((time.perf_counter() - before) / steps)
    return {
        "ms_per_step": 1e3 * statistics.median(times),
        "blocks_ms": [1e3 * t for t in times],
        "parameters": sum(p.numel() for p in model.net.parameters()),
        "points": {"interior": len(X) - int(edges[-1]), "walls": int(edges[1]), "initial": int(edges[2] - edges[1])},
        "threads": torch.get_num_threads(),
        "dtype": str(next(model.net.parameters()).dtype),
        "versions": {"deepxde": dde.__version__, "torch": torch.__version__},
    }


def sciml(precision: str, points: Path, steps: int) -> dict:
    """Runs in sciml's environment: `problem.loss` under the user's own jit, scan and optax."""
    sys.path[:0] = [str(HERE.parents[2])]
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax
    import sympy as sp

    from sciml import float64, nn, pinn
    from sciml.geometry import Box
    from sciml.pde import PDE, Dirichlet, Initial, coordinates, field

    x, t = coordinates("x t")
    u = field("u", x, t)
    pde = PDE(u.t + u * u.x - 0.01 / np.pi * u.xx, Initial(u, -sp.sin(sp.pi * x)), Dirichlet(u, 0))
    network = nn.MLP(2, 1, width=20, depth=3, activation=jnp.tanh, key=0)
    problem = pinn.compile(pde, Box(x=(-1, 1), t=(0, 0.99)), network, exact=False)
    # With weight = scale^2 every block enters as the plain mean square of its residual.
    weights = {block.name: float(block.scale) ** 2 for block in problem.blocks}
    given = np.load(points)
    batch = {}
    for group, drawn in problem.sample({g.name: 8 for g in problem.groups}).items():
        kind = "interior" if group == "interior" else "initial" if "initial" in group else "walls"
        own = given[kind].astype(float)
        batch[group] = type(drawn)(
            x=own,
            normals=np.sign(own[:, :1]) if np.ndim(drawn.normals) == 2 else drawn.normals,
            weight=np.ones(len(own)),
            data=np.zeros((len(own), *np.shape(drawn.data)[1:])) if np.ndim(drawn.data) else drawn.data,
            damping=np.ones(len(own)) if np.ndim(drawn.damping) else drawn.damping,
        )
    adam = optax.adam(1e-3)
    single = precision == "float32"
    # The public `loss` refuses 32 bits under a user's jit, so float32 goes one level below it.
    loss = problem._loss if single else problem.loss

    def run(params, memory, batch):
        def step(carry, _):
            params, memory = carry
            value, gradient = jax.value_and_grad(loss)(params, batch, weights)
            updates, memory = adam.update(gradient, memory)
            return (optax.apply_updates(params, updates), memory), value

        return jax.lax.scan(step, (params, memory), None, length=steps)

    def timed():
        to = jnp.float32 if single else jnp.float64
        cast = lambda tree: jax.tree.map(lambda a: jnp.asarray(a, to), tree)  # noqa: E731
        params, points = cast(problem.params), cast(batch)
        memory = adam.init(params)
        before = time.perf_counter()
        compiled = jax.jit(run).lower(params, memory, points).compile()
        compile_s = time.perf_counter() - before
        (params, memory), losses = jax.block_until_ready(compiled(params, memory, points))
        first = float(losses[0])
        times = []
        for _ in range(BLOCKS):
            before = time.perf_counter()
            (params, memory), losses = jax.block_until_ready(compiled(params, memory, points))
            times.append((time.perf_counter() - before) / steps)
        dtype = str(jax.tree.leaves(params["network"])[0].dtype)
        return times, compile_s, first, float(losses[-1]), dtype

    if single:
        times, compile_s, first, last, dtype = timed()
    else:
        with float64():
            times, compile_s, first, last, dtype = timed()
    return {
        "ms_per_step": 1e3 * statistics.median(times),
        "blocks_ms": [1e3 * t for t in times],
        "compile_s": compile_s,
        "loss_first": first,
        "loss_last": last,
        "parameters": sum(int(np.size(a)) for a in jax.tree.leaves(problem.params["network"])),
        "points": {name: len(p.x) for name, p in batch.items()},
        "dtype": dtype,
        "versions": {"jax": jax.__version__, "optax": optax.__version__},
    }


def measure(library: str, precision: str, points: Path, *, threads: int = 0, steps: int = BLOCK) -> dict:
    """One turn in a fresh process of the library's own environment."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        python = DEEPXDE if library == "deepxde" else sys.executable
        command = [
            python,
            str(HERE / "adam_step.py"),
            "--one",
            library,
            "--precision",
            precision,
            "--points",
            str(points),
        ]
        command += ["--threads", str(threads), "--steps", str(steps), "--out", str(out)]
        # The thread pool must be small from the start: shrinking it later leaves threads spinning.
        environment = dict(os.environ) | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=1800)
        if done.returncode:
            raise RuntimeError(f"{library} failed:\n{done.stderr[-3000:]}")
        return json.loads(out.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--one", choices=("deepxde", "sciml"))
    parser.add_argument("--precision", choices=("float32", "float64"), action="append")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--points")
    parser.add_argument("--steps", type=int, default=BLOCK)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--out", default=str(RESULTS / "adam_step.json"))
    args = parser.parse_args()
    precisions = args.precision or ["float64", "float32"]
    out = Path(args.out)
    if args.one:
        points = Path(args.points)
        found = (
            deepxde(precisions[0], args.threads, points, args.steps)
            if args.one == "deepxde"
            else sciml(precisions[0], points, args.steps)
        )
        out.write_text(json.dumps(found))
        return

    sys.path.insert(0, str(HERE.parent))
    from run import machine

    report = {"machine": machine(), "turns": args.turns, "results": {}}
    with tempfile.TemporaryDirectory() as folder:
        points = Path(folder) / "points.npz"
        for precision in precisions:
            turns: dict[str, list[dict]] = {"deepxde, 1 thread": [], "deepxde, default threads": [], "sciml": []}
            for _ in range(args.turns):
                turns["deepxde, 1 thread"].append(measure("deepxde", precision, points, threads=1, steps=args.steps))
                turns["deepxde, default threads"].append(measure("deepxde", precision, points, steps=args.steps))
                turns["sciml"].append(measure("sciml", precision, points, steps=args.steps))
                print(precision, {k: f"{v[-1]['ms_per_step']:.2f} ms" for k, v in turns.items()}, flush=True)
            median = {k: statistics.median(turn["ms_per_step"] for turn in v) for k, v in turns.items()}
            best = min(v for k, v in median.items() if k != "sciml")
            report["results"][precision] = {
                "ms_per_step": median, "times_faster": best / median["sciml"], "turns": turns,
            }  # fmt: skip
            print(f"{precision}: sciml's step is {best / median['sciml']:.2f} times faster")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"wrote {out}")


if __name__ == "__main__":
    main()
