"""Exact and converged references for the problems of the benchmark.

Exact ones are NumPy and SciPy alone, integrated ones are kept in results/, so that the peers' scripts, which run in
environments of their own, measure themselves against the same numbers. `python references.py` integrates them anew and
prints how each converges.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).resolve().parent.parent / "results"
NU = 0.01 / np.pi
BLOCK = 20_000


def relative_l2(found: np.ndarray, exact: np.ndarray) -> float:
    """|found - exact|_2 / |exact|_2."""
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def burgers(x: np.ndarray, t: np.ndarray, nu: float = NU, advection: float = 1.0, nodes: int = 100) -> np.ndarray:
    """u_t + advection u u_x = nu u_xx on [-1, 1], u(x, 0) = -sin(pi x), u(+-1, t) = 0, at points x, t (same shape).

    Cole-Hopf for v = advection u:  v = -a I[sin(pi (x - e)) f(x - e)] / I[f(x - e)],  a = advection,
    f(y) = exp(-a cos(pi y) / (2 pi nu)),  I over the heat kernel exp(-e^2 / (4 nu t)) by Gauss-Hermite quadrature,
    e = sqrt(4 nu t) z. The largest exponent is subtracted before exp. Source: C. Basdevant et al., Computers & Fluids
    14 (1986) 23, doi:10.1016/0045-7930(86)90036-8.
    """
    z, w = np.polynomial.hermite.hermgauss(nodes)
    x, t = np.broadcast_arrays(np.asarray(x, float), np.asarray(t, float))
    shape, x, t = x.shape, x.ravel(), t.ravel()
    u = np.empty_like(x)
    for start in range(0, len(x), BLOCK):
        part = slice(start, start + BLOCK)
        y = x[part, None] - np.sqrt(4 * nu * t[part])[:, None] * z
        exponent = -advection * np.cos(np.pi * y) / (2 * np.pi * nu)
        kernel = w * np.exp(exponent - exponent.max(axis=1, keepdims=True))
        u[part] = -(kernel * np.sin(np.pi * y)).sum(axis=1) / kernel.sum(axis=1)
    return u.reshape(shape)


def burgers_sharp(x: np.ndarray, t: np.ndarray, nu: float) -> np.ndarray:
    """The same by the trapezoidal rule over all of space, which is spectral for these integrands, for sharp fronts (Hermite
    points miss their maxima). x and t of any shape, t > 0."""
    shape, x, t = np.shape(x), np.ravel(x), np.ravel(t)
    y = np.linspace(-2, 2, 16001)
    u = np.empty_like(x)
    for start in range(0, len(x), 256):
        part = slice(start, start + 256)
        exponent = -np.cos(np.pi * y) / (2 * np.pi * nu) - (x[part, None] - y) ** 2 / (4 * nu * t[part, None])
        kernel = np.exp(exponent - exponent.max(axis=1, keepdims=True))
        u[part] = -(kernel * np.sin(np.pi * y)).sum(axis=1) / kernel.sum(axis=1)
    return u.reshape(shape)


def two_solitons(x: np.ndarray, t: np.ndarray, k1: float = 1.5, k2: float = 1.0) -> np.ndarray:
    """u_t + 6 u u_x + u_xxx = 0, solitons of speeds 4 k^2 that meet at t = 0: u = 2 (log F)_xx (R. Hirota, Phys. Rev.
    Lett. 27 (1971) 1192)."""
    a, b = 2 * k1 * x - 8 * k1**3 * t, 2 * k2 * x - 8 * k2**3 * t
    most = np.maximum(np.maximum(0, a), np.maximum(b, a + b))
    parts = [np.exp(-most), np.exp(a - most), np.exp(b - most), ((k1 - k2) / (k1 + k2)) ** 2 * np.exp(a + b - most)]
    slopes = [0, 2 * k1, 2 * k2, 2 * (k1 + k2)]
    F, first, second = (sum(w**n * e for w, e in zip(slopes, parts, strict=True)) for n in range(3))
    return 2 * (second / F - (first / F) ** 2)


def burgers_grid() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, t and u on the usual 256 x 100 grid, x in [-1, 1] and t in [0, 0.99] in steps of 0.01, each (100, 256)."""
    t, x = np.meshgrid(np.linspace(0, 0.99, 100), np.linspace(-1, 1, 256), indexing="ij")
    return x, t, burgers(x, t)


def burgers_cramer_rao(x: np.ndarray, t: np.ndarray, sigma: float) -> dict[str, float]:
    """The smallest standard deviations of unbiased estimates of nu and of the advection coefficient, both unknown.

    Points x, t carry independent normal noise `sigma`; the initial and boundary values are known, so u is a function of
    the two numbers alone: covariance >= (J^T J)^-1 sigma^2 with J the sensitivities of u at the points, here by
    central differences (error 1e-8 relative).
    """
    step = 1e-4
    by_nu = (burgers(x, t, nu=NU * (1 + step)) - burgers(x, t, nu=NU * (1 - step))) / (2 * step * NU)
    by_advection = (burgers(x, t, advection=1 + step) - burgers(x, t, advection=1 - step)) / (2 * step)
    J = np.stack([by_nu, by_advection], axis=1)
    covariance = sigma**2 * np.linalg.inv(J.T @ J)
    return {"nu": float(np.sqrt(covariance[0, 0])), "advection": float(np.sqrt(covariance[1, 1]))}


