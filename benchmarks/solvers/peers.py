"""Time of a step beside exponax and beside NumPy, at the same order, precision, grid and step; float64.

    python peers.py                    writes benchmarks/results/solvers_peers.json

    Kuramoto-Sivashinsky   [0, 32 pi], 128, 1,024 and 8,192 points, ETDRK4
    Navier-Stokes 2D       vorticity, (2 pi)^2, 128^2 and 256^2 points, nu = 1e-3, ETDRK4

All march the same initial value the same number of equal steps to the same time, and the final states are compared, so that the
work is the same. Every run is a process of its own; the time is the median of five calls after the first, compilation
excluded. exponax runs in its environment (EXPONAX below); the NumPy step is the same ETDRK4 written with scipy.fft.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "results"
EXPONAX = os.environ.get("EXPONAX", "/work/venvs/peer_exponax/bin/python")
CALLS = 5
WORK = {
    "ks 128": (128, 0.05, 400),
    "ks 1024": (1024, 0.05, 400),
    "ks 8192": (8192, 0.05, 200),
    "ns 128": (128, 2e-3, 100),
    "ns 256": (256, 2e-3, 50),
}


def start(name: str, n: int) -> np.ndarray:
    if name.startswith("ks"):
        s = 32 * np.pi * np.arange(n) / n
        return np.cos(s / 16) * (1 + np.sin(s / 16))
    s = 2 * np.pi * np.arange(n) / n
    x, y = np.meshgrid(s, s, indexing="ij")
    random = np.random.default_rng(0)
    return sum(
        random.normal() * np.cos(k * x + random.uniform(0, 6)) * np.cos(m * y + random.uniform(0, 6))
        for k in range(1, 5)
        for m in range(1, 5)
    )


def timed(run: Callable[[], Any]) -> tuple[float, float, np.ndarray]:
    before = time.perf_counter()
    first = np.asarray(run())
    compiled = time.perf_counter() - before
    times = []
    for _ in range(CALLS):
        before = time.perf_counter()
        np.asarray(run())
        times.append(time.perf_counter() - before)
    return statistics.median(times), compiled, first


def sciml(name: str) -> dict[str, Any]:
    sys.path[:0] = [str(HERE.parents[1])]
    import jax

    from sciml import PDE, Box, Initial, Periodic, catalogue, float64, solvers

    n, dt, steps = WORK[name]
    end = dt * steps
    if name.startswith("ks"):
        equation = catalogue.kuramoto_sivashinsky()
        (u,) = equation.fields
        pde, place = equation.with_conditions(Initial(u, 0), Periodic()), Box(x=(0, 32 * np.pi), t=(0, end))
    else:
        equation = catalogue.vorticity_streamfunction(nu=1e-3)
        omega, _ = equation.fields
        pde: PDE = equation.with_conditions(Initial(omega, 0), Periodic())
        place = Box(x=(0, 2 * np.pi), y=(0, 2 * np.pi), t=(0, end))
    problem = solvers.compile(pde, place, grid=n)
    with float64():
        run = jax.jit(lambda u: problem.run(u, save_at=(0, end), steps=steps)[-1, 0])
        u0 = jax.numpy.asarray(start(name, n)[None])
        seconds, first, state = timed(lambda: run(u0))
    return {"seconds": seconds, "first_call": first, "state": state, "versions": {"jax": jax.__version__}}


def exponax(name: str) -> dict[str, Any]:
    import exponax as ex
    import jax

    jax.config.update("jax_enable_x64", True)
    n, dt, steps = WORK[name]
    if name.startswith("ks"):
        stepper = ex.stepper.KuramotoSivashinskyConservative(1, 32 * np.pi, n, dt, order=4)
    else:
        stepper = ex.stepper.NavierStokesVorticity(2, 2 * np.pi, n, dt, diffusivity=1e-3, order=4)
    run = jax.jit(ex.repeat(stepper, steps))
    sign = 1 if name.startswith("ks") else -1  # its stream function has laplacian(psi) = omega: the flow turns the other way
    u0 = sign * jax.numpy.asarray(start(name, n)[None])
    seconds, first, state = timed(lambda: run(u0))
    state = sign * state
    versions = {"exponax": ex.__version__, "jax": jax.__version__}
    return {"seconds": seconds, "first_call": first, "state": state[0], "versions": versions}


def numpy(name: str) -> dict[str, Any]:
    from scipy import fft

    n, dt, steps = WORK[name]
    workers = os.cpu_count()
    if name.startswith("ks"):
        k = 2 * np.pi * np.fft.rfftfreq(n, 32 * np.pi / n)
        L, kept = k**2 - k**4, np.arange(n // 2 + 1) < n / 3
        forward, backward = fft.rfft, lambda u: fft.irfft(u, n)
        slope = 1j * k
        slope[-1] = 0

        def N(u: np.ndarray) -> np.ndarray:
            return np.where(kept, -0.5 * slope * forward(backward(np.where(kept, u, 0)) ** 2), 0)
    else:
        kx, ky = np.fft.fftfreq(n, 1 / n)[:, None], np.fft.rfftfreq(n, 1 / n)[None, :]
        L = -1e-3 * (kx**2 + ky**2)
        kept = (np.abs(kx) < n / 3) & (np.abs(ky) < n / 3)
        ix, iy = 1j * np.where(np.abs(kx) == n / 2, 0, kx), 1j * np.where(ky == n / 2, 0, ky)
        square = np.where(kx**2 + ky**2 == 0, 1, kx**2 + ky**2)
        forward = lambda u: fft.rfft2(u, workers=workers)  # noqa: E731
        backward = lambda u: fft.irfft2(u, (n, n), workers=workers)  # noqa: E731

        def N(w: np.ndarray) -> np.ndarray:
            w = np.where(kept, w, 0)
            psi = w / square
            product = backward(iy * psi) * backward(ix * w) - backward(ix * psi) * backward(iy * w)
            return np.where(kept, -forward(product), 0)

    h = dt
    circle = np.exp(2j * np.pi * (np.arange(32) + 0.5) / 32)
    mean = lambda f, z: np.mean([f(z + c) for c in circle], axis=0).real  # noqa: E731
    E, E2 = np.exp(h * L), np.exp(h * L / 2)
    Q = h * mean(lambda z: (np.exp(z / 2) - 1) / z, h * L)
    f1 = h * mean(lambda z: (-4 - z + np.exp(z) * (4 - 3 * z + z**2)) / z**3, h * L)
    f2 = h * mean(lambda z: (2 + z + np.exp(z) * (z - 2)) / z**3, h * L)
    f3 = h * mean(lambda z: (-4 - 3 * z - z**2 + np.exp(z) * (4 - z)) / z**3, h * L)

    def run() -> np.ndarray:
        u = forward(start(name, n))
        for _ in range(steps):
            a0 = N(u)
            a = E2 * u + Q * a0
            na = N(a)
            b = E2 * u + Q * na
            nb = N(b)
            c = E2 * a + Q * (2 * nb - a0)
            nc = N(c)
            u = E * u + f1 * a0 + 2 * f2 * (na + nb) + f3 * nc
        return backward(u)

    seconds, first, state = timed(run)
    return {"seconds": seconds, "first_call": first, "state": state, "versions": {"numpy": np.__version__}}


def one(peer: str, name: str, out: str) -> None:
    found = {"sciml": sciml, "exponax": exponax, "numpy": numpy}[peer](name)
    np.save(out + ".npy", found.pop("state"))
    Path(out).write_text(json.dumps(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one(*args.one)
        return
    sys.path[:0] = [str(HERE.parent / "pinn")]
    from run import machine

    report: dict[str, Any] = {"machine": machine(), "precision": "float64", "work": WORK, "results": {}}
    with tempfile.TemporaryDirectory() as folder:
        for name in WORK:
            rows: dict[str, Any] = {}
            states = {}
            for peer, python in (("sciml", sys.executable), ("exponax", EXPONAX), ("numpy", sys.executable)):
                out = f"{folder}/{peer}.json"
                done = subprocess.run(
                    [python, __file__, "--one", peer, name, out], capture_output=True, text=True, timeout=1800
                )
                if done.returncode:
                    rows[peer] = {"failed": done.stderr.strip()[-1000:]}
                    continue
                rows[peer] = json.loads(Path(out).read_text())
                rows[peer]["ms_per_step"] = 1e3 * rows[peer]["seconds"] / WORK[name][2]
                states[peer] = np.load(out + ".npy")
            size = np.linalg.norm(states["sciml"])
            for peer, state in states.items():
                rows[peer]["differs"] = float(np.linalg.norm(state - states["sciml"]) / size)
            report["results"][name] = rows
            shown = ", ".join(
                f"{p} {r['ms_per_step']:.3f} ms (differs {r['differs']:.0e})" if "ms_per_step" in r else f"{p} failed"
                for p, r in rows.items()
            )
            print(f"{name}: {shown}", flush=True)
    (RESULTS / "solvers_peers.json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
