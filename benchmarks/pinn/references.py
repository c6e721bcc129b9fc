"""Exact and converged references for the problems of the benchmark, in NumPy and SciPy alone.

Everything here is independent of sciml, so that the peers' scripts, which run in environments of their own, measure
themselves against the same numbers. `python references.py` prints how each computed reference converges.
"""

from __future__ import annotations

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


# Allen-Cahn -----------------------------------------------------------------------------------------------------------


def allen_cahn(modes: int = 2048, steps: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x (257,), t (101,) and u (101, 257) of u_t = 1e-4 u_xx - 5 (u^3 - u), u0 = x^2 cos(pi x), period 2, on x >= 0.

    u0 is even but its slope at x = 1 is -2: the periodic continuation has a kink, sampled Fourier series converge like
    modes^-2. Here the solution is a cosine series whose first coefficients are the exact integrals of u0, the
    reaction is projected on it without aliasing (fourfold padding holds every cubic product) and time is ETDRK4
    (Kassam & Trefethen 2005, doi:10.1137/S1064827502410633). What the truncation leaves out at t = 0 decays like
    exp(-1e-4 (k pi)^2 t) before it acts back, so the error at the first t > 0 is exponentially small in modes^2.
    """
    from scipy.fft import dct, idct

    k = np.arange(modes)
    padded = 4 * modes
    L = 5.0 - 1e-4 * (np.pi * k) ** 2
    h = 1.0 / steps

    def cubic(a):
        # idct(type 2 inverse) of a padded series gives values at midpoints; c_0 counts twice in SciPy's convention.
        series = np.zeros(padded)
        series[:modes] = a * padded
        series[0] *= 2
        values = idct(series, 2)
        back = dct(values**3, 2)[:modes] / padded
        back[0] /= 2
        return -5.0 * back

    # phi-functions as means over a circle around each h L (16 points would do for real symmetric circles).
    z = h * L[:, None] + np.exp(2j * np.pi * (np.arange(64) + 0.5) / 64)
    e, e2 = np.exp(h * L), np.exp(h * L / 2)
    q = h * np.real(np.mean((np.exp(z / 2) - 1) / z, axis=1))
    f1 = h * np.real(np.mean((-4 - z + np.exp(z) * (4 - 3 * z + z**2)) / z**3, axis=1))
    f2 = h * np.real(np.mean((2 + z + np.exp(z) * (z - 2)) / z**3, axis=1))
    f3 = h * np.real(np.mean((-4 - 3 * z - z**2 + np.exp(z) * (4 - z)) / z**3, axis=1))

    x, t = np.linspace(0, 1, 257), np.linspace(0, 1, 101)
    basis = np.cos(np.pi * np.outer(k, x))
    u = np.empty((len(t), len(x)))
    u[0] = x**2 * np.cos(np.pi * x)
    a = _cosine_coefficients(k)
    every = steps // 100
    for n in range(1, steps + 1):
        n0 = cubic(a)
        b = e2 * a + q * n0
        nb = cubic(b)
        c = e2 * a + q * nb
        nc = cubic(c)
        d = e2 * b + q * (2 * nc - n0)
        a = e * a + f1 * n0 + 2 * f2 * (nb + nc) + f3 * cubic(d)
        if n % every == 0:
            u[n // every] = a @ basis
    return x, t, u


def _cosine_coefficients(k: np.ndarray) -> np.ndarray:
    """x^2 cos(pi x) = sum_k a_k cos(k pi x) on [0, 1]: a_k is a sum of two integrals of x^2 cos(m pi x)."""

    def moment(m):
        return np.where(m == 0, 1 / 3, 2 * np.cos(np.pi * m) / (np.pi * np.where(m == 0, 1, m)) ** 2)

    a = moment(k + 1) + moment(k - 1)
    a[0] /= 2
    return a


def allen_cahn_chebyshev(points: int = 160, tolerance: float = 1e-9) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same on the same grid by another road: Chebyshev collocation on [0, 1] without flux at both ends, Radau IIA.

    What the kink becomes is taken out as the half-line solution of the heat equation, u = u0 + w + v (see `_kink`), so
    that v has no flux at either end from the beginning.
    """
    from scipy.integrate import solve_ivp

    D = 1e-4
    N = points
    theta = np.pi * np.arange(N + 1) / N
    x = (1 - np.cos(theta)) / 2
    M = _chebyshev_matrix(N)
    inner, ends = slice(1, N), [0, N]
    # Values at the ends from v_x = 0 there.
    ends_from_inner = -np.linalg.solve(M[np.ix_(ends, ends)], M[np.ix_(ends, range(1, N))])
    full = np.zeros((N + 1, N - 1))
    full[1:N] = np.eye(N - 1)
    full[ends] = ends_from_inner
    second = (M @ M @ full)[inner]

    def u0(x):
        return x**2 * np.cos(np.pi * x)

    xi = x[inner]
    u0_xx = (2 - np.pi**2 * xi**2) * np.cos(np.pi * xi) - 4 * np.pi * xi * np.sin(np.pi * xi)
    J0 = D * second

    def rhs(t, v):
        u = u0(xi) + _kink(xi, t, D) + v
        return J0 @ v + D * u0_xx - 5 * (u**3 - u)

    def jacobian(t, v):
        u = u0(xi) + _kink(xi, t, D) + v
        return J0 + np.diag(-5 * (3 * u**2 - 1))

    grid, times = np.linspace(0, 1, 257), np.linspace(0, 1, 101)
    found = solve_ivp(
        rhs, (0, 1), np.zeros(N - 1), "Radau", t_eval=times, jac=jacobian, rtol=tolerance, atol=tolerance / 100
    )
    v = full @ found.y
    interpolate = _barycentric(x, grid)
    values = (interpolate @ v).T
    return grid, times, values + u0(grid) + np.stack([_kink(grid, t, D) for t in times])


def _kink(x: np.ndarray, t: float, D: float) -> np.ndarray:
    """w_t = D w_xx, w(x, 0) = 0, w_x = 2 at x = 1 (u0 has slope -2 there); its slope at 0 is below 1e-300."""
    from scipy.special import erfc

    if t <= 0:
        return np.zeros_like(x)
    y = (1 - x) / np.sqrt(4 * D * t)
    return 2 * np.sqrt(4 * D * t) * (np.exp(-(y**2)) / np.sqrt(np.pi) - y * erfc(y))


def _chebyshev_matrix(N: int) -> np.ndarray:
    """Differentiation on N + 1 Chebyshev-Lobatto points of [0, 1], ascending (Trefethen 2000, with negative sums)."""
    x = -np.cos(np.pi * np.arange(N + 1) / N)
    c = np.ones(N + 1)
    c[[0, N]] = 2
    c *= (-1.0) ** np.arange(N + 1)
    M = np.outer(c, 1 / c) / (x[:, None] - x + np.eye(N + 1))
    M -= np.diag(M.sum(axis=1))
    return 2 * M


def _barycentric(nodes: np.ndarray, x: np.ndarray) -> np.ndarray:
    N = len(nodes) - 1
    w = (-1.0) ** np.arange(N + 1)
    w[[0, N]] /= 2
    gap = x[:, None] - nodes
    exact = np.isclose(gap, 0, atol=1e-14)
    gap[exact] = 1.0
    matrix = w / gap
    matrix /= matrix.sum(axis=1, keepdims=True)
    rows = exact.any(axis=1)
    matrix[rows] = exact[rows]
    return matrix


def allen_cahn_grid() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, t and u on [-1, 1] x [0, 1], 513 x 101 points, each (101, 513); computed once and kept in results/."""
    path = RESULTS / "reference_allen_cahn.npz"
    if path.exists():
        half = np.load(path)["u"]
    else:
        half = allen_cahn()[2]
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, u=half)
    u = np.concatenate([half[:, :0:-1], half], axis=1)
    t, x = np.meshgrid(np.linspace(0, 1, 101), np.linspace(-1, 1, 513), indexing="ij")
    return x, t, u


# Lid-driven cavity ----------------------------------------------------------------------------------------------------

MARCHI_100 = {"u_min": -0.2140417, "v_max": 0.1795728, "v_min": -0.2538030}


def cavity(N: int, nu: float = 0.01) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x (N + 1,), u and v (N + 1, N + 1) indexed [x, y]: the lid-driven cavity by its stream function, second order.

    nu lap lap psi = psi_y (lap psi)_x - psi_x (lap psi)_y, psi = 0 on the walls, psi_y = 1 on the lid, else no slip;
    central differences, ghost points behind the walls, Newton with a sparse direct solver.
    """
    import scipy.sparse as sp
    from scipy.sparse.linalg import splu

    h, n = 1.0 / N, N - 1
    # The grid with one ring of ghosts: (N + 3)^2 values from the n^2 inner ones and a constant (the lid).
    inner_1d = sp.eye(N + 3, n, k=-2, format="lil")
    inner_1d[0, 0] = inner_1d[N + 2, n - 1] = 1.0  # no slip: the ghost mirrors the first inner value
    E = sp.kron(inner_1d, inner_1d, format="csr")
    lid = np.zeros((N + 3, N + 3))
    lid[2 : N + 1, N + 2] = 2 * h  # psi_y = 1
    lid = lid.ravel()

    ones = np.ones(N + 3)
    d1 = sp.diags([-ones[1:], ones[1:]], [-1, 1]) / (2 * h)
    d2 = sp.diags([ones[1:], -2 * ones, ones[1:]], [-1, 0, 1]) / h**2
    eye = sp.eye(N + 3)
    dx, dy = sp.kron(d1, eye, format="csr"), sp.kron(eye, d1, format="csr")
    laplacian = sp.kron(d2, eye, format="csr") + sp.kron(eye, d2, format="csr")
    pick = sp.kron(sp.eye(n, N + 3, k=2), sp.eye(n, N + 3, k=2), format="csr")
    on_wall_too = sp.kron(_picker(N), _picker(N), format="csr")  # the laplacian is valid up to the walls, not on ghosts
    lap = on_wall_too @ laplacian

    parts = [pick @ dy, pick @ dx @ lap, pick @ dx, pick @ dy @ lap, pick @ laplacian @ lap]
    A, B, C, D, F = (p @ E for p in parts)
    a, b, c, d, f = (p @ lid for p in parts)
    psi = np.zeros(n * n)
    for _ in range(30):
        ua, ub, uc, ud = A @ psi + a, B @ psi + b, C @ psi + c, D @ psi + d
        residual = nu * (F @ psi + f) - (ua * ub - uc * ud)
        J = nu * F - (sp.diags(ub) @ A + sp.diags(ua) @ B - sp.diags(ud) @ C - sp.diags(uc) @ D)
        step = splu(J.tocsc()).solve(residual)
        psi -= step
        if np.abs(step).max() < 1e-12:
            break
    everything = E @ psi + lid
    u = (dy @ everything).reshape(N + 3, N + 3)[1:-1, 1:-1]
    v = -(dx @ everything).reshape(N + 3, N + 3)[1:-1, 1:-1]
    return np.linspace(0, 1, N + 1), u, v


def _picker(N: int):
    import scipy.sparse as sp

    diagonal = np.ones(N + 3)
    diagonal[[0, -1]] = 0
    return sp.diags(diagonal)


def cavity_grid() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x, y, u, v on 31 x 31 inner points, extrapolated from 96 and 192 intervals; kept in results/.

    Points closer than 1/32 to a wall are left out: the lid's corners are singular and the reference is not converged
    there. On the rest the extrapolation from 64 and 128 differs from it by 6e-4: enough for an error around 1 %.
    """
    path = RESULTS / "reference_cavity.npz"
    if not path.exists():
        _, u1, v1 = cavity(96)
        _, u2, v2 = cavity(192)
        path.parent.mkdir(parents=True, exist_ok=True)
        stride = slice(3, -3, 3)
        best = {
            name: (fine[::2, ::2] + (fine[::2, ::2] - coarse) / 3)[stride, stride]
            for name, coarse, fine in (("u", u1, u2), ("v", v1, v2))
        }
        np.savez_compressed(path, **best)
    found = np.load(path)
    line = np.arange(1, 32) / 32
    x, y = np.meshgrid(line, line, indexing="ij")
    return x, y, found["u"], found["v"]


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
    x, t, u = burgers_grid()
    for nodes in (40, 60, 80):
        print(f"burgers   {nodes:4d} against 100 nodes    {relative_l2(burgers(x, t, nodes=nodes), u):.1e}")
    print(f"burgers    200 against 100 nodes    {relative_l2(burgers(x, t, nodes=200), u):.1e}")
    _, _, best = allen_cahn()
    for steps in (500, 1000, 2000):
        print(f"allen-cahn {steps} against 4000 steps  {relative_l2(allen_cahn(steps=steps)[2], best):.1e}")
    for modes in (256, 512, 1024):
        print(f"allen-cahn {modes} against 2048 modes  {relative_l2(allen_cahn(modes, 2000)[2], best):.1e}")
    for points in (160, 320, 480):
        other = allen_cahn_chebyshev(points)[2]
        print(f"allen-cahn by Chebyshev {points} and Radau  {relative_l2(other, best):.1e}")
    fields = {}
    for N in (32, 64, 128):
        _, u, v = cavity(N)
        found = {
            "u_min": extremum(u[N // 2], -1),
            "v_max": extremum(v[:, N // 2], 1),
            "v_min": extremum(v[:, N // 2], -1),
        }
        off = {name: f"{abs(value / MARCHI_100[name] - 1):.1e}" for name, value in found.items()}
        print(f"cavity {N:4d}  off the published extrema {off}")
        stride = N // 32
        fields[N] = np.stack([u, v])[:, stride:-stride:stride, stride:-stride:stride]
    _, _, u, v = cavity_grid()
    kept = np.stack([u, v])
    print(f"cavity  128 against the kept field  {relative_l2(fields[128], kept):.1e}")
    for coarse, fine in ((32, 64), (64, 128)):
        better = fields[fine] + (fields[fine] - fields[coarse]) / 3
        print(f"cavity  {coarse}, {fine} extrapolated against the kept field  {relative_l2(better, kept):.1e}")


if __name__ == "__main__":
    main()