# Integrated by sciml.solvers, which knows nothing of networks; kept in results/, where the peers' scripts find them ---------


def _kept(name: str) -> dict[str, np.ndarray]:
    path = RESULTS / f"reference_{name}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **INTEGRATED[name]())
    return dict(np.load(path))


def allen_cahn(points: int = 8192) -> dict[str, np.ndarray]:
    """u (101, 257) on t in [0, 1] and x in [0, 1], of which it is an even function.

    u0 = x^2 cos(pi x) has the slope -2 at x = 1, so its period has a kink, which Fourier series sampled at N points
    represent to N^-2; the diffusion rounds it off at once.
    """
    import problems

    from sciml import solvers

    times = np.linspace(0, 1, 101)
    found = solvers.solve(*problems.allen_cahn(), grid=points, rtol=1e-11, save_at=times, max_time=np.inf, progress=False)
    (values,) = np.moveaxis(found.final.saved(times), 1, 0)
    return {"u": np.concatenate([values[:, points // 2 :: points // 512], values[:, :1]], axis=1)}


def cavity(cells: int = 256) -> dict[str, np.ndarray]:
    """u and v (31, 31) on the points at k/32 of both sides."""
    found = _cavity(cells)
    x, y = np.meshgrid(INNER, INNER, indexing="ij")
    return {"u": found.u(x, y), "v": found.v(x, y)}


@functools.cache
def _cavity(cells: int):
    import problems

    from sciml import solvers

    return solvers.solve(*problems.cavity(), grid=cells, max_time=np.inf, progress=False)


def kuramoto_sivashinsky(points: int = 512) -> dict[str, np.ndarray]:
    """u (101, 512)."""
    import problems

    from sciml import solvers

    pde, domain = problems.kuramoto_sivashinsky()
    found = solvers.solve(pde, domain, grid=points, rtol=1e-11, max_time=np.inf, progress=False)
    times = np.linspace(*found.domain.grid(2)["t"], 101)
    return {"u": found.final.saved(times)[:, 0, :: points // 512]}


MARCHI_100 = {"u_min": -0.2140417, "v_max": 0.1795728, "v_min": -0.2538030}
INNER = np.arange(1, 32) / 32
INTEGRATED = {"allen_cahn": allen_cahn, "cavity": cavity, "kuramoto_sivashinsky": kuramoto_sivashinsky}


def allen_cahn_grid() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, t and u on [-1, 1] x [0, 1], 513 x 101 points, each (101, 513)."""
    half = _kept("allen_cahn")["u"]
    u = np.concatenate([half[:, :0:-1], half], axis=1)
    t, x = np.meshgrid(np.linspace(0, 1, 101), np.linspace(-1, 1, 513), indexing="ij")
    return x, t, u


def cavity_grid() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x, y, u, v on 31 x 31 inner points: closer than 1/32 to a wall the lid's corners are singular."""
    x, y = np.meshgrid(INNER, INNER, indexing="ij")
    found = _kept("cavity")
    return x, y, found["u"], found["v"]


def kuramoto_sivashinsky_grid() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, t and u on [0, 32 pi) x [0, 10], 512 x 101 points, each (101, 512)."""
    t, x = np.meshgrid(np.linspace(0, 10, 101), 32 * np.pi * np.arange(512) / 512, indexing="ij")
    return x, t, _kept("kuramoto_sivashinsky")["u"]


def extremum(values: np.ndarray, sign: int) -> float:
    """The minimum (sign -1) or maximum (+1) of values on a uniform line, through the parabola of three points."""
    i = int(np.argmax(sign * values))
    if i in (0, len(values) - 1):
        return float(values[i])
    left, mid, right = values[i - 1 : i + 2]
    bend = left - 2 * mid + right
    return float(mid - (right - left) ** 2 / (8 * bend)) if bend else float(mid)


# Convergence ----------------------------------------------------------------------------------------------------------


def main() -> None:
    """Makes the kept references anew, and says how they converge."""
    x, t, u = burgers_grid()
    for nodes in (40, 60, 80, 200):
        print(f"burgers   {nodes:4d} against 100 nodes    {relative_l2(burgers(x, t, nodes=nodes), u):.1e}")
    for name, make, coarser in (
        ("allen_cahn", allen_cahn, (2048, 4096)),
        ("kuramoto_sivashinsky", kuramoto_sivashinsky, (512, 1024)),
        ("cavity", cavity, (64, 128)),
    ):
        best = make()
        RESULTS.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(RESULTS / f"reference_{name}.npz", **best)
        for n in coarser:
            off = {key: f"{relative_l2(value, best[key]):.1e}" for key, value in make(n).items()}
            print(f"{name} with {n} points against the kept one  {off}", flush=True)
    line = np.linspace(0, 1, 2001)
    found = _cavity(256)
    u, v = found.u(0.5, line), found.v(line, 0.5)
    extrema = {"u_min": extremum(u, -1), "v_max": extremum(v, 1), "v_min": extremum(v, -1)}
    print("cavity off the published extrema", {k: f"{abs(e / MARCHI_100[k] - 1):.1e}" for k, e in extrema.items()})


if __name__ == "__main__":
    main()
